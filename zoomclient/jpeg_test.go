package zoomclient

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

var jpegEnd = []byte("\xff\xd9")

// jpegScanHeader is an SOS of one component.
var jpegScanHeader = jpegSegment(0xda, 1, 1, 0, 0, 63, 0)

func jpegSegment(marker byte, content ...byte) []byte {
	n := len(content) + 2
	return append([]byte{0xff, marker, byte(n >> 8), byte(n)}, content...)
}

// jpegFrame is a baseline frame header of one component.
func jpegFrame(height, width int) []byte { return jpegFrameOf(0xc0, height, width) }

func jpegFrameOf(marker byte, height, width int) []byte {
	return jpegSegment(marker, 8, byte(height>>8), byte(height), byte(width>>8), byte(width), 1, 1, 0x11, 0)
}

func jpegOf(parts ...[]byte) []byte { return append([]byte("\xff\xd8"), slices.Concat(parts...)...) }

func TestWalkJPEG(t *testing.T) {
	t.Parallel()
	frame, scan := jpegFrame(6, 9), jpegScanHeader
	bits := []byte("\x12\x34\x56")
	thumbnail := jpegSegment(0xe1, jpegOf(jpegFrame(1, 1), scan, bits, jpegEnd)...)
	for name, data := range map[string][]byte{
		"baseline":                       jpegOf(frame, scan, bits, jpegEnd),
		"extended":                       jpegOf(jpegFrameOf(0xc1, 6, 9), scan, bits, jpegEnd),
		"lossless arithmetic":            jpegOf(jpegFrameOf(0xcf, 6, 9), scan, bits, jpegEnd),
		"progressive with many scans":    jpegOf(jpegFrameOf(0xc2, 6, 9), scan, bits, scan, bits, jpegSegment(0xc4, 0), scan, bits, jpegEnd),
		"tables before the frame":        jpegOf(jpegSegment(0xdb, 0), jpegSegment(0xc4, 0), jpegSegment(0xcc, 0), jpegSegment(0xc8, 0), jpegSegment(0xdd, 0, 4), frame, scan, bits, jpegEnd),
		"tables that look like frames":   jpegOf(jpegSegment(0xc4, 8, 0, 1, 0, 1, 1), frame, jpegSegment(0xc8, 8, 0, 1, 0, 1, 1), scan, bits, jpegEnd),
		"restart markers":                jpegOf(frame, scan, bits, []byte("\xff\xd0"), bits, []byte("\xff\xd7"), bits, jpegEnd),
		"stuffed bytes":                  jpegOf(frame, scan, []byte("\xff\x00\xff\x00\x01\xff\x00"), jpegEnd),
		"fill bytes before markers":      jpegOf([]byte("\xff\xff"), frame, []byte("\xff\xff\xff"), scan, bits, []byte("\xff\xff"), jpegEnd),
		"a stand-alone TEM":              jpegOf([]byte("\xff\x01"), frame, scan, bits, jpegEnd),
		"stray bytes between segments":   jpegOf(frame, []byte("\x00\x00"), scan, bits, jpegEnd),
		"an end in a comment":            jpegOf(jpegSegment(0xfe, 0xff, 0xd9, 0xff, 0xd9), frame, scan, bits, jpegEnd),
		"a thumbnail in Exif":            jpegOf(thumbnail, frame, scan, bits, jpegEnd),
		"an empty comment":               jpegOf(jpegSegment(0xfe), frame, scan, bits, jpegEnd),
		"a height that comes with DNL":   jpegOf(jpegFrame(0, 9), scan, bits, jpegSegment(0xdc, 0, 6), jpegEnd),
		"a DNL that changes nothing":     jpegOf(frame, scan, bits, jpegSegment(0xdc, 0, 7), jpegEnd),
		"a scan without bits":            jpegOf(frame, scan, jpegEnd),
		"a second frame, hierarchical":   jpegOf(frame, scan, bits, jpegFrameOf(0xc5, 1, 1), scan, bits, jpegEnd),
		"the longest segment":            jpegOf(jpegSegment(0xe2, make([]byte, 0xffff-2)...), frame, scan, bits, jpegEnd),
		"a segment of bytes like fill":   jpegOf(jpegSegment(0xe3, bytes.Repeat([]byte{0xff}, 300)...), frame, scan, bits, jpegEnd),
		"a second start inside the file": jpegOf([]byte("\xff\xd8"), frame, scan, bits, jpegEnd),
	} {
		for _, junk := range []string{"", "junk", string(data)} { // a whole picture may follow, as in MPO files
			pic, err := NewPicture(append(bytes.Clone(data), junk...))
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if w, h := pic.Dimensions(); w != 9 || h != 6 || pic.TrailingBytes() != int64(len(junk)) {
				t.Errorf("%s: %v with %d trailing bytes, want 9 × 6 with %d", name, pic, pic.TrailingBytes(), len(junk))
			}
		}
	}
}

