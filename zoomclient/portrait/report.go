package portrait

import (
	"fmt"
	"strconv"
	"strings"
)

// An Image is a file in few words.
type Image struct {
	Format string `json:"format"` // "JPEG", "PNG", "GIF", "WebP", "BMP" or "TIFF"
	Width  int    `json:"width"`  // in pixels, as they are stored
	Height int    `json:"height"`
	Size   int    `json:"size"` // in bytes
}

// String gives format, dimensions and size.
func (i Image) String() string {
	return fmt.Sprintf("%s, %d × %d pixels, %s bytes", i.Format, i.Width, i.Height, grouped(i.Size))
}

// An Inspection says what a picture is and carries.
type Inspection struct {
	Image
	Orientation int      `json:"orientation"`        // by Exif, 1 to 8; all but 1 are shown turned or mirrored by those who read Exif
	Metadata    []string `json:"metadata,omitempty"` // Metadata… constants
	GPS         bool     `json:"gps,omitempty"`      // where it was taken is among them
	Fits        bool     `json:"fits,omitempty"`     // Fit returns it byte for byte. That takes no decoding: false for all with an alpha channel
}

// A Report says what was done to a picture.
type Report struct {
	Before    Image    `json:"before"`
	After     Image    `json:"after"`
	Encoded   bool     `json:"encoded"`           // pixels were decoded and encoded again; if not, they are the same to the bit
	Rotated   bool     `json:"rotated"`           // turned or mirrored, as Exif asked for
	Cropped   bool     `json:"cropped"`           // to a square
	Flattened bool     `json:"flattened"`         // transparent pixels were put on white
	Quality   int      `json:"quality,omitempty"` // of the JPEG, if it was encoded
	Removed   []string `json:"removed,omitempty"` // Metadata… constants
}

// Unchanged reports whether the picture is what it was, byte for byte.
func (r Report) Unchanged() bool {
	return !r.Encoded && r.Before == r.After && len(r.Removed) == 0
}

// String says it in one line, for people.
func (r Report) String() string {
	if r.Unchanged() {
		return "unchanged: " + r.Before.String()
	}
	line := r.Before.String() + " → " + r.After.String()
	if done := r.done(); len(done) > 0 {
		line += "; " + strings.Join(done, ", ")
	}
	if len(r.Removed) > 0 {
		line += "; removed " + strings.Join(r.Removed, ", ")
	}
	return line
}

func (r Report) done() []string {
	var done []string
	if r.Rotated {
		done = append(done, "turned upright")
	}
	if r.Cropped {
		done = append(done, "cropped to a square")
	}
	if r.Flattened {
		done = append(done, "transparency put on white")
	}
	if r.Quality > 0 {
		done = append(done, "quality "+strconv.Itoa(r.Quality))
	}
	return done
}

// grouped writes thousands apart, as the command does.
func grouped(n int) string {
	digits := strconv.Itoa(n)
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}
