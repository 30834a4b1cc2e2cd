// Package source reads who shall get which picture, from a folder or from a CSV file. No path in either leaves its folder.
package source

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/zoompic/zoompic/zoomclient"
)

// Stdin is the path that means CSV on standard input.
const Stdin = "-"

// MaxFileSize is the largest file that is read, in bytes: twice what a camera of 50 megapixels writes.
const MaxFileSize = 64 << 20

// A Source is a list of people and their pictures.
type Source struct {
	Dir        string   // the folder that pictures are in
	Columns    []string // names of the CSV's other columns
	Rows       []Row    // in the order of the file, or of the file names; each person once
	Duplicates int      // rows left out because another has the same person and picture
	Empty      int      // rows left out because nothing is in them
	Skipped    []string // files of the folder that are no pictures by their names

	root         *os.Root
	passedFolder bool // there are sub-folders that were not looked into
}

// A Row is one person.
type Row struct {
	User  string
	File  string   // the picture, as the source names it
	Extra []string // the other columns, parallel to Source.Columns
	Err   error    // why nothing can be sent; the file itself has not been looked at

	path string // of the picture below Source.Dir, for the file system
}

// A Stamp tells a changed file from an unchanged one without reading it. The zero Stamp fits no file.
type Stamp struct {
	Size    int64     `json:"size,omitempty"`
	ModTime time.Time `json:"mod_time,omitzero"`
}

// Equal reports whether both are stamps of the same state of a file.
func (s Stamp) Equal(other Stamp) bool {
	return s.Size == other.Size && s.ModTime.Equal(other.ModTime) && !s.ModTime.IsZero()
}

