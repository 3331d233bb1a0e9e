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
		{"preempted, then woken: two kinds of waiting for a CPU", `# tracer: nop
 a-10 [000] ..... 1.000000: contention_begin: 00000000aaaa0001 (flags=WRITE)
 a-10 [000] d..2. 1.500001: sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=R+ ==> next_comm=b next_pid=11 next_prio=120
 b-11 [000] d..2. 2.000000: sched_switch: prev_comm=b prev_pid=11 prev_prio=120 prev_state=S ==> next_comm=a next_pid=10 next_prio=120
 a-10 [000] d..2. 2.100000: sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=D ==> next_comm=swapper/0 next_pid=0 next_prio=120
 c-12 [001] d..2. 3.000000: sched_waking: comm=a pid=10 prio=120 target_cpu=000
 swapper/0-0 [000] d..2. 3.500000: sched_switch: prev_comm=swapper/0 prev_pid=0 prev_prio=120 prev_state=R ==> next_comm=a next_pid=10 next_prio=120
 a-10 [000] ..... 3.500002: contention_end: 00000000aaaa0001 (ret=0)
`, 10, "lock_wait running runnable running blocked runnable running..."},
		{"an event of a task off its CPU: it is back, its switch was lost", `# tracer: nop
 a-10 [000] ..... 1.000000: mm_vmscan_memcg_reclaim_begin: order=0 gfp_flags=GFP_KERNEL
 a-10 [000] d..2. 1.500000: sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=D ==> next_comm=b next_pid=11 next_prio=120
CPU:0 [LOST 12 EVENTS]
 a-10 [000] ..... 2.500000: mm_vmscan_memcg_reclaim_end: nr_reclaimed=0
`, 10, "reclaiming running blocked running..."},
		{"woken and not yet back at the end: it sleeps no more", `# tracer: nop
 a-10 [000] ..... 1.000000: mark_victim: pid=12
 a-10 [000] d..2. 1.500000: sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=D|K ==> next_comm=b next_pid=11 next_prio=120
 b-11 [000] d..2. 2.500000: sched_waking: comm=a pid=10 prio=120 target_cpu=000
 b-11 [000] d..2. 2.600000: mark_victim: pid=13
`, 10, "running oom_kill blocked runnable..."},
		{"stopped by a signal", `# tracer: nop
 a-10 [000] ..... 1.000000: mark_victim: pid=12
 a-10 [000] d..2. 1.500000: sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=T ==> next_comm=b next_pid=11 next_prio=120
 b-11 [000] d..2. 2.600000: mark_victim: pid=13
`, 10, "running oom_kill stopped..."},
		{"2.6.32 and libtraceevent's plugin", `# tracer: nop
 a-10 [000] 1.000000: sched_switch: task x:y:9 [120] (S) ==> a:10 [120]
 a-10 [000] 1.200000: mark_victim: pid=12
 a-10 [000] 1.500000: sched_switch: task a:10 [120] (D) ==> x:y:9 [120]
 b-11 [001] 1.600000: sched_wakeup: task a:10 [120] success=1 [000]
 x-9 [000] 2.000000: sched_switch: x:y:9 [120] S ==> a:10 [120]
 a-10 [000] 2.500000: sched_switch: a:10 [120] D|K ==> x:y:9 [120]
 b-11 [001] 2.600000: sched_waking: a:10 [120] CPU:000
 x-9 [000] 3.000000: sched_switch: x:y:9 [120] R ==> a:10 [120]
 a-10 [000] 3.500000: sched_process_exit: task a:10 [120]
`, 10, "running oom_kill blocked runnable running blocked runnable running exiting"},
		{"the wakeup tracer's own entries", `# tracer: wakeup
 a-10 [000] d... 1.000000: mark_victim: pid=12
 a-10 [000] d... 1.500000:     10:120:D ==> [000]     9:  0:R x
 x-9  [000] d... 1.600000:      9:  0:R   + [000]    10:120:D a
 x-9  [000] d... 2.000000:      9:  0:S ==> [000]    10:120:R a
`, 10, "running oom_kill blocked running..."},
		{"a system call it never leaves, and why it sleeps there", `# tracer: nop
 a-10 [000] ..... 1.000000: sys_enter: NR 1 (3, 7ffd2bc4a3c0, 400, 0, 0, 0)
 a-10 [000] ..... 1.100000: sys_exit: NR 1 = 1024
 a-10 [000] ..... 1.200000: sys_write(fd: 3, buf: 7ffd2bc4a3c0, count: 400)
 a-10 [000] d..2. 1.500000: sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=D ==> next_comm=b next_pid=11 next_prio=120
 b-11 [000] d..2. 9.500000: mark_victim: pid=13
`, 10, "running syscall syscall... blocked..."},
		{"a fault that was unwound for the memcg's OOM and restarted", `# tracer: nop
 a-10 [000] ..... 1.000000: page_fault_user: address=0x7f12a4c01000 ip=0x55d0 error_code=0x6
 a-10 [000] ..... 1.100000: pagefault_out_of_memory <-do_user_addr_fault
 a-10 [000] ..... 1.300000: page_fault_user: address=0x7f12a4c01000 ip=0x55d0 error_code=0x6
 a-10 [000] ..... 1.400000: page_fault_user: address=0x7f12a4c02000 ip=0x55d0 error_code=0x6
`, 10, "fault synchronize"},
		{"back in user space: what it waited for is over, though its end was lost", `# tracer: nop
 a-10 [000] ..... 1.000000: contention_begin: 00000000aaaa0001 (flags=WRITE)
 a-10 [000] ..... 2.000000: sys_exit: NR 1 = 1024
 b-11 [000] ..... 9.000000: sys_exit: NR 1 = 1024
`, 10, "lock_wait"},
		{"the files of two CPUs, one after the other", `# tracer: nop
 a-10 [000] d..2. 1.000000: sched_switch: prev_comm=b prev_pid=11 prev_prio=120 prev_state=S ==> next_comm=a next_pid=10 next_prio=120
 a-10 [000] ..... 1.100000: mark_victim: pid=13
 a-10 [000] d..2. 5.000000: sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=D ==> next_comm=b next_pid=11 next_prio=120
# tracer: nop
 a-10 [001] d..2. 2.000000: sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=S ==> next_comm=c next_pid=12 next_prio=120
 c-12 [001] d..2. 9.000000: mark_victim: pid=14
`, 10, "running oom_kill blocked..."},
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

