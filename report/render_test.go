package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/google/pprof/profile"
	"github.com/mattn/go-runewidth"
	jsonschema "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/oomtrace/oomtrace/internal/golden"
	"github.com/oomtrace/oomtrace/report"
)

// longComm stands for @LONG@ in the stored reports.
var longComm = strings.Repeat("A", 100_000)

func cases(t *testing.T) map[string]*report.Report {
	t.Helper()
	paths, err := filepath.Glob("testdata/*.report.json")
	if err != nil || len(paths) == 0 {
		t.Fatalf("no stored reports: %v", err)
	}
	out := make(map[string]*report.Report)
	for _, path := range paths {
		out[strings.TrimSuffix(filepath.Base(path), ".report.json")] = load(t, path)
	}
	return out
}

// formats are those that need no other program.
func formats() []report.Format {
	return slices.DeleteFunc(report.Formats(), func(f report.Format) bool { return f.Name == "svg" })
}

func load(t *testing.T, path string) *report.Report {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	dec := json.NewDecoder(strings.NewReader(strings.ReplaceAll(string(raw), "@LONG@", longComm)))
	dec.DisallowUnknownFields()
	var r report.Report
	if err := dec.Decode(&r); err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return &r
}

func render(t *testing.T, r *report.Report, format string, opt report.Options) string {
	t.Helper()
	var buf bytes.Buffer
	if err := report.Write(&buf, r, format, opt); err != nil {
		t.Fatalf("%s: %v", format, err)
	}
	return buf.String()
}

var everything = report.Options{Verbose: true, Tasks: true, Graph: true, Why: true}

func TestGolden(t *testing.T) {
	for name, r := range cases(t) {
		t.Run(name, func(t *testing.T) {
			golden.Check(t, "testdata/"+name+".text", []byte(render(t, r, "text", report.Options{})))
			golden.Check(t, "testdata/"+name+".md", []byte(render(t, r, "markdown", report.Options{})))
			if name != "hostile" {
				golden.Check(t, "testdata/"+name+".all.text", []byte(render(t, r, "text", everything)))
			}
			golden.Check(t, "testdata/"+name+".pprof.txt", []byte(parseProfile(t, r).String()))
			if r.Trace != nil {
				golden.Check(t, "testdata/"+name+".trace-events", []byte(render(t, r, "trace-events", report.Options{})))
			}
			for _, format := range []string{"dot", "folded", "mermaid", "ndjson", "sarif", "speedscope"} {
				if name != "hostile" || format != "ndjson" {
					golden.Check(t, "testdata/"+name+"."+format, []byte(render(t, r, format, report.Options{})))
				}
			}
		})
	}
}

func TestJSONIsTheStoredReport(t *testing.T) {
	for name, r := range cases(t) {
		got := strings.ReplaceAll(render(t, r, "json", report.Options{}), longComm, "@LONG@")
		golden.Check(t, "testdata/"+name+".report.json", []byte(got))
	}
}

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	raw, err := makeSchema() // not that of the binary, which -update makes anew
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource(report.SchemaID, doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile(report.SchemaID)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *jsonschema.Schema, doc string) error {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(doc))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(v)
}

func TestSchema(t *testing.T) {
	raw, err := makeSchema()
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "schema.json", raw)
	if !golden.Updating() && !bytes.Equal(report.Schema(), raw) {
		t.Error("Schema does not return schema.json")
	}

	s := compileSchema(t)
	for name, r := range cases(t) {
		if err := validate(t, s, render(t, r, "json", report.Options{})); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	trap := render(t, cases(t)["trap"], "json", report.Options{})
	for _, bad := range []struct{ old, new string }{
		{`"verdict": "deadlock"`, `"verdict": "bad luck"`},
		{`"resolution": null,`, ``},
		{`"pid": 51,`, `"pid": "51",`},
		{`"line": 129`, `"line": null`},
		{`"memory": [`, `"extra": 1, "memory": [`},
	} {
		if !strings.Contains(trap, bad.old) {
			t.Fatalf("no %s in the report", bad.old)
		}
		if validate(t, s, strings.Replace(trap, bad.old, bad.new, 1)) == nil {
			t.Errorf("the schema takes %s for %s", bad.new, bad.old)
		}
	}
}

