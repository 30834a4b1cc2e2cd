package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/zoompic/zoompic/internal/contract"
	"github.com/zoompic/zoompic/zoomclient/testdata/recorded"
)

const repliesDir = "../../zoomclient/testdata/recorded"

var env = map[string]string{
	"ZOOM_ACCOUNT_ID":    "AbCdEfGhTqKx3mN0acc",
	"ZOOM_CLIENT_ID":     "cLiEnT_9sYzQ",
	"ZOOM_CLIENT_SECRET": "s3cr3t+of/the=app",
	"ZOOM_RECORD_USER":   "Grace.Hopper@navy.example",
}

const theToken = "a-token.made.of-words" // which does not look random

// private is what no file may hold, beside the address that was made up.
var private = []string{
	env["ZOOM_ACCOUNT_ID"], env["ZOOM_CLIENT_ID"], env["ZOOM_CLIENT_SECRET"], env["ZOOM_RECORD_USER"], theToken,
	"navy.example", "s3cr3t%2Bof%2Fthe%3Dapp", "nobody-", "%40navy", "c0ffee12-3456-7890-abcd-ef0123456789", "87654321", "KDcuGIm1QPePTO8WbOqwIQ",
	"__cf_bm", "session", "2026-11-24", "GMT", "WEB_77d1", "phone_numbers",
}

