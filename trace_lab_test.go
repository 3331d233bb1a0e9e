package oomtrace_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/oomtrace/oomtrace"
	"github.com/oomtrace/oomtrace/report"
)

// labRuns are the ways to look at one incident of testdata/qemu/lab.
func labRuns(t *testing.T, trace, console string) []labRun {
	t.Helper()
	tr := source(trace, read(t, "testdata/dmesg/"+trace))
	log := source(console, read(t, "testdata/dmesg/"+console))
	return []labRun{
		{"trace alone", []oomtrace.Source{tr}}, {"console alone", []oomtrace.Source{log}},
		{"both", []oomtrace.Source{log, tr}}, {"both, trace first", []oomtrace.Source{tr, log}},
	}
}

type labRun struct {
	name string
	src  []oomtrace.Source
}

// lab runs check on the one incident of each way, and compares how sure they
// are of it: more evidence must not make it less. It returns the level of the
// trace alone, of the console alone and of both.
func lab(t *testing.T, trace, console string, check func(t *testing.T, inc *report.Incident, traced bool)) (found [3]string) {
	t.Helper()
	levels := []string{"possible", "likely", "confirmed"}
	alone := 0
	for i, r := range labRuns(t, trace, console) {
		t.Run(r.name, func(t *testing.T) {
			rep := analyze(t, oomtrace.Options{}, r.src...)
			for _, in := range rep.Inputs {
				if len(in.Diagnostics) > 0 {
					t.Errorf("%s: %v", in.Name, in.Diagnostics)
				}
			}
			inc := only(t, rep)
			check(t, inc, i != 1)
			level := slices.Index(levels, inc.Confidence)
			found[min(i, 2)] = inc.Confidence
			if i < 2 {
				alone = max(alone, level)
			} else if level < alone {
				t.Errorf("confidence %s, and %s with less evidence", inc.Confidence, levels[alone])
			}
		})
	}
	return found
}

// TestLabCounts: the events that the kernel says it wrote are all read, and so
// are those that a grep for their names finds.
func TestLabCounts(t *testing.T) {
	for name, want := range map[string]map[string]int64{
		"trace-6.1-lab-healthy.log":      {"": 906, "mark_victim": 1, "mm_vmscan_memcg_reclaim_begin": 41, "mm_vmscan_memcg_reclaim_end": 41, "sched_process_exit": 1, "tracing_mark_write": 4},
		"trace-6.1-lab-two-kills.log":    {"": 828, "mark_victim": 2, "sched_process_exit": 2},
		"trace-6.1-lab-oom-disabled.log": {"": 744, "mark_victim": 0, "sched_process_exit": 0},
		"trace-6.1-lab-lockwait.log":     {"": 70, "contention_begin": 4, "contention_end": 0, "tracing_mark_write": 4},
	} {
		rep := analyze(t, oomtrace.Options{}, source(name, read(t, "testdata/dmesg/"+name)))
		if in := rep.Inputs[0]; in.Framing != "ftrace" || int64(in.Records.FtraceEvent) != want[""] || len(in.Diagnostics) != 0 {
			t.Errorf("%s: %s, %d events, %v", name, in.Framing, in.Records.FtraceEvent, in.Diagnostics)
		}
		got := map[string]int64{}
		for _, e := range rep.Trace.Inputs[0].Events {
			got[e.Name] += e.Count
			got[""] += e.Count
		}
		for e, n := range want {
			if got[e] != n {
				t.Errorf("%s: %d %q, want %d", name, got[e], e, n)
			}
		}
	}
}

// TestLabHealthy: eater (102) runs its group out of memory and hoarder (99) is
// killed. mem_cgroup_out_of_memory() is called twice: the second call finds
// the victim dying and kills nobody.
func TestLabHealthy(t *testing.T) {
	lab(t, "trace-6.1-lab-healthy.log", "oom-6.1-lab-healthy.log", func(t *testing.T, inc *report.Incident, traced bool) {
		if inc.Verdict != "oom_resolved" || traced && inc.Confidence != "confirmed" {
			t.Errorf("%s (%s): %s", inc.Verdict, inc.Confidence, inc.Headline)
		}
		for _, f := range inc.Findings {
			if f.Verdict == "deadlock" || f.Verdict == "hang" {
				t.Errorf("%s: %s", f.Rule, f.Summary)
			}
		}
		if s := inc.SynchronizePath; s.Status != "not_taken" || s.Mechanism == nil || *s.Mechanism != "in_charge" {
			t.Errorf("synchronize path: %+v", s)
		}
		if len(inc.OOMs) != 1 || *inc.OOMs[0].Invoker.Pid != 102 || len(inc.OOMs[0].Victims) != 1 || inc.OOMs[0].Victims[0].Pid != 99 || inc.OOMs[0].Victims[0].Fate != "exited" {
			t.Errorf("OOMs: %+v", inc.OOMs)
		}
	})
}

