package portrait

import (
	"bytes"
	"encoding/binary"
	"slices"
)

// The markers of ITU T.81, table B.1, that the walk must know.
const (
	markTEM   = 0x01
	markSOF0  = 0xc0 // to 0xcf, but for DHT, JPG and DAC
	markDHT   = 0xc4
	markJPG   = 0xc8
	markDAC   = 0xcc
	markRST0  = 0xd0 // to 0xd7
	markSOI   = 0xd8
	markEOI   = 0xd9
	markSOS   = 0xda
	markDQT   = 0xdb
	markDNL   = 0xdc
	markDRI   = 0xdd
	markAPP0  = 0xe0
	markAPP1  = 0xe1
	markAPP2  = 0xe2
	markAPP13 = 0xed
	markAPP14 = 0xee
	markAPP15 = 0xef
	markCOM   = 0xfe
)

const (
	jfifSize     = 14 // of a JFIF segment's content without thumbnail
	adobeSize    = 12 // of Adobe's
	profileStart = "ICC_PROFILE\x00"
)

// A jpegWalk is what the segments before have said.
type jpegWalk struct {
	contents
	unsound     bool // a segment holds more than its kind does
	jfif, adobe bool // was kept

	profileSegments [][]byte
	profileAt       int // where they belong among what is kept
}

// readJPEG walks the segments to EOI. Kept are those that decoding needs, and of the application's own only what says how
// colours are meant: JFIF without its thumbnail, Adobe's transform, the ICC profile. Scans are kept to the byte.
func readJPEG(data []byte) contents {
	c := jpegWalk{contents: contents{kept: [][]byte{data[:2]}}}
	scan := -1 // where the entropy-coded data of a scan begin
	for pos := 2; ; {
		at := nextMarker(data, pos)
		if at < 0 {
			return c.unfinished()
		}
		marker := data[at+1]
		pos = at + 2
		if marker == markTEM || markRST0 <= marker && marker <= markSOI {
			continue // these stand alone
		}
		if scan >= 0 {
			c.keep(data[scan:at])
			scan = -1
		}
		if marker == markEOI {
			c.keep(data[at:pos])
			if pos < len(data) {
				c.note(MetadataTrailing)
			}
			c.keepProfile()
			if c.unsound || c.scans == 0 {
				return c.unfinished()
			}
			return c.contents
		}
		if len(data)-pos < 2 {
			return c.unfinished()
		}
		length := int(binary.BigEndian.Uint16(data[pos:]))
		if length < 2 || length > len(data)-pos {
			return c.unfinished()
		}
		segment := data[at : pos+length]
		pos += length
		switch {
		case marker == markCOM:
			c.note(MetadataComment)
		case markAPP0 <= marker && marker <= markAPP15:
			c.readApplicationSegment(marker, segment)
		case isFrame(marker), marker == markDHT, marker == markDAC, marker == markSOS, marker == markDQT, marker == markDNL, marker == markDRI:
			c.unsound = c.unsound || !isExact(marker, segment[4:])
			c.keep(segment)
		default:
			c.note(MetadataOther)
		}
		switch {
		case isFrame(marker) && len(segment) >= 10:
			precision, components := segment[4], segment[9]
			c.plain = precision == 8 && (components == 1 || components == 3)
			c.grey = components == 1
		case marker == markSOS:
			scan = pos
			c.scans++
		}
	}
}

// unfinished is what is known of a file whose structure ends early: no more than what it carries.
func (c contents) unfinished() contents {
	c.kept = nil
	return c
}

// nextMarker finds the next marker at or after pos, or -1. It passes over entropy-coded data, in which 0xFF is always
// followed by 0, and over fill and stray bytes.
func nextMarker(data []byte, pos int) int {
	for {
		i := bytes.IndexByte(data[pos:], 0xff)
		if i < 0 || pos+i+1 == len(data) {
			return -1
		}
		pos += i
		if next := data[pos+1]; next != 0 && next != 0xff {
			return pos
		}
		pos++
	}
}

func isFrame(marker byte) bool {
	return marker >= markSOF0 && marker <= 0xcf && marker != markDHT && marker != markJPG && marker != markDAC
}

