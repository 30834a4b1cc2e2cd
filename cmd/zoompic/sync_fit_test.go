package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/portrait"
	"github.com/zoompic/zoompic/zoomclient/zoomtest"
)

// A lossless WebP of one pixel.
const webp = "RIFF\x1a\x00\x00\x00WEBPVP8L\x0d\x00\x00\x00\x2f\x00\x00\x00\x10\x07\x10\x11\x11\x88\x88\xfe\x07\x00"

// fits counts what is made to fit, by portrait or, if made is set, by a test.
type fits struct {
	begun, running, most atomic.Int64
	made                 fitFunc
}

func (f *fits) fit(ctx context.Context, data []byte, options portrait.Options) (zoomclient.Picture, portrait.Report, error) {
	f.begun.Add(1)
	now := f.running.Add(1)
	defer f.running.Add(-1)
	for most := f.most.Load(); now > most && !f.most.CompareAndSwap(most, now); most = f.most.Load() {
	}
	if f.made != nil {
		return f.made(ctx, data, options)
	}
	return portrait.FitContext(ctx, data, options)
}

// slowly is portrait's after a while.
func slowly(delay time.Duration) fitFunc {
	return func(ctx context.Context, data []byte, options portrait.Options) (zoomclient.Picture, portrait.Report, error) {
		if wait(ctx, delay) != nil {
			return zoomclient.Picture{}, portrait.Report{}, context.Cause(ctx)
		}
		return portrait.FitContext(ctx, data, options)
	}
}

// fitTo is what is to arrive of a photo.
func fitTo(t testing.TB, data []byte, options portrait.Options) []byte {
	t.Helper()
	pic, _, err := portrait.Fit(data, options)
	if err != nil {
		t.Fatal(err)
	}
	return bytesOf(pic)
}

// TestSyncFit: what a plain run refuses arrives fitted, is not processed again, and is again with other options.
func TestSyncFit(t *testing.T) {
	counted := &fits{}
	zoom := newTestZoom(t)
	zoom.fitFunc = counted.fit
	tidy := photo(t, 40, 30)
	photos := map[string][]byte{
		"ada@example.com.webp": []byte(webp),
		"bob@example.com.jpg":  append(photo(t, 1500, 1000), make([]byte, 8<<20)...),
		"eve@example.com.jpg":  withExif(photo(t, 60, 40), 6, true),
		"fay@example.com.jpg":  tidy,
	}
	dir := t.TempDir()
	for name, data := range photos {
		putFile(t, dir, name, data, time.Now().Add(-time.Hour))
	}
	arrived := func(options portrait.Options) {
		t.Helper()
		for name, data := range photos {
			user := strings.TrimSuffix(name, filepath.Ext(name))
			if got, _ := zoom.Picture(user); !bytes.Equal(got, fitTo(t, data, options)) {
				t.Errorf("%s has %d other bytes", user, len(got))
			}
		}
	}

	stdout, _ := zoom.expect(t, exitFailed, "4 people: 2 uploaded, 0 unchanged, 2 failed, 0 pending", dir)
	if strings.Count(stdout, "what to do: let --fit make it fit") != 2 || strings.Count(stdout, "warning: the GPS position of where it was taken, perhaps a home, is in 1 picture ") != 1 {
		t.Error(stdout)
	}
	stdout, _ = zoom.expect(t, exitFailed, "4 people: 0 uploaded, 2 unchanged, 2 failed, 0 pending", dir)
	if strings.Count(stdout, "warning: ") != 1 || counted.begun.Load() != 0 { // the file was not read
		t.Errorf("%d were fitted\n%s", counted.begun.Load(), stdout)
	}

	stdout, _ = zoom.expect(t, exitDone, "4 people: 4 to upload, 0 unchanged, 0 refused", "--dry-run", "--fit", dir)
	if strings.Count(stdout, "; to be made to fit)\n") != 3 || !strings.Contains(stdout, "\nto be made to fit: 3 pictures\n") || !strings.Contains(stdout, "fay@example.com.jpg (image/jpeg, 40 × 30 pixels, "+countBytes(int64(len(tidy)))+")") || strings.Contains(stdout, "warning") {
		t.Error(stdout)
	}
	if counted.begun.Load() != 0 {
		t.Error("a dry run fitted something")
	}

	stdout, _ = zoom.expect(t, exitDone, "4 people: 4 uploaded, 0 unchanged, 0 failed, 0 pending", "--fit", dir)
	if counted.begun.Load() != 4 || !strings.Contains(stdout, "\nmade to fit: 3 pictures\n") || strings.Contains(stdout, "warning") {
		t.Errorf("%d were fitted\n%s", counted.begun.Load(), stdout)
	}
	arrived(portrait.Options{})
	requests := zoom.Requests()
	zoom.expect(t, exitDone, "4 people: 0 uploaded, 4 unchanged, 0 failed, 0 pending", "--fit", dir)
	if counted.begun.Load() != 4 || zoom.Requests() != requests {
		t.Errorf("the second run fitted %d and sent %d", counted.begun.Load()-4, zoom.Requests()-requests)
	}

	square := []string{"--fit", "--square", "--max-side", "24", dir}
	zoom.expect(t, exitDone, "4 people: 4 uploaded, 0 unchanged, 0 failed, 0 pending", square...)
	arrived(portrait.Options{Square: true, MaxSide: 24})
	zoom.expect(t, exitDone, "4 people: 0 uploaded, 4 unchanged, 0 failed, 0 pending", square...)
	photos["eve@example.com.jpg"] = withExif(photo(t, 70, 40), 8, false)
	putFile(t, dir, "eve@example.com.jpg", photos["eve@example.com.jpg"], time.Now())
	zoom.expect(t, exitDone, "4 people: 1 uploaded, 3 unchanged, 0 failed, 0 pending", square...)
	arrived(portrait.Options{Square: true, MaxSide: 24})
	if counted.begun.Load() != 9 {
		t.Errorf("%d were fitted", counted.begun.Load())
	}
	zoom.expect(t, exitFailed, "4 people: 2 uploaded, 0 unchanged, 2 failed, 0 pending", dir) // as they are again
	if got, _ := zoom.Picture("fay@example.com"); !bytes.Equal(got, tidy) || counted.begun.Load() != 9 {
		t.Errorf("%d other bytes, %d were fitted", len(got), counted.begun.Load())
	}
}

