package portrait

import (
	"bytes"
	"compress/zlib"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/zoompic/zoompic/zoomclient"
)

// bombs are small files that promise 30,000 × 30,000 pixels, or what their format can.
func bombs() map[string][]byte {
	const side = 30_000
	big, little := binary.BigEndian, binary.LittleEndian
	header := big.AppendUint32(big.AppendUint32(nil, side), side)
	bmp := append([]byte("BM"), make([]byte, 52)...)
	little.PutUint32(bmp[10:], 54)
	little.PutUint32(bmp[14:], 40)
	little.PutUint32(bmp[18:], side)
	little.PutUint32(bmp[22:], side)
	bmp[26], bmp[28] = 1, 24
	screen := little.AppendUint16(little.AppendUint16(nil, side), side)
	return map[string][]byte{
		"JPEG":          slices.Concat([]byte("\xff\xd8"), jpegSegment(0xc0, 8, side>>8, side&0xff, side>>8, side&0xff, 1, 1, 0x11, 0), jpegSegment(0xda, 1, 1, 0, 0, 63, 0), []byte("\xff\xd9")),
		"PNG":           slices.Concat([]byte(pngStart), pngChunk("IHDR", string(header)+"\x08\x06\x00\x00\x00"), pngChunk("IDAT", "x"), pngChunk("IEND", "")),
		"GIF":           slices.Concat([]byte("GIF89a"), screen, []byte("\x00\x00\x00,\x00\x00\x00\x00"), screen, []byte("\x00\x02\x00;")),
		"BMP":           bmp,
		"TIFF":          append(tiffHeader(little, 8), tiffTable(little, 8, shorts(little, 256, side), shorts(little, 257, side), shorts(little, 258, 8), shorts(little, 259, 1), shorts(little, 262, 1), long(little, 273, 8), shorts(little, 277, 1), long(little, 279, 1))...),
		"WebP":          riff(riffChunk("VP8X", []byte("\x10\x00\x00\x00\x2f\x75\x00\x2f\x75\x00"))),
		"lossless WebP": riff(riffChunk("VP8L", []byte("\x2f\xff\xff\xff\x0f"))), // 16,384 × 16,384
	}
}

// TestBombsCostNothing: they are refused by their headers. The fastest of some tries is what the work takes.
func TestBombsCostNothing(t *testing.T) {
	for name, data := range bombs() {
		fastest, least := time.Hour, ^uint64(0)
		for range 20 {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			_, _, err := Fit(data, Options{})
			fastest = min(fastest, time.Since(start))
			runtime.ReadMemStats(&after)
			least = min(least, after.TotalAlloc-before.TotalAlloc)
			named := errors.Is(err, zoomclient.ErrTooLarge) && strings.Contains(err.Error(), "more than 50 megapixels; scale it down first")
			if err == nil || !named && strconv.IntSize > 32 { // there some decoders refuse it by themselves
				t.Fatalf("%s: %v", name, err)
			}
		}
		t.Logf("%s: %v, %d bytes", name, fastest, least)
		if fastest > time.Millisecond || least > 64<<10 {
			t.Errorf("%s was refused after %v and %d bytes", name, fastest, least)
		}
	}
}

