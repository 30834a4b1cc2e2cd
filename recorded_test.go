package zoompic_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/zoompic/zoompic/api"
	"github.com/zoompic/zoompic/internal/contract"
	"github.com/zoompic/zoompic/zoomclient/testdata/recorded"
)

const recordedDir = "zoomclient/testdata/recorded"

func TestRecordedRepliesSatisfyContract(t *testing.T) {
	t.Parallel()
	c := contract.Load(t)
	replies := pictureReplies(t)
	for _, reply := range replies {
		if err := c.CheckResponse(upload(), reply.Status, reply.Header, reply.Body); err != nil {
			t.Errorf("%s: %v", reply.Name, err)
		}
	}

	statuses, codes := make(map[string]bool), make(map[api.ErrorCode]bool)
	responses := operations(c.Doc)[0].Responses
	for _, reply := range replies {
		status := strconv.Itoa(reply.Status)
		if responses.Value(status) == nil {
			status = status[:1] + "XX"
		}
		statuses[status] = true
		if reply.Code == 0 {
			continue
		}
		code := api.ErrorCode(reply.Code)
		codes[code] = true
		if !slices.Contains(codesIn(*responses.Value(status).Value.Description), code) {
			t.Errorf("%s: the contract does not name code %d at status %s", reply.Name, code, status)
		}
	}
	for _, status := range responses.Keys() {
		if !statuses[status] {
			t.Errorf("no reply with status %s is recorded", status)
		}
	}
	for name, code := range errorCodes(c.Doc) {
		if !codes[code] {
			t.Errorf("no reply with code %d %s is recorded", code, name)
		}
	}
}

// A reply that was tampered with must not satisfy the contract.
func TestTamperedRepliesBreakContract(t *testing.T) {
	t.Parallel()
	c := contract.Load(t)
	isJSON := func(r recorded.Reply) bool { return r.Header.Get("Content-Type") == "application/json" }
	number := regexp.MustCompile(`"code":\d+`)
	for _, test := range []struct {
		name    string
		applies func(recorded.Reply) bool
		tamper  func(*recorded.Reply)
	}{
		{"unknown status", func(recorded.Reply) bool { return true }, func(r *recorded.Reply) { r.Status = 418 }},
		{"unknown type", func(recorded.Reply) bool { return true }, func(r *recorded.Reply) { r.Header.Set("Content-Type", "image/png") }},
		{"no type", func(recorded.Reply) bool { return true }, func(r *recorded.Reply) { r.Header.Del("Content-Type") }},
		{"JSON cut short", isJSON, func(r *recorded.Reply) { r.Body = r.Body[:len(r.Body)-1] }},
		{"code as text", func(r recorded.Reply) bool { return isJSON(r) && r.Code != 0 },
			func(r *recorded.Reply) { r.Body = number.ReplaceAll(r.Body, []byte(`"code":"1"`)) }},
		{"code that is not listed", func(r recorded.Reply) bool { return isJSON(r) && r.Code != 0 },
			func(r *recorded.Reply) { r.Body = number.ReplaceAll(r.Body, []byte(`"code":1`)) }},
		{"no message", func(r recorded.Reply) bool { return isJSON(r) && r.Code != 0 },
			func(r *recorded.Reply) { r.Body = bytes.Replace(r.Body, []byte(`"message"`), []byte(`"massage"`), 1) }},
		{"broken JSON sent as JSON", func(r recorded.Reply) bool { return r.Name == "missing-scope" },
			func(r *recorded.Reply) { r.Header.Set("Content-Type", "application/json") }},
		{"limit that is no number", func(r recorded.Reply) bool { return r.Header.Get("X-RateLimit-Limit") != "" },
			func(r *recorded.Reply) { r.Header.Set("X-RateLimit-Limit", "lots") }},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			tampered := 0
			for _, reply := range pictureReplies(t) {
				if !test.applies(reply) {
					continue
				}
				tampered++
				test.tamper(&reply)
				if c.CheckResponse(upload(), reply.Status, reply.Header, reply.Body) == nil {
					t.Errorf("%s satisfies the contract", reply.Name)
				}
			}
			if tampered == 0 {
				t.Error("nothing to tamper with")
			}
		})
	}
}

