package parse

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestMoreRecords has the records that the report does not count.
func TestMoreRecords(t *testing.T) {
	tests := []struct {
		name, log, want string
		more            MoreCounts
	}{
		{"soft lockup", "[   10.000001] watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [rs:main Q:Reg:1234]\n[   10.000002] Modules linked in: x\n[   10.000003] CPU: 3 PID: 1234 Comm: rs:main Q:Reg Not tainted 6.1.0 #1\n[   10.000004] Call Trace:\n[   10.000005]  foo+0x1/0x2\n",
			"Stall soft_lockup cpu=3 seconds=22 pid=1234 comm=\"rs:main Q:Reg\"\nTask call-trace pid=1234 comm=\"rs:main Q:Reg\" running release=\"6.1.0\"\n\ttrace marked\n\t\tfoo+0x1/0x2 \n\tDAMAGED\n", MoreCounts{Stall: 1, Frames: 1}},
		{"hard lockup", "[   10.000001] NMI watchdog: Watchdog detected hard LOCKUP on cpu 1\n", "Stall hard_lockup cpu=1\n", MoreCounts{Stall: 1}},
		{"hard lockup, 7.1", "[   10.000001] CPU2: Watchdog detected hard LOCKUP on cpu 2\n", "Stall hard_lockup cpu=2\n", MoreCounts{Stall: 1}},
		{"RCU", "[   10.000001] rcu: INFO: rcu_preempt self-detected stall on CPU\n[   10.000002] rcu: \t1-....: (5249 ticks this GP) idle=b0f/1/0x4000000000000000 softirq=1/2 fqs=3\n[   10.000003] rcu: \t(t=5250 jiffies g=1 q=2 ncpus=4)\n",
			"Stall rcu cpu=1 jiffies=5250\n", MoreCounts{Stall: 1}},
		{"RCU, 3.2", "[   10.000001] INFO: rcu_sched_state detected stall on CPU 2 (t=6500 jiffies)\n", "Stall rcu cpu=2 jiffies=6500\n", MoreCounts{Stall: 1}},
		{"workqueues", "[   10.000001] BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 45s!\n[   10.000002] Showing busy workqueues and worker pools:\n[   10.000003] workqueue events: flags=0x0\n[   10.000004]   pwq 0: cpus=0 node=0 flags=0x0 nice=0 active=2/256 refcnt=3\n[   10.000005]     in-flight: 45:loop_workfn [loop], 46(RESCUER):foo BAR(12)\n[   10.000006]     pending: vmstat_shepherd\n[   10.000007] pool 0: cpus=0 node=0 flags=0x0 nice=0 hung=45s workers=3 idle: 7 8\n",
			"Stall workqueue cpu=0 seconds=45\nStall workqueue_pools\n\twork events 45 loop_workfn\n\twork events 46 foo\n", MoreCounts{Stall: 2}},
		{"sysrq-m", "[   10.000001] sysrq: Show Memory\n[   10.000002] Mem-Info:\n[   10.000003] active_anon:12 inactive_anon:3 isolated_anon:0\n[   10.000004] eth0: up\n",
			"Sysrq m text=\"Show Memory\"\n\tstat active_anon 48\n\tstat inactive_anon 12\n\tstat isolated_anon 0\n", MoreCounts{Sysrq: 1}},
		{"crash", "crash> foreach bt\nPID: 1234   TASK: ffff8800a6c0d940  CPU: 1   COMMAND: \"java x\"\n #0 [ffffc90000a3bd38] __schedule at ffffffff81a5d3e1\n    /build/kernel/sched/core.c: 6699\n #1 [ffffc90000a3bdc0] ext4_sync_file+53 at ffffffffc0300035 [ext4]\n #2 [ffffc90000a3bf50] entry_SYSCALL_64_after_hwframe at ffffffff81c0007c\n    RIP: 00007f8a3c0f1a9d  RSP: 00007ffe3c5d8e90  RFLAGS: 00000246\n    RAX: ffffffffffffffda  RBX: 0000000000000001  RCX: 00007f8a3c0f1a9d\n\nPID: 0      TASK: ffffffff82213840  CPU: 0   COMMAND: \"swapper/0\"\n #0 [fffffe0000009e50] crash_nmi_callback at ffffffff810557c3\n #1 [fffffe0000009e58] nmi_handle at ffffffff81025d93\n    [exception RIP: native_safe_halt+14]\n    RIP: ffffffff81a6a94e  RSP: ffffffff82203e80  RFLAGS: 00000246\n--- <NMI exception stack> ---\n #2 [ffffffff82203e80] native_safe_halt at ffffffff81a6a94e\n",
			"Task call-trace pid=1234 comm=\"java x\"\n\ttrace user-regs complete\n\t\t__schedule\n\t\text4_sync_file [ext4]\n\t\tentry_SYSCALL_64_after_hwframe\n" +
				"Task call-trace pid=0 comm=\"swapper/0\"\n\ttrace ip=\"native_safe_halt\"\n\t\tcrash_nmi_callback {3}\n\t\tnmi_handle {3}\n\t\tnative_safe_halt\n", MoreCounts{Crash: 2}},
		{"crash ps -m", "[0 00:02:03.456] [UN]  PID: 1234   TASK: ffff8800a6c0d940  CPU: 1   COMMAND: \"java\"\n[0 00:00:00.001] [IN]  PID: 7      TASK: ffff8800a6c0d941  CPU: 0   COMMAND: \"sh\"\nPID: 1234   TASK: ffff8800a6c0d940  CPU: 1   COMMAND: \"java\"\n #0 [ffffc90000a3bd38] __schedule at ffffffff81a5d3e1\n",
			"Task call-trace pid=7 comm=\"sh\" S\nTask call-trace pid=1234 comm=\"java\" D\n\ttrace\n\t\t__schedule\n", MoreCounts{Crash: 3}},
		{"drgn", ">>> prog.stack_trace(1234)\n#0  context_switch (kernel/sched/core.c:5378:2)\n#1  __schedule (kernel/sched/core.c:6699:8)\n#2  schedule+0x5a/0xd0\n#3  0x7f8a3c0f1a9d\n\n",
			"Task call-trace pid=1234\n\ttrace user-regs complete\n\t\tcontext_switch\n\t\t__schedule\n\t\tschedule+0x5a/0xd0\n", MoreCounts{Debugger: 1}},
		{"gdb of a program", "#0  0x00007f8a3c0f1a9d in poll () from /lib/libc.so.6\n#1  0x000055d0c0f1a9d0 in main (argc=1) at main.c:12\n\n", "", MoreCounts{}},
		{"ps", "  PID STAT WCHAN                            COMMAND\n    1 Ss   do_epoll_wait                    systemd\n   77 D+   mem_cgroup_oom_synchronize       java\n   78 D    -                                rs:main Q:Reg\n   79 R    -                                sh\n   80 I<   rescuer_thread                   [kworker/0:0H]\n\nx\n",
			"Task proc pid=1 tgid=1 comm=\"systemd\" S\n\ttrace wchan\n\t\tdo_epoll_wait\nTask proc pid=77 tgid=77 comm=\"java\" D\n\ttrace wchan\n\t\tmem_cgroup_oom_synchronize\nTask proc pid=78 tgid=78 comm=\"rs:main\" D\nTask proc pid=80 tgid=80 comm=\"kworker/0:0H\" I\n\ttrace wchan\n\t\trescuer_thread\n", MoreCounts{PS: 5}},
		{"ps, name cut", "F   UID   PID  PPID PRI  NI    VSZ   RSS WCHAN  STAT TTY        TIME COMMAND\n4     0    77     1  20   0 169316 13248 mem_cg D    ?          0:01 /usr/bin/java -jar x\n",
			"Task proc pid=77 tgid=77 ppid=1 comm=\"java\" D\n\ttrace wchan\n\t\t? mem_cg\n", MoreCounts{PS: 1}},
		{"proc files", "==> /proc/77/wchan <==\ndo_truncate\n==> /proc/77/syscall <==\n1 0x3 0x7ffd 0x10\n==> /proc/78/wchan <==\n0\n==> /proc/79/wchan <==\nvfs_read\n==> /proc/79/stack <==\n[<0>] vfs_read+0x1/0x2\n[<0>] do_syscall_64+0x1/0x2\n\n",
			"Task proc pid=77\n\ttrace wchan\n\t\tdo_truncate\nTask proc pid=79\n\ttrace\n\t\tvfs_read+0x1/0x2\n\t\tdo_syscall_64+0x1/0x2\n", MoreCounts{Proc: 4, Frames: 2}},
		{"cgroup files", "==> /sys/fs/cgroup/memory/app/memory.oom_control <==\noom_kill_disable 1\nunder_oom 1\noom_kill 0\n\n==> /sys/fs/cgroup/a b/memory.pressure <==\nsome avg10=1.50 avg60=0.00 avg300=0.00 total=12\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=3\n==> /sys/fs/cgroup/app/memory.max <==\nmax\n",
			"Cgroup /app memory.oom_control\n\toom_kill_disable=1\n\tunder_oom=1\n\toom_kill=0\nCgroup /a b memory.pressure\n\tsome.avg10=1.5\n\tsome.avg60=0\n\tsome.avg300=0\n\tsome.total=12\n\tfull.avg10=0\n\tfull.avg60=0\n\tfull.avg300=0\n\tfull.total=3\nCgroup /app memory.max\n\t=0 max\n", MoreCounts{Cgroup: 3}},
		{"cgroup files of grep", "/sys/fs/cgroup/app/memory.events:low 0\n/sys/fs/cgroup/app/memory.events:oom_kill 3\n/sys/fs/cgroup/b/memory.events:oom_kill 4\n",
			"Cgroup /app memory.events\n\tlow=0\n\toom_kill=3\nCgroup /b memory.events\n\toom_kill=4\n", MoreCounts{Cgroup: 2}},
		{"lockdep, recursive", "[    1.000001] WARNING: possible recursive locking detected\n[    1.000002] 6.1.0 #2 Not tainted\n[    1.000003] a/101 is trying to acquire lock:\n[    1.000004] ffff888004dd4f18 (&p->lock#2/1){+.+.}-{3:3}, at: two+0x2b/0x60\n[    1.000005] \n[    1.000006] but task is already holding lock:\n[    1.000007] ffff888004dd4f88 (&p->lock#2){+.+.}-{3:3}, at: one+0x2b/0x60\n",
			"Lockdep recursive 6 lines pid=101 comm=\"a\" release=\"6.1.0\"\n\tacquire ffff888004dd4f18 &p->lock#2/1 usage=\"{+.+.}\" pid=101 comm=\"a\" at=\"two\"\n\thold ffff888004dd4f88 &p->lock#2 usage=\"{+.+.}\" at=\"one\" \n\tDAMAGED\n", MoreCounts{}},
		{"lockdep, inconsistent", "[    1.000001] WARNING: inconsistent lock state\n[    1.000002] 6.1.0 #2 Not tainted\n[    1.000003] inconsistent {IN-SOFTIRQ-W} -> {SOFTIRQ-ON-W} usage.\n[    1.000004] a/101 [HC0[0]:SC0[0]:HE1:SE1] takes:\n[    1.000005] ffff888004dd4f18 (lock_a){+.?.}-{3:3}, at: two+0x2b/0x60\n[    1.000006] {IN-SOFTIRQ-W} state was registered at:\n[    1.000007]   lock_acquire+0xd1/0x2d0\n[    1.000008] irq event stamp: 12\n",
			"Lockdep irq 8 lines pid=101 comm=\"a\" release=\"6.1.0\"\n\tacquire ffff888004dd4f18 lock_a usage=\"{+.?.}\" pid=101 comm=\"a\" at=\"two\"\n\tusage  usage=\"{IN-SOFTIRQ-W}\"\n\t\tlock_acquire+0xd1/0x2d0 \n\tDAMAGED\n", MoreCounts{Frames: 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			evs, res := readAll(tt.log, Options{})
			checkEvents(t, evs, res)
			got := ""
			for _, e := range evs {
				got += summary(e, false)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
			res.More.Frames, tt.more.Frames = 0, 0
			if res.More != tt.more {
				t.Errorf("%+v, want %+v", res.More, tt.more)
			}
		})
	}
}

// TestPstore holds that parts saved newest first are read oldest first.
func TestPstore(t *testing.T) {
	log := "Panic#1 Part1\n<4>[    1.000003]  bar+0x1/0x2\n<4>[    1.000004]  ret_from_fork+0x1/0x2\n" +
		"Panic#1 Part2\n<4>[    1.000001] Call Trace:\n<4>[    1.000002]  foo+0x1/0x2\n"
	evs, res := readAll(log, Options{})
	checkEvents(t, evs, res)
	if len(evs) != 1 || summary(evs[0], false) != "Task call-trace\n\ttrace marked complete\n\t\tfoo+0x1/0x2\n\t\tbar+0x1/0x2\n\t\tret_from_fork+0x1/0x2\n" || res.Framing != "pstore" {
		t.Errorf("%s %+v", summary(evs[0], true), res)
	}
}

// TestBoots holds that each new boot of each host is one Boot event.
func TestBoots(t *testing.T) {
	const kill = "Out of memory: Killed process 1 (a)"
	tests := []struct {
		name, log string
		want      []string // hosts of the boots, with id
	}{
		{"journal json", `{"_HOSTNAME":"a","_BOOT_ID":"1","_TRANSPORT":"kernel","MESSAGE":"` + kill + `"}` + "\n" +
			`{"_HOSTNAME":"a","_BOOT_ID":"2","_TRANSPORT":"kernel","MESSAGE":"Linux version 6.1.0 (x)","_SOURCE_MONOTONIC_TIMESTAMP":"0"}` + "\n" +
			`{"_HOSTNAME":"a","_BOOT_ID":"2","_TRANSPORT":"kernel","MESSAGE":"` + kill + `"}` + "\n" +
			`{"_HOSTNAME":"a","_BOOT_ID":"3","_TRANSPORT":"kernel","MESSAGE":"` + kill + `"}` + "\n", []string{"a/2/6.1.0", "a/3/"}},
		{"journalctl", "-- Boot 0123456789abcdef0123456789abcdef --\nMar 10 11:19:17 web kernel: " + kill + "\n-- Boot 1123456789abcdef0123456789abcdef --\nMar 10 11:19:17 web kernel: " + kill + "\n",
			[]string{"web/1123456789abcdef0123456789abcdef/"}},
		{"syslog of two hosts", "Mar 10 11:19:17 a kernel: [ 5000.000001] " + kill + "\nMar 10 11:19:17 b kernel: [ 6000.000001] " + kill + "\nMar 10 11:19:18 a kernel: [    3.000001] " + kill + "\nMar 10 11:19:19 b kernel: [ 6000.500001] " + kill + "\n",
			[]string{"a//"}},
	}
	for _, tt := range tests {
		evs, _ := readAll(tt.log, Options{})
		var got []string
		for _, e := range evs {
			if b, ok := e.(*Boot); ok {
				got = append(got, b.Host+"/"+b.ID+"/"+b.Release)
			}
		}
		if d := cmp.Diff(tt.want, got); d != "" {
			t.Errorf("%s: %s", tt.name, d)
		}
	}
}

func TestSystemMap(t *testing.T) {
	sy, err := LoadSystemMap(strings.NewReader("0000000000000000 A cpu\nffffffff81000000 T _text\nffffffff81000100 t foo\nffffffff81000200 T bar\nffffffff81000300 D data\nffffffff81000400 T ret_from_fork\nffffffff81000500 T _etext\n"))
	if err != nil {
		t.Fatal(err)
	}
	// The first frame's name and address tell the shift.
	evs, _ := readAll("[    1.000001] Call Trace:\n[    1.000002]  [<ffffffff91000210>] bar+0x10/0x100\n[    1.000003]  [<ffffffff91000150>] 0xffffffff91000150\n[    1.000004]  [<ffffffff91000410>] 0xffffffff91000410\n", Options{Symbols: sy})
	if got := summary(evs[0], false); !strings.Contains(got, "complete\n\t\tbar+0x10/0x100\n\t\tfoo+0x50/0x100\n\t\tret_from_fork+0x10/0x100") {
		t.Error(got)
	}
	if _, err := LoadSystemMap(strings.NewReader("no map\n")); err == nil {
		t.Error("a file without symbols is accepted")
	}
}

func TestVMLinuxRefuses(t *testing.T) {
	if _, err := LoadVMLinux(strings.NewReader("\x7fELF but no")); err == nil {
		t.Error("accepted")
	}
}
