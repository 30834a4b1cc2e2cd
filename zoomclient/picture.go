package zoomclient

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"
	"strconv"
	"strings"
	"unicode/utf8"
)

// MaxPictureSize is the largest picture that is sent, in bytes. Zoom's OpenAPI file says "2M" without saying which; the
// larger reading is used, so that no picture is refused that Zoom takes.
const MaxPictureSize = 2 << 20

const maxPixels = 100_000_000

// A Picture is an image that has been read once and checked: a value made by one of the constructors is fit to send.
// It may be used by many goroutines at once and prints as its type and size, never its bytes. The zero Picture is empty
// and refused by uploads.
type Picture struct {
	// Two pointers make a Picture in an unexported field, where Format is not called, print as an address: fmt follows
	// one pointer if the verb does not fit it, as in %s.
	content **content
}

type content struct {
	data        []byte
	contentType string
	layout
}

// A layout is what walking a picture's structure finds.
type layout struct {
	width, height int
	end           int // where the image ends in the data; what follows is no part of it
}

// NewPicture checks data, a whole JPEG or PNG file. It does not copy: the caller must not change data afterwards.
// Errors match [ErrEmptyPicture], [ErrTooLarge], [ErrUnsupportedFormat] or [ErrDamagedPicture].
//
// The structure is walked from the first byte to the end of the image without decoding a pixel. Refused are files over
// [MaxPictureSize], other formats, cut or damaged files, and images with a side of 0 or over 100 megapixels. Bytes after
// the image's end are let through, because phones append them.
func NewPicture(data []byte) (Picture, error) {
	switch {
	case len(data) == 0:
		return Picture{}, fmt.Errorf("%w: it has no bytes", ErrEmptyPicture)
	case len(data) > MaxPictureSize:
		return Picture{}, tooLarge(int64(len(data)))
	}
	contentType, walk, err := recognise(data)
	if err != nil {
		return Picture{}, err
	}
	found, err := walk(data)
	if err != nil {
		return Picture{}, err
	}
	switch {
	case found.width == 0 || found.height == 0:
		return Picture{}, damaged("one of its sides is 0")
	case int64(found.width)*int64(found.height) > maxPixels:
		return Picture{}, fmt.Errorf("%w: %d × %d pixels are more than 100 megapixels; scale it down", ErrTooLarge, found.width, found.height)
	}
	return pictureOf(&content{data, contentType, found}), nil
}

// ReadPicture reads r to its end, but no more than MaxPictureSize+1 bytes, and checks what it read as [NewPicture] does.
// An error of r is wrapped.
func ReadPicture(r io.Reader) (Picture, error) { return readPicture(r, 0, new(bytes.Buffer)) }

// readPicture reads into data, which is the picture's from then on.
func readPicture(r io.Reader, size int64, data *bytes.Buffer) (Picture, error) {
	data.Grow(int(size) + bytes.MinRead) // ReadFrom wants room to see the end
	if _, err := data.ReadFrom(io.LimitReader(r, MaxPictureSize+1)); err != nil {
		return Picture{}, fmt.Errorf("zoom: reading the picture: %w", err)
	}
	if data.Len() > MaxPictureSize {
		return Picture{}, fmt.Errorf("%w: it has more than %d bytes; Zoom takes 2 MB at most: scale it down", ErrTooLarge, MaxPictureSize)
	}
	return NewPicture(data.Bytes())
}

// LoadPicture reads and checks the file at path. Besides the errors of [NewPicture], a missing file matches
// [fs.ErrNotExist]; what is not a regular file is refused without opening it, so that a FIFO cannot hang.
func LoadPicture(path string) (Picture, error) {
	return loadPicture(path, os.Stat, openFile, new(bytes.Buffer))
}

func openFile(path string) (fs.File, error) { return os.Open(path) }

// LoadPictureFS is [LoadPicture] for a file system, such as that of an [os.Root], which no path can leave. It reads into
// memory, whose content is lost, or into memory of its own if that is nil. The picture is good until memory is used for
// something else, which it may be when the last upload of the picture has returned.
func LoadPictureFS(fsys fs.FS, path string, memory *bytes.Buffer) (Picture, error) {
	if memory == nil {
		memory = new(bytes.Buffer)
	}
	memory.Reset()
	return loadPicture(path, func(path string) (fs.FileInfo, error) { return fs.Stat(fsys, path) }, fsys.Open, memory)
}

func loadPicture(path string, stat func(string) (fs.FileInfo, error), open func(string) (fs.File, error), data *bytes.Buffer) (Picture, error) {
	info, err := stat(path)
	if err != nil {
		return Picture{}, unreadable(path, err)
	}
	if err := checkRegular(info); err != nil {
		return Picture{}, inFile(path, err)
	}
	f, err := open(path)
	if err != nil {
		return Picture{}, unreadable(path, err)
	}
	defer f.Close()
	// Another file may have come to this path in between.
	if info, err = f.Stat(); err != nil {
		return Picture{}, unreadable(path, err)
	}
	if err := checkRegular(info); err != nil {
		return Picture{}, inFile(path, err)
	}
	pic, err := readPicture(f, info.Size(), data)
	if err != nil {
		return Picture{}, inFile(path, err)
	}
	return pic, nil
}

