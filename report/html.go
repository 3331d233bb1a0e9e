package report

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the assets of the page
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"io"
	"strings"
	"sync"
)

var htmlFormat = Format{
	Name:  "html",
	Doc:   "one page for a browser, opens offline: graph, flame graph, timeline, tables",
	Write: writeHTML,
}

// The assets come from html/build.sh; nothing is fetched when a page is opened.
var (
	//go:embed html/page.tmpl
	htmlSkeleton string
	//go:embed html/dist/page.js
	htmlScript string
	//go:embed html/dist/page.css
	htmlStyle string
	//go:embed html/LICENSES.txt
	htmlLicenses string

	htmlTemplate = sync.OnceValue(func() *template.Template { return template.Must(template.New("page").Parse(htmlSkeleton)) })
)

// htmlText is text of the report on its way into the page. All text of the
// model has this type, so that none gets there raw: what does not show as
// itself becomes a visible escape, and a name of 100 kB an ellipsis.
type htmlText string

// MarshalText is the one place where log text becomes harmless. Markup in it is
// none to the page, which writes text nodes only.
func (t htmlText) MarshalText() ([]byte, error) {
	return []byte(visible(clip(string(t), maxText))), nil
}

// String is the text as MarshalText writes it, for the skeleton.
func (t htmlText) String() string { return visible(clip(string(t), maxText)) }

func writeHTML(w io.Writer, r *Report, _ Options) error {
	// The encoder writes <, >, &, U+2028 and U+2029 as \uXXXX: nothing in the
	// data can end its script element or open a comment.
	data, err := json.Marshal(newHTMLPage(r))
	if err != nil {
		return err
	}
	first := "nothing found"
	if len(r.Incidents) > 0 {
		first = r.Incidents[0].Headline
	}
	var buf bytes.Buffer
	err = htmlTemplate().Execute(&buf, map[string]any{
		"CSP":       htmlCSP(htmlScript, htmlStyle),
		"Title":     clip(htmlText(first).String(), 2*maxName),
		"Tool":      htmlText(r.Tool.Name + " " + r.Tool.Version).String(),
		"Headlines": htmlHeadlines(r),
		"Traces":    htmlTraces(r),
		"Style":     template.CSS(htmlStyle),
		"Data":      template.JS(data),
		"Script":    template.JS(htmlScript),
		"Licenses":  htmlLicenses,
	})
	if err != nil {
		return err
	}
	_, err = w.Write(buf.Bytes())
	return err
}

// htmlCSP allows the page its own script and style and nothing else: no
// request, no form, no plugin, no string as markup.
func htmlCSP(script, style string) string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return strings.Join([]string{
		"default-src 'none'",
		"script-src " + hash(script),
		"style-src " + hash(style),
		"img-src data:",
		"base-uri 'none'",
		"form-action 'none'",
		"require-trusted-types-for 'script'",
		"trusted-types 'none'",
	}, "; ")
}

// htmlHeadlines is what a reader without scripts gets to see.
func htmlHeadlines(r *Report) []string {
	const most = 100
	var out []string
	for i := range r.Incidents {
		inc := &r.Incidents[i]
		if i == most {
			out = append(out, fmt.Sprintf("and %d more", len(r.Incidents)-most))
			break
		}
		out = append(out, htmlText(fmt.Sprintf("%s (%s): %s", verdictText(inc.Verdict), inc.Confidence, inc.Headline)).String())
	}
	return out
}

