package zoomclient

import (
	"bytes"
	"encoding/binary"
	"errors"
	"hash/crc32"
	"image"
	"image/color"
	"image/png"
	"slices"
	"strings"
	"testing"
)

func pngChunk(kind string, content []byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(content)))
	b = append(append(b, kind...), content...)
	return binary.BigEndian.AppendUint32(b, crc32.ChecksumIEEE(b[4:]))
}

// pngHeader is the IHDR of a gray picture.
func pngHeader(width, height uint32) []byte {
	b := binary.BigEndian.AppendUint32(nil, width)
	b = binary.BigEndian.AppendUint32(b, height)
	return pngChunk("IHDR", append(b, 8, 0, 0, 0, 0))
}

func pngFrom(chunks ...[]byte) []byte { return append([]byte(pngStart), slices.Concat(chunks...)...) }

// spoiled is chunk with another checksum.
func spoiled(chunk []byte) []byte {
	chunk = bytes.Clone(chunk)
	chunk[len(chunk)-1] ^= 1
	return chunk
}

// pngInParts is a picture with a palette, an ancillary chunk and image data in three IDATs, so that one can be lost.
func pngInParts(tb testing.TB) []byte {
	tb.Helper()
	img := image.NewPaletted(image.Rect(0, 0, 16, 9), color.Palette{color.Black, color.White, color.Gray{99}})
	for i := range img.Pix {
		img.Pix[i] = uint8(i*i) % 3
	}
	var parts [][]byte
	whole := encodedPNG(tb, img)
	for pos := len(pngStart); pos < len(whole); {
		length := int(binary.BigEndian.Uint32(whole[pos:]))
		kind, content := string(whole[pos+4:pos+8]), whole[pos+8:pos+8+length]
		if kind == "IDAT" {
			parts = append(parts, pngChunk("tEXt", []byte("Title\x00parts")))
			for part := range slices.Chunk(content, (length+2)/3) {
				parts = append(parts, pngChunk("IDAT", part))
			}
		} else {
			parts = append(parts, whole[pos:pos+12+length])
		}
		pos += 12 + length
	}
	data := pngFrom(parts...)
	if _, err := png.Decode(bytes.NewReader(data)); err != nil || bytes.Count(data, []byte("IDAT")) != 3 || !bytes.Contains(data, []byte("PLTE")) {
		tb.Fatalf("the picture in parts came out wrong: %v", err)
	}
	return data
}

func TestWalkPNGRefusesEveryFlippedBit(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{"PNG": smallPNGFile(t), "PNG in parts": pngInParts(t)} {
		// With bytes behind the end, a spoiled length does not run out of the file.
		for _, junk := range []string{"", strings.Repeat("junk", 200)} {
			whole := append(bytes.Clone(data), junk...)
			if _, err := NewPicture(whole); err != nil {
				t.Fatalf("the whole %s: %v", name, err)
			}
			for pos := len(pngStart); pos < len(data); {
				end := pos + 12 + int(binary.BigEndian.Uint32(data[pos:]))
				kind := string(data[pos+4 : pos+8])
				for bit := pos * 8; bit < end*8; bit++ {
					whole[bit/8] ^= 1 << (bit % 8)
					_, err := NewPicture(whole)
					// Damage in the content of an ancillary chunk is let through; the control of that is in TestWalkPNG.
					if kind != "tEXt" && !errors.Is(err, ErrDamagedPicture) {
						t.Errorf("%s with %d bytes behind it, %s at byte %d, bit %d of it flipped: %v", name, len(junk), kind, pos, bit-pos*8, err)
					}
					whole[bit/8] ^= 1 << (bit % 8)
				}
				pos = end
			}
		}
		for bit := range len(pngStart) * 8 {
			data := bytes.Clone(data)
			data[bit/8] ^= 1 << (bit % 8)
			if _, err := NewPicture(data); err == nil {
				t.Errorf("%s: bit %d of the signature flipped was taken", name, bit)
			}
		}
	}
}

