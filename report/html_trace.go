package report

import (
	"cmp"
	"math"
	"slices"
	"strings"
)

// Limits of the page's trace section: a trace of a busy machine must not make a
// page that no browser opens.
const (
	maxHTMLSpans   = 20_000 // of all tasks
	minTaskSpans   = 16     // of one task at least
	maxHTMLSamples = 1000
)

// The model of the trace section. Times are seconds on the log's clock.
type (
	htmlTrace struct {
		Input  int             `json:"input"`
		Name   htmlText        `json:"name"`
		What   []htmlText      `json:"what"`
		Events []htmlCount     `json:"events"`
		From   float64         `json:"from"`
		To     float64         `json:"to"`               // not after From: no times in the trace
		Counts bool            `json:"counts,omitempty"` // billionths are counts of a clock, not seconds
		Tasks  []htmlTraceTask `json:"tasks,omitempty"`
		Waits  []htmlLockWait  `json:"waits,omitempty"`
	}

	htmlCount struct {
		Name   htmlText `json:"name"`
		Count  int64    `json:"count"`
		Line   int      `json:"line,omitempty"` // the first
		Lines  htmlText `json:"lines,omitempty"`
		Fields htmlText `json:"fields,omitempty"`
	}

	htmlTraceState struct {
		ID     htmlText `json:"id"`
		Word   htmlText `json:"word"`
		Letter string   `json:"letter"`
		Sched  bool     `json:"sched,omitempty"`
	}

	htmlTraceTask struct {
		ID     htmlText    `json:"id"`
		Name   htmlText    `json:"name"`
		Label  htmlText    `json:"label"` // comm/pid, short
		Memcg  *htmlText   `json:"memcg,omitempty"`
		Totals []htmlTotal `json:"totals,omitempty"`
		Steps  []htmlText  `json:"steps,omitempty"` // the way through an OOM
		Spans  []htmlSpan  `json:"spans,omitempty"` // by start, the longer first
		More   int         `json:"more,omitempty"`  // left out

		Signals []htmlSignal `json:"signals,omitempty"`
	}

	htmlSignal struct {
		Text htmlText `json:"text"`
		Line int      `json:"line,omitempty"`
	}

	htmlTotal struct {
		State    int     `json:"state"` // of the page's states
		Count    int     `json:"count"`
		Duration float64 `json:"s"`
	}

	htmlSpan struct {
		State    int       `json:"state"`
		Start    float64   `json:"at"`
		Duration float64   `json:"s"`
		Length   htmlText  `json:"length"` // in words
		Open     bool      `json:"open,omitempty"`
		What     *htmlText `json:"what,omitempty"`
		Line     int       `json:"line,omitempty"`
	}

	htmlLockWait struct {
		Task   htmlText `json:"task"`
		Lock   htmlText `json:"lock"`
		Flags  htmlText `json:"flags,omitempty"`
		Since  *float64 `json:"at,omitempty"`
		S      float64  `json:"s"`
		Length htmlText `json:"length"`
		End    htmlText `json:"end"`
		Open   bool     `json:"open,omitempty"`
		Ref    htmlRef  `json:"ref"`
	}

	// htmlSamples are the measured stacks, each function once.
	htmlSamples struct {
		Funcs  []htmlText   `json:"funcs"`
		Stacks []htmlSample `json:"stacks"`
		More   int          `json:"more,omitempty"`
	}

	htmlSample struct {
		Comm  htmlText `json:"comm"`
		Stack []int    `json:"stack"` // innermost first
		Value [4]int64 `json:"value"` // on CPU, off CPU, waiting for a lock: ns; calls
	}
)

// traces adds the trace section to the page.
func (p *htmlPage) traces(r *Report) {
	if r.Trace == nil {
		return
	}
	states := make(map[string]int)
	state := func(id string) int {
		at, ok := states[id]
		if !ok {
			s := stateOf(id)
			at = len(p.States)
			states[id] = at
			p.States = append(p.States, htmlTraceState{htmlText(clip(id, maxName)), htmlText(s.word), string(s.letter), s.sched})
		}
		return at
	}
	for i := len(traceStates) - 1; i >= 0; i-- {
		state(traceStates[i].id)
	}
	perTask := maxHTMLSpans / max(len(r.Trace.Tasks), 1)
	for _, v := range r.traceViews() {
		h := htmlTrace{Input: v.input, Name: htmlText(r.shortName(v.input)), What: htmlTexts(v.what()), From: nano(v.from), To: nano(v.to), Counts: v.counts, Events: []htmlCount{}}
		if !v.timed {
			h.To = h.From
		}
		for _, part := range v.parts {
			for i := range part.Events {
				e := &part.Events[i]
				h.Events = append(h.Events, htmlCount{htmlText(e.name()), e.Count, e.FirstLine, htmlText(e.lines()), htmlText(e.fields())})
			}
		}
		for _, k := range v.tasks {
			h.Tasks = append(h.Tasks, v.htmlTask(k, state, max(perTask, minTaskSpans)))
		}
		for _, w := range v.waits {
			x := htmlLockWait{
				Task: htmlText(v.task(w.Task)), Lock: htmlText(w.lock()), Flags: htmlText(clip(deref(w.Flags), maxName)),
				S: w.DurationS, Length: htmlText(v.long(w.DurationS)), End: htmlText(v.end(w)), Open: w.Open, Ref: htmlRef{w.Input, w.Line},
			}
			if v.timed {
				at := nano(w.BeginS + v.shift)
				x.Since = &at
			}
			h.Waits = append(h.Waits, x)
		}
		p.Traces = append(p.Traces, h)
	}
	p.Samples = newHTMLSamples(r.Trace)
}

