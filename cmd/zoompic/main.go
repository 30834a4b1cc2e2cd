// Command zoompic puts pictures on Zoom profiles.
package main

import (
	"context"
	"io"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/zoompic/zoompic/zoomclient"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	context.AfterFunc(ctx, stop) // a second signal ends the process at once
	os.Exit(run(ctx, os.Args, os.Getenv, os.Stdin, os.Stdout, os.Stderr))
}

// run is the whole command: nothing in it touches the process, so that tests can run it as a table.
func run(ctx context.Context, args []string, getenv func(string) string, stdin io.Reader, stdout, stderr io.Writer) int {
	cmd := &command{getenv: getenv, stdin: stdin, stdout: stdout, stderr: stderr}
	return cmd.run(ctx, args)
}

func (c *command) run(ctx context.Context, args []string) int {
	root := c.root()
	root.SetArgs(args[1:])
	root.SetIn(c.stdin)
	root.SetOut(c.stdout)
	root.SetErr(c.stderr)
	used, err := root.ExecuteContextC(ctx)
	return c.report(used.CommandPath(), err)
}

// A command is one run of zoompic: where it reads and writes, and the flags that several sub-commands have.
type command struct {
	getenv         func(string) string
	stdin          io.Reader
	stdout, stderr io.Writer

	json, verbose bool

	options []zoomclient.Option // of tests, for shorter delays
	fitFunc fitFunc             // of tests, instead of portrait's
}

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "zoompic",
		Short: "Put pictures on Zoom profiles",
		Long: `zoompic puts pictures on Zoom profiles.

Try it without an account:

  zoompic upload --fake ada@example.com examples/ada.jpg
  zoompic sync --fake examples/team

For a real account set ZOOM_ACCOUNT_ID, ZOOM_CLIENT_ID and ZOOM_CLIENT_SECRET of a
Server-to-Server OAuth app, or ZOOM_ACCESS_TOKEN. No flag takes a secret.

Exit codes: 0 done, 1 something failed, 2 usage or bad input, 3 credentials,
4 stopped by a rate limit, 5 state file, 6 another run holds it, 130 interrupted.`,
		Args:          cobra.NoArgs,
		SilenceErrors: true,
		SilenceUsage:  true,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.PersistentFlags().BoolVar(&c.json, "json", false, "print one JSON object a line")
	root.PersistentFlags().BoolVarP(&c.verbose, "verbose", "v", false, "log every attempt to standard error")
	root.AddCommand(c.upload(), c.sync(), c.check(), c.fit(), c.fake(), c.version())
	return root
}

func (c *command) version() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Print the version",
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			info := versionInfo{zoomclient.Version, goVersion, platform}
			return c.print(info, "zoompic %s (%s, %s)\n", info.Version, info.Go, info.Platform)
		},
	}
}
