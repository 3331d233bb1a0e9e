package parse

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// Formats writes, as Markdown, every framing and every kind of record that
// Read understands, each with a sample. It is made from the tables that Read
// itself uses.
func Formats(w io.Writer) error {
	b := bufio.NewWriter(w)
	b.WriteString("# What is understood\n\n" +
		"`oomtrace formats` prints this page. Nothing of it has to be chosen: each line tells by itself how it is wrapped, and a file may\n" +
		"change in the middle.\n\n" +
		"## Framings\n\nHow the lines of a log are wrapped, by the name that reports give them.\n")
	for i := range framings {
		f := &framings[i]
		fmt.Fprintf(b, "\n### %s\n\n%s\n\n", f.name, f.what)
		sampleBlock(b, f.sample)
	}
	for i := range traceFormats {
		f := &traceFormats[i]
		if i == 0 || traceFormats[i-1].name != f.name {
			fmt.Fprintf(b, "\n### %s\n", f.name)
		}
		fmt.Fprintf(b, "\n%s\n\n", f.what)
		sampleBlock(b, f.sample)
	}
	b.WriteString("\nAround any of them: ANSI colours, carriage returns, NULs, UTF-16, mail quotation, HTML, numbers of lines, a prompt in front,\n" +
		"syslog's `#012` and `message repeated`, printk's caller id, CPU prefixes of PREEMPT_RT, z/VM and Android vendors. Wrapped key lines are\n" +
		"joined, traces folded into a paragraph unfolded, lines that two agents logged twice read once.\n\n" +
		"## Records\n\nWhat begins a record, who prints it, and since when. Kinds that begin with the name of a task come first.\n")
	last := ""
	head := func(name string) {
		if name != last {
			fmt.Fprintf(b, "\n### %s\n", name)
			last = name
		}
	}
	row := func(k *kind) {
		head(k.name)
		fmt.Fprintf(b, "\n%s\n\n", k.source)
		sampleBlock(b, k.sample)
	}
	done := map[string]bool{}
	all := func(name string) {
		if done[name] {
			return
		}
		done[name] = true
		for _, list := range [...][]kind{unnamedKinds, kinds} {
			for i := range list {
				if list[i].name == name {
					row(&list[i])
				}
			}
		}
	}
	for _, list := range [...][]kind{unnamedKinds, kinds} {
		for i := range list {
			all(list[i].name)
		}
	}
	return b.Flush()
}

// unnamedKinds are the records that begin with a task's name or a number, and
// so are found in other ways than by the first bytes (see start and walk).
var unnamedKinds = []kind{
	{name: "oom", sample: "java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0", source: "dump_header, all"},
	{name: "task", sample: "java            D ffff88083fc13440     0  3062   2950 0x00000080", source: "sched_show_task, .. 5.8"},
	{name: "locks", sample: "2 locks held by java/3062:", source: "lockdep_print_held_locks, all"},
	{name: "suppressed", sample: "oom_kill_process: 12 callbacks suppressed", source: "___ratelimit, all"},
	{name: "proc-stack", sample: "==> /proc/3062/stack <==\n[<0>] do_truncate+0x84/0xe0\n[<0>] do_sys_ftruncate+0x110/0x1b0", source: "/proc/PID/stack with a heading that names the task, as tail and grep print it"},
	{name: "proc-status", sample: "Name:\tjava\nState:\tD (disk sleep)\nPid:\t3062\n==> /proc/3062/stack <==\n[<0>] do_truncate+0x84/0xe0", source: "/proc/PID/status above the stack"},
	{name: "debugger", sample: "#0  __schedule (kernel/sched/core.c:6699:8)\n#1  schedule (kernel/sched/core.c:6773:3)", source: "drgn; crash's frames below their head are of kind crash"},
}

// sampleBlock writes a sample as an indented block; what is no text is
// escaped.
func sampleBlock(b *bufio.Writer, s string) {
	for l := range strings.Lines(s) {
		l = strings.TrimSuffix(l, "\n")
		if q := strconv.Quote(l); strings.Contains(q, `\x`) {
			l = q[1 : len(q)-1]
		}
		b.WriteString("    " + l + "\n")
	}
}
