package main

import (
	"cmp"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
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

func (a *accountFlags) open(c *command, user string) (*target, error) {
	if a.fake {
		return openFake(c, user)
	}
	options := c.logging()
	if base := cmp.Or(a.baseURL, c.getenv("ZOOM_BASE_URL")); base != "" {
		options = append(options, zoomclient.WithBaseURL(base))
	}
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

func openFake(c *command, user string) (*target, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, &failure{Exit: exitFailed, Message: "starting the fake Zoom: " + err.Error()}
	}
	handler := zoomtest.New()
	if strings.EqualFold(user, unknownToFake) {
		handler.Reply("user-not-found")
	}
	server := &http.Server{Handler: handler}
	go server.Serve(listener)
	origin := "http://" + listener.Addr().String()
	client, err := newClient(fakeCredentials(origin), append(c.logging(), zoomclient.WithBaseURL(origin+"/v2")))
	if err != nil {
		return nil, err
	}
	return &target{client, handler, func() { server.Close() }}, nil
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

func (c *command) logging() []zoomclient.Option {
	level := slog.LevelWarn
	if c.verbose {
		level = slog.LevelDebug
	}
	return []zoomclient.Option{zoomclient.WithLogger(slog.New(slog.NewTextHandler(c.stderr, &slog.HandlerOptions{Level: level})))}
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
