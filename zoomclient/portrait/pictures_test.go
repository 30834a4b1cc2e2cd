package portrait

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/color"
	"image/draw"
	"image/gif"
	"image/jpeg"
	"image/png"
	"math"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zoompic/zoompic/zoomclient"
)

// photo has the detail of a photo: it compresses as one does, and no two of its corners are alike.
func photo(width, height int) *image.YCbCr {
	img := image.NewYCbCr(image.Rect(0, 0, width, height), image.YCbCrSubsampleRatio420)
	seed := uint32(1)
	for y := range height {
		for x := range width {
			seed = seed*1664525 + 1013904223
			waves := 60*math.Sin(float64(x)/37)*math.Cos(float64(y)/53) + 30*math.Sin(float64(x*y)/9e4)
			img.Y[y*img.YStride+x] = byte(128 + waves + float64(seed>>28))
		}
	}
	for i := range img.Cb {
		img.Cb[i] = byte(100 + i%img.CStride*50/img.CStride)
		img.Cr[i] = byte(150 - i/img.CStride*50/(height/2+1))
	}
	return img
}

// blocks has flat blocks of 16 pixels in colours of their own, so that PNG is smaller than JPEG and every pixel tells where
// it is from.
func blocks(width, height int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x / 16 * 40), uint8(y / 16 * 60), uint8((x/16 + y/16) % 3 * 100), 255})
		}
	}
	return img
}

// gradient is what JPEG changes least, and is another when turned.
func gradient(width, height int) *image.NRGBA {
	img := image.NewNRGBA(image.Rect(0, 0, width, height))
	for y := range height {
		for x := range width {
			img.SetNRGBA(x, y, color.NRGBA{uint8(x * 255 / width), uint8(y * 255 / height), 128, 255})
		}
	}
	return img
}

func noise(width, height int) *image.RGBA {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	seed := uint32(7)
	for i := range img.Pix {
		seed = seed*1664525 + 1013904223
		img.Pix[i] = byte(seed>>24) | byte(i%4/3*255) // opaque
	}
	return img
}

func jpegOf(tb testing.TB, img image.Image, quality int) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func pngOf(tb testing.TB, img image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func gifOf(tb testing.TB, canvas image.Point, frames ...*image.Paletted) []byte {
	tb.Helper()
	var b bytes.Buffer
	all := &gif.GIF{Image: frames, Delay: make([]int, len(frames)), Config: image.Config{Width: canvas.X, Height: canvas.Y}}
	if err := gif.EncodeAll(&b, all); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func jpegSegment(marker byte, content ...byte) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0xff, marker}, uint16(len(content)+2)), content...)
}

// withSegments puts segments behind SOI.
func withSegments(file []byte, segments ...[]byte) []byte {
	return slices.Concat(file[:2], slices.Concat(segments...), file[2:])
}

