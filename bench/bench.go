package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/oomtrace/oomtrace/bench/workload"
)

// Sizes are how large the texts are.
type Sizes struct {
	Noise, Dense, Ftrace int64 // bytes
	Tasks, OOMs          int64
	GrowOOMs             int64 // the largest of the growth table
	Starts               int   // runs
}

func (s Sizes) scaled(f float64) Sizes {
	for _, n := range []*int64{&s.Noise, &s.Dense, &s.Ftrace, &s.Tasks, &s.OOMs, &s.GrowOOMs} {
		*n = int64(float64(*n) * f)
	}
	return s
}

var (
	fullSizes  = Sizes{Noise: 2e9, Dense: 50e6, Ftrace: 1e9, Tasks: 100_000, OOMs: 1_000_000, GrowOOMs: 200_000, Starts: 30}
	quickSizes = Sizes{Noise: 4e6, Dense: 1e6, Ftrace: 2e6, Tasks: 400, OOMs: 400, GrowOOMs: 400, Starts: 3}
)

// What no measured program may take.
const (
	maxRSS  = 6e9
	maxTime = 15 * time.Minute
)

// bench makes the texts and programs, and measures.
type bench struct {
	Sizes
	runs  int
	self  string // the program that runs
	root  string // of the repository
	dir   string // for texts and programs
	keep  bool   // the texts stay
	log   io.Writer
	texts *workload.Texts
	made  map[string]*text
	res   *Results
	saved string // file for the results, "" for none
}

// text is a workload in a file.
type text struct {
	file    string
	planted workload.Planted
	n       int64
}

type section struct {
	id string
	do func(*bench) error
}

// sections are the tables that can be measured, in the order of the page.
var sections = []section{
	{"memory", (*bench).memory},
	{"noise", (*bench).noise},
	{"threads", (*bench).threads},
	{"inputs", (*bench).inputs},
	{"dense", (*bench).dense},
	{"tasks", (*bench).tasks},
	{"ooms", (*bench).ooms},
	{"ftrace", (*bench).ftrace},
	{"start", (*bench).start},
	{"growth", (*bench).growth},
}

func (b *bench) program(name string) string { return filepath.Join(b.dir, name) }

// build builds what is measured, out of the tree.
func (b *bench) build() error {
	here := filepath.Join(b.root, "bench")
	for _, p := range []struct {
		dir  string
		args []string
	}{
		{b.root, []string{"-o", b.program("oomtrace"), "./cmd/oomtrace"}},
		{b.root, []string{"-tags", "purego", "-o", b.program("oomtrace-purego"), "./cmd/oomtrace"}},
		{here, []string{"-o", b.program("peer"), "./peer"}},
		{here, []string{"-o", b.program("stage"), "./stage"}},
		{here, []string{"-o", b.program("empty"), "./empty"}},
	} {
		cmd := exec.Command("go", append([]string{"build", "-trimpath"}, p.args...)...)
		cmd.Dir = p.dir
		cmd.Env = append(os.Environ(), "CGO_ENABLED=0") // as the README has it
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%s: %w\n%s", cmd, err, out)
		}
		// As it is installed: what the linker wrote lies in the page cache in small
		// pieces, and starts up to 2 ms later than a copy.
		if err := copied(cmd.Args[slices.Index(cmd.Args, "-o")+1]); err != nil {
			return err
		}
	}
	return nil
}

// copied puts a copy in the place of a program.
func copied(program string) error {
	data, err := os.ReadFile(program)
	if err == nil {
		err = os.Remove(program)
	}
	if err != nil {
		return err
	}
	return os.WriteFile(program, data, 0o777)
}

// text makes a workload of that size, once.
func (b *bench) text(name string, n int64) (*text, error) {
	key := fmt.Sprintf("%s-%d", name, n)
	if t := b.made[key]; t != nil {
		return t, warm(t.file)
	}
	w, err := workload.Lookup(name)
	if err != nil {
		return nil, err
	}
	fmt.Fprintf(b.log, "making %s\n", key)
	f, err := os.Create(filepath.Join(b.dir, key+".log"))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	t := &text{file: f.Name(), n: n}
	if t.planted, err = w.Make(f, b.texts, n); err != nil {
		return nil, err
	}
	b.made[key] = t
	return t, warm(t.file)
}

