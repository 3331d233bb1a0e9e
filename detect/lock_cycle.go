package detect

import (
	"fmt"
	"strings"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
)

var lockCycle = &Detector{
	ID:    "lock-cycle",
	Title: "tasks wait for each other in a circle of locks, without an OOM in it",
	Means: "Each task of the circle waits for something that the next one holds or must deliver (a lock, a FUSE reply, a journal commit). None can go on. It is a " +
		"deadlock of its own, whatever OOMs stand in the same log.",
	Proof: "Every edge of the circle alive at the end of the log: the waits last, the holders are seen with the lock on their stacks or named by the kernel. A circle of one task is recursion: the kernel names the blocked task as the owner (6.15 on).",
	Quiet: "A chain that ends at something without an owner (a frozen file system, a silent daemon, a device): a hang. A circle that a later dump no longer shows. " +
		"A lockdep splat: it warns of an order and never proves a deadlock. A reader mark of an rwsem that names the waiter itself: the mark stays after the release.",
	Versions: "all",
	Actions: []string{
		"find the task of the circle that can be killed: one in a killable or interruptible sleep, or a FUSE daemon (echo 1 > /sys/fs/fuse/connections/N/abort)",
		"otherwise only a reboot ends it; take a crash dump first (echo c > /proc/sysrq-trigger with kdump set up)",
	},
	Collect: []string{
		"echo t > /proc/sysrq-trigger; dmesg > dmesg.log   # holders asleep in state S show only there",
		"echo d > /proc/sysrq-trigger on a kernel with lockdep: lock addresses tell instances apart",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		var out []Found
		for i, c := range inc.Cycles {
			if inc.through(c, waitgraph.ResolvedByHandler) != nil {
				continue
			}
			if exit := inc.through(c, waitgraph.ResolvedByExit); exit != nil {
				if exit.From.Class == waitgraph.SystemOOM {
					continue // global-oom-lock
				}
				if t := before(c, exit.From); t != nil && inc.inTrap(t) {
					continue
				}
			}
			level, because := inc.cycleLevel(c)
			f := Found{Verdict: "deadlock", Confidence: level, Cycle: i, Tasks: cycleTasks(c), Evidence: sortRefs(inc.cycleEvidence(c)), Explanation: inc.cycleText(c)}
			what := lockClasses(c)
			for _, n := range c {
				if n.Kind == "resource" {
					what = append(what, n.Label)
				}
			}
			f.Summary = fmt.Sprintf("%s wait for each other over %s", taskNames(f.Tasks, 4), strings.Join(what, ", "))
			if len(f.Tasks) == 1 && len(what) == 1 && what[0] == "lock" {
				f.Summary = fmt.Sprintf("%s waits in %s() for a lock that it holds itself", who(f.Tasks[0]), inc.EdgesOf(c)[0].Frame)
			} else if len(f.Tasks) == 1 {
				f.Summary = fmt.Sprintf("%s waits for %s, which only it can release", who(f.Tasks[0]), strings.Join(what, ", "))
			}
			if level < Confirmed {
				f.Explanation = append(f.Explanation, "not confirmed: "+strings.Join(because, "; "))
			} else {
				f.Collect = []string{}
			}
			out = append(out, f)
		}
		return out
	},
}
