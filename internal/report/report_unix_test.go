//go:build unix

package report

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestWriteIsForTheUserOnly(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"r.csv", "r.jsonl", "r.html"} {
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := Write(path, team()); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if info.Mode() != 0o600 {
			t.Errorf("%s: mode %v", name, info.Mode())
		}
	}
}

func TestCheckRefusesAPipe(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "r.csv")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Check(path); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("error %v", err)
	}
}

func TestFolderThatTakesNoFile(t *testing.T) {
	t.Parallel()
	dir := "/proc/self" // takes no file from root either
	if os.Geteuid() != 0 {
		dir = t.TempDir()
		if err := os.Chmod(dir, 0o500); err != nil {
			t.Fatal(err)
		}
	} else if _, err := os.Stat(dir); err != nil {
		t.Skip("root may write everywhere, and there is no /proc")
	}
	path := filepath.Join(dir, "r.csv")
	for name, err := range map[string]error{"Check": Check(path), "Write": Write(path, team())} {
		if err == nil || !strings.HasPrefix(err.Error(), "report "+path+": its folder takes no file: ") || strings.Contains(err.Error(), ".zoompic") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
