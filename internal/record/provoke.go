package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"image"
	"image/gif"
	"image/png"
	"io"
	"net/http"
	"net/textproto"
	"net/url"
	"mime/multipart"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/testdata/recorded"
)

// unprovoked is what nobody should provoke on a real account, or cannot.
var unprovoked = map[string]string{
	"bad-request":             "Zoom names the code now",
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
	"bad-gateway":             "comes from the network in front of Zoom, when that fails",
	"token-400-invalid-grant": "Zoom does not say what causes it",
}

// A result is a reply that was recorded, or why not.
type result struct {
	name       string   // of the reply recorded
	candidates []string // what it might have been
	reply      recorded.Reply
	err        error
}

func (r result) names(name string) bool { return slices.Contains(r.candidates, name) }

type recorder struct {
	account  account
	http     *http.Client
	pause    time.Duration // between requests: Zoom's smallest plan allows two a second
	token    string
	stranger string // an address that no user has
	redact   redactor
}

func newRecorder(a account) *recorder {
	r := &recorder{account: a, http: newHTTPClient(), pause: time.Second, stranger: "nobody-" + strings.ToLower(rand.Text()) + "@example.com"}
	r.redact.secrets = []string{a.id, a.clientID, a.clientSecret,
		base64.StdEncoding.EncodeToString([]byte(a.clientID + ":" + a.clientSecret))}
	r.redact.users = []string{a.user, r.stranger}
	return r
}

// record provokes each reply once. A token is asked for once, because a new one may end those in use.
func (r *recorder) record(ctx context.Context) []result {
	results := []result{
		r.provoke(ctx, candidate{"token-400-invalid-client", "", 400, 0}, r.tokenRequest("account_credentials", "not-"+rand.Text())),
		r.provoke(ctx, candidate{"token-400-unsupported-grant", "", 400, 0}, r.tokenRequest("unsupported", r.account.clientSecret)),
	}
	token := r.provoke(ctx, candidate{"token-200", "", 200, 0}, r.tokenRequest("account_credentials", r.account.clientSecret))
	if token.err == nil {
		token.err = r.takeToken(&token.reply)
	}
	results = append(results, token)
	for _, p := range pictures() {
		user := r.account.user
		if p.stranger {
			user = r.stranger
		}
		bearer := r.token
		if p.token != "" {
			bearer = p.token
		}
		if bearer == "" {
			results = append(results, result{candidates: p.candidates(), err: fmt.Errorf("there is no token to send")})
			continue
		}
		results = append(results, r.provokeAny(ctx, p.want, r.pictureRequest(user, bearer, p.file)))
	}
	return results
}
