package zoomclient

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// checkProxyEnv refuses a proxy setting that net/http would pass over in silence, sending the token directly instead.
// The value may hold a password: the error does not quote it.
func checkProxyEnv() error {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		value := os.Getenv(name)
		if value == "" {
			continue
		}
		if !strings.Contains(value, "://") {
			value = "http://" + value // as net/http takes it
		}
		u, err := url.Parse(value)
		if err != nil || u.Hostname() == "" {
			return fmt.Errorf("zoom: the proxy in %s is not a valid URL; correct or unset it", name)
		}
	}
	return nil
}

// proxyAnswer makes a proxy's refusal an [*Error]; net/http would keep only the words of its status line.
func proxyAnswer(_ context.Context, _ *url.URL, _ *http.Request, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	return &Error{StatusCode: resp.StatusCode, Message: "the proxy did not connect to Zoom", byProxy: true}
}
