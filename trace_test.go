package oomtrace_test

import (
	"bytes"
	"compress/gzip"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/oomtrace/oomtrace"
	"github.com/oomtrace/oomtrace/internal/tracecheck"
	"github.com/oomtrace/oomtrace/report"
)

func trace(t *testing.T, name string) oomtrace.Source {
	t.Helper()
	data := read(t, "testdata/ftrace/"+name)
	if strings.HasSuffix(name, ".gz") {
		zr, err := gzip.NewReader(bytes.NewReader(data))
		if err != nil {
			t.Fatal(err)
		}
		if data, err = io.ReadAll(zr); err != nil {
			t.Fatal(err)
		}
	}
	return source(name, data)
}

// only returns the report's one incident.
func only(t *testing.T, rep *report.Report) *report.Incident {
	t.Helper()
	if len(rep.Incidents) != 1 {
		for _, i := range rep.Incidents {
			t.Log(i.Headline)
		}
		t.Fatalf("%d incidents, want 1", len(rep.Incidents))
	}
	return &rep.Incidents[0]
}

// TestTraceCounts: every event line is counted, no other line is left over.
func TestTraceCounts(t *testing.T) {
	for name, want := range map[string]struct {
		framing string
		events  int
	}{
		"function-3.14-synchronize.txt": {"ftrace", 16},
		"events-6.1-memcg-oom.txt":      {"ftrace", 408},
		"graph-6.1-memcg-oom.txt.gz":    {"ftrace", 5346},
		"trace-cmd-6.1-fuse-cycle.txt":  {"trace_cmd", 394},
	} {
		rep := analyze(t, oomtrace.Options{}, trace(t, name))
		in := rep.Inputs[0]
		if in.Framing != want.framing || in.Records.FtraceEvent != want.events || len(in.Diagnostics) != 0 {
			t.Errorf("%s: %s, %d events, %v", name, in.Framing, in.Records.FtraceEvent, in.Diagnostics)
		}
		n := int64(0)
		for _, e := range rep.Trace.Inputs[0].Events {
			n += e.Count
		}
		if n != int64(want.events) {
			t.Errorf("%s: %d events by name, want %d", name, n, want.events)
		}
	}
}

// TestTraceDeadlock: the holder of the directory sleeps in S, so the console
// alone cannot show the cycle; the trace can, alone and joined with it.
func TestTraceDeadlock(t *testing.T) {
	tr, console := trace(t, "trace-cmd-6.1-fuse-cycle.txt"), trace(t, "trace-cmd-6.1-fuse-cycle.console.log")
	opt := oomtrace.Options{FuseDaemons: []string{"labfused"}}
	for _, test := range []struct {
		name string
		src  []oomtrace.Source
	}{{"alone", []oomtrace.Source{tr}}, {"joined", []oomtrace.Source{tr, console}}, {"joined the other way", []oomtrace.Source{console, tr}}} {
		t.Run(test.name, func(t *testing.T) {
			inc := only(t, analyze(t, opt, test.src...))
			if inc.Verdict != "deadlock" || inc.Confidence != "likely" {
				t.Errorf("%s (%s): %s", inc.Verdict, inc.Confidence, inc.Headline)
			}
			if len(inc.WaitGraph.Cycles) != 1 {
				t.Fatalf("cycles: %v", inc.WaitGraph.Cycles)
			}
			c := inc.WaitGraph.Cycles[0]
			for _, id := range []string{"task:108", "task:98", "resource:fuse_reply:fuse"} {
				if !slices.Contains(c, id) {
					t.Errorf("%s is not in the cycle %v", id, c)
				}
			}
			waiters := 0
			for _, e := range inc.WaitGraph.Edges {
				if strings.HasPrefix(e.To, "lock:") {
					waiters++
					if e.Basis != "contention_event" {
						t.Errorf("%s -> %s: basis %s", e.From, e.To, e.Basis)
					}
				}
			}
			i := slices.IndexFunc(inc.WaitGraph.Nodes, func(n report.Node) bool { return n.Kind == "lock" })
			if n := inc.WaitGraph.Nodes[i]; waiters != 3 || n.Address == nil || *n.Address != "0xff17de038220a120" {
				t.Errorf("%d waiters for %+v, want 3 for one address", waiters, n)
			}
		})
	}
	t.Run("console alone", func(t *testing.T) {
		for _, inc := range analyze(t, opt, console).Incidents {
			if inc.Verdict == "deadlock" {
				t.Errorf("the console does not show the holder: %s", inc.Headline)
			}
		}
	})
}

