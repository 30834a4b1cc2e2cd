package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
)

// A section is the part of a page that lists the people with one outcome.
type section struct {
	Outcome Outcome
	Count   int

	file *os.File
	rows *bufio.Writer
}

// sections are made as their first row comes.
type sections struct {
	dir string
	of  map[Outcome]*section
}

func newSections(dir string) *sections { return &sections{dir: dir, of: map[Outcome]*section{}} }

func (s *sections) add(row pageRow) error {
	if !slices.Contains(outcomes, row.Outcome) {
		return fmt.Errorf("%s has the unknown outcome %q", row.User, row.Outcome)
	}
	if s.of[row.Outcome] == nil {
		file, err := os.CreateTemp(s.dir, ".zoompic-report-*.part")
		if err != nil {
			return err
		}
		s.of[row.Outcome] = &section{Outcome: row.Outcome, file: file, rows: bufio.NewWriter(file)}
	}
	section := s.of[row.Outcome]
	section.Count++
	return page().ExecuteTemplate(section.rows, "row", row)
}

// list has the sections in the order in which a page shows them.
func (s *sections) list() []*section {
	var list []*section
	for _, outcome := range outcomes {
		if section := s.of[outcome]; section != nil {
			list = append(list, section)
		}
	}
	return list
}

func (s *sections) remove() error {
	var errs []error
	for _, section := range s.of {
		errs = append(errs, section.file.Close(), os.Remove(section.file.Name()))
	}
	return errors.Join(errs...)
}

func (s *section) copyTo(w io.Writer) error {
	if err := page().ExecuteTemplate(w, "section", s); err != nil {
		return err
	}
	if err := s.rows.Flush(); err != nil {
		return err
	}
	if _, err := s.file.Seek(0, io.SeekStart); err != nil {
		return err
	}
	if _, err := io.Copy(w, s.file); err != nil {
		return err
	}
	return page().ExecuteTemplate(w, "section end", s)
}

// Name is the outcome as a heading.
func (o Outcome) Name() string { return headings[o] }

var headings = map[Outcome]string{
	Uploaded:  "Uploaded",
	Unchanged: "Unchanged",
	Failed:    "Failed",
	Pending:   "Pending",
	Refused:   "Cannot be sent",
	Planned:   "Will be sent",
}