// A report of zero values only has every field in it: no slice is null, every
// pointer may be.
func TestZeroReportHasEveryField(t *testing.T) {
	r := &report.Report{
		Inputs: []report.Input{{Diagnostics: []report.Diagnostic{{}}}},
		Incidents: []report.Incident{{
			OOMs:      []report.OOM{{Victims: []report.Victim{{}}, Candidates: []report.Candidate{{}}}},
			Tasks:     []report.Task{{Stack: []report.Frame{{}}}},
			WaitGraph: report.WaitGraph{Nodes: []report.Node{{}}, Edges: []report.Edge{{}}, Cycles: [][]string{nil}},
			Findings:  []report.Finding{{Ended: &report.Ended{}, Fixes: []report.Fix{{}}}},
		}},
	}
	doc := render(t, r, "json", report.Options{})
	err := validate(t, compileSchema(t), doc)
	// The enumerations are all that zero values may break.
	if err != nil {
		for line := range strings.Lines(err.Error()) {
			if strings.Contains(line, "- at") && !strings.Contains(line, "value must be one of") &&
				!strings.Contains(line, "validation failed") {
				t.Error(line)
			}
		}
	}
	if r.Incidents[0].Findings[0].Actions != nil {
		t.Error("rendering changed the report")
	}
	for _, f := range formats() {
		render(t, r, f.Name, everything)
		render(t, &report.Report{}, f.Name, everything)
	}
}

func TestDeterministic(t *testing.T) {
	for name, r := range cases(t) {
		for _, f := range formats() {
			for _, opt := range []report.Options{{}, everything, {Color: true, Width: 120}} {
				if a, b := render(t, r, f.Name, opt), render(t, r, f.Name, opt); a != b {
					t.Errorf("%s of %s: two renderings differ", f.Name, name)
				}
			}
		}
	}
}

func TestFormats(t *testing.T) {
	fs := report.Formats()
	if !slices.IsSortedFunc(fs, func(a, b report.Format) int { return strings.Compare(a.Name, b.Name) }) {
		t.Error("formats are not in order")
	}
	for _, f := range fs {
		if got, ok := report.Lookup(f.Name); !ok || got.Name != f.Name || f.Doc == "" {
			t.Errorf("Lookup(%q) = %v, %v", f.Name, got, ok)
		}
	}
	err := report.Write(&bytes.Buffer{}, &report.Report{}, "xml", report.Options{})
	if err == nil || !strings.Contains(err.Error(), "markdown, mermaid, ndjson, pprof, sarif, speedscope, svg, text") {
		t.Errorf("unknown format: %v", err)
	}
}

// No line is wider than asked for, unless one word of it is: a path, a frame.
func TestTextFitsTheWidth(t *testing.T) {
	for name, r := range cases(t) {
		if name == "hostile" {
			continue
		}
		for _, opt := range []report.Options{{}, {Width: 60}, {Width: 100}, everything} {
			width := opt.Width
			if width == 0 {
				width = report.DefaultWidth
			}
			for line := range strings.Lines(render(t, r, "text", opt)) {
				line = strings.TrimSuffix(line, "\n")
				if (&runewidth.Condition{StrictEmojiNeutral: true}).StringWidth(line) <= width {
					continue
				}
				indent := len(line) - len(strings.TrimLeft(line, " │├└┌─>-"))
				if strings.Contains(strings.TrimSpace(line[indent:]), " ") && !strings.Contains(line, "[<") {
					t.Errorf("%s at %d: %q", name, width, line)
				}
			}
		}
	}
}

func TestInferredIsNotSaid(t *testing.T) {
	out := render(t, cases(t)["trap"], "text", report.Options{Width: 200, Graph: true, Why: true})
	for line := range strings.Lines(out) {
		if strings.Contains(line, "inferred from") && strings.Contains(line, "the kernel said so") {
			t.Errorf("%q", line)
		}
	}
	if n := strings.Count(out, "the kernel said so"); n != 2 { // in the cycle and in the graph
		t.Errorf("%d edges are the kernel's words, want 2:\n%s", n, out)
	}
}

