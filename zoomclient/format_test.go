package zoomclient

import (
	"bytes"
	"encoding/base64"
	"errors"
	"math/rand/v2"
	"strings"
	"testing"
)

type refusedFormat struct{ name, data, says string }

// refusedFormats are the beginnings of files that people send instead of a JPEG or PNG.
func refusedFormats(tb testing.TB) []refusedFormat {
	random := make([]byte, 1000)
	rand.NewChaCha8([32]byte{7}).Read(random)
	brand := func(major, compatible string) string {
		return "\x00\x00\x00\x20ftyp" + major + "\x00\x00\x00\x00" + compatible
	}
	const heic = "this is a HEIC picture, as iPhones save them; export it as JPEG, or set the phone's camera to Most Compatible"
	const text = "this is text; send the picture's bytes, not its path or address"
	const base64Text = "this is a picture as base64 text; decode it first"
	const html = "this is an HTML page; was a sign-in page or an error saved instead of the picture? Download it again"
	const svg = "this is an SVG; export it as PNG"
	export := func(what string) string { return "this is " + what + "; export the picture as JPEG or PNG" }
	return []refusedFormat{
		{"GIF 87", "GIF87a\x01\x00\x01\x00", export("a GIF")},
		{"GIF 89", "GIF89a\x01\x00\x01\x00", export("a GIF")},
		{"WebP", "RIFF\x24\x00\x00\x00WEBPVP8 ", export("a WebP picture")},
		{"HEIC", brand("heic", "mif1heic"), heic},
		{"HEIC of the general brand", brand("mif1", "mif1heic"), heic},
		{"HEIC sequence", brand("hevc", "msf1"), heic},
		{"AVIF", brand("avif", "avifmif1miaf"), export("an AVIF picture")},
		{"AVIF of the general brand", brand("mif1", "mif1avifmiaf"), export("an AVIF picture")},
		{"AVIF sequence", brand("avis", "msf1"), export("an AVIF picture")},
		{"BMP", "BM\x46\x00\x00\x00\x00\x00\x00\x00\x36\x00\x00\x00", export("a BMP")},
		{"TIFF, little end first", "II*\x00\x08\x00\x00\x00", export("a TIFF")},
		{"TIFF, big end first", "MM\x00*\x00\x00\x00\x08", export("a TIFF")},
		{"BigTIFF", "II+\x00\x08\x00\x00\x00", export("a TIFF")},
		{"JPEG XL codestream", "\xff\x0a\xfa\x1f", export("a JPEG XL picture")},
		{"JPEG XL container", "\x00\x00\x00\x0cJXL \r\n\x87\n", export("a JPEG XL picture")},
		{"JPEG 2000", "\x00\x00\x00\x0cjP  \r\n\x87\n", export("a JPEG 2000 picture")},
		{"JPEG 2000 codestream", "\xff\x4f\xff\x51\x00", export("a JPEG 2000 picture")},
		{"ICO", "\x00\x00\x01\x00\x01\x00\x10\x10", export("a Windows icon")},
		{"PSD", "8BPS\x00\x01\x00\x00", export("a Photoshop file")},
		{"PDF", "%PDF-1.7\n%\xe2\xe3\xcf\xd3", "this is a PDF; export the page as JPEG or PNG"},
		{"SVG", `<svg xmlns="http://www.w3.org/2000/svg"/>`, svg},
		{"SVG after a preamble", "\uFEFF<?xml version=\"1.0\"?>\n<!-- drawn by hand -->\n<SVG>", svg},
		{"HTML", "\n<!DOCTYPE html>\n<title>Sign in</title>", html},
		{"HTML with an SVG in it", "<html><body><svg></svg>", html},
		{"base64 of a JPEG", base64.StdEncoding.EncodeToString(smallJPEG(tb)), base64Text},
		{"base64 of a PNG", "\n" + base64.StdEncoding.EncodeToString(smallPNGFile(tb)), base64Text},
		{"data: URL", "data:image/png;base64,iVBORw0KGgo=", base64Text},
		{"path", "/home/ada/ada.jpg", text},
		{"Windows path", `C:\Users\Ada\ada.jpg`, text},
		{"path that begins like a BMP", "BMW and other cars.jpg", text},
		{"address", "https://example.com/ada.jpg\r\n", text},
		{"text with an accent cut in two", "Ad\u00e9"[:3], text},
		{"long text with an accent at the border", "a" + strings.Repeat("é", 300), text},
		{"random", string(random), "this is neither a JPEG nor a PNG file; export the picture as JPEG or PNG"},
		{"zeros", string(make([]byte, 100)), "this is neither a JPEG nor a PNG file; export the picture as JPEG or PNG"},
		{"RIFF that is no WebP", "RIFF\x24\x00\x00\x00WAVEfmt ", "this is neither a JPEG nor a PNG file"},
		{"MP4", brand("isom", "isomiso2"), "this is neither a JPEG nor a PNG file"},
		{"text with a NUL", "ada\x00.jpg", "this is neither a JPEG nor a PNG file"},
		{"Latin-1 text", "Andr\xe9 Ampere.jpg", "this is neither a JPEG nor a PNG file"},
	}
}

func TestOtherFormatsAreRefusedByName(t *testing.T) {
	t.Parallel()
	named := map[string]bool{}
	for _, refused := range refusedFormats(t) {
		pic, err := NewPicture([]byte(refused.data))
		if !errors.Is(err, ErrUnsupportedFormat) || !strings.Contains(err.Error(), refused.says) {
			t.Errorf("%s: %v, %v; want %s", refused.name, pic, err, refused.says)
		}
		what, _, _ := strings.Cut(strings.TrimPrefix(refused.says, "this is "), ";")
		named[what] = true
	}
	for _, f := range otherFormats {
		if !named[f.name] {
			t.Errorf("no test sends %s", f.name)
		}
	}
}

// The signs of formats are looked for in files of any length.
func TestRecogniseTakesAnyLength(t *testing.T) {
	t.Parallel()
	for _, f := range refusedFormats(t) {
		for n := range len(f.data) + 1 {
			if contentType, walk, err := recognise(bytes.Clone([]byte(f.data[:n]))); err == nil || walk != nil || contentType != "" {
				t.Errorf("%s cut to %d bytes: %s, %v", f.name, n, contentType, err)
			}
		}
	}
}
