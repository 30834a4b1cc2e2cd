package portrait

import (
	"bytes"
	"encoding/binary"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"testing"

	"github.com/zoompic/zoompic/zoomclient"
)

// seeds are small files of every kind that is read, and everything that can be in them.
func seeds(f *testing.F) {
	exif := exifOf(binary.BigEndian, 6, home(binary.BigEndian)...)
	small := jpegOf(f, photo(30, 20), 80)
	f.Add(small)
	f.Add(append(withSegments(small, exifSegment(exif), jpegProfile(profileOf("RGB ", 200)), jpegSegment(0xfe, []byte("comment")...)), "tail"...))
	f.Add(jpegOf(f, image.NewGray(image.Rect(0, 0, 9, 7)), 80))
	f.Add(pngOf(f, blocks(30, 20)))
	f.Add(withChunks(pngOf(f, image.NewNRGBA(image.Rect(0, 0, 9, 7))), pngChunk("eXIf", string(exif)), pngProfile(profileOf("RGB ", 200)), pngChunk("tEXt", "Raw profile type exif\x00\nexif\n 1\n"+hexLines(exif))))
	f.Add(pngOf(f, image.NewRGBA64(image.Rect(0, 0, 9, 7))))
	f.Add(gifOf(f, image.Pt(9, 7), image.NewPaletted(image.Rect(2, 1, 5, 4), color.Palette{color.Transparent, color.White})))
	f.Add(tiffOf(binary.LittleEndian, blocks(9, 7), 5))
	for _, data := range bombs() {
		f.Add(data)
	}
	others, _ := filepath.Glob(filepath.Join(moreImages(f), "*.[btw]*")) // BMP, TIFF and WebP, which nothing here writes
	for _, path := range others {
		if data, err := os.ReadFile(path); err == nil && len(data) < 20_000 && filepath.Ext(path) != ".bz2" {
			f.Add(data)
		}
	}
}

// FuzzFit: what comes out fits, carries nothing, and is returned unchanged by a second fit.
func FuzzFit(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, opts := range []Options{{MaxPixels: 1 << 18, MaxSide: 200}, {MaxPixels: 1 << 18, MaxSide: 16, MaxBytes: 2000, Square: true}} {
			before := bytes.Clone(data)
			pic, report, err := Fit(data, opts)
			if !bytes.Equal(before, data) {
				t.Fatal("the source was changed")
			}
			if err != nil {
				if pic.Size() > 0 {
					t.Fatalf("a picture with an error: %v", err)
				}
				continue
			}
			if found, err := Inspect(data, opts); err != nil || found.Fits && !report.Unchanged() {
				t.Fatalf("%+v, %v; then %v", found, err, report)
			}
			file := bytesOf(pic)
			w, h := pic.Dimensions()
			if max(w, h) > opts.MaxSide || len(file) > opts.withDefaults().MaxBytes || opts.Square && w != h || pic.TrailingBytes() > 0 {
				t.Fatalf("%v does not fit %v: %v", pic, opts, report)
			}
			if report.Encoded {
				decoded(t, file)
			}
			if inspection, err := Inspect(file, opts); err != nil || len(inspection.Metadata) > 0 || inspection.Orientation != 1 {
				t.Fatalf("%+v, %v", inspection, err)
			}
			if again, second, err := Fit(file, opts); err != nil || !second.Unchanged() || again.SHA256() != pic.SHA256() {
				t.Fatalf("%v, then %v, %v", report, second, err)
			}
		}
	})
}

// FuzzStripMetadata: the pixels stay as they are, and nothing is left to be removed.
func FuzzStripMetadata(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		pic, _, err := StripMetadata(data)
		if err != nil {
			return
		}
		file := bytesOf(pic)
		if again, report, err := StripMetadata(file); err != nil || !report.Unchanged() || again.SHA256() != pic.SHA256() {
			t.Fatalf("%v, %v", report, err)
		}
		if len(file) > len(data) {
			t.Fatalf("%d bytes became %d", len(data), len(file))
		}
		if w, h := pic.Dimensions(); w*h > 1<<18 {
			return
		}
		if _, err := zoomclient.NewPicture(data); err != nil {
			return
		}
		want, _, err := image.Decode(bytes.NewReader(data))
		if err != nil {
			return
		}
		if d := largestDifference(decoded(t, file), want); d > 0 {
			t.Fatalf("pixels differ by %d", d)
		}
	})
}