func TestColor(t *testing.T) {
	r := cases(t)["trap"]
	colored := render(t, r, "text", report.Options{Color: true})
	if !strings.Contains(colored, "\x1b[") {
		t.Error("no colour")
	}
	if sgr.ReplaceAllString(colored, "") != render(t, r, "text", report.Options{}) {
		t.Error("colour changes the layout")
	}
}

func parseProfile(t *testing.T, r *report.Report) *profile.Profile {
	t.Helper()
	p, err := profile.Parse(strings.NewReader(render(t, r, "pprof", report.Options{})))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.CheckValid(); err != nil {
		t.Fatal(err)
	}
	return p
}

func TestProfile(t *testing.T) {
	all := cases(t)
	if p := parseProfile(t, all["empty"]); len(p.Sample) != 0 || len(p.SampleType) != 2 {
		t.Errorf("empty report: %v", p)
	}

	p := parseProfile(t, all["trap"])
	if p.DefaultSampleType != "tasks" || p.TimeNanos != 0 || len(p.Comments) != 1 || len(p.Sample) != 3 {
		t.Errorf("trap: %v", p)
	}
	s := p.Sample[0]
	if got := s.Location[0].Line[0].Function.Name; got != "mem_cgroup_handle_oom" {
		t.Errorf("the leaf is %s", got)
	}
	if s.Location[0].Address != 0xffffffff810d9142 {
		t.Errorf("the leaf is at %#x", s.Location[0].Address)
	}
	if got := s.Location[len(s.Location)-1].Line[0].Function.Name; got != "system_call_fastpath" {
		t.Errorf("the root is %s", got)
	}
	for label, want := range map[string]string{
		"comm": "bigwrite", "state": "R", "memcg": "/web", "lock": "memcg_oom", "role": "invoker", "finding": "memcg-oom-trap",
	} {
		if got := s.Label[label]; !slices.Equal(got, []string{want}) {
			t.Errorf("label %s is %q, want %s", label, got, want)
		}
	}
	files := make(map[string]string)
	for _, f := range p.Function {
		files[f.Name] = f.Filename
		if f.Name == "mem_cgroup_destroy" {
			t.Error("a frame marked ? is in the profile")
		}
	}
	if files["ext3_write_begin"] != "ext3" || files["vfs_write"] != "vmlinux" {
		t.Errorf("files: %v", files)
	}

	if s.NumLabel != nil || report.Profile(all["trap"], everything).Sample[0].NumLabel["pid"][0] != 51 {
		t.Error("the pid is no number on demand")
	}

	// Thirty tasks alike are one sample without a pid.
	p = parseProfile(t, all["hang"])
	var merged *profile.Sample
	for _, s := range p.Sample {
		if s.Value[0] == 30 {
			merged = s
		}
	}
	if merged == nil || len(p.Sample) != 3 {
		t.Fatalf("hang: %v", p)
	}
	if want := int64(30*120+29*15) * 1e9; merged.Value[1] != want {
		t.Errorf("blocked %d, want %d", merged.Value[1], want)
	}
	if p := report.Profile(all["hang"], report.Options{Verbose: true}); len(p.Sample) != 32 {
		t.Errorf("%d samples for 32 pids", len(p.Sample))
	}
}

// sgr is what this package writes itself to colour text.
var sgr = regexp.MustCompile("\x1b\\[(0|1|2|36|1;31|1;32|1;33)m")

const evil = "\x1b[31m](javascript:alert(1)) <script>alert(1)</script> | ` `` ``` ```` @root #1 https://evil.example " +
	"www.evil.example ~~~\n# head\r\n- \u202egnp.exe\u2066\u200b\u2029\x9b31m\x7f\xff\u00ad **b** $x$ \"q\" {code} &lt; \\"

