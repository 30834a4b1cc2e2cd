package zoomclient

import (
	"net/http"
	"strings"
	"testing"
	"time"
)

func TestBaseURL(t *testing.T) {
	for base, ok := range map[string]bool{
		"https://api.zoomgov.com/v2":  true,
		"https://api.zoom.us/v2/":     true,
		"http://127.0.0.1:8080/v2":    true,
		"http://127.1.2.3/v2":         true,
		"http://[::1]:8080":           true,
		"http://localhost:8080/v2":    true,
		"http://api.zoom.us/v2":       false,
		"http://localhost.evil.com":   false,
		"http://127.0.0.1.evil.com":   false,
		"http://10.0.0.1":             false,
		"ftp://api.zoom.us":           false,
		"api.zoom.us/v2":              false,
		"":                            false,
		"https://":                    false,
		"https://u:CANARY@zoom.us":    false,
		"https://u:CAN ARY@zoom.us\n": false,
		"https://zoom.us/v2?CANARY":   false,
		"https://zoom.us/v2#CANARY":   false,
	} {
		_, err := New(StaticToken("T"), WithBaseURL(base))
		if (err == nil) != ok {
			t.Errorf("%q: %v", base, err)
		}
		if err != nil && strings.Contains(err.Error(), "CAN") {
			t.Errorf("the error quotes the URL: %v", err)
		}
	}
}

func TestBadOptionsAreReportedTogether(t *testing.T) {
	_, err := New(StaticToken("T"), WithBaseURL("x"), WithHTTPClient(nil), WithUserAgent("a\r\nb"), WithRetry(Retry{MaxAttempts: -1}), WithRetry(Retry{MinDelay: time.Minute, MaxDelay: time.Second}))
	if err == nil {
		t.Fatal("accepted")
	}
	for _, want := range []string{"base URL", "WithHTTPClient", "user agent", "negative", "MinDelay"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not speak of %s", err, want)
		}
	}
}

func TestCallersClientIsNotChanged(t *testing.T) {
	mine := &http.Client{Transport: &wire{}, Timeout: time.Hour}
	before := *mine
	client, err := New(StaticToken("T"), WithHTTPClient(mine))
	if err != nil {
		t.Fatal(err)
	}
	if mine.Transport != before.Transport || mine.CheckRedirect != nil || client.courier.timeout != time.Hour {
		t.Error("the caller's client was changed, or its timeout lost")
	}
}

// TestMalformedProxy: net/http would pass over it and send the token directly.
func TestMalformedProxy(t *testing.T) {
	for _, name := range []string{"HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"} {
		t.Run(name, func(t *testing.T) {
			t.Setenv(name, "http://user:CANARY@[proxy")
			if _, err := New(StaticToken("T")); err == nil || !strings.Contains(err.Error(), name) || strings.Contains(err.Error(), "CANARY") {
				t.Errorf("New: %v", err)
			}
			if _, err := New(StaticToken("T"), WithHTTPClient(http.DefaultClient)); err != nil {
				t.Errorf("a client of the caller's own: %v", err)
			}
			t.Setenv(name, "proxy.example:3128")
			if _, err := New(StaticToken("T")); err != nil {
				t.Errorf("a good one: %v", err)
			}
		})
	}
}

func TestUserAgent(t *testing.T) {
	client, w := scripted(t, StaticToken("T"), []step{answers(201, "")}, WithUserAgent("hr-sync/2.1"))
	if _, err := client.UploadPicture(t.Context(), Me, smallPNG(t)); err != nil {
		t.Fatal(err)
	}
	if got := w.taken[0].Header.Get("User-Agent"); !strings.HasPrefix(got, "hr-sync/2.1 zoompic/"+Version+" (go") {
		t.Errorf("%q", got)
	}
}
