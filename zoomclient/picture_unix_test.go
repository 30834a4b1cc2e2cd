//go:build unix && !aix && !solaris

package zoomclient

import (
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
