package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/oomtrace/oomtrace"
	"github.com/oomtrace/oomtrace/internal/input"
	"github.com/oomtrace/oomtrace/report"
)

func newDiff() *cobra.Command {
	var format, output, failOnNew, when string
	var cols int
	var verbose bool
	formats := append(report.DiffFormats(), "pprof")
	slices.Sort(formats)
	cmd := &cobra.Command{
		Use:   "diff A B",
		Short: "Tell what is new, gone or the same in B compared to A",
		Long: `Diff compares the incidents of two reports by their signatures, which are the
same for the same failure on another host: before and after an update of the
kernel, or two hosts. A and B are reports of "analyze --format json", or logs.

The format pprof is the profile of B with the stacks of A taken away.

Exit status: 0 compared, whatever differs; 1 an input could not be read; 2 wrong
usage; 3 with --fail-on-new, B has a deadlock or livelock of that confidence or
above that A does not have.`,
		Example: `  oomtrace diff before.json after.json
  oomtrace diff web-1.log web-2.log --format markdown
  oomtrace diff before.json after.log --format pprof -o diff.pb.gz`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 2 {
				return usage("want two reports or logs to compare, not %d", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := oneOf("format", format, formats...); err != nil {
				return err
			}
			if err := oneOf("color", when, "auto", "always", "never"); err != nil {
				return err
			}
			if cmd.Flags().Changed("fail-on-new") {
				if err := oneOf("fail-on-new", failOnNew, levels...); err != nil {
					return err
				}
			}
			if args[0] == "-" && args[1] == "-" {
				return usage("standard input can be one of the two only")
			}
			stdout := cmd.OutOrStdout()
			if _, tty := terminal(stdout); tty && format == "pprof" && output == "" {
				return usage("pprof is binary data, not for a terminal; use: --output oomtrace.pb.gz")
			}
			unread := false
			var reports [2]*report.Report
			for i, arg := range args {
				r, err := loadReport(cmd.Context(), []string{arg}, cmd.InOrStdin())
				if err != nil {
					return failed(err)
				}
				if diagnose(cmd.ErrOrStderr(), r, verbose) {
					unread = true
				}
				reports[i] = r
			}
			a, b := reports[0], reports[1]
			opt := report.Options{Width: cols, Verbose: verbose, Color: color(when, stdout)}
			if opt.Width == 0 {
				opt.Width = width(stdout)
			}
			write := func(w io.Writer) error {
				if format != "pprof" {
					return report.WriteDiff(w, report.Compare(a, b), format, opt)
				}
				p, err := report.DiffProfile(a, b, opt)
				if err != nil {
					return err
				}
				return p.Write(w)
			}
			var err error
			if output != "" && output != "-" {
				opt.Color = when == "always"
				err = writeFile(output, write)
			} else if err = buffered(stdout, write); errors.Is(err, syscall.EPIPE) {
				err = nil // its reader had enough
			}
			switch {
			case err != nil:
				return failed(err)
			case failOnNew != "" && foundNew(a, b, failOnNew):
				return &status{code: exitFinding}
			case unread:
				return &status{code: exitFailed}
			}
			return nil
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVarP(&format, "format", "f", "text", "`FORMAT`: "+strings.Join(formats, ", "))
	fs.StringVarP(&output, "output", "o", "", "write to `FILE`, whole or not at all")
	fs.StringVar(&failOnNew, "fail-on-new", "", "exit 3 on a new deadlock or livelock at `LEVEL` or above: "+strings.Join(levels, ", "))
	fs.BoolVarP(&verbose, "verbose", "v", false, "leave nothing out")
	fs.IntVar(&cols, "width", 0, "`COLUMNS` of the text (default: of the terminal, else 80)")
	fs.StringVar(&when, "color", "auto", "`WHEN` to use colours: auto, always, never")
	complete(cmd, "format", formats...)
	complete(cmd, "fail-on-new", levels...)
	complete(cmd, "color", "auto", "always", "never")
	return cmd
}

// foundNew is found for what b has and a does not.
func foundNew(a, b *report.Report, level string) bool {
	known := make(map[string]bool)
	for i := range a.Incidents {
		known[a.Incidents[i].Signature] = true
	}
	fresh := &report.Report{}
	for _, inc := range b.Incidents {
		if !known[inc.Signature] {
			fresh.Incidents = append(fresh.Incidents, inc)
		}
	}
	return found(fresh, level)
}

// loadReport reads the report that the only argument is, or analyses the logs
// that the arguments are.
func loadReport(ctx context.Context, args []string, stdin io.Reader) (*report.Report, error) {
	in := input.Open(args, stdin, input.Options{Journal: journalctl, Trace: traceCmd})
	defer in.Close()
	srcs := sources(in)
	if len(srcs) == 1 {
		rc, err := srcs[0].Open()
		if err == nil {
			defer rc.Close()
			br := bufio.NewReaderSize(rc, 64<<10)
			head, _ := br.Peek(4096)
			if looksLikeReport(head) {
				return decodeReport(args[0], br)
			}
			// Standard input opens once: what was looked at is read on.
			srcs[0].Open = func() (io.ReadCloser, error) { return io.NopCloser(br), nil }
		} else {
			srcs[0].Open = func() (io.ReadCloser, error) { return nil, err }
		}
	}
	return oomtrace.Analyze(ctx, srcs, oomtrace.Options{Version: version()})
}

// looksLikeReport tells a report from a log whose lines are JSON objects.
func looksLikeReport(head []byte) bool {
	head = bytes.TrimLeft(head, " \t\r\n")
	rest, ok := bytes.CutPrefix(head, []byte("{"))
	return ok && bytes.HasPrefix(bytes.TrimLeft(rest, " \t\r\n"), []byte(`"schema_version"`))
}

func decodeReport(name string, r io.Reader) (*report.Report, error) {
	var rep report.Report
	if err := json.NewDecoder(r).Decode(&rep); err != nil {
		return nil, fmt.Errorf("%s: is no whole report: %w", name, err)
	}
	if rep.SchemaVersion != report.SchemaVersion {
		return nil, fmt.Errorf("%s: a report of schema version %s; this oomtrace reads version %s", name, rep.SchemaVersion, report.SchemaVersion)
	}
	return &rep, nil
}
