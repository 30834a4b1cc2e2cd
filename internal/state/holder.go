package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"
	"time"
)

// A LockedError says that another process has the state file open.
type LockedError struct {
	Path string
	holder
}

// The lock itself does not tell who holds it, so the holder leaves a note beside the file. One that was left by a process
// that died says nothing: the lock is free then.
type holder struct {
	PID   int       `json:"pid"`
	Host  string    `json:"host"`
	Since time.Time `json:"since"`
}

func (e *LockedError) Error() string {
	who := "another run holds it"
	if e.PID != 0 {
		who = fmt.Sprintf("process %d on %q holds it since %s", e.PID, e.Host, e.Since.Format("2006-01-02 15:04:05 MST"))
	}
	return fmt.Sprintf("the state file %s is in use: %s; wait for its end", e.Path, who)
}

func notePath(path string) string { return path + ".lock" }

// writeHolder reports whether there is a note; a run goes on without. It makes a new file, as a link that somebody put in its
// place could lead anywhere.
func writeHolder(path string) bool {
	removeHolder(path)
	f, err := os.OpenFile(notePath(path), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return false
	}
	host, _ := os.Hostname()
	err = json.NewEncoder(f).Encode(holder{os.Getpid(), host, time.Now().Round(time.Second)})
	return errors.Join(err, f.Close()) == nil
}

func readHolder(path string) *LockedError {
	e := &LockedError{Path: path}
	if note, err := os.ReadFile(notePath(path)); err == nil && json.Unmarshal(note, &e.holder) != nil {
		e.holder = holder{}
	}
	if host, _ := os.Hostname(); e.Host == host && isGone(e.PID) {
		e.holder = holder{}
	}
	return e
}

// isGone reports whether no process has this number any more.
func isGone(pid int) bool {
	p, err := os.FindProcess(pid)
	if err != nil { // Windows
		return !errors.Is(err, os.ErrPermission)
	}
	defer p.Release()
	return errors.Is(p.Signal(syscall.Signal(0)), os.ErrProcessDone)
}

// removeHolder removes a note, and no file of somebody else that is called as one would be.
func removeHolder(path string) {
	note := notePath(path)
	info, err := os.Lstat(note)
	if err != nil {
		return
	}
	isNote := info.Mode()&os.ModeSymlink != 0 // somebody's trap, which holds nothing
	if info.Mode().IsRegular() {
		var h holder
		data, err := os.ReadFile(note)
		isNote = err == nil && json.Unmarshal(data, &h) == nil && h.PID != 0
	}
	if isNote {
		os.Remove(note)
	}
}