// The model of the page: the report with the words of view.go, nodes and tasks
// by index, and each stack and frame once however many tasks share it.
type (
	htmlPage struct {
		Inputs    []htmlInput    `json:"inputs"`
		Incidents []htmlIncident `json:"incidents"`

		States  []htmlTraceState `json:"states,omitempty"` // of tasks in traces
		Traces  []htmlTrace      `json:"traces,omitempty"`
		Samples *htmlSamples     `json:"samples,omitempty"`
	}

	htmlInput struct {
		Name        htmlText         `json:"name"`
		Short       htmlText         `json:"short"`
		Facts       htmlText         `json:"facts"`
		Diagnostics []htmlDiagnostic `json:"diagnostics,omitempty"`
	}

	htmlDiagnostic struct {
		Line     *int     `json:"line,omitempty"`
		Severity htmlText `json:"severity"`
		Message  htmlText `json:"message"`
	}

	// htmlRef is an input and a line.
	htmlRef [2]int

	htmlFact struct {
		Label htmlText `json:"label"`
		Value htmlText `json:"value"`
	}

	htmlIncident struct {
		ID          htmlText       `json:"id"`
		Verdict     htmlText       `json:"verdict"`
		VerdictText htmlText       `json:"verdict_text"`
		Confidence  htmlText       `json:"confidence"`
		Headline    htmlText       `json:"headline"`
		Resolution  *htmlText      `json:"resolution,omitempty"`
		Host        *htmlText      `json:"host,omitempty"`
		Facts       []htmlFact     `json:"facts"`
		Sync        htmlSync       `json:"sync"`
		OOMs        []htmlOOM      `json:"ooms,omitempty"`
		Nodes       []htmlNode     `json:"nodes,omitempty"`
		Edges       []htmlEdge     `json:"edges,omitempty"`
		Cycles      [][]int        `json:"cycles,omitempty"` // edges in order
		Frames      []htmlFrame    `json:"frames,omitempty"`
		Stacks      [][]int        `json:"stacks,omitempty"`
		Tasks       []htmlTask     `json:"tasks,omitempty"`
		Findings    []htmlFinding  `json:"findings,omitempty"`
		Timeline    []htmlEvent    `json:"timeline,omitempty"`
		Log         []htmlLogLines `json:"log,omitempty"`
	}

	htmlSync struct {
		Status htmlText  `json:"status"`
		Text   htmlText  `json:"text"`
		Reason htmlText  `json:"reason"`
		Refs   []htmlRef `json:"refs,omitempty"`
	}

	htmlOOM struct {
		Where      htmlText        `json:"where"`
		Scope      *htmlText       `json:"scope,omitempty"`
		Request    htmlText        `json:"request"`
		Usage      htmlText        `json:"usage"`
		UsageKB    *int64          `json:"usage_kb,omitempty"`
		LimitKB    *int64          `json:"limit_kb,omitempty"`
		SwapKB     *int64          `json:"swap_kb,omitempty"`
		SwapLimit  *int64          `json:"swap_limit_kb,omitempty"`
		KmemKB     *int64          `json:"kmem_kb,omitempty"`
		Memory     []htmlStat      `json:"memory,omitempty"`
		Candidates []htmlCandidate `json:"candidates,omitempty"`
		More       int             `json:"more,omitempty"`
		Victims    []htmlVictim    `json:"victims,omitempty"`
		BootS      *float64        `json:"boot_s,omitempty"`
		Ref        htmlRef         `json:"ref"`
	}

	htmlStat struct {
		Name htmlText `json:"name"`
		KB   int64    `json:"kb"`
	}

	htmlCandidate struct {
		Pid    int      `json:"pid"`
		Comm   htmlText `json:"comm"`
		UID    int64    `json:"uid"`
		Tgid   int      `json:"tgid"`
		VM     int64    `json:"vm"`
		RSS    int64    `json:"rss"`
		Adj    *int     `json:"adj,omitempty"`
		Victim bool     `json:"victim,omitempty"`
	}

	htmlVictim struct {
		Name   htmlText  `json:"name"`
		Memory htmlText  `json:"memory"`
		Fate   htmlText  `json:"fate"`
		Refs   []htmlRef `json:"refs,omitempty"`
	}

	htmlNode struct {
		Kind    htmlText  `json:"kind"`
		Name    htmlText  `json:"name"`
		Class   *htmlText `json:"class,omitempty"`
		Address *htmlText `json:"address,omitempty"`
		Task    *int      `json:"task,omitempty"`
	}

	htmlEdge struct {
		From     int        `json:"from"`
		To       int        `json:"to"`
		Kind     htmlText   `json:"kind"`
		Relation htmlText   `json:"relation"`
		Many     htmlText   `json:"many"`
		Basis    htmlText   `json:"basis"`
		Said     bool       `json:"said,omitempty"` // in the log as such, not inferred
		Ended    bool       `json:"ended,omitempty"`
		Frame    *htmlText  `json:"frame,omitempty"`
		Fact     *htmlText  `json:"fact,omitempty"`
		Why      []htmlText `json:"why,omitempty"`
		Refs     []htmlRef  `json:"refs,omitempty"`
	}

	htmlFrame struct {
		Text    htmlText  `json:"text"`
		Func    htmlText  `json:"func"`
		Module  *htmlText `json:"module,omitempty"`
		Address *htmlText `json:"address,omitempty"`
		Guess   bool      `json:"guess,omitempty"` // found on the stack, not by unwinding it
		Context htmlText  `json:"context,omitempty"`
		Role    *htmlText `json:"role,omitempty"`
		Lock    *htmlText `json:"lock,omitempty"`
	}

	htmlTask struct {
		Name      htmlText   `json:"name"`
		Pid       *int       `json:"pid,omitempty"`
		State     *htmlText  `json:"state,omitempty"`
		Role      htmlText   `json:"role"`
		In        htmlText   `json:"in,omitempty"`
		Source    *htmlText  `json:"source,omitempty"`
		BlockedS  *int64     `json:"blocked_s,omitempty"`
		CPU       *int       `json:"cpu,omitempty"`
		Kthread   bool       `json:"kthread,omitempty"`
		Memcg     *htmlText  `json:"memcg,omitempty"`
		Sightings int        `json:"sightings,omitempty"`
		Node      *int       `json:"node,omitempty"`
		Waits     *int       `json:"waits,omitempty"` // a node
		Holds     []htmlText `json:"holds,omitempty"`
		Stack     int        `json:"stack"`           // -1: none
		Lines     []int      `json:"lines,omitempty"` // of the frames; the first alone where they follow each other
		Refs      []htmlRef  `json:"refs,omitempty"`
	}

	htmlFinding struct {
		Rule        htmlText       `json:"rule"`
		Verdict     htmlText       `json:"verdict"`
		VerdictText htmlText       `json:"verdict_text"`
		Confidence  htmlText       `json:"confidence"`
		Summary     htmlText       `json:"summary"`
		Explanation []htmlText     `json:"explanation,omitempty"`
		Cycle       *int           `json:"cycle,omitempty"`
		Tasks       []int          `json:"tasks,omitempty"`
		Ended       *htmlText      `json:"ended,omitempty"`
		Evidence    []htmlEvidence `json:"evidence,omitempty"`
		Fixes       []htmlFix      `json:"fixes,omitempty"`
		Actions     []htmlText     `json:"actions,omitempty"`
		Collect     []htmlText     `json:"collect,omitempty"`
	}

	htmlEvidence struct {
		Ref  htmlRef  `json:"ref"`
		Text htmlText `json:"text,omitempty"`
	}

	htmlFix struct {
		Commit  htmlText  `json:"commit"`
		Subject htmlText  `json:"subject"`
		Release htmlText  `json:"release"`
		Note    *htmlText `json:"note,omitempty"`
	}

	htmlEvent struct {
		BootS *float64  `json:"boot_s,omitempty"`
		Wall  *htmlText `json:"wall,omitempty"`
		Kind  htmlText  `json:"kind"`
		Text  htmlText  `json:"text"`
		Task  *int      `json:"task,omitempty"`
		Ref   htmlRef   `json:"ref"`
	}

	// htmlLogLines is a run of lines that follow each other.
	htmlLogLines struct {
		Input int        `json:"input"`
		First int        `json:"first"`
		Lines []htmlText `json:"lines"`
	}
)