func TestWalkJPEGRefuses(t *testing.T) {
	t.Parallel()
	frame, scan := jpegFrame(6, 9), jpegScanHeader
	bits := []byte("\x12\x34\x56")
	for _, refused := range []struct {
		name  string
		data  []byte
		is    error
		words string
	}{
		{"a segment of length 0", jpegOf(frame, []byte("\xff\xe0\x00\x00"), scan, bits, jpegEnd), ErrDamagedPicture, "segment at byte 17 is wrong"},
		{"a segment of length 1", jpegOf(frame, []byte("\xff\xe0\x00\x01"), scan, bits, jpegEnd), ErrDamagedPicture, "is wrong"},
		{"a segment past the end", jpegOf(frame, scan, []byte("\xff\xe0\xff\xff"), bits, jpegEnd), ErrDamagedPicture, "cut off"},
		{"a scan before the frame", jpegOf(scan, bits, frame, jpegEnd), ErrDamagedPicture, "scan before its frame header"},
		{"an end without a scan", jpegOf(frame, jpegEnd), ErrDamagedPicture, "no image data"},
		{"start and end", jpegOf(jpegEnd), ErrDamagedPicture, "no image data"},
		{"a frame header that is too short", jpegOf(jpegSegment(0xc0, 8, 0, 6, 0), scan, bits, jpegEnd), ErrDamagedPicture, "frame header is too short"},
		{"no end", jpegOf(frame, scan, bits), ErrDamagedPicture, "cut off"},
		{"an end that is stuffed", jpegOf(frame, scan, bits, []byte("\xff\x00\xd9")), ErrDamagedPicture, "cut off"},
		{"fill bytes for ever", jpegOf(frame, scan, bits, []byte("\xff\xff\xff")), ErrDamagedPicture, "cut off"},
		{"height 0 without DNL", jpegOf(jpegFrame(0, 9), scan, bits, jpegEnd), ErrDamagedPicture, "one of its sides is 0"},
		{"height 0 and DNL 0", jpegOf(jpegFrame(0, 9), scan, bits, jpegSegment(0xdc, 0, 0), jpegEnd), ErrDamagedPicture, "one of its sides is 0"},
		{"height 0 and a DNL too short", jpegOf(jpegFrame(0, 9), scan, bits, jpegSegment(0xdc, 7), jpegEnd), ErrDamagedPicture, "one of its sides is 0"},
		{"width 0", jpegOf(jpegFrame(6, 0), scan, bits, jpegEnd), ErrDamagedPicture, "one of its sides is 0"},
		{"65535 × 65535", jpegOf(jpegFrame(65535, 65535), scan, bits, jpegEnd), ErrTooLarge, "65535 × 65535 pixels are more than 100 megapixels"},
		{"10000 × 10001", jpegOf(jpegFrame(10000, 10001), scan, bits, jpegEnd), ErrTooLarge, "100 megapixels"},
		{"too high by DNL", jpegOf(jpegFrame(0, 65535), scan, bits, jpegSegment(0xdc, 0xff, 0xff), jpegEnd), ErrTooLarge, "100 megapixels"},
	} {
		pic, err := NewPicture(refused.data)
		if !errors.Is(err, refused.is) || !strings.Contains(err.Error(), refused.words) {
			t.Errorf("%s: %v, %v", refused.name, pic, err)
		}
	}
	if _, err := NewPicture(jpegOf(jpegFrame(10000, 10000), scan, bits, jpegEnd)); err != nil {
		t.Errorf("100 megapixels: %v", err)
	}
}
