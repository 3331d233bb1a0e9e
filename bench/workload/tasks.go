package workload

import (
	"io"
	"strconv"
	"strings"
)

// shape is what tasks of one kind do: 20 lines of a call trace, innermost
// first, as 6.1 prints them.
type shape struct {
	name  string
	state byte
	trace string
}

// Two of three tasks of a busy machine sleep in epoll_wait() or in a futex.
var sleepers = []shape{
	{"server", 'S', `__schedule+0x34d/0xa00 schedule+0x5a/0xd0 schedule_hrtimeout_range_clock+0xb2/0x120 ?hrtimer_init_sleeper+0x70/0x70
		do_epoll_wait+0x6a3/0x730 ?ep_destroy_wakeup_source+0x20/0x20 do_compat_epoll_pwait.part.0+0xb/0x70 __x64_sys_epoll_pwait+0x90/0x130
		do_syscall_64+0x5d/0xb0 ?vfs_read+0x20f/0x310 ?ksys_read+0x6b/0xf0 ?syscall_exit_to_user_mode+0x1e/0x40 ?do_syscall_64+0x69/0xb0
		?sock_read_iter+0x8b/0xf0 ?vfs_write+0x235/0x3f0 ?ksys_write+0x6b/0xf0 ?do_user_addr_fault+0x1b0/0x570 ?exit_to_user_mode_prepare+0x44/0x240
		?exc_page_fault+0x70/0x170 entry_SYSCALL_64_after_hwframe+0x6e/0xd8`},
	{"worker", 'S', `__schedule+0x34d/0xa00 schedule+0x5a/0xd0 futex_wait_queue+0x60/0x90 futex_wait+0x185/0x270
		?hrtimer_init_sleeper+0x70/0x70 ?futex_wake+0x15f/0x190 do_futex+0x106/0x1b0 __x64_sys_futex+0x8e/0x1d0
		?__x64_sys_write+0x19/0x20 do_syscall_64+0x5d/0xb0 ?__do_sys_gettid+0x1a/0x30 ?do_syscall_64+0x69/0xb0 ?handle_mm_fault+0xdb/0x2d0
		?__handle_mm_fault+0x660/0xfa0 ?vfs_read+0x20f/0x310 ?switch_fpu_return+0x4c/0xd0 ?do_user_addr_fault+0x1b0/0x570 ?exit_to_user_mode_prepare+0x44/0x240
		?exc_page_fault+0x70/0x170 entry_SYSCALL_64_after_hwframe+0x6e/0xd8`},
	{"reader", 'S', `__schedule+0x34d/0xa00 schedule+0x5a/0xd0 schedule_timeout+0x118/0x150 wait_woken+0x54/0x70
		sk_wait_data+0x12b/0x140 ?wait_woken+0x70/0x70 tcp_recvmsg_locked+0x2c1/0x9a0 tcp_recvmsg+0x76/0x1e0
		inet_recvmsg+0x51/0x130 ?security_socket_recvmsg+0x38/0x50 sock_read_iter+0x8b/0xf0 vfs_read+0x20f/0x310 ksys_read+0x6b/0xf0
		?syscall_trace_enter.constprop.0+0x126/0x1a0 do_syscall_64+0x5d/0xb0 ?syscall_exit_to_user_mode+0x1e/0x40 ?do_syscall_64+0x69/0xb0 ?exit_to_user_mode_prepare+0x44/0x240
		?exc_page_fault+0x70/0x170 entry_SYSCALL_64_after_hwframe+0x6e/0xd8`},
}

