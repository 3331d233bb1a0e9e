package report

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// The words and the order of the trace section, for the formats for people.
// Nothing here is escaped: each format escapes what it prints.

// traceState is one state of a task in a trace.
type traceState struct {
	id     string // TraceSpan.State
	word   string
	letter byte // in a time strip: it must do without colour
	style  style
	sched  bool // what the scheduler does with the task, not what the task does
	rank   int  // what a cell of a strip shows first; 0: what took longest, -1: if there is nothing else
}

// traceStates are the states by how much they tell of an OOM, the least first.
var traceStates = []traceState{
	{"sleeping", "sleeping", '.', dim, true, 0},
	{"running", "running", '#', green, true, 0},
	{"runnable", "runnable", '+', plain, true, 0},
	{"stopped", "stopped", 'T', plain, true, 0},
	{"blocked", "blocked", 'D', cyan, true, 0},
	{"syscall", "system call", 's', plain, false, -1},
	{"fault", "page fault", 'f', yellow, false, 1},
	{"charging", "charging", 'c', yellow, false, 2},
	{"reclaiming", "reclaiming", 'r', yellow, false, 3},
	{"exiting", "exiting", 'X', green, false, 4},
	{"synchronize", "synchronize", 'S', yellow, false, 5},
	{"lock_wait", "lock wait", 'L', red, false, 6},
	{"oom_wait", "OOM wait", 'O', red, false, 7},
	{"oom_kill", "OOM kill", 'K', red, false, 8},
}

// stateOf looks a state up; one that is not known is shown as it is named.
func stateOf(id string) traceState {
	if i := slices.IndexFunc(traceStates, func(s traceState) bool { return s.id == id }); i >= 0 {
		return traceStates[i]
	}
	return traceState{id: id, word: strings.ReplaceAll(clip(id, maxName), "_", " "), letter: '?', rank: 1}
}

// oomPath tells whether a state is a step of the way through an OOM.
func oomPath(state string) bool {
	switch state {
	case "charging", "reclaiming", "oom_kill", "oom_wait", "synchronize":
		return true
	}
	return false
}

// traceView is what the traces of one input show.
type traceView struct {
	r        *Report
	input    int
	parts    []*TraceInput // more than one where the input holds several traces
	tasks    []*TraceTask  // those that met an OOM or a lock first
	waits    []*LockWait   // the open ones and the longest first
	names    map[string]string
	from, to float64 // on the log's clock
	shift    float64 // of the trace's clock to the log's
	timed    bool    // there is a time scale
	summed   bool    // of durations: what passed at least
	counts   bool    // of a clock without a unit, not seconds
}

// traceViews returns a view for each input with a trace.
func (r *Report) traceViews() []*traceView {
	if r.Trace == nil {
		return nil
	}
	var out []*traceView
	at := make(map[int]*traceView)
	get := func(input int) *traceView {
		v := at[input]
		if v == nil {
			v = &traceView{r: r, input: input, names: make(map[string]string)}
			at[input] = v
			out = append(out, v)
		}
		return v
	}
	for i := range r.Trace.Inputs {
		p := &r.Trace.Inputs[i]
		v := get(p.Input)
		if len(v.parts) == 0 {
			v.shift = p.OffsetS
			v.from, v.to = p.FirstS+v.shift, p.LastS+v.shift
		}
		v.from, v.to = min(v.from, p.FirstS+v.shift), max(v.to, p.LastS+v.shift)
		v.counts, v.summed = v.counts || p.Counter, v.summed || p.Summed
		v.parts = append(v.parts, p)
	}
	for i := range r.Trace.Tasks {
		k := &r.Trace.Tasks[i]
		v := get(k.Input)
		v.tasks = append(v.tasks, k)
		v.names[k.ID] = k.Name()
	}
	for i := range r.Trace.LockWaits {
		w := &r.Trace.LockWaits[i]
		v := get(w.Input)
		v.waits = append(v.waits, w)
	}
	for _, v := range out {
		v.timed = v.to > v.from && !math.IsInf(v.to-v.from, 0)
		slices.SortStableFunc(v.tasks, func(a, b *TraceTask) int { return cmp.Compare(a.weight(), b.weight()) })
		slices.SortStableFunc(v.waits, func(a, b *LockWait) int {
			if a.Open != b.Open {
				if a.Open {
					return -1
				}
				return 1
			}
			return cmp.Compare(b.DurationS, a.DurationS)
		})
	}
	return out
}

