//go:build unix

package main

import (
	"os"
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

// TestFitReplacesFilesOnly, behind links too, and keeps who may read them.
func TestFitReplacesFilesOnly(t *testing.T) {
	dir := t.TempDir()
	in := func(name string) string { return filepath.Join(dir, name) }
	if err := syscall.Mkfifo(in("fifo.jpg"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(in("private.jpg"), []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for link, to := range map[string]string{"link.jpg": "private.jpg", "nowhere.jpg": "gone.jpg", "device.jpg": os.DevNull} {
		if err := os.Symlink(to, in(link)); err != nil {
			t.Fatal(err)
		}
	}
	for name, message := range map[string]string{"fifo.jpg": "this is no regular file", "device.jpg": "this is no regular file", "nowhere.jpg": "this is a link that leads nowhere"} {
		if code, _, stderr := zoompic(t, nil, nil, "fit", "--force", ada, in(name)); code != exitUsage || !strings.Contains(stderr, name+": "+message) {
			t.Errorf("exit %d: %s", code, stderr)
		}
	}
	if code, _, stderr := zoompic(t, nil, nil, "fit", "--force", ada, in("link.jpg")); code != exitDone || stderr != "" {
		t.Errorf("exit %d: %s", code, stderr)
	}
	info, err := os.Lstat(in("private.jpg"))
	if err != nil || info.Size() < 1000 || info.Mode().Perm() != 0o600 {
		t.Errorf("behind the link: %v, %v", info, err)
	}
	if info, err := os.Lstat(in("link.jpg")); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link: %v, %v", info, err)
	}
}
