package zoomclient

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"go/build"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"io"
	"io/fs"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// noisePicture is an image that hardly compresses, so that its size can be steered.
func noisePicture(width, height int) *image.Gray {
	img := image.NewGray(image.Rect(0, 0, width, height))
	rng := rand.NewChaCha8([32]byte{1})
	rng.Read(img.Pix)
	return img
}

func encodedJPEG(tb testing.TB, img image.Image, quality int) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, img, &jpeg.Options{Quality: quality}); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func encodedPNG(tb testing.TB, img image.Image) []byte {
	tb.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, img); err != nil {
		tb.Fatal(err)
	}
	return b.Bytes()
}

func smallJPEG(tb testing.TB) []byte    { return encodedJPEG(tb, noisePicture(16, 9), 80) }
func smallPNGFile(tb testing.TB) []byte { return encodedPNG(tb, noisePicture(16, 9)) }

// Nearly the largest pictures that are taken.
var (
	fullJPEG = sync.OnceValue(func() []byte {
		return nearlyFull(1000, func(b io.Writer, m image.Image) error { return jpeg.Encode(b, m, nil) })
	})
	fullPNG = sync.OnceValue(func() []byte { return nearlyFull(1000, png.Encode) })
)

// nearlyFull encodes noise, then again with the side at which that comes close to MaxPictureSize.
func nearlyFull(side int, encode func(io.Writer, image.Image) error) []byte {
	var b bytes.Buffer
	for range 2 {
		b.Reset()
		if err := encode(&b, noisePicture(side, side)); err != nil {
			panic(err)
		}
		side = int(float64(side) * math.Sqrt(0.99*MaxPictureSize/float64(b.Len())))
	}
	if b.Len() > MaxPictureSize || b.Len() < MaxPictureSize*95/100 {
		panic(fmt.Sprintf("a full picture came out with %d bytes", b.Len()))
	}
	return b.Bytes()
}

func TestNewPictureTakesEncodedImages(t *testing.T) {
	t.Parallel()
	translucent := func(w, h int) image.Image {
		img := image.NewNRGBA(image.Rect(0, 0, w, h))
		for i := range img.Pix {
			img.Pix[i] = byte(i * 7)
		}
		return img
	}
	models := map[string]func(w, h int) image.Image{
		"gray":    func(w, h int) image.Image { return noisePicture(w, h) },
		"gray 16": func(w, h int) image.Image { return image.NewGray16(image.Rect(0, 0, w, h)) },
		"RGBA":    func(w, h int) image.Image { return image.NewRGBA(image.Rect(0, 0, w, h)) },
		"alpha":   translucent,
		"RGBA 64": func(w, h int) image.Image { return image.NewNRGBA64(image.Rect(0, 0, w, h)) },
		"YCbCr": func(w, h int) image.Image {
			return image.NewYCbCr(image.Rect(0, 0, w, h), image.YCbCrSubsampleRatio420)
		},
		"paletted": func(w, h int) image.Image {
			return image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.Black, color.White})
		},
		"paletted+": func(w, h int) image.Image {
			return image.NewPaletted(image.Rect(0, 0, w, h), color.Palette{color.Transparent, color.White})
		},
	}
	sizes := []image.Point{{1, 1}, {1, 300}, {7, 5}, {16, 16}, {257, 64}, {1000, 3}}
	for name, model := range models {
		for _, size := range sizes {
			img := model(size.X, size.Y)
			for contentType, data := range map[string][]byte{
				"image/jpeg": encodedJPEG(t, img, 75),
				"image/png":  encodedPNG(t, img),
			} {
				for _, junk := range []string{"", "\x00", "phones append this", "\xff\xd9", "\xff\xd8\xff\xe0\x00"} {
					pic, err := NewPicture(append(bytes.Clone(data), junk...))
					if err != nil {
						t.Errorf("%s %v as %s with %q: %v", name, size, contentType, junk, err)
						continue
					}
					if pic.ContentType() != contentType || pic.TrailingBytes() != int64(len(junk)) || pic.Size() != int64(len(data)+len(junk)) {
						t.Errorf("%s %v as %s with %q: %v, %d bytes, %d trailing", name, size, contentType, junk, pic.ContentType(), pic.Size(), pic.TrailingBytes())
					}
					if w, h := pic.Dimensions(); w != size.X || h != size.Y {
						t.Errorf("%s %v as %s: Dimensions() = %d, %d", name, size, contentType, w, h)
					}
				}
			}
		}
	}
}

