package report

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// The words that the formats for people share. Nothing here is escaped: each
// format escapes what it prints.

// view finds the tasks, nodes and edges of one incident by id.
type view struct {
	r     *Report
	inc   *Incident
	tasks map[string]*Task
	nodes map[string]*Node
	log   map[Ref]string
	edges map[ends]*Edge // the first from one node to the other, of those that hold if any

	stackOf func(*Task) []Frame
}

type ends struct{ from, to string }

func newView(r *Report, inc *Incident) *view {
	v := &view{
		r:     r,
		inc:   inc,
		tasks: make(map[string]*Task),
		nodes: make(map[string]*Node),
		log:   make(map[Ref]string),
		edges: make(map[ends]*Edge),

		stackOf: inc.stackOf(),
	}
	for _, l := range inc.Log {
		v.log[Ref{l.Input, l.Line}] = l.Text
	}
	for i := range inc.Tasks {
		v.tasks[inc.Tasks[i].ID] = &inc.Tasks[i]
	}
	for i := range inc.WaitGraph.Nodes {
		v.nodes[inc.WaitGraph.Nodes[i].ID] = &inc.WaitGraph.Nodes[i]
	}
	for i := range inc.WaitGraph.Edges {
		e := &inc.WaitGraph.Edges[i]
		if k := (ends{e.From, e.To}); v.edges[k] == nil || v.edges[k].Ended && !e.Ended {
			v.edges[k] = e
		}
	}
	return v
}

// stackOf returns what finds the stack of a task of the incident: its own, or
// that of the task that it refers to as the same.
func (inc *Incident) stackOf() func(*Task) []Frame {
	var shown map[string][]Frame
	return func(t *Task) []Frame {
		if t.SameStack == nil || len(t.Stack) > 0 {
			return t.Stack
		}
		if shown == nil {
			shown = make(map[string][]Frame)
			for i := range inc.Tasks {
				if o := &inc.Tasks[i]; len(o.Stack) > 0 {
					shown[o.ID] = o.Stack
				}
			}
		}
		return shown[*t.SameStack]
	}
}

// nodeName names a node for people.
func (v *view) nodeName(id string) string {
	if t := v.tasks[id]; t != nil {
		return t.Name()
	}
	if n := v.nodes[id]; n != nil && n.Label != "" {
		return clip(n.Label, 2*maxName)
	}
	return clip(id, 2*maxName)
}

// Name names the task for people: "bigwrite (pid 51)", or the heading above its
// stack where the log gives neither.
func (t *Task) Name() string {
	switch {
	case t.Pid != nil || t.Comm != nil:
		return TaskRef{Pid: t.Pid, Comm: t.Comm}.Name()
	case t.Label != nil && *t.Label != "":
		return clip(strings.TrimRight(*t.Label, ": "), maxName)
	}
	return strings.TrimPrefix(t.ID, "task:")
}

// Name names the task for people: "bigwrite (pid 51)".
func (t TaskRef) Name() string {
	switch {
	case t.Pid == nil && t.Comm == nil:
		return "an unknown task"
	case t.Pid == nil:
		return clip(*t.Comm, maxName)
	case t.Comm == nil:
		return fmt.Sprintf("pid %d", *t.Pid)
	}
	return fmt.Sprintf("%s (pid %d)", clip(*t.Comm, maxName), *t.Pid)
}

// Name names the victim for people: "truncer (pid 47)".
func (v Victim) Name() string { return TaskRef{Pid: &v.Pid, Comm: &v.Comm}.Name() }

// String is the frame as the kernel prints it.
func (f Frame) String() string {
	var b strings.Builder
	if !f.Reliable {
		b.WriteString("? ")
	}
	b.WriteString(clip(f.Func, 2*maxName))
	if f.Offset != nil {
		fmt.Fprintf(&b, "+%#x", *f.Offset)
		if f.Size != nil {
			fmt.Fprintf(&b, "/%#x", *f.Size)
		}
	}
	if f.Module != nil {
		fmt.Fprintf(&b, " [%s]", clip(*f.Module, maxName))
	}
	if f.Place != nil {
		fmt.Fprintf(&b, " (%s:%d)", clip(f.Place.File, maxName), f.Place.Line)
		for _, in := range f.Place.Inlined {
			fmt.Fprintf(&b, " < inlined %s (%s:%d)", clip(in.Func, maxName), clip(in.File, maxName), in.Line)
		}
	}
	return b.String()
}