// nano drops what floating point adds below a nanosecond.
func nano(s float64) float64 { return math.Round(s*1e9) / 1e9 }

func (v *traceView) htmlTask(k *TraceTask, state func(string) int, limit int) htmlTraceTask {
	h := htmlTraceTask{ID: htmlText(k.ID), Name: htmlText(k.Name()), Label: htmlText(k.label(maxLabel)), Memcg: htmlOptional(k.Memcg), Steps: htmlTexts(v.steps(k, 4*maxSteps)), More: k.MoreSpans}
	for i, s := range v.signals(k) {
		h.Signals = append(h.Signals, htmlSignal{htmlText(s), k.Signals[i].Line})
	}
	for _, t := range k.totals() {
		h.Totals = append(h.Totals, htmlTotal{state(t.State), t.Count, t.Duration})
	}
	spans := make([]*TraceSpan, 0, len(k.Spans))
	for i := range k.Spans {
		spans = append(spans, &k.Spans[i])
	}
	if len(spans) > limit {
		slices.SortStableFunc(spans, func(a, b *TraceSpan) int {
			return cmp.Or(cmp.Compare(min(stateOf(b.State).rank, 1), min(stateOf(a.State).rank, 1)), cmp.Compare(b.DurationS, a.DurationS))
		})
		h.More += len(spans) - limit
		spans = spans[:limit]
	}
	slices.SortStableFunc(spans, func(a, b *TraceSpan) int {
		return cmp.Or(cmp.Compare(a.StartS, b.StartS), cmp.Compare(b.DurationS, a.DurationS))
	})
	for _, s := range spans {
		x := htmlSpan{State: state(s.State), Start: nano(s.StartS + v.shift), Duration: s.DurationS, Length: htmlText(strings.TrimSpace(v.length(s))), Open: s.Open, Line: s.Line}
		if w := htmlText(s.subject()); w != "" {
			x.What = &w
		}
		h.Spans = append(h.Spans, x)
	}
	return h
}

func newHTMLSamples(t *Trace) *htmlSamples {
	if len(t.Samples) == 0 {
		return nil
	}
	out := &htmlSamples{More: t.MoreSamples}
	funcs := make(map[string]int)
	for i := range t.Samples {
		if i == maxHTMLSamples {
			out.More += len(t.Samples) - i
			break
		}
		s := &t.Samples[i]
		x := htmlSample{Comm: htmlText(clip(deref(s.Comm), maxName)), Stack: []int{}, Value: [4]int64{s.OnCPUNS, s.OffCPUNS, s.LockWaitNS, s.Calls}}
		for _, fn := range s.Stack {
			at, ok := funcs[fn]
			if !ok {
				at = len(out.Funcs)
				funcs[fn] = at
				out.Funcs = append(out.Funcs, htmlText(clip(fn, 2*maxName)))
			}
			x.Stack = append(x.Stack, at)
		}
		out.Stacks = append(out.Stacks, x)
	}
	return out
}

// htmlStatic is a trace for a reader without scripts.
type htmlStatic struct {
	Name  string
	What  []string
	Tasks [][3]string // name, totals, way through an OOM
	More  string
	Waits [][5]string // task, lock, since, length, end
}

// htmlTraces is what the page shows of the traces without scripts.
func htmlTraces(r *Report) []htmlStatic {
	const most = 50
	safe := func(s string) string { return htmlText(s).String() }
	var out []htmlStatic
	for _, v := range r.traceViews() {
		h := htmlStatic{Name: safe(r.shortName(v.input))}
		for i, s := range v.what() {
			h.What = append(h.What, safe(s), safe("events: "+v.parts[i].events(most)))
		}
		for i, k := range v.tasks {
			if i == most {
				h.More = "and " + count(len(v.tasks)-most, "more task")
				break
			}
			h.Tasks = append(h.Tasks, [3]string{safe(k.Name()), safe(v.totals(k)), safe(strings.Join(v.steps(k, maxSteps), " → "))})
		}
		for i, w := range v.waits {
			if i == most {
				break
			}
			h.Waits = append(h.Waits, [5]string{safe(v.task(w.Task)), safe(w.lock()), v.at(w.BeginS), v.long(w.DurationS), safe(v.end(w))})
		}
		out = append(out, h)
	}
	return out
}
