package main

import (
	"flag"
	"fmt"
	"log"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A bench is one run of everything.
type bench struct {
	rounds  int
	full    bool
	zoompic string // the command, built
	dir     string // for files, removed at the end
	samples []*sample
	start   time.Time
	report  report
}

// A section measures one thing and adds it to the report.
type section struct {
	name string
	run  func(*bench) error
}

var sections = []section{
	{"wire", (*bench).measureWire},
	{"checks", (*bench).measureChecks},
	{"process", (*bench).measureProcesses},
	{"pace", (*bench).measurePace},
	{"contended", (*bench).measureContended},
	{"memory", (*bench).measureMemory},
	{"scale", (*bench).measureScale},
}

func main() {
	log.SetFlags(0)
	log.SetPrefix("bench: ")
	if runChild() {
		return
	}
	b := &bench{}
	out := flag.String("out", "results.json", "write the numbers to this file")
	page := flag.String("update", "", "put what is printed into this page, between its two marks")
	only := flag.String("only", "", "measure only these sections, separated by commas: "+sectionNames())
	flag.StringVar(&b.zoompic, "zoompic", "../bin/zoompic", "the command to measure")
	flag.IntVar(&b.rounds, "rounds", 5, "how often each client has its turn")
	flag.BoolVar(&b.full, "full", false, "sync 100,000 rows even if it takes more than five minutes")
	flag.Parse()
	err := b.run(*only)
	if err == nil {
		b.report.print(os.Stdout)
		err = b.report.save(*out)
	}
	if err == nil && *page != "" {
		err = b.report.update(*page)
	}
	if err != nil {
		log.Fatal(err)
	}
}

func (b *bench) run(only string) (err error) {
	if b.zoompic, err = exec.LookPath(b.zoompic); err != nil {
		return fmt.Errorf("build the command first, or use make bench: %w", err)
	}
	if b.dir, err = os.MkdirTemp("", "zoompic-bench-"); err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	if b.samples, err = newSamples(b.dir); err != nil {
		return err
	}
	b.start = time.Now()
	b.report.Machine = thisMachine()
	b.report.Rounds = b.rounds
	for _, s := range sections {
		if only != "" && !contains(only, s.name) {
			b.report.leaveOut("%s: not asked for", s.name)
			continue
		}
		log.Printf("%3.0f s: %s …", time.Since(b.start).Seconds(), s.name)
		if err := s.run(b); err != nil {
			return fmt.Errorf("%s: %w", s.name, err)
		}
	}
	b.report.Seconds = time.Since(b.start).Round(time.Second).Seconds()
	return nil
}

func contains(list, name string) bool { return strings.Contains(","+list+",", ","+name+",") }

func sectionNames() string {
	var names []string
	for _, s := range sections {
		names = append(names, s.name)
	}
	return strings.Join(names, ",")
}

// runChild does what this process was started for by another one of this program, and reports whether it was.
func runChild() bool {
	if len(os.Args) < 2 {
		return false
	}
	child, ok := map[string]func([]string) error{"serve": serve, "upload": uploadMany}[os.Args[1]]
	if !ok {
		return false
	}
	if err := child(os.Args[2:]); err != nil {
		log.Fatalf("%s: %v", os.Args[1], err)
	}
	return true
}
