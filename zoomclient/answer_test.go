package zoomclient

import (
	"bytes"
	"io"
	"math"
	"net/http"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/zoompic/zoompic/zoomclient/testdata/recorded"
)

func TestDecodeAnswer(t *testing.T) {
	for _, test := range []struct {
		name, body string
		code       Code
		message    string
		fields     int
	}{
		{"plain", `{"code":1001,"message":"User does not exist: x."}`, 1001, "User does not exist: x.", 0},
		{"code in quotes", `{"code":"1001","message":"m"}`, 1001, "m", 0},
		{"with fields", `{"code":300,"message":"Validation Failed.","errors":[{"field":"pic_file","message":"Invalid field."}]}`, 300, "Validation Failed.", 1},
		{"errors of another shape", `{"code":300,"message":"m","errors":"none"}`, 300, "m", 0},
		{"message of another type", `{"code":300,"message":{"a":1}}`, 300, "", 0},
		{"unescaped quotes", `{"code":4711,"message":"does not contain scopes:["a","b"]."}`, 4711, `does not contain scopes:["a","b"].`, 0},
		{"cut off", `{"code":124,"message":"Access tok`, 124, "Access tok", 0},
		{"errorCode", `{"status":false,"errorCode":401,"errorMessage":"Unauthorized"}`, 401, "Unauthorized", 0},
		{"reason", `{"reason":"no","error":"x"}`, 0, "no", 0},
		{"byte order mark", "\ufeff{\"code\":120}", 120, "", 0},
		{"code that overflows", `{"code":99999999999999999999}`, 0, "", 0},
		{"text", "plain words", 0, "plain words", 0},
		{"page", " <!DOCTYPE HTML><html>", 0, "an HTML page came instead of Zoom's answer", 0},
		{"nothing", "", 0, "", 0},
		{"list", `[1]`, 0, "[1]", 0},
		{"terminal escapes", "{\"code\":1,\"message\":\"a\\u001b]0;x\\u0007b\\u202ec\\nd\"}", 1, "a]0;xbc d", 0},
		{"long", strings.Repeat("é", 5000), 0, strings.Repeat("é", 499) + "…", 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			failure, err := decodeAnswer(response(400, strings.NewReader(test.body), "X-Zm-TrackingId", "T\x1b1"), "")
			if err != nil || failure.StatusCode != 400 || failure.Code != test.code || failure.Message != test.message || len(failure.Fields) != test.fields {
				t.Errorf("%+v, %v", failure, err)
			}
			if failure.TrackingID != "T1" {
				t.Errorf("tracking ID %q", failure.TrackingID)
			}
		})
	}
}

func TestErrorIsOneLine(t *testing.T) {
	e := &Error{StatusCode: 404, Code: CodeUserNotFound, Message: "User does not exist: x.", TrackingID: "T", Attempts: 2, Fields: []FieldError{{"userId", "unknown."}}}
	const want = "zoom: 404 Not Found: User does not exist: x; userId: unknown (code 1001, tracking ID T, 2 attempts); check the user ID or email address"
	if e.Error() != want {
		t.Errorf("%s\nwant\n%s", e, want)
	}
}

// TestAdviceForAWrongGrant: code 200 has two meanings.
func TestAdviceForAWrongGrant(t *testing.T) {
	wrong := &Error{StatusCode: 400, Code: CodeNotPermitted, Message: "Invalid api key or secret."}
	role := &Error{StatusCode: 400, Code: CodeNotPermitted, Message: "Only an account administrator can change a profile picture."}
	if !strings.Contains(wrong.Error(), "account_credentials") || !strings.Contains(role.Error(), "User:Edit") {
		t.Errorf("%v\n%v", wrong, role)
	}
}