// poison puts s into every string of v: the free text of a log, but also the
// names that oomtrace makes, for a stored report can be edited.
func poison(v reflect.Value, s string) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			poison(v.Field(i), s)
		}
	case reflect.Slice:
		for i := range v.Len() {
			poison(v.Index(i), s)
		}
	case reflect.Pointer:
		if !v.IsNil() {
			poison(v.Elem(), s)
		}
	case reflect.String:
		v.SetString(s)
	}
}

// poisoned returns hostile reports: one string in every field, prefixed so that
// nothing relies on where it starts.
func poisoned(t *testing.T) map[string]*report.Report {
	out := map[string]*report.Report{"stored": cases(t)["hostile"]}
	for _, prefix := range []string{"", "a ", "- ", "1. ", "`", "/close ", "    ", "\n\n```\n", "\n|a|b|\n|-|-|\n", longComm} {
		// The large reports once, and of 100 kB strings no more than fit.
		names := []string{"trap"}
		switch prefix {
		case "":
			names = []string{"trap", "hang", "resolved", "empty", "fragment", "trace"}
		case longComm:
			names = []string{"resolved"}
		}
		for _, name := range names {
			r := load(t, "testdata/"+name+".report.json")
			ids := idsOf(r)
			poison(reflect.ValueOf(r).Elem(), prefix+evil)
			out[fmt.Sprintf("all fields of %s, prefix %.8q", name, prefix)] = r

			// The same with the ids whole, so that the graph is drawn.
			r = load(t, "testdata/"+name+".report.json")
			poison(reflect.ValueOf(r).Elem(), prefix+evil)
			restore(r, ids)
			out[fmt.Sprintf("text of %s, prefix %.8q", name, prefix)] = r
		}
	}
	return out
}

func idsOf(r *report.Report) []string {
	var ids []string
	eachID(r, func(s *string) { ids = append(ids, *s) })
	return ids
}

func restore(r *report.Report, ids []string) {
	i := 0
	eachID(r, func(s *string) { *s = ids[i]; i++ })
}

func eachID(r *report.Report, f func(*string)) {
	for i := range r.Incidents {
		inc := &r.Incidents[i]
		for j := range inc.Tasks {
			f(&inc.Tasks[j].ID)
			if inc.Tasks[j].Waits != nil {
				f(inc.Tasks[j].Waits)
			}
		}
		g := &inc.WaitGraph
		for j := range g.Nodes {
			f(&g.Nodes[j].ID)
		}
		for j := range g.Edges {
			f(&g.Edges[j].From)
			f(&g.Edges[j].To)
		}
		for _, c := range g.Cycles {
			for j := range c {
				f(&c[j])
			}
		}
	}
	if tr := r.Trace; tr != nil {
		for i := range tr.Tasks {
			f(&tr.Tasks[i].ID)
			for j := range tr.Tasks[i].Spans {
				f(&tr.Tasks[i].Spans[j].State)
			}
		}
		for i := range tr.LockWaits {
			f(&tr.LockWaits[i].Task)
			if tr.LockWaits[i].Waker != nil {
				f(tr.LockWaits[i].Waker)
			}
		}
	}
}

// unprintable finds what a terminal acts on or does not show.
func unprintable(s string) []rune {
	var bad []rune
	for _, r := range s {
		if r != '\n' && (!unicode.IsPrint(r) || r == unicode.ReplacementChar) {
			bad = append(bad, r)
		}
	}
	return bad
}

func TestHostileText(t *testing.T) {
	for name, r := range poisoned(t) {
		for _, opt := range []report.Options{{}, everything, {Color: true}} {
			out := render(t, r, "text", opt)
			if opt.Color {
				out = sgr.ReplaceAllString(out, "")
			}
			if bad := unprintable(out); bad != nil {
				t.Errorf("%s: %q", name, bad)
			}
			if strings.Contains(out, "AAA") && strings.Contains(out, longComm[:5000]) {
				t.Errorf("%s: a comm of 100 kB was not cut", name)
			}
		}
	}
}

