package zoomclient

import (
	"context"
	"sync"
	"time"
)

// A pause holds back every upload of a client while a rate limit of Zoom lasts.
type pause struct {
	mu    sync.Mutex
	until time.Time
	cause Error // the answer that asked for it
}

// extend makes the pause last at least to until.
func (p *pause) extend(until time.Time, cause *Error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if until.After(p.until) {
		p.until, p.cause = until, *cause
	}
}

// remaining returns how much longer the pause lasts; 0 if there is none.
func (p *pause) remaining() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	return max(time.Until(p.until), 0)
}

// reason returns a copy of the answer that asked for the pause.
func (p *pause) reason() *Error {
	p.mu.Lock()
	defer p.mu.Unlock()
	cause := p.cause
	return &cause
}

// sleep waits for d, or until ctx ends.
func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 { // no timer: one that is due at once crashes Go 1.26 under testing/synctest with the race detector
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return ctx.Err()
	case <-ctx.Done():
		return ctx.Err()
	}
}
