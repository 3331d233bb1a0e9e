package parse

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestParseFrame(t *testing.T) {
	full := func(fn string, off, size uint32) Frame {
		return Frame{Func: fn, Offset: off, Size: size, HasOffset: true, Reliable: true}
	}
	with := func(f Frame, edit func(*Frame)) Frame { edit(&f); return f }
	tests := []struct {
		name, line string
		want       Frame
	}{
		{"2.6.32 .. 4.8", " [<ffffffff8110a9c1>] mem_cgroup_handle_oom+0x241/0x3b0",
			with(full("mem_cgroup_handle_oom", 0x241, 0x3b0), func(f *Frame) { f.Addr, f.HasAddr = 0xffffffff8110a9c1, true })},
		{"unreliable with address", " [<ffffffff811de4ee>] ? tty_ldisc_deref+0xe/0x10",
			with(full("tty_ldisc_deref", 0xe, 0x10), func(f *Frame) { f.Addr, f.HasAddr, f.Reliable = 0xffffffff811de4ee, true, false })},
		{"4.10 ->", " do_truncate+0x84/0xe0", full("do_truncate", 0x84, 0xe0)},
		{"unreliable", " ? do_syscall_64+0x69/0x90", with(full("do_syscall_64", 0x69, 0x90), func(f *Frame) { f.Reliable = false })},
		{"module", " fuse_dev_do_read+0x3a1/0x7f0 [fuse]", with(full("fuse_dev_do_read", 0x3a1, 0x7f0), func(f *Frame) { f.Module = "fuse" })},
		{"module with build id", " ext4_da_write_begin+0x1/0x2 [ext4 0123456789abcdef0123456789abcdef01234567]",
			with(full("ext4_da_write_begin", 1, 2), func(f *Frame) { f.Module, f.BuildID = "ext4", "0123456789abcdef0123456789abcdef01234567" })},
		{"module with a dash", " foo+0x1/0x2 [snd-hda-intel]", with(full("foo", 1, 2), func(f *Frame) { f.Module = "snd-hda-intel" })},
		{"module cut", " foo+0x1/0x2 [ex", with(full("foo", 1, 2), func(f *Frame) { f.Module = "ex" })},
		{"suffixes", "oom_kill_process.isra.0.cold+0xb/0x10", full("oom_kill_process.isra.0.cold", 0xb, 0x10)},
		{"renamed by GCC", "[<ffffffff8110b5ab>] T.1146+0x5ab/0x5c0",
			with(full("T.1146", 0x5ab, 0x5c0), func(f *Frame) { f.Addr, f.HasAddr = 0xffffffff8110b5ab, true })},
		{"inline marker", " <IRQ>  [<ffffffff8110a9c1>] foo+0x1/0x2",
			with(full("foo", 1, 2), func(f *Frame) { f.Addr, f.HasAddr, f.Context = 0xffffffff8110a9c1, true, ContextIRQ })},
		{"inline marker back", " <<EOE>>  [<ffffffff8110a9c1>] foo+0x1/0x2",
			with(full("foo", 1, 2), func(f *Frame) { f.Addr, f.HasAddr = 0xffffffff8110a9c1, true })},
		{"proc", "[<0>] do_wait+0x114/0x320", full("do_wait", 0x114, 0x320)},
		{"proc, address hidden", "[<0000000000000000>] do_wait+0x114/0x320", full("do_wait", 0x114, 0x320)},
		{"arm64", " __switch_to+0xf8/0x168 (T)", full("__switch_to", 0xf8, 0x168)},
		{"comment", "  generic_file_aio_write+0x76/0xf0           # takes ->i_mutex", full("generic_file_aio_write", 0x76, 0xf0)},
		{"decode_stacktrace", " ext4_file_write_iter (fs/ext4/file.c:123 (discriminator 4)) ext4",
			Frame{Func: "ext4_file_write_iter", Module: "ext4", Reliable: true}},
		{"decode_stacktrace in brackets", "[   1.0] x", Frame{}},
		{"syzkaller", " __schedule+0xe60/0x4120 kernel/sched/core.c:6756", full("__schedule", 0xe60, 0x4120)},
		{"syzkaller inline", " context_switch kernel/sched/core.c:5357 [inline]", Frame{Func: "context_switch", Reliable: true}},
		{"no symbol", " [<ffffffffa0123456>] 0xffffffffa0123456", Frame{Addr: 0xffffffffa0123456, HasAddr: true, Reliable: true}},
		{"bare address", " 0xffffffffa0123456", Frame{Addr: 0xffffffffa0123456, HasAddr: true, Reliable: true}},
		{"ppc64", "[c000000012345678] [c0000000000abcde] foo+0x10/0x20 (unreliable)",
			with(full("foo", 0x10, 0x20), func(f *Frame) { f.Addr, f.HasAddr, f.Reliable = 0xc0000000000abcde, true, false })},
		{"s390", "([<0000000000123456>] foo+0x1/0x2)",
			with(full("foo", 1, 2), func(f *Frame) { f.Addr, f.HasAddr, f.Reliable = 0x123456, true, false })},
		{"end of /proc/PID/stack", "[<ffffffffffffffff>] 0xffffffffffffffff", Frame{}},
		{"marker", " <TASK>", Frame{}},
		{"initcall", "initcall foo+0x0/0x207 returned 0", Frame{}},
		{"returned", "foo+0x0/0x207 returned 0 after 3 usecs", Frame{}},
		{"idle", "NMI backtrace for cpu 0 skipped: idling at native_safe_halt+0x2/0x10", Frame{}},
		{"ftrace", " => vfs_read+0x1/0x2", Frame{}},
		{"kretprobe", "(vfs_read+0x99/0x190 <- full_proxy_read)", Frame{}},
		{"RIP", "RIP: 0010:enqueue_task_fair+0x124/0x3d0", Frame{}},
		{"table title", "[ pid ]   uid  tgid total_vm      rss name", Frame{}},
		{"table row", "[  103]     0   103     8791     8280   106496        0             0 eater", Frame{}},
		{"empty", "", Frame{}},
		{"huge offset", "foo+0xfffffffff/0x10", Frame{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, ok := ParseFrame(tt.line)
			if ok != (tt.want != Frame{}) {
				t.Fatalf("ok = %v, got %+v", ok, got)
			}
			if d := cmp.Diff(tt.want, got); d != "" {
				t.Error(d)
			}
		})
	}
}

// The header of a trace ends in the kernel's build id where the kernel has
// CONFIG_STACKTRACE_BUILD_ID; its frames without a module carry it.
func TestKernelBuildID(t *testing.T) {
	const id = "0123456789abcdef0123456789abcdef01234567"
	log := "[   20.100000] CPU: 1 PID: 210 Comm: hog Not tainted 6.1.0-dirty #1 " + id + "\n[   20.100000] Call Trace:\n[   20.100000]  <TASK>\n" +
		"[   20.100000]  vfs_write+0x1/0x2\n[   20.100000]  ext4_file_write_iter+0x1/0x2 [ext4 89abcdef0123456789abcdef0123456789abcdef]\n[   20.100000]  </TASK>\n"
	var got []string
	if _, err := Read(strings.NewReader(log), Options{}, func(e Event) {
		if task, ok := e.(*Task); ok && task.Trace != nil {
			for _, f := range task.Trace.Frames {
				got = append(got, f.BuildID)
			}
		}
	}); err != nil {
		t.Fatal(err)
	}
	if want := []string{id, "89abcdef0123456789abcdef0123456789abcdef"}; !slices.Equal(got, want) {
		t.Errorf("build ids %q, want %q", got, want)
	}
}
