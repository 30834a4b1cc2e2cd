// Package state remembers between runs what Zoom has taken and what it will never take. It is a bbolt file: every change is on
// the disk before the call returns, and a process that dies at any moment leaves the file as it was before or after the change.
//
// The file holds user IDs, digests of pictures and Zoom's answers; no secret and no picture.
package state

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"runtime/debug"
	"time"

	"go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"github.com/zoompic/zoompic/internal/source"
)

// format is the version of what is in the file.
const format = "1"

// lockTimeout is how long another process may take to close the file; a longer one is running.
const lockTimeout = 300 * time.Millisecond

var (
	metaBucket   = []byte("zoompic")
	peopleBucket = []byte("people")
	formatKey    = []byte("format")
	accountKey   = []byte("account")
)

// A Person is what is remembered of one.
type Person struct {
	Done    string    `json:"done,omitempty"` // the Seen.SHA256 of the picture that Zoom has; empty if that is not known
	DoneAt  time.Time `json:"done_at,omitzero"`
	Fitted  Picture   `json:"fitted,omitzero"` // what Zoom has, if that was made of the file; else it is the file
	Refusal *Refusal  `json:"refusal,omitempty"`
	Seen    Seen      `json:"seen,omitzero"`
}

// A Picture is what a sent file was.
type Picture struct {
	SHA256 string `json:"sha256"` // in hex
	Type   string `json:"type"`
	Size   int64  `json:"size"` // in bytes
	Width  int    `json:"width"`
	Height int    `json:"height"`
}

// A Refusal is a picture that Zoom will not take for this person, however often it is sent.
type Refusal struct {
	SHA256     string    `json:"sha256"` // that of Seen
	At         time.Time `json:"at"`
	Status     int       `json:"status"`
	Code       int       `json:"code,omitempty"`
	Reason     string    `json:"reason"`
	Advice     string    `json:"advice,omitempty"`
	TrackingID string    `json:"tracking_id,omitempty"`
}

// A Seen is the last look at a person's file, so that an unchanged one need not be read again.
type Seen struct {
	File   string       `json:"file"`
	Stamp  source.Stamp `json:"stamp"`
	SHA256 string       `json:"sha256"` // of the file, in hex; if it is to be fitted, of that digest and of Fit
	At     time.Time    `json:"at"`     // before it was read
	Type   string       `json:"type"`
	Width  int          `json:"width"`
	Height int          `json:"height"`
	GPS    bool         `json:"gps,omitempty"`  // it carries the position of where it was taken
	Fit    string       `json:"fit,omitempty"`  // the options by which it is to be fitted; empty if it is sent as it is
	Fits   bool         `json:"fits,omitempty"` // it does by these already
}

// settled is how much older than the look a file must be: one that is written twice within the granularity of its
// file system's clock, 2 s on FAT, keeps its stamp.
const settled = 2 * time.Second

// Holds reports whether s still describes a file that has this stamp now, for fitting by the same options.
func (s Seen) Holds(file, fit string, now source.Stamp) bool {
	return s.File == file && s.Fit == fit && s.Stamp.Equal(now) && s.At.Sub(now.ModTime) > settled
}

// A State is an open state file. It is safe for concurrent use.
type State struct {
	db     *bbolt.DB // nil in a view
	path   string
	held   bool              // the note of who holds it is ours
	people map[string]Person // of a view
}

// Open opens or creates the state file at path for account and locks it. A file that knows nobody yet may be any account's.
// An error is a *[LockedError], or says why the file cannot be used and what to do; the file is then as it was.
func Open(path, account string) (*State, error) {
	_, err := os.Lstat(path)
	created := errors.Is(err, os.ErrNotExist)
	db, err := open(path, false)
	if err != nil {
		if _, locked := errors.AsType[*LockedError](err); created && !locked {
			os.Remove(path) // what a full disk let come into being would block the next run
		}
		return nil, err
	}
	// What was opened is not removed, whatever is wrong with it: it may be another run's by now.
	if err := guarded(func() error { return db.Update(func(tx *bbolt.Tx) error { return claim(tx, account) }) }); err != nil {
		db.Close()
		return nil, unusable(path, err)
	}
	return &State{db: db, path: path, held: writeHolder(path)}, nil
}

// View reads the state file at path without changing anything, and keeps no lock. If there is none, nothing is known of
// anybody. An empty account fits every file.
func View(path, account string) (*State, error) {
	s := &State{path: path, people: map[string]Person{}}
	if info, err := os.Stat(path); errors.Is(err, os.ErrNotExist) || err == nil && info.Mode().IsRegular() && info.Size() == 0 {
		return s, nil
	}
	db, err := open(path, true)
	if err != nil {
		return nil, err
	}
	defer db.Close()
	if err := db.View(func(tx *bbolt.Tx) error { return errors.Join(check(tx, account), s.readPeople(tx)) }); err != nil {
		return nil, unusable(path, err)
	}
	return s, nil
}

func (s *State) readPeople(tx *bbolt.Tx) error {
	bucket := tx.Bucket(peopleBucket)
	if bucket == nil {
		return nil
	}
	return bucket.ForEach(func(key, data []byte) error {
		var p Person
		err := json.Unmarshal(data, &p)
		s.people[string(key)] = p
		return err
	})
}

// Close unlocks the file.
func (s *State) Close() error {
	if s.db == nil {
		return nil
	}
	if s.held {
		removeHolder(s.path)
	}
	return s.db.Close()
}

