package main

import (
	"bytes"
	"image"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/zoompic/zoompic/zoomclient"
)

func TestGoalPassesOnlyIfEveryPartHolds(t *testing.T) {
	for _, test := range []struct {
		name  string
		parts []part
		want  bool
	}{
		{"at the limit", []part{{Limit: 1, spread: once(1)}}, true},
		{"one over it", []part{{Limit: 1, spread: once(0.5)}, {Limit: 1, spread: once(1.01)}}, false},
		{"not measured", nil, false},
		{"no rounds", []part{{Limit: 1, spread: spreadOf(nil)}}, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			var r report
			r.add("measure", "≤ 1", test.parts...)
			if got := r.Goals[0].Pass; got != test.want {
				t.Errorf("pass = %v, want %v", got, test.want)
			}
			var out strings.Builder
			r.print(&out)
			if short := strings.Contains(out.String(), "falls short"); short == test.want {
				t.Errorf("printed:\n%s", out.String())
			}
		})
	}
}

func TestSpread(t *testing.T) {
	if got, want := spreadOf([]float64{3, 1, 2}), (spread{2, 1, 3}); got != want {
		t.Errorf("odd: %v, want %v", got, want)
	}
	if got, want := spreadOf([]float64{4, 1, 2, 3}), (spread{2.5, 1, 4}); got != want {
		t.Errorf("even: %v, want %v", got, want)
	}
}

func TestSlidingSecond(t *testing.T) {
	at := func(ms ...int) (times []time.Time) {
		for _, m := range ms {
			times = append(times, time.UnixMilli(int64(m)))
		}
		return times
	}
	for _, test := range []struct {
		times []time.Time
		most  int
		span  time.Duration // of three
	}{
		{at(0, 500, 1000, 1500), 2, time.Second},
		{at(0, 500, 999, 1500), 3, 999 * time.Millisecond},
		{at(0, 900, 1100, 1300, 5000), 3, 400 * time.Millisecond},
		{at(0), 1, 0},
		{nil, 0, 0},
	} {
		if got := mostInASecond(test.times); got != test.most {
			t.Errorf("%v: most %d, want %d", test.times, got, test.most)
		}
		if got := shortestSpan(test.times, 3); got != test.span {
			t.Errorf("%v: span %v, want %v", test.times, got, test.span)
		}
	}
}

func TestPicturesAreOfTheirSizeAndWhole(t *testing.T) {
	for _, size := range []int{2000, 20_000, 200_000, 2_000_000} {
		for format, data := range map[string][]byte{"jpeg": jpegOf(size), "png": pngOf(size)} {
			if len(data) != size {
				t.Errorf("%s of %d has %d bytes", format, size, len(data))
			}
			if _, got, err := image.Decode(bytes.NewReader(data)); err != nil || got != format {
				t.Errorf("%s of %d: decoded as %q: %v", format, size, got, err)
			}
			if pic, err := zoomclient.NewPicture(data); err != nil || pic.TrailingBytes() != 0 {
				t.Errorf("%s of %d: %v, %v", format, size, pic, err)
			}
		}
	}
}

func TestEveryClientUploadsTheWholePicture(t *testing.T) {
	dir := t.TempDir()
	server, err := startServer(dir, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer server.stop()
	samples, err := newSamples(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range samples {
		sent := map[string]int64{}
		for _, c := range clients {
			for http2, base := range []string{server.H1, server.H2} {
				upload, err := c.open(base, s)
				if err != nil {
					t.Fatal(err)
				}
				if err := upload(); err != nil {
					t.Fatalf("%s, %s: %v", c.name, s.size, err)
				}
				took, err := server.took()
				if err != nil || len(took.Arrivals) != 1 || took.Bytes < int64(len(s.data)) || took.HTTP2 != http2 {
					t.Errorf("%s, %s: the server took %+v, %v", c.name, s.size, took, err)
				}
				sent[c.name] = took.Bytes
			}
		}
		if sent[rawClient] != sent[pictureClient] {
			t.Errorf("%s: raw sends %d bytes, UploadPicture %d", s.size, sent[rawClient], sent[pictureClient])
		}
		if err := server.expect(1, len(s.data)); err == nil {
			t.Error("nothing was sent, and not missed")
		}
	}
}

func TestUpdateReplacesOnlyWhatIsBetweenTheMarks(t *testing.T) {
	page := filepath.Join(t.TempDir(), "page.md")
	write := func(text string) {
		if err := os.WriteFile(page, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	r := report{Machine: "a machine"}
	write("before\n" + beginMark + "old\n" + endMark + "after\n")
	for range 2 { // the second finds what the first wrote
		if err := r.update(page); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(got)
	if !strings.HasPrefix(text, "before\n"+beginMark) || !strings.HasSuffix(text, endMark+"after\n") ||
		strings.Contains(text, "old") || strings.Count(text, "a machine") != 1 {
		t.Errorf("the page is now:\n%s", text)
	}
	write("no marks\n")
	if err := r.update(page); err == nil {
		t.Error("a page without marks was taken")
	}
}
