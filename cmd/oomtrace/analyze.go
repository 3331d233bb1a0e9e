package main

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/oomtrace/oomtrace"
	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/internal/input"
	"github.com/oomtrace/oomtrace/report"
)

// analyzeFlags are the flags of `oomtrace analyze`.
type analyzeFlags struct {
	format      string
	output      string
	sampleType  string
	oomHandlers []string
	fuseDaemons []string
	lockModels  []string
	systemMap   string
	vmlinux     string
	failOn      string
	width       int
	color       string
	tasks       bool
	graph       bool
	why         bool
	verbose     bool
	redact      bool
	noProgress  bool
	listInputs  bool
	maxSize     string
	limits      input.Limits
}

// levels are the confidences, lowest first.
var levels = []string{"possible", "likely", "confirmed"}

func newAnalyze() *cobra.Command {
	var f analyzeFlags
	cmd := &cobra.Command{
		Use:   "analyze FILE...",
		Short: "Tell from kernel logs what happened and why",
		Long: `Analyze reads kernel logs (dmesg, serial console, syslog, journalctl), dumps of
/proc/PID/stack and call traces pasted from anywhere, and joins what they say
about one host. FILE is a file, a directory, an archive (tar, zip, cpio) or - for
standard input; gzip, zstd, xz, lz4 and bzip2 are unpacked. In what sosreport,
supportconfig, must-gather and kdump make, and in copies of /proc and /sys, the
logs and stacks are found by their paths; in anything else by their text.

Exit status: 0 the input was read and reported, whatever was found; 1 an input
could not be read or the report not written; 2 wrong usage; 3 with --fail-on, a
deadlock or livelock of that confidence or above.`,
		Example: `  oomtrace analyze dmesg.log
  dmesg | oomtrace analyze -
  oomtrace analyze sosreport-web12.tar.xz
  oomtrace analyze console.log stacks.txt --format markdown --output ticket.md
  oomtrace analyze dmesg.log --oom-handler oomd --fail-on likely`,
		RunE: func(cmd *cobra.Command, args []string) error {
			return analyze(cmd, f, args)
		},
	}
	fs := cmd.Flags()
	fs.SortFlags = false
	fs.StringVarP(&f.format, "format", "f", "text", "`FORMAT` of the report: "+strings.Join(formatNames(), ", "))
	fs.StringVarP(&f.output, "output", "o", "", "write the report to `FILE`, whole or not at all")
	fs.StringVar(&f.sampleType, "sample-type", "", "what folded counts and pprof shows first, `TYPE`: "+strings.Join(report.SampleTypes, ", "))
	fs.StringArrayVar(&f.oomHandlers, "oom-handler", nil, "`PID|COMM` of the process that resolves OOMs where the OOM killer is disabled (repeatable)")
	fs.StringArrayVar(&f.fuseDaemons, "fuse-daemon", nil, "`PID|COMM` of a process that serves a FUSE mount (repeatable)")
	fs.StringArrayVar(&f.lockModels, "lock-model", nil, "add the lock facts of `FILE` (repeatable)")
	fs.StringVar(&f.systemMap, "system-map", "", "name addresses with the System.map in `FILE`")
	fs.StringVar(&f.vmlinux, "vmlinux", "", "name addresses with the kernel in `FILE`, and their source lines with its DWARF")
	fs.StringVar(&f.failOn, "fail-on", "", "exit 3 on a deadlock or livelock at `LEVEL` or above: "+strings.Join(levels, ", "))
	fs.BoolVar(&f.tasks, "tasks", false, "every task with its stack")
	fs.BoolVar(&f.graph, "graph", false, "every edge of the wait-for graph")
	fs.BoolVar(&f.why, "why", false, "what each edge rests on")
	fs.BoolVarP(&f.verbose, "verbose", "v", false, "leave nothing out")
	fs.BoolVar(&f.listInputs, "list-inputs", false, "list what is read of directories and archives, and what is not and why; no report")
	fs.IntVar(&f.limits.Members, "max-members", input.DefaultLimits.Members, "read archives and directories of up to `N` members")
	fs.StringVar(&f.maxSize, "max-size", "32G", "read archives that unpack to `SIZE` (K, M, G, T)")
	fs.IntVar(&f.limits.Depth, "max-depth", input.DefaultLimits.Depth, "unpack `N` layers of archives and compression")
	fs.IntVar(&f.limits.Growth, "max-growth", input.DefaultLimits.Growth, "unpack what grows `N`-fold")
	fs.BoolVar(&f.redact, "redact", false, "pseudonyms for hosts, paths, IP and kernel addresses, users and command names")
	fs.BoolVar(&f.noProgress, "no-progress", false, "no bar on a terminal while large inputs are read")
	fs.IntVar(&f.width, "width", 0, "`COLUMNS` of the text (default: of the terminal, else 80)")
	fs.StringVar(&f.color, "color", "auto", "`WHEN` to use colours: auto, always, never")
	complete(cmd, "format", formatNames()...)
	complete(cmd, "sample-type", report.SampleTypes...)
	complete(cmd, "fail-on", levels...)
	complete(cmd, "color", "auto", "always", "never")
	return cmd
}

