package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zoompic/zoompic/internal/report"
	"github.com/zoompic/zoompic/internal/source"
	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/zoomtest"
)

// TestTokenOutageIsNoLimit: those who were not sent for want of a token say so, and the exit code does.
func TestTokenOutageIsNoLimit(t *testing.T) {
	zoom := newTestZoom(t)
	var tokens atomic.Int32
	endpoint := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tokens.Add(1) > 1 {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		zoom.Handler.ServeHTTP(w, r)
	}))
	defer endpoint.Close()
	zoom.env["ZOOM_TOKEN_URL"] = endpoint.URL + "/oauth/token"
	zoom.answers(func(_ http.ResponseWriter, _ *http.Request, user string) bool {
		if user == "bob@example.com" {
			zoom.RevokeTokens()
		}
		return false
	})
	dir := team(t, map[string][]byte{"ada@example.com": face(1), "bob@example.com": face(2), "eve@example.com": face(3)})
	var stdout, stderr bytes.Buffer
	c := &command{getenv: func(name string) string { return zoom.env[name] }, stdout: &stdout, stderr: &stderr}
	c.options = []zoomclient.Option{zoomclient.WithRetry(zoomclient.Retry{MaxAttempts: 1})}
	code := c.run(t.Context(), []string{"zoompic", "sync", "--workers", "1", dir})
	const why = "no access token: the token endpoint answered 503"
	if code != exitCredentials || tokens.Load() < 2 || !strings.HasPrefix(stdout.String(), "3 people: 1 uploaded, 0 unchanged, 0 failed, 2 pending") ||
		!strings.Contains(stdout.String(), "pending: 2 × not sent: "+why) || !strings.Contains(stderr.String(), "2 still to be sent: "+why) {
		t.Errorf("exit %d after %d requests for a token\n%s%s", code, tokens.Load(), &stdout, &stderr)
	}
}

// TestLimitOfOne in virtual time: a rate limit that ended the attempts of one upload, and not the run, is waited for too.
func TestLimitOfOne(t *testing.T) {
	for _, wait := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			z := &testZoom{Handler: zoomtest.New()}
			var refused atomic.Int32
			z.answers(func(w http.ResponseWriter, r *http.Request, user string) bool {
				if user != "bob@example.com" || refused.Load() == 5 {
					return false
				}
				refused.Add(1)
				w.Header().Set("Retry-After", "1")
				return refuses(w, r, 429, 429, "")
			})
			dir := team(t, map[string][]byte{"ada@example.com": face(1), "bob@example.com": face(2)})
			args, exit, counts := []string{dir}, exitLimited, "2 people: 1 uploaded, 0 unchanged, 0 failed, 1 pending"
			if wait {
				args, exit, counts = []string{"--wait", dir}, exitDone, "2 people: 2 uploaded, 0 unchanged, 0 failed, 0 pending"
			}
			var stderr bytes.Buffer
			code, stdout := z.virtually(t.Context(), &stderr, args...)
			if code != exit || refused.Load() != 5 || !strings.HasPrefix(stdout, counts) || !wait && !strings.Contains(stderr.String(), "1 still to be sent: 429 Too Many Requests") {
				t.Errorf("wait %v: exit %d after %d refusals\n%s%s", wait, code, refused.Load(), stdout, &stderr)
			}
		})
	}
}

// TestInterruptedInFlight in virtual time: whose picture was sent is not told that it was not.
func TestInterruptedInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &testZoom{Handler: zoomtest.New()}
		ctx, interrupt := context.WithCancel(t.Context())
		z.answers(func(_ http.ResponseWriter, r *http.Request, _ string) bool {
			io.Copy(io.Discard, r.Body)
			interrupt()
			<-r.Context().Done()
			return true
		})
		dir := team(t, map[string][]byte{"ada@example.com": face(1), "bob@example.com": face(2)})
		code, stdout := z.virtually(ctx, io.Discard, dir)
		if code != exitInterrupted ||
			!strings.Contains(stdout, "pending: 1 × sent, but no answer came; the next run sends it once more\n  what to do: run again\n  ada@example.com") ||
			!strings.Contains(stdout, "pending: 1 × not sent: interrupted\n  what to do: run again to go on\n  bob@example.com") {
			t.Errorf("exit %d\n%s", code, stdout)
		}
	})
}

