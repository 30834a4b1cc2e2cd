package portrait

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime/metrics"
	"sync/atomic"
	"testing"
	"time"
)

// BenchmarkFit fits what a phone takes, 12 megapixels, and reports the most memory that objects had, garbage included.
func BenchmarkFit(b *testing.B) {
	data := jpegOf(b, photo(4032, 3024), 90)
	b.Run("12MP", func(b *testing.B) { benchmarkFit(b, data) })
	b.Run("12MP-progressive", func(b *testing.B) { benchmarkFit(b, progressive(b, data)) })
}

func benchmarkFit(b *testing.B, data []byte) {
	b.SetBytes(int64(len(data)))
	peak := peakOf(func() {
		for b.Loop() {
			if _, _, err := Fit(data, Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.ReportMetric(float64(peak)/(1<<20), "peak-MiB")
}

// progressive makes a baseline JPEG one, which Go's encoder does not.
func progressive(b *testing.B, data []byte) []byte {
	tool, err := exec.LookPath("jpegtran")
	if err != nil {
		b.Skip("jpegtran, of libjpeg, is not installed")
	}
	path := filepath.Join(b.TempDir(), "baseline.jpg")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		b.Fatal(err)
	}
	out, err := exec.Command(tool, "-progressive", path).Output()
	if err != nil {
		b.Fatal(err)
	}
	return out
}

// peakOf samples the memory of Go's objects while f runs.
func peakOf(f func()) (peak uint64) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	var stop atomic.Bool
	done := make(chan struct{})
	go func() {
		defer close(done)
		for !stop.Load() {
			metrics.Read(sample)
			peak = max(peak, sample[0].Value.Uint64())
			time.Sleep(200 * time.Microsecond)
		}
	}()
	f()
	stop.Store(true)
	<-done
	return peak
}

// BenchmarkInspect looks at the largest picture that Zoom takes.
func BenchmarkInspect(b *testing.B) {
	data := jpegOf(b, photo(2300, 1700), 90)
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Inspect(data, Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
