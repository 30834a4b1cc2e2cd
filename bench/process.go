package main

import (
	"context"
	_ "embed"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/zoompic/zoompic/zoomclient"
)

const manyUploads = 200 // by one process, 64 in flight

//go:embed fetch.mjs
var fetchScript []byte

// A program is a process that uploads; one that is not on this machine is left out.
type program struct {
	name    string
	command func(base string, s *sample) *exec.Cmd
	wall    []float64 // seconds, by round
	cpu     []float64
}

func (b *bench) measureProcesses() error {
	server, err := startServer(b.dir, 0)
	if err != nil {
		return err
	}
	defer server.stop()
	if err := os.WriteFile(filepath.Join(b.dir, "fetch.mjs"), fetchScript, 0o644); err != nil {
		return err
	}
	for _, s := range b.samples {
		if err := b.compareMany(server, s); err != nil {
			return err
		}
	}
	return b.compareOne(server)
}

// compareMany runs 200 uploads at 64 in flight by each program over HTTP/1.1, all reading the file.
func (b *bench) compareMany(server *server, s *sample) error {
	programs, err := b.installed([]*program{
		{name: picturesClient, command: goProgram(picturesClient)},
		{name: fileClient, command: goProgram(fileClient)},
		{name: rawClient, command: goProgram(rawClient)},
		{name: "curl -Z", command: b.curlMany},
		{name: "Node fetch", command: b.nodeFetch},
		{name: "resty v2", command: goProgram("resty v2")},
	})
	if err != nil {
		return err
	}
	if err := takeTurns(programs, min(b.rounds, 5), server, server.H1, s, manyUploads); err != nil {
		return err
	}
	ours := programs[0]
	for _, p := range programs[1:] {
		measure := fmt.Sprintf("process, %d × %s at %d in flight", manyUploads, s.size, inFlight)
		if p.name == "curl -Z" || p.name == "Node fetch" {
			b.report.add(fmt.Sprintf("%s: `%s` by %s, wall", measure, picturesClient, p.name), "< 1", part{Limit: 1, spread: quotient(ours.wall, p.wall)})
		}
		b.report.note(fmt.Sprintf("%s: `%s` by %s, wall / CPU", measure, picturesClient, p.name), "%s / %s",
			joined([]part{{spread: quotient(ours.wall, p.wall)}}), joined([]part{{spread: quotient(ours.cpu, p.cpu)}}))
	}
	return nil
}

// compareOne uploads one small picture by a process that trusts one certificate, and by one that trusts those of the machine
// too: reading them may take longer than the upload.
func (b *bench) compareOne(server *server) error {
	nobody, everybody := filepath.Join(b.dir, "no-roots"), filepath.Join(b.dir, "roots.pem")
	if err := os.Mkdir(nobody, 0o755); err != nil {
		return err
	}
	machine, err := os.ReadFile(machineRoots)
	if err != nil {
		b.report.leaveOut("one upload with the machine's own certificates: %v", err)
	}
	own, err := os.ReadFile(certFile(b.dir))
	if err != nil {
		return err
	}
	if err := os.WriteFile(everybody, append(own, machine...), 0o644); err != nil {
		return err
	}
	for _, protocol := range []struct{ name, base string }{{"HTTP/1.1", server.H1}, {"HTTP/2", server.H2}} {
		alone, err := b.compareWithCurl(server, protocol.base, trust{certFile(b.dir), nobody})
		if err != nil {
			return err
		}
		measure := fmt.Sprintf("process, one picture of %s, %s", b.samples[0].size, protocol.name)
		if len(alone) > 1 {
			b.report.add(measure+": `zoompic upload` by curl, wall", "≤ 0.6", part{Limit: 0.6, spread: quotient(alone[0].wall, alone[1].wall)})
		}
		b.noteProcesses(measure, alone)
		if machine == nil {
			continue
		}
		withRoots, err := b.compareWithCurl(server, protocol.base, trust{everybody, filepath.Dir(machineRoots)})
		if err != nil {
			return err
		}
		b.noteProcesses(measure+", reading the machine's certificates", withRoots)
	}
	return nil
}

// machineRoots is where Debian and its kin keep the certificates that everybody trusts.
const machineRoots = "/etc/ssl/certs/ca-certificates.crt"

// trust is which certificates a process reads.
type trust struct{ file, dir string }

func (b *bench) compareWithCurl(server *server, base string, t trust) ([]*program, error) {
	programs, err := b.installed([]*program{
		{name: "zoompic upload", command: func(base string, s *sample) *exec.Cmd {
			cmd := exec.Command(b.zoompic, "upload", user, s.path)
			cmd.Env = append(os.Environ(), "SSL_CERT_FILE="+t.file, "SSL_CERT_DIR="+t.dir, "ZOOM_BASE_URL="+base, "ZOOM_ACCESS_TOKEN="+token)
			return cmd
		}},
		{name: "curl", command: func(base string, s *sample) *exec.Cmd {
			return exec.Command("curl", append(curlFlags(base, s, t.file), "--capath", t.dir, "--silent", "--show-error")...)
		}},
	})
	if err != nil {
		return nil, err
	}
	return programs, takeTurns(programs, 5*b.rounds, server, base, b.samples[0], 1)
}