// drop deletes the texts of a workload that no later table needs.
func (b *bench) drop(name string) {
	for key, t := range b.made {
		if strings.HasPrefix(key, name+"-") && !b.keep {
			os.Remove(t.file)
			delete(b.made, key)
		}
	}
}

// measure measures one row of a table.
func (b *bench) measure(table string, r Row, s Spec) error { return b.repeat(table, r, s, b.runs) }

func (b *bench) repeat(table string, r Row, s Spec, n int) error {
	t := b.res.table(table)
	if _, err := exec.LookPath(s.Args[0]); err != nil {
		r.Missing = "not installed"
		t.Rows = append(t.Rows, r)
		return nil
	}
	fmt.Fprintf(b.log, "%s: %s\n", table, r.Label)
	s.MaxRSS, s.Limit = maxRSS, maxTime
	runs, err := measure(b.self, s, n)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", table, r.Label, err)
	}
	r.Run = least(runs)
	r.Missing = r.Stopped
	for _, run := range runs {
		r.Mean += run.Wall / float64(len(runs))
	}
	t.Rows = append(t.Rows, r)
	return nil
}

// analyze measures oomtrace over a text, after one run whose report is compared
// with what was planted: the same program finds the same in the same text.
func (b *bench) analyze(table string, r Row, t *text, s Spec) error {
	r.Bytes, r.N = t.planted.Bytes, t.n
	s.Args = append([]string{s.Args[0], "analyze", "--no-progress", "--format", "json"}, s.Args[1:]...)
	why, err := b.check(s, &t.planted)
	if err != nil {
		return fmt.Errorf("%s, %s: %w", table, r.Label, err)
	}
	if why != "" {
		r.Missing, r.Stopped = why, why
		tab := b.res.table(table)
		tab.Rows = append(tab.Rows, r)
		return nil
	}
	return b.measure(table, r, s)
}