// Get returns what is known of the person with this key.
func (s *State) Get(key string) (Person, error) {
	if s.db == nil {
		return s.people[key], nil
	}
	var p Person
	err := s.db.View(func(tx *bbolt.Tx) error {
		people := tx.Bucket(peopleBucket)
		if people == nil {
			return nil
		}
		data := people.Get([]byte(key))
		if data == nil {
			return nil
		}
		return json.Unmarshal(data, &p)
	})
	if err != nil {
		return Person{}, unusable(s.path, err)
	}
	return p, nil
}

// Put remembers people by their keys, all or none, and returns when that is on the disk.
func (s *State) Put(people map[string]Person) error {
	return s.durably(s.db.Update, people)
}

// PutSoon is Put for one of many callers at a time: they share one write.
func (s *State) PutSoon(key string, p Person) error {
	return s.durably(s.db.Batch, map[string]Person{key: p})
}

func (s *State) durably(update func(func(*bbolt.Tx) error) error, people map[string]Person) error {
	err := update(func(tx *bbolt.Tx) error {
		bucket := tx.Bucket(peopleBucket)
		for key, p := range people {
			data, err := json.Marshal(p)
			if err != nil {
				return err
			}
			if err := bucket.Put([]byte(key), data); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return &WriteError{s.path, err}
	}
	return nil
}

// A WriteError says that a change is not remembered. What the file held before is intact.
type WriteError struct {
	Path  string
	cause error
}

func (e *WriteError) Error() string {
	return fmt.Sprintf("the state file %s cannot be written: %v; make room, or choose another place with --state, and run again", e.Path, e.cause)
}
func (e *WriteError) Unwrap() error { return e.cause }

// open opens the file and reads it all once: what is damaged shows now, and not in the middle of a run.
func open(path string, readOnly bool) (*bbolt.DB, error) {
	if info, err := os.Stat(path); err == nil && !info.Mode().IsRegular() {
		return nil, unusable(path, errors.New("it is no regular file; choose another place with --state"))
	}
	var db *bbolt.DB
	err := guarded(func() (err error) {
		db, err = bbolt.Open(path, 0o600, &bbolt.Options{Timeout: lockTimeout, ReadOnly: readOnly})
		return err
	})
	switch {
	case errors.Is(err, berrors.ErrTimeout):
		return nil, readHolder(path)
	case errors.Is(err, berrors.ErrInvalid), errors.Is(err, berrors.ErrChecksum), errors.Is(err, berrors.ErrVersionMismatch):
		return nil, unusable(path, fmt.Errorf("it is no state file of zoompic, or damaged (%w); %s", err, startOver))
	case errors.Is(err, errDamaged):
		return nil, unusable(path, fmt.Errorf("%w; %s", err, startOver))
	case err != nil:
		return nil, unusable(path, fmt.Errorf("%w; choose another place with --state", err))
	}
	if err := guarded(func() error {
		return db.View(func(tx *bbolt.Tx) error { return errors.Join(checkSize(tx, path), readAll(tx)) })
	}); err != nil {
		db.Close()
		return nil, unusable(path, fmt.Errorf("%w; %s", err, startOver))
	}
	return db, nil
}

var errDamaged = errors.New("it is damaged")

// guarded turns what a damaged file does to bbolt, panics and faults of the memory map, into an error.
func guarded(f func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		switch value := recover().(type) {
		case nil:
		case runtime.Error:
			err = errDamaged
		default:
			err = fmt.Errorf("%w (%v)", errDamaged, value)
		}
	}()
	return f()
}

// checkSize refuses a file that was cut. What is missing may be pages that nobody reads, until they are written.
func checkSize(tx *bbolt.Tx, path string) error {
	info, err := os.Stat(path)
	if err == nil && info.Size() < tx.Size() {
		err = fmt.Errorf("%w: its end is missing", errDamaged)
	}
	return err
}

func readAll(tx *bbolt.Tx) error {
	people := tx.Bucket(peopleBucket)
	if people == nil {
		return nil
	}
	return people.ForEach(func(key, data []byte) error {
		if !json.Valid(data) {
			return fmt.Errorf("%w at %q", errDamaged, key)
		}
		return nil
	})
}

const startOver = "move it away to start over, which sends every picture once more"

// claim makes a file that knows nobody this account's.
func claim(tx *bbolt.Tx, account string) error {
	if err := check(tx, account); err != nil {
		return err
	}
	meta, err := tx.CreateBucketIfNotExists(metaBucket)
	if err != nil {
		return err
	}
	if _, err := tx.CreateBucketIfNotExists(peopleBucket); err != nil {
		return err
	}
	return errors.Join(meta.Put(formatKey, []byte(format)), meta.Put(accountKey, []byte(account)))
}

// check refuses what another account or a newer version wrote.
func check(tx *bbolt.Tx, account string) error {
	meta := tx.Bucket(metaBucket)
	if meta == nil {
		if first, _ := tx.Cursor().First(); first == nil {
			return nil // a run ended before it had claimed it
		}
		return errors.New("it is no state file of zoompic; " + startOver)
	}
	if v := string(meta.Get(formatKey)); v != format {
		return fmt.Errorf("a newer version of zoompic wrote it (format %q, this one knows %q); use that version, or another file with --state", v, format)
	}
	if owner := string(meta.Get(accountKey)); account != "" && owner != account && knowsAnybody(tx) {
		return fmt.Errorf("it belongs to %s, and this run is for %s; give each its own with --state", owner, account)
	}
	return nil
}

// knowsAnybody is false after a run that ended before its first answer: its account may have been a slip of the pen.
func knowsAnybody(tx *bbolt.Tx) bool {
	people := tx.Bucket(peopleBucket)
	if people == nil {
		return false
	}
	key, _ := people.Cursor().First()
	return key != nil
}

func unusable(path string, err error) error {
	return fmt.Errorf("the state file %s: %w", path, err)
}
