package portrait

import (
	"context"
	"image"
	"image/draw"
	"math"
)

// Scaling is written here although golang.org/x/image/draw has the same filter, because that keeps a picture of the new width
// and the old height in 64-bit floats, and cannot be stopped. From 12 megapixels down to 1024 pixels it took 420 ms and 103 MB
// where this takes 210 ms and 5 MB (Go 1.26, linux/amd64), and a company's photos are fitted on all cores.

// At most this many pixels, or one row, are converted at a time. It also bounds how long an ended context goes unnoticed.
const bandPixels = 1 << 18

// render makes the part of img inside crop into an opaque picture of size, and reports whether there was transparency.
// Parts of crop outside img are transparent, which white replaces.
func render(ctx context.Context, img image.Image, crop image.Rectangle, size image.Point) (out *image.RGBA, flattened bool, err error) {
	out = image.NewRGBA(image.Rectangle{Max: size})
	rows := &rowReader{img: img, crop: crop}
	if size == crop.Size() {
		err = rows.copyTo(ctx, out)
	} else {
		err = scale(ctx, out, rows)
	}
	return out, flatten(out), err
}

// A rowReader gives the rows of crop as 8-bit RGBA, alpha premultiplied, whatever kind of image they are from. They are
// converted in bands.
type rowReader struct {
	img  image.Image
	crop image.Rectangle

	band  *image.RGBA
	first int // the row that band begins with
}

func (r *rowReader) lines() int { return min(max(bandPixels/r.crop.Dx(), 1), r.crop.Dy()) }

// row returns row y, valid until the next call.
func (r *rowReader) row(ctx context.Context, y int) ([]byte, error) {
	if r.band == nil || y >= r.first+r.band.Rect.Dy() {
		if ctx.Err() != nil {
			return nil, stopped(ctx)
		}
		if r.band == nil {
			r.band = image.NewRGBA(image.Rect(0, 0, r.crop.Dx(), r.lines()))
		}
		r.first = y
		clear(r.band.Pix) // img may not cover it
		draw.Draw(r.band, r.band.Rect, r.img, r.crop.Min.Add(image.Pt(0, y)), draw.Src)
	}
	at := (y - r.first) * r.band.Stride
	return r.band.Pix[at : at+r.band.Stride], nil
}

func (r *rowReader) copyTo(ctx context.Context, out *image.RGBA) error {
	for y := range r.crop.Dy() {
		row, err := r.row(ctx, y)
		if err != nil {
			return err
		}
		copy(out.Pix[y*out.Stride:], row)
	}
	return nil
}

// Weights are fixed-point numbers. Between the two axes samples keep some more bits than they had.
const (
	weightBits = 14
	keptBits   = 6
)

// Taps say of what samples one sample of the scaled axis is made.
type taps struct {
	first   int
	weights []int32 // of first and those behind it; their sum is 1 << weightBits, so that flat parts stay as they are
}

// catmullRom is the cubic filter of that name, which is sharp and rings little.
func catmullRom(x float64) float64 {
	switch x = math.Abs(x); {
	case x < 1:
		return (3*x*x*x - 5*x*x + 2) / 2
	case x < 2:
		return (-x*x*x + 5*x*x - 8*x + 4) / 2
	}
	return 0
}

// tapsFor scales an axis from one length down to another: the filter is as much wider as the samples become.
func tapsFor(from, to int) []taps {
	all := make([]taps, to)
	factor := float64(from) / float64(to)
	for i := range all {
		center := (float64(i)+0.5)*factor - 0.5
		first := max(0, int(math.Ceil(center-2*factor)))
		last := min(from-1, int(math.Floor(center+2*factor)))
		exact := make([]float64, last-first+1)
		sum := 0.0
		for j := range exact {
			exact[j] = catmullRom((float64(first+j) - center) / factor)
			sum += exact[j]
		}
		all[i] = taps{first, fixed(exact, sum)}
	}
	return all
}

// fixed rounds so that no error is left in the sum.
func fixed(exact []float64, sum float64) []int32 {
	weights := make([]int32, len(exact))
	done, total := int32(0), 0.0
	for j, w := range exact {
		total += w
		next := int32(math.Round(total / sum * (1 << weightBits)))
		weights[j] = next - done
		done = next
	}
	return weights
}

// scale narrows each row, and makes rows of out of those as soon as it has what they need.
func scale(ctx context.Context, out *image.RGBA, rows *rowReader) error {
	horizontal, vertical := tapsFor(rows.crop.Dx(), out.Rect.Dx()), tapsFor(rows.crop.Dy(), out.Rect.Dy())
	most := 0
	for _, v := range vertical {
		most = max(most, len(v.weights))
	}
	ring := make([][]int32, most) // no row of out needs more at a time
	for i := range ring {
		ring[i] = make([]int32, 4*len(horizontal))
	}
	sums := make([]int32, 4*len(horizontal))
	have := 0
	for y, v := range vertical {
		for ; have < v.first+len(v.weights); have++ {
			row, err := rows.row(ctx, have)
			if err != nil {
				return err
			}
			narrow(ring[have%len(ring)], row, horizontal)
		}
		clear(sums)
		for j, weight := range v.weights {
			for i, sample := range ring[(v.first+j)%len(ring)] {
				sums[i] += weight * sample
			}
		}
		store(out.Pix[y*out.Stride:][:4*len(horizontal)], sums)
	}
	return nil
}

// narrow scales a row to as many samples as there are taps.
func narrow(out []int32, row []byte, horizontal []taps) {
	const round = 1 << (weightBits - keptBits - 1)
	for i, t := range horizontal {
		from := row[4*t.first:]
		r, g, b, a := int32(round), int32(round), int32(round), int32(round)
		for _, w := range t.weights {
			r += w * int32(from[0])
			g += w * int32(from[1])
			b += w * int32(from[2])
			a += w * int32(from[3])
			from = from[4:]
		}
		to := out[4*i : 4*i+4]
		to[0], to[1] = r>>(weightBits-keptBits), g>>(weightBits-keptBits)
		to[2], to[3] = b>>(weightBits-keptBits), a>>(weightBits-keptBits)
	}
}

// store rounds sums to samples. The filter overshoots at edges: no colour may be more than its alpha.
func store(out []byte, sums []int32) {
	const bits = weightBits + keptBits
	for i := 0; i < len(out); i += 4 {
		alpha := min(max((sums[i+3]+1<<(bits-1))>>bits, 0), 255)
		for c := range 3 {
			out[i+c] = byte(min(max((sums[i+c]+1<<(bits-1))>>bits, 0), alpha))
		}
		out[i+3] = byte(alpha)
	}
}

// flatten puts white behind img and reports whether anything of it shows.
func flatten(img *image.RGBA) bool {
	flattened := false
	for i := 0; i < len(img.Pix); i += 4 {
		if alpha := img.Pix[i+3]; alpha != 0xff {
			flattened = true
			white := 0xff - alpha
			for c := range 3 {
				img.Pix[i+c] = min(img.Pix[i+c], alpha) + white // decoders do not all keep colours within alpha
			}
			img.Pix[i+3] = 0xff
		}
	}
	return flattened
}