// TestManySmallParts cost what their bytes do: not the square of their number, and no more memory than the file has.
func TestManySmallParts(t *testing.T) {
	little := binary.LittleEndian
	var deflated bytes.Buffer
	w := zlib.NewWriter(&deflated)
	w.Write(make([]byte, 1<<20))
	w.Close()
	tables := make([]tag, 65_535)
	for i := range tables {
		tables[i] = long(little, tagGPS, 8)
	}
	plain := jpegOf(t, photo(30, 20), 80)
	for name, data := range map[string][]byte{
		"tables within tables": withChunks(pngOf(t, blocks(30, 20)), pngChunk("eXIf", string(append(tiffHeader(little, 8), tiffTable(little, 8, tables...)...)))),
		"compressed text":      withChunks(pngOf(t, blocks(30, 20)), bytes.Repeat(pngChunk("zTXt", "Comment\x00\x00"+deflated.String()), 900)),
		"no text, compressed":  withChunks(pngOf(t, blocks(30, 20)), bytes.Repeat(pngChunk("zTXt", "Comment\x00\x00\x78\x9c\x03\x00\x00\x00\x00\x01"), 30_000)),
		"a raw profile":        withChunks(pngOf(t, blocks(30, 20)), pngChunk("tEXt", "Raw profile type exif\x00 exif 8 "+strings.Repeat("4 ", 8<<20))),
		"empty segments":       withSegments(plain, bytes.Repeat(jpegSegment(0xc4), 250_000)),
		"empty comments":       withSegments(plain, bytes.Repeat(jpegSegment(0xfe), 250_000)),
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		start := time.Now()
		if _, err := Inspect(data, Options{}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		took := time.Since(start)
		runtime.ReadMemStats(&after)
		allocated := after.TotalAlloc - before.TotalAlloc
		t.Logf("%s: %v, %d bytes of memory for a file of %d", name, took, allocated, len(data))
		if took > 5*time.Second || allocated > 20<<20 {
			t.Errorf("%s took %v and %d bytes", name, took, allocated)
		}
	}
}

func TestMaxPixels(t *testing.T) {
	t.Parallel()
	data := pngOf(t, image.NewPaletted(image.Rect(0, 0, 300, 200), color.Palette{color.White}))
	if _, _, err := Fit(data, Options{MaxPixels: 60_000}); err != nil {
		t.Error(err)
	}
	if _, _, err := Fit(data, Options{MaxPixels: 59_999}); !errors.Is(err, zoomclient.ErrTooLarge) || !strings.Contains(err.Error(), "300 × 200 pixels are more than 0.059999 megapixels") {
		t.Error(err)
	}
	thin := pngOf(t, image.NewPaletted(image.Rect(0, 0, maxSide+1, 1), color.Palette{color.White}))
	if _, _, err := Fit(thin, Options{}); !errors.Is(err, zoomclient.ErrTooLarge) || !strings.Contains(err.Error(), "a side has more than 65535") {
		t.Error(err)
	}
}

func TestWhatIsRefused(t *testing.T) {
	t.Parallel()
	whole := func(dir, name string) []byte {
		data, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	webp := whole(moreImages(t), "yellow_rose.lossy.webp")
	animated := riff(riffChunk("VP8X", []byte("\x02\x00\x00\x00\x09\x00\x00\x09\x00\x00")), riffChunk("ANIM", make([]byte, 6)), riffChunk("ANMF", webp[12:]))
	half := func(data []byte) []byte { return data[:len(data)/2] }
	frame := image.NewPaletted(image.Rect(0, 0, 64, 64), color.Palette{color.White, color.Black})
	for name, test := range map[string]struct {
		data  []byte
		is    error
		words string
	}{
		"nothing":       {nil, zoomclient.ErrEmptyPicture, "no bytes"},
		"HEIC":          {[]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), zoomclient.ErrUnsupportedFormat, "this is a HEIC picture, as iPhones save them; export it as JPEG"},
		"large HEIC":    {append([]byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), make([]byte, 3<<20)...), zoomclient.ErrUnsupportedFormat, "this is a HEIC picture"},
		"AVIF":          {[]byte("\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1"), zoomclient.ErrUnsupportedFormat, "this is an AVIF picture; export the picture as JPEG"},
		"text":          {[]byte("/home/ada/ada.jpg"), zoomclient.ErrUnsupportedFormat, "this is text"},
		"animated WebP": {animated, zoomclient.ErrUnsupportedFormat, "this is an animated WebP; export one of its frames"},
		"two bytes":     {[]byte("\xff\xd8"), zoomclient.ErrDamagedPicture, "cut off"},
		"half a JPEG":   {half(jpegOf(t, photo(64, 64), 90)), zoomclient.ErrDamagedPicture, "the JPEG cannot be decoded"},
		"half a PNG":    {half(pngOf(t, photo(64, 64))), zoomclient.ErrDamagedPicture, "the PNG cannot be decoded"},
		"half a GIF":    {half(gifOf(t, image.Pt(64, 64), frame)), zoomclient.ErrDamagedPicture, "the GIF cannot be decoded"},
		"half a WebP":   {half(webp), zoomclient.ErrDamagedPicture, "the WebP cannot be decoded"},
		"half a BMP":    {half(whole(moreImages(t), "video-001.bmp")), zoomclient.ErrDamagedPicture, "the BMP cannot be decoded"},
		"half a TIFF":   {half(whole(moreImages(t), "video-001.tiff")), zoomclient.ErrDamagedPicture, "the TIFF cannot be decoded"},
		"height 0":      {bytes.Replace(jpegOf(t, photo(64, 64), 90), []byte("\xff\xc0\x00\x11\x08\x00\x40"), []byte("\xff\xc0\x00\x11\x08\x00\x00"), 1), zoomclient.ErrDamagedPicture, "one of its sides is 0"},
	} {
		pic, report, err := Fit(test.data, Options{})
		if !errors.Is(err, test.is) || !strings.Contains(err.Error(), test.words) || !strings.HasPrefix(err.Error(), "zoom: ") || pic.Size() > 0 || report.Encoded {
			t.Errorf("%s: %v, %v", name, pic, err)
		}
	}
}

