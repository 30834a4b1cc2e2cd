package portrait

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zoompic/zoompic/zoomclient"
)

// stored is how a camera held by Exif's orientation stores an upright image. Exif 2.32, 4.6.4: which side of the scene
// the first row is, and the first column.
func stored(upright image.Image, orientation int) *image.NRGBA {
	sides := map[int][2]string{
		1: {"top", "left"}, 2: {"top", "right"}, 3: {"bottom", "right"}, 4: {"bottom", "left"},
		5: {"left", "top"}, 6: {"right", "top"}, 7: {"right", "bottom"}, 8: {"left", "bottom"},
	}[orientation]
	width, height := upright.Bounds().Dx(), upright.Bounds().Dy()
	rows, columns := height, width
	if orientation > 4 {
		rows, columns = width, height
	}
	out := image.NewNRGBA(image.Rect(0, 0, columns, rows))
	for row := range rows {
		for column := range columns {
			var x, y int
			for i, n := range []int{row, column} {
				switch sides[i] {
				case "top":
					y = n
				case "bottom":
					y = height - 1 - n
				case "left":
					x = n
				case "right":
					x = width - 1 - n
				}
			}
			out.Set(column, row, upright.At(x, y))
		}
	}
	return out
}

// TestOrientations: however the camera was held, the same upright pixels come out.
func TestOrientations(t *testing.T) {
	t.Parallel()
	upright, soft := blocks(112, 63), gradient(112, 63)
	little, big := binary.AppendByteOrder(binary.LittleEndian), binary.AppendByteOrder(binary.BigEndian)
	webp, err := os.ReadFile(filepath.Join(moreImages(t), "yellow_rose.lossless.webp"))
	if err != nil {
		t.Fatal(err)
	}
	rose := decodeWith(t, webp)
	for o := 1; o <= 8; o++ {
		img, lossy := stored(upright, o), jpegOf(t, stored(soft, o), 100)
		for name, data := range map[string][]byte{
			"PNG":                 withChunks(pngOf(t, img), pngChunk("eXIf", string(exifOf(big, o)))),
			"PNG, little end":     withChunks(pngOf(t, img), pngChunk("eXIf", string(exifOf(little, o)))),
			"PNG of ImageMagick":  withChunks(pngOf(t, img), pngChunk("tEXt", "Raw profile type exif\x00\nexif\n 38\n"+hexLines(exifOf(big, o)))),
			"TIFF":                tiffOf(big, img, o),
			"TIFF, little end":    tiffOf(little, img, o),
			"JPEG":                withSegments(lossy, exifSegment(exifOf(big, o))),
			"JPEG, little end":    withSegments(lossy, exifSegment(exifOf(little, o))),
			"JPEG, fill bytes":    withSegments(lossy, []byte("\xff\xff"), exifSegment(exifOf(little, o))),
			"JPEG, Exif with GPS": withSegments(lossy, exifSegment(exifOf(little, o, home(little)...))),
			"JPEG, Exif twice":    withSegments(lossy, exifSegment(exifOf(big, o)), exifSegment(exifOf(big, o%8+1))),
		} {
			got, report := fitted(t, data, Options{})
			want, limit := image.Image(upright), 0
			if strings.HasPrefix(name, "JPEG") {
				want, limit = soft, 12
			}
			if d := largestDifference(got, want); d > limit || report.Rotated != (o > 1) {
				t.Errorf("%s of orientation %d: differs by %d; %v", name, o, d, report)
			}
			if inspection, err := Inspect(data, Options{}); err != nil || inspection.Orientation != o {
				t.Errorf("%s of orientation %d: Inspect says %d, %v", name, o, inspection.Orientation, err)
			}
		}
		got, report := fitted(t, extendedWebP(t, webp, exifOf(little, o)), Options{})
		back := o
		if o == 6 || o == 8 { // each undoes the other, the rest themselves
			back = 6 + 8 - o
		}
		want := stored(rose, back)
		if p := psnr(got, want); !(p > 35) || report.Rotated != (o > 1) {
			t.Errorf("WebP of orientation %d: PSNR %.1f; %v", o, p, report)
		}
	}
	for _, o := range []int{0, 9, 255, 65535} { // no orientations
		got, report := fitted(t, withChunks(pngOf(t, upright), pngChunk("eXIf", string(exifOf(little, o)))), Options{})
		if largestDifference(got, upright) > 0 || report.Rotated {
			t.Errorf("orientation %d: %v", o, report)
		}
	}
}

