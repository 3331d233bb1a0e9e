package stacks_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

// traced reads a trace and returns what it proves.
func traced(t testing.TB, text string) ([]parse.Event, *stacks.Trace) {
	t.Helper()
	var tr stacks.Tracer
	if _, err := parse.Read(strings.NewReader(text), parse.Options{}, func(e parse.Event) { tr.Take(e) }); err != nil {
		t.Fatal(err)
	}
	evs := tr.End()
	for _, e := range evs {
		if x, ok := e.(*stacks.Trace); ok {
			return evs, x
		}
	}
	return evs, nil
}

func traceLogs(t testing.TB) map[string]string {
	files, _ := filepath.Glob("../parse/testdata/ftrace-*.txtar")
	out := map[string]string{}
	for _, f := range files {
		data, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		out[filepath.Base(f)] = string(txtar.Parse(data).Files[0].Data)
	}
	if len(out) == 0 {
		t.Fatal("no traces")
	}
	return out
}

func states(k *stacks.TraceTask) string {
	var out []string
	for _, s := range k.Spans {
		x := s.State
		if s.Open {
			x += "..."
		}
		out = append(out, x)
	}
	return strings.Join(out, " ")
}

func TestTracerStates(t *testing.T) {
	for _, test := range []struct {
		name, trace string
		pid         int
		want        string
	}{
		{"a wait for a lock inside its sleep", `# tracer: nop
 a-10 [000] d..2. 1.000001: sched_switch: prev_comm=b prev_pid=11 prev_prio=120 prev_state=S ==> next_comm=a next_pid=10 next_prio=120
 a-10 [000] ..... 1.500000: contention_begin: 00000000aaaa0001 (flags=WRITE)
 a-10 [000] d..2. 1.500001: sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=D ==> next_comm=b next_pid=11 next_prio=120
 b-11 [000] d..2. 3.500001: sched_switch: prev_comm=b prev_pid=11 prev_prio=120 prev_state=R+ ==> next_comm=a next_pid=10 next_prio=120
 a-10 [000] ..... 3.500002: contention_end: 00000000aaaa0001 (ret=0)
 a-10 [000] d..2. 3.600000: sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=Z ==> next_comm=b next_pid=11 next_prio=120
`, 10, "running lock_wait blocked running exiting"},
		{"reclaim that never ends", `# tracer: nop
 a-10 [000] ..... 1.500000: mm_vmscan_memcg_reclaim_begin: order=0 gfp_flags=GFP_KERNEL
 a-10 [000] ..... 1.600000: mm_vmscan_memcg_reclaim_end: nr_reclaimed=0
 a-10 [000] ..... 1.700000: mm_vmscan_memcg_reclaim_begin: order=0 gfp_flags=GFP_KERNEL
 b-11 [000] ..... 9.700000: sched_process_exec: filename=/x pid=11 old_pid=11
`, 10, "reclaiming reclaiming..."},
		{"the trap of 2.6.34 to 3.11", `# tracer: nop
 a-10 [000] d..2 1.500001: sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=D|K ==> next_comm=b next_pid=11 next_prio=120
 a-10 [000] d..2 1.500002: <stack trace>
 => schedule
 => mem_cgroup_handle_oom
 => __mem_cgroup_try_charge
 => mem_cgroup_cache_charge
 b-11 [000] .... 9.700000: sched_process_exec: filename=/x pid=11 old_pid=11
`, 10, "oom_wait..."},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, tr := traced(t, test.trace)
			if got := states(tr.Task(test.pid)); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// TestTracerTotals: what is left out of the spans stays in the totals.
func TestTracerTotals(t *testing.T) {
	var b strings.Builder
	b.WriteString("# tracer: nop\n")
	for i := range 2000 {
		b.WriteString(" a-10 [000] ..... " + itoa(i+1) + ".100000: mm_vmscan_memcg_reclaim_begin: order=0\n")
		b.WriteString(" a-10 [000] ..... " + itoa(i+1) + ".200000: mm_vmscan_memcg_reclaim_end: nr_reclaimed=0\n")
	}
	_, tr := traced(t, b.String())
	k := tr.Task(10)
	if len(k.Spans)+k.More != 2000 || len(k.Spans) > 256 || len(k.Totals) != 1 || k.Totals[0].Count != 2000 || k.Totals[0].S < 199.9 || k.Totals[0].S > 200.1 {
		t.Errorf("%d spans, %d more, totals %+v", len(k.Spans), k.More, k.Totals)
	}
	if !slices.IsSortedFunc(k.Spans, func(a, b stacks.TraceSpan) int { return int(a.Start - b.Start) }) {
		t.Error("spans are not in order")
	}
}

func itoa(n int) string {
	s := ""
	for ; n > 0; n /= 10 {
		s = string(rune('0'+n%10)) + s
	}
	return s
}

func checkTrace(t *testing.T, text string) {
	evs, tr := traced(t, text)
	var c stacks.Collector
	for _, e := range evs {
		c.Add(e)
	}
	snaps := c.Snapshots()
	if tr == nil {
		if len(evs) != 0 {
			t.Error("events without a trace")
		}
		return
	}
	if len(snaps) == 0 {
		t.Error("a trace without a snapshot")
	}
	for _, k := range tr.Tasks {
		if k.Pid <= 0 || len(k.Spans) > 256 {
			t.Errorf("task %d with %d spans", k.Pid, len(k.Spans))
		}
		for _, s := range k.Spans {
			if s.Dur < 0 || s.State == "" || s.Count < 1 {
				t.Errorf("task %d: %+v", k.Pid, s)
			}
		}
	}
	for _, s := range tr.Samples {
		if s.Calls < 0 || s.OnCPUNS < 0 || s.OffCPUNS < 0 || s.LockWaitNS < 0 || len(s.Stack) == 0 {
			t.Errorf("sample %+v", s)
		}
	}
}

func TestTracerCut(t *testing.T) {
	for name, log := range traceLogs(t) {
		for i := range log {
			if log[i] == '\n' {
				checkTrace(t, log[:i+1])
				checkTrace(t, log[i+1:])
			}
		}
		if t.Failed() {
			t.Fatal(name)
		}
	}
}

func FuzzTracer(f *testing.F) {
	for _, log := range traceLogs(f) {
		f.Add(log[:min(len(log), 4000)])
	}
	f.Fuzz(func(t *testing.T, text string) { checkTrace(t, text) })
}