// weight orders tasks for people: those in an OOM or in a wait that did not end
// first, then those that had to do with memory or locks at all.
func (k *TraceTask) weight() int {
	w := 2
	for i := range k.Spans {
		s := &k.Spans[i]
		switch s.State {
		case "oom_kill", "oom_wait", "synchronize":
			return 0
		case "lock_wait":
			if s.Open {
				return 0
			}
			w = 1
		case "charging", "reclaiming", "exiting":
			w = 1
		}
	}
	return w
}

// Name names the task for people: "bigwrite (pid 51)".
func (k *TraceTask) Name() string { return TaskRef{Pid: &k.Pid, Comm: k.Comm}.Name() }

// maxLabel has room for a comm of the kernel (TASK_COMM_LEN is 16) and a pid.
const maxLabel = 23

// label names the task in at most width columns, as the kernel does in locking
// reports: "bigwrite/51". The pid stays.
func (k *TraceTask) label(width int) string {
	pid := "/" + strconv.Itoa(k.Pid)
	comm := visible(clip(deref(k.Comm), maxName))
	if comm == "" {
		comm = "<...>"
	}
	return cut(comm, max(width-len(pid), 2), false) + pid
}

// task names a task of the trace by its node id.
func (v *traceView) task(id string) string {
	if name := v.names[id]; name != "" {
		return name
	}
	if pid, ok := strings.CutPrefix(id, "task:"); ok && digits(pid) {
		return "pid " + pid
	}
	return clip(id, maxName)
}

// what tells which trace it is and how far it goes, a sentence each.
func (v *traceView) what() []string {
	var out []string
	for _, p := range v.parts {
		var parts []string
		switch t := deref(p.Tracer); t {
		case "":
			parts = append(parts, "no header names a tracer")
		case "nop":
			parts = append(parts, "events alone (nop tracer)")
		default:
			parts = append(parts, clip(t, maxName)+" tracer")
		}
		switch {
		case p.LastS <= p.FirstS:
			parts = append(parts, "no times, so no timeline")
		case p.Counter:
			parts = append(parts, fmt.Sprintf("%s to %s: the clock counts, and tells an order and no times", counts(p.FirstS), counts(p.LastS)))
		case p.Summed:
			parts = append(parts, fmt.Sprintf("no times (funcgraph-abstime prints them): durations summed up, %.6f s at least", p.LastS))
		case p.BootClock:
			parts = append(parts, fmt.Sprintf("%.6f to %.6f s after boot", p.FirstS+p.OffsetS, p.LastS+p.OffsetS))
		default:
			parts = append(parts, fmt.Sprintf("%.6f to %.6f s on the trace's clock", p.FirstS+p.OffsetS, p.LastS+p.OffsetS))
		}
		if p.OffsetS != 0 && !p.Counter {
			parts = append(parts, fmt.Sprintf("%+.6f s to agree with the log's clock", p.OffsetS))
		}
		if p.Lost == 1 {
			parts = append(parts, "1 event lost by the kernel")
		} else if p.Lost > 0 {
			parts = append(parts, fmt.Sprintf("%d events lost by the kernel", p.Lost))
		}
		out = append(out, strings.Join(parts, ", "))
	}
	return out
}

// events lists the events by name: "sched_switch 120, contention_begin 8 and 3
// more names (5)".
func (p *TraceInput) events(limit int) string {
	var parts []string
	for i, e := range p.Events {
		if limit > 0 && i == limit {
			var rest int64
			for _, e := range p.Events[i:] {
				rest += e.Count
			}
			return strings.Join(parts, ", ") + fmt.Sprintf(" and %s (%d)", count(len(p.Events)-i, "more name"), rest)
		}
		parts = append(parts, e.name()+" "+strconv.FormatInt(e.Count, 10))
	}
	return strings.Join(parts, ", ")
}

