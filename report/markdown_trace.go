package report

import (
	"strconv"
	"strings"
)

// stripCols is the width of a time strip where no terminal sets it.
const stripCols = 60

// traces writes what each trace shows, as the text format does.
func (m *markdown) traces() {
	cell := func(s string) mdRaw { return mdRaw(mdCell(s)) }
	words := func(s string) mdRaw { return mdRaw(mdCellText(s)) }
	for _, v := range m.r.traceViews() {
		if len(m.r.Inputs) > 1 {
			m.heading(2, mdRaw("What the trace shows: "), code(m.r.shortName(v.input)))
		} else {
			m.heading(2, mdRaw("What the trace shows"))
		}
		var items []mdRaw
		for i, s := range v.what() {
			items = append(items, inline(s))
			if list := v.parts[i].events(maxTraceNames); list != "" && !m.opt.Verbose {
				items = append(items, inline(mdRaw("events: "), list))
			}
		}
		m.list(false, items)
		if m.opt.Verbose {
			var events [][]mdRaw
			for _, p := range v.parts {
				for i := range p.Events {
					e := &p.Events[i]
					events = append(events, []mdRaw{cell(e.name()), mdRaw(strconv.FormatInt(e.Count, 10)), mdRaw(e.lines()), words(e.fields())})
				}
			}
			m.table([]string{"Event", "!Number", "Place", "Fields"}, events)
		}
		m.strips(v)

		shown := v.tasks
		if max := m.limit(maxTraceBlocks); max > 0 && len(shown) > max {
			shown = shown[:max]
		}
		var did, spans [][]mdRaw
		for _, k := range shown {
			name := cell(k.Name())
			if k.Memcg != nil && *k.Memcg != "" {
				name += ", memcg " + cell(clip(*k.Memcg, 2*maxName))
			}
			did = append(did, []mdRaw{name, words(v.totals(k)), words(strings.Join(v.steps(k, m.limit(maxSteps)), " → ")), words(strings.Join(v.signals(k), "; "))})
			list := k.longest(m.limit(maxTraceSpans))
			if m.opt.Verbose {
				list = list[:0]
				for i := range k.Spans {
					list = append(list, &k.Spans[i])
				}
			}
			for _, s := range list {
				length := strings.TrimSpace(v.length(s))
				spans = append(spans, []mdRaw{cell(k.Name()), mdRaw(v.at(s.StartS)), words(stateOf(s.State).word), mdRaw(length), cell(s.subject()), m.line(k.Input, s.Line)})
			}
		}
		m.table([]string{"Task", "In all", "OOM path", "Signals"}, did)
		if n := len(v.tasks) - len(shown); n > 0 {
			m.para(mdRaw("and " + count(n, "more task")))
		}
		m.table([]string{"Task", "!Since", "State", "!Length", "Function or lock", "Place"}, spans)

		var waits [][]mdRaw
		for i, w := range v.waits {
			if max := m.limit(maxTraceWaits); max > 0 && i == max {
				break
			}
			waits = append(waits, []mdRaw{cell(v.task(w.Task)), cell(w.lock()), cell(clip(deref(w.Flags), maxName)), mdRaw(v.at(w.BeginS)), mdRaw(v.long(w.DurationS)), words(v.end(w)), m.line(w.Input, w.Line)})
		}
		if len(waits) > 0 {
			m.para(mdRaw(count(len(v.waits), "wait") + " for locks, the open and the longest first:"))
			m.table([]string{"Task", "Lock", "Mode", "!Since", "!Length", "End", "Place"}, waits)
			if n := len(v.waits) - len(waits); n > 0 {
				m.para(mdRaw("and " + count(n, "shorter wait")))
			}
		}
	}
}

func (m *markdown) line(input, line int) mdRaw {
	if line <= 0 {
		return ""
	}
	if len(m.r.Inputs) == 1 && input == 0 {
		return mdRaw("line " + strconv.Itoa(line))
	}
	return mdRaw(mdCell(m.r.place(Ref{input, line})))
}

// strips draws the states of the tasks to scale.
func (m *markdown) strips(v *traceView) {
	if !v.timed || len(v.tasks) == 0 {
		return
	}
	shown := v.tasks
	if max := m.limit(maxTraceStrips); max > 0 && len(shown) > max {
		shown = shown[:max]
	}
	var lines []string
	seen := make(map[string]bool)
	for _, k := range shown {
		var b strings.Builder
		for _, c := range v.strip(k, stripCols) {
			if !c.known {
				b.WriteByte(' ')
				continue
			}
			b.WriteByte(c.state.letter)
			seen[c.state.id] = true
		}
		name := k.label(maxLabel)
		lines = append(lines, name+strings.Repeat(" ", max(maxLabel-columns(name), 0)+1)+"│"+b.String()+"│")
	}
	lines = append(lines, "from "+v.at(v.from-v.shift)+" to "+v.at(v.to-v.shift))
	m.fence("text", append(lines, v.legend(seen, stripCols, DefaultWidth)...))
}