// commonTops stand on top of every stack that sleeps or reports, and tell
// nothing about it.
var commonTops = map[string]bool{
	"__schedule": true, "schedule": true, "io_schedule": true, "schedule_timeout": true,
	"dump_stack": true, "dump_stack_lvl": true, "__dump_stack": true, "show_stack": true, "dump_header": true,
	"oom_kill_process": true, "out_of_memory": true, "mem_cgroup_out_of_memory": true,
}

// in is the function that a task is in: where its edge was read from, or the
// innermost frame that tells something.
func (v *view) in(t *Task) string {
	if t.Waits != nil {
		if e := v.edges[ends{t.ID, *t.Waits}]; e != nil && e.Frame != nil {
			return clip(*e.Frame, maxName)
		}
	}
	top := ""
	stack := v.stackOf(t)
	for i := range stack {
		f := &stack[i]
		if !f.Reliable || f.Context != "task" {
			continue
		}
		if name, _, _ := strings.Cut(f.Func, "."); !commonTops[name] {
			return clip(f.Func, maxName)
		}
		if top == "" {
			top = clip(f.Func, maxName)
		}
	}
	return top
}

// inputName names an input by its place in Inputs.
func (r *Report) inputName(i int) string {
	if i < 0 || i >= len(r.Inputs) {
		return fmt.Sprintf("input %d", i)
	}
	return clip(r.Inputs[i].Name, 4*maxName)
}

// At is the place of a line as an editor opens it: "dmesg.log:12".
func (r *Report) At(ref Ref) string {
	return r.inputName(ref.Input) + ":" + strconv.Itoa(ref.Line)
}

// maxPath is how long a path is before its front is left out.
const maxPath = 40

// shortName is the name of an input, a long path cut to the end that tells it
// from the other inputs.
func (r *Report) shortName(i int) string {
	name := r.inputName(i)
	if len(name) <= maxPath || i < 0 || i >= len(r.Inputs) {
		return name
	}
	for cut := strings.LastIndexByte(name, '/'); cut > 0; cut = strings.LastIndexByte(name[:cut], '/') {
		same := 0
		for _, in := range r.Inputs {
			if strings.HasSuffix(in.Name, name[cut:]) {
				same++
			}
		}
		if same == 1 {
			return "…" + name[cut:]
		}
	}
	return name
}

// place is At with the short name.
func (r *Report) place(ref Ref) string {
	return r.shortName(ref.Input) + ":" + strconv.Itoa(ref.Line)
}

// places lists refs: "dmesg.log:12, 15, state.txt:3 and 4 more". At most limit
// are named, all where limit is 0.
func (r *Report) places(refs []Ref, limit int) string {
	var uniq []Ref
	seen := make(map[Ref]bool, len(refs))
	for _, ref := range refs {
		if !seen[ref] {
			seen[ref] = true
			uniq = append(uniq, ref)
		}
	}
	var b strings.Builder
	for i, ref := range uniq {
		if limit > 0 && i == limit {
			fmt.Fprintf(&b, " and %d more", len(uniq)-limit)
			break
		}
		switch {
		case i == 0:
			b.WriteString(r.place(ref))
		case ref.Input == uniq[i-1].Input:
			fmt.Fprintf(&b, ", %d", ref.Line)
		default:
			b.WriteString(", " + r.place(ref))
		}
	}
	return b.String()
}

