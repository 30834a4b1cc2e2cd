package source

import (
	"bytes"
	"errors"
	"image"
	"image/png"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/zoompic/zoompic/zoomclient"
)

// pngOf is a picture that differs from those of other widths.
func pngOf(t testing.TB, width int) string {
	t.Helper()
	var b bytes.Buffer
	if err := png.Encode(&b, image.NewGray(image.Rect(0, 0, width, 8))); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// folder makes files by their paths.
func folder(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func open(t testing.TB, path string, recursive bool, stdin string) *Source {
	t.Helper()
	s, err := Open(path, recursive, strings.NewReader(stdin))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// users lists who is in a source; those that cannot be sent have a mark.
func users(s *Source) []string {
	var all []string
	for _, row := range s.Rows {
		mark := ""
		if row.Err != nil {
			mark = "!"
		}
		all = append(all, mark+row.User+"="+row.File)
	}
	return all
}

func TestFolder(t *testing.T) {
	one, two := pngOf(t, 1), pngOf(t, 2)
	dir := folder(t, map[string]string{
		"ada@example.com.jpg": one, "Bob@Example.com.PNG": two, "z8dsdCfp8uQ.jpeg": one, "carol@example.com.heic": "x", "me.png": one, "Me.jpg": two, "a b.png": one,
		".DS_Store": "x", "Thumbs.db": "x", "desktop.ini": "x", ".hidden.png": one, "notes.txt": "x", "README": "x", ".zoompic.state": "x", ".zoompic-fake.state.lock": "x",
		"sub/dora@example.com.png": one, "@eaDir/ada@example.com.jpg": two, "sub/deep/eve@example.com.png": one,
	})
	s := open(t, dir, false, "")
	want := []string{"Bob@Example.com=Bob@Example.com.PNG", "!Me=Me.jpg", "!a b=a b.png", "ada@example.com=ada@example.com.jpg", "carol@example.com=carol@example.com.heic", "!me=me.png", "z8dsdCfp8uQ=z8dsdCfp8uQ.jpeg"}
	if got := users(s); !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	skipped := []string{".DS_Store", ".hidden.png", "@eaDir", "README", "Thumbs.db", "desktop.ini", "notes.txt", "sub"}
	if !slices.Equal(s.Skipped, skipped) || s.Duplicates != 0 {
		t.Errorf("passed over %q, %d duplicates", s.Skipped, s.Duplicates)
	}
	s = open(t, dir, true, "")
	if got := users(s); len(got) != len(want)+2 || !slices.Contains(got, "eve@example.com=sub/deep/eve@example.com.png") {
		t.Errorf("recursive: %q", got)
	}
}

func TestCSV(t *testing.T) {
	dir := folder(t, map[string]string{"ada.png": pngOf(t, 1), "sub/bob.png": pngOf(t, 2), "people.csv": ""})
	path := filepath.Join(dir, "people.csv")
	want := []string{"ada@example.com=ada.png", "bob@example.com=sub/bob.png"}
	for name, content := range map[string]string{
		"plain":             "user,file\nada@example.com,ada.png\nbob@example.com,sub/bob.png\n",
		"other order, case": "File,Team,USER\nada.png,x,ada@example.com\nsub/bob.png,y,bob@example.com",
		"German Excel":      "\ufeffuser;file\r\nada@example.com;ada.png\r\nbob@example.com; sub/bob.png\r\n",
		"sep= line":         "sep=;\r\nuser;file\r\nada@example.com;ada.png\r\nbob@example.com;sub/bob.png\r\n",
		"SEP= of another":   "SEP=|\nuser|file\nada@example.com|ada.png\nbob@example.com|sub/bob.png\n",
		"tabs":              "user\tfile\nada@example.com\tada.png\nbob@example.com\tsub/bob.png\n",
		"quotes":            "\"user\",\"file\"\n\"ada@example.com\",\"ada.png\"\n\nbob@example.com,sub/bob.png\n",
	} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, path, false, "")
		if got := users(s); !slices.Equal(got, want) {
			t.Errorf("%s: %q", name, got)
		}
		for i := range s.Rows {
			pic, stamp, err := s.Load(&s.Rows[i], nil)
			if now, _ := s.Stat(&s.Rows[i]); err != nil || pic.Size() == 0 || !stamp.Equal(now) {
				t.Errorf("%s: %v, %v, %v", name, pic, stamp, err)
			}
		}
	}
	if err := os.WriteFile(path, []byte("user;file;team\r\nada@example.com;ada.png;x\r\n;;\r\n ; ;\t\r\n\r\n;;y\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := open(t, path, false, ""); s.Empty != 2 || len(s.Rows) != 2 || s.Rows[1].Err == nil {
		t.Errorf("%q, %d empty rows", users(s), s.Empty)
	}
	t.Chdir(dir)
	s := open(t, Stdin, false, "user,team,file,site\nada@example.com,=1+1,ada.png,Ulm\n")
	if !slices.Equal(users(s), want[:1]) || !slices.Equal(s.Columns, []string{"team", "site"}) || !slices.Equal(s.Rows[0].Extra, []string{"=1+1", "Ulm"}) {
		t.Errorf("%q, columns %q, %q", users(s), s.Columns, s.Rows[0].Extra)
	}
}

func TestRowsThatCannotBeSent(t *testing.T) {
	dir := folder(t, map[string]string{"ada.png": pngOf(t, 1), "inside/list.csv": "", "inside/ada.png": pngOf(t, 2)})
	for row, words := range map[string]string{
		"me,ada.png":                       "whoever the token belongs to",
		"ME,ada.png":                       "whoever the token belongs to",
		",ada.png":                         "it is empty",
		"..,ada.png":                       "step in a path",
		"a/../../b,ada.png":                "may not stand in it",
		"ada@example.com,":                 "no file is named",
		"ada@example.com,../ada.png":       "leaves the CSV file's folder",
		"ada@example.com,x/../../ada.png":  "leaves the CSV file's folder",
		"ada@example.com,/etc/passwd":      "must be relative",
		"ada@example.com,inside/../../ada": "leaves the CSV file's folder",
		"\x1b[2J@example.com,ada.png":      "may not stand in it",
	} {
		path := filepath.Join(dir, "inside", "list.csv")
		if err := os.WriteFile(path, []byte("user,file\n"+row+"\ngrace@example.com,./x/../ada.png\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		s := open(t, path, false, "")
		if len(s.Rows) != 2 || s.Rows[0].Err == nil || !strings.Contains(s.Rows[0].Err.Error(), words) {
			t.Errorf("%q: %v, want %q", row, s.Rows[0].Err, words)
		}
		if pic, _, err := s.Load(&s.Rows[0], nil); s.Rows[0].path == "" && err == nil {
			t.Errorf("%q: loaded %v", row, pic)
		}
		if pic, _, err := s.Load(&s.Rows[1], nil); err != nil || s.Rows[1].Err != nil {
			t.Errorf("the control: %v, %v", pic, err)
		} else if width, _ := pic.Dimensions(); width != 2 {
			t.Errorf("the control is %v", pic)
		}
	}
}

// TestBytes are a file's as it is, picture or not, up to a limit.
func TestBytes(t *testing.T) {
	dir := folder(t, map[string]string{"ada.webp": "no picture", "bob.png": "", "eve.tiff": "x"})
	if err := os.Truncate(filepath.Join(dir, "bob.png"), MaxFileSize); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(filepath.Join(dir, "eve.tiff"), MaxFileSize+1); err != nil {
		t.Fatal(err)
	}
	s := open(t, dir, false, "")
	for i, size := range []int{len("no picture"), MaxFileSize, 0} {
		data, stamp, err := s.Bytes(&s.Rows[i])
		if now, _ := s.Stat(&s.Rows[i]); len(data) != size || (size > 0) != (err == nil && stamp.Equal(now)) || size == 0 && !errors.Is(err, zoomclient.ErrTooLarge) {
			t.Errorf("%s: %d bytes, %v, %v", s.Rows[i].File, len(data), stamp, err)
		}
	}
}

func TestUnusableSources(t *testing.T) {
	dir := folder(t, map[string]string{"x/notes.txt": "", "x/list.csv": "", "one.png": pngOf(t, 1), "two.png": pngOf(t, 2), "gone/.keep": "", "gone/@eaDir/x": "", "above/sub/ada@example.com.png": ""})
	list := filepath.Join(dir, "x", "list.csv")
	for content, words := range map[string]string{
		"":                        "it is empty",
		"user,file\n":             "nobody is in it",
		"name,picture\na,b\n":     `must name the columns "user" and "file"; it is name, picture`,
		"\x1b[2J\n":               `it is "\x1b[2J"`,
		"user,file,User\na,b,c\n": `column "user" twice`,
		"user,file\na,b,c\n":      "line 2 has another number of columns",
		"user,file\na,b\n\"c,d\n": "line 3",
		"\xff\xfeu\x00s\x00":      "UTF-16",
		"user,file\nj@b,J\xf6rg.jpg\nk@b,K\xf6nig.jpg\n": "line 2 is not UTF-8 text; save it as CSV UTF-8",
		"sep=;\nuser;file\na;b;c\n":                      "line 3 has another number of columns",
		"sep=\"\nuser,file\na,b\n":                       "invalid field or comment delimiter",
		"user,file\n,\n":                                 "nobody is in it",
		"user,file\na@b,x\nA@b,y\n":                      "more than one picture for A@b (x and y)",
		"user,file\na@b,\na@b,/etc\n":                    "more than one picture",
	} {
		if err := os.WriteFile(list, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if s, err := Open(list, false, nil); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%q: %v, %v; want %q", content, s, err, words)
		}
	}
	for path, words := range map[string]string{filepath.Join(dir, "x"): "nobody is in it", filepath.Join(dir, "gone"): "nobody is in it", dir + "/above": "nobody is in it, but sub-folders are; --recursive",
		filepath.Join(dir, "none"): "no such file"} {
		if s, err := Open(path, false, nil); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v, %v", path, s, err)
		}
	}
}

func TestDuplicates(t *testing.T) {
	one, two := pngOf(t, 1), pngOf(t, 2)
	s := open(t, folder(t, map[string]string{"ada@example.com.png": one, "ADA@example.com.jpg": one, "ada@example.com.jpeg": one, "bob@example.com.png": two, "idA.png": one, "ida.jpg": two}), false, "")
	if len(s.Rows) != 4 || s.Duplicates != 2 {
		t.Errorf("%q and %d duplicates; user IDs depend on case, email addresses do not", users(s), s.Duplicates)
	}
	s = open(t, Stdin, false, "user,file\nada@example.com,gone.png\nada@example.com,./gone.png\n..,a\n..,b\n")
	if len(s.Rows) != 3 || s.Duplicates != 1 {
		t.Errorf("%q and %d duplicates", users(s), s.Duplicates)
	}
	_, err := Open(folder(t, map[string]string{"ada@example.com.png": one, "Ada@example.com.jpg": two, "bob@example.com.png": one, "bob@example.com.gif": "GIF89a"}), false, nil)
	if err == nil || !strings.Contains(err.Error(), "Ada@example.com.jpg and ada@example.com.png") || !strings.Contains(err.Error(), "bob@example.com.gif and") {
		t.Error(err)
	}
}

func TestStampOfAChangedFile(t *testing.T) {
	dir := folder(t, map[string]string{"ada@example.com.png": pngOf(t, 1)})
	s := open(t, dir, false, "")
	row := &s.Rows[0]
	before, err := s.Stat(row)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, row.File)
	if err := os.Chtimes(path, time.Time{}, before.ModTime.Add(time.Second)); err != nil {
		t.Fatal(err)
	}
	if after, _ := s.Stat(row); after.Equal(before) || !after.Equal(after) || (Stamp{}).Equal(Stamp{}) {
		t.Errorf("%v and %v", before, after)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Load(row, nil); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if _, _, err := s.Bytes(row); !errors.Is(err, os.ErrNotExist) {
		t.Error(err)
	}
	if err := checkUser("ada@example.com"); err != nil || !errors.Is(checkUser("me"), zoomclient.ErrInvalidUserID) {
		t.Error(err)
	}
}
