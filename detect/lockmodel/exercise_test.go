package lockmodel

import (
	"bytes"
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

const (
	exerciseDir = "testdata/exercise"
	notesFile   = exerciseDir + "/unexercised.txt"
)

// exercise is one stack, innermost function first.
type exercise struct {
	where   string // file, and line or task
	title   string
	release Version
	real    bool // printed by a kernel that was booted, not written to its source
	hidden  bool // lock and scheduler functions are left out (/proc/PID/stack)
	runs    bool // not asleep: it waits for nothing
	awake   bool // in S: holds nothing unless it waits for a known lock
	frames  []string

	wait  []string   // words that the wait's fact must have; "-" for no wait
	holds [][]string // words that some hold's fact must have, or, after "no", none
}

// factLine is one line of a *.lock file: the unit to exercise.
type factLine struct {
	file  string
	facts []*Fact
}

// brief is the fact without its lists. It does not change when lines move: a
// note names a line by words of it.
func brief(f *Fact) string {
	short := *f
	short.On, short.While, short.Unless, short.From, short.NotFrom = nil, nil, nil, nil, nil
	return short.String()
}

func briefs(list []*Fact) string {
	var out []string
	for _, f := range list {
		out = append(out, brief(f))
	}
	return strings.Join(out, "; ")
}

func factLines(m *Model) []*factLine {
	var out []*factLine
	for _, f := range m.facts {
		if n := len(out); n > 0 && out[n-1].facts[0].Pos == f.Pos {
			out[n-1].facts = append(out[n-1].facts, f)
			continue
		}
		out = append(out, &factLine{f.Pos.Filename, []*Fact{f}})
	}
	return out
}

// match returns the facts that a stack makes true, as package waitgraph reads
// it: of the waits only the one that wins, so that a fact that an earlier one
// always hides counts as never exercised.
func (e *exercise) match(m *Model) (waits, holds []*Fact) {
	top := 0
	var prim *Primitive
	for ; top < len(e.frames); top++ {
		p := m.Primitive(e.frames[top])
		if p == nil {
			break
		}
		if p.Kind == "tracer" {
			continue
		}
		if prim == nil {
			c := *p
			prim = &c
			continue
		}
		if p.Kind != "sched" && p.Kind != "timeout" && p.Kind != "io" {
			prim.Kind = p.Kind
		}
		prim.Mode = cmp.Or(p.Mode, prim.Mode)
	}
	if top == len(e.frames) {
		return nil, nil
	}
	names := make([]string, len(e.frames))
	for i, f := range e.frames {
		names[i] = Fold(f)
	}
	if !e.runs && (prim != nil || e.hidden) {
		for _, f := range m.Lookup(e.frames[top]) {
			if !f.In(e.release) || !f.FitsPrimitive(m.Class(f.Class), prim) || !f.BelowOK(names[top+1:]) {
				continue
			}
			if len(waits) == 0 || prim == nil && f.Class == waits[0].Class && f.Instance == waits[0].Instance {
				waits = append(waits, f)
			}
		}
	}
	if e.awake && len(waits) == 0 {
		return nil, nil
	}
	for j := top; j < len(names); j++ {
		for _, f := range m.Lookup(e.frames[j]) {
			if f.Verb == Waits || f.Verb == Acquires && j == top || !f.In(e.release) || !f.BelowOK(names[j+1:]) || !f.AboveOK(names[top:j]) {
				continue
			}
			// A caller that acquires the lock through the frame that waits for
			// it has none yet.
			if len(waits) > 0 && f.Verb == Acquires && waits[0].Class == f.Class && waits[0].Instance == f.Instance {
				continue
			}
			holds = append(holds, f)
		}
	}
	return waits, holds
}

// writtenStacks reads the stacks of testdata/exercise: a line
//
//	# title / release [/ proc] [/ wait WORDS] [/ hold WORDS] [/ no WORDS]
//
// and the functions below it, up to an empty line.
func writtenStacks(t *testing.T) []*exercise {
	t.Helper()
	files, err := filepath.Glob(exerciseDir + "/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatal("no stacks in ", exerciseDir, err)
	}
	var out []*exercise
	for _, file := range files {
		file = filepath.ToSlash(file)
		if file == notesFile {
			continue
		}
		var e *exercise
		for i, line := range readLines(t, file) {
			head, ok := strings.CutPrefix(line, "# ")
			switch {
			case line == "" || strings.HasPrefix(line, "##"):
				e = nil
			case ok:
				e = &exercise{where: fmt.Sprintf("%s:%d", file, i+1)}
				e.head(t, strings.Split(head, " / "))
				out = append(out, e)
			case e == nil:
				t.Errorf("%s:%d: a stack without a title", file, i+1)
			default:
				e.frames = append(e.frames, strings.Fields(line)...)
			}
		}
	}
	return out
}

func (e *exercise) head(t *testing.T, parts []string) {
	e.title = parts[0]
	if len(parts) > 1 {
		v, ok := ParseVersion(parts[1])
		if !ok {
			t.Errorf("%s: no release in %q", e.where, parts[1])
		}
		e.release = v
	}
	for _, p := range parts[min(2, len(parts)):] {
		words := strings.Fields(p)
		switch words[0] {
		case "proc":
			e.hidden = true
		case "wait":
			e.wait = words[1:]
		case "hold":
			e.holds = append(e.holds, words[1:])
		case "no":
			e.holds = append(e.holds, words)
		default:
			t.Errorf("%s: %q is neither proc, wait, hold nor no", e.where, p)
		}
	}
	if len(parts) < 3 || e.wait == nil && e.holds == nil {
		t.Errorf("%s: %q expects nothing", e.where, e.title)
	}
}

// has reports whether a fact has all the words: class, mode, instance, verb.
func has(f *Fact, words []string) bool {
	all := strings.Fields(brief(f))
	for _, w := range words {
		if !slices.Contains(all, w) {
			return false
		}
	}
	return true
}

// expectations holds a stack to what its title says of it.
func (e *exercise) expectations(t *testing.T, waits, holds []*Fact) {
	t.Helper()
	switch {
	case len(e.frames) == 0:
		t.Errorf("%s: %s has no functions", e.where, e.title)
	case len(e.wait) == 1 && e.wait[0] == "-":
		if len(waits) > 0 {
			t.Errorf("%s: %s: wants no wait, has %s", e.where, e.title, briefs(waits))
		}
	case len(e.wait) > 0 && (len(waits) == 0 || !has(waits[0], e.wait)):
		t.Errorf("%s: %s: wants wait %v, has %s", e.where, e.title, e.wait, briefs(waits))
	}
	for _, want := range e.holds {
		words, no := want, want[0] == "no"
		if no {
			words = want[1:]
		}
		if slices.ContainsFunc(holds, func(f *Fact) bool { return has(f, words) }) == no {
			t.Errorf("%s: %s: wants hold %v, has %s", e.where, e.title, want, briefs(holds))
		}
	}
}

// loggedStacks are those of the logs in the project: of booted kernels, and of
// the cases of the detectors, most of which are written to the source.
func loggedStacks(t *testing.T) []*exercise {
	t.Helper()
	var out []*exercise
	for _, pattern := range []string{"../../testdata/dmesg/*.log", "../../testdata/ftrace/*.log", "../testdata/*/*.txtar"} {
		files, err := filepath.Glob(pattern)
		if err != nil || len(files) == 0 {
			t.Fatal("no logs in ", pattern, err)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasSuffix(file, ".txtar") {
				out = append(out, sightings(t, file, true, data)...)
				continue
			}
			ar := txtar.Parse(data)
			var logs [][]byte
			for _, f := range ar.Files {
				if f.Name != "want" {
					logs = append(logs, f.Data)
				}
			}
			out = append(out, sightings(t, file, bytes.HasPrefix(ar.Comment, []byte("Booted ")), logs...)...)
		}
	}
	return out
}

func sightings(t *testing.T, file string, real bool, logs ...[]byte) []*exercise {
	t.Helper()
	var c stacks.Collector
	for i, l := range logs {
		if _, err := parse.Read(bytes.NewReader(l), parse.Options{Input: i}, c.Add); err != nil {
			t.Fatal(err)
		}
	}
	var out []*exercise
	for _, snap := range c.Snapshots() {
		v, _ := ParseVersion(snap.Release)
		for _, task := range snap.Tasks {
			for _, s := range task.Sightings {
				e := &exercise{where: filepath.ToSlash(file) + " " + task.Name(), release: v, real: real}
				e.hidden = s.Filtered() || s.Source == parse.SourceCallTrace
				e.runs, e.awake = s.State == 'R', s.State == 'S'
				for _, f := range s.Frames() {
					e.frames = append(e.frames, f.Func)
				}
				if len(e.frames) > 0 && s.State != 'Z' && s.State != 'X' {
					out = append(out, e)
				}
			}
		}
	}
	return out
}

// note says why some lines of facts have no stack.
type note struct {
	line   int
	words  []string // a key: FUNC VERB CLASS, and more words if that is not enough
	reason string
}

// notes reads unexercised.txt: keys, a line each, and below them, indented,
// the reason for all of them.
func notes(t *testing.T) []*note {
	t.Helper()
	var out, open []*note
	for i, line := range readLines(t, notesFile) {
		switch {
		case line == "" || line[0] == '#':
			open = nil
		case line[0] == ' ' || line[0] == '\t':
			if len(open) == 0 {
				t.Errorf("%s:%d: a reason without keys", notesFile, i+1)
			}
			for _, n := range open {
				n.reason = strings.TrimSpace(n.reason + " " + strings.TrimSpace(line))
			}
		default:
			n := &note{line: i + 1, words: strings.Fields(line)}
			if len(n.words) < 3 {
				t.Errorf("%s:%d: write FUNC VERB CLASS", notesFile, i+1)
			}
			out, open = append(out, n), append(open, n)
		}
	}
	for _, n := range out {
		if len(n.reason) < 20 {
			t.Errorf("%s:%d: no reason, or one that says nothing", notesFile, n.line)
		}
	}
	return out
}

func readLines(t *testing.T, file string) []string {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(data), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " \t\r")
	}
	return lines
}

