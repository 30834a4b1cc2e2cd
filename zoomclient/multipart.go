package zoomclient

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/zoompic/zoompic/api"
)

// partName is the one field that Zoom reads (Zoom's item).
const partName = "pic_file"

// newBody returns the form of one attempt, which it stops with errStalled when the transport reads no more of it. Only
// constants, the picture's checked type and a fresh boundary are written around the picture.
func (u *upload) newBody(stop context.CancelCauseFunc) *body {
	boundary := "zoompic-" + rand.Text()
	head := "--" + boundary + "\r\n" +
		`Content-Disposition: form-data; name="` + partName + `"; filename="` + u.pic.fileName() + "\"\r\n" +
		"Content-Type: " + u.pic.ContentType() + "\r\n\r\n"
	tail := "\r\n--" + boundary + "--\r\n"
	b := &body{contentType: "multipart/form-data; boundary=" + boundary, size: int64(len(head)) + u.pic.Size() + int64(len(tail))}
	if u.courier.knowsBuffers() && b.size <= maxBuffered && !u.asksFirst() {
		b.sender = newBuffered(head, u.pic.bytes(), tail)
	} else {
		b.sender = newStreamed(head, u.pic.bytes(), tail, stop)
	}
	return b
}

// newRequest is the generated request with its headers, sure to go where the client was told to.
func (u *upload) newRequest(ctx context.Context, token string, body *body) (*http.Request, error) {
	req, err := api.NewUploadUserPictureRequestWithBody(u.server, u.userID, body.contentType, body.reader())
	if err != nil {
		return nil, fmt.Errorf("zoom: making the request: %w", err)
	}
	if err := u.checkURL(req.URL); err != nil {
		return nil, err
	}
	req = req.WithContext(body.withTrace(ctx))
	req.ContentLength = body.size // exact; GetBody stays nil, so that net/http sends nothing on its own
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", u.agent)
	if u.asksFirst() {
		req.Header.Set("Expect", "100-continue")
	}
	req.Close = u.expect // or else net/http sends the picture after a refusal too, to keep the connection, and may lose the answer
	return req, nil
}

// asksFirst reports whether the server is asked whether it wants the picture, before it is sent.
func (u *upload) asksFirst() bool {
	return !u.expectFailed && (u.expect || u.expectFrom >= 0 && u.pic.Size() >= u.expectFrom)
}

// checkURL makes sure that the user ID has stayed one segment of the path.
func (u *upload) checkURL(target *url.URL) error {
	user, before := strings.CutPrefix(target.EscapedPath(), u.base.EscapedPath()+"/users/")
	user, after := strings.CutSuffix(user, "/picture")
	sameOrigin := target.Scheme == u.base.Scheme && target.Host == u.base.Host && target.User == nil
	if !sameOrigin || !before || !after || user == "" || strings.ContainsAny(user, "/?#") || target.RawQuery != "" {
		return fmt.Errorf("%w: it would change where the request goes", ErrInvalidUserID)
	}
	return nil
}
