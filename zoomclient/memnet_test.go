package zoomclient

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"maps"
	"net"
	"os"
	"slices"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// A network is TCP in memory: inside a synctest bubble its waits take virtual time.
type network struct {
	mu     sync.Mutex
	hosts  map[string]func(*memConn) // what serves an address; anything else is refused
	dialed map[string]int            // connections that were asked for, by address
	open   map[*memConn]bool         // ends of connections that are not closed
}

func (n *network) DialContext(_ context.Context, _, addr string) (net.Conn, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.dialed[addr]++
	serve, ok := n.hosts[addr]
	if !ok {
		return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	}
	client, server := n.pipe()
	go func() {
		defer server.Close()
		serve(server)
	}()
	return client, nil
}

func (n *network) pipe() (client, server *memConn) {
	up, down := newStream(), newStream()
	gone, goner := make(chan struct{}), make(chan struct{})
	client = &memConn{network: n, in: down, out: up, closed: gone, peerClosed: goner}
	server = &memConn{network: n, in: up, out: down, closed: goner, peerClosed: gone}
	n.open[client], n.open[server] = true, true
	return client, server
}

// closeAll ends what is still open and returns how many ends that were.
func (n *network) closeAll() int {
	n.mu.Lock()
	open := slices.Collect(maps.Keys(n.open))
	n.mu.Unlock()
	for _, c := range open {
		c.Close()
	}
	return len(open)
}

// A memConn is one end of a connection.
type memConn struct {
	network            *network
	in, out            *stream
	once               sync.Once
	closed, peerClosed chan struct{}
}

func (c *memConn) Read(p []byte) (int, error)  { return c.in.read(p) }
func (c *memConn) Write(p []byte) (int, error) { return c.out.write(p) }

// Close is FIN: the other end still reads what was sent, then the end.
func (c *memConn) Close() error { return c.end(io.EOF) }

// Reset is RST: the other end loses what it has not read.
func (c *memConn) Reset() {
	c.out.discard()
	c.end(syscall.ECONNRESET)
}

func (c *memConn) end(peerReads error) error {
	c.once.Do(func() {
		c.out.end(peerReads, net.ErrClosed)
		c.in.end(net.ErrClosed, syscall.EPIPE)
		close(c.closed)
		c.network.mu.Lock()
		delete(c.network.open, c)
		c.network.mu.Unlock()
	})
	return nil
}

func (c *memConn) SetDeadline(t time.Time) error {
	c.in.setDeadline(&c.in.readBy, t)
	c.out.setDeadline(&c.out.writeBy, t)
	return nil
}
func (c *memConn) SetReadDeadline(t time.Time) error { c.in.setDeadline(&c.in.readBy, t); return nil }
func (c *memConn) SetWriteDeadline(t time.Time) error {
	c.out.setDeadline(&c.out.writeBy, t)
	return nil
}
func (c *memConn) LocalAddr() net.Addr  { return memAddr{} }
func (c *memConn) RemoteAddr() net.Addr { return memAddr{} }

type memAddr struct{}

func (memAddr) Network() string { return "memory" }
func (memAddr) String() string  { return "memory" }

// streamBuffer is how much one direction holds before its writer waits. It is more than an HTTP/2 stream's first window: who
// waits for a writer there waits for a mutex, on which virtual time does not move.
const streamBuffer = 96 << 10

// A stream is one direction of a connection.
type stream struct {
	mu              sync.Mutex
	change          sync.Cond
	data            bytes.Buffer
	readEnd         error // what the reader gets after data
	writeEnd        error // what the writer gets
	readBy, writeBy time.Time
}

func newStream() *stream {
	s := &stream{}
	s.change.L = &s.mu
	return s
}

func (s *stream) read(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case isOver(s.readBy):
			return 0, os.ErrDeadlineExceeded
		case s.data.Len() > 0 && s.readEnd != net.ErrClosed:
			s.change.Broadcast()
			return s.data.Read(p)
		case s.readEnd != nil:
			return 0, s.readEnd
		}
		s.change.Wait()
	}
}

func (s *stream) write(p []byte) (n int, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for {
		switch {
		case s.writeEnd != nil:
			return n, s.writeEnd
		case isOver(s.writeBy):
			return n, os.ErrDeadlineExceeded
		case len(p) == 0:
			return n, nil
		}
		if room := min(streamBuffer-s.data.Len(), len(p)); room > 0 {
			s.data.Write(p[:room])
			p, n = p[room:], n+room
			s.change.Broadcast()
			continue
		}
		s.change.Wait()
	}
}

func (s *stream) end(reader, writer error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.readEnd == nil || reader == net.ErrClosed {
		s.readEnd = reader
	}
	if s.writeEnd == nil {
		s.writeEnd = writer
	}
	s.change.Broadcast()
}

func (s *stream) discard() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.data.Reset()
}

// setDeadline sets one of the stream's deadlines and wakes who waits when it comes.
func (s *stream) setDeadline(by *time.Time, t time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*by = t
	s.change.Broadcast()
	if d := time.Until(t); !t.IsZero() && d > 0 {
		time.AfterFunc(d, s.change.Broadcast)
	}
}

func isOver(t time.Time) bool { return !t.IsZero() && !time.Now().Before(t) }

// TestNetwork holds the network of the fault tests to what TCP does.
func TestNetwork(t *testing.T) {
	pipe := func() (client, server *memConn) {
		n := &network{open: map[*memConn]bool{}}
		return n.pipe()
	}
	read := func(c *memConn) string {
		data, err := io.ReadAll(c)
		return fmt.Sprintf("%s, %v", data, err)
	}
	synctest.Test(t, func(t *testing.T) {
		client, server := pipe()
		server.Write([]byte("hello"))
		server.Close()
		if got := read(client); got != "hello, <nil>" {
			t.Errorf("after FIN: %s", got)
		}
		if _, err := client.Write([]byte("x")); err != syscall.EPIPE {
			t.Errorf("a write after FIN: %v", err)
		}

		client, server = pipe()
		server.Write([]byte("hello"))
		server.Reset()
		if got := read(client); got != ", connection reset by peer" {
			t.Errorf("after RST: %s", got)
		}

		client, server = pipe()
		start := time.Now()
		client.SetDeadline(start.Add(5 * time.Second))
		if n, err := client.Write(make([]byte, streamBuffer+1)); n != streamBuffer || err != os.ErrDeadlineExceeded || time.Since(start) != 5*time.Second {
			t.Errorf("a write that nobody takes: %d bytes, %v after %v", n, err, time.Since(start))
		}
		if _, err := client.Read(make([]byte, 1)); err != os.ErrDeadlineExceeded {
			t.Errorf("a read after the deadline: %v", err)
		}
		client.Close()
		<-server.peerClosed
		if n := client.network.closeAll(); n != 1 {
			t.Errorf("%d ends are open, only the server's is", n)
		}
	})
}
