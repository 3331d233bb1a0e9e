package report

import (
	"fmt"
	"io"
	"slices"
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
	maxTaskRows    = 10
	maxOverview    = 30
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
	r     *Report
	opt   Options
	shown map[string]bool // the tasks of the incident that its drawing names
}

// limit is n, or no limit where the user wants all.
func (t *text) limit(n int) int {
	if t.opt.Verbose {
		return 0
	}
	return n
}

func (t *text) report() error {
	order := t.r.order()
	if len(order) > 1 {
		if err := t.overview(order); err != nil {
			return err
		}
	}
	for _, i := range order {
		if len(order) > 1 {
			t.blank()
			t.line(t.paint(dim, fmt.Sprintf("── incident %d of %d ──", i+1, len(order))))
		}
		if err := t.incident(newView(t.r, &t.r.Incidents[i])); err != nil {
			return err
		}
	}
	if len(t.r.Incidents) == 0 {
		t.noIncident()
	}
	t.traces()
	return t.inputs()
}

// overview is a line for each incident, the worst first: the number is that of
// the heading below and of the JSON.
func (t *text) overview(order []int) error {
	var rows [][]string
	more := 0
	for n, i := range order {
		if max := t.limit(maxOverview); max > 0 && n == max {
			more = len(order) - n
			break
		}
		inc := &t.r.Incidents[i]
		rows = append(rows, []string{strconv.Itoa(i + 1), clip(verdictText(inc.Verdict), maxName), clip(inc.Confidence, maxName), clip(inc.Headline, 4*maxName)})
	}
	t.para("", "    ", bold.of(count(len(order), "incident")))
	err := t.table("", []column{{head: "#", right: true}, {head: "verdict"}, {head: "confidence"}, {head: "headline"}}, rows)
	if more > 0 {
		t.para("  ", "    ", dim.of("and "+count(more, "more incident")+" (-v shows all)"))
	}
	return err
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
		t.finding(v, i)
	}
	if t.opt.Verbose {
		t.timeline(v)
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
	if places := t.places(evidence); places != "" {
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
	t.shown = make(map[string]bool)
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
			t.para(corner, "  │     ", bold.of(v.nodeName(e.From)), v.condition(e.From))
			t.edge("  │     ", "  │       ", relation(e, false), "", e, e.Evidence)
			drawn[e] = true
			t.shown[e.From] = true
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
		for j, id := range grp.from {
			if max := t.limit(3); max == 0 || j < max {
				t.shown[id] = true
			}
		}
		names := []any{bold.of(v.names(grp.from, t.limit(3)))}
		if len(grp.from) == 1 {
			names = append(names, v.condition(grp.from[0]))
		}
		t.para("    ", "      ", names...)
		t.edge("      ", "        ", relation(grp.edge, len(grp.from) > 1), v.nodeName(grp.edge.To), grp.edge, grp.evidence)
	}
}