func TestWalkPNG(t *testing.T) {
	t.Parallel()
	header, image, end := pngHeader(9, 6), pngChunk("IDAT", []byte("bits")), pngChunk("IEND", nil)
	comment := pngChunk("tEXt", []byte("Title\x00IEND"))
	for name, data := range map[string][]byte{
		"the least":                           pngFrom(header, image, end),
		"many IDATs, one of them empty":       pngFrom(header, image, pngChunk("IDAT", nil), image, end),
		"ancillary chunks":                    pngFrom(header, comment, image, comment, end),
		"an ancillary chunk with a bad CRC":   pngFrom(header, spoiled(comment), image, end),
		"an unknown ancillary, with bad CRC":  pngFrom(header, spoiled(pngChunk("prVt", []byte("x"))), image, end),
		"an unknown critical chunk":           pngFrom(header, pngChunk("PRVT", nil), image, end), // decoders judge it
		"an animation, of which one is shown": pngFrom(header, pngChunk("acTL", make([]byte, 8)), image, pngChunk("fdAT", []byte("bits")), end),
	} {
		for _, junk := range []string{"", "junk", string(data)} {
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

func TestWalkPNGRefuses(t *testing.T) {
	t.Parallel()
	header, image, end := pngHeader(9, 6), pngChunk("IDAT", []byte("bits")), pngChunk("IEND", nil)
	for _, refused := range []struct {
		name  string
		data  []byte
		is    error
		words string
	}{
		{"no IDAT", pngFrom(header, end), ErrDamagedPicture, "no image data"},
		{"no IHDR", pngFrom(image, end), ErrDamagedPicture, "does not begin with its header"},
		{"IHDR second", pngFrom(pngChunk("tEXt", nil), header, image, end), ErrDamagedPicture, "does not begin with its header"},
		{"a short IHDR", pngFrom(pngChunk("IHDR", make([]byte, 12)), image, end), ErrDamagedPicture, "does not begin with its header"},
		{"a long IHDR", pngFrom(pngChunk("IHDR", make([]byte, 14)), image, end), ErrDamagedPicture, "does not begin with its header"},
		{"an empty IHDR", pngFrom(pngChunk("IHDR", nil), image, end), ErrDamagedPicture, "does not begin with its header"},
		{"no IEND", pngFrom(header, image), ErrDamagedPicture, "cut off after"},
		{"a bad CRC of IHDR", pngFrom(spoiled(header), image, end), ErrDamagedPicture, "checksum of the PNG chunk at byte 8 is wrong"},
		{"a bad CRC of IDAT", pngFrom(header, spoiled(image), end), ErrDamagedPicture, "checksum of the PNG chunk at byte 33 is wrong"},
		{"a bad CRC of IEND", pngFrom(header, image, spoiled(end)), ErrDamagedPicture, "checksum"},
		{"a bad CRC of an unknown critical chunk", pngFrom(header, spoiled(pngChunk("PRVT", nil)), image, end), ErrDamagedPicture, "checksum"},
		{"a chunk of 4 GiB", pngFrom(header, []byte("\xff\xff\xff\xffIDAT"), image, end), ErrDamagedPicture, "wants 4294967295 bytes"},
		{"a chunk of 2 GiB", pngFrom(header, []byte("\x80\x00\x00\x00tEXt"), image, end), ErrDamagedPicture, "wants 2147483648 bytes"},
		{"a chunk one byte too long", pngFrom(header, []byte("\x00\x00\x00\x01tEXt\x00\x00\x00\x00")), ErrDamagedPicture, "wants 1 bytes and 0 are left"},
		{"width 0", pngFrom(pngHeader(0, 6), image, end), ErrDamagedPicture, "one of its sides is 0"},
		{"height 0", pngFrom(pngHeader(9, 0), image, end), ErrDamagedPicture, "one of its sides is 0"},
		{"over 100 megapixels", pngFrom(pngHeader(10_000, 10_001), image, end), ErrTooLarge, "10000 × 10001 pixels are more than 100 megapixels"},
		{"one row over 100 megapixels", pngFrom(pngHeader(100_000_001, 1), image, end), ErrTooLarge, "100 megapixels"},
		{"the largest sides", pngFrom(pngHeader(1<<31-1, 1<<31-1), image, end), ErrTooLarge, "100 megapixels"},
		{"a width past the largest", pngFrom(pngHeader(1<<31, 1), image, end), ErrDamagedPicture, "out of range"},
		{"a height past the largest", pngFrom(pngHeader(1, 1<<32-1), image, end), ErrDamagedPicture, "out of range"},
		{"line ends changed", []byte("\x89PNG\n\x1a\n" + string(header)), ErrDamagedPicture, "sent as text"},
	} {
		pic, err := NewPicture(refused.data)
		if !errors.Is(err, refused.is) || !strings.Contains(err.Error(), refused.words) {
			t.Errorf("%s: %v, %v", refused.name, pic, err)
		}
	}
	if _, err := NewPicture(pngFrom(pngHeader(100_000_000, 1), image, end)); err != nil {
		t.Errorf("100 megapixels: %v", err)
	}
}
