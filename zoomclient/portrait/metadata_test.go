package portrait

import (
	"bytes"
	"compress/zlib"
	"encoding/binary"
	"fmt"
	"image"
	"image/color"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/bep/imagemeta"
)

// canary is in everything that must not come through.
const canary = "CANARY"

// whatAnotherReaderFinds lists the tags that a library with nothing of this package in it reads from a JPEG or PNG.
func whatAnotherReaderFinds(t *testing.T, file []byte) map[string]string {
	t.Helper()
	format := imagemeta.JPEG
	if bytes.HasPrefix(file, []byte(pngStart)) {
		format = imagemeta.PNG
	}
	found := map[string]string{}
	_, err := imagemeta.Decode(imagemeta.Options{
		R: bytes.NewReader(file), ImageFormat: format, Sources: imagemeta.EXIF | imagemeta.IPTC | imagemeta.XMP,
		ShouldHandleTag: func(imagemeta.TagInfo) bool { return true },
		HandleTag: func(tag imagemeta.TagInfo) error {
			found[tag.Source.String()+" "+tag.Tag] = fmt.Sprint(tag.Value)
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func xmpPacket(property string) string {
	return `<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">` +
		`<rdf:Description rdf:about="" xmlns:exif="http://ns.adobe.com/exif/1.0/" ` + property + `="48,8.3N" exif:UserComment="` + canary + `"/></rdf:RDF></x:xmpmeta>`
}

// iptcBlock is a Photoshop resource with a city in it.
func iptcBlock() string {
	city := "\x1c\x02\x5a\x00\x06" + canary
	return "Photoshop 3.0\x008BIM\x04\x04\x00\x00\x00\x00\x00" + string(rune(len(city))) + city + "\x00"
}

// loadedJPEG carries everything that a JPEG is known to carry, around and inside a picture that others made.
func loadedJPEG(t *testing.T, name string) (loaded, bare []byte) {
	t.Helper()
	bare, err := os.ReadFile(filepath.Join(goImages(t), "testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	bare, _ = (&contents{kept: readJPEG(bare).kept, metadata: []string{""}}).stripped(bare) // Go's have a comment, some of them
	gps := append(home(binary.BigEndian), ascii(0x1d, canary))
	const head = 20 // SOI and JFIF
	if !bytes.HasPrefix(bare[6:], []byte("JFIF\x00")) {
		t.Fatal("the picture has no JFIF header to put a thumbnail into")
	}
	loaded = slices.Concat(bare[:2],
		jpegSegment(0xe0, slices.Concat(bare[6:head-2], []byte("\x02\x02"+canary+canary))...),
		jpegSegment(0xe0, []byte("JFXX\x00\x13"+canary)...),
		exifSegment(exifOf(binary.BigEndian, 1, gps...)),
		jpegSegment(0xe1, []byte("http://ns.adobe.com/xap/1.0/\x00"+xmpPacket("exif:GPSLatitude"))...),
		jpegSegment(0xe1, []byte("http://ns.adobe.com/xmp/extension/\x00"+canary)...),
		jpegSegment(0xe2, []byte("MPF\x00"+canary)...),
		jpegSegment(0xeb, []byte("JP"+canary)...),
		jpegSegment(0xed, []byte(iptcBlock())...),
		jpegSegment(0xfe, []byte(canary)...),
		bare[head:])
	if scan := bytes.LastIndex(loaded, []byte{0xff, 0xda}); scan > 0 { // between the scans of progressive ones too
		loaded = slices.Concat(loaded[:scan], jpegSegment(0xfe, []byte(canary)...), loaded[scan:])
	}
	return append(loaded, "\x00\x00\x00\x18ftypmp42"+canary...), bare
}

func loadedPNG(t *testing.T) (loaded, bare []byte) {
	t.Helper()
	bare, err := os.ReadFile(filepath.Join(goImages(t), "testdata", "video-001.png"))
	if err != nil {
		t.Fatal(err)
	}
	bare, _ = (&contents{kept: readPNG(bare).kept, metadata: []string{""}}).stripped(bare)
	gps := append(home(binary.LittleEndian), ascii(0x1d, canary))
	loaded = withChunks(bare,
		pngChunk("eXIf", string(exifOf(binary.LittleEndian, 1, gps...))),
		pngChunk("iTXt", "XML:com.adobe.xmp\x00\x00\x00\x00\x00"+xmpPacket("exif:GPSLatitude")),
		pngChunk("tEXt", "Comment\x00"+canary),
		pngChunk("tEXt", "Raw profile type iptc\x00"+canary),
		pngChunk("tIME", "\x07\xea\x0b\x19\x02\x1c\x06"),
		pngChunk("acTL", "\x00\x00\x00\x01\x00\x00\x00\x00"),
		pngChunk("caBX", canary),
	)
	end := len(loaded) - 12
	loaded = slices.Concat(loaded[:end], pngChunk("fdAT", canary), pngChunk("tEXt", "Comment\x00"+canary), loaded[end:])
	return append(loaded, canary...), bare
}

// TestMetadataIsGone, whether the pixels were kept or made anew, and another reader agrees.
func TestMetadataIsGone(t *testing.T) {
	t.Parallel()
	jpegKinds := []string{MetadataThumbnail, MetadataExif, MetadataGPS, MetadataXMP, MetadataImages, MetadataOther, MetadataIPTC, MetadataComment, MetadataTrailing}
	pngKinds := []string{MetadataExif, MetadataGPS, MetadataXMP, MetadataText, MetadataIPTC, MetadataImages, MetadataOther, MetadataTrailing}
	for name, test := range map[string]struct {
		load  func() (loaded, bare []byte)
		kinds []string
	}{
		"JPEG":             {func() ([]byte, []byte) { return loadedJPEG(t, "video-001.jpeg") }, jpegKinds},
		"progressive JPEG": {func() ([]byte, []byte) { return loadedJPEG(t, "video-001.progressive.jpeg") }, jpegKinds},
		"grey JPEG":        {func() ([]byte, []byte) { return loadedJPEG(t, "video-005.gray.q50.jpeg") }, jpegKinds},
		"restart markers":  {func() ([]byte, []byte) { return loadedJPEG(t, "video-001.restart2.jpeg") }, jpegKinds},
		"PNG":              {func() ([]byte, []byte) { return loadedPNG(t) }, pngKinds},
	} {
		t.Run(name, func(t *testing.T) {
			loaded, bare := test.load()
			before := whatAnotherReaderFinds(t, loaded)
			inJPEG := before["XMP GPSLatitude"] != "" && before["IPTC City"] == canary // it does not look for them in PNG
			if before["EXIF GPSLatitude"] == "" || before["EXIF GPSLongitude"] == "" || !inJPEG && name != "PNG" {
				t.Fatalf("control: another reader finds %v", before)
			}
			inspection, err := Inspect(loaded, Options{})
			if err != nil || !inspection.GPS || !slices.Equal(inspection.Metadata, test.kinds) {
				t.Errorf("Inspect: %+v, %v", inspection, err)
			}
			for way, make := range map[string]func() ([]byte, Report, error){
				"Fit":           func() ([]byte, Report, error) { p, r, err := Fit(loaded, Options{}); return bytesOf(p), r, err },
				"StripMetadata": func() ([]byte, Report, error) { p, r, err := StripMetadata(loaded); return bytesOf(p), r, err },
				"Fit, smaller": func() ([]byte, Report, error) {
					p, r, err := Fit(loaded, Options{MaxSide: 64})
					return bytesOf(p), r, err
				},
			} {
				file, report, err := make()
				if err != nil {
					t.Fatal(err)
				}
				if !slices.Equal(report.Removed, test.kinds) {
					t.Errorf("%s removed %q, want %q", way, report.Removed, test.kinds)
				}
				if after := whatAnotherReaderFinds(t, file); len(after) > 0 || bytes.Contains(file, []byte(canary)) {
					t.Errorf("%s left %v", way, after)
				}
				if left, err := Inspect(file, Options{}); err != nil || len(left.Metadata) > 0 || left.GPS {
					t.Errorf("%s left %v, %v", way, left, err)
				}
				if way != "Fit, smaller" && (!bytes.Equal(file, bare) || report.Encoded) {
					t.Errorf("%s changed more than metadata: %v", way, report)
				}
			}
		})
	}
}

// TestStripMetadataOfOthers keeps the pixels of every JPEG and PNG that Go decodes.
func TestStripMetadataOfOthers(t *testing.T) {
	t.Parallel()
	stripped := 0
	for _, pattern := range []string{"testdata/*.jpeg", "testdata/*.png", "png/testdata/*.png", "png/testdata/pngsuite/*.png"} {
		paths, err := filepath.Glob(filepath.Join(goImages(t), pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			want, _, err := image.Decode(bytes.NewReader(data))
			if err != nil {
				continue
			}
			pic, report, err := StripMetadata(data)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				continue
			}
			if got := decoded(t, bytesOf(pic)); fmt.Sprintf("%T", got) != fmt.Sprintf("%T", want) || largestDifference(got, want) > 0 {
				t.Errorf("%s: other pixels; %v", path, report)
			}
			stripped++
		}
	}
	if stripped < 60 {
		t.Errorf("only %d were stripped", stripped)
	}
}

func TestStripMetadataRefuses(t *testing.T) {
	t.Parallel()
	sideways := withSegments(jpegOf(t, photo(30, 20), 80), exifSegment(exifOf(binary.BigEndian, 6)))
	for name, test := range map[string]struct {
		data  []byte
		words string
	}{
		"sideways": {sideways, "upright only by its Exif (orientation 6)"},
		"GIF":      {gifOf(t, image.Pt(4, 4), image.NewPaletted(image.Rect(0, 0, 4, 4), color.Palette{color.White})), "this is a GIF"},
		"cut off":  {sideways[:len(sideways)-2], "upright only"},
		"cut":      {jpegOf(t, photo(30, 20), 80)[:300], "cut off"},
		"nothing":  {nil, "it has no bytes"},
	} {
		if pic, _, err := StripMetadata(test.data); err == nil || !strings.Contains(err.Error(), test.words) || pic.Size() > 0 {
			t.Errorf("%s: %v, %v", name, pic, err)
		}
	}
}

func TestGPSIsFound(t *testing.T) {
	t.Parallel()
	jpegWith := func(segment []byte) []byte { return withSegments(jpegOf(t, photo(30, 20), 80), segment) }
	pngWith := func(kind, content string) []byte {
		return withChunks(pngOf(t, blocks(30, 20)), pngChunk(kind, content))
	}
	deflated := func(s string) string {
		var b bytes.Buffer
		w := zlib.NewWriter(&b)
		w.Write([]byte(s))
		w.Close()
		return b.String()
	}
	big := binary.AppendByteOrder(binary.BigEndian)
	exif := exifOf(big, 1, home(big)...)
	raw := func(name string, block []byte) string {
		return fmt.Sprintf("\n%s\n %7d\n%s", name, len(block), hexLines(block))
	}
	version := tag{0, 1, 4, []byte{2, 3, 0, 0}}
	simple, err := os.ReadFile(filepath.Join(moreImages(t), "blue-purple-pink.lossy.webp"))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		data []byte
		want bool
	}{
		"Exif":                      {jpegWith(exifSegment(exif)), true},
		"a table of no position":    {jpegWith(exifSegment(exifOf(big, 1, version))), false},
		"no table":                  {jpegWith(exifSegment(exifOf(big, 1))), false},
		"XMP":                       {jpegWith(jpegSegment(0xe1, []byte("http://ns.adobe.com/xap/1.0/\x00"+xmpPacket("exif:GPSLatitude"))...)), true},
		"XMP of another kind":       {jpegWith(jpegSegment(0xe1, []byte("http://ns.adobe.com/xap/1.0/\x00"+xmpPacket("exif:ColorSpace"))...)), false},
		"extended XMP":              {jpegWith(jpegSegment(0xe1, []byte("http://ns.adobe.com/xmp/extension/\x00exif:GPSLatitude")...)), true},
		"a comment that speaks":     {jpegWith(jpegSegment(0xfe, []byte("GPSLatitude")...)), false},
		"PNG":                       {pngWith("eXIf", string(exif)), true},
		"PNG without":               {pngWith("eXIf", string(exifOf(big, 1))), false},
		"PNG, Exif with its prefix": {pngWith("eXIf", "Exif\x00\x00"+string(exif)), true},
		"PNG, XMP":                  {pngWith("iTXt", "XML:com.adobe.xmp\x00\x00\x00\x00\x00"+xmpPacket("exif:GPSLatitude")), true},
		"PNG, compressed XMP":       {pngWith("iTXt", "XML:com.adobe.xmp\x00\x01\x00\x00\x00"+deflated(xmpPacket("exif:GPSLatitude"))), true},
		"PNG, raw profile":          {pngWith("zTXt", "Raw profile type exif\x00\x00"+deflated(raw("exif", exif))), true},
		"PNG, raw profile, APP1":    {pngWith("tEXt", "Raw profile type APP1\x00"+raw("generic", append([]byte("Exif\x00\x00"), exif...))), true},
		"PNG, raw XMP":              {pngWith("zTXt", "Raw profile type xmp\x00\x00"+deflated(raw("xmp", []byte(xmpPacket("exif:GPSLatitude"))))), true},
		"PNG, text of ImageMagick":  {pngWith("tEXt", "exif:GPSLatitude\x0048/1, 8/1, 17/1"), true},
		"PNG, other text":           {pngWith("tEXt", "Comment\x00hello"), false},
		"WebP":                      {extendedWebP(t, simple, exif), true},
		"TIFF":                      {tiffOf(big, blocks(8, 8), 1), false},
	} {
		inspection, err := Inspect(test.data, Options{})
		if err != nil || inspection.GPS != test.want || slices.Contains(inspection.Metadata, MetadataGPS) != test.want {
			t.Errorf("%s: %+v, %v", name, inspection, err)
		}
	}
}

// TestDamagedExif in any way does no harm, and does not keep the picture from being fitted.
func TestDamagedExif(t *testing.T) {
	t.Parallel()
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		whole := exifOf(order, 6, home(order)...)
		for at := range whole {
			for _, b := range []byte{0, 1, 0x7f, 0x80, 0xff} {
				spoiled := bytes.Clone(whole)
				spoiled[at] = b
				for _, block := range [][]byte{spoiled, whole[:at]} {
					c := contents{}
					c.readExif(block)
					if c.orientation < 0 || c.orientation > 8 {
						t.Fatalf("orientation %d of %x", c.orientation, block)
					}
				}
			}
		}
	}
	data := withSegments(jpegOf(t, photo(30, 20), 80), exifSegment([]byte("II*\x00\xff\xff\xff\xff")), exifSegment(nil), exifSegment(exifOf(binary.BigEndian, 0)))
	if _, report, err := Fit(data, Options{}); err != nil || !slices.Equal(report.Removed, []string{MetadataExif}) {
		t.Errorf("%v, %v", report, err)
	}
}

// TestProfileIsKept where colours still mean what it says.
func TestProfileIsKept(t *testing.T) {
	t.Parallel()
	rgb, large, grey, cmyk := profileOf("RGB ", 700), profileOf("RGB ", 100_000), profileOf("GRAY", 700), profileOf("CMYK", 700)
	photoPNG, drawing := pngOf(t, photo(300, 200)), pngOf(t, blocks(300, 200))
	photoJPEG, greyJPEG := jpegOf(t, photo(300, 200), 90), jpegOf(t, image.NewGray(image.Rect(0, 0, 300, 200)), 90)
	lying := profileOf("RGB ", 700)
	lying[3]++
	for name, test := range map[string]struct {
		data []byte
		want []byte
	}{
		"JPEG":              {withSegments(photoJPEG, jpegProfile(rgb)), rgb},
		"large":             {withSegments(photoJPEG, jpegProfile(large)), large},
		"PNG to JPEG":       {withChunks(photoPNG, pngProfile(rgb)), rgb},
		"PNG to PNG":        {withChunks(drawing, pngProfile(rgb)), rgb},
		"grey":              {withSegments(greyJPEG, jpegProfile(grey)), grey},
		"grey for colours":  {withSegments(photoJPEG, jpegProfile(grey)), nil},
		"colours for grey":  {withSegments(greyJPEG, jpegProfile(rgb)), nil},
		"CMYK for colours":  {withSegments(photoJPEG, jpegProfile(cmyk)), nil},
		"too large":         {withSegments(photoJPEG, jpegProfile(profileOf("RGB ", 200_000))), nil},
		"of a wrong size":   {withSegments(photoJPEG, jpegProfile(lying)), nil},
		"too short":         {withSegments(photoJPEG, jpegProfile(rgb[:100])), nil},
		"out of order":      {withSegments(photoJPEG, jpegProfile(large)[65537:], jpegProfile(large)[:65537]), large},
		"a part is missing": {withSegments(photoJPEG, jpegProfile(large)[65537:]), nil},
	} {
		pic, report, err := Fit(test.data, Options{MaxSide: 100})
		if err != nil || !report.Encoded {
			t.Errorf("%s: %v, %v", name, report, err)
			continue
		}
		file := bytesOf(pic)
		src, err := open(file, 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		decoded(t, file)
		if !bytes.Equal(src.profile, test.want) || (strings.HasSuffix(name, "to PNG")) != (src.format.name == "PNG") {
			t.Errorf("%s: the profile has %d bytes, want %d; %v", name, len(src.profile), len(test.want), report)
		}
	}
	// The profile counts.
	for name, data := range map[string][]byte{
		"JPEG": withSegments(photoJPEG, jpegProfile(profileOf("RGB ", 200))), "PNG": withChunks(drawing, pngProfile(profileOf("RGB ", 200))),
	} {
		whole, _, err := Fit(data, Options{MaxSide: 200})
		if err != nil {
			t.Fatal(err)
		}
		for less := 0; less < 250; less += 25 {
			limit := int(whole.Size()) - less
			if pic, report, err := Fit(data, Options{MaxSide: 200, MaxBytes: limit}); err != nil || pic.Size() > int64(limit) {
				t.Fatalf("%s within %d bytes: %v, %v", name, limit, report, err)
			}
		}
	}
}

// TestNothingHides in structures that decoders pass over, or that hold more than they need.
func TestNothingHides(t *testing.T) {
	t.Parallel()
	const secret = "GPSLatitude=51.5 is the home of Ada"
	file, grid := jpegOf(t, photo(64, 64), 90), pngOf(t, blocks(64, 64))
	scan := bytes.Index(file, []byte{0xff, markSOS})
	before := func(at int, segment []byte) []byte { return slices.Concat(file[:at], segment, file[at:]) }
	longScan := slices.Concat(file[:scan], jpegSegment(markSOS, append(file[scan+4:scan+14:scan+14], secret...)...), file[scan+14:])
	jfif := jpegSegment(markAPP0, []byte("JFIF\x00\x01\x01\x00\x00\x01\x00\x01\x00\x00")...)
	adobe := jpegSegment(markAPP14, []byte("Adobe\x00\x64\x00\x00\x00\x00\x01")...)
	chunks := func(chunks ...[]byte) []byte {
		end := len(grid) - 12
		return slices.Concat(grid[:end], bytes.Join(chunks, nil), grid[end:])
	}
	for name, test := range map[string]struct {
		data      []byte
		unsound   bool // so that only redrawing helps, if anything
		undecoded bool
	}{
		"Adobe's, longer":       {data: before(2, jpegSegment(markAPP14, []byte("Adobe\x00\x64\x00\x00\x00\x00\x01"+secret)...))},
		"Adobe's, twice":        {data: before(2, slices.Concat(adobe, jpegSegment(markAPP14, []byte("Adobe"+secret)...)))},
		"JFIF's, twice":         {data: before(2, slices.Concat(jfif, jpegSegment(markAPP0, []byte("JFIF\x00"+secret)...)))},
		"a reserved marker":     {data: slices.Concat(file[:2], jfif, file[2:scan], jpegSegment(0xf0, []byte(secret)...), file[scan:])},
		"another":               {data: slices.Concat(file[:2], jfif, file[2:scan], jpegSegment(0x02, []byte(secret)...), file[scan:])},
		"no profile":            {data: before(2, jpegSegment(markAPP2, []byte(profileStart+"\x01\x01"+secret)...))},
		"half a profile's part": {data: before(2, jpegSegment(markAPP2, []byte(profileStart)...))},
		"a longer table":        {data: before(scan, jpegSegment(markDQT, append(make([]byte, 65), secret...)...)), unsound: true, undecoded: true},
		"longer codes":          {data: before(scan, jpegSegment(markDHT, append(make([]byte, 17), secret...)...)), unsound: true, undecoded: true},
		"a longer interval":     {data: before(scan, jpegSegment(markDRI, []byte("\x00\x00"+secret)...)), unsound: true, undecoded: true},
		"a longer scan header":  {data: longScan, unsound: true, undecoded: true},
		"a critical chunk":      {data: chunks(pngChunk("GPSx", secret))},
		"no letter":             {data: chunks(pngChunk("\x00PSx", secret))},
		"a palette's name":      {data: chunks(pngChunk("sPLT", secret))},
		"a longer size":         {data: chunks(pngChunk("pHYs", "123456789"+secret))},
		"a longer background":   {data: chunks(pngChunk("bKGD", secret))},
		"a size again":          {data: chunks(pngChunk("pHYs", "123456789"), pngChunk("pHYs", secret[:9]))},
		"a profile's name":      {data: chunks(pngChunk("iCCP", secret+"\x00\x00no zlib"))},
		"behind a profile":      {data: chunks(behindProfile(secret))},
		"in the end":            {data: append(grid[:len(grid)-12:len(grid)-12], pngChunk("IEND", secret)...), unsound: true, undecoded: true},
		"in a longer palette":   {data: chunks(pngChunk("PLTE", strings.Repeat(secret, 30))), unsound: true, undecoded: true},
	} {
		needle := []byte(secret[:7])
		if !bytes.Contains(test.data, needle) && name != "half a profile's part" {
			t.Fatalf("%s: nothing is hidden", name)
		}
		pic, report, err := Fit(test.data, Options{})
		if test.undecoded != (err != nil) || err == nil && (bytes.Contains(bytesOf(pic), needle) || report.Unchanged()) {
			t.Errorf("%s: %v, %v", name, report, err)
		}
		pic, report, err = StripMetadata(test.data)
		if test.unsound != (err != nil) || err == nil && (bytes.Contains(bytesOf(pic), needle) || report.Unchanged()) {
			t.Errorf("%s: stripped: %v, %v", name, report, err)
		}
		if found, err := Inspect(test.data, Options{}); err == nil && found.Fits {
			t.Errorf("%s: it fits: %+v", name, found)
		}
	}
}

// behindProfile is a chunk with a sound profile and something behind it.
func behindProfile(secret string) []byte {
	chunk := pngProfile(profileOf("RGB ", 700))
	return pngChunk("iCCP", string(chunk[8:len(chunk)-4])+secret)
}

// TestOrientationOfAnotherType: some programs write a LONG where the standard has a SHORT.
func TestOrientationOfAnotherType(t *testing.T) {
	t.Parallel()
	for _, order := range []binary.AppendByteOrder{binary.LittleEndian, binary.BigEndian} {
		block := append(tiffHeader(order, 8), tiffTable(order, 8, long(order, tagOrientation, 6))...)
		found, err := Inspect(withSegments(jpegOf(t, photo(30, 20), 80), exifSegment(block)), Options{})
		if err != nil || found.Orientation != 6 {
			t.Errorf("%v: %+v, %v", order, found, err)
		}
	}
}
