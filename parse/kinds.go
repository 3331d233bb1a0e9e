package parse

// kind is a record that starts with a fixed word. Kinds that start with a
// task's name (OOM headers, rows of the old task table) are in start.
type kind struct {
	name    string
	literal string // what the line starts with
	sample  string
	source  string // who prints it, and since when
	take    func(a *assembler, ln *line, s string) bool
}

// kinds is the list of records. Among those that start alike the first that
// takes a line wins.
var kinds = []kind{
	{"call-trace", "Call Trace:", "Call Trace:", "show_trace_log_lvl (x86), all; other architectures", (*assembler).takeCallTrace},
	{"call-trace", "Call trace:", "Call trace:", "dump_backtrace (arm64)", (*assembler).takeCallTrace},
	{"task", "task:", "task:java            state:D stack:0     pid:3062  ppid:2950   flags:0x00000002", "sched_show_task, 5.9 ->", (*assembler).takeTask},
	{"header", "CPU:", "CPU: 0 PID: 51 Comm: java Not tainted 6.1.0 #1", "dump_stack_print_info, 3.10 ->", (*assembler).takeHeader},
	{"header", "Pid:", "Pid: 51, comm: java Not tainted 3.2.71+ #5", "dump_stack, .. 3.9", (*assembler).takeHeader},
	{"hung-task", "INFO: task", "INFO: task java:3062 blocked for more than 120 seconds.", "check_hung_task, all", (*assembler).takeHung},
	{"lockdep-off", "INFO: lockdep is turned off.", "INFO: lockdep is turned off.", "debug_show_all_locks, all", note("lockdep_off", false)},
	{"sysrq", "SysRq : ", "SysRq : Show Blocked State", "__handle_sysrq, .. 4.3", (*assembler).takeSysrq},
	{"sysrq", "sysrq: ", "sysrq: Show Blocked State", "__handle_sysrq, 4.4 ->", (*assembler).takeSysrq},
	{"kill", "Killed process ", "Killed process 47 (java) total-vm:15388kB, anon-rss:14304kB, file-rss:208kB", "oom_kill_process, .. 5.0", (*assembler).takeKilled},
	{"kill", "Memory cgroup out of memory", "Memory cgroup out of memory: Killed process 103 (java) total-vm:35164kB", "__oom_kill_process, 5.1 ->", (*assembler).takeMemoryLine},
	{"kill", "Out of memory", "Out of memory: Killed process 98 (java) total-vm:43356kB", "__oom_kill_process, 5.1 ->", (*assembler).takeMemoryLine},
	{"kill", "Kill process ", "Kill process 48 (java) sharing same memory", "oom_kill_task, 3.2 .. 4.0", (*assembler).takeSharing},
	{"group-kill", "Tasks in ", "Tasks in /pod are going to be killed due to memory.oom.group set", "mem_cgroup_print_oom_group, 4.19 ->", (*assembler).takeGroupKill},
	{"reap", "oom_reaper: ", "oom_reaper: reaped process 103 (java), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB", "oom_reap_task, 4.6 ->", (*assembler).takeReap},
	{"pinned", "oom killer ", "oom killer 47 (java) has mm pinned by 1 (init)", "oom_kill_process, 4.9 ->", note("pinned", true)},
	{"fault-retry", "Huh VM_FAULT_OOM", "Huh VM_FAULT_OOM leaked out to the #PF handler. Retrying PF", "pagefault_out_of_memory, 5.16 ->", note("fault_retry", false)},
	{"panic", "Kernel panic - not syncing: ", "Kernel panic - not syncing: Out of memory: system-wide panic_on_oom is enabled", "check_panic_on_oom, all", (*assembler).takePanic},
	{"nmi", "NMI backtrace for cpu", "NMI backtrace for cpu 1", "nmi_cpu_backtrace, all", (*assembler).takeNMI},
	{"boot", "Linux version ", "Linux version 6.1.0-56-cloud-amd64 (debian-kernel@lists.debian.org)", "linux_banner, all", (*assembler).takeBoot},
	{"dropped", "** ", "** 308 printk messages dropped **", "console_emit_next_record, 3.11 ->", (*assembler).takeDropped},
	{"mount", "EXT4-fs (", "EXT4-fs (loop0): mounted filesystem with ordered data mode", "ext4_fill_super and its like, all", takeMount("ext4")},
	{"mount", "EXT3-fs (", "EXT3-fs (vda): mounted filesystem with writeback data mode", "ext3_fill_super, .. 4.2", takeMount("ext3")},
	{"mount", "EXT2-fs (", "EXT2-fs (sdb1): mounted filesystem", "ext2_fill_super", takeMount("ext2")},
	{"mount", "XFS (", "XFS (loop1): Mounting V5 Filesystem", "xfs_mountfs, 2.6.39 ->", takeMount("xfs")},
	{"mount", "F2FS-fs (", "F2FS-fs (nvme0n1p2): Mounted with checkpoint version = 1", "f2fs_fill_super, 3.8 ->", takeMount("f2fs")},
	{"suppressed", "Future hung task reports", "Future hung task reports are suppressed, see sysctl kernel.hung_task_warnings", "check_hung_task, 6.5 ->", note("suppressed", false)},
	{"sched-debug", "Sched Debug Version:", "Sched Debug Version: v0.11, 6.1.0", "sched_debug_header, behind sysrq-t and -w", (*assembler).takeTail},
	{"locks", "locks held by ", "locks held by java/3062: 4, last CPU#0:", "lockdep_print_held_locks, 7.x", (*assembler).takeLocks},
	{"locks", "lock held by ", "lock held by java/3062: 1, last CPU#0:", "lockdep_print_held_locks, 7.x", (*assembler).takeLocks},
	{"locks", "Showing all locks held", "Showing all locks held in the system:", "debug_show_all_locks, all", (*assembler).takeAllLocks},
	{"lockdep", "WARNING: ", "WARNING: possible circular locking dependency detected", "print_circular_bug_header, 4.11 ->", (*assembler).takeSplat},
	{"lockdep", "[ INFO: ", "[ INFO: possible circular locking dependency detected ]", "print_circular_bug_header, .. 4.10", (*assembler).takeSplat},
	{"lockdep", "[ BUG: ", "[ BUG: bad unlock balance detected! ]", "print_unlock_imbalance_bug, .. 4.10", (*assembler).takeSplat},
	{"call-trace", "Backtrace:", "Backtrace: ", "dump_backtrace (arm), all", (*assembler).takeCallTrace},
	{"call-trace", "EEH: Call Trace:", "EEH: Call Trace:", "eeh_dump_dev_log (powerpc)", (*assembler).takeCallTrace},
	{"trace-end", "Last Breaking-Event-Address:", "Last Breaking-Event-Address:", "show_last_breaking_event (s390), all", (*assembler).takeBreakingEvent},
	{"stall", "BUG: soft lockup - CPU#", "BUG: soft lockup - CPU#1 stuck for 22s! [java:3062]", "watchdog_timer_fn, .. 4.3", (*assembler).takeLockup},
	{"stall", "NMI watchdog: ", "NMI watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [java:3062]", "watchdog_timer_fn, 4.4 .. 4.13", (*assembler).takeLockup},
	{"stall", "watchdog: ", "watchdog: BUG: soft lockup - CPU#1 stuck for 22s! [java:3062]", "watchdog_timer_fn, 4.14 ->", (*assembler).takeLockup},
	{"stall", "Watchdog detected hard LOCKUP", "Watchdog detected hard LOCKUP on cpu 1", "watchdog_overflow_callback, all", (*assembler).takeLockup},
	{"stall", "CPU", "CPU1: Watchdog detected hard LOCKUP on cpu 1", "watchdog_hardlockup_check, 7.1 ->", (*assembler).takeLockup},
	{"stall", "rcu: ", "rcu: INFO: rcu_preempt self-detected stall on CPU", "print_cpu_stall, 4.19 ->", (*assembler).takeRCU},
	{"stall", "INFO: rcu", "INFO: rcu_sched detected stalls on CPUs/tasks:", "print_other_cpu_stall, .. 4.18", (*assembler).takeRCU},
	{"stall", "BUG: workqueue lockup", "BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 45s!", "wq_watchdog_timer_fn, 4.5 ->", (*assembler).takePool},
	{"stall", "Showing busy workqueues", "Showing busy workqueues and worker pools:", "show_all_workqueues, 4.1 ->, also behind sysrq-t", (*assembler).takePool},
	{"stall", "workqueue: ", "workqueue: drain_vmap_area_work hogged CPU for >10000us 4 times, consider switching to WQ_UNBOUND", "wq_cpu_intensive_report, 6.5 ->", (*assembler).takePool},
	{"crash", "PID: ", `PID: 1234   TASK: ffff8800a6c0d940  CPU: 1   COMMAND: "java"`, "crash: bt, foreach bt", (*assembler).takeCrash},
	{"crash", "[", `[0 00:02:03.456] [UN]  PID: 1234   TASK: ffff8800a6c0d940  CPU: 1   COMMAND: "java"`, "crash: ps -m", (*assembler).takeCrashPS},
	{"ps", "PID ", "PID STAT WCHAN                            COMMAND", "ps -eo pid,stat,wchan:32,comm", (*assembler).takePS},
	{"ps", "F ", "F S UID        PID  PPID  C PRI  NI ADDR SZ WCHAN  STIME TTY          TIME CMD", "ps -elf", (*assembler).takePS},
	{"ps", "F ", "F   UID   PID  PPID PRI  NI    VSZ   RSS WCHAN  STAT TTY        TIME COMMAND", "ps axl", (*assembler).takePS},
	{"ps", "USER ", "USER       PID S WCHAN            COMMAND", "ps -eo user,pid,s,wchan,comm", (*assembler).takePS},
	{"ps", "S ", "S   PID WCHAN            CMD", "ps -eo s,pid,wchan,cmd", (*assembler).takePS},
	{"ps", "STAT ", "STAT   PID WCHAN            CMD", "ps -eo stat,pid,wchan,cmd", (*assembler).takePS},
	{"ps", "UID ", "UID        PID S WCHAN            CMD", "ps -eo uid,pid,s,wchan,cmd", (*assembler).takePS},
	{"cgroup", "==> ", "==> /sys/fs/cgroup/memory/app/memory.oom_control <==", "tail -n +1 of a cgroup's memory.* files; of /proc/PID/wchan and syscall", (*assembler).takePath},
	{"cgroup", "/", "/sys/fs/cgroup/app/memory.events:oom_kill 1", "grep -r of a cgroup's memory.* files", (*assembler).takePath},
	{"cgroup", "sys/fs/cgroup", "sys/fs/cgroup/app/memory.events:oom_kill 1", "grep -r of a cgroup's memory.* files", (*assembler).takePath},
	{"kernel-offset", "Kernel Offset: ", "Kernel Offset: 0x1c000000 from 0xffffffff81000000 (relocation range: 0xffffffff80000000-0xffffffffbfffffff)", "dump_kernel_offset (x86), 3.16 ->", (*assembler).takeOffset},
}

// begins tells whether s begins with the kind's literal. Those that begin
// alike seldom end alike.
func (k *kind) begins(s string) bool {
	n := len(k.literal)
	return n <= len(s) && s[n-1] == k.literal[n-1] && s[:n] == k.literal
}

// kindIndex lists the kinds by first byte.
var kindIndex [256][]*kind

func init() {
	for i := range kinds {
		c := kinds[i].literal[0]
		kindIndex[c] = append(kindIndex[c], &kinds[i])
	}
}
