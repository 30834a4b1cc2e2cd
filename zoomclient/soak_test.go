package zoomclient

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime"
	"mime/multipart"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// soakUploads go through the soak, a tenth of them on HTTP/2.
const soakUploads = 100_000

// A soakServer answers most requests honestly and does something else to the others. Its ledger is the oracle.
type soakServer struct {
	uploads []soakLedger // by number of the upload
	valid   atomic.Int64 // the one token that is good
	faults  [soakFaults]atomic.Int64
	seed    uint64
}

type soakLedger struct {
	mu       sync.Mutex
	requests int
	commits  [][32]byte
}

// What the server does instead of serving honestly.
const (
	cutHead         = iota // the connection ends after the request's head
	cutBody                // after a part of its body
	cutAnswer              // after the picture was stored
	cutRefusal             // within the body of a refusal
	hangs60                // the picture is stored, no answer comes
	unavailable            // 503
	badGateway             // 502 as a page
	limited                // 429 for a second
	limitedBare            // 429 without a time
	revoked                // the token is no longer good
	brokenSuccess          // 201 before the body was read, and it breaks off
	codeInSuccess          // 200 with code 300
	unknownUser            // 404
	rejectedPicture        // 400
	redirected             // 302
	soakFaults
)

func (s *soakServer) ledger(r *http.Request) *soakLedger {
	user, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/users/"), "/")
	n, err := strconv.Atoi(user)
	if err != nil {
		panic(r.URL)
	}
	return &s.uploads[n]
}

// arrive counts a request and draws what is done to it: a third suffers something.
func (s *soakServer) arrive(r *http.Request) (l *soakLedger, fault int) {
	l = s.ledger(r)
	l.mu.Lock()
	l.requests++
	random := rand.New(rand.NewPCG(s.seed, uint64(l.requests)<<32|hash(r.URL.Path)))
	l.mu.Unlock()
	fault = -1
	if random.IntN(3) == 0 {
		fault = random.IntN(soakFaults)
		s.faults[fault].Add(1)
	}
	return l, fault
}

func hash(s string) (h uint64) {
	for _, c := range []byte(s) {
		h = h*31 + uint64(c)
	}
	return h & 0xffffffff
}

func (s *soakServer) commit(l *soakLedger, r *http.Request) error {
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		return err
	}
	part, err := multipart.NewReader(r.Body, params["boundary"]).NextRawPart()
	if err != nil {
		return err
	}
	picture, err := io.ReadAll(part)
	if err != nil {
		return err
	}
	if _, err := io.Copy(io.Discard, r.Body); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.commits = append(l.commits, sha256.Sum256(picture))
	return nil
}