// TestSyncFitJSON: the digests are those of what Zoom has, in every run.
func TestSyncFitJSON(t *testing.T) {
	zoom := newTestZoom(t)
	dir := team(t, map[string][]byte{"ada@example.com": photo(t, 1500, 1000)})
	want := digestOf(fitTo(t, photo(t, 1500, 1000), portrait.Options{}))
	_, stdout, _ := zoom.sync(t, "--fit", "--json", "--dry-run", dir)
	if rows := rowsOf(t, []byte(stdout)); len(rows) != 1 || !rows[0].NeedsFit || rows[0].SHA256 != "" { // it is not made yet
		t.Error(stdout)
	}
	for _, outcome := range []string{"uploaded", "unchanged"} {
		code, stdout, stderr := zoom.sync(t, "--fit", "--json", dir)
		rows := rowsOf(t, []byte(stdout))
		if code != exitDone || len(rows) != 1 || string(rows[0].Outcome) != outcome || rows[0].SHA256 != want || (rows[0].Fit != nil) != (outcome == "uploaded") {
			t.Errorf("exit %d: %s%s", code, stdout, stderr)
		}
		if fit := rows[0].Fit; fit != nil && (fit.Before.Width != 1500 || fit.After.Width != 1024) {
			t.Errorf("%+v", fit)
		}
	}
}

