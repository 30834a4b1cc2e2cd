package zoomclient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// An effect is what one firing of a fault means to an upload.
type effect struct {
	success bool // it is one all the same
	final   bool // nothing is tried after it
	status  int  // of the *Error; 0: no answer
	whole   bool // no answer, but every byte was taken: the picture may have been set
	lasts   time.Duration
	matches error
}

var (
	lost        = effect{}
	unconfirmed = effect{whole: true}
)

func after(e effect, d time.Duration) effect { e.lasts = d; return e }
func retried(status int) effect              { return effect{status: status} }
func final(status int, matches error) effect {
	return effect{status: status, final: true, matches: matches}
}

// A faultCase is one line of the matrix: the fault strikes count times in a row.
type faultCase struct {
	protocol string
	endpoint string // picture or token
	warm     bool   // on a connection that has served a request
	small    bool   // a picture that is sent from one buffer
	fault    fault
	count    int
	want     effect
}

func (c faultCase) String() string {
	name := fmt.Sprintf("%s/%s/%s/%s", c.endpoint, c.protocol, c.fault.stage, c.fault.action)
	switch c.fault.action {
	case answers1:
		name += fmt.Sprintf(" %d", c.fault.reply.status)
	case resetStream, goAway, goAwayAfter:
		name += " " + c.fault.code.String()
	}
	if c.fault.reply.body != "" || len(c.fault.reply.header) > 0 {
		name += " " + clean(fmt.Sprint(c.fault.reply.header, c.fault.reply.body), 60)
	}
	if c.fault.stage == atBody {
		name += fmt.Sprintf(" at %d", c.fault.after)
	}
	if c.fault.commit {
		name += ", stored"
	}
	if c.fault.then != "" {
		name += ", then " + string(c.fault.then)
	}
	if c.warm {
		name += ", warm"
	}
	if c.small {
		name += ", small"
	}
	return fmt.Sprintf("%s/x%d", name, c.count)
}

const (
	http1, http2Name = "HTTP1", "HTTP2"

	stallLasts = stallTimeout
	deadLasts  = 15 * time.Second // until pings find an HTTP/2 connection dead
	whole      = time.Minute      // AttemptTimeout
)

// A world is a client and all the servers that it can reach, in memory.
type world struct {
	t              *testing.T
	network        *network
	transport      *http.Transport
	picture, token *faultServer
	client         *Client
	log            bytes.Buffer
	file           testPicture
}

const canaryPath = "canary-path-5Tn8"

// A testPicture is a file in a folder whose name is a secret. TestMain removes it.
type testPicture struct {
	path   string
	digest [32]byte
}

var (
	smallPicture = sync.OnceValues(func() (testPicture, error) { return writePicture("small.jpg", 0) })
	// largePictureFile is more than what the buffers of a connection hold.
	largePictureFile = sync.OnceValues(func() (testPicture, error) { return writePicture("large.jpg", 300_000) })
)

func writePicture(name string, more int) (testPicture, error) {
	data, err := os.ReadFile("../examples/ada.jpg")
	if err != nil {
		return testPicture{}, err
	}
	data = append(data, bytes.Repeat([]byte("x"), more)...)
	path := filepath.Join(pictureFolder, canaryPath, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return testPicture{}, err
	}
	return testPicture{path, sha256.Sum256(data)}, os.WriteFile(path, data, 0o600)
}

var pictureFolder string

func TestMain(m *testing.M) {
	folder, err := os.MkdirTemp("", "zoompic")
	if err != nil {
		log.Fatal(err)
	}
	pictureFolder = folder
	code := m.Run()
	os.RemoveAll(folder)
	os.Exit(code)
}

