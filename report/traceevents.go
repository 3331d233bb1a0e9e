package report

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
)

var traceEventsFormat = Format{
	Name:  "trace-events",
	Doc:   "what the tasks did over time, as trace events for Perfetto (ui.perfetto.dev) and chrome://tracing",
	Write: writeTraceEvents,
}

// traceEvent is one event of the Trace Event Format. Times are microseconds.
type traceEvent struct {
	Name  string         `json:"name"`
	Cat   string         `json:"cat,omitempty"`
	Phase string         `json:"ph"` // X complete, i instant, M metadata, s and f start and end of an arrow
	TS    float64        `json:"ts"`
	Dur   *float64       `json:"dur,omitempty"`
	Pid   int            `json:"pid"`
	Tid   int            `json:"tid"`
	Scope string         `json:"s,omitempty"`
	ID    int            `json:"id,omitempty"`
	Bind  string         `json:"bp,omitempty"`
	Args  map[string]any `json:"args,omitempty"`

	order int // of events at one time
}

// Events of one time stand in this order. Perfetto binds an arrow to the slice
// that is on top of the thread when it reads the arrow: its start wants the
// slice in front of it, its end must come before the slices that begin then
// (perfetto, flow_tracker.cc).
const (
	orderWaker = iota
	orderFlowStart
	orderFlowEnd
	orderSlice
	orderInstant
)

// schedTid, added to a pid, is the thread of what the scheduler does with a
// task. It is PID_MAX_LIMIT (include/linux/threads.h), so no pid has it.
const schedTid = 4 << 20

// traceEvents collects the events of a report.
type traceEvents struct {
	meta, events []traceEvent
	flows        int
}

func (t *traceEvents) name(kind string, pid, tid int, name string) {
	t.meta = append(t.meta, traceEvent{Name: kind, Phase: "M", Pid: pid, Tid: tid, Args: map[string]any{"name": visible(clip(name, 4*maxName))}})
}

func (t *traceEvents) index(kind string, pid, tid, index int) {
	t.meta = append(t.meta, traceEvent{Name: kind, Phase: "M", Pid: pid, Tid: tid, Args: map[string]any{"sort_index": index}})
}

// writeTraceEvents writes one process for each trace, with two threads for each
// of its tasks, and one for each incident, with its timeline.
func writeTraceEvents(w io.Writer, r *Report, _ Options) error {
	var t traceEvents
	for _, v := range r.traceViews() {
		t.trace(v)
	}
	for i := range r.Incidents {
		t.incident(len(r.Inputs)+1+i, &r.Incidents[i])
	}
	// A viewer takes no time before 0. One can come from the offset between two clocks.
	var first float64
	for i := range t.events {
		first = min(first, t.events[i].TS)
	}
	other := map[string]any{"tool": visible(clip(r.Tool.Name+" "+r.Tool.Version, maxName))}
	if first < 0 {
		for i := range t.events {
			t.events[i].TS = micros((t.events[i].TS - first) / 1e6)
		}
		other["microseconds_added"] = -first
	}
	slices.SortStableFunc(t.events, func(a, b traceEvent) int {
		return cmp.Or(cmp.Compare(a.TS, b.TS), cmp.Compare(a.order, b.order), cmp.Compare(deref(b.Dur), deref(a.Dur)))
	})

	head, err := json.Marshal(other)
	if err != nil {
		return err
	}
	bw := bufio.NewWriter(w)
	fmt.Fprintf(bw, "{\"displayTimeUnit\":\"ms\",\"otherData\":%s,\"traceEvents\":[", head)
	for i, e := range append(t.meta, t.events...) {
		b, err := json.Marshal(e)
		if err != nil {
			return err
		}
		if i > 0 {
			bw.WriteByte(',')
		}
		bw.WriteByte('\n')
		bw.Write(b)
	}
	io.WriteString(bw, "\n]}\n")
	return bw.Flush()
}

// micros keeps nanoseconds and drops what floating point adds.
func micros(s float64) float64 { return math.Round(s*1e9) / 1e3 }

// incident adds the timeline of an incident, as moments.
func (t *traceEvents) incident(pid int, inc *Incident) {
	t.name("process_name", pid, 0, "incident "+inc.ID+": "+verdictText(inc.Verdict)+" ("+inc.Confidence+")")
	t.index("process_sort_index", pid, 0, pid)
	tasks := make(map[string]*Task)
	for i := range inc.Tasks {
		tasks[inc.Tasks[i].ID] = &inc.Tasks[i]
	}
	named := make(map[int]bool)
	for i := range inc.Timeline {
		e := &inc.Timeline[i]
		if e.BootS == nil {
			continue
		}
		x := traceEvent{Name: visible(clip(e.Text, maxLine)), Cat: visible(clip(e.Kind, maxName)), Phase: "i", TS: micros(*e.BootS), Pid: pid, Scope: "p", Args: map[string]any{"input": e.Input, "line": e.Line}, order: orderInstant}
		if k := tasks[deref(e.Task)]; k != nil && k.Pid != nil && *k.Pid > 0 {
			x.Tid, x.Scope = *k.Pid, "t"
			if !named[x.Tid] {
				named[x.Tid] = true
				t.name("thread_name", pid, x.Tid, k.stackRoot()+" ("+k.Role+")")
			}
		}
		t.events = append(t.events, x)
	}
}

