package portrait

import (
	"encoding/json"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

func TestReport(t *testing.T) {
	t.Parallel()
	phone := Image{"JPEG", 4032, 3024, 3_456_789}
	small := Image{"JPEG", 768, 768, 98_765}
	for _, test := range []struct {
		report     Report
		text, json string
	}{
		{
			Report{Before: small, After: small},
			"unchanged: JPEG, 768 × 768 pixels, 98,765 bytes",
			`{"before":{"format":"JPEG","width":768,"height":768,"size":98765},"after":{"format":"JPEG","width":768,"height":768,"size":98765},"encoded":false,"rotated":false,"cropped":false,"flattened":false}`,
		},
		{
			Report{Before: phone, After: small, Encoded: true, Rotated: true, Cropped: true, Flattened: true, Quality: 92, Removed: []string{MetadataExif, MetadataGPS}},
			"JPEG, 4032 × 3024 pixels, 3,456,789 bytes → JPEG, 768 × 768 pixels, 98,765 bytes; turned upright, cropped to a square, transparency put on white, quality 92; removed Exif, GPS position",
			`{"before":{"format":"JPEG","width":4032,"height":3024,"size":3456789},"after":{"format":"JPEG","width":768,"height":768,"size":98765},"encoded":true,"rotated":true,"cropped":true,"flattened":true,"quality":92,"removed":["Exif","GPS position"]}`,
		},
		{
			Report{Before: small, After: Image{"JPEG", 768, 768, 999}, Removed: []string{MetadataComment}},
			"JPEG, 768 × 768 pixels, 98,765 bytes → JPEG, 768 × 768 pixels, 999 bytes; removed comment",
			`{"before":{"format":"JPEG","width":768,"height":768,"size":98765},"after":{"format":"JPEG","width":768,"height":768,"size":999},"encoded":false,"rotated":false,"cropped":false,"flattened":false,"removed":["comment"]}`,
		},
		{
			Report{Before: Image{"GIF", 1, 1, 35}, After: Image{"PNG", 1, 1, 69}, Encoded: true},
			"GIF, 1 × 1 pixels, 35 bytes → PNG, 1 × 1 pixels, 69 bytes",
			`{"before":{"format":"GIF","width":1,"height":1,"size":35},"after":{"format":"PNG","width":1,"height":1,"size":69},"encoded":true,"rotated":false,"cropped":false,"flattened":false}`,
		},
	} {
		encoded, err := json.Marshal(test.report)
		if got := test.report.String(); got != test.text || err != nil || string(encoded) != test.json {
			t.Errorf("%s\nwant %s\n%s\nwant %s", got, test.text, encoded, test.json)
		}
	}
}

// TestDependencies pins what a user's program links for this package besides what zoomclient needs.
func TestDependencies(t *testing.T) {
	t.Parallel()
	list := func(pkg string) []string {
		out, err := exec.Command("go", "list", "-deps", "-f", "{{if and (not .Standard) .Module}}{{.Module.Path}}{{end}}", pkg).Output()
		if err != nil {
			t.Fatal(err)
		}
		modules := strings.Fields(string(out))
		slices.Sort(modules)
		return slices.Compact(modules)
	}
	want := append(list(".."), "golang.org/x/image")
	slices.Sort(want)
	if got := list("."); !slices.Equal(got, want) {
		t.Errorf("linked modules:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}
