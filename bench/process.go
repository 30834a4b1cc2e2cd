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
	for _, protocol := range []struct{ name, base string }{{"HTTP/1.1", server.H1}, {"HTTP/2", server.H2}} {
		if err := b.compareOne(server, protocol.name, protocol.base); err != nil {
			return err
		}
	}
	return nil
}

// compareMany runs 200 uploads at 64 in flight by each program over HTTP/1.1, all reading the file.
func (b *bench) compareMany(server *server, s *sample) error {
	programs, err := b.installed([]*program{
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
			b.report.add(fmt.Sprintf("%s: `%s` by %s, wall", measure, fileClient, p.name), "< 1", part{Limit: 1, spread: quotient(ours.wall, p.wall)})
			continue
		}
		b.report.note(fmt.Sprintf("%s: `%s` by %s, wall / CPU", measure, fileClient, p.name), "%s / %s",
			joined([]part{{spread: quotient(ours.wall, p.wall)}}), joined([]part{{spread: quotient(ours.cpu, p.cpu)}}))
	}
	return nil
}

// compareOne uploads one small picture by a process.
func (b *bench) compareOne(server *server, protocol, base string) error {
	s := b.samples[0]
	programs, err := b.installed([]*program{
		{name: "zoompic upload", command: b.zoompicUpload},
		{name: "curl", command: b.curl},
	})
	if err != nil {
		return err
	}
	if err := takeTurns(programs, 5*b.rounds, server, base, s, 1); err != nil {
		return err
	}
	ours := programs[0]
	for _, p := range programs[1:] {
		b.report.add(fmt.Sprintf("process, one picture of %s, %s: `%s` by %s, wall", s.size, protocol, ours.name, p.name), "≤ 0.6",
			part{Limit: 0.6, spread: quotient(ours.wall, p.wall)})
	}
	b.report.note(fmt.Sprintf("process, one picture of %s, %s: `%s`", s.size, protocol, ours.name), "%.1f ms wall, %.1f ms CPU",
		spreadOf(ours.wall).Median*1000, spreadOf(ours.cpu).Median*1000)
	return nil
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

// atOnce makes n uploads, some at once, and returns the first failure.
func atOnce(workers, n int, upload uploader) error {
	ctx, fail := context.WithCancelCause(context.Background())
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

func (b *bench) zoompicUpload(base string, s *sample) *exec.Cmd {
	cmd := exec.Command(b.zoompic, "upload", user, s.path)
	cmd.Env = append(os.Environ(), "ZOOM_BASE_URL="+base, "ZOOM_ACCESS_TOKEN="+token)
	return cmd
}

func (b *bench) curl(base string, s *sample) *exec.Cmd {
	return b.curlTo(pictureURL(base), s)
}

func (b *bench) curlMany(base string, s *sample) *exec.Cmd {
	users := fmt.Sprintf("%s/users/user[1-%d]@example.com/picture", base, manyUploads)
	return b.curlTo(users, s, "-Z", "--parallel-max", fmt.Sprint(inFlight))
}

func (b *bench) curlTo(url string, s *sample, flags ...string) *exec.Cmd {
	flags = append(flags, "--silent", "--show-error", "--fail", "--cacert", certFile(b.dir), "--output", "/dev/null",
		"--header", "Authorization: Bearer "+token, "--form", "pic_file=@"+s.path)
	return exec.Command("curl", append(flags, url)...)
}

func (b *bench) nodeFetch(base string, s *sample) *exec.Cmd {
	return exec.Command("node", filepath.Join(b.dir, "fetch.mjs"), base, s.path, fmt.Sprint(manyUploads), fmt.Sprint(inFlight), token)
}
