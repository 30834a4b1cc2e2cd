package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/time/rate"

	"github.com/zoompic/zoompic/zoomclient"
)

const runWorkers = 8 // as many as zoompic sync has

// measurePace runs at each plan's rate in real time, with the limiter that the command uses.
func (b *bench) measurePace() error {
	var ends, most []part
	for _, run := range []struct{ rate, uploads int }{
		{zoomclient.RateFree, 16}, {zoomclient.RatePro, 120}, {zoomclient.RateBusiness, 360},
	} {
		late := watchLateness()
		seconds, arrivals, err := b.paced(run.rate, run.uploads)
		mostLate := late()
		if err != nil {
			return fmt.Errorf("%d a second: %w", run.rate, err)
		}
		of := fmt.Sprintf("%d at %d/s", run.uploads, run.rate)
		ends = append(ends, part{Of: of, Limit: 1.01, spread: once(seconds * float64(run.rate) / float64(run.uploads))})
		most = append(most, part{Of: of, Limit: float64(run.rate), spread: once(float64(mostInASecond(arrivals)))})
		b.report.note(fmt.Sprintf("paced run of %s: the shortest time in which %d arrived", of, run.rate+1), "%.4f s; without the first two, which connect, %.4f s; this machine woke up to %.1f ms late",
			shortestSpan(arrivals, run.rate+1).Seconds(), shortestSpan(arrivals[2:], run.rate+1).Seconds(), 1000*mostLate.Seconds())
	}
	b.report.add("paced run of N at rate r: time by N/r", "≤ 1.01", ends...)
	b.report.add("paced run: most arrivals at the server in any sliding second", "≤ r", most...)
	return nil
}

// paced returns how long a run of n took, and when its requests came to the server.
func (b *bench) paced(perSecond, n int) (seconds float64, arrivals []time.Time, err error) {
	server, err := startServer(b.dir, 0)
	if err != nil {
		return 0, nil, err
	}
	defer server.stop()
	client, err := zoomclient.New(zoomclient.StaticToken(token), zoomclient.WithBaseURL(server.H2),
		zoomclient.WithLimiter(rate.NewLimiter(rate.Limit(float64(perSecond)/1.005), 1)))
	if err != nil {
		return 0, nil, err
	}
	start := time.Now()
	if err := uploadAll(context.Background(), client, n, runWorkers, b.smallPicture); err != nil {
		return 0, nil, err
	}
	seconds = time.Since(start).Seconds()
	took, err := server.took()
	if err == nil && len(took.Arrivals) != n {
		err = fmt.Errorf("the server took %d of %d", len(took.Arrivals), n)
	}
	slices.SortFunc(took.Arrivals, time.Time.Compare)
	return seconds, took.Arrivals, err
}

// watchLateness returns a function that ends the watch and tells by how much a sleep was too long at most. More than a few
// milliseconds are more than the limiter leaves between a rate and the second: the arrivals then show the machine's pace.
func watchLateness() func() time.Duration {
	stop, most := make(chan struct{}), make(chan time.Duration)
	go func() {
		var late time.Duration
		for {
			select {
			case <-stop:
				most <- late
				return
			default:
				const nap = time.Millisecond
				start := time.Now()
				time.Sleep(nap)
				late = max(late, time.Since(start)-nap)
			}
		}
	}()
	return func() time.Duration { close(stop); return <-most }
}

func (b *bench) smallPicture() (zoomclient.Picture, error) {
	return zoomclient.NewPicture(b.samples[0].data)
}

// mostInASecond is the most of the sorted times that lie within less than a second.
func mostInASecond(times []time.Time) int {
	most, first := 0, 0
	for i, t := range times {
		for t.Sub(times[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
}

// shortestSpan is the least time from the first to the last of n among the sorted times, or 0 if there are fewer.
func shortestSpan(times []time.Time, n int) time.Duration {
	var shortest time.Duration
	for i := n - 1; i < len(times); i++ {
		if span := times[i].Sub(times[i-n+1]); shortest == 0 || span < shortest {
			shortest = span
		}
	}
	return shortest
}

// measureContended shares a limit of 20 a second with another client that takes half of it and knows no mercy.
func (b *bench) measureContended() error {
	server, err := startServer(b.dir, zoomclient.RatePro)
	if err != nil {
		return err
	}
	defer server.stop()

	ctx, stop := context.WithCancel(context.Background())
	other, otherDone := &counter{next: newTransport()}, make(chan error, 1)
	go func() { otherDone <- sendSteadily(ctx, server.Fake, zoomclient.RatePro/2, b.samples[0], other) }()
	ours := &counter{next: newTransport()}
	uploads, start := 0, time.Now()
	client, err := zoomclient.New(zoomclient.StaticToken(token), zoomclient.WithBaseURL(server.Fake), zoomclient.WithHTTPClient(&http.Client{Transport: ours}))
	if err == nil {
		uploads, err = b.uploadFor(client, 20*time.Second)
	}
	seconds := time.Since(start).Seconds()
	stop()
	if otherErr := <-otherDone; err == nil {
		err = otherErr
	}
	if err != nil {
		return err
	}
	b.report.add("contended account, another client takes half the limit: share of ours refused", "< 2 %",
		part{Limit: 2, Unit: " %", spread: once(100 * ours.share())})
	b.report.note("contended account: uploads a second", "%.1f by us; the other client, 10 a second: %.1f %% refused", float64(uploads)/seconds, 100*other.share())
	return nil
}

// uploadFor uploads at the client's own pace for a while, and returns how many succeeded. Runs that give up begin anew.
func (b *bench) uploadFor(client *zoomclient.Client, d time.Duration) (done int, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	for ctx.Err() == nil {
		endless := func(yield func(zoomclient.Upload) bool) {
			for i := 0; yield(zoomclient.Upload{UserID: fmt.Sprintf("user%d@example.com", i), Open: b.smallPicture}); i++ {
			}
		}
		for outcome := range client.UploadPictures(ctx, endless, runWorkers) {
			switch {
			case outcome.Err == nil:
				done++
			case ctx.Err() == nil && !errors.Is(outcome.Err, zoomclient.ErrRateLimited):
				return done, outcome.Err
			}
		}
	}
	return done, nil
}

// sendSteadily posts at a constant rate until ctx ends, whatever the answers are.
func sendSteadily(ctx context.Context, base string, perSecond int, s *sample, transport http.RoundTripper) error {
	client := &http.Client{Transport: transport}
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		body := "--b\r\nContent-Disposition: form-data; name=\"pic_file\"; filename=\"a.jpg\"\r\n\r\n" + string(s.data) + "\r\n--b--\r\n"
		req, err := http.NewRequest(http.MethodPost, base+"/users/other@example.com/picture", strings.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "multipart/form-data; boundary=b")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		resp.Body.Close()
	}
}

// A counter counts requests, and those refused by a rate limit.
type counter struct {
	next          http.RoundTripper
	sent, refused atomic.Int64
}

func (c *counter) RoundTrip(req *http.Request) (*http.Response, error) {
	c.sent.Add(1)
	resp, err := c.next.RoundTrip(req)
	if err == nil && resp.StatusCode == http.StatusTooManyRequests {
		c.refused.Add(1)
	}
	return resp, err
}

func (c *counter) share() float64 { return float64(c.refused.Load()) / float64(max(c.sent.Load(), 1)) }
