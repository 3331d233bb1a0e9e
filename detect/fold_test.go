package detect_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/oomtrace/oomtrace/detect"
	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/report"
	"github.com/oomtrace/oomtrace/stacks"
)

// oomStory writes a log of OOMs with all that may come of them.
type oomStory struct {
	t      *rapid.T
	b      strings.Builder
	at     float64
	pid    int
	trap   bool // 3.2, else 6.1
	alive  []int
	killed []int
	last   map[string]int // the last victim of each group
}

func (s *oomStory) line(format string, a ...any) {
	fmt.Fprintf(&s.b, "[%12.6f] %s\n", s.at, fmt.Sprintf(format, a...))
}

func (s *oomStory) draw(lo, hi int, label string) int { return rapid.IntRange(lo, hi).Draw(s.t, label) }

func (s *oomStory) trace(frames ...string) {
	s.line("Call Trace:")
	if !s.trap {
		s.line(" <TASK>")
	}
	for i, f := range frames {
		s.line(" %s+0x%x/0x200", f, 0x10+i)
	}
	if !s.trap {
		s.line(" </TASK>")
	}
}

func commOf(pid int) string { return []string{"java", "node"}[pid%2] }

// report prints an OOM report of a group.
func (s *oomStory) report(group string) {
	// A task that was killed invokes none: its charges pass (fatal_signal_pending()
	// in the charge, 2.6.34..7.1).
	free := s.free()
	invoker := free[s.draw(0, len(free)-1, "invoker")]
	comm := commOf(invoker)
	write := s.draw(0, 1, "stack") == 0
	if s.trap {
		s.line("%s invoked oom-killer: gfp_mask=0xd0, order=0, oom_adj=0, oom_score_adj=0", comm)
		s.line("Pid: %d, comm: %s Not tainted 3.2.71+ #5", invoker, comm)
		frames := []string{"dump_header", "oom_kill_process", "mem_cgroup_out_of_memory", "mem_cgroup_handle_oom", "__mem_cgroup_try_charge", "mem_cgroup_cache_charge", "add_to_page_cache_locked",
			"grab_cache_page_write_begin", "ext3_write_begin", "generic_perform_write", "__generic_file_aio_write", "generic_file_aio_write", "do_sync_write", "vfs_write", "sys_write", "system_call_fastpath"}
		if !write {
			frames = []string{"dump_header", "oom_kill_process", "mem_cgroup_out_of_memory", "mem_cgroup_handle_oom", "__mem_cgroup_try_charge", "mem_cgroup_newpage_charge", "handle_pte_fault", "handle_mm_fault", "do_page_fault", "page_fault"}
		}
		s.trace(frames...)
		if group != "" {
			s.line("Task in %s killed as a result of limit of %s", group, group)
		}
	} else {
		s.line("%s invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0", comm)
		s.line("CPU: 1 PID: %d Comm: %s Not tainted 6.1.0-56-cloud-amd64 #1  Debian 6.1.192-2", invoker, comm)
		frames := []string{"dump_stack_lvl", "dump_header", "oom_kill_process", "out_of_memory", "mem_cgroup_out_of_memory", "try_charge_memcg", "charge_memcg", "__mem_cgroup_charge",
			"__filemap_add_folio", "filemap_add_folio", "ext4_da_write_begin", "generic_perform_write", "ext4_buffered_write_iter", "vfs_write", "ksys_write", "do_syscall_64", "entry_SYSCALL_64_after_hwframe"}
		if !write {
			frames = []string{"dump_stack_lvl", "dump_header", "oom_kill_process", "out_of_memory", "mem_cgroup_out_of_memory", "try_charge_memcg", "charge_memcg", "__mem_cgroup_charge",
				"__handle_mm_fault", "handle_mm_fault", "do_user_addr_fault", "exc_page_fault", "asm_exc_page_fault"}
		}
		s.trace(frames...)
	}
	s.line("memory: usage 24576kB, limit 24576kB, failcnt 85")
	victim := free[s.draw(0, len(free)-1, "victim")]
	if again := s.last[group]; again != 0 && s.draw(0, 5, "again") == 0 {
		victim = again // it did not die of it
	}
	if s.draw(0, 4, "table") > 0 {
		if s.trap {
			s.line("[ pid ]   uid  tgid total_vm      rss cpu oom_adj oom_score_adj name")
		} else {
			s.line("[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name")
		}
		for _, p := range s.alive {
			if s.trap {
				s.line("[%5d]     0 %5d     3847     3628   1       0             0 %s", p, p, commOf(p))
			} else {
				s.line("[%7d]     0 %5d     8791     8280   106496        0             0 %s", p, p, commOf(p))
			}
		}
	}
	switch s.draw(0, 19, "end") {
	case 0: // cut
		return
	case 1:
		if !s.trap {
			s.line("Out of memory and no killable processes...")
			return
		}
	}
	if s.trap {
		s.line("Memory cgroup out of memory: Kill process %d (%s) score 575 or sacrifice child", victim, commOf(victim))
	} else {
		s.line("oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=%s,task_memcg=%s,task=%s,pid=%d,uid=0", group, group, commOf(victim), victim)
	}
	s.last[group] = victim
	s.kill(victim)
}

