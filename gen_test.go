package oomtrace_test

import (
	"bytes"
	"fmt"
	"io"
	"strings"
)

// oomForm is how kernels of one time print a memcg OOM: lines as they stand in
// the logs of testdata/dmesg, with places for what differs between reports.
type oomForm struct {
	release string
	head    string // up to the task table
	row     string
	tail    string
	reap    string // "" before the reaper
}

// The places: $C comm, $I pid of the invoker, $V pid and $W comm of the victim,
// $G group, $N failcnt.
var oomForms = map[string]oomForm{
	"3.2": {
		release: "3.2.71+",
		head: `$C invoked oom-killer: gfp_mask=0xd0, order=0, oom_adj=0, oom_score_adj=0
$C cpuset=/ mems_allowed=0
Pid: $I, comm: $C Not tainted 3.2.71+ #5
Call Trace:
 [<ffffffff810708f7>] ? cpuset_print_task_mems_allowed+0x97/0xc0
 [<ffffffff810a3aea>] dump_header+0x7a/0xb0
 [<ffffffff811c475e>] ? ___ratelimit+0x7e/0xf0
 [<ffffffff810a3c05>] oom_kill_process+0x75/0x2c0
 [<ffffffff810a3f2c>] mem_cgroup_out_of_memory+0x8c/0xf0
 [<ffffffff810d9142>] mem_cgroup_handle_oom+0x2e2/0x380
 [<ffffffff810d73e0>] ? mem_cgroup_destroy+0x60/0x60
 [<ffffffff810d969f>] __mem_cgroup_try_charge+0x4bf/0x5c0
 [<ffffffff810da4f2>] mem_cgroup_cache_charge+0x62/0xb0
 [<ffffffff8109fda3>] add_to_page_cache_locked+0x43/0x130
 [<ffffffff810a28bd>] grab_cache_page_write_begin+0x7d/0xf0
 [<ffffffff8113e3b0>] ext3_write_begin+0x80/0x2d0
 [<ffffffff81198f9d>] ? journal_stop+0x11d/0x280
 [<ffffffff810a22b6>] generic_perform_write+0xc6/0x210
 [<ffffffff810a2c1d>] __generic_file_aio_write+0x25d/0x530
 [<ffffffff810a2f59>] generic_file_aio_write+0x69/0xe0
 [<ffffffff810dd27d>] do_sync_write+0xdd/0x110
 [<ffffffff810dd342>] vfs_write+0x92/0xe0
 [<ffffffff810dd464>] sys_write+0x44/0x90
 [<ffffffff8125983b>] system_call_fastpath+0x16/0x1b
Task in $G killed as a result of limit of $G
memory: usage 24576kB, limit 24576kB, failcnt $N
memory+swap: usage 0kB, limit 9007199254740991kB, failcnt 0
Mem-Info:
DMA32 per-cpu:
CPU    0: hi:  186, btch:  31 usd:  25
CPU    1: hi:  186, btch:  31 usd:  54
active_anon:3642 inactive_anon:0 isolated_anon:0
 active_file:231 inactive_file:3273 isolated_file:0
 unevictable:0 dirty:0 writeback:2508 unstable:0
 free:116829 slab_reclaimable:1037 slab_unreclaimable:857
 mapped:201 shmem:0 pagetables:25 bounce:0
DMA32 free:467316kB min:2868kB low:3584kB high:4300kB active_anon:14568kB inactive_anon:0kB active_file:924kB inactive_file:13092kB unevictable:0kB
lowmem_reserve[]: 0 0 0
DMA32: 1*4kB 2*8kB 2*16kB 2*32kB 2*64kB 1*128kB 2*256kB 3*512kB 2*1024kB 2*2048kB 112*4096kB = 467316kB
3512 total pagecache pages
131021 pages RAM
3856 pages reserved
[ pid ]   uid  tgid total_vm      rss cpu oom_adj oom_score_adj name
`,
		row: "[%5d]     0 %5d     3847     3628   1       0             0 %s\n",
		tail: `Memory cgroup out of memory: Kill process $V ($W) score 575 or sacrifice child
Killed process $V ($W) total-vm:15388kB, anon-rss:14252kB, file-rss:260kB
`,
	},
	"3.14": {
		release: "3.14.1+",
		head: `$C invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0
$C cpuset=/ mems_allowed=0
CPU: 0 PID: $I Comm: $C Not tainted 3.14.1+ #3
 ffff880000335800 ffff88001e935ca0 ffffffff812b6548 ffff88001e9c0000
 ffff88001e935cf8 ffffffff810cc115 ffffffff810a6c81 0000020000000005
Call Trace:
 [<ffffffff812b6548>] dump_stack+0x45/0x56
 [<ffffffff810cc115>] dump_header+0x75/0xc0
 [<ffffffff810a6c81>] ? __ftrace_trace_stack+0xf1/0x220
 [<ffffffff810cc548>] oom_kill_process+0x228/0x2d0
 [<ffffffff81103aa6>] mem_cgroup_oom_synchronize+0x4d6/0x520
 [<ffffffff81100040>] ? mem_cgroup_reclaim+0x120/0x120
 [<ffffffff810ccad3>] pagefault_out_of_memory+0x13/0x60
 [<ffffffff81029bc4>] mm_fault_error+0xd4/0x1d0
 [<ffffffff8102a282>] __do_page_fault+0x3b2/0x4c0
 [<ffffffff8102a3cc>] do_page_fault+0xc/0x10
 [<ffffffff812bcf1f>] page_fault+0x1f/0x30
Task in $G killed as a result of limit of $G
memory: usage 24576kB, limit 24576kB, failcnt $N
memory+swap: usage 0kB, limit 18014398509481983kB, failcnt 0
kmem: usage 0kB, limit 18014398509481983kB, failcnt 0
Memory cgroup stats for $G: cache:0KB rss:14428KB rss_huge:0KB mapped_file:0KB writeback:0KB inactive_anon:0KB active_anon:14428KB inactive_file:0KB active_file:0KB unevictable:0KB
[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name
`,
		row: "[%5d]     0 %5d     3847     3628      11        0             0 %s\n",
		tail: `Memory cgroup out of memory: Kill process $V ($W) score 574 or sacrifice child
Killed process $V ($W) total-vm:15388kB, anon-rss:14300kB, file-rss:212kB
`,
	},
	"6.1": {
		release: "6.1.0-56-cloud-amd64",
		head: `$C invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0
CPU: 1 PID: $I Comm: $C Not tainted 6.1.0-56-cloud-amd64 #1  Debian 6.1.192-2
Hardware name: QEMU Standard PC (i440FX + PIIX, 1996), BIOS 1.16.2-debian-1.16.2-1 04/01/2014
Call Trace:
 <TASK>
 dump_stack_lvl+0x44/0x5c
 dump_header+0x4c/0x22b
 oom_kill_process.cold+0xb/0x10
 out_of_memory+0x1fd/0x4c0
 mem_cgroup_out_of_memory+0x134/0x150
 try_charge_memcg+0x696/0x780
 charge_memcg+0x39/0xf0
 __mem_cgroup_charge+0x28/0x80
 __filemap_add_folio+0x35a/0x590
 filemap_add_folio+0x3f/0xc0
 __filemap_get_folio+0x1f6/0x370
 pagecache_get_page+0x15/0x90
 grab_cache_page_write_begin+0x14/0x30
 ext4_da_write_begin+0xb8/0x280
 generic_perform_write+0xce/0x220
 ext4_buffered_write_iter+0x64/0xe0
 vfs_write+0x236/0x3f0
 ksys_write+0x5f/0xe0
 do_syscall_64+0x55/0xb0
 entry_SYSCALL_64_after_hwframe+0x6e/0xd8
RIP: 0033:0x4035a6
Code: ff ff b9 22 00 00 00 ba 03 00 00 00 be 00 00 10 00 bf 00 00 00 00 e8 89 cb 03 00 48 83 f8 ff 74 c0 48 89 c2 48 05 00 00 10 00 <c6> 02 01 48 81 c2 00 10 00 00 48 39 c2 75 f1 48 85 ed 74 af 48 89
RSP: 002b:00007ffc80f39870 EFLAGS: 00000287
RAX: 00007f89a53e0000 RBX: 000000000000001f RCX: 0000000000440133
RDX: 00007f89a53b3000 RSI: 0000000000100000 RDI: 0000000000000000
RBP: 0000000000000000 R08: 00000000ffffffff R09: 0000000000000000
R10: 0000000000000022 R11: 0000000000000246 R12: 0000000000000040
R13: 0000000000000002 R14: 0000000000000002 R15: 0000000000000004
 </TASK>
memory: usage 32768kB, limit 32768kB, failcnt $N
memory+swap: usage 32768kB, limit 9007199254740988kB, failcnt 0
kmem: usage 124kB, limit 9007199254740988kB, failcnt 0
Memory cgroup stats for $G:
anon 33423360
file 4096
kernel 126976
kernel_stack 0
pagetables 98304
sec_pagetables 0
percpu 0
sock 0
vmalloc 0
shmem 4096
file_mapped 0
file_dirty 0
file_writeback 0
swapcached 0
anon_thp 2097152
file_thp 0
shmem_thp 0
inactive_anon 33390592
active_anon 4096
inactive_file 0
active_file 0
unevictable 0
slab_reclaimable 200
slab_unreclaimable 5192
slab 5392
workingset_refault_anon 0
workingset_refault_file 0
Tasks state (memory values in pages):
[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name
`,
		row: "[%7d]     0 %5d     8791     8280   106496        0             0 %s\n",
		tail: `oom-kill:constraint=CONSTRAINT_MEMCG,nodemask=(null),cpuset=/,mems_allowed=0,oom_memcg=$G,task_memcg=$G,task=$W,pid=$V,uid=0
Memory cgroup out of memory: Killed process $V ($W) total-vm:35164kB, anon-rss:32412kB, file-rss:4kB, shmem-rss:704kB, UID:0 pgtables:104kB oom_score_adj:0
`,
		reap: "oom_reaper: reaped process $V ($W), now anon-rss:0kB, file-rss:0kB, shmem-rss:704kB\n",
	},
}