// TestTraceOOM: one OOM found from the console, from either trace and from all
// of them is one and the same.
func TestTraceOOM(t *testing.T) {
	console, events, graph := trace(t, "events-6.1-memcg-oom.console.log"), trace(t, "events-6.1-memcg-oom.txt"), trace(t, "graph-6.1-memcg-oom.txt.gz")
	for _, test := range []struct {
		name string
		src  []oomtrace.Source
	}{
		{"events", []oomtrace.Source{events}}, {"graph", []oomtrace.Source{graph}}, {"both traces", []oomtrace.Source{graph, events}},
		{"console and events", []oomtrace.Source{console, events}}, {"all", []oomtrace.Source{events, console, graph}},
	} {
		t.Run(test.name, func(t *testing.T) {
			rep := analyze(t, oomtrace.Options{}, test.src...)
			inc := only(t, rep)
			if inc.Verdict != "oom_resolved" || inc.Confidence != "confirmed" {
				t.Errorf("%s (%s): %s", inc.Verdict, inc.Confidence, inc.Headline)
			}
			if s := inc.SynchronizePath; s.Status != "not_taken" || s.Mechanism == nil || *s.Mechanism != "in_charge" {
				t.Errorf("synchronize path: %+v", s)
			}
			if inc.Kernel.Era != "kill_in_charge" || inc.Kernel.EraBasis != "stack" {
				t.Errorf("era %+v", inc.Kernel)
			}
			if len(inc.OOMs) != 1 || *inc.OOMs[0].Invoker.Pid != 164 || len(inc.OOMs[0].Victims) != 1 || inc.OOMs[0].Victims[0].Pid != 102 || inc.OOMs[0].Victims[0].Fate != "exited" {
				t.Errorf("OOMs: %+v", inc.OOMs)
			}
			for i := 1; i < len(inc.Timeline); i++ {
				a, b := inc.Timeline[i-1], inc.Timeline[i]
				if a.BootS != nil && b.BootS != nil && *b.BootS < *a.BootS-0.1 {
					t.Errorf("timeline runs back: %v %s, %v %s", *a.BootS, a.Text, *b.BootS, b.Text)
				}
			}
		})
	}
}

func TestTraceSynchronize(t *testing.T) {
	tr := trace(t, "function-3.14-synchronize.txt")
	log := source("console", read(t, "testdata/dmesg/oom-3.14-synchronize-path.log"))
	for _, src := range [][]oomtrace.Source{{tr}, {tr, log}, {log, tr}} {
		inc := only(t, analyze(t, oomtrace.Options{}, src...))
		if s := inc.SynchronizePath; s.Status != "taken" || *s.Mechanism != "synchronize_kill" || inc.Kernel.Era != "synchronize" || inc.Kernel.EraBasis != "stack" {
			t.Errorf("%+v %+v", s, inc.Kernel)
		}
	}
}

