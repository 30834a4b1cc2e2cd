package zoomtest_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/zoompic/zoompic/zoomclient/zoomtest"
)

// The tests of this file write requests byte by byte, as no client library would.

// curl is what curl 7.88 sends for
//
//	curl -X POST -H "Authorization: Bearer T" -H "Content-Type: multipart/form-data" --form 'pic_file=@"x.png"' URL
//
// It adds the boundary to the header that it was given.
func curl(data []byte) string {
	const boundary = "------------------------f6c90bd72d7eba35"
	body := "--" + boundary + "\r\nContent-Disposition: form-data; name=\"pic_file\"; filename=\"x.png\"\r\nContent-Type: image/png\r\n\r\n" +
		string(data) + "\r\n--" + boundary + "--\r\n"
	return "POST /v2/users/" + user + "/picture HTTP/1.1\r\nHost: 127.0.0.1\r\nUser-Agent: curl/7.88.1\r\nAccept: */*\r\nAuthorization: Bearer T\r\n" +
		fmt.Sprintf("Content-Length: %d\r\nContent-Type: multipart/form-data; boundary=%s\r\n\r\n%s", len(body), boundary, body)
}

// send writes raw to the fake, says that no more comes, and returns the answer; nil if there is none.
func send(t *testing.T, zoom *zoomtest.Server, raw string) (*http.Response, string) {
	t.Helper()
	address, _, _ := strings.Cut(strings.TrimPrefix(zoom.URL, "http://"), "/")
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Fatal(err)
	}
	conn.(*net.TCPConn).CloseWrite()
	resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, ""
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func TestCurl(t *testing.T) {
	zoom := zoomtest.NewServer(t, user)
	zoom.AcceptToken("T")
	data := readPicture(t)
	resp, body := send(t, zoom, curl(data))
	if resp == nil || resp.StatusCode != 201 || body != "" {
		t.Fatalf("%+v %s", resp, body)
	}
	if got, _ := zoom.Picture(user); !bytes.Equal(got, data) {
		t.Error("other bytes arrived")
	}
}

// TestBrokenOff: wherever the connection ends before the last byte, nothing is stored. The control is the whole request.
func TestBrokenOff(t *testing.T) {
	zoom := zoomtest.NewServer(t, user)
	zoom.AcceptToken("T")
	raw := curl(readPicture(t))
	head := strings.Index(raw, "\r\n\r\n") + len("\r\n\r\n")
	cuts := []int{head, head + 1, head + 150, len(raw) / 2}
	for n := range 50 { // through the last boundary, whose end is not the body's
		cuts = append(cuts, len(raw)-1-n)
	}
	for _, cut := range cuts {
		if resp, _ := send(t, zoom, raw[:cut]); resp != nil && resp.StatusCode < 400 {
			t.Errorf("%d bytes before the end: status %d", len(raw)-cut, resp.StatusCode)
		}
	}
	if n := len(zoom.Uploads()); n != 0 {
		t.Fatalf("%d uploads in the ledger", n)
	}
	if resp, _ := send(t, zoom, raw); resp == nil || resp.StatusCode != 201 || len(zoom.Uploads()) != 1 {
		t.Errorf("the whole request: %+v, %d uploads", resp, len(zoom.Uploads()))
	}
}

// TestBrokenForms arrive whole, so they are answered, and never with success.
func TestBrokenForms(t *testing.T) {
	whole := form(`name="pic_file"; filename="a.png"`, "image/png", readPicture(t))
	bodies := map[string]string{
		"nothing":            "",
		"no boundary":        "garbage",
		"no part":            "--B--\r\n",
		"a part's head only": "--B\r\nContent-Disposition: form-data; name=\"pic_file\"\r\n",
		"a broken head":      "--B\r\nno colon\r\n\r\nx\r\n--B--\r\n",
	}
	for n := 3; n <= 9; n++ { // without its last two bytes, CR LF, a form is whole
		bodies[fmt.Sprintf("%d bytes short", n)] = whole[:len(whole)-n]
	}
	for name, body := range bodies {
		t.Run(name, func(t *testing.T) {
			h := zoomtest.New()
			h.AcceptToken("T")
			w, aborted := serve(h, request(body))
			if aborted || w.Code != 400 || !strings.Contains(w.Body.String(), `"code":120`) || len(h.Uploads()) != 0 {
				t.Errorf("%d %s; aborted: %v; %d uploads", w.Code, w.Body, aborted, len(h.Uploads()))
			}
		})
	}
}

