package portrait

import (
	"bytes"
	"encoding/binary"
)

// readWebP walks the chunks of the RIFF container.
func readWebP(data []byte) (c contents) {
	for rest := data[12:]; len(rest) >= 8; {
		kind, size := string(rest[:4]), binary.LittleEndian.Uint32(rest[4:])
		rest = rest[8:]
		content := rest[:min(uint64(size), uint64(len(rest)))]
		switch kind {
		case "ANIM", "ANMF":
			c.animated = true
		case "EXIF":
			c.noteExif(content)
		case "XMP ":
			c.noteXMP(content)
		case "ICCP":
			c.profile = content
		}
		rest = rest[min(uint64(size)+uint64(size&1), uint64(len(rest))):]
	}
	return c
}

// readTIFF reads the tags of the first image: the whole file is what Exif uses as a block.
func readTIFF(data []byte) (c contents) {
	c.readExif(data)
	for tag, field := range (tiffFile{data}).firstTable() {
		switch tag {
		case tagExif:
			c.note(MetadataExif)
		case tagXMP:
			c.noteXMP(field.bytes())
		case tagIPTC:
			c.note(MetadataIPTC)
		case tagProfile:
			c.profile = field.bytes()
		}
	}
	return c
}

// readNothing is for formats without orientation and profile; what comments they have are left behind by decoding.
func readNothing([]byte) contents { return contents{} }

func isWebP(data []byte) bool {
	return len(data) >= 12 && bytes.HasPrefix(data, []byte("RIFF")) && string(data[8:12]) == "WEBP"
}

// isBMP looks at the reserved bytes too: BMW.jpg is a name.
func isBMP(data []byte) bool {
	return len(data) >= 10 && bytes.HasPrefix(data, []byte("BM")) && string(data[6:10]) == "\x00\x00\x00\x00"
}
