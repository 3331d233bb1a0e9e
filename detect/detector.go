package detect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

// Detector is one rule with its documentation. docs/detectors.md and
// `oomtrace explain` are made from it.
type Detector struct {
	ID       string
	Title    string
	Means    string // what the finding says
	Proof    string // what evidence it takes
	Quiet    string // what looks like it and is not reported
	Versions string // kernels it concerns
	Fixes    []Fix
	Actions  []string // what an operator can do now, safest first
	Collect  []string // what to collect next if the log does not suffice
	Run      func(d *Detector, inc *Incident) []Found
}

// Found is what a detector found, before it is flattened into the report.
type Found struct {
	Verdict     string // deadlock livelock hang oom_storm none
	Confidence  Level
	Summary     string
	Explanation []string
	Tasks       []*stacks.Task
	Cycle       int // index into Incident.Cycles, -1 for none
	Ended       *Ended
	Evidence    []waitgraph.Ref
	Fixes       []Fix    // nil: the detector's
	Actions     []string // nil: the detector's
	Collect     []string // nil: the detector's; empty: none
}

// Ended tells how a problem was seen to end.
type Ended struct {
	At       parse.Stamp
	How      string
	Evidence []waitgraph.Ref
}

// Level is a confidence, by the rules of the report's contract.
type Level uint8

// The levels.
const (
	Possible Level = iota + 1
	Likely
	Confirmed
)

func (l Level) String() string {
	return [...]string{"", "possible", "likely", "confirmed"}[l]
}

// IDs lists the rules.
func IDs() []string {
	var out []string
	for _, d := range All() {
		out = append(out, d.ID)
	}
	return out
}

// Explain is the text of one rule for a terminal, false if there is none of
// that name.
func Explain(id string) (string, bool) {
	all := All()
	i := slices.IndexFunc(all, func(d *Detector) bool { return d.ID == id })
	if i < 0 {
		return "", false
	}
	return all[i].text(), true
}

func (d *Detector) text() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s: %s\n\n", d.ID, d.Title)
	para := func(head, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%s\n%s\n\n", head, wrap(text, 76, "  "))
		}
	}
	list := func(head string, items []string) {
		if len(items) == 0 {
			return
		}
		fmt.Fprintln(&b, head)
		for _, it := range items {
			fmt.Fprintln(&b, "  - "+strings.TrimLeft(wrap(it, 74, "    "), " "))
		}
		fmt.Fprintln(&b)
	}
	para("What it means", d.Means)
	para("What proves it", d.Proof)
	para("What looks like it and is not", d.Quiet)
	para("Kernels", d.Versions)
	if len(d.Fixes) > 0 {
		fmt.Fprintln(&b, "Fixed by")
		for _, f := range d.Fixes {
			fmt.Fprintf(&b, "  - %s %q, first in Linux %s\n", f.Commit, f.Subject, f.First)
			if len(f.Builds) > 0 {
				fmt.Fprintln(&b, wrap("also in "+strings.Join(f.Builds, "; "), 74, "    "))
			}
			if f.Note != "" {
				fmt.Fprintln(&b, wrap(f.Note, 74, "    "))
			}
		}
		fmt.Fprintln(&b)
	}
	list("What to do now, safest first", d.Actions)
	list("What to collect next", d.Collect)
	return strings.TrimRight(b.String(), "\n") + "\n"
}

func wrap(s string, width int, indent string) string {
	var b strings.Builder
	col := 0
	for _, w := range strings.Fields(s) {
		if col > 0 && col+1+len(w) > width {
			b.WriteByte('\n')
			col = 0
		}
		if col == 0 {
			b.WriteString(indent)
			col = len(indent)
		} else {
			b.WriteByte(' ')
			col++
		}
		b.WriteString(w)
		col += len(w)
	}
	return b.String()
}

func (inc *Incident) reaches(from, to *waitgraph.Node) bool {
	seen := map[*waitgraph.Node]bool{from: true}
	todo := []*waitgraph.Node{from}
	for len(todo) > 0 {
		n := todo[0]
		todo = todo[1:]
		if n == to {
			return true
		}
		for _, e := range inc.Graph.Out(n) {
			if !seen[e.To] {
				seen[e.To] = true
				todo = append(todo, e.To)
			}
		}
	}
	return false
}

