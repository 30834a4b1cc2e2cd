package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// measureMemory runs zoompic sync with the largest pictures, as many at once as it has workers.
func (b *bench) measureMemory() error {
	const mib = 1 << 20
	for _, run := range []struct{ workers, rows int }{{8, 200}, {8, 800}, {64, 800}} {
		server, err := startServer(b.dir, 0)
		if err != nil {
			return err
		}
		defer server.stop()
		dir, err := os.MkdirTemp(b.dir, "memory-")
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "picture.jpg"), b.samples[2].data, 0o644); err != nil {
			return err
		}
		var list strings.Builder
		list.WriteString("user,file\n")
		for i := range run.rows {
			fmt.Fprintf(&list, "user%d@example.com,picture.jpg\n", i)
		}
		csv := filepath.Join(dir, "people.csv")
		if err := os.WriteFile(csv, []byte(list.String()), 0o644); err != nil {
			return err
		}
		sync, err := b.sync(server.H2, csv, run.workers)
		if err == nil {
			err = server.expect(run.rows, len(b.samples[2].data))
		}
		if err != nil {
			return err
		}
		b.report.add(fmt.Sprintf("peak memory, `zoompic sync` of %d × 2 MB by %d workers", run.rows, run.workers), "≤ 20 MiB + w × 2.5 MiB",
			part{Limit: 20 + 2.5*float64(run.workers), Unit: " MiB", spread: once(sync.peak / mib)})
	}
	return nil
}

// A syncRun is what one run of zoompic sync cost.
type syncRun struct {
	seconds, cpu float64
	peak         float64 // bytes of memory
	output       string
}

// sync runs zoompic sync without a limit, quietly.
func (b *bench) sync(base, source string, workers int) (syncRun, error) {
	cmd := exec.Command(b.zoompic, "sync", source, "--quiet", "--rate", "1e9", "--workers", fmt.Sprint(workers))
	cmd.Env = append(os.Environ(), "ZOOM_BASE_URL="+base, "ZOOM_ACCESS_TOKEN="+token)
	start := time.Now()
	output, peak, err := runPeak(cmd)
	run := syncRun{time.Since(start).Seconds(), 0, peak, string(output)}
	if err != nil {
		return run, fmt.Errorf("zoompic sync: %w\n%s", err, output)
	}
	run.cpu = (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds()
	return run, nil
}

// A scaleRun is a folder of n pictures that was sent, and then found unchanged.
type scaleRun struct {
	rows             int
	first, unchanged syncRun
	state            float64 // bytes
}

func (r scaleRun) perRow(seconds float64) float64 { return seconds / float64(r.rows) }

// measureScale shows whether a row costs the same however many there are.
func (b *bench) measureScale() error {
	var runs []scaleRun
	for _, n := range []int{1000, 10_000, 100_000} {
		if gone := time.Since(b.start); n == 100_000 && gone > 200*time.Second && !b.full {
			b.report.leaveOut("sync of %d rows: %.1f of five minutes were gone; -full measures it nevertheless", n, gone.Minutes())
			break
		}
		run, err := b.scale(n)
		if err != nil {
			return err
		}
		runs = append(runs, run)
		b.report.note(fmt.Sprintf("`zoompic sync` of %d rows", n), "%.0f µs (%.0f µs CPU) and %.0f bytes of state a row, peak %.0f MiB; unchanged: %.1f µs (%.1f µs CPU) a row, peak %.0f MiB",
			1e6*run.perRow(run.first.seconds), 1e6*run.perRow(run.first.cpu), run.state/float64(n), run.first.peak/(1<<20), 1e6*run.perRow(run.unchanged.seconds), 1e6*run.perRow(run.unchanged.cpu), run.unchanged.peak/(1<<20))
	}
	growth := func(of func(scaleRun) float64) []part {
		var parts []part
		for _, r := range runs[1:] {
			parts = append(parts, part{Of: fmt.Sprintf("%d rows", r.rows), Limit: 1.1, spread: once(of(r) / of(runs[0]))})
		}
		return parts
	}
	b.report.add("sync, time a row, by that of 1,000 rows", "≤ 1.1", growth(func(r scaleRun) float64 { return r.perRow(r.first.seconds) })...)
	b.report.add("sync unchanged, time a row, by that of 1,000 rows", "≤ 1.1", growth(func(r scaleRun) float64 { return r.perRow(r.unchanged.seconds) })...)
	b.report.add("sync, state a row, by that of 1,000 rows", "≤ 1.1", growth(func(r scaleRun) float64 { return r.state / float64(r.rows) })...)
	b.report.add("sync, peak memory, by that of 1,000 rows", "≤ 1.1", growth(func(r scaleRun) float64 { return r.first.peak })...)
	return nil
}

// scale syncs a folder of n small pictures to a fake Zoom in another process, twice.
func (b *bench) scale(n int) (scaleRun, error) {
	run := scaleRun{rows: n}
	server, err := startServer(b.dir, 0)
	if err != nil {
		return run, err
	}
	defer server.stop()
	dir, err := os.MkdirTemp(b.dir, "scale-")
	if err != nil {
		return run, err
	}
	defer os.RemoveAll(dir)
	picture := jpegOf(2000) // the rows are measured, not the bytes
	for i := range n {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("user%06d@example.com.jpg", i)), picture, 0o644); err != nil {
			return run, err
		}
	}
	time.Sleep(3 * time.Second) // so that a file's time of change is one that sync can rely on
	if run.first, err = b.sync(server.Fake, dir, runWorkers); err != nil {
		return run, err
	}
	if err := said(run.first, fmt.Sprintf("%d uploaded", n)); err != nil {
		return run, err
	}
	state, err := os.Stat(filepath.Join(dir, ".zoompic.state"))
	if err != nil {
		return run, err
	}
	run.state = float64(state.Size())
	if run.unchanged, err = b.sync(server.Fake, dir, runWorkers); err != nil {
		return run, err
	}
	return run, said(run.unchanged, fmt.Sprintf("%d unchanged", n))
}

// said fails unless the summary of a run has these words; it groups digits by commas.
func said(run syncRun, words string) error {
	if !strings.Contains(strings.ReplaceAll(run.output, ",", ""), words) {
		return fmt.Errorf("zoompic sync did not say %q:\n%s", words, run.output)
	}
	return nil
}
