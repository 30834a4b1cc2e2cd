package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"runtime"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/semaphore"

	"github.com/zoompic/zoompic/internal/source"
	"github.com/zoompic/zoompic/internal/state"
	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/portrait"
)

// What bounds the memory of sync --fit: for each core a file of at most source.MaxFileSize; pixels being decoded, 2 to 29 bytes
// each as package portrait says; and fitted pictures of at most --max-bytes that wait to be sent, besides those being sent.
const (
	fitAhead      = 32         // pictures that wait, and one more for each core
	pixelsPerCore = 12_500_000 // decoded at a time, on all cores together
	pixelsAtLeast = 50_000_000 // of them: the largest picture that portrait decodes
	thumbnailSide = 192        // twice what a report shows
)

// A fitter makes the pictures of a source fit.
type fitter struct {
	source  *source.Source
	options portrait.Options
	fit     fitFunc
	budget  int64
	pixels  *semaphore.Weighted // of budget: how many are decoded at a time
}

// A fitFunc is portrait.FitContext, or a test's.
type fitFunc func(context.Context, []byte, portrait.Options) (zoomclient.Picture, portrait.Report, error)

func newFitter(c *command, src *source.Source, options portrait.Options) *fitter {
	budget := max(pixelsAtLeast, pixelsPerCore*int64(runtime.GOMAXPROCS(0)))
	f := &fitter{source: src, options: options, fit: portrait.FitContext, budget: budget, pixels: semaphore.NewWeighted(budget)}
	if c.fitFunc != nil {
		f.fit = c.fitFunc
	}
	return f
}

// read reads a row's file and checks what can be known without decoding it.
func (f *fitter) read(row *source.Row) ([]byte, state.Seen, error) {
	now := time.Now()
	data, stamp, err := f.source.Bytes(row)
	if err != nil {
		return nil, state.Seen{}, err
	}
	found, err := portrait.Inspect(data, f.options)
	if err != nil {
		return nil, state.Seen{}, err
	}
	return data, state.Seen{
		File: row.File, Stamp: stamp, SHA256: f.digest(data), At: now,
		Type: "image/" + strings.ToLower(found.Format), Width: found.Width, Height: found.Height,
		GPS: found.GPS, Fit: f.options.String(), Fits: found.Fits,
	}, nil
}

// digest changes with the file and with the options.
func (f *fitter) digest(data []byte) string {
	sum := sha256.Sum256(data)
	sum = sha256.Sum256(append(sum[:], f.options.String()...))
	return hex.EncodeToString(sum[:])
}

// A fitted is what was made of a row's file.
type fitted struct {
	pic    zoomclient.Picture
	report portrait.Report
	seen   state.Seen
	err    error
}

// make reads a row's file and makes it fit, when there is memory for its pixels.
func (f *fitter) make(ctx context.Context, row *source.Row, options portrait.Options) *fitted {
	data, seen, err := f.read(row)
	made := &fitted{seen: seen, err: err}
	if err != nil {
		return made
	}
	pixels := min(int64(seen.Width)*int64(seen.Height), f.budget)
	if made.err = f.pixels.Acquire(ctx, pixels); made.err != nil {
		return made
	}
	defer f.pixels.Release(pixels)
	made.pic, made.report, made.err = f.fit(ctx, data, options)
	return made
}

// preview is what was made of a row's file, or will be, in small.
func (f *fitter) preview(ctx context.Context, row *source.Row) ([]byte, error) {
	small := f.options
	small.MaxSide = min(small.MaxSide, thumbnailSide)
	made := f.make(ctx, row, small)
	return bytesOf(made.pic), made.err
}

// A fitting makes the pictures of a queue fit ahead of their uploads, in the queue's order, on all cores.
type fitting struct {
	ctx     context.Context
	ahead   chan struct{} // an element for each picture that is being made or waits to be taken
	stop    func()
	running sync.WaitGroup
}

// start begins with a queue. It ends with ctx or at an interrupt, and must be stopped.
func (f *fitter) start(ctx, interrupt context.Context, queue []*item) *fitting {
	ctx, cancel := context.WithCancelCause(ctx)
	heed := context.AfterFunc(interrupt, func() { cancel(errInterrupted) })
	cores := runtime.GOMAXPROCS(0)
	p := &fitting{ctx: ctx, ahead: make(chan struct{}, fitAhead+cores)}
	p.stop = func() {
		heed()
		cancel(nil)
		p.running.Wait()
	}
	for _, it := range queue {
		it.fitted = make(chan *fitted, 1)
	}
	next := make(chan *item)
	p.running.Go(func() {
		defer close(next)
		p.dispatch(queue, next)
	})
	for range cores {
		p.running.Go(func() {
			for it := range next {
				it.fitted <- f.make(ctx, it.row, f.options)
			}
		})
	}
	return p
}

// dispatch hands out the queue, never further ahead than there is room for.
func (p *fitting) dispatch(queue []*item, next chan<- *item) {
	for _, it := range queue {
		select {
		case p.ahead <- struct{}{}:
		case <-p.ctx.Done():
			return
		}
		select {
		case next <- it:
		case <-p.ctx.Done():
			return
		}
	}
}

// take waits for an item's picture. The earliest that was not taken is always being made or done, so that none waits for ever.
func (p *fitting) take(it *item) (*fitted, error) {
	select {
	case made := <-it.fitted:
		<-p.ahead
		return made, made.err
	case <-p.ctx.Done():
		return nil, context.Cause(p.ctx)
	}
}