// trace adds what one trace shows. A task has two threads, for a wait for a lock
// begins while the task runs and ends while it runs again: what it does, which
// nests, and what the scheduler does with it.
func (t *traceEvents) trace(v *traceView) {
	pid := v.input + 1
	name := v.r.inputName(v.input)
	switch {
	case !v.timed:
		name += " (no times in this trace)"
	case v.counts:
		name += " (counts of a clock, no times)"
	case v.summed:
		name += " (no times, durations summed up)"
	}
	t.name("process_name", pid, 0, name)
	t.index("process_sort_index", pid, 0, pid)
	if !v.timed {
		return // slices that all begin at 0 would show an order that nobody measured
	}
	waits := make(map[string][]*LockWait)
	for _, w := range v.waits {
		waits[w.Task] = append(waits[w.Task], w)
	}
	threads := make(map[string]int)
	for i, k := range v.tasks {
		does, sched := k.slices(waits[k.ID])
		comm := deref(k.Comm)
		if comm == "" {
			comm = "<...>"
		}
		if len(does) > 0 {
			t.name("thread_name", pid, k.Pid, comm)
			t.index("thread_sort_index", pid, k.Pid, 2*i)
			threads[k.ID] = k.Pid
		}
		if len(sched) > 0 {
			t.name("thread_name", pid, schedTid+k.Pid, comm+": scheduler")
			t.index("thread_sort_index", pid, schedTid+k.Pid, 2*i+1)
		}
		for j, text := range v.signals(k) {
			g := &k.Signals[j]
			at := g.DeliveredS
			if at == nil {
				at = g.SentS
			}
			if at == nil || len(does)+len(sched) == 0 {
				continue
			}
			tid := k.Pid
			if len(does) == 0 {
				tid += schedTid
			}
			t.events = append(t.events, traceEvent{Name: visible(text), Cat: "signal", Phase: "i", TS: micros(*at + v.shift), Pid: pid, Tid: tid, Scope: "t", Args: map[string]any{"line": g.Line}, order: orderInstant})
		}
		t.slices(v, k.Pid, does)
		t.slices(v, schedTid+k.Pid, sched)
	}
	for _, w := range v.waits {
		to, ok := threads[w.Task]
		if w.Waker == nil || w.Open || !ok {
			continue
		}
		from, ok := threads[*w.Waker]
		if !ok {
			i := slices.IndexFunc(v.tasks, func(k *TraceTask) bool { return k.ID == *w.Waker })
			if i < 0 {
				continue
			}
			k := v.tasks[i]
			from = k.Pid
			threads[k.ID] = from
			t.name("thread_name", pid, from, k.label(maxLabel))
			t.index("thread_sort_index", pid, from, 2*i)
		}
		t.flows++
		// Where the wait ends, for the report has no time of the wakeup; a
		// nanosecond before, for chrome://tracing computes in milliseconds and
		// would find no slice at its very end.
		at, zero := micros(w.BeginS+v.shift+w.DurationS-1e-9), 0.0
		t.events = append(t.events,
			traceEvent{Name: "wakes " + v.task(w.Task), Cat: "waker", Phase: "X", TS: at, Dur: &zero, Pid: pid, Tid: from, Args: map[string]any{"lock": visible(w.lock())}, order: orderWaker},
			traceEvent{Name: "wakes", Cat: "waker", Phase: "s", TS: at, Pid: pid, Tid: from, ID: t.flows, order: orderFlowStart},
			traceEvent{Name: "wakes", Cat: "waker", Phase: "f", TS: at, Pid: pid, Tid: to, ID: t.flows, Bind: "e", order: orderFlowEnd})
	}
}

// traceSlice is a span on a thread, with the wait for a lock that it is.
type traceSlice struct {
	TraceSpan
	wait *LockWait
}

// slices parts the spans of a task into what it does, with its waits for locks,
// and what the scheduler does with it.
func (k *TraceTask) slices(waits []*LockWait) (does, sched []traceSlice) {
	byLine := make(map[int]*LockWait, len(waits))
	for _, w := range waits {
		byLine[w.Line] = w
	}
	for i := range k.Spans {
		s := traceSlice{TraceSpan: k.Spans[i]}
		if stateOf(s.State).sched {
			sched = append(sched, s)
			continue
		}
		if s.State == "lock_wait" && byLine[s.Line] != nil {
			s.wait = byLine[s.Line]
			delete(byLine, s.Line)
		}
		does = append(does, s)
	}
	for _, w := range waits { // those whose span was left out for being short
		if byLine[w.Line] == w {
			lock := w.lock()
			does = append(does, traceSlice{TraceSpan{State: "lock_wait", StartS: w.BeginS, DurationS: w.DurationS, Open: w.Open, What: &lock, Count: 1, Line: w.Line}, w})
		}
	}
	return does, sched
}