// seconds is a length of time for people.
func seconds(s float64) string {
	switch a := math.Abs(s); {
	case a >= 1:
		return fmt.Sprintf("%.3f s", s)
	case a >= 1e-3:
		return fmt.Sprintf("%.3f ms", s*1e3)
	case a >= 1e-6:
		return fmt.Sprintf("%.3g µs", s*1e6)
	case a > 0:
		return fmt.Sprintf("%.0f ns", s*1e9)
	}
	return "0 s"
}

// counts is a time of a clock without a unit, which the report has as
// nanoseconds.
func counts(s float64) string { return strconv.FormatFloat(math.Round(s*1e9), 'f', -1, 64) }

// long is a length of time in this trace.
func (v *traceView) long(s float64) string {
	switch {
	case v.counts && counts(s) == "1":
		return "1 tick"
	case v.counts:
		return counts(s) + " ticks"
	}
	return seconds(s)
}

// lasted is how long a span was, as far as the trace shows it.
func (v *traceView) lasted(s float64, open bool) string {
	switch {
	case open && s > 0:
		return v.long(s) + ", not ended"
	case open:
		return "not ended"
	case s == 0:
		return "length not traced"
	}
	return v.long(s)
}

// at is the time of a span on the log's clock, "" in a trace without times.
func (v *traceView) at(start float64) string {
	switch {
	case !v.timed:
		return ""
	case v.counts:
		return counts(start)
	}
	return fmt.Sprintf("%.6f s", start+v.shift)
}

// subject is the function or the lock of a span.
func (s *TraceSpan) subject() string {
	w := clip(deref(s.What), 3*maxName)
	if w != "" && s.State != "lock_wait" && !strings.Contains(w, " ") && !digits(w[:1]) {
		w += "()"
	}
	return w
}

// totals are the states of a task, the longest first.
func (k *TraceTask) totals() []TraceTotal {
	out := slices.Clone(k.Totals)
	slices.SortStableFunc(out, func(a, b TraceTotal) int { return cmp.Compare(b.Duration, a.Duration) })
	return out
}

// totals lists them in words.
func (v *traceView) totals(k *TraceTask) string {
	var out []string
	for _, t := range k.totals() {
		out = append(out, v.total(&t))
	}
	return strings.Join(out, ", ")
}

func (v *traceView) total(t *TraceTotal) string {
	s := stateOf(t.State).word
	if t.Duration > 0 {
		s += " " + v.long(t.Duration)
	}
	if t.Count > 1 {
		s += fmt.Sprintf(" (%d times)", t.Count)
	}
	return s
}

// longest are the longest spans of a task but system calls and those in which
// it ran or could have, and those that lie in a wait which is among them. At
// most limit, all if it is 0.
func (k *TraceTask) longest(limit int) []*TraceSpan {
	var spans []*TraceSpan
	for i := range k.Spans {
		if s := &k.Spans[i]; s.State != "running" && s.State != "runnable" && s.State != "syscall" {
			spans = append(spans, s)
		}
	}
	slices.SortStableFunc(spans, func(a, b *TraceSpan) int { return cmp.Compare(b.DurationS, a.DurationS) })
	var out []*TraceSpan
	for _, s := range spans {
		if limit > 0 && len(out) == limit {
			break
		}
		if stateOf(s.State).sched && slices.ContainsFunc(out, func(o *TraceSpan) bool { return o.holds(s) }) {
			continue
		}
		out = append(out, s)
	}
	slices.SortStableFunc(out, func(a, b *TraceSpan) int { return cmp.Compare(a.StartS, b.StartS) })
	return out
}

// holds tells whether s is how o looks to the scheduler.
func (o *TraceSpan) holds(s *TraceSpan) bool {
	const eps = 1e-6
	return stateOf(o.State).rank > 0 && o.StartS <= s.StartS+eps && s.StartS+s.DurationS <= o.StartS+o.DurationS+eps && o.DurationS > 0
}

