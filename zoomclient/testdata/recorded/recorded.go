// Package recorded holds replies of Zoom's picture operation and of its token endpoint as raw HTTP/1.1 messages, for tests and
// for the fake. Its index, index.json, names the source of each and says whether it was transcribed from a document or
// recorded from Zoom.
package recorded

import (
	"bufio"
	"bytes"
	"embed"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
)

//go:embed *.http index.json
var files embed.FS

// What answered.
const (
	Picture = "picture" // the picture operation, which the contract describes
	Token   = "token"   // the token endpoint, which is not part of the contract
)

// A Reply is one recorded answer.
type Reply struct {
	Name     string // stable; what Get takes
	Endpoint string // Picture or Token
	Source   string // where the reply is known from
	Live     bool   // recorded from Zoom, not transcribed from a document
	Status   int
	Code     int         // Zoom's own code in the body, 0 if there is none
	Header   http.Header // as recorded, Content-Length included
	Body     []byte
}

// Entry is one reply in the index.
type Entry struct {
	Name     string `json:"name"`
	File     string `json:"file"`
	Endpoint string `json:"endpoint"`
	Status   int    `json:"status"`
	Code     int    `json:"code"`
	Origin   string `json:"origin"` // "transcribed" or "live"
	Recorded string `json:"recorded,omitempty"`
	Source   string `json:"source"`
	Note     string `json:"note,omitempty"`
}

// Index is index.json.
type Index struct {
	About   string  `json:"about"`
	Replies []Entry `json:"replies"`
}

var index = sync.OnceValue(func() Index {
	data, err := files.ReadFile("index.json")
	if err != nil {
		panic(err) // embedded at compile time
	}
	var index Index
	if err := json.Unmarshal(data, &index); err != nil {
		panic("recorded: index.json: " + err.Error())
	}
	return index
})

// Names returns the names of all replies, in the order of the index.
func Names() []string {
	var names []string
	for _, entry := range index().Replies {
		names = append(names, entry.Name)
	}
	return names
}

// Get returns the reply of that name. The caller may change it.
func Get(name string) (Reply, error) {
	replies := index().Replies
	i := slices.IndexFunc(replies, func(e Entry) bool { return e.Name == name })
	if i < 0 {
		return Reply{}, fmt.Errorf("recorded: no reply is named %q", name)
	}
	entry := replies[i]
	raw, err := files.ReadFile(entry.File)
	if err != nil {
		return Reply{}, fmt.Errorf("recorded: %w", err)
	}
	reply, err := Parse(raw)
	if err != nil {
		return Reply{}, fmt.Errorf("recorded: %s: %w", entry.File, err)
	}
	reply.Name, reply.Endpoint, reply.Source = entry.Name, entry.Endpoint, entry.Source
	reply.Live, reply.Code = entry.Origin == "live", entry.Code
	return reply, nil
}

// Parse reads a raw HTTP/1.1 message; it must be the whole of raw and its Content-Length must be exact.
func Parse(raw []byte) (Reply, error) {
	rest := bufio.NewReader(bytes.NewReader(raw))
	resp, err := http.ReadResponse(rest, nil)
	if err != nil {
		return Reply{}, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return Reply{}, err
	}
	if resp.ContentLength < 0 {
		return Reply{}, fmt.Errorf("no Content-Length")
	}
	if n, _ := io.Copy(io.Discard, rest); n > 0 {
		return Reply{}, fmt.Errorf("%d bytes after the body", n)
	}
	return Reply{Status: resp.StatusCode, Header: resp.Header, Body: body}, nil
}
