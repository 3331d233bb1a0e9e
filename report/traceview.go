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
	rank   int // what a cell of a strip shows first; 0: whatever took longest
}

// traceStates are the states by how much they tell of an OOM, the least first.
var traceStates = []traceState{
	{"sleeping", "sleeping", '.', dim, 0},
	{"running", "running", '#', green, 0},
	{"runnable", "runnable", '+', plain, 0},
	{"blocked", "blocked", 'D', cyan, 0},
	{"charging", "charging", 'c', yellow, 1},
	{"reclaiming", "reclaiming", 'r', yellow, 2},
	{"exiting", "exiting", 'X', green, 3},
	{"synchronize", "synchronize", 'S', yellow, 4},
	{"lock_wait", "lock wait", 'L', red, 5},
	{"oom_wait", "OOM wait", 'O', red, 6},
	{"oom_kill", "OOM kill", 'K', red, 7},
}

// stateOf looks a state up; one that is not known is shown as it is named.
func stateOf(id string) traceState {
	if i := slices.IndexFunc(traceStates, func(s traceState) bool { return s.id == id }); i >= 0 {
		return traceStates[i]
	}
	return traceState{id, strings.ReplaceAll(clip(id, maxName), "_", " "), '?', plain, 1}
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
	timed    bool    // there is a time scale; function_graph without funcgraph-abstime has none
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
			parts = append(parts, "no times, so no timeline (function_graph prints them with funcgraph-abstime)")
		case p.BootClock:
			parts = append(parts, fmt.Sprintf("%.6f to %.6f s after boot", p.FirstS+p.OffsetS, p.LastS+p.OffsetS))
		default:
			parts = append(parts, fmt.Sprintf("%.6f to %.6f s on the trace's clock", p.FirstS+p.OffsetS, p.LastS+p.OffsetS))
		}
		if p.OffsetS != 0 {
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
		name := clip(e.Name, maxName)
		if name == "" {
			name = "others"
		}
		parts = append(parts, name+" "+strconv.FormatInt(e.Count, 10))
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

// lasted is how long a span was, as far as the trace shows it.
func lasted(s float64, open bool) string {
	switch {
	case open && s > 0:
		return seconds(s) + ", not ended"
	case open:
		return "not ended"
	case s == 0:
		return "length not traced"
	}
	return seconds(s)
}

// at is the time of a span on the log's clock, "" in a trace without times.
func (v *traceView) at(start float64) string {
	if !v.timed {
		return ""
	}
	return fmt.Sprintf("%.6f s", start+v.shift)
}

// subject is the function or the lock of a span.
func (s *TraceSpan) subject() string {
	w := clip(deref(s.What), 3*maxName)
	if w != "" && s.State != "lock_wait" && !strings.Contains(w, " ") {
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

func (t *TraceTotal) String() string {
	s := stateOf(t.State).word
	if t.Duration > 0 {
		s += " " + seconds(t.Duration)
	}
	if t.Count > 1 {
		s += fmt.Sprintf(" (%d times)", t.Count)
	}
	return s
}

// longest are the longest spans of a task but those in which it ran or could
// have, and those that lie in a wait which is among them. At most limit, all
// if it is 0.
func (k *TraceTask) longest(limit int) []*TraceSpan {
	var spans []*TraceSpan
	for i := range k.Spans {
		if s := &k.Spans[i]; s.State != "running" && s.State != "runnable" {
			spans = append(spans, s)
		}
	}
	slices.SortStableFunc(spans, func(a, b *TraceSpan) int { return cmp.Compare(b.DurationS, a.DurationS) })
	var out []*TraceSpan
	for _, s := range spans {
		if limit > 0 && len(out) == limit {
			break
		}
		if stateOf(s.State).rank == 0 && slices.ContainsFunc(out, func(o *TraceSpan) bool { return o.holds(s) }) {
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
func (s *TraceSpan) length() string {
	out := ""
	if s.Count > 1 {
		out = fmt.Sprintf(" %d times in", s.Count)
	}
	if s.State == "exiting" && s.DurationS == 0 {
		return strings.TrimSuffix(out, " in")
	}
	return out + " " + lasted(s.DurationS, s.Open)
}

// step is a step of a path: "reclaiming 28 times in 67.121 ms".
func (s *TraceSpan) step() string {
	if s.DurationS == 0 && !s.Open {
		return stateOf(s.State).word
	}
	return stateOf(s.State).word + s.length()
}

// maxSteps is how many steps of a path are shown before its start is left out:
// its end is what became of it.
const maxSteps = 9

// steps are the steps of a path, the first of them left out beyond limit.
func (k *TraceTask) steps(limit int) []string {
	path := k.path()
	var out []string
	if n := len(path); limit > 0 && n > limit {
		out = append(out, count(n-limit, "more step"))
		path = path[n-limit:]
	}
	for i := range path {
		out = append(out, path[i].step())
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
	took := make([][4]float64, cols) // by the states of rank 0
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
			if state.rank > 0 {
				if !cells[c].known || state.rank > cells[c].state.rank {
					cells[c] = cell{state, true}
				}
				continue
			}
			n := slices.IndexFunc(traceStates, func(t traceState) bool { return t.id == state.id })
			took[c][n] += min(b, float64(c+1)) - max(a, float64(c))
		}
	}
	for c := range cells {
		if cells[c].known {
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
	return append(lines, cut("a column is "+seconds((v.to-v.from)/float64(cols))+", its letter what tells most", width, false))
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