func newWorld(t *testing.T, protocol string, opts ...Option) *world {
	t.Helper()
	w := &world{t: t}
	var err error
	serves := func(answer func(*faultServer, *http.Request, []byte) reply) *faultServer {
		return &faultServer{t: t, answer: answer}
	}
	issued := 0
	w.token = serves(func(_ *faultServer, req *http.Request, body []byte) reply {
		if id, secret, _ := basicAuth(req); id != "client" || secret != canarySecret || string(body) != "account_id=account&grant_type=account_credentials" {
			t.Errorf("the token endpoint was sent %s with %s", req.Header, body)
		}
		issued++
		return reply{200, []string{"Content-Type", "application/json"}, fmt.Sprintf(`{"access_token":"%s-%d","expires_in":3599}`, canaryToken, issued)}
	})
	w.picture = serves(func(s *faultServer, req *http.Request, body []byte) reply {
		if req.URL.Path != "/v2/users/ada@example.com/picture" || req.Method != http.MethodPost {
			t.Errorf("the picture endpoint was sent %s %s", req.Method, req.URL)
		}
		if !strings.HasPrefix(req.Header.Get("Authorization"), "Bearer "+canaryToken) {
			t.Errorf("the picture came with %s", req.Header)
		}
		s.store(req, body)
		return created
	})
	w.network = &network{dialed: map[string]int{}, open: map[*memConn]bool{}, hosts: map[string]func(*memConn){
		"api.zoom.us:443": w.picture.serve, "zoom.us:443": w.token.serve,
	}}

	t.Cleanup(func() { // after a failure
		w.network.closeAll()
		time.Sleep(time.Hour)
	})

	w.transport, err = newTransport()
	if err != nil {
		t.Fatal(err)
	}
	w.transport.DialContext = w.network.DialContext
	w.transport.Proxy = nil
	w.transport.TLSClientConfig.RootCAs = certificates().roots
	w.transport.TLSClientConfig.CurvePreferences = quickCurves
	if protocol == http1 {
		w.transport.Protocols = &http.Protocols{}
		w.transport.Protocols.SetHTTP1(true)
	}
	logger := slog.New(slog.NewJSONHandler(&w.log, &slog.HandlerOptions{Level: slog.LevelDebug - 8}))
	standard := &http.Client{Transport: w.transport}
	opts = append([]Option{WithHTTPClient(standard), WithLimiter(nil), WithLogger(logger)}, opts...)
	w.client, err = New(&ServerToServer{AccountID: "account", ClientID: "client", ClientSecret: canarySecret, HTTPClient: standard}, opts...)
	if err != nil {
		t.Fatal(err)
	}

	w.file, err = largePictureFile()
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func basicAuth(req *http.Request) (string, string, bool) { return req.BasicAuth() }

func (w *world) upload(ctx context.Context) (Result, error) {
	return w.client.UploadFile(ctx, "ada@example.com", w.file.path)
}

// settle waits until the transport has given up its idle connections, and what it found dead. Nothing may be left then, no
// connection and, synctest sees to it, no goroutine.
func (w *world) settle() {
	time.Sleep(2 * time.Minute)
	synctest.Wait()
	if n := w.network.closeAll(); n != 0 {
		w.t.Errorf("%d ends of connections are still open", n)
	}
}

// holdLedger compares what the client says with what the servers saw. It holds under every fault.
func (w *world) holdLedger(result Result, err error) {
	w.t.Helper()
	synctest.Wait() // for what the servers still write down
	for _, digest := range w.picture.commits {
		if digest != w.file.digest {
			w.t.Error("another picture was stored")
		}
	}
	switch {
	case err == nil && len(w.picture.commits) == 0:
		w.t.Error("a false success: nothing was stored")
	case err != nil && !errors.Is(err, ErrUnconfirmed) && len(w.picture.commits) > 0:
		w.t.Errorf("a false failure: the picture was stored, and the error does not say that this may be: %v", err)
	}
	if result.Attempts != w.picture.arrived {
		w.t.Errorf("%d attempts by the result, %d on the wire", result.Attempts, w.picture.arrived)
	}
	for e := err; e != nil; e = unwrapOnce(e) {
		findCanary(w.t, printed(e))
	}
	findCanary(w.t, printed(result))
	findCanary(w.t, w.log.String())
	if strings.Contains(w.picture.received.String()+w.token.received.String(), canaryPath) {
		w.t.Error("the picture's path was sent")
	}
	for addr := range w.network.dialed {
		if addr != "api.zoom.us:443" && addr != "zoom.us:443" {
			w.t.Errorf("%s was dialed", addr)
		}
	}
}

// backoffs are the bounds of n delays in a row.
func backoffs(n int, shortest time.Duration) (least, most time.Duration) {
	lo, hi := 500*time.Millisecond, time.Second
	for range n {
		least += max(lo, shortest)
		most += max(hi, shortest)
		lo, hi = min(lo*2, 15*time.Second), min(hi*2, 30*time.Second)
	}
	return least, most
}

// TestFaultMatrix strikes every fault at every stage, on both protocols, and holds each upload to what the servers saw.
func TestFaultMatrix(t *testing.T) {
	cases := slices.Concat(pictureCases(), tokenCases(), redirectCases())
	if len(cases) < 300 {
		t.Fatalf("only %d cases", len(cases))
	}
	log.SetOutput(io.Discard) // net/http says what garbage it was sent
	t.Cleanup(func() { log.SetOutput(os.Stderr) })
	for _, c := range cases {
		t.Run(c.String(), func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) { c.run(t) })
		})
	}
}

