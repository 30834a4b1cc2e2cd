package main

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/json"
	"encoding/pem"
	"flag"
	"fmt"
	"io"
	"log"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"github.com/zoompic/zoompic/zoomclient/zoomtest"
)

const token = "bench-token"

// A server is the other process: a discarding server over TLS, once for each protocol, and a fake Zoom.
type server struct {
	H1, H2  string // base URLs of the discarding server: HTTP/1.1 only; HTTP/2 or 1.1
	Fake    string // base URL of the fake
	Control string // tells what the discarding server took
	cmd     *exec.Cmd
	stdin   io.Closer
}

// A tally is what the discarding server took since it was last asked.
type tally struct {
	Bytes    int64
	HTTP2    int         // how many came over it
	Arrivals []time.Time // of the requests whose body came whole, in no order
}

// startServer starts a server process. It ends with stop, or with this process. rate is the fake's limit; 0: none.
func startServer(dir string, rate int) (*server, error) {
	if err := trustCertificate(dir); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s := &server{cmd: exec.Command(self, "serve", "-dir", dir, "-rate", fmt.Sprint(rate))}
	s.cmd.Stderr = os.Stderr
	if s.stdin, err = s.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	stdout, err := s.cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := s.cmd.Start(); err != nil {
		return nil, err
	}
	line, err := bufio.NewReader(stdout).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, s)
	}
	if err != nil {
		s.stop()
		return nil, fmt.Errorf("the server did not start: %w", err)
	}
	return s, nil
}

func (s *server) stop() {
	s.stdin.Close()
	s.cmd.Wait() // how it ended says nothing about the numbers
}

// took returns what the discarding server took since the last call.
func (s *server) took() (tally, error) {
	resp, err := http.Get(s.Control)
	if err != nil {
		return tally{}, err
	}
	defer resp.Body.Close()
	var t tally
	return t, json.NewDecoder(resp.Body).Decode(&t)
}

// expect fails unless the discarding server took n pictures of size bytes since it was last asked.
func (s *server) expect(n, size int) error {
	t, err := s.took()
	if err == nil && (len(t.Arrivals) != n || t.Bytes < int64(n*size)) {
		err = fmt.Errorf("the server took %d uploads with %d bytes, not %d of %d", len(t.Arrivals), t.Bytes, n, size)
	}
	return err
}

// serve is the server's process. It ends when its standard input does.
func serve(args []string) error {
	flags := flag.NewFlagSet("serve", flag.ExitOnError)
	dir := flags.String("dir", "", "where the certificate is")
	rate := flags.Int("rate", 0, "the fake's limit")
	flags.Parse(args)

	cert, err := tls.LoadX509KeyPair(certFile(*dir), keyFile(*dir))
	if err != nil {
		return err
	}
	discard := &discarder{}
	fake := zoomtest.New()
	fake.AcceptToken(token)
	fake.RateLimit(*rate)

	var s server
	for _, l := range []struct {
		url       *string
		handler   http.Handler
		scheme    string
		path      string
		protocols []string
	}{
		{&s.H1, discard, "https", "/v2", []string{"http/1.1"}},
		{&s.H2, discard, "https", "/v2", []string{"h2", "http/1.1"}},
		{&s.Fake, fake, "http", "/v2", nil},
		{&s.Control, http.HandlerFunc(discard.tell), "http", "/", nil},
	} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		*l.url = l.scheme + "://" + listener.Addr().String() + l.path
		srv := &http.Server{Handler: l.handler, ErrorLog: log.New(io.Discard, "", 0)} // of handshakes that a client gave up
		if l.scheme == "https" {
			srv.TLSConfig = &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: l.protocols}
			if len(l.protocols) == 1 {
				srv.Protocols = new(http.Protocols)
				srv.Protocols.SetHTTP1(true)
			}
			go srv.ServeTLS(listener, "", "")
		} else {
			go srv.Serve(listener)
		}
	}
	if err := json.NewEncoder(os.Stdout).Encode(s); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

// A discarder takes every picture, as Zoom would, and keeps only when and how many bytes.
type discarder struct {
	mu    sync.Mutex
	tally tally
}

func (d *discarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	arrival := time.Now()
	n, err := io.Copy(io.Discard, r.Body)
	if err != nil || n != r.ContentLength && r.ContentLength >= 0 {
		return
	}
	d.mu.Lock()
	d.tally.Bytes += n
	d.tally.HTTP2 += r.ProtoMajor - 1 // 1 or 2
	d.tally.Arrivals = append(d.tally.Arrivals, arrival)
	d.mu.Unlock()
	w.Header().Set("Content-Location", "https://example.com/picture")
	w.WriteHeader(http.StatusCreated)
}

func (d *discarder) tell(w http.ResponseWriter, _ *http.Request) {
	d.mu.Lock()
	defer d.mu.Unlock()
	json.NewEncoder(w).Encode(d.tally)
	d.tally = tally{}
}

func certFile(dir string) string { return filepath.Join(dir, "cert.pem") }
func keyFile(dir string) string  { return filepath.Join(dir, "key.pem") }

// trustCertificate makes a certificate for loopback and lets this process, and those it starts, trust it.
func trustCertificate(dir string) error {
	if os.Getenv("SSL_CERT_FILE") == certFile(dir) {
		return nil
	}
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		Subject:               pkix.Name{CommonName: "zoompic bench"},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IPAddresses:           []net.IP{net.IPv4(127, 0, 0, 1)},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return err
	}
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	if err := writePEM(certFile(dir), "CERTIFICATE", cert); err != nil {
		return err
	}
	if err := writePEM(keyFile(dir), "PRIVATE KEY", der); err != nil {
		return err
	}
	for _, name := range []string{"SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"} { // Go's and Node's; curl gets a flag
		if err := os.Setenv(name, certFile(dir)); err != nil {
			return err
		}
	}
	return nil
}

func writePEM(path, kind string, der []byte) error {
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
