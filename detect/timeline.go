package detect

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/report"
	"github.com/oomtrace/oomtrace/stacks"
)

// gapS is how long a silence between two events of an incident must be to be
// worth a line: shorter than the usual hung-task interval of 120 s.
const gapS = 60

// maxHung bounds the repeated hung-task reports of one task in the timeline.
const maxHung = 3

// timeline lists what happened, in the order of the log.
func (inc *Incident) timeline() []report.Event {
	type item struct {
		order stacks.Order
		stamp parse.Stamp
		ev    report.Event
		until float64 // end of what it stands for, 0 for a moment
	}
	var items []item
	add := func(m *parse.Meta, kind string, task *stacks.Task, format string, a ...any) {
		ev := report.Event{BootS: boot(m.Stamp), Wall: optional(m.Stamp.Wall), Kind: kind, Text: fmt.Sprintf(format, a...), Input: m.Span.Input, Line: m.Span.First}
		if task != nil {
			ev.Task = &task.ID
		}
		items = append(items, item{order: inc.Snap.Order(m), stamp: m.Stamp, ev: ev})
	}
	for _, e := range inc.Episodes {
		for _, o := range e.Reports {
			var t *stacks.Task
			if o.HasPid {
				t = inc.Snap.Task(o.InvokerPid)
			}
			add(&o.Meta, "oom", t, "OOM in %s, invoked by %s", groupName(e), o.InvokerComm)
		}
		for _, k := range e.Kills {
			add(&k.Meta, "kill", inc.Snap.Task(k.Pid), "%s (pid %d) killed", k.Comm, k.Pid)
		}
		for _, v := range e.Victims {
			for _, r := range inc.Snap.Reaped(v.Kill.Pid) {
				if r.OK {
					add(&r.Meta, "reap", inc.Snap.Task(r.Pid), "oom_reaper freed the memory of %s (pid %d)", r.Comm, r.Pid)
				} else {
					add(&r.Meta, "reap_failed", inc.Snap.Task(r.Pid), "oom_reaper gave up on %s (pid %d)", r.Comm, r.Pid)
				}
			}
		}
	}
	_, folded := inc.folded()
	for i := range folded {
		if f := &folded[i]; f.Incidents == 0 {
			m := parse.Meta{Span: parse.Span{Input: f.Input, First: f.FirstLine}}
			if f.Time.FirstBootS != nil {
				m.Stamp.Boot, m.Stamp.HasBoot = *f.Time.FirstBootS, true
			}
			if f.Time.FirstWall != nil {
				m.Stamp.Wall = *f.Time.FirstWall
			}
			add(&m, "folded", nil, "%s", f.Text())
			if f.Time.LastBootS != nil {
				items[len(items)-1].until = *f.Time.LastBootS
			}
		}
	}
	dumps := map[*parse.Dump]int{}
	for _, t := range inc.Tasks {
		for _, s := range t.Sightings {
			if d := inc.Snap.Dump(s.Span.Input, s.Dump); d != nil {
				dumps[d]++
			}
		}
		if t.HungReports == 0 {
			continue
		}
		list := inc.Snap.HungReports(t.Pid)
		for i, h := range list {
			n := i + 1
			if n == len(list) {
				n = t.HungReports
			}
			if n <= maxHung || n == t.HungReports {
				add(&h.Meta, "hung_task", t, "%s (pid %d) blocked for more than %d s (report %d of %d)", h.Comm, h.Pid, h.Seconds, n, t.HungReports)
			}
		}
	}
	for _, d := range inc.Snap.Dumps {
		if n := dumps[d]; n > 0 {
			add(&d.Meta, "dump", nil, "sysrq-%c lists %d tasks, %d of this incident", d.Action, d.Tasks, n)
		} else if len(items) > 0 && len(inc.Tasks) > 0 {
			add(&d.Meta, "dump", nil, "sysrq-%c lists %d tasks, none of this incident", d.Action, d.Tasks)
		}
	}
	for _, t := range inc.Tasks {
		for _, m := range moments(inc.Snap, t) {
			add(m.meta, m.kind, t, "%s", m.text)
			if b := items[len(items)-1].ev.BootS; b != nil {
				*b += m.late
			}
		}
	}
	slices.SortStableFunc(items, func(a, b item) int { return a.order.Compare(b.order) })
	out := []report.Event{}
	busy := 0.0 // until then there were events that are not listed
	for i, it := range items {
		if i > 0 {
			prev := items[i-1]
			busy = max(busy, prev.until)
			if d := it.stamp.Boot - max(prev.stamp.Boot, busy); it.stamp.HasBoot && prev.stamp.HasBoot && d > gapS {
				out = append(out, report.Event{BootS: boot(prev.stamp), Kind: "gap", Text: fmt.Sprintf("%.0f s without an event of this incident", d), Input: it.ev.Input, Line: prev.ev.Line})
			}
		}
		out = append(out, it.ev)
	}
	return out
}

