package parse

import (
	"strings"
	"testing"
	"unicode/utf16"
)

// TestShapes has what real logs do to a parser: mail programs, consoles, web
// pages, vendors. want is the events' summaries, or parts of them.
func TestShapes(t *testing.T) {
	tests := []struct {
		name, log string
		want      []string // each is in the summaries
		records   Counts
	}{
		{"frame split from its address",
			"[  963.489137] Call Trace:\n[  963.489137]  [<ffffffff810e33ca>] ?\nspin_lock+0xe/0x10\n[  963.489140]  [<ffffffff810e33cb>]\nfoo+0x1/0x10\n",
			[]string{"? spin_lock+0xe/0x10", "\n\t\tfoo+0x1/0x10"}, Counts{CallTrace: 1}},
		{"header wrapped after invoked",
			"[   35.419377] mkfs.ext4 invoked\noom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0\n",
			[]string{`invoker="mkfs.ext4" gfp="0xd0" order=0 adj=0`}, Counts{OOM: 1}},
		{"header wrapped after the colon",
			"stress invoked oom-killer: \ngfp_mask=0xd0, order=0, oom_score_adj=0\n", []string{`invoker="stress" gfp="0xd0"`}, Counts{OOM: 1}},
		{"header wrapped inside",
			"stress invoked oom-killer: gfp_mask=0xd0,\norder=1, oom_score_adj=7\n", []string{`gfp="0xd0" order=1 adj=7`}, Counts{OOM: 1}},
		{"hung task wrapped after task",
			"[  1.000001] INFO: task\nkworker/u40:0:656534 blocked for more than 120 seconds.\n", []string{`656534 "kworker/u40:0" 120s`}, Counts{HungTask: 1}},
		{"hung task wrapped before the time",
			"[  1.000001] INFO: task java:12 blocked for more than\n120 seconds.\n", []string{`12 "java" 120s`}, Counts{HungTask: 1}},
		{"hung task wrapped after blocked",
			"INFO: task java:12 blocked\nfor more than 120 seconds.\n", []string{`12 "java" 120s`}, Counts{HungTask: 1}},
		{"kill wrapped",
			"[  1.000001] Out of memory: Killed process \n10192 (agent:amservice) total-vm:5kB, anon-rss:4kB,\nfile-rss:3kB\n",
			[]string{`10192 "agent:amservice" vm=5 anon=4 file=3`}, Counts{Kill: 1}},
		{"taint wrapped",
			"[  1.000001] Pid: 5, comm: sh Tainted:\nG        W   2.6.39-rc1 #1\n[  1.000002] Call Trace:\n[  1.000003]  [<ffffffff810e33ca>] foo+0x1/0x2\n",
			[]string{`pid=5 comm="sh" release="2.6.39-rc1"`}, Counts{CallTrace: 1}},
		{"missing spaces",
			"INFO: taskumount:32506  blocked for more than 245 seconds.\n[ 1104.160818]task:umount          state:D stack:0     pid:32506 ppid:1      flags:0x00000002\n",
			[]string{`32506 "umount" 245s`, `hung pid=32506 ppid=1 comm="umount" D`}, Counts{HungTask: 1, TaskDump: 1}},
		{"program's output in front",
			"Creating journal (262144 blocks): [   35.419377] mkfs.ext4 invoked oom-killer: gfp_mask=0xd0, order=0\n", []string{`invoker="mkfs.ext4"`}, Counts{OOM: 1}},
		{"kmsg in a terminal logger",
			"| [ 1:10.129] 6,12131,497184894,-;Call Trace:\n| [ 1:10.129] 6,12132,497184895,-; __schedule+0x862/0x19b0\n", []string{"__schedule+0x862/0x19b0"}, Counts{CallTrace: 1}},
		{"dmesg -H, comma",
			"[Aug 3 00:50] sysrq: Show Blocked State\n[  +0,000002] task:a               state:D stack:0     pid:1     ppid:0      flags:0x00000000\n[  +0.000008] Call Trace:\n[  +0,000002]  __schedule+0x2e3/0x740\n",
			[]string{`pid=1 ppid=0 comm="a" D dump=1`, "__schedule+0x2e3/0x740"}, Counts{TaskDump: 1, CallTrace: 1}},
		{"localised weekday",
			"[Di Aug 12 03:54:03 2025] Call Trace:\n[Di Aug 12 03:54:03 2025]  __switch_to+0xb8/0xf0\n[Di Aug 12 03:54:03 2025]  schedule+0x1/0x2\n", []string{"__switch_to+0xb8/0xf0"}, Counts{CallTrace: 1}},
		{"ISO syslog without a colon, remainder wrapped",
			"2024-07-03T18:45:57.254516+02:00 host kernel Call Trace:\n2024-07-03T18:45:57.254516+02:00 host kernel  ?\n__schedule+0x3da/0xb20\n2024-07-03T18:45:57.254516+02:00 host kernel  schedule+0x3da/0xb20\n",
			[]string{"? __schedule+0x3da/0xb20", "\tschedule+0x3da/0xb20"}, Counts{CallTrace: 1}},
		{"bare seconds column",
			"03585 Call Trace:\r\n03585  __schedule+0x274/0x740\r\n03585  schedule+0x27/0x74\r\n", []string{"__schedule+0x274/0x740", "\tschedule+0x27/0x74"}, Counts{CallTrace: 1}},
		{"editor's numbers, no host",
			"166240 Apr 18 00:37:34   kernel: [14049899.298722] Call Trace:\n166241 Apr 18 00:37:34   kernel: [14049899.298723]  [<ffffffff8163571c>] dump_stack+0x64/0x82\n",
			[]string{"dump_stack+0x64/0x82"}, Counts{CallTrace: 1}},
		{"s390 under z/VM",
			"01: [  490.492303] task:(sd-executor)   state:D stack:58984                       pi\n01: d:   42 ppid:     1 flags:0x00000000\n01: [  490.492304] Call Trace:\n01: [  490.492305]  [<0000000000123456>] schedule+0x1/0x2\n",
			[]string{`pid=42 ppid=1 comm="(sd-executor)" D`, "schedule+0x1/0x2"}, Counts{TaskDump: 1, CallTrace: 1}},
		{"realtime and ppc prefixes",
			"[   28.869238] 000: Call Trace:\n[   28.869238] 000:  show_stack+0x4e/0x52\n[   29.000000] EEH: Call Trace:\n[   29.000001] EEH: [c000000012345678] [c000000000abcdef] foo+0x10/0x20\n",
			[]string{"show_stack+0x4e/0x52"}, Counts{CallTrace: 2}},
		{"HTML leftovers",
			"&nbsp;Call Trace:\n&nbsp;&lt;TASK&gt;\n&nbsp;__schedule+0xe60/0x4120 kernel/sched/core.c:6756\n&nbsp;schedule+0xe6/0x41\n&nbsp;&lt;/TASK&gt;\nNov\u00a0 5 15:39:42 e7 kernel: ? foo+0x1/0x2\n",
			[]string{"__schedule+0xe60/0x4120"}, Counts{CallTrace: 1}},
		{"half of a tag escaped", "Call Trace:\n <TASK&gt;\n foo+0x1/0x2\n", []string{"foo+0x1/0x2"}, Counts{CallTrace: 1}},
		{"folded by time stamps",
			"[ 4390.291000] Call Trace: [ 4390.295790]  process_one_work+0x1a7/0x3a0 [ 4390.299815]  worker_thread+0x1/0x2 [\n4390.300815]  kthread+0x1/0x2 [ 4390.301\n815]  ret_from_fork+0x1/0x2\n",
			[]string{"process_one_work+0x1a7/0x3a0\n\t\tworker_thread+0x1/0x2\n\t\tkthread+0x1/0x2\n\t\tret_from_fork+0x1/0x2"}, Counts{CallTrace: 1}},
		{"folded without stamps",
			"Call Trace: <TASK> __schedule+0x34d/0xa00 schedule+0x5a/0xd0 [ext4] ? left_over+0x5d/0x90 do_syscall_64+0x5d/0x90 </TASK>\n",
			[]string{"__schedule+0x34d/0xa00\n\t\tschedule+0x5a/0xd0 [ext4]\n\t\t? left_over+0x5d/0x90\n\t\tdo_syscall_64+0x5d/0x90"}, Counts{CallTrace: 1}},
		{"folded with addresses",
			"Call Trace: [<ffffffff810e33ca>] foo+0x1/0x2 [<ffffffff810e33cb>] ? bar+0x3/0x4 [<ffffffff810e33cc>] baz+0x5/0x6\n",
			[]string{"foo+0x1/0x2\n\t\t? bar+0x3/0x4\n\t\tbaz+0x5/0x6"}, Counts{CallTrace: 1}},
		{"inlined frames", "Call Trace:\n context_switch kernel/sched/core.c:5357 [inline]\n __schedule+0xe60/0x4120 kernel/sched/core.c:6756\n", []string{"context_switch\n\t\t__schedule+0xe60/0x4120"}, Counts{CallTrace: 1}},
		{"arm", "Call trace:\n__schedule from schedule+0x58/0xcc\nschedule from io_schedule+0x10/0x18\n", []string{"__schedule\n\t\tschedule+0x58/0xcc\n\t\tio_schedule+0x10/0x18"}, Counts{CallTrace: 1}},
		{"arm with addresses",
			"[    1.000001] Backtrace: \n[    1.000002] [<c0014558>] (show_stack) from [<c059798c>] (dump_stack+0x7c/0xc8)\n[    1.000003]  r7:c0a7b0b8 r6:00000000\n[    1.000004] [<c059798c>] (dump_stack+0x0/0xc8) from [<c0597990>] (foo+0x7c/0xc8 [mod])\n[    1.000005]  r4:00000001\n[    1.000006] [<c0597990>] (foo) from [<c0597994>] (ret_fast_syscall+0x0/0x1c)\n[    1.000007] Exception stack(0xc1c5ffb0 to 0xc1c5fff8)\n",
			[]string{"complete\n\t\tshow_stack\n\t\tdump_stack+0x7c/0xc8\n\t\tfoo+0x7c/0xc8 [mod]\n\t\tret_fast_syscall+0x0/0x1c"}, Counts{CallTrace: 1}},
		{"arm without symbols", "[    1.000001] Backtrace:\n[    1.000002] Function entered at [<c0014558>] from [<c059798c>]\n", []string{"0xc0014558\n\t\t0xc059798c"}, Counts{CallTrace: 1}},
		{"riscv without symbols", "[    1.000001] Call Trace:\n[    1.000001] [<000000008011c2f2>] 0x000000008011c2f2\n", []string{"0x8011c2f2"}, Counts{CallTrace: 1}},
		{"ppc64",
			"[    1.000001] CPU: 3 PID: 77 Comm: dd Not tainted 6.1.0 #1\n[    1.000002] Call Trace:\n[    1.000003] [c0000000123456f0] [c0000000000abcde] foo+0x10/0x20 (unreliable)\n[    1.000004] [c000000012345700] [c0000000000abcee] bar+0x10/0x20\n[    1.000005] --- interrupt: 300 at __copy_user+0x1c/0x30\n[    1.000006]     LR = copy_page_from_iter+0x1/0x2\n[    1.000007] [c000000012345710] [c0000000000abcff] system_call_exception+0x10/0x20\n[    1.000008] [c000000012345720] [c0000000000abd00] system_call_common+0xec/0x278\n[    1.000009] --- interrupt: c00 at 0x7fff9b2c4d38\n[    1.000010] NIP:  00007fff9b2c4d38 LR: 000000001000a1b8 CTR: 0000000000000000\n",
			[]string{"user-regs complete\n\t\t? foo+0x10/0x20\n\t\tbar+0x10/0x20\n\t\t__copy_user+0x1c/0x30\n\t\tsystem_call_exception+0x10/0x20\n\t\tsystem_call_common+0xec/0x278"}, Counts{CallTrace: 1}},
		{"s390",
			"[    1.000001] Call Trace:\n[    1.000002] ([<0000000000123456>] __schedule+0x1/0x2)\n[    1.000003]  [<0000000000123458>] schedule+0x1/0x2 \n[    1.000004]  [<0000000000123460>] system_call+0xd6/0x270 \n[    1.000005] Last Breaking-Event-Address:\n[    1.000006]  [<0000000000123462>] preempt_schedule+0x1/0x2\n",
			[]string{"? __schedule+0x1/0x2\n\t\tschedule+0x1/0x2\n\t\tsystem_call+0xd6/0x270\n"}, Counts{CallTrace: 1}},
		{"sparc", "[    1.000001] Call Trace:\n[    1.000002]  [00000000004a5c1c] foo+0x10/0x20\n[    1.000003]  [00000000004a5c20] ret_from_syscall+0x1/0x2\n", []string{"complete\n\t\tfoo+0x10/0x20"}, Counts{CallTrace: 1}},
		{"mips", "[    1.000001] Call Trace:\n[    1.000002] [<80108b50>] dump_stack+0x8/0x34\n[    1.000003] [<80108b54>] (handle_sys+0x1/0x2)\n", []string{"dump_stack+0x8/0x34\n\t\thandle_sys+0x1/0x2"}, Counts{CallTrace: 1}},
		{"ia64", "[    1.000001] Call Trace:\n[    1.000002]  [<a000000100014cc0>] show_stack+0x40/0xa0\n[    1.000003]                                 sp=e00000003e8dfc40 bsp=e00000003e8d9270\n[    1.000004]  [<a000000100014cc0>] foo+0x40/0xa0\n",
			[]string{"trace marked\n\t\tshow_stack+0x40/0xa0\n\t\tfoo+0x40/0xa0"}, Counts{CallTrace: 1}},
		{"frame after Call Trace:", "[    1.000001] Call Trace: [<ffffffff810e33ca>] foo+0x1/0x2\n", []string{"\n\t\tfoo+0x1/0x2"}, Counts{CallTrace: 1}},
		{"pasted /proc/PID/stack", "pid: 1031\nstack:\nn[<ffffffff8110f255>] first+0x1/0x2\n[<ffffffff8110f255>] mem_cgroup_oom_synchronize+0x165/0x190\n[<ffffffffffffffff>] 0xffffffffffffffff\n\npid: 1032\nstack:\n[<ffffffffffffffff>] 0xffffffffffffffff\n",
			[]string{"proc pid=1031", "mem_cgroup_oom_synchronize+0x165/0x190", "proc pid=1032"}, Counts{}},
		{"odd names",
			"[    1.000001] INFO: task runc:[2:INIT]:1987683 blocked for more than 120 seconds.\n[    1.000002] INFO: task (sd-pam):5 blocked for more than 120 seconds.\n[    1.000003] INFO: task rs:main Q:Reg:6 blocked for more than 120 seconds.\n[    1.000004] INFO: task 531:7 blocked for more than 120 seconds.\n[    1.000005] Out of memory: Killed process 8 ((sd-pam)) total-vm:1kB, anon-rss:1kB, file-rss:0kB\n[    1.000006] INFO: task \x01\xff~:9 blocked for more than 120 seconds.\n",
			[]string{`"runc:[2:INIT]"`, `5 "(sd-pam)" 120s`, `"rs:main Q:Reg"`, `7 "531"`, `Kill 8 "(sd-pam)"`, "HungTask 9 "}, Counts{HungTask: 5, Kill: 1}},
		{"new words",
			"[    1.000001] INFO: task a:1 blocked in I/O wait for more than 143 seconds.\n[    1.000002] INFO: task X:11 is blocked on a mutex likely owned by task rdma:1387.\n[    1.000003] INFO: task alsactl:1969 <reader> blocked on an rw-semaphore likely owned by task alsactl:1969 <writer>\n",
			[]string{`1 "a" 143s io`, `11 "X" mutex  owner=1387 "rdma"`, `1969 "alsactl" rwsem reader owner=1969 "alsactl" writer`}, Counts{HungTask: 1}},
		{"can't die", "[    1.000001] INFO: task syz:77 can't die for more than 368 seconds.\n[    1.000002] task:syz             state:R  running task     stack:0     pid:77    ppid:1      flags:0x00004002\n", []string{`77 "syz" 368s`, "pid=77"}, Counts{HungTask: 1, TaskDump: 1}},
		{"killed without a report", "[    1.000001] Out of memory: Killed process 8 (x) total-vm:1kB\n", []string{`Kill 8 "x"`}, Counts{Kill: 1}},
		{"invoked without a mask", "[    1.000001] mem_on_node0 invoked oom-killer\n", []string{`invoker="mem_on_node0"`}, Counts{OOM: 1}},
		{"every line twice",
			"[    1.000001] Call Trace:\n[    1.000001] Call Trace:\n[    1.000002]  foo+0x1/0x2\n[    1.000002]  foo+0x1/0x2\n[    1.000003]  ret_from_fork+0x1/0x2\n[    1.000003]  ret_from_fork+0x1/0x2\n",
			[]string{"complete\n\t\tfoo+0x1/0x2\n\t\tret_from_fork+0x1/0x2"}, Counts{CallTrace: 1}},
		{"recursion is no copy", "[    1.000001] Call Trace:\n[    1.000001]  foo+0x1/0x2\n[    1.000001]  foo+0x1/0x2\n[    1.000001]  bar+0x1/0x2\n", []string{"foo+0x1/0x2\n\t\tfoo+0x1/0x2\n\t\tbar"}, Counts{CallTrace: 1}},
		{"message repeated",
			"Mar 10 11:19:17 web kernel: Call Trace:\nMar 10 11:19:17 web kernel: message repeated 2 times: [  foo+0x1/0x2]\nMar 10 11:19:17 web kernel:  bar+0x1/0x2\n", []string{"foo+0x1/0x2\n\t\tfoo+0x1/0x2\n\t\tbar"}, Counts{CallTrace: 1}},
		{"escaped line ends",
			"Mar 10 11:19:17 web kernel: Call Trace:#012 foo+0x1/0x2#012 ret_from_fork+0x1/0x2\n", []string{"complete\n\t\tfoo+0x1/0x2\n\t\tret_from_fork"}, Counts{CallTrace: 1}},
		{"vmcore-dmesg record of several lines", "[    1.000001] Memory cgroup stats for /a:\\x0aanon 4096\n[    1.000002] x invoked oom-killer: gfp_mask=0xd0, order=0\n", []string{`invoker="x"`}, Counts{OOM: 1}},
		{"look-alikes",
			"NMI backtrace for cpu 0 skipped: idling at native_safe_halt+0x2/0x10\ninitcall foo+0x0/0x207 returned 0 after 3 usecs\nSubject: [PATCH] ioctl_sg01 invoked oom-killer: gfp_mask=0xd0\nrcu: blocked on level-1 rcu_node\n+\tpr_err(\"%s: Killed process %d (%s) total-vm:%lukB\"\n calling  foo+0x0/0x100 @ 1\n",
			nil, Counts{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			evs, res := readAll(tt.log, Options{})
			checkEvents(t, evs, res)
			got := ""
			for _, e := range evs {
				got += summary(e, false)
			}
			if res.Records != tt.records {
				t.Errorf("records %+v\nwant    %+v", res.Records, tt.records)
			}
			for _, w := range tt.want {
				if !strings.Contains(got, w) {
					t.Errorf("no %q", w)
				}
			}
			if t.Failed() || tt.want == nil && len(evs) > 0 {
				t.Errorf("events:\n%s", got)
			}
		})
	}
}

// TestUTF16 reads what Windows tools save.
func TestUTF16(t *testing.T) {
	const log = "[    1.000001] Out of memory: Killed process 8 (\U0001f600 ü) total-vm:1kB\r\n"
	for _, big := range []bool{false, true} {
		out := []byte{0xff, 0xfe}
		if big {
			out = []byte{0xfe, 0xff}
		}
		for _, u := range utf16.Encode([]rune(log)) {
			if big {
				out = append(out, byte(u>>8), byte(u))
			} else {
				out = append(out, byte(u), byte(u>>8))
			}
		}
		evs, res := readAll(string(out), Options{})
		if len(evs) != 1 || evs[0].(*Kill).Comm != "\U0001f600 ü" || int(res.Bytes) != len(out) {
			t.Errorf("big %v: %+v", big, res)
		}
	}
}
