package zoomtest

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/zoompic/zoompic/api"
	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/testdata/recorded"
)

// maxBody bounds what is read of a request. It is more than a picture needs, because a sender that is cut off may not see
// the answer.
const maxBody = 16 << 20

// recordedUser is who the recorded messages speak of.
const recordedUser = "ada@example.com"

// An Upload is a picture that arrived whole and was answered with success.
type Upload struct {
	User        string
	SHA256      [32]byte
	ContentType string // of the form's part
	Time        time.Time
}

// A Handler is the fake as an http.Handler: POST /v2/users/{userId}/picture, POST /oauth/token, and GET /pictures/{userId} to
// look at what was uploaded. It is safe for concurrent use.
type Handler struct {
	mux *http.ServeMux

	mu       sync.Mutex
	users    []string // nobody else exists; empty: everybody does
	tokens   map[string]bool
	pictures map[string]picture
	uploads  []Upload
	replies  []recorded.Reply
	requests int
	rate     int // uploads a second; 0: no limit
	recent   []time.Time
}

type picture struct {
	data        []byte
	contentType string
}

var _ api.ServerInterface = (*Handler)(nil) // a changed contract fails to compile here

// New returns a fake for programs. Only users exist, besides [zoomclient.Me]; without users everybody does.
func New(users ...string) *Handler {
	h := &Handler{mux: http.NewServeMux(), users: slices.Clone(users), tokens: map[string]bool{}, pictures: map[string]picture{}}
	h.mux.HandleFunc("POST /oauth/token", h.token)
	h.mux.HandleFunc("GET /pictures/{user}", h.showPicture)
	api.HandlerWithOptions(h, api.StdHTTPServerOptions{BaseURL: "/v2", BaseRouter: h.mux, ErrorHandlerFunc: badPath})
	return h
}

func badPath(w http.ResponseWriter, _ *http.Request, _ error) {
	write(w, mustGet("user-not-found"))
}

func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) { h.mux.ServeHTTP(w, r) }

// Picture returns the picture that user has, and whether there is one. It must not be changed.
func (h *Handler) Picture(user string) ([]byte, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p, ok := h.pictures[user]
	return p.data, ok
}

// Uploads returns the ledger, oldest first.
func (h *Handler) Uploads() []Upload {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.uploads)
}

// Requests returns how many requests for pictures arrived, refused ones too.
func (h *Handler) Requests() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.requests
}

// Reply makes the next uploads get these recorded replies, one each and in order, whatever their token, rate and user. One
// that reports success stores the picture, and gives way to the refusal if there is something wrong with the picture; any
// other stores nothing. Reply panics with the list of names if it does not know one, and then sets none.
func (h *Handler) Reply(names ...string) {
	var replies []recorded.Reply
	for _, name := range names {
		replies = append(replies, mustGet(name))
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.replies = append(h.replies, replies...)
}

// AcceptToken makes token valid, besides those that the token endpoint gives out.
func (h *Handler) AcceptToken(token string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.tokens[token] = true
}

// RevokeTokens makes every token invalid that was valid until now.
func (h *Handler) RevokeTokens() {
	h.mu.Lock()
	defer h.mu.Unlock()
	clear(h.tokens)
}

// RateLimit lets perSecond uploads through in any second and answers 429 to the others; 0 or less is no limit.
func (h *Handler) RateLimit(perSecond int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.rate = perSecond
}

// UploadUserPicture answers the contract's operation.
func (h *Handler) UploadUserPicture(w http.ResponseWriter, r *http.Request, userID string) {
	reply, given := h.arrive(w)
	if !given {
		if name := h.refuse(r, userID); name != "" {
			reply = mustGet(name)
		}
	}
	if reply.Status >= 300 {
		h.answerRefusal(w, r, userID, reply)
		return
	}
	pic, refusal, err := readForm(w, r)
	switch {
	case err != nil: // it did not arrive whole: there is nobody to answer
		panic(http.ErrAbortHandler)
	case refusal != "" && !given:
		h.answerRefusal(w, r, userID, mustGet(refusal))
		return
	}
	h.commit(userID, pic)
	if !given {
		reply = mustGet("created")
	}
	if reply.Header.Get("Content-Location") != "" {
		reply.Header.Set("Content-Location", origin(r)+"/pictures/"+url.PathEscape(userID))
	}
	write(w, reply)
}

// arrive counts a request, names it, and takes the reply that waits for it.
func (h *Handler) arrive(w http.ResponseWriter) (reply recorded.Reply, given bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.requests++
	w.Header().Set("x-zm-trackingid", fmt.Sprintf("FAKE_%06d", h.requests))
	if len(h.replies) == 0 {
		return recorded.Reply{}, false
	}
	reply, h.replies = h.replies[0], h.replies[1:]
	return reply, true
}

// refuse names the reply to a request that is wrong whatever its picture is.
func (h *Handler) refuse(r *http.Request, userID string) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	scheme, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	switch {
	case !strings.EqualFold(scheme, "Bearer") || !h.tokens[token]:
		return "token-invalid-401"
	case h.isTooFast(time.Now()):
		return "rate-limited"
	case userID != zoomclient.Me && len(h.users) > 0 && !slices.Contains(h.users, userID):
		return "user-not-found"
	}
	return ""
}

