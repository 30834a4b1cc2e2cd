package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const mib = 1 << 20

// measureMemory runs zoompic sync with the largest pictures, as many at once as it has workers.
func (b *bench) measureMemory() error {
	for _, run := range []struct{ workers, rows int }{{8, 200}, {8, 800}, {64, 800}} {
		peak, err := b.peakMemory(run.workers, run.rows)
		if err != nil {
			return err
		}
		b.report.add(fmt.Sprintf("peak memory, `zoompic sync` of %d × 2 MB by %d workers", run.rows, run.workers), "≤ 20 MiB + w × 2.5 MiB",
			part{Limit: 20 + 2.5*float64(run.workers), Unit: " MiB", spread: once(peak / mib)})
	}
	return nil
}

// peakMemory is the most memory of a run that sends one file for all rows.
func (b *bench) peakMemory(workers, rows int) (float64, error) {
	server, err := startServer(b.dir, 0)
	if err != nil {
		return 0, err
	}
	defer server.stop()
	dir, err := os.MkdirTemp(b.dir, "memory-")
	if err != nil {
		return 0, err
	}
	picture := b.samples[len(b.samples)-1].data
	if err := os.WriteFile(filepath.Join(dir, "picture.jpg"), picture, 0o644); err != nil {
		return 0, err
	}
	list := []byte("user,file\n")
	for i := range rows {
		list = fmt.Appendf(list, "user%d@example.com,picture.jpg\n", i)
	}
	people := filepath.Join(dir, "people.csv")
	if err := os.WriteFile(people, list, 0o644); err != nil {
		return 0, err
	}
	run, err := b.sync(server.H2, people, workers)
	if err == nil {
		err = server.expect(rows, len(picture))
	}
	return run.peak, err
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

// A scaleRun is what a folder of so many pictures cost, when it was sent and when it was then found unchanged.
type scaleRun struct {
	rows             int
	first, unchanged syncRun
	state            float64 // bytes
}

func (r scaleRun) perRow(v float64) float64 { return v / float64(r.rows) }

// measureScale shows whether a row costs the same however many there are.
func (b *bench) measureScale() error {
	var all [][]scaleRun
	for _, scale := range []struct{ rows, times int }{{1000, b.rounds}, {10_000, min(b.rounds, 3)}, {100_000, 1}} {
		if gone := time.Since(b.start); scale.rows == 100_000 && gone > 200*time.Second && !b.full {
			b.report.leaveOut("sync of 100,000 rows: %.1f of five minutes were gone; -full measures it nevertheless", gone.Minutes())
			break
		}
		var runs []scaleRun
		for range scale.times {
			run, err := b.scale(scale.rows)
			if err != nil {
				return err
			}
			runs = append(runs, run)
		}
		all = append(all, runs)
		b.noteScale(runs)
	}
	for _, g := range []struct {
		measure string
		value   func(scaleRun) float64
	}{
		{"`zoompic sync`, time a row", func(r scaleRun) float64 { return r.perRow(r.first.seconds) }},
		{"`zoompic sync`, CPU a row", func(r scaleRun) float64 { return r.perRow(r.first.cpu) }},
		{"`zoompic sync` unchanged, time a row", func(r scaleRun) float64 { return r.perRow(r.unchanged.seconds) }},
		{"`zoompic sync`, state a row", func(r scaleRun) float64 { return r.perRow(r.state) }},
		{"`zoompic sync`, peak memory", func(r scaleRun) float64 { return r.first.peak }},
	} {
		var parts []part
		base := scaleSpread(all[0], g.value).Median
		for _, runs := range all[1:] {
			by := scaleSpread(runs, func(r scaleRun) float64 { return g.value(r) / base })
			parts = append(parts, part{Of: fmt.Sprintf("%d rows", runs[0].rows), Limit: 1.1, spread: by})
		}
		b.report.add(g.measure+", by that of 1,000 rows", "≤ 1.1", parts...)
	}
	return nil
}

func (b *bench) noteScale(runs []scaleRun) {
	median := func(value func(scaleRun) float64) float64 { return scaleSpread(runs, value).Median }
	b.report.note(fmt.Sprintf("`zoompic sync` of %d rows, a row", runs[0].rows), "%.0f µs, %.0f µs CPU, %.0f bytes of state; peak %.0f MiB",
		median(func(r scaleRun) float64 { return 1e6 * r.perRow(r.first.seconds) }),
		median(func(r scaleRun) float64 { return 1e6 * r.perRow(r.first.cpu) }),
		median(func(r scaleRun) float64 { return r.perRow(r.state) }),
		median(func(r scaleRun) float64 { return r.first.peak / mib }))
	b.report.note(fmt.Sprintf("the same unchanged, %d rows, a row", runs[0].rows), "%.1f µs, %.1f µs CPU; peak %.0f MiB",
		median(func(r scaleRun) float64 { return 1e6 * r.perRow(r.unchanged.seconds) }),
		median(func(r scaleRun) float64 { return 1e6 * r.perRow(r.unchanged.cpu) }),
		median(func(r scaleRun) float64 { return r.unchanged.peak / mib }))
}

func scaleSpread(runs []scaleRun, value func(scaleRun) float64) spread {
	var values []float64
	for _, r := range runs {
		values = append(values, value(r))
	}
	return spreadOf(values)
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
	long := time.Now().Add(-time.Hour)
	for i := range n {
		path := filepath.Join(dir, fmt.Sprintf("user%06d@example.com.jpg", i))
		if err := os.WriteFile(path, picture, 0o644); err != nil {
			return run, err
		}
		if err := os.Chtimes(path, long, long); err != nil { // a file that has just changed is read again
			return run, err
		}
	}
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
