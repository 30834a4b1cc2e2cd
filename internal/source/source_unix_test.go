//go:build unix

package source

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// TestNothingHangsOrEscapes: links out of the folder, pipes, devices and folders are refused, each for itself.
func TestNothingHangsOrEscapes(t *testing.T) {
	outside := folder(t, map[string]string{"secret.png": pngOf(t, 9)})
	dir := folder(t, map[string]string{"ada@example.com.png": pngOf(t, 1), "folder@example.com.png/x": ""})
	in := func(name string) string { return filepath.Join(dir, name) }
	for name, target := range map[string]string{
		"link@example.com.png": "ada@example.com.png", "out@example.com.png": filepath.Join(outside, "secret.png"),
		"up@example.com.png": "../" + filepath.Base(outside) + "/secret.png", "device@example.com.png": "/dev/zero", "dangling@example.com.png": "none", "loop@example.com.png": "loop@example.com.png",
	} {
		if err := os.Symlink(target, in(name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink(outside, in("outside")); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mkfifo(in("fifo@example.com.png"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("list.csv"), []byte("user,file\nvia@example.com,outside/secret.png\nada@example.com,ada@example.com.png\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, false, "")
	words := map[string]string{
		"ada@example.com": "", "link@example.com": "",
		"out@example.com": "the link leaves the folder", "up@example.com": "the link leaves the folder", "device@example.com": "the link leaves the folder", "dangling@example.com": "no such file",
		"loop@example.com": "", "fifo@example.com": "this is a pipe",
	}
	if len(s.Rows) != len(words) {
		t.Errorf("%q", users(s))
	}
	s.Rows = append(s.Rows, open(t, in("list.csv"), false, "").Rows[0])
	words["via@example.com"] = "the link leaves the folder"
	for i := range s.Rows {
		row := &s.Rows[i]
		pic, _, err := s.Load(row, nil)
		want, listed := words[row.User]
		good := row.User == "ada@example.com" || row.User == "link@example.com"
		if !listed || good != (err == nil) || err != nil && (!strings.Contains(err.Error(), want) || strings.Contains(err.Error(), row.path)) {
			t.Errorf("%s: %v, %v; want %q", row.User, pic, err, want)
		}
		if data, _, err := s.Bytes(row); good != (err == nil) {
			t.Errorf("%s: %d bytes, %v", row.User, len(data), err)
		}
	}
	if _, err := Open(in("fifo@example.com.png"), false, nil); err == nil || !strings.Contains(err.Error(), "neither a folder nor a regular file") {
		t.Error(err)
	}
}