// chattyZoom answers as Zoom is expected to, and repeats all it knows of the account wherever it can.
func chattyZoom(t *testing.T) *httptest.Server {
	mux := http.NewServeMux()
	gossip := func(r *http.Request) string {
		return fmt.Sprintf("%s %s %s %s c0ffee12-3456-7890-abcd-ef0123456789 account 87654321 KDcuGIm1QPePTO8WbOqwIQ at 2026-11-24T01:02:03Z",
			strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer "), strings.ToLower(env["ZOOM_RECORD_USER"]),
			env["ZOOM_ACCOUNT_ID"], "s3cr3t%2Bof%2Fthe%3Dapp")
	}
	answer := func(w http.ResponseWriter, r *http.Request, status int, body any) {
		w.Header().Set("Content-Type", "application/json;charset=UTF-8")
		w.Header().Set("X-Zm-Trackingid", "v=2.0;clid=us04;rid=WEB_77d1")
		w.Header().Set("Set-Cookie", "__cf_bm=session; path=/")
		w.Header().Set("X-Account", env["ZOOM_ACCOUNT_ID"])
		w.Header().Set("X-Ratelimit-Category", "Medium")
		if status == 201 {
			w.Header().Set("Content-Location", "https://us04.zoom.example/p/KDcuGIm1QPePTO8WbOqwIQ")
		}
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(body)
	}
	failure := func(w http.ResponseWriter, r *http.Request, status, code int, message string) {
		answer(w, r, status, map[string]any{"code": code, "message": message + " " + gossip(r), "accountId": 87654321})
	}

	mux.HandleFunc("POST /oauth/token", func(w http.ResponseWriter, r *http.Request) {
		id, secret, _ := r.BasicAuth()
		switch {
		case id != env["ZOOM_CLIENT_ID"] || secret != env["ZOOM_CLIENT_SECRET"]:
			answer(w, r, 400, map[string]any{"reason": "Invalid client_id or client_secret", "error": "invalid_client"})
		case r.FormValue("grant_type") != "account_credentials":
			answer(w, r, 400, map[string]any{"reason": "unsupported grant type", "error": "unsupported_grant_type"})
		default:
			answer(w, r, 200, map[string]any{"access_token": theToken, "token_type": "bearer", "expires_in": 3599,
				"scope": "phone_numbers:read user:write:admin", "api_url": "https://api-us.zoom.us", "account": env["ZOOM_ACCOUNT_ID"]})
		}
	})
	mux.HandleFunc("POST /v2/users/{user}/picture", func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+theToken {
			failure(w, r, 401, 124, "Invalid access token.")
			return
		}
		if user := r.PathValue("user"); user != env["ZOOM_RECORD_USER"] {
			failure(w, r, 404, 1001, "User does not exist: "+user+".")
			return
		}
		form, err := r.MultipartReader()
		if err != nil {
			t.Error(err)
			return
		}
		part, err := form.NextPart()
		if err != nil {
			t.Error(err)
			return
		}
		picture, err := io.ReadAll(part)
		switch {
		case err != nil:
			t.Error(err)
		case part.FileName() == "":
			failure(w, r, 400, 120, "")
		case len(picture) == 0:
			failure(w, r, 400, 120, "File is empty.")
		case len(picture) > 2<<20:
			failure(w, r, 400, 120, "File size cannot exceed 2M.")
		case http.DetectContentType(picture) != "image/png":
			failure(w, r, 400, 120, "Only jpg/jpeg or png image file can be uploaded.")
		default:
			answer(w, r, 201, map[string]any{})
		}
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

func TestRecord(t *testing.T) {
	t.Parallel()
	zoom := chattyZoom(t)
	dir := copyReplies(t)
	before := files(t, dir)
	results := newTestRecorder(t, zoom.URL).record(t.Context())
	if err := save(dir, results, time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)); err != nil {
		t.Fatal(err)
	}

	want := []string{"token-400-invalid-client", "token-400-unsupported-grant", "token-200", "token-invalid-401", "user-not-found",
		"file-empty", "file-too-large", "file-wrong-type", "file-no-name", "created-json"}
	index, err := readIndex(dir)
	if err != nil {
		t.Fatal(err)
	}
	c := contract.Load(t)
	after := files(t, dir)
	for _, entry := range index.Replies {
		if !slices.Contains(want, entry.Name) {
			if entry.Origin != "transcribed" || after[entry.File] != before[entry.File] {
				t.Errorf("%s was changed", entry.Name)
			}
			continue
		}
		if entry.Origin != "live" || entry.Recorded != "2026-11-24" || entry.Source != "recorded from 127.0.0.1" {
			t.Errorf("%s: %+v is not marked as live", entry.Name, entry)
		}
		reply, err := recorded.Parse([]byte(after[entry.File]))
		if err != nil {
			t.Errorf("%s: %v", entry.Name, err)
		}
		if reply.Status != entry.Status || codeOf(reply.Body) != entry.Code {
			t.Errorf("%s: status %d and code %d, the index has %d and %d", entry.Name, reply.Status, codeOf(reply.Body), entry.Status, entry.Code)
		}
		if entry.Endpoint == recorded.Picture {
			upload := httptest.NewRequest("POST", "/v2/users/me/picture", nil)
			if err := c.CheckResponse(upload, reply.Status, reply.Header, reply.Body); err != nil {
				t.Errorf("%s: %v", entry.Name, err)
			}
		}
		if got := reply.Header.Get("X-Zm-Trackingid"); got != anyTracking {
			t.Errorf("%s: tracking ID %q", entry.Name, got)
		}
	}
	for name, content := range after {
		if name == indexFile {
			content = strings.ReplaceAll(content, `"recorded": "2026-11-24"`, "")
		}
		for _, word := range private {
			if strings.Contains(strings.ToLower(content), strings.ToLower(word)) {
				t.Errorf("%s holds %q:\n%s", name, word, content)
			}
		}
	}

	var stdout, stderr bytes.Buffer
	if code := report(dir, results, &stdout, &stderr); code != 0 {
		t.Errorf("exit code %d, %s", code, &stderr)
	}
	for _, line := range []string{
		"recorded  created-json\n",
		"kept      created: Zoom answered in another form\n",
		"kept      rejected-content: needs an explicit picture\n",
		"kept      rate-limited-daily: would stop every other app of the account for the day\n",
	} {
		if !strings.Contains(stdout.String(), line) {
			t.Errorf("got\n%s, want %q in it", &stdout, line)
		}
	}
	if got := strings.Count(stdout.String(), "\n"); got != len(index.Replies) {
		t.Errorf("%d lines for %d replies:\n%s", got, len(index.Replies), &stdout)
	}
}

// The control of TestRecord: what the server says is full of what must go.
func TestChattyZoomIsChatty(t *testing.T) {
	t.Parallel()
	r := newTestRecorder(t, chattyZoom(t).URL)
	var heard strings.Builder
	requests := []*http.Request{r.tokenRequest("account_credentials", r.account.clientSecret)}
	for _, p := range provocations() {
		requests = append(requests, r.pictureRequest(p, theToken))
	}
	for _, req := range requests {
		a, err := r.send(t.Context(), req)
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&heard, "%v %s\n", a.header, a.body)
	}
	said := strings.ToLower(heard.String())
	for _, word := range private {
		unsaid := []string{env["ZOOM_CLIENT_ID"], env["ZOOM_CLIENT_SECRET"], "%40navy"} // it has no occasion to
		if !slices.Contains(unsaid, word) && !strings.Contains(said, strings.ToLower(word)) {
			t.Errorf("the server never says %q", word)
		}
	}
}

