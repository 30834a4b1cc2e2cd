package state

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.etcd.io/bbolt"

	"github.com/zoompic/zoompic/internal/source"
)

const account = "account A at https://api.zoom.us/v2"

func opened(t testing.TB, path string) *State {
	t.Helper()
	s, err := Open(path, account)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestRemembers(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := opened(t, path)
	now := time.Now().Round(0)
	ada := Person{Done: "d1", DoneAt: now, Seen: Seen{File: "ada.jpg", Stamp: source.Stamp{Size: 5, ModTime: now}, SHA256: "d1", At: now, Type: "image/jpeg", Width: 1, Height: 2}}
	bob := Person{Refusal: &Refusal{SHA256: "d2", At: now, Status: 400, Code: 300, Reason: "no", Advice: "another", TrackingID: "T"}}
	if err := s.Put(map[string]Person{"ada": ada, "bob": bob}); err != nil {
		t.Fatal(err)
	}
	var group sync.WaitGroup
	for i := range 50 {
		group.Go(func() {
			if err := s.PutSoon(fmt.Sprint(i), ada); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	view, err := View(path, "")
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	for key, want := range map[string]Person{"ada": ada, "bob": bob, "49": ada, "nobody": {}} {
		got, err := view.Get(key)
		if err != nil || fmt.Sprintf("%+v", got.Seen) != fmt.Sprintf("%+v", want.Seen) || got.Done != want.Done || !got.DoneAt.Equal(want.DoneAt) || (got.Refusal == nil) != (want.Refusal == nil) {
			t.Errorf("%s: %+v, %v; want %+v", key, got, err, want)
		}
		if got.Refusal != nil && (got.Refusal.Code != 300 || got.Refusal.Reason != "no") {
			t.Errorf("%s: %+v", key, got.Refusal)
		}
	}
}

func TestFileIsPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	opened(t, path)
	for _, p := range []string{path, notePath(path)} {
		if info, err := os.Stat(p); err != nil || os.PathSeparator == '/' && info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
}

func TestViewChangesNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	view, err := View(path, account)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := view.Get("ada"); err != nil || p.Done != "" {
		t.Errorf("%+v, %v", p, err)
	}
	view.Close()
	if _, err := os.Stat(path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a look made a file: %v", err)
	}
}

// TestSecondRunIsToldWhoHoldsTheFile, and gets it when the first has ended, however that ended.
func TestSecondRunIsToldWhoHoldsTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	first := opened(t, path)
	for name, open := range map[string]func(string, string) (*State, error){"run": Open, "dry run": View} {
		_, err := open(path, account)
		locked, ok := errors.AsType[*LockedError](err)
		if !ok || locked.PID != os.Getpid() || time.Since(locked.Since) > time.Minute || !strings.Contains(err.Error(), fmt.Sprintf("process %d on ", os.Getpid())) {
			t.Errorf("%s: %v", name, err)
		}
	}
	note, err := os.ReadFile(notePath(path))
	if err != nil {
		t.Fatal(err)
	}
	os.WriteFile(notePath(path), []byte("{"), 0o600)
	if _, err := Open(path, account); err == nil || !strings.Contains(err.Error(), "another run holds it") {
		t.Errorf("with a broken note: %v", err)
	}
	os.WriteFile(notePath(path), note, 0o600)
	first.Close()
	if _, err := os.Stat(notePath(path)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the note is left: %v", err)
	}
	os.WriteFile(notePath(path), []byte(`{"pid":1}`), 0o600) // of one that was killed
	opened(t, path).Close()
	victim := filepath.Join(t.TempDir(), "victim")
	os.WriteFile(victim, []byte("precious"), 0o600)
	if err := os.Symlink(victim, notePath(path)); err != nil {
		t.Skip(err)
	}
	opened(t, path)
	if content, _ := os.ReadFile(victim); string(content) != "precious" {
		t.Errorf("the note was written through a link: %q", content)
	}
}

// TestRefusedFiles are left as they are.
func TestRefusedFiles(t *testing.T) {
	dir := t.TempDir()
	good := filepath.Join(dir, "good")
	s := opened(t, good)
	people := map[string]Person{}
	for i := range 2000 {
		people[fmt.Sprint(i)] = Person{Done: strings.Repeat("d", 64)}
	}
	if err := s.Put(people); err != nil {
		t.Fatal(err)
	}
	s.Close()
	content, err := os.ReadFile(good)
	if err != nil {
		t.Fatal(err)
	}
	newer := func(path string) {
		db, err := bbolt.Open(path, 0o600, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer db.Close()
		if err := db.Update(func(tx *bbolt.Tx) error { return tx.Bucket(metaBucket).Put(formatKey, []byte("2")) }); err != nil {
			t.Fatal(err)
		}
	}
	flipped := bytes.Clone(content)
	for i := 4096 * 2; i < len(flipped); i++ {
		flipped[i] ^= 0xff
	}
	for name, test := range map[string]struct {
		content []byte
		change  func(string)
		account string
		words   string
	}{
		"other account": {content, nil, "account B at https://api.zoom.us/v2", "it belongs to account A at https://api.zoom.us/v2, and this run is for account B"},
		"newer":         {content, newer, account, "a newer version of zoompic wrote it"},
		"a picture":     {[]byte(strings.Repeat("\xff\xd8\xff", 20000)), nil, account, "no state file of zoompic"},
		"short":         {content[:5000], nil, account, "file size too small"},
		"cut":           {content[:len(content)/4], nil, account, "start over"},
		"bytes flipped": {flipped, nil, account, "start over"},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(dir, strings.ReplaceAll(name, " ", "-"))
			if err := os.WriteFile(path, test.content, 0o600); err != nil {
				t.Fatal(err)
			}
			if test.change != nil {
				test.change(path)
			}
			before, _ := os.ReadFile(path)
			for _, open := range []func(string, string) (*State, error){View, Open} {
				s, err := open(path, test.account)
				if err == nil {
					s.Close()
					t.Fatal("it was taken")
				}
				if strings.Contains(err.Error(), "runtime error") || !strings.Contains(err.Error(), test.words) || !strings.Contains(err.Error(), path) {
					t.Errorf("%v, want %q", err, test.words)
				}
			}
			if after, _ := os.ReadFile(path); !bytes.Equal(before, after) {
				t.Error("the file was changed")
			}
		})
	}
	if s, err := View(good, account); err != nil {
		t.Errorf("the control: %v", err)
	} else {
		s.Close()
	}
	if _, err := Open(dir, account); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a folder: %v", err)
	}
	if _, err := Open(filepath.Join(dir, "none", "s"), account); err == nil || !strings.Contains(err.Error(), "--state") {
		t.Errorf("no folder: %v", err)
	}
}

