package main

import (
	"flag"
	"fmt"
	"testing"

	"github.com/zoompic/zoompic/zoomclient"
)

// A cell is one client at one size over one protocol: against raw in the same round, and as it was.
type cell struct {
	Protocol string  `json:"protocol"`
	Client   string  `json:"client"`
	Size     string  `json:"size"`
	Wall     spread  `json:"wall_by_raw"`
	CPU      spread  `json:"cpu_by_raw"`
	WallNs   spread  `json:"wall_ns"`
	CPUNs    spread  `json:"cpu_ns"`
	Bytes    float64 `json:"bytes"`  // allocated an upload, the median
	Allocs   float64 `json:"allocs"` // the same

	rounds []testing.BenchmarkResult
}

const cpuMetric = "cpu-ns/op"

// benchmarkUploads is an ordinary benchmark of one upload after another, with the client's processor time.
func benchmarkUploads(b *testing.B, upload uploader) {
	b.ReportAllocs()
	if err := upload(); err != nil { // connects
		b.Fatal(err)
	}
	start := cpuTime()
	for b.Loop() {
		if err := upload(); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(cpuTime()-start)/float64(b.N), cpuMetric)
}

// repeat runs a benchmark n times over.
func repeat(n int, benchmark func(*testing.B)) (testing.BenchmarkResult, error) {
	testing.Init()
	if err := flag.Set("test.benchtime", fmt.Sprintf("%dx", n)); err != nil {
		return testing.BenchmarkResult{}, err
	}
	result := testing.Benchmark(benchmark)
	if result.N != n {
		return result, fmt.Errorf("a benchmark failed after %d of %d", result.N, n)
	}
	return result, nil
}

// measureWire compares the Go clients, one upload after another.
func (b *bench) measureWire() error {
	server, err := startServer(b.dir, 0)
	if err != nil {
		return err
	}
	defer server.stop()
	for _, protocol := range []struct{ name, base string }{{"HTTP/1.1", server.H1}, {"HTTP/2", server.H2}} {
		var cells []*cell
		for _, s := range b.samples {
			row, err := b.measureClients(protocol.base, s)
			if err != nil {
				return fmt.Errorf("%s, %s: %w", protocol.name, s.size, err)
			}
			cells = append(cells, row...)
		}
		for _, c := range clients { // by client, for the table
			for _, cell := range cells {
				if cell.Client == c.name {
					cell.Protocol = protocol.name
					b.report.Wire = append(b.report.Wire, *cell)
				}
			}
		}
	}
	b.addWireGoals()
	return nil
}

// measureClients lets every client have its turn in every round, each round beginning with another one.
func (b *bench) measureClients(base string, s *sample) ([]*cell, error) {
	var cells []*cell
	var uploads []uploader
	for _, c := range clients {
		if !c.measured(s) {
			continue
		}
		upload, err := c.open(base, s)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.name, err)
		}
		cells = append(cells, &cell{Client: c.name, Size: s.size})
		uploads = append(uploads, upload)
	}
	for round := range b.rounds {
		for i := range cells {
			i := (i + round) % len(cells)
			result, err := repeat(s.times, func(b *testing.B) { benchmarkUploads(b, uploads[i]) })
			if err != nil {
				return nil, fmt.Errorf("%s: %w", cells[i].Client, err)
			}
			cells[i].rounds = append(cells[i].rounds, result)
		}
	}
	for _, c := range cells {
		c.compare(cells[0])
	}
	return cells, nil
}

func wallOf(r testing.BenchmarkResult) float64 { return float64(r.T) / float64(r.N) }
func cpuOf(r testing.BenchmarkResult) float64  { return r.Extra[cpuMetric] }

// compare sums up the rounds of c against those of raw.
func (c *cell) compare(raw *cell) {
	c.Wall, c.CPU = ratio(c, raw, wallOf), ratio(c, raw, cpuOf)
	c.WallNs, c.CPUNs = over(c.rounds, wallOf), over(c.rounds, cpuOf)
	c.Bytes = over(c.rounds, func(r testing.BenchmarkResult) float64 { return float64(r.AllocedBytesPerOp()) }).Median
	c.Allocs = over(c.rounds, func(r testing.BenchmarkResult) float64 { return float64(r.AllocsPerOp()) }).Median
}