// isTooFast counts in a sliding second.
func (h *Handler) isTooFast(now time.Time) bool {
	if h.rate <= 0 {
		return false
	}
	h.recent = slices.DeleteFunc(h.recent, func(t time.Time) bool { return now.Sub(t) >= time.Second })
	if len(h.recent) >= h.rate {
		return true
	}
	h.recent = append(h.recent, now)
	return false
}

// answerRefusal reads the body first, as a sender that does not wait for "100 Continue" would otherwise lose the answer.
func (h *Handler) answerRefusal(w http.ResponseWriter, r *http.Request, userID string, reply recorded.Reply) {
	if r.Header.Get("Expect") == "" {
		io.Copy(io.Discard, http.MaxBytesReader(w, r.Body, maxBody))
	}
	quoted, _ := json.Marshal(userID) // a string always can
	reply.Body = bytes.ReplaceAll(reply.Body, []byte(recordedUser), quoted[1:len(quoted)-1])
	write(w, reply)
}

// readForm returns the picture, or the name of the reply that refuses it. err says that the body did not arrive whole.
func readForm(w http.ResponseWriter, r *http.Request) (pic picture, refusal string, err error) {
	r.Body = http.MaxBytesReader(w, r.Body, maxBody) // not before: net/http knows an unanswered Expect by its own body
	pic, refusal = findPicture(r)
	_, err = io.Copy(io.Discard, r.Body) // its end, or again the error that the form ended with: MaxBytesReader keeps it
	if _, endless := errors.AsType[*http.MaxBytesError](err); endless {
		return picture{}, "file-too-large", nil
	}
	return pic, refusal, err
}

// findPicture reads the form to its last boundary. Where no whole form is, no file is.
func findPicture(r *http.Request) (pic picture, refusal string) {
	const noFile = "file-empty"
	form, err := r.MultipartReader()
	if err != nil {
		return picture{}, noFile
	}
	refusal = noFile
	for {
		part, err := form.NextRawPart()
		if err == io.EOF { // not errors.Is: a form that breaks off is an error that wraps EOF
			return pic, refusal
		}
		if err != nil {
			return picture{}, noFile
		}
		if part.FormName() != "pic_file" {
			continue
		}
		pic = picture{contentType: part.Header.Get("Content-Type")}
		if pic.data, err = io.ReadAll(io.LimitReader(part, zoomclient.MaxPictureSize+1)); err != nil {
			return picture{}, noFile
		}
		refusal = checkPicture(part.FileName(), pic.data)
	}
}

// checkPicture names the reply that refuses a file, or "".
func checkPicture(fileName string, data []byte) string {
	switch kind := http.DetectContentType(data); {
	case fileName == "":
		return "file-no-name"
	case len(data) == 0:
		return "file-empty"
	case len(data) > zoomclient.MaxPictureSize:
		return "file-too-large"
	case kind != "image/jpeg" && kind != "image/png":
		return "file-wrong-type"
	}
	return ""
}

func (h *Handler) commit(userID string, pic picture) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.pictures[userID] = pic
	h.uploads = append(h.uploads, Upload{userID, sha256.Sum256(pic.data), pic.contentType, time.Now()})
}

// origin is where the request went, so that the picture can be looked at there.
func origin(r *http.Request) string {
	if r.TLS != nil {
		return "https://" + r.Host
	}
	return "http://" + r.Host
}

func (h *Handler) showPicture(w http.ResponseWriter, r *http.Request) {
	data, ok := h.Picture(r.PathValue("user"))
	if !ok {
		http.NotFound(w, r)
		return
	}
	w.Header().Set("Content-Type", http.DetectContentType(data)) // JPEG or PNG, or it would not be here
	w.Write(data)
}

// write sends a recorded reply; its tracking ID gives way to this request's.
func write(w http.ResponseWriter, reply recorded.Reply) {
	for name, values := range reply.Header {
		if name != "Content-Length" && w.Header().Get(name) == "" {
			w.Header()[name] = values
		}
	}
	w.Header().Set("Content-Length", fmt.Sprint(len(reply.Body)))
	w.WriteHeader(reply.Status)
	w.Write(reply.Body)
}

func mustGet(name string) recorded.Reply {
	reply, err := recorded.Get(name)
	if err != nil {
		panic(unknownReply(name))
	}
	return reply
}

func unknownReply(name string) string {
	return fmt.Sprintf("zoomtest: there is no recorded reply %q; there are %s", name, strings.Join(recorded.Names(), ", "))
}