// TestUnusedFileChangesHands: a slip in the account's ID does not lock out the right one. Whoever is known keeps the file.
func TestUnusedFileChangesHands(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	typo, err := Open(path, "account typo")
	if err != nil {
		t.Fatal(err)
	}
	typo.Close()
	view, err := View(path, account)
	if err != nil {
		t.Fatal(err)
	}
	view.Close()
	s := opened(t, path)
	if err := s.Put(map[string]Person{"ada": {Done: "d"}}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	for _, open := range []func(string, string) (*State, error){Open, View} {
		if _, err := open(path, "account typo"); err == nil || !strings.Contains(err.Error(), "it belongs to account A at") {
			t.Error(err)
		}
	}
}

// TestViewHoldsNothing: a run can begin while a dry run goes on, which knows what it read.
func TestViewHoldsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := opened(t, path)
	if err := s.Put(map[string]Person{"ada": {Done: "d"}}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	view, err := View(path, account)
	if err != nil {
		t.Fatal(err)
	}
	defer view.Close()
	opened(t, path)
	if p, err := view.Get("ada"); err != nil || p.Done != "d" {
		t.Errorf("%+v, %v", p, err)
	}
}

// TestDeadHolderIsNotBlamed when somebody holds the file whose note is not there.
func TestDeadHolderIsNotBlamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	opened(t, path)
	dead := exec.Command(os.Args[0], "-test.run=^$")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	for pid, want := range map[int]string{dead.Process.Pid: "another run holds it", os.Getpid(): fmt.Sprintf("process %d on", os.Getpid())} {
		note, _ := json.Marshal(holder{PID: pid, Host: host})
		if err := os.WriteFile(notePath(path), note, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := Open(path, account); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
}

// TestEmptyFile is a new one, for a look as for a run.
func TestEmptyFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if view, err := View(path, account); err != nil {
		t.Error(err)
	} else {
		view.Close()
	}
	opened(t, path)
}

// TestCutAtFreePages: pages at the end that hold nobody are missed only when they are written, in the middle of a run.
func TestCutAtFreePages(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	s := opened(t, path)
	people := map[string]Person{}
	for i := range 2000 {
		people[fmt.Sprint(i)] = Person{Done: strings.Repeat("d", 64)}
	}
	for range 3 { // the second time leaves the front free, the third the end
		if err := s.Put(people); err != nil {
			t.Fatal(err)
		}
	}
	var size int64
	if err := s.db.View(func(tx *bbolt.Tx) error {
		size = tx.Size()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	s.Close()
	if err := os.Truncate(path, size-int64(os.Getpagesize())); err != nil {
		t.Fatal(err)
	}
	for _, open := range []func(string, string) (*State, error){View, Open} {
		if _, err := open(path, account); err == nil || !strings.Contains(err.Error(), "its end is missing; move it away") {
			t.Error(err)
		}
	}
}

func TestHolds(t *testing.T) {
	written := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	stamp := source.Stamp{Size: 5, ModTime: written}
	for name, test := range map[string]struct {
		seen Seen
		file string
		now  source.Stamp
		want bool
	}{
		"unchanged":             {Seen{File: "a", Fit: "square", Stamp: stamp, At: written.Add(3 * time.Second)}, "a", stamp, true},
		"seen while fresh":      {Seen{File: "a", Fit: "square", Stamp: stamp, At: written.Add(time.Second)}, "a", stamp, false},
		"written in the future": {Seen{File: "a", Fit: "square", Stamp: stamp, At: written.Add(-time.Hour)}, "a", stamp, false},
		"another size":          {Seen{File: "a", Fit: "square", Stamp: stamp, At: written.Add(time.Hour)}, "a", source.Stamp{Size: 6, ModTime: written}, false},
		"another time":          {Seen{File: "a", Fit: "square", Stamp: stamp, At: written.Add(time.Hour)}, "a", source.Stamp{Size: 5, ModTime: written.Add(1)}, false},
		"another file":          {Seen{File: "a", Fit: "square", Stamp: stamp, At: written.Add(time.Hour)}, "b", stamp, false},
		"other options":         {Seen{File: "a", Fit: "", Stamp: stamp, At: written.Add(time.Hour)}, "a", stamp, false},
		"changed while read":    {Seen{File: "a", Fit: "square", At: written.Add(time.Hour)}, "a", source.Stamp{}, false},
	} {
		if got := test.seen.Holds(test.file, "square", test.now); got != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestFilesOfOthersStay: one that is called as a note would be, and another program's database.
func TestFilesOfOthersStay(t *testing.T) {
	path := filepath.Join(t.TempDir(), "poetry")
	os.WriteFile(notePath(path), []byte("[[package]]"), 0o600)
	opened(t, path).Close()
	if content, err := os.ReadFile(notePath(path)); string(content) != "[[package]]" {
		t.Errorf("%q, %v", content, err)
	}

	foreign := filepath.Join(t.TempDir(), "grafana")
	db, err := bbolt.Open(foreign, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Update(func(tx *bbolt.Tx) error { _, err := tx.CreateBucket([]byte("dashboards")); return err }); err != nil {
		t.Fatal(err)
	}
	db.Close()
	before, _ := os.ReadFile(foreign)
	for name, open := range map[string]func(string, string) (*State, error){"run": Open, "dry run": View} {
		if _, err := open(foreign, account); err == nil || !strings.Contains(err.Error(), "it is no state file of zoompic") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if after, _ := os.ReadFile(foreign); !bytes.Equal(before, after) {
		t.Error("another program's file was written to")
	}
}

// TestUnclaimedFile is what a run leaves that is killed right after it made the file.
func TestUnclaimedFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	db, err := bbolt.Open(path, 0o600, nil)
	if err != nil {
		t.Fatal(err)
	}
	db.Close()
	view, err := View(path, account)
	if err != nil {
		t.Fatal(err)
	}
	view.Close()
	opened(t, path)
}

// TestRefusedFileIsNotRemoved, though it came into being while it was asked for: another run made it.
func TestRefusedFileIsNotRemoved(t *testing.T) {
	for range 20 {
		path := filepath.Join(t.TempDir(), "s")
		var both sync.WaitGroup
		both.Go(func() {
			if s, err := Open(path, account); err == nil {
				s.Put(map[string]Person{"ada": {Done: "d"}})
				s.Close()
			}
		})
		both.Go(func() {
			if s, err := Open(path, "account B"); err == nil {
				s.Put(map[string]Person{"bob": {Done: "d"}})
				s.Close()
			}
		})
		both.Wait()
		view, err := View(path, "")
		if err != nil {
			t.Fatal(err)
		}
		if len(view.people) == 0 {
			t.Fatal("what a run has remembered is gone")
		}
		view.Close()
	}
}