// path is the way of a task through an OOM: spans of one state in a row are one
// step. It is nil for a task that met none.
func (k *TraceTask) path() []TraceSpan {
	if !slices.ContainsFunc(k.Spans, func(s TraceSpan) bool {
		return s.State == "oom_kill" || s.State == "oom_wait" || s.State == "synchronize"
	}) {
		return nil
	}
	var spans []TraceSpan
	for _, s := range k.Spans {
		if oomPath(s.State) {
			spans = append(spans, s)
		}
	}
	// Spans of a trace without times all start at 0: the lines tell their order.
	slices.SortStableFunc(spans, func(a, b TraceSpan) int {
		return cmp.Or(cmp.Compare(a.StartS, b.StartS), cmp.Compare(a.Line, b.Line))
	})
	var out []TraceSpan
	for _, s := range spans {
		if n := len(out); n > 0 && out[n-1].State == s.State && !out[n-1].Open {
			last := &out[n-1]
			last.Count += s.Count
			last.DurationS += s.DurationS
			last.Open = s.Open
			continue
		}
		out = append(out, s)
	}
	return out
}

// length is how often and how long: " 28 times in 67.121 ms". An exit is a
// moment.
func (v *traceView) length(s *TraceSpan) string {
	out := ""
	if s.Count > 1 {
		out = fmt.Sprintf(" %d times in", s.Count)
	}
	if s.State == "exiting" && s.DurationS == 0 {
		return strings.TrimSuffix(out, " in")
	}
	return out + " " + v.lasted(s.DurationS, s.Open)
}

// step is a step of a path: "reclaiming 28 times in 67.121 ms".
func (v *traceView) step(s *TraceSpan) string {
	if s.DurationS == 0 && !s.Open {
		return stateOf(s.State).word
	}
	return stateOf(s.State).word + v.length(s)
}

// maxSteps is how many steps of a path are shown before its start is left out:
// its end is what became of it.
const maxSteps = 9

// steps are the steps of a path, the first of them left out beyond limit.
func (v *traceView) steps(k *TraceTask, limit int) []string {
	path := k.path()
	var out []string
	if n := len(path); limit > 0 && n > limit {
		out = append(out, count(n-limit, "more step"))
		path = path[n-limit:]
	}
	for i := range path {
		out = append(out, v.step(&path[i]))
	}
	return out
}

// cell is one column of a time strip.
type cell struct {
	state traceState
	known bool
}

// strip draws the states of a task over the time of the trace, in cols cells.
// A cell shows the state that tells most of those it touches, and of the
// scheduler's states, where it has no other, the one that took most of it.
func (v *traceView) strip(k *TraceTask, cols int) []cell {
	cells := make([]cell, cols)
	if !v.timed {
		return cells
	}
	took := make([][8]float64, cols) // by the scheduler's states
	scale := float64(cols) / (v.to - v.from)
	place := func(t float64) float64 { return min(max((t+v.shift-v.from)*scale, 0), float64(cols)) }
	for i := range k.Spans {
		s := &k.Spans[i]
		state := stateOf(s.State)
		a, b := place(s.StartS), place(s.StartS+max(s.DurationS, 0))
		if s.Open {
			b = float64(cols)
		}
		for c := min(int(a), cols-1); c < cols && (float64(c) < b || c == int(a) || c == cols-1 && int(a) == cols); c++ {
			if state.sched {
				n := slices.IndexFunc(traceStates, func(t traceState) bool { return t.id == state.id })
				took[c][n] += min(b, float64(c+1)) - max(a, float64(c))
			} else if !cells[c].known || state.rank > cells[c].state.rank {
				cells[c] = cell{state, true}
			}
		}
	}
	for c := range cells {
		if cells[c].known && cells[c].state.rank > 0 {
			continue
		}
		best := 0.0
		for n, t := range took[c] {
			if t > best {
				best, cells[c] = t, cell{traceStates[n], true}
			}
		}
	}
	return cells
}

