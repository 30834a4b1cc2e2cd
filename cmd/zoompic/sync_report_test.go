package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/zoompic/zoompic/zoomclient/zoomtest"
)

// TestSyncReport: everybody is in the report once, with the source's other columns, and in a dry run with what would be sent.
func TestSyncReport(t *testing.T) {
	zoom := newTestZoom(t, "ada@example.com", "bob@example.com")
	dir := team(t, map[string][]byte{"one": face(1), "two": face(2), "gif": []byte("GIF89a......")})
	list := filepath.Join(dir, "list.csv")
	rows := "user,file,team\nada@example.com,one.png,=1+1\nnew@example.com,two.png,Ulm\nbob@example.com,gif.png,\n"
	if err := os.WriteFile(list, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		args []string
		want [][]string
	}{
		{[]string{"--dry-run"}, [][]string{{"ada@example.com", "one.png", "planned", ""}, {"new@example.com", "two.png", "planned", ""}, {"bob@example.com", "gif.png", "refused", ""}}},
		{nil, [][]string{{"ada@example.com", "one.png", "uploaded", "201"}, {"new@example.com", "two.png", "failed", "404"}, {"bob@example.com", "gif.png", "failed", ""}}},
		{nil, [][]string{{"ada@example.com", "one.png", "unchanged", ""}, {"new@example.com", "two.png", "failed", "404"}, {"bob@example.com", "gif.png", "failed", ""}}},
	} {
		path := filepath.Join(t.TempDir(), "out.csv")
		if code, stdout, stderr := zoom.sync(t, append(test.args, "--report", path, list)...); code != exitFailed {
			t.Fatalf("exit %d\n%s%s", code, stdout, stderr)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		got, err := csv.NewReader(strings.NewReader(strings.TrimPrefix(string(content), "\ufeff"))).ReadAll()
		if err != nil || len(got) != 4 {
			t.Fatalf("%q, %v", got, err)
		}
		column := map[string]int{}
		for i, name := range got[0] {
			column[name] = i
		}
		if _, ok := column["team"]; !ok {
			t.Errorf("columns %q", got[0])
		}
		for i, want := range test.want {
			row := got[i+1]
			if row[column["user"]] != want[0] || row[column["file"]] != want[1] || row[column["outcome"]] != want[2] || row[column["status"]] != want[3] || strings.HasPrefix(row[column["team"]], "=") {
				t.Errorf("%q, want %q", row, want)
			}
		}
	}

	page := filepath.Join(t.TempDir(), "out.html")
	if code, _, stderr := zoom.sync(t, "--report", page, list); code != exitFailed {
		t.Fatalf("exit %d: %s", code, stderr)
	}
	if content, err := os.ReadFile(page); err != nil || strings.Count(string(content), "ada@example.com") == 0 || !strings.Contains(string(content), "data:image/") {
		t.Errorf("%d bytes, %v", len(content), err)
	}

	requests := zoom.Requests()
	for _, bad := range []string{"out.txt", filepath.Join(t.TempDir(), "none", "out.csv")} {
		if code, _, stderr := zoom.sync(t, "--report", bad, list); code != exitUsage || !strings.Contains(stderr, "--report") {
			t.Errorf("%s: exit %d: %s", bad, code, stderr)
		}
	}
	if zoom.Requests() != requests {
		t.Error("something was sent before the report's path was checked")
	}
}

// TestReportReplacesNothingOfTheRun: neither the list nor the state, by whatever name.
func TestReportReplacesNothingOfTheRun(t *testing.T) {
	zoom := newTestZoom(t)
	dir := team(t, map[string][]byte{"one": face(1)})
	list := filepath.Join(dir, "list.csv")
	const rows = "user,file\nada@example.com,one.png\n"
	if err := os.WriteFile(list, []byte(rows), 0o600); err != nil {
		t.Fatal(err)
	}
	linked := filepath.Join(t.TempDir(), "linked")
	if err := os.Symlink(dir, linked); err != nil {
		linked = dir
	}
	state := filepath.Join(dir, "state.csv")
	for _, args := range [][]string{
		{"--report", list, list},
		{"--report", filepath.Join(dir, ".", "x", "..", "list.csv"), list},
		{"--report", filepath.Join(linked, "list.csv"), list},
		{"--report", state, "--state", state, list},
		{"--report", filepath.Join(linked, "STATE.csv"), "--state", state, list},
		{"--dry-run", "--report", list, list},
	} {
		if code, _, stderr := zoom.sync(t, args...); code != exitUsage || !strings.Contains(stderr, "would replace the s") {
			t.Errorf("%q: exit %d: %s", args, code, stderr)
		}
	}
	if content, err := os.ReadFile(list); string(content) != rows || zoom.Requests() != 0 {
		t.Errorf("the list is %q, %v, after %d requests", content, err, zoom.Requests())
	}
	zoom.expect(t, exitDone, "1 uploaded, 0 unchanged, 0 failed, 0 pending", "--state", state, "--report", filepath.Join(dir, "report.csv"), list)
}

// TestFailedOutputHidesNothing: why the run ended decides the exit code, and what can still be written is.
func TestFailedOutputHidesNothing(t *testing.T) {
	for name, interrupted := range map[string]bool{"interrupted": true, "to its end": false} {
		synctest.Test(t, func(t *testing.T) {
			dir := team(t, map[string][]byte{"ada@example.com": face(1), "bob@example.com": face(2)})
			gone := filepath.Join(t.TempDir(), "gone")
			if err := os.Mkdir(gone, 0o700); err != nil {
				t.Fatal(err)
			}
			z := &testZoom{Handler: zoomtest.New()}
			ctx, interrupt := context.WithCancel(t.Context())
			defer interrupt()
			z.answers(func(http.ResponseWriter, *http.Request, string) bool {
				os.Remove(gone)
				if interrupted {
					interrupt()
				}
				return false
			})
			var stderr bytes.Buffer
			want := exitFailed
			if interrupted {
				want = exitInterrupted
			}
			code, stdout := z.virtually(ctx, &stderr, "--report", filepath.Join(gone, "out.csv"), dir)
			if code != want || !strings.HasPrefix(stdout, "2 people: ") || !strings.Contains(stderr.String(), "writing the report") || strings.Contains(stderr.String(), "interrupted with 1") != interrupted {
				t.Errorf("%s: exit %d, want %d\n%s%s", name, code, want, stdout, &stderr)
			}
		})
	}

	zoom := newTestZoom(t)
	list := team(t, map[string][]byte{"ada@example.com": face(1)})
	path := filepath.Join(t.TempDir(), "out.csv")
	var stderr bytes.Buffer
	c := &command{getenv: func(name string) string { return zoom.env[name] }, stdout: fullDevice{}, stderr: &stderr}
	code := c.run(t.Context(), []string{"zoompic", "sync", "--report", path, list})
	if content, err := os.ReadFile(path); code != exitFailed || !bytes.Contains(content, []byte("ada@example.com")) || strings.Count(stderr.String(), "writing to standard output") != 1 {
		t.Errorf("exit %d, the report is %q, %v\n%s", code, content, err, &stderr)
	}
}

// fullDevice takes nothing.
type fullDevice struct{}

func (fullDevice) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

// TestJSONExit is the command's own, also when it is the report that fails.
func TestJSONExit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &testZoom{Handler: zoomtest.New()}
		gone := filepath.Join(t.TempDir(), "gone")
		if err := os.Mkdir(gone, 0o700); err != nil {
			t.Fatal(err)
		}
		z.answers(func(http.ResponseWriter, *http.Request, string) bool {
			os.Remove(gone)
			return false
		})
		code, stdout := z.virtually(t.Context(), io.Discard, "--json", "--report", filepath.Join(gone, "out.csv"), team(t, map[string][]byte{"ada@example.com": face(1)}))
		if code != exitFailed || !strings.Contains(stdout, `"exit":1}`) {
			t.Errorf("exit %d\n%s", code, stdout)
		}
	})
}

// TestInterruptWaitsForNoFaces: those who were not sent are in the report, without being decoded.
func TestInterruptWaitsForNoFaces(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		z := &testZoom{Handler: zoomtest.New()}
		ctx, interrupt := context.WithCancel(t.Context())
		z.answers(func(http.ResponseWriter, *http.Request, string) bool {
			interrupt()
			return false
		})
		path := filepath.Join(t.TempDir(), "out.html")
		dir := team(t, map[string][]byte{"ada@example.com": face(1), "bob@example.com": face(2)})
		z.virtually(ctx, io.Discard, "--report", path, dir)
		interrupted, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(interrupted, []byte("bob@example.com")) || bytes.Contains(interrupted, []byte("data:image/jpeg")) {
			t.Errorf("%v\n%s", err, interrupted)
		}
		z.answers(nil)
		z.virtually(t.Context(), io.Discard, "--report", path, dir)
		if whole, err := os.ReadFile(path); err != nil || !bytes.Contains(whole, []byte("data:image/jpeg")) {
			t.Errorf("the control: %v, no face in\n%s", err, whole)
		}
	})
}