// slices adds the spans of one thread.
func (t *traceEvents) slices(v *traceView, tid int, spans []traceSlice) {
	ends := nest(spans)
	for i := range spans {
		s := &spans[i]
		args := map[string]any{}
		if s.Line > 0 {
			args["line"] = s.Line
		}
		if s.Open {
			args["open"] = true
		}
		if s.Count > 1 {
			args["count"] = s.Count
		}
		if s.DurationS > ends[i]-s.StartS+1e-9 {
			args["duration_s"] = s.DurationS
		}
		if w := s.wait; w != nil {
			args["lock"] = visible(w.lock())
			if w.Flags != nil {
				args["mode"] = visible(clip(*w.Flags, maxName))
			}
			if w.Waker != nil {
				args["waker"] = visible(v.task(*w.Waker))
			}
		}
		label := stateOf(s.State).word
		if w := s.subject(); w != "" {
			label += ": " + w
		}
		start := micros(s.StartS + v.shift)
		dur := max(micros((micros(ends[i]+v.shift)-start)/1e6), 0)
		t.events = append(t.events, traceEvent{Name: visible(label), Cat: visible(clip(s.State, maxName)), Phase: "X", TS: start, Dur: &dur, Pid: v.input + 1, Tid: tid, Args: args, order: orderSlice})
	}
}

// nest returns where each span ends. The viewers draw the slices of a thread
// as a stack, so one that begins inside another one ends with it.
func nest(spans []traceSlice) []float64 {
	order := make([]int, len(spans))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Or(cmp.Compare(spans[a].StartS, spans[b].StartS), cmp.Compare(spans[b].DurationS, spans[a].DurationS))
	})
	ends := make([]float64, len(spans))
	var open []int
	for _, i := range order {
		s := &spans[i]
		for len(open) > 0 {
			last := open[len(open)-1]
			// Stamps are whole microseconds and function_graph's durations are
			// not: one that begins just before the end of another follows it.
			if ends[last] > s.StartS && (spans[last].StartS == s.StartS || ends[last] >= s.StartS+1e-6) {
				break
			}
			ends[last] = min(ends[last], s.StartS)
			open = open[:len(open)-1]
		}
		ends[i] = s.StartS + max(s.DurationS, 0)
		if n := len(open); n > 0 {
			ends[i] = min(ends[i], ends[open[n-1]])
		}
		open = append(open, i)
	}
	return ends
}

// trace hides what names the user's programs in the trace section.
func (red *redactor) trace(t *Trace) {
	if t == nil {
		return
	}
	for i := range t.Inputs {
		for j := range t.Inputs[i].Events {
			e := &t.Inputs[i].Events[j]
			for k := range e.Fields {
				f := &e.Fields[k]
				if f.Name == "" || e.Name == "tracing_mark_write" || e.Name == "print" || e.Name == "bprint" || e.Name == "bputs" { // text of a program
					f.Others, f.Values = f.Count, []TraceValue{}
				}
				for v := range f.Values {
					if strings.HasSuffix(f.Name, "comm") {
						red.name(&f.Values[v].Value)
					} else {
						red.text(&f.Values[v].Value)
					}
				}
			}
		}
	}
	for i := range t.Tasks {
		red.name(t.Tasks[i].Comm)
		red.text(t.Tasks[i].Memcg)
		for j := range t.Tasks[i].Spans {
			red.text(t.Tasks[i].Spans[j].What)
		}
	}
	for i := range t.LockWaits {
		red.text(&t.LockWaits[i].Address)
	}
	for i := range t.Samples {
		red.name(t.Samples[i].Comm)
		for j, fn := range t.Samples[i].Stack {
			if strings.HasPrefix(fn, "[lock ") { // the others are kernel functions
				red.text(&t.Samples[i].Stack[j])
			}
		}
	}
}

// traceNames finds the names of the trace section.
func (red *redactor) traceNames(t *Trace) {
	if t == nil {
		return
	}
	for i := range t.Inputs {
		for _, e := range t.Inputs[i].Events {
			for _, f := range e.Fields {
				for _, v := range f.Values {
					if strings.HasSuffix(f.Name, "comm") {
						red.comm(v.Value)
					}
				}
			}
		}
	}
	for i := range t.Tasks {
		red.comm(deref(t.Tasks[i].Comm))
	}
	for i := range t.Samples {
		red.comm(deref(t.Samples[i].Comm))
	}
	for i := range t.LockWaits {
		red.address(&t.LockWaits[i].Address)
	}
}