// A fuse is a context that ends when it has been asked often enough.
type fuse struct {
	context.Context
	left int
}

func (f *fuse) Err() error {
	if f.left--; f.left < 0 {
		return context.Canceled
	}
	return nil
}

// TestContext ends at every place where the context is looked at.
func TestContext(t *testing.T) {
	t.Parallel()
	turned := exifSegment(exifOf(binary.BigEndian, 6))
	for name, test := range map[string]struct {
		data []byte
		opts Options
	}{
		"JPEG":         {withSegments(jpegOf(t, photo(300, 200), 90), turned), Options{MaxSide: 100}},
		"search":       {jpegOf(t, photo(200, 100), 95), Options{MaxBytes: 4_000}},
		"PNG":          {pngOf(t, photo(300, 200)), Options{MaxSide: 100}},
		"at its size":  {pngOf(t, photo(300, 200)), Options{Square: true}},
		"TIFF":         {tiffOf(binary.BigEndian, photo(90, 70), 6), Options{}},
		"what is fine": {jpegOf(t, photo(90, 70), 90), Options{}},
	} {
		stops := 0
		for ; ; stops++ {
			ctx := &fuse{t.Context(), stops}
			pic, _, err := FitContext(ctx, test.data, test.opts)
			if err == nil {
				break
			}
			if !errors.Is(err, context.Canceled) || !strings.HasPrefix(err.Error(), "zoom: fitting the picture was stopped: ") || pic.Size() > 0 {
				t.Fatalf("%s, stopped after %d looks: %v", name, stops, err)
			}
		}
		if least := map[bool]int{true: 1, false: 4}[name == "what is fine"]; stops < least {
			t.Errorf("%s: the context was looked at %d times", name, stops)
		}
	}
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, _, err := FitContext(ctx, bombs()["PNG"], Options{}); !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
}

