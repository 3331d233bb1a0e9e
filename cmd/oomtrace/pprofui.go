package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/google/pprof/driver"
	"github.com/google/pprof/profile"
	"github.com/spf13/cobra"

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

It listens on this machine only, unless --allow-remote is given: whoever can
connect sees what the log says.`,
		Example: `  oomtrace pprof dmesg.log --http localhost:0`,
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			host, _, err := net.SplitHostPort(address)
			if err != nil {
				return usage("--http %q: want HOST:PORT, such as localhost:0", address)
			}
			if !remote && !loopback(host) {
				return usage("--http %s is no address of this machine alone; --allow-remote serves it to others", address)
			}
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
			ctx, stop := signal.NotifyContext(cmd.Context(), syscall.SIGINT, syscall.SIGTERM)
			defer stop()
			if err := servePprof(ctx, p, address, remote, cmd.OutOrStdout(), cmd.ErrOrStderr()); err != nil {
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

// loopback tells whether host is this machine and nothing else. A name but
// localhost could be made to resolve to anything.
func loopback(host string) bool {
	if host == "" || host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// servePprof runs pprof's web interface on p until ctx ends.
func servePprof(ctx context.Context, p *profile.Profile, address string, remote bool, out, errs io.Writer) error {
	err := driver.PProf(&driver.Options{
		Flagset: &pprofFlags{FlagSet: flag.NewFlagSet("pprof", flag.ContinueOnError), args: []string{
			"-http=" + address, "-no_browser", "-symbolize=none", "oomtrace",
		}},
		Fetch: fixedProfile{p},
		Obj:   noObjects{},
		UI:    &pprofUI{errs: errs},
		HTTPServer: func(args *driver.HTTPServerArgs) error {
			return serve(ctx, args, remote, out)
		},
	})
	if ctx.Err() != nil {
		return nil // ended by Ctrl-C
	}
	return err
}

// hiddenPages of pprof are left out: they show local files that a profile
// names, and the names here come from a log, or write to the user's settings.
var hiddenPages = []string{"/disasm", "/source", "/saveconfig", "/deleteconfig"}

func serve(ctx context.Context, args *driver.HTTPServerArgs, remote bool, out io.Writer) error {
	ln, err := net.Listen("tcp", args.Hostport)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	for page, h := range args.Handlers {
		if !slices.Contains(hiddenPages, page) && page != "/" {
			mux.Handle(page, h)
		}
	}
	if root, ok := args.Handlers["/"]; ok {
		mux.Handle("/{$}", root)
	}
	srv := &http.Server{
		ReadHeaderTimeout: 10 * time.Second,
		Handler: http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
			// A page elsewhere whose name resolves to this machine must not
			// read the answers.
			host, _, err := net.SplitHostPort(req.Host)
			if err != nil {
				host = req.Host
			}
			if !remote && !loopback(strings.Trim(host, "[]")) {
				http.Error(w, "this server answers to localhost only", http.StatusForbidden)
				return
			}
			mux.ServeHTTP(w, req)
		}),
	}
	stop := context.AfterFunc(ctx, func() { srv.Close() })
	defer stop()
	if _, err := fmt.Fprintf(out, "http://%s/\n", ln.Addr()); err != nil {
		srv.Close()
		return err
	}
	if err := srv.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// fixedProfile gives pprof the profile whatever it is asked for.
type fixedProfile struct{ p *profile.Profile }

func (f fixedProfile) Fetch(string, time.Duration, time.Duration) (*profile.Profile, string, error) {
	return f.p, "", nil // with a source, pprof would save a copy in the home directory
}

// noObjects keeps pprof from looking for the binaries of a profile: their names
// come from a log.
type noObjects struct{}

var errNoObjects = errors.New("the profile has its symbols")

func (noObjects) Open(string, uint64, uint64, uint64, string) (driver.ObjFile, error) {
	return nil, errNoObjects
}

func (noObjects) Disasm(string, uint64, uint64, bool) ([]driver.Inst, error) {
	return nil, errNoObjects
}

// pprofFlags are the arguments that pprof sees.
type pprofFlags struct {
	*flag.FlagSet
	args []string
}

func (f *pprofFlags) StringList(name, def, usage string) *[]*string {
	return &[]*string{f.String(name, def, usage)}
}

func (f *pprofFlags) ExtraUsage() string { return "" }

func (f *pprofFlags) AddExtraUsage(string) {}

func (f *pprofFlags) Parse(usage func()) []string {
	f.Usage = usage
	f.SetOutput(io.Discard)
	if err := f.FlagSet.Parse(f.args); err != nil {
		return nil
	}
	return f.Args()
}

// pprofUI is where pprof talks to the user: errors to standard error, the rest
// is said by this program.
type pprofUI struct {
	mu   sync.Mutex
	errs io.Writer
}

func (u *pprofUI) ReadLine(string) (string, error) { return "", io.EOF }
func (u *pprofUI) Print(...any)                    {}

func (u *pprofUI) PrintErr(args ...any) {
	u.mu.Lock()
	defer u.mu.Unlock()
	fmt.Fprintln(u.errs, "oomtrace: pprof:", oneTerminal(strings.TrimSpace(fmt.Sprint(args...))))
}

func (u *pprofUI) IsTerminal() bool                    { return false }
func (u *pprofUI) WantBrowser() bool                   { return false }
func (u *pprofUI) SetAutoComplete(func(string) string) {}