// check runs oomtrace and compares its report with what was planted. It tells
// why it was stopped, if it was.
func (b *bench) check(s Spec, p *workload.Planted) (stopped string, err error) {
	cmd := exec.Command(s.Args[0], s.Args[1:]...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	switch {
	case s.Feed != nil:
		feed := exec.Command(s.Feed[0], s.Feed[1:]...)
		if cmd.Stdin, err = feed.StdoutPipe(); err != nil {
			return "", err
		}
		if err := feed.Start(); err != nil {
			return "", err
		}
		defer feed.Wait()
		defer feed.Process.Kill()
	case s.Stdin != "":
		f, err := os.Open(s.Stdin)
		if err != nil {
			return "", err
		}
		defer f.Close()
		cmd.Stdin = f
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	stop := guard(cmd.Process.Pid, maxRSS, maxTime)
	found, err := workload.Read(bufio.NewReaderSize(out, 1<<20))
	if err != nil {
		cmd.Process.Kill()
	}
	failed := cmd.Wait()
	if why := stop(); why != "" {
		return why, nil
	}
	if err = errors.Join(err, failed); err != nil {
		return "", fmt.Errorf("%w: %.500s", err, stderr.Bytes())
	}
	return "", found.Check(p)
}

// count runs a peer once and returns the number that it prints.
func (b *bench) count(s Spec) (n int64, err error) {
	if _, err := exec.LookPath(s.Args[0]); err != nil {
		return 0, nil
	}
	s.Stdout = b.program("count")
	if _, err := measure(b.self, s, 1); err != nil {
		return 0, err
	}
	out, err := os.ReadFile(s.Stdout)
	if err != nil {
		return 0, err
	}
	_, err = fmt.Sscan(string(out), &n)
	return n, err
}

// memory is what the memory of the machine can do.
func (b *bench) memory() error {
	t := b.res.table("memory")
	for _, m := range []struct{ mode, label string }{{"sum", "adding up words"}, {"copy", "`copy`"}} {
		fmt.Fprintf(b.log, "memory: %s\n", m.label)
		best := int64(0)
		for range b.runs {
			n, err := b.count(Spec{Args: []string{b.program("peer"), m.mode}, Procs: 1, Pin: true})
			if err != nil {
				return err
			}
			best = max(best, n)
		}
		t.Rows = append(t.Rows, Row{Key: m.mode, Label: m.label, Bytes: best, Run: Run{User: 1}})
	}
	return nil
}

// noise is one core over a log that hardly holds a report.
func (b *bench) noise() error {
	t, err := b.text("noise", b.Sizes.Noise)
	if err != nil {
		return err
	}
	all, err := anchors(b.root)
	if err != nil {
		return err
	}
	alternatives := func(words []string) string {
		var quoted []string
		for _, w := range words {
			quoted = append(quoted, regexp.QuoteMeta(w))
		}
		return strings.Join(quoted, "|")
	}
	grep := []string{"grep", "-cF"}
	for _, w := range all {
		grep = append(grep, "-e", w)
	}
	peer := b.program("peer")
	rg := []string{"rg", "--no-config", "-c", "-e", alternatives(all), t.file}
	count := b.program("count") // grep ends at the first hit where its output is /dev/null
	for _, p := range []struct {
		key, label string
		args       []string
		out        string
	}{
		{"read", "read(2), 1 MiB buffer, no work", []string{peer, "read", t.file}, count},
		{"cat", "`cat`", []string{"cat", t.file}, ""},
		{"wc", "`wc -l`", []string{"wc", "-l", t.file}, count},
		{"grep", fmt.Sprintf("`grep -cF`, %d words", len(all)), append(grep, t.file), count},
		{"rg-ten", "`rg -c`, 10 words", []string{"rg", "--no-config", "-c", "-e", alternatives(ten), t.file}, count},
		{"rg", fmt.Sprintf("`rg -c`, %d words", len(all)), rg, count},
		{"cadvisor", "cadvisor's `oomparser`", []string{peer, "cadvisor", t.file}, count},
		{"cadvisor-lines", "its regular expressions alone", []string{peer, "cadvisor-lines", t.file}, count},
	} {
		if err := b.measure("noise", Row{Key: p.key, Label: p.label, Bytes: t.planted.Bytes}, Spec{Args: p.args, Stdout: p.out, Procs: 1, Pin: true, OK: []int{1}}); err != nil {
			return err
		}
	}
	// The peers must have done the work: rg and grep count the same lines, and
	// cadvisor's parser sees OOMs.
	one, err := b.count(Spec{Args: append(grep, t.file), OK: []int{1}})
	if err != nil {
		return err
	}
	other, err := b.count(Spec{Args: rg, OK: []int{1}})
	if err != nil {
		return err
	}
	if one != 0 && other != 0 && one != other {
		return fmt.Errorf("grep counts %d lines, rg %d", one, other)
	}
	for _, mode := range []string{"cadvisor", "cadvisor-lines"} {
		n, err := b.count(Spec{Args: []string{peer, mode, t.file}})
		if err != nil {
			return err
		}
		if n == 0 && t.planted.OOM > 0 {
			return fmt.Errorf("%s found none of %d OOM reports", mode, t.planted.OOM)
		}
	}
	if err := b.analyze("noise", Row{Key: "oomtrace", Label: "`oomtrace analyze`"}, t, Spec{Args: []string{b.program("oomtrace"), t.file}, Procs: 1, Pin: true}); err != nil {
		return err
	}
	return b.analyze("noise", Row{Key: "portable", Label: "the same without assembly (`purego`)"}, t, Spec{Args: []string{b.program("oomtrace-purego"), t.file}, Procs: 1, Pin: true})
}

// threads is the same on one, two and four.
func (b *bench) threads() error {
	for _, w := range []struct {
		name string
		n    int64
	}{{"noise", b.Sizes.Noise}, {"dense", b.Sizes.Dense}} {
		t, err := b.text(w.name, w.n)
		if err != nil {
			return err
		}
		for procs := 1; procs <= min(4, b.res.Machine.Cores); procs *= 2 {
			r := Row{Key: fmt.Sprintf("%s-%d", w.name, procs), Label: fmt.Sprintf("%s, %d", w.name, procs)}
			if err := b.analyze("threads", r, t, Spec{Args: []string{b.program("oomtrace"), t.file}, Procs: procs}); err != nil {
				return err
			}
		}
	}
	return nil
}

// packers compress; how much smaller the text is for each that is slow.
var packers = []struct {
	name, ext string
	level     string
	divide    int64
}{
	{"gzip", ".gz", "-1", 4},
	{"zstd", ".zst", "-1", 4},
	{"lz4", ".lz4", "-1", 4},
	{"xz", ".xz", "-1", 8},
	{"bzip2", ".bz2", "-1", 16},
}

// inputs is noise by every way into the program, on as many cores as it likes.
func (b *bench) inputs() error {
	t, err := b.text("noise", b.Sizes.Noise)
	if err != nil {
		return err
	}
	oomtrace := b.program("oomtrace")
	for _, in := range []struct {
		key, label string
		s          Spec
	}{
		{"file", "a file", Spec{Args: []string{oomtrace, t.file}}},
		{"stdin", "standard input, a file", Spec{Args: []string{oomtrace, "-"}, Stdin: t.file}},
		{"pipe", "standard input, a pipe from `cat`", Spec{Args: []string{oomtrace, "-"}, Feed: []string{"cat", t.file}}},
	} {
		if err := b.analyze("inputs", Row{Key: in.key, Label: in.label}, t, in.s); err != nil {
			return err
		}
	}
	for _, p := range packers {
		t, err := b.text("noise", b.Sizes.Noise/p.divide)
		if err != nil {
			return err
		}
		r := Row{Key: p.name, Label: p.name}
		if _, err := exec.LookPath(p.name); err != nil {
			r.Missing = "not installed"
			tab := b.res.table("inputs")
			tab.Rows = append(tab.Rows, r)
			continue
		}
		packed := t.file + p.ext
		if err := pack(packed, p.name, p.level, "-c", t.file); err != nil {
			return err
		}
		if err := warm(packed); err != nil {
			return err
		}
		r.Note = fmt.Sprintf("%s packed", size(fileSize(packed)))
		if err := b.analyze("inputs", r, t, Spec{Args: []string{oomtrace, packed}}); err != nil {
			return err
		}
		alone := Row{Key: p.name + "-dc", Label: "`" + p.name + " -dc` alone", Bytes: t.planted.Bytes}
		if err := b.measure("inputs", alone, Spec{Args: []string{p.name, "-dc", packed}}); err != nil {
			return err
		}
		if !b.keep {
			os.Remove(packed)
		}
	}
	return nil
}

func pack(to string, args ...string) error {
	f, err := os.Create(to)
	if err != nil {
		return err
	}
	defer f.Close()
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout = f
	return cmd.Run()
}

func fileSize(name string) int64 {
	info, err := os.Stat(name)
	if err != nil {
		return 0
	}
	return info.Size()
}

// dense is a log of nothing but reports, by the stages on one core.
func (b *bench) dense() error {
	t, err := b.text("dense", b.Sizes.Dense)
	if err != nil {
		return err
	}
	for _, s := range []struct{ stage, label string }{{"parse", "`parse`"}, {"stacks", "`parse` and `stacks`"}} {
		r := Row{Key: s.stage, Label: s.label, Bytes: t.planted.Bytes}
		args := []string{b.program("stage"), s.stage, t.file}
		if err := b.checkStage(args, &t.planted); err != nil {
			return err
		}
		if err := b.measure("dense", r, Spec{Args: args, Procs: 1, Pin: true}); err != nil {
			return err
		}
	}
	return b.analyze("dense", Row{Key: "whole", Label: "`oomtrace analyze`, JSON"}, t, Spec{Args: []string{b.program("oomtrace"), t.file}, Procs: 1, Pin: true})
}

// checkStage compares what the stage counts with what was planted.
func (b *bench) checkStage(args []string, p *workload.Planted) error {
	out, err := exec.Command(args[0], args[1:]...).Output()
	if err != nil {
		return err
	}
	var got [5]int
	if _, err := fmt.Sscan(string(out), &got[0], &got[1], &got[2], &got[3], &got[4]); err != nil {
		return err
	}
	if want := [4]int{p.OOM, p.Kill, p.HungTask, p.TaskDump}; [4]int(got[:4]) != want {
		return fmt.Errorf("%s counts %v, planted were %v", args[1], got[:4], want)
	}
	return nil
}

// tasks is one sysrq-t of a large machine, analysed whole.
func (b *bench) tasks() error {
	t, err := b.text("tasks", b.Sizes.Tasks)
	if err != nil {
		return err
	}
	s := Spec{Args: []string{b.program("oomtrace"), t.file}}
	if err := b.analyze("tasks", Row{Key: "all", Label: "all cores"}, t, s); err != nil {
		return err
	}
	s.Procs, s.Pin = 1, true
	return b.analyze("tasks", Row{Key: "one", Label: "one core"}, t, s)
}

// ooms is an OOM report again and again.
func (b *bench) ooms() error {
	t, err := b.text("ooms", b.Sizes.OOMs)
	if err != nil {
		return err
	}
	err = b.analyze("ooms", Row{Key: "all", Label: "all cores"}, t, Spec{Args: []string{b.program("oomtrace"), t.file}})
	os.Remove(t.file) // the largest of all
	delete(b.made, fmt.Sprintf("ooms-%d", b.Sizes.OOMs))
	return err
}

// ftrace is a trace that streams by.
func (b *bench) ftrace() error {
	t, err := b.text("ftrace", b.Sizes.Ftrace)
	if err != nil {
		return err
	}
	s := Spec{Args: []string{b.program("oomtrace"), t.file}, Procs: 1, Pin: true}
	if err := b.analyze("ftrace", Row{Key: "one", Label: "one core"}, t, s); err != nil {
		return err
	}
	s.Procs, s.Pin = 0, false
	err = b.analyze("ftrace", Row{Key: "all", Label: "all cores"}, t, s)
	b.drop("ftrace")
	return err
}

// start is a small log, from the start of the process to its end.
func (b *bench) start() error {
	oomtrace := b.program("oomtrace")
	logs := filepath.Join(b.root, "testdata", "dmesg")
	for _, p := range []struct {
		key, label string
		args       []string
	}{
		{"empty", "an empty Go program", []string{b.program("empty")}},
		{"version", "`oomtrace version`", []string{oomtrace, "version"}},
		{"small", "`oomtrace analyze`, two stacks in 24 lines", []string{oomtrace, "analyze", filepath.Join(logs, "stacks-3.x-memcg-trap-changelog.log")}},
		{"boot", "`oomtrace analyze`, the 1,223 lines of a boot with an OOM deadlock", []string{oomtrace, "analyze", filepath.Join(logs, "oom-3.2-memcg-trap-ext3.log")}},
	} {
		if err := b.repeat("start", Row{Key: p.key, Label: p.label}, Spec{Args: p.args}, b.Starts); err != nil {
			return err
		}
	}
	return nil
}

// growth is n, 2n and 4n of each text on one core.
func (b *bench) growth() error {
	for _, w := range []struct {
		name string
		n    int64
	}{{"noise", b.Sizes.Noise}, {"dense", b.Sizes.Dense}, {"tasks", b.Sizes.Tasks}, {"ooms", b.GrowOOMs}} {
		for _, part := range []int64{4, 2, 1} {
			n := w.n / part
			t, err := b.text(w.name, n)
			if err != nil {
				return err
			}
			label := w.name + ", " + size(n)
			if w.name == "tasks" || w.name == "ooms" {
				label = fmt.Sprintf("%s, %s", w.name, thousands(n))
			}
			r := Row{Key: fmt.Sprintf("%s-%d", w.name, 4/part), Label: label}
			if err := b.analyze("growth", r, t, Spec{Args: []string{b.program("oomtrace"), t.file}, Procs: 1, Pin: true}); err != nil {
				return err
			}
		}
		b.drop(w.name)
	}
	return nil
}

func thousands(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

func sectionNames() (names []string) {
	for _, s := range sections {
		names = append(names, s.id)
	}
	return names
}

// known tells whether every one of names is a section.
func known(names []string) error {
	for _, n := range names {
		if !slices.Contains(sectionNames(), n) {
			return fmt.Errorf("no table %q; there are: %s", n, strings.Join(sectionNames(), ", "))
		}
	}
	return nil
}

// all measures the wanted tables, all of them if wanted is nil.
func (b *bench) all(wanted []string) error {
	for _, s := range sections {
		if wanted == nil || slices.Contains(wanted, s.id) {
			b.res.table(s.id).Rows = nil // of an earlier run
			if err := s.do(b); err != nil {
				return err
			}
			if b.saved == "" {
				continue
			}
			if err := b.res.save(b.saved); err != nil {
				return err
			}
		}
	}
	return nil
}
