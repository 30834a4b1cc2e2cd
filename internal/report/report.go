// Package report writes what became of each person's picture to a file that a person or a program can read: CSV for a
// spreadsheet, JSON Lines for a program, or one self-contained HTML page with everybody's face.
package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// An Outcome is what became of one person's picture.
type Outcome string

const (
	Uploaded  Outcome = "uploaded"
	Unchanged Outcome = "unchanged" // Zoom has had this very picture since an earlier run
	Failed    Outcome = "failed"
	Pending   Outcome = "pending" // not sent yet; the next run goes on with it
	Refused   Outcome = "refused" // in a dry run: cannot be sent
	Planned   Outcome = "planned" // in a dry run: would be sent
)

// outcomes are all of them, in the order in which a page shows them: what needs a person comes first.
var outcomes = []Outcome{Failed, Refused, Pending, Planned, Uploaded, Unchanged}

// A Row is one person. Fields that are zero are left out of the report.
type Row struct {
	User, File string
	Outcome    Outcome
	Reason     string // why it failed or is pending; empty otherwise
	Advice     string // what to do

	Status, Code, Attempts int    // HTTP status, Zoom's error code, requests sent
	TrackingID             string // for Zoom's support

	SHA256        string // hex
	ContentType   string
	Size          int64 // bytes
	Width, Height int   // pixels

	When  time.Time // of the upload
	Extra []string  // the source's other columns, parallel to Report.Columns

	// Open returns the picture's bytes for its thumbnail, which only a page has; nil if there is no picture. It is called
	// once at most, and for several rows at a time. A row whose picture cannot be shown gets initials in its place.
	Open func() ([]byte, error)
}

// A Report is what Write writes.
type Report struct {
	Title   string // what was synced, for example "examples/team"
	Time    time.Time
	DryRun  bool
	Columns []string        // names of the source's other columns
	Rows    iter.Seq[Row]   // read once, on the caller's goroutine, and never held in memory as a whole
	Counts  map[Outcome]int // what the run itself counted; nil if it did not
}

// formats are the writers by extension. A writer may leave temporary files in dir while it works.
var formats = map[string]func(w io.Writer, r Report, dir string) error{
	".csv":   writeCSV,
	".jsonl": writeJSONL,
	".html":  writeHTML,
}

// Check says before a run whether Write can work: the extension is known, nothing but a file is at path, and its folder
// takes files. It leaves an existing file as it is.
func Check(path string) error {
	if _, ok := formats[extension(path)]; !ok {
		return fmt.Errorf("report %s: the name must end in .csv, .jsonl or .html", path)
	}
	info, err := os.Stat(path)
	switch {
	case err == nil && info.IsDir():
		return fmt.Errorf("report %s: this is a folder; name a file", path)
	case err == nil && !info.Mode().IsRegular():
		return fmt.Errorf("report %s: this is no regular file", path)
	case err != nil && !errors.Is(err, os.ErrNotExist):
		return fmt.Errorf("report %s: %w", path, cause(err))
	}
	probe, err := createTemp(path)
	if err != nil {
		return err
	}
	return errors.Join(probe.Close(), os.Remove(probe.Name()))
}

// Write writes r to path in the format that its extension names, for nobody to read but the user, because it names
// people. The file is replaced as a whole or not at all: an error leaves an older report as it was, with two exceptions
// that say so. If only the last step fails, because the file is open in a spreadsheet for example, the error names the
// file that holds the new report; and a report whose rows differ from r.Counts is written, but is an error too.
func Write(path string, r Report) error {
	write, ok := formats[extension(path)]
	if !ok {
		return Check(path)
	}
	temp, err := createTemp(path)
	if err != nil {
		return err
	}
	counted := map[Outcome]int{}
	r.Rows = count(r.Rows, counted)
	if err := fill(temp, r, write); err != nil {
		return errors.Join(fmt.Errorf("report %s: %w", path, cause(err)), os.Remove(temp.Name()))
	}
	if err := os.Rename(temp.Name(), path); err != nil {
		return fmt.Errorf("report %s cannot be replaced: %w; if it is open in another program, close it there; the new report is in %s",
			path, cause(err), temp.Name())
	}
	return compare(path, counted, r.Counts)
}

// fill writes the report into temp and closes it, which Windows demands before a file can be renamed.
func fill(temp *os.File, r Report, write func(io.Writer, Report, string) error) error {
	buffered := bufio.NewWriterSize(temp, 64<<10)
	err := write(buffered, r, filepath.Dir(temp.Name()))
	if err == nil {
		err = buffered.Flush()
	}
	if err == nil {
		err = temp.Sync() // else a power cut after the rename could leave an empty file in place of the old one
	}
	return errors.Join(err, temp.Close())
}

// createTemp makes a file of mode 0600 beside path, with its extension so that it can be opened if it has to stay.
func createTemp(path string) (*os.File, error) {
	temp, err := os.CreateTemp(filepath.Dir(path), ".zoompic-report-*"+extension(path))
	if err != nil {
		return nil, fmt.Errorf("report %s: its folder takes no file: %w", path, cause(err))
	}
	return temp, nil
}

func extension(path string) string { return strings.ToLower(filepath.Ext(path)) }

// cause is err without the name of the temporary file, which nobody knows.
func cause(err error) error {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		return pathErr.Err
	}
	if linkErr, ok := errors.AsType[*os.LinkError](err); ok {
		return linkErr.Err
	}
	return err
}

// count passes rows on and counts them.
func count(rows iter.Seq[Row], counted map[Outcome]int) iter.Seq[Row] {
	return func(yield func(Row) bool) {
		for row := range rows {
			counted[row.Outcome]++
			if !yield(row) {
				return
			}
		}
	}
}

// compare finds people that the run and its report count differently.
func compare(path string, listed, counts map[Outcome]int) error {
	if counts == nil {
		return nil
	}
	for _, outcome := range outcomes {
		if listed[outcome] != counts[outcome] {
			return fmt.Errorf("report %s: it lists %d as %s, but the run counted %d; this is a mistake in zoompic, please report it",
				path, listed[outcome], outcome, counts[outcome])
		}
	}
	return nil
}
