package main

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"golang.org/x/term"

	"github.com/zoompic/zoompic/internal/report"
)

// How often the progress is shown: a bar moves, lines of a log add up.
const (
	barInterval  = 500 * time.Millisecond
	lineInterval = 10 * time.Second
	longPause    = 5 * time.Second // gets a line of its own
)

// A progress shows on standard error how a run goes: as a bar on a terminal, else as a line now and then.
type progress struct {
	*command
	quiet    bool
	terminal *os.File                 // standard error, if it is one
	bar      *progressbar.ProgressBar // nil: lines are written instead

	checked time.Time // when that was last told

	mu                  sync.Mutex
	begun               time.Time
	total, done, failed int
	retries             int
	resumes             time.Time // the end of a pause
	announced           time.Time // the end of the pause that was last shown as a line

	underWay map[string]time.Time // users whose upload is, and until when it only waits for its next attempt

	quit, gone chan struct{}
}

// newProgress makes the command's standard error fit for several writers at once.
func newProgress(c *command, quiet bool) *progress {
	p := &progress{command: c, quiet: quiet, underWay: map[string]time.Time{}}
	if f, ok := c.stderr.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.terminal = f
	}
	c.stderr = &lockedWriter{next: c.stderr}
	return p
}

type lockedWriter struct {
	mu   sync.Mutex
	next io.Writer
}

func (w *lockedWriter) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.next.Write(b)
}

// checking tells now and then how far the checks are: a slow network drive takes its time.
func (p *progress) checking(done, total int) {
	if now := time.Now(); p.checked.IsZero() {
		p.checked = now
	} else if now.Sub(p.checked) >= lineInterval && !p.quiet {
		p.checked = now
		fmt.Fprintf(p.stderr, "zoompic: checked %d of %d\n", done, total)
	}
}

// start shows the progress of the items that have no outcome yet, until stop.
func (p *progress) start(items []*item) {
	p.begun = time.Now()
	for _, it := range items {
		if it.outcome == "" {
			p.total++
		}
	}
	if p.quiet || p.total == 0 {
		return
	}
	interval := lineInterval
	if p.terminal != nil && !p.verbose {
		interval = barInterval
		p.bar = progressbar.NewOptions(p.total, progressbar.OptionSetWriter(p.terminal), progressbar.OptionSetDescription("uploading"), progressbar.OptionShowCount(),
			progressbar.OptionSetPredictTime(false), progressbar.OptionFullWidth(), progressbar.OptionSetElapsedTime(false), progressbar.OptionClearOnFinish())
	}
	p.quit, p.gone = make(chan struct{}), make(chan struct{})
	go p.show(interval)
}

func (p *progress) stop() {
	if p.quit == nil {
		return
	}
	close(p.quit)
	<-p.gone
	if p.bar != nil {
		p.bar.Finish()
	}
}

func (p *progress) show(interval time.Duration) {
	defer close(p.gone)
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		select {
		case <-p.quit:
			return
		case <-tick.C:
			p.mu.Lock()
			done, text := p.done, p.text(time.Now())
			p.mu.Unlock()
			if p.bar == nil {
				fmt.Fprintf(p.stderr, "zoompic: %d of %d%s\n", done, p.total, text)
				continue
			}
			p.bar.Describe("uploading" + text)
			p.bar.Set(done)
		}
	}
}

// text is what is known beside the count.
func (p *progress) text(now time.Time) string {
	var text string
	if spent := now.Sub(p.begun); p.done > 0 && spent > 0 {
		perSecond := float64(p.done) / spent.Seconds()
		left := time.Duration(float64(p.total-p.done) / perSecond * float64(time.Second))
		text = fmt.Sprintf(", %.1f/s, %v left", perSecond, left.Round(time.Second))
	}
	if p.failed > 0 {
		text += fmt.Sprintf(", %d failed", p.failed)
	}
	if p.retries > 0 {
		text += fmt.Sprintf(", %d tried again", p.retries)
	}
	if pause := p.resumes.Sub(now); pause > 0 {
		text += fmt.Sprintf(", rate limited, %v", pause.Round(time.Second))
	}
	return text
}

func (p *progress) ended(it *item) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.done++
	if it.outcome == report.Failed {
		p.failed++
	}
}

func (p *progress) retried() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.retries++
}

// paused notes that nothing is sent for d. All uploads that wait say so, but it is shown once.
func (p *progress) paused(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	until := time.Now().Add(d)
	if until.After(p.resumes) {
		p.resumes = until
	}
	if p.bar == nil && !p.quiet && d >= longPause && until.Sub(p.announced) > time.Second {
		p.announced = until
		fmt.Fprintf(p.stderr, "zoompic: rate limited, going on in %v\n", d.Round(time.Second))
	}
}

// began and ceased are the ends of an upload.
func (p *progress) began(user string) { p.waits(user, 0) }

func (p *progress) ceased(user string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.underWay, user)
}

// waits notes that an upload does nothing for d.
func (p *progress) waits(user string, d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.underWay[user] = time.Now().Add(d)
}

// inFlight is the number of uploads that do more than wait.
func (p *progress) inFlight() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, until := range p.underWay {
		if !time.Now().Before(until) {
			n++
		}
	}
	return n
}

// ending is told even with --quiet: somebody sits and waits.
func (p *progress) ending(inFlight int, why error) {
	if p.bar != nil {
		p.bar.Clear()
	}
	told, hint := "interrupted", "; again to stop at once"
	if why == errTimeout {
		told, hint = why.Error(), "" // no signal has come yet
	}
	fmt.Fprintf(p.stderr, "zoompic: %s: waiting up to %.0f s for %s%s\n", told, grace.Seconds(), plural(inFlight, "upload"), hint)
}

// logger counts what the client logs, and passes it on with --verbose.
func (p *progress) logger() *slog.Logger { return slog.New(&watcher{p, p.logTo()}) }

type watcher struct {
	progress *progress
	next     slog.Handler
}

func (w *watcher) Enabled(_ context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn || w.progress.verbose
}

func (w *watcher) Handle(ctx context.Context, record slog.Record) error {
	var user string
	var delay time.Duration
	record.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "user":
			user = a.Value.String()
		case "delay":
			delay = a.Value.Duration()
		}
		return true
	})
	switch record.Message {
	case "zoom: trying again":
		w.progress.retried()
		w.progress.waits(user, delay)
	case "zoom: rate limited":
		w.progress.paused(delay)
		w.progress.waits(user, delay)
	}
	if !w.progress.verbose {
		return nil
	}
	return w.next.Handle(ctx, record)
}

func (w *watcher) WithAttrs(attrs []slog.Attr) slog.Handler {
	return &watcher{w.progress, w.next.WithAttrs(attrs)}
}
func (w *watcher) WithGroup(name string) slog.Handler {
	return &watcher{w.progress, w.next.WithGroup(name)}
}
