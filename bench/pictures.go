package main

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"image"
	"image/jpeg"
	"image/png"
	"math/rand/v2"
	"os"
	"path/filepath"
	"sort"
)

// The sizes that are measured: a cropped portrait, a phone's thumbnail, and what Zoom takes at most.
var sizes = [3]struct {
	name  string
	bytes int
	times int // uploads a round: up to a fifth of a second
}{
	{"20 KB", 20_000, 1000},
	{"200 KB", 200_000, 300},
	{"2 MB", 2_000_000, 60},
}

// A sample is a valid JPEG, in memory and as a file.
type sample struct {
	size  string
	data  []byte
	path  string
	times int
}

func newSamples(dir string) ([]*sample, error) {
	var samples []*sample
	for _, size := range sizes {
		data := jpegOf(size.bytes)
		path := filepath.Join(dir, fmt.Sprintf("%d.jpg", size.bytes))
		if err := os.WriteFile(path, data, 0o644); err != nil {
			return nil, err
		}
		samples = append(samples, &sample{size.name, data, path, size.times})
	}
	return samples, nil
}

// jpegOf returns noise as a JPEG of exactly size bytes, the last of them in a comment.
func jpegOf(size int) []byte {
	const overhead = 4 // of a comment
	data := largest(size-overhead, func(side int) []byte {
		var b bytes.Buffer
		jpeg.Encode(&b, noise(side), &jpeg.Options{Quality: 90}) // to memory: cannot fail
		return b.Bytes()
	})
	filler := size - len(data)
	comment := binary.BigEndian.AppendUint16([]byte{0xff, 0xfe}, uint16(filler-2))
	comment = append(comment, make([]byte, filler-overhead)...)
	return append(data[:2:2], append(comment, data[2:]...)...) // behind the first marker
}

// pngOf returns noise as a PNG of exactly size bytes, the last of them in a chunk of no meaning.
func pngOf(size int) []byte {
	const overhead = 12 // of a chunk
	const trailer = 12  // IEND
	data := largest(size-overhead, func(side int) []byte {
		var b bytes.Buffer
		png.Encode(&b, noise(side)) // to memory: cannot fail
		return b.Bytes()
	})
	filler := size - len(data) - overhead
	body := append([]byte("fiLl"), make([]byte, filler)...)
	chunk := append(binary.BigEndian.AppendUint32(nil, uint32(filler)), body...)
	chunk = binary.BigEndian.AppendUint32(chunk, crc32.ChecksumIEEE(body))
	end := len(data) - trailer
	return append(data[:end:end], append(chunk, data[end:]...)...)
}

// largest encodes the largest square that fits into size bytes.
func largest(size int, encode func(side int) []byte) []byte {
	tooLarge := sort.Search(2000, func(side int) bool { return side > 0 && len(encode(side)) > size })
	return encode(tooLarge - 1)
}

// noise is the same for the same side.
func noise(side int) image.Image {
	source := rand.NewChaCha8([32]byte{})
	img := image.NewRGBA(image.Rect(0, 0, side, side))
	source.Read(img.Pix)
	for i := 3; i < len(img.Pix); i += 4 {
		img.Pix[i] = 0xff // opaque
	}
	return img
}