// oomLog is a log of n healthy OOMs: in a handful of groups one task after
// another is killed.
type oomLog struct {
	form   string
	n      int
	groups int  // 5 if 0
	rows   int  // of each task table, 20 if 0
	wrap   int  // pids come again after so many, 0 for never
	reap   bool // the reaper tells of each victim, where the form has it
	split  func(b *bytes.Buffer, i int, at float64)
}

func (l oomLog) reader() io.Reader { return &oomReader{l: l} }

func (l oomLog) String() string {
	b, err := io.ReadAll(l.reader())
	if err != nil {
		panic(err)
	}
	return string(b)
}

type oomReader struct {
	l    oomLog
	i    int
	buf  bytes.Buffer
	text bytes.Buffer
}

func (r *oomReader) Read(p []byte) (int, error) {
	for r.buf.Len() == 0 {
		if r.i == r.l.n {
			return 0, io.EOF
		}
		if r.i == 0 {
			fmt.Fprintf(&r.buf, "[    0.000000] Linux version %s (gcc) #1 SMP\n", oomForms[r.l.form].release)
		}
		r.one()
		r.i++
	}
	return r.buf.Read(p)
}

func (l *oomLog) pid(i int) int {
	if l.wrap > 0 {
		i %= l.wrap
	}
	return 1000 + i
}