// rows are traces made by hand: each shows one rule.
var rows = []struct {
	name, trace                   string
	verdict, confidence           string
	status, mechanism, cycle, has string
}{
	{
		name: "locks by events alone: two tasks, two locks",
		trace: `# tracer: nop
              a-10      [000] .....    10.000001: lock_acquire: 00000000aaaa0001 &A->lock
              b-11      [001] .....    10.000002: lock_acquire: 00000000bbbb0001 &B->lock
              a-10      [000] .....    10.000003: lock_acquire: 00000000bbbb0001 &B->lock
              a-10      [000] .....    10.000004: lock_contended: 00000000bbbb0001 &B->lock
              b-11      [001] .....    10.000005: lock_acquire: 00000000aaaa0001 &A->lock
              b-11      [001] .....    10.000006: lock_contended: 00000000aaaa0001 &A->lock
              c-12      [001] .....    95.000006: sched_process_exec: filename=/bin/true pid=12 old_pid=12
`,
		verdict: "deadlock", confidence: "confirmed", status: "not_applicable", cycle: "task:11 lock:lock#2 task:10 lock:lock#1",
	},
	{
		name: "a released lock is held by nobody",
		trace: `# tracer: nop
              a-10      [000] .....    10.000001: lock_acquire: 00000000aaaa0001 &A->lock
              b-11      [001] .....    10.000002: lock_acquire: 00000000bbbb0001 &B->lock
              b-11      [001] .....    10.000003: lock_release: 00000000bbbb0001 &B->lock
              b-11      [001] .....    10.000005: lock_acquire: 00000000aaaa0001 &A->lock
              b-11      [001] .....    10.000006: lock_contended: 00000000aaaa0001 &A->lock
              b-11      [001] .....    10.000007: lock_acquired: 00000000aaaa0001 &A->lock
`,
	},
	{
		name: "OOM killer disabled: sleepers in synchronize",
		trace: `# tracer: nop
           hog1-100     [000] d..2.    10.000001: sched_switch: prev_comm=hog1 prev_pid=100 prev_prio=120 prev_state=D ==> next_comm=swapper/0 next_pid=0 next_prio=120
           hog1-100     [000] d..2.    10.000002: <stack trace>
 => __schedule
 => schedule
 => mem_cgroup_oom_synchronize
 => pagefault_out_of_memory
 => do_user_addr_fault
 => exc_page_fault
 => asm_exc_page_fault
          other-7       [000] d..2.    90.000001: sched_process_exec: filename=/bin/true pid=7 old_pid=7
`,
		verdict: "hang", confidence: "possible", status: "taken", mechanism: "synchronize_wait", has: "oom_wait",
	},
	{
		name: "function_graph ends inside synchronize: it still sleeps there",
		trace: `# tracer: function_graph
   31.000001 |   1)     lab-173    |               |  pagefault_out_of_memory() {
   31.000002 |   1)     lab-173    |               |    mem_cgroup_oom_synchronize() {
   31.000003 |   1)     lab-173    |               |      schedule() {
 ------------------------------------------
   45.000003 |   1)    sh-12       |   0.500 us    |  try_charge_memcg();
`,
		status: "taken", mechanism: "synchronize_wait", has: "oom_wait",
	},
	{
		name: "function_graph: synchronize slept and the fault was retried",
		trace: `# tracer: function_graph
   31.000001 |   1)     lab-173    |               |  pagefault_out_of_memory() {
   31.000002 |   1)     lab-173    |               |    mem_cgroup_oom_synchronize() {
   31.000003 |   1)     lab-173    | $ 2000000 us  |      schedule();
   33.000004 |   1)     lab-173    | $ 2000001 us  |    }
   33.000005 |   1)     lab-173    | $ 2000002 us  |  }
   33.000009 |   1)     lab-173    |   0.500 us    |  try_charge_memcg();
`,
		status: "taken", mechanism: "synchronize_wait", has: "oom_wait",
	},
	{
		name: "cleanup is not taken: handle_mm_fault calls synchronize after a fault that succeeded",
		trace: `# tracer: function
           java-173     [000] .....    31.000001: mem_cgroup_oom_synchronize <-handle_mm_fault
           java-173     [000] .....    31.000002: mark_victim: pid=174
           java-173     [000] .....    31.000003: pagefault_out_of_memory <-do_user_addr_fault
           java-173     [000] .....    31.000004: mem_cgroup_oom_synchronize <-pagefault_out_of_memory
`,
		verdict: "oom_unresolved", confidence: "possible", status: "not_taken", mechanism: "cleanup_only",
	},
	{
		name: "one wait of a minute, by its event alone",
		trace: `# tracer: nop
              a-10      [000] .....    10.000001: contention_begin: 00000000aaaa0001 (flags=MUTEX)
              b-11      [001] .....    70.000006: sched_process_exec: filename=/bin/true pid=11 old_pid=11
`,
		verdict: "hang", confidence: "likely", status: "not_applicable", has: "lock_wait",
	},
	{
		name: "a wait that ended is no wait",
		trace: `# tracer: nop
              a-10      [000] .....    10.000001: contention_begin: 00000000aaaa0001 (flags=WRITE)
              a-10      [000] d..2.    10.000002: sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=D ==> next_comm=b next_pid=11 next_prio=120
              a-10      [000] d..2.    10.000003: <stack trace>
 => __schedule
 => schedule
 => rwsem_down_write_slowpath
 => filename_create
 => do_mkdirat
              b-11      [000] d..2.    19.000002: sched_waking: comm=a pid=10 prio=120 target_cpu=000
              b-11      [000] d..2.    19.000003: sched_switch: prev_comm=b prev_pid=11 prev_prio=120 prev_state=S ==> next_comm=a next_pid=10 next_prio=120
              a-10      [000] .....    19.000004: contention_end: 00000000aaaa0001 (ret=0)
`,
	},
}

