package portrait

import (
	"bytes"
	"image"
	"image/jpeg"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkFit12MP fits what a phone takes.
func BenchmarkFit12MP(b *testing.B) {
	data := jpegOf(b, photo(4032, 3024), 90)
	progressive := data
	if tool, err := exec.LookPath("jpegtran"); err == nil {
		path := filepath.Join(b.TempDir(), "a.jpg")
		os.WriteFile(path, data, 0o600)
		progressive, _ = exec.Command(tool, "-progressive", path).Output()
	}
	for name, data := range map[string][]byte{"baseline": data, "progressive": progressive} {
		b.Run(name, func(b *testing.B) {
			peak := peakOf(func() {
				for b.Loop() {
					if _, _, err := Fit(data, Options{}); err != nil {
						b.Fatal(err)
					}
				}
			})
			b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
		})
	}
}

// peakOf samples the memory that Go holds from the system in use.
func peakOf(f func()) uint64 {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	var stop atomic.Bool
	peak := make(chan uint64)
	go func() {
		var most uint64
		for !stop.Load() {
			metrics.Read(sample)
			most = max(most, sample[0].Value.Uint64())
			time.Sleep(200 * time.Microsecond)
		}
		peak <- most
	}()
	f()
	stop.Store(true)
	return <-peak
}

func BenchmarkParts(b *testing.B) {
	img := photo(4032, 3024)
	b.Run("render", func(b *testing.B) {
		for b.Loop() {
			render(b.Context(), img, img.Rect, image.Pt(1024, 768))
		}
	})
	data := jpegOf(b, photo(4032, 3024), 90)
	b.Log(len(data))
	b.Run("decode", func(b *testing.B) {
		for b.Loop() {
			jpeg.Decode(bytes.NewReader(data))
		}
	})
	b.Run("inspect", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Inspect(data, Options{})
		}
	})
	small, _, _ := render(b.Context(), img, img.Rect, image.Pt(1024, 768))
	b.Run("encode", func(b *testing.B) {
		for b.Loop() {
			encoder{opts: Options{}.withDefaults()}.encode(b.Context(), small)
		}
	})
}