func analyze(cmd *cobra.Command, f analyzeFlags, args []string) error {
	format, err := f.check(cmd, args)
	if err != nil {
		return err
	}
	model, err := lockModel(f.lockModels)
	if err != nil {
		return err
	}
	syms, err := symbols(f.systemMap, f.vmlinux)
	if err != nil {
		return err
	}
	if _, tty := terminal(cmd.InOrStdin()); tty && slices.Contains(args, input.Stdin) {
		fmt.Fprintln(cmd.ErrOrStderr(), "oomtrace: reading from the terminal; end with Ctrl-D")
	}

	in := input.Open(args, cmd.InOrStdin(), input.Options{Limits: f.limits, Journal: journalctl, Trace: traceCmd})
	defer in.Close()
	if f.listInputs {
		return listInputs(cmd.OutOrStdout(), in)
	}
	for _, l := range in.Listings {
		if s := l.Summary(); s != "" {
			fmt.Fprintf(cmd.ErrOrStderr(), "oomtrace: %s\n", oneLine(s))
		}
	}
	srcs := sources(in)
	stop := func() {}
	if !f.noProgress && wantsProgress(cmd.ErrOrStderr(), args, cmd.InOrStdin()) {
		stop = watch(cmd.ErrOrStderr(), srcs, progressDelay).stop
	}
	r, err := oomtrace.Analyze(cmd.Context(), srcs, oomtrace.Options{
		OOMHandlers: f.oomHandlers,
		FuseDaemons: f.fuseDaemons,
		LockModel:   model,
		Symbols:     syms,
		Version:     version(),
	})
	stop()
	if err != nil {
		return failed(err)
	}
	unread := diagnose(cmd.ErrOrStderr(), r, f.verbose)

	if f.redact {
		r = report.Redact(r)
	}
	opt := report.Options{
		Dot:     graphviz(cmd.Context()),
		Width:   f.width,
		Verbose: f.verbose,
		Tasks:   f.tasks,
		Graph:   f.graph,
		Why:     f.why,

		SampleType: f.sampleType,
	}
	if f.output != "" {
		opt.Color = f.color == "always"
		err = writeFile(f.output, func(w io.Writer) error { return format.Write(w, r, opt) })
	} else {
		stdout := cmd.OutOrStdout()
		opt.Color = color(f.color, stdout)
		if opt.Width == 0 {
			opt.Width = width(stdout)
		}
		err = buffered(stdout, func(w io.Writer) error { return format.Write(w, r, opt) })
		if errors.Is(err, syscall.EPIPE) {
			err = nil // its reader had enough
		}
	}
	switch {
	case err != nil:
		return failed(err)
	case f.failOn != "" && found(r, f.failOn):
		return &status{code: exitFinding}
	case unread:
		return &status{code: exitFailed}
	}
	return nil
}