// TestLabTwoKills: the memory of hoarder (100) was not given back yet when
// eater (102) charged again: the kernel killed eater too, within 20 ms.
func TestLabTwoKills(t *testing.T) {
	for _, r := range labRuns(t, "trace-6.1-lab-two-kills.log", "oom-6.1-lab-two-kills.log") {
		t.Run(r.name, func(t *testing.T) {
			var killed []int
			for _, inc := range analyze(t, oomtrace.Options{}, r.src...).Incidents {
				if inc.Verdict != "oom_resolved" {
					t.Errorf("%s (%s): %s", inc.Verdict, inc.Confidence, inc.Headline)
				}
				for _, o := range inc.OOMs {
					for _, v := range o.Victims {
						killed = append(killed, v.Pid)
						if v.Fate != "exited" {
							t.Errorf("victim %d: %s", v.Pid, v.Fate)
						}
					}
				}
			}
			if !slices.Equal(killed, []int{100, 102}) {
				t.Errorf("killed %v", killed)
			}
		})
	}
}

// TestLabDisabled: three tasks sleep in mem_cgroup_oom_synchronize() without
// locks; the handler was told and does nothing.
func TestLabDisabled(t *testing.T) {
	levels := lab(t, "trace-6.1-lab-oom-disabled.log", "sysrq-6.1-lab-oom-disabled.log", func(t *testing.T, inc *report.Incident, _ bool) {
		if inc.Verdict != "hang" || len(inc.Findings) == 0 || inc.Findings[0].Rule != "memcg-oom-user-handler" || len(inc.WaitGraph.Cycles) != 0 {
			t.Errorf("%s (%s): %s", inc.Verdict, inc.Confidence, inc.Headline)
		}
		if s := inc.SynchronizePath; s.Status != "taken" || s.Mechanism == nil || *s.Mechanism != "synchronize_wait" {
			t.Errorf("synchronize path: %+v", s)
		}
		for _, id := range []string{"task:101", "task:102", "task:103"} {
			if !slices.ContainsFunc(inc.WaitGraph.Edges, func(e report.Edge) bool { return e.From == id && e.To == "oom:?" && e.Relation == "waits_for" }) {
				t.Errorf("%s does not wait for the OOM", id)
			}
		}
		if len(inc.WaitGraph.Edges) != 3 || len(inc.OOMs) != 0 {
			t.Errorf("edges %+v, OOMs %+v", inc.WaitGraph.Edges, inc.OOMs)
		}
	})
	// The dumps show where they sleep at one time, the trace for how long.
	if levels != [3]string{"likely", "likely", "confirmed"} {
		t.Errorf("trace alone %s, console alone %s, both %s", levels[0], levels[1], levels[2])
	}
}