func TestTraceRules(t *testing.T) {
	for _, test := range rows {
		t.Run(test.name, func(t *testing.T) {
			rep := analyze(t, oomtrace.Options{}, source("trace", []byte(test.trace)))
			if test.verdict == "" && test.status == "" {
				if len(rep.Incidents) != 0 {
					t.Errorf("%s: %s", rep.Incidents[0].Verdict, rep.Incidents[0].Headline)
				}
				return
			}
			inc := only(t, rep)
			mech := ""
			if inc.SynchronizePath.Mechanism != nil {
				mech = *inc.SynchronizePath.Mechanism
			}
			if test.verdict != "" && (inc.Verdict != test.verdict || inc.Confidence != test.confidence) || inc.SynchronizePath.Status != test.status || mech != test.mechanism {
				t.Errorf("%s (%s), %s %s: %s", inc.Verdict, inc.Confidence, inc.SynchronizePath.Status, mech, inc.Headline)
			}
			if test.cycle != "" && (len(inc.WaitGraph.Cycles) != 1 || strings.Join(inc.WaitGraph.Cycles[0], " ") != test.cycle) {
				t.Errorf("cycles %v, want %s", inc.WaitGraph.Cycles, test.cycle)
			}
			if test.has != "" && !slices.ContainsFunc(inc.Timeline, func(e report.Event) bool { return e.Kind == test.has }) {
				t.Errorf("no %s in the timeline %+v", test.has, inc.Timeline)
			}
		})
	}
}

// TestTraceWaker: who woke the waiter up released the lock.
func TestTraceWaker(t *testing.T) {
	rep := analyze(t, oomtrace.Options{}, source("trace", []byte(rows[len(rows)-1].trace)))
	w := rep.Trace.LockWaits
	if len(w) != 1 || w[0].Open || w[0].Waker == nil || *w[0].Waker != "task:11" || w[0].DurationS < 9 || w[0].DurationS > 9.1 {
		t.Errorf("lock waits: %+v", w)
	}
}

// TestTraceOutputs: the pprof profile has the trace's sample types, and the
// trace events nest as the viewers want them.
func TestTraceOutputs(t *testing.T) {
	for _, name := range []string{"trace-cmd-6.1-fuse-cycle.txt", "graph-6.1-memcg-oom.txt.gz", "events-6.1-memcg-oom.txt", "function-3.14-synchronize.txt"} {
		rep := analyze(t, oomtrace.Options{}, trace(t, name))
		p, err := profile.ParseData(render(t, rep, "pprof"))
		if err != nil {
			t.Fatal(err)
		}
		var types []string
		sums := map[string]int64{}
		for i, st := range p.SampleType {
			types = append(types, st.Type+"/"+st.Unit)
			for _, s := range p.Sample {
				sums[st.Type] += s.Value[i]
			}
		}
		if got := strings.Join(types, " "); got != "tasks/count blocked/nanoseconds oncpu/nanoseconds offcpu/nanoseconds lockwait/nanoseconds calls/count" {
			t.Errorf("%s: sample types %s", name, got)
		}
		switch {
		case strings.HasPrefix(name, "trace-cmd") && (sums["lockwait"] < 75e9 || sums["offcpu"] < 75e9),
			strings.HasPrefix(name, "graph") && (sums["oncpu"] < 1e8 || sums["calls"] < 4000),
			strings.HasPrefix(name, "function") && sums["calls"] != 9:
			t.Errorf("%s: %v", name, sums)
		}
		checkTraceEvents(t, name, render(t, rep, "trace-events"))
	}
}