// coverage is which lines of facts are exercised by what.
type coverage struct {
	lines         []*factLine
	real, written map[*factLine]string // by which stack
	stacks        [2]int               // read: written, real
}

func cover(t *testing.T, m *Model, list []*exercise) *coverage {
	t.Helper()
	c := &coverage{lines: factLines(m), real: map[*factLine]string{}, written: map[*factLine]string{}}
	byFact := map[*Fact]*factLine{}
	for _, l := range c.lines {
		for _, f := range l.facts {
			byFact[f] = l
		}
	}
	for _, e := range list {
		waits, holds := e.match(m)
		by := c.written
		if e.real {
			by = c.real
			c.stacks[1]++
		} else {
			c.stacks[0]++
		}
		for _, f := range slices.Concat(waits, holds) {
			if by[byFact[f]] == "" {
				by[byFact[f]] = e.where
			}
		}
	}
	return c
}

func (c *coverage) of(file string) (n, real, written, none int) {
	for _, l := range c.lines {
		if l.file != file && file != "" {
			continue
		}
		n++
		switch {
		case c.real[l] != "":
			real++
		case c.written[l] != "":
			written++
		default:
			none++
		}
	}
	return n, real, written, none
}

// TestWrittenStacks holds each stack of testdata/exercise to its title.
func TestWrittenStacks(t *testing.T) {
	m := Embedded()
	seen := map[string]string{}
	for _, e := range writtenStacks(t) {
		waits, holds := e.match(m)
		e.expectations(t, waits, holds)
		if seen[e.title] != "" {
			t.Errorf("%s: %q is also in %s", e.where, e.title, seen[e.title])
		}
		seen[e.title] = e.where
	}
}