// TestFileFailuresAreGrouped by cause, with what to do: the names are in the lines below.
func TestFileFailuresAreGrouped(t *testing.T) {
	zoom := newTestZoom(t)
	dir := t.TempDir()
	list := "user,file\n"
	for i, name := range []string{"folder1", "folder2", "gone1", "gone2", "link1", "link2"} {
		list += fmt.Sprintf("user%d@example.com,%s\n", i, name)
		switch name[:4] {
		case "fold":
			if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
				t.Fatal(err)
			}
		case "link":
			if err := os.Symlink(os.Args[0], filepath.Join(dir, name)); err != nil {
				t.Skip(err)
			}
		}
	}
	path := filepath.Join(dir, "list.csv")
	if err := os.WriteFile(path, []byte(list), 0o600); err != nil {
		t.Fatal(err)
	}
	stdout, _ := zoom.expect(t, exitFailed, "6 people: 0 uploaded, 0 unchanged, 6 failed, 0 pending", path)
	for _, want := range []string{
		"failed: 2 × this is a folder\n  what to do: name a picture in it\n  user0@example.com  folder1\n",
		"failed: 2 × there is no such file\n  what to do: check its name, and whether a link leads nowhere\n  user2@example.com  gone1\n",
		"failed: 2 × the link leaves the folder\n  what to do: put the picture itself there\n  user4@example.com  link1\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
}

// TestInterruptWaitsForNobodyWhoWaits in virtual time: who waits for a turn or for the end of a pause has nothing to lose, and
// is not sent afterwards.
func TestInterruptWaitsForNobodyWhoWaits(t *testing.T) {
	faces := map[string][]byte{}
	for i := range 20 {
		faces[fmt.Sprintf("user%02d@example.com", i)] = face(i)
	}
	for name, test := range map[string]struct {
		args   []string
		answer func(w http.ResponseWriter, r *http.Request) bool
		told   string
		spent  time.Duration
	}{
		"for a turn": {args: []string{"--rate=0.1"}, spent: 5 * time.Second},
		"for a pause": {answer: func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Retry-After", "40")
			return refuses(w, r, 429, 429, "")
		}, spent: 5 * time.Second},
		"for another try": {answer: func(w http.ResponseWriter, r *http.Request) bool {
			w.Header().Set("Retry-After", "40")
			return refuses(w, r, 503, 0, "")
		}, spent: 5 * time.Second},
		"for an answer": {answer: func(_ http.ResponseWriter, r *http.Request) bool {
			wait(r.Context(), 8*time.Second)
			return false
		}, told: "zoompic: interrupted: waiting up to 10 s for 1 upload; again to stop at once\n", spent: 8 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			z := &testZoom{Handler: zoomtest.New()}
			requests := 0
			z.answers(func(w http.ResponseWriter, r *http.Request, _ string) bool {
				requests++
				return test.answer != nil && test.answer(w, r)
			})
			ctx, interrupt := context.WithCancel(t.Context())
			time.AfterFunc(5*time.Second, interrupt)
			start := time.Now()
			var stderr bytes.Buffer
			code, stdout := z.virtually(ctx, &stderr, append(test.args, "--quiet", team(t, faces))...)
			spent := time.Since(start)
			if code != exitInterrupted || requests != 1 || spent < test.spent || spent > test.spent+time.Second/2 || !strings.Contains(stdout, "× not sent: interrupted\n") {
				t.Errorf("%s: exit %d after %v and %d requests\n%s", name, code, spent, requests, stdout)
			}
			if told, _, _ := strings.Cut(stderr.String(), "zoompic: interrupted with"); told != test.told {
				t.Errorf("%s: told %q, want %q", name, told, test.told)
			}
		})
	}
}

// TestPrintable: a byte that is not UTF-8 could be a control character to the terminal.
func TestPrintable(t *testing.T) {
	for name, want := range map[string]string{"Jörg.jpg": "Jörg.jpg", "J\xf6rg.jpg": `"J\xf6rg.jpg"`, "\x9b2J": `"\x9b2J"`, "\u202egpj": `"\u202egpj"`, "\ufffd": "\ufffd"} {
		if got := printable(name); got != want {
			t.Errorf("%q: %s, want %s", name, got, want)
		}
	}
}

// TestSyncTimeout in virtual time ends a run as an interrupt does, but it is nobody's signal.
func TestSyncTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &testZoom{Handler: zoomtest.New()}
		dir := team(t, map[string][]byte{"ada@example.com": face(1), "bob@example.com": face(2)})
		var stderr bytes.Buffer
		code, stdout := z.virtually(t.Context(), &stderr, "--rate=0.1", "--timeout=5s", dir)
		if code != exitFailed || !strings.HasPrefix(stdout, "2 people: 1 uploaded, 0 unchanged, 0 failed, 1 pending") || !strings.Contains(stdout, "pending: 1 × not sent: interrupted") || stderr.String() != "zoompic: the time given by --timeout is over with 1 still to be sent; run again to go on\n" {
			t.Errorf("exit %d\n%s%s", code, stdout, &stderr)
		}
		if code, stdout := z.virtually(t.Context(), io.Discard, dir); code != exitDone || !strings.HasPrefix(stdout, "2 people: 1 uploaded, 1 unchanged") {
			t.Errorf("exit %d\n%s", code, stdout)
		}
	})
}

