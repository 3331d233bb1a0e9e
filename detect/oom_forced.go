package detect

import (
	"fmt"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/parse"
)

var oomByHand = &Detector{
	ID:    "oom-by-hand",
	Title: "somebody invoked the OOM killer by hand (sysrq-f)",
	Means: "The report says nothing about memory: 'echo f > /proc/sysrq-trigger' or Alt-SysRq-f kills the largest task whatever the state of the system. Its task table and " +
		"memory statistics are true all the same.",
	Proof:    "order=-1 in the report's header (4.4 on), or moom_callback() on its call trace, or 'Manual OOM execution' before it.",
	Quiet:    "Every other OOM report.",
	Versions: "all",
	Actions:  []string{"find who did it: a watchdog script, an operator; it is not the kernel's decision"},
	Collect:  []string{"the shell history and the audit log of that moment"},
	Run: func(d *Detector, inc *Incident) []Found {
		var refs []waitgraph.Ref
		for _, o := range inc.Reports() {
			if o.Scope == "sysrq" {
				refs = append(refs, waitgraph.Ref{Input: o.Span.Input, Line: o.Span.First})
			}
		}
		if len(refs) == 0 {
			return nil
		}
		times := len(refs)
		for _, e := range inc.Episodes {
			if e.Scope == "sysrq" {
				times += e.Folded.Reports
			}
		}
		return []Found{{Verdict: "none", Confidence: Confirmed, Cycle: -1, Evidence: refs, Collect: []string{},
			Summary: fmt.Sprintf("the OOM killer was invoked by hand (%d %s)", times, plural(times, "time", "times"))}}
	},
}

var oomPanic = &Detector{
	ID:    "oom-panic",
	Title: "the kernel panicked instead of killing (panic_on_oom)",
	Means: "With vm.panic_on_oom=1 a system-wide OOM ends in a panic, with 2 every OOM does, a memory cgroup's too. Without any killable task a global OOM panics in any case. Nothing after that " +
		"line is an OOM's consequence: the log ends because the machine did.",
	Proof:    "'Kernel panic - not syncing: Out of memory: ... panic_on_oom is enabled' in the log.",
	Quiet:    "Other panics.",
	Versions: "all",
	Actions: []string{
		"sysctl vm.panic_on_oom=0, unless the node is meant to fail over",
		"give the groups limits below the size of the machine, so that no system-wide OOM comes",
	},
	Collect: []string{"the crash dump (kdump), or pstore: what used the memory"},
	Run: func(d *Detector, inc *Incident) []Found {
		var refs []waitgraph.Ref
		text := ""
		for _, n := range inc.panicNotes() {
			refs = append(refs, waitgraph.Ref{Input: n.Span.Input, Line: n.Span.First})
			text = n.Text
		}
		if len(refs) == 0 || len(inc.Reports()) == 0 {
			return nil
		}
		return []Found{{Verdict: "none", Confidence: Confirmed, Cycle: -1, Evidence: refs, Collect: []string{},
			Summary: "the kernel panicked on this OOM instead of killing: " + text}}
	},
}

func (inc *Incident) panicNotes() []*parse.Note {
	b := inc.boot
	if !b.known {
		b.known = true
		for _, n := range inc.Snap.Notes {
			if n.Kind == "panic_on_oom" {
				b.panics = append(b.panics, n)
			}
		}
	}
	return b.panics
}
