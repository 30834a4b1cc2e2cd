package zoomclient

import (
	"errors"
	"net/url"
	"strings"
	"testing"

	"github.com/zoompic/zoompic/api"
)

// pathSegment is what stands for id in the path of an upload's request.
func pathSegment(tb testing.TB, id string) string {
	tb.Helper()
	req, err := api.NewUploadUserPictureRequestWithBody("https://h/v2/", id, "x", nil)
	if err != nil {
		tb.Fatalf("%q: %v", id, err)
	}
	base, err := url.Parse("https://h/v2")
	if err != nil {
		tb.Fatal(err)
	}
	template, err := newTemplate(base)
	if err != nil {
		tb.Fatal(err)
	}
	if ours, err := template.urlOf(id); err != nil || ours.String() != req.URL.String() {
		tb.Fatalf("%q goes to %v (%v), by the generated code to %s", id, ours, err, req.URL)
	}
	path := req.URL.EscapedPath()
	if req.URL.Host != "h" || req.URL.RawQuery != "" || req.URL.ForceQuery || req.URL.Fragment != "" || req.URL.User != nil {
		tb.Fatalf("%q changed more than the path: %s", id, req.URL)
	}
	parts := strings.Split(path, "/")
	if len(parts) != 5 || parts[0] != "" || parts[1] != "v2" || parts[2] != "users" || parts[4] != "picture" {
		tb.Fatalf("%q made the path %s", id, path)
	}
	return parts[3]
}

func checkSegment(tb testing.TB, id string) {
	tb.Helper()
	segment := pathSegment(tb, id)
	if back, err := url.PathUnescape(segment); err != nil || back != id {
		tb.Errorf("%q became %s, which is %q; %v", id, segment, back, err)
	}
}

func TestCheckUserIDTakes(t *testing.T) {
	t.Parallel()
	for _, id := range []string{
		Me, "KDcuGIm1QgePTO8WbOqwIQ", "-_~.", "...", ".a", "a..", "==", "a:b", "a,b&c=d",
		"ada+zoom@example.com", "o'hara@example.com", "ädä@exämple.com", "用户@例子.公司", "a@[192.0.2.1]",
		strings.Repeat("a", 242) + "@example.com",
	} {
		if err := CheckUserID(id); err != nil {
			t.Errorf("%q: %v", id, err)
		}
		checkSegment(t, id)
	}
}

func TestCheckUserIDRefuses(t *testing.T) {
	t.Parallel()
	for _, refused := range []struct{ id, words string }{
		{"", "it is empty"},
		{".", "step in a path"},
		{"..", "step in a path"},
		{strings.Repeat("a", 255), "255 bytes, more than 254"},
		{strings.Repeat("ä", 128), "256 bytes, more than 254"},
		{"ad\xe4", "not valid UTF-8"},
		{"\xed\xa0\x80", "not valid UTF-8"},
		{"a b", `' ' may not stand in it`},
		{" ", `' '`},
		{"ada@example.com ", `' '`},
		{"a\u00a0b", `'\u00a0'`},
		{"a\u3000b", `'\u3000'`},
		{"a\u2028b", `'\u2028'`},
		{"a\tb", `'\t'`},
		{"a\n", `'\n'`},
		{"a\r\nX-Evil: 1", `'\r'`},
		{"a\x00", `'\x00'`},
		{"a\x7f", `'\x7f'`},
		{"a\u0085", `'\u0085'`},
		{"a\u200bb", `'\u200b'`},
		{"a\u202eb", `'\u202e'`},
		{"\ufeffa", `'\ufeff'`},
		{"a/b", `'/'`},
		{"../v2/users/b", `'/'`},
		{`a\b`, `'\\'`},
		{"a%2fb", `'%'`},
		{"a?b", `'?'`},
		{"a#b", `'#'`},
		{"a;b", `';'`},
	} {
		err := CheckUserID(refused.id)
		if !errors.Is(err, ErrInvalidUserID) || !strings.Contains(err.Error(), refused.words) {
			t.Errorf("%q: %v; want %s", refused.id, err, refused.words)
			continue
		}
		if strings.ContainsAny(err.Error(), "\r\n\t\x00\x7f\u0085\u200b\u202e\ufeff\u2028") {
			t.Errorf("%q: the message holds what it warns of: %q", refused.id, err)
		}
	}
}

func FuzzUserID(f *testing.F) {
	for _, id := range []string{"me", "ada+zoom@example.com", "ädä@exämple.com", "..", "...", "a/b", "%2e%2e", "a%2fb", ":", "//", "a;b=c", "a\u2024", "\xff"} {
		f.Add(id)
	}
	f.Fuzz(func(t *testing.T, id string) {
		if CheckUserID(id) == nil {
			checkSegment(t, id)
		}
	})
}
