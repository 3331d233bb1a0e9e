package detect

import (
	"fmt"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
)

// oomLockTasks is how many tasks must queue on oom_lock to be worth a finding.
const oomLockTasks = 3

var oomLockQueue = &Detector{
	ID:    "oom-lock-queue",
	Title: "memcg OOMs queue on oom_lock, the one lock of all OOM handling",
	Means: "All OOM handling of the system runs under oom_lock. With thousands of tasks in the group, or a slow console, one report takes seconds, and every other group's OOM waits, " +
		"with the locks of its charge (4.19 on). From 4.4 to 4.18, and in 4.20 and 5.0, the wait is not killable either, and until 4.18 the oom_reaper needs the same lock.",
	Proof:    fmt.Sprintf("At least %d tasks in a mutex wait right above mem_cgroup_out_of_memory(), one of which khungtaskd reported or two dumps show.", oomLockTasks),
	Quiet:    "A queue of one moment: parallel charges of one group meet there at every kill.",
	Versions: "4.4 and later (no oom_lock before 4.2)",
	Fixes:    []Fix{fixFlood, fixMargin},
	Actions: []string{
		"sysctl vm.oom_dump_tasks=0, and a quieter console (dmesg -n 1): the report is what takes the time",
		"raise the limits of the groups that run out at the same time",
	},
	Collect: []string{
		"echo t > /proc/sysrq-trigger; dmesg > dmesg.log   # who holds oom_lock, and what it prints",
		"wc -l cgroup.procs of the group",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		var out []Found
		for _, n := range inc.Nodes {
			if !isClass(n, "oom_lock") || inc.onCycle(n) {
				continue
			}
			q := inc.queueOf(n, nil)
			if len(q.direct) < oomLockTasks || !q.lasts {
				continue
			}
			f := inc.stall(q)
			f.Summary = fmt.Sprintf("%d tasks queue on oom_lock to handle a memcg OOM", len(q.direct))
			owner := false
			for _, e := range inc.Graph.Out(n) {
				if e.Relation == waitgraph.HeldBy && e.To.Task != nil {
					owner = true
					f.Summary += fmt.Sprintf(", which %s holds", who(e.To.Task))
					break
				}
			}
			if !owner {
				f.Explanation = append(f.Explanation, "its owner runs, most likely printing a report: no stack of it is in the log")
			}
			if len(q.behind) > 0 {
				f.Explanation = append(f.Explanation, fmt.Sprintf("%s %s behind their locks", taskNames(q.behind, 4), plural(len(q.behind), "waits", "wait")))
			}
			f.Explanation = append(f.Explanation, inc.heldText(q.direct)...)
			out = append(out, f)
		}
		return out
	},
}