func (c faultCase) run(t *testing.T) {
	w := newWorld(t, c.protocol)
	if c.small {
		var err error
		if w.file, err = smallPicture(); err != nil {
			t.Fatal(err)
		}
	}
	struck := w.picture
	if c.endpoint == "token" {
		struck = w.token
	}
	if c.warm {
		if _, err := w.upload(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		w.picture.arrived, w.picture.commits, w.token.arrived = 0, nil, 0
	}
	struck.plan = slices.Repeat([]fault{c.fault}, c.count)
	start := time.Now()
	result, err := w.upload(t.Context())
	spent := time.Since(start)

	w.holdLedger(result, err)
	if struck.fired != c.count {
		t.Fatalf("the fault fired %d times: %v", struck.fired, err)
	}
	c.holdOutcome(t, w, result, err, spent)
	w.settle()
}

// holdOutcome compares with what was foretold: success or which failure, attempts on the wire, time, pictures stored.
func (c faultCase) holdOutcome(t *testing.T, w *world, result Result, err error, spent time.Duration) {
	const maxAttempts = 5
	recovers := !c.want.final && !c.want.success && c.count < maxAttempts
	attempts, commits := c.count, 0
	if c.fault.commit {
		commits = c.count
	}
	delays := c.count - 1
	if recovers {
		attempts, commits, delays = attempts+1, commits+1, c.count
	}
	shortest := time.Duration(0)
	if c.endpoint == "token" { // whose failures cost no request for the picture
		attempts, commits, shortest = 0, 0, holdFailure
		if recovers {
			attempts, commits = 1, 1
		}
	}
	least, most := backoffs(delays, shortest)
	least, most = least+c.want.lasts*time.Duration(c.count), most+c.want.lasts*time.Duration(c.count)
	most += time.Duration(c.count) * time.Second // an unanswered Expect
	if success := recovers || c.want.success; success != (err == nil) {
		t.Fatalf("success should be %v: %v", success, err)
	}
	if result.Attempts != attempts || len(w.picture.commits) != commits {
		t.Errorf("%d attempts and %d pictures stored, want %d and %d", result.Attempts, len(w.picture.commits), attempts, commits)
	}
	if spent < least || spent > most {
		t.Errorf("took %v, want %v to %v", spent, least, most)
	}
	if err == nil {
		return
	}
	answer, answered := errors.AsType[*Error](err)
	if answered != (c.want.status != 0) || answered && (answer.StatusCode != c.want.status || answer.Attempts != attempts) {
		t.Errorf("answer %+v, want status %d: %v", answer, c.want.status, err)
	}
	if got := errors.Is(err, ErrUnconfirmed); got != c.want.whole {
		t.Errorf("unconfirmed: %v, want %v: %v", got, c.want.whole, err)
	}
	if c.want.matches != nil && !errors.Is(err, c.want.matches) {
		t.Errorf("%v does not match %v", err, c.want.matches)
	}
	if (c.endpoint == "token") != errors.Is(err, ErrToken) {
		t.Errorf("%v: it matches ErrToken: %v", err, errors.Is(err, ErrToken))
	}
	if errors.Is(err, context.DeadlineExceeded) || errors.Is(err, context.Canceled) {
		t.Errorf("%v matches a context's error; the caller's has not ended", err)
	}
	if text := err.Error(); !strings.HasPrefix(text, "zoom: ") || strings.ContainsAny(text, "\r\n") {
		t.Errorf("message %q", text)
	}
}
