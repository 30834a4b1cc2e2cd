package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"image"
	"image/color"
	"image/gif"
	"image/jpeg"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/portrait"
)

// photo is a JPEG of its size in flat colour.
func photo(t *testing.T, width, height int) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := jpeg.Encode(&b, image.NewGray(image.Rect(0, 0, width, height)), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// withExif says that the picture is to be turned, and where it was taken.
func withExif(file []byte, orientation uint16, gps bool) []byte {
	order := binary.BigEndian
	tiff := []byte("MM\x00*\x00\x00\x00\x08\x00\x02\x01\x12\x00\x03\x00\x00\x00\x01")
	tiff = order.AppendUint16(tiff, orientation)
	tiff = append(tiff, "\x00\x00\x88\x25\x00\x04\x00\x00\x00\x01\x00\x00\x00\x26\x00\x00\x00\x00"...) // the GPS table is at 38
	latitude := "\x00\x02\x00\x05\x00\x00\x00\x03\x00\x00\x00\x38"
	if !gps {
		latitude = "\x00\x00\x00\x01\x00\x00\x00\x04\x02\x03\x00\x00" // only a version
	}
	tiff = append(tiff, "\x00\x01"+latitude+"\x00\x00\x00\x00"...)
	tiff = append(tiff, make([]byte, 24)...)
	content := append([]byte("Exif\x00\x00"), tiff...)
	segment := append(order.AppendUint16([]byte{0xff, 0xe1}, uint16(len(content)+2)), content...)
	return slices.Concat(file[:2], segment, file[2:])
}

func gifFile(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := gif.Encode(&b, image.NewPaletted(image.Rect(0, 0, 30, 20), color.Palette{color.White}), nil); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func dimensions(t *testing.T, path string) (width, height int) {
	t.Helper()
	pic, err := zoomclient.LoadPicture(path)
	if err != nil {
		t.Fatal(err)
	}
	return pic.Dimensions()
}

func TestFit(t *testing.T) {
	in := write(t, "in.jpg", withExif(photo(t, 1500, 1000), 6, true))
	out := filepath.Join(t.TempDir(), "out.jpg")
	code, stdout, stderr := zoompic(t, nil, nil, "fit", in, out)
	if code != exitDone || stderr != "" || strings.Count(stdout, "\n") != 1 {
		t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
	}
	for _, want := range []string{out, "JPEG, 1500 × 1000 pixels", "→ JPEG, 683 × 1024 pixels", "turned upright", "removed Exif, GPS position"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("%q is not in %s", want, stdout)
		}
	}
	if w, h := dimensions(t, out); w != 683 || h != 1024 {
		t.Errorf("%d × %d", w, h)
	}

	before, err := os.ReadFile(out)
	if err != nil {
		t.Fatal(err)
	}
	if code, _, stderr := zoompic(t, nil, nil, "fit", "--square", in, out); code != exitUsage || !strings.Contains(stderr, "exists; --force replaces it") {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if after, _ := os.ReadFile(out); !bytes.Equal(before, after) {
		t.Error("it was replaced without --force")
	}
	if code, _, stderr := zoompic(t, nil, nil, "fit", "--square", "--max-side", "100", "--force", in, out); code != exitDone {
		t.Errorf("exit %d: %s", code, stderr)
	}
	if w, h := dimensions(t, out); w != 100 || h != 100 {
		t.Errorf("%d × %d", w, h)
	}
	code, stdout, _ = zoompic(t, nil, nil, "fit", "--json", "--force", out, out) // in place
	var o outcome
	if err := json.Unmarshal([]byte(stdout), &o); err != nil || code != exitDone || o.Out != out || o.Fit == nil || !o.Fit.Unchanged() || o.Width != 100 {
		t.Errorf("exit %d, %v: %s", code, err, stdout)
	}
	if left, err := os.ReadDir(filepath.Dir(out)); err != nil || len(left) != 1 {
		t.Errorf("%v, %v", left, err)
	}
}

func TestFitThroughPipes(t *testing.T) {
	code, stdout, stderr := zoompic(t, nil, bytes.NewReader(photo(t, 2000, 100)), "fit", "-", "-")
	pic, err := zoomclient.NewPicture([]byte(stdout))
	if code != exitDone || err != nil || !strings.Contains(stderr, "→ JPEG, 1024 × 51 pixels") {
		t.Errorf("exit %d, %v: %s", code, err, stderr)
	}
	if w, _ := pic.Dimensions(); w != 1024 {
		t.Errorf("%v", pic)
	}
	if code, _, stderr := zoompic(t, nil, brokenPipe{}, "fit", "-", "-"); code != exitUsage || !strings.Contains(stderr, "the pipe broke") {
		t.Errorf("exit %d: %s", code, stderr)
	}
}

type brokenPipe struct{}

func (brokenPipe) Read([]byte) (int, error) { return 0, errors.New("the pipe broke") }

func TestFitFails(t *testing.T) {
	heic := write(t, "a.heic", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"))
	huge := write(t, "huge.png", photo(t, 20, 20))
	if err := os.Truncate(huge, maxPhoto+1); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "out.jpg")
	for name, test := range map[string]struct {
		args    []string
		exit    int
		message string
	}{
		"one argument": {[]string{"fit", ada}, exitUsage, "accepts 2 arg(s)"},
		"missing":      {[]string{"fit", "nowhere.jpg", out}, exitUsage, "nowhere.jpg: no such file"},
		"folder":       {[]string{"fit", t.TempDir(), out}, exitUsage, "this is a folder"},
		"HEIC":         {[]string{"fit", heic, out}, exitUsage, "a.heic: not a format that Zoom takes: this is a HEIC picture"},
		"huge":         {[]string{"fit", huge, out}, exitUsage, "it has more than 67,108,864 bytes"},
		"bad option":   {[]string{"fit", "--max-side", "-1", ada, out}, exitUsage, "MaxSide is -1"},
		"to a folder":  {[]string{"fit", "--force", ada, filepath.Dir(out)}, exitUsage, "this is a folder; name a file in it"},
		"no folder":    {[]string{"fit", ada, filepath.Join(t.TempDir(), "no", "out.jpg")}, exitFailed, "no such file"},
	} {
		code, stdout, stderr := zoompic(t, nil, nil, test.args...)
		if code != test.exit || stdout != "" || !strings.HasPrefix(stderr, "zoompic: ") || !strings.Contains(stderr, test.message) || strings.Contains(stderr, "zoom: ") {
			t.Errorf("%s: exit %d, %q", name, code, stderr)
		}
	}
	if _, err := os.Stat(out); err == nil {
		t.Error("a failure left a file")
	}
}

func TestFitNotesAnotherFormat(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out.png")
	code, stdout, stderr := zoompic(t, nil, nil, "fit", ada, out)
	if code != exitDone || !strings.Contains(stdout, "unchanged: ") || !strings.Contains(stderr, "out.png is a JPEG whatever its name") {
		t.Errorf("exit %d\n%s%s", code, stdout, stderr)
	}
}

func TestUploadFit(t *testing.T) {
	for _, args := range [][]string{
		{write(t, "large.jpg", append(photo(t, 1500, 1000), make([]byte, 3<<20)...))},
		{write(t, "a.gif", gifFile(t))},
		{"-"},
	} {
		code, stdout, stderr := zoompic(t, nil, bytes.NewReader(photo(t, 1500, 1000)), append([]string{"upload", "--fake", "--fit", "ada@example.com"}, args...)...)
		if code != exitDone || stderr != "" || !strings.Contains(stdout, "\nfitted    ") || !strings.Contains(stdout, "verified") {
			t.Errorf("%s: exit %d\n%s%s", args[0], code, stdout, stderr)
		}
	}
	code, stdout, _ := zoompic(t, nil, nil, "upload", "--fake", "--fit", "--square", "--max-side", "64", "--json", "ada", ada)
	var o outcome
	if err := json.Unmarshal([]byte(stdout), &o); err != nil || code != exitDone || o.Width != 64 || o.Height != 64 || o.Fit == nil || o.Fit.Before.Width != 512 || !o.Verified {
		t.Errorf("exit %d, %v: %s", code, err, stdout)
	}
	for _, flag := range []string{"--square", "--max-side=9", "--max-bytes=9"} {
		if code, _, stderr := zoompic(t, nil, nil, "upload", "--fake", flag, "ada", ada); code != exitUsage || !strings.Contains(stderr, "need --fit") {
			t.Errorf("%s: exit %d: %s", flag, code, stderr)
		}
	}
}

// TestWarnings of what is better not sent as it is.
func TestWarnings(t *testing.T) {
	located := write(t, "located.jpg", withExif(photo(t, 30, 20), 1, true))
	const warning = "warning: " // and the file's name
	for _, args := range [][]string{{"upload", "--fake", "ada", located}, {"check", located}, {"check", "--json", located}} {
		code, stdout, stderr := zoompic(t, nil, nil, args...)
		if code != exitDone || !strings.Contains(stderr, warning+located+" carries the GPS position") || strings.Count(stderr, "\n") != 1 {
			t.Errorf("%v: exit %d\n%s%s", args, code, stdout, stderr)
		}
		if slices.Contains(args, "--json") && !strings.Contains(stdout, `"gps":true`) {
			t.Errorf("%s", stdout)
		}
	}
	if code, _, stderr := zoompic(t, nil, bytes.NewReader(withExif(photo(t, 30, 20), 1, true)), "upload", "--fake", "ada", "-"); code != exitDone || !strings.Contains(stderr, warning) {
		t.Errorf("exit %d: %s", code, stderr)
	}
	for name, args := range map[string][]string{
		"fitted":      {"upload", "--fake", "--fit", "ada", located},
		"no position": {"check", write(t, "a.jpg", withExif(photo(t, 30, 20), 1, false))},
	} {
		if code, _, stderr := zoompic(t, nil, nil, args...); code != exitDone || stderr != "" {
			t.Errorf("%s: exit %d: %s", name, code, stderr)
		}
	}
}

func TestCheckSaysWhatNeedsFit(t *testing.T) {
	sideways := write(t, "sideways.jpg", withExif(photo(t, 30, 20), 6, false))
	large := write(t, "large.jpg", append(photo(t, 30, 20), make([]byte, 3<<20)...))
	other := write(t, "a.gif", gifFile(t))
	heic := write(t, "a.heic", []byte("\x00\x00\x00\x18ftypheic\x00\x00\x00\x00"))
	cut := write(t, "cut.gif", []byte("GIF89a"))
	code, stdout, stderr := zoompic(t, nil, nil, "check", ada, sideways, large, other, heic, cut)
	if code != exitUsage || strings.Count(stdout, "ok  ") != 2 || strings.Count(stdout, "--fit turns it") != 1 {
		t.Errorf("exit %d\n%s", code, stdout)
	}
	for line := range strings.Lines(stderr) {
		mendable := strings.Contains(line, "large.jpg") || strings.Contains(line, "a.gif")
		if strings.Contains(line, "let --fit make it fit") != mendable {
			t.Errorf("%s", line)
		}
	}
	_, stdout, _ = zoompic(t, nil, nil, "check", "--json", ada, sideways, large, other, heic, cut)
	var needs []bool
	for decoder := json.NewDecoder(strings.NewReader(stdout)); ; {
		var o outcome
		if err := decoder.Decode(&o); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		needs = append(needs, o.NeedsFit)
	}
	if !slices.Equal(needs, []bool{false, true, true, true, false, false}) {
		t.Errorf("%v", needs)
	}
	for _, file := range []string{sideways, large, other} { // it is true
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, _, err := portrait.Fit(data, portrait.Options{}); err != nil {
			t.Errorf("%s: %v", file, err)
		}
	}
}
