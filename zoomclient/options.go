package zoomclient

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"
)

// DefaultBaseURL is Zoom's API for every region. Zoom for Government is https://api.zoomgov.com/v2.
const DefaultBaseURL = "https://api.zoom.us/v2"

// Requests a second that Zoom's rate-limit page allows an account for operations of the label Medium, by plan.
const (
	RateFree     = 2
	RatePro      = 20
	RateBusiness = 60
)

// A Limiter paces requests: Wait returns when the next one may be sent, or with an error when ctx ends. *rate.Limiter is one.
type Limiter interface {
	Wait(ctx context.Context) error
}

// Retry says how failed attempts are repeated. Zero fields mean their defaults; negative ones are refused by [WithRetry].
type Retry struct {
	MaxAttempts        int           // default 5; 1 turns retries off (the one repeat after a refused token remains)
	MinDelay, MaxDelay time.Duration // default 500ms and 30s: between them the jittered delay doubles
	AttemptTimeout     time.Duration // default 1m: token, request and answer of one attempt
	MaxWait            time.Duration // default 1m: the longest wait that rate limits may ask of one upload, in sum
}

// An Option changes what [New] makes.
type Option func(*config) error

type config struct {
	base       *url.URL
	courier    courier
	product    string
	retry      Retry
	limiter    Limiter
	log        *slog.Logger
	expectFrom int64
}

func newConfig(opts []Option) (config, error) {
	base, err := url.Parse(DefaultBaseURL)
	config := config{
		base: base,
		// A little under the plan's rate, one at a time: then no sliding second ever holds more than the rate.
		limiter:    rate.NewLimiter(RatePro/1.005, 1),
		log:        slog.New(slog.DiscardHandler),
		expectFrom: 1 << 20,
	}
	for _, opt := range opts {
		err = errors.Join(err, opt(&config))
	}
	config.retry = config.retry.withDefaults()
	if config.courier.transport == nil {
		courier, courierErr := newCourier()
		config.courier, err = courier, errors.Join(err, courierErr)
	}
	return config, err
}

// WithBaseURL sends to another base URL than [DefaultBaseURL]. It must be https, except on loopback, and hold no user name, query or fragment.
func WithBaseURL(base string) Option {
	return func(c *config) error {
		u, err := parseEndpoint("base URL", base)
		if err == nil {
			c.base = u
		}
		return err
	}
}

// WithHTTPClient sends by client's Transport, within its Timeout. The client is never changed; its Jar and CheckRedirect are
// not used, for no cookie is kept and no redirect followed. Tracing and proxies go in its Transport.
func WithHTTPClient(client *http.Client) Option {
	return func(c *config) error {
		if client == nil {
			return errors.New("zoom: WithHTTPClient needs a client")
		}
		c.courier = courierOf(client)
		return nil
	}
}

// WithUserAgent puts product, such as "hr-sync/2.1", before this library's own User-Agent.
func WithUserAgent(product string) Option {
	return func(c *config) error {
		if clean(product, maxMessage) != product || strings.ContainsFunc(product, notASCII) {
			return errors.New("zoom: the user agent must be one line of ASCII text")
		}
		c.product = product
		return nil
	}
}

// WithRetry sets how failed attempts are repeated.
func WithRetry(r Retry) Option {
	return func(c *config) error {
		if r.MaxAttempts < 0 || min(r.MinDelay, r.MaxDelay, r.AttemptTimeout, r.MaxWait) < 0 {
			return errors.New("zoom: a Retry has no negative values; 0 means the default")
		}
		if d := r.withDefaults(); d.MinDelay > d.MaxDelay {
			return fmt.Errorf("zoom: Retry.MinDelay (%v) is longer than MaxDelay (%v)", d.MinDelay, d.MaxDelay)
		}
		c.retry = r
		return nil
	}
}

// WithLimiter paces all uploads of the client by l instead of [RatePro]. nil turns pacing off.
func WithLimiter(l Limiter) Option {
	return func(c *config) error { c.limiter = l; return nil }
}

// WithLogger logs attempts at level Debug and retries at Warn, with user ID, attempt, status and delay and never with a secret. nil turns logging off.
func WithLogger(l *slog.Logger) Option {
	return func(c *config) error {
		if l == nil {
			l = slog.New(slog.DiscardHandler)
		}
		c.log = l
		return nil
	}
}