// ServeHTTP is the server on HTTP/2 and HTTP/1.1 alike; what ends a connection there ends a stream here.
func (s *soakServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	l, fault := s.arrive(r)
	cut := func() { panic(http.ErrAbortHandler) }
	answer := func(status int, body string, header ...string) {
		io.Copy(io.Discard, r.Body)
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
	switch fault {
	case cutHead:
		cut()
	case cutBody:
		io.CopyN(io.Discard, r.Body, 100)
		cut()
	case cutAnswer:
		s.commit(l, r)
		cut()
	case cutRefusal:
		w.Header().Set("Content-Length", "500")
		answer(http.StatusServiceUnavailable, `{"code":5`)
		cut()
	case hangs60:
		s.commit(l, r)
		<-r.Context().Done()
	case unavailable:
		answer(http.StatusServiceUnavailable, "")
	case badGateway:
		answer(http.StatusBadGateway, "<html>")
	case limited:
		answer(http.StatusTooManyRequests, `{"code":429}`, "Retry-After", "1")
	case limitedBare:
		answer(http.StatusTooManyRequests, `{"code":429}`)
	case revoked:
		sent, _ := strconv.ParseInt(strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer T"), 10, 64)
		s.valid.CompareAndSwap(sent, sent+1)
		answer(http.StatusUnauthorized, `{"code":124}`)
	case brokenSuccess:
		w.WriteHeader(http.StatusCreated)
		http.NewResponseController(w).Flush()
		time.Sleep(time.Second)
		cut()
	case codeInSuccess:
		answer(http.StatusOK, `{"code":300,"message":"no"}`)
	case unknownUser:
		answer(http.StatusNotFound, `{"code":1001}`)
	case rejectedPicture:
		answer(http.StatusBadRequest, `{"code":300}`)
	case redirected:
		answer(http.StatusFound, "", "Location", "http://127.0.0.1/elsewhere")
	default:
		if s.commit(l, r) != nil {
			cut()
		}
		answer(http.StatusCreated, "")
	}
}

// Token and Refresh make the server its own source of tokens.
func (s *soakServer) Token(context.Context) (string, error) {
	return fmt.Sprint("T", s.valid.Load()), nil
}

func (s *soakServer) Refresh(_ context.Context, rejected string) (string, error) {
	n, err := strconv.ParseInt(strings.TrimPrefix(rejected, "T"), 10, 64)
	s.valid.CompareAndSwap(n, n+1)
	return fmt.Sprint("T", s.valid.Load()), err
}

// listener makes an http.Server serve a network in memory.
type listener struct {
	conns chan *memConn
	done  chan struct{}
}

func (l *listener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}
func (l *listener) Close() error   { close(l.done); return nil }
func (l *listener) Addr() net.Addr { return memAddr{} }

// TestSoak: a hundred thousand uploads, a third of whose requests suffer a fault. Not one is lost, and what the client says
// of each is what the server knows of it.
func TestSoak(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		server := &soakServer{uploads: make([]soakLedger, soakUploads), seed: 20261125}
		listen := &listener{make(chan *memConn), make(chan struct{})}
		serve := func(c *memConn) {
			listen.conns <- c
			<-c.closed
		}
		memory := &network{dialed: map[string]int{}, open: map[*memConn]bool{}, hosts: map[string]func(*memConn){"127.0.0.1:80": serve}}
		protocols := &http.Protocols{}
		protocols.SetHTTP1(true)
		protocols.SetUnencryptedHTTP2(true)
		web := &http.Server{Handler: server, Protocols: protocols}
		go web.Serve(listen)

		newClient := func(http2 bool) *Client {
			transport, err := newTransport()
			if err != nil {
				t.Fatal(err)
			}
			transport.DialContext, transport.Proxy = memory.DialContext, nil
			transport.Protocols = &http.Protocols{}
			transport.Protocols.SetHTTP1(!http2)
			transport.Protocols.SetUnencryptedHTTP2(http2)
			client, err := New(server, WithBaseURL("http://127.0.0.1/v2"), WithHTTPClient(&http.Client{Transport: transport}), WithLimiter(nil), WithRetry(Retry{MaxAttempts: 3, MaxWait: time.Hour}))
			if err != nil {
				t.Fatal(err)
			}
			return client
		}
		clients := []*Client{newClient(true)}
		for range 9 {
			clients = append(clients, newClient(false))
		}

		pic := smallPNG(t)
		var next, succeeded, unconfirmed, failed atomic.Int64
		var workers sync.WaitGroup
		for range 64 {
			workers.Go(func() {
				for {
					n := int(next.Add(1)) - 1
					if n >= soakUploads {
						return
					}
					mine, err := NewPicture(append(bytes.Clone(pic.bytes()), strconv.Itoa(n)...))
					if err != nil {
						t.Error(err)
						return
					}
					result, err := clients[n%len(clients)].UploadPicture(t.Context(), strconv.Itoa(n), mine)
					switch {
					case err == nil:
						succeeded.Add(1)
					case errors.Is(err, ErrUnconfirmed):
						unconfirmed.Add(1)
					default:
						failed.Add(1)
					}
					server.uploads[n].hold(t, n, mine, result, err)
				}
			})
		}
		workers.Wait()
		for fault := range server.faults {
			if server.faults[fault].Load() == 0 {
				t.Errorf("fault %d never fired", fault)
			}
		}
		requests := 0
		for i := range server.uploads {
			requests += server.uploads[i].requests
		}
		t.Logf("%d uploads with %d requests: %d succeeded, %d unconfirmed, %d failed", soakUploads, requests, succeeded.Load(), unconfirmed.Load(), failed.Load())
		web.Close()
		time.Sleep(2 * time.Minute)
		if n := memory.closeAll(); n > 0 {
			t.Errorf("%d ends of connections are still open", n)
		}
	})
}

// hold compares an upload's outcome with the ledger.
func (l *soakLedger) hold(t *testing.T, n int, pic Picture, result Result, err error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, digest := range l.commits {
		if digest != pic.SHA256() {
			t.Errorf("upload %d: another picture was stored", n)
		}
	}
	if result.Attempts != l.requests {
		t.Errorf("upload %d: %d attempts, %d requests", n, result.Attempts, l.requests)
	}
	if err == nil && len(l.commits) == 0 {
		t.Errorf("upload %d: a false success", n)
	}
	if err != nil && !errors.Is(err, ErrUnconfirmed) && len(l.commits) > 0 {
		t.Errorf("upload %d: a false failure: %v", n, err)
	}
}