// TestSyncFitFails for one row at a time, and the others are sent.
func TestSyncFitFails(t *testing.T) {
	zoom := newTestZoom(t)
	whole := photo(t, 300, 200)
	dir := team(t, map[string][]byte{
		"ada@example.com": whole, "cut@example.com": whole[:len(whole)-30], "heic@example.com": []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"), "web@example.com": []byte(webp), "text@example.com": []byte("hello"),
	})
	huge := filepath.Join(dir, "huge@example.com.png")
	putFile(t, dir, filepath.Base(huge), whole, time.Now())
	if err := os.Truncate(huge, maxPhoto+1); err != nil {
		t.Fatal(err)
	}
	stdout, _ := zoom.expect(t, exitFailed, "6 people: 2 uploaded, 0 unchanged, 4 failed, 0 pending", "--fit", dir)
	for _, want := range []string{
		"failed: 1 × the picture is damaged\n", "cut@example.com.png  (the JPEG cannot be decoded",
		"failed: 2 × not a format that Zoom takes\n", "heic@example.com.png  (this is a HEIC picture", "huge@example.com.png  (it has more than 67108864 bytes",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	for args, message := range map[string]string{"--square": "need --fit", "--fit --max-side=-1": "MaxSide is -1", "--fit --max-bytes=9000000": "MaxBytes is 9000000"} {
		if code, _, stderr := zoom.sync(t, append(strings.Fields(args), dir)...); code != exitUsage || !strings.Contains(stderr, message) {
			t.Errorf("%s: exit %d: %s", args, code, stderr)
		}
	}
	if stdout, _ := zoom.expect(t, exitFailed, "6 people: 1 uploaded, 0 unchanged, 5 failed, 0 pending", dir); strings.Count(stdout, "let --fit make it fit") != 1 { // the WebP
		t.Error(stdout)
	}
}

// TestSamePhotoTwice: two large files of one person are told apart by their bytes.
func TestSamePhotoTwice(t *testing.T) {
	zoom := newTestZoom(t)
	large := append(photo(t, 300, 200), make([]byte, 3<<20)...)
	dir := team(t, map[string][]byte{"ada@example.com": large, "Ada@example.com": large})
	zoom.expect(t, exitDone, "1 person: 1 uploaded, 0 unchanged, 0 failed, 0 pending", "--fit", dir)
	putFile(t, dir, "ada@example.com.png", large[:len(large)-1], time.Now())
	if code, _, stderr := zoom.sync(t, "--fit", dir); code != exitUsage || !strings.Contains(stderr, "more than one picture for") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

// TestFitReport shows faces of what no page could: of what was sent, or will be.
func TestFitReport(t *testing.T) {
	dir := t.TempDir()
	putFile(t, dir, "ada@example.com.webp", []byte(webp), time.Now())
	putFile(t, dir, "eve@example.com.jpg", append(photo(t, 1500, 1000), make([]byte, 3<<20)...), time.Now())
	page := filepath.Join(t.TempDir(), "out.html")
	for _, args := range [][]string{{"--dry-run"}, {}, {}} { // planned, uploaded, unchanged
		args = append([]string{"sync", "--fake", "--fit", "--report", page}, append(args, dir)...)
		if code, stdout, stderr := zoompic(t, nil, nil, args...); code != exitDone {
			t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
		}
		content, err := os.ReadFile(page)
		if err != nil || strings.Count(string(content), "data:image/jpeg") != 2 {
			t.Errorf("%v: %d faces, %v", args, strings.Count(string(content), "data:image/jpeg"), err)
		}
	}
}

func TestSyncFitFakeTwice(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../examples/team")); err != nil {
		t.Fatal(err)
	}
	putFile(t, dir, "grace.hopper@example.com.webp", []byte(webp), time.Now())
	for _, want := range []string{"7 people: 7 uploaded, 0 unchanged, 0 failed, 0 pending\nverified: the fake Zoom holds the same 7 pictures that were sent\nmade to fit: ", "7 people: 0 uploaded, 7 unchanged, 0 failed, 0 pending\n"} {
		if code, stdout, stderr := zoompic(t, nil, nil, "sync", "--fake", "--fit", dir); code != exitDone || !strings.HasPrefix(stdout, want) || stderr != "" {
			t.Errorf("exit %d\n%s%s", code, stdout, stderr)
		}
	}
}

// crowd is a folder of many small photos.
func crowd(t testing.TB, people int) string {
	faces := map[string][]byte{}
	for i := range people {
		faces[fmt.Sprintf("user%03d@example.com", i)] = face(i)
	}
	return team(t, faces)
}

// TestFitKeepsPace in virtual time: with one upload at a time, fitting takes nearly all that the cores have between two of
// them, or now and then much more. The control has too few cores, and is slower.
func TestFitKeepsPace(t *testing.T) {
	const people, perSecond = 100, 5
	interval := time.Second / perSecond
	each := func(share float64) time.Duration {
		return time.Duration(share * float64(interval) * float64(runtime.GOMAXPROCS(0)))
	}
	for name, test := range map[string]struct {
		delay func(n int64) time.Duration
		kept  bool
	}{
		"nearly all": {func(int64) time.Duration { return each(.9) }, true},
		"now and then a lot": {func(n int64) time.Duration {
			if n%20 == 0 {
				return 2 * time.Second
			}
			return each(.2)
		}, true},
		"too slow": {func(int64) time.Duration { return each(2) }, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			counted := &fits{}
			counted.made = func(ctx context.Context, data []byte, options portrait.Options) (zoomclient.Picture, portrait.Report, error) {
				return slowly(test.delay(counted.begun.Load()))(ctx, data, options)
			}
			z := &testZoom{Handler: zoomtest.New(), fitFunc: counted.fit}
			var stderr bytes.Buffer
			code, stdout := z.virtually(t.Context(), &stderr, "--fit", "--workers=1", fmt.Sprintf("--rate=%d", perSecond), crowd(t, people))
			uploads := z.Uploads()
			if code != exitDone || len(uploads) != people {
				t.Fatalf("%s: exit %d\n%s%s", name, code, stdout, &stderr)
			}
			spent := uploads[people-1].Time.Sub(uploads[0].Time)
			if want := (people - 1) * interval; spent < want || (spent < want*101/100) != test.kept {
				t.Errorf("%s: took %v, want %v", name, spent, want)
			}
			if most := counted.most.Load(); most != int64(runtime.GOMAXPROCS(0)) {
				t.Errorf("%s: %d were fitted at a time", name, most)
			}
		})
	}
}