func TestHostileJSON(t *testing.T) {
	for name, r := range poisoned(t) {
		out := render(t, r, "json", report.Options{})
		for _, bad := range unprintable(out) {
			if bad != unicode.ReplacementChar {
				t.Errorf("%s: %q", name, bad)
			}
		}
		var back report.Report
		if err := json.Unmarshal([]byte(out), &back); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		want := strings.ToValidUTF8(r.Tool.Name, "\ufffd")
		if back.Tool.Name != want {
			t.Errorf("%s: %q came back as %q", name, want, back.Tool.Name)
		}
	}
}

func TestHostileProfile(t *testing.T) {
	for name, r := range poisoned(t) {
		p := parseProfile(t, r)
		texts := slices.Clone(p.Comments)
		for _, m := range p.Mapping {
			texts = append(texts, m.File)
		}
		for _, f := range p.Function {
			texts = append(texts, f.Name, f.SystemName, f.Filename)
		}
		for _, s := range p.Sample {
			for k, vs := range s.Label {
				texts = append(append(texts, k), vs...)
			}
		}
		for _, s := range texts {
			if strings.Contains(s, "\n") || unprintable(s) != nil || len(s) > 4000 {
				t.Errorf("%s: %.100q", name, s)
			}
		}
	}
}

func TestHostileMarkdown(t *testing.T) {
	for name, r := range poisoned(t) {
		for _, opt := range []report.Options{{}, everything} {
			out := render(t, r, "markdown", opt)
			if bad := unprintable(out); bad != nil {
				t.Errorf("%s: %q", name, bad)
			}
			if strings.Contains(out, longComm[:5000]) {
				t.Errorf("%s: a comm of 100 kB was not cut", name)
			}
			prose, err := markdownProse(out)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			for _, line := range prose {
				checkProse(t, name, line)
			}
		}
	}
}

// TestMarkdownTables: a pipe ends a cell, in a code span too, unless a
// backslash is in front of it (GitHub Flavored Markdown, tables).
func TestMarkdownTables(t *testing.T) {
	tables := 0
	all := poisoned(t)
	all["trace"] = cases(t)["trace"]
	for name, r := range all {
		for _, opt := range []report.Options{{}, everything} {
			fenced, cells := false, 0
			for line := range strings.Lines(render(t, r, "markdown", opt)) {
				line = strings.TrimSuffix(line, "\n")
				switch n := strings.Count(escaped.ReplaceAllString(line, ""), "|"); {
				case strings.HasPrefix(line, "```"):
					fenced = !fenced
				case fenced || !strings.HasPrefix(line, "|"):
					cells = 0
				case cells == 0:
					tables++
					cells = n
				case n != cells:
					t.Errorf("%s: %d pipes in a table of %d: %.200q", name, n, cells, line)
				}
			}
		}
	}
	if tables < 20 {
		t.Errorf("only %d tables", tables)
	}
}

var (
	escaped = regexp.MustCompile("\\\\[!-/:-@\\[-`{-~]")
	ours    = regexp.MustCompile(`^(#{1,6} |- |\d+\. |\*\*)|\*\* \(|&#8203;`)
)

// checkProse checks a line outside of code: what is Markdown in it is ours.
func checkProse(t *testing.T, name, line string) {
	t.Helper()
	if strings.HasPrefix(line, "|") {
		// The cells of a table: TestMarkdownTables counts them.
		line = strings.TrimSpace(escaped.ReplaceAllString(line, ""))
		line = strings.TrimSpace(strings.NewReplacer(" --- ", " ", " ---: ", " ", "|", "").Replace(line))
	}
	rest := ours.ReplaceAllString(escaped.ReplaceAllString(line, ""), "")
	if i := strings.IndexAny(rest, "<>[]|`*_~#&@{}$\\"); i >= 0 {
		t.Errorf("%s: unescaped %q in %.200q", name, rest[i], line)
	}
	if strings.HasPrefix(line, "/") || strings.HasPrefix(line, "    ") || strings.HasPrefix(line, "\t") {
		t.Errorf("%s: %.200q starts what it must not", name, line)
	}
	if strings.Contains(rest, "://") || strings.Contains(rest, "www.") {
		t.Errorf("%s: a link in %.200q", name, line)
	}
}

