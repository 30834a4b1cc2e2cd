// Command record replaces recorded replies by those of a real Zoom account, with all that identifies the account, the user or
// the request taken out. It sets the picture of the user in ZOOM_RECORD_USER, so that must be a test user.
//
//	ZOOM_ACCOUNT_ID=… ZOOM_CLIENT_ID=… ZOOM_CLIENT_SECRET=… ZOOM_RECORD_USER=… go run ./internal/record
//
// ZOOM_BASE_URL and ZOOM_TOKEN_URL name another Zoom, as for the command zoompic. What cannot be provoked safely stays as it was
// transcribed, and is named.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/zoompic/zoompic/zoomclient"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Getenv, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

func run(ctx context.Context, args []string, getenv func(string) string, stdout, stderr io.Writer) int {
	flags := flag.NewFlagSet("record", flag.ContinueOnError)
	flags.SetOutput(stderr)
	dir := flags.String("dir", "zoomclient/testdata/recorded", "where the recorded replies and their index are")
	if err := flags.Parse(args); err != nil {
		return 2
	}
	account, err := accountFrom(getenv)
	if err != nil {
		fmt.Fprintln(stderr, "record:", err)
		return 2
	}
	results := newRecorder(account).record(ctx)
	if err := save(*dir, results, time.Now().UTC()); err != nil {
		fmt.Fprintln(stderr, "record:", err)
		return 1
	}
	return report(*dir, results, stdout, stderr)
}

// report names what was recorded and what stays transcribed, with the reason.
func report(dir string, results []result, stdout, stderr io.Writer) int {
	recorded := 0
	for _, r := range results {
		if r.err == nil {
			fmt.Fprintf(stdout, "recorded  %s\n", r.outcome.name)
			recorded++
		}
	}
	names, err := transcribed(dir)
	if err != nil {
		fmt.Fprintln(stderr, "record:", err)
		return 1
	}
	for _, name := range names {
		fmt.Fprintf(stdout, "kept      %s: %s\n", name, whyKept(name, results))
	}
	if recorded == 0 {
		fmt.Fprintln(stderr, "record: nothing could be recorded; check the account and the network")
		return 1
	}
	return 0
}

func whyKept(name string, results []result) string {
	for _, r := range results {
		if r.err != nil && slices.ContainsFunc(r.outcomes, func(o outcome) bool { return o.name == name }) {
			return r.err.Error()
		}
	}
	if why, ok := unprovoked[name]; ok {
		return why
	}
	return "Zoom answered in another form"
}

// An account is what the environment holds.
type account struct {
	id, clientID, clientSecret string
	user                       string
	baseURL, tokenURL          string
}

func accountFrom(getenv func(string) string) (account, error) {
	var err error
	need := func(name string) string {
		value := getenv(name)
		if value == "" {
			err = errors.Join(err, fmt.Errorf("%s is not set", name))
		}
		return value
	}
	a := account{
		id:           need("ZOOM_ACCOUNT_ID"),
		clientID:     need("ZOOM_CLIENT_ID"),
		clientSecret: need("ZOOM_CLIENT_SECRET"),
		user:         need("ZOOM_RECORD_USER"),
	}
	if err != nil {
		return account{}, fmt.Errorf("%w\nZOOM_RECORD_USER is a test user whose picture may be replaced", err)
	}
	if a.user == zoomclient.Me {
		return account{}, fmt.Errorf("ZOOM_RECORD_USER: name the test user; %q can be anybody", a.user)
	}
	if err := zoomclient.CheckUserID(a.user); err != nil {
		return account{}, fmt.Errorf("ZOOM_RECORD_USER: %w", err)
	}
	var errBase, errToken error
	a.baseURL, errBase = endpoint("ZOOM_BASE_URL", getenv("ZOOM_BASE_URL"), "https://api.zoom.us/v2")
	a.tokenURL, errToken = endpoint("ZOOM_TOKEN_URL", getenv("ZOOM_TOKEN_URL"), "https://zoom.us/oauth/token")
	return a, errors.Join(errBase, errToken)
}

// endpoint allows https, and http on loopback: the secret is sent there.
func endpoint(name, value, standard string) (string, error) {
	if value == "" {
		return standard, nil
	}
	u, err := url.Parse(value)
	if err != nil {
		return "", fmt.Errorf("%s is not a URL", name)
	}
	if u.User != nil || u.RawQuery != "" || u.Fragment != "" || u.Host == "" {
		return "", fmt.Errorf("%s must be a URL with a host and without user name, query and fragment", name)
	}
	if u.Scheme != "https" && !(u.Scheme == "http" && isLoopback(u.Hostname())) {
		return "", fmt.Errorf("%s must begin with https:// (http:// on loopback only)", name)
	}
	return strings.TrimSuffix(value, "/"), nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// newHTTPClient does not follow redirects: nothing in an answer chooses where a token or the secret goes.
func newHTTPClient() *http.Client {
	return &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			Proxy:              http.ProxyFromEnvironment,
			DialContext:        (&net.Dialer{Timeout: 10 * time.Second}).DialContext,
			DisableCompression: true, // recorded as it is sent
		},
	}
}
