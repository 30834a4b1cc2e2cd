package portrait

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"encoding/hex"
	"hash/crc32"
	"io"
	"math"
)

const pngStart = "\x89PNG\r\n\x1a\n"

// pngSizes are the chunks that decoding needs, and those that say what the pixels mean, with the most bytes each of them has.
var pngSizes = map[string]int{
	"IHDR": 13, "PLTE": 3 * 256, "IDAT": math.MaxInt, "IEND": 0,
	"bKGD": 6, "cHRM": 32, "cICP": 4, "cLLI": 8, "gAMA": 4, "iCCP": math.MaxInt, "mDCV": 24, "pHYs": 9, "sBIT": 4, "sRGB": 1, "tRNS": 256,
}

// readPNG walks the chunks to IEND. Kept are those of pngSizes, once each but for the image's data; of an animation that is
// the image which is shown where animations are not.
func readPNG(data []byte) contents {
	c := contents{kept: [][]byte{data[:len(pngStart)]}}
	seen, unsound := map[string]bool{}, false
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
		switch most, known := pngSizes[kind]; {
		case !known:
			c.readMetadata(kind, content)
		case len(content) > most, seen[kind] && kind != "IDAT", kind == "iCCP" && !c.readProfile(content):
			c.note(MetadataOther)
			unsound = unsound || isNeeded(kind)
		default:
			c.keep(chunk)
			c.readChunk(kind, content)
			seen[kind] = true
		}
		if kind == "IEND" {
			if pos < len(data) {
				c.note(MetadataTrailing)
			}
			if unsound {
				return c.unfinished()
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
			c.plain, c.alpha, c.grey = depth <= 8, colours&4 != 0, colours&2 == 0
		}
	case "tRNS":
		c.alpha = true
	}
}

// isNeeded reports whether the pixels are others without a chunk.
func isNeeded(kind string) bool { return kind == "tRNS" || kind[0]&0x20 == 0 }

// readProfile reports whether the chunk holds a sound ICC profile for these colours, and nothing behind it.
func (c *contents) readProfile(content []byte) bool {
	_, compressed, ok := bytes.Cut(content, []byte{0})
	if !ok || len(compressed) < 2 {
		return false
	}
	rest := bytes.NewReader(compressed[1:]) // behind the method, of which there is one
	r, err := zlib.NewReader(rest)
	if err != nil {
		return false
	}
	profile, err := io.ReadAll(io.LimitReader(r, maxInflated))
	if err != nil || rest.Len() > 0 || !isProfile(profile, c.grey) {
		return false
	}
	c.profile = profile
	return true
}

func (c *contents) readMetadata(kind string, content []byte) {
	switch kind {
	case "eXIf":
		c.noteExif(content)
	case "tEXt", "zTXt", "iTXt":
		c.readText(kind, content)
	case "tIME":
		c.note(MetadataText)
	case "acTL", "fcTL", "fdAT":
		c.note(MetadataImages)
	default:
		c.note(MetadataOther)
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
	var digits []byte
	before := 2
	for field := range bytes.FieldsSeq(text[:min(len(text), maxInflated)]) {
		if before--; before < 0 {
			digits = append(digits, field...)
		}
	}
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