func TestNewPictureRefusesEveryCut(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{"JPEG": smallJPEG(t), "PNG": smallPNGFile(t), "PNG in parts": pngInParts(t)} {
		if _, err := NewPicture(data); err != nil {
			t.Fatalf("the whole %s: %v", name, err)
		}
		if _, err := NewPicture(nil); !errors.Is(err, ErrEmptyPicture) {
			t.Errorf("no bytes: %v", err)
		}
		for n := 1; n < len(data); n++ {
			if _, err := NewPicture(data[:n]); !errors.Is(err, ErrDamagedPicture) {
				t.Errorf("%s cut to %d of %d bytes: %v", name, n, len(data), err)
			}
		}
	}
}

// Whatever Go decodes is a picture, and one of the same size.
func TestNewPictureTakesWhatGoDecodes(t *testing.T) {
	t.Parallel()
	root := filepath.Join(build.Default.GOROOT, "src", "image")
	if _, err := os.Stat(filepath.Join(root, "testdata")); err != nil {
		t.Skipf("this Go installation comes without its test images: %v", err)
	}
	taken := map[string]int{}
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		_, kind, err := image.Decode(bytes.NewReader(data))
		if err != nil {
			return nil
		}
		config, _, err := image.DecodeConfig(bytes.NewReader(data))
		if err != nil {
			return err
		}
		taken[kind]++
		pic, err := NewPicture(data)
		if err != nil {
			t.Errorf("%s: %v", path, err)
			return nil
		}
		if w, h := pic.Dimensions(); w != config.Width || h != config.Height || pic.ContentType() != "image/"+kind {
			t.Errorf("%s: %v, Go says %s of %d × %d", path, pic, kind, config.Width, config.Height)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if taken["jpeg"] < 20 || taken["png"] < 20 {
		t.Errorf("only %v were compared", taken)
	}
}

func TestExamplesArePictures(t *testing.T) {
	t.Parallel()
	for name, contentType := range map[string]string{"ada.jpg": "image/jpeg", "grace.png": "image/png"} {
		pic, err := LoadPicture(filepath.Join("..", "examples", name))
		if err != nil {
			t.Fatal(err)
		}
		if w, h := pic.Dimensions(); w != 512 || h != 512 || pic.ContentType() != contentType || pic.TrailingBytes() != 0 {
			t.Errorf("%s: %v, %d trailing bytes", name, pic, pic.TrailingBytes())
		}
	}
}

func TestNewPictureSize(t *testing.T) {
	t.Parallel()
	small := smallJPEG(t)
	full := append(bytes.Clone(small), make([]byte, MaxPictureSize-len(small))...)
	over := append(bytes.Clone(full), 0)
	read := func(data []byte) (Picture, error) { return ReadPicture(bytes.NewReader(data)) }
	load := func(data []byte) (Picture, error) {
		path := filepath.Join(t.TempDir(), "full.jpg")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return LoadPicture(path)
	}
	for name, make := range map[string]func([]byte) (Picture, error){"NewPicture": NewPicture, "ReadPicture": read, "LoadPicture": load} {
		pic, err := make(full)
		if err != nil || pic.Size() != MaxPictureSize || pic.TrailingBytes() != int64(MaxPictureSize-len(small)) {
			t.Errorf("%s of MaxPictureSize bytes: %v, %d trailing, %v", name, pic, pic.TrailingBytes(), err)
		}
		_, err = make(over)
		if !errors.Is(err, ErrTooLarge) || !strings.Contains(err.Error(), "2 MB") {
			t.Errorf("%s of one byte more: %v", name, err)
		}
		if _, err = make(nil); !errors.Is(err, ErrEmptyPicture) {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}
}

// A countingReader gives zeros without end.
type countingReader int64

func (r *countingReader) Read(p []byte) (int, error) {
	clear(p)
	*r += countingReader(len(p))
	return len(p), nil
}

func TestReadPictureStopsAtTheLimit(t *testing.T) {
	t.Parallel()
	var given countingReader
	_, err := ReadPicture(&given)
	if !errors.Is(err, ErrTooLarge) {
		t.Errorf("error = %v", err)
	}
	if given != MaxPictureSize+1 {
		t.Errorf("%d bytes were read, want %d", given, MaxPictureSize+1)
	}
}

func TestReadPictureWrapsTheReadersError(t *testing.T) {
	t.Parallel()
	broken := errors.New("the disk is gone")
	// A whole picture before the error is not enough: nobody knows whether it was all.
	_, err := ReadPicture(io.MultiReader(bytes.NewReader(smallPNGFile(t)), &failingReader{broken}))
	if !errors.Is(err, broken) || !strings.HasPrefix(err.Error(), "zoom: reading the picture: ") {
		t.Errorf("error = %v", err)
	}
}

type failingReader struct{ err error }

func (r *failingReader) Read([]byte) (int, error) { return 0, r.err }

func TestLoadPicture(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name string, data []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	want := smallPNGFile(t)
	pic, err := LoadPicture(write("wrong extension.jpg", want))
	if err != nil || pic.ContentType() != "image/png" || !bytes.Equal(pic.bytes(), want) {
		t.Fatalf("LoadPicture() = %v, %v", pic, err)
	}

	// The file is sparse. Only its size can tell its length, as reading stops after MaxPictureSize+1 bytes.
	huge := write("huge.jpg", smallJPEG(t))
	if err := os.Truncate(huge, 8<<30); err != nil {
		t.Fatal(err)
	}
	for _, refused := range []struct {
		path  string
		is    error
		words string
	}{
		{filepath.Join(dir, "missing.jpg"), fs.ErrNotExist, "no such file"},
		{filepath.Join(dir, "no", "folder.jpg"), fs.ErrNotExist, ""},
		{dir, nil, "this is a folder"},
		{huge, ErrTooLarge, "it has 8589934592 bytes"},
		{write("empty.jpg", nil), ErrEmptyPicture, "no bytes"},
		{write("cut.jpg", smallJPEG(t)[:100]), ErrDamagedPicture, "cut off"},
		{write("page.jpg", []byte("<!DOCTYPE html><title>Sign in</title>")), ErrUnsupportedFormat, "HTML page"},
	} {
		pic, err := LoadPicture(refused.path)
		if err == nil || pic.Size() != 0 {
			t.Errorf("%s was taken: %v", refused.path, pic)
			continue
		}
		if refused.is != nil && !errors.Is(err, refused.is) {
			t.Errorf("%s: %v does not match %v", refused.path, err, refused.is)
		}
		message := err.Error()
		if !strings.HasPrefix(message, "zoom: "+refused.path+": ") || strings.Count(message, refused.path) != 1 || strings.Count(message, "zoom: ") != 1 {
			t.Errorf("the message must begin with the path and name it once: %s", message)
		}
		if runtime.GOOS != "windows" && !strings.Contains(message, refused.words) {
			t.Errorf("%q is not in: %s", refused.words, message)
		}
	}
}

func TestPictureWritesItself(t *testing.T) {
	t.Parallel()
	data := smallPNGFile(t)
	pic, err := NewPicture(data)
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if n, err := pic.WriteTo(&out); err != nil || n != pic.Size() || !bytes.Equal(out.Bytes(), data) {
		t.Errorf("%d bytes, %v", n, err)
	}
	full := errors.New("the disk is full")
	if n, err := pic.WriteTo(&fullWriter{room: 10, err: full}); n != 10 || err != full {
		t.Errorf("%d bytes, %v", n, err)
	}
}

type fullWriter struct {
	room int
	err  error
}

func (w *fullWriter) Write([]byte) (int, error) { return w.room, w.err }

func TestUncheckedPicture(t *testing.T) {
	t.Parallel()
	data := []byte("anything")
	for contentType, fileName := range map[string]string{
		"image/jpeg":                         "picture.jpg",
		"image/png":                          "picture.png",
		"image/gif":                          "picture.gif",
		"image/webp":                         "picture.webp",
		"image/heic":                         "picture.heic",
		"image/avif":                         "picture.avif",
		"image/svg+xml":                      "picture",
		"image/vnd.example-1.0_x":            "picture",
		"a/b":                                "picture",
		"a/" + strings.Repeat("b", 127-2):    "picture",
		"!#$%&'*+-.^_`|~/application-0OCTET": "picture",
	} {
		pic, err := UncheckedPicture(data, contentType)
		if err != nil || pic.ContentType() != contentType || pic.fileName() != fileName || pic.Size() != 8 || pic.TrailingBytes() != 0 {
			t.Errorf("%q: %v, called %q, %d trailing, %v", contentType, pic, pic.fileName(), pic.TrailingBytes(), err)
		}
		if w, h := pic.Dimensions(); w != 0 || h != 0 {
			t.Errorf("%q: Dimensions() = %d, %d", contentType, w, h)
		}
	}
	for _, contentType := range []string{
		"", " ", "/", "image", "image/", "/png", "image/png/x", "image//png",
		"image/png\r\nX-Evil: 1", "image/png\n", "\rimage/png", "image/png\x00", "image/png\t",
		`image/"png"`, `"image/png"`, "image/png; charset=utf-8", "image/png;", "image/png,image/gif",
		"image /png", " image/png", "image/png ", "image/pñg", "image/\xff", "image/(png)", "image/<png>", "image/p@g", "image/p[g", "image/p{g", `image/p\g`, "image/p:g", "image/p=g",
		"a/" + strings.Repeat("b", 128-2),
	} {
		if pic, err := UncheckedPicture(data, contentType); !errors.Is(err, ErrUnsupportedFormat) || pic.Size() != 0 {
			t.Errorf("%q: %v, %v", contentType, pic, err)
		}
	}
	for _, empty := range [][]byte{nil, {}} {
		if _, err := UncheckedPicture(empty, "image/png"); !errors.Is(err, ErrEmptyPicture) {
			t.Errorf("no bytes: %v", err)
		}
	}
}

func TestZeroPicture(t *testing.T) {
	t.Parallel()
	var zero Picture
	w, h := zero.Dimensions()
	text, err := zero.MarshalText()
	if zero.ContentType() != "" || zero.Size() != 0 || w != 0 || h != 0 || zero.TrailingBytes() != 0 || zero.bytes() != nil || zero.fileName() != "picture" ||
		zero.SHA256() != sha256.Sum256(nil) || string(text) != "empty picture" || err != nil || zero.LogValue().String() != "empty picture" || fmt.Sprint(zero) != "empty picture" {
		t.Errorf("the zero Picture is not empty: %v", zero)
	}
}

func TestPictureSHA256(t *testing.T) {
	t.Parallel()
	pic, err := UncheckedPicture([]byte("abc"), "image/gif")
	if err != nil {
		t.Fatal(err)
	}
	// FIPS 180's example.
	if sum := pic.SHA256(); hex.EncodeToString(sum[:]) != "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" {
		t.Errorf("SHA256() = %x", sum)
	}
}

func TestPictureSaysWhatItIs(t *testing.T) {
	t.Parallel()
	data := smallPNGFile(t)
	pic, err := NewPicture(data)
	if err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprintf("image/png, 16 × 9, %d bytes", len(data))
	encoded, err := json.Marshal(pic)
	if fmt.Sprintf("%d", &pic) != want || string(encoded) != `"`+want+`"` || err != nil {
		t.Errorf("%d and %s, want %s; %v", pic, encoded, want, err)
	}
}

const pictureCanary = "Kq7#zV9!wR2@canary$mX5"

// leaksCanary finds the canary in the ways in which Go prints bytes.
func leaksCanary(text string) bool {
	canary := []byte(pictureCanary)
	forms := []string{
		pictureCanary,
		fmt.Sprintf("%x", canary), fmt.Sprintf("% x", canary), fmt.Sprintf("%#x", canary)[2:],
		strings.Trim(fmt.Sprint(canary), "[]"), strings.ReplaceAll(strings.Trim(fmt.Sprint(canary), "[]"), " ", ","),
		strings.TrimSuffix(strings.TrimPrefix(fmt.Sprintf("%#v", canary), "[]byte{"), "}"),
	}
	for shift := range 3 { // the canary may stand at any place of a base64 group
		whole := canary[shift : shift+(len(canary)-shift)/3*3]
		forms = append(forms, base64.StdEncoding.EncodeToString(whole), base64.URLEncoding.EncodeToString(whole))
	}
	for _, form := range forms {
		if strings.Contains(strings.ToLower(text), strings.ToLower(form)) {
			return true
		}
	}
	return false
}

// everyPrint gives v to everything that prints or encodes.
func everyPrint(v any) map[string]string {
	out := map[string]string{}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%+q", "%x", "%X", "% x", "%#x", "%d", "%T", "%p", "%t", "%c", "%U", "%e", "%10.99v"} {
		out[verb] = fmt.Sprintf(verb, v)
	}
	out["Sprint"] = fmt.Sprint(v)
	encoded, err := json.Marshal(v)
	out["json"] = fmt.Sprint(string(encoded), err)
	for name, handler := range map[string]func(io.Writer) slog.Handler{
		"slog text": func(w io.Writer) slog.Handler { return slog.NewTextHandler(w, nil) },
		"slog JSON": func(w io.Writer) slog.Handler { return slog.NewJSONHandler(w, nil) },
	} {
		var b bytes.Buffer
		slog.New(handler(&b)).Info("picture", "v", v, slog.Group("g", "v", v))
		out[name] = b.String()
	}
	return out
}

func TestPictureNeverPrintsItsBytes(t *testing.T) {
	t.Parallel()
	data := smallPNGFile(t)
	for _, pad := range []string{"", "1", "12"} { // for the three places in base64
		data = append(data, pad+pictureCanary...)
	}
	checked, err := NewPicture(data)
	if err != nil {
		t.Fatal(err)
	}
	unchecked, err := UncheckedPicture([]byte(pictureCanary), "image/gif")
	if err != nil {
		t.Fatal(err)
	}
	for _, pic := range []Picture{checked, unchecked} {
		for _, v := range []any{
			pic, &pic, []Picture{pic}, []*Picture{&pic}, map[string]Picture{"p": pic}, map[Picture]int{pic: 1},
			struct{ p Picture }{pic}, &struct{ p Picture }{pic}, struct{ p *Picture }{&pic}, struct{ P Picture }{pic}, struct{ Picture }{pic},
			struct{ p []Picture }{[]Picture{pic}}, struct{ p any }{pic}, struct{ p any }{&pic}, struct{ in struct{ p Picture } }{struct{ p Picture }{pic}},
			fmt.Errorf("wrapped: %v", pic),
		} {
			for how, text := range everyPrint(v) {
				if leaksCanary(text) {
					t.Errorf("%s of %T holds the picture's bytes: %s", how, v, text)
				}
			}
		}
	}

	// The control: every way that can print bytes is found out.
	found := everyPrint(data)
	for _, how := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "% x", "%#x", "%d", "Sprint", "json", "slog text", "slog JSON"} {
		if !leaksCanary(found[how]) {
			t.Errorf("the bytes were not found in %s: %s", how, found[how])
		}
	}
}

