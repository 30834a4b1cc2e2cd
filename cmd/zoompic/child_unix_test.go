//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

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
	const people = 800
	zoom := newTestZoom(t)
	faces := map[string][]byte{}
	for i := range people {
		faces[fmt.Sprintf("user%04d@example.com", i)] = face(i)
	}
	dir := team(t, faces)
	var stdout, stderr bytes.Buffer
	full := zoom.child(t, fmt.Sprint(256<<10), "sync", "--json", "--rate", "100000", "--workers", "32", dir)
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
	if outcomes["uploaded"] < 50 || outcomes["uploaded"]+outcomes["pending"] != people || sent-outcomes["uploaded"] > 32 {
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

// TestSignals: the first ends a run in order, and a second one at once, while an upload hangs.
func TestSignals(t *testing.T) {
	zoom := newTestZoom(t)
	faces := map[string][]byte{}
	for i := range 40 {
		faces[fmt.Sprintf("user%02d@example.com", i)] = face(i)
	}
	dir := team(t, faces)
	arrived := make(chan string, 1000)
	var hang atomic.Bool
	hang.Store(true)
	zoom.answers(func(_ http.ResponseWriter, r *http.Request, user string) bool {
		arrived <- user
		if hang.Load() && user == "user05@example.com" {
			io.Copy(io.Discard, r.Body)
			<-r.Context().Done()
			return true
		}
		return false
	})
	start := func() *exec.Cmd {
		cmd := zoom.child(t, withMain, "sync", "--rate", "50", dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		for range 10 {
			<-arrived
		}
		return cmd
	}

	cmd := start()
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	for signals := 0; ; signals++ {
		cmd.Process.Signal(os.Interrupt)
		select {
		case <-ended:
		case <-time.After(100 * time.Millisecond):
			continue
		}
		if status := cmd.ProcessState.Sys().(syscall.WaitStatus); !status.Signaled() || status.Signal() != syscall.SIGINT || signals == 0 {
			t.Errorf("%v after %d signals", cmd.ProcessState, signals+1)
		}
		break
	}

	hang.Store(false)
	cmd = start()
	cmd.Process.Signal(syscall.SIGTERM)
	if cmd.Wait(); cmd.ProcessState.ExitCode() != exitInterrupted {
		t.Errorf("%v after SIGTERM", cmd.ProcessState)
	}
	sent := len(zoom.Uploads())
	if sent >= 40 {
		t.Errorf("%d were sent in spite of the signal", sent)
	}
	_, stderr := zoom.expect(t, exitDone, " 0 failed, 0 pending", dir)
	if again := len(zoom.Uploads()) - 40; again > 8 {
		t.Errorf("%d were sent again: %s", again, stderr)
	}
}

// TestFullDiskAtTheStart: whatever came into being of the state file does not block the next run.
func TestFullDiskAtTheStart(t *testing.T) {
	for limit := 0; limit <= 40<<10; limit += 4 << 10 {
		zoom := newTestZoom(t)
		dir := team(t, map[string][]byte{"ada@example.com": face(1)})
		output, err := zoom.child(t, fmt.Sprint(limit), "sync", dir).CombinedOutput()
		if err == nil {
			zoom.expect(t, exitDone, "0 uploaded, 1 unchanged, 0 failed, 0 pending", dir)
			continue
		}
		if exit, ok := err.(*exec.ExitError); !ok || exit.ExitCode() != exitState || !bytes.Contains(output, []byte("the state file ")) || bytes.Contains(output, []byte("runtime error")) {
			t.Errorf("with %d bytes: %v\n%s", limit, err, output)
		}
		if limit == 0 && len(zoom.Uploads()) > 0 {
			t.Error("something was sent without a state file")
		}
		zoom.expect(t, exitDone, "1 uploaded, 0 unchanged, 0 failed, 0 pending", dir)
	}
}
