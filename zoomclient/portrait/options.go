package portrait

import (
	"cmp"
	"errors"
	"fmt"

	"github.com/zoompic/zoompic/zoomclient"
)

// maxSide is the longest side that is read or written: JPEG's own limit. It also bounds what scaling allocates for a row.
const maxSide = 65_535

// Options say what fits. A field that is 0 or false has its default, so that Options{} is what Zoom takes. The type is
// comparable, and String is the same for options that mean the same.
type Options struct {
	MaxSide    int  // the longest side, in pixels; default 1024, at most 65,535. Pictures are never scaled up
	MaxBytes   int  // the largest file; default 2,000,000, the smaller reading of Zoom's "2M"; at most zoomclient.MaxPictureSize
	MaxPixels  int  // the largest picture that is decoded, in pixels; default 50,000,000
	MinQuality int  // JPEG quality, 1 to 100, below which the picture is scaled down instead; default 60
	Square     bool // crop a square from the middle
}

func (o Options) withDefaults() Options {
	return Options{
		MaxSide:    cmp.Or(o.MaxSide, 1024),
		MaxBytes:   cmp.Or(o.MaxBytes, 2_000_000),
		MaxPixels:  cmp.Or(o.MaxPixels, 50_000_000),
		MinQuality: cmp.Or(o.MinQuality, 60),
		Square:     o.Square,
	}
}

// check reports what is wrong with options whose defaults are set.
func (o Options) check() error {
	var errs []error
	for _, v := range []struct {
		name       string
		value, max int
	}{
		{"MaxSide", o.MaxSide, maxSide},
		{"MaxBytes", o.MaxBytes, zoomclient.MaxPictureSize},
		{"MaxPixels", o.MaxPixels, 1<<31 - 1},
		{"MinQuality", o.MinQuality, 100},
	} {
		if v.value < 1 || v.value > v.max {
			errs = append(errs, fmt.Errorf("zoom: portrait.Options.%s is %d; it must be from 1 to %d, or 0 for the default", v.name, v.value, v.max))
		}
	}
	return errors.Join(errs...)
}

// String writes every option out, defaults too: digests of it change exactly when the meaning does.
func (o Options) String() string {
	o = o.withDefaults()
	return fmt.Sprintf("max-side=%d max-bytes=%d max-pixels=%d min-quality=%d square=%t", o.MaxSide, o.MaxBytes, o.MaxPixels, o.MinQuality, o.Square)
}
