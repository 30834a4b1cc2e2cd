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
	profileStart = "ICC_PROFILE\x00"
)

// readJPEG walks the segments to EOI. Kept are those that decoding needs, and of the application's own only what says how
// colours are meant: JFIF without its thumbnail, Adobe's transform, the ICC profile. Scans are kept to the byte.
func readJPEG(data []byte) contents {
	c := contents{kept: [][]byte{data[:2]}}
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
			return c
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
		default:
			c.keep(segment)
		}
		switch {
		case isFrame(marker) && len(segment) >= 10:
			precision, components := segment[4], segment[9]
			c.plain = precision == 8 && (components == 1 || components == 3)
		case marker == markSOS:
			scan = pos
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

func (c *contents) readApplicationSegment(marker byte, segment []byte) {
	content := segment[4:]
	named := func(wanted byte, name string) bool { return marker == wanted && bytes.HasPrefix(content, []byte(name)) }
	switch {
	case named(markAPP0, "JFIF\x00") && len(content) > jfifSize:
		c.note(MetadataThumbnail)
		c.keep(jfifWithoutThumbnail(content))
	case named(markAPP0, "JFIF\x00"), named(markAPP14, "Adobe"):
		c.keep(segment)
	case named(markAPP0, "JFXX\x00"):
		c.note(MetadataThumbnail)
	case named(markAPP1, string(exifStart)):
		c.noteExif(content)
	case named(markAPP1, "http://ns.adobe.com/xap/1.0/"), named(markAPP1, "http://ns.adobe.com/xmp/extension/"):
		c.noteXMP(content)
	case named(markAPP2, profileStart):
		c.keep(segment)
		if part := content[len(profileStart):]; len(part) > 2 { // its number and how many there are
			c.profile = append(c.profile, part[2:]...) // out of order they do not make a profile, which profileFor finds
		}
	case named(markAPP2, "MPF\x00"):
		c.note(MetadataImages)
	case named(markAPP13, "Photoshop 3.0\x00"):
		c.note(MetadataIPTC)
	default:
		c.note(MetadataOther)
	}
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