// TestEndlessBody: the fake gives up on a body that does not end.
func TestEndlessBody(t *testing.T) {
	for name, prefix := range map[string]string{
		"in the picture":    "--B\r\nContent-Disposition: form-data; name=\"pic_file\"; filename=\"a.png\"\r\n\r\n",
		"in another field":  "--B\r\nContent-Disposition: form-data; name=\"x\"\r\n\r\n",
		"before the form":   "",
		"after the picture": form(`name="pic_file"; filename="a.png"`, "image/png", readPicture(t)),
	} {
		t.Run(name, func(t *testing.T) {
			h := zoomtest.New()
			h.AcceptToken("T")
			r := request("")
			counted := &countingReader{r: io.MultiReader(strings.NewReader(prefix), io.LimitReader(zeros{}, 256<<20))}
			r.Body = io.NopCloser(counted)
			w, aborted := serve(h, r)
			if aborted || w.Code != 400 {
				t.Errorf("status %d, aborted: %v", w.Code, aborted)
			}
			if counted.n.Load() > 32<<20 || len(h.Uploads()) != 0 {
				t.Errorf("%d MiB were read; %d uploads", counted.n.Load()>>20, len(h.Uploads()))
			}
		})
	}
}

// serve reports whether the handler broke the connection off, as net/http would see it.
func serve(h http.Handler, r *http.Request) (w *httptest.ResponseRecorder, aborted bool) {
	defer func() {
		if p := recover(); p != nil && p != http.ErrAbortHandler {
			panic(p)
		}
	}()
	w, aborted = httptest.NewRecorder(), true
	h.ServeHTTP(w, r)
	return w, false
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestManyAtOnce(t *testing.T) {
	zoom := zoomtest.NewServer(t)
	zoom.AcceptToken("T")
	raw := curl(readPicture(t))
	var group sync.WaitGroup
	ids := make([]string, 20)
	for i := range ids {
		group.Go(func() {
			if resp, _ := send(t, zoom, raw); resp != nil && resp.StatusCode == 201 {
				ids[i] = resp.Header.Get("X-Zm-Trackingid")
			}
			zoom.Picture(user)
		})
	}
	group.Wait()
	slices.Sort(ids)
	if ids[0] == "" || len(slices.Compact(ids)) != 20 || len(zoom.Uploads()) != 20 || zoom.Requests() != 20 {
		t.Errorf("tracking IDs %q, %d uploads, %d requests", ids, len(zoom.Uploads()), zoom.Requests())
	}
}

func TestNoRateLimit(t *testing.T) {
	for _, rate := range []int{0, -1} {
		h := zoomtest.New()
		h.AcceptToken("T")
		h.RateLimit(rate)
		w := httptest.NewRecorder()
		h.ServeHTTP(w, request(form(`name="pic_file"; filename="a.png"`, "image/png", readPicture(t))))
		if w.Code != 201 {
			t.Errorf("RateLimit(%d): status %d", rate, w.Code)
		}
	}
}

func TestUsersAreCopied(t *testing.T) {
	users := []string{user}
	h := zoomtest.New(users...)
	h.AcceptToken("T")
	users[0] = "eve"
	w := httptest.NewRecorder()
	h.ServeHTTP(w, request(form(`name="pic_file"; filename="a.png"`, "image/png", readPicture(t))))
	if w.Code != 201 {
		t.Errorf("status %d", w.Code)
	}
}

// TestUnknownReplyEndsTheTest of a Server; a Handler has no test to end and panics.
func TestUnknownReplyEndsTheTest(t *testing.T) {
	tb := &fatal{TB: t}
	zoom := zoomtest.NewServer(tb)
	func() {
		defer func() { _ = recover() }() // the text tells which of the two it was
		zoom.Reply("no such reply")
	}()
	if !strings.Contains(tb.text, `"no such reply"`) || !strings.Contains(tb.text, "rate-limited-daily") {
		t.Errorf("%q", tb.text)
	}
}

// A fatal keeps what a test would have ended with.
type fatal struct {
	testing.TB
	text string
}

func (f *fatal) Fatalf(format string, args ...any) { f.text = fmt.Sprintf(format, args...) }

// TestLocationOverTLS: what Content-Location names can be fetched.
func TestLocationOverTLS(t *testing.T) {
	h := zoomtest.New()
	h.AcceptToken("T")
	for scheme, start := range map[string]func(http.Handler) *httptest.Server{"http://": httptest.NewServer, "https://": httptest.NewTLSServer} {
		server := start(h)
		defer server.Close()
		r := request(form(`name="pic_file"; filename="a.png"`, "image/png", readPicture(t)))
		req, err := http.NewRequest("POST", server.URL+"/v2/users/a%20b@example.com/picture", r.Body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header = r.Header
		resp, err := server.Client().Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		location := resp.Header.Get("Content-Location")
		shown, err := server.Client().Get(location)
		if err != nil {
			t.Fatal(err)
		}
		shown.Body.Close()
		if !strings.HasPrefix(location, scheme) || shown.StatusCode != 200 {
			t.Errorf("%s: status %d", location, shown.StatusCode)
		}
	}
}
