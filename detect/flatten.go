package detect

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/report"
	"github.com/oomtrace/oomtrace/stacks"
)

// noLimitKB and above is how the kernel prints "no limit" (PAGE_COUNTER_MAX
// or RESOURCE_MAX in kB; oom-eras, log-formats §3.3).
const noLimitKB = 9007199254740988

// maxCandidates bounds the task table in the report.
const maxCandidates = 64

// report runs the detectors and flattens the incident.
func (inc *Incident) report() report.Incident {
	out := report.Incident{
		Host:            optional(inc.Snap.Host),
		Kernel:          report.Kernel{Release: optional(inc.Snap.Release), Arch: optional(inc.Snap.Arch), Era: inc.Era.Name, EraBasis: inc.Era.Basis},
		SynchronizePath: inc.synchronizePath(),
		OOMs:            []report.OOM{}, Tasks: []report.Task{}, Findings: []report.Finding{},
	}
	var lead *Found
	var leadRule string
	caveats := inc.caveats()
	for _, d := range All() {
		for _, f := range d.Run(d, inc) {
			if rankVerdict(f.Verdict) >= rankVerdict("hang") {
				f.Explanation = append(f.Explanation, caveats...)
			}
			out.Findings = append(out.Findings, inc.finding(d, &f))
			if lead == nil || rankVerdict(f.Verdict) > rankVerdict(lead.Verdict) {
				lead, leadRule = &f, d.ID
			}
		}
	}
	for _, e := range inc.Episodes {
		out.OOMs = append(out.OOMs, inc.ooms(e)...)
	}
	slices.SortStableFunc(out.OOMs, func(a, b report.OOM) int { return cmp.Or(cmp.Compare(a.Input, b.Input), cmp.Compare(a.Line, b.Line)) })
	out.Tasks = inc.tasks()
	out.Count, out.Folded = inc.folded()
	out.WaitGraph = inc.graph()
	out.Timeline = inc.timeline()
	out.Log = []report.LogLine{}
	inc.verdict(&out, lead)
	inc.when(&out)
	out.Signature = inc.signature(leadRule, lead, out.Verdict)
	return out
}

func rankVerdict(v string) int {
	return slices.Index([]string{"none", "oom_storm", "hang", "livelock", "deadlock"}, v)
}

// verdict decides what the incident is as a whole (reasoning.md §6).
func (inc *Incident) verdict(out *report.Incident, lead *Found) {
	text, resolved := inc.resolution()
	out.Resolution = optional(text)
	hung := inc.hangs()
	switch {
	case lead != nil && (lead.Verdict == "deadlock" || lead.Verdict == "livelock" || lead.Verdict == "hang"):
		out.Verdict, out.Confidence, out.Headline = lead.Verdict, lead.Confidence.String(), inc.kindText(lead)+lead.Summary
	case hung != nil:
		out.Verdict, out.Confidence = "hang", Likely.String()
		if hung.From.Task.HungReports > 0 {
			out.Confidence = Confirmed.String()
		}
		out.Headline = fmt.Sprintf("%s waits for %s", who(hung.From.Task), hung.To.Label)
		if hung.Frame != "" && hung.To.Class != "unknown" {
			out.Headline += " in " + hung.Frame + "()"
		}
		if len(inc.Reports()) > 0 && resolved {
			out.Headline += "; the OOM itself is resolved"
		}
	case lead != nil && lead.Verdict == "oom_storm":
		out.Verdict, out.Confidence, out.Headline = "oom_storm", lead.Confidence.String(), lead.Summary
	case resolved:
		out.Verdict, out.Confidence = "oom_resolved", inc.resolvedLevel().String()
		out.Headline = inc.oomHeadline() + ": resolved, " + text
	case len(inc.Episodes) > 0:
		out.Verdict, out.Confidence = "oom_unresolved", Possible.String()
		out.Headline = inc.oomHeadline() + ": the log does not show how it ended"
	default:
		out.Verdict, out.Confidence, out.Headline = "inconclusive", Possible.String(), "tasks wait for locks, seen in one dump only: contention or the start of a hang"
		if e := inc.Waiters(); len(e) > 0 {
			out.Headline = fmt.Sprintf("%s waits for %s, seen in one dump only: contention or the start of a hang", who(e[0].From.Task), e[0].To.Label)
		}
	}
}

