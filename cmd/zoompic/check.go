package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
)

func (c *command) check() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE...",
		Short: "Say whether Zoom would take the files, without sending anything",
		Long: `Say whether Zoom would take the files, without sending anything.

Each must be a whole JPEG or PNG of at most 2 MB; "-" reads standard input. Of others,
and of pictures that lie on their side, it says whether --fit would mend them. It warns
of pictures that carry the GPS position of where they were taken.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			refused := 0
			for _, file := range files {
				taken, err := c.checkOne(cmd.Context(), file)
				if err != nil {
					return err
				}
				if !taken {
					refused++
				}
			}
			if refused > 0 {
				return &failure{Exit: exitUsage, printed: true}
			}
			return nil
		},
	}
}

// checkOne reports whether Zoom would take the file. An error ends the command.
func (c *command) checkOne(ctx context.Context, file string) (taken bool, err error) {
	o := outcome{File: file}
	pic, err := c.readPicture(ctx, file)
	if err != nil {
		if ctx.Err() != nil {
			return false, newFailure(exitInterrupted, "", err)
		}
		o.NeedsFit = needsFit(file, err)
		o.Failure = newFailure(exitUsage, "", withFitAdvice(file, err))
		fmt.Fprintf(c.stderr, "zoompic: %s\n", o.Failure)
		if c.json {
			return false, c.print(o, "")
		}
		return false, nil
	}
	o.describePicture(pic)
	found := c.inspect(pic, &o)
	notes := describe(pic)
	if o.Trailing > 0 {
		notes += fmt.Sprintf("; %s follow the end of the image, which Zoom may keep", countBytes(o.Trailing))
	}
	if found.Orientation > 1 {
		o.NeedsFit = true
		notes += "; it is upright only by its Exif, which Zoom may pass over: --fit turns it"
	}
	return true, c.print(o, "ok  %s (%s)\n", printable(file), notes)
}
