package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/zoompic/zoompic/internal/report"
	"github.com/zoompic/zoompic/internal/source"
	"github.com/zoompic/zoompic/internal/state"
	"github.com/zoompic/zoompic/zoomclient/zoomtest"
)

// childVariable makes this test binary the command itself, for tests that signal it, kill it or take its resources.
const (
	childVariable = "ZOOMPIC_TEST_CHILD"
	withMain      = "main" // as its value: the real one, which handles signals
)

func TestMain(m *testing.M) {
	setup, child := os.LookupEnv(childVariable)
	if !child {
		os.Exit(m.Run())
	}
	if setup == withMain {
		main()
	}
	setUpChild(setup)
	c := &command{getenv: os.Getenv, stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr}
	quickly(c)
	os.Exit(c.run(context.Background(), os.Args))
}

// child is the command in a process of its own.
func (z *testZoom) child(t *testing.T, setup string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), childVariable+"="+setup)
	for name, value := range z.env {
		cmd.Env = append(cmd.Env, name+"="+value)
	}
	return cmd
}

// faults spoils requests at random, never more than two of a user in a row, and counts what it did.
type faults struct {
	zoom *zoomtest.Handler

	mu       sync.Mutex
	requests int
	inARow   map[string]int
	fired    map[string]int
	honest   map[string]map[string]int // user → digest → times it was taken and that was answered
	arrived  chan struct{}             // an element for every request, while somebody listens
	active   sync.RWMutex              // read-locked while a request is served
}

func (f *faults) answer(w http.ResponseWriter, r *http.Request, user string) bool {
	f.active.RLock()
	defer f.active.RUnlock()
	fault := f.choose(r, user)
	select {
	case f.arrived <- struct{}{}:
	default:
	}
	switch fault {
	case "":
		f.takeHonestly(w, r, user)
	case "dropped before the picture":
		panic(http.ErrAbortHandler)
	case "dropped after the picture":
		io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler)
	case "dropped after the commit":
		f.zoom.ServeHTTP(httptest.NewRecorder(), r)
		panic(http.ErrAbortHandler)
	case "500 after the commit":
		f.zoom.ServeHTTP(httptest.NewRecorder(), r)
		w.WriteHeader(500)
	case "503":
		refuses(w, r, 503, 0, "busy")
	case "429":
		refuses(w, r, 429, 429, "You have reached the maximum per-second rate limit for this API. Try again later.")
	case "early 201":
		w.WriteHeader(201) // it sent "Expect: 100-continue" and has sent no byte of the picture
	}
	return true
}

func (f *faults) choose(r *http.Request, user string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.requests++
	fault := ""
	switch dice := rand.IntN(100); {
	case f.inARow[user] == 2:
	case r.Header.Get("Expect") != "" && dice < 50:
		fault = "early 201"
	case f.requests%500 == 250:
		fault = "429"
	case dice < 2:
		fault = "dropped before the picture"
	case dice < 4:
		fault = "dropped after the picture"
	case dice < 6:
		fault = "dropped after the commit"
	case dice < 8:
		fault = "500 after the commit"
	case dice < 11:
		fault = "503"
	}
	if fault == "" {
		f.inARow[user] = 0
		return ""
	}
	f.inARow[user]++
	f.fired[fault]++
	return fault
}

func (f *faults) takeHonestly(w http.ResponseWriter, r *http.Request, user string) {
	answer := httptest.NewRecorder()
	f.zoom.ServeHTTP(answer, r)
	if answer.Code == http.StatusCreated {
		data, _ := f.zoom.Picture(user)
		digest := digestOf(data)
		f.mu.Lock()
		if f.honest[user] == nil {
			f.honest[user] = map[string]int{}
		}
		f.honest[user][digest]++
		f.mu.Unlock()
	} else {
		f.mu.Lock()
		f.fired[fmt.Sprintf("fake's own %d", answer.Code)]++
		f.mu.Unlock()
	}
	for name, values := range answer.Header() {
		w.Header()[name] = values
	}
	w.WriteHeader(answer.Code)
	w.Write(answer.Body.Bytes())
}

func digestOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