func (inc *Incident) kindText(f *Found) string {
	if f.Cycle >= 0 {
		if e := inc.through(inc.Cycles[f.Cycle], waitgraph.ResolvedByExit); e != nil && e.From.Class != waitgraph.SystemOOM {
			return "memcg OOM trap: "
		}
	}
	return ""
}

// hangs is a wait that lasts: one in a hung-task report or in two dumps.
func (inc *Incident) hangs() *waitgraph.Edge {
	var best *waitgraph.Edge
	for _, e := range inc.Waiters() {
		t := e.From.Task
		if t == nil || t.HungReports == 0 && !inc.seenTwice(t) {
			continue
		}
		if best == nil || t.BlockedS > best.From.Task.BlockedS {
			best = e
		}
	}
	return best
}

// resolvedLevel: the reaper and the kernel's own lists say it outright; that
// a dump of blocked tasks lacks the victim is an inference.
func (inc *Incident) resolvedLevel() Level {
	for _, v := range inc.Victims() {
		if strings.Contains(v.Reason, "sysrq-w") {
			return Likely
		}
	}
	if len(inc.Victims()) == 0 || slices.ContainsFunc(inc.Episodes, func(e *waitgraph.Episode) bool { return e.Folded.Weak > 0 }) {
		return Likely
	}
	return Confirmed
}

func (inc *Incident) oomHeadline() string {
	vs := inc.Victims()
	n, killed := 0, 0
	for _, e := range inc.Episodes {
		n += e.ReportCount()
		killed += e.VictimCount()
	}
	what := "OOM in " + inc.group()
	if n > 1 {
		what = fmt.Sprintf("%d OOMs in %s", n, inc.group())
	}
	switch {
	case killed == 1 && len(vs) == 1:
		what += fmt.Sprintf(", %s/%d killed", vs[0].Kill.Comm, vs[0].Kill.Pid)
	case killed > 0:
		what += fmt.Sprintf(", %d processes killed", killed)
	case n > 0:
		what += ", no kill in the log"
	}
	return what
}

// group names the groups of the incident's OOMs.
func (inc *Incident) group() string {
	var out []string
	for _, e := range inc.Episodes {
		if g := groupName(e); !slices.Contains(out, g) {
			out = append(out, g)
		}
	}
	if len(out) == 0 {
		return "a memcg"
	}
	return strings.Join(out, ", ")
}

func groupName(e *waitgraph.Episode) string {
	switch {
	case e.Memcg != "":
		return e.Memcg
	case e.Scope == "memcg" && len(e.Reports) > 0 && e.Reports[0].Inside != "":
		return e.Reports[0].Inside + " or a group above it"
	case e.Scope == "memcg":
		return "a memcg (path not in the log)"
	case e.Scope == "":
		return "an unknown group (report cut)"
	case e.Scope == "global":
		return "the whole system"
	}
	return "the system (" + e.Scope + ")"
}

