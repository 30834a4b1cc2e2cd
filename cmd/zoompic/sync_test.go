package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zoompic/zoompic/internal/state"
	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/zoomtest"
)

// face is a picture that differs from those of other numbers.
func face(n int) []byte {
	img := image.NewRGBA(image.Rect(0, 0, 4, 4))
	img.Set(0, 0, color.RGBA{uint8(n), uint8(n >> 8), uint8(n >> 16), 255})
	var b bytes.Buffer
	png.Encode(&b, img)
	return b.Bytes()
}

// team is a folder of pictures, one for each user, all last changed an hour ago.
func team(t testing.TB, faces map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	for user, data := range faces {
		putFace(t, dir, user, data, time.Now().Add(-time.Hour))
	}
	return dir
}

func putFace(t testing.TB, dir, user string, data []byte, changed time.Time) {
	t.Helper()
	putFile(t, dir, user+".png", data, changed)
}

func putFile(t testing.TB, dir, name string, data []byte, changed time.Time) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Chtimes(path, time.Time{}, changed); err != nil {
		t.Fatal(err)
	}
}

// A testZoom is a fake with the environment of its account.
type testZoom struct {
	*zoomtest.Handler
	env     map[string]string
	fitFunc fitFunc // nil is portrait's

	mu     sync.Mutex
	answer func(w http.ResponseWriter, r *http.Request, user string) bool
}

// answers lets answer speak instead of the fake where it returns true; nil is the fake alone again.
func (z *testZoom) answers(answer func(w http.ResponseWriter, r *http.Request, user string) bool) {
	z.mu.Lock()
	defer z.mu.Unlock()
	z.answer = answer
}

func newTestZoom(t testing.TB, users ...string) *testZoom {
	t.Helper()
	z := &testZoom{Handler: zoomtest.New(users...)}
	server := httptest.NewServer(z)
	t.Cleanup(server.Close)
	z.env = map[string]string{
		"ZOOM_ACCOUNT_ID": zoomtest.AccountID, "ZOOM_CLIENT_ID": zoomtest.ClientID, "ZOOM_CLIENT_SECRET": zoomtest.ClientSecret,
		"ZOOM_BASE_URL": server.URL + "/v2", "ZOOM_TOKEN_URL": server.URL + "/oauth/token",
	}
	return z
}

func (z *testZoom) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	z.mu.Lock()
	answer := z.answer
	z.mu.Unlock()
	if segments := strings.Split(r.URL.Path, "/"); answer != nil && len(segments) == 5 && answer(w, r, segments[3]) {
		return
	}
	z.Handler.ServeHTTP(w, r)
}

