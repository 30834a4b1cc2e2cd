package portrait

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io"
)

const pngStart = "\x89PNG\r\n\x1a\n"

// pngKept are the ancillary chunks that say what the pixels mean. They carry nothing else.
var pngKept = map[string]bool{
	"bKGD": true, "cHRM": true, "cICP": true, "cLLI": true, "gAMA": true, "hIST": true, "iCCP": true, "mDCV": true,
	"pHYs": true, "sBIT": true, "sPLT": true, "sRGB": true, "tRNS": true,
}

// readPNG walks the chunks to IEND. Kept are those that decoding needs and those of pngKept; of an animation that is the
// image which is shown where animations are not.
func readPNG(data []byte) contents {
	c := contents{kept: [][]byte{data[:len(pngStart)]}}
	for pos := len(pngStart); ; {
		rest := data[pos:]
		if len(rest) < 12 { // length, type and CRC
			return c.unfinished()
		}
		length := binary.BigEndian.Uint32(rest)
		if uint64(length)+12 > uint64(len(rest)) {
			return c.unfinished()
		}
		kind, content, chunk := string(rest[4:8]), rest[8:8+length], rest[:12+length]
		pos += len(chunk)
		if critical := kind[0]&0x20 == 0; critical || pngKept[kind] {
			c.keep(chunk)
		}
		c.readChunk(kind, content)
		if kind == "IEND" {
			if pos < len(data) {
				c.note(MetadataTrailing)
			}
			return c
		}
	}
}

func (c *contents) readChunk(kind string, content []byte) {
	switch kind {
	case "IHDR":
		if len(content) == 13 {
			depth, colours := content[8], content[9]
			c.plain, c.alpha = depth <= 8, colours&4 != 0
		}
	case "tRNS":
		c.alpha = true
	case "iCCP":
		if _, compressed, ok := bytes.Cut(content, []byte{0}); ok && len(compressed) > 1 {
			c.profile = c.inflate(compressed[1:]) // behind the method, of which there is one
		}
	case "eXIf":
		c.noteExif(content)
	case "tEXt", "zTXt", "iTXt":
		c.readText(kind, content)
	case "tIME":
		c.note(MetadataText)
	case "acTL", "fcTL", "fdAT":
		c.note(MetadataImages)
	default:
		if kind[0]&0x20 != 0 && !pngKept[kind] {
			c.note(MetadataOther)
		}
	}
}

// readText looks into text for what other formats have blocks for. ImageMagick writes Exif, IPTC and XMP as hexadecimal
// "raw profiles", and a position as text of its own.
func (c *contents) readText(kind string, content []byte) {
	c.noteNamedGPS(content)
	keyword, text, _ := bytes.Cut(content, []byte{0})
	switch {
	case kind == "zTXt" && len(text) > 0:
		text = c.inflate(text[1:])
	case kind == "iTXt" && len(text) > 1:
		compressed := text[0] == 1
		if parts := bytes.SplitN(text[2:], []byte{0}, 3); len(parts) == 3 { // language, translated keyword, text
			text = parts[2]
		}
		if compressed {
			text = c.inflate(text)
		}
	}
	switch string(keyword) {
	case "XML:com.adobe.xmp":
		c.noteXMP(text)
	case "Raw profile type xmp":
		c.noteXMP(rawProfile(text))
	case "Raw profile type exif", "Raw profile type APP1":
		c.noteExif(rawProfile(text))
	case "Raw profile type iptc", "Raw profile type 8bim":
		c.note(MetadataIPTC)
	default:
		c.note(MetadataText)
		c.noteNamedGPS(text)
	}
}

// rawProfile decodes ImageMagick's form: a name, a length, then hexadecimal digits in lines.
func rawProfile(text []byte) []byte {
	fields := bytes.Fields(text)
	if len(fields) < 3 {
		return nil
	}
	digits := bytes.Join(fields[2:], nil)
	profile := make([]byte, len(digits)/2)
	n, _ := hex.Decode(profile, digits)
	return profile[:n]
}

// What inflating may cost in a file: metadata must not cost more than the picture.
const (
	maxInflated = 1 << 20 // bytes that come out
	minInflated = 1 << 12 // what each attempt counts at least
)

// inflate returns as much as is sound and within what is left of maxInflated.
func (c *contents) inflate(compressed []byte) []byte {
	left := maxInflated - c.inflated
	if left <= 0 {
		return nil
	}
	r, err := zlib.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil
	}
	text, _ := io.ReadAll(io.LimitReader(r, int64(left)))
	c.inflated += max(len(text), minInflated)
	return text
}

const pngProfileAt = len(pngStart) + 12 + 13 // behind IHDR

// pngProfile writes an ICC profile as a chunk: none for none.
func pngProfile(profile []byte) []byte {
	if len(profile) == 0 {
		return nil
	}
	var out bytes.Buffer
	out.WriteString("\x00\x00\x00\x00iCCPICC\x00\x00") // length, type, the profile's name, method
	w := zlib.NewWriter(&out)
	w.Write(profile) // to memory
	w.Close()
	chunk := out.Bytes()
	binary.BigEndian.PutUint32(chunk, uint32(len(chunk)-8))
	return binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(chunk[4:]))
}