func (b *bench) noteProcesses(measure string, programs []*program) {
	for _, p := range programs {
		b.report.note(measure+": "+p.name, "%.1f ms wall, %.1f ms CPU", 1000*spreadOf(p.wall).Median, 1000*spreadOf(p.cpu).Median)
	}
}

// installed returns the programs that are on this machine.
func (b *bench) installed(programs []*program) ([]*program, error) {
	var found []*program
	for _, p := range programs {
		cmd := p.command("https://127.0.0.1", b.samples[0])
		if cmd.Err != nil {
			b.report.leaveOut("%s: skipped, %v", p.name, cmd.Err)
			continue
		}
		found = append(found, p)
	}
	return found, nil
}

// takeTurns runs every program in every round and makes sure that it did its work.
func takeTurns(programs []*program, rounds int, server *server, base string, s *sample, uploads int) error {
	if _, err := server.took(); err != nil { // what others sent before
		return err
	}
	for round := range rounds {
		for i := range programs {
			p := programs[(i+round)%len(programs)]
			cmd := p.command(base, s)
			start := time.Now()
			output, err := cmd.CombinedOutput()
			wall := time.Since(start)
			if err == nil {
				err = server.expect(uploads, len(s.data))
			}
			if err != nil {
				return fmt.Errorf("%s, %s: %w\n%s", p.name, s.size, err, output)
			}
			p.wall = append(p.wall, wall.Seconds())
			p.cpu = append(p.cpu, (cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()).Seconds())
		}
	}
	return nil
}

// quotient is a by b, round by round.
func quotient(a, b []float64) spread {
	var values []float64
	for i := range a {
		values = append(values, a[i]/b[i])
	}
	return spreadOf(values)
}

// goProgram is this program as a process that uploads by one of its clients.
func goProgram(client string) func(string, *sample) *exec.Cmd {
	return func(base string, s *sample) *exec.Cmd {
		self, err := os.Executable()
		cmd := exec.Command(self, "upload", "-client", client, "-base", base, "-file", s.path, "-n", fmt.Sprint(manyUploads))
		cmd.Err = err
		return cmd
	}
}

// uploadMany is the process that goProgram starts.
func uploadMany(args []string) error {
	flags := flag.NewFlagSet("upload", flag.ExitOnError)
	name := flags.String("client", "", "by whom")
	base := flags.String("base", "", "where to")
	path := flags.String("file", "", "what")
	n := flags.Int("n", 1, "how often")
	flags.Parse(args)

	if *name == picturesClient {
		client, err := newClient(*base, zoomclient.WithExpectContinue(-1))
		if err != nil {
			return err
		}
		return uploadAll(context.Background(), client, *n, inFlight, func() (zoomclient.Picture, error) { return zoomclient.LoadPicture(*path) })
	}
	client, err := findClient(*name)
	if err != nil {
		return err
	}
	data, err := os.ReadFile(*path)
	if err != nil {
		return err
	}
	upload, err := client.open(*base, &sample{data: data, path: *path})
	if err != nil {
		return err
	}
	return atOnce(inFlight, *n, upload)
}

// uploadAll makes open's picture that of n users by UploadPictures, and returns the first failure.
func uploadAll(ctx context.Context, client *zoomclient.Client, n, workers int, open func() (zoomclient.Picture, error)) error {
	uploads := func(yield func(zoomclient.Upload) bool) {
		for i := range n {
			if !yield(zoomclient.Upload{UserID: fmt.Sprintf("user%d@example.com", i), Open: open}) {
				return
			}
		}
	}
	for outcome := range client.UploadPictures(ctx, uploads, workers) {
		if outcome.Err != nil {
			return outcome.Err
		}
	}
	return nil
}

// atOnce makes n uploads, some at once, and returns the first failure.
func atOnce(workers, n int, upload uploader) error {
	ctx, fail := context.WithCancelCause(context.Background())
	defer fail(nil)
	var next atomic.Int64
	var group sync.WaitGroup
	for range workers {
		group.Go(func() {
			for ctx.Err() == nil && next.Add(1) <= int64(n) {
				if err := upload(); err != nil {
					fail(err)
				}
			}
		})
	}
	group.Wait()
	return context.Cause(ctx)
}

// curlMany names every upload on its own: over a range of URLs, curl sends a form's file once only.
func (b *bench) curlMany(base string, s *sample) *exec.Cmd {
	flags := []string{"--parallel", "--parallel-max", fmt.Sprint(inFlight), "--silent", "--show-error"}
	for i := range manyUploads {
		if i > 0 {
			flags = append(flags, "--next")
		}
		flags = append(flags, curlFlags(base, s, certFile(b.dir))...)
	}
	return exec.Command("curl", flags...)
}

func curlFlags(base string, s *sample, cert string) []string {
	return []string{"--fail", "--cacert", cert, "--output", "/dev/null",
		"--header", "Authorization: Bearer " + token, "--form", "pic_file=@" + s.path, pictureURL(base)}
}

func (b *bench) nodeFetch(base string, s *sample) *exec.Cmd {
	return exec.Command("node", filepath.Join(b.dir, "fetch.mjs"), base, s.path, fmt.Sprint(manyUploads), fmt.Sprint(inFlight), token)
}
