package parse

import (
	"sync"

	"github.com/oomtrace/oomtrace/internal/anchor"
)

// An anchor is a piece of text without which no line can begin a record, or
// change how the lines behind it are read. A line without one is noise where
// no record is open. Every kind and framing that can begin in the middle of an
// input has one; a test holds the samples of all formats to it. They hold no
// character that JSON or HTML may write as an escape, nor the ": " behind which
// dmesg changes its colour.
var anchorTexts = []string{
	// Frames, with a name and without; "+" as JSON and HTML may write it.
	"+0x", "u002b0x", "u002B0x", "#43;0x", "[<0", "[<f", "[<c", "[<8", "[<9", "] 0xffff",
	// Headers of traces and tasks.
	"Call Trace", "Call trace", "Backtrace:", "NMI backtrace", "task:", "0x0000", "Breaking-Event",
	// OOM reports and kills.
	"oom-", "oom_", "oom.group", "oom killer", "of memory", "FAULT_OOM", "total-vm", "Killed process", "Kill process",
	// khungtaskd, lockups, workqueues.
	"blocked for more than", " blocked on a", "blocked in I/O wait", "can't die for more", "Future hung", "d stall", "lockup", "LOCKUP", "hogged CPU", "Showing busy", "not syncing",
	// sysrq.
	"SysRq", "sysrq", "Sched Debug",
	// lockdep.
	"locks held", "lock held", "Showing all locks", "lockdep is", "circular locking", "recursive locking", "irq lock inv", "inconsistent lock", "-safe -> ",
	"unlock balance", "bad contention", "held lock freed", "suspicious RCU", "wait context", "Nested lock was",
	// The boot and its mounts; a clock that starts anew.
	"Linux version ", "): mounted f", "): Mount", "Kernel Offset", "0.000000]", "-- Boot", "-- Reboot",
	// Lines that were lost.
	"messages dropped", "callbacks suppressed",
	// Files of /proc and cgroups, ps, crash, gdb, drgn.
	"WCHAN", "TASK: ", "#0 ", "/memory.", "cgroup.events", "cgroup.freeze", "pressure/memory", "/stack", "/wchan", "/syscall", "State:\t",
	// Traces.
	"# tracer: ", "Dumping ftrace", "\ncpus=", " [00", " [01", "# event hist", "\n@[",
	// Containers whose records go over lines, and texts kept as numbers.
	"__CURSOR=", "__REALTIME_TIMESTAMP=", `"MESSAGE":[`, `"MESSAGE" : [`, " Part1", " Part2", " Part3", " Part4", " Part5", " Part6", " Part7", " Part8", " Part9",
}

var anchors = sync.OnceValue(func() *anchor.Set { return anchor.New(anchorTexts...) })

// alone returns the length of the anchor that s begins with, if it is of a record
// of one line: a mount, or a stamp that may be the first of a boot. Central logs
// have many. Otherwise it is 0.
func alone(s []byte) int {
	for _, a := range [...]string{"): mounted f", "): Mount", "0.000000]"} {
		if len(s) >= len(a) && string(s[:len(a)]) == a {
			return len(a)
		}
	}
	return 0
}
