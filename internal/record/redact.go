package main

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"unicode"

	"github.com/zoompic/zoompic/zoomclient/testdata/recorded"
)

// What stands for what was taken out.
const (
	anyUser     = "ada@example.com"
	anyText     = "redacted"
	anyNumber   = "0"
	anyTime     = "2020-05-31T00:00:00Z"
	anyLocation = "https://example.com/picture"
	anyTracking = "v=2.0;clid=aw1;rid=WEB_00000000000000000000000000000000"
)

// keptHeaders say something about the operation. Every other header of an answer is dropped.
var keptHeaders = []string{"Content-Type", "Retry-After",
	"X-Ratelimit-Category", "X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Type"}

// replacedHeaders are kept in name only.
var replacedHeaders = map[string]string{"Content-Location": anyLocation, "X-Zm-Trackingid": anyTracking}

// A redactor replaces what it knows to belong to the account, then whatever looks as if it did.
type redactor struct{ known []knownValue }

type knownValue struct {
	pattern     *regexp.Regexp
	replacement string
}

func newRedactor(a account, stranger string) *redactor {
	r := new(redactor)
	r.know(anyUser, a.user, stranger)
	r.know(anyText, a.id, a.clientID, a.clientSecret, base64.StdEncoding.EncodeToString([]byte(a.clientID+":"+a.clientSecret)))
	if _, domain, ok := strings.Cut(a.user, "@"); ok {
		r.know(anyText, domain)
	}
	return r
}

// know adds values, each in every form in which an answer may repeat it.
func (r *redactor) know(replacement string, values ...string) {
	for _, value := range values {
		for _, form := range []string{value, url.PathEscape(value), url.QueryEscape(value)} {
			if form != "" && !strings.Contains(anyUser, strings.ToLower(form)) {
				r.known = append(r.known, knownValue{regexp.MustCompile(`(?i)` + regexp.QuoteMeta(form)), replacement})
			}
		}
	}
}

// An email address, a time, or a run of characters long enough for an identifier.
var suspect = regexp.MustCompile(`(?P<address>[\w.+-]+(?:@|%40)[\w-]+(?:\.[\w-]+)+)|` +
	`(?P<time>\d{4}-\d\d-\d\d(?:[T ]\d\d:\d\d(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?)|` +
	`[\w+/=-]{6,}`)

func (r *redactor) text(s string) string {
	for _, value := range r.known {
		s = value.pattern.ReplaceAllLiteralString(s, value.replacement)
	}
	return suspect.ReplaceAllStringFunc(s, func(found string) string {
		switch groups := suspect.FindStringSubmatch(found); {
		case groups[1] != "":
			return anyUser
		case groups[2] != "":
			return anyTime
		case strings.Trim(found, "0123456789") == "":
			return anyNumber
		case looksRandom(found):
			return anyText
		}
		return found
	})
}

// looksRandom tells an identifier from a word: it mixes letters and digits, or is long and mixes cases.
func looksRandom(s string) bool {
	digit, upper, lower := strings.ContainsFunc(s, unicode.IsDigit), strings.ContainsFunc(s[1:], unicode.IsUpper), strings.ContainsFunc(s, unicode.IsLower)
	return len(s) >= 8 && digit && (upper || lower) || len(s) >= 16 && upper && lower
}

func (r *redactor) header(h http.Header) http.Header {
	kept := make(http.Header)
	for _, name := range keptHeaders {
		for _, value := range h.Values(name) {
			kept.Add(name, r.text(value))
		}
	}
	for name, replacement := range replacedHeaders {
		if h.Get(name) != "" {
			kept.Set(name, replacement)
		}
	}
	return kept
}

// check is the second look: a reply that still holds a known value, escaped or not, must not be kept.
func (r *redactor) check(reply recorded.Reply) error {
	texts := []string{string(reply.Body)}
	var tree any
	if json.Unmarshal(reply.Body, &tree) == nil {
		plain, err := json.Marshal(tree) // without \u and \/
		if err != nil {
			return err
		}
		texts = append(texts, string(plain))
	}
	for _, values := range reply.Header {
		texts = append(texts, values...)
	}
	for _, value := range r.known {
		for _, text := range texts {
			if value.pattern.MatchString(text) {
				return errors.New("the reply repeats something of the account in a form that could not be replaced")
			}
		}
	}
	return nil
}
