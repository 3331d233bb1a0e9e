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
			if list := v.parts[i].events(m.limit(maxTraceNames)); list != "" {
				items = append(items, inline(mdRaw("events: "), list))
			}
		}
		m.list(false, items)
		m.strips(v)

		shown := v.tasks
		if max := m.limit(maxTraceBlocks); max > 0 && len(shown) > max {
			shown = shown[:max]
		}
		var did, spans [][]mdRaw
		for _, k := range shown {
			var totals []string
			for _, s := range k.totals() {
				totals = append(totals, s.String())
			}
			did = append(did, []mdRaw{cell(k.Name()), words(strings.Join(totals, ", ")), words(strings.Join(k.steps(m.limit(maxSteps)), " → "))})
			list := k.longest(m.limit(maxTraceSpans))
			if m.opt.Verbose {
				list = list[:0]
				for i := range k.Spans {
					list = append(list, &k.Spans[i])
				}
			}
			for _, s := range list {
				length := strings.TrimSpace(s.length())
				spans = append(spans, []mdRaw{cell(k.Name()), mdRaw(v.at(s.StartS)), words(stateOf(s.State).word), mdRaw(length), cell(s.subject()), m.line(k.Input, s.Line)})
			}
		}
		m.table([]string{"Task", "In all", "OOM path"}, did)
		if n := len(v.tasks) - len(shown); n > 0 {
			m.para(mdRaw("and " + count(n, "more task")))
		}
		m.table([]string{"Task", "!Since", "State", "!Length", "Function or lock", "Place"}, spans)

		var waits [][]mdRaw
		for i, w := range v.waits {
			if max := m.limit(maxTraceWaits); max > 0 && i == max {
				break
			}
			waits = append(waits, []mdRaw{cell(v.task(w.Task)), cell(w.lock()), cell(clip(deref(w.Flags), maxName)), mdRaw(v.at(w.BeginS)), mdRaw(seconds(w.DurationS)), words(v.end(w)), m.line(w.Input, w.Line)})
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