// TestOrientationsCroppedAndScaled: the square is the same one, where it cannot be in the very middle too.
func TestOrientationsCroppedAndScaled(t *testing.T) {
	t.Parallel()
	for _, size := range []image.Point{{112, 63}, {63, 112}, {97, 96}} {
		upright := blocks(size.X, size.Y)
		side := min(size.X, size.Y)
		at := image.Pt((size.X-side)/2, (size.Y-side)/2)
		square := upright.SubImage(image.Rectangle{at, at.Add(image.Pt(side, side))})
		var first image.Image
		for o := 1; o <= 8; o++ {
			data := withChunks(pngOf(t, stored(upright, o)), pngChunk("eXIf", string(exifOf(binary.BigEndian, o))))
			got, report := fitted(t, data, Options{Square: true})
			if d := largestDifference(got, square); d > 0 || !report.Cropped {
				t.Errorf("%v of orientation %d, cropped: differs by %d; %v", size, o, d, report)
			}
			got, report = fitted(t, data, Options{MaxSide: 50})
			if first == nil {
				first = got
			}
			if d := largestDifference(got, first); d > 2 || max(report.After.Width, report.After.Height) != 50 {
				t.Errorf("%v of orientation %d, scaled: differs by %d; %v", size, o, d, report)
			}
		}
	}
}

