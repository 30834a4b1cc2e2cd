package source

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"unicode/utf8"
)

const (
	userColumn = "user"
	fileColumn = "file"
)

func (s *Source) readCSVFile(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return plain(err)
	}
	defer f.Close()
	return s.readCSV(f)
}

// readCSV takes a header with the columns user and file, in any case and order, separated by commas, semicolons or tabs.
func (s *Source) readCSV(r io.Reader) error {
	data, err := io.ReadAll(r)
	if err != nil {
		return plain(err)
	}
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		return errors.New("this is UTF-16 text; save it as CSV UTF-8")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if n, valid := firstInvalidLine(data); !valid {
		return fmt.Errorf("line %d is not UTF-8 text; save it as CSV UTF-8", n)
	}
	comma, data := separator(data)
	rows := csv.NewReader(bytes.NewReader(data))
	rows.Comma = comma
	names, err := rows.Read()
	if err == io.EOF {
		return errors.New("it is empty")
	}
	if err != nil {
		return csvError(err)
	}
	columns, err := findColumns(names)
	if err != nil {
		return err
	}
	s.Columns = columns.others(names)
	for {
		cells, err := rows.Read()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return csvError(err)
		}
		if strings.TrimSpace(strings.Join(cells, "")) == "" { // spreadsheets leave such rows at the end
			s.Empty++
			continue
		}
		s.Rows = append(s.Rows, columns.row(cells))
	}
}

// firstInvalidLine finds text in another encoding, such as that of Excel's plain CSV.
func firstInvalidLine(data []byte) (n int, valid bool) {
	for line := range bytes.Lines(data) {
		if n++; !utf8.Valid(line) {
			return n, false
		}
	}
	return n, true
}

// separator is the one that a first line like "sep=;" names, which Excel understands and which is no row, or else the one
// that the header uses most: programs in many languages write semicolons.
func separator(data []byte) (comma rune, rows []byte) {
	header, _, _ := bytes.Cut(data, []byte("\n"))
	if line := bytes.TrimRight(header, "\r"); len(line) == len("sep=;") && bytes.EqualFold(line[:4], []byte("sep=")) {
		return rune(line[4]), data[len(line):] // an empty line, so that those of errors are right
	}
	comma, most := ',', 0
	for _, c := range ",;\t" {
		if n := bytes.Count(header, []byte(string(c))); n > most {
			comma, most = c, n
		}
	}
	return comma, data
}

// columns are the places of the two columns that have a meaning.
type columns struct{ user, file int }

func findColumns(names []string) (columns, error) {
	found := columns{-1, -1}
	for i, name := range names {
		for want, place := range map[string]*int{userColumn: &found.user, fileColumn: &found.file} {
			if !strings.EqualFold(strings.TrimSpace(name), want) {
				continue
			}
			if *place >= 0 {
				return found, fmt.Errorf("its header names the column %q twice", want)
			}
			*place = i
		}
	}
	if found.user < 0 || found.file < 0 {
		return found, fmt.Errorf("its first line must name the columns %q and %q; it is %s", userColumn, fileColumn, quote(strings.Join(names, ", ")))
	}
	return found, nil
}

func (c columns) others(cells []string) []string {
	var others []string
	for i, cell := range cells {
		if i != c.user && i != c.file {
			others = append(others, cell)
		}
	}
	return others
}

func (c columns) row(cells []string) Row {
	row := Row{User: strings.TrimSpace(cells[c.user]), File: strings.TrimSpace(cells[c.file]), Extra: c.others(cells)}
	row.path, row.Err = below(row.File)
	if err := checkUser(row.User); err != nil {
		row.Err = err
	}
	return row
}

// below cleans a path and refuses one that leaves the folder. Links that leave it are found when they are opened.
func below(file string) (string, error) {
	slashed := filepath.ToSlash(file)
	switch clean := path.Clean(slashed); {
	case file == "":
		return "", errors.New("no file is named; fill in the column \"file\", or remove the row")
	case path.IsAbs(slashed) || filepath.IsAbs(file) || filepath.VolumeName(file) != "":
		return "", errors.New("the path must be relative to the CSV file's folder; give it without the folders above")
	case !fs.ValidPath(clean):
		return "", errors.New("the path leaves the CSV file's folder; put the picture below that folder")
	default:
		return clean, nil
	}
}

// csvError says it with the line.
func csvError(err error) error {
	if parse, ok := errors.AsType[*csv.ParseError](err); ok {
		if parse.Err == csv.ErrFieldCount {
			return fmt.Errorf("line %d has another number of columns than the header; a picture could go to the wrong person", parse.Line)
		}
		return fmt.Errorf("line %d: %w", parse.Line, parse.Err)
	}
	return err
}

// quote shows where a name begins and ends if it could rewrite a terminal.
func quote(name string) string {
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}
