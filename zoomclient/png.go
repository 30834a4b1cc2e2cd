package zoomclient

import (
	"encoding/binary"
	"hash/crc32"
)

// walkPNG walks the chunks from the signature to IEND. Damage in a chunk that decoders need is refused; in one that they
// may pass over it is let through, as they do.
func walkPNG(data []byte) (layout, error) {
	var found layout
	seenImage := false
	for pos := len(pngStart); ; {
		chunk := data[pos:]
		if len(chunk) < 12 { // length, type and CRC
			return layout{}, damaged("the PNG was cut off after %d bytes", len(data))
		}
		length := binary.BigEndian.Uint32(chunk)
		if uint64(length)+12 > uint64(len(chunk)) {
			return layout{}, damaged("the PNG was cut off: its last chunk wants %d bytes and %d are left", length, len(chunk)-12)
		}
		kind, content := string(chunk[4:8]), chunk[8:8+length]
		critical := kind[0]&0x20 == 0 || kind == "iDAT" || kind == "pLTE" // one flipped bit must not hide IDAT or PLTE
		if critical && crc32.ChecksumIEEE(chunk[4:8+length]) != binary.BigEndian.Uint32(chunk[8+length:]) {
			return layout{}, damaged("the checksum of the PNG chunk at byte %d is wrong", pos)
		}
		first := pos == len(pngStart)
		pos += 12 + int(length)
		switch {
		case first && (kind != "IHDR" || length != 13):
			return layout{}, damaged("the PNG does not begin with its header")
		case first:
			width, height := binary.BigEndian.Uint32(content), binary.BigEndian.Uint32(content[4:])
			if width > 1<<31-1 || height > 1<<31-1 {
				return layout{}, damaged("the PNG's dimensions are out of range")
			}
			found.width, found.height = int(width), int(height)
		case kind == "IDAT":
			seenImage = true
		case kind == "IEND" && !seenImage:
			return layout{}, damaged("the PNG holds no image data")
		case kind == "IEND":
			found.end = pos
			return found, nil
		}
	}
}