// signals tells of the signals that a task got, a sentence each with its line.
func (v *traceView) signals(k *TraceTask) []string {
	var out []string
	for i := range k.Signals {
		g := &k.Signals[i]
		s := fmt.Sprintf("signal %d", g.Signal)
		switch g.Code {
		case 0: // SI_USER, include/uapi/asm-generic/siginfo.h
			s += " from a process"
		case 128: // SI_KERNEL
			s += " from the kernel"
		}
		if g.SentS != nil {
			s += ", sent " + v.at(*g.SentS)
		}
		if g.From != nil {
			s += " in " + v.task(*g.From)
		}
		if g.DeliveredS != nil {
			s += ", delivered " + v.at(*g.DeliveredS)
		} else {
			s += ", not seen to be delivered"
		}
		out = append(out, s)
	}
	return out
}

// name is the event's, or what stands for those beyond the ones counted.
func (e *TraceCount) name() string {
	if e.Name == "" {
		return "others"
	}
	return clip(e.Name, maxName)
}

// lines is where an event stands: "line 12 to 290".
func (e *TraceCount) lines() string {
	switch {
	case e.FirstLine <= 0:
		return ""
	case e.LastLine > e.FirstLine:
		return fmt.Sprintf("line %d to %d", e.FirstLine, e.LastLine)
	}
	return fmt.Sprintf("line %d", e.FirstLine)
}

// maxValues is how many values of an event's field are listed.
const maxValues = 4

// fields sums up what the fields of an event held: "prev_comm sh 11, lab 1 and
// 55 others; prev_pid 0 to 4760".
func (e *TraceCount) fields() string {
	var out []string
	for i := range e.Fields {
		f := &e.Fields[i]
		s := clip(f.Name, maxName)
		if s == "" {
			s = "text"
		}
		others := f.Others
		if f.Min != nil && f.Max != nil && (others > 0 || len(f.Values) > maxValues) {
			// A field of many numbers is a range.
			out = append(out, fmt.Sprintf("%s %s to %s", s, strconv.FormatFloat(*f.Min, 'f', -1, 64), strconv.FormatFloat(*f.Max, 'f', -1, 64)))
			continue
		}
		values := slices.Clone(f.Values)
		slices.SortStableFunc(values, func(a, b TraceValue) int { return cmp.Compare(b.Count, a.Count) })
		var list []string
		for n, v := range values {
			if n >= maxValues {
				others += v.Count
				continue
			}
			list = append(list, fmt.Sprintf("%s (%d)", clip(v.Value, maxName), v.Count))
		}
		s += " " + strings.Join(list, ", ")
		if others > 0 {
			s += fmt.Sprintf(" and %d others", others)
		}
		out = append(out, s)
	}
	if e.MoreFields > 0 {
		out = append(out, fmt.Sprintf("%d values of more fields", e.MoreFields))
	}
	return strings.Join(out, "; ")
}

// legend explains the letters of strips in lines of at most width columns.
func (v *traceView) legend(seen map[string]bool, cols, width int) []string {
	var items []string
	known := 0
	for _, s := range slices.Backward(traceStates) {
		if seen[s.id] {
			known++
			items = append(items, string(s.letter)+" "+s.word)
		}
	}
	if len(seen) > known {
		items = append(items, "? other states")
	}
	lines := strings.Split(wrapList(strings.Join(items, ", "), width), "\n")
	return append(lines, cut("a column is "+v.long((v.to-v.from)/float64(cols))+", its letter what tells most", width, false))
}

// lock names the lock of a wait: its class where lockdep named it, and its
// address.
func (w *LockWait) lock() string {
	var parts []string
	if w.Class != nil && *w.Class != "" {
		parts = append(parts, clip(*w.Class, maxName))
	}
	if w.Address != "" {
		parts = append(parts, clip(w.Address, maxName))
	}
	if parts == nil {
		return "(address not printed)"
	}
	return strings.Join(parts, " ")
}

// end tells how a wait ended, for a cell of a table.
func (v *traceView) end(w *LockWait) string {
	switch {
	case w.Open:
		return "not ended"
	case w.Waker != nil:
		return "woken by " + v.task(*w.Waker)
	}
	return "ended"
}
