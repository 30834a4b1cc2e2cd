package portrait

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"io"

	"golang.org/x/image/bmp"
	"golang.org/x/image/tiff"
	"golang.org/x/image/webp"

	"github.com/zoompic/zoompic/zoomclient"
)

// A format is one that can be read. The list is this package's own, and not the one of package image, to which any
// package of a program may add decoders.
type format struct {
	name    string
	matches func(data []byte) bool
	config  func(io.Reader) (image.Config, error)
	decode  func(io.Reader) (image.Image, error)
	read    func(data []byte) contents
	lossy   bool // so that PNG cannot be smaller
}

var formats = []format{
	{"JPEG", starts("\xff\xd8\xff"), jpeg.DecodeConfig, jpeg.Decode, readJPEG, true},
	{"PNG", starts(pngStart), png.DecodeConfig, png.Decode, readPNG, false},
	{"GIF", starts("GIF87a", "GIF89a"), gif.DecodeConfig, gif.Decode, readNothing, false},
	{"WebP", isWebP, webp.DecodeConfig, webp.Decode, readWebP, false},
	{"BMP", isBMP, bmp.DecodeConfig, bmp.Decode, readNothing, false},
	{"TIFF", starts("II*\x00", "MM\x00*"), tiff.DecodeConfig, tiff.Decode, readTIFF, false},
}

func starts(prefixes ...string) func([]byte) bool {
	return func(data []byte) bool {
		for _, p := range prefixes {
			if bytes.HasPrefix(data, []byte(p)) {
				return true
			}
		}
		return false
	}
}

// A source is a picture that is to be fitted: its file, and what can be known without decoding pixels.
type source struct {
	data          []byte
	format        format
	width, height int // as stored
	contents
}

// maxScans bounds the scans of a progressive JPEG: each costs a walk over the whole image, however short it is in the file.
const maxScans = 100

// open recognises the file and reads its header. Nothing is allocated in proportion to the image.
func open(data []byte, maxPixels int) (*source, error) {
	f, err := recognise(data)
	if err != nil {
		return nil, err
	}
	config, err := guarded(func() (image.Config, error) { return f.config(bytes.NewReader(data)) })
	if err != nil {
		return nil, f.unreadable(err)
	}
	s := &source{data: data, format: f, width: config.Width, height: config.Height}
	switch pixels := int64(s.width) * int64(s.height); {
	case pixels <= 0:
		return nil, fmt.Errorf("%w: one of its sides is 0; export or download it again", zoomclient.ErrDamagedPicture)
	case pixels > int64(maxPixels):
		return nil, fmt.Errorf("%w: %d × %d pixels are more than %s; scale it down first", zoomclient.ErrTooLarge, s.width, s.height, megapixels(maxPixels))
	case max(s.width, s.height) > maxSide:
		return nil, fmt.Errorf("%w: %d × %d pixels: a side has more than %d; scale it down first", zoomclient.ErrTooLarge, s.width, s.height, maxSide)
	}
	switch s.contents = f.read(data); {
	case s.animated:
		return nil, fmt.Errorf("%w: this is an animated WebP; export one of its frames as JPEG or PNG", zoomclient.ErrUnsupportedFormat)
	case s.scans > maxScans:
		return nil, fmt.Errorf("%w: this JPEG has %d scans, where 10 are usual; export it as a plain JPEG", zoomclient.ErrUnsupportedFormat, s.scans)
	}
	return s, nil
}

func megapixels(pixels int) string { return fmt.Sprintf("%g megapixels", float64(pixels)/1e6) }

// recognise leaves it to zoomclient to name what cannot be read. Its first bytes are enough for that, and are not too large.
func recognise(data []byte) (format, error) {
	for _, f := range formats {
		if f.matches(data) {
			return f, nil
		}
	}
	_, err := zoomclient.NewPicture(data[:min(len(data), 4096)])
	return format{}, err
}

func (s *source) image() Image { return Image{s.format.name, s.width, s.height, len(s.data)} }

// decode cannot be interrupted but where the decoder reads.
func (s *source) decode(ctx context.Context) (image.Image, error) {
	img, err := guarded(func() (image.Image, error) { return s.format.decode(&reader{ctx, bytes.NewReader(s.data)}) })
	switch {
	case ctx.Err() != nil:
		return nil, stopped(ctx)
	case err != nil:
		return nil, s.format.unreadable(err)
	case !img.Bounds().In(s.canvas()): // every decoder's promise, on which the bounds of memory rest
		return nil, s.format.unreadable(fmt.Errorf("the image has %v, its header promised %v", img.Bounds(), s.canvas()))
	}
	return img, nil
}

// guarded keeps what a hostile picture may do to a decoder from ending the program.
func guarded[T any](decode func() (T, error)) (result T, err error) {
	defer func() {
		if value := recover(); value != nil {
			err = fmt.Errorf("the decoder failed: %v", value)
		}
	}()
	return decode()
}

// canvas is what the picture shows. The first frame of a GIF may cover only a part of it.
func (s *source) canvas() image.Rectangle { return image.Rect(0, 0, s.width, s.height) }

func (f format) unreadable(err error) error {
	if isUnsupported(err) {
		return fmt.Errorf("%w: this kind of %s cannot be decoded (%w); export it as a plain JPEG or PNG", zoomclient.ErrUnsupportedFormat, f.name, err)
	}
	return fmt.Errorf("%w: the %s cannot be decoded (%w); export or download it again", zoomclient.ErrDamagedPicture, f.name, err)
}

func isUnsupported(err error) bool {
	_, isJPEG := errors.AsType[jpeg.UnsupportedError](err)
	_, isPNG := errors.AsType[png.UnsupportedError](err)
	_, isTIFF := errors.AsType[tiff.UnsupportedError](err)
	return isJPEG || isPNG || isTIFF || errors.Is(err, bmp.ErrUnsupported)
}

// A reader fails when its context has ended. It has ReadAt so that the TIFF decoder does not make a copy.
type reader struct {
	ctx  context.Context
	data *bytes.Reader
}

func (r *reader) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.data.Read(p)
}

func (r *reader) ReadAt(p []byte, off int64) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.data.ReadAt(p, off)
}

func stopped(ctx context.Context) error {
	return fmt.Errorf("zoom: fitting the picture was stopped: %w", context.Cause(ctx))
}
