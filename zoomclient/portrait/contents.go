package portrait

import (
	"bytes"
	"slices"
)

// What a file can carry besides its pixels, as [Inspection] and [Report] call it.
const (
	MetadataGPS       = "GPS position" // in Exif, XMP or PNG text
	MetadataExif      = "Exif"
	MetadataXMP       = "XMP"
	MetadataIPTC      = "IPTC"
	MetadataComment   = "comment"
	MetadataText      = "text"
	MetadataThumbnail = "thumbnail"
	MetadataImages    = "further images" // of other sizes or exposures, or an animation's
	MetadataOther     = "application data"
	MetadataTrailing  = "bytes after the image" // often a video, in phones' "motion photos"
)

// contents is what a file holds besides its pixels, found by walking its structure.
type contents struct {
	orientation int      // by Exif: 1 is upright, 2 to 8 are not; 0 is not stated
	metadata    []string // Metadata… constants, in the order in which they were found
	profile     []byte   // the ICC profile: it says what the colours mean, and is no metadata

	// kept is the file without its metadata, in pieces of it. It is nil for formats that Zoom does not take, and where
	// the structure cannot be followed.
	kept     [][]byte
	plain    bool // 8 bits a channel, greyscale or RGB: what every decoder takes
	alpha    bool // pixels may be transparent
	grey     bool
	animated bool // without a still image that could be taken
	scans    int  // of a JPEG
	inflated int  // how much of maxInflated was used
}

func (c *contents) note(metadata string) {
	if !c.carries(metadata) {
		c.metadata = append(c.metadata, metadata)
	}
}

func (c *contents) carries(metadata string) bool { return slices.Contains(c.metadata, metadata) }

// keep joins pieces that follow each other in the file: they do if what the slices have room for says so.
func (c *contents) keep(piece []byte) {
	if n := len(c.kept); n > 0 && cap(c.kept[n-1])-len(c.kept[n-1]) == cap(piece) {
		c.kept[n-1] = c.kept[n-1][:len(c.kept[n-1])+len(piece)]
		return
	}
	c.kept = append(c.kept, piece)
}

// noteXMP also finds a position: its properties are called exif:GPSLatitude whatever the packet looks like.
func (c *contents) noteXMP(packet []byte) {
	c.note(MetadataXMP)
	c.noteNamedGPS(packet)
}

func (c *contents) noteNamedGPS(text []byte) {
	if bytes.Contains(text, []byte("GPSLatitude")) {
		c.note(MetadataGPS)
	}
}

func (c *contents) noteExif(block []byte) {
	c.note(MetadataExif)
	c.readExif(bytes.TrimPrefix(block, exifStart))
}

func (c *contents) upright() bool { return c.orientation <= 1 }

// stripped returns the file without its metadata, and whether it knows how to.
func (c *contents) stripped(data []byte) ([]byte, bool) {
	switch {
	case c.kept == nil:
		return nil, false
	case c.isBare(data):
		return data, true
	}
	return slices.Concat(c.kept...), true
}

// isBare reports whether the file has nothing to be removed.
func (c *contents) isBare(data []byte) bool {
	return len(c.metadata) == 0 && len(data) == c.keptSize()
}

func (c *contents) keptSize() int {
	size := 0
	for _, piece := range c.kept {
		size += len(piece)
	}
	return size
}