func over(rounds []testing.BenchmarkResult, value func(testing.BenchmarkResult) float64) spread {
	var values []float64
	for _, r := range rounds {
		values = append(values, value(r))
	}
	return spreadOf(values)
}

// ratio is a to b, round by round.
func ratio(a, b *cell, value func(testing.BenchmarkResult) float64) spread {
	var values []float64
	for i := range a.rounds {
		values = append(values, value(a.rounds[i])/value(b.rounds[i]))
	}
	return spreadOf(values)
}

func (b *bench) addWireGoals() {
	r := &b.report
	wall := func(c *cell) spread { return c.Wall }
	cpu := func(c *cell) spread { return c.CPU }
	for _, g := range []struct {
		client, protocol, wanted string
		limits                   [3]float64 // by size
	}{
		{pictureClient, "HTTP/1.1", "≤ 0.75 / 1.00 / 1.00", [3]float64{0.75, 1, 1}},
		{pictureClient, "HTTP/2", "≤ 1.05", [3]float64{1.05, 1.05, 1.05}},
		{fileClient, "HTTP/1.1", "≤ 1.00 / 1.15 / 1.30", [3]float64{1, 1.15, 1.3}},
		{fileClient, "HTTP/2", "≤ 1.00 / 1.15 / 1.30", [3]float64{1, 1.15, 1.3}},
	} {
		r.add(fmt.Sprintf("`%s`, %s, wall by raw", g.client, g.protocol), g.wanted, r.parts(g.client, g.protocol, g.limits, wall)...)
		r.add(fmt.Sprintf("`%s`, %s, client CPU by raw", g.client, g.protocol), g.wanted, r.parts(g.client, g.protocol, g.limits, cpu)...)
	}
	small := r.cell(pictureClient, "HTTP/1.1", sizes[0].name)
	r.add("an upload of 20 KB from memory, HTTP/1.1", "≤ 5 KB, ≤ 60 allocations",
		part{Limit: 5000, Unit: " bytes", spread: once(small.Bytes)}, part{Limit: 60, Unit: " allocations", spread: once(small.Allocs)})
	for _, protocol := range []string{"HTTP/1.1", "HTTP/2"} {
		for _, peer := range clients {
			if !peer.peer {
				continue
			}
			byPeer := func(c *cell) spread { return ratio(c, r.cell(peer.name, protocol, c.Size), wallOf) }
			r.add(fmt.Sprintf("`%s` by %s, %s, wall", fileClient, peer.name, protocol), "< 1", r.parts(fileClient, protocol, [3]float64{1, 1, 1}, byPeer)...)
		}
		ms := func(of func(*cell) spread) string {
			return joined(r.parts(fileClient, protocol, [3]float64{}, func(c *cell) spread { return once(of(c).Median / 1e6) }))
		}
		r.note(fmt.Sprintf("`%s`, %s, one after another: milliseconds an upload", fileClient, protocol), "wall %s; client CPU %s",
			ms(func(c *cell) spread { return c.WallNs }), ms(func(c *cell) spread { return c.CPUNs }))
	}
}

// parts are the numbers of one client over one protocol, by size.
func (r *report) parts(client, protocol string, limits [3]float64, value func(*cell) spread) []part {
	var parts []part
	for i, size := range sizes {
		parts = append(parts, part{Of: size.name, Limit: limits[i], spread: value(r.cell(client, protocol, size.name))})
	}
	return parts
}

// measureChecks times what NewPicture does with the largest pictures.
func (b *bench) measureChecks() error {
	for _, kind := range []struct {
		name string
		data []byte
	}{{"JPEG", jpegOf(2_000_000)}, {"PNG", pngOf(2_000_000)}} {
		var ms, bytes []float64
		for range b.rounds {
			result, err := repeat(200, func(b *testing.B) { benchmarkCheck(b, kind.data) })
			if err != nil {
				return err
			}
			ms = append(ms, wallOf(result)/1e6)
			bytes = append(bytes, float64(result.AllocedBytesPerOp()))
		}
		b.report.add("picture checks, 2 MB "+kind.name, "≤ 0.5 ms, ≤ 64 KiB",
			part{Limit: 0.5, Unit: " ms", spread: spreadOf(ms)}, part{Limit: 64 << 10, Unit: " bytes", spread: spreadOf(bytes)})
	}
	return nil
}

func benchmarkCheck(b *testing.B, data []byte) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := zoomclient.NewPicture(data); err != nil {
			b.Fatal(err)
		}
	}
}
