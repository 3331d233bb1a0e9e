package detect

import (
	"fmt"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/stacks"
)

var fsFrozen = &Detector{
	ID:    "fs-frozen",
	Title: "tasks wait for a frozen file system to be thawed",
	Means: "A file system is frozen (fsfreeze, a snapshot, dmsetup suspend, a stalled loop device below it) or is being frozen. Writers wait for the thaw with " +
		"the locks that they took before, and others queue behind those. No task owns a freeze: whoever froze it can be gone.",
	Proof: "A task waits in __sb_start_write(), percpu_down_read() of a freeze level, or in schedule() right above __generic_file_aio_write() (2.6.32 to 3.4), and the wait lasts: " +
		"a hung-task report, or two dumps with it.",
	Quiet:    "A backup that freezes for a moment: one dump without a hung-task report, or a later dump in which nobody waits any more.",
	Versions: "all; the freeze levels of 3.6 and later let writers wait before they take the file's lock, so fewer locks are held",
	Actions: []string{
		"thaw it: fsfreeze -u MOUNTPOINT (as root, outside the frozen file system), dmsetup resume DEVICE, or let the snapshot tool finish",
		"if no shell works: echo j > /proc/sysrq-trigger thaws every file system frozen by FIFREEZE",
	},
	Collect: []string{
		"echo t > /proc/sysrq-trigger; dmesg > dmesg.log   # is a task in freeze_super(), or a backup agent asleep?",
		"cat /proc/self/mountinfo, and ps -eo pid,stat,comm,wchan   # no args: they may block",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		var out []Found
		for _, n := range inc.Nodes {
			if !isClass(n, "sb_freeze") || inc.onCycle(n) {
				continue
			}
			q := inc.queueOf(n, nil)
			if !q.lasts || len(q.direct) == 0 {
				continue
			}
			var freezers, waiters []*stacks.Task
			for _, t := range q.direct {
				if v := inc.Graph.View(t); v.Wait != nil && v.Wait.Mode == lockmodel.Exclusive {
					freezers = append(freezers, t)
				} else {
					waiters = append(waiters, t)
				}
			}
			f := inc.stall(q)
			fs := ""
			if v := inc.Graph.View(q.direct[0]); v.Wait != nil && v.Wait.FS != "" {
				fs = " (" + v.Wait.FS + ")"
			}
			switch {
			case len(waiters) == 0:
				f.Summary = fmt.Sprintf("%s cannot finish freezing a file system%s: it waits for writes that are under way", taskNames(freezers, 3), fs)
			default:
				f.Summary = fmt.Sprintf("%s %s for a frozen file system%s to be thawed", taskNames(waiters, 3), plural(len(waiters), "waits", "wait"), fs)
				if len(q.behind) > 0 {
					f.Summary += fmt.Sprintf("; %d more %s behind %s", len(q.behind), plural(len(q.behind), "waits", "wait"), plural(len(waiters), "it", "them"))
				}
			}
			if len(freezers) > 0 && len(waiters) > 0 {
				f.Explanation = append(f.Explanation, fmt.Sprintf("%s is still freezing it and waits for older writes itself: the others queue behind it", taskNames(freezers, 3)))
			} else if len(freezers) == 0 {
				f.Explanation = append(f.Explanation, "nobody in the log is freezing it at the moment: it is frozen, and a freeze has no owner that a dump could show")
			}
			f.Explanation = append(f.Explanation, inc.heldText(waiters)...)
			out = append(out, f)
		}
		return out
	},
}
