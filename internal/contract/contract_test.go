package contract_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/zoompic/zoompic"
	"github.com/zoompic/zoompic/internal/contract"
)

const boundary = "b0undary"

// part is one part of a form; content stands in for a picture, which the contract does not look into.
func part(headers ...string) string {
	return "--" + boundary + "\r\n" + strings.Join(headers, "\r\n") + "\r\n\r\ncontent\r\n"
}

func form(parts ...string) string {
	return strings.Join(parts, "") + "--" + boundary + "--\r\n"
}

const (
	disposition = `Content-Disposition: form-data; name="pic_file"; filename="picture.png"`
	png         = "Content-Type: image/png"
)

// upload is a request that satisfies the contract.
func upload(body string) *http.Request {
	r := httptest.NewRequest("POST", "http://127.0.0.1:12345/v2/users/ada%40example.com/picture", strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer a.token-of_some~sort+/==")
	r.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
	return r
}

func TestCheckRequest(t *testing.T) {
	t.Parallel()
	c := contract.Load(t)
	good := form(part(disposition, png))
	header := func(name string, values ...string) func(*http.Request) {
		return func(r *http.Request) { r.Header[name] = values }
	}
	path := func(p string) func(*http.Request) {
		return func(r *http.Request) { r.URL.Path, r.URL.RawPath = p, "" }
	}
	for _, test := range []struct {
		name   string
		body   string
		change func(*http.Request)
		want   string // "" if the request satisfies the contract
	}{
		{"png", good, nil, ""},
		{"jpeg", form(part(disposition, "Content-Type: image/jpeg")), nil, ""},
		{"octet-stream, as Zoom's sample code sends", form(part(disposition, "Content-Type: application/octet-stream")), nil, ""},
		{"me", good, path("/v2/users/me/picture"), ""},
		{"another host", good, func(r *http.Request) { r.URL.Host, r.Host = "api.zoom.us", "api.zoom.us" }, ""},

		{"no part", form(), nil, `property "pic_file" is missing`},
		{"no body", "", nil, "value is required"},
		{"two parts", form(part(disposition, png), part(disposition, png)), nil, "2 parts"},
		{"wrong field name", form(part(strings.Replace(disposition, "pic_file", "picture", 1), png)), nil, "part picture: undefined"},
		{"field name in another case", form(part(strings.Replace(disposition, "pic_file", "PIC_FILE", 1), png)), nil, "part PIC_FILE: undefined"},
		{"wrong part type", form(part(disposition, "Content-Type: image/gif")), nil, "image/gif"},
		{"text part", form(part(disposition, "Content-Type: text/plain")), nil, "text/plain"},
		{"part without type", form(part(disposition)), nil, "text/plain"}, // RFC 7578, section 4.4: its default
		{"part without file name", form(part(`Content-Disposition: form-data; name="pic_file"`, png)), nil, "no file name"},
		{"empty file name", form(part(`Content-Disposition: form-data; name="pic_file"; filename=""`, png)), nil, "no file name"},
		{"cut short", strings.TrimSuffix(good, "--\r\n"), nil, "EOF"},
		{"length is wrong", good, func(r *http.Request) { r.ContentLength++ }, "Content-Length"},
		{"no boundary", good, header("Content-Type", "multipart/form-data"), "boundary"},
		{"other body type", good, header("Content-Type", "image/png"), "Content-Type has unexpected value"},
		{"no token", good, header("Authorization"), "bearer token"},
		{"empty token", good, header("Authorization", "Bearer "), "bearer token"},
		{"other scheme", good, header("Authorization", "Basic Zm9vOmJhcg=="), "bearer token"},
		{"two tokens", good, header("Authorization", "Bearer a", "Bearer b"), "bearer token"},
		{"token in the query", good, func(r *http.Request) { r.URL.RawQuery = "access_token=a" }, `query parameter "access_token"`},
		{"wrong method", good, func(r *http.Request) { r.Method = "PUT" }, "method not allowed"},
		{"wrong path", good, path("/v2/users/me/pictures"), "no matching operation"},
		{"no user", good, path("/v2/users//picture"), "no matching operation"},
		{"one segment too many", good, path("/v2/users/a/b/picture"), "no matching operation"},
		{"no /v2", good, path("/users/me/picture"), "no matching operation"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			r := upload(test.body)
			if test.change != nil {
				test.change(r)
			}
			wantError(t, c.CheckRequest(r), test.want)
			if body, err := io.ReadAll(r.Body); err != nil || string(body) != test.body {
				t.Errorf("the body has not been put back: %q, %v", body, err)
			}
		})
	}
}