// refuses answers as Zoom does.
func refuses(w http.ResponseWriter, r *http.Request, status, code int, message string) bool {
	io.Copy(io.Discard, r.Body)
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"code":%d,"message":%q}`, code, message)
	return true
}

// quickly shortens the delays between attempts.
func quickly(c *command) {
	c.options = []zoomclient.Option{zoomclient.WithRetry(zoomclient.Retry{MinDelay: time.Millisecond, MaxDelay: 4 * time.Millisecond})}
}

// sync runs the command at a high rate and returns what it says.
func (z *testZoom) sync(t testing.TB, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	c := &command{getenv: func(name string) string { return z.env[name] }, stdin: strings.NewReader(""), stdout: &out, stderr: &errs}
	quickly(c)
	c.fitFunc = z.fitFunc
	code = c.run(t.Context(), append([]string{"zoompic", "sync", "--rate", "5000"}, args...))
	return code, out.String(), errs.String()
}

// expect runs sync and holds its exit code and first line.
func (z *testZoom) expect(t *testing.T, exit int, counts string, args ...string) (stdout, stderr string) {
	t.Helper()
	code, stdout, stderr := z.sync(t, args...)
	first, _, _ := strings.Cut(stdout, "\n")
	if code != exit || !strings.HasSuffix(first, counts) {
		t.Fatalf("exit %d, want %d; want %q\n%s%s", code, exit, counts, stdout, stderr)
	}
	return stdout, stderr
}

// sent returns who was sent what since the last call, as the fake's ledger has it.
func (z *testZoom) sent() func() map[string][32]byte {
	n := len(z.Uploads())
	return func() map[string][32]byte {
		sent := map[string][32]byte{}
		for _, u := range z.Uploads()[n:] {
			sent[u.User] = u.SHA256
		}
		n = len(z.Uploads())
		return sent
	}
}

func TestSyncSendsWhatChanged(t *testing.T) {
	zoom := newTestZoom(t)
	dir := team(t, map[string][]byte{"ada@example.com": face(1), "bob@example.com": face(2), "eve@example.com": face(3)})
	sent := zoom.sent()
	zoom.expect(t, exitDone, "3 people: 3 uploaded, 0 unchanged, 0 failed, 0 pending", dir)
	if got := sent(); len(got) != 3 || got["eve@example.com"] != sha256.Sum256(face(3)) {
		t.Errorf("sent %v", got)
	}
	requests := zoom.Requests()
	zoom.expect(t, exitDone, "3 people: 0 uploaded, 3 unchanged, 0 failed, 0 pending", dir)
	if zoom.Requests() != requests {
		t.Error("the second run sent something")
	}

	putFace(t, dir, "bob@example.com", face(4), time.Now())                     // another picture
	putFace(t, dir, "eve@example.com", face(3), time.Now())                     // the same, written again
	putFace(t, dir, "fay@example.com", face(5), time.Now().Add(-2*time.Minute)) // a new person
	zoom.expect(t, exitDone, "4 people: 2 uploaded, 2 unchanged, 0 failed, 0 pending", dir)
	want := map[string][32]byte{"bob@example.com": sha256.Sum256(face(4)), "fay@example.com": sha256.Sum256(face(5))}
	if got := sent(); !maps.Equal(got, want) {
		t.Errorf("sent %v", got)
	}
	zoom.expect(t, exitDone, "4 people: 4 uploaded, 0 unchanged, 0 failed, 0 pending", "--force", dir)
	zoom.expect(t, exitDone, "4 people: 0 uploaded, 4 unchanged, 0 failed, 0 pending", "--quiet", dir)
}

// TestUnchangedFilesAreNotRead: the stamp is believed if it is older than the look, and only then.
func TestUnchangedFilesAreNotRead(t *testing.T) {
	zoom := newTestZoom(t)
	hourAgo := time.Now().Add(-time.Hour)
	dir := t.TempDir()
	putFace(t, dir, "old@example.com", face(1), hourAgo)
	putFace(t, dir, "fresh@example.com", face(1), time.Now())
	zoom.expect(t, exitDone, "2 uploaded, 0 unchanged, 0 failed, 0 pending", dir)

	// The same size and stamp, other bytes.
	putFace(t, dir, "old@example.com", face(2), hourAgo)
	info, err := os.Stat(filepath.Join(dir, "fresh@example.com.png"))
	if err != nil || len(face(1)) != len(face(2)) {
		t.Fatal(err, len(face(1)), len(face(2)))
	}
	putFace(t, dir, "fresh@example.com", face(2), info.ModTime())
	sent := zoom.sent()
	zoom.expect(t, exitDone, "1 uploaded, 1 unchanged, 0 failed, 0 pending", dir)
	if got := sent(); len(got) != 1 || got["fresh@example.com"] != sha256.Sum256(face(2)) {
		t.Errorf("sent %v: old@example.com was read, or fresh@example.com was not", got)
	}
}

// TestSyncFailures: who failed is named by cause with what to do; only what may work is tried again.
func TestSyncFailures(t *testing.T) {
	zoom := newTestZoom(t, "ada@example.com", "rude@example.com", "small@example.com", "flaky@example.com")
	var mu sync.Mutex
	counts, down := map[string]int{}, true
	requests := func() map[string]int {
		mu.Lock()
		defer mu.Unlock()
		return maps.Clone(counts)
	}
	zoom.answers(func(w http.ResponseWriter, r *http.Request, user string) bool {
		mu.Lock()
		defer mu.Unlock()
		counts[user]++
		switch {
		case user == "rude@example.com":
			return refuses(w, r, 400, 300, "Your request was not accepted because the profile picture contains invalid or explicit content.")
		case user == "flaky@example.com" && down:
			return refuses(w, r, 503, 0, "")
		}
		return false
	})
	dir := team(t, map[string][]byte{
		"ada@example.com": face(1), "new@example.com": face(2), "new2@example.com": face(3), "rude@example.com": face(4), "flaky@example.com": face(5),
		"cut@example.com": face(6)[:40], "gif@example.com": []byte("GIF89a......"), "me": face(7), "a b": face(8),
	})
	stdout, _ := zoom.expect(t, exitFailed, "9 people: 1 uploaded, 0 unchanged, 8 failed, 0 pending", dir)
	for _, want := range []string{
		"failed: 2 × code 1001: the user does not exist\n  what to do: check the user ID or email address\n  new2@example.com  new2@example.com.png",
		"failed: 1 × code 300: Zoom refuses this picture's content\n  what to do: choose another picture\n  rude@example.com",
		"failed: 1 × 503 Service Unavailable\n  what to do: try again later\n  flaky@example.com",
		"failed: 1 × the picture is damaged\n  cut@example.com  cut@example.com.png  (",
		"failed: 1 × not a format that Zoom takes\n  gif@example.com  gif@example.com.png  (this is a GIF",
		"failed: 2 × invalid user ID\n",
	} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in\n%s", want, stdout)
		}
	}
	if got := requests(); got["flaky@example.com"] != 5 || got["me"] != 0 || got["cut@example.com"] != 0 {
		t.Errorf("requests: %v", got)
	}

	// Only the refused picture is not sent again.
	mu.Lock()
	down = false
	mu.Unlock()
	before := requests()
	stdout, _ = zoom.expect(t, exitFailed, "9 people: 1 uploaded, 1 unchanged, 7 failed, 0 pending", dir)
	if got := requests(); got["rude@example.com"] != before["rude@example.com"] || got["new@example.com"] != before["new@example.com"]+1 {
		t.Errorf("requests: %v, before %v", got, before)
	}
	if !strings.Contains(stdout, "not sent again: 1 picture that Zoom refused in an earlier run") || !strings.Contains(stdout, "rude@example.com") {
		t.Error(stdout)
	}
	// Until it changes, or by force.
	zoom.expect(t, exitFailed, "9 people: 2 uploaded, 0 unchanged, 7 failed, 0 pending", "--force", dir)
	if got := requests(); got["rude@example.com"] != before["rude@example.com"]+1 {
		t.Errorf("requests: %v, before %v", got, before)
	}
	putFace(t, dir, "rude@example.com", face(9), time.Now())
	zoom.expect(t, exitFailed, "9 people: 0 uploaded, 2 unchanged, 7 failed, 0 pending", dir)
	if got := requests(); got["rude@example.com"] != before["rude@example.com"]+2 {
		t.Errorf("requests: %v, before %v", got, before)
	}
}

// TestOldPictureIsNotBelieved after the sending of a new one broke off: Zoom may have either.
func TestOldPictureIsNotBelieved(t *testing.T) {
	zoom := newTestZoom(t)
	dir := team(t, map[string][]byte{"ada@example.com": face(1)})
	zoom.expect(t, exitDone, "1 uploaded, 0 unchanged, 0 failed, 0 pending", dir)
	var lost atomic.Int32
	zoom.answers(func(w http.ResponseWriter, r *http.Request, _ string) bool { // Zoom takes it, and its answer is lost
		lost.Add(1)
		zoom.Handler.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	})
	putFace(t, dir, "ada@example.com", face(2), time.Now())
	stdout, _ := zoom.expect(t, exitFailed, "0 uploaded, 0 unchanged, 1 failed, 0 pending", dir)
	if !strings.Contains(stdout, "the picture may have been set") || lost.Load() == 0 {
		t.Errorf("%d answers were lost\n%s", lost.Load(), stdout)
	}
	zoom.answers(nil)
	putFace(t, dir, "ada@example.com", face(1), time.Now().Add(-time.Hour))
	zoom.expect(t, exitDone, "1 uploaded, 0 unchanged, 0 failed, 0 pending", dir)
	if held, _ := zoom.Picture("ada@example.com"); !bytes.Equal(held, face(1)) {
		t.Error("Zoom holds another picture than the folder")
	}
}

func TestDryRun(t *testing.T) {
	zoom := newTestZoom(t)
	dir := team(t, map[string][]byte{"ada@example.com": face(1), "bob@example.com": face(2), "gif@example.com": []byte("GIF89a......")})
	zoom.expect(t, exitFailed, "2 uploaded, 0 unchanged, 1 failed, 0 pending", dir)
	putFace(t, dir, "bob@example.com", face(3), time.Now())
	requests := zoom.Requests()
	before, err := os.ReadFile(filepath.Join(dir, stateName))
	if err != nil {
		t.Fatal(err)
	}
	stdout, _ := zoom.expect(t, exitFailed, "3 people: 1 to upload, 1 unchanged, 1 refused", "--dry-run", dir)
	if !strings.Contains(stdout, "upload  bob@example.com  bob@example.com.png (image/png, 4 × 4 pixels, ") || !strings.Contains(stdout, "refused: 1 × not a format that Zoom takes") {
		t.Error(stdout)
	}
	zoom.env = nil // no credentials are needed to look
	zoom.expect(t, exitFailed, "3 people: 1 to upload, 1 unchanged, 1 refused", "--dry-run", dir)
	after, _ := os.ReadFile(filepath.Join(dir, stateName))
	if zoom.Requests() != requests || !bytes.Equal(before, after) {
		t.Error("a dry run sent or remembered something")
	}
	if _, err := os.Stat(filepath.Join(dir, fakeStateName)); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
}

func TestSyncUsage(t *testing.T) {
	zoom := newTestZoom(t)
	good := team(t, map[string][]byte{"ada@example.com": face(1)})
	unclear := team(t, map[string][]byte{"ada@example.com": face(1), "bob@example.com": face(2)})
	if err := os.Rename(filepath.Join(unclear, "bob@example.com.png"), filepath.Join(unclear, "Ada@example.com.jpg")); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args    []string
		message string
	}{
		{[]string{unclear}, "more than one picture for ada@example.com (Ada@example.com.jpg and ada@example.com.png)"},
		{[]string{"nowhere"}, "nowhere: no such file"},
		{[]string{"\x1b[2J"}, `"\x1b[2J": no such file`},
		{[]string{t.TempDir()}, "nobody is in it"},
		{[]string{"-"}, "it is empty"},
		{[]string{"--workers", "0", good}, "--workers must be 1 or more"},
		{[]string{"--timeout", "-1s", good}, "--timeout must not be negative"},
		{[]string{"--rate", "0", good}, "--rate must be more than 0"},
		{[]string{"--rate", "NaN", good}, "--rate must be more than 0"},
		{[]string{"--plan", "pro", good}, "give --plan or --rate, not both"},
		{[]string{good, good}, "accepts 1 arg(s)"},
	} {
		if code, stdout, stderr := zoom.sync(t, test.args...); code != exitUsage || stdout != "" || !strings.Contains(stderr, test.message) {
			t.Errorf("%q: exit %d\n%s%s", test.args, code, stdout, stderr)
		}
	}
	if code, _, stderr := zoompic(t, zoom.env, nil, "sync", "--plan", "gold", good); code != exitUsage || !strings.Contains(stderr, `not "gold"`) {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if code, _, stderr := zoompic(t, nil, nil, "sync", good); code != exitCredentials || !strings.Contains(stderr, "ZOOM_ACCOUNT_ID") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	half := map[string]string{"ZOOM_ACCOUNT_ID": "A"}
	if code, _, stderr := zoompic(t, half, nil, "sync", good); code != exitCredentials || !strings.Contains(stderr, "ZOOM_CLIENT_ID") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if zoom.Requests() != 0 {
		t.Errorf("%d requests", zoom.Requests())
	}
	if _, err := os.Stat(filepath.Join(good, stateName)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a state file was made: %v", err)
	}
	zoom.expect(t, exitDone, "1 uploaded, 0 unchanged, 0 failed, 0 pending", good)
}

// TestStateOfOthers is refused and left alone.
func TestStateOfOthers(t *testing.T) {
	zoom, other := newTestZoom(t), newTestZoom(t)
	dir := team(t, map[string][]byte{"ada@example.com": face(1)})
	zoom.expect(t, exitDone, "1 uploaded, 0 unchanged, 0 failed, 0 pending", dir)
	if code, _, stderr := other.sync(t, dir); code != exitState || !strings.Contains(stderr, "it belongs to account "+zoomtest.AccountID) || !strings.Contains(stderr, "--state") || other.Requests() != 0 {
		t.Errorf("exit %d, %d requests: %s", code, other.Requests(), stderr)
	}
	other.expect(t, exitDone, "1 uploaded, 0 unchanged, 0 failed, 0 pending", "--state", filepath.Join(t.TempDir(), "s"), dir)
	if code, stdout, stderr := other.sync(t, "--fake", dir); code != exitDone || !strings.Contains(stdout, "1 uploaded") {
		t.Errorf("the fake shares the state: exit %d: %s%s", code, stdout, stderr)
	}
	content, err := os.ReadFile(filepath.Join(dir, stateName))
	if err != nil || bytes.Contains(content, []byte(zoomtest.ClientSecret)) || bytes.Contains(content, []byte("fake-token")) || !bytes.Contains(content, []byte("ada@example.com")) {
		t.Errorf("the state holds a secret, or not its person: %v", err)
	}
}

func TestTwoRunsAtOnce(t *testing.T) {
	zoom := newTestZoom(t)
	dir := team(t, map[string][]byte{"ada@example.com": face(1)})
	held, err := state.Open(filepath.Join(dir, stateName), "account "+zoomtest.AccountID+" at "+zoom.env["ZOOM_BASE_URL"])
	if err != nil {
		t.Fatal(err)
	}
	code, _, stderr := zoom.sync(t, dir)
	if code != exitLocked || !strings.Contains(stderr, fmt.Sprintf("process %d on ", os.Getpid())) || zoom.Requests() != 0 {
		t.Errorf("exit %d, %d requests: %s", code, zoom.Requests(), stderr)
	}
	held.Close()
	zoom.expect(t, exitDone, "1 uploaded, 0 unchanged, 0 failed, 0 pending", dir)
}

// TestSyncJSON: every row is there exactly once, and the sums agree.
func TestSyncJSON(t *testing.T) {
	zoom := newTestZoom(t, "ada@example.com", "bob@example.com")
	dir := team(t, map[string][]byte{"ada@example.com": face(1)})
	zoom.expect(t, exitDone, "1 uploaded, 0 unchanged, 0 failed, 0 pending", dir)
	putFace(t, dir, "bob@example.com", face(2), time.Now())
	putFace(t, dir, "new@example.com", face(3), time.Now())
	putFace(t, dir, "gif@example.com", []byte("GIF89a......"), time.Now())
	code, stdout, _ := zoom.sync(t, "--json", dir)
	lines := strings.Split(strings.TrimSpace(stdout), "\n")
	if code != exitFailed || len(lines) != 5 {
		t.Fatalf("exit %d\n%s", code, stdout)
	}
	outcomes := map[string]rowResult{}
	for _, line := range lines[:4] {
		var row rowResult
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatal(err)
		}
		outcomes[row.User] = row
	}
	for user, want := range map[string]string{"ada@example.com": "unchanged", "bob@example.com": "uploaded", "new@example.com": "failed", "gif@example.com": "failed"} {
		row := outcomes[user]
		if string(row.Outcome) != want || (row.Reason == "") != (want != "failed") || user != "gif@example.com" && len(row.SHA256) != 64 {
			t.Errorf("%+v, want %s", row, want)
		}
	}
	if row := outcomes["new@example.com"]; row.Code != 1001 || row.Status != 404 || row.TrackingID == "" || row.Attempts != 1 {
		t.Errorf("%+v", row)
	}
	var s summary
	if err := json.Unmarshal([]byte(lines[4]), &s); err != nil || s != (summary{People: 4, Uploaded: 1, Unchanged: 1, Failed: 2, Requests: 2, Exit: exitFailed}) {
		t.Errorf("%+v, %v", s, err)
	}
}

// TestAppFailures end the run with everything else pending, and the next one goes on.
func TestAppFailures(t *testing.T) {
	faces := map[string][]byte{}
	for i := range 300 {
		faces[fmt.Sprintf("user%d@example.com", i)] = face(i)
	}
	for _, test := range []struct {
		name      string
		status    int
		code      int
		exit      int
		most      int32
		onStderr  string
		inSummary string
	}{
		{"missing scope", 400, 4711, exitCredentials, 1, "user:write:profile_picture:admin", "pending: 300 × not sent: code 4711"},
		{"refused token", 401, 124, exitCredentials, 4, "check the app's credentials", "pending: 300 × not sent: "},
		{"not permitted", 400, 200, exitFailed, 12, "User:Edit", "× not sent: code 200: only an account administrator"},
		{"outage", 503, 0, exitFailed, 100, "no useful answer to 20 uploads in a row", "pending: 280 × not sent: "},
		{"daily limit", 429, 429, exitLimited, 1, "go on after 20", "pending: 300 × not sent: code 429"},
	} {
		t.Run(test.name, func(t *testing.T) {
			zoom := newTestZoom(t)
			dir := team(t, faces)
			var requests atomic.Int32
			zoom.answers(func(w http.ResponseWriter, r *http.Request, _ string) bool {
				requests.Add(1)
				if test.status == 429 {
					w.Header().Set("X-RateLimit-Type", "Daily-limit")
					w.Header().Set("Retry-After", time.Now().Add(3*time.Hour).UTC().Format(time.RFC3339))
				}
				return refuses(w, r, test.status, test.code, "")
			})
			code, stdout, stderr := zoom.sync(t, dir)
			if code != test.exit || requests.Load() > test.most || requests.Load() == 0 || !strings.Contains(stderr, test.onStderr) || !strings.Contains(stdout, test.inSummary) {
				t.Errorf("exit %d after %d requests, want %d after %d, %q and %q\n%s\n%s", code, requests.Load(), test.exit, test.most, test.onStderr, test.inSummary, stderr, stdout)
			}
			zoom.answers(nil)
			zoom.expect(t, exitDone, "300 people: 300 uploaded, 0 unchanged, 0 failed, 0 pending", dir)
		})
	}
}

// inProcess reaches a handler without a network, so that time can be virtual.
type inProcess struct{ http.Handler }

func (p inProcess) RoundTrip(req *http.Request) (resp *http.Response, err error) {
	recorder := httptest.NewRecorder()
	defer req.Body.Close()
	defer func() {
		switch value := recover(); value {
		case nil:
		case http.ErrAbortHandler: // as for a server
			err = io.ErrUnexpectedEOF
		default:
			panic(value)
		}
	}()
	server := req.Clone(req.Context())
	server.RequestURI = req.URL.RequestURI()
	p.ServeHTTP(recorder, server)
	if req.Context().Err() != nil {
		return nil, req.Context().Err()
	}
	return recorder.Result(), nil
}

// virtually runs sync against a fake in virtual time; the account's token is T.
func (z *testZoom) virtually(ctx context.Context, stderr io.Writer, args ...string) (code int, stdout string) {
	z.AcceptToken("T")
	var out bytes.Buffer
	env := map[string]string{"ZOOM_ACCESS_TOKEN": "T", "ZOOM_BASE_URL": "http://127.0.0.1:1/v2"}
	c := &command{getenv: func(name string) string { return env[name] }, stdout: &out, stderr: stderr}
	c.options = []zoomclient.Option{zoomclient.WithHTTPClient(&http.Client{Transport: inProcess{z}})}
	c.fitFunc = z.fitFunc
	code = c.run(ctx, append([]string{"zoompic", "sync"}, args...))
	return code, out.String()
}

// TestDailyLimit in virtual time: the run ends and says when to go on, or waits until then.
func TestDailyLimit(t *testing.T) {
	faces := map[string][]byte{}
	for i := range 50 {
		faces[fmt.Sprintf("user%02d@example.com", i)] = face(i)
	}
	for _, wait := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			z := &testZoom{Handler: zoomtest.New()}
			dir := team(t, faces)
			midnight := time.Now().UTC().Truncate(24 * time.Hour).Add(24 * time.Hour)
			var mu sync.Mutex
			requests, early := 0, 0
			z.answers(func(w http.ResponseWriter, r *http.Request, _ string) bool {
				mu.Lock()
				defer mu.Unlock()
				if requests++; requests <= 20 || !time.Now().Before(midnight) {
					return false
				}
				early++
				w.Header().Set("X-RateLimit-Type", "Daily-limit")
				w.Header().Set("Retry-After", midnight.Format(time.RFC3339))
				return refuses(w, r, 429, 429, "You have reached the maximum daily rate limit for this API.")
			})
			args := []string{dir}
			if wait {
				args = []string{"--wait", dir}
			}
			var stderr bytes.Buffer
			code, stdout := z.virtually(t.Context(), &stderr, args...)
			if early == 0 || early > 8 {
				t.Errorf("%d requests met the limit", early)
			}
			if wait {
				if code != exitDone || !strings.HasPrefix(stdout, "50 people: 50 uploaded, 0 unchanged, 0 failed, 0 pending") || time.Now().Before(midnight) || time.Now().After(midnight.Add(time.Minute)) {
					t.Errorf("exit %d at %v\n%s%s", code, time.Now(), stdout, &stderr)
				}
				if !strings.Contains(stderr.String(), "rate limited, going on in 2") {
					t.Errorf("stderr %s", &stderr)
				}
				return
			}
			if code != exitLimited || !strings.HasPrefix(stdout, "50 people: 20 uploaded, 0 unchanged, 0 failed, 30 pending") || !strings.Contains(stderr.String(), "go on after "+midnight.Format("2006-01-02 15:04:05 MST")) {
				t.Errorf("exit %d\n%s%s", code, stdout, &stderr)
			}
			time.Sleep(time.Until(midnight))
			if code, stdout := z.virtually(t.Context(), io.Discard, dir); code != exitDone || !strings.HasPrefix(stdout, "50 people: 30 uploaded, 20 unchanged, 0 failed, 0 pending") {
				t.Errorf("exit %d\n%s", code, stdout)
			}
			if len(z.Uploads()) != 50 {
				t.Errorf("%d uploads of 50 people", len(z.Uploads()))
			}
		})
	}
}

// TestPace in virtual time: the plan's rate is kept, and progress is told in lines.
func TestPace(t *testing.T) {
	faces := map[string][]byte{}
	for i := range 200 {
		faces[fmt.Sprintf("user%03d@example.com", i)] = face(i)
	}
	for args, perSecond := range map[string]float64{"--plan=free": 2, "--plan=pro": 20, "--plan=business": 60, "--rate=5": 5} {
		synctest.Test(t, func(t *testing.T) {
			z := &testZoom{Handler: zoomtest.New()}
			var stderr bytes.Buffer
			code, stdout := z.virtually(t.Context(), &stderr, args, team(t, faces))
			uploads := z.Uploads()
			if code != exitDone || len(uploads) != 200 {
				t.Fatalf("%s: exit %d\n%s", args, code, stdout)
			}
			spent := uploads[199].Time.Sub(uploads[0].Time).Seconds()
			if want := 199 / perSecond; spent < want || spent > want*1.01 {
				t.Errorf("%s: took %.2f s, want %.2f", args, spent, want)
			}
			if lines := strings.Count(stderr.String(), " left"); lines != int(spent/10) {
				t.Errorf("%s: %d lines of progress in %.0f s:\n%s", args, lines, spent, &stderr)
			}
		})
	}
}

// TestPausesAreTold once, though every upload waits; retries and failures are counted beside. Nothing of it with --quiet.
func TestPausesAreTold(t *testing.T) {
	faces := map[string][]byte{}
	for i := range 300 {
		faces[fmt.Sprintf("user%03d@example.com", i)] = face(i)
	}
	for _, quiet := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			z := &testZoom{Handler: zoomtest.New()}
			var mu sync.Mutex
			requests := 0
			z.answers(func(w http.ResponseWriter, r *http.Request, user string) bool {
				mu.Lock()
				defer mu.Unlock()
				requests++
				if requests == 50 {
					w.Header().Set("Retry-After", "30")
					return refuses(w, r, 429, 429, "")
				}
				return user == "user000@example.com" && refuses(w, r, 404, 1001, "")
			})
			args := []string{"--workers=8", team(t, faces)}
			if quiet {
				args = append(args, "--quiet")
			}
			var stderr bytes.Buffer
			if code, stdout := z.virtually(t.Context(), &stderr, args...); code != exitFailed || !strings.HasPrefix(stdout, "300 people: 299 uploaded") {
				t.Errorf("exit %d\n%s", code, stdout)
			}
			text := stderr.String()
			told := strings.Count(text, "rate limited, going on in 30s\n") == 1 && strings.Contains(text, ", 1 failed, 1 tried again, rate limited, 2") && strings.Contains(text, " of 300, ")
			if quiet && text != "" || !quiet && !told {
				t.Errorf("quiet: %v\n%s", quiet, text)
			}
		})
	}
}

// TestInterrupt in virtual time: no new rows, those in flight get ten seconds, and nothing is lost.
func TestInterrupt(t *testing.T) {
	faces := map[string][]byte{}
	for i := range 100 {
		faces[fmt.Sprintf("user%02d@example.com", i)] = face(i)
	}
	for name, test := range map[string]struct {
		slow     time.Duration // of every answer
		uploaded string
		spent    time.Duration
	}{
		"answers come":      {3 * time.Second, "100 people: 9 uploaded, 0 unchanged, 0 failed, 91 pending", 7 * time.Second},
		"no answer comes":   {time.Hour, "100 people: 0 uploaded, 0 unchanged, 0 failed, 100 pending", 15 * time.Second},
		"answers come late": {14 * time.Second, "100 people: 1 uploaded, 0 unchanged, 0 failed, 99 pending", 14 * time.Second},
	} {
		synctest.Test(t, func(t *testing.T) {
			z := &testZoom{Handler: zoomtest.New()}
			z.answers(func(_ http.ResponseWriter, r *http.Request, _ string) bool {
				wait(r.Context(), test.slow)
				return false
			})
			dir := team(t, faces)
			ctx, interrupt := context.WithCancel(t.Context())
			time.AfterFunc(5*time.Second, interrupt)
			start := time.Now()
			var stderr bytes.Buffer
			code, stdout := z.virtually(ctx, &stderr, dir)
			if spent := time.Since(start); code != exitInterrupted || !strings.HasPrefix(stdout, test.uploaded) || spent < test.spent-time.Second || spent > test.spent+time.Second {
				t.Errorf("%s: exit %d after %v\n%s%s", name, code, spent, stdout, &stderr)
			}
			synctest.Wait()
			z.answers(nil)
			if code, stdout := z.virtually(t.Context(), io.Discard, dir); code != exitDone || !strings.Contains(stdout, " 0 failed, 0 pending") {
				t.Errorf("%s: exit %d\n%s", name, code, stdout)
			}
		})
	}
}

// TestNamesCannotRewriteATerminal, nor break the lines of the summary.
func TestNamesCannotRewriteATerminal(t *testing.T) {
	zoom := newTestZoom(t)
	list := write(t, "list.csv", []byte("user,file\n\"\x1b]0;x\x07@example.com\",a.png\nada@example.com,\"\x1b[2J.png\"\n\"=cmd|'/c calc'!A1\",b.png\nbob\u202e\u009b2J@example.com,c.png\n"))
	for _, args := range [][]string{{list}, {"--dry-run", list}, {"--json", list}} {
		code, stdout, stderr := zoom.sync(t, args...)
		if code != exitFailed || strings.ContainsAny(stdout+stderr, "\x1b\x07\u202e\u009b") || !strings.Contains(stdout, "=cmd") {
			t.Errorf("exit %d: %q %q", code, stdout, stderr)
		}
	}
}

func TestSyncExamples(t *testing.T) {
	dir := t.TempDir()
	if err := os.CopyFS(dir, os.DirFS("../../examples/team")); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"6 people: 6 uploaded, 0 unchanged, 0 failed, 0 pending\nverified: the fake Zoom holds the same 6 pictures that were sent\n", "6 people: 0 uploaded, 6 unchanged, 0 failed, 0 pending\n"} {
		if code, stdout, stderr := zoompic(t, nil, nil, "sync", "--fake", dir); code != exitDone || stdout != want || stderr != "" {
			t.Errorf("exit %d\n%s%s", code, stdout, stderr)
		}
	}
	putFace(t, dir, unknownToFake, face(1), time.Now())
	code, stdout, _ := zoompic(t, nil, nil, "sync", "--fake", dir)
	if code != exitFailed || !strings.HasPrefix(stdout, "7 people: 0 uploaded, 6 unchanged, 1 failed") || !strings.Contains(stdout, "code 1001") {
		t.Errorf("exit %d\n%s", code, stdout)
	}
}

// TestCSVFromStdin takes files from the working folder and keeps its state there.
func TestCSVFromStdin(t *testing.T) {
	dir := team(t, map[string][]byte{"one": face(1), "two": face(2)})
	t.Chdir(dir)
	list := "user,file,team\nada@example.com,one.png,x\nbob@example.com,two.png,y\nADA@example.com,one.png,z\n"
	for _, want := range []string{"2 people: 2 uploaded, 0 unchanged", "2 people: 0 uploaded, 2 unchanged"} {
		code, stdout, stderr := zoompic(t, nil, strings.NewReader(list), "sync", "--fake", "-")
		if code != exitDone || !strings.HasPrefix(stdout, want) || !strings.Contains(stdout, "left out: 1 row") {
			t.Errorf("exit %d\n%s%s", code, stdout, stderr)
		}
	}
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if err != nil || !slices.Equal(names, []string{fakeStateName, "one.png", "two.png"}) {
		t.Errorf("%q, %v", names, err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if code := run(ctx, []string{"zoompic", "sync", "--fake", "-"}, func(string) string { return "" }, hangingReader{t.Context()}, io.Discard, io.Discard); code != exitInterrupted {
		t.Errorf("exit %d", code)
	}
}