// TestFitAheadIsBounded: however slow the uploads are, no more pictures wait than there is memory for.
func TestFitAheadIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		counted := &fits{}
		z := &testZoom{Handler: zoomtest.New(), fitFunc: counted.fit}
		ctx, interrupt := context.WithCancel(t.Context())
		defer interrupt()
		dir := crowd(t, 200)
		ended := make(chan int)
		go func() {
			code, _ := z.virtually(ctx, io.Discard, "--fit", "--rate=0.1", "--workers=2", dir)
			ended <- code
		}()
		for uploads := 1; uploads <= 5; uploads++ {
			time.Sleep(9 * time.Second)
			synctest.Wait()
			sent := len(z.Uploads())
			ahead := int(counted.begun.Load()) - sent
			if most := fitAhead + runtime.GOMAXPROCS(0) + 2; sent == 0 || ahead < fitAhead || ahead > most {
				t.Errorf("%d are ahead of %d uploads, at most %d may be", ahead, sent, most)
			}
		}
		interrupt()
		if code := <-ended; code != exitInterrupted {
			t.Errorf("exit %d", code)
		}
	})
}

// TestPixelsAreBounded: of large pictures fewer are decoded at a time than there are cores.
func TestPixelsAreBounded(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(8))
	large := photo(t, 8000, 5000) // of 100 megapixels for 8 cores
	for _, test := range []struct {
		photo []byte
		most  int64
	}{{large, 2}, {face(1), 8}} {
		synctest.Test(t, func(t *testing.T) {
			counted := &fits{made: func(ctx context.Context, _ []byte, options portrait.Options) (zoomclient.Picture, portrait.Report, error) {
				return slowly(time.Second)(ctx, face(2), options)
			}}
			z := &testZoom{Handler: zoomtest.New(), fitFunc: counted.fit}
			photos := map[string][]byte{}
			for i := range 16 {
				photos[fmt.Sprintf("user%d@example.com", i)] = test.photo
			}
			if code, stdout := z.virtually(t.Context(), io.Discard, "--fit", team(t, photos)); code != exitDone || counted.most.Load() != test.most {
				t.Errorf("exit %d, %d at a time, want %d\n%s", code, counted.most.Load(), test.most, stdout)
			}
		})
	}
}

