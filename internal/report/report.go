// Package report writes what became of every person.
package report

import (
	"errors"
	"iter"
	"time"
)

// Outcome of a row.
type Outcome string

const (
	Uploaded  Outcome = "uploaded"
	Unchanged Outcome = "unchanged"
	Failed    Outcome = "failed"
	Pending   Outcome = "pending"
	Refused   Outcome = "refused" // dry run: cannot be sent
	Planned   Outcome = "planned" // dry run: would be sent
)

// A Row is one person.
type Row struct {
	User, File             string
	Outcome                Outcome
	Reason                 string // why it failed or is pending; empty otherwise
	Advice                 string // what to do
	Status, Code, Attempts int
	TrackingID             string
	SHA256                 string // hex, if known
	ContentType            string
	Size                   int64
	Width, Height          int
	When                   time.Time              // of the upload; zero if none
	Extra                  []string               // the source's other columns, parallel to Report.Columns
	Open                   func() ([]byte, error) // the picture's bytes for its thumbnail; may be nil
}

// A Report is what Write writes.
type Report struct {
	Title   string
	Time    time.Time
	DryRun  bool
	Columns []string // names of the source's other columns
	Rows    iter.Seq[Row]
	Counts  map[Outcome]int
}

var errMissing = errors.New("this build writes no reports")

func Check(path string) error           { return errMissing }
func Write(path string, r Report) error { return errMissing }
