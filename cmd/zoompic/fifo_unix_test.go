//go:build unix

package main

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestPipeDoesNotHang(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe.jpg")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	code, _, stderr := zoompic(t, nil, nil, "upload", "--fake", "ada", path)
	if code != exitUsage || !strings.Contains(stderr, "this is a pipe") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}