func newHTMLPage(r *Report) htmlPage {
	p := htmlPage{Inputs: []htmlInput{}, Incidents: []htmlIncident{}}
	for i := range r.Inputs {
		in := &r.Inputs[i]
		facts := fmt.Sprintf("%s, %s, %s; found: %s", in.Framing, count(in.Lines, "line"), htmlBytes(in.Bytes), in.Records.found())
		if in.Compression != "none" && in.Compression != "" {
			facts = in.Compression + ", " + facts
		}
		h := htmlInput{Name: htmlText(in.Name), Short: htmlText(r.shortName(i)), Facts: htmlText(facts)}
		for _, d := range in.Diagnostics {
			h.Diagnostics = append(h.Diagnostics, htmlDiagnostic{Line: d.Line, Severity: htmlText(d.Severity), Message: htmlText(d.Message)})
		}
		p.Inputs = append(p.Inputs, h)
	}
	for i := range r.Incidents {
		p.Incidents = append(p.Incidents, newHTMLIncident(newView(r, &r.Incidents[i])))
	}
	p.traces(r)
	return p
}

// htmlBuilder numbers the nodes, tasks, frames and stacks of one incident.
type htmlBuilder struct {
	*view
	out    htmlIncident
	nodeAt map[string]int
	taskAt map[string]int
	frames map[htmlFrameKey]int
	stacks map[string]int
}