// TestEveryFactIsExercised walks every line of facts: a stack makes it true, or
// a note says why there is none.
func TestEveryFactIsExercised(t *testing.T) {
	c := cover(t, Embedded(), slices.Concat(loggedStacks(t), writtenStacks(t)))
	list := notes(t)
	used := map[*note]bool{}
	for _, l := range c.lines {
		by := cmp.Or(c.real[l], c.written[l])
		i := slices.IndexFunc(list, func(n *note) bool {
			return n.words[0] == l.facts[0].Func && has(l.facts[0], n.words)
		})
		switch {
		case by == "" && i < 0:
			t.Errorf("%s: %s: no stack exercises it and no note in %s says why", l.facts[0].Pos, brief(l.facts[0]), notesFile)
		case by != "" && i >= 0:
			t.Errorf("%s:%d: stale: %s is exercised by %s", notesFile, list[i].line, brief(l.facts[0]), by)
		}
		if i >= 0 {
			used[list[i]] = true
		}
	}
	for _, n := range list {
		if !used[n] {
			t.Errorf("%s:%d: no line of facts is %q", notesFile, n.line, strings.Join(n.words, " "))
		}
	}
	t.Logf("%d stacks of booted kernels, %d written ones", c.stacks[1], c.stacks[0])
	for _, file := range append(slices.Clone(lockFiles[2:]), "") {
		n, real, written, none := c.of(file)
		t.Logf("%-14s %4d lines of facts: %3d exercised by real stacks, %3d by written ones only, %3d not", cmp.Or(file, "all"), n, real, written, none)
	}
}

// exerciseTable is the section about it in docs/lock-model.md.
func exerciseTable(t *testing.T) string {
	t.Helper()
	c := cover(t, Embedded(), slices.Concat(loggedStacks(t), writtenStacks(t)))
	var b strings.Builder
	b.WriteString(`
### Which stacks exercise them

A line of facts is exercised if a stack of the project makes it true, as what the stack waits for or as what it holds, in
its release and with all its conditions. Real stacks were printed by kernels that were booted for it; written ones
(detect/lockmodel/testdata/exercise, and most cases of the detectors) follow the source of the release they name and show
only that a fact does what it was meant to do. detect/lockmodel/testdata/exercise/unexercised.txt says why a line has none.
`)
	b.WriteString("\n| file | lines of facts | exercised by a real stack | by a written one only | by none, with a note |\n|---|---|---|---|---|\n")
	for _, file := range append(slices.Clone(lockFiles[2:]), "") {
		n, real, written, none := c.of(file)
		name := "all"
		if file != "" {
			name = "`" + file + "`"
		}
		fmt.Fprintf(&b, "| %s | %d | %d | %d | %d |\n", name, n, real, written, none)
	}
	return b.String()
}