// check finds the mistakes in flags and arguments that can be known before
// anything is read.
func (f *analyzeFlags) check(cmd *cobra.Command, args []string) (report.Format, error) {
	var none report.Format
	if len(args) == 0 {
		if in, ok := cmd.InOrStdin().(*os.File); ok && isPipe(in) {
			return none, usage("no input given; for standard input use: oomtrace analyze -")
		}
		return none, usage("no input given: name a file, a directory, or - for standard input")
	}
	if err := oneOf("format", f.format, formatNames()...); err != nil {
		return none, err
	}
	if err := oneOf("color", f.color, "auto", "always", "never"); err != nil {
		return none, err
	}
	if cmd.Flags().Changed("sample-type") {
		if err := oneOf("sample-type", f.sampleType, report.SampleTypes...); err != nil {
			return none, err
		}
	}
	if cmd.Flags().Changed("fail-on") {
		if err := oneOf("fail-on", f.failOn, levels...); err != nil {
			return none, err
		}
	}
	if cmd.Flags().Changed("width") && f.width < 40 {
		return none, usage("--width %d: want 40 or more", f.width)
	}
	if f.limits.Members < 1 || f.limits.Depth < 1 || f.limits.Growth < 1 {
		return none, usage("--max-members, --max-depth and --max-growth want 1 or more")
	}
	var ok bool
	if f.limits.Bytes, ok = sizeOf(f.maxSize); !ok {
		return none, usage("--max-size %q: want a number of bytes, as in 500M or 32G", f.maxSize)
	}
	if slices.Contains(f.oomHandlers, "") || slices.Contains(f.fuseDaemons, "") {
		return none, usage("--oom-handler and --fuse-daemon want a pid or the name of a process")
	}
	if f.output == input.Stdin {
		f.output = ""
	}
	format, _ := report.Lookup(f.format)
	if _, tty := terminal(cmd.OutOrStdout()); tty && f.output == "" && format.Binary {
		return none, usage("%s is binary data, not for a terminal; use: --output oomtrace.pb.gz", f.format)
	}
	return format, f.outputIsNoInput(args)
}

// outputIsNoInput keeps a log from being replaced by the report on it.
func (f *analyzeFlags) outputIsNoInput(args []string) error {
	out, err := os.Stat(f.output)
	if err != nil || !out.Mode().IsRegular() {
		return nil // a new file, or none
	}
	for _, arg := range args {
		if in, err := os.Stat(arg); err == nil && os.SameFile(in, out) {
			return usage("--output %s is an input too, and would be lost", f.output)
		}
	}
	return nil
}

func isPipe(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && (info.Mode()&os.ModeNamedPipe != 0 || info.Mode().IsRegular() && info.Size() > 0)
}

func formatNames() []string {
	var names []string
	for _, f := range report.Formats() {
		names = append(names, f.Name)
	}
	return names
}

func sources(in *input.Inputs) []oomtrace.Source {
	var out []oomtrace.Source
	for _, s := range in.Sources {
		out = append(out, oomtrace.Source{Name: s.Name, Compression: s.Compression, Host: s.Host, Release: s.Release, Follows: s.Follows, Open: s.Open, OpenAt: s.OpenAt})
	}
	return out
}

// journalctl returns what reads a file of systemd's journal, nil where the
// program is not there.
func journalctl() input.Reader {
	path, err := exec.LookPath("journalctl")
	if err != nil {
		return nil
	}
	return func(file string) (io.ReadCloser, error) {
		// --file takes a pattern.
		glob := strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(file)
		// Not with -k: that is the last boot only.
		cmd := exec.Command(path, "--quiet", "--no-pager", "-o", "short-monotonic", "--file="+glob, "_TRANSPORT=kernel")
		return start(cmd, "", "SYSTEMD_COLORS=0", "LC_ALL=C.UTF-8")
	}
}

// traceCmd returns what makes text of a recording of trace-cmd, nil where the
// program is not there.
func traceCmd() input.Reader {
	path, err := exec.LookPath("trace-cmd")
	if err != nil {
		return nil
	}
	return func(file string) (io.ReadCloser, error) {
		// With its plugins: without them it prints 8 frames of a stack.
		return start(exec.Command(path, "report", "-t", "-i", file), "no text came of it, as of a recording that was cut", "LC_ALL=C.UTF-8")
	}
}

// start runs a program that writes text. silent is the error if it writes none
// and does not say why, "" if that is none.
func start(cmd *exec.Cmd, silent string, env ...string) (io.ReadCloser, error) {
	cmd.Env = append(os.Environ(), env...)
	p := &program{cmd: cmd, silent: silent}
	cmd.Stderr = &p.stderr
	var err error
	if p.out, err = cmd.StdoutPipe(); err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return p, nil
}

