package main

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/oomtrace/oomtrace/internal/loopback"
	"github.com/oomtrace/oomtrace/report"
)

func newPprof() *cobra.Command {
	var address string
	var remote, redact, perPid bool
	cmd := &cobra.Command{
		Use:   "pprof FILE...",
		Short: "Show the tasks' stacks in the web interface of pprof",
		Long: `Pprof serves the stacks of the tasks as pprof shows a profile: flame graph, call
graph, top functions. It prints the address to open in a browser, and ends with
Ctrl-C. FILE is a log as for analyze, or a report of "analyze --format json".

The web interface is a program of its own, oomtrace-pprof, looked for beside
oomtrace and in $PATH:
  go install github.com/oomtrace/oomtrace/cmd/oomtrace-pprof@latest

It listens on this machine only, unless --allow-remote is given: whoever can
connect sees what the log says.`,
		Example: `  oomtrace pprof dmesg.log --http localhost:0`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return usage("--http %q: want HOST:PORT, such as localhost:0", address)
			}
			if !remote && !loopback.Is(host) {
				return usage("--http %s is no address of this machine alone; --allow-remote serves it to others", address)
			}
			viewer, done, err := findViewer()
			if err != nil {
				return failed(err)
			}
			defer done()
			r, err := loadReport(cmd.Context(), args, cmd.InOrStdin())
			if err != nil {
				return failed(err)
			}
			if diagnose(cmd.ErrOrStderr(), r, false) {
				return &status{code: exitFailed}
			}
			if redact {
				r = report.Redact(r)
			}
			p := report.Profile(r, report.Options{Verbose: perPid})
			if len(p.Sample) == 0 {
				return failed(errors.New("no stacks in the input: nothing to show"))
			}
			var data bytes.Buffer
			if err := p.Write(&data); err != nil {
				return failed(err)
			}
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			view := exec.CommandContext(ctx, viewer, "-http="+address, fmt.Sprintf("-allow-remote=%t", remote))
			view.Cancel = func() error { return view.Process.Signal(syscall.SIGTERM) }
			view.WaitDelay = 10 * time.Second
			view.Stdin, view.Stdout, view.Stderr = &data, cmd.OutOrStdout(), cmd.ErrOrStderr()
			if err := view.Run(); err != nil && ctx.Err() == nil {
				if _, ok := errors.AsType[*exec.ExitError](err); ok {
					return &status{code: exitFailed} // it said why
				}
				return failed(err)
			}
			return nil
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVar(&address, "http", "localhost:0", "`HOST:PORT` to listen on; port 0 is any free one")
	fs.BoolVar(&remote, "allow-remote", false, "serve other machines too")
	fs.BoolVar(&redact, "redact", false, "pseudonyms for command names, memory cgroups and the like")
	fs.BoolVar(&perPid, "pids", false, "one sample for each pid, with the pid as a label")
	return cmd
}

// viewerName is the program that shows a profile in a browser, viewerPackage
// where it is made.
const (
	viewerName    = "oomtrace-pprof"
	viewerPackage = "github.com/oomtrace/oomtrace/cmd/" + viewerName
)

// findViewer returns the path of the viewer that was installed with this
// program, or of another one. done is called when it is no longer needed.
func findViewer() (path string, done func(), err error) {
	done = func() {}
	self, err := os.Executable()
	if err == nil {
		if path, err := exec.LookPath(filepath.Join(filepath.Dir(self), viewerName)); err == nil {
			return path, done, nil
		}
	}
	if path, err := exec.LookPath(viewerName); err == nil {
		return path, done, nil
	}
	if strings.Contains(self, "go-build") { // by `go run` in the source tree: the viewer is made there, too
		dir, err := os.MkdirTemp("", viewerName)
		if err != nil {
			return "", nil, err
		}
		path := filepath.Join(dir, viewerName)
		build := exec.Command("go", "build", "-o", path, viewerPackage)
		build.Env = append(os.Environ(), "GOPROXY=off")
		if done = func() { os.RemoveAll(dir) }; build.Run() == nil {
			return path, done, nil
		}
		done()
	}
	return "", nil, errors.New("pprof's web interface is a program of its own that is not there; to install it:\n" +
		"go install " + viewerPackage + "@latest")
}
