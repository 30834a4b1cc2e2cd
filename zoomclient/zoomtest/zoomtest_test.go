package zoomtest_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/zoompic/zoompic/internal/contract"
	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/testdata/recorded"
	"github.com/zoompic/zoompic/zoomclient/zoomtest"
)

const user = "ada@example.com"

func readPicture(t testing.TB) []byte {
	t.Helper()
	data, err := os.ReadFile("../../examples/grace.png")
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// form is a multipart body with one part, as text on the wire.
func form(disposition, contentType string, data []byte) string {
	head := "--B\r\nContent-Disposition: form-data; " + disposition + "\r\n"
	if contentType != "" {
		head += "Content-Type: " + contentType + "\r\n"
	}
	return head + "\r\n" + string(data) + "\r\n--B--\r\n"
}

func request(body string) *http.Request {
	r := httptest.NewRequest("POST", "http://127.0.0.1/v2/users/"+user+"/picture", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer T")
	r.Header.Set("Content-Type", "multipart/form-data; boundary=B")
	return r
}

// TestAnswers sends what different clients send; every answer keeps the contract.
func TestAnswers(t *testing.T) {
	checked := contract.Load(t)
	data := readPicture(t)
	const named = `name="pic_file"; filename="a.png"`
	for _, test := range []struct {
		name    string
		body    string
		prepare func(*zoomtest.Handler, *http.Request)
		status  int
		code    string
	}{
		{name: "curl", body: form(named, "image/png", data), status: 201},
		{name: "the seed's sample", body: form(named, "application/octet-stream", data), status: 201},
		{name: "Postman", body: form(named, "", data), status: 201},
		{name: "another field first", body: "--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\ny\r\n" + form(named, "image/png", data), status: 201},
		{name: "Zoom's own SDK: the path as text", body: form(`name="pic_file"`, "", []byte("/home/ada.png")), status: 400, code: `"code":120,"message":""`},
		{name: "no file name", body: form(`name="pic_file"`, "image/png", data), status: 400, code: `"code":120,"message":""`},
		{name: "wrong field", body: form(`name="picture"; filename="a.png"`, "image/png", data), status: 400, code: "File is empty"},
		{name: "no form", body: "{}", prepare: func(_ *zoomtest.Handler, r *http.Request) { r.Header.Set("Content-Type", "application/json") }, status: 400, code: "File is empty"},
		{name: "empty", body: form(named, "image/png", nil), status: 400, code: "File is empty"},
		{name: "too large", body: form(named, "image/png", append(bytes.Clone(data), make([]byte, 2<<20)...)), status: 400, code: "cannot exceed 2M"},
		{name: "GIF", body: form(named, "image/png", []byte("GIF89a")), status: 400, code: "Only jpg/jpeg or png"},
		{name: "unknown user", body: form(named, "image/png", data), prepare: func(_ *zoomtest.Handler, r *http.Request) { r.URL.Path = `/v2/users/"eve"/picture` }, status: 404, code: `User does not exist: \"eve\".`},
		{name: "me", body: form(named, "image/png", data), prepare: func(_ *zoomtest.Handler, r *http.Request) { r.URL.Path = "/v2/users/me/picture" }, status: 201},
		{name: "unknown token", prepare: func(_ *zoomtest.Handler, r *http.Request) { r.Header.Set("Authorization", "Bearer X") }, status: 401, code: `"code":124`},
		{name: "no token", prepare: func(_ *zoomtest.Handler, r *http.Request) { r.Header.Del("Authorization") }, status: 401, code: `"code":124`},
		{name: "revoked", prepare: func(h *zoomtest.Handler, _ *http.Request) { h.RevokeTokens() }, status: 401, code: `"code":124`},
		{name: "too fast", body: form(named, "image/png", data), prepare: func(h *zoomtest.Handler, _ *http.Request) {
			h.RateLimit(1)
			h.ServeHTTP(httptest.NewRecorder(), request(form(named, "image/png", data)))
		}, status: 429, code: `"code":429`},
	} {
		t.Run(test.name, func(t *testing.T) {
			h := zoomtest.New(user)
			h.AcceptToken("T")
			r := request(test.body)
			if test.prepare != nil {
				test.prepare(h, r)
			}
			before := len(h.Uploads())
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code != test.status || !strings.Contains(w.Body.String(), test.code) {
				t.Errorf("%d %s, want %d %s", w.Code, w.Body, test.status, test.code)
			}
			if committed := len(h.Uploads()) - before; (committed == 1) != (test.status == 201) {
				t.Errorf("%d uploads in the ledger", committed)
			}
			if err := checked.CheckResponse(request(""), w.Code, w.Header(), w.Body.Bytes()); err != nil {
				t.Error(err)
			}
			if w.Header().Get("X-Zm-Trackingid") == "" {
				t.Error("no tracking ID")
			}
		})
	}
}

// TestRepliesKeepTheContract: each recorded reply reaches the client as it is, and keeps the contract.
func TestRepliesKeepTheContract(t *testing.T) {
	checked := contract.Load(t)
	for _, name := range recorded.Names() {
		reply, err := recorded.Get(name)
		if err != nil || reply.Endpoint != recorded.Picture {
			continue
		}
		h := zoomtest.New()
		h.Reply(name)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(form(`name="pic_file"; filename="a.png"`, "image/png", readPicture(t))))
		if w.Code != reply.Status || (len(h.Uploads()) == 1) != (reply.Status == 201) {
			t.Errorf("%s: %d, want %d; %d uploads", name, w.Code, reply.Status, len(h.Uploads()))
		}
		if err := checked.CheckResponse(request(""), w.Code, w.Header(), w.Body.Bytes()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if checked.CheckResponse(request(""), 418, http.Header{}, nil) == nil {
		t.Error("the control: an unknown status is accepted")
	}
}

func TestUnknownReplyPanics(t *testing.T) {
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "rate-limited-daily") {
			t.Errorf("%q does not list the names", text)
		}
	}()
	zoomtest.New().Reply("no such reply")
}

func TestClient(t *testing.T) {
	zoom := zoomtest.NewServer(t, user)
	client := zoom.Client()
	data := readPicture(t)
	pic, err := zoomclient.NewPicture(data)
	if err != nil {
		t.Fatal(err)
	}
	result, err := client.UploadPicture(t.Context(), user, pic)
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := zoom.Picture(user); !ok || !bytes.Equal(got, data) {
		t.Error("other bytes arrived")
	}
	if u := zoom.Uploads(); len(u) != 1 || u[0].User != user || u[0].SHA256 != sha256.Sum256(data) || u[0].ContentType != "image/png" {
		t.Errorf("%+v", u)
	}
	shown, err := http.Get(result.Location)
	if err != nil {
		t.Fatal(err)
	}
	defer shown.Body.Close()
	if got, _ := io.ReadAll(shown.Body); !bytes.Equal(got, data) || shown.Header.Get("Content-Type") != "image/png" {
		t.Errorf("the picture is not at %s", result.Location)
	}

	zoom.RevokeTokens()
	if result, err := client.UploadPicture(t.Context(), user, pic); err != nil || result.Attempts != 2 {
		t.Errorf("after the token was revoked: %+v, %v", result, err)
	}
	if _, err := client.UploadPicture(t.Context(), "eve", pic); !errors.Is(err, zoomclient.CodeUserNotFound) {
		t.Error(err)
	}
	zoom.Reply("bad-gateway")
	before := zoom.Requests()
	if result, err := client.UploadPicture(t.Context(), user, pic); err != nil || result.Attempts != 2 || zoom.Requests() != before+2 {
		t.Errorf("after a 502: %+v, %v", result, err)
	}
}

// TestRefusalCostsNoUpload when the client asks first.
func TestRefusalCostsNoUpload(t *testing.T) {
	zoom := zoomtest.NewServer(t, user)
	for _, expect := range []string{"100-continue", ""} {
		body := &countingReader{r: strings.NewReader(strings.Repeat("x", 2<<20))}
		req, err := http.NewRequest("POST", zoom.URL+"/users/"+user+"/picture", body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Expect", expect)
		client := &http.Client{Transport: &http.Transport{ExpectContinueTimeout: time.Minute}}
		resp, err := client.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		client.CloseIdleConnections()
		if resp.StatusCode != 401 || (body.n.Load() == 0) != (expect != "") {
			t.Errorf("Expect %q: status %d after %d bytes", expect, resp.StatusCode, body.n.Load())
		}
	}
}

type countingReader struct {
	r io.Reader
	n atomic.Int64 // the transport may still read when the answer is there
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

func TestTokens(t *testing.T) {
	zoom := zoomtest.NewServer(t)
	ask := func(id, secret, form string) (int, string) {
		req, err := http.NewRequest("POST", zoom.TokenURL, strings.NewReader(form))
		if err != nil {
			t.Fatal(err)
		}
		req.SetBasicAuth(id, secret)
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	good := url.Values{"grant_type": {"account_credentials"}, "account_id": {zoomtest.AccountID}}.Encode()
	for _, test := range []struct {
		id, secret, form string
		status           int
		fragment         string
	}{
		{zoomtest.ClientID, zoomtest.ClientSecret, good, 200, "fake-token-"},
		{zoomtest.ClientID, "wrong", good, 400, "invalid_client"},
		{"wrong", zoomtest.ClientSecret, good, 400, "invalid_client"},
		{zoomtest.ClientID, zoomtest.ClientSecret, "grant_type=client_credentials", 400, "unsupported_grant_type"},
		{zoomtest.ClientID, zoomtest.ClientSecret, "grant_type=account_credentials&account_id=x", 400, "invalid_grant"},
	} {
		if status, body := ask(test.id, test.secret, test.form); status != test.status || !strings.Contains(body, test.fragment) {
			t.Errorf("%+v: %d %s", test, status, body)
		}
	}
}

// TestRateIsASlidingSecond, in virtual time.
func TestRateIsASlidingSecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := zoomtest.New()
		h.AcceptToken("T")
		h.RateLimit(2)
		body := form(`name="pic_file"; filename="a.png"`, "image/png", readPicture(t))
		for i, step := range []struct {
			wait time.Duration
			want int
		}{{0, 201}, {600 * time.Millisecond, 201}, {0, 429}, {300 * time.Millisecond, 429}, {100 * time.Millisecond, 201}, {0, 429}} {
			time.Sleep(step.wait)
			w := httptest.NewRecorder()
			h.ServeHTTP(w, request(body))
			if w.Code != step.want {
				t.Errorf("step %d: %d, want %d", i, w.Code, step.want)
			}
		}
	})
}

// TestHalfAPictureIsNoPicture: a connection that breaks off leaves nothing in the ledger.
func TestHalfAPictureIsNoPicture(t *testing.T) {
	h := zoomtest.New()
	h.AcceptToken("T")
	whole := form(`name="pic_file"; filename="a.png"`, "image/png", readPicture(t))
	func() {
		defer func() { _ = recover() }() // how a handler ends a connection
		h.ServeHTTP(httptest.NewRecorder(), request(whole[:len(whole)-len("--\r\n")-2]))
	}()
	if h.Requests() != 1 || len(h.Uploads()) != 0 {
		t.Errorf("%d requests, %d uploads", h.Requests(), len(h.Uploads()))
	}
}

// TestDependencies: programs link the fake, so what it brings with it is listed here.
func TestDependencies(t *testing.T) {
	for _, path := range list(t, `{{join .Imports "\n"}}`, ".") {
		if strings.Contains(path, ".") && !strings.HasPrefix(path, "github.com/zoompic/zoompic/") {
			t.Errorf("it imports %s", path)
		}
	}
	got := list(t, "-deps", "{{if not .Standard}}{{.Module.Path}}{{end}}", ".")
	slices.Sort(got)
	want := []string{
		"github.com/apapsch/go-jsonmerge/v2", // of the runtime
		"github.com/google/uuid",             // of the runtime
		"github.com/oapi-codegen/runtime",
		"github.com/zoompic/zoompic",
		"golang.org/x/oauth2",
		"golang.org/x/time",
	}
	if got = slices.Compact(got); !slices.Equal(got, want) {
		t.Errorf("it links the modules\n%q, want\n%q", got, want)
	}
	linksTesting := func(pkg string) bool {
		linked := list(t, "-deps", "{{.ImportPath}}", pkg)
		return slices.Contains(linked, "testing") || slices.Contains(linked, "flag")
	}
	if linksTesting(".") {
		t.Error("it links testing or flag")
	}
	if !linksTesting("net/http/httptest") {
		t.Error("the control: httptest, which registers a flag, is not noticed")
	}
}

// list runs go list; the last but one of args is the template.
func list(t *testing.T, args ...string) []string {
	t.Helper()
	args = slices.Insert(args, len(args)-2, "-f")
	out, err := exec.Command("go", slices.Insert(args, 0, "list")...).Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.Fields(string(out))
}
