//go:build unix

package main

import (
	"bytes"
	"fmt"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/zoompic/zoompic/internal/state"
)

// setUpChild takes away the child's room on the disk, if it is to have less than all.
func setUpChild(fileSizeLimit string) {
	if fileSizeLimit == "" {
		return
	}
	limit, err := strconv.ParseUint(fileSizeLimit, 10, 64)
	if err != nil {
		panic(err)
	}
	signal.Ignore(syscall.SIGXFSZ) // writes fail instead, as on a full disk
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: limit, Max: limit}); err != nil {
		panic(err)
	}
}

// TestFullDisk: the run stops with what it could record, and the next one goes on from there.
func TestFullDisk(t *testing.T) {
	const people = 1500
	zoom := newTestZoom(t)
	faces := map[string][]byte{}
	for i := range people {
		faces[fmt.Sprintf("user%04d@example.com", i)] = face(i)
	}
	dir := team(t, faces)
	var stdout, stderr bytes.Buffer
	full := zoom.child(t, fmt.Sprint(256<<10), "sync", "--json", "--rate", "100000", dir)
	full.Stdout, full.Stderr = &stdout, &stderr
	err := full.Run()
	exit, ok := err.(*exec.ExitError)
	if !ok || exit.ExitCode() != exitState || !strings.Contains(stderr.String(), "make room") || strings.Count(stderr.String(), "\n") > 2 {
		t.Fatalf("%v: %s", err, &stderr)
	}
	uploaded := map[string]bool{}
	outcomes := map[string]int{}
	for _, row := range rowsOf(t, stdout.Bytes()) {
		outcomes[string(row.Outcome)]++
		uploaded[row.User] = row.Outcome == "uploaded"
	}
	sent := len(zoom.Uploads())
	if outcomes["uploaded"] < 100 || outcomes["uploaded"]+outcomes["pending"] != people || sent-outcomes["uploaded"] > 2*8 {
		t.Errorf("%v of %d sent", outcomes, sent)
	}
	s, err := state.View(filepath.Join(dir, stateName), "")
	if err != nil {
		t.Fatal(err)
	}
	for user := range faces {
		if p, err := s.Get(user); err != nil || (p.Done != "") != uploaded[user] {
			t.Errorf("%s: %+v, %v; reported as uploaded: %v", user, p, err, uploaded[user])
		}
	}
	s.Close()

	zoom.expect(t, exitDone, fmt.Sprintf("%d people: %d uploaded, %d unchanged, 0 failed, 0 pending", people, outcomes["pending"], outcomes["uploaded"]), dir)
	if again := len(zoom.Uploads()) - people; again != sent-outcomes["uploaded"] {
		t.Errorf("%d were sent again, %d had not been recorded", again, sent-outcomes["uploaded"])
	}
}