// TestPicturesOfOthers redraws every image that Go's own tests decode, at its size, and compares the pixels.
func TestPicturesOfOthers(t *testing.T) {
	t.Parallel()
	seen := map[string]int{}
	for _, root := range []string{goImages(t), moreImages(t)} {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() {
				return err
			}
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			src, err := open(data, 1<<17)
			if err != nil {
				return nil // no picture, or a large one
			}
			img, err := src.decode(t.Context())
			if err != nil {
				return nil // one of the damaged ones
			}
			seen[fmt.Sprintf("%s %T", src.format.name, img)]++
			pic, report, err := src.redraw(t.Context(), img, Options{MaxSide: 2000}.withDefaults())
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return nil
			}
			canvas := image.NewNRGBA64(src.canvas())
			draw.Draw(canvas, img.Bounds(), img, img.Bounds().Min, draw.Src)
			want := image.Image(onWhite(canvas))
			if report.After.Format == "JPEG" { // its own losses are no fault
				want = decoded(t, jpegOf(t, want, report.Quality))
			}
			if p := psnr(decoded(t, bytesOf(pic)), want); !(p > 40) {
				t.Errorf("%s (%T): PSNR %.1f; %v", path, img, p, report)
			}
			if _, report, err := Fit(data, Options{MaxSide: 64}); err != nil || src.kept == nil && !report.Encoded {
				t.Errorf("%s: %v, %v", path, report, err)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, kind := range []string{
		"JPEG *image.CMYK", "JPEG *image.Gray", "JPEG *image.YCbCr", "JPEG *image.RGBA",
		"PNG *image.Gray", "PNG *image.Gray16", "PNG *image.NRGBA", "PNG *image.NRGBA64", "PNG *image.Paletted", "PNG *image.RGBA", "PNG *image.RGBA64",
		"GIF *image.Paletted", "WebP *image.YCbCr", "WebP *image.NRGBA", "WebP *image.NYCbCrA", "BMP *image.RGBA", "BMP *image.Paletted", "TIFF *image.RGBA", "TIFF *image.Gray16",
	} {
		if seen[kind] == 0 {
			t.Errorf("no %s was redrawn, but %v", kind, seen)
		}
	}
}

func decodeWith(t *testing.T, data []byte) image.Image {
	t.Helper()
	src, err := open(data, 1<<30)
	if err != nil {
		t.Fatal(err)
	}
	img, err := src.decode(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return img
}

// TestColoursOfOthers compares with what another program made of the same picture.
func TestColoursOfOthers(t *testing.T) {
	t.Parallel()
	goDir, moreDir := filepath.Join(goImages(t), "testdata"), moreImages(t)
	read := func(dir, name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	for _, test := range []struct {
		dir, name, reference string
		least                float64
		encoded              bool
	}{
		{goDir, "video-001.cmyk.jpeg", "video-001.cmyk.png", 30, true},
		{goDir, "video-001.rgb.jpeg", "video-001.rgb.png", 30, false},
		{goDir, "video-001.progressive.jpeg", "video-001.png", 30, false},
		{goDir, "video-001.q50.420.progressive.jpeg", "video-001.png", 25, false},
		{goDir, "video-005.gray.jpeg", "video-005.gray.png", 30, false},
		{goDir, "video-001.interlaced.gif", "video-001.gif", 30, true},
		{moreDir, "video-001.bmp", "video-001.png", 30, true},
		{moreDir, "video-001-16bit.tiff", "video-001.png", 30, true},
		{moreDir, "yellow_rose.lossless.webp", "yellow_rose.png", 35, true},
		{moreDir, "gopher-doc.with-alpha.lossless.webp", "gopher-doc.with-alpha.png", 35, true},
	} {
		for _, side := range []int{0, 100} {
			got, report := fitted(t, read(test.dir, test.name), Options{MaxSide: side})
			want := decodeWith(t, read(test.dir, test.reference))
			if side > 0 {
				want, _ = fitted(t, read(test.dir, test.reference), Options{MaxSide: side})
			}
			if p := psnr(got, want); !(p > test.least) || report.Encoded != (test.encoded || side > 0) {
				t.Errorf("%s against %s within %d pixels: PSNR %.1f; %v", test.name, test.reference, side, p, report)
			}
		}
	}
}

func TestWhatFitsIsReturnedByteForByte(t *testing.T) {
	t.Parallel()
	pictures := map[string][]byte{
		"JPEG":            jpegOf(t, photo(300, 200), 80),
		"PNG":             pngOf(t, blocks(300, 200)),
		"grey":            jpegOf(t, image.NewGray(image.Rect(0, 0, 9, 9)), 80),
		"as large as may": jpegOf(t, photo(1024, 1024), 80),
		"colours":         withChunks(pngOf(t, blocks(20, 20)), pngChunk("gAMA", "\x00\x00\xb1\x8f"), pngChunk("sRGB", "\x00")),
		"Adobe":           withSegments(jpegOf(t, photo(30, 20), 80), jpegSegment(0xee, []byte("Adobe\x00\x64\x00\x00\x00\x00\x01")...)),
		"profile":         withSegments(jpegOf(t, photo(30, 20), 80), jpegProfile(profileOf("RGB ", 3000))),
	}
	for _, name := range []string{"ada.jpg", "grace.png"} {
		data, err := os.ReadFile(filepath.Join("..", "..", "examples", name))
		if err != nil {
			t.Fatal(err)
		}
		pictures[name] = data
	}
	for name, data := range pictures {
		pic, report, err := Fit(data, Options{})
		if err != nil || !bytes.Equal(bytesOf(pic), data) || !report.Unchanged() || report.Before != report.After {
			t.Errorf("%s: %v, %v", name, report, err)
		}
		if found, err := Inspect(data, Options{}); err != nil || !found.Fits {
			t.Errorf("%s: Inspect says that it does not fit: %+v, %v", name, found, err)
		}
		pic, report, err = StripMetadata(data)
		if err != nil || !bytes.Equal(bytesOf(pic), data) || !report.Unchanged() {
			t.Errorf("%s stripped: %v, %v", name, report, err)
		}
	}
}

// TestAlphaChannelThatSaysNothing, as many programs write it: the picture fits if all of it is opaque.
func TestAlphaChannelThatSaysNothing(t *testing.T) {
	t.Parallel()
	withAlpha := func(alpha byte) []byte {
		var pixels bytes.Buffer
		w := zlib.NewWriter(&pixels)
		w.Write([]byte{0, 10, 20, 30, alpha, 40, 50, 60, 255}) // a row: filter, two pixels
		w.Close()
		return slices.Concat([]byte(pngStart), pngChunk("IHDR", "\x00\x00\x00\x02\x00\x00\x00\x01\x08\x06\x00\x00\x00"), pngChunk("IDAT", pixels.String()), pngChunk("IEND", ""))
	}
	data := withAlpha(255)
	if pic, report, err := Fit(data, Options{}); err != nil || !report.Unchanged() || !bytes.Equal(bytesOf(pic), data) {
		t.Errorf("%v, %v", report, err)
	}
	if _, report, err := Fit(withAlpha(254), Options{}); err != nil || !report.Flattened {
		t.Errorf("control: %v, %v", report, err)
	}
}

// TestOneFaultIsMended: each differs from what fits in one way, and only that is mended.
func TestOneFaultIsMended(t *testing.T) {
	t.Parallel()
	plain := jpegOf(t, photo(300, 200), 80)
	translucent := blocks(64, 64)
	translucent.SetNRGBA(5, 5, color.NRGBA{255, 0, 0, 127})
	for name, test := range map[string]struct {
		data []byte
		opts Options
		want Report // Quality counts only as zero or not
	}{
		"a side":               {plain, Options{MaxSide: 299}, Report{Encoded: true, Quality: 1}},
		"size":                 {plain, Options{MaxBytes: len(plain) - 1}, Report{Encoded: true, Quality: 1}},
		"shape":                {plain, Options{Square: true}, Report{Encoded: true, Cropped: true, Quality: 1}},
		"Exif":                 {withSegments(plain, exifSegment(exifOf(binary.BigEndian, 1))), Options{}, Report{Removed: []string{MetadataExif}}},
		"orientation":          {withSegments(plain, exifSegment(exifOf(binary.BigEndian, 3))), Options{}, Report{Encoded: true, Rotated: true, Quality: 1, Removed: []string{MetadataExif}}},
		"tail":                 {append(bytes.Clone(plain), "tail"...), Options{}, Report{Removed: []string{MetadataTrailing}}},
		"transparency":         {pngOf(t, translucent), Options{}, Report{Encoded: true, Flattened: true}},
		"a transparent colour": {pngOf(t, image.NewPaletted(image.Rect(0, 0, 64, 64), color.Palette{color.Transparent})), Options{}, Report{Encoded: true, Flattened: true}},
		"16 bits":              {pngOf(t, image.NewGray16(image.Rect(0, 0, 64, 64))), Options{}, Report{Encoded: true}},
		"metadata and size":    {append(bytes.Clone(plain), make([]byte, 3<<20)...), Options{}, Report{Removed: []string{MetadataTrailing}}},
	} {
		pic, report, err := Fit(test.data, test.opts)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if found, err := Inspect(test.data, test.opts); err != nil || found.Fits {
			t.Errorf("%s: Inspect says that it fits: %+v, %v", name, found, err)
		}
		opts := test.opts.withDefaults()
		if w, h := pic.Dimensions(); max(w, h) > opts.MaxSide || pic.Size() > int64(opts.MaxBytes) || opts.Square && w != h || pic.TrailingBytes() != 0 {
			t.Errorf("%s does not fit: %v", name, pic)
		}
		got := report
		got.Before, got.After = Image{}, Image{}
		got.Quality = min(got.Quality, 1)
		if fmt.Sprint(got) != fmt.Sprint(test.want) || fmt.Sprintf("%#v", got) != fmt.Sprintf("%#v", test.want) {
			t.Errorf("%s: %#v, want %#v", name, got, test.want)
		}
		if _, again, err := Fit(bytesOf(pic), test.opts); err != nil || !again.Unchanged() {
			t.Errorf("%s: what came out does not fit: %v, %v", name, again, err)
		}
	}
}

func TestTransparencyBecomesWhite(t *testing.T) {
	t.Parallel()
	img := image.NewNRGBA(image.Rect(0, 0, 64, 64))
	for y := range 64 {
		for x := range 64 {
			switch {
			case x < 32 && y < 32:
				img.SetNRGBA(x, y, color.NRGBA{255, 0, 0, 255})
			case x < 32:
				img.SetNRGBA(x, y, color.NRGBA{255, 0, 0, 128})
			default:
				img.SetNRGBA(x, y, color.NRGBA{0, 0, 0, 0}) // black, were its colour to count
			}
		}
	}
	palette := color.Palette{color.NRGBA{}, color.NRGBA{0, 0, 255, 255}}
	frame := image.NewPaletted(image.Rect(16, 16, 48, 48), palette)
	for i := range frame.Pix {
		frame.Pix[i] = 1
	}
	frame.Pix[0] = 0
	later := image.NewPaletted(image.Rect(0, 0, 64, 64), palette)
	animation := gifOf(t, image.Pt(64, 64), frame, later)
	white, red, pink, blue := color.RGBA{255, 255, 255, 255}, color.RGBA{255, 0, 0, 255}, color.RGBA{255, 127, 127, 255}, color.RGBA{0, 0, 255, 255}
	for _, test := range []struct {
		name   string
		data   []byte
		points map[image.Point]color.RGBA
	}{
		{"PNG", pngOf(t, img), map[image.Point]color.RGBA{{8, 8}: red, {8, 56}: pink, {56, 8}: white}},
		{"first frame of a GIF", animation, map[image.Point]color.RGBA{{8, 8}: white, {32, 32}: blue, {16, 16}: white, {60, 60}: white}},
	} {
		for _, side := range []int{64, 32} {
			got, report := fitted(t, test.data, Options{MaxSide: side})
			for at, want := range test.points {
				scaled := at.Mul(side).Div(64)
				c := color.RGBAModel.Convert(got.At(scaled.X, scaled.Y)).(color.RGBA)
				if test.name != "PNG" && side < 64 && at.X == 16 {
					continue // the single pixel is mixed with its neighbours
				}
				if math.Abs(float64(c.R)-float64(want.R)) > 3 || math.Abs(float64(c.G)-float64(want.G)) > 3 || math.Abs(float64(c.B)-float64(want.B)) > 3 {
					t.Errorf("%s within %d pixels: %v at %v, want %v", test.name, side, c, scaled, want)
				}
			}
			if !report.Flattened || got.Bounds().Dx() != side {
				t.Errorf("%s: %v", test.name, report)
			}
		}
	}
}

// TestPartOfALargeCanvas: what the frame does not cover is white, though the picture is converted in several steps.
func TestPartOfALargeCanvas(t *testing.T) {
	t.Parallel()
	frame := image.NewPaletted(image.Rect(0, 0, 1000, 300), color.Palette{color.Black})
	data := gifOf(t, image.Pt(1000, 800), frame)
	for _, side := range []int{1000, 500} {
		got, _ := fitted(t, data, Options{MaxSide: side})
		for y := range got.Bounds().Dy() {
			c := color.GrayModel.Convert(got.At(side/2, y)).(color.Gray)
			covered := y*1000/side < 300
			if edge := y*1000/side/8 == 300/8; c.Y < 240 != covered && !edge {
				t.Fatalf("within %d pixels: row %d is %v", side, y, c)
			}
		}
	}
}

// TestFlatStaysFlat: the filter's weights have no rounding error in sum.
func TestFlatStaysFlat(t *testing.T) {
	t.Parallel()
	for _, from := range []int{2, 3, 100, 1025, 4032, 65_535} {
		for _, to := range []int{1, 2, 99, 1024} {
			for i, sample := range tapsFor(from, min(to, from)) {
				sum := int32(0)
				for _, w := range sample.weights {
					sum += w
				}
				if sum != 1<<weightBits || sample.first < 0 || sample.first+len(sample.weights) > from {
					t.Fatalf("sample %d of %d made of %d: the weights of %d from %d on have the sum %d", i, to, from, len(sample.weights), sample.first, sum)
				}
			}
		}
	}
	for _, level := range []uint8{0, 37, 255} {
		img := image.NewGray(image.Rect(0, 0, 499, 307))
		for i := range img.Pix {
			img.Pix[i] = level
		}
		for _, size := range []image.Point{{498, 306}, {250, 307}, {101, 63}, {7, 3}, {1, 1}} {
			got, flattened, err := render(t.Context(), img, img.Rect, size)
			if err != nil || flattened || got.Rect.Size() != size {
				t.Fatal(err, flattened, got.Rect)
			}
			for i, v := range got.Pix {
				if v != level && i%4 < 3 {
					t.Fatalf("%d became %d, scaled to %v", level, v, size)
				}
			}
		}
	}
}

// TestQuality: the highest quality that fits, never below the least that is allowed, then fewer pixels.
func TestQuality(t *testing.T) {
	t.Parallel()
	data := jpegOf(t, photo(350, 250), 100)
	for _, limit := range []int{60_000, 30_000, 15_000, 10_000, 5_000, 1_500} {
		pic, report, err := Fit(data, Options{MaxBytes: limit, MinQuality: 50})
		if err != nil {
			t.Fatal(err)
		}
		if pic.Size() > int64(limit) || report.Quality < 50 || report.Quality > bestQuality {
			t.Errorf("%d bytes: %v", limit, report)
		}
		again, _, _ := Fit(data, Options{MaxBytes: limit, MinQuality: 50})
		if pic.SHA256() != again.SHA256() {
			t.Errorf("%d bytes: two runs differ", limit)
		}
		small, _, err := render(t.Context(), decoded(t, data), image.Rect(0, 0, 350, 250), image.Pt(report.After.Width, report.After.Height))
		if err != nil {
			t.Fatal(err)
		}
		if report.Quality < bestQuality && len(jpegOf(t, small, report.Quality+1)) <= limit {
			t.Errorf("%d bytes: quality %d would have done, not %d", limit, report.Quality+1, report.Quality)
		}
		if scaled := report.After.Width < 350; scaled != (limit < len(jpegOf(t, decoded(t, data), 50))) {
			t.Errorf("%d bytes: scaled %t; %v", limit, scaled, report)
		}
	}
	_, _, err := Fit(data, Options{MaxBytes: 100})
	if !errors.Is(err, zoomclient.ErrTooLarge) || !strings.Contains(err.Error(), "nothing of 100 bytes") {
		t.Errorf("100 bytes: %v", err)
	}
	if _, report, err := Fit(jpegOf(t, noise(200, 200), 100), Options{MaxBytes: 20_000, MinQuality: 95}); err != nil || report.Quality != 95 || report.After.Width >= 200 {
		t.Errorf("a least quality above the best: %v, %v", report, err)
	}
}

func TestSmallerFormat(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		data []byte
		want string
	}{
		"a drawing as PNG":  {pngOf(t, blocks(300, 200)), "PNG"},
		"a photo as PNG":    {pngOf(t, photo(300, 200)), "JPEG"},
		"a photo as JPEG":   {jpegOf(t, photo(300, 200), 80), "JPEG"},
		"a drawing as JPEG": {jpegOf(t, blocks(300, 200), 80), "JPEG"}, // it has a JPEG's noise, which PNG keeps
		"few colours":       {tiffOf(binary.LittleEndian, blocks(200, 200), 1), "PNG"},
		"a drawing as TIFF": {tiffOf(binary.LittleEndian, blocks(300, 200), 1), "PNG"},
	} {
		img, report := fitted(t, test.data, Options{MaxSide: 250})
		if report.After.Format != test.want || (report.Quality > 0) != (test.want == "JPEG") {
			t.Errorf("%s: %v", name, report)
		}
		if _, paletted := img.(*image.Paletted); paletted != (name == "few colours") {
			t.Errorf("%s: %T", name, img)
		}
	}
	// Noise as PNG is larger than the limit, and its JPEG is too, at first.
	if _, report := fitted(t, pngOf(t, noise(300, 300)), Options{MaxBytes: 20_000}); report.After.Format != "JPEG" || report.After.Width == 300 {
		t.Errorf("noise: %v", report)
	}
}

func TestSizes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		width, height int
		opts          Options
		want          image.Point
	}{
		{2048, 1024, Options{}, image.Pt(1024, 512)},
		{1025, 1024, Options{}, image.Pt(1024, 1023)},
		{1, 3000, Options{}, image.Pt(1, 1024)},
		{3000, 1, Options{}, image.Pt(1024, 1)},
		{65_000, 2, Options{MaxSide: 10}, image.Pt(10, 1)},
		{200, 100, Options{MaxSide: 4000}, image.Pt(200, 100)}, // never scaled up
		{300, 200, Options{Square: true}, image.Pt(200, 200)},
		{1500, 1100, Options{Square: true}, image.Pt(1024, 1024)},
		{7, 7, Options{Square: true}, image.Pt(7, 7)},
	} {
		got, report := fitted(t, pngOf(t, image.NewPaletted(image.Rect(0, 0, test.width, test.height), color.Palette{color.White, color.Black})), test.opts)
		if size := got.Bounds().Size(); size != test.want || image.Pt(report.After.Width, report.After.Height) != size || image.Pt(report.Before.Width, report.Before.Height) != image.Pt(test.width, test.height) {
			t.Errorf("%d × %d with %v: %v; %v", test.width, test.height, test.opts, size, report)
		}
		if c := color.RGBAModel.Convert(got.At(0, 0)).(color.RGBA); c.R < 250 || c.G < 250 {
			t.Errorf("%d × %d with %v: white became %v", test.width, test.height, test.opts, c)
		}
	}
}

