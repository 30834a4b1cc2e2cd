package zoomclient

import (
	"bufio"
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"math/big"
	"mime"
	"mime/multipart"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// A stage is the point of an exchange at which a fault strikes, in the order in which they are passed.
type stage string

const (
	atAccept    stage = "accept"    // the connection is open
	atHandshake stage = "handshake" // the client's first TLS message is there
	atOpen      stage = "open"      // TLS is done
	atHead      stage = "head"      // the head of the request was read
	atBody      stage = "body"      // some of its body was read
	atBodyEnd   stage = "body end"  // all of it was read
	atStatus    stage = "status"    // within the answer's first bytes
	atHeaders   stage = "headers"   // within its header
	atAnswer    stage = "answer"    // within its body
)

// An action is what a fault does.
type action string

const (
	fin         action = "FIN"
	rst         action = "RST"
	hang        action = "hang"    // nothing is read or written any more
	silence     action = "silence" // HTTP/2: the connection lives on, the stream does not
	trickle     action = "trickle" // the rest comes a byte every five seconds
	garbage     action = "garbage"
	flood       action = "1xx flood"
	answers1    action = "answer"
	goAway      action = "GOAWAY"          // this stream is disclaimed, the connection closed
	goAwayAfter action = "GOAWAY after"    // this stream is still served
	resetStream action = "RST_STREAM"      // with the fault's code
	alert       action = "alert"           // TLS
	stranger    action = "unknown issuer"  // a certificate
	expired     action = "expired"         // a certificate
	misnamed    action = "of another host" // a certificate
)

// A fault is what the server does to one exchange.
type fault struct {
	stage  stage
	action action
	after  int           // atBody: so many bytes are read first; negative: all but so many
	code   http2.ErrCode // resetStream, goAway
	reply  reply         // answers1, and what atStatus, atHeaders and atAnswer break off
	then   action        // after an early answer: "" reads on, fin, rst, hang
	commit bool          // the picture is stored although the client may not learn of it
}

type reply struct {
	status int
	header []string // names and values
	body   string
}

var created = reply{201, []string{"Content-Location", "https://api.zoom.us/p/1", "Content-Type", "text/plain"}, ""}

// A faultServer serves one host by the script of its faults, and honestly after that. Its ledger is the oracle of the tests.
type faultServer struct {
	t      *testing.T
	answer func(*faultServer, *http.Request, []byte) reply // the honest one

	mu       sync.Mutex
	plan     []fault
	fired    int
	arrived  int // requests, or connections that ended before one
	whole    int // requests whose body was read to its end
	commits  [][32]byte
	received bytes.Buffer // the heads, as far as they were parsed
}

// next returns the fault of the exchange that begins, if it strikes at one of the stages; else the plan stays as it is.
func (s *faultServer) next(stages ...stage) (fault, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.plan) == 0 {
		return fault{}, false
	}
	for _, at := range stages {
		if s.plan[0].stage == at {
			f := s.plan[0]
			s.plan = s.plan[1:]
			s.arrived++
			return f, true
		}
	}
	return fault{}, false
}

// arrive notes a request and returns its fault; one without a stage is honest service.
func (s *faultServer) arrive(req *http.Request) fault {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.arrived++
	fmt.Fprintln(&s.received, req.Method, req.URL, req.Header)
	if len(s.plan) == 0 {
		return fault{}
	}
	f := s.plan[0]
	s.plan = s.plan[1:]
	return f
}

func (s *faultServer) fire() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fired++
}

func (s *faultServer) sawWhole() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.whole++
}

