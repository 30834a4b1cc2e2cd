package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"image"
	"image/png"
	"io"
	"mime/multipart"
	"net/http"
	"net/textproto"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/testdata/recorded"
)

// unprovoked is what cannot be provoked on a real account, or should not be.
var unprovoked = map[string]string{
	"bad-request":             "no request is known to be answered with an empty body",
	"not-permitted":           "needs a change of the account's settings",
	"not-permitted-text":      "needs a change of the account's settings",
	"wrong-grant":             "needs a token of another kind, which may end the one in use",
	"rejected-content":        "needs an explicit picture",
	"rejected-content-text":   "needs an explicit picture",
	"token-expired":           "needs a token that is an hour old",
	"token-expired-401":       "needs a token that is an hour old",
	"user-not-in-account":     "needs a user of another account",
	"missing-scope":           "needs an app without the scope",
	"missing-scope-json":      "needs an app without the scope",
	"rate-limited":            "would stop every other app of the account",
	"rate-limited-daily":      "would stop every other app of the account for the day",
	"rate-limited-bare":       "would stop every other app of the account for the day",
	"bad-gateway":             "comes from the network in front of Zoom when that fails",
	"token-400-invalid-grant": "what causes it is not known",
}

// An outcome is a reply that a request may provoke, and how to tell it.
type outcome struct {
	name      string
	status    int
	code      int
	mediaType string         // "" for any
	body      *regexp.Regexp // nil for any
}

func (o outcome) is(a answer) bool {
	mediaType, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	return a.status == o.status && codeOf(a.body) == o.code &&
		(o.mediaType == "" || o.mediaType == mediaType) &&
		(o.body == nil || o.body.Match(a.body))
}

const (
	asJSON = "application/json"
	asText = "text/plain"
)

var (
	invalidClient    = []outcome{{name: "token-400-invalid-client", status: 400, body: regexp.MustCompile(`"invalid_client"`)}}
	unsupportedGrant = []outcome{{name: "token-400-unsupported-grant", status: 400, body: regexp.MustCompile(`"unsupported_grant_type"`)}}
	tokenGranted     = []outcome{{name: "token-200", status: 200, mediaType: asJSON, body: regexp.MustCompile(`"access_token"`)}}
)

// A provocation is an upload whose answer is known in advance.
type provocation struct {
	outcomes    []outcome
	stranger    bool // for a user who does not exist
	bogusToken  bool
	disposition string // of the part, after the field's name
	mediaType   string // of the part
	picture     []byte
}

func provocations() []provocation {
	const named = `; filename="picture.png"`
	small := testPicture()
	large := append(bytes.Clone(small), make([]byte, zoomclient.MaxPictureSize)...)
	return []provocation{
		{outcomes: []outcome{{name: "token-invalid-401", status: 401, code: 124}, {name: "token-invalid", status: 400, code: 124}},
			bogusToken: true, disposition: named, mediaType: "image/png", picture: small},
		{outcomes: []outcome{
			{name: "user-not-found", status: 404, code: 1001, mediaType: asJSON},
			{name: "user-not-found-text", status: 404, code: 1001, mediaType: asText},
			{name: "not-found", status: 404, mediaType: asText, body: regexp.MustCompile(`^$`)}},
			stranger: true, disposition: named, mediaType: "image/png", picture: small},
		{outcomes: []outcome{{name: "file-empty", status: 400, code: 120}}, disposition: named, mediaType: "image/png"},
		{outcomes: []outcome{{name: "file-too-large", status: 400, code: 120}}, disposition: named, mediaType: "image/png", picture: large},
		{outcomes: []outcome{{name: "file-wrong-type", status: 400, code: 120}},
			disposition: `; filename="picture.txt"`, mediaType: "text/plain", picture: []byte("not a picture\n")},
		{outcomes: []outcome{{name: "file-no-name", status: 400, code: 120}}, mediaType: "image/png", picture: small},
		{outcomes: []outcome{
			{name: "created-json", status: 201, mediaType: asJSON},
			{name: "created", status: 201, mediaType: asText}},
			disposition: named, mediaType: "image/png", picture: small},
	}
}

// testPicture is what the test user looks like afterwards.
func testPicture() []byte {
	picture := image.NewGray(image.Rect(0, 0, 256, 256))
	for i := range picture.Pix {
		picture.Pix[i] = uint8(i)
	}
	var data bytes.Buffer
	if err := png.Encode(&data, picture); err != nil {
		panic(err) // memory takes everything
	}
	return data.Bytes()
}

// A result is a reply as recorded, or why it was not. outcome and reply are valid without err only; reply.Source is the host.
type result struct {
	outcomes []outcome
	outcome  outcome
	reply    recorded.Reply
	err      error
}

type recorder struct {
	account  account
	stranger string // nobody has this address
	http     *http.Client
	pause    time.Duration // before each request: Zoom's smallest plan allows two a second
	redact   *redactor
}

func newRecorder(a account) *recorder {
	stranger := "nobody-" + strings.ToLower(rand.Text()) + "@example.com"
	return &recorder{
		account:  a,
		stranger: stranger,
		http:     newHTTPClient(),
		pause:    time.Second,
		redact:   newRedactor(a, stranger),
	}
}