// markdownProse returns the lines that are no code, the code spans in them
// blanked out, by the rules of CommonMark. A fence or span that never ends is an error.
func markdownProse(s string) ([]string, error) {
	var prose []string
	fence := ""
	for line := range strings.Lines(s) {
		line = strings.TrimSuffix(line, "\n")
		run := line[:len(line)-len(strings.TrimLeft(line, "`"))]
		if fence != "" {
			if len(run) >= len(fence) && strings.TrimSpace(line[len(run):]) == "" {
				fence = ""
			}
			continue
		}
		if len(run) >= 3 && !strings.Contains(line[len(run):], "`") {
			fence = run
			continue
		}
		var b strings.Builder
		for i := 0; i < len(line); {
			if line[i] == '\\' && i+1 < len(line) {
				b.WriteString(line[i : i+2])
				i += 2
				continue
			}
			if line[i] != '`' {
				b.WriteByte(line[i])
				i++
				continue
			}
			n := i
			for n < len(line) && line[n] == '`' {
				n++
			}
			end := spanEnd(line[n:], n-i)
			if end < 0 {
				return nil, fmt.Errorf("code span without end: %q", line)
			}
			b.WriteString("code")
			i = n + end
		}
		prose = append(prose, b.String())
	}
	if fence != "" {
		return nil, fmt.Errorf("fence %q without end", fence)
	}
	return prose, nil
}

// spanEnd is the index behind the first run of exactly n backticks.
func spanEnd(s string, n int) int {
	for i := 0; i < len(s); {
		if s[i] != '`' {
			i++
			continue
		}
		j := i
		for j < len(s) && s[j] == '`' {
			j++
		}
		if j-i == n {
			return j
		}
		i = j
	}
	return -1
}

func TestMermaidIsOurs(t *testing.T) {
	node := regexp.MustCompile(`^  n\d+[\[(]"[^"<>\x60\[\]{}|\\]*"[\])]$`)
	edge := regexp.MustCompile(`^  n\d+ (-->|-\.->)\|"[^"<>\x60\[\]{}|\\]*"\| n\d+$`)
	seen := 0
	for name, r := range poisoned(t) {
		inside := false
		for line := range strings.Lines(render(t, r, "markdown", report.Options{})) {
			line = strings.TrimSuffix(line, "\n")
			switch {
			case line == "```mermaid":
				inside = true
			case inside && line == "```":
				inside = false
			case inside && line == "flowchart LR":
				seen++
			case inside && !node.MatchString(line) && !edge.MatchString(line):
				t.Errorf("%s: %q", name, line)
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d diagrams", seen)
	}
}

// A report of many tasks takes no quadratic time in any format.
func BenchmarkManyTasks(b *testing.B) {
	r := &report.Report{Inputs: []report.Input{{Name: "a.log"}}, Incidents: []report.Incident{{Verdict: "hang"}}}
	inc := &r.Incidents[0]
	lock := "lock:1"
	inc.WaitGraph.Nodes = []report.Node{{ID: lock, Kind: "lock", Label: "a lock"}}
	for pid := range 10_000 {
		id := fmt.Sprintf("task:%d", pid)
		var stack []report.Frame
		for i := range 20 {
			stack = append(stack, report.Frame{Func: fmt.Sprintf("function_%d", i), Reliable: true, Context: "task"})
		}
		inc.Tasks = append(inc.Tasks, report.Task{ID: id, Pid: &pid, Waits: &lock, Stack: stack})
		inc.WaitGraph.Edges = append(inc.WaitGraph.Edges, report.Edge{
			From: id, To: lock, Relation: "waits_for", Basis: "frame_model", Evidence: []report.Ref{{Line: pid}},
		})
	}
	for _, f := range formats() {
		b.Run(f.Name, func(b *testing.B) {
			for b.Loop() {
				if err := report.Write(io.Discard, r, f.Name, report.Options{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
