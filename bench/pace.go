package main

import (
	"context"
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

// measurePace runs at each plan's rate in real time, with the limiter that the library and the command use.
func (b *bench) measurePace() error {
	var ends, most []part
	for _, run := range []struct{ rate, uploads int }{
		{zoomclient.RateFree, 16}, {zoomclient.RatePro, 120}, {zoomclient.RateBusiness, 360},
	} {
		seconds, inOneSecond, err := b.paced(run.rate, run.uploads)
		if err != nil {
			return fmt.Errorf("%d a second: %w", run.rate, err)
		}
		of := fmt.Sprintf("%d × %d/s", run.uploads, run.rate)
		ideal := float64(run.uploads) / float64(run.rate)
		ends = append(ends, part{Of: of, Limit: 1.01, spread: once(seconds / ideal)})
		most = append(most, part{Of: of, Limit: float64(run.rate), spread: once(float64(inOneSecond))})
	}
	b.report.add("paced run of N at rate r: time by N/r", "≤ 1.01", ends...)
	b.report.add("paced run: most arrivals in any sliding second", "≤ r", most...)
	return nil
}

// paced returns how long a run of n took, and the most arrivals at the server within a second.
func (b *bench) paced(perSecond, n int) (seconds float64, inOneSecond int, err error) {
	server, err := startServer(b.dir, 0)
	if err != nil {
		return 0, 0, err
	}
	defer server.stop()
	client, err := zoomclient.New(zoomclient.StaticToken(token), zoomclient.WithBaseURL(server.H2),
		zoomclient.WithLimiter(rate.NewLimiter(rate.Limit(float64(perSecond)/1.005), 1)))
	if err != nil {
		return 0, 0, err
	}
	pic, err := zoomclient.NewPicture(b.samples[0].data)
	if err != nil {
		return 0, 0, err
	}
	start := time.Now()
	err = atOnce(runWorkers, n, func() error {
		_, err := client.UploadPicture(context.Background(), user, pic)
		return err
	})
	seconds = time.Since(start).Seconds()
	took, tookErr := server.took()
	if err == nil {
		err = tookErr
	}
	if err == nil && len(took.Arrivals) != n {
		err = fmt.Errorf("the server took %d of %d", len(took.Arrivals), n)
	}
	return seconds, mostInASecond(took.Arrivals), err
}

func mostInASecond(arrivals []time.Time) int {
	slices.SortFunc(arrivals, time.Time.Compare)
	most, first := 0, 0
	for i, t := range arrivals {
		for t.Sub(arrivals[first]) >= time.Second {
			first++
		}
		most = max(most, i-first+1)
	}
	return most
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

// uploadFor uploads with the client's own pace for a while, and returns how many did not fail.
func (b *bench) uploadFor(client *zoomclient.Client, d time.Duration) (int, error) {
	pic, err := zoomclient.NewPicture(b.samples[0].data)
	if err != nil {
		return 0, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	var done atomic.Int64
	err = atOnce(runWorkers, 1<<30, func() error {
		_, err := client.UploadPicture(ctx, user, pic)
		if err == nil {
			done.Add(1)
		}
		return ctx.Err() // a refused upload is counted on the wire; the next one goes on
	})
	if ctx.Err() != nil {
		err = nil
	}
	return int(done.Load()), err
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