// A killing is a run of many people that is killed again and again.
type killing struct {
	*testing.T
	zoom    *testZoom
	faults  *faults
	dir     string
	wanted  map[string]string // user → digest
	workers int
	flags   []string
	kills   int
}

// TestKilled: 2,000 people, a server full of faults, and a process that is killed at random more than 30 times. The fake's
// ledger is the oracle: nothing is lost, nothing is wrong, and no more is sent again than was in flight.
func TestKilled(t *testing.T) {
	const people, kills = 2000, 32
	zoom := newTestZoom(t)
	zoom.RateLimit(500)
	f := &faults{zoom: zoom.Handler, inARow: map[string]int{}, fired: map[string]int{}, honest: map[string]map[string]int{}}
	zoom.answers(f.answer)
	k := &killing{T: t, zoom: zoom, faults: f, dir: t.TempDir(), wanted: map[string]string{}, workers: 16}
	for i := range people {
		data := face(i)
		if i%200 == 0 { // large enough to ask before it is sent
			data = append(data, make([]byte, 1<<20)...)
		}
		k.give(fmt.Sprintf("user%04d@example.com", i), data)
	}
	for range kills {
		k.runAndKill()
	}
	k.finish(people)

	for i := range 60 {
		k.give(fmt.Sprintf("user%04d@example.com", i*30+1), face(people+i))
	}
	for range 4 {
		k.runAndKill()
	}
	k.finish(people)
	k.checkLedger()
	if k.kills < kills {
		t.Errorf("only %d kills", k.kills)
	}
	for _, fault := range []string{"dropped before the picture", "dropped after the picture", "dropped after the commit", "500 after the commit", "503", "429", "early 201"} {
		if f.fired[fault] == 0 {
			t.Errorf("the fault %q never fired", fault)
		}
	}
	t.Logf("%d kills, %d requests, %v", k.kills, f.requests, f.fired)
}

func (k *killing) give(user string, data []byte) {
	putFace(k, k.dir, user, data, time.Now())
	k.wanted[user] = digestOf(data)
}

func (k *killing) run() (*exec.Cmd, *bytes.Buffer) {
	var stdout bytes.Buffer
	cmd := k.zoom.child(k.T, "", "sync", "--json", "--quiet", "--rate", "450", "--workers", fmt.Sprint(k.workers))
	cmd.Args = append(append(cmd.Args, k.flags...), k.dir)
	cmd.Stdout, cmd.Stderr = &stdout, os.Stderr
	return cmd, &stdout
}

// runAndKill kills a run after a random number of requests, or before the first.
func (k *killing) runAndKill() {
	after := rand.IntN(60)
	arrived := make(chan struct{}, 1000)
	k.faults.listen(arrived)
	cmd, stdout := k.run()
	if err := cmd.Start(); err != nil {
		k.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		cmd.Wait()
		close(ended)
	}()
	if after == 0 {
		time.Sleep(time.Duration(rand.IntN(100)) * time.Millisecond)
	}
	for range after {
		select {
		case <-arrived:
		case <-ended: // before its kill, which does not count then
		}
	}
	if cmd.Process.Kill() == nil {
		k.kills++
	}
	<-ended
	k.faults.listen(nil)
	k.checkState(stdout.Bytes())
}

func (f *faults) listen(arrived chan struct{}) {
	f.active.Lock() // what is being served ends first
	defer f.active.Unlock()
	f.arrived = arrived
}

// checkState compares what the killed process remembered and reported with what the fake was sent.
func (k *killing) checkState(stdout []byte) {
	k.Helper()
	s, err := state.View(filepath.Join(k.dir, stateName), "")
	if err != nil {
		k.Fatalf("after kill %d: %v", k.kills, err)
	}
	defer s.Close()
	k.faults.mu.Lock()
	defer k.faults.mu.Unlock()
	forgotten := 0
	for user, digest := range k.wanted {
		p, err := s.Get(source.Key(user))
		if err != nil {
			k.Fatal(err)
		}
		taken := k.faults.honest[user][digest]
		if taken > 0 && held(p) != digest {
			forgotten++
		}
		if p.Done != "" && k.faults.honest[user][held(p)] == 0 {
			k.Errorf("%s is remembered as done, but that was never answered", user)
		}
		if p.Refusal != nil {
			k.Errorf("%s is remembered as refused: %+v", user, p.Refusal)
		}
	}
	if forgotten > k.workers {
		k.Errorf("kill %d: %d pictures were taken and are not remembered, with %d workers", k.kills, forgotten, k.workers)
	}
	for _, row := range rowsOf(k.T, stdout) {
		if p, _ := s.Get(source.Key(row.User)); row.Outcome == report.Uploaded && (held(p) != row.SHA256 || k.wanted[row.User] != row.SHA256) {
			k.Errorf("%s was reported uploaded, and remembered is %+v", row.User, p)
		}
	}
}