func TestRecordKeepsWhatIsAnsweredOtherwise(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name    string
		answer  http.HandlerFunc
		wantErr string
	}{
		{"another status", func(w http.ResponseWriter, r *http.Request) { w.WriteHeader(503) }, "the answer was 503"},
		{"a redirect", func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
		}, "the answer was 307"},
		{"no HTTP", func(w http.ResponseWriter, r *http.Request) { panic(http.ErrAbortHandler) }, "no answer"},
		{"too much", func(w http.ResponseWriter, r *http.Request) { w.Write(make([]byte, maxBody+1)) }, "longer than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var requests atomic.Int32
			zoom := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.URL.Path != "/oauth/token" {
					t.Errorf("a request to %s", r.URL.Path)
				}
				requests.Add(1)
				test.answer(w, r)
			}))
			t.Cleanup(zoom.Close)
			dir := copyReplies(t)
			before := files(t, dir)
			results := newTestRecorder(t, zoom.URL).record(t.Context())
			if err := save(dir, results, time.Now()); err != nil {
				t.Fatal(err)
			}
			if requests.Load() != 3 {
				t.Errorf("%d requests, want 3: without a token no picture is sent", requests.Load())
			}
			if !strings.Contains(results[0].err.Error(), test.wantErr) {
				t.Errorf("got %v, want %q", results[0].err, test.wantErr)
			}
			for name, content := range files(t, dir) {
				if content != before[name] {
					t.Errorf("%s has changed", name)
				}
			}
			var stdout, stderr bytes.Buffer
			if code := report(dir, results, &stdout, &stderr); code != 1 || !strings.Contains(stderr.String(), "nothing could be recorded") {
				t.Errorf("exit code %d, %s", code, &stderr)
			}
			if !strings.Contains(stdout.String(), "kept      file-empty: there was no token to send\n") {
				t.Errorf("got\n%s", &stdout)
			}
		})
	}
}

func TestRedactText(t *testing.T) {
	t.Parallel()
	r := newRedactor(testAccount(t, "https://zoom.example"), "nobody-1@example.com")
	r.know(anyText, theToken)
	for _, test := range []struct{ in, want string }{
		{"File size cannot exceed 2M.", "File size cannot exceed 2M."},
		{"Only jpg/jpeg or png image file can be uploaded.", "Only jpg/jpeg or png image file can be uploaded."},
		{`{"reason":"unsupported grant type","error":"unsupported_grant_type"}`, `{"reason":"unsupported grant type","error":"unsupported_grant_type"}`},
		{`{"code":4711,"message":"does not contain scopes:[user:write:profile_picture:admin]."}`, `{"code":4711,"message":"does not contain scopes:[user:write:profile_picture:admin]."}`},
		{"User does not exist: nobody-1@example.com.", "User does not exist: ada@example.com."},
		{"User GRACE.HOPPER@NAVY.EXAMPLE", "User ada@example.com"},
		{"User grace.hopper%40navy.example", "User ada@example.com"},
		{"User somebody.else@corp.example", "User ada@example.com"},
		{"token " + theToken + " is invalid", "token redacted is invalid"},
		{"account AbCdEfGhTqKx3mN0acc", "account redacted"},
		{"id z8yAAAAABTvg", "id redacted"},
		{"id KDcuGImxQPePTOxWbOqwIQ", "id redacted"},
		{`{"accountId":87654321}`, `{"accountId":0}`},
		{"since 2026-11-24T01:02:03.004+0100", "since 2020-05-31T00:00:00Z"},
		{"since 2026-11-24", "since 2020-05-31T00:00:00Z"},
	} {
		if got := r.text(test.in); got != test.want {
			t.Errorf("%q became %q, want %q", test.in, got, test.want)
		}
	}
}