// TestInterruptWhileFitting: what is being fitted is dropped at once, and nobody fails for it.
func TestInterruptWhileFitting(t *testing.T) {
	for _, quick := range []int64{0, 10} { // fitted before all others hang
		synctest.Test(t, func(t *testing.T) {
			counted := &fits{}
			counted.made = func(ctx context.Context, data []byte, options portrait.Options) (zoomclient.Picture, portrait.Report, error) {
				delay := time.Duration(0)
				if counted.begun.Load() > quick {
					delay = time.Hour
				}
				return slowly(delay)(ctx, data, options)
			}
			z := &testZoom{Handler: zoomtest.New(), fitFunc: counted.fit}
			dir := crowd(t, 100)
			ctx, interrupt := context.WithCancel(t.Context())
			time.AfterFunc(5*time.Second, interrupt)
			start := time.Now()
			var stderr bytes.Buffer
			code, stdout := z.virtually(ctx, &stderr, "--fit", dir)
			sent := len(z.Uploads())
			want := fmt.Sprintf("100 people: %d uploaded, 0 unchanged, 0 failed, %d pending", sent, 100-sent)
			if code != exitInterrupted || !strings.HasPrefix(stdout, want) || (sent > 0) != (quick > 0) || time.Since(start) > 6*time.Second {
				t.Errorf("exit %d after %v, %d sent\n%s%s", code, time.Since(start), sent, stdout, &stderr)
			}
			if counted.begun.Load() <= quick {
				t.Error("nothing was being fitted")
			}
			synctest.Wait()
			z.fitFunc = nil
			want = fmt.Sprintf("100 people: %d uploaded, %d unchanged, 0 failed, 0 pending", 100-sent, sent)
			if code, stdout := z.virtually(t.Context(), io.Discard, "--fit", dir); code != exitDone || !strings.HasPrefix(stdout, want) {
				t.Errorf("exit %d\n%s", code, stdout)
			}
		})
	}
}

// TestFitAfterADailyLimit: what was fitted and not sent is fitted again.
func TestFitAfterADailyLimit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &testZoom{Handler: zoomtest.New()}
		over := time.Now().Add(3 * time.Hour)
		var mu sync.Mutex
		requests, limited := 0, 0
		z.answers(func(w http.ResponseWriter, r *http.Request, _ string) bool {
			mu.Lock()
			defer mu.Unlock()
			if requests++; requests <= 10 || !time.Now().Before(over) {
				return false
			}
			limited++
			w.Header().Set("Retry-After", over.UTC().Format(time.RFC3339))
			return refuses(w, r, 429, 429, "")
		})
		code, stdout := z.virtually(t.Context(), io.Discard, "--fit", "--wait", crowd(t, 60))
		if code != exitDone || !strings.HasPrefix(stdout, "60 people: 60 uploaded") || limited == 0 || len(z.Uploads()) != 60 {
			t.Errorf("exit %d, %d uploads, %d limited\n%s", code, len(z.Uploads()), limited, stdout)
		}
	})
}

// TestKilledWhileFitting is TestKilled with --fit: what is remembered and reported is what was made of the photos.
func TestKilledWhileFitting(t *testing.T) {
	const people, kills = 400, 10
	zoom := newTestZoom(t)
	zoom.RateLimit(500)
	f := &faults{zoom: zoom.Handler, inARow: map[string]int{}, fired: map[string]int{}, honest: map[string]map[string]int{}}
	zoom.answers(f.answer)
	k := &killing{T: t, zoom: zoom, faults: f, dir: t.TempDir(), wanted: map[string]string{}, workers: 16, flags: []string{"--fit"}}
	give := func(user, n int) {
		name := fmt.Sprintf("user%04d@example.com", user)
		k.give(name, face(n))
		k.wanted[name] = digestOf(fitTo(t, face(n), portrait.Options{}))
		if k.wanted[name] == digestOf(face(n)) {
			t.Fatal("a face fits as it is")
		}
	}
	for i := range people {
		give(i, i)
	}
	for range kills {
		k.runAndKill()
	}
	k.finish(people)
	for i := range 20 {
		give(i*20+1, people+i)
	}
	k.runAndKill()
	k.finish(people)
	k.checkLedger()
	if k.kills < kills || len(f.fired) < 3 {
		t.Errorf("%d kills, faults %v", k.kills, f.fired)
	}
	t.Logf("%d kills, %d requests, %v", k.kills, f.requests, f.fired)
}