// program is the output of a program that runs.
type program struct {
	cmd    *exec.Cmd
	out    io.ReadCloser
	stderr bytes.Buffer
	silent string
	some   bool  // there was text
	err    error // of its end
}

func (p *program) Read(b []byte) (int, error) {
	if p.err != nil {
		return 0, p.err
	}
	n, err := p.out.Read(b)
	p.some = p.some || n > 0
	if err == nil {
		return n, nil
	}
	p.err = io.EOF
	err = p.cmd.Wait()
	why, _, _ := strings.Cut(strings.TrimSpace(p.stderr.String()), "\n")
	switch {
	case err != nil:
		p.err = errors.New(cmp.Or(why, err.Error()))
	case !p.some && cmp.Or(why, p.silent) != "": // it ignores a file that it cannot read
		p.err = errors.New(cmp.Or(why, p.silent))
	}
	return n, p.err
}

func (p *program) Close() error {
	if p.err == nil {
		p.err = os.ErrClosed
		p.cmd.Process.Kill()
		p.cmd.Wait()
	}
	return nil
}

// listInputs is --list-inputs.
func listInputs(w io.Writer, in *input.Inputs) error {
	err := buffered(w, func(w io.Writer) error { return in.WriteList(w, oneLine) })
	if err != nil && !errors.Is(err, syscall.EPIPE) {
		return failed(err)
	}
	return nil
}

// sizeOf reads a number of bytes: 500M, 32G, 32GiB.
func sizeOf(s string) (int64, bool) {
	num := strings.TrimRight(strings.ToUpper(s), "IB")
	shift := 0
	if num != "" {
		if i := strings.IndexByte("KMGT", num[len(num)-1]); i >= 0 {
			num, shift = num[:len(num)-1], 10*(i+1)
		}
	}
	n, err := strconv.ParseInt(num, 10, 64)
	if err != nil || n <= 0 || n > 1<<62>>shift {
		return 0, false
	}
	return n << shift, true
}

// lockModel is the embedded model and the facts of files, nil without files.
func lockModel(files []string) (*lockmodel.Model, error) {
	if len(files) == 0 {
		return nil, nil
	}
	m := lockmodel.Embedded()
	for _, name := range files {
		src, err := os.ReadFile(name)
		if err != nil {
			return nil, usage("--lock-model: %w", err)
		}
		if m, err = m.With(name, src); err != nil {
			return nil, usage("--lock-model: the file has mistakes\n%w", err)
		}
	}
	return m, nil
}

// unreadable is the code of the remark that an input could not be read.
const unreadable = "unreadable"

// maxDiagnostics is how many remarks on one input go to standard error.
const maxDiagnostics = 10

// diagnose prints what the report says about its inputs and tells whether one
// of them could not be read.
func diagnose(w io.Writer, r *report.Report, verbose bool) (unread bool) {
	for _, in := range r.Inputs {
		shown, hidden := 0, 0
		for _, d := range in.Diagnostics {
			if d.Code == unreadable {
				unread = true
			} else if !verbose && (d.Severity == "info" || shown == maxDiagnostics) {
				if d.Severity != "info" {
					hidden++
				}
				continue
			}
			at := ""
			if d.Line != nil {
				at = fmt.Sprintf(":%d", *d.Line)
			}
			fmt.Fprintf(w, "oomtrace: %s%s: %s\n", oneLine(in.Name), at, oneLine(d.Message))
			shown++
		}
		if hidden > 0 {
			fmt.Fprintf(w, "oomtrace: %s: %d more remarks; -v shows them\n", oneLine(in.Name), hidden)
		}
	}
	return unread
}

// found tells whether a task is caught for good, as sure as level or surer.
func found(r *report.Report, level string) bool {
	for _, inc := range r.Incidents {
		for _, f := range inc.Findings {
			if (f.Verdict == "deadlock" || f.Verdict == "livelock") &&
				slices.Index(levels, f.Confidence) >= slices.Index(levels, level) {
				return true
			}
		}
	}
	return false
}
