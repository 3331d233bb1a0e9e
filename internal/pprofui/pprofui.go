// Package pprofui is pprof's web interface on a profile whose names come from a
// log. It is not for the command oomtrace itself: net/http and what it takes
// would make every start of that longer.
package pprofui

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
	"unicode"

	"github.com/google/pprof/driver"
	"github.com/google/pprof/profile"

	"github.com/oomtrace/oomtrace/internal/loopback"
)

// Main is the command oomtrace-pprof; it returns the exit status.
func Main() int {
	fs := flag.NewFlagSet("oomtrace-pprof", flag.ContinueOnError)
	fs.Usage = func() {
		fmt.Fprint(fs.Output(), "usage: oomtrace-pprof [-http HOST:PORT] [-allow-remote] < PROFILE\n\n"+
			"The viewer of `oomtrace pprof`: pprof's web interface on a profile.\n\n")
		fs.PrintDefaults()
	}
	address := fs.String("http", "localhost:0", "`HOST:PORT` to listen on; port 0 is any free one")
	remote := fs.Bool("allow-remote", false, "serve other machines too")
	switch err := fs.Parse(os.Args[1:]); {
	case errors.Is(err, flag.ErrHelp):
		return 0
	case err != nil:
		return 2
	case fs.NArg() > 0:
		fs.Usage()
		return 2
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Stdin, *address, *remote, os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "oomtrace-pprof:", printable(err.Error()))
		return 1
	}
	return 0
}

func run(ctx context.Context, in io.Reader, address string, remote bool, out, errs io.Writer) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return err
	}
	if !remote && !loopback.Is(host) {
		return fmt.Errorf("%s is no address of this machine alone; -allow-remote serves it to others", address)
	}
	var data bytes.Buffer
	if _, err := data.ReadFrom(in); err != nil {
		return err
	}
	p, err := profile.ParseData(data.Bytes())
	if err != nil {
		return err
	}
	return Serve(ctx, p, address, remote, out, errs)
}

// Serve runs pprof's web interface on p until ctx ends.
func Serve(ctx context.Context, p *profile.Profile, address string, remote bool, out, errs io.Writer) error {
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
			if !remote && !loopback.Is(strings.Trim(host, "[]")) {
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
	fmt.Fprintln(u.errs, "oomtrace-pprof:", printable(strings.TrimSpace(fmt.Sprint(args...))))
}

func (u *pprofUI) IsTerminal() bool                    { return false }
func (u *pprofUI) WantBrowser() bool                   { return false }
func (u *pprofUI) SetAutoComplete(func(string) string) {}

// printable is s without what acts on a terminal.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r == '\n' || unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, s)
}
