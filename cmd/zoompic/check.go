package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

func (c *command) check() *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE...",
		Short: "Say whether Zoom would take the files, without sending anything",
		Long: `Say whether Zoom would take the files, without sending anything.

Each must be a whole JPEG or PNG of at most 2 MB; "-" reads standard input.`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			refused := 0
			for _, file := range files {
				o := outcome{File: file}
				pic, err := c.readPicture(cmd.Context(), file)
				if err != nil {
					if cmd.Context().Err() != nil {
						return newFailure(exitInterrupted, "", err)
					}
					refused++
					fmt.Fprintf(c.stderr, "zoompic: %s\n", newFailure(exitUsage, "", err))
					if c.json {
						o.Failure = newFailure(exitUsage, "", err)
						if err := c.print(o, ""); err != nil {
							return err
						}
					}
					continue
				}
				o.describePicture(pic)
				note := ""
				if o.Trailing > 0 {
					note = fmt.Sprintf("; %s follow the end of the image, which Zoom may keep", countBytes(o.Trailing))
				}
				if err := c.print(o, "ok  %s (%s%s)\n", printable(file), describe(pic), note); err != nil {
					return err
				}
			}
			if refused > 0 {
				return &failure{Exit: exitUsage, printed: true}
			}
			return nil
		},
	}
}