// free are the tasks that nobody has killed.
func (s *oomStory) free() []int {
	var free []int
	for _, p := range s.alive {
		if !slices.Contains(s.killed, p) {
			free = append(free, p)
		}
	}
	if len(free) == 0 {
		s.pid++
		s.alive = append(s.alive, s.pid)
		free = []int{s.pid}
	}
	return free
}

func (s *oomStory) kill(victim int) {
	comm := commOf(victim)
	if s.trap {
		s.line("Killed process %d (%s) total-vm:15388kB, anon-rss:%dkB, file-rss:260kB", victim, comm, s.draw(1, 99999, "rss"))
	} else {
		s.line("Memory cgroup out of memory: Killed process %d (%s) total-vm:35164kB, anon-rss:%dkB, file-rss:4kB, shmem-rss:704kB, UID:0 pgtables:104kB oom_score_adj:0", victim, comm, s.draw(1, 99999, "rss"))
	}
	s.killed = append(s.killed, victim)
	if s.draw(0, 5, "lingers") > 0 { // it leaves the later tables
		s.alive = slices.DeleteFunc(s.alive, func(p int) bool { return p == victim })
	}
	for len(s.alive) < 4 {
		s.pid++
		s.alive = append(s.alive, s.pid)
	}
	if s.trap {
		return
	}
	s.at += 0.02
	switch s.draw(0, 9, "reaper") {
	case 0:
	case 1:
		s.line("oom_reaper: unable to reap pid:%d (%s)", victim, comm)
	case 2:
		s.line("oom_reaper: reaped process %d (%s), now anon-rss:90000kB, file-rss:0kB, shmem-rss:70000kB", victim, comm)
	default:
		s.line("oom_reaper: reaped process %d (%s), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB", victim, comm)
	}
}

// task prints a stack of a task that waits, or sits in a charge.
func (s *oomStory) task(pid int) {
	switch {
	case s.trap:
		s.line("%s            D ffff88001f8f3c40     0 %5d      1 0x00000000", commOf(pid), pid)
	default:
		s.line("task:%s            state:D stack:0     pid:%-5d ppid:1      flags:0x00000002", commOf(pid), pid)
	}
	switch s.draw(0, 3, "place") {
	case 0:
		if s.trap {
			s.trace("__mutex_lock_slowpath", "mutex_lock", "do_truncate", "do_last", "path_openat", "do_filp_open", "do_sys_open", "sys_open", "system_call_fastpath")
		} else {
			s.trace("__schedule", "schedule", "rwsem_down_write_slowpath", "do_truncate", "do_open", "path_openat", "do_filp_open", "do_sys_openat2", "do_syscall_64")
		}
	case 1:
		if s.trap {
			s.trace("schedule", "mem_cgroup_handle_oom", "__mem_cgroup_try_charge", "mem_cgroup_cache_charge", "add_to_page_cache_locked", "generic_perform_write", "__generic_file_aio_write",
				"generic_file_aio_write", "do_sync_write", "vfs_write", "sys_write", "system_call_fastpath")
		} else {
			s.trace("__schedule", "schedule", "mem_cgroup_oom_synchronize", "pagefault_out_of_memory", "do_user_addr_fault", "exc_page_fault", "asm_exc_page_fault")
		}
	case 2:
		s.trace("__schedule", "schedule", "request_wait_answer", "fuse_simple_request", "fuse_flush", "filp_close", "do_exit", "do_group_exit")
	default:
		s.trace("__schedule", "schedule", "io_schedule", "folio_wait_bit_common", "filemap_read", "vfs_read")
	}
}

