package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode"

	jsonschema "github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/oomtrace/oomtrace/internal/tracecheck"
	"github.com/oomtrace/oomtrace/report"
)

// published compiles a stored schema of somebody else.
func published(t *testing.T, path string) *jsonschema.Schema {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// everyReport are the stored reports and the hostile ones.
func everyReport(t *testing.T) map[string]*report.Report {
	all := poisoned(t)
	for name, r := range cases(t) {
		all[name] = r
	}
	return all
}

func TestSpeedscopeSchema(t *testing.T) {
	s := published(t, "testdata/speedscope.schema.json")
	for name, r := range everyReport(t) {
		out := render(t, r, "speedscope", report.Options{})
		if err := validate(t, s, out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var file struct {
			Shared   struct{ Frames []any }
			Profiles []struct {
				EndValue int64
				Samples  [][]int
				Weights  []int64
			}
		}
		if err := json.Unmarshal([]byte(out), &file); err != nil {
			t.Fatal(err)
		}
		for _, p := range file.Profiles {
			var sum int64
			for i, stack := range p.Samples {
				sum += p.Weights[i]
				for _, n := range stack {
					if n < 0 || n >= len(file.Shared.Frames) {
						t.Fatalf("%s: no frame %d", name, n)
					}
				}
			}
			if sum != p.EndValue {
				t.Errorf("%s: weights of %d in a profile until %d", name, sum, p.EndValue)
			}
		}
	}
}

func TestSARIFSchema(t *testing.T) {
	s := published(t, "testdata/sarif.schema.json")
	link := regexp.MustCompile(`(^|[^\\])[\[\]]`)
	for name, r := range everyReport(t) {
		out := render(t, r, "sarif", report.Options{})
		if err := validate(t, s, out); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		var log struct {
			Runs []struct {
				Results []struct{ Message struct{ Text string } }
			}
		}
		if err := json.Unmarshal([]byte(out), &log); err != nil {
			t.Fatal(err)
		}
		for _, res := range log.Runs[0].Results {
			text := res.Message.Text
			rest := strings.NewReplacer("{{", "", "}}", "").Replace(text)
			if link.MatchString(text) || strings.ContainsAny(rest, "{}") {
				t.Errorf("%s: links or placeholders in %.200q", name, text)
			}
		}
	}
}

func TestNDJSONIsOneThingALine(t *testing.T) {
	for name, r := range everyReport(t) {
		out := render(t, r, "ndjson", report.Options{})
		want := map[string]int{"incident": len(r.Incidents)}
		if r.Trace != nil {
			want["trace_input"], want["trace_task"], want["lock_wait"] = len(r.Trace.Inputs), len(r.Trace.Tasks), len(r.Trace.LockWaits)
		}
		got := map[string]int{}
		for line := range strings.Lines(out) {
			var one struct {
				SchemaVersion string `json:"schema_version"`
				Inputs        []struct{ Name string }
				InputName     string `json:"input_name"`
				Incident      *report.Incident
				TraceInput    *report.TraceInput `json:"trace_input"`
				TraceTask     *report.TraceTask  `json:"trace_task"`
				LockWait      *report.LockWait   `json:"lock_wait"`
			}
			if err := json.Unmarshal([]byte(line), &one); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			switch {
			case one.Incident != nil:
				got["incident"]++
				if len(one.Inputs) != len(r.Inputs) {
					t.Errorf("%s: %d inputs", name, len(one.Inputs))
				}
			case one.TraceInput != nil:
				got["trace_input"]++
			case one.TraceTask != nil:
				got["trace_task"]++
				if name == "trace" && one.InputName != r.Inputs[one.TraceTask.Input].Name {
					t.Errorf("input %q", one.InputName)
				}
			case one.LockWait != nil:
				got["lock_wait"]++
			default:
				t.Errorf("%s: a line with nothing in it: %.200s", name, line)
			}
		}
		for what, n := range want {
			if got[what] != n {
				t.Errorf("%s: %d lines of %d of %s", name, got[what], n, what)
			}
		}
	}
}

func TestHostileLines(t *testing.T) {
	folded := regexp.MustCompile(`^[^ ;#][^ ;]*(;[^ ;]+)+ [1-9][0-9]*$`)
	str := `"(?:[^"\\&]|\\[\\"n]|&amp;)*"`
	dot := regexp.MustCompile(`^(digraph oomtrace \{|  rankdir=LR;|  (node|edge) \[.*\];|  subgraph cluster_\d+ \{|    label=` + str + `;|    fontname="Helvetica";|` +
		`    (n|more_)\d+ \[label=` + str + `, shape=(box|ellipse|hexagon|plaintext)[-a-z0-9="#, ]*\];|` +
		`    n\d+ -> n\d+ \[label=` + str + `[-a-z0-9="#, ]*\];|  \}|\})$`)
	label := `"[^"<>\x60\[\]{}|\\]*"`
	mermaid := regexp.MustCompile(`^(flowchart LR|  subgraph g\d+\[` + label + `\]|    (n|more)\d+(\[` + label + `\]|\(` + label + `\)|\{\{` + label + `\}\})|` +
		`    class n\d+ cycle|    n\d+ (-->|-\.->)\|` + label + `\| n\d+|  end|  classDef cycle [-a-z:,#0-9]+|  linkStyle [0-9,]+ [-a-z:,#0-9]+)$`)
	for name, r := range everyReport(t) {
		for format, want := range map[string]*regexp.Regexp{"folded": folded, "dot": dot, "mermaid": mermaid} {
			for _, opt := range []report.Options{{}, everything} {
				for line := range strings.Lines(render(t, r, format, opt)) {
					line = strings.TrimSuffix(line, "\n")
					if !want.MatchString(line) {
						t.Errorf("%s of %s: %.300q", format, name, line)
					}
				}
			}
		}
		for _, st := range report.SampleTypes {
			for line := range strings.Lines(render(t, r, "folded", report.Options{SampleType: st})) {
				if line = strings.TrimSuffix(line, "\n"); !folded.MatchString(line) {
					t.Errorf("folded %s of %s: %.300q", st, name, line)
				}
			}
		}
		for _, format := range []string{"dot", "folded", "mermaid", "ndjson", "sarif", "speedscope"} {
			out := render(t, r, format, everything)
			for _, bad := range unprintable(out) {
				if bad != unicode.ReplacementChar || format == "folded" {
					t.Errorf("%s of %s: %q", format, name, bad)
				}
			}
			if format != "ndjson" && strings.Contains(out, longComm[:5000]) {
				t.Errorf("%s of %s: a comm of 100 kB was not cut", format, name)
			}
		}
	}
}

// A hundred tasks that wait alike are one node, unless all is asked for.
func TestDrawingFoldsEqualTasks(t *testing.T) {
	r := cases(t)["hang"]
	if out := render(t, r, "dot", report.Options{}); !strings.Contains(out, "30 tasks: ") || strings.Count(out, "->") > 6 {
		t.Errorf("not folded:\n%s", out)
	}
	if out := render(t, r, "dot", report.Options{Verbose: true}); strings.Count(out, "->") != len(r.Incidents[0].WaitGraph.Edges) {
		t.Errorf("-v does not draw each edge:\n%s", out)
	}
	trap := render(t, cases(t)["trap"], "dot", report.Options{})
	red := 0
	for line := range strings.Lines(trap) {
		if strings.Contains(line, "->") && strings.Contains(line, "#c1121f") {
			red++
		}
	}
	if red != 4 {
		t.Errorf("%d red edges in a cycle of 4:\n%s", red, trap)
	}
}

func TestSVG(t *testing.T) {
	err := report.Write(io.Discard, cases(t)["trap"], "svg", report.Options{})
	if !errors.Is(err, report.ErrNoGraphviz) || !strings.Contains(err.Error(), "graphviz") {
		t.Errorf("without graphviz: %v", err)
	}
	path, err := exec.LookPath("dot")
	if err != nil {
		t.Skip("graphviz is not installed")
	}
	opt := report.Options{Dot: func(graph []byte) ([]byte, error) {
		cmd := exec.Command(path, "-Tsvg")
		cmd.Stdin = bytes.NewReader(graph)
		return cmd.Output()
	}}
	for name, r := range map[string]*report.Report{
		"trap": cases(t)["trap"], "empty": cases(t)["empty"], "hostile": cases(t)["hostile"], "hang": cases(t)["hang"],
	} {
		out := render(t, r, "svg", opt)
		dec := xml.NewDecoder(strings.NewReader(out))
		dec.Strict = true
		var elements []string
		for {
			tok, err := dec.Token()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			if el, ok := tok.(xml.StartElement); ok {
				elements = append(elements, el.Name.Local)
				if slices.Contains([]string{"script", "a", "image", "foreignObject", "use"}, el.Name.Local) {
					t.Errorf("%s: an element <%s>", name, el.Name.Local)
				}
			}
		}
		if len(elements) == 0 || elements[0] != "svg" {
			t.Errorf("%s: no svg", name)
		}
		if name == "trap" && !strings.Contains(out, "#c1121f") {
			t.Error("the cycle is not red")
		}
	}
}

// TestJSONAsTheLibrary: the report's JSON is what encoding/json makes of it.
func TestJSONAsTheLibrary(t *testing.T) {
	for name, r := range everyReport(t) {
		got := render(t, r, "json", report.Options{})
		var back report.Report
		dec := json.NewDecoder(strings.NewReader(got))
		dec.DisallowUnknownFields()
		if err := dec.Decode(&back); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var b bytes.Buffer
		enc := json.NewEncoder(&b)
		enc.SetEscapeHTML(false)
		enc.SetIndent("", "  ")
		if err := enc.Encode(back); err != nil {
			t.Fatal(err)
		}
		plain := strings.Map(func(r rune) rune { // what only the report escapes
			if r >= 0x7f {
				return -1
			}
			return r
		}, b.String())
		if plain == b.String() && got != plain {
			t.Errorf("%s: not as encoding/json writes it", name)
		}
	}
}

func TestTraceEventsFormat(t *testing.T) {
	for name, r := range everyReport(t) {
		out := render(t, r, "trace-events", report.Options{})
		for _, p := range tracecheck.Check([]byte(out), name == "trace") {
			t.Errorf("%s: %s", name, p)
		}
		for _, bad := range unprintable(out) {
			t.Errorf("%s: %q", name, bad)
		}
		if strings.Contains(out, longComm[:5000]) {
			t.Errorf("%s: a comm of 100 kB was not cut", name)
		}
	}

	// A wait for a lock lasts as long as it did, whatever the scheduler did meanwhile.
	out := render(t, cases(t)["trace"], "trace-events", report.Options{})
	if !strings.Contains(out, `{"name":"lock wait: 00000000037da8a8 in do_truncate","cat":"lock_wait","ph":"X","ts":4320788,"dur":28272971,"pid":1,"tid":101,"args":{"line":219,"lock":"00000000037da8a8","mode":"WRITE","open":true}}`) {
		t.Errorf("no wait of 28 s in\n%s", out)
	}
}

// The clocks of a trace and a log may differ by more than the trace's times.
func TestTraceEventsBeforeZero(t *testing.T) {
	r := cases(t)["trace"]
	r.Trace.Inputs[0].OffsetS = -3
	out := render(t, r, "trace-events", report.Options{})
	for _, p := range tracecheck.Check([]byte(out), true) {
		t.Error(p)
	}
	if !strings.Contains(out, `"microseconds_added":711072`) { // 3 s less the 2.288928 s of the first span
		t.Errorf("%.200s", out)
	}
}

func TestFoldedSampleTypes(t *testing.T) {
	r := cases(t)["trace"]
	for sampleType, want := range map[string]string{
		"":         "truncer;entry_SYSCALL_64_after_hwframe;do_syscall_64;__x64_sys_openat;do_sys_openat2;do_filp_open;path_openat;do_truncate;rwsem_down_write_slowpath;schedule;__schedule 1\n",
		"offcpu":   "truncer;entry_SYSCALL_64_after_hwframe;do_syscall_64;__x64_sys_openat;do_sys_openat2;do_filp_open;path_openat;do_truncate;rwsem_down_write_slowpath;schedule;__schedule 28272614000\n",
		"lockwait": "truncer;entry_SYSCALL_64_after_hwframe;do_syscall_64;__x64_sys_openat;do_sys_openat2;do_filp_open;path_openat;do_truncate;rwsem_down_write_slowpath 28272971000\n",
		"oncpu":    "hog;try_charge_memcg 9176240\n",
		"calls":    "hog;try_charge_memcg 4097\n",
	} {
		out := render(t, r, "folded", report.Options{SampleType: sampleType})
		if !strings.Contains(out, want) {
			t.Errorf("%q: no %q in\n%s", sampleType, want, out)
		}
	}
	if err := report.Write(io.Discard, r, "folded", report.Options{SampleType: "time"}); err == nil || !strings.Contains(err.Error(), "tasks, blocked, oncpu") {
		t.Errorf("an unknown sample type: %v", err)
	}
	// Where a trace shows no incident its time is what there is.
	r.Incidents = nil
	if out := render(t, r, "folded", report.Options{}); out != render(t, r, "folded", report.Options{SampleType: "oncpu"}) || out == "" {
		t.Errorf("without incidents:\n%s", out)
	}
}

// A clock that counts has no seconds in any format for people.
func TestTraceOfCounts(t *testing.T) {
	r := cases(t)["trace"]
	in := &r.Trace.Inputs[0]
	in.Counter, in.BootClock = true, false
	k := &r.Trace.Tasks[0]
	r.Trace.Tasks, r.Trace.LockWaits, r.Trace.Inputs, r.Incidents = r.Trace.Tasks[:1], nil, r.Trace.Inputs[:1], nil
	k.Spans = []report.TraceSpan{{State: "reclaiming", StartS: 5e-9, DurationS: 12e-9, Count: 1, Line: 3}, {State: "syscall", StartS: 6e-9, DurationS: 1e-9, Count: 1, Line: 4}}
	k.Totals = []report.TraceTotal{{State: "reclaiming", Count: 1, Duration: 12e-9}}
	in.FirstS, in.LastS = 3e-9, 628e-9
	for format, want := range map[string]string{
		"text": "5  reclaiming 12 ticks", "markdown": "| 5 | reclaiming | 12 ticks |", "html": `"length":"12 ticks"`, "trace-events": "counts of a clock, no times",
	} {
		out := render(t, r, format, report.Options{})
		if !strings.Contains(out, want) {
			t.Errorf("%s: no %q in\n%.3000s", format, want, out)
		}
		if format == "text" && strings.Contains(out, "12 ns") {
			t.Errorf("counts are no nanoseconds:\n%s", out)
		}
	}
	for _, p := range tracecheck.Check([]byte(render(t, r, "trace-events", report.Options{})), true) {
		t.Error(p)
	}
}

// Signals, memory cgroups and the fields of events are in the formats for people.
func TestTraceSignals(t *testing.T) {
	r := cases(t)["trace"]
	k := &r.Trace.Tasks[1]
	memcg, from, sent, delivered := "/job|1", "task:99", 5.25, 5.5
	k.Memcg = &memcg
	k.Signals = []report.Signal{{Signal: 9, Code: 128, From: &from, SentS: &sent, DeliveredS: &delivered, Line: 77}, {Signal: 15, Line: 78}}
	for format, wants := range map[string][]string{
		"text":         {"memcg /job|1", "signal 9 from the kernel, sent 5.250000 s in holder (pid 99), delivered", "signal 15 from a process, not seen to be delivered"},
		"markdown":     {`memcg /job\|1`, "signal 9 from the kernel, sent 5.250000 s in holder"},
		"html":         {`"memcg":"/job|1"`, `"text":"signal 9 from the kernel, sent 5.250000 s in holder (pid 99), delivered 5.500000 s","line":77`},
		"trace-events": {`"cat":"signal","ph":"i","ts":5500000`},
	} {
		out := render(t, r, format, report.Options{Width: 200})
		for _, want := range wants {
			if !strings.Contains(out, want) {
				t.Errorf("%s: no %q", format, want)
			}
		}
	}
	for _, p := range tracecheck.Check([]byte(render(t, r, "trace-events", report.Options{})), true) {
		t.Error(p)
	}
	if out := render(t, r, "text", report.Options{Verbose: true, Width: 200}); !strings.Contains(out, "sched_switch 29, line 14 to 408: prev_comm ") {
		t.Error("-v does not tell of the fields of an event")
	}
}

// TestGoToolPprof: what people look at the profile with takes it, in each of
// its sample types.
func TestGoToolPprof(t *testing.T) {
	gotool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("no go command here")
	}
	if out, err := exec.Command(gotool, "tool", "pprof", "-h").CombinedOutput(); !strings.Contains(string(out), "sample_index") {
		t.Skipf("no go tool pprof here: %v", err)
	}
	path := filepath.Join(t.TempDir(), "oomtrace.pb.gz")
	if err := os.WriteFile(path, []byte(render(t, cases(t)["trace"], "pprof", report.Options{})), 0o600); err != nil {
		t.Fatal(err)
	}
	pprof := func(args ...string) string {
		cmd := exec.Command(gotool, append(append([]string{"tool", "pprof", "-symbolize=none"}, args...), path)...)
		cmd.Env = append(os.Environ(), "PPROF_TMPDIR="+t.TempDir())
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("pprof %q: %v\n%s", args, err, out)
		}
		return string(out)
	}
	for sampleType, want := range map[string][]string{
		"tasks":    {"Type: tasks", "7, 100% of 7 total"},
		"oncpu":    {"Type: oncpu", "12.94ms, 100% of 12.94ms total", "try_charge_memcg"},
		"offcpu":   {"Type: offcpu", "100% of ", "handle_userfault"},
		"lockwait": {"Type: lockwait", "110.02s, 100% of 110.02s total", "do_truncate"},
		"calls":    {"Type: calls", "try_charge_memcg"},
	} {
		out := pprof("-top", "-cum", "-nodefraction=0", "-sample_index="+sampleType)
		for _, w := range want {
			if !strings.Contains(out, w) {
				t.Errorf("-top of %s: no %q in\n%s", sampleType, w, out)
			}
		}
	}
	if raw := pprof("-raw"); !strings.Contains(raw, "tasks/count[dflt] blocked/nanoseconds oncpu/nanoseconds offcpu/nanoseconds lockwait/nanoseconds calls/count") {
		t.Errorf("-raw:\n%.1000s", raw)
	}
	out := render(t, cases(t)["trace"], "pprof", report.Options{SampleType: "lockwait"})
	if err := os.WriteFile(path, []byte(out), 0o600); err != nil {
		t.Fatal(err)
	}
	if top := pprof("-top"); !strings.Contains(top, "Type: lockwait") {
		t.Errorf("the sample type asked for is not what pprof shows:\n%s", top)
	}
}