func TestCheckResponse(t *testing.T) {
	t.Parallel()
	c := contract.Load(t)
	const (
		json = "application/json"
		text = "text/plain"
	)
	for _, test := range []struct {
		name   string
		status int
		header http.Header
		body   string
		want   string
	}{
		{"created", 201, http.Header{"Content-Type": {text}, "Content-Location": {"anything"}}, "", ""},
		{"created, JSON", 201, http.Header{"Content-Type": {json + "; charset=utf-8"}}, "{}", ""},
		{"any 5xx of the edge", 599, http.Header{"Content-Type": {"text/html; charset=UTF-8"}}, "<html>", ""},
		{"with fields", 400, http.Header{"Content-Type": {json}}, `{"code":300,"message":"","errors":[{"field":"a","message":"b"}]}`, ""},

		{"unknown status", 418, http.Header{"Content-Type": {text}}, "", "status 418"},
		{"unknown success", 202, http.Header{"Content-Type": {text}}, "", "status 202"},
		{"redirect", 301, http.Header{"Content-Type": {text}}, "", "status 301"},
		{"temporary redirect", 307, http.Header{"Content-Type": {text}}, "", "status 307"},
		{"not modified", 304, nil, "", "status 304"},
		{"no type", 201, nil, "", "Content-Type"},
		{"other type", 201, http.Header{"Content-Type": {"text/html"}}, "", "text/html"},
		{"other type for the edge", 502, http.Header{"Content-Type": {json}}, "{}", json},
		{"broken JSON", 400, http.Header{"Content-Type": {json}}, `{"code":4711,"message":"scopes:["a"]"}`, "decode"},
		{"empty JSON", 400, http.Header{"Content-Type": {json}}, "", "decode"},
		{"array", 400, http.Header{"Content-Type": {json}}, "[]", "object"},
		{"code is text", 400, http.Header{"Content-Type": {json}}, `{"code":"300","message":""}`, "integer"},
		{"code is no integer", 400, http.Header{"Content-Type": {json}}, `{"code":300.5,"message":""}`, "integer"},
		{"code is not listed", 400, http.Header{"Content-Type": {json}}, `{"code":301,"message":""}`, "allowed values"},
		{"no code", 404, http.Header{"Content-Type": {json}}, `{"message":""}`, `"code" is missing`},
		{"no message", 404, http.Header{"Content-Type": {json}}, `{"code":1001}`, `"message" is missing`},
		{"message is a number", 404, http.Header{"Content-Type": {json}}, `{"code":1001,"message":1}`, "string"},
		{"fields are no list", 400, http.Header{"Content-Type": {json}}, `{"code":300,"message":"","errors":{}}`, "array"},
		{"limit is no number", 429, http.Header{"Content-Type": {text}, "X-Ratelimit-Limit": {"many"}}, "", "X-RateLimit-Limit"},
		{"limit of another type", 429, http.Header{"Content-Type": {text}, "X-Ratelimit-Type": {"Monthly"}}, "", "X-RateLimit-Type"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			wantError(t, c.CheckResponse(upload(""), test.status, test.header, []byte(test.body)), test.want)
		})
	}
	t.Run("to another request", func(t *testing.T) {
		r := httptest.NewRequest("GET", "/v2/users/me/picture", nil)
		wantError(t, c.CheckResponse(r, 201, http.Header{"Content-Type": {text}}, nil), "method not allowed")
	})
}

// A broken copy of the contract must not load.
func TestParseRefuses(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ name, old, new, want string }{
		{"no path parameter", "in: path", "in: query", "userId"},
		{"unknown reference", "schemas/FieldError", "schemas/Nothing", "Nothing"},
		{"unknown type", "type: integer\n      description", "type: whole\n      description", "whole"},
		{"response without description", "description: The picture has been set.", "x-nothing: 1", "description"},
		{"example of another type", "value: {code: 1001,", "value: {code: none,", "integer"},
		{"example with a code that is not listed", "value: {code: 1001,", "value: {code: 1002,", "allowed values"},
		{"no YAML", "openapi: 3.0.3", "openapi: [", "yaml"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if !bytes.Contains(zoompic.OpenAPI, []byte(test.old)) {
				t.Fatalf("the contract has no %q to break", test.old)
			}
			_, err := contract.Parse(bytes.Replace(zoompic.OpenAPI, []byte(test.old), []byte(test.new), 1))
			if err == nil {
				t.Fatal("loaded")
			}
			wantError(t, err, test.want)
		})
	}
}

func wantError(t *testing.T, err error, want string) {
	t.Helper()
	switch {
	case want == "" && err != nil:
		t.Errorf("got %v, want none", err)
	case want != "" && err == nil:
		t.Errorf("got no error, want one with %q", want)
	case want != "" && !strings.Contains(fmt.Sprint(err), want):
		t.Errorf("got %v, want %q in it", err, want)
	}
}