func (t *text) ooms(v *view) error {
	// Where no memory ran out there is no path to tell of.
	if sp := &v.inc.SynchronizePath; t.opt.Verbose || len(v.inc.OOMs) > 0 || sp.Status != "not_applicable" {
		t.blank()
		parts := []any{bold.of("mem_cgroup_oom_synchronize()"), " path: " + sp.synchronize()}
		if sp.Reason != "" {
			parts = append(parts, ": "+sp.Reason)
		}
		if places := t.places(sp.Evidence); places != "" {
			parts = append(parts, " (", cyan.of(places), ")")
		}
		t.para("  ", "    ", parts...)
	}

	if max := t.limit(maxOOMs); max > 0 && len(v.inc.OOMs) > max {
		if err := t.oomTable(v); err != nil {
			return err
		}
	} else {
		for i := range v.inc.OOMs {
			if err := t.oom(&v.inc.OOMs[i]); err != nil {
				return err
			}
		}
	}
	for i := range v.inc.Folded {
		t.para("  ", "    ", v.inc.Folded[i].Text())
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
		if places := t.places(vic.Evidence); places != "" {
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

// finding writes what the drawing and the findings above do not say already,
// unless all is asked for.
func (t *text) finding(v *view, n int) {
	f := &v.inc.Findings[n]
	t.blank()
	verdict := f.Verdict
	if verdict == "none" {
		verdict = "nothing wrong now"
	}
	t.para("  ", "    ", verdictStyle(f.Verdict).of(f.Rule), " ("+verdictText(verdict)+", "+f.Confidence+")")
	if t.opt.Verbose && f.Summary != v.inc.Headline || !strings.Contains(v.inc.Headline, f.Summary) {
		t.para("    ", "    ", f.Summary)
	}
	for _, s := range f.Explanation {
		if t.opt.Verbose || !v.drawn(f, s) {
			t.para("    ", "    ", s)
		}
	}
	if f.Ended != nil {
		when := ""
		if f.Ended.BootS != nil {
			when = fmt.Sprintf(" %.3f s after boot", *f.Ended.BootS)
		}
		t.para("    ", "      ", green.of("it ended"+when), ": "+f.Ended.How+" ", cyan.of(t.places(f.Ended.Evidence)))
	}
	t.evidence(v, f)
	t.fixes(v, n)
	if len(f.Actions) > 0 {
		t.para("    ", "    ", bold.of("what to do now"))
	}
	for i, a := range f.Actions {
		n := strconv.Itoa(i+1) + ". "
		t.para("      "+n, "      "+strings.Repeat(" ", len(n)), a)
	}
	if len(f.Collect) > 0 && (t.opt.Verbose || f.Confidence != "confirmed") {
		t.para("    ", "    ", bold.of("what to collect next"))
		for _, c := range f.Collect {
			t.para("      - ", "        ", c)
		}
	}
}

func (t *text) evidence(v *view, f *Finding) {
	if len(f.Evidence) > 0 {
		t.para("    ", "    ", bold.of("evidence"))
	}
	for i, e := range f.Evidence {
		if max := t.limit(maxEvidence); max > 0 && i == max {
			t.para("      ", "      ", dim.of(fmt.Sprintf("and %s (-v shows all)", count(len(f.Evidence)-i, "more line"))))
			break
		}
		place := t.r.place(Ref{e.Input, e.Line}) + ":"
		line := clip(v.evidenceText(e), maxLine)
		if !t.opt.Verbose {
			// The start of a line says what it is; a third of the width at least is shown.
			line = cut(termText(line), max(t.width-len("      ")-columns(termText(place))-1, t.width/3), false)
		}
		t.para("      ", "          ", cyan.of(place), " ", line)
	}
}

// fixes writes the first fix of a finding in full, the rest of a series a line
// each, and a series that stood above not again.
func (t *text) fixes(v *view, n int) {
	fixes := v.inc.Findings[n].Fixes
	if len(fixes) == 0 {
		return
	}
	if rule := v.sameFixes(n); rule != "" && !t.opt.Verbose {
		t.para("    ", "      ", bold.of("fixes:"), " as above ("+rule+")")
		return
	}
	for i := range fixes {
		fix := &fixes[i]
		if i > 0 && !t.opt.Verbose {
			release := ""
			if fix.FirstRelease != "" {
				release = " (" + fix.FirstRelease + ")"
			}
			head := "also needed: " + fix.Commit + " "
			room := max(t.width-len("      ")-columns(head)-columns(release), minColumn)
			t.para("      ", "        ", head, cut(termText(fix.Subject), room, false), release)
			continue
		}
		t.para("    ", "      ", bold.of("fix"), " ", yellow.of(fix.Commit), " "+fix.Subject)
		t.para("      ", "      ", fix.release())
		if fix.Note != nil {
			t.para("      ", "      ", "note: "+*fix.Note)
		}
	}
}

// timeline writes what happened, in the order of the log.
func (t *text) timeline(v *view) {
	if len(v.inc.Timeline) == 0 {
		return
	}
	t.head("what happened")
	for i := range v.inc.Timeline {
		e := &v.inc.Timeline[i]
		first := "    "
		if when := e.when(); when != "" {
			first += fmt.Sprintf("%12s  ", visible(when))
		}
		t.para(first, "                  ", bold.of(eventWord(e.Kind)), ": "+e.Text+" (", cyan.of(t.places([]Ref{{e.Input, e.Line}})), ")")
	}
}

// places lists lines of the log. What comes from the only input goes without
// its name, which the heading has.
func (t *text) places(refs []Ref) string {
	if len(t.r.Inputs) == 1 && !slices.ContainsFunc(refs, func(ref Ref) bool { return ref.Input != 0 }) && len(refs) > 0 {
		return t.r.lines(refs, t.limit(3))
	}
	return t.r.places(refs, t.limit(3))
}

// tasks writes the table of tasks, one row for those that do the same thing at
// the same place. Those that the drawing shows are left out.
func (t *text) tasks(v *view) error {
	shown := make(map[string]bool)
	if !t.opt.Verbose {
		shown = t.shown
	}
	total := 0
	for i := range v.inc.Tasks {
		if !shown[v.inc.Tasks[i].ID] {
			total++
		}
	}
	if total == 0 {
		return nil
	}
	type key struct{ role, state, waits, in string }
	index := make(map[key]int)
	var rows [][]string
	var counts []int
	var longest []*int64
	for i := range v.inc.Tasks {
		task := &v.inc.Tasks[i]
		if shown[task.ID] {
			continue
		}
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
	noun := "task"
	if total < len(v.inc.Tasks) {
		noun = "other task"
	}
	t.head(count(total, noun))
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
		if places := t.places(task.Evidence); places != "" {
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
		switch {
		case len(task.Stack) > 0:
		case task.SameStack != nil:
			t.para("      ", "      ", dim.of("the same stack as "+v.nodeName(*task.SameStack)))
		default:
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