// hostilePictures are meant to make the walks slow.
func hostilePictures(tb testing.TB) map[string][]byte {
	fill := func(start, pattern, end string) []byte {
		pad := MaxPictureSize - len(start) - len(end)
		return []byte(start + strings.Repeat(pattern, pad/len(pattern)) + end)
	}
	jpegScan := "\xff\xd8" + string(jpegFrame(8, 8)) + string(jpegScanHeader)
	pngHead := pngStart + string(pngHeader(8, 8))
	pngTail := string(pngChunk("IDAT", nil)) + string(pngChunk("IEND", nil))
	return map[string][]byte{
		"JPEG of fill bytes":          fill("\xff\xd8", "\xff", ""),
		"JPEG of stuffed bytes":       fill(jpegScan, "\xff\x00", "\xff\xd9"),
		"JPEG of restart markers":     fill(jpegScan, "\xff\xd0", "\xff\xd9"),
		"JPEG of empty segments":      fill(jpegScan, "\xff\xfe\x00\x02", "\xff\xd9"),
		"JPEG of starts":              fill(jpegScan, "\xff\xd8", ""),
		"JPEG of zeros":               fill(jpegScan, "\x00", ""),
		"PNG of empty chunks":         fill(pngHead, string(pngChunk("IDAT", nil)), string(pngChunk("IEND", nil))),
		"PNG of empty private chunks": fill(pngHead, "\x00\x00\x00\x00prVt\x00\x00\x00\x00", pngTail),
		"PNG of zeros":                fill(pngHead, "\x00", ""),
		"text of spaces":              fill("", " ", ""),
	}
}