func orElse(n, def int) int {
	if n == 0 {
		return def
	}
	return n
}

func (r *oomReader) one() {
	l, f := &r.l, oomForms[r.l.form]
	groups, rows := orElse(l.groups, 5), orElse(l.rows, 20)
	comms := [...]string{"java", "worker", "node", "postgres"}
	// The tasks of report i are new ones; its last is the victim, its first
	// invokes.
	base := r.i * rows
	comm, victim := comms[r.i%len(comms)], comms[(r.i/2)%len(comms)]
	rep := strings.NewReplacer("$C", comm, "$I", fmt.Sprint(l.pid(base)), "$V", fmt.Sprint(l.pid(base+rows-1)), "$W", victim,
		"$G", fmt.Sprintf("/web/job-%d", r.i%groups), "$N", fmt.Sprint(100+r.i))
	r.text.Reset()
	rep.WriteString(&r.text, f.head)
	for k := range rows {
		name := comms[k%len(comms)]
		if k == rows-1 {
			name = victim
		}
		fmt.Fprintf(&r.text, f.row, l.pid(base+k), l.pid(base+k), name)
	}
	rep.WriteString(&r.text, f.tail)
	if l.reap {
		rep.WriteString(&r.text, f.reap)
	}
	at := 100 + float64(r.i)
	stamp := fmt.Sprintf("[%12.6f] ", at)
	for text := r.text.Bytes(); len(text) > 0; {
		n := bytes.IndexByte(text, '\n') + 1
		r.buf.WriteString(stamp)
		r.buf.Write(text[:n])
		text = text[n:]
	}
	if l.split != nil {
		l.split(&r.buf, r.i, at)
	}
}