// TestLabLockWait: holder (99) sleeps in write() on a page that its userfaultfd
// monitor never fills. truncer (101), writer (102) and unlinker (104) want the
// file's i_rwsem, creator (106) the directory's, which unlinker has. Holder
// sleeps in S: the hung-task reports do not name it.
func TestLabLockWait(t *testing.T) {
	behind := map[string]string{"task:101": "task:99", "task:102": "task:99", "task:104": "task:99", "task:106": "task:104"}
	lab(t, "trace-6.1-lab-lockwait.log", "hung-6.1-lab-lockwait.log", func(t *testing.T, inc *report.Incident, traced bool) {
		if inc.Verdict != "hang" || inc.SynchronizePath.Status != "not_applicable" || len(inc.WaitGraph.Cycles) != 0 {
			t.Errorf("%s (%s): %s", inc.Verdict, inc.Confidence, inc.Headline)
		}
		if want := "holder (pid 99) waits for a userfaultfd monitor to fill a page; 4 more wait behind it"; inc.Headline != want {
			t.Errorf("headline %q", inc.Headline)
		}
		waits := map[string]string{}
		for _, e := range inc.WaitGraph.Edges {
			if behind[e.From] == "" || e.Relation != "waits_for" {
				continue
			}
			if traced != (e.Basis == "contention_event") {
				t.Errorf("%s -> %s: basis %s", e.From, e.To, e.Basis)
			}
			for _, h := range inc.WaitGraph.Edges {
				if h.From == e.To && h.Relation == "held_by" {
					if waits[e.From] != "" {
						t.Errorf("%s waits for %s and for %s", e.From, waits[e.From], h.To)
					}
					waits[e.From] = h.To
				}
			}
		}
		for w, h := range behind {
			if waits[w] != h {
				t.Errorf("%s waits for %q, want %s", w, waits[w], h)
			}
		}
		addrs := map[string]bool{}
		for _, n := range inc.WaitGraph.Nodes {
			if n.Kind == "lock" && n.Address != nil {
				addrs[*n.Address] = true
			}
		}
		if traced && (!addrs["00000000037da8a8"] || !addrs["000000009c4f7dad"] || len(addrs) != 2) {
			t.Errorf("locks at %v", addrs)
		}
	})
}

// TestTraceHolder: hung-task reports show that two tasks wait, and a stack that
// may hold the lock; the trace tells the lock by its address and who took it.
// Written to the formats of 3.2: no kernel was made to do this.
func TestTraceHolder(t *testing.T) {
	log := string(read(t, "testdata/dmesg/oom-3.2-memcg-trap-ext3.log"))
	// Until the whole dump: after the OOM report nothing shows the charger.
	log, _, ok := strings.Cut(log, "[   28.957809] SysRq : Show State")
	if !ok {
		t.Fatal("the log has no sysrq-t")
	}
	const trace = `# tracer: nop
        bigwrite-51      [000] ....     4.000000: lock_acquire: ffff88000a1b2c30 &sb->s_type->i_mutex_key
        bigwrite-51      [000] ....     4.000001: lock_acquired: ffff88000a1b2c30 &sb->s_type->i_mutex_key
         truncer-47      [001] ....     5.100000: lock_acquire: ffff88000a1b2c30 &sb->s_type->i_mutex_key
         truncer-47      [001] ....     5.100001: lock_contended: ffff88000a1b2c30 &sb->s_type->i_mutex_key
         truncer-47      [001] d..3     5.100002: sched_switch: prev_comm=truncer prev_pid=47 prev_prio=120 prev_state=D ==> next_comm=swapper/1 next_pid=0 next_prio=120
         truncer-47      [001] d..3     5.100003: <stack trace>
 => schedule
 => __mutex_lock_common.isra.5
 => __mutex_lock_slowpath
 => mutex_lock
 => do_truncate
 => do_last
 => path_openat
 => do_filp_open
 => do_sys_open
 => sys_open
 => system_call_fastpath
            init-1       [000] ....    28.000000: tracing_mark_write: end
`
	console, tr := source("console", []byte(log)), source("trace", []byte(trace))
	for _, test := range []struct {
		name, confidence, basis string
		src                     []oomtrace.Source
	}{
		{"console alone", "likely", "frame_model", []oomtrace.Source{console}},
		{"both", "confirmed", "trace", []oomtrace.Source{console, tr}},
		{"both, trace first", "confirmed", "trace", []oomtrace.Source{tr, console}},
	} {
		t.Run(test.name, func(t *testing.T) {
			rep := analyze(t, oomtrace.Options{}, test.src...)
			for _, inc := range rep.Incidents {
				if inc.Verdict != "deadlock" {
					continue
				}
				if inc.Confidence != test.confidence {
					t.Errorf("%s: %s\n%s", inc.Confidence, inc.Headline, strings.Join(inc.Findings[0].Explanation, "\n"))
				}
				i := slices.IndexFunc(inc.WaitGraph.Edges, func(e report.Edge) bool { return e.Relation == "held_by" })
				if e := inc.WaitGraph.Edges[i]; e.To != "task:51" || e.Basis != test.basis {
					t.Errorf("%+v", e)
				}
				return
			}
			t.Error("no deadlock")
		})
	}
}