type htmlFrameKey struct {
	text, address, context, role, lock string
}

func newHTMLIncident(v *view) htmlIncident {
	inc := v.inc
	b := &htmlBuilder{
		view:   v,
		nodeAt: make(map[string]int),
		taskAt: make(map[string]int),
		frames: make(map[htmlFrameKey]int),
		stacks: make(map[string]int),
		out: htmlIncident{
			ID:          htmlText(inc.ID),
			Verdict:     htmlText(inc.Verdict),
			VerdictText: htmlText(verdictText(inc.Verdict)),
			Confidence:  htmlText(inc.Confidence),
			Headline:    htmlText(inc.Headline),
			Resolution:  htmlOptional(inc.Resolution),
			Host:        htmlOptional(inc.Host),
			Sync: htmlSync{
				Status: htmlText(inc.SynchronizePath.Status),
				Text:   htmlText(inc.SynchronizePath.synchronize()),
				Reason: htmlText(inc.SynchronizePath.Reason),
				Refs:   htmlRefs(inc.SynchronizePath.Evidence),
			},
		},
	}
	b.facts()
	for i := range inc.Tasks {
		b.taskAt[inc.Tasks[i].ID] = i
	}
	for i := range inc.WaitGraph.Nodes {
		n := &inc.WaitGraph.Nodes[i]
		if at := b.node(n.ID); at == len(b.out.Nodes)-1 {
			b.out.Nodes[at].Kind = htmlText(n.Kind)
			b.out.Nodes[at].Class = htmlOptional(n.Class)
			b.out.Nodes[at].Address = htmlOptional(n.Address)
		}
	}
	b.edges()
	for i := range inc.Tasks {
		b.out.Tasks = append(b.out.Tasks, b.task(&inc.Tasks[i]))
	}
	for i := range inc.OOMs {
		b.out.OOMs = append(b.out.OOMs, newHTMLOOM(&inc.OOMs[i]))
	}
	for i := range inc.Findings {
		b.out.Findings = append(b.out.Findings, b.finding(&inc.Findings[i]))
	}
	for i := range inc.Timeline {
		e := &inc.Timeline[i]
		h := htmlEvent{BootS: e.BootS, Wall: htmlOptional(e.Wall), Kind: htmlText(e.Kind), Text: htmlText(clip(e.Text, maxLine)), Ref: htmlRef{e.Input, e.Line}}
		if e.Task != nil {
			h.Task = htmlIndex(b.taskAt, *e.Task)
		}
		b.out.Timeline = append(b.out.Timeline, h)
	}
	b.log()
	return b.out
}

func (b *htmlBuilder) facts() {
	add := func(label, value string) {
		if value != "" {
			b.out.Facts = append(b.out.Facts, htmlFact{htmlText(label), htmlText(value)})
		}
	}
	add("Host", clip(deref(b.inc.Host), 2*maxName))
	add("Kernel", strings.TrimPrefix(b.kernel(), "kernel "))
	add("When", b.when())
	add("Lines", b.span())
	for i := range b.inc.Folded {
		add("Counted", b.inc.Folded[i].Text())
	}
	add("Signature", clip(b.inc.Signature, 4*maxName))
}