// TestEveryStageStops early, once the context has ended.
func TestEveryStageStops(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	img := photo(90, 70)
	file := &reader{ctx, bytes.NewReader(make([]byte, 100))}
	small := image.NewRGBA(image.Rect(0, 0, 90, 70))
	e := encoder{opts: Options{}.withDefaults(), lossless: true}
	for name, stage := range map[string]func() (any, error){
		"reading":                    func() (any, error) { n, err := file.Read(make([]byte, 10)); return n > 0, err },
		"reading at":                 func() (any, error) { n, err := file.ReadAt(make([]byte, 10), 0); return n > 0, err },
		"converting":                 func() (any, error) { _, _, err := render(ctx, img, img.Rect, img.Rect.Size()); return false, err },
		"scaling":                    func() (any, error) { _, _, err := render(ctx, img, img.Rect, image.Pt(9, 7)); return false, err },
		"writing JPEG":               func() (any, error) { file, err := e.jpeg(ctx, small, 90, 1e6); return file != nil, err },
		"writing PNG":                func() (any, error) { file, err := e.png(ctx, small, 1e6); return file != nil, err },
		"writing more than is taken": func() (any, error) { n, err := (&limitedBuffer{ctx: ctx}).Write(make([]byte, 10)); return n > 0, err },
	} {
		if done, err := stage(); !errors.Is(err, context.Canceled) || done != false {
			t.Errorf("%s: %v, %v", name, done, err)
		}
	}
}

func TestOptions(t *testing.T) {
	t.Parallel()
	const defaults = "max-side=1024 max-bytes=2000000 max-pixels=50000000 min-quality=60 square=false"
	if got := (Options{}).String(); got != defaults {
		t.Errorf("%s", got)
	}
	if got := (Options{MaxSide: 1024, MinQuality: 60}).String(); got != defaults {
		t.Errorf("defaults written out are %s", got)
	}
	seen := map[string]bool{}
	for _, o := range []Options{{}, {MaxSide: 1}, {MaxBytes: 1}, {MaxPixels: 1}, {MinQuality: 1}, {Square: true}} {
		if seen[o.String()] {
			t.Errorf("%#v is written as another is: %v", o, o)
		}
		seen[o.String()] = true
	}
	data := pngOf(t, blocks(20, 20))
	for _, o := range []Options{{MaxSide: -1}, {MaxSide: 65_536}, {MaxBytes: -1}, {MaxBytes: zoomclient.MaxPictureSize + 1}, {MaxPixels: -1}, {MinQuality: -1}, {MinQuality: 101}} {
		_, _, err := Fit(data, o)
		_, inspected := Inspect(data, o)
		if err == nil || inspected == nil || !strings.Contains(err.Error(), "it must be from 1 to ") {
			t.Errorf("%#v: %v, %v", o, err, inspected)
		}
	}
	if _, _, err := Fit(data, Options{MaxSide: -1, MinQuality: 101}); !strings.Contains(err.Error(), "MaxSide is -1") || !strings.Contains(err.Error(), "MinQuality is 101") {
		t.Errorf("%v", err)
	}
}

// TestManyScans are refused: in a large image each costs milliseconds, and takes a few bytes of the file.
func TestManyScans(t *testing.T) {
	file := jpegOf(t, photo(30, 20), 80)
	start := bytes.Index(file, []byte{0xff, markSOS})
	scan := file[start : len(file)-2]
	for more, refused := range map[int]bool{maxScans - 1: false, maxScans: true} {
		data := slices.Concat(file[:len(file)-2], bytes.Repeat(scan, more), file[len(file)-2:])
		if _, err := Inspect(data, Options{}); refused != errors.Is(err, zoomclient.ErrUnsupportedFormat) || !refused && err != nil {
			t.Errorf("%d scans: %v", more+1, err)
		}
		if refused {
			if _, _, err := Fit(data, Options{}); !errors.Is(err, zoomclient.ErrUnsupportedFormat) || !strings.Contains(err.Error(), "101 scans") {
				t.Error(err)
			}
		}
	}
}

// TestDecoderThatPanics damages nothing but the picture.
func TestDecoderThatPanics(t *testing.T) {
	src := &source{format: format{name: "WebP", decode: func(io.Reader) (image.Image, error) { panic("index out of range") }}}
	if _, err := src.decode(t.Context()); !errors.Is(err, zoomclient.ErrDamagedPicture) || !strings.Contains(err.Error(), "the WebP cannot be decoded (the decoder failed: index out of range)") {
		t.Error(err)
	}
}
