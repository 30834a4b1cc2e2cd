package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/time/rate"

	"github.com/zoompic/zoompic/internal/report"
	"github.com/zoompic/zoompic/internal/source"
	"github.com/zoompic/zoompic/internal/state"
	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/portrait"
)

// The state files beside the source. Those of the fake have their own name: what the fake was sent says nothing about Zoom.
const (
	stateName     = ".zoompic.state"
	fakeStateName = ".zoompic-fake.state"
)

var rates = map[string]float64{"free": zoomclient.RateFree, "pro": zoomclient.RatePro, "business": zoomclient.RateBusiness}

type syncFlags struct {
	account   accountFlags
	fit       fitFlags
	source    string
	recursive bool
	statePath string
	plan      string
	rate      float64
	workers   int
	force     bool
	dryRun    bool
	wait      bool
	quiet     bool
	report    string
	timeout   time.Duration
}

func (c *command) sync() *cobra.Command {
	var f syncFlags
	cmd := &cobra.Command{
		Use:   "sync SOURCE",
		Short: "Bring the pictures of a folder or CSV file to Zoom; safe to run again and again",
		Long: `Bring the pictures of a folder or CSV file to Zoom; safe to run again and again.

SOURCE is
  a folder   each picture's name without its extension is the user: ada@example.com.jpg.
             Dot files, thumbnail databases and files of other kinds are passed over and
             counted.
  a CSV file its first line names the columns "user" and "file"; other columns go to the
             report. Files are relative to the CSV file's folder and cannot leave it.
             "-" reads CSV from standard input, with files relative to the working folder.

Every row is checked before anything is sent. If the source cannot be read, or has two
different pictures for one person, nothing is sent (exit code 2). A row whose user or
picture is no good is reported as failed; the others are sent.

What Zoom has taken is remembered in a state file beside the source, so that the next run
sends only what is new or changed, and what failed but may work now, such as a user who
did not exist. A picture that Zoom refused is not sent again until it changes. Somebody
who changes their picture in Zoom is not noticed; --force sends everything. An interrupted
or killed run loses nothing: run it again.

With --fit every photo is made to fit before it is sent, ahead of its turn and on all
cores: WebP, TIFF and files of up to 64 MiB are taken too. Unchanged files are not fitted
again; other options send everything again.

The pace is that of Zoom's Pro plan, 20 a second; all apps of an account share it.
A rate limit of up to a minute is waited for. A longer one, such as the daily limit, ends
the run with exit code 4 and the time to go on, or is waited for with --wait.

Exit codes: 0 done, 1 somebody's picture failed, 2 usage or unclear source, 3 credentials,
4 stopped by a rate limit, 5 state file, 6 another run holds it, 130 interrupted.`,
		Example: `  zoompic sync --fake examples/team
  zoompic sync --dry-run --report preview.html photos
  zoompic sync --fit --square photos
  zoompic sync --plan business --report result.csv people.csv`,
		Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			f.source = args[0]
			switch paced := cmd.Flags().Changed("rate"); {
			case paced && cmd.Flags().Changed("plan"):
				return errors.New("give --plan or --rate, not both")
			case !paced:
				f.rate = rates[f.plan]
			}
			if err := f.check(); err != nil {
				return err
			}
			ctx := cmd.Context()
			if f.timeout > 0 {
				limited, cancel := context.WithTimeoutCause(ctx, f.timeout, errTimeout)
				defer cancel()
				ctx = limited
			}
			return c.syncSource(ctx, &f)
		},
	}
	f.account.register(cmd)
	f.fit.registerChoice(cmd)
	flags := cmd.Flags()
	flags.BoolVarP(&f.recursive, "recursive", "r", false, "take the pictures of sub-folders too")
	flags.StringVar(&f.statePath, "state", "", "state file (default "+stateName+" beside the source, "+fakeStateName+" with --fake)")
	flags.StringVar(&f.plan, "plan", "pro", "the account's plan, for the pace: free (2 a second), pro (20) or business (60)")
	flags.Float64Var(&f.rate, "rate", 0, "requests a second, instead of --plan")
	flags.IntVar(&f.workers, "workers", 8, "uploads at the same time")
	flags.BoolVar(&f.force, "force", false, "send everything, whatever the state file remembers")
	flags.BoolVar(&f.dryRun, "dry-run", false, "check everything and show what would be sent; needs no credentials")
	flags.BoolVar(&f.wait, "wait", false, "wait for the end of a daily limit instead of ending")
	flags.DurationVar(&f.timeout, "timeout", 0, "end the run after this long as an interrupt does, with exit code 1; 0 for no limit")
	flags.BoolVarP(&f.quiet, "quiet", "q", false, "show no progress")
	flags.StringVar(&f.report, "report", "", "write what became of everybody to this file: .csv, .jsonl or .html")
	return cmd
}

func (f *syncFlags) check() error {
	if rates[f.plan] == 0 {
		return fmt.Errorf("--plan is free, pro or business, not %q", f.plan)
	}
	if !(f.rate > 0) {
		return errors.New("--rate must be more than 0")
	}
	if f.timeout < 0 {
		return errors.New("--timeout must not be negative")
	}
	if f.workers < 1 {
		return errors.New("--workers must be 1 or more")
	}
	if err := f.fit.check(); err != nil {
		return err
	}
	if f.report != "" {
		if err := report.Check(f.report); err != nil {
			return fmt.Errorf("--report: %w", err)
		}
	}
	return f.checkReportPath()
}

