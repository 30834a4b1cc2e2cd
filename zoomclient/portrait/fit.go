package portrait

import (
	"context"
	"fmt"
	"image"

	"github.com/zoompic/zoompic/zoomclient"
)

// Fit makes data, a whole JPEG, PNG, GIF, WebP, BMP or TIFF file, a picture that fits opts, and reports what it did. A JPEG or
// PNG that fits already and carries no metadata is returned byte for byte; one whose only fault is its metadata keeps its
// pixels. Data is not changed, and must not be while the picture is in use, which may hold it.
//
// Errors match [zoomclient.ErrEmptyPicture], [zoomclient.ErrTooLarge] (more than opts.MaxPixels, a side over 65,535, or
// nothing of opts.MaxBytes could be made), [zoomclient.ErrUnsupportedFormat] (HEIC and AVIF among them; the error says
// what to do) or [zoomclient.ErrDamagedPicture]. Options out of their range are an error too.
func Fit(data []byte, opts Options) (zoomclient.Picture, Report, error) {
	return FitContext(context.Background(), data, opts)
}

// FitContext does what [Fit] does until ctx ends; its error then matches the context's.
func FitContext(ctx context.Context, data []byte, opts Options) (zoomclient.Picture, Report, error) {
	pic, report, err := fit(ctx, data, opts.withDefaults())
	if err != nil {
		return zoomclient.Picture{}, Report{}, err
	}
	return pic, report, nil
}

func fit(ctx context.Context, data []byte, opts Options) (pic zoomclient.Picture, report Report, err error) {
	if err := opts.check(); err != nil {
		return pic, report, err
	}
	if ctx.Err() != nil {
		return pic, report, stopped(ctx)
	}
	src, err := open(data, opts.MaxPixels)
	if err != nil {
		return pic, report, err
	}
	if src.fitsWithoutMetadata(opts) {
		return src.strip()
	}
	img, err := src.decode(ctx)
	if err != nil {
		return pic, report, err
	}
	if src.fitsIfOpaque(opts) && isOpaque(img) {
		return src.strip()
	}
	return src.redraw(ctx, img, opts)
}

// StripMetadata removes what a JPEG or PNG carries besides its pixels and leaves those as they are, to the bit: they are not
// decoded. What says how colours are meant is kept. A picture that carries nothing is returned byte for byte.
//
// A picture that is upright only by its Exif cannot be helped this way, and is an error: use [Fit]. Other errors match
// those of [zoomclient.NewPicture]. Data is not changed, and must not be while the picture is in use, which may hold it.
func StripMetadata(data []byte) (zoomclient.Picture, Report, error) {
	f, err := recognise(data)
	if err != nil {
		return zoomclient.Picture{}, Report{}, err
	}
	src := &source{data: data, format: f, contents: f.read(data)}
	if !src.upright() {
		return zoomclient.Picture{}, Report{}, fmt.Errorf("zoom: the picture is upright only by its Exif (orientation %d): fit it, which turns its pixels", src.orientation)
	}
	return src.strip()
}

// Inspect reports what [Fit] would see in data, without decoding a pixel, and refuses what Fit refuses before that. It reads the
// file once, in some 0.1 ms a megabyte (4 ms if it has nothing but tiny parts), and allocates little besides an ICC profile and
// texts that it inflates, a megabyte each at most. Nothing is looked for in a GIF or BMP: what Fit makes of them carries nothing.
func Inspect(data []byte, opts Options) (Inspection, error) {
	opts = opts.withDefaults()
	if err := opts.check(); err != nil {
		return Inspection{}, err
	}
	src, err := open(data, opts.MaxPixels)
	if err != nil {
		return Inspection{}, err
	}
	return Inspection{
		Image:       src.image(),
		Orientation: max(src.orientation, 1),
		Metadata:    src.metadata,
		GPS:         src.carries(MetadataGPS),
		Fits:        src.fitsWithoutMetadata(opts) && src.isBare(data),
	}, nil
}

// fitsWithoutMetadata reports whether nothing but metadata stands between the picture and opts.
func (s *source) fitsWithoutMetadata(opts Options) bool {
	return !s.alpha && s.fitsIfOpaque(opts)
}

func (s *source) fitsIfOpaque(opts Options) bool {
	return s.kept != nil && s.plain && s.upright() && s.keptSize() <= opts.MaxBytes &&
		max(s.width, s.height) <= opts.MaxSide && (!opts.Square || s.width == s.height)
}

func isOpaque(img image.Image) bool {
	o, ok := img.(interface{ Opaque() bool })
	return ok && o.Opaque()
}

// strip makes the picture of the file without its metadata.
func (s *source) strip() (zoomclient.Picture, Report, error) {
	file, ok := s.stripped(s.data)
	if !ok {
		file = s.data // zoomclient says what is wrong with it
	}
	pic, err := zoomclient.NewPicture(file)
	if err == nil && !ok {
		err = fmt.Errorf("%w: its structure cannot be followed; fit it, or export it again", zoomclient.ErrDamagedPicture)
	}
	if err != nil {
		return zoomclient.Picture{}, Report{}, err
	}
	report := Report{Before: imageOf(pic), After: imageOf(pic), Removed: s.metadata}
	report.Before.Size = len(s.data)
	return pic, report, nil
}

// redraw makes a new picture of the decoded one, at the largest size at which a quality can be found.
func (s *source) redraw(ctx context.Context, img image.Image, opts Options) (zoomclient.Picture, Report, error) {
	orientation := orientationOf(s.orientation)
	crop := s.canvas()
	if opts.Square {
		crop = orientation.square(crop)
	}
	e := encoder{opts: opts, lossless: !s.format.lossy && !isLossy(img), grey: isGrey(img)}
	e.profile = profileFor(s.profile, e.grey, opts.MaxBytes)
	report := Report{
		Before: s.image(), Encoded: true, Rotated: !s.upright(), Cropped: crop != s.canvas(), Removed: s.metadata,
	}
	for side := opts.MaxSide; side > 0; side = side * 3 / 4 {
		size := within(crop.Size(), side)
		drawn, flattened, err := render(ctx, img, crop, size)
		if err != nil {
			return zoomclient.Picture{}, Report{}, err
		}
		file, quality, err := e.encode(ctx, orientation.turn(drawn))
		if err != nil {
			return zoomclient.Picture{}, Report{}, err
		}
		if file == nil {
			side = max(size.X, size.Y) // it may have been smaller all along
			continue
		}
		pic, err := zoomclient.NewPicture(file)
		if err != nil {
			return zoomclient.Picture{}, Report{}, err
		}
		report.Flattened, report.Quality = flattened, quality
		report.After = imageOf(pic)
		return pic, report, nil
	}
	return zoomclient.Picture{}, Report{}, fmt.Errorf("%w: nothing of %d bytes can be made of it; allow more", zoomclient.ErrTooLarge, opts.MaxBytes)
}

// within scales size down so that no side is longer than side, nor shorter than a pixel.
func within(size image.Point, side int) image.Point {
	longest := max(size.X, size.Y)
	if longest <= side {
		return size
	}
	scaled := func(length int) int { return max(1, int((int64(length)*int64(side)+int64(longest)/2)/int64(longest))) }
	return image.Pt(scaled(size.X), scaled(size.Y))
}

func imageOf(pic zoomclient.Picture) Image {
	width, height := pic.Dimensions()
	format := "JPEG"
	if pic.ContentType() == "image/png" {
		format = "PNG"
	}
	return Image{format, width, height, int(pic.Size())}
}
