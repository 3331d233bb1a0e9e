package report

import (
	"fmt"
	"io"
	"strings"
)

var markdownFormat = Format{
	Name:  "markdown",
	Doc:   "a support ticket to paste",
	Write: writeMarkdown,
}

func writeMarkdown(w io.Writer, r *Report, opt Options) error {
	m := &markdown{r: r, opt: opt}
	m.report()
	_, err := io.WriteString(w, m.buf.String())
	return err
}

// markdown is the markdown format of one report.
type markdown struct {
	mdWriter
	r   *Report
	opt Options
}

func (m *markdown) limit(n int) int {
	if m.opt.Verbose {
		return 0
	}
	return n
}

func (m *markdown) report() {
	level := 1
	switch n := len(m.r.Incidents); {
	case n == 0:
		m.heading(1, mdRaw("No incident found"))
		m.para(mdRaw("No OOM and no hang in what was read."))
	case n > 1:
		m.heading(1, mdRaw(count(n, "incident")))
		level = 2
	}
	for _, i := range m.r.order() {
		m.incident(newView(m.r, &m.r.Incidents[i]), level)
	}
	m.traces()
	m.inputs()
}

func (m *markdown) incident(v *view, level int) {
	inc := v.inc
	verdict := verdictText(inc.Verdict)
	if verdict != "" {
		verdict = strings.ToUpper(verdict[:1]) + verdict[1:]
	}
	m.heading(level, verdict, mdRaw(" ("), inc.Confidence, mdRaw("): "), clip(inc.Headline, 3*maxName))

	m.heading(level+1, mdRaw("Impact"))
	m.list(false, m.impact(v))
	m.heading(level+1, mdRaw("Cause"))
	m.cause(v)

	// One list for all findings: a ticket is read once, from the top.
	var evidence []string
	var fixes, actions, collect []mdRaw
	seen := make(map[string]bool)
	once := func(list *[]mdRaw, item mdRaw) {
		if !seen[string(item)] {
			seen[string(item)] = true
			*list = append(*list, item)
		}
	}
	more := 0
	for i := range inc.Findings {
		f := &inc.Findings[i]
		for _, e := range f.Evidence {
			line := m.r.place(Ref{e.Input, e.Line}) + ": " + v.evidenceText(e)
			if seen[line] {
				continue
			}
			seen[line] = true
			if max := m.limit(maxEvidence); max > 0 && len(evidence) == max {
				more++
				continue
			}
			evidence = append(evidence, line)
		}
		for j := range f.Fixes {
			fix := &f.Fixes[j]
			item := inline(code(fix.Commit), mdRaw(" "), fix.Subject, mdRaw(" ("), fix.release(), mdRaw(")"))
			if fix.Note != nil {
				item += inline(mdRaw(". "), *fix.Note)
			}
			once(&fixes, item)
		}
		for _, a := range f.Actions {
			once(&actions, inline(a))
		}
		for _, c := range f.Collect {
			once(&collect, inline(c))
		}
	}
	if len(evidence) > 0 {
		m.heading(level+1, mdRaw("Evidence"))
		m.fence("text", evidence)
		if more > 0 {
			m.para(mdRaw("and " + count(more, "more line")))
		}
	}
	for _, s := range []struct {
		title   mdRaw
		ordered bool
		items   []mdRaw
	}{
		{"Fix", false, fixes}, {"What to do now", true, actions}, {"What to collect next", false, collect},
	} {
		if len(s.items) > 0 {
			m.heading(level+1, s.title)
			m.list(s.ordered, s.items)
		}
	}
	if m.opt.Verbose && len(inc.Timeline) > 0 {
		m.heading(level+1, mdRaw("What happened"))
		var items []mdRaw
		for i := range inc.Timeline {
			e := &inc.Timeline[i]
			var parts []any
			if when := e.when(); when != "" {
				parts = append(parts, code(when), mdRaw(" "))
			}
			items = append(items, inline(append(parts, eventWord(e.Kind), mdRaw(": "), e.Text, m.places([]Ref{{e.Input, e.Line}}))...))
		}
		m.list(false, items)
	}
	if inc.Signature != "" {
		m.para(mdRaw("Signature: "), code(inc.Signature))
	}
}

// impact is who suffers and how much.
func (m *markdown) impact(v *view) []mdRaw {
	inc := v.inc
	var items []mdRaw
	add := func(parts ...any) { items = append(items, inline(parts...)) }

	var where []any
	if inc.Host != nil {
		where = append(where, mdRaw("host "), code(clip(*inc.Host, 2*maxName)), mdRaw(", "))
	}
	where = append(where, v.kernel())
	if when := v.when(); when != "" {
		where = append(where, mdRaw("; "), when)
	}
	add(where...)

	if max := m.limit(maxOOMs); max > 0 && len(inc.OOMs) > max {
		first, last := &inc.OOMs[0], &inc.OOMs[len(inc.OOMs)-1]
		add(mdRaw(fmt.Sprintf("out of memory %d times, first in ", len(inc.OOMs))), code(first.where()),
			mdRaw(" ("), code(m.r.place(Ref{first.Input, first.Line})), mdRaw("), last in "), code(last.where()),
			mdRaw(" ("), code(m.r.place(Ref{last.Input, last.Line})), mdRaw(")"))
	} else {
		for i := range inc.OOMs {
			o := &inc.OOMs[i]
			parts := []any{mdRaw("out of memory in "), code(o.where())}
			if s := o.usage(); s != "" {
				parts = append(parts, mdRaw(": "), s)
			}
			add(append(parts, mdRaw(" ("), code(m.r.place(Ref{o.Input, o.Line})), mdRaw(")"))...)
			for j := range o.Victims {
				vic := &o.Victims[j]
				add(mdRaw("killed "), code(vic.Name()), mdRaw(": "), vic.fate())
			}
		}
	}

	for i := range inc.Folded {
		add(inc.Folded[i].Text())
	}

	blocked := 0
	var longest *Task
	for i := range inc.Tasks {
		t := &inc.Tasks[i]
		if t.Waits == nil && t.BlockedS == nil {
			continue
		}
		blocked++
		if t.BlockedS != nil && (longest == nil || *t.BlockedS > *longest.BlockedS) {
			longest = t
		}
	}
	switch {
	case longest != nil:
		add(mdRaw(fmt.Sprintf("%s blocked, the longest for %d s: ", count(blocked, "task"), *longest.BlockedS)), code(longest.Name()))
	case blocked > 0:
		add(mdRaw(count(blocked, "task") + " blocked"))
	}
	if inc.Resolution != nil {
		add(mdRaw("how it ended: "), *inc.Resolution)
	}
	return items
}

