package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/zoompic/zoompic/internal/source"
	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/portrait"
)

// maxPhoto is the largest file that is read to be fitted.
const maxPhoto = source.MaxFileSize

const toStdout = "-"

// fitFlags say whether a picture is to be fitted, and to what.
type fitFlags struct {
	wanted  bool
	options portrait.Options
}

func (f *fitFlags) register(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.BoolVar(&f.options.Square, "square", false, "crop a square from the middle")
	flags.IntVar(&f.options.MaxSide, "max-side", 1024, "the longest side, in pixels")
	flags.IntVar(&f.options.MaxBytes, "max-bytes", 2_000_000, "the largest file")
}

// registerChoice is for commands that do not fit pictures unless asked.
func (f *fitFlags) registerChoice(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&f.wanted, "fit", false, "make any photo fit: turn it upright, scale it down, remove metadata")
	f.register(cmd)
}

// check refuses flags that would do nothing.
func (f *fitFlags) check() error {
	if o := f.options; !f.wanted && (o.Square || o.MaxSide != 1024 || o.MaxBytes != 2_000_000) {
		return errors.New("--square, --max-side and --max-bytes need --fit")
	}
	// The options are looked at first, and then nothing is found in no picture.
	if _, err := portrait.Inspect(nil, f.options); !errors.Is(err, zoomclient.ErrEmptyPicture) {
		return newFailure(exitUsage, "", err)
	}
	return nil
}

func (c *command) fit() *cobra.Command {
	var fit fitFlags
	var force bool
	cmd := &cobra.Command{
		Use:   "fit IN OUT",
		Short: "Make any photo fit a Zoom profile, and write it to OUT",
		Long: `Make any photo fit a Zoom profile, and write it to OUT. Nothing is sent.

IN is a JPEG, PNG, GIF, WebP, BMP or TIFF. What comes out is a JPEG, or a PNG where that is
smaller: upright, small enough, on white where it was transparent, and without Exif, GPS,
XMP, IPTC, comments and thumbnails. What fits already is written as it is. "-" stands for
standard input or output.`,
		Example: "  zoompic fit IMG_0042.jpg ada.jpg\n  zoompic fit --square - - <photo.webp >ada.jpg",
		Args:    cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.fitOne(cmd.Context(), args[0], args[1], fit.options, force)
		},
	}
	fit.register(cmd)
	cmd.Flags().BoolVarP(&force, "force", "f", false, "replace OUT if it exists")
	return cmd
}

func (c *command) fitOne(ctx context.Context, in, out string, options portrait.Options, force bool) error {
	o := outcome{File: in, Out: out}
	path, err := outputPath(out, force)
	if err != nil {
		return c.fail(o, newFailure(exitUsage, printable(out), err))
	}
	pic, report, err := c.fitFile(ctx, in, options)
	if err != nil {
		exit := exitUsage
		if ctx.Err() != nil {
			exit = exitInterrupted
		}
		return c.fail(o, newFailure(exit, "", err))
	}
	if out == toStdout {
		if _, err := pic.WriteTo(c.stdout); err != nil {
			return &failure{Exit: exitFailed, Message: "writing to standard output: " + err.Error()}
		}
		fmt.Fprintf(c.stderr, "%s\n", report)
		return nil
	}
	if err := writePicture(path, pic); err != nil {
		return c.fail(o, newFailure(exitFailed, printable(out), withoutPath(err)))
	}
	if other := otherFormat(out, report.After.Format); other != "" {
		fmt.Fprintf(c.stderr, "zoompic: note: %s is a %s whatever its name; Zoom goes by its content\n", printable(out), other)
	}
	o.describePicture(pic)
	o.Fit = &report
	return c.print(o, "%s  %s\n", printable(out), report)
}

// outputPath is the file that out means, behind a link: a new one, or with force one that is to be replaced.
func outputPath(out string, force bool) (string, error) {
	if _, err := os.Lstat(out); out == toStdout || err != nil { // what is wrong with its folder, writing will tell
		return out, nil
	}
	info, err := os.Stat(out)
	switch {
	case err != nil:
		return "", errors.New("this is a link that leads nowhere; name a file")
	case info.IsDir():
		return "", errors.New("this is a folder; name a file in it")
	case !info.Mode().IsRegular():
		return "", errors.New("this is no regular file; name another")
	case !force:
		return "", errors.New("it exists; --force replaces it")
	}
	return filepath.EvalSymlinks(out)
}

