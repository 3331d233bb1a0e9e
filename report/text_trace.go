package report

import (
	"fmt"
	"strings"
)

// What is shown of a trace before the rest is counted.
const (
	maxTraceStrips = 12
	maxTraceBlocks = 6
	maxTraceSpans  = 3
	maxTraceWaits  = 8
	maxTraceNames  = 6
)

// traces writes what each trace shows: how far it goes, its events, the states
// of the tasks over time, what each task did, and the waits for locks.
func (t *text) traces() {
	for _, v := range t.r.traceViews() {
		title := "what the trace shows"
		if len(t.r.Inputs) > 1 {
			title += ": " + cut(termText(t.r.shortName(v.input)), max(t.width-len(title)-len("  : "), minColumn), true)
		}
		t.head(title)
		for i, s := range v.what() {
			t.para("    ", "      ", s)
			t.events(v.parts[i])
		}
		t.strips(v)
		for i, k := range v.tasks {
			if max := t.limit(maxTraceBlocks); max > 0 && i == max {
				t.para("    ", "      ", dim.of("and "+count(len(v.tasks)-i, "more task")+" (-v shows all)"))
				break
			}
			t.traced(v, k)
		}
		t.lockWaits(v)
	}
	if r := t.r.Trace; r != nil && r.MoreTasks > 0 {
		t.para("    ", "      ", dim.of(count(r.MoreTasks, "more task")+" left out of the report"))
	}
}

// events writes which events came, and all about them where it is wanted.
func (t *text) events(p *TraceInput) {
	if !t.opt.Verbose {
		if list := p.events(maxTraceNames); list != "" {
			t.para("    ", "      ", "events: "+list)
		}
		return
	}
	for i := range p.Events {
		e := &p.Events[i]
		parts := []any{bold.of(e.name()), fmt.Sprintf(" %d", e.Count)}
		if lines := e.lines(); lines != "" {
			parts = append(parts, ", ", cyan.of(lines))
		}
		if fields := e.fields(); fields != "" {
			parts = append(parts, ": ", fields)
		}
		t.para("      ", "        ", parts...)
	}
}

// strips draws the states of the tasks to scale, a line each.
func (t *text) strips(v *traceView) {
	if !v.timed || len(v.tasks) == 0 {
		return
	}
	shown := v.tasks
	if max := t.limit(maxTraceStrips); max > 0 && len(shown) > max {
		shown = shown[:max]
	}
	label := 0
	for _, k := range shown {
		label = max(label, columns(k.label(maxLabel)))
	}
	const indent = "    "
	cols := max(t.width-len(indent)-label-columns(" ││"), minColumn)

	t.blank()
	from, to := v.at(v.from-v.shift), v.at(v.to-v.shift)
	gap := cols + 2 - columns(from) - columns(to)
	if gap < 1 {
		from, gap = "", max(cols+2-columns(to), 0)
	}
	t.line(indent + strings.Repeat(" ", label+1) + from + strings.Repeat(" ", gap) + to)
	seen := make(map[string]bool)
	for _, k := range shown {
		name := k.label(maxLabel)
		line := indent + t.paint(bold, name) + strings.Repeat(" ", max(label-columns(name), 0)+1) + "│"
		var run strings.Builder
		how := plain
		flush := func() {
			line += t.paint(how, run.String())
			run.Reset()
		}
		for _, c := range v.strip(k, cols) {
			letter, style := byte(' '), plain
			if c.known {
				letter, style = c.state.letter, c.state.style
				seen[c.state.id] = true
			}
			if style != how {
				if run.Len() > 0 {
					flush()
				}
				how = style
			}
			run.WriteByte(letter)
		}
		flush()
		t.line(line + "│")
	}
	for _, line := range v.legend(seen, cols, t.width-len(indent)) {
		t.line(indent + line)
	}
	if n := len(v.tasks) - len(shown); n > 0 {
		t.para(indent, indent+"  ", dim.of("and "+count(n, "more task")+" (-v shows all)"))
	}
}

// traced writes what one task did.
func (t *text) traced(v *traceView, k *TraceTask) {
	const first, rest = "      ", "        "
	t.blank()
	parts := []any{bold.of(k.Name())}
	if k.Memcg != nil && *k.Memcg != "" {
		parts = append(parts, ", memcg ", clip(*k.Memcg, 2*maxName))
	}
	t.para("    ", "      ", parts...)
	if totals := v.totals(k); totals != "" {
		t.para(first, rest, "in all: "+totals)
	}
	if steps := v.steps(k, t.limit(maxSteps)); steps != nil {
		t.para(first, rest, "OOM path: "+strings.Join(steps, " > "))
	}
	spans := k.longest(t.limit(maxTraceSpans))
	if t.opt.Verbose {
		spans = spans[:0]
		for i := range k.Spans {
			spans = append(spans, &k.Spans[i])
		}
	}
	for _, s := range spans {
		state := stateOf(s.State)
		when := v.at(s.StartS)
		if when != "" {
			when += "  "
		}
		parts := []any{state.style.of(state.word), v.length(s)}
		if w := s.subject(); w != "" {
			parts = append(parts, ", ", w)
		}
		if s.Line > 0 {
			parts = append(parts, " (", cyan.of(t.places([]Ref{{k.Input, s.Line}})), ")")
		}
		t.para(first+visible(when), rest, parts...)
	}
	for i, s := range v.signals(k) {
		if max := t.limit(maxTraceSpans); max > 0 && i == max {
			t.para(first, rest, dim.of("and "+count(len(k.Signals)-i, "more signal")+" (-v shows all)"))
			break
		}
		parts := []any{s}
		if line := k.Signals[i].Line; line > 0 {
			parts = append(parts, " (", cyan.of(t.places([]Ref{{k.Input, line}})), ")")
		}
		t.para(first, rest, parts...)
	}
	if k.MoreSpans > 0 {
		t.para(first, rest, dim.of(count(k.MoreSpans, "shorter span")+" left out of the report"))
	}
}

// lockWaits writes the waits for locks, the open and the longest first.
func (t *text) lockWaits(v *traceView) {
	if len(v.waits) == 0 {
		return
	}
	t.blank()
	t.para("    ", "      ", bold.of(count(len(v.waits), "wait")+" for locks"))
	for i, w := range v.waits {
		if max := t.limit(maxTraceWaits); max > 0 && i == max {
			t.para("      ", "        ", dim.of("and "+count(len(v.waits)-i, "shorter wait")+" (-v shows all)"))
			break
		}
		when := v.at(w.BeginS)
		if when != "" {
			when += "  "
		}
		parts := []any{bold.of(v.task(w.Task)), ": ", v.long(w.DurationS), " for ", w.lock()}
		if f := deref(w.Flags); f != "" {
			parts = append(parts, ", ", clip(f, maxName))
		}
		switch {
		case w.Open:
			parts = append(parts, ", ", red.of("not ended"))
		case w.Waker != nil:
			parts = append(parts, ", woken by ", v.task(*w.Waker))
		}
		if w.Line > 0 {
			parts = append(parts, " (", cyan.of(t.places([]Ref{{w.Input, w.Line}})), ")")
		}
		t.para("      "+visible(when), "        ", parts...)
	}
}