func (inc *Incident) finding(d *Detector, f *Found) report.Finding {
	out := report.Finding{
		Rule: d.ID, Verdict: f.Verdict, Confidence: f.Confidence.String(), Summary: f.Summary, Explanation: notNil(f.Explanation),
		Tasks: make([]int, 0, len(f.Tasks)), TaskIDs: make([]string, 0, len(f.Tasks)), Evidence: make([]report.Evidence, 0, len(f.Evidence)), Fixes: []report.Fix{},
		Actions: notNil(d.Actions), Collect: notNil(d.Collect),
	}
	if f.Actions != nil {
		out.Actions = f.Actions
	}
	if f.Collect != nil {
		out.Collect = f.Collect
	}
	if f.Cycle >= 0 {
		out.Cycle = &f.Cycle
	}
	for _, t := range f.Tasks {
		if t.HasPid {
			out.Tasks = append(out.Tasks, t.Pid)
		}
		out.TaskIDs = append(out.TaskIDs, t.ID)
	}
	for _, r := range f.Evidence {
		out.Evidence = append(out.Evidence, report.Evidence{Input: r.Input, Line: r.Line})
	}
	fixes := d.Fixes
	if f.Fixes != nil {
		fixes = f.Fixes
	}
	for _, x := range fixes {
		out.Fixes = append(out.Fixes, report.Fix{Commit: x.Commit, Subject: x.Subject, FirstRelease: x.First, Builds: notNil(x.Builds), Note: optional(x.Note)})
	}
	if f.Ended != nil {
		out.Ended = &report.Ended{How: f.Ended.How, Evidence: refs(f.Ended.Evidence)}
		if f.Ended.At.HasBoot {
			out.Ended.BootS = &f.Ended.At.Boot
		}
	}
	return out
}

func (inc *Incident) ooms(e *waitgraph.Episode) []report.OOM {
	var out []report.OOM
	of := map[*parse.OOM][]report.Victim{}
	for _, v := range e.Victims {
		o := v.Kill.Report
		if o == nil { // a kill after the report (oom.group) belongs to the last report before it
			o = inc.lastBefore(e, v)
		}
		of[o] = append(of[o], victim(v))
	}
	for _, o := range e.Reports {
		x := inc.oom(o)
		x.Victims = append(x.Victims, of[o]...)
		out = append(out, x)
	}
	// Kills that no report precedes (rate limit) are an OOM of their own.
	if len(e.Reports) == 0 {
		for _, k := range e.Kills {
			x := report.OOM{Scope: optional(e.Scope), Trigger: "unknown", Memory: []report.Stat{}, Candidates: []report.Candidate{}, Victims: []report.Victim{},
				Input: k.Span.Input, Line: k.Span.First, BootS: boot(k.Stamp)}
			if i := slices.IndexFunc(e.Victims, func(v *waitgraph.Victim) bool { return v.Kill == k }); i >= 0 {
				x.Victims = append(x.Victims, victim(e.Victims[i]))
			}
			out = append(out, x)
		}
	}
	return out
}

func (inc *Incident) oom(o *parse.OOM) report.OOM {
	out := report.OOM{
		Scope: optional(o.Scope), Memcg: optional(o.Memcg), TaskMemcg: optional(o.TaskMemcg), Invoker: report.TaskRef{Comm: optional(o.InvokerComm)},
		GFPMask: optional(o.GFPMask), Trigger: trigger(o), Memory: []report.Stat{}, Candidates: []report.Candidate{}, Victims: []report.Victim{},
		MoreCandidates: o.MoreTasks, BootS: boot(o.Stamp), Input: o.Span.Input, Line: o.Span.First,
	}
	if o.HasPid {
		out.Invoker.Pid = &o.InvokerPid
	}
	if o.HasOrder {
		out.Order = &o.Order
	}
	if o.HasScoreAdj {
		out.OOMScoreAdj = &o.ScoreAdj
	}
	if o.Memory.Present {
		out.UsageKB, out.LimitKB, out.Failcnt = &o.Memory.UsageKB, limit(o.Memory), &o.Memory.Failcnt
	}
	if o.Swap.Present {
		out.SwapUsageKB, out.SwapLimitKB = &o.Swap.UsageKB, limit(o.Swap)
	}
	if o.Kmem.Present {
		out.KmemUsageKB = &o.Kmem.UsageKB
	}
	for _, s := range o.Stats {
		if s.KB > 0 {
			out.Memory = append(out.Memory, report.Stat{Name: s.Name, KB: s.KB})
		}
	}
	for i, c := range o.Candidates {
		if i == maxCandidates || c.TotalVM < 0 { // of a folded report only the pids are left
			out.MoreCandidates += len(o.Candidates) - i
			break
		}
		rc := report.Candidate{Pid: c.Pid, Comm: c.Comm, UID: c.UID, Tgid: c.Tgid, TotalVMPages: c.TotalVM, RSSPages: c.RSS}
		if c.HasScoreAdj {
			adj := c.ScoreAdj
			rc.OOMScoreAdj = &adj
		}
		out.Candidates = append(out.Candidates, rc)
	}
	return out
}

