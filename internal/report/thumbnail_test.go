package report

import (
	"bytes"
	"encoding/binary"
	"hash/crc32"
	"image"
	"image/color"
	"image/jpeg"
	"strings"
	"testing"
)

// near says whether two colours differ by no more than JPEG makes them.
func near(a, b color.Color) bool {
	r1, g1, b1, _ := a.RGBA()
	r2, g2, b2, _ := b.RGBA()
	for _, d := range []int{int(r1) - int(r2), int(g1) - int(g2), int(b1) - int(b2)} {
		if max(d, -d) > 12<<8 {
			return false
		}
	}
	return true
}

func small(t *testing.T, data []byte) image.Image {
	t.Helper()
	out, err := thumbnail(opens(data))
	if err != nil {
		t.Fatal(err)
	}
	img, err := jpeg.Decode(bytes.NewReader(out))
	if err != nil {
		t.Fatal(err)
	}
	if img.Bounds() != image.Rect(0, 0, thumbnailSide, thumbnailSide) {
		t.Errorf("the thumbnail is %v", img.Bounds())
	}
	return img
}

func TestThumbnailIsTheMiddle(t *testing.T) {
	t.Parallel()
	green, red := color.RGBA{G: 180, A: 255}, color.RGBA{R: 200, A: 255}
	for name, data := range map[string][]byte{
		"JPEG": asJPEG(t, stripes(600, 200)),
		"PNG":  asPNG(t, stripes(600, 200)),
		"tiny": asPNG(t, stripes(3, 1)),
	} {
		img := small(t, data)
		for _, at := range []image.Point{{3, 3}, {92, 48}, {48, 92}} {
			if got := img.At(at.X, at.Y); !near(got, green) {
				t.Errorf("%s: %v at %v, want green only", name, got, at)
			}
		}
	}
	img := small(t, asPNG(t, stripes(90, 300)))
	if left, mid := img.At(5, 48), img.At(48, 48); !near(left, red) || !near(mid, green) {
		t.Errorf("of a tall picture: %v, %v", left, mid)
	}
}

func TestThumbnailIsWhiteBehindTransparency(t *testing.T) {
	t.Parallel()
	if got := small(t, asPNG(t, image.NewNRGBA(image.Rect(0, 0, 50, 50)))).At(48, 48); !near(got, color.White) {
		t.Errorf("it is %v", got)
	}
}

// A chessboard of single pixels is gray from afar. A scaler that looks at some of the pixels only makes patterns of it.
func TestThumbnailWeighsEveryPixel(t *testing.T) {
	t.Parallel()
	board := image.NewGray(image.Rect(0, 0, 1000, 1000))
	for i := range board.Pix {
		board.Pix[i] = uint8((i%1000+i/1000)%2) * 255
	}
	img := small(t, asPNG(t, board))
	for y := 4; y < 92; y++ {
		for x := 4; x < 92; x++ {
			if got := img.At(x, y); !near(got, color.Gray{127}) {
				t.Fatalf("%v at %d, %d", got, x, y)
			}
		}
	}
}

// bigPNG says that it is of that size, and has no pixels.
func bigPNG(width, height uint32) []byte {
	header := binary.BigEndian.AppendUint32([]byte("IHDR"), width)
	header = append(binary.BigEndian.AppendUint32(header, height), 8, 2, 0, 0, 0)
	data := append([]byte("\x89PNG\r\n\x1a\n\x00\x00\x00\x0d"), header...)
	return binary.BigEndian.AppendUint32(data, crc32.ChecksumIEEE(header))
}

func TestThumbnailRefuses(t *testing.T) {
	t.Parallel()
	whole := asJPEG(t, stripes(300, 300))
	for name, tt := range map[string]struct {
		data []byte
		want string
	}{
		"nothing":         {nil, "it has no bytes"},
		"text":            {[]byte("no picture"), "this is text"},
		"cut":             {whole[:len(whole)/2], "invalid JPEG"},
		"too many pixels": {bigPNG(10_000, 10_000), "10000 × 10000 pixels are more than"},
		"most pixels":     {bigPNG(1<<31-1, 1<<31-1), "dimension overflow"},
		"too many bytes":  {make([]byte, maxPictureBytes+1), "2097153 bytes"},
	} {
		if _, err := thumbnail(opens(tt.data)); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, err, tt.want)
		}
	}
}

// avatar is a drawn face, with the fine grain of a photograph.
func avatar(seed, width, height int) image.Image {
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	skin := []color.RGBA{{240, 206, 180, 255}, {198, 148, 110, 255}, {120, 80, 58, 255}, {225, 180, 150, 255}}[seed%4]
	hair := []color.RGBA{{40, 30, 28, 255}, {120, 72, 34, 255}, {200, 160, 90, 255}, {90, 90, 96, 255}, {150, 60, 40, 255}}[seed%5]
	shirt := []color.RGBA{{44, 82, 130, 255}, {56, 120, 98, 255}, {150, 70, 80, 255}}[seed%3]
	back := []color.RGBA{{214, 224, 232, 255}, {226, 220, 206, 255}, {208, 222, 210, 255}, {224, 212, 224, 255}}[seed/4%4]
	noise := uint32(seed + 1)
	within := func(x, y int, cx, cy, rx, ry float64) bool {
		dx, dy := (float64(x)/float64(width)-cx)/rx, (float64(y)/float64(height)-cy)/ry
		return dx*dx+dy*dy < 1
	}
	for y := range height {
		for x := range width {
			c := back
			switch {
			case within(x, y, .42, .46, .025, .02), within(x, y, .58, .46, .025, .02), within(x, y, .5, .61, .07, .014):
				c = color.RGBA{60, 34, 34, 255}
			case within(x, y, .5, .5, .19, .2):
				c = skin
			case within(x, y, .5, .42, .24, .2):
				c = hair
			case within(x, y, .5, 1.02, .4, .3):
				c = shirt
			case within(x, y, .5, .7, .09, .12):
				c = skin
			}
			noise = noise*1664525 + 1013904223
			grain := int(noise>>28) - 8
			shade := func(v uint8) uint8 { return uint8(max(0, min(255, int(v)+grain-y*20/height))) }
			img.SetRGBA(x, y, color.RGBA{shade(c.R), shade(c.G), shade(c.B), 255})
		}
	}
	return img
}

func BenchmarkThumbnail(b *testing.B) {
	for name, img := range map[string]image.Image{"512": stripes(512, 512), "12MP": stripes(4000, 3000)} {
		data := asJPEG(b, img)
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := thumbnail(opens(data)); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
