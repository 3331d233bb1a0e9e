package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

var textFormat = Format{
	Name:  "text",
	Doc:   "for a terminal, like a compiler's diagnostic",
	Write: writeText,
}

// What is shown before the rest is counted. Options.Verbose shows all.
const (
	maxEvidence    = 12
	maxDiagnostics = 10
	maxOOMs        = 5
	maxGroups      = 8
	maxTaskRows    = 20
	maxCycles      = 3
	maxStats       = 5
)

func writeText(w io.Writer, r *Report, opt Options) error {
	t := &text{textWriter: textWriter{width: opt.width(), color: opt.Color}, r: r, opt: opt}
	if err := t.report(); err != nil {
		return err
	}
	_, err := w.Write(t.buf.Bytes())
	return err
}

// text is the text format of one report.
type text struct {
	textWriter
	r   *Report
	opt Options
}

// limit is n, or no limit where the user wants all.
func (t *text) limit(n int) int {
	if t.opt.Verbose {
		return 0
	}
	return n
}

func (t *text) report() error {
	for i := range t.r.Incidents {
		if i > 0 {
			t.blank()
		}
		if len(t.r.Incidents) > 1 {
			t.line(t.paint(dim, fmt.Sprintf("── incident %d of %d ──", i+1, len(t.r.Incidents))))
		}
		if err := t.incident(newView(t.r, &t.r.Incidents[i])); err != nil {
			return err
		}
	}
	if len(t.r.Incidents) == 0 {
		t.noIncident()
	}
	return t.inputs()
}

func (t *text) noIncident() {
	lines := 0
	for _, in := range t.r.Inputs {
		lines += in.Lines
	}
	t.para("", "    ", green.of("no incident found"), fmt.Sprintf(": read %s, %s; no OOM and no hang in them.",
		count(len(t.r.Inputs), "input"), count(lines, "line")))
}

func verdictStyle(verdict string) style {
	switch verdict {
	case "deadlock", "livelock":
		return red
	case "oom_resolved", "none":
		return green
	}
	return yellow
}

func (t *text) incident(v *view) error {
	inc := v.inc
	t.para("", "    ", verdictStyle(inc.Verdict).of(verdictText(inc.Verdict)), " ("+inc.Confidence+"): ",
		bold.of(inc.Headline))
	t.para("  --> ", "      ", cyan.of(v.span()))
	var facts []string
	if inc.Host != nil {
		facts = append(facts, "host "+clip(*inc.Host, 2*maxName))
	}
	facts = append(facts, v.kernel())
	if when := v.when(); when != "" {
		facts = append(facts, when)
	}
	if t.opt.Verbose && inc.Signature != "" {
		facts = append(facts, "signature "+clip(inc.Signature, 2*maxName))
	}
	t.para("  ", "    ", strings.Join(facts, "; "))
	if inc.Resolution != nil {
		t.para("  ", "    ", "how it ended: ", green.of(*inc.Resolution))
	}

	t.graph(v)
	if err := t.ooms(v); err != nil {
		return err
	}
	for i := range inc.Findings {
		t.finding(v, &inc.Findings[i])
	}
	if err := t.tasks(v); err != nil {
		return err
	}
	if t.opt.Tasks {
		t.stacks(v)
	}
	return nil
}

// edge writes how an edge leads on and how it is known, below the name of the
// node that it starts from.
func (t *text) edge(first, rest, verb, to string, e *Edge, evidence []Ref) {
	how := yellow
	if e.said() {
		how = green
	}
	parts := []any{verb}
	if to != "" {
		parts = append(parts, " ", bold.of(to))
	}
	parts = append(parts, " -- ", how.of(basis(e)))
	if places := t.r.places(evidence, t.limit(3)); places != "" {
		parts = append(parts, ", ", cyan.of(places))
	}
	if e.Ended {
		parts = append(parts, ", over by now")
	}
	t.para(first, rest, parts...)
	if !t.opt.Why {
		return
	}
	if e.Fact != nil {
		t.para(rest+"fact: ", rest+"      ", dim.of(*e.Fact))
	}
	for _, why := range e.Why {
		t.para(rest+"why:  ", rest+"      ", dim.of(why))
	}
}

