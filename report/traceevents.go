package report

import (
	"bufio"
	"encoding/json"
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
	Phase string         `json:"ph"` // X complete, i instant, M metadata, s and f flow
	TS    float64        `json:"ts"`
	Dur   *float64       `json:"dur,omitempty"`
	Pid   int            `json:"pid"`
	Tid   int            `json:"tid"`
	Scope string         `json:"s,omitempty"`
	ID    int            `json:"id,omitempty"`
	Bind  string         `json:"bp,omitempty"`
	Args  map[string]any `json:"args,omitempty"`
}

// writeTraceEvents writes one process for each trace, with a thread for each
// of its tasks, and one for each incident, with its timeline.
func writeTraceEvents(w io.Writer, r *Report, _ Options) error {
	bw := bufio.NewWriter(w)
	io.WriteString(bw, "{\"displayTimeUnit\":\"ms\",\"otherData\":{\"tool\":\"oomtrace\"},\"traceEvents\":[")
	first := true
	var failed error
	put := func(e traceEvent) {
		b, err := json.Marshal(e)
		if err != nil {
			failed = err
			return
		}
		if !first {
			bw.WriteByte(',')
		}
		first = false
		bw.WriteByte('\n')
		bw.Write(b)
	}
	name := func(kind string, pid, tid int, s string) {
		put(traceEvent{Name: kind, Phase: "M", Pid: pid, Tid: tid, Args: map[string]any{"name": s}})
	}
	if t := r.Trace; t != nil {
		t.events(r, put, name)
	}
	for i := range r.Incidents {
		inc := &r.Incidents[i]
		pid := len(r.Inputs) + 1 + i
		name("process_name", pid, 0, "incident "+inc.ID+": "+inc.Verdict+" ("+inc.Confidence+")")
		tids := map[string]int{}
		for j := range inc.Tasks {
			t := &inc.Tasks[j]
			tid := j + 1
			if t.Pid != nil {
				tid = *t.Pid
			}
			if tids[t.ID] == 0 {
				tids[t.ID] = tid
				name("thread_name", pid, tid, t.stackRoot()+" ("+t.Role+")")
			}
		}
		for j := range inc.Timeline {
			e := &inc.Timeline[j]
			if e.BootS == nil {
				continue
			}
			put(traceEvent{Name: clip(e.Text, maxLine), Cat: e.Kind, Phase: "i", TS: micros(*e.BootS), Pid: pid, Tid: tids[deref(e.Task)], Scope: "p", Args: map[string]any{"input": e.Input, "line": e.Line}})
		}
	}
	io.WriteString(bw, "\n]}\n")
	if failed != nil {
		return failed
	}
	return bw.Flush()
}

// micros keeps nanoseconds and drops what floating point adds.
func micros(s float64) float64 { return math.Round(s*1e9) / 1e3 }

func (t *Trace) events(r *Report, put func(traceEvent), name func(kind string, pid, tid int, s string)) {
	var shift = map[int]float64{}
	for _, in := range t.Inputs {
		shift[in.Input] = in.OffsetS
		if in.Input < len(r.Inputs) {
			name("process_name", in.Input+1, 0, r.Inputs[in.Input].Name)
		}
	}
	for i := range t.Tasks {
		k := &t.Tasks[i]
		comm := deref(k.Comm)
		if comm == "" {
			comm = "<...>"
		}
		name("thread_name", k.Input+1, k.Pid, comm)
		ends := nest(k.Spans)
		for j := range k.Spans {
			s := &k.Spans[j]
			dur := micros(ends[j] - s.StartS)
			args := map[string]any{"line": s.Line}
			if s.Open {
				args["open"] = true
			}
			if s.Count > 1 {
				args["count"] = s.Count
			}
			if s.DurationS > ends[j]-s.StartS+1e-9 {
				args["duration_s"] = s.DurationS
			}
			label := s.State
			if w := deref(s.What); w != "" {
				label += ": " + clip(w, maxLine)
			}
			put(traceEvent{Name: label, Cat: s.State, Phase: "X", TS: micros(s.StartS + shift[k.Input]), Dur: &dur, Pid: k.Input + 1, Tid: k.Pid, Args: args})
		}
	}
	for i := range t.LockWaits {
		w := &t.LockWaits[i]
		tid := 0
		for j := range t.Tasks {
			if t.Tasks[j].ID == w.Task && t.Tasks[j].Input == w.Input {
				tid = t.Tasks[j].Pid
			}
		}
		if tid == 0 {
			continue
		}
		args := map[string]any{"address": w.Address, "line": w.Line}
		for key, v := range map[string]*string{"class": w.Class, "flags": w.Flags, "waker": w.Waker} {
			if v != nil {
				args[key] = *v
			}
		}
		put(traceEvent{Name: "lock wait begins", Cat: "lock_wait", Phase: "i", TS: micros(w.BeginS + shift[w.Input]), Pid: w.Input + 1, Tid: tid, Scope: "t", Args: args})
	}
}

// nest returns where each span ends. The viewers draw the events of a thread
// as a stack, so one that begins inside another one ends with it.
func nest(spans []TraceSpan) []float64 {
	order := make([]int, len(spans))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		switch x, y := &spans[a], &spans[b]; {
		case x.StartS < y.StartS:
			return -1
		case x.StartS > y.StartS:
			return 1
		case x.DurationS > y.DurationS:
			return -1
		case x.DurationS < y.DurationS:
			return 1
		}
		return 0
	})
	ends := make([]float64, len(spans))
	var open []float64
	for _, i := range order {
		s := &spans[i]
		for len(open) > 0 && open[len(open)-1] <= s.StartS+1e-7 { // times are microseconds
			open = open[:len(open)-1]
		}
		ends[i] = s.StartS + s.DurationS
		if n := len(open); n > 0 {
			ends[i] = min(ends[i], open[n-1])
		}
		open = append(open, ends[i])
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