// withoutPath is err without the name of the temporary file, which nobody knows.
func withoutPath(err error) error {
	if pathErr, ok := errors.AsType[*os.PathError](err); ok {
		return pathErr.Err
	}
	if linkErr, ok := errors.AsType[*os.LinkError](err); ok {
		return linkErr.Err
	}
	return err
}

// fitFile reads a file or standard input and makes it fit. Its errors name the file.
func (c *command) fitFile(ctx context.Context, file string, options portrait.Options) (zoomclient.Picture, portrait.Report, error) {
	data, err := c.readPhoto(ctx, file)
	if err != nil {
		return zoomclient.Picture{}, portrait.Report{}, err
	}
	pic, report, err := portrait.FitContext(ctx, data, options)
	if err != nil && file != fromStdin {
		err = fmt.Errorf("%s: %w", printable(file), plain{err})
	}
	return pic, report, err
}

// plain is an error of the library without the library's name, for the middle of a sentence.
type plain struct{ error }

func (p plain) Error() string { return strings.TrimPrefix(p.error.Error(), "zoom: ") }
func (p plain) Unwrap() error { return p.error }

// readPhoto reads what need not be a picture that Zoom takes. LoadPicture knows what is no file at all.
func (c *command) readPhoto(ctx context.Context, file string) ([]byte, error) {
	if file == fromStdin {
		return heeding(ctx, func() ([]byte, error) { return readLimited(c.stdin) })
	}
	if _, err := zoomclient.LoadPicture(file); err != nil && !isBadPicture(err) {
		return nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := readLimited(f)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", printable(file), plain{err})
	}
	return data, nil
}

func readLimited(r io.Reader) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPhoto+1))
	if err == nil && len(data) > maxPhoto {
		err = fmt.Errorf("%w: it has more than %s; export it smaller first", zoomclient.ErrTooLarge, countBytes(maxPhoto))
	}
	return data, err
}

// writePicture puts a whole file in place or none. Nobody may read it who may not read what it replaces.
func writePicture(path string, pic zoomclient.Picture) error {
	mode := os.FileMode(0o666)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	part := fmt.Sprintf("%s.%08x.part", path, rand.Uint32())
	f, err := os.OpenFile(part, os.O_WRONLY|os.O_CREATE|os.O_EXCL, mode)
	if err != nil {
		return err
	}
	_, err = pic.WriteTo(f)
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(part, path)
	}
	if err != nil {
		os.Remove(part)
	}
	return err
}

// otherFormat returns format if the file's name promises another.
func otherFormat(path, format string) string {
	names := map[string][]string{"JPEG": {".jpg", ".jpeg", ".jpe", ".jfif"}, "PNG": {".png"}}[format]
	if slices.Contains(names, strings.ToLower(filepath.Ext(path))) {
		return ""
	}
	return format
}

// needsFit reports whether a file that Zoom would not take, for the reason err, could be made to fit.
func needsFit(file string, err error) bool {
	if file == fromStdin || !mayFit(err) {
		return false
	}
	f, err := os.Open(file)
	if err != nil {
		return false
	}
	defer f.Close()
	data, err := readLimited(f)
	return err == nil && canFit(data)
}

// mayFit reports whether err is a reason that fitting could mend.
func mayFit(err error) bool {
	return errors.Is(err, zoomclient.ErrTooLarge) || errors.Is(err, zoomclient.ErrUnsupportedFormat)
}

func canFit(data []byte) bool {
	_, err := portrait.Inspect(data, portrait.Options{})
	return err == nil
}

func withFitAdvice(file string, err error) error {
	if needsFit(file, err) {
		return fmt.Errorf("%w, or let --fit make it fit", err)
	}
	return err
}

// inspect finds what a picture that Zoom takes carries, and warns of what nobody should send unawares.
func (c *command) inspect(pic zoomclient.Picture, o *outcome) portrait.Inspection {
	found := inspect(bytesOf(pic))
	if o.GPS = found.GPS; found.GPS {
		fmt.Fprintf(c.stderr, "zoompic: warning: %s carries the GPS position of where it was taken, perhaps a home, for all who get the picture to read; --fit removes it\n", printable(o.File))
	}
	return found
}

// inspect finds nothing in a picture that zoomclient takes and portrait cannot read.
func inspect(picture []byte) portrait.Inspection {
	found, err := portrait.Inspect(picture, portrait.Options{MaxPixels: 1 << 30})
	if err != nil {
		return portrait.Inspection{}
	}
	return found
}

func bytesOf(pic zoomclient.Picture) []byte {
	var data bytes.Buffer
	pic.WriteTo(&data) // to memory
	return data.Bytes()
}
