package zoomtest

import (
	"bytes"
	"crypto/rand"
	"net/http"
)

// The credentials of the fake's one Server-to-Server app.
const (
	AccountID    = "fake-account"
	ClientID     = "fake-client"
	ClientSecret = "fake-secret"
)

// token answers the token endpoint, and refuses in the order that Zoom's documents suggest.
func (h *Handler) token(w http.ResponseWriter, r *http.Request) {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	id, secret, _ := r.BasicAuth()
	switch {
	case id != ClientID || secret != ClientSecret:
		write(w, mustGet("token-400-invalid-client"))
	case r.FormValue("grant_type") != "account_credentials":
		write(w, mustGet("token-400-unsupported-grant"))
	case r.FormValue("account_id") != AccountID:
		write(w, mustGet("token-400-invalid-grant"))
	default:
		token := "fake-token-" + rand.Text()
		h.AcceptToken(token)
		reply := mustGet("token-200")
		reply.Body = bytes.ReplaceAll(reply.Body, []byte("recorded-access-token"), []byte(token))
		write(w, reply)
	}
}