// node returns the index of a node. An edge's end that the graph lacks becomes
// one.
func (b *htmlBuilder) node(id string) int {
	if at, ok := b.nodeAt[id]; ok {
		return at
	}
	at := len(b.out.Nodes)
	b.nodeAt[id] = at
	b.out.Nodes = append(b.out.Nodes, htmlNode{Kind: "resource", Name: htmlText(b.nodeName(id)), Task: htmlIndex(b.taskAt, id)})
	return at
}

func (b *htmlBuilder) edges() {
	at := make(map[*Edge]int)
	for i := range b.inc.WaitGraph.Edges {
		e := &b.inc.WaitGraph.Edges[i]
		at[e] = i
		b.out.Edges = append(b.out.Edges, htmlEdge{
			From: b.node(e.From), To: b.node(e.To),
			Kind:     htmlText(e.Relation),
			Relation: htmlText(relation(e, false)), Many: htmlText(relation(e, true)),
			Basis: htmlText(basis(e)), Said: e.said(), Ended: e.Ended,
			Frame: htmlOptional(e.Frame), Fact: htmlOptional(e.Fact), Why: htmlTexts(e.Why), Refs: htmlRefs(e.Evidence),
		})
	}
	for _, c := range b.inc.WaitGraph.Cycles {
		edges := []int{}
		for _, e := range b.cycleEdges(c) {
			edges = append(edges, at[e])
		}
		b.out.Cycles = append(b.out.Cycles, edges)
	}
}

func (b *htmlBuilder) task(t *Task) htmlTask {
	h := htmlTask{
		Name: htmlText(t.Name()), Pid: t.Pid, State: htmlClipped(t.State), Role: htmlText(t.Role), In: htmlText(b.in(t)),
		Source: htmlClipped(t.StackSource), BlockedS: t.BlockedS, CPU: t.CPU, Kthread: deref(t.KernelThread),
		Memcg: htmlOptional(t.Memcg), Sightings: t.Sightings, Holds: htmlTexts(t.Holds), Refs: htmlRefs(t.Evidence),
		Node: htmlIndex(b.nodeAt, t.ID),
	}
	if t.Waits != nil {
		h.Waits = htmlIndex(b.nodeAt, *t.Waits)
	}
	stack := b.stackOf(t)
	h.Stack, h.Lines = b.stack(stack)
	if len(t.Stack) == 0 && len(stack) > 0 {
		// These are another task's lines. The page counts on from the first of
		// the list and shows those above 0.
		h.Lines = []int{-len(stack)}
	}
	return h
}

// stack returns the index of a stack and the lines of its frames.
func (b *htmlBuilder) stack(frames []Frame) (int, []int) {
	if len(frames) == 0 {
		return -1, nil
	}
	lines := make([]int, len(frames))
	ids := make([]int, len(frames))
	run := true
	var key strings.Builder
	for i := range frames {
		lines[i] = frames[i].Line
		run = run && lines[i] == lines[0]+i
		ids[i] = b.frame(&frames[i])
		fmt.Fprintf(&key, "%d,", ids[i])
	}
	if run {
		lines = lines[:1]
	}
	at, ok := b.stacks[key.String()]
	if !ok {
		at = len(b.out.Stacks)
		b.stacks[key.String()] = at
		b.out.Stacks = append(b.out.Stacks, ids)
	}
	return at, lines
}

func (b *htmlBuilder) frame(f *Frame) int {
	key := htmlFrameKey{f.String(), deref(f.Address), f.Context, deref(f.Role), deref(f.Lock)}
	if at, ok := b.frames[key]; ok {
		return at
	}
	h := htmlFrame{
		Text: htmlText(key.text), Func: htmlText(clip(f.Func, 2*maxName)), Module: htmlClipped(f.Module), Address: htmlClipped(f.Address),
		Guess: !f.Reliable, Role: htmlOptional(f.Role), Lock: htmlOptional(f.Lock),
	}
	if f.Context != "task" {
		h.Context = htmlText(f.Context)
	}
	at := len(b.out.Frames)
	b.frames[key] = at
	b.out.Frames = append(b.out.Frames, h)
	return at
}