// One in ten wants the lock of a file or a directory.
var waiters = []shape{
	{"writer", 'D', `__schedule+0x34d/0xa00 schedule+0x5a/0xd0 rwsem_down_write_slowpath+0x315/0x6f0 ?filemap_map_pages+0x153/0x720
		ext4_buffered_write_iter+0x2e/0x110[ext4] ext4_file_write_iter+0x66/0x880[ext4] ?__mod_memcg_lruvec_state+0x72/0xb0 vfs_write+0x235/0x3f0
		ksys_write+0x6b/0xf0 ?__x64_sys_lseek+0x84/0xb0 do_syscall_64+0x5d/0xb0 ?handle_mm_fault+0xdb/0x2d0 ?do_user_addr_fault+0x1b0/0x570
		?do_syscall_64+0x69/0xb0 ?__fput+0x106/0x260 ?task_work_run+0x5a/0x90 ?exit_to_user_mode_prepare+0x44/0x240 ?syscall_exit_to_user_mode+0x1e/0x40
		?do_syscall_64+0x69/0xb0 entry_SYSCALL_64_after_hwframe+0x6e/0xd8`},
	{"truncer", 'D', `__schedule+0x34d/0xa00 schedule+0x5a/0xd0 rwsem_down_write_slowpath+0x315/0x6f0 do_truncate+0x84/0xe0
		path_openat+0x101c/0x1260 ?filemap_map_pages+0x153/0x720 do_filp_open+0xaf/0x160 ?__check_object_size+0x1d4/0x210
		do_sys_openat2+0xaf/0x170 __x64_sys_openat+0x6a/0xa0 do_syscall_64+0x5d/0xb0 ?__handle_mm_fault+0x660/0xfa0 ?handle_mm_fault+0xdb/0x2d0
		?do_user_addr_fault+0x1b0/0x570 ?exit_to_user_mode_prepare+0x44/0x240 ?syscall_exit_to_user_mode+0x1e/0x40 ?do_syscall_64+0x69/0xb0 ?exit_to_user_mode_prepare+0x44/0x240
		?exc_page_fault+0x70/0x170 entry_SYSCALL_64_after_hwframe+0x6e/0xd8`},
	{"creator", 'D', `__schedule+0x34d/0xa00 schedule+0x5a/0xd0 rwsem_down_write_slowpath+0x315/0x6f0 path_openat+0x337/0x1260
		?filemap_map_pages+0x153/0x720 do_filp_open+0xaf/0x160 ?__check_object_size+0x1d4/0x210 do_sys_openat2+0xaf/0x170
		__x64_sys_openat+0x6a/0xa0 do_syscall_64+0x5d/0xb0 ?__x64_sys_newfstatat+0x4e/0x80 ?do_syscall_64+0x69/0xb0 ?__handle_mm_fault+0x660/0xfa0
		?handle_mm_fault+0xdb/0x2d0 ?do_user_addr_fault+0x1b0/0x570 ?exit_to_user_mode_prepare+0x44/0x240 ?syscall_exit_to_user_mode+0x1e/0x40 ?do_syscall_64+0x69/0xb0
		?exc_page_fault+0x70/0x170 entry_SYSCALL_64_after_hwframe+0x6e/0xd8`},
	{"unlinker", 'D', `__schedule+0x34d/0xa00 schedule+0x5a/0xd0 rwsem_down_write_slowpath+0x315/0x6f0 vfs_unlink+0x44/0x280
		?may_delete+0x77/0x1b0 do_unlinkat+0x147/0x320 __x64_sys_unlink+0x3e/0x70 do_syscall_64+0x5d/0xb0 ?do_syscall_64+0x69/0xb0
		?__handle_mm_fault+0x660/0xfa0 ?handle_mm_fault+0xdb/0x2d0 ?do_user_addr_fault+0x1b0/0x570 ?exit_to_user_mode_prepare+0x44/0x240 ?syscall_exit_to_user_mode+0x1e/0x40
		?do_syscall_64+0x69/0xb0 ?vfs_read+0x20f/0x310 ?ksys_read+0x6b/0xf0 ?exit_to_user_mode_prepare+0x44/0x240
		?exc_page_fault+0x70/0x170 entry_SYSCALL_64_after_hwframe+0x6e/0xd8`},
}