// graph draws the cycles, then who waits besides.
func (t *text) graph(v *view) {
	g := &v.inc.WaitGraph
	drawn := make(map[*Edge]bool)
	for i, cycle := range g.Cycles {
		if max := t.limit(maxCycles); max > 0 && i == max {
			t.para("  ", "    ", dim.of(fmt.Sprintf("and %s (-v shows all)", count(len(g.Cycles)-i, "more cycle"))))
			break
		}
		title := "the cycle"
		if len(g.Cycles) > 1 {
			title = fmt.Sprintf("cycle %d", i+1)
		}
		t.head(title)
		edges := v.cycleEdges(cycle)
		for j, e := range edges {
			corner := "  ├─> "
			if j == 0 {
				corner = "  ┌─> "
			}
			t.para(corner, "  │     ", bold.of(v.nodeName(e.From)))
			t.edge("  │     ", "  │       ", relation(e, false), "", e, e.Evidence)
			drawn[e] = true
		}
		if len(edges) > 0 {
			t.para("  └── ", "      ", bold.of(v.nodeName(edges[0].From)))
		}
	}

	if t.opt.Graph {
		t.head(fmt.Sprintf("the wait graph: %s, %s", count(len(g.Nodes), "node"), count(len(g.Edges), "edge")))
		for i := range g.Edges {
			e := &g.Edges[i]
			t.para("    ", "      ", bold.of(v.nodeName(e.From)))
			t.edge("      ", "        ", relation(e, false), v.nodeName(e.To), e, e.Evidence)
		}
		return
	}
	groups := v.edgeGroups(drawn)
	if len(groups) == 0 {
		return
	}
	title := "who waits for what"
	if len(drawn) > 0 {
		title = "who else waits for what"
	}
	t.head(title)
	for i, grp := range groups {
		if max := t.limit(maxGroups); max > 0 && i == max {
			t.para("    ", "      ", dim.of(fmt.Sprintf("and %s (--graph shows all)", count(len(groups)-i, "more edge"))))
			break
		}
		t.para("    ", "      ", bold.of(v.names(grp.from, t.limit(3))))
		t.edge("      ", "        ", relation(grp.edge, len(grp.from) > 1), v.nodeName(grp.edge.To), grp.edge, grp.evidence)
	}
}

func (t *text) ooms(v *view) error {
	sp := &v.inc.SynchronizePath
	t.blank()
	parts := []any{bold.of("mem_cgroup_oom_synchronize()"), " path: " + sp.synchronize()}
	if sp.Reason != "" {
		parts = append(parts, ": "+sp.Reason)
	}
	if places := t.r.places(sp.Evidence, t.limit(3)); places != "" {
		parts = append(parts, " (", cyan.of(places), ")")
	}
	t.para("  ", "    ", parts...)

	if max := t.limit(maxOOMs); max > 0 && len(v.inc.OOMs) > max {
		return t.oomTable(v)
	}
	for i := range v.inc.OOMs {
		if err := t.oom(&v.inc.OOMs[i]); err != nil {
			return err
		}
	}
	return nil
}