// isExact reports whether a segment holds what its kind does, and nothing behind it.
func isExact(marker byte, content []byte) bool {
	switch marker {
	case markSOS:
		return len(content) > 0 && len(content) == 4+2*int(content[0])
	case markDRI, markDNL:
		return len(content) == 2
	case markDAC:
		return len(content)%2 == 0
	case markDQT:
		for len(content) > 0 {
			size := 1 + 64*(1+int(content[0]>>4))
			if size > len(content) {
				return false
			}
			content = content[size:]
		}
		return true
	case markDHT:
		for len(content) > 0 {
			size := 17
			for _, codes := range content[1:min(len(content), 17)] {
				size += int(codes)
			}
			if size > len(content) {
				return false
			}
			content = content[size:]
		}
		return true
	}
	return len(content) > 5 && len(content) == 6+3*int(content[5]) // a frame
}

func (c *jpegWalk) readApplicationSegment(marker byte, segment []byte) {
	content := segment[4:]
	named := func(wanted byte, name string) bool { return marker == wanted && bytes.HasPrefix(content, []byte(name)) }
	switch {
	case named(markAPP0, "JFIF\x00") && !c.jfif && len(content) >= jfifSize:
		c.jfif = true
		if len(content) > jfifSize {
			c.note(MetadataThumbnail)
			segment = jfifWithoutThumbnail(content)
		}
		c.keep(segment)
	case named(markAPP14, "Adobe") && !c.adobe && len(content) >= adobeSize:
		c.adobe = true
		if len(content) > adobeSize {
			c.note(MetadataOther)
			segment = slices.Clip(slices.Concat([]byte{0xff, markAPP14, 0, adobeSize + 2}, content[:adobeSize]))
		}
		c.keep(segment)
	case named(markAPP0, "JFXX\x00"):
		c.note(MetadataThumbnail)
	case named(markAPP1, string(exifStart)):
		c.noteExif(content)
	case named(markAPP1, "http://ns.adobe.com/xap/1.0/"), named(markAPP1, "http://ns.adobe.com/xmp/extension/"):
		c.noteXMP(content)
	case named(markAPP2, profileStart):
		if len(c.profileSegments) == 0 {
			c.profileAt = len(c.kept)
		}
		c.profileSegments = append(c.profileSegments, segment)
	case named(markAPP2, "MPF\x00"):
		c.note(MetadataImages)
	case named(markAPP13, "Photoshop 3.0\x00"):
		c.note(MetadataIPTC)
	default:
		c.note(MetadataOther)
	}
}

// keepProfile puts the ICC profile together, whose parts may come in any order, and keeps it if it is one for these colours.
func (c *jpegWalk) keepProfile() {
	if len(c.profileSegments) == 0 {
		return
	}
	const at = 4 + len(profileStart) // of a part's number; behind it is how many there are
	sorted := slices.Clone(c.profileSegments)
	slices.SortStableFunc(sorted, func(a, b []byte) int { return bytes.Compare(a[at:min(len(a), at+1)], b[at:min(len(b), at+1)]) })
	for i, segment := range sorted {
		if len(segment) < at+2 || int(segment[at]) != i+1 || int(segment[at+1]) != len(sorted) {
			c.profile = nil
			break
		}
		c.profile = append(c.profile, segment[at+2:]...)
	}
	if !isProfile(c.profile, c.grey) {
		c.note(MetadataOther)
		return
	}
	c.kept = slices.Insert(c.kept, c.profileAt, c.profileSegments...)
}

func jfifWithoutThumbnail(content []byte) []byte {
	segment := []byte{0xff, markAPP0, 0, jfifSize + 2}
	segment = append(segment, content[:jfifSize-2]...)
	segment = append(segment, 0, 0) // width and height of the thumbnail
	return slices.Clip(segment)     // nothing follows it
}

const jpegProfileAt = 2 // behind SOI

// jpegProfile writes an ICC profile in as many segments as it needs: none for none.
func jpegProfile(profile []byte) []byte {
	const most = 0xffff - 2 - len(profileStart) - 2
	var out []byte
	parts := (len(profile) + most - 1) / most
	for i := range parts {
		part := profile[i*most : min(len(profile), (i+1)*most)]
		out = append(out, 0xff, markAPP2)
		out = binary.BigEndian.AppendUint16(out, uint16(2+len(profileStart)+2+len(part)))
		out = append(append(out, profileStart...), byte(i+1), byte(parts))
		out = append(out, part...)
	}
	return out
}