// TestScalingAgainstAReference in 64-bit floats: Lanczos over three lobes, written down as it is defined.
func TestScalingAgainstAReference(t *testing.T) {
	t.Parallel()
	img := onWhite(photo(240, 180))
	for _, size := range []image.Point{{120, 90}, {62, 46}, {239, 179}, {30, 22}} {
		reference := lanczos(img, size)
		got, _, err := render(t.Context(), img, img.Rect, size)
		if err != nil {
			t.Fatal(err)
		}
		nearest := image.NewRGBA(image.Rectangle{Max: size})
		for y := range size.Y {
			for x := range size.X {
				nearest.Set(x, y, img.At((2*x+1)*240/(2*size.X), (2*y+1)*180/(2*size.Y)))
			}
		}
		p, control := psnr(got, reference), psnr(nearest, reference)
		t.Logf("%v: PSNR %.1f dB; nearest neighbours have %.1f", size, p, control)
		if !(p > 45) || p < control+6 {
			t.Errorf("%v: PSNR %.1f, nearest neighbours have %.1f", size, p, control)
		}
	}
}

func lanczos(img *image.RGBA, size image.Point) *image.RGBA {
	sinc := func(x float64) float64 {
		if x == 0 {
			return 1
		}
		return math.Sin(math.Pi*x) / (math.Pi * x)
	}
	weights := func(from, to int) [][]float64 {
		scale := float64(from) / float64(to)
		all := make([][]float64, to)
		for i := range all {
			center, sum := (float64(i)+0.5)*scale-0.5, 0.0
			all[i] = make([]float64, from)
			for j := range all[i] {
				if x := (float64(j) - center) / scale; math.Abs(x) < 3 {
					all[i][j] = sinc(x) * sinc(x/3)
					sum += all[i][j]
				}
			}
			for j := range all[i] {
				all[i][j] /= sum
			}
		}
		return all
	}
	columns, rows := weights(img.Rect.Dx(), size.X), weights(img.Rect.Dy(), size.Y)
	narrow := make([][][3]float64, img.Rect.Dy())
	for y := range narrow {
		narrow[y] = make([][3]float64, size.X)
		for x := range narrow[y] {
			for j, w := range columns[x] {
				for c := range 3 {
					narrow[y][x][c] += w * float64(img.Pix[img.PixOffset(j, y)+c])
				}
			}
		}
	}
	out := image.NewRGBA(image.Rectangle{Max: size})
	for y := range size.Y {
		for x := range size.X {
			var sum [3]float64
			for j, w := range rows[y] {
				for c := range 3 {
					sum[c] += w * narrow[j][x][c]
				}
			}
			at := out.PixOffset(x, y)
			for c := range 3 {
				out.Pix[at+c] = uint8(math.Round(min(max(sum[c], 0), 255)))
			}
			out.Pix[at+3] = 255
		}
	}
	return out
}