func (t *text) oom(o *OOM) error {
	t.blank()
	parts := []any{bold.of("out of memory"), " in ", bold.of(o.where()), " (", cyan.of(t.r.place(Ref{o.Input, o.Line}))}
	if o.BootS != nil {
		parts = append(parts, fmt.Sprintf(", %.3f s after boot", *o.BootS))
	}
	t.para("  ", "    ", append(parts, ")")...)
	const first, rest = "    ", "      "
	if s := o.usage(); s != "" {
		t.para(first, rest, "usage: "+s)
	}
	if s := o.largest(t.limit(maxStats)); s != "" {
		t.para(first, rest, "made of: "+s)
	}
	t.para(first, rest, "asked for by "+o.request())
	for i := range o.Victims {
		vic := &o.Victims[i]
		how := yellow
		if vic.Fate == "exited" || vic.Fate == "reaped" {
			how = green
		}
		parts := []any{"killed ", bold.of(vic.Name())}
		if mem := vic.memory(); mem != "" {
			parts = append(parts, " ("+mem+")")
		}
		parts = append(parts, ": ", how.of(vic.fate()))
		if places := t.r.places(vic.Evidence, t.limit(3)); places != "" {
			parts = append(parts, " (", cyan.of(places), ")")
		}
		t.para(first, rest, parts...)
	}
	if len(o.Victims) == 0 {
		t.para(first, rest, yellow.of("no victim was seen to be killed"))
	}
	if !t.opt.Verbose || len(o.Candidates) == 0 {
		return nil
	}
	var rows [][]string
	for _, c := range o.Candidates {
		adj := ""
		if c.OOMScoreAdj != nil {
			adj = strconv.Itoa(*c.OOMScoreAdj)
		}
		rows = append(rows, []string{strconv.Itoa(c.Pid), clip(c.Comm, maxName), strconv.FormatInt(c.UID, 10),
			strconv.FormatInt(c.TotalVMPages, 10), strconv.FormatInt(c.RSSPages, 10), adj})
	}
	if o.MoreCandidates > 0 {
		rows = append(rows, []string{"", fmt.Sprintf("and %d more", o.MoreCandidates), "", "", "", ""})
	}
	t.para(first, rest, "candidates:")
	return t.table(rest, []column{{head: "pid", right: true}, {head: "comm"}, {head: "uid", right: true},
		{head: "vm pages", right: true}, {head: "rss pages", right: true}, {head: "adj", right: true}}, rows)
}

// oomTable sums up many OOMs, one row for those that are alike.
func (t *text) oomTable(v *view) error {
	type key struct{ scope, memcg, trigger, fates string }
	type group struct {
		first, last *OOM
		n, killed   int
	}
	index := make(map[key]*group)
	var keys []key
	for i := range v.inc.OOMs {
		o := &v.inc.OOMs[i]
		var fates []string
		for _, vic := range o.Victims {
			if len(fates) == 0 || fates[len(fates)-1] != vic.Fate {
				fates = append(fates, vic.Fate)
			}
		}
		k := key{deref(o.Scope), deref(o.Memcg), o.Trigger, strings.Join(fates, "+")}
		g := index[k]
		if g == nil {
			g = &group{first: o}
			index[k] = g
			keys = append(keys, k)
		}
		g.last = o
		g.n++
		g.killed += len(o.Victims)
	}
	t.head(fmt.Sprintf("out of memory, %d times (-v shows each)", len(v.inc.OOMs)))
	var rows [][]string
	for _, k := range keys {
		g := index[k]
		lines := t.r.place(Ref{g.first.Input, g.first.Line})
		if g.n > 1 {
			lines += "-" + strconv.Itoa(g.last.Line)
		}
		victim := "none"
		if g.killed > 0 {
			victim = g.first.Victims[0].Name()
			if g.killed > 1 {
				victim += fmt.Sprintf(" +%d", g.killed-1)
			}
			victim += ", " + k.fates
		}
		limit := ""
		if g.first.LimitKB != nil {
			limit = kb(*g.first.LimitKB)
		}
		rows = append(rows, []string{strconv.Itoa(g.n), g.first.where(), k.trigger, limit, victim, lines})
	}
	return t.table("  ", []column{{head: "times", right: true}, {head: "where", tail: true}, {head: "trigger"},
		{head: "limit", right: true}, {head: "victims", wrap: true}, {head: "lines", tail: true}}, rows)
}