// folded is what is counted instead of listed.
func (inc *Incident) folded() (count int, out []report.Folded) {
	count, out = 1, []report.Folded{}
	add := func(e *waitgraph.Episode, f *stacks.Folded) {
		of := f.Of.Head()
		x := report.Folded{
			Scope: optional(e.Scope), Memcg: optional(e.Memcg), Incidents: f.Incidents, Reports: f.Reports, Kills: f.Kills,
			Reaped: f.Reaped, Exited: f.Exited, Unknown: f.Unknown, NoVictim: f.NoKillable, Like: report.Ref{Input: of.Span.Input, Line: of.Span.First},
			Input: f.First.Span.Input, FirstLine: f.First.Span.First, LastLine: f.Last.Span.Last,
			Time: report.Time{FirstBootS: boot(f.First.Stamp), LastBootS: boot(f.Last.Stamp), FirstWall: optional(f.First.Stamp.Wall), LastWall: optional(f.Last.Stamp.Wall)},
		}
		if f.Incidents > 0 {
			x.Memcg = nil
		}
		out = append(out, x)
	}
	for _, e := range inc.Episodes {
		if e.Folded.Reports+e.Folded.Kills > 0 {
			add(e, &e.Folded)
		}
		if e.Alike != nil {
			add(e, e.Alike)
			count += e.Alike.Incidents
		}
	}
	return count, out
}

func (inc *Incident) lastBefore(e *waitgraph.Episode, v *waitgraph.Victim) *parse.OOM {
	var last *parse.OOM
	for _, o := range e.Reports {
		if v.Order.After(inc.Snap.Order(&o.Meta)) {
			last = o
		}
	}
	return last
}

func victim(v *waitgraph.Victim) report.Victim {
	k := v.Kill
	size := func(n int64) *int64 {
		if n < 0 {
			return nil
		}
		return &n
	}
	return report.Victim{Pid: k.Pid, Comm: k.Comm, TotalVMKB: size(k.TotalVMKB), AnonRSSKB: size(k.AnonKB), FileRSSKB: size(k.FileKB), ShmemRSSKB: size(k.ShmemKB),
		Fate: v.Fate, FateReason: v.Reason, Evidence: refs(v.Evidence)}
}

func limit(l parse.Limit) *int64 {
	if l.LimitKB >= noLimitKB {
		return nil
	}
	return &l.LimitKB
}

// manyTasks is how many tasks an incident has at most that shows the stack of
// each. In a larger one those that merely wait refer to an equal stack.
const manyTasks = 2000

func (inc *Incident) tasks() []report.Task {
	type picture struct {
		stack *stacks.Stack
		read  *waitgraph.Reading // the roles of its frames
	}
	out := make([]report.Task, 0, len(inc.Tasks))
	first := map[picture]*string{} // id of the task that shows it
	for _, t := range inc.Tasks {
		x := inc.task(t)
		if s := t.Present(); s != nil {
			p := picture{stack: s.Stack}
			if v := inc.Graph.View(t); v != nil && v.At == s {
				p.read = v.Reading
			}
			switch id := first[p]; {
			case id == nil:
				first[p] = &t.ID
			case len(inc.Tasks) > manyTasks && (x.Role == "bystander" || x.Role == "blocked" || x.Role == "oom_waiter"):
				x.SameStack = id
			}
			if x.SameStack == nil {
				x.Stack = inc.stack(t, s)
			}
		}
		out = append(out, x)
	}
	return out
}