// A check must cost next to no memory, whatever it is given.
func TestNewPictureAllocatesLittle(t *testing.T) { // not parallel: it counts the process's bytes
	inputs := hostilePictures(t)
	inputs["JPEG"], inputs["PNG"] = fullJPEG(), fullPNG()
	const most = 64 << 10
	allocated := func(f func()) uint64 {
		fewest := uint64(math.MaxUint64)
		for range 5 { // the least is what f does; more is the runtime's own
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			f()
			runtime.ReadMemStats(&after)
			fewest = min(fewest, after.TotalAlloc-before.TotalAlloc)
		}
		return fewest
	}
	for name, data := range inputs {
		if n := allocated(func() { NewPicture(data) }); n > most {
			t.Errorf("%s: %d bytes were allocated, want at most %d", name, n, most)
		}
	}
	if n := allocated(func() { NewPicture(bytes.Clone(fullPNG())) }); n <= most {
		t.Errorf("a copy of the picture was counted as %d bytes", n)
	}
}

func BenchmarkNewPicture(b *testing.B) {
	run := func(name string, data []byte) {
		b.Run(name, func(b *testing.B) {
			b.SetBytes(int64(len(data)))
			b.ReportAllocs()
			for b.Loop() {
				NewPicture(data)
			}
		})
	}
	run("jpeg-2MB", fullJPEG())
	run("png-2MB", fullPNG())
	for name, data := range hostilePictures(b) {
		run("hostile/"+name, data)
	}
}

