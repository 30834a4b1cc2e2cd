package main

import (
	"encoding/csv"
	"os"
	"path/filepath"
	"strings"
	"testing"
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