// store keeps the picture of a form; a broken form is the client's fault and fails the test.
func (s *faultServer) store(req *http.Request, body []byte) {
	_, params, err := mime.ParseMediaType(req.Header.Get("Content-Type"))
	if err != nil {
		s.t.Error(err)
		return
	}
	part, err := multipart.NewReader(bytes.NewReader(body), params["boundary"]).NextRawPart()
	if err != nil {
		s.t.Error(err)
		return
	}
	digest := sha256.New()
	_, err = io.Copy(digest, part)
	if err != nil || part.FormName() != partName {
		s.t.Errorf("the part %q: %v", part.FormName(), err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.commits = append(s.commits, [32]byte(digest.Sum(nil)))
}

// serve is one connection.
func (s *faultServer) serve(raw *memConn) {
	if f, ok := s.next(atAccept); ok {
		s.fire()
		strike(raw, raw, f, []byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
		return
	}
	f, faulty := s.next(atHandshake)
	if faulty && f.action != stranger && f.action != expired && f.action != misnamed && f.action != alert && f.action != trickle {
		if _, err := io.ReadFull(raw, make([]byte, 5)); err == nil {
			s.fire()
		}
		strike(raw, raw, f, []byte("\x16\x03\x03\x00\x04nope"))
		return
	}
	conn := tls.Server(raw, tlsConfig(f.action))
	if faulty && f.action == trickle {
		conn = tls.Server(&slowConn{raw}, tlsConfig(""))
	}
	if faulty {
		s.fire()
	}
	if err := conn.Handshake(); err != nil {
		return
	}
	if faulty { // TLS 1.3: the server is done before the client has looked at the certificate
		io.Copy(io.Discard, conn)
		return
	}
	if f, ok := s.next(atOpen); ok {
		s.fire()
		strike(conn, raw, f, []byte("nonsense\r\n\r\n"))
		return
	}
	if conn.ConnectionState().NegotiatedProtocol == "h2" {
		s.serveHTTP2(conn, raw)
	} else {
		s.serveHTTP1(conn, raw)
	}
}

// slowConn writes a byte every five seconds.
type slowConn struct{ *memConn }

func (c *slowConn) Write(p []byte) (int, error) {
	for i := range p {
		time.Sleep(5 * time.Second)
		if _, err := c.memConn.Write(p[i : i+1]); err != nil {
			return i, err
		}
	}
	return len(p), nil
}

// strike does what any connection can suffer; rest is what was still to be written.
func strike(conn io.Writer, raw *memConn, f fault, rest []byte) {
	time.Sleep(time.Millisecond) // in virtual time: the client has read what was written before
	switch f.action {
	case fin:
		raw.Close()
	case rst:
		raw.Reset()
	case hang:
		<-raw.peerClosed
	case trickle:
		for i := range rest {
			time.Sleep(5 * time.Second)
			if _, err := conn.Write(rest[i : i+1]); err != nil {
				return
			}
		}
		<-raw.peerClosed
	case garbage:
		conn.Write([]byte("\x00\xffgarbage: \r\nthat no parser takes\r\n\r\n\x00\x00\xff\xff\x09\x09\x09\x09"))
		raw.Close()
	default:
		panic("no such action here: " + f.action)
	}
}

// An exchange is one request and its answer, on either protocol.
type exchange interface {
	proceed() error                      // says 100 Continue, if that is awaited
	take(n int) ([]byte, error)          // reads n bytes of the body at least, or with a negative n all of it
	encode(reply) (data []byte, cut cut) // an answer's bytes, and where its parts are broken off
	strikeStream(fault) bool             // what only HTTP/2 suffers; false: not of this kind
	informational() []byte               // one 1xx answer
}

type cut map[stage]int

var errOver = errors.New("the connection is over")

// run is the exchange under its fault. nil means that the connection goes on.
func (s *faultServer) run(x exchange, conn io.Writer, raw *memConn, req *http.Request) error {
	f := s.arrive(req)
	hit := func(rest []byte) error {
		s.fire()
		switch {
		case f.action == answers1:
			data, _ := x.encode(f.reply)
			if _, err := conn.Write(data); err != nil {
				return err
			}
			if f.then == "" {
				if f.stage == atHead || f.stage == atBody {
					time.Sleep(time.Millisecond) // in virtual time: the client has seen the answer
					x.take(-1)
				}
				return nil
			}
			if f.then == hang && x.strikeStream(fault{action: silence}) || x.strikeStream(fault{action: f.then}) {
				return nil
			}
			strike(conn, raw, fault{action: f.then}, nil)
			return errOver
		case f.action == flood:
			for range 10_000 { // far beyond what a client may put up with
				if _, err := conn.Write(x.informational()); err != nil {
					return err
				}
			}
			return nil
		case x.strikeStream(f):
			return nil
		}
		strike(conn, raw, f, rest)
		return errOver
	}
	if f.stage == atHead {
		return hit(nil)
	}
	if err := x.proceed(); err != nil {
		return err
	}
	if f.stage == atBody {
		n := f.after
		if n < 0 {
			n += int(req.ContentLength)
		}
		if _, err := x.take(n); err != nil {
			return err
		}
		return hit(nil)
	}
	body, err := x.take(-1)
	if err != nil {
		return err
	}
	s.sawWhole()
	reply := f.reply
	if f.stage == "" {
		reply = s.answer(s, req, body)
	}
	if f.commit {
		s.store(req, body)
	}
	if f.stage == atBodyEnd {
		return hit(nil)
	}
	data, cut := x.encode(reply)
	if f.stage == "" {
		_, err := conn.Write(data)
		return err
	}
	at := cut[f.stage]
	if _, err := conn.Write(data[:at]); err != nil {
		return err
	}
	return hit(data[at:])
}

// serveHTTP1 serves one request after the other.
func (s *faultServer) serveHTTP1(conn *tls.Conn, raw *memConn) {
	in := bufio.NewReader(conn)
	for {
		req, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		if err := s.run(&exchange1{conn, req}, conn, raw, req); err != nil {
			return
		}
	}
}

type exchange1 struct {
	conn io.Writer
	req  *http.Request
}

func (x *exchange1) proceed() error {
	if x.req.Header.Get("Expect") == "" {
		return nil
	}
	_, err := io.WriteString(x.conn, "HTTP/1.1 100 Continue\r\n\r\n")
	return err
}

func (x *exchange1) take(n int) ([]byte, error) {
	if n < 0 {
		n = int(x.req.ContentLength)
	}
	body := make([]byte, n)
	_, err := io.ReadFull(x.req.Body, body)
	return body, err
}

func (x *exchange1) encode(r reply) ([]byte, cut) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "HTTP/1.1 %d %s\r\n", r.status, http.StatusText(r.status))
	headers := b.Len() + 3
	for i := 0; i < len(r.header); i += 2 {
		fmt.Fprintf(&b, "%s: %s\r\n", r.header[i], r.header[i+1])
	}
	if !hasHeader(r, "Content-Length") && !hasHeader(r, "Transfer-Encoding") && r.status != http.StatusNoContent && r.status != http.StatusNotModified {
		fmt.Fprintf(&b, "Content-Length: %d\r\n", len(r.body))
	}
	b.WriteString("\r\n")
	answer := b.Len() + len(r.body)/2
	b.WriteString(r.body)
	return b.Bytes(), cut{atStatus: len("HTTP/1.1 2"), atHeaders: headers, atAnswer: answer}
}

func (x *exchange1) strikeStream(fault) bool { return false }
func (x *exchange1) informational() []byte {
	return []byte("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n")
}

func hasHeader(r reply, name string) bool {
	for i := 0; i < len(r.header); i += 2 {
		if strings.EqualFold(r.header[i], name) {
			return true
		}
	}
	return false
}

// serveHTTP2 serves one stream after the other: the tests of faults send nothing at the same time.
func (s *faultServer) serveHTTP2(conn *tls.Conn, raw *memConn) {
	if _, err := io.ReadFull(conn, make([]byte, len(http2.ClientPreface))); err != nil {
		return
	}
	frames := &framer{Framer: http2.NewFramer(conn, conn)}
	frames.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	if frames.WriteSettings() != nil {
		return
	}
	var headers bytes.Buffer
	encoder := hpack.NewEncoder(&headers)
	for {
		x := &exchange2{frames: frames, raw: raw, headers: &headers, encoder: encoder}
		req, err := x.open()
		if err != nil {
			return
		}
		if err := s.run(x, conn, raw, req); err != nil && err != errStreamReset {
			return
		}
	}
}

// A framer can give back the head of the next request.
type framer struct {
	*http2.Framer
	held http2.Frame
}

func (f *framer) ReadFrame() (http2.Frame, error) {
	if frame := f.held; frame != nil {
		f.held = nil
		return frame, nil
	}
	return f.Framer.ReadFrame()
}

type exchange2 struct {
	frames  *framer
	raw     *memConn
	headers *bytes.Buffer
	encoder *hpack.Encoder

	stream uint32
	expect bool
	ended  bool // the request is whole
	body   []byte
}

var errStreamReset = errors.New("the client sends no more of this request")

// open waits for the head of a request.
func (x *exchange2) open() (*http.Request, error) {
	for {
		frame, err := x.frames.ReadFrame()
		if err != nil {
			return nil, err
		}
		head, ok := frame.(*http2.MetaHeadersFrame)
		if !ok {
			if err := x.handle(frame); err != nil && err != errStreamReset {
				return nil, err
			}
			continue
		}
		x.stream, x.ended = head.StreamID, head.StreamEnded()
		req, err := http.NewRequest(head.PseudoValue("method"), "https://"+head.PseudoValue("authority")+head.PseudoValue("path"), nil)
		if err != nil {
			return nil, err
		}
		for _, field := range head.RegularFields() {
			req.Header.Add(field.Name, field.Value)
		}
		req.ContentLength, _ = strconv.ParseInt(req.Header.Get("Content-Length"), 10, 64)
		x.body = make([]byte, 0, req.ContentLength)
		x.expect = req.Header.Get("Expect") != ""
		return req, nil
	}
}

// handle does what every frame asks for.
func (x *exchange2) handle(frame http2.Frame) error {
	switch frame := frame.(type) {
	case *http2.SettingsFrame:
		if !frame.IsAck() {
			return x.frames.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !frame.IsAck() {
			return x.frames.WritePing(true, frame.Data)
		}
	case *http2.RSTStreamFrame:
		if frame.StreamID == x.stream {
			return errStreamReset
		}
	case *http2.MetaHeadersFrame: // the next request
		x.frames.held = frame
		return errStreamReset
	case *http2.DataFrame:
		if n := uint32(frame.Length); n > 0 {
			if err := x.frames.WriteWindowUpdate(0, n); err != nil {
				return err
			}
			if frame.StreamID == x.stream && !frame.StreamEnded() {
				if err := x.frames.WriteWindowUpdate(x.stream, n); err != nil {
					return err
				}
			}
		}
		if frame.StreamID == x.stream {
			x.body = append(x.body, frame.Data()...)
			x.ended = frame.StreamEnded()
		}
	}
	return nil
}

func (x *exchange2) proceed() error {
	if !x.expect {
		return nil
	}
	x.expect = false
	return x.writeHeaders(false, 100)
}

func (x *exchange2) take(n int) ([]byte, error) {
	for !x.ended && (n < 0 || len(x.body) < n) {
		frame, err := x.frames.ReadFrame()
		if err != nil {
			return nil, err
		}
		if err := x.handle(frame); err != nil {
			return nil, err
		}
	}
	return x.body, nil
}

func (x *exchange2) writeHeaders(end bool, status int, header ...string) error {
	return x.frames.WriteHeaders(http2.HeadersFrameParam{StreamID: x.stream, BlockFragment: x.block(status, header...), EndHeaders: true, EndStream: end})
}

func (x *exchange2) block(status int, header ...string) []byte {
	x.headers.Reset()
	x.encoder.WriteField(hpack.HeaderField{Name: ":status", Value: strconv.Itoa(status)})
	for i := 0; i < len(header); i += 2 {
		x.encoder.WriteField(hpack.HeaderField{Name: strings.ToLower(header[i]), Value: header[i+1]})
	}
	return bytes.Clone(x.headers.Bytes())
}

func (x *exchange2) encode(r reply) ([]byte, cut) {
	var b bytes.Buffer
	frames := http2.NewFramer(&b, nil)
	block := x.block(r.status, r.header...)
	frames.WriteHeaders(http2.HeadersFrameParam{StreamID: x.stream, BlockFragment: block, EndHeaders: true, EndStream: r.body == ""})
	cut := cut{atStatus: 5, atHeaders: 9 + len(block)/2, atAnswer: b.Len()}
	for body, frame := []byte(r.body), min(len(r.body)/2, 16<<10); len(body) > 0; {
		n := max(1, min(len(body), frame))
		frames.WriteData(x.stream, n == len(body), body[:n])
		if len(body) == len(r.body) {
			cut[atAnswer] = b.Len() // between two frames: only the answer is broken off there, not the connection's framing
		}
		body = body[n:]
	}
	return b.Bytes(), cut
}

func (x *exchange2) strikeStream(f fault) bool {
	switch f.action {
	case resetStream:
		x.frames.WriteRSTStream(x.stream, f.code)
	case goAway:
		x.frames.WriteGoAway(x.stream-1, f.code, nil)
		x.raw.Close()
	case goAwayAfter:
		x.frames.WriteGoAway(x.stream, f.code, nil)
		x.writeHeaders(true, 201)
	case silence:
		for {
			frame, err := x.frames.ReadFrame()
			if err != nil {
				return true
			}
			switch frame := frame.(type) {
			case *http2.PingFrame:
				x.frames.WritePing(true, frame.Data)
			case *http2.DataFrame:
				x.frames.WriteWindowUpdate(0, frame.Length) // the connection's; the stream gets no more
			case *http2.RSTStreamFrame:
				return true
			case *http2.MetaHeadersFrame:
				x.frames.held = frame
				return true
			}
		}
	default:
		return false
	}
	return true
}

func (x *exchange2) informational() []byte {
	var b bytes.Buffer
	http2.NewFramer(&b, nil).WriteHeaders(http2.HeadersFrameParam{StreamID: x.stream, BlockFragment: x.block(103, "link", "</x>"), EndHeaders: true})
	return b.Bytes()
}

// The certificates of the tests. Virtual time begins in 2000.
var certificates = sync.OnceValue(func() (c struct {
	roots *x509.CertPool
	by    map[action]tls.Certificate
}) {
	year := func(y int) time.Time { return time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC) }
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	issue := func(parent *x509.Certificate, parentKey *ecdsa.PrivateKey, until time.Time, names ...string) (*x509.Certificate, *ecdsa.PrivateKey) {
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		must(err)
		template := &x509.Certificate{
			SerialNumber: big.NewInt(1), NotBefore: year(1990), NotAfter: until, DNSNames: names,
			IsCA: parent == nil, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		}
		if parent == nil {
			parent, parentKey = template, key
		}
		der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, parentKey)
		must(err)
		cert, err := x509.ParseCertificate(der)
		must(err)
		return cert, key
	}
	authority, authorityKey := issue(nil, nil, year(2100))
	other, otherKey := issue(nil, nil, year(2100))
	c.roots = x509.NewCertPool()
	c.roots.AddCert(authority)
	c.by = map[action]tls.Certificate{}
	add := func(name action, cert *x509.Certificate, key *ecdsa.PrivateKey) {
		c.by[name] = tls.Certificate{Certificate: [][]byte{cert.Raw}, PrivateKey: key, Leaf: cert}
	}
	hosts := []string{"zoom.us", "*.zoom.us", "elsewhere.example"}
	cert, key := issue(authority, authorityKey, year(2100), hosts...)
	add("", cert, key)
	cert, key = issue(other, otherKey, year(2100), hosts...)
	add(stranger, cert, key)
	cert, key = issue(authority, authorityKey, year(1999), hosts...)
	add(expired, cert, key)
	cert, key = issue(authority, authorityKey, year(2100), "elsewhere.example")
	add(misnamed, cert, key)
	return c
})

func tlsConfig(what action) *tls.Config {
	if what == alert {
		return &tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, errors.New("none") }}
	}
	return &tls.Config{
		Certificates:     []tls.Certificate{certificates().by[what]},
		NextProtos:       []string{"h2", "http/1.1"},
		CurvePreferences: quickCurves,
	}
}

// quickCurves save time: handshakes are made some thousand times.
var quickCurves = []tls.CurveID{tls.X25519}
