package portrait

import (
	"context"
	"image"
	"image/draw"

	scale "golang.org/x/image/draw"
)

// At most this many pixels, or one row, are converted or scaled at a time: it bounds memory, and how long an ended context
// goes unnoticed.
const (
	bandPixels = 1 << 18
	bandLines  = 64
)

// render makes the part of img inside crop into an opaque picture of size, and reports whether there was transparency.
// Parts of crop outside img are transparent, which white replaces.
func render(ctx context.Context, img image.Image, crop image.Rectangle, size image.Point) (out *image.RGBA, flattened bool, err error) {
	rows, err := narrow(ctx, img, crop, size.X)
	if err == nil && rows.Rect.Dy() != size.Y {
		rows, err = shorten(ctx, rows, size.Y)
	}
	if err != nil {
		return nil, false, err
	}
	return rows, flatten(rows), nil
}

// narrow converts the rows of crop to 8-bit RGBA, alpha premultiplied, and scales them to width. Bands of rows do for
// that, since Catmull-Rom is interpolating: where one axis keeps its size, it takes no neighbour's part.
func narrow(ctx context.Context, img image.Image, crop image.Rectangle, width int) (*image.RGBA, error) {
	out := image.NewRGBA(image.Rect(0, 0, width, crop.Dy()))
	lines := min(max(bandPixels/crop.Dx(), 1), bandLines, crop.Dy())
	band := image.NewRGBA(image.Rect(0, 0, crop.Dx(), lines))
	scaler := scale.CatmullRom.NewScaler(width, lines, crop.Dx(), lines)
	for y := 0; y < crop.Dy(); y += lines {
		if ctx.Err() != nil {
			return nil, stopped(ctx)
		}
		from := band.Bounds().Intersect(image.Rect(0, 0, crop.Dx(), crop.Dy()-y))
		to := image.Rect(0, y, width, y+from.Dy())
		if width == crop.Dx() {
			draw.Draw(out, to, img, crop.Min.Add(image.Pt(0, y)), draw.Src)
			continue
		}
		clear(band.Pix) // img may not cover it
		draw.Draw(band, from, img, crop.Min.Add(image.Pt(0, y)), draw.Src)
		scaler.Scale(out, to, band, from, draw.Src, nil)
	}
	return out, nil
}

// shorten scales img to height, in bands of columns.
func shorten(ctx context.Context, img *image.RGBA, height int) (*image.RGBA, error) {
	bounds := img.Bounds()
	out := image.NewRGBA(image.Rect(0, 0, bounds.Dx(), height))
	lines := min(max(bandPixels/bounds.Dy(), 1), bandLines, bounds.Dx())
	scaler := scale.CatmullRom.NewScaler(lines, height, lines, bounds.Dy())
	for x := 0; x < bounds.Dx(); x += lines {
		if ctx.Err() != nil {
			return nil, stopped(ctx)
		}
		from := image.Rect(x, 0, min(x+lines, bounds.Dx()), bounds.Dy())
		scaler.Scale(out, image.Rect(from.Min.X, 0, from.Max.X, height), img, from, draw.Src, nil)
	}
	return out, nil
}

// flatten puts white behind img and reports whether anything of it shows.
func flatten(img *image.RGBA) bool {
	flattened := false
	for i := 0; i < len(img.Pix); i += 4 {
		if alpha := img.Pix[i+3]; alpha != 0xff {
			flattened = true
			white := 0xff - alpha
			img.Pix[i] += white
			img.Pix[i+1] += white
			img.Pix[i+2] += white
			img.Pix[i+3] = 0xff
		}
	}
	return flattened
}

// An orientation says how stored pixels become upright ones: by swapping rows for columns, then mirroring the stored
// columns, rows or both. Exif numbers the eight of them from 1.
type orientation struct{ swap, mirrorX, mirrorY bool }

func orientationOf(exif int) orientation {
	return orientation{
		swap:    exif >= 5,
		mirrorX: exif == 2 || exif == 3 || exif == 7 || exif == 8,
		mirrorY: exif == 3 || exif == 4 || exif == 6 || exif == 7,
	}
}

// size turns a stored size upright, or an upright one back.
func (o orientation) size(p image.Point) image.Point {
	if o.swap {
		return image.Pt(p.Y, p.X)
	}
	return p
}

// square is the largest square in the middle of a stored image. Where it cannot be in the very middle it is nearer to the
// upright image's left or top, whatever the orientation.
func (o orientation) square(canvas image.Rectangle) image.Rectangle {
	side := min(canvas.Dx(), canvas.Dy())
	offset := func(length int, mirrored bool) int {
		if mirrored {
			return length - side - (length-side)/2
		}
		return (length - side) / 2
	}
	at := image.Pt(offset(canvas.Dx(), o.mirrorX), offset(canvas.Dy(), o.mirrorY))
	return image.Rectangle{at, at.Add(image.Pt(side, side))}
}

func (o orientation) turn(img *image.RGBA) *image.RGBA {
	if o == (orientation{}) {
		return img
	}
	width, height := img.Rect.Dx(), img.Rect.Dy()
	out := image.NewRGBA(image.Rectangle{Max: o.size(img.Rect.Size())})
	for y := range out.Rect.Dy() {
		for x := range out.Rect.Dx() {
			column, row := x, y
			if o.swap {
				column, row = y, x
			}
			if o.mirrorX {
				column = width - 1 - column
			}
			if o.mirrorY {
				row = height - 1 - row
			}
			from, to := img.PixOffset(column, row), out.PixOffset(x, y)
			copy(out.Pix[to:to+4], img.Pix[from:from+4])
		}
	}
	return out
}
