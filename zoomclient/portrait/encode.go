package portrait

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"slices"
)

const (
	bestQuality    = 92        // above it files grow much and pictures no more
	maxProfileSize = 128 << 10 // ICC profiles of photos have 0.5 to 60 KB; those of printers, which RGB pictures do not have, megabytes
)

// An encoder makes the smaller of JPEG and PNG.
type encoder struct {
	opts     Options
	profile  []byte // to be put into the file; may be empty
	lossless bool   // PNG may be smaller
	grey     bool
}

// encode returns no file if none of at most MaxBytes can be made without going below MinQuality. Quality is 0 for PNG.
func (e encoder) encode(ctx context.Context, img *image.RGBA) (file []byte, quality int, err error) {
	var pixels image.Image = img
	if e.grey {
		pixels = toGrey(img)
	}
	limit := e.opts.MaxBytes
	file, quality, err = e.findQuality(ctx, pixels, limit)
	if err != nil || !e.lossless {
		return file, quality, err
	}
	if file != nil {
		limit = len(file)
	}
	if paletted := toPaletted(img); paletted != nil && !e.grey {
		pixels = paletted
	}
	smaller, err := e.png(ctx, pixels, limit)
	if smaller != nil || err != nil {
		return smaller, 0, err
	}
	return file, quality, nil
}

// findQuality looks for the highest quality that fits, between MinQuality and bestQuality, by bisection.
func (e encoder) findQuality(ctx context.Context, img image.Image, limit int) (file []byte, quality int, err error) {
	low, high := e.opts.MinQuality, max(e.opts.MinQuality, bestQuality)
	for try := high; low <= high; try = (low + high) / 2 {
		smaller, err := e.jpeg(ctx, img, try, limit)
		if err != nil {
			return nil, 0, err
		}
		if smaller == nil {
			high = try - 1
			continue
		}
		file, quality = smaller, try
		low = try + 1
	}
	return file, quality, nil
}

// jpeg and png return no file if it would have more than limit bytes.
func (e encoder) jpeg(ctx context.Context, img image.Image, quality, limit int) ([]byte, error) {
	profile := jpegProfile(e.profile)
	out := &limitedBuffer{ctx: ctx, limit: limit - len(profile)}
	if err := jpeg.Encode(out, img, &jpeg.Options{Quality: quality}); err != nil {
		return nil, out.failure(err)
	}
	return slices.Insert(out.Bytes(), jpegProfileAt, profile...), nil
}

func (e encoder) png(ctx context.Context, img image.Image, limit int) ([]byte, error) {
	profile := pngProfile(e.profile)
	out := &limitedBuffer{ctx: ctx, limit: limit - len(profile)}
	if err := png.Encode(out, img); err != nil {
		return nil, out.failure(err)
	}
	return slices.Insert(out.Bytes(), pngProfileAt, profile...), nil
}

var errOverLimit = errors.New("over the limit")

// A limitedBuffer ends an encoding that comes out too large, or whose context has ended.
type limitedBuffer struct {
	bytes.Buffer
	ctx   context.Context
	limit int
}

func (b *limitedBuffer) Write(p []byte) (int, error) {
	switch {
	case b.ctx.Err() != nil:
		return 0, b.ctx.Err()
	case b.Len()+len(p) > b.limit:
		return 0, errOverLimit
	}
	return b.Buffer.Write(p)
}

// failure tells the buffer's own ends from the encoder's failures.
func (b *limitedBuffer) failure(err error) error {
	switch {
	case b.ctx.Err() != nil:
		return stopped(b.ctx)
	case errors.Is(err, errOverLimit):
		return nil
	}
	return err
}

func toGrey(img *image.RGBA) *image.Gray {
	grey := image.NewGray(img.Rect)
	for i := range grey.Pix {
		grey.Pix[i] = img.Pix[4*i] // as the other two are
	}
	return grey
}

// toPaletted returns nil if img has more colours than a palette holds.
func toPaletted(img *image.RGBA) *image.Paletted {
	out := image.NewPaletted(img.Rect, nil)
	indices := map[color.RGBA]uint8{}
	for i := range out.Pix {
		c := color.RGBA{img.Pix[4*i], img.Pix[4*i+1], img.Pix[4*i+2], 0xff}
		index, known := indices[c]
		if !known {
			if len(out.Palette) == 256 {
				return nil
			}
			index = uint8(len(out.Palette))
			indices[c] = index
			out.Palette = append(out.Palette, c)
		}
		out.Pix[i] = index
	}
	return out
}

// isLossy tells WebP's two kinds apart.
func isLossy(img image.Image) bool {
	switch img.(type) {
	case *image.YCbCr, *image.NYCbCrA:
		return true
	}
	return false
}

func isGrey(img image.Image) bool {
	switch img.(type) {
	case *image.Gray, *image.Gray16:
		return true
	}
	return false
}

// profileFor returns the profile if the encoded picture still means what it says: its header names the kind of colours
// that it is for, which CMYK has lost by then.
func profileFor(profile []byte, grey bool, maxBytes int) []byte {
	if len(profile) > min(maxProfileSize, maxBytes/4) || !isProfile(profile, grey) {
		return nil
	}
	return profile
}

// isProfile goes by the header.
func isProfile(profile []byte, grey bool) bool {
	const headerSize = 128
	want := "RGB "
	if grey {
		want = "GRAY"
	}
	return len(profile) >= headerSize && int64(binary.BigEndian.Uint32(profile)) == int64(len(profile)) &&
		string(profile[16:20]) == want && string(profile[36:40]) == "acsp"
}
