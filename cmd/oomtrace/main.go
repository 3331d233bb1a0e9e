// A run is over before the number of cores changes: the goroutine that watches
// it would only make the start longer.
//go:debug updatemaxprocs=0

// Command oomtrace tells from kernel logs why an out-of-memory situation did
// not resolve: who holds which lock, who waits for it, and what fixes it.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	_ "github.com/oomtrace/oomtrace/internal/start"
)

// The exit status of oomtrace.
const (
	exitOK      = 0
	exitFailed  = 1 // an input could not be read, or the result not written
	exitUsage   = 2
	exitFinding = 3 // only with --fail-on
)

func main() {
	// A reader that leaves (| head) is then an error of Write, and the exit
	// status still tells what was found.
	signal.Ignore(syscall.SIGPIPE)
	os.Exit(run(os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

func run(args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	root := newRoot()
	root.SetArgs(args)
	root.SetIn(stdin)
	root.SetOut(stdout)
	root.SetErr(stderr)
	var prof profiles
	prof.addTo(root)
	cmd, err := root.ExecuteC()
	code := outcome(cmd, args, err, stderr)

	if err := prof.finish(code); err != nil {
		fmt.Fprintf(stderr, "oomtrace: %s\n", oneTerminal(err.Error()))
		code = cmp.Or(code, exitFailed)
	}
	return code
}

// outcome says what went wrong and returns the exit status.
func outcome(cmd *cobra.Command, args []string, err error, stderr io.Writer) int {
	if err == nil || errors.Is(err, syscall.EPIPE) {
		return exitOK
	}
	st, ok := errors.AsType[*status](err)
	if !ok { // cobra's own: an unknown command, a flag, the number of arguments
		st = &status{code: exitUsage, err: err}
	}
	if st.err != nil {
		fmt.Fprintf(stderr, "oomtrace: %s\n", oneTerminal(st.err.Error()))
	}
	if st.code == exitUsage {
		fmt.Fprintln(stderr, hint(cmd, args))
	}
	return st.code
}

// status is an error with the exit status it leads to.
type status struct {
	code int
	err  error // nil where all was said
}

func (s *status) Error() string {
	if s.err == nil {
		return fmt.Sprintf("exit status %d", s.code)
	}
	return s.err.Error()
}

func (s *status) Unwrap() error { return s.err }

func failed(err error) error { return &status{exitFailed, err} }

func usage(format string, args ...any) error {
	return &status{exitUsage, fmt.Errorf(format, args...)}
}

func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:   "oomtrace",
		Short: "Why an out-of-memory kill did not help, from kernel logs",
		Long: `oomtrace reads kernel logs of Linux OOM incidents and tells which task waits for
which lock, who holds it, whether that is a deadlock, how sure this is, and
what fixes it.`,
		Example: `  oomtrace analyze dmesg.log
  dmesg | oomtrace analyze -`,
		Version:       version(),
		SilenceErrors: true,
		SilenceUsage:  true,
	}
	root.SetVersionTemplate("oomtrace {{.Version}}\n")
	root.AddCommand(newAnalyze(), newDiff(), newExplain(), newFormats(), newLockModel(), newPprof(), newSchema(), newVersion())
	return root
}

// hint says what to type instead.
func hint(cmd *cobra.Command, args []string) string {
	if !cmd.HasParent() && len(args) > 0 {
		first := args[0]
		if _, err := os.Stat(first); err == nil || first == "-" {
			return "to analyze it: oomtrace analyze " + oneLine(first)
		}
	}
	return fmt.Sprintf("see '%s --help'", cmd.CommandPath())
}

// oneOf checks the value of a flag.
func oneOf(flag, value string, allowed ...string) error {
	if slices.Contains(allowed, value) {
		return nil
	}
	return usage("--%s %q: want one of %s", flag, value, strings.Join(allowed, ", "))
}

// complete offers the values of a flag to the shell.
func complete(cmd *cobra.Command, flag string, values ...string) {
	f := cobra.FixedCompletions(values, cobra.ShellCompDirectiveNoFileComp)
	if err := cmd.RegisterFlagCompletionFunc(flag, f); err != nil {
		panic(err) // a flag that does not exist
	}
}
