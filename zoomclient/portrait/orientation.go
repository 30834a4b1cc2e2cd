package portrait

import "image"

// An orientation says how stored pixels become upright ones: by swapping rows for columns, after mirroring the stored
// columns, rows or both. Exif numbers the eight of them from 1.
type orientation struct{ swap, mirrorX, mirrorY bool }

func orientationOf(exif int) orientation {
	return orientation{
		swap:    exif >= 5,
		mirrorX: exif == 2 || exif == 3 || exif == 7 || exif == 8,
		mirrorY: exif == 3 || exif == 4 || exif == 6 || exif == 7,
	}
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
	out := image.NewRGBA(image.Rect(0, 0, width, height))
	if o.swap {
		out = image.NewRGBA(image.Rect(0, 0, height, width))
	}
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
