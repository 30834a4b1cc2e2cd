package zoomclient

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/zoompic/zoompic/api"
)

// A template is the generated request with a gap where the user belongs: to generate each anew costs more than all else that
// is done to a small upload before it is sent.
type template struct {
	method              string
	url                 url.URL
	rawBefore, rawAfter string // escaped, around the user in the path
	before, after       string // the same, not escaped
}

func newTemplate(base *url.URL) (template, error) {
	const gap = "the-user"
	req, err := api.NewUploadUserPictureRequestWithBody(base.String()+"/", gap, "", nil)
	if err != nil {
		return template{}, fmt.Errorf("zoom: making the request: %w", err)
	}
	t := template{method: req.Method, url: *req.URL}
	t.rawBefore, t.rawAfter, _ = strings.Cut(req.URL.EscapedPath(), gap)
	t.before, t.after, _ = strings.Cut(req.URL.Path, gap)
	return t, nil
}

// urlOf is where the picture of userID goes. The user ID stays one segment of the path.
func (t *template) urlOf(userID string) (*url.URL, error) {
	segment := url.PathEscape(userID)
	if segment == "" || segment == "." || segment == ".." || strings.ContainsAny(segment, "/?#") {
		return nil, fmt.Errorf("%w: it would change where the request goes", ErrInvalidUserID)
	}
	target := t.url
	target.Path = t.before + userID + t.after
	if segment != userID || t.url.RawPath != "" { // or else the path escaped is the path
		target.RawPath = t.rawBefore + segment + t.rawAfter
	}
	return &target, nil
}

// newRequest is the request of one attempt. GetBody stays nil, so that net/http sends nothing on its own.
func (u *upload) newRequest(ctx context.Context, token string, body *body) (*http.Request, error) {
	target, err := u.template.urlOf(u.userID)
	if err != nil {
		return nil, err
	}
	values := []string{"Bearer " + token, body.contentType, "application/json", u.agent, "100-continue"} // in one piece of memory
	header := http.Header{
		"Authorization": values[0:1:1],
		"Content-Type":  values[1:2:2],
		"Accept":        values[2:3:3],
		"User-Agent":    values[3:4:4],
	}
	if u.asksFirst() {
		header["Expect"] = values[4:5:5]
	}
	req := &http.Request{
		Method: u.template.method,
		URL:    target,
		Host:   target.Host,
		Proto:  "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header:        header,
		Body:          body.reader(),
		ContentLength: body.size,
		// or else net/http sends the picture after a refusal too, to keep the connection, and may lose the answer
		Close: u.expect,
	}
	return req.WithContext(body.withTrace(ctx)), nil
}

// asksFirst reports whether the server is asked whether it wants the picture, before it is sent.
func (u *upload) asksFirst() bool {
	return !u.expectFailed && (u.expect || u.expectFrom >= 0 && u.pic.Size() >= u.expectFrom)
}
