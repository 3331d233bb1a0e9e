package parse

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

// runTexts are lines that frames are made of, stand between or look like.
var runTexts = []string{
	"Call Trace:", " <TASK>", " </TASK>", " <IRQ>", " </IRQ>", " __schedule+0x2d1/0x870", " ? __schedule+0x2d1/0x870", " schedule+0x5e/0xd0", " schedule_timeout+0x118/0x150",
	" do_truncate+0x84/0xe0 [ext4]", " ? do_truncate+0x84/0xe0", " kthread+0xda/0x100", " ret_from_fork+0x22/0x30", " ret_from_fork_asm+0x1a/0x30", " entry_SYSCALL_64_after_hwframe+0x64/0xce",
	" [<ffffffff810a3aea>] dump_header+0x7a/0xb0", " [<ffffffff810a3aea>] ? dump_header+0x7a/0xb0", " [<ffffffff810e33ca>] ?", " out_of_memory+0x1fd/0x4c0", "[<0>] do_exit+0x1/0x2",
	"task:java            state:D stack:0     pid:3062  ppid:2950   flags:0x00000002", "task:cat             state:S stack:0     pid:77    ppid:1      flags:0x00000000",
	"CPU: 0 PID: 51 Comm: java Not tainted 6.1.0 #1", "java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0", "INFO: task java:3062 blocked for more than 120 seconds.",
	"RIP: 0033:0x4035a6", "RAX: 00007f89a53e0000 RBX: 000000000000001f RCX: 0000000000440133", "sysrq: Show Blocked State", "Memory cgroup out of memory: Killed process 103 (java) total-vm:35164kB",
	"eth0: Link is Up", "", " ", "(x", "-(0)[12:x]schedule+0x5e/0xd0", "(0)[12:x]schedule+0x5e/0xd0", "000: schedule+0x5e/0xd0", "[   T45] schedule+0x5e/0xd0", " (schedule+0x5e/0xd0)", "web kernel: schedule+0x5e/0xd0",
	"[    9.000001] schedule+0x5e/0xd0", "<4>[    9.000001] schedule+0x5e/0xd0", " schedule+0x5e/0xd0 [    9.000001]  do_exit+0x1/0x2 [    9.000002]  do_exit+0x1/0x2", "** 308 printk messages dropped **",
	"Dumping ftrace buffer:", "2 locks held by java/3062:", " #0: ffff888004dd4f18 (lock_b){+.+.}-{3:3}, at: two+0x2b/0x60", "> quoted+0x1/0x2", "-- Reboot --",
}

// runFramings put a time and a text into a line.
var runFramings = []func(sec float64, text string) string{
	func(sec float64, text string) string { return fmt.Sprintf("[%12.6f] %s", sec, text) },
	func(sec float64, text string) string { return fmt.Sprintf("[%12.6f]%s", sec, text) },
	func(sec float64, text string) string { return fmt.Sprintf("[%12.6f][   T45] %s", sec, text) },
	func(sec float64, text string) string {
		return fmt.Sprintf("[%12.6f][   C%d] %s", sec, int(sec)%2, text)
	},
	func(sec float64, text string) string { return fmt.Sprintf("<4>[%12.6f] %s", sec, text) },
	func(sec float64, text string) string { return fmt.Sprintf("[%12.6f, 0] %s", sec, text) },
	func(sec float64, text string) string {
		return fmt.Sprintf("Mar 10 11:19:17 web kernel: [%12.6f] %s", sec, text)
	},
	func(sec float64, text string) string {
		return fmt.Sprintf("Mar 10 11:19:17 db%d kernel: [%12.6f] %s", int(sec)%2, sec, text)
	},
	func(sec float64, text string) string {
		return fmt.Sprintf("2024-03-10T11:19:17.123456+00:00 web kernel: [%12.6f] %s", sec, text)
	},
	func(sec float64, text string) string {
		return fmt.Sprintf("2024-03-10T11:19:17.123456789Z stdout F [%12.6f] %s", sec, text)
	},
	func(sec float64, text string) string { return fmt.Sprintf("kern  :warn  : [%12.6f] %s", sec, text) },
	func(sec float64, text string) string { return fmt.Sprintf("> [%12.6f] %s", sec, text) },
	func(sec float64, text string) string { return fmt.Sprintf("01: [%12.6f] %s", sec, text) },
	func(sec float64, text string) string { return fmt.Sprintf("Mar 10 11:19:17 web kernel: %s", text) },
	func(sec float64, text string) string { return fmt.Sprintf("Mar 10 11:19:17 web sshd[12]: %s", text) },
	func(sec float64, text string) string { return text },
}

// runLog is a log of traces in one framing, with other lines and framings here
// and there.
func runLog(rnd *rand.Rand, lines int) string {
	var b strings.Builder
	framing, at, sec := rnd.IntN(len(runFramings)), 0, 30+rnd.Float64()*60
	for range lines {
		use := framing
		switch rnd.IntN(60) {
		case 0:
			framing = rnd.IntN(len(runFramings))
		case 1:
			use = rnd.IntN(len(runFramings))
		case 2:
			sec += rnd.Float64() * 90
		case 3:
			sec = 1
		}
		if rnd.IntN(3) == 0 {
			sec += float64(rnd.IntN(1000)) * 1e-6
		}
		switch rnd.IntN(8) {
		case 0:
			at = rnd.IntN(len(runTexts))
		case 1: // again
		default: // as a trace goes on
			at = (at + 1) % 20
		}
		line := runFramings[use](sec, runTexts[at])
		for range 1 + rnd.IntN(20)/19 {
			b.WriteString(line)
			b.WriteString([]string{"\n", "\r\n"}[rnd.IntN(40)/39])
		}
	}
	return b.String()
}

// TestRun holds that lines which are read together with the one before say what
// they say by themselves.
func TestRun(t *testing.T) {
	rnd := rand.New(rand.NewPCG(11, 12))
	frames := 0
	for i := range 400 {
		text := runLog(rnd, 400)
		want, wres, _ := skimAll(strings.NewReader(text), Options{whole: true, slow: true, chunk: 2 << 10, MaxFrames: 9})
		var got []Event
		p, err := read(strings.NewReader(text), Options{whole: true, chunk: 2 << 10, MaxFrames: 9}, func(e Event) { got = append(got, e) })
		if err != nil {
			t.Fatal(err)
		}
		sortEvents(got)
		for i := range p.memos {
			if p.memos[i].text != "" {
				frames++
			}
		}
		sameRead(t, fmt.Sprint("log ", i), want, got, wres, p.res)
		if t.Failed() {
			t.Fatalf("of %q", text)
		}
	}
	if frames < 1000 {
		t.Errorf("only %d frames were remembered", frames)
	}
}