// lines lists refs of one input: "line 12, 15 and 4 more".
func (r *Report) lines(refs []Ref, limit int) string {
	var uniq []int
	seen := make(map[int]bool, len(refs))
	for _, ref := range refs {
		if !seen[ref.Line] {
			seen[ref.Line] = true
			uniq = append(uniq, ref.Line)
		}
	}
	var b strings.Builder
	for i, line := range uniq {
		switch {
		case limit > 0 && i == limit:
			fmt.Fprintf(&b, " and %d more", len(uniq)-limit)
			return b.String()
		case i == 0:
			b.WriteString("line ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(strconv.Itoa(line))
	}
	return b.String()
}

// span is the part of an input that the incident covers: "dmesg.log:12-290".
func (v *view) span() string {
	s := v.inc.Span
	if s.LastLine > s.FirstLine {
		return fmt.Sprintf("%s-%d", v.r.At(Ref{s.Input, s.FirstLine}), s.LastLine)
	}
	return v.r.At(Ref{s.Input, s.FirstLine})
}

var verdictWords = map[string]string{
	"oom_storm":      "OOM storm",
	"oom_resolved":   "OOM, resolved",
	"oom_unresolved": "OOM, not seen to be resolved",
}

func verdictText(verdict string) string {
	if w, ok := verdictWords[verdict]; ok {
		return w
	}
	return verdict
}

var eraBasisWords = map[string]string{
	"stack":         "its stacks show it",
	"report_format": "judged by the report's format",
	"release":       "judged by the release alone",
}

// kernel tells which kernel it was.
func (v *view) kernel() string {
	k := v.inc.Kernel
	var b strings.Builder
	b.WriteString("kernel ")
	if k.Release != nil {
		b.WriteString(clip(*k.Release, maxName))
	} else {
		b.WriteString("of unknown release")
	}
	if k.Arch != nil {
		b.WriteString(" " + clip(*k.Arch, maxName))
	}
	if k.Era != "unknown" && k.Era != "" {
		b.WriteString(", OOM era " + k.Era)
		if w := eraBasisWords[k.EraBasis]; w != "" {
			b.WriteString(" (" + w + ")")
		}
	}
	return b.String()
}

// when tells when the incident was seen, "" where the log does not say.
func (v *view) when() string {
	t := v.inc.Time
	var parts []string
	if t.FirstWall != nil {
		s := clip(*t.FirstWall, maxName)
		if t.LastWall != nil && *t.LastWall != *t.FirstWall {
			s += " to " + clip(*t.LastWall, maxName)
		}
		parts = append(parts, s)
	}
	if t.FirstBootS != nil {
		s := fmt.Sprintf("%.3f s", *t.FirstBootS)
		if t.LastBootS != nil && *t.LastBootS != *t.FirstBootS {
			s = fmt.Sprintf("%.3f to %.3f s", *t.FirstBootS, *t.LastBootS)
		}
		parts = append(parts, s+" after boot")
	}
	return strings.Join(parts, ", ")
}

// kb is a size for people. Small ones stay as the kernel prints them.
func kb(n int64) string {
	scaled := func(unit string, by float64) string {
		return strings.TrimSuffix(strconv.FormatFloat(float64(n)/by, 'f', 1, 64), ".0") + unit
	}
	switch {
	case n > -10<<10 && n < 10<<10:
		return strconv.FormatInt(n, 10) + " kB"
	case n > -10<<20 && n < 10<<20:
		return scaled(" MiB", 1<<10)
	}
	return scaled(" GiB", 1<<20)
}

// count is a number with its noun: "1 task", "3 tasks".
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// relation is the edge as a verb between its ends. Many tells that the edge
// stands for several alike.
func relation(e *Edge, many bool) string {
	mode := ""
	if e.Mode != nil {
		mode = " (" + clip(*e.Mode, maxName) + ")"
	}
	switch e.Relation {
	case "waits_for":
		if many {
			return "wait for" + mode
		}
		return "waits for" + mode
	case "held_by":
		return "is held" + mode + " by"
	case "queued_behind":
		if many {
			return "queue behind" + mode
		}
		return "queues behind" + mode
	case "resolved_by_exit_of":
		return "ends by the exit of"
	case "resolved_by_handler":
		return "ends when its handler acts,"
	case "resolved_by_daemon":
		return "is answered by"
	}
	return strings.ReplaceAll(e.Relation, "_", " ")
}

// said tells whether the edge stands in the log as such.
func (e *Edge) said() bool {
	return e.Basis == "kernel_report" || e.Basis == "lockdep"
}

// basis tells how the edge is known. What is inferred must never read like what
// the kernel said.
func basis(e *Edge) string {
	switch e.Basis {
	case "kernel_report":
		return "the kernel said so"
	case "lockdep":
		return "the kernel said so (lockdep)"
	case "contention_event":
		return "same address in contention events"
	case "trace":
		return "seen in the trace"
	case "user":
		return "named by the user"
	}
	if e.Frame != nil {
		return "inferred from " + clip(*e.Frame, 2*maxName)
	}
	return "inferred"
}

// cycleEdges returns the edges along a cycle; one that the graph lacks is left
// out.
func (v *view) cycleEdges(cycle []string) []*Edge {
	var out []*Edge
	for i, from := range cycle {
		to := cycle[(i+1)%len(cycle)]
		if e := v.edges[ends{from, to}]; e != nil && !e.Ended {
			out = append(out, e)
		}
	}
	return out
}

// edgeGroup is edges that differ in nothing but where they start.
type edgeGroup struct {
	edge     *Edge // the first
	from     []string
	evidence []Ref
}

// edgeGroups groups the edges that skip does not hold, in order of appearance:
// thirty tasks in one queue are one line.
func (v *view) edgeGroups(skip map[*Edge]bool) []edgeGroup {
	type key struct {
		to, relation, basis, mode, frame string
		ended                            bool
	}
	index := make(map[key]int)
	var groups []edgeGroup
	for i := range v.inc.WaitGraph.Edges {
		e := &v.inc.WaitGraph.Edges[i]
		if skip[e] {
			continue
		}
		k := key{e.To, e.Relation, e.Basis, deref(e.Mode), deref(e.Frame), e.Ended}
		g, ok := index[k]
		// Only tasks queue up; the ways out of two locks are two lines.
		if !ok || e.Relation != "waits_for" && e.Relation != "queued_behind" {
			g = len(groups)
			index[k] = g
			groups = append(groups, edgeGroup{edge: e})
		}
		groups[g].from = append(groups[g].from, e.From)
		groups[g].evidence = append(groups[g].evidence, e.Evidence...)
	}
	return groups
}

// names lists nodes: "30 tasks: dd (pid 101), dd (pid 102) and 28 more".
func (v *view) names(ids []string, limit int) string {
	if len(ids) == 1 {
		return v.nodeName(ids[0])
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: ", count(len(ids), "task"))
	for i, id := range ids {
		if limit > 0 && i == limit {
			fmt.Fprintf(&b, " and %d more", len(ids)-limit)
			break
		}
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(v.nodeName(id))
	}
	return b.String()
}

func deref[T any](p *T) T {
	if p == nil {
		var zero T
		return zero
	}
	return *p
}

// where is the group that ran out of memory, or what did.
func (o *OOM) where() string {
	switch {
	case o.Memcg != nil:
		return clip(*o.Memcg, 2*maxName)
	case deref(o.Scope) == "memcg":
		return "a memory cgroup"
	case o.Scope != nil && *o.Scope != "global":
		return clip(*o.Scope, maxName)
	}
	return "the whole machine"
}

// usage tells how full the group is, "" where the report does not say.
func (o *OOM) usage() string {
	var parts []string
	add := func(what string, used, limit *int64) {
		switch {
		case used != nil && limit != nil:
			parts = append(parts, fmt.Sprintf("%s %s of %s", what, kb(*used), kb(*limit)))
		case used != nil:
			parts = append(parts, what+" "+kb(*used))
		case limit != nil:
			parts = append(parts, what+" limit "+kb(*limit))
		}
	}
	add("memory", o.UsageKB, o.LimitKB)
	add("swap", o.SwapUsageKB, o.SwapLimitKB)
	add("kernel memory", o.KmemUsageKB, nil)
	if o.Failcnt != nil {
		parts = append(parts, fmt.Sprintf("failcnt %d", *o.Failcnt))
	}
	return strings.Join(parts, ", ")
}

// largest lists the biggest entries of the memory statistics.
func (o *OOM) largest(limit int) string {
	stats := slices.DeleteFunc(slices.Clone(o.Memory), func(s Stat) bool { return s.KB == 0 })
	slices.SortStableFunc(stats, func(a, b Stat) int { return cmp.Compare(b.KB, a.KB) })
	var parts []string
	for i, s := range stats {
		if limit > 0 && i == limit {
			break
		}
		parts = append(parts, clip(s.Name, maxName)+" "+kb(s.KB))
	}
	return strings.Join(parts, ", ")
}

// request tells who asked for the memory and how.
func (o *OOM) request() string {
	parts := []string{o.Invoker.Name()}
	if o.Trigger != "" && o.Trigger != "unknown" {
		parts = append(parts, "trigger "+o.Trigger)
	}
	if o.GFPMask != nil {
		parts = append(parts, "gfp "+clip(*o.GFPMask, 2*maxName))
	}
	if o.Order != nil {
		parts = append(parts, fmt.Sprintf("order %d", *o.Order))
	}
	if o.OOMScoreAdj != nil && *o.OOMScoreAdj != 0 {
		parts = append(parts, fmt.Sprintf("oom_score_adj %d", *o.OOMScoreAdj))
	}
	return strings.Join(parts, ", ")
}

// memory tells what the victim had.
func (v *Victim) memory() string {
	var parts []string
	for _, s := range []struct {
		name string
		kb   *int64
	}{
		{"vm", v.TotalVMKB}, {"anon", v.AnonRSSKB}, {"file", v.FileRSSKB}, {"shmem", v.ShmemRSSKB},
	} {
		if s.kb != nil {
			parts = append(parts, s.name+" "+kb(*s.kb))
		}
	}
	return strings.Join(parts, ", ")
}

var fateWords = map[string]string{
	"exited":      "it exited",
	"reaped":      "the OOM reaper freed its memory",
	"reap_failed": "the OOM reaper could not free its memory",
	"stuck":       "it is stuck",
	"unknown":     "its fate is unknown",
}

func (v *Victim) fate() string {
	s := fateWords[v.Fate]
	if s == "" {
		s = v.Fate
	}
	if v.FateReason != "" {
		s += ": " + v.FateReason
	}
	return s
}

// found lists the records of an input that are there: "1 oom, 2 hung".
func (rec Records) found() string {
	var parts []string
	for _, c := range []struct {
		n    int
		what string
	}{
		{rec.OOM, "oom"}, {rec.Kill, "kill"}, {rec.Reap, "reap"}, {rec.HungTask, "hung task"},
		{rec.TaskDump, "task dump"}, {rec.CallTrace, "call trace"}, {rec.LocksHeld, "locks held"},
		{rec.Lockdep, "lockdep"}, {rec.FtraceEvent, "ftrace event"},
		{rec.Stall, "stall"}, {rec.Sysrq, "sysrq"}, {rec.CgroupFile, "cgroup file"}, {rec.CrashTask, "crash task"},
		{rec.DebugStack, "debugger stack"}, {rec.PSRow, "ps row"}, {rec.ProcFile, "proc file"}, {rec.StrayFrame, "stray frame"},
	} {
		if c.n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", c.n, c.what))
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}

// synchronize tells whether mem_cgroup_oom_synchronize() was taken, without the
// reason.
func (s *SyncPath) synchronize() string {
	out := strings.ReplaceAll(s.Status, "_", " ")
	if s.Mechanism != nil {
		out += ", mechanism " + clip(*s.Mechanism, maxName)
	}
	return out
}

// release tells where a fix is.
func (f *Fix) release() string {
	out := "first in " + f.FirstRelease
	if f.FirstRelease == "" {
		out = "release unknown"
	}
	if len(f.Builds) > 0 {
		out += "; also in " + strings.Join(f.Builds, ", ")
	}
	return out
}

// verdictRank orders incidents for people: what never ends by itself first.
var verdictRank = map[string]int{
	"deadlock": 1, "livelock": 2, "hang": 3, "oom_storm": 4, "oom_unresolved": 5, "inconclusive": 6, "oom_resolved": 8,
}

// order is the incidents by their place in the report, the worst first.
func (r *Report) order() []int {
	order := make([]int, len(r.Incidents))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(rankOf(r.Incidents[a].Verdict), rankOf(r.Incidents[b].Verdict))
	})
	return order
}

// rankOf sorts a verdict that is not known before all is well.
func rankOf(verdict string) int {
	if n := verdictRank[verdict]; n > 0 {
		return n
	}
	return 7
}

// evidenceText is the text of a line of evidence, taken from the stored log
// where the evidence has none.
func (v *view) evidenceText(e Evidence) string {
	if e.Text != "" {
		return e.Text
	}
	line := strings.TrimSpace(v.log[Ref{e.Input, e.Line}])
	if rest, ok := strings.CutPrefix(line, "["); ok { // the time since boot
		if stamp, text, ok := strings.Cut(rest, "] "); ok && strings.Trim(stamp, " .0123456789") == "" {
			return text
		}
	}
	return line
}

// condition is what is known of a task beside its name: ", victim, state D,
// blocked 120 s". It is "" for a lock.
func (v *view) condition(id string) string {
	t := v.tasks[id]
	if t == nil {
		return ""
	}
	var b strings.Builder
	if t.Role != "" && t.Role != "bystander" && t.Role != "blocked" {
		b.WriteString(", " + strings.ReplaceAll(clip(t.Role, maxName), "_", " "))
	}
	if t.State != nil && *t.State != "" {
		b.WriteString(", state " + clip(*t.State, maxName))
	}
	if t.BlockedS != nil {
		fmt.Fprintf(&b, ", blocked %d s", *t.BlockedS)
	}
	return b.String()
}

// drawn tells whether a sentence of a finding says no more than an edge of the
// cycle that is drawn for it: it starts with one end and names the other.
func (v *view) drawn(f *Finding, s string) bool {
	cycles := v.inc.WaitGraph.Cycles
	if f.Cycle == nil || *f.Cycle < 0 || *f.Cycle >= min(len(cycles), maxCycles) {
		return false
	}
	for _, e := range v.cycleEdges(cycles[*f.Cycle]) {
		for _, from := range v.namesOf(e.From) {
			rest, ok := strings.CutPrefix(s, from+" ")
			if !ok || !strings.HasSuffix(rest, ")") {
				continue
			}
			for _, to := range v.namesOf(e.To) {
				if strings.Contains(rest, to) {
					return true
				}
			}
		}
	}
	return false
}

// namesOf is what text may call a node.
func (v *view) namesOf(id string) []string {
	names := []string{v.nodeName(id)}
	if n := v.nodes[id]; n != nil && n.Label != "" && n.Label != names[0] {
		names = append(names, n.Label)
	}
	return names
}

// sameFixes is the rule of an earlier finding with the same fixes as finding n,
// "" if there is none.
func (v *view) sameFixes(n int) string {
	same := func(a, b Fix) bool { return a.Commit == b.Commit }
	for i := range n {
		if slices.EqualFunc(v.inc.Findings[i].Fixes, v.inc.Findings[n].Fixes, same) {
			return v.inc.Findings[i].Rule
		}
	}
	return ""
}

// when is the time of an event, "" where the log has none.
func (e *Event) when() string {
	switch {
	case e.BootS != nil:
		return fmt.Sprintf("%.3f s", *e.BootS)
	case e.Wall != nil:
		return clip(*e.Wall, maxName)
	}
	return ""
}

// eventWord names the kind of an event for people.
func eventWord(kind string) string {
	switch kind {
	case "oom":
		return "out of memory"
	case "reap_failed":
		return "reaping failed"
	case "hung_task":
		return "hung task"
	case "sighting":
		return "seen"
	case "oom_kill":
		return "OOM killer"
	case "oom_wait":
		return "OOM wait"
	case "lock_wait":
		return "lock wait"
	case "fault":
		return "page fault"
	case "kill_signal":
		return "kill signal"
	}
	return kind
}
