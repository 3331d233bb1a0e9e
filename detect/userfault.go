package detect

import "fmt"

var userfaultWait = &Detector{
	ID:    "userfault-wait",
	Title: "a page fault waits for its userfaultfd monitor",
	Means: "A task touched memory that a userfaultfd monitor (live migration, CRIU, a snapshotting hypervisor) must fill. The fault lock is given back, but every lock of the system " +
		"call that touched the memory stays held: write() with such a buffer keeps the file's lock. The state is S, killable, or plain D, by the kind of fault.",
	Proof:    "handle_userfault() on a stack seen twice or reported by khungtaskd, or a lasting wait behind such a task.",
	Quiet:    "One dump of a migrating guest: faults come and go by the thousand there.",
	Versions: "4.3 and later",
	Actions: []string{
		"look at the monitor process: is it in the memory cgroup that is short of memory, stopped, or waiting for the network?",
		"close its userfaultfd (end the monitor): the waiting faults then go on, or get SIGBUS",
		"keep the monitor outside the group that it serves",
	},
	Collect: []string{
		"ls -l /proc/[0-9]*/fd 2>/dev/null | grep -B1 userfaultfd   # who the monitor is",
		"echo t > /proc/sysrq-trigger; dmesg > dmesg.log   # waiters in state S show only there",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		var out []Found
		for _, n := range inc.Nodes {
			if !isClass(n, "userfault") || inc.onCycle(n) {
				continue
			}
			q := inc.queueOf(n, nil)
			if !q.lasts || len(q.direct) == 0 {
				continue
			}
			f := inc.stall(q)
			f.Summary = fmt.Sprintf("%s %s for a userfaultfd monitor to fill a page", taskNames(q.direct, 3), plural(len(q.direct), "waits", "wait"))
			if len(q.behind) > 0 {
				f.Summary += fmt.Sprintf("; %d more %s behind %s", len(q.behind), plural(len(q.behind), "waits", "wait"), plural(len(q.direct), "it", "them"))
			}
			f.Explanation = append(f.Explanation, "the monitor is a process that no log names")
			f.Explanation = append(f.Explanation, inc.heldText(q.direct)...)
			out = append(out, f)
		}
		return out
	},
}