func FuzzNewPicture(f *testing.F) {
	f.Add(smallJPEG(f))
	f.Add(smallPNGFile(f))
	f.Add(pngInParts(f))
	f.Add(append(smallJPEG(f), "behind the end"...))
	f.Add(jpegOf(jpegFrame(0, 8), jpegScanHeader, []byte("\x01\xff\x00\xff\xd0"), jpegSegment(0xdc, 0, 9), jpegEnd))
	for _, r := range refusedFormats(f) {
		f.Add([]byte(r.data))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		pic, err := NewPicture(data)
		if err != nil {
			if pic.Size() != 0 || !strings.HasPrefix(err.Error(), "zoom: ") {
				t.Fatalf("refused with %v and %v", pic, err)
			}
			return
		}
		w, h := pic.Dimensions()
		end := pic.Size() - pic.TrailingBytes()
		if w <= 0 || h <= 0 || w*h > maxPixels || end <= 0 || end > int64(len(data)) || pic.Size() != int64(len(data)) {
			t.Fatalf("%v with its end at %d", pic, end)
		}
		whole, err := NewPicture(data[:end])
		if err != nil || whole.TrailingBytes() != 0 {
			t.Fatalf("without what follows it: %v, %v", whole, err)
		}
		if _, err := NewPicture(data[:end-1]); !errors.Is(err, ErrDamagedPicture) {
			t.Fatalf("without its last byte: %v", err)
		}
	})
}
