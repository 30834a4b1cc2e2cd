package zoomclient

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"golang.org/x/oauth2"
)

const (
	canaryToken  = "canary-token-7Qx2"
	canarySecret = "canary-secret-9Lp4"
	canaryProxy  = "canary-proxy-3Rw6"
)

// printed is v as anybody might print it.
func printed(v any) string {
	var b bytes.Buffer
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
		fmt.Fprintf(&b, verb+"\n", v)
	}
	json.NewEncoder(&b).Encode(v)
	slog.New(slog.NewTextHandler(&b, nil)).Info("", "v", v)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("", "v", v)
	return b.String()
}

func findCanary(t *testing.T, text string) {
	t.Helper()
	for _, canary := range []string{canaryToken, canarySecret, canaryProxy, canaryPath} {
		for _, form := range []string{canary, fmt.Sprintf("%x", canary), fmt.Sprintf("%v", []byte(canary))} {
			if strings.Contains(text, form) {
				t.Errorf("%q is in %s", form, text)
			}
		}
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	app := ServerToServer{AccountID: "a", ClientID: "c", ClientSecret: canarySecret}
	client, err := New(&app)
	if err != nil {
		t.Fatal(err)
	}
	static := StaticToken(canaryToken)
	other, _ := New(static)
	source := OAuth2(oauth2.StaticTokenSource(&oauth2.Token{AccessToken: canaryToken}))
	findCanary(t, printed(app))
	findCanary(t, printed(&app))
	for _, v := range []any{client, other, static, source} {
		findCanary(t, printed(v))
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%t"} { // in a field, fmt cannot call methods
			findCanary(t, fmt.Sprintf(verb, struct{ v any }{v}))
		}
	}
	// The control: a bare struct with such a field shows it.
	if !strings.Contains(printed(struct{ Secret string }{canarySecret}), canarySecret) {
		t.Error("printed would not find a secret")
	}
}

// TestSecretsStayOutOfFailures sends through every kind of failure, logging all there is to log.
func TestSecretsStayOutOfFailures(t *testing.T) {
	echo := func(status int) step { // a server that repeats what it was sent
		return func(req *http.Request) (*http.Response, error) {
			io.Copy(io.Discard, req.Body)
			return response(status, strings.NewReader(`{"code":300,"message":"you sent `+req.Header.Get("Authorization")+`"}`), "X-Zm-Trackingid", req.Header.Get("Authorization")), nil
		}
	}
	for name, steps := range map[string][]step{
		"answers":   {echo(400)},
		"refused":   {echo(401), echo(401)},
		"redirect":  {answers(302, "", "Location", "https://user:"+canarySecret+"@h/")},
		"malformed": {answers(302, "", "Location", "https://"+canarySecret+"@[h/")},
		"retries":   {echo(503), takes(-1, errReset), takes(3, errReset), answersEarly(201), hangs(-1)},
		"limits":    {echo(429), echo(429), echo(429), echo(429), echo(429)},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var log bytes.Buffer
				logger := slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug - 8}))
				client, _ := scripted(t, &refreshable{tokens: []string{canaryToken, canaryToken}}, steps, WithLogger(logger))
				_, err := client.UploadPicture(t.Context(), Me, smallPNG(t))
				if err == nil || log.Len() == 0 && name != "redirect" && name != "malformed" {
					t.Fatalf("err %v, log %q: the fault did not fire", err, &log)
				}
				for ; err != nil; err = unwrapOnce(err) {
					findCanary(t, printed(err))
				}
				findCanary(t, log.String())
			})
		})
	}
	app := &ServerToServer{AccountID: "a", ClientID: "c", ClientSecret: canarySecret, HTTPClient: &http.Client{Transport: &wire{steps: []step{answers(400, `{"reason":"not `+canarySecret+`"}`)}}}}
	_, err := app.Token(t.Context())
	findCanary(t, printed(err))
}

func unwrapOnce(err error) error {
	switch e := err.(type) {
	case interface{ Unwrap() error }:
		return e.Unwrap()
	case interface{ Unwrap() []error }:
		return e.Unwrap()[0]
	}
	return nil
}