func (b *htmlBuilder) finding(f *Finding) htmlFinding {
	h := htmlFinding{
		Rule: htmlText(f.Rule), Verdict: htmlText(f.Verdict), VerdictText: htmlText(verdictText(f.Verdict)), Confidence: htmlText(f.Confidence),
		Summary: htmlText(f.Summary), Explanation: htmlTexts(f.Explanation), Cycle: f.Cycle, Actions: htmlTexts(f.Actions), Collect: htmlTexts(f.Collect),
	}
	if f.Ended != nil {
		h.Ended = htmlOptional(&f.Ended.How)
	}
	for _, id := range f.TaskIDs {
		if at, ok := b.taskAt[id]; ok {
			h.Tasks = append(h.Tasks, at)
		}
	}
	for _, e := range f.Evidence {
		h.Evidence = append(h.Evidence, htmlEvidence{htmlRef{e.Input, e.Line}, htmlText(clip(e.Text, maxLine))})
	}
	for i := range f.Fixes {
		x := &f.Fixes[i]
		h.Fixes = append(h.Fixes, htmlFix{htmlText(x.Commit), htmlText(x.Subject), htmlText(x.release()), htmlOptional(x.Note)})
	}
	return h
}

// log packs the lines: those that follow each other share one number.
func (b *htmlBuilder) log() {
	for _, l := range b.inc.Log {
		text := htmlText(clip(l.Text, maxLine))
		if n := len(b.out.Log); n > 0 {
			last := &b.out.Log[n-1]
			if last.Input == l.Input && last.First+len(last.Lines) == l.Line {
				last.Lines = append(last.Lines, text)
				continue
			}
		}
		b.out.Log = append(b.out.Log, htmlLogLines{l.Input, l.Line, []htmlText{text}})
	}
}

func newHTMLOOM(o *OOM) htmlOOM {
	h := htmlOOM{
		Where: htmlText(o.where()), Scope: htmlClipped(o.Scope), Request: htmlText(o.request()), Usage: htmlText(o.usage()),
		UsageKB: o.UsageKB, LimitKB: o.LimitKB, SwapKB: o.SwapUsageKB, SwapLimit: o.SwapLimitKB, KmemKB: o.KmemUsageKB,
		More: o.MoreCandidates, BootS: o.BootS, Ref: htmlRef{o.Input, o.Line},
	}
	for _, s := range o.Memory {
		h.Memory = append(h.Memory, htmlStat{htmlText(clip(s.Name, maxName)), s.KB})
	}
	victims := make(map[int]bool)
	for i := range o.Victims {
		v := &o.Victims[i]
		victims[v.Pid] = true
		h.Victims = append(h.Victims, htmlVictim{htmlText(v.Name()), htmlText(v.memory()), htmlText(v.fate()), htmlRefs(v.Evidence)})
	}
	for _, c := range o.Candidates {
		h.Candidates = append(h.Candidates, htmlCandidate{
			Pid: c.Pid, Comm: htmlText(clip(c.Comm, maxName)), UID: c.UID, Tgid: c.Tgid, VM: c.TotalVMPages, RSS: c.RSSPages, Adj: c.OOMScoreAdj,
			Victim: victims[c.Pid],
		})
	}
	return h
}

func htmlOptional(s *string) *htmlText {
	if s == nil {
		return nil
	}
	return (*htmlText)(s)
}

// htmlClipped is htmlOptional for what is a name.
func htmlClipped(s *string) *htmlText {
	if s == nil {
		return nil
	}
	t := htmlText(clip(*s, maxName))
	return &t
}

func htmlTexts(s []string) []htmlText {
	var out []htmlText
	for _, t := range s {
		out = append(out, htmlText(t))
	}
	return out
}

func htmlRefs(refs []Ref) []htmlRef {
	var out []htmlRef
	for _, r := range refs {
		out = append(out, htmlRef{r.Input, r.Line})
	}
	return out
}

func htmlIndex(at map[string]int, id string) *int {
	if i, ok := at[id]; ok {
		return &i
	}
	return nil
}

// htmlBytes is a size of an input for people.
func htmlBytes(n int64) string {
	if n < 10<<10 {
		return count(int(n), "byte")
	}
	return kb(n >> 10)
}