// What a replacement overlooks, the second look must find.
func TestRedactCheck(t *testing.T) {
	t.Parallel()
	r := newRedactor(testAccount(t, "https://zoom.example"), "nobody-1@example.com")
	for _, test := range []struct {
		name  string
		reply recorded.Reply
		bad   bool
	}{
		{"clean", recorded.Reply{Body: []byte(`{"code":1001,"message":"User does not exist: ada@example.com."}`)}, false},
		{"in the body", recorded.Reply{Body: []byte("AbCdEfGhTqKx3mN0acc")}, true},
		{"in another case", recorded.Reply{Body: []byte("ABCDEFGHTQKX3MN0ACC")}, true},
		{"escaped in JSON", recorded.Reply{Body: []byte(`{"message":"grace.hopper\u0040navy.exampl\u0065"}`)}, true},
		{"in a header", recorded.Reply{Header: http.Header{"Retry-After": {"cLiEnT_9sYzQ"}}}, true},
		{"credentials in base64", recorded.Reply{Body: []byte("Y0xpRW5UXzlzWXpROnMzY3IzdCtvZi90aGU9YXBw")}, true},
	} {
		if err := r.check(test.reply); (err != nil) != test.bad {
			t.Errorf("%s: got %v", test.name, err)
		}
	}
}

func TestRunNeedsAnAccount(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, key, value, want string }{
		{"no account", "ZOOM_ACCOUNT_ID", "", "ZOOM_ACCOUNT_ID is not set"},
		{"no secret", "ZOOM_CLIENT_SECRET", "", "ZOOM_CLIENT_SECRET is not set"},
		{"no user", "ZOOM_RECORD_USER", "", "a test user whose picture may be replaced"},
		{"anybody", "ZOOM_RECORD_USER", "me", "name the test user"},
		{"a path", "ZOOM_RECORD_USER", "../x", "ZOOM_RECORD_USER: "},
		{"plain HTTP", "ZOOM_BASE_URL", "http://api.zoom.us/v2", "https://"},
		{"plain HTTP for the secret", "ZOOM_TOKEN_URL", "http://zoom.us/oauth/token", "https://"},
		{"plain HTTP to what looks like loopback", "ZOOM_TOKEN_URL", "http://127.0.0.1.example.com/", "https://"},
		{"user name", "ZOOM_BASE_URL", "https://a:b@api.zoom.us/v2", "without user name"},
		{"query", "ZOOM_BASE_URL", "https://api.zoom.us/v2?a=b", "without user name"},
		{"no URL", "ZOOM_BASE_URL", "https://%zz", "not a URL"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			getenv := func(name string) string {
				if name == test.key {
					return test.value
				}
				return env[name]
			}
			dir := filepath.Join(t.TempDir(), "none") // a run that got further would fail here
			var stdout, stderr bytes.Buffer
			code := run(t.Context(), []string{"-dir", dir}, getenv, &stdout, &stderr)
			if code != 2 || !strings.Contains(stderr.String(), test.want) {
				t.Errorf("exit code %d, %q; want 2 and %q", code, &stderr, test.want)
			}
			if strings.Contains(stderr.String(), env["ZOOM_CLIENT_SECRET"]) {
				t.Errorf("the secret is in %q", &stderr)
			}
		})
	}
}

func testAccount(t *testing.T, server string) account {
	t.Helper()
	urls := map[string]string{"ZOOM_BASE_URL": server + "/v2", "ZOOM_TOKEN_URL": server + "/oauth/token"}
	a, err := accountFrom(func(name string) string { return env[name] + urls[name] })
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func newTestRecorder(t *testing.T, server string) *recorder {
	t.Helper()
	r := newRecorder(testAccount(t, server))
	r.pause = 0
	t.Cleanup(r.http.CloseIdleConnections)
	return r
}

func copyReplies(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files(t, repliesDir) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// files is the content of the index and of every reply.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, "*.http"))
	if err != nil {
		t.Fatal(err)
	}
	contents := make(map[string]string)
	for _, name := range append(names, filepath.Join(dir, indexFile)) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		contents[filepath.Base(name)] = string(data)
	}
	return contents
}
