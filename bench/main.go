// Command bench measures oomtrace, side by side with what else reads logs, and
// writes docs/performance.md:
//
//	go -C bench run .            all tables at full size: about 10 GB of disk, ten minutes
//	go -C bench run . -quick     small texts, once each; prints the page
//	go -C bench run . -results r.json               and keeps what was measured, table by table
//	go -C bench run . -results r.json -only start   one table anew, the others as they were
//
// It is a module of its own, so that oomtrace depends on none of its peers. It
// measures what is built from the tree it stands in, and needs Linux.
package main

import (
	"bytes"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/oomtrace/oomtrace/bench/workload"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == measureMode {
		if err := measureAll(os.Args[2], os.Stdout); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	if err := run(os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run(args []string, stdout, stderr io.Writer) error {
	fs := flag.NewFlagSet("bench", flag.ContinueOnError)
	fs.SetOutput(stderr)
	quick := fs.Bool("quick", false, "small texts, each measured once: shows that everything runs; prints the page")
	only := fs.String("only", "", "measure these `TABLES` only, with commas: "+strings.Join(sectionNames(), ", ")+"; prints the page, but with -results")
	scale := fs.Float64("scale", 1, "make the texts so many times as large as they are; prints the page")
	runs := fs.Int("k", 3, "runs of each, the least of which counts")
	keep := fs.Bool("keep", false, "keep the texts")
	dir := fs.String("dir", "", "`DIRECTORY` for texts and programs (default: a new one, deleted at the end)")
	show := fs.Bool("print", false, "print the page, write no file")
	saved := fs.String("results", "", "keep what is measured in `FILE`; what it holds and is not measured anew stays on the page")
	page := fs.Bool("page", false, "measure nothing: write the page of what -results holds")
	root := fs.String("root", "..", "the repository")
	write := fs.String("write", "", "write a text to standard output and stop: `NAME:SIZE`, as in noise:200000000 or tasks:1000")
	if err := fs.Parse(args); err != nil {
		return err
	}
	if fs.NArg() > 0 || *runs < 1 || *scale <= 0 || *page && *saved == "" {
		return fmt.Errorf("usage: bench [flags]; -h lists them")
	}
	texts, err := workload.Load(os.DirFS(filepath.Join(*root, "testdata")))
	if err != nil {
		return fmt.Errorf("%w; run it in bench/, or give -root", err)
	}
	if *write != "" {
		return writeText(stdout, texts, *write)
	}
	var wanted []string
	if *only != "" {
		wanted = strings.Split(*only, ",")
		if err := known(wanted); err != nil {
			return err
		}
	}
	b := &bench{Sizes: fullSizes.scaled(*scale), runs: *runs, root: *root, dir: *dir, keep: *keep, log: stderr, texts: texts, made: map[string]*text{}}
	if *quick {
		b.Sizes, b.runs = quickSizes, 1
	}
	b.res = &Results{Machine: machine(), Quick: *quick, Runs: b.runs, Sizes: b.Sizes}
	if *saved != "" {
		if b.saved, err = filepath.Abs(*saved); err != nil {
			return err
		}
		if err := b.res.load(b.saved); err != nil {
			return err
		}
	}
	if b.self, err = os.Executable(); err != nil {
		return err
	}
	if *page {
		wanted = []string{}
	}
	if b.dir == "" {
		if b.dir, err = os.MkdirTemp("", "oomtrace-bench-"); err != nil {
			return err
		}
		defer cleanUp(b.dir)()
	} else if b.dir, err = filepath.Abs(b.dir); err != nil {
		return err
	} else if err := os.MkdirAll(b.dir, 0o777); err != nil {
		return err
	}
	if b.root, err = filepath.Abs(b.root); err != nil {
		return err
	}
	if !*page {
		if err := b.build(); err != nil {
			return err
		}
	}
	if err := b.all(wanted); err != nil {
		return err
	}
	text, err := render(b.res)
	if err != nil {
		return err
	}
	if *show || *quick || *scale != 1 || wanted != nil && *saved == "" {
		_, err = stdout.Write(text)
		return err
	}
	return os.WriteFile(filepath.Join(b.root, "docs", "performance.md"), text, 0o666)
}

// cleanUp deletes a directory at the end, and on ctrl-c.
func cleanUp(dir string) func() {
	c := make(chan os.Signal, 1)
	signal.Notify(c, os.Interrupt, syscall.SIGTERM)
	go func() {
		<-c
		os.RemoveAll(dir)
		os.Exit(130)
	}()
	return func() { os.RemoveAll(dir) }
}

func writeText(w io.Writer, texts *workload.Texts, what string) error {
	name, num, ok := strings.Cut(what, ":")
	n, err := strconv.ParseInt(num, 10, 64)
	if !ok || err != nil || n < 1 {
		return fmt.Errorf("-write %q: want NAME:SIZE", what)
	}
	made, err := workload.Lookup(name)
	if err != nil {
		return err
	}
	_, err = made.Make(w, texts, n)
	return err
}

// machine is what this one is.
func machine() Machine {
	m := Machine{CPU: "unknown CPU", Cores: runtime.NumCPU(), Go: strings.TrimPrefix(runtime.Version(), "go"), System: runtime.GOOS + "/" + runtime.GOARCH}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		for line := range strings.Lines(string(text)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == "model name" {
				m.CPU = strings.TrimSpace(v)
				break
			}
		}
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		m.Memory = int64(info.Totalram) * int64(info.Unit)
	}
	var uts unix.Utsname
	if unix.Uname(&uts) == nil {
		m.System += ", Linux " + string(bytes.TrimRight(uts.Release[:], "\x00"))
	}
	return m
}