// held is the digest of the picture that Zoom has, by the state.
func held(p state.Person) string { return cmp.Or(p.Fitted.SHA256, p.Done) }

// rowsOf decodes the whole lines of an output that may have been cut off.
func rowsOf(t *testing.T, stdout []byte) []rowResult {
	t.Helper()
	var rows []rowResult
	for line := range bytes.Lines(stdout) {
		var row rowResult
		if bytes.HasSuffix(line, []byte("\n")) {
			if err := json.Unmarshal(line, &row); err != nil {
				t.Fatalf("%q: %v", line, err)
			}
			if row.User != "" {
				rows = append(rows, row)
			}
		}
	}
	return rows
}

// finish lets a run come to its end, and holds that another one sends nothing.
func (k *killing) finish(people int) {
	k.Helper()
	for _, again := range []bool{false, true} {
		requests := k.zoom.Requests()
		cmd, stdout := k.run()
		if err := cmd.Run(); err != nil {
			k.Fatalf("%v\n%s", err, stdout)
		}
		rows := rowsOf(k.T, stdout.Bytes())
		seen := map[string]bool{}
		for _, row := range rows {
			seen[row.User] = true
			if row.Outcome != report.Unchanged && (again || row.Outcome != report.Uploaded) || row.SHA256 != k.wanted[row.User] {
				k.Errorf("%+v", row)
			}
		}
		if len(rows) != people || len(seen) != people || again && k.zoom.Requests() != requests {
			k.Errorf("%d rows of %d people, %d requests", len(rows), len(seen), k.zoom.Requests()-requests)
		}
	}
}

// checkLedger: everybody has the wanted picture, and repeats are bounded by what was in flight at the kills.
func (k *killing) checkLedger() {
	last := map[string]string{}
	for _, u := range k.zoom.Uploads() {
		last[u.User] = hex.EncodeToString(u.SHA256[:])
	}
	repeats := 0
	for user, digest := range k.wanted {
		if last[user] != digest {
			k.Errorf("%s was sent %s last, wanted is %s", user, last[user], digest)
		}
		for _, times := range k.faults.honest[user] {
			repeats += times - 1
		}
	}
	if repeats > k.kills*k.workers {
		k.Errorf("%d repeats after %d kills with %d workers", repeats, k.kills, k.workers)
	}
	if len(last) != len(k.wanted) {
		k.Errorf("%d people in the ledger of %d", len(last), len(k.wanted))
	}
	k.Logf("%d repeats", repeats)
}

// TestControlOfTheKilling: the oracle sees a state that forgets, one that invents, and one that blames.
func TestControlOfTheKilling(t *testing.T) {
	const user = "ada@example.com"
	digest := digestOf(face(1))
	for name, test := range map[string]struct {
		honest   map[string]map[string]int
		remember state.Person
	}{
		"invents": {nil, state.Person{Done: digest}},
		"blames":  {nil, state.Person{Refusal: &state.Refusal{}}},
		"forgets": {map[string]map[string]int{user: {digest: 1}}, state.Person{}},
	} {
		probe := &testing.T{}
		k := &killing{T: probe, faults: &faults{honest: test.honest}, dir: t.TempDir(), wanted: map[string]string{user: digest}, workers: 0}
		s, err := state.Open(filepath.Join(k.dir, stateName), "x")
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Put(map[string]state.Person{user: test.remember}); err != nil {
			t.Fatal(err)
		}
		s.Close()
		k.checkState([]byte(strings.Repeat("x", 3)))
		if !probe.Failed() {
			t.Errorf("a state that %s is not seen", name)
		}
	}
}