func checkRegular(info fs.FileInfo) error {
	switch mode := info.Mode(); {
	case mode.IsDir():
		return errors.New("zoom: this is a folder; name a picture in it")
	case mode&fs.ModeNamedPipe != 0:
		return errors.New("zoom: this is a pipe; give a regular file")
	case !mode.IsRegular():
		return errors.New("zoom: this is a device or socket; give a regular file")
	case info.Size() > MaxPictureSize:
		return tooLarge(info.Size())
	}
	return nil
}

// A fileError is a failure with the path of the picture before it.
type fileError struct {
	path  string
	cause error
}

func inFile(path string, cause error) error { return &fileError{path, cause} }

func (e *fileError) Error() string {
	return "zoom: " + printable(e.path) + ": " + string(bytes.TrimPrefix([]byte(e.cause.Error()), []byte("zoom: ")))
}
func (e *fileError) Unwrap() error { return e.cause }

// printable quotes a name that could rewrite a terminal.
func printable(name string) string {
	if !utf8.ValidString(name) || strings.ContainsFunc(name, func(r rune) bool { return !strconv.IsPrint(r) }) {
		return strconv.Quote(name)
	}
	return name
}

func unreadable(path string, err error) error {
	if wrapped, ok := errors.AsType[*fs.PathError](err); ok {
		err = wrapped.Err
	}
	return inFile(path, err)
}

// UncheckedPicture takes data as it is, as a picture of contentType, which must be a bare type such as "image/webp".
// It is the way round the checks, for the day Zoom's rules change. Errors match [ErrEmptyPicture] or [ErrUnsupportedFormat].
func UncheckedPicture(data []byte, contentType string) (Picture, error) {
	if len(data) == 0 {
		return Picture{}, fmt.Errorf("%w: it has no bytes", ErrEmptyPicture)
	}
	if !isMediaType(contentType) {
		return Picture{}, fmt.Errorf("%w: the content type must be a bare type such as image/webp", ErrUnsupportedFormat)
	}
	return pictureOf(&content{data, contentType, layout{end: len(data)}}), nil
}

// ContentType returns "image/jpeg" or "image/png", found by content and never by extension, or the type given to [UncheckedPicture].
func (p Picture) ContentType() string { return p.get().contentType }

// Size returns the number of bytes.
func (p Picture) Size() int64 { return int64(len(p.get().data)) }

// Dimensions returns width and height in pixels as they are stored, before any rotation; 0 and 0 for an unchecked picture.
func (p Picture) Dimensions() (width, height int) { return p.get().width, p.get().height }

// TrailingBytes returns how many bytes follow the end of the image.
func (p Picture) TrailingBytes() int64 { return p.Size() - int64(p.get().end) }

// SHA256 returns the digest of the bytes, computed at every call: that costs more than sending them.
func (p Picture) SHA256() [32]byte { return sha256.Sum256(p.get().data) }

// WriteTo writes the bytes to w.
func (p Picture) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(p.bytes())
	return int64(n), err
}

func (p Picture) bytes() []byte { return p.get().data }

// fileName is the constant that the form's part is called: Zoom refuses a part without one (seen by ZoomNet).
func (p Picture) fileName() string {
	switch p.ContentType() {
	case jpegType:
		return "picture.jpg"
	case pngType:
		return "picture.png"
	case "image/gif":
		return "picture.gif"
	case "image/webp":
		return "picture.webp"
	case "image/heic":
		return "picture.heic"
	case "image/avif":
		return "picture.avif"
	}
	return "picture"
}

func pictureOf(c *content) Picture { return Picture{&c} }

func (p Picture) get() *content {
	if p.content == nil {
		return &content{}
	}
	return *p.content
}

// Format prints type, dimensions and size, whatever the verb.
func (p Picture) Format(f fmt.State, _ rune) { fmt.Fprint(f, p.describe()) }

// MarshalText is used by encoding/json and says what Format says.
func (p Picture) MarshalText() ([]byte, error) { return []byte(p.describe()), nil }

// LogValue says what Format says.
func (p Picture) LogValue() slog.Value { return slog.StringValue(p.describe()) }

func (p Picture) describe() string {
	if p.Size() == 0 {
		return "empty picture"
	}
	width, height := p.Dimensions()
	return fmt.Sprintf("%s, %d × %d, %d bytes", p.ContentType(), width, height, p.Size())
}

func tooLarge(size int64) error {
	return fmt.Errorf("%w: it has %d bytes; Zoom takes 2 MB at most (%d bytes): scale it down or compress it more", ErrTooLarge, size, MaxPictureSize)
}

func damaged(format string, args ...any) error {
	return fmt.Errorf("%w: %s; export or download it again", ErrDamagedPicture, fmt.Sprintf(format, args...))
}

func isMediaType(s string) bool {
	main, sub, ok := bytes.Cut([]byte(s), []byte("/"))
	return ok && len(s) < 128 && isToken(main) && isToken(sub)
}

// isToken reports whether b is a token of RFC 9110: nothing in it can end a header or begin another.
func isToken(b []byte) bool {
	for _, c := range b {
		letter := 'a' <= c|0x20 && c|0x20 <= 'z'
		if !letter && (c < '0' || c > '9') && !bytes.ContainsRune([]byte("!#$%&'*+-.^_`|~"), rune(c)) {
			return false
		}
	}
	return len(b) > 0
}