func TestRetryAfter(t *testing.T) {
	now := time.Date(2020, 5, 30, 23, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"":                               0,
		"7":                              7 * time.Second,
		" 7 ":                            7 * time.Second,
		"0":                              0,
		"-7":                             0,
		"1.5":                            0,
		"soon":                           0,
		"9223372036854775807":            math.MaxInt64,
		"99999999999999999999":           math.MaxInt64,
		"-99999999999999999999":          0,
		"Sun, 31 May 2020 00:00:00 GMT":  time.Hour,
		"Sunday, 31-May-20 00:00:00 GMT": time.Hour,
		"Sun May 31 00:00:00 2020":       time.Hour,
		"2020-05-31T00:00:00Z":           time.Hour,
		"2020-05-31T02:00:00+02:00":      time.Hour,
		"2020-05-31T02:00:00+0200":       time.Hour,
		"2020-05-31T00:00:00":            time.Hour,
		"2020-05-31T00:00:00.000Z":       time.Hour,
		"2020-05-31":                     time.Hour,
		"2020-05-30T00:00:00Z":           0,
		"9999-12-31T00:00:00Z":           math.MaxInt64,
	} {
		if got := parseRetryAfter(value, now); got != want {
			t.Errorf("%q: %v, want %v", value, got, want)
		}
	}
}

func FuzzDecodeAnswer(f *testing.F) {
	for _, name := range recorded.Names() {
		reply, err := recorded.Get(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(reply.Status, reply.Body, reply.Header.Get("Retry-After"))
	}
	f.Fuzz(func(t *testing.T, status int, body []byte, retryAfter string) {
		header := http.Header{"Retry-After": {retryAfter}}
		failure, err := decodeAnswer(&http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(body))}, "")
		if err != nil {
			t.Fatal(err)
		}
		if failure == nil {
			if status != 200 && status != 201 && status != 204 {
				t.Fatalf("status %d is a success", status)
			}
			return
		}
		text := failure.Error()
		if failure.StatusCode != status || failure.RetryAfter < 0 || !utf8.ValidString(text) || len([]rune(failure.Message)) > maxMessage {
			t.Fatalf("%+v", failure)
		}
		if strings.ContainsFunc(text, func(r rune) bool { return unicode.In(r, unicode.Cc, unicode.Cf) }) {
			t.Fatalf("control characters in %q", text)
		}
	})
}

func FuzzRetryAfter(f *testing.F) {
	for _, value := range []string{"7", "-7", "2020-05-31T00:00:00Z", "Sun, 31 May 2020 00:00:00 GMT", "Sunday, 31-May-20 00:00:00 GMT", "Sun May 31 00:00:00 2020", "2020-05-31", "9223372036854775807", "99999999999999999999999"} {
		f.Add(value)
	}
	now := time.Unix(1e9, 0)
	f.Fuzz(func(t *testing.T, value string) {
		d := parseRetryAfter(value, now)
		if d < 0 {
			t.Fatal(d)
		}
		if n, err := strconv.ParseInt(strings.TrimSpace(value), 10, 64); err == nil && n >= 0 && n < 1e9 && d != time.Duration(n)*time.Second {
			t.Fatalf("%d seconds became %v", n, d)
		}
		if at, err := time.Parse(time.RFC3339, strings.TrimSpace(value)); err == nil && at.After(now) && d != at.Sub(now) {
			t.Fatalf("%v became %v", at, d)
		}
	})
}

func FuzzDecodeToken(f *testing.F) {
	f.Add([]byte(`{"access_token":"T","expires_in":3599}`))
	for _, name := range recorded.Names() {
		if reply, err := recorded.Get(name); err == nil && reply.Endpoint == recorded.Token {
			f.Add(reply.Body)
		}
	}
	for _, body := range []string{`{"access_token":"a\r\nb"}`, `{"access_token":"T","expires_in":-1}`, `{"access_token":"T","expires_in":1e300}`, `{"access_token":"T","expires_in":"60"}`, `{"access_token":7}`} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		token, life, err := decodeToken(200, body)
		if err == nil && (checkToken(token) != nil || life < minTokenLife || life > maxTokenLife) {
			t.Fatalf("%q for %v", token, life)
		}
	})
}
