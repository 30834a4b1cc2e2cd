// Package contract checks requests and responses against openapi.yaml. It is for tests only: nothing that users link may import it.
package contract

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"mime/multipart"
	"net/http"
	"net/url"
	"regexp"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/zoompic/zoompic"
)

// The decoders are a registry of the whole process. This one is added before any test runs and never removed, so tests cannot
// disagree about it.
func init() {
	openapi3filter.RegisterBodyDecoder("text/html", openapi3filter.PlainBodyDecoder)
}

// A Contract is a valid OpenAPI document with the means to hold messages against it. It is safe for concurrent use as long as
// nobody changes Doc.
type Contract struct {
	Doc    *openapi3.T
	router routers.Router
}

// Load returns the contract of this module. Each call returns one of its own.
func Load(tb testing.TB) *Contract {
	tb.Helper()
	c, err := Parse(zoompic.OpenAPI)
	if err != nil {
		tb.Fatal(err)
	}
	return c
}

// Parse reads and validates an OpenAPI document, its examples included.
func Parse(data []byte) (*Contract, error) {
	doc, err := openapi3.NewLoader().LoadFromData(data)
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	if err := doc.Validate(context.Background(), openapi3.EnableExamplesValidation(), openapi3.EnableSchemaFormatValidation()); err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	router, err := routerByPath(doc)
	if err != nil {
		return nil, fmt.Errorf("contract: %w", err)
	}
	return &Contract{Doc: doc, router: router}, nil
}

// routerByPath matches the paths of the contract's servers on every host, because tests run on loopback.
func routerByPath(doc *openapi3.T) (routers.Router, error) {
	anywhere := *doc
	anywhere.Servers = nil
	for _, server := range doc.Servers {
		u, err := url.Parse(server.URL)
		if err != nil {
			return nil, err
		}
		anywhere.Servers = append(anywhere.Servers, &openapi3.Server{URL: u.Path})
	}
	return gorillamux.NewRouter(&anywhere)
}

// CheckRequest says what in r, sent or received, breaks the contract. It reads the body and puts an equal one in its place.
func (c *Contract) CheckRequest(r *http.Request) error {
	body, err := readBody(r)
	if err != nil {
		return err
	}
	input, err := c.find(r)
	if err != nil {
		return err
	}
	defer func() { r.Body = io.NopCloser(bytes.NewReader(body)) }()
	if err := openapi3filter.ValidateRequest(r.Context(), input); err != nil {
		return fmt.Errorf("contract: %w", err)
	}
	if err := checkQuery(r.URL.Query(), input.Route.Operation.Parameters); err != nil {
		return err
	}
	return checkParts(r.Header.Get("Content-Type"), body)
}

// CheckResponse says what in the answer to r breaks the contract. It does not look at r's body.
func (c *Contract) CheckResponse(r *http.Request, status int, header http.Header, body []byte) error {
	input, err := c.find(r)
	if err != nil {
		return err
	}
	responses := input.Route.Operation.Responses
	if responses.Status(status) == nil && responses.Default() == nil {
		// The library accepts some redirects without looking them up.
		return fmt.Errorf("contract: status %d is not in it", status)
	}
	response := &openapi3filter.ResponseValidationInput{
		RequestValidationInput: input,
		Status:                 status,
		Header:                 header,
		Options:                &openapi3filter.Options{IncludeResponseStatus: true},
	}
	response.SetBodyBytes(body)
	if err := openapi3filter.ValidateResponse(r.Context(), response); err != nil {
		return fmt.Errorf("contract: status %d: %w", status, err)
	}
	return nil
}

func (c *Contract) find(r *http.Request) (*openapi3filter.RequestValidationInput, error) {
	route, params, err := c.router.FindRoute(r)
	if err != nil {
		return nil, fmt.Errorf("contract: %s %s: %w", r.Method, r.URL.EscapedPath(), err)
	}
	return &openapi3filter.RequestValidationInput{
		Request:    r,
		PathParams: params,
		Route:      route,
		Options:    &openapi3filter.Options{AuthenticationFunc: checkBearer, SkipSettingDefaults: true},
	}, nil
}

func readBody(r *http.Request) ([]byte, error) {
	if r.Body == nil {
		return nil, nil
	}
	body, err := io.ReadAll(r.Body)
	r.Body.Close()
	if err != nil {
		return nil, fmt.Errorf("contract: reading the request's body: %w", err)
	}
	r.Body = io.NopCloser(bytes.NewReader(body))
	if r.ContentLength > 0 && r.ContentLength != int64(len(body)) {
		return nil, fmt.Errorf("contract: the body has %d bytes, Content-Length says %d", len(body), r.ContentLength)
	}
	return body, nil
}

var bearer = regexp.MustCompile(`^Bearer [A-Za-z0-9._~+/-]+=*$`) // RFC 6750, section 2.1

func checkBearer(_ context.Context, input *openapi3filter.AuthenticationInput) error {
	got := input.RequestValidationInput.Request.Header.Values("Authorization")
	if len(got) != 1 || !bearer.MatchString(got[0]) {
		return errors.New("not exactly one Authorization header with a bearer token")
	}
	return nil
}

// checkQuery refuses what the contract does not name; kin-openapi lets it pass, and Zoom refuses tokens there.
func checkQuery(query url.Values, params openapi3.Parameters) error {
	for name := range query {
		if params.GetByInAndName(openapi3.ParameterInQuery, name) == nil {
			return fmt.Errorf("contract: query parameter %q is not in it", name)
		}
	}
	return nil
}

// checkParts looks at what OpenAPI has no words for: a part must have a file name (Zoom answers code 120 without), and there is
// one part, where kin-openapi looks at the first of its name only.
func checkParts(contentType string, body []byte) error {
	_, params, err := mime.ParseMediaType(contentType)
	if err != nil {
		return fmt.Errorf("contract: Content-Type: %w", err)
	}
	form := multipart.NewReader(bytes.NewReader(body), params["boundary"])
	parts := 0
	for {
		part, err := form.NextRawPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return fmt.Errorf("contract: body: %w", err)
		}
		if parts++; part.FileName() == "" {
			return fmt.Errorf("contract: part %q has no file name", part.FormName())
		}
	}
	if parts != 1 {
		return fmt.Errorf("contract: %d parts instead of 1", parts)
	}
	return nil
}