func checkTraceEvents(t *testing.T, name string, data []byte) {
	t.Helper()
	for _, p := range tracecheck.Check(data, true) {
		t.Errorf("%s: trace events: %s", name, p)
	}
}

// TestTraceQemu: traces of kernels booted for this, with the truth that the
// guest told (testdata/ftrace/SOURCES.md).
func TestTraceQemu(t *testing.T) {
	for _, test := range []struct {
		name                   string
		events                 int
		verdict, status, tasks string
		incidents              int
		console                bool
		edges                  []string
		victims                []int
	}{
		{name: "healthy-events", events: 2450, incidents: 1, verdict: "oom_resolved", status: "not_taken", victims: []int{95, 97}},
		{name: "healthy-events", events: 2450, incidents: 1, verdict: "oom_resolved", status: "not_taken", victims: []int{95, 97}, console: true},
		{name: "healthy-graph", events: 4489, incidents: 2, verdict: "oom_resolved", status: "not_taken", victims: []int{95, 97}},
		{name: "disabled-events", events: 972, incidents: 1, verdict: "hang", status: "taken", edges: []string{"task:95 waits_for oom:?"}},
		{name: "disabled-graph", events: 4330, incidents: 1, verdict: "hang", status: "taken", edges: []string{"task:96 waits_for oom:?"}},
		{name: "lockwait", events: 1452, incidents: 1, verdict: "hang", status: "not_applicable",
			edges: []string{"task:107 waits_for lock:mmap_lock#1", "lock:mmap_lock#1 held_by task:108", "task:108 waits_for resource:sb_freeze:ext4"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			src := []oomtrace.Source{trace(t, "qemu-6.1-"+test.name+".txt.gz")}
			if test.console {
				src = append(src, trace(t, "qemu-6.1-"+test.name+".console.log"))
			}
			rep := analyze(t, oomtrace.Options{}, src...)
			if in := rep.Inputs[0]; in.Records.FtraceEvent != test.events || len(in.Diagnostics) > 0 && in.Diagnostics[0].Code != "summed-times" || len(in.Diagnostics) > 1 {
				t.Errorf("%d events, want %d; %v", in.Records.FtraceEvent, test.events, in.Diagnostics)
			}
			if len(rep.Incidents) != test.incidents {
				t.Fatalf("%d incidents, want %d", len(rep.Incidents), test.incidents)
			}
			var victims []int
			for _, inc := range rep.Incidents {
				if inc.Verdict != test.verdict || inc.SynchronizePath.Status != test.status {
					t.Errorf("%s, %s: %s", inc.Verdict, inc.SynchronizePath.Status, inc.Headline)
				}
				for _, o := range inc.OOMs {
					for _, v := range o.Victims {
						victims = append(victims, v.Pid)
						if v.Fate != "exited" {
							t.Errorf("victim %d: %s", v.Pid, v.Fate)
						}
					}
				}
			}
			slices.Sort(victims)
			if !slices.Equal(victims, test.victims) {
				t.Errorf("victims %v, want %v", victims, test.victims)
			}
			var edges []string
			for _, e := range rep.Incidents[0].WaitGraph.Edges {
				edges = append(edges, e.From+" "+e.Relation+" "+e.To)
			}
			for _, e := range test.edges {
				if !slices.Contains(edges, e) {
					t.Errorf("no edge %q in %q", e, edges)
				}
			}
		})
	}
}