// cycleText draws a cycle in words, one edge a line.
func (inc *Incident) cycleText(cycle []*waitgraph.Node) []string {
	var out []string
	for _, e := range inc.EdgesOf(cycle) {
		out = append(out, edgeText(e))
	}
	return out
}

func edgeText(e *waitgraph.Edge) string {
	in := ""
	if e.Frame != "" {
		in = " in " + e.Frame + "()"
	}
	how := basisText(e.Basis)
	switch e.Relation {
	case waitgraph.WaitsFor:
		return fmt.Sprintf("%s waits for %s%s (%s)", e.From.Label, e.To.Label, in, how)
	case waitgraph.HeldBy:
		s := fmt.Sprintf("%s is held by %s%s (%s)", e.From.Label, e.To.Label, in, how)
		if e.Alternatives > 1 {
			s = fmt.Sprintf("%s may be held by %s%s, one of %d candidates (%s)", e.From.Label, e.To.Label, in, e.Alternatives, how)
		}
		return s
	case waitgraph.QueuedBehind:
		return fmt.Sprintf("%s queues behind %s, a waiting writer (%s)", e.From.Label, e.To.Label, how)
	case waitgraph.ResolvedByExit:
		return fmt.Sprintf("%s ends when its victim %s exits (%s)", e.From.Label, e.To.Label, how)
	case waitgraph.ResolvedByHandler:
		return fmt.Sprintf("%s ends when its userspace handler %s acts (%s)", e.From.Label, e.To.Label, how)
	case waitgraph.ResolvedByDaemon:
		return fmt.Sprintf("%s is up to %s (%s)", e.From.Label, e.To.Label, how)
	}
	return ""
}

func basisText(basis string) string {
	switch basis {
	case waitgraph.KernelReport:
		return "the kernel says so"
	case waitgraph.Lockdep:
		return "lockdep's lists, same address"
	case waitgraph.ContentionEvent:
		return "contention events, same address"
	case waitgraph.Trace:
		return "the trace shows it"
	case waitgraph.User:
		return "said by the user"
	}
	return "inferred from frames"
}

// cycleTasks are the tasks of a cycle, in its order.
func cycleTasks(cycle []*waitgraph.Node) []*stacks.Task {
	var out []*stacks.Task
	for _, n := range cycle {
		if n.Task != nil {
			out = append(out, n.Task)
		}
	}
	return out
}

// cycleEvidence are the lines behind a cycle's edges.
func (inc *Incident) cycleEvidence(cycle []*waitgraph.Node) []waitgraph.Ref {
	var out []waitgraph.Ref
	for _, e := range inc.EdgesOf(cycle) {
		for _, r := range e.Evidence {
			if !slices.Contains(out, r) {
				out = append(out, r)
			}
		}
	}
	return out
}

// lockClasses are the lock classes on a cycle, for people and signatures.
func lockClasses(nodes []*waitgraph.Node) []string {
	var out []string
	for _, n := range nodes {
		if n.Kind == "lock" && !slices.Contains(out, n.Class) {
			out = append(out, n.Class)
		}
	}
	return out
}

// through reports whether a cycle passes a relation.
func (inc *Incident) through(cycle []*waitgraph.Node, relation string) *waitgraph.Edge {
	for _, e := range inc.EdgesOf(cycle) {
		if e.Relation == relation {
			return e
		}
	}
	return nil
}

func taskNames(ts []*stacks.Task, most int) string {
	var names []string
	for i, t := range ts {
		if i == most {
			names = append(names, fmt.Sprintf("%d more", len(ts)-most))
			break
		}
		names = append(names, who(t))
	}
	switch n := len(names); n {
	case 0:
		return "nobody"
	case 1:
		return names[0]
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// who is "bigwrite (pid 51)".
func who(t *stacks.Task) string {
	switch {
	case t.HasPid && t.Comm != "":
		return fmt.Sprintf("%s (pid %d)", t.Comm, t.Pid)
	case t.HasPid:
		return fmt.Sprintf("pid %d", t.Pid)
	}
	return t.Name()
}