// TestRefusalThatZoomHasRevoked is forgotten when Zoom takes the same picture after all.
func TestRefusalThatZoomHasRevoked(t *testing.T) {
	zoom := newTestZoom(t)
	dir := team(t, map[string][]byte{"ada@example.com": face(1)})
	zoom.answers(func(w http.ResponseWriter, r *http.Request, _ string) bool { return refuses(w, r, 400, 300, "") })
	zoom.expect(t, exitFailed, "0 uploaded, 0 unchanged, 1 failed, 0 pending", dir)
	zoom.answers(nil)
	zoom.expect(t, exitFailed, "0 uploaded, 0 unchanged, 1 failed, 0 pending", dir) // from memory
	zoom.expect(t, exitDone, "1 uploaded, 0 unchanged, 0 failed, 0 pending", "--force", dir)
	putFace(t, dir, "ada@example.com", face(2), time.Now())
	zoom.expect(t, exitDone, "1 uploaded, 0 unchanged, 0 failed, 0 pending", dir)
	putFace(t, dir, "ada@example.com", face(1), time.Now())
	zoom.expect(t, exitDone, "1 uploaded, 0 unchanged, 0 failed, 0 pending", dir)
}

// TestRefusedAfterALostAnswer says that the picture may be there.
func TestRefusedAfterALostAnswer(t *testing.T) {
	zoom := newTestZoom(t)
	var lost atomic.Bool
	zoom.answers(func(w http.ResponseWriter, r *http.Request, _ string) bool {
		if !lost.Swap(true) {
			zoom.Handler.ServeHTTP(httptest.NewRecorder(), r)
			panic(http.ErrAbortHandler)
		}
		return refuses(w, r, 400, 300, "")
	})
	stdout, _ := zoom.expect(t, exitFailed, "0 uploaded, 0 unchanged, 1 failed, 0 pending", team(t, map[string][]byte{"ada@example.com": face(1)}))
	if !strings.Contains(stdout, "(an earlier attempt may have set the picture)") {
		t.Error(stdout)
	}
}

// TestSentInAnEarlierRound, with no answer: a later round in which it was not tried does not make it unsent.
func TestSentInAnEarlierRound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &testZoom{Handler: zoomtest.New()}
		ctx, interrupt := context.WithCancel(t.Context())
		lost, limited := make(chan struct{}), atomic.Int32{}
		z.answers(func(w http.ResponseWriter, r *http.Request, user string) bool {
			switch user {
			case "ada@example.com": // goes alone
				return false
			case "bob@example.com":
				<-lost
			case "zoe@example.com":
				select {
				case <-lost:
				default:
					z.Handler.ServeHTTP(httptest.NewRecorder(), r)
					close(lost)
					panic(http.ErrAbortHandler)
				}
			}
			limited.Add(1)
			w.Header().Set("X-RateLimit-Type", "Daily-limit")
			w.Header().Set("Retry-After", "7200")
			return refuses(w, r, 429, 429, "")
		})
		time.AfterFunc(3*time.Hour, interrupt)
		dir := team(t, map[string][]byte{"ada@example.com": face(1), "bob@example.com": face(2), "zoe@example.com": face(3)})
		code, stdout := z.virtually(ctx, io.Discard, "--wait", "--workers=2", dir)
		if _, held := z.Picture("zoe@example.com"); !held || code != exitInterrupted || limited.Load() != 2 ||
			!strings.Contains(stdout, "pending: 1 × sent, but no answer came; the next run sends it once more\n  what to do: run again\n  zoe@example.com") {
			t.Errorf("exit %d, held %v, %d limited\n%s", code, held, limited.Load(), stdout)
		}
	})
}

// TestTimeLimitIsNoSignal: nobody is told that another one would end the run at once.
func TestTimeLimitIsNoSignal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &testZoom{Handler: zoomtest.New()}
		z.answers(func(_ http.ResponseWriter, r *http.Request, _ string) bool {
			wait(r.Context(), time.Hour)
			return false
		})
		var stderr bytes.Buffer
		code, _ := z.virtually(t.Context(), &stderr, "--timeout", "1s", "--workers", "9000000000000000", team(t, map[string][]byte{"ada@example.com": face(1)}))
		if code != exitFailed || !strings.Contains(stderr.String(), ": waiting up to 10 s for 1 upload\n") {
			t.Errorf("exit %d: %s", code, &stderr)
		}
	})
}

// TestInterruptTooLate for anybody: everybody has an outcome, and the run ended well.
func TestInterruptTooLate(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for outcome, well := range map[report.Outcome]bool{report.Uploaded: true, report.Pending: false} {
		r := &syncRun{source: &source.Source{}, stopCause: errInterrupted, items: []*item{{outcome: outcome}}}
		if end := r.ending(ctx); well != (end == nil) {
			t.Errorf("%s: %+v", outcome, end)
		}
	}
}