func (t *text) finding(v *view, f *Finding) {
	t.blank()
	verdict := f.Verdict
	if verdict == "none" {
		verdict = "nothing wrong now"
	}
	t.para("  ", "    ", verdictStyle(f.Verdict).of(f.Rule), " ("+verdictText(verdict)+", "+f.Confidence+")")
	if f.Summary != v.inc.Headline {
		t.para("    ", "    ", f.Summary)
	}
	for _, s := range f.Explanation {
		t.para("    ", "    ", s)
	}
	if f.Ended != nil {
		when := ""
		if f.Ended.BootS != nil {
			when = fmt.Sprintf(" %.3f s after boot", *f.Ended.BootS)
		}
		t.para("    ", "      ", green.of("it ended"+when), ": "+f.Ended.How+" ", cyan.of(t.r.places(f.Ended.Evidence, t.limit(3))))
	}
	if len(f.Evidence) > 0 {
		t.para("    ", "    ", bold.of("evidence"))
	}
	for i, e := range f.Evidence {
		if max := t.limit(maxEvidence); max > 0 && i == max {
			t.para("      ", "      ", dim.of(fmt.Sprintf("and %s (-v shows all)", count(len(f.Evidence)-i, "more line"))))
			break
		}
		t.para("      ", "          ", cyan.of(t.r.place(Ref{e.Input, e.Line})+":"), " ", clip(e.Text, maxLine))
	}
	for i := range f.Fixes {
		fix := &f.Fixes[i]
		t.para("    ", "      ", bold.of("fix"), " ", yellow.of(fix.Commit), " "+fix.Subject)
		t.para("      ", "      ", fix.release())
		if fix.Note != nil {
			t.para("      ", "      ", "note: "+*fix.Note)
		}
	}
	if len(f.Actions) > 0 {
		t.para("    ", "    ", bold.of("what to do now"))
	}
	for i, a := range f.Actions {
		n := strconv.Itoa(i+1) + ". "
		t.para("      "+n, "      "+strings.Repeat(" ", len(n)), a)
	}
	if len(f.Collect) > 0 {
		t.para("    ", "    ", bold.of("what to collect next"))
	}
	for _, c := range f.Collect {
		t.para("      - ", "        ", c)
	}
}

// tasks writes the table of tasks, one row for those that do the same thing at
// the same place.
func (t *text) tasks(v *view) error {
	if len(v.inc.Tasks) == 0 {
		return nil
	}
	type key struct{ role, state, waits, in string }
	index := make(map[key]int)
	var rows [][]string
	var counts []int
	var longest []*int64
	for i := range v.inc.Tasks {
		task := &v.inc.Tasks[i]
		in := v.in(task)
		k := key{task.Role, deref(task.State), deref(task.Waits), in}
		if n, ok := index[k]; ok && !t.opt.Verbose {
			counts[n]++
			if b := task.BlockedS; b != nil && (longest[n] == nil || *b > *longest[n]) {
				longest[n] = b
			}
			continue
		}
		index[k] = len(rows)
		pid, comm := "", task.Name()
		if task.Pid != nil {
			pid = strconv.Itoa(*task.Pid)
		}
		if task.Comm != nil {
			comm = clip(*task.Comm, maxName)
		}
		waits := ""
		if task.Waits != nil {
			waits = v.nodeName(*task.Waits)
		}
		rows = append(rows, []string{pid, comm, deref(task.State), task.Role, "", waits, in})
		counts = append(counts, 1)
		longest = append(longest, task.BlockedS)
	}
	more := 0
	if max := t.limit(maxTaskRows); max > 0 && len(rows) > max {
		for _, n := range counts[max:] {
			more += n
		}
		rows = rows[:max]
	}
	for i := range rows {
		if counts[i] > 1 {
			rows[i][1] += fmt.Sprintf(" +%d", counts[i]-1)
		}
		if longest[i] != nil {
			rows[i][4] = fmt.Sprintf("%d s", *longest[i])
		}
	}
	t.head(count(len(v.inc.Tasks), "task"))
	err := t.table("  ", []column{{head: "pid", right: true}, {head: "comm"}, {head: "state"}, {head: "role"},
		{head: "blocked", right: true}, {head: "waits for"}, {head: "in"}}, rows)
	if more > 0 {
		t.para("    ", "      ", dim.of(fmt.Sprintf("and %s (-v shows all)", count(more, "more task"))))
	}
	return err
}

