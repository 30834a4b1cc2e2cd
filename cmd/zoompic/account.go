package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path"
	"strings"

	"github.com/spf13/cobra"

	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/zoomtest"
)

// unknownToFake is the one user that the embedded fake does not know, to show what a failure looks like.
const unknownToFake = "nobody@example.com"

// accountFlags say which Zoom is meant. Credentials come from the environment only.
type accountFlags struct {
	fake              bool
	baseURL, tokenURL string
}

func (a *accountFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&a.fake, "fake", false, "use a fake Zoom inside this command; it knows everybody but "+unknownToFake)
	flags.StringVar(&a.baseURL, "base-url", "", "Zoom's API (default $ZOOM_BASE_URL or "+zoomclient.DefaultBaseURL+")")
	flags.StringVar(&a.tokenURL, "token-url", "", "where tokens come from (default $ZOOM_TOKEN_URL or "+zoomclient.DefaultTokenURL+")")
}

// A target is the Zoom that uploads go to.
type target struct {
	client *zoomclient.Client
	fake   *zoomtest.Handler // nil for a real one
	close  func()
}

func (a *accountFlags) open(c *command, options ...zoomclient.Option) (*target, error) {
	options = append(options, c.options...)
	if a.fake {
		return openFake(options)
	}
	options = append(options, zoomclient.WithBaseURL(a.base(c)))
	tokens, err := credentials(c.getenv, cmp.Or(a.tokenURL, c.getenv("ZOOM_TOKEN_URL")))
	if err != nil {
		return nil, err
	}
	client, err := newClient(tokens, options)
	if err != nil {
		return nil, err
	}
	return &target{client: client, close: func() {}}, nil
}

func (a *accountFlags) base(c *command) string {
	return cmp.Or(a.baseURL, c.getenv("ZOOM_BASE_URL"), zoomclient.DefaultBaseURL)
}

// name says whose pictures are changed, without a secret: no two accounts may share what is remembered of them. An access
// token does not tell its account. It is empty where there are no credentials.
func (a *accountFlags) name(c *command) string {
	id, base := c.getenv("ZOOM_ACCOUNT_ID"), strings.TrimRight(a.base(c), "/")
	switch {
	case a.fake:
		return "the fake Zoom"
	case c.getenv("ZOOM_ACCESS_TOKEN") != "":
		return "the owner of an access token at " + base
	case id != "":
		return "account " + id + " at " + base
	}
	return ""
}

func openFake(options []zoomclient.Option) (*target, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, &failure{Exit: exitFailed, Message: "starting the fake Zoom: " + err.Error()}
	}
	handler := zoomtest.New()
	server := &http.Server{Handler: withoutNobody(handler)}
	go server.Serve(listener)
	origin := "http://" + listener.Addr().String()
	client, err := newClient(fakeCredentials(origin), append(options, zoomclient.WithBaseURL(origin+"/v2")))
	if err != nil {
		return nil, err
	}
	return &target{client, handler, func() { server.Close() }}, nil
}

// withoutNobody answers for unknownToFake as a Zoom that knows only others.
func withoutNobody(everybody http.Handler) http.Handler {
	const token = "any"
	others := zoomtest.New("somebody@example.com")
	others.AcceptToken(token)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !strings.EqualFold(path.Base(path.Dir(r.URL.Path)), unknownToFake) {
			everybody.ServeHTTP(w, r)
			return
		}
		r.Header.Set("Authorization", "Bearer "+token)
		others.ServeHTTP(w, r)
	})
}

func fakeCredentials(origin string) zoomclient.TokenSource {
	return &zoomclient.ServerToServer{
		AccountID: zoomtest.AccountID, ClientID: zoomtest.ClientID, ClientSecret: zoomtest.ClientSecret,
		TokenURL: origin + "/oauth/token",
	}
}

// newClient tells bad credentials from bad options by the error.
func newClient(tokens zoomclient.TokenSource, options []zoomclient.Option) (*zoomclient.Client, error) {
	client, err := zoomclient.New(tokens, append(options, zoomclient.WithUserAgent("zoompic-command"))...)
	if err != nil {
		exit := exitUsage
		if errors.Is(err, zoomclient.ErrToken) {
			exit = exitCredentials
		}
		return nil, newFailure(exit, "", err)
	}
	return client, nil
}

// logTo is the log of a client: retries and pauses, and with --verbose every attempt.
func (c *command) logTo() slog.Handler {
	level := slog.LevelWarn
	if c.verbose {
		level = slog.LevelDebug
	}
	return slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: level})
}

// credentials takes an access token from the environment, or else the three values of a Server-to-Server app.
func credentials(getenv func(string) string, tokenURL string) (zoomclient.TokenSource, error) {
	if token := getenv("ZOOM_ACCESS_TOKEN"); token != "" {
		return zoomclient.StaticToken(token), nil
	}
	app := &zoomclient.ServerToServer{TokenURL: tokenURL}
	var missing []string
	for _, v := range []struct {
		name  string
		value *string
	}{
		{"ZOOM_ACCOUNT_ID", &app.AccountID}, {"ZOOM_CLIENT_ID", &app.ClientID}, {"ZOOM_CLIENT_SECRET", &app.ClientSecret},
	} {
		if *v.value = getenv(v.name); *v.value == "" {
			missing = append(missing, v.name)
		}
	}
	if len(missing) > 0 {
		return nil, &failure{Exit: exitCredentials, Message: fmt.Sprintf(
			"no credentials: %s not set. Set ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET of a Server-to-Server OAuth app, or ZOOM_ACCESS_TOKEN; --fake needs none.",
			strings.Join(missing, ", "))}
	}
	return app, nil
}

func asFailure(err error) *failure {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	return newFailure(exitFailed, "", err)
}