func (inc *Incident) stack(t *stacks.Task, s *stacks.Sighting) []report.Frame {
	out := make([]report.Frame, 0, len(s.Trace.Frames))
	for i := range s.Trace.Frames {
		out = append(out, frame(s.Trace, &s.Trace.Frames[i]))
	}
	inc.roles(t, s, out)
	return out
}

func (inc *Incident) task(t *stacks.Task) report.Task {
	out := report.Task{ID: t.ID, Comm: inc.text(t.Comm), Label: inc.text(t.Label), Role: inc.role(t), Memcg: inc.text(t.Memcg), Holds: []string{}, Stack: []report.Frame{},
		Evidence: []report.Ref{}, Sightings: len(t.Sightings) + t.Repeated}
	if t.HasPid {
		out.Pid = &t.Pid
	}
	if t.Tgid != 0 {
		out.Tgid = &t.Tgid
	}
	if s := t.LastState(); s != 0 {
		out.State = inc.text(string(rune(s)))
	}
	if t.BlockedS > 0 {
		out.BlockedS = &t.BlockedS
	}
	if kt, ok := t.KernelThread(); ok {
		out.KernelThread = &kt
	}
	if n := inc.Graph.Node(t.ID); n != nil {
		if e := inc.Graph.Out(n); len(e) > 0 {
			out.Waits = &e[0].To.ID
		}
	}
	s := t.Present()
	if s == nil {
		if len(t.Sightings) > 0 {
			last := t.Sightings[len(t.Sightings)-1]
			out.StackSource = inc.text(sourceName(last.Source))
			out.Evidence = append(out.Evidence, report.Ref{Input: last.Span.Input, Line: last.Span.First})
		}
		return out
	}
	out.StackSource = inc.text(sourceName(s.Source))
	out.Evidence = append(out.Evidence, report.Ref{Input: s.Span.Input, Line: s.Span.First})
	if v := inc.Graph.View(t); v != nil {
		for _, h := range v.Holds {
			out.Holds = append(out.Holds, holdLabel(h, inc.version()))
		}
	}
	return out
}

func holdLabel(h waitgraph.Hold, v lockmodel.Version) string {
	maybe := ""
	if h.Maybe {
		maybe = "maybe "
	}
	return fmt.Sprintf("%s%s (%s, %s) in %s", maybe, h.Class.NameIn(v), h.Instance, h.Mode, h.Frame.Func)
}

func frame(t *parse.Trace, f *parse.Frame) report.Frame {
	out := report.Frame{Func: f.Func, Reliable: f.Reliable, Context: contextName(f.Context), Line: t.Line(f)}
	if f.Module != "" {
		out.Module = &f.Module
	}
	if f.BuildID != "" {
		out.BuildID = &f.BuildID
	}
	if f.HasOffset {
		out.Offset, out.Size = &f.Offset, &f.Size
	}
	if f.HasAddr {
		out.Address = optional("0x" + strconv.FormatUint(f.Addr, 16))
	}
	if p := f.Place; p != nil {
		out.Place = &report.Place{File: p.File, Line: p.Line, StartLine: p.Start, Inlined: []report.Inlined{}}
		for _, in := range p.Inlined {
			out.Place.Inlined = append(out.Place.Inlined, report.Inlined{Func: in.Func, File: in.File, Line: in.Line})
		}
	}
	return out
}

func contextName(c parse.Context) string {
	return [...]string{"task", "irq", "softirq", "nmi", "exception"}[c]
}

func sourceName(s parse.Source) string {
	return [...]string{"call_trace", "oom_report", "hung_task", "sysrq", "proc_stack", "call_trace", "ftrace"}[s]
}