// stacks writes every task with its stack.
func (t *text) stacks(v *view) {
	for i := range v.inc.Tasks {
		task := &v.inc.Tasks[i]
		t.blank()
		parts := []any{bold.of(task.Name()), ": " + task.Role}
		add := func(what string, s *string) {
			if s != nil && *s != "" {
				parts = append(parts, ", "+what+clip(*s, 2*maxName))
			}
		}
		add("state ", task.State)
		add("memcg ", task.Memcg)
		add("seen in ", task.StackSource)
		if task.BlockedS != nil {
			parts = append(parts, fmt.Sprintf(", blocked %d s", *task.BlockedS))
		}
		if task.CPU != nil {
			parts = append(parts, fmt.Sprintf(", cpu %d", *task.CPU))
		}
		if task.Sightings > 1 {
			parts = append(parts, fmt.Sprintf(", seen %d times", task.Sightings))
		}
		if places := t.r.places(task.Evidence, t.limit(3)); places != "" {
			parts = append(parts, " (", cyan.of(places), ")")
		}
		t.para("  ", "    ", parts...)
		if task.Waits != nil {
			t.para("    waits for ", "      ", v.nodeName(*task.Waits))
		}
		for _, h := range task.Holds {
			t.para("    holds ", "      ", h)
		}
		context := "task"
		for _, f := range task.Stack {
			if f.Context != context && f.Context != "" {
				context = f.Context
				t.raw("      ", "<"+context+">")
			}
			s := f.String()
			if t.opt.Verbose && f.Address != nil {
				s = "[<" + clip(*f.Address, maxName) + ">] " + s
			}
			t.raw("      ", s)
		}
		if len(task.Stack) == 0 {
			t.para("      ", "      ", dim.of("no stack was printed"))
		}
	}
}

// inputs writes what was read and what was odd about it.
func (t *text) inputs() error {
	if len(t.r.Inputs) == 0 {
		return nil
	}
	t.head("what was read")
	var rows [][]string
	for _, in := range t.r.Inputs {
		framing := in.Framing
		if in.Compression != "" && in.Compression != "none" {
			framing += ", " + in.Compression
		}
		rows = append(rows, []string{clip(in.Name, 4*maxName), framing, strconv.Itoa(in.Lines), kb((in.Bytes + 1023) / 1024),
			in.Records.found()})
	}
	err := t.table("  ", []column{{head: "input", tail: true}, {head: "framing"}, {head: "lines", right: true},
		{head: "size", right: true}, {head: "records", wrap: true}}, rows)
	if err != nil {
		return err
	}

	t.diagnostics()
	return nil
}

// diagnostics writes what was odd about the inputs, each remark once.
func (t *text) diagnostics() {
	type remark struct {
		input int
		d     Diagnostic
		lines []Ref
	}
	type key struct {
		input                   int
		severity, code, message string
	}
	index := make(map[key]int)
	var remarks []remark
	for i, in := range t.r.Inputs {
		for _, d := range in.Diagnostics {
			if d.Severity == "info" && !t.opt.Verbose {
				continue
			}
			k := key{i, d.Severity, d.Code, d.Message}
			n, ok := index[k]
			if !ok {
				n = len(remarks)
				index[k] = n
				remarks = append(remarks, remark{input: i, d: d})
			}
			if d.Line != nil {
				remarks[n].lines = append(remarks[n].lines, Ref{i, *d.Line})
			}
		}
	}
	for i, m := range remarks {
		if i == 0 {
			t.blank()
		}
		if max := t.limit(maxDiagnostics); max > 0 && i == max {
			t.para("  ", "      ", dim.of(fmt.Sprintf("and %s (-v shows all)", count(len(remarks)-i, "more remark"))))
			break
		}
		how := yellow
		if m.d.Severity == "error" {
			how = red
		}
		at := t.r.shortName(m.input)
		if m.lines != nil {
			at = t.r.places(m.lines, t.limit(3))
		}
		t.para("  ", "      ", cyan.of(at+":"), " ", how.of(m.d.Severity+":"), " "+m.d.Message+" ", dim.of("["+m.d.Code+"]"))
	}
}
