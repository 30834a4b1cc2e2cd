package zoomclient

import (
	"bytes"
	"encoding/binary"
)

// The markers of ITU T.81, table B.1, that the walk must know.
const (
	markTEM  = 0x01
	markSOF0 = 0xc0 // to 0xcf, but for DHT, JPG and DAC
	markDHT  = 0xc4
	markJPG  = 0xc8
	markDAC  = 0xcc
	markRST0 = 0xd0 // to 0xd7
	markSOI  = 0xd8
	markEOI  = 0xd9
	markSOS  = 0xda
	markDNL  = 0xdc
)

// walkJPEG walks the segments and scans from SOI to EOI. What a segment holds is read only where it gives the image's size:
// decoders take more than the standard allows, and so does Zoom.
func walkJPEG(data []byte) (layout, error) {
	var found layout
	seenFrame, seenScan := false, false
	for pos := 2; ; {
		marker, next := nextMarker(data, pos)
		pos = next
		switch {
		case next < 0:
			return layout{}, cutJPEG(data)
		case marker == markEOI && !seenScan:
			return layout{}, damaged("the JPEG holds no image data")
		case marker == markEOI:
			found.end = pos
			return found, nil
		case marker == markTEM || marker == markSOI || markRST0 <= marker && marker < markSOI:
			continue // these stand alone
		}
		if len(data)-pos < 2 {
			return layout{}, cutJPEG(data)
		}
		length := int(binary.BigEndian.Uint16(data[pos:]))
		if length < 2 {
			return layout{}, damaged("the length of the JPEG segment at byte %d is wrong", pos)
		}
		if length > len(data)-pos {
			return layout{}, cutJPEG(data)
		}
		segment := data[pos+2 : pos+length]
		pos += length
		switch {
		case isFrame(marker):
			if len(segment) < 6 {
				return layout{}, damaged("the JPEG's frame header is too short")
			}
			if !seenFrame { // the first frame is the image; later ones are of hierarchical files
				found.height, found.width = int(binary.BigEndian.Uint16(segment[1:])), int(binary.BigEndian.Uint16(segment[3:]))
			}
			seenFrame = true
		case marker == markDNL && found.height == 0 && len(segment) >= 2:
			found.height = int(binary.BigEndian.Uint16(segment)) // the height may follow the first scan
		case marker == markSOS && !seenFrame:
			return layout{}, damaged("the JPEG has a scan before its frame header")
		case marker == markSOS:
			seenScan = true
		}
	}
}

// nextMarker finds the next marker at or after pos and returns where it ends, or -1. It passes over entropy-coded data,
// in which 0xFF is always followed by 0, and over fill bytes and the stray bytes that decoders warn of and skip.
func nextMarker(data []byte, pos int) (marker byte, end int) {
	for {
		i := bytes.IndexByte(data[pos:], 0xff)
		if i < 0 {
			return 0, -1
		}
		pos += i + 1
		for pos < len(data) && data[pos] == 0xff {
			pos++
		}
		if pos == len(data) {
			return 0, -1
		}
		marker = data[pos]
		pos++
		if marker != 0 {
			return marker, pos
		}
	}
}

func isFrame(marker byte) bool {
	return marker >= markSOF0 && marker <= 0xcf && marker != markDHT && marker != markJPG && marker != markDAC
}

func cutJPEG(data []byte) error {
	return damaged("the JPEG was cut off: its end is not in its %d bytes", len(data))
}