// TestSchedState: the numbers that hist triggers, bpf and perf print, and the
// letters of every version.
func TestSchedState(t *testing.T) {
	for in, want := range map[string]string{
		"sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=0 ==> next_comm=b next_pid=11 next_prio=120":    "runnable",
		"sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=256 ==> next_comm=b next_pid=11 next_prio=120":  "runnable",
		"sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=1 ==> next_comm=b next_pid=11 next_prio=120":    "sleeping",
		"sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=128 ==> next_comm=b next_pid=11 next_prio=120":  "sleeping",
		"sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=1026 ==> next_comm=b next_pid=11 next_prio=120": "sleeping",
		"sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=130 ==> next_comm=b next_pid=11 next_prio=120":  "blocked",
		"sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=8 ==> next_comm=b next_pid=11 next_prio=120":    "stopped",
		"sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=I ==> next_comm=b next_pid=11 next_prio=120":    "sleeping",
		"sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=P ==> next_comm=b next_pid=11 next_prio=120":    "sleeping",
		"sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=32 ==> next_comm=b next_pid=11 next_prio=120":   "exiting",
		"sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=x ==> next_comm=b next_pid=11 next_prio=120":    "exiting",
		"sched_switch: a:10 [120] W ==> b:11 [120]": "sleeping",
	} {
		_, tr := traced(t, "# tracer: nop\n a-10 [000] ..... 1.000000: mark_victim: pid=13\n a-10 [000] d..2. 2.000000: "+in+"\n b-11 [000] ..... 9.000000: mark_victim: pid=14\n")
		got := states(tr.Task(10))
		if got = strings.TrimSuffix(got[strings.LastIndexByte(got, ' ')+1:], "..."); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

// TestOffCPU: the time off the CPU goes to the stack of the switch, whatever
// the state.
func TestOffCPU(t *testing.T) {
	_, tr := traced(t, `# tracer: nop
 a-10 [000] d..2. 1.000000: sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=S ==> next_comm=b next_pid=11 next_prio=120
 a-10 [000] d..2. 1.000001: <stack trace>
 => __schedule
 => schedule
 => pipe_read
 b-11 [000] d..2. 3.000000: sched_switch: prev_comm=b prev_pid=11 prev_prio=120 prev_state=R+ ==> next_comm=a next_pid=10 next_prio=120
 b-11 [000] d..2. 3.000001: <stack trace>
 => __schedule
 => preempt_schedule_irq
 => shrink_slab
 a-10 [000] d..2. 3.500000: sched_switch: prev_comm=a prev_pid=10 prev_prio=120 prev_state=S ==> next_comm=b next_pid=11 next_prio=120
 a-10 [000] d..2. 3.500001: <stack trace>
 => __schedule
 => schedule
 => pipe_read
 b-11 [000] d..2. 5.500000: tracing_mark_write: end
`)
	want := map[string]int64{"a pipe_read": 4e9, "b shrink_slab": 5e8}
	for _, s := range tr.Samples {
		k := s.Comm + " " + s.Stack[len(s.Stack)-1]
		if s.OffCPUNS != want[k] {
			t.Errorf("%s: %d ns off its CPU, want %d", k, s.OffCPUNS, want[k])
		}
		delete(want, k)
	}
	if len(want) > 0 {
		t.Errorf("no samples of %v", want)
	}
}

// TestTracerFields: an event that no rule knows is kept as its fields.
func TestTracerFields(t *testing.T) {
	var b strings.Builder
	b.WriteString("# tracer: nop\n")
	for i := range 20 {
		b.WriteString(" a-10 [000] ..... 1.0000" + itoa(10+i) + ": block_rq_issue: 8,0 W nr=" + itoa(i+1) + " cmd=two words flags=0x" + itoa(i%2+1) + " size:" + itoa(4*i+4) + "kB ==> to=x\n")
	}
	b.WriteString(" a-10 [000] ..... 2.000000: myevent: plain text\n")
	_, tr := traced(t, b.String())
	if len(tr.Fields) != 1 || len(tr.Fields[0]) != 2 {
		t.Fatalf("%d traces, %+v", len(tr.Fields), tr.Fields)
	}
	e := tr.Fields[0][0]
	names := ""
	for _, f := range e.Fields {
		names += "[" + f.Name + "]"
		if f.Count != 20 {
			t.Errorf("%s: %d times", f.Name, f.Count)
		}
	}
	if e.Name != "block_rq_issue" || names != "[][nr][cmd][flags][size][to]" {
		t.Fatalf("%s %s", e.Name, names)
	}
	f := e.Fields
	if f[0].Values[0].Value != "8,0 W" || f[1].Min != 1 || f[1].Max != 20 || !f[1].Numeric || len(f[1].Values) != 8 || f[1].Others != 12 || f[2].Numeric || f[2].Values[0].Value != "two words" ||
		f[3].Max != 2 || len(f[3].Values) != 2 || f[3].Values[0].Count != 10 || f[4].Min != 4 || f[4].Max != 80 || f[5].Values[0].Value != "x" {
		t.Errorf("%+v", f)
	}
	if x := tr.Fields[0][1]; len(x.Fields) != 1 || x.Fields[0].Name != "" || x.Fields[0].Values[0].Value != "plain text" {
		t.Errorf("%+v", x)
	}
}

// TestTracerSignals: who killed whom, when it was sent and when it arrived.
func TestTracerSignals(t *testing.T) {
	_, tr := traced(t, `# tracer: nop
 killer-9 [000] d..2. 1.000000: signal_generate: sig=9 errno=0 code=128 comm=victim pid=10 grp=1 res=0
 victim-10 [001] d..2. 1.500000: signal_deliver: sig=9 errno=0 code=128 sa_handler=0 sa_flags=0
 killer-9 [000] d..2. 2.000000: signal_generate: sig=15 errno=0 code=0 comm=other pid=11 grp=1 res=0
 killer-9 [000] d..2. 2.100000: signal_generate: sig=17 errno=0 code=-6 comm=other pid=11 grp=1 res=1
`)
	v, o := tr.Task(10).Signals, tr.Task(11).Signals
	if len(v) != 1 || v[0].Signal != 9 || v[0].Code != 128 || v[0].From != 9 || !v[0].IsDelivered || v[0].Delivered != 1.5 {
		t.Errorf("victim: %+v", v)
	}
	if len(o) != 1 || o[0].Signal != 15 || o[0].Code != 0 || o[0].IsDelivered {
		t.Errorf("other: %+v", o)
	}
}

// TestTracerGroups: what tells the memory cgroup of a task.
func TestTracerGroups(t *testing.T) {
	_, tr := traced(t, `# tracer: nop
 sh-9 [000] ..... 1.000000: cgroup_attach_task: dst_root=0 dst_id=27 dst_level=1 dst_path=/job pid=10 comm=sh
 sh-9 [000] ..... 1.000001: cgroup_attach_task: dst_root=3 dst_id=2 dst_level=1 dst_path=/cpuset pid=10 comm=sh
 sh-9 [000] ..... 1.000002: cgroup_mkdir: root=0 id=44 level=1 path=/other
 a-10 [001] ..... 1.100000: mmap_lock_start_locking: mm=00000000386553a6 memcg_path=/ write=true
 a-10 [001] ..... 1.200000: sched_process_fork: comm=a pid=10 child_comm=a child_pid=12
 b-11 [001] ..... 1.300000: mmap_lock_start_locking: mm=000000003638ed07 memcg_id=44 write=true
 c-13 [001] ..... 1.400000: mmap_lock_start_locking: mm=000000003638ed07 memcg_path=/third write=true
`)
	for pid, want := range map[int]string{10: "/job", 12: "/job", 11: "/other", 13: "/third", 9: ""} {
		if got := tr.Task(pid).Memcg; got != want {
			t.Errorf("%d: %q, want %q", pid, got, want)
		}
	}
}

// TestTables: a table of stacks makes samples, and neither states nor sightings
// of the tasks that it names.
func TestTables(t *testing.T) {
	evs, tr := traced(t, `@[
    schedule+64
    rwsem_down_write_slowpath+277
    do_truncate+1
, java, 4211]: 17
@us[
    schedule+64
    rwsem_down_write_slowpath+277
    do_truncate+1
, java, 4211]: 9000000
@lat_us[
    schedule+64
    pipe_read+1
]:
[8, 16)                3 |@@@@@@@@@@@@@@@@@                                   |
[16, 32)               9 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@|
# event histogram
#
{ common_pid: java            [      4211], common_stacktrace:
         schedule+0x60/0xe0
         rwsem_down_write_slowpath+0x115/0x1a0
         do_truncate+0x1/0x20
} hitcount:         2  lat:         500
`)
	if len(evs) != 1 || len(tr.Task(4211).Spans) != 0 || len(tr.Waits) != 0 {
		t.Errorf("%d events, %+v, %+v", len(evs), tr.Task(4211), tr.Waits)
	}
	if len(tr.Samples) != 2 {
		t.Fatalf("%+v", tr.Samples)
	}
	a, b := tr.Samples[0], tr.Samples[1]
	if a.Comm != "java" || a.Calls != 19 || len(a.Weights) != 2 || a.Weights[0] != (stacks.TraceWeight{Name: "@us", Sum: 9000000}) || a.Weights[1].Sum != 500 || a.OffCPUNS != 0 {
		t.Errorf("%+v", a)
	}
	if b.Calls != 12 || len(b.Weights) != 0 {
		t.Errorf("%+v", b)
	}
}

// TestPerfSamples: stacks of perf's clock are time on the CPU, those of switches
// time off it.
func TestPerfSamples(t *testing.T) {
	_, tr := traced(t, `java  4211 [001] 10.000000:     250000 cpu-clock:pppH: 
	ffffffff81a3c2d8 shrink_lruvec+0x2d8 ([kernel.kallsyms])
	ffffffff81a3c5f0 try_to_free_mem_cgroup_pages+0x60 ([kernel.kallsyms])

java  4211 [001] 10.500000: sched:sched_switch: java:4211 [120] D ==> swapper/1:0 [120]
	ffffffff81a3c2d8 __schedule+0x2d8 ([kernel.kallsyms])
	ffffffff81a3c5f0 io_schedule+0x60 ([kernel.kallsyms])

swapper     0 [001] 11.500000: sched:sched_switch: swapper/1:0 [120] R ==> java:4211 [120]
	ffffffff81a3c2d8 __schedule+0x2d8 ([kernel.kallsyms])

`)
	if len(tr.Samples) != 2 || tr.Samples[0].OnCPUNS != 250000 || tr.Samples[0].Calls != 1 || tr.Samples[1].OffCPUNS != 1e9 {
		t.Errorf("%+v", tr.Samples)
	}
}