// The replies of the Postman item stand as they are in it until they are recorded anew.
func TestRecordedRepliesOfItem(t *testing.T) {
	t.Parallel()
	item := readItem(t)
	names := []string{"created", "bad-request", "not-found"}
	if len(item.Response) != len(names) {
		t.Fatalf("the item has %d responses, want %d", len(item.Response), len(names))
	}
	for i, response := range item.Response {
		reply := getReply(t, names[i])
		if reply.Live {
			continue
		}
		header := http.Header{"Content-Length": {strconv.Itoa(len(response.Body))}}
		for _, h := range response.Header {
			header.Add(h.Key, h.Value)
		}
		if reply.Status != response.Code || string(reply.Body) != response.Body || !maps.EqualFunc(reply.Header, header, slices.Equal) {
			t.Errorf("%s: got %d %v %q, the item has %d %v %q",
				reply.Name, reply.Status, reply.Header, reply.Body, response.Code, header, response.Body)
		}
	}
}

func TestRecordedFilesAreWellFormed(t *testing.T) {
	t.Parallel()
	for _, name := range recorded.Names() {
		raw, err := os.ReadFile(filepath.Join(recordedDir, name+".http"))
		if err != nil {
			t.Error(err)
			continue
		}
		for _, problem := range malformed(raw) {
			t.Errorf("%s: %s", name, problem)
		}
	}
}

func TestMalformedFilesAreFound(t *testing.T) {
	t.Parallel()
	const good = "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\nab"
	if problems := malformed([]byte(good)); len(problems) > 0 {
		t.Fatalf("got %q for a good file", problems)
	}
	for _, test := range []struct{ name, old, new, want string }{
		{"line feeds only", "\r\n", "\n", "line without CRLF"},
		{"one line feed only", "plain\r\n", "plain\n", "line without CRLF"},
		{"body too long", "ab", "abc", "1 bytes after the body"},
		{"body too short", "ab", "a", "unexpected EOF"},
		{"no length", "Content-Length: 2\r\n", "", "no Content-Length"},
		{"chunked", "Content-Length: 2", "Transfer-Encoding: chunked", "EOF"},
		{"HTTP/2", "HTTP/1.1", "HTTP/2.0", "does not begin with HTTP/1.1"},
		{"header that identifies", "Content-Type:", "Set-Cookie:", "Set-Cookie is not kept"},
		{"address", "ab", "a@zoom.us", "a@zoom.us"},
		{"token", "ab", "eyJhbGciOiJIUzI1NiJ9.e30.c2lnbmF0dXJl", "looks like a token"},
		{"tracking ID", "Content-Type:", "x-zm-trackingid: v=2.0;clid=aw1;rid=WEB_1234\r\nContent-Type:", "WEB_1234"},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			problems := malformed([]byte(strings.ReplaceAll(good, test.old, test.new)))
			if !slices.ContainsFunc(problems, func(p string) bool { return strings.Contains(p, test.want) }) {
				t.Errorf("got %q, want %q among them", problems, test.want)
			}
		})
	}
}

var (
	kept = []string{"Content-Length", "Content-Location", "Content-Type", "Retry-After", "Server", "X-Ratelimit-Category",
		"X-Ratelimit-Limit", "X-Ratelimit-Remaining", "X-Ratelimit-Type", "X-Zm-Trackingid"}
	address    = regexp.MustCompile(`[\w.+-]+(@|%40)[\w-]+(\.[\w-]+)+`)
	token      = regexp.MustCompile(`eyJ[\w-]{8,}|[\w-]{40,}`)
	trackingID = "v=2.0;clid=aw1;rid=WEB_" + strings.Repeat("0", 32)
)