// role is what a task is in the incident, the most telling one.
func (inc *Incident) role(t *stacks.Task) string {
	if inc.killed == nil {
		inc.killed = map[*stacks.Task]bool{}
		for _, v := range inc.Victims() {
			for _, t := range v.Threads {
				inc.killed[t] = true
			}
		}
	}
	if inc.killed[t] {
		return "victim"
	}
	n := inc.Graph.Node(t.ID)
	invoker := slices.ContainsFunc(t.Sightings, func(s *stacks.Sighting) bool { return s.Report != nil })
	var in, out []*waitgraph.Edge
	if n != nil {
		in, out = inc.Graph.In(n), inc.Graph.Out(n)
	}
	by := func(rel string) bool {
		return slices.ContainsFunc(in, func(e *waitgraph.Edge) bool { return e.Relation == rel })
	}
	switch {
	case by(waitgraph.ResolvedByExit):
		return "victim"
	case invoker:
		return "invoker"
	case by(waitgraph.ResolvedByHandler):
		return "handler"
	case by(waitgraph.ResolvedByDaemon):
		return "daemon"
	case slices.ContainsFunc(out, func(e *waitgraph.Edge) bool { return e.To.Class == "memcg_oom" }):
		return "oom_waiter"
	case by(waitgraph.HeldBy):
		return "holder"
	case len(out) > 0:
		return "blocked"
	}
	return "bystander"
}

func (inc *Incident) graph() report.WaitGraph {
	out := report.WaitGraph{Nodes: make([]report.Node, 0, len(inc.Nodes)), Edges: make([]report.Edge, 0, len(inc.Edges)), Cycles: [][]string{}}
	for _, n := range inc.Nodes {
		out.Nodes = append(out.Nodes, report.Node{ID: n.ID, Kind: n.Kind, Class: inc.text(n.Class), Address: inc.text(n.Address), Label: n.Label})
	}
	facts := map[*lockmodel.Fact]*string{}
	for _, e := range inc.Edges {
		re := report.Edge{From: e.From.ID, To: e.To.ID, Relation: e.Relation, Mode: inc.text(e.Mode), Basis: e.Basis, Frame: inc.text(e.Frame), Why: notNil(e.Why), Ended: e.Ended, Evidence: refs(e.Evidence)}
		if e.Fact != nil {
			if facts[e.Fact] == nil {
				facts[e.Fact] = optional(e.Fact.String())
			}
			re.Fact = facts[e.Fact]
		}
		out.Edges = append(out.Edges, re)
	}
	for _, c := range inc.Cycles {
		var ids []string
		for _, n := range c {
			ids = append(ids, n.ID)
		}
		out.Cycles = append(out.Cycles, ids)
	}
	return out
}

// when fills time and span from everything that the incident cites.
func (inc *Incident) when(out *report.Incident) {
	var first, last *parse.Stamp
	firstOrder, lastOrder := stacks.Order{}, stacks.Order{}
	span := report.Span{Input: -1}
	ends := map[int]int{} // the last line in each input
	at := func(o stacks.Order, s parse.Span, begin, end *parse.Stamp) {
		ends[s.Input] = max(ends[s.Input], s.Last)
		if first == nil || firstOrder.After(o) {
			first, firstOrder = begin, o
			span.Input, span.FirstLine = s.Input, s.First
		}
		if last == nil || o.After(lastOrder) {
			last, lastOrder = end, o
		}
	}
	take := func(m *parse.Meta) { at(inc.Snap.Order(m), m.Span, &m.Stamp, &m.End) }
	for _, e := range inc.Episodes {
		for _, o := range e.Reports {
			take(&o.Meta)
		}
		for _, k := range e.Kills {
			take(&k.Meta)
		}
		for _, v := range e.Victims {
			for _, r := range inc.Snap.Reaped(v.Kill.Pid) {
				take(&r.Meta)
			}
		}
	}
	for _, t := range inc.Tasks {
		for _, s := range t.Sightings {
			at(inc.Snap.Order(&parse.Meta{Span: s.Span, Stamp: s.Stamp, Seq: s.Order.Line}), s.Span, &s.Stamp, &s.Stamp)
		}
		if t.HungReports > 0 {
			for _, h := range inc.Snap.HungReports(t.Pid) {
				take(&h.Meta)
			}
		}
	}
	if first == nil {
		out.Span = report.Span{}
		return
	}
	out.Time = report.Time{FirstBootS: boot(*first), LastBootS: boot(*last), FirstWall: optional(first.Wall), LastWall: optional(last.Wall)}
	// The span covers the first input only; the evidence of the others has
	// its own references.
	span.LastLine = max(span.FirstLine, ends[span.Input])
	out.Span = span
}