func (s *oomStory) any() int {
	if all := append(slices.Clone(s.alive), s.killed...); len(all) > 0 {
		return all[s.draw(0, len(all)-1, "task")]
	}
	return 1
}

func (s *oomStory) write() string {
	s.pid, s.at, s.last = 1000, 100, map[string]int{}
	s.trap = s.draw(0, 1, "kernel") == 0
	release := "6.1.0-56-cloud-amd64"
	if s.trap {
		release = "3.2.71+"
	}
	s.line("Linux version %s (gcc) #1 SMP", release)
	for range 4 {
		s.pid++
		s.alive = append(s.alive, s.pid)
	}
	for range s.draw(5, 60, "events") {
		s.at += float64(s.draw(1, 400, "pause")) / 10
		switch s.draw(0, 29, "event") {
		case 0:
			pid := s.any()
			s.line("INFO: task %s:%d blocked for more than 120 seconds.", commOf(pid), pid)
			s.line("      Not tainted %s #1", release)
			s.task(pid)
		case 1:
			s.line("sysrq: Show Blocked State")
			for range s.draw(0, 3, "tasks") {
				s.task(s.any())
			}
			s.at++
			s.line("eth0: link becomes ready")
		case 2:
			s.line("sysrq: Show State")
			for range s.draw(1, 3, "tasks") {
				s.task(s.any())
			}
			s.at++
			s.line("eth0: link becomes ready")
		case 3, 4, 5: // rate limited: without a report
			s.kill(s.free()[0])
		case 6:
			s.report("")
		default:
			s.report(fmt.Sprintf("/job-%d", s.draw(0, 2, "group")))
		}
		s.at += 0.5
	}
	return s.b.String()
}

func foldedRun(t interface{ Fatal(...any) }, log string, above int) []report.Incident {
	c := stacks.Collector{FoldAbove: above}
	if _, err := parse.Read(strings.NewReader(log), parse.Options{}, c.Add); err != nil {
		t.Fatal(err)
	}
	var out []report.Incident
	for _, s := range c.Snapshots() {
		out = append(out, detect.Run(waitgraph.Build(s, waitgraph.Options{Model: lockmodel.Embedded()}))...)
	}
	return out
}

var lineNumber = regexp.MustCompile(`lines? \d+`)

// verdicts are what incidents come to, each as often as it counts.
func verdicts(incs []report.Incident) []string {
	var out []string
	for _, inc := range incs {
		text := fmt.Sprintf("%s %s %s\n", inc.Verdict, inc.Confidence, inc.Signature)
		if inc.Verdict != "oom_unresolved" && inc.Verdict != "oom_resolved" { // an equal one of another group stands for these
			text += fmt.Sprintf("  %s\n", lineNumber.ReplaceAllString(inc.Headline, "line"))
		}
		for _, f := range inc.Findings {
			text += fmt.Sprintf("  %s %s %s %v %s\n", f.Rule, f.Verdict, f.Confidence, f.TaskIDs, lineNumber.ReplaceAllString(f.Summary, "line"))
		}
		for range inc.Count {
			out = append(out, text)
		}
	}
	slices.Sort(out)
	return out
}

// TestFoldingChangesNoVerdict: however few reports are kept, the incidents,
// their verdicts and their findings are the same.
func TestFoldingChangesNoVerdict(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := &oomStory{t: t}
		log := s.write()
		whole := foldedRun(t, log, 1<<20)
		for _, above := range []int{1, 4, 16} {
			folded := foldedRun(t, log, above)
			a, b := verdicts(whole), verdicts(folded)
			if !slices.Equal(a, b) {
				t.Fatalf("above %d:\n--- whole\n%s\n--- folded\n%s\nlog:\n%s", above, strings.Join(a, ""), strings.Join(b, ""), log)
			}
		}
	})
}
