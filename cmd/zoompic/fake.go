package main

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/zoompic/zoompic/zoomclient/zoomtest"
)

func (c *command) fake() *cobra.Command {
	var addr, token string
	var users []string
	var rate int
	cmd := &cobra.Command{
		Use:   "fake",
		Short: "Serve a fake Zoom until interrupted, for trying any client without an account",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if rate < 0 {
				return errors.New("--rate must not be negative")
			}
			handler := zoomtest.New(users...)
			if token != "" {
				handler.AcceptToken(token)
			}
			if rate > 0 {
				handler.RateLimit(rate)
			}
			return c.serve(cmd.Context(), addr, token, handler)
		},
	}
	cmd.Flags().StringVar(&addr, "addr", "127.0.0.1:8080", "where to listen; port 0 picks one")
	cmd.Flags().StringVar(&token, "token", "", "an access token to take, besides those it gives out")
	cmd.Flags().StringArrayVar(&users, "user", nil, "a user that exists; may be repeated (default everybody)")
	cmd.Flags().IntVar(&rate, "rate", 0, "uploads a second before it answers 429 (default no limit)")
	return cmd
}

func (c *command) serve(ctx context.Context, addr, token string, handler http.Handler) error {
	listener, err := net.Listen("tcp", addr)
	if err != nil {
		return &failure{Exit: exitFailed, Message: fmt.Sprintf("cannot listen on %s: %v; choose another with --addr", addr, err)}
	}
	origin := "http://" + reachable(listener.Addr().String())
	fmt.Fprintf(c.stdout, "listening on %s/v2\n", origin)
	c.printEnvironment(origin, token)

	server := &http.Server{Handler: c.logRequests(handler), ReadHeaderTimeout: 10 * time.Second}
	stop := context.AfterFunc(ctx, func() { server.Close() })
	defer stop()
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return &failure{Exit: exitFailed, Message: err.Error()}
	}
	return nil
}

// reachable names the loopback address for a listener on every address: clients send tokens over plain http to loopback only.
func reachable(addr string) string {
	host, port, err := net.SplitHostPort(addr)
	if ip := net.ParseIP(host); err != nil || ip == nil || !ip.IsUnspecified() {
		return addr
	}
	return net.JoinHostPort("127.0.0.1", port)
}

// printEnvironment prints what a client of this fake needs, ready for a shell.
func (c *command) printEnvironment(origin, token string) {
	fmt.Fprintf(c.stdout, "\nexport ZOOM_BASE_URL=%s/v2\nexport ZOOM_TOKEN_URL=%s/oauth/token\n", origin, origin)
	fmt.Fprintf(c.stdout, "export ZOOM_ACCOUNT_ID=%s ZOOM_CLIENT_ID=%s ZOOM_CLIENT_SECRET=%s\n", zoomtest.AccountID, zoomtest.ClientID, zoomtest.ClientSecret)
	if token != "" {
		fmt.Fprintf(c.stdout, "export ZOOM_ACCESS_TOKEN='%s'   # instead of the three\n", token)
	}
}

// logRequests writes a line for each request to standard error.
func (c *command) logRequests(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		recorder := &statusRecorder{ResponseWriter: w, status: http.StatusOK}
		next.ServeHTTP(recorder, r)
		fmt.Fprintf(c.stderr, "%d %s %q\n", recorder.status, r.Method, r.URL.Path)
	})
}

type statusRecorder struct {
	http.ResponseWriter
	status int
}

func (w *statusRecorder) WriteHeader(status int) {
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *statusRecorder) Unwrap() http.ResponseWriter { return w.ResponseWriter }