// TestTraceForms: one kind of incident, a healthy OOM, in each form that the
// kernel of 6.12 prints. Every row is counted, and each form that names tasks
// tells the same of them.
func TestTraceForms(t *testing.T) {
	for _, test := range []struct {
		name         string
		events       int
		killed, last int    // pids of hoarder and eater
		diags        string // codes
	}{
		{name: "events", events: 2606, killed: 4758, last: 4760},
		{name: "rows", events: 142, killed: 9439, last: 9441},
		{name: "rows-latency", events: 142, killed: 9439, last: 9441, diags: "latency-tracer"},
		{name: "rows-verbose", events: 142, killed: 9439, last: 9441, diags: "latency-tracer"},
		{name: "rows-bare", events: 142, killed: 9439, diags: "no-context"},
		{name: "rows-cpu0", events: 116, killed: 9439, last: 9441, diags: "one-cpu"},
		{name: "clock-counter", events: 619, killed: 14121, last: 14123, diags: "counter-clock"},
		{name: "clock-uptime", events: 741, killed: 18799, last: 18801, diags: "counter-clock"},
		{name: "clock-x86-tsc", events: 592, killed: 23477, last: 23479, diags: "counter-clock"},
		{name: "clock-boot", events: 147, killed: 28155, last: 28157},
		{name: "clock-tai", events: 1146, killed: 365, last: 367},
		{name: "clock-mono_raw", events: 269, killed: 5043, last: 5045},
		{name: "graph-plain", events: 2237, killed: 9722, last: 9724, diags: "summed-times"},
		{name: "graph-proc", events: 2314, killed: 14401, last: 14403, diags: "summed-times"},
		{name: "graph-all", events: 2220, killed: 19080, last: 19082, diags: "latency-tracer"},
		{name: "graph-tail", events: 2058, killed: 23760, last: 23762, diags: "summed-times"},
		{name: "function", events: 1902, last: 28440},
		{name: "hist-stack", events: 1},
		{name: "hist-task", events: 1},
		{name: "hist-fields", events: 19},
	} {
		t.Run(test.name, func(t *testing.T) {
			rep := analyze(t, oomtrace.Options{}, trace(t, "forms-6.12-"+test.name+".txt.gz"))
			in := rep.Inputs[0]
			var diags []string
			for _, d := range in.Diagnostics {
				diags = append(diags, d.Code)
			}
			if in.Framing != "ftrace" || in.Records.FtraceEvent != test.events || strings.Join(diags, " ") != test.diags {
				t.Errorf("%s, %d events, want %d; %v", in.Framing, in.Records.FtraceEvent, test.events, diags)
			}
			n := int64(0)
			for _, e := range rep.Trace.Inputs[0].Events {
				n += e.Count
				if e.FirstLine < 1 || e.LastLine < e.FirstLine || e.LastLine > in.Lines {
					t.Errorf("%s: lines %d to %d of %d", e.Name, e.FirstLine, e.LastLine, in.Lines)
				}
				for _, f := range e.Fields {
					sum := f.Others
					for _, v := range f.Values {
						sum += v.Count
					}
					if sum != f.Count || f.Count == 0 {
						t.Errorf("%s %s: %d values, %d counted", e.Name, f.Name, f.Count, sum)
					}
				}
			}
			if n != int64(test.events) {
				t.Errorf("%d events by name, want %d", n, test.events)
			}
			if strings.HasPrefix(test.name, "hist-") {
				if len(rep.Incidents) != 0 {
					t.Errorf("a table has no incidents: %s", rep.Incidents[0].Headline)
				}
				if s := rep.Trace.Samples; test.name != "hist-fields" && (len(s) != 1 || s[0].Calls != 23 || s[0].Stack[0] != "try_charge_memcg") {
					t.Errorf("samples %+v", s)
				}
				return
			}
			inc := only(t, rep)
			if test.killed == 0 {
				return
			}
			var killed []int
			for _, o := range inc.OOMs {
				for _, v := range o.Victims {
					killed = append(killed, v.Pid)
				}
			}
			if !slices.Equal(killed, []int{test.killed}) || test.name != "rows-cpu0" && inc.Verdict != "oom_resolved" {
				t.Errorf("%s, killed %v: %s", inc.Verdict, killed, inc.Headline)
			}
			if i := slices.IndexFunc(rep.Trace.Tasks, func(k report.TraceTask) bool { return k.Pid == test.killed }); i >= 0 {
				spans := rep.Trace.Tasks[i].Spans
				if s := spans[len(spans)-1]; s.State != "exiting" {
					t.Errorf("the victim ends %s", s.State)
				}
			} else if test.name != "rows-bare" && test.name != "rows-cpu0" {
				t.Error("no spans of the victim")
			}
			if test.name == "events" && !strings.HasPrefix(inc.Headline, "OOM in /jobevents or a group above it, hoarder/4758 killed") {
				t.Errorf("headline %q", inc.Headline)
			}
			if test.last == 0 {
				return
			}
			i := slices.IndexFunc(rep.Trace.Tasks, func(k report.TraceTask) bool { return k.Pid == test.last })
			if i < 0 {
				t.Fatal("no spans of the task that ran the group out of memory")
			}
			spans := rep.Trace.Tasks[i].Spans
			if !slices.ContainsFunc(spans, func(s report.TraceSpan) bool { return s.State == "sleeping" && s.Open }) && test.name != "function" {
				t.Errorf("it sleeps in pause() when the trace ends, not %+v", spans[len(spans)-1])
			}
			if !slices.ContainsFunc(spans, func(s report.TraceSpan) bool { return s.State == "oom_kill" }) {
				t.Error("it was in the OOM killer")
			}
		})
	}
}