// cause is why, with the cycle if there is one.
func (m *markdown) cause(v *view) {
	inc := v.inc
	for i := range inc.Findings {
		f := &inc.Findings[i]
		head := []any{mdRaw("**"), f.Rule, mdRaw("** ("), f.Confidence, mdRaw(")")}
		if f.Summary != inc.Headline {
			head = append(head, mdRaw(": "), f.Summary)
		}
		m.para(head...)
		for _, s := range f.Explanation {
			m.para(s)
		}
		if f.Ended != nil {
			parts := []any{mdRaw("It ended")}
			if f.Ended.BootS != nil {
				parts = append(parts, mdRaw(fmt.Sprintf(" %.3f s after boot", *f.Ended.BootS)))
			}
			m.para(append(parts, mdRaw(": "), f.Ended.How)...)
		}
	}
	drawn := make(map[*Edge]bool)
	for i, cycle := range inc.WaitGraph.Cycles {
		if max := m.limit(maxCycles); max > 0 && i == max {
			m.para(mdRaw("and " + count(len(inc.WaitGraph.Cycles)-i, "more cycle")))
			break
		}
		edges := v.cycleEdges(cycle)
		if len(edges) == 0 {
			continue
		}
		// The labels are quoted by mermaidLabel, which leaves mdFence nothing
		// to escape.
		m.block(mdRaw("```mermaid\n" + strings.Join(mermaidCycle(v, edges), "\n") + "\n```"))
		for _, e := range edges {
			drawn[e] = true
		}
		m.list(true, m.steps(v, edges))
	}
	// Where nothing goes round, the way to the root is the cause.
	var rest []mdRaw
	groups := v.edgeGroups(drawn)
	for i, g := range groups {
		if max := m.limit(maxGroups); max > 0 && i == max {
			rest = append(rest, mdRaw("and "+count(len(groups)-i, "more edge")))
			break
		}
		rest = append(rest, m.step(v, v.names(g.from, m.limit(3)), g.edge, g.evidence, len(g.from) > 1))
	}
	if len(drawn) > 0 && len(rest) > 0 {
		m.para(mdRaw("Besides:"))
	}
	m.list(false, rest)

	sp := &inc.SynchronizePath
	parts := []any{mdRaw("`mem_cgroup_oom_synchronize()` "), sp.synchronize()}
	if sp.Reason != "" {
		parts = append(parts, mdRaw(": "), sp.Reason)
	}
	m.para(append(parts, m.places(sp.Evidence))...)
}

func (m *markdown) steps(v *view, edges []*Edge) []mdRaw {
	var items []mdRaw
	for _, e := range edges {
		items = append(items, m.step(v, v.nodeName(e.From), e, e.Evidence, false))
	}
	return items
}

// step is one edge as a sentence.
func (m *markdown) step(v *view, from string, e *Edge, evidence []Ref, many bool) mdRaw {
	parts := []any{code(from), mdRaw(" "), relation(e, many), mdRaw(" "), code(v.nodeName(e.To)),
		mdRaw(" — "), basis(e), m.places(evidence)}
	if e.Ended {
		parts = append(parts, mdRaw(", over by now"))
	}
	return inline(parts...)
}

func (m *markdown) places(refs []Ref) mdRaw {
	if len(refs) == 0 {
		return ""
	}
	return mdRaw(" (") + code(m.r.places(refs, m.limit(3))) + mdRaw(")")
}

// inputs tells what the report rests on.
func (m *markdown) inputs() {
	if len(m.r.Inputs) == 0 {
		return
	}
	var items []mdRaw
	for i, in := range m.r.Inputs {
		if max := m.limit(maxTaskRows); max > 0 && i == max {
			items = append(items, mdRaw("and "+count(len(m.r.Inputs)-i, "more input")))
			break
		}
		bad := 0
		for _, d := range in.Diagnostics {
			if d.Severity != "info" {
				bad++
			}
		}
		item := inline(code(m.r.inputName(i)), mdRaw(fmt.Sprintf(": %s, records: %s", count(in.Lines, "line"), in.Records.found())))
		if bad > 0 {
			item += mdRaw(", " + count(bad, "remark"))
		}
		items = append(items, item)
	}
	m.para(mdRaw("Read by "), m.r.Tool.Name+" "+m.r.Tool.Version, mdRaw(":"))
	m.list(false, items)
}