// Open reads the folder or CSV file at path, or CSV from stdin if path is [Stdin]. An error says that there is no list to go
// by: it cannot be read, has no people in it, or gives one person different pictures.
func Open(path string, recursive bool, stdin io.Reader) (*Source, error) {
	dir, read := ".", func(s *Source) error { return s.readCSV(stdin) }
	if path != Stdin {
		info, err := os.Stat(path)
		switch {
		case err != nil:
			return nil, plain(err)
		case info.IsDir():
			dir, read = path, func(s *Source) error { return s.readFolder(recursive) }
		case !info.Mode().IsRegular():
			return nil, errors.New("this is neither a folder nor a regular file; standard input is -")
		default:
			dir, read = filepath.Dir(path), func(s *Source) error { return s.readCSVFile(path) }
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, plain(err)
	}
	s := &Source{Dir: dir, root: root}
	err = read(s)
	if err == nil {
		err = s.dropDuplicates()
	}
	if err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// Close ends access to the pictures.
func (s *Source) Close() error { return s.root.Close() }

// Stat looks at a row's file without opening it.
func (s *Source) Stat(r *Row) (Stamp, error) {
	info, err := fs.Stat(s.root.FS(), r.path)
	if err != nil {
		return Stamp{}, plain(err)
	}
	return Stamp{info.Size(), info.ModTime()}, nil
}

// Load reads and checks a row's picture, into memory as [zoomclient.LoadPictureFS] does. The stamp is zero if the file
// changed meanwhile.
func (s *Source) Load(r *Row, memory *bytes.Buffer) (zoomclient.Picture, Stamp, error) {
	return stamped(s, r, func() (zoomclient.Picture, error) { return s.loadPicture(r, memory) })
}

// Bytes reads a row's file, whatever it is, up to [MaxFileSize]. The stamp is zero if the file changed meanwhile.
func (s *Source) Bytes(r *Row) ([]byte, Stamp, error) {
	return stamped(s, r, func() ([]byte, error) { return s.readFile(r) })
}

// stamped reads a row's file by read, and returns the stamp that it had before and after.
func stamped[T any](s *Source, r *Row, read func() (T, error)) (T, Stamp, error) {
	before, _ := s.Stat(r) // if it cannot be had, neither can the content
	content, err := read()
	if err != nil {
		return content, Stamp{}, err
	}
	if after, err := s.Stat(r); err != nil || !after.Equal(before) {
		before = Stamp{}
	}
	return content, before, nil
}

func (s *Source) readFile(r *Row) ([]byte, error) {
	info, err := fs.Stat(s.root.FS(), r.path)
	switch {
	case err != nil:
		return nil, plain(err)
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	}
	f, err := s.root.Open(r.path)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	data := bytes.NewBuffer(make([]byte, 0, min(info.Size(), MaxFileSize)+bytes.MinRead)) // ReadFrom wants room to see the end
	if _, err := data.ReadFrom(io.LimitReader(f, MaxFileSize+1)); err != nil {
		return nil, plain(err)
	}
	if data.Len() > MaxFileSize {
		return nil, fmt.Errorf("%w: it has more than %d bytes; export it smaller first", zoomclient.ErrTooLarge, MaxFileSize)
	}
	return data.Bytes(), nil
}

// loadPicture takes the path from the error as plain does.
func (s *Source) loadPicture(r *Row, memory *bytes.Buffer) (zoomclient.Picture, error) {
	pic, err := zoomclient.LoadPictureFS(s.root.FS(), r.path, memory)
	if cause := errors.Unwrap(err); cause != nil {
		err = plain(cause)
	}
	return pic, err
}

// Key is the same for all spellings of a user: email addresses do not depend on case, Zoom's user IDs do.
func Key(user string) string {
	if strings.Contains(user, "@") {
		return strings.ToLower(user)
	}
	return user
}

// checkUser refuses whom no list can mean.
func checkUser(user string) error {
	if strings.EqualFold(user, zoomclient.Me) {
		return fmt.Errorf("%w: %q is whoever the token belongs to; name the person", zoomclient.ErrInvalidUserID, user)
	}
	return zoomclient.CheckUserID(user)
}

// dropDuplicates leaves each person once. Who would get different pictures is an error: nobody could say which is meant.
func (s *Source) dropDuplicates() error {
	first := map[string]int{} // index into kept
	kept := s.Rows[:0]
	var unclear []string
	for _, row := range s.Rows {
		i, again := first[Key(row.User)]
		switch {
		case checkUser(row.User) != nil: // a failure of this row, which tells nobody apart
			kept = append(kept, row)
		case !again:
			first[Key(row.User)] = len(kept)
			kept = append(kept, row)
		case s.samePicture(&kept[i], &row):
			s.Duplicates++
		default:
			unclear = append(unclear, fmt.Sprintf("%s (%s and %s)", quote(row.User), quote(kept[i].File), quote(row.File)))
		}
	}
	s.Rows = kept
	if len(unclear) > 0 {
		return fmt.Errorf("more than one picture for %s; leave one for each person", list(unclear))
	}
	if len(kept) == 0 && s.passedFolder {
		return errors.New("nobody is in it, but sub-folders are; --recursive takes the pictures of those too")
	}
	if len(kept) == 0 {
		return errors.New("nobody is in it")
	}
	return nil
}

func (s *Source) samePicture(a, b *Row) bool {
	if a.File == b.File || a.path == b.path && a.path != "" {
		return true
	}
	one, err := s.readFile(a)
	if err != nil {
		return false
	}
	other, err := s.readFile(b)
	return err == nil && bytes.Equal(one, other)
}

var errLinkLeaves = errors.New("the link leaves the folder; put the picture itself there")

// plain takes the operation and path from an error: who prints it has named the file.
func plain(err error) error {
	if wrapped, ok := errors.AsType[*fs.PathError](err); ok {
		err = wrapped.Err
	}
	if err.Error() == "path escapes from parent" { // package os does not export it
		return errLinkLeaves
	}
	return err
}

// list names the first few.
func list(names []string) string {
	const most = 5
	if len(names) > most {
		return fmt.Sprintf("%s, and %d others", strings.Join(names[:most], ", "), len(names)-most)
	}
	return strings.Join(names, ", ")
}
