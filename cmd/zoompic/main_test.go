package main

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/zoomtest"
)

const ada = "../../examples/ada.jpg"

// zoompic runs the command with an environment of its own.
func zoompic(t *testing.T, env map[string]string, stdin io.Reader, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errs bytes.Buffer
	code = run(t.Context(), append([]string{"zoompic"}, args...), func(name string) string { return env[name] }, stdin, &out, &errs)
	return code, out.String(), errs.String()
}

func write(t *testing.T, name string, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func readAda(t *testing.T) []byte {
	t.Helper()
	data, err := os.ReadFile(ada)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestBadInput: each gets its own message and exit code, and nothing is sent.
func TestBadInput(t *testing.T) {
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	env := map[string]string{"ZOOM_ACCESS_TOKEN": "T", "ZOOM_BASE_URL": server.URL}
	picture := readAda(t)

	for _, test := range []struct {
		name    string
		args    []string
		env     map[string]string
		exit    int
		message string
	}{
		{"no arguments", []string{"upload"}, env, exitUsage, "accepts 2 arg(s)"},
		{"unknown command", []string{"uplaod"}, env, exitUsage, `unknown command "uplaod"`},
		{"unknown flag", []string{"upload", "--secret", "x", "a", "b"}, env, exitUsage, "unknown flag: --secret\nRun 'zoompic upload --help'"},
		{"empty user", []string{"upload", "", ada}, env, exitUsage, "invalid user ID: it is empty"},
		{"dotted user", []string{"upload", "..", ada}, env, exitUsage, "invalid user ID"},
		{"user with a path", []string{"upload", "a/../../b?x=1#f", ada}, env, exitUsage, "may not stand in it"},
		{"missing file", []string{"upload", "ada", "nowhere.jpg"}, env, exitUsage, "nowhere.jpg: no such file"},
		{"folder", []string{"upload", "ada", t.TempDir()}, env, exitUsage, "this is a folder"},
		{"empty file", []string{"upload", "ada", write(t, "a.jpg", nil)}, env, exitUsage, "the picture is empty"},
		{"cut off", []string{"upload", "ada", write(t, "a.jpg", picture[:len(picture)/2])}, env, exitUsage, "the JPEG was cut off"},
		{"too large", []string{"upload", "ada", write(t, "a.jpg", make([]byte, zoomclient.MaxPictureSize+1))}, env, exitUsage, "2 MB at most"},
		{"mislabelled", []string{"upload", "ada", write(t, "a.jpg", []byte("GIF89a......"))}, env, exitUsage, "this is a GIF"},
		{"no image", []string{"upload", "ada", write(t, "a.png", []byte("hello"))}, env, exitUsage, "this is text"},
		{"empty standard input", []string{"upload", "ada", "-"}, env, exitUsage, "the picture is empty"},
		{"plain http", []string{"upload", "--base-url", "http://api.zoom.us/v2", "ada", ada}, env, exitUsage, "must begin with https://"},
		{"token with a line break", []string{"upload", "ada", ada}, map[string]string{"ZOOM_ACCESS_TOKEN": "CANARY\n"}, exitCredentials, "line break"},
		{"no credentials", []string{"upload", "ada", ada}, nil, exitCredentials, "ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID, ZOOM_CLIENT_SECRET not set"},
		{"half the credentials", []string{"upload", "ada", ada}, map[string]string{"ZOOM_ACCOUNT_ID": "a", "ZOOM_CLIENT_ID": "c"}, exitCredentials, "no credentials: ZOOM_CLIENT_SECRET not set"},
		{"plain http token URL", []string{"upload", "--token-url", "http://zoom.us", "ada", ada}, map[string]string{"ZOOM_ACCOUNT_ID": "a", "ZOOM_CLIENT_ID": "c", "ZOOM_CLIENT_SECRET": "CANARY"}, exitUsage, "must begin with https://"},
		{"file name that rewrites a terminal", []string{"upload", "ada", "\x1b[2J.jpg"}, env, exitUsage, `"\x1b[2J.jpg": no such file`},
		{"negative timeout", []string{"upload", "--timeout", "-1s", "ada", ada}, env, exitUsage, "--timeout must not be negative"},
		{"negative rate", []string{"fake", "--rate", "-1"}, env, exitUsage, "--rate must not be negative"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := zoompic(t, test.env, strings.NewReader(""), test.args...)
			if code != test.exit || stdout != "" || !strings.HasPrefix(stderr, "zoompic: ") || !strings.Contains(stderr, test.message) {
				t.Errorf("exit %d, stdout %q, stderr %q; want %d and %q", code, stdout, stderr, test.exit, test.message)
			}
			if strings.Contains(stderr, "CANARY") || strings.Count(stderr, "\n") > 2 {
				t.Errorf("stderr %q", stderr)
			}
		})
	}
	if requests.Load() != 0 {
		t.Errorf("%d requests were sent", requests.Load())
	}
	if code, _, _ := zoompic(t, env, nil, "upload", "ada", ada); code == exitUsage || requests.Load() == 0 {
		t.Error("the control: a good picture is not sent")
	}
}

func TestUploadToFake(t *testing.T) {
	for _, args := range [][]string{{"upload", "--fake", "ada@example.com", ada}, {"upload", "--fake", "ada@example.com", "-"}} {
		code, stdout, stderr := zoompic(t, nil, bytes.NewReader(readAda(t)), args...)
		if code != exitDone || stderr != "" {
			t.Fatalf("exit %d: %s", code, stderr)
		}
		for _, want := range []string{"image/jpeg, 512 × 512 pixels", "ada@example.com", "201 Created", "/pictures/ada@example.com", "the same"} {
			if !strings.Contains(stdout, want) {
				t.Errorf("%q is not in\n%s", want, stdout)
			}
		}
	}
	code, stdout, stderr := zoompic(t, nil, nil, "upload", "--fake", unknownToFake, ada)
	if code != exitFailed || stdout != "" || !strings.Contains(stderr, "code 1001") || !strings.Contains(stderr, unknownToFake) {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

func TestUploadJSON(t *testing.T) {
	code, stdout, _ := zoompic(t, nil, nil, "upload", "--fake", "--json", "ada@example.com", ada)
	var o outcome
	if err := json.Unmarshal([]byte(stdout), &o); err != nil || code != exitDone || strings.Count(stdout, "\n") != 1 {
		t.Fatal(code, err, stdout)
	}
	if o.Status != 201 || !o.Verified || o.Attempts != 1 || o.Type != "image/jpeg" || o.Width != 512 || o.Size == 0 || o.SHA256 == "" {
		t.Errorf("%+v", o)
	}
	code, stdout, stderr := zoompic(t, nil, nil, "upload", "--fake", "--json", unknownToFake, ada)
	o = outcome{}
	if err := json.Unmarshal([]byte(stdout), &o); err != nil || code != exitFailed || stderr == "" {
		t.Fatal(code, err, stdout)
	}
	if o.Failure == nil || o.Failure.Code != zoomclient.CodeUserNotFound || o.Failure.Exit != exitFailed {
		t.Errorf("%+v", o.Failure)
	}
}

// TestExitCodes against a real server on loopback, reached by flags and by environment.
func TestExitCodes(t *testing.T) {
	handler := zoomtest.New("ada@example.com")
	handler.AcceptToken("T")
	server := httptest.NewServer(handler)
	defer server.Close()
	app := map[string]string{
		"ZOOM_ACCOUNT_ID": zoomtest.AccountID, "ZOOM_CLIENT_ID": zoomtest.ClientID, "ZOOM_CLIENT_SECRET": zoomtest.ClientSecret,
		"ZOOM_BASE_URL": server.URL + "/v2", "ZOOM_TOKEN_URL": server.URL + "/oauth/token",
	}
	with := func(changes ...string) map[string]string {
		env := map[string]string{}
		for name, value := range app {
			env[name] = value
		}
		for i := 0; i < len(changes); i += 2 {
			env[changes[i]] = changes[i+1]
		}
		return env
	}
	for _, test := range []struct {
		name, reply string
		env         map[string]string
		exit        int
		message     string
	}{
		{"app", "", app, exitDone, ""},
		{"access token", "", with("ZOOM_ACCESS_TOKEN", "T"), exitDone, ""},
		{"refused secret", "", with("ZOOM_CLIENT_SECRET", "wrong"), exitCredentials, "Invalid client_id or client_secret"},
		{"refused token", "", with("ZOOM_ACCESS_TOKEN", "X"), exitCredentials, "check the app's credentials"},
		{"missing scope", "missing-scope", app, exitCredentials, "user:write:profile_picture:admin"},
		{"content", "rejected-content", app, exitFailed, "code 300"},
		{"daily limit", "rate-limited-daily", app, exitLimited, "rate limit"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.reply != "" {
				handler.Reply(test.reply)
			}
			if test.exit == exitLimited {
				handler.Reply("rate-limited-daily", "rate-limited-daily", "rate-limited-daily", "rate-limited-daily")
			}
			code, _, stderr := zoompic(t, test.env, nil, "upload", "ada@example.com", ada)
			if code != test.exit || !strings.Contains(stderr, test.message) {
				t.Errorf("exit %d, want %d: %s", code, test.exit, stderr)
			}
		})
	}
}

func TestCheck(t *testing.T) {
	tail := write(t, "tail.jpg", append(readAda(t), "more"...))
	bad := write(t, "bad.heic", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"))
	code, stdout, stderr := zoompic(t, nil, nil, "check", ada, tail, bad)
	if code != exitUsage || strings.Count(stdout, "ok  ") != 2 || !strings.Contains(stdout, "4 bytes follow the end") || !strings.Contains(stderr, "bad.heic: not a format that Zoom takes: this is a HEIC picture") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
	if code, _, stderr := zoompic(t, nil, nil, "check", ada); code != exitDone || stderr != "" {
		t.Errorf("exit %d: %s", code, stderr)
	}
	code, stdout, _ = zoompic(t, nil, nil, "check", "--json", ada, bad)
	if code != exitUsage || strings.Count(stdout, "\n") != 2 || !json.Valid([]byte(strings.Split(stdout, "\n")[1])) {
		t.Errorf("exit %d\n%s", code, stdout)
	}
}

// firstLine passes on the first line that is written.
type firstLine struct {
	mu   sync.Mutex
	seen bytes.Buffer
	line chan string
}

func (w *firstLine) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	before := bytes.Contains(w.seen.Bytes(), []byte("\n"))
	w.seen.Write(p)
	if line, _, ok := strings.Cut(w.seen.String(), "\n"); ok && !before {
		w.line <- line
	}
	return len(p), nil
}

func TestFake(t *testing.T) {
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	out := &firstLine{line: make(chan string, 1)}
	done := make(chan int)
	go func() {
		done <- run(ctx, []string{"zoompic", "fake", "--addr", "127.0.0.1:0", "--token", "T", "--user", "ada@example.com"}, func(string) string { return "" }, nil, out, io.Discard)
	}()
	line := <-out.line
	base, ok := strings.CutPrefix(line, "listening on ")
	if !ok || !strings.HasSuffix(base, "/v2") {
		t.Fatalf("first line %q", line)
	}
	env := map[string]string{"ZOOM_BASE_URL": base, "ZOOM_ACCESS_TOKEN": "T"}
	if code, _, stderr := zoompic(t, env, nil, "upload", "ada@example.com", ada); code != exitDone {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if code, _, stderr := zoompic(t, env, nil, "upload", "bob@example.com", ada); code != exitFailed || !strings.Contains(stderr, "1001") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	interrupt()
	if code := <-done; code != exitDone {
		t.Errorf("exit %d after an interrupt, which is how it is ended", code)
	}

	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	if code, _, stderr := zoompic(t, nil, nil, "fake", "--addr", taken.Addr().String()); code != exitFailed || !strings.Contains(stderr, "--addr") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func TestFakeNamesAReachableAddress(t *testing.T) {
	for addr, want := range map[string]string{"[::]:80": "127.0.0.1:80", "0.0.0.0:80": "127.0.0.1:80", "127.0.0.1:80": "127.0.0.1:80", "[::1]:80": "[::1]:80"} {
		if got := reachable(addr); got != want {
			t.Errorf("%s: %s, want %s", addr, got, want)
		}
	}
}

// hangingReader is a standard input that nobody writes to.
type hangingReader struct{ ctx context.Context }

func (r hangingReader) Read([]byte) (int, error) { <-r.ctx.Done(); return 0, io.EOF }

func TestInterruptAndTimeout(t *testing.T) {
	hung := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		<-r.Context().Done()
	}))
	defer hung.Close()
	env := func(name string) string {
		return map[string]string{"ZOOM_BASE_URL": hung.URL, "ZOOM_ACCESS_TOKEN": "T"}[name]
	}
	for name, args := range map[string][]string{"upload": {"upload", "ada", ada}, "standard input": {"upload", "ada", "-"}} {
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		if code := run(ctx, append([]string{"zoompic"}, args...), env, hangingReader{t.Context()}, io.Discard, io.Discard); code != exitInterrupted {
			t.Errorf("%s: exit %d when interrupted", name, code)
		}
	}
	code, _, stderr := zoompic(t, map[string]string{"ZOOM_BASE_URL": hung.URL, "ZOOM_ACCESS_TOKEN": "T"}, nil, "upload", "--timeout", "50ms", "ada", ada)
	if code != exitFailed || !strings.Contains(stderr, "--timeout") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

func TestVersionAndHelp(t *testing.T) {
	if code, stdout, _ := zoompic(t, nil, nil, "version"); code != exitDone || !strings.HasPrefix(stdout, "zoompic "+zoomclient.Version+" (go") {
		t.Errorf("exit %d: %s", code, stdout)
	}
	code, stdout, _ := zoompic(t, nil, nil, "--help")
	for _, want := range []string{"upload", "sync", "check", "fake", "version", "completion", "ZOOM_CLIENT_SECRET", "130"} {
		if code != exitDone || !strings.Contains(stdout, want) {
			t.Errorf("exit %d, no %q in the help", code, want)
		}
	}
}