// record provokes every reply once. One good token is asked for and no more: a new one may end the one before it.
func (r *recorder) record(ctx context.Context) []result {
	results := []result{
		r.provoke(ctx, invalidClient, r.tokenRequest("account_credentials", rand.Text()), redactedReply),
		r.provoke(ctx, unsupportedGrant, r.tokenRequest("none", r.account.clientSecret), redactedReply),
	}
	token := ""
	results = append(results, r.provoke(ctx, tokenGranted, r.tokenRequest("account_credentials", r.account.clientSecret),
		func(redact *redactor, a answer) (reply recorded.Reply, err error) {
			reply, token, err = redactedToken(redact, a)
			return reply, err
		}))
	for _, p := range provocations() {
		if token == "" {
			results = append(results, result{outcomes: p.outcomes, err: errors.New("there was no token to send")})
			continue
		}
		results = append(results, r.provoke(ctx, p.outcomes, r.pictureRequest(p, token), redactedReply))
	}
	return results
}

// An answer is what a server sent.
type answer struct {
	status int
	header http.Header
	body   []byte
}

func (r *recorder) provoke(ctx context.Context, outcomes []outcome, req *http.Request, keep func(*redactor, answer) (recorded.Reply, error)) result {
	a, err := r.send(ctx, req)
	if err != nil {
		return result{outcomes: outcomes, err: err}
	}
	for _, o := range outcomes {
		if o.is(a) {
			reply, err := keep(r.redact, a)
			reply.Source = req.URL.Hostname() // so that nothing recorded from a fake says it is from Zoom
			return result{outcomes: outcomes, outcome: o, reply: reply, err: err}
		}
	}
	return result{outcomes: outcomes, err: fmt.Errorf("the answer was %d %.200q", a.status, r.redact.text(string(a.body)))}
}

const maxBody = 64 << 10

func (r *recorder) send(ctx context.Context, req *http.Request) (answer, error) {
	select {
	case <-ctx.Done():
		return answer{}, ctx.Err()
	case <-time.After(r.pause):
	}
	resp, err := r.http.Do(req.WithContext(ctx))
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // the URL names the user
		}
		return answer{}, fmt.Errorf("no answer: %w", err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxBody+1))
	if err != nil {
		return answer{}, fmt.Errorf("no whole answer: %w", err)
	}
	if len(body) > maxBody {
		return answer{}, fmt.Errorf("the answer is longer than %d bytes", maxBody)
	}
	return answer{resp.StatusCode, resp.Header, body}, nil
}

func (r *recorder) tokenRequest(grant, secret string) *http.Request {
	form := url.Values{"grant_type": {grant}, "account_id": {r.account.id}}
	req := newRequest(r.account.tokenURL, "application/x-www-form-urlencoded", []byte(form.Encode()))
	req.SetBasicAuth(r.account.clientID, secret)
	return req
}

func (r *recorder) pictureRequest(p provocation, token string) *http.Request {
	user := r.account.user
	if p.stranger {
		user = r.stranger
	}
	if p.bogusToken {
		token = "not-a-token"
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreatePart(textproto.MIMEHeader{
		"Content-Disposition": {`form-data; name="pic_file"` + p.disposition},
		"Content-Type":        {p.mediaType},
	})
	if err == nil {
		_, err = part.Write(p.picture)
	}
	if err = errors.Join(err, form.Close()); err != nil {
		panic(err) // memory takes everything
	}
	req := newRequest(r.account.baseURL+"/users/"+url.PathEscape(user)+"/picture", form.FormDataContentType(), body.Bytes())
	req.Header.Set("Authorization", "Bearer "+token)
	return req
}

func newRequest(to, contentType string, body []byte) *http.Request {
	req, err := http.NewRequest(http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		panic(err) // the URL was checked
	}
	req.Header.Set("Content-Type", contentType)
	req.Header.Set("Accept", "application/json")
	return req
}

var code = regexp.MustCompile(`"code"\s*:\s*(\d+)`)

// codeOf reads Zoom's code from a body that need not be well-formed JSON; 0 if there is none.
func codeOf(body []byte) int {
	found := code.FindSubmatch(body)
	if found == nil {
		return 0
	}
	n, err := strconv.Atoi(string(found[1]))
	if err != nil {
		return 0
	}
	return n
}

// redactedReply keeps an answer without what identifies anybody.
func redactedReply(redact *redactor, a answer) (recorded.Reply, error) {
	reply := recorded.Reply{Status: a.status, Header: redact.header(a.header), Body: []byte(redact.text(string(a.body)))}
	return reply, redact.check(reply)
}

// A tokenReply is what is known of the token endpoint's answer; what else it holds is not kept.
type tokenReply struct {
	AccessToken string `json:"access_token"`
	TokenType   string `json:"token_type"`
	ExpiresIn   int    `json:"expires_in"`
	Scope       string `json:"scope,omitempty"`
	APIURL      string `json:"api_url,omitempty"`
}

// redactedToken also returns the token, which from then on must not be in any reply.
func redactedToken(redact *redactor, a answer) (recorded.Reply, string, error) {
	var granted tokenReply
	if err := json.Unmarshal(a.body, &granted); err != nil {
		return recorded.Reply{}, "", fmt.Errorf("the token endpoint's answer: %w", err)
	}
	token := granted.AccessToken
	redact.know(anyText, token)
	granted.AccessToken = "recorded-access-token"
	if granted.Scope != "" {
		granted.Scope = "user:write:profile_picture:admin" // the others are the app's own business
	}
	if granted.APIURL != "" {
		granted.APIURL = "https://api.zoom.us"
	}
	body, err := json.Marshal(granted)
	if err != nil {
		return recorded.Reply{}, "", err
	}
	reply := recorded.Reply{Status: a.status, Header: redact.header(a.header), Body: body}
	return reply, token, redact.check(reply)
}