// A few hold such a lock and wait for something else: memory, the disk, a FUSE
// server.
var holders = []shape{
	{"charger", 'D', `__schedule+0x34d/0xa00 schedule+0x5a/0xd0 io_schedule+0x46/0x70 folio_wait_bit_common+0x13d/0x350
		?filemap_invalidate_unlock_two+0x40/0x40 shrink_folio_list+0x9b7/0xc60 shrink_lruvec+0x5cd/0xbe0 shrink_node+0x2cd/0x6d0
		do_try_to_free_pages+0xd3/0x570 try_to_free_mem_cgroup_pages+0x111/0x240 try_charge_memcg+0x19c/0x780 charge_memcg+0x39/0xf0 __mem_cgroup_charge+0x28/0x80
		__filemap_add_folio+0x34e/0x430 filemap_add_folio+0x37/0xa0 ext4_buffered_write_iter+0x58/0x110[ext4] vfs_write+0x235/0x3f0 ksys_write+0x6b/0xf0
		do_syscall_64+0x5d/0xb0 entry_SYSCALL_64_after_hwframe+0x6e/0xd8`},
	{"committer", 'D', `__schedule+0x34d/0xa00 schedule+0x5a/0xd0 jbd2_log_wait_commit+0xdc/0x140[jbd2] ?cpuacct_percpu_seq_show+0x20/0x20
		ext4_fsync_journal+0xba/0x1b0[ext4] ext4_sync_file+0x11a/0x3a0[ext4] ext4_buffered_write_iter+0xe6/0x110[ext4] ext4_file_write_iter+0x66/0x880[ext4]
		do_iter_readv_writev+0xcd/0x140 do_iter_write+0x80/0x1c0 vfs_writev+0xb5/0x2b0 ?__x64_sys_futex+0x8e/0x1d0 do_writev+0xd8/0x100
		?do_futex+0x106/0x1b0 ?__x64_sys_lseek+0x84/0xb0 do_syscall_64+0x5d/0xb0 ?do_syscall_64+0x69/0xb0 ?do_user_addr_fault+0x1b0/0x570
		?exit_to_user_mode_prepare+0x44/0x240 entry_SYSCALL_64_after_hwframe+0x6e/0xd8`},
}

// Tasks writes one sysrq-t of n tasks, 20 lines of call trace each: most sleep,
// one in ten waits for the lock of a file or a directory, one in five thousand
// holds such a lock and waits for memory or the journal.
func Tasks(w io.Writer, _ *Texts, n int64) (Planted, error) {
	s, r := newSink(w), newRand(3)
	s.line(append(s.buf, banner...))
	now := int64(9000e6)
	say := func(text string) {
		s.line(append(stamp(s.buf, now), text...))
		s.planted.ReportLines++
		now += 80
	}
	kinds := [][][]string{lines(sleepers), lines(waiters), lines(holders)}
	shapes := [][]shape{sleepers, waiters, holders}
	say("sysrq: Show State")
	for i := range n {
		k := 0
		switch {
		case i%5000 == 7:
			k = 2
		case i%10 == 3:
			k = 1
		}
		if k > 0 {
			s.planted.Blocked++
		}
		j := r.n(len(shapes[k]))
		sh := &shapes[k][j]
		// sched_show_task(), kernel/sched/core.c, 6.1
		b := append(stamp(s.buf, now), "task:"...)
		start := len(b)
		b = append(b, sh.name...)
		b = append(b, '-')
		b = strconv.AppendInt(b, int64(r.n(500)), 10)
		for len(b)-start < 15 {
			b = append(b, ' ')
		}
		b = append(b, " state:"...)
		b = append(b, sh.state)
		b = append(b, " stack:0     pid:"...)
		start = len(b)
		b = strconv.AppendInt(b, 1000+i, 10)
		for len(b)-start < 5 {
			b = append(b, ' ')
		}
		b = append(b, " ppid:"...)
		start = len(b)
		b = strconv.AppendInt(b, 1+i/100, 10)
		for len(b)-start < 6 {
			b = append(b, ' ')
		}
		s.line(append(b, " flags:0x00000002"...))
		s.planted.ReportLines++
		s.planted.TaskDump++
		say("Call Trace:")
		say(" <TASK>")
		for _, l := range kinds[k][j] {
			say(l)
		}
		say(" </TASK>")
	}
	return s.end()
}

// lines are the call traces of shapes as printed.
func lines(shapes []shape) (all [][]string) {
	for _, sh := range shapes {
		var trace []string
		for _, f := range strings.Fields(sh.trace) {
			f = strings.Replace(f, "[", " [", 1)
			if fn, ok := strings.CutPrefix(f, "?"); ok {
				f = "? " + fn
			}
			trace = append(trace, " "+f)
		}
		all = append(all, trace)
	}
	return all
}
