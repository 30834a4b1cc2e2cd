package zoomclient

import (
	"context"
	"sync"
	"time"
)

// A throttle keeps a client's attempts further apart after a rate limit that others of the account use up too, and lets them
// come closer again with every success: Zoom counts all apps of an account together, and a client that went on at its own
// pace after every pause would be refused again and again.
type throttle struct {
	mu    sync.Mutex
	last  time.Time     // of the last attempt
	usual time.Duration // between attempts, smoothed; 0: not known
	gap   time.Duration // kept between attempts; 0: none
	next  time.Time     // when the next attempt may begin
	calm  time.Time     // refusals before this time belong to one that was answered to already
}

const (
	throttleUp   = 2   // a refusal makes the gap longer by 1/throttleUp
	throttleDown = 500 // a success makes it shorter by 1/throttleDown
	maxGap       = time.Second
	minGap       = time.Millisecond
)

// wait keeps the gap. Nobody holds a turn before it has come: who gives up while it waits costs the others nothing.
func (t *throttle) wait(ctx context.Context) error {
	for {
		d := t.take(time.Now())
		if d == 0 {
			return ctx.Err()
		}
		if err := sleep(ctx, d); err != nil {
			return err
		}
	}
}

// take takes the turn if it has come, or returns when it will.
func (t *throttle) take(now time.Time) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gap > 0 && t.next.After(now) {
		return t.next.Sub(now)
	}
	t.next = now.Add(t.gap)
	return 0
}

// begins notes an attempt. What comes a second or more after another is no pace.
func (t *throttle) begins(now time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch interval := now.Sub(t.last); {
	case interval >= time.Second:
		t.usual = 0
	case t.usual == 0:
		t.usual = interval
	default:
		t.usual += (interval - t.usual) / 8
	}
	t.last = now
}

// refused makes the gap longer, once for all refusals until the limit's pause is over.
func (t *throttle) refused(now, pauseEnds time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if now.Before(t.calm) {
		return
	}
	t.calm = pauseEnds
	longer := max(t.gap, t.usual)
	t.gap = min(longer+longer/throttleUp, maxGap)
}

// taken makes the gap shorter.
func (t *throttle) taken() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.gap -= t.gap / throttleDown; t.gap < minGap {
		t.gap = 0
	}
}