func pngChunk(kind, content string) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	b = append(append(b, kind...), content...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// withChunks puts chunks behind the header.
func withChunks(file []byte, chunks ...[]byte) []byte {
	const header = 8 + 25
	return slices.Concat(file[:header], slices.Concat(chunks...), file[header:])
}

func riffChunk(kind string, content []byte) []byte {
	b := binary.LittleEndian.AppendUint32([]byte(kind), uint32(len(content)))
	return append(append(b, content...), make([]byte, len(content)%2)...)
}

func riff(chunks ...[]byte) []byte {
	content := append([]byte("WEBP"), slices.Concat(chunks...)...)
	return append(binary.LittleEndian.AppendUint32([]byte("RIFF"), uint32(len(content))), content...)
}

// extendedWebP puts Exif behind a simple WebP file, which needs another header then.
func extendedWebP(tb testing.TB, simple, exif []byte) []byte {
	tb.Helper()
	src, err := open(simple, 1<<30)
	if err != nil {
		tb.Fatal(err)
	}
	header := []byte{0x08, 0, 0, 0}
	for _, side := range []int{src.width, src.height} {
		header = append(header, byte(side-1), byte((side-1)>>8), byte((side-1)>>16))
	}
	return riff(riffChunk("VP8X", header), simple[12:], riffChunk("EXIF", exif))
}

// A tag is a field of a TIFF table.
type tag struct {
	tag, kind uint16
	count     uint32
	value     []byte // an offset stands in its place if it has more than four bytes
}

const (
	tiffASCII    = 2
	tiffShort    = 3
	tiffLong     = 4
	tiffRational = 5
)

func shorts(order binary.AppendByteOrder, id int, values ...int) tag {
	var b []byte
	for _, v := range values {
		b = order.AppendUint16(b, uint16(v))
	}
	return tag{uint16(id), tiffShort, uint32(len(values)), b}
}

func long(order binary.AppendByteOrder, id, value int) tag {
	return tag{uint16(id), tiffLong, 1, order.AppendUint32(nil, uint32(value))}
}

func ascii(id int, s string) tag {
	return tag{uint16(id), tiffASCII, uint32(len(s) + 1), []byte(s + "\x00")}
}

func degrees(order binary.AppendByteOrder, id, whole, minutes, seconds int) tag {
	var b []byte
	for _, v := range []int{whole, minutes, seconds} {
		b = order.AppendUint32(order.AppendUint32(b, uint32(v)), 1)
	}
	return tag{uint16(id), tiffRational, 3, b}
}

// tiffTable lays out a table that begins at offset at, and its values behind it.
func tiffTable(order binary.AppendByteOrder, at int, tags ...tag) []byte {
	table := order.AppendUint16(nil, uint16(len(tags)))
	var values []byte
	for _, t := range tags {
		table = order.AppendUint32(order.AppendUint16(order.AppendUint16(table, t.tag), t.kind), t.count)
		if len(t.value) <= 4 {
			table = append(append(table, t.value...), make([]byte, 4-len(t.value))...)
			continue
		}
		table = order.AppendUint32(table, uint32(at+2+12*len(tags)+4+len(values)))
		values = append(values, t.value...)
	}
	return append(order.AppendUint32(table, 0), values...)
}

func tiffHeader(order binary.AppendByteOrder, firstTable int) []byte {
	start := "MM\x00*"
	if order == binary.AppendByteOrder(binary.LittleEndian) {
		start = "II*\x00"
	}
	return order.AppendUint32([]byte(start), uint32(firstTable))
}

// exifOf is an Exif block with an orientation, if it is not 0, and a position, if gps has tags for it.
func exifOf(order binary.AppendByteOrder, orientation int, gps ...tag) []byte {
	var tags []tag
	if orientation != 0 {
		tags = append(tags, shorts(order, 0x0112, orientation))
	}
	if gps == nil {
		return append(tiffHeader(order, 8), tiffTable(order, 8, tags...)...)
	}
	at := 8 + 2 + 12*(len(tags)+1) + 4
	tags = append(tags, long(order, 0x8825, at))
	return slices.Concat(tiffHeader(order, 8), tiffTable(order, 8, tags...), tiffTable(order, at, gps...))
}

// home is where nobody should learn that a picture was taken.
func home(order binary.AppendByteOrder) []tag {
	return []tag{
		ascii(1, "N"), degrees(order, 2, 48, 8, 17), ascii(3, "E"), degrees(order, 4, 11, 34, 31),
	}
}

func exifSegment(block []byte) []byte {
	return jpegSegment(0xe1, append([]byte("Exif\x00\x00"), block...)...)
}

// hexLines is how ImageMagick writes binary data as text.
func hexLines(b []byte) string {
	var lines strings.Builder
	for part := range slices.Chunk(b, 36) {
		fmt.Fprintf(&lines, "%x\n", part)
	}
	return lines.String()
}

// profileOf has the header of an ICC profile for space, and bytes that can be told from others behind it.
func profileOf(space string, size int) []byte {
	profile := make([]byte, size)
	for i := range profile {
		profile[i] = byte(i ^ i>>8)
	}
	binary.BigEndian.PutUint32(profile, uint32(size))
	copy(profile[16:], space)
	copy(profile[36:], "acsp")
	return profile
}

// tiffOf is an uncompressed TIFF with an orientation.
func tiffOf(order binary.AppendByteOrder, img image.Image, orientation int) []byte {
	var pixels []byte
	b := img.Bounds()
	for y := b.Min.Y; y < b.Max.Y; y++ {
		for x := b.Min.X; x < b.Max.X; x++ {
			c := color.NRGBAModel.Convert(img.At(x, y)).(color.NRGBA)
			pixels = append(pixels, c.R, c.G, c.B)
		}
	}
	at := 8 + len(pixels)
	return slices.Concat(tiffHeader(order, at), pixels, tiffTable(order, at,
		shorts(order, 256, b.Dx()), shorts(order, 257, b.Dy()), shorts(order, 258, 8, 8, 8), shorts(order, 259, 1), shorts(order, 262, 2),
		long(order, 273, 8), shorts(order, 0x0112, orientation), shorts(order, 277, 3), shorts(order, 278, b.Dy()), long(order, 279, len(pixels))))
}

func fitted(tb testing.TB, data []byte, opts Options) (image.Image, Report) {
	tb.Helper()
	before := bytes.Clone(data)
	pic, report, err := Fit(data, opts)
	if err != nil {
		tb.Fatal(err)
	}
	if !bytes.Equal(before, data) {
		tb.Error("the source was changed")
	}
	return decoded(tb, bytesOf(pic)), report
}

func bytesOf(pic zoomclient.Picture) []byte {
	var b bytes.Buffer
	pic.WriteTo(&b)
	return b.Bytes()
}

func decoded(tb testing.TB, file []byte) image.Image {
	tb.Helper()
	img, _, err := image.Decode(bytes.NewReader(file))
	if err != nil {
		tb.Fatal(err)
	}
	return img
}

// onWhite is what a decoder shows of an image, at 8 bits.
func onWhite(img image.Image) *image.RGBA {
	out := image.NewRGBA(image.Rectangle{Max: img.Bounds().Size()})
	draw.Draw(out, out.Rect, image.White, image.Point{}, draw.Src)
	draw.Draw(out, out.Rect, img, img.Bounds().Min, draw.Over)
	return out
}

// psnr is infinite for equal pixels, and NaN for images of different sizes, which no comparison takes.
func psnr(a, b image.Image) float64 {
	x, y := onWhite(a), onWhite(b)
	if x.Rect != y.Rect {
		return math.NaN()
	}
	sum := 0.0
	for i := range x.Pix {
		d := float64(x.Pix[i]) - float64(y.Pix[i])
		sum += d * d
	}
	mse := sum / float64(len(x.Pix)/4*3)
	return 10 * math.Log10(255*255/mse)
}

// largestDifference of a channel; 256 for images of different sizes.
func largestDifference(a, b image.Image) int {
	x, y := onWhite(a), onWhite(b)
	if x.Rect != y.Rect {
		return 256
	}
	most := 0
	for i := range x.Pix {
		most = max(most, int(x.Pix[i])-int(y.Pix[i]), int(y.Pix[i])-int(x.Pix[i]))
	}
	return most
}

// imageFolder is the folder of test images that a command of Go tells the way to; empty where they were not installed.
func imageFolder(tb testing.TB, below, sign string, command ...string) string {
	tb.Helper()
	out, err := exec.Command("go", command...).Output()
	if err != nil {
		tb.Fatal(err)
	}
	dir := filepath.Join(strings.TrimSpace(string(out)), below)
	if found, _ := filepath.Glob(filepath.Join(dir, sign)); len(found) == 0 {
		return ""
	}
	return dir
}

// goImages is the folder of Go's own test images, in the sources of package image and those below.
func goImages(tb testing.TB) string {
	tb.Helper()
	dir := imageFolder(tb, "src/image", "testdata/*.jpeg", "env", "GOROOT")
	if dir == "" {
		tb.Skip("this Go installation comes without its test images, so no picture that others made is fitted")
	}
	return dir
}

// moreImages is the folder of the test images of golang.org/x/image.
func moreImages(tb testing.TB) string {
	tb.Helper()
	dir := imageFolder(tb, "testdata", "*.webp", "list", "-m", "-f", "{{.Dir}}", "golang.org/x/image")
	if dir == "" {
		tb.Skip("the module golang.org/x/image comes without its test images, so no WebP picture is fitted")
	}
	return dir
}