// WithExpectContinue sends "Expect: 100-continue" with pictures of at least minSize bytes, so that a refusal costs no upload
// and a success one round trip. The default is 1 MiB; 0 means always, as Zoom's sample does; negative never.
func WithExpectContinue(minSize int64) Option {
	return func(c *config) error { c.expectFrom = minSize; return nil }
}

func (r Retry) withDefaults() Retry {
	if r.MaxAttempts == 0 {
		r.MaxAttempts = 5
	}
	if r.MinDelay == 0 {
		r.MinDelay = 500 * time.Millisecond
	}
	if r.MaxDelay == 0 {
		r.MaxDelay = max(30*time.Second, r.MinDelay)
	}
	if r.AttemptTimeout == 0 {
		r.AttemptTimeout = time.Minute
	}
	if r.MaxWait == 0 {
		r.MaxWait = time.Minute
	}
	return r
}

// parseEndpoint checks a URL that secrets will be sent to. Its errors do not quote the URL, which may hold a password.
func parseEndpoint(name, raw string) (*url.URL, error) {
	refuse := func(why string) (*url.URL, error) { return nil, fmt.Errorf("zoom: the %s %s", name, why) }
	u, err := url.Parse(strings.TrimRight(raw, "/"))
	switch {
	case err != nil:
		return refuse("is not a valid URL")
	case u.User != nil:
		return refuse("must not hold a user name or password")
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(raw, "#"):
		return refuse("must not hold a query or fragment")
	case slices.Contains(strings.Split(u.Path, "/"), "..") || slices.Contains(strings.Split(u.Path, "/"), "."):
		return refuse("must not hold . or .. in its path")
	case u.Hostname() == "" || u.Opaque != "":
		return refuse("must be a full URL such as " + DefaultBaseURL)
	case u.Scheme != "https" && (u.Scheme != "http" || !isLoopback(u.Hostname())):
		return refuse("must begin with https://, for the access token is sent there; http:// is for loopback addresses only")
	}
	return u, nil
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.Unmap().IsLoopback()
}

// newTransport is what sends where the caller hands in no client.
func newTransport() (*http.Transport, error) {
	if err := checkProxyEnv(); err != nil {
		return nil, err
	}
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		OnProxyConnectResponse: proxyAnswer,
		DialContext:            (&net.Dialer{Timeout: 10 * time.Second, KeepAlive: 30 * time.Second}).DialContext,
		// Records of full size from the first byte on: a picture is no page that somebody waits to see the top of.
		TLSClientConfig:        &tls.Config{DynamicRecordSizingDisabled: true},
		ForceAttemptHTTP2:      true, // a DialContext or a TLSClientConfig alone would turn HTTP/2 off
		TLSHandshakeTimeout:    10 * time.Second,
		MaxIdleConnsPerHost:    64,                  // the default of 2 makes a handshake for most uploads of a busy client
		WriteBufferSize:        maxBuffered + 4<<10, // a buffered form and its header
		IdleConnTimeout:        90 * time.Second,
		ExpectContinueTimeout:  time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		DisableCompression:     true, // a small gzip body can hold gigabytes
		// Without these every attempt on HTTP/2 would go to the one connection, long after it has died in silence. Found dead
		// within 15 seconds, it is gone before an attempt is given up.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 10 * time.Second, PingTimeout: 5 * time.Second, WriteByteTimeout: 15 * time.Second},
	}, nil
}

// A courier makes single requests: by a transport alone, for a transport follows no redirect and keeps no cookie.
type courier struct {
	transport http.RoundTripper
	timeout   time.Duration // the caller's own; 0: none
}

func newCourier() (courier, error) {
	transport, err := newTransport()
	return courier{transport: transport}, err
}

func courierOf(client *http.Client) courier {
	if client.Transport == nil {
		return courier{http.DefaultTransport, client.Timeout}
	}
	return courier{client.Transport, client.Timeout}
}

// bound is limit, or the caller's own timeout if that is shorter.
func (c courier) bound(limit time.Duration) time.Duration {
	if c.timeout > 0 {
		return min(limit, c.timeout)
	}
	return limit
}

// do makes one request. A nil error comes with an answer whose body has to be closed.
func (c courier) do(req *http.Request) (*http.Response, error) {
	resp, err := c.transport.RoundTrip(req)
	if err == nil && resp == nil {
		err = errors.New("the transport gave neither answer nor error")
	}
	return resp, err
}

// knowsBuffers reports whether requests go out by a transport of net/http itself.
func (c courier) knowsBuffers() bool {
	_, ok := c.transport.(*http.Transport)
	return ok
}