// roles marks the frames that the graph was read from.
func (inc *Incident) roles(t *stacks.Task, s *stacks.Sighting, out []report.Frame) {
	v := inc.Graph.View(t)
	if v == nil || v.At != s {
		return
	}
	mark := func(f *parse.Frame, role, lock string) {
		for i := range s.Trace.Frames {
			if &s.Trace.Frames[i] == f && out[i].Role == nil {
				out[i].Role, out[i].Lock = optional(role), optional(lock)
			}
		}
	}
	if v.Wait != nil {
		lock := ""
		if v.Wait.Class != nil {
			lock = v.Wait.Class.NameIn(inc.version())
		}
		mark(v.Wait.Frame, "waits", lock)
	}
	if v.Charge.Frame != nil {
		mark(v.Charge.Frame, "charges", "memcg_oom")
	}
	for _, h := range v.Holds {
		mark(h.Frame, "holds", h.Class.NameIn(inc.version()))
	}
}

// cited calls take for each line that an incident cites.
func cited(inc *report.Incident, take func(report.Ref)) {
	all := func(list []report.Ref) {
		for _, r := range list {
			take(r)
		}
	}
	all(inc.SynchronizePath.Evidence)
	for _, o := range inc.OOMs {
		take(report.Ref{Input: o.Input, Line: o.Line})
		for _, v := range o.Victims {
			all(v.Evidence)
		}
	}
	for i := range inc.WaitGraph.Edges {
		all(inc.WaitGraph.Edges[i].Evidence)
	}
	for _, f := range inc.Findings {
		for _, e := range f.Evidence {
			take(report.Ref{Input: e.Input, Line: e.Line})
		}
	}
	for i := range inc.Tasks[:min(len(inc.Tasks), maxLogTasks)] {
		all(inc.Tasks[i].Evidence)
	}
}

// around and maxLog bound the log lines that an incident carries.
const (
	around      = 3
	maxLog      = 600
	maxLogTasks = 50
)

// Context lists the lines that an incident needs from each input: its evidence
// with the lines around it, in order.
func Context(inc *report.Incident) []report.Ref {
	var refs []report.Ref // each gives a line, so that the first maxLog are enough
	tidy := func() {
		slices.SortFunc(refs, func(a, b report.Ref) int { return cmp.Or(cmp.Compare(a.Input, b.Input), cmp.Compare(a.Line, b.Line)) })
		refs = slices.Compact(refs)
		refs = refs[:min(len(refs), maxLog)]
	}
	cited(inc, func(r report.Ref) {
		if refs = append(refs, r); len(refs) == 16*maxLog {
			tidy()
		}
	})
	tidy()
	var out []report.Ref
	for _, r := range refs {
		for l := max(1, r.Line-around); l <= r.Line+around && len(out) < maxLog; l++ {
			if n := len(out); n == 0 || out[n-1].Input != r.Input || out[n-1].Line < l {
				out = append(out, report.Ref{Input: r.Input, Line: l})
			}
		}
	}
	return out
}