// malformed says what is wrong with a recorded file: its form, or something in it that could identify an account or a user.
func malformed(raw []byte) []string {
	var problems []string
	report := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }

	if !bytes.HasPrefix(raw, []byte("HTTP/1.1 ")) {
		report("does not begin with HTTP/1.1")
	}
	head, _, _ := bytes.Cut(raw, []byte("\r\n\r\n"))
	for line := range bytes.SplitSeq(head, []byte("\r\n")) {
		if bytes.Contains(line, []byte("\n")) {
			report("line without CRLF: %q", line)
		}
	}
	for _, found := range address.FindAllString(string(raw), -1) {
		if !strings.HasSuffix(found, "example.com") {
			report("address %s", found)
		}
	}
	reply, err := recorded.Parse(raw)
	if err != nil {
		report("%v", err)
	}
	for name, values := range reply.Header {
		if !slices.Contains(kept, name) {
			report("header %s is not kept", name)
		}
		if name == "X-Zm-Trackingid" && !slices.Equal(values, []string{trackingID}) {
			report("tracking ID %s", values)
		}
	}
	if found := token.Find(bytes.ReplaceAll(raw, []byte(trackingID), nil)); found != nil {
		report("%q looks like a token", found)
	}
	return problems
}

func TestRecordedIndex(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile(filepath.Join(recordedDir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var index recorded.Index
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&index); err != nil {
		t.Fatal(err)
	}
	var listed []string
	for _, entry := range index.Replies {
		listed = append(listed, entry.File)
		if entry.File != entry.Name+".http" {
			t.Errorf("%s: file %s", entry.Name, entry.File)
		}
		if entry.Source == "" {
			t.Errorf("%s: no source", entry.Name)
		}
		live := entry.Origin == "live"
		if !live && entry.Origin != "transcribed" || live != (entry.Recorded != "") {
			t.Errorf("%s: origin %q, recorded %q", entry.Name, entry.Origin, entry.Recorded)
		}
		if entry.Endpoint != recorded.Picture && entry.Endpoint != recorded.Token {
			t.Errorf("%s: endpoint %q", entry.Name, entry.Endpoint)
		}
		reply := getReply(t, entry.Name)
		if reply.Status != entry.Status || codeOf(reply.Body) != entry.Code {
			t.Errorf("%s: the file has status %d and code %d, the index %d and %d",
				entry.Name, reply.Status, codeOf(reply.Body), entry.Status, entry.Code)
		}
	}
	files, err := filepath.Glob(filepath.Join(recordedDir, "*.http"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range files {
		files[i] = filepath.Base(files[i])
	}
	if slices.Sort(listed); !slices.Equal(files, listed) {
		t.Errorf("files %v, listed %v", files, listed)
	}
	if _, err := recorded.Get("nothing"); err == nil {
		t.Error("a reply that is not recorded was found")
	}
}

// codeOf reads the code of a body that need not be well-formed JSON.
func codeOf(body []byte) int {
	found := regexp.MustCompile(`"code"\s*:\s*(\d+)`).FindSubmatch(body)
	if found == nil {
		return 0
	}
	code, _ := strconv.Atoi(string(found[1]))
	return code
}

func pictureReplies(t *testing.T) []recorded.Reply {
	t.Helper()
	var replies []recorded.Reply
	for _, name := range recorded.Names() {
		if reply := getReply(t, name); reply.Endpoint == recorded.Picture {
			replies = append(replies, reply)
		}
	}
	return replies
}

func getReply(t *testing.T, name string) recorded.Reply {
	t.Helper()
	reply, err := recorded.Get(name)
	if err != nil {
		t.Fatal(err)
	}
	return reply
}

func upload() *http.Request { return httptest.NewRequest("POST", "/v2/users/me/picture", nil) }
