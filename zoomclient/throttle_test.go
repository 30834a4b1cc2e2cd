package zoomclient

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/time/rate"
)

// A limitedAccount takes so many requests in any sliding second, whoever sends them.
type limitedAccount struct {
	mu       sync.Mutex
	limit    int
	recent   []time.Time
	arrivals []time.Time // of ours
	refused  int         // of ours
}

func (a *limitedAccount) takes(now time.Time) bool {
	a.recent = slices.DeleteFunc(a.recent, func(t time.Time) bool { return now.Sub(t) >= time.Second })
	if len(a.recent) >= a.limit {
		return false
	}
	a.recent = append(a.recent, now)
	return true
}

func (a *limitedAccount) RoundTrip(req *http.Request) (*http.Response, error) {
	a.mu.Lock()
	now := time.Now()
	a.arrivals = append(a.arrivals, now)
	taken := a.takes(now)
	if !taken {
		a.refused++
	}
	a.mu.Unlock()
	time.Sleep(100 * time.Millisecond) // of Zoom's work
	if !taken {
		return answers(429, tooMany, "X-RateLimit-Type", "QPS")(req)
	}
	return answers(201, "")(req)
}

// share is what another app of the account sends.
func (a *limitedAccount) share(perSecond int, stop <-chan struct{}) {
	for {
		select {
		case <-time.After(time.Second / time.Duration(perSecond)):
			a.mu.Lock()
			a.takes(time.Now())
			a.mu.Unlock()
		case <-stop:
			return
		}
	}
}

// sendAll uploads n pictures with eight workers and returns how long that took.
func (a *limitedAccount) sendAll(t *testing.T, n int, change func(*Client), opts ...Option) time.Duration {
	t.Helper()
	client, err := New(StaticToken("T"), append([]Option{WithHTTPClient(&http.Client{Transport: a}), WithRetry(Retry{MaxAttempts: 50, MaxWait: time.Hour})}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	change(client)
	uploads := func(yield func(Upload) bool) {
		pic := smallPNG(t)
		for i := range n {
			if !yield(Upload{fmt.Sprint(i), func() (Picture, error) { return pic, nil }}) {
				return
			}
		}
	}
	start := time.Now()
	for o := range client.UploadPictures(t.Context(), uploads, 8) {
		if o.Err != nil {
			t.Fatal(o.Err)
		}
	}
	return time.Since(start)
}

// TestPace: no sliding second holds more than the plan allows, and the run takes no longer than that needs.
func TestPace(t *testing.T) {
	for _, perSecond := range []int{RateFree, RatePro, RateBusiness} {
		t.Run(fmt.Sprint(perSecond), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				account := &limitedAccount{limit: perSecond}
				n := 30 * perSecond
				limiter := rate.NewLimiter(rate.Limit(float64(perSecond)/1.005), 1)
				spent := account.sendAll(t, n, func(*Client) {}, WithLimiter(limiter))
				if most := 30*time.Second*101/100 + 100*time.Millisecond; account.refused != 0 || spent > most {
					t.Errorf("%d refused, %v, want at most %v", account.refused, spent, most)
				}
				for i := perSecond; i < n; i++ {
					if account.arrivals[i].Sub(account.arrivals[i-perSecond]) < time.Second {
						t.Fatalf("%d requests within a second", perSecond+1)
					}
				}
			})
		})
	}
}

// TestContendedAccount: another app uses half of the limit. Refusals stay few, and most of what is left is used.
func TestContendedAccount(t *testing.T) {
	run := func(change func(*Client)) (share, used float64) {
		synctest.Test(t, func(t *testing.T) {
			account, stop := &limitedAccount{limit: RatePro}, make(chan struct{})
			go account.share(RatePro/2, stop)
			const n = 3000
			spent := account.sendAll(t, n, change)
			close(stop)
			share = float64(account.refused) / float64(len(account.arrivals))
			used = n / spent.Seconds() / (RatePro / 2)
		})
		return share, used
	}
	share, used := run(func(*Client) {})
	t.Logf("%.2f %% refused, %.0f %% of what was left used", 100*share, 100*used)
	if share >= 0.02 || used < 0.7 {
		t.Errorf("%.2f %% were refused, and %.0f %% of what was left used", 100*share, 100*used)
	}
	if share, _ := run(func(c *Client) { c.throttle.calm = time.Now().Add(1000 * time.Hour) }); share < 0.04 {
		t.Errorf("the control: without the throttle only %.2f %% were refused", 100*share)
	}
}

// TestGivenUpTurnsCostNothing: those that wait behind many who gave up have their turn as if these had never been.
func TestGivenUpTurnsCostNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		throttle := throttle{gap: time.Second, next: time.Now().Add(time.Second)}
		var group sync.WaitGroup
		for range 100 {
			group.Go(func() {
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
				defer cancel()
				if err := throttle.wait(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Error(err)
				}
			})
		}
		group.Wait()
		start := time.Now()
		for range 3 { // and those who do not give up keep the gap
			group.Go(func() {
				if err := throttle.wait(t.Context()); err != nil {
					t.Error(err)
				}
			})
		}
		group.Wait()
		if spent := time.Since(start); spent != 2990*time.Millisecond {
			t.Errorf("three turns took %v", spent)
		}
	})
}
