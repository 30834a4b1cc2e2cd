//go:build unix && !aix && !solaris

package zoomclient

import (
	"bytes"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestLoadPictureRefusesWhatIsNoFile(t *testing.T) {
	t.Parallel()
	dir, err := os.MkdirTemp("", "pic") // t.TempDir's names can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	in := func(name string) string { return filepath.Join(dir, name) }

	if err := syscall.Mkfifo(in("fifo.jpg"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(in("fifo.jpg"), in("link.jpg")); err != nil {
		t.Fatal(err)
	}
	listener, err := net.Listen("unix", in("socket.jpg"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })

	for path, words := range map[string]string{
		in("fifo.jpg"):   "this is a pipe",
		in("link.jpg"):   "this is a pipe",
		in("socket.jpg"): "this is a device or socket",
		os.DevNull:       "this is a device or socket",
	} {
		done := make(chan error, 1)
		go func() {
			_, err := LoadPicture(path)
			done <- err
		}()
		select {
		case err := <-done:
			if err == nil || !strings.HasPrefix(err.Error(), "zoom: "+path+": "+words) {
				t.Errorf("%s: %v", path, err)
			}
		case <-time.After(10 * time.Second): // opening a FIFO waits for a writer for ever
			t.Errorf("%s: it hangs", path)
		}
	}
}

// TestLoadPictureFS stays in its file system, and refuses there what LoadPicture refuses.
func TestLoadPictureFS(t *testing.T) {
	dir := t.TempDir()
	inside := filepath.Join(dir, "inside")
	for _, d := range []string{inside, filepath.Join(inside, "folder")} {
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, path := range []string{filepath.Join(dir, "out.png"), filepath.Join(inside, "in.png")} {
		if err := os.WriteFile(path, smallPNG(t).bytes(), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"good.png": "in.png", "escapes.png": "../out.png"} {
		if err := os.Symlink(target, filepath.Join(inside, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(inside, "fifo.png"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(inside)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	for path, words := range map[string]string{
		"in.png": "", "good.png": "",
		"escapes.png": "path escapes from parent", "../out.png": "invalid", "folder": "this is a folder", "fifo.png": "this is a pipe", "none.png": "no such file",
	} {
		pic, err := LoadPictureFS(root.FS(), path, nil)
		switch {
		case words == "" && (err != nil || pic.Size() == 0):
			t.Errorf("%s: %v", path, err)
		case words != "" && (err == nil || !strings.HasPrefix(err.Error(), "zoom: "+path+": ") || !strings.Contains(err.Error(), words)):
			t.Errorf("%s: %v, want %q", path, err, words)
		}
	}
	memory := bytes.NewBufferString("what was in it before")
	for range 2 { // the second time it is large enough
		pic, err := LoadPictureFS(root.FS(), "in.png", memory)
		if err != nil || !bytes.Equal(pic.bytes(), smallPNG(t).bytes()) || &pic.bytes()[0] != &memory.Bytes()[0] {
			t.Errorf("%v, %v: not what is in the file, or not in the memory", pic, err)
		}
	}
}
