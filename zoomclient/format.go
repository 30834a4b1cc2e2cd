package zoomclient

import (
	"bytes"
	"fmt"
	"unicode/utf8"
)

const (
	jpegType = "image/jpeg"
	pngType  = "image/png"

	jpegStart = "\xff\xd8\xff"
	pngStart  = "\x89PNG\r\n\x1a\n"
)

// A walker finds size and end of an image in its structure.
type walker func(data []byte) (layout, error)

// recognise names the format by its first bytes. What is neither JPEG nor PNG is refused by its own name.
func recognise(data []byte) (contentType string, walk walker, err error) {
	switch {
	case bytes.HasPrefix(data, []byte(jpegStart)):
		return jpegType, walkJPEG, nil
	case bytes.HasPrefix(data, []byte(pngStart)):
		return pngType, walkPNG, nil
	case bytes.HasPrefix([]byte(jpegStart), data), bytes.HasPrefix([]byte(pngStart), data):
		return "", nil, damaged("it was cut off after %d bytes", len(data))
	case bytes.HasPrefix(data, []byte("\x89PNG")):
		return "", nil, damaged("its first bytes are those of a PNG that was sent as text")
	}
	for _, f := range otherFormats {
		if f.matches(data) {
			return "", nil, fmt.Errorf("%w: this is %s; %s", ErrUnsupportedFormat, f.name, f.advice)
		}
	}
	return "", nil, fmt.Errorf("%w: this is neither a JPEG nor a PNG file; %s", ErrUnsupportedFormat, exportIt)
}

const exportIt = "export the picture as JPEG or PNG"

// otherFormats are what people send instead, most telling signs first.
var otherFormats = []struct {
	name, advice string
	matches      func([]byte) bool
}{
	{"a GIF", exportIt, starts("GIF87a", "GIF89a")},
	{"a WebP picture", exportIt, func(d []byte) bool { return starts("RIFF")(d) && at(8, "WEBP")(d) }},
	{"an AVIF picture", exportIt, isAVIF},
	{"a HEIC picture, as iPhones save them", "export it as JPEG, or set the phone's camera to Most Compatible", brand("heic", "heix", "heim", "heis", "hevc", "hevx", "mif1", "msf1")},
	{"a BMP", exportIt, func(d []byte) bool { return starts("BM")(d) && at(6, "\x00\x00\x00\x00")(d) }}, // no text: BMW.jpg is a name
	{"a TIFF", exportIt, starts("II*\x00", "MM\x00*", "II+\x00", "MM\x00+")},
	{"a JPEG XL picture", exportIt, starts("\xff\x0a", "\x00\x00\x00\x0cJXL ")},
	{"a JPEG 2000 picture", exportIt, starts("\xff\x4f\xff\x51", "\x00\x00\x00\x0cjP  ")},
	{"a Windows icon", exportIt, starts("\x00\x00\x01\x00")},
	{"a Photoshop file", exportIt, starts("8BPS")},
	{"a PDF", "export the page as JPEG or PNG", starts("%PDF-")},
	{"an HTML page", "was a sign-in page or an error saved instead of the picture? Download it again", isHTML},
	{"an SVG", "export it as PNG", isSVG},
	{"a picture as base64 text", "decode it first", startsText("data:image/", "/9j/", "iVBORw0KGgo")},
	{"text", "send the picture's bytes, not its path or address", isText},
}

func starts(prefixes ...string) func([]byte) bool {
	return func(data []byte) bool {
		for _, p := range prefixes {
			if bytes.HasPrefix(data, []byte(p)) {
				return true
			}
		}
		return false
	}
}

func startsText(prefixes ...string) func([]byte) bool {
	return func(data []byte) bool { return starts(prefixes...)(bytes.TrimSpace(data[:min(len(data), 64)])) }
}

func at(offset int, s string) func([]byte) bool {
	return func(data []byte) bool { return len(data) > offset && bytes.HasPrefix(data[offset:], []byte(s)) }
}

// brand finds the files of the ISO base media format by their major brand.
func brand(brands ...string) func([]byte) bool {
	return func(data []byte) bool { return at(4, "ftyp")(data) && starts(brands...)(data[min(len(data), 8):]) }
}

// isAVIF looks at the compatible brands too: many AVIF files give mif1, as HEIC files do, as their major brand.
func isAVIF(data []byte) bool {
	brands := data[min(len(data), 8):min(len(data), 64)]
	return at(4, "ftyp")(data) && (bytes.Contains(brands, []byte("avif")) || bytes.Contains(brands, []byte("avis")))
}

func isSVG(data []byte) bool {
	start := bytes.ToLower(data[:min(len(data), 1024)])
	return isText(start) && bytes.Contains(start, []byte("<svg"))
}

// isText looks at the first bytes; a character may be cut at their end.
func isText(data []byte) bool {
	start := data[:min(len(data), 512)]
	for len(start) > 0 {
		r, n := utf8.DecodeRune(start)
		if r == utf8.RuneError && len(start) >= utf8.UTFMax || r < ' ' && r != '\n' && r != '\r' && r != '\t' {
			return false
		}
		start = start[n:]
	}
	return true
}