// TestTraceRowForms: the same trace in the kernel's three layouts of a row
// gives the same states, and the verbose one the same times.
func TestTraceRowForms(t *testing.T) {
	spans := func(name string) (out []report.TraceSpan) {
		for _, k := range analyze(t, oomtrace.Options{}, trace(t, "forms-6.12-"+name+".txt.gz")).Trace.Tasks {
			for _, s := range k.Spans {
				s.Line = 0
				out = append(out, s)
			}
		}
		return out
	}
	rows, verbose, latency := spans("rows"), spans("rows-verbose"), spans("rows-latency")
	if len(rows) < 60 || len(verbose) != len(rows) || len(latency) != len(rows) {
		t.Fatalf("%d, %d and %d spans", len(rows), len(verbose), len(latency))
	}
	for i, r := range rows {
		v, l := verbose[i], latency[i]
		if v.State != r.State || l.State != r.State || v.Open != r.Open || v.StartS-r.StartS > 2e-6 || r.StartS-v.StartS > 2e-6 || l.DurationS-r.DurationS > 3e-6 || r.DurationS-l.DurationS > 3e-6 {
			t.Errorf("%+v, verbose %+v, latency format %+v", r, v, l)
		}
	}
}

// TestTraceCmdPlugins: what trace-cmd report prints where the plugins of
// libtraceevent are installed.
func TestTraceCmdPlugins(t *testing.T) {
	rep := analyze(t, oomtrace.Options{}, trace(t, "trace-cmd-6.12-memcg-oom.txt.gz"))
	if in := rep.Inputs[0]; in.Framing != "trace_cmd" || in.Records.FtraceEvent != 7854 || len(in.Diagnostics) > 0 {
		t.Errorf("%s, %d events, %v", in.Framing, in.Records.FtraceEvent, in.Diagnostics)
	}
	inc := only(t, rep)
	var killed []int
	for _, o := range inc.OOMs {
		for _, v := range o.Victims {
			killed = append(killed, v.Pid)
		}
	}
	if s := inc.SynchronizePath; inc.Verdict != "oom_resolved" || !slices.Equal(killed, []int{4760, 4762}) || s.Mechanism == nil || *s.Mechanism != "in_charge" {
		t.Errorf("%s, killed %v: %s", inc.Verdict, killed, inc.Headline)
	}
	for _, k := range rep.Trace.Tasks {
		if k.Pid != 4760 && k.Pid != 4762 {
			t.Errorf("%d %s did nothing that matters", k.Pid, *k.Comm)
		}
		if last := k.Spans[len(k.Spans)-1]; last.State != "exiting" {
			t.Errorf("%d ends %s", k.Pid, last.State)
		}
	}
}
