package stacks_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

// ooms is a log of n OOM reports: groups says which group report i is of, "" for
// one that it does not name.
func ooms(n int, group func(i int) string) string {
	var b strings.Builder
	b.WriteString(linux)
	for i := range n {
		at := fmt.Sprintf("[%5d.%06d] ", 100+i, i*37%1000000)
		pid := 1000 + 3*i
		b.WriteString(at + "java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n")
		b.WriteString(at + fmt.Sprintf("CPU: 1 PID: %d Comm: java Not tainted 6.1.0-21-amd64 #1\n", pid))
		b.WriteString(at + "Call Trace:\n" + at + " <TASK>\n")
		for _, f := range []string{"dump_header", "oom_kill_process", "out_of_memory", "mem_cgroup_out_of_memory", "try_charge_memcg", "charge_memcg", "__handle_mm_fault", "asm_exc_page_fault"} {
			if f == "charge_memcg" && i%5 == 2 {
				b.WriteString(at + "eth0: a line between\n")
			}
			b.WriteString(at + " " + f + "+0x10/0x100\n")
		}
		b.WriteString(at + " </TASK>\n" + at + "memory: usage 32768kB, limit 32768kB, failcnt 23\n")
		b.WriteString(at + "Tasks state (memory values in pages):\n" + at + "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name\n")
		for p := pid; p < pid+3; p++ {
			tgid := p
			if i%7 == 3 && p == pid+1 {
				tgid = pid // a thread
			}
			b.WriteString(at + fmt.Sprintf("[%7d]     0 %5d     8791     8280   106496        0             0 java\n", p, tgid))
		}
		victim := pid + 2
		if g := group(i); g != "" {
			b.WriteString(at + fmt.Sprintf("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=%s,task_memcg=%s,task=java,pid=%d,uid=0\n", g, g, victim))
		}
		kill := fmt.Sprintf("Memory cgroup out of memory: Killed process %d (java) total-vm:%dkB, anon-rss:%dkB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:104kB oom_score_adj:0\n", victim, 40000+i, 30000+i*7%100)
		b.WriteString(at + kill)
		if i%4 != 0 {
			b.WriteString(strings.Replace(at, ".", ".9", 1)[:len(at)-2] + "] " + fmt.Sprintf("oom_reaper: reaped process %d (java), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB\n", victim))
		}
	}
	return b.String()
}

func snapshot(t *testing.T, above int, logs ...string) *stacks.Snapshot {
	t.Helper()
	c := stacks.Collector{FoldAbove: above}
	for i, l := range logs {
		if _, err := parse.Read(strings.NewReader(l), parse.Options{Input: i}, c.Add); err != nil {
			t.Fatal(err)
		}
	}
	s := c.Snapshots()
	if len(s) != 1 {
		t.Fatalf("%d snapshots", len(s))
	}
	return s[0]
}

func oneGroup(int) string { return "/job" }

// TestPackedReports: a report that comes back is what it was, but for sizes,
// statistics and rows.
func TestPackedReports(t *testing.T) {
	const n = 60
	// Every task is seen again, so that all reports come back.
	log := ooms(n, oneGroup)
	for i := range n {
		log += fmt.Sprintf("[ 9000.%06d] INFO: task java:%d blocked for more than 120 seconds.\n", i, 1000+3*i+2)
	}
	whole, packed := snapshot(t, 1<<20, log), snapshot(t, 1, log)
	if len(packed.OOMs) != n || len(packed.Kills) != n || len(packed.Folded) != 0 {
		t.Fatalf("%d reports, %d kills, %d folded", len(packed.OOMs), len(packed.Kills), len(packed.Folded))
	}
	some := 0
	less := cmp.Options{
		cmpopts.IgnoreFields(parse.OOM{}, "CPU", "Constraint", "Memory", "Memswap", "Swap", "Kmem", "Stats", "Candidates", "VictimPid", "VictimComm", "Trace", "Kills"),
		cmpopts.IgnoreFields(parse.Kill{}, "Report"),
		cmpopts.IgnoreFields(parse.Meta{}, "End", "Seq", "Caller"),
	}
	for i, o := range packed.OOMs {
		w := whole.OOMs[i]
		if o.Memory.Present {
			continue // it was kept
		}
		some++
		if d := cmp.Diff(w, o, less); d != "" {
			t.Errorf("report %d: %s", i, d)
		}
		for j := range o.Candidates {
			if c, x := o.Candidates[j], w.Candidates[j]; c.Pid != x.Pid || c.Tgid != x.Tgid || c.TotalVM != -1 {
				t.Errorf("report %d: candidate %+v, was %+v", i, c, x)
			}
		}
		if len(o.Trace.Frames) != len(w.Trace.Frames) {
			t.Fatalf("report %d: %d frames, were %d", i, len(o.Trace.Frames), len(w.Trace.Frames))
		}
		for j := range o.Trace.Frames {
			if a, b := &o.Trace.Frames[j], &w.Trace.Frames[j]; a.Func != b.Func || o.Trace.Line(a) != w.Trace.Line(b) {
				t.Errorf("report %d: frame %s at line %d, was %s at line %d", i, a.Func, o.Trace.Line(a), b.Func, w.Trace.Line(b))
			}
		}
		if d := cmp.Diff(w.Kills, o.Kills, less); d != "" {
			t.Errorf("report %d: %s", i, d)
		}
		if a, b := whole.Reaped(o.Kills[0].Pid), packed.Reaped(o.Kills[0].Pid); len(a) != len(b) || len(a) > 0 && (a[0].Span != b[0].Span || a[0].Stamp != b[0].Stamp || !b[0].OK) {
			t.Errorf("report %d: reaped %+v, was %+v", i, b, a)
		}
	}
	if some < n/2 {
		t.Errorf("only %d reports were packed", some)
	}
}