// taskLog is a sysrq-t of 6.1 with n tasks of 20 lines of call trace each: a
// hundred hold an inode lock and wait for a FUSE server, one of share others
// waits for such a lock, the rest sleeps.
func taskLog(n, share int) string {
	var b strings.Builder
	b.WriteString("[    0.000000] Linux version 6.1.0-21-amd64 (gcc) #1 SMP\n[  300.000000] sysrq: Show State\n")
	write := []string{"vfs_write", "ksys_write", "__x64_sys_write", "do_syscall_64", "entry_SYSCALL_64_after_hwframe"}
	owner := append([]string{"__schedule", "schedule", "request_wait_answer", "__fuse_simple_request", "fuse_simple_request", "fuse_send_write", "fuse_perform_write", "fuse_file_write_iter"}, write...)
	waiter := append([]string{"__schedule", "schedule", "rwsem_down_write_slowpath", "down_write", "fuse_file_write_iter"}, write...)
	sleeper := []string{"__schedule", "schedule", "schedule_hrtimeout_range_clock", "schedule_hrtimeout_range", "ep_poll", "do_epoll_wait", "__x64_sys_epoll_wait", "do_syscall_64", "entry_SYSCALL_64_after_hwframe"}
	for i := range n {
		frames, state := sleeper, "S"
		switch {
		case i < 100:
			frames, state = owner, "D"
		case i%share == 0:
			frames, state = waiter, "D"
		}
		fmt.Fprintf(&b, "[  300.000000] task:w%-14d state:%s stack:0     pid:%-5d ppid:1      flags:0x00000002\n[  300.000000] Call Trace:\n[  300.000000]  <TASK>\n", i%7, state, 1000+i)
		for k, f := range frames {
			fmt.Fprintf(&b, "[  300.000000]  %s+0x%x/0x100\n", f, 0x10+k)
		}
		for k := len(frames); k < 20; k++ {
			fmt.Fprintf(&b, "[  300.000000]  ? earlier_call+0x%x/0x1000\n", 0x10+20*(i%50)+k)
		}
		b.WriteString("[  300.000000]  </TASK>\n")
	}
	b.WriteString("[  301.000000] eth0: link becomes ready\n")
	return b.String()
}