// checkReportPath keeps the report from replacing what the run lives on.
func (f *syncFlags) checkReportPath() error {
	for what, path := range map[string]string{"source": f.source, "state file": f.statePath} {
		if f.report != "" && path != "" && isSameFile(f.report, path) {
			return fmt.Errorf("--report %s would replace the %s; give the report another name", printable(f.report), what)
		}
	}
	return nil
}

// isSameFile reports whether two paths lead to one file, or would: some file systems do not tell upper from lower case.
func isSameFile(a, b string) bool {
	one, err1 := os.Stat(a)
	other, err2 := os.Stat(b)
	if err1 == nil && err2 == nil {
		return os.SameFile(one, other)
	}
	dir1, err1 := os.Stat(filepath.Dir(a))
	dir2, err2 := os.Stat(filepath.Dir(b))
	return err1 == nil && err2 == nil && os.SameFile(dir1, dir2) && strings.EqualFold(filepath.Base(a), filepath.Base(b))
}

// syncSource is one run, in order: read the source, find the credentials, open the state, check every row, send, report.
func (c *command) syncSource(ctx context.Context, f *syncFlags) error {
	src, err := c.readSource(ctx, f)
	if err != nil {
		return err
	}
	defer src.Close()
	// Most of what lives is pictures, a few megabytes each: garbage may grow to a quarter of that, and not to as much again.
	defer debug.SetGCPercent(debug.SetGCPercent(25))

	run := &syncRun{command: c, flags: f, source: src, progress: newProgress(c, f.quiet)}
	if f.fit.wanted {
		run.fitter = newFitter(c, src, f.fit.options)
	}
	if !f.dryRun {
		target, err := f.account.open(c, zoomclient.WithLogger(run.progress.logger()),
			// A little under the rate, one at a time: then no sliding second ever holds more.
			zoomclient.WithLimiter(&pace{rate.NewLimiter(rate.Limit(f.rate/1.005), 1), ctx}))
		if err != nil {
			return err
		}
		defer target.close()
		run.target = target
	}
	if run.state, err = f.openState(c, src); err != nil {
		return stateFailure(err)
	}
	defer run.state.Close()
	if err := run.makePlan(ctx); err != nil {
		return err
	}
	if !f.dryRun {
		run.send(ctx)
	}
	return run.conclude(ctx)
}

func (c *command) readSource(ctx context.Context, f *syncFlags) (*source.Source, error) {
	src, err := heeding(ctx, func() (*source.Source, error) { return source.Open(f.source, f.recursive, c.stdin) })
	switch {
	case ctx.Err() != nil:
		return nil, interruption(ctx, "; nothing was sent")
	case err != nil:
		return nil, newFailure(exitUsage, printable(f.source), err)
	}
	return src, nil
}

// interruption is the end of a run whose context ended, by a signal or by --timeout.
func interruption(ctx context.Context, rest string) *failure {
	if cause := context.Cause(ctx); cause == errTimeout {
		return &failure{Exit: exitFailed, Message: cause.Error() + rest}
	}
	return &failure{Exit: exitInterrupted, Message: "interrupted" + rest}
}

func (f *syncFlags) openState(c *command, src *source.Source) (*state.State, error) {
	path, account := f.statePath, f.account.name(c)
	if path == "" {
		name := stateName
		if f.account.fake {
			name = fakeStateName
		}
		path = filepath.Join(src.Dir, name)
	}
	if f.dryRun {
		return state.View(path, account)
	}
	return state.Open(path, account)
}

// stateFailure ends the command for a state file that cannot be used.
func stateFailure(err error) error {
	if f, ok := errors.AsType[*failure](err); ok {
		return f
	}
	if _, locked := errors.AsType[*state.LockedError](err); locked {
		return newFailure(exitLocked, "", err)
	}
	return newFailure(exitState, "", err)
}

// title names the source in a report.
func (f *syncFlags) title() string {
	if f.source == source.Stdin {
		return "standard input"
	}
	return strings.TrimRight(filepath.ToSlash(f.source), "/")
}

// An item is one row of the source on its way through a run.
type item struct {
	row   *source.Row
	key   string
	known state.Person // before this run

	seen       state.Seen       // the last look at its file
	picture    state.Picture    // what is sent, or was; without a digest while that is to be made of the file
	fit        *portrait.Report // what was made of the file; nil if it is sent as it is
	fitted     chan *fitted     // comes ahead of its upload
	outcome    report.Outcome   // empty while it is to be sent
	failure    rowFailure       // why it failed or is pending
	undone     error            // the error of its upload that left it pending
	fromMemory bool             // its failure is an earlier run's
	result     zoomclient.Result
	requests   int       // in all rounds of this run
	when       time.Time // Zoom took it
	holdsSlot  bool
	memory     *bytes.Buffer // of the slot: what its picture is read into
}
