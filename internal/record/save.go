package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/zoompic/zoompic/zoomclient/testdata/recorded"
)

const (
	indexFile = "index.json"
	live      = "live"
)

// save writes the replies that were recorded, then the index. Nothing else in dir changes.
func save(dir string, results []result, now time.Time) error {
	index, err := readIndex(dir)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.err != nil {
			continue
		}
		i := slices.IndexFunc(index.Replies, func(e recorded.Entry) bool { return e.Name == r.outcome.name })
		if i < 0 {
			return fmt.Errorf("%s has no entry named %s", indexFile, r.outcome.name)
		}
		entry := &index.Replies[i]
		entry.Status, entry.Code = r.reply.Status, r.outcome.code
		entry.Origin, entry.Recorded = live, now.Format(time.DateOnly)
		entry.Source, entry.Note = "recorded from "+r.reply.Source, ""
		if err := os.WriteFile(filepath.Join(dir, entry.File), rawReply(r.reply), 0o644); err != nil {
			return err
		}
	}
	return writeIndex(dir, index)
}

// rawReply is the reply as an HTTP/1.1 message of exact length.
func rawReply(reply recorded.Reply) []byte {
	var raw bytes.Buffer
	fmt.Fprintf(&raw, "HTTP/1.1 %d %s\r\n", reply.Status, http.StatusText(reply.Status))
	for _, name := range slices.Sorted(maps.Keys(reply.Header)) {
		for _, value := range reply.Header[name] {
			fmt.Fprintf(&raw, "%s: %s\r\n", name, value)
		}
	}
	fmt.Fprintf(&raw, "Content-Length: %d\r\n\r\n", len(reply.Body))
	raw.Write(reply.Body)
	return raw.Bytes()
}

// transcribed names the replies that were never recorded.
func transcribed(dir string) ([]string, error) {
	index, err := readIndex(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, entry := range index.Replies {
		if entry.Origin != live {
			names = append(names, entry.Name)
		}
	}
	return names, nil
}

func readIndex(dir string) (recorded.Index, error) {
	var index recorded.Index
	data, err := os.ReadFile(filepath.Join(dir, indexFile))
	if err != nil {
		return index, err
	}
	if err := json.Unmarshal(data, &index); err != nil {
		return index, fmt.Errorf("%s: %w", indexFile, err)
	}
	return index, nil
}

func writeIndex(dir string, index recorded.Index) error {
	var data bytes.Buffer
	encoder := json.NewEncoder(&data)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(index); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, indexFile), data.Bytes(), 0o644)
}