// signature is equal for the same failure on another host: the rule, the
// class and the functions involved, and no pid, address, time, offset or path.
func (inc *Incident) signature(rule string, lead *Found, verdict string) string {
	if rule == "" || lead.Verdict == "none" {
		rule = strings.ReplaceAll(verdict, "_", "-")
	}
	class := "-"
	var parts []string
	parts = append(parts, rule, inc.Era.Name)
	if lead != nil && lead.Cycle >= 0 {
		c := inc.Cycles[lead.Cycle]
		if l := lockClasses(c); len(l) > 0 {
			class = l[0]
		}
		for _, e := range inc.EdgesOf(c) {
			parts = append(parts, e.Relation, e.To.Class, lockmodel.Fold(e.Frame))
		}
	} else {
		var edges []string
		seen := map[[2]string]bool{}
		for _, e := range inc.Edges {
			if k := [2]string{e.To.Class, e.Frame}; e.To.Kind != "task" && !seen[k] {
				seen[k] = true
				edges = append(edges, e.To.Class+" "+lockmodel.Fold(e.Frame))
				if class == "-" {
					class = e.To.Class
				}
			}
		}
		slices.Sort(edges)
		parts = append(parts, slices.Compact(edges)...)
		for _, e := range inc.Episodes {
			parts = append(parts, e.Scope)
			if class == "-" && e.Scope != "" {
				class = e.Scope
			}
			var triggers []string // each once: how often is no matter of the kind of failure
			for _, o := range e.Reports {
				if t := trigger(o); !slices.Contains(triggers, t) {
					triggers = append(triggers, t)
				}
			}
			parts = append(parts, triggers...)
		}
	}
	sum := sha256.Sum256([]byte(strings.Join(slices.Compact(parts), "\x00")))
	return rule + "/" + class + "/" + hex.EncodeToString(sum[:4])
}

func refs(list []waitgraph.Ref) []report.Ref {
	out := make([]report.Ref, 0, len(list))
	for _, r := range list {
		out = append(out, report.Ref{Input: r.Input, Line: r.Line})
	}
	return out
}

func sortRefs(list []waitgraph.Ref) []waitgraph.Ref {
	slices.SortFunc(list, func(a, b waitgraph.Ref) int {
		return cmp.Or(cmp.Compare(a.Input, b.Input), cmp.Compare(a.Line, b.Line))
	})
	return slices.Compact(list)
}

func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

// text is s for the report, nil if it is empty. A report of a large machine has
// the same few in a hundred thousand places.
func (inc *Incident) text(s string) *string {
	if s == "" {
		return nil
	}
	p := inc.texts[s]
	if p == nil {
		p = &s
		if inc.texts == nil {
			inc.texts = map[string]*string{}
		}
		inc.texts[s] = p
	}
	return p
}

func boot(s parse.Stamp) *float64 {
	if !s.HasBoot {
		return nil
	}
	b := s.Boot
	return &b
}

func notNil(s []string) []string {
	if s == nil {
		return []string{}
	}
	return s
}