func TestConcurrentFits(t *testing.T) {
	t.Parallel()
	data := withSegments(jpegOf(t, photo(300, 200), 90), exifSegment(exifOf(binary.BigEndian, 6)))
	want, _, err := Fit(data, Options{MaxSide: 200})
	if err != nil {
		t.Fatal(err)
	}
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			if got, _, err := Fit(data, Options{MaxSide: 200}); err != nil || got.SHA256() != want.SHA256() {
				t.Errorf("%v, %v", got, err)
			}
		})
	}
	all.Wait()
}

func TestStripMetadataKeepsWhatGoCannotDecode(t *testing.T) {
	t.Parallel()
	arithmetic := withSegments(jpegOf(t, photo(30, 20), 80), jpegSegment(0xfe, []byte("comment")...))
	at := bytes.Index(arithmetic, []byte{0xff, 0xc0})
	arithmetic[at+1] = 0xc9
	if _, err := jpeg.Decode(bytes.NewReader(arithmetic)); err == nil {
		t.Fatal("control: Go decodes it")
	}
	if _, report, err := StripMetadata(arithmetic); err != nil || fmt.Sprint(report.Removed) != "[comment]" {
		t.Errorf("%v, %v", report, err)
	}
	if _, _, err := Fit(arithmetic, Options{}); !errors.Is(err, zoomclient.ErrUnsupportedFormat) || !strings.Contains(err.Error(), "export it as a plain JPEG") {
		t.Errorf("%v", err)
	}
}

// TestColourBeyondAlpha, which the decoder of TIFF does not mend, becomes white too and not black.
func TestColourBeyondAlpha(t *testing.T) {
	img := &image.RGBA{Pix: []byte{1, 200, 0, 0}, Stride: 4, Rect: image.Rect(0, 0, 1, 1)}
	if !flatten(img) || !bytes.Equal(img.Pix, []byte{255, 255, 255, 255}) {
		t.Error(img.Pix)
	}
}