// TestFolded: what is folded is counted, once.
func TestFolded(t *testing.T) {
	const n = 1000
	three := func(i int) string { return fmt.Sprintf("/job-%d", i%3) }
	for name, logs := range map[string][]string{
		"one log": {ooms(n, three)},
		"twice":   {ooms(n, three), ooms(n, three)},
	} {
		s := snapshot(t, 0, logs...)
		reports, kills, ended := len(s.OOMs), len(s.Kills), 0
		for _, f := range s.Folded {
			reports += f.Reports
			kills += f.Kills
			ended += f.Reaped + f.Exited
			if f.Unknown != 0 || f.Incidents != 0 || len(f.Moments) != f.Reports || f.Of == nil {
				t.Errorf("%s: %d unknown, %d incidents, %d moments of %d", name, f.Unknown, f.Incidents, len(f.Moments), f.Reports)
			}
		}
		if reports != n || kills != n || len(s.Folded) != 3 || ended < n-100 || len(s.OOMs) > 100 {
			t.Errorf("%s: %d reports, %d of them kept, %d kills, %d ended, %d folded", name, reports, len(s.OOMs), kills, ended, len(s.Folded))
		}
	}
}

// TestFoldedGroups: thousands of groups that run out of memory once each are
// folded too.
func TestFoldedGroups(t *testing.T) {
	const n = 3000
	for name, group := range map[string]func(i int) string{
		"each its own": func(i int) string { return fmt.Sprintf("/pod/%d", i) },
		"not named":    func(int) string { return "" },
	} {
		s := snapshot(t, 0, ooms(n, group))
		reports, incidents := len(s.OOMs), 0
		for _, f := range s.Folded {
			reports += f.Reports
			incidents += f.Incidents
		}
		if reports != n || incidents != n-len(s.OOMs) || len(s.OOMs) > 600 {
			t.Errorf("%s: %d reports, %d kept, %d incidents folded", name, reports, len(s.OOMs), incidents)
		}
	}
}

// TestFoldComesBack: a later line about one of the tasks brings its report back.
func TestFoldComesBack(t *testing.T) {
	log := ooms(1000, oneGroup)
	pid := 1000 + 3*500 + 2
	has := func(s *stacks.Snapshot) bool {
		return slices.ContainsFunc(s.Kills, func(k *parse.Kill) bool { return k.Pid == pid })
	}
	if has(snapshot(t, 0, log)) {
		t.Fatal("it is not folded")
	}
	for _, line := range []string{
		"INFO: task java:%d blocked for more than 120 seconds.",
		"oom_reaper: unable to reap pid:%d (java)",
		"oom_reaper: reaped process %d (java), now anon-rss:30000kB, file-rss:0kB, shmem-rss:0kB",
		"1 lock held by java/%d:",
		"task:java            state:D stack:0     pid:%d    ppid:1      flags:0x00000002",
	} {
		line = fmt.Sprintf("[ 9000.000000] "+line, pid)
		if !has(snapshot(t, 0, log+line+"\n[ 9000.000001]  #0: ffff888100000000 (&x){+.+.}-{3:3}, at: vfs_write+0x1/0x2\n")) {
			t.Errorf("not after %q", line)
		}
		if !has(snapshot(t, 0, log, line+"\n")) {
			t.Errorf("not after %q in another input", line)
		}
	}
}

// TestHungSequence: reports of one task that say the same are counted.
func TestHungSequence(t *testing.T) {
	hung := func(i int, fn string) string {
		at := fmt.Sprintf("[%5d.000000] ", 1000+i*120)
		return at + "INFO: task a:100 blocked for more than 120 seconds.\n" + dump(at[:len(at)-1], "a", "100", "D", "__schedule", "schedule", "rwsem_down_write_slowpath", fn)
	}
	var b strings.Builder
	b.WriteString(linux)
	for i := range 100 {
		b.WriteString(hung(i, "do_truncate"))
	}
	b.WriteString(hung(100, "vfs_unlink"))
	b.WriteString(noise)
	s := snapshot(t, 0, b.String())
	task := s.Task(100)
	if task.HungReports != 101 || len(task.Sightings)+task.Repeated != 101 || len(task.Sightings) > 20 || len(s.HungReports(100)) > 20 {
		t.Errorf("%d reports, %d sightings, %d left out, %d kept", task.HungReports, len(task.Sightings), task.Repeated, len(s.HungReports(100)))
	}
	if f := task.Present().Frames(); f[3].Func != "vfs_unlink" {
		t.Errorf("present is %s", f[3].Func)
	}
	last := task.Sightings[len(task.Sightings)-2]
	if f := last.Frames(); f[3].Func != "do_truncate" || last.Stamp.Boot != 1000+99*120 {
		t.Errorf("before it %s at %v", f[3].Func, last.Stamp.Boot)
	}
}
