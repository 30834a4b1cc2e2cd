package zoomtest

import (
	"net"
	"net/http"

	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/testdata/recorded"
)

// TB is what NewServer needs of a *testing.T, *testing.B or *testing.F.
type TB interface {
	Helper()
	Cleanup(func())
	Fatalf(format string, args ...any)
}

// A Server is a running fake, reached by real HTTP on loopback.
type Server struct {
	*Handler
	URL      string // the base URL, which ends in /v2
	TokenURL string

	tb TB
}

// NewServer starts a fake that is closed with the test. Only users exist, besides [zoomclient.Me]; without users everybody does.
func NewServer(tb TB, users ...string) *Server {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatalf("zoomtest: %v", err)
	}
	handler := New(users...)
	server := &http.Server{Handler: handler}
	go server.Serve(listener)
	tb.Cleanup(func() { server.Close() })
	origin := "http://" + listener.Addr().String()
	return &Server{Handler: handler, URL: origin + "/v2", TokenURL: origin + "/oauth/token", tb: tb}
}

// Client returns a client of this fake with a token of its own, not paced. Options given here come last.
func (s *Server) Client(opts ...zoomclient.Option) *zoomclient.Client {
	s.tb.Helper()
	tokens := &zoomclient.ServerToServer{AccountID: AccountID, ClientID: ClientID, ClientSecret: ClientSecret, TokenURL: s.TokenURL}
	opts = append([]zoomclient.Option{zoomclient.WithBaseURL(s.URL), zoomclient.WithLimiter(nil)}, opts...)
	client, err := zoomclient.New(tokens, opts...)
	if err != nil {
		s.tb.Fatalf("zoomtest: %v", err)
	}
	return client
}

// Reply is [Handler.Reply], but a name that it does not know ends the test.
func (s *Server) Reply(names ...string) {
	s.tb.Helper()
	for _, name := range names {
		if _, err := recorded.Get(name); err != nil {
			s.tb.Fatalf("%s", unknownReply(name))
			return
		}
	}
	s.Handler.Reply(names...)
}
