package detect

import (
	"fmt"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
)

var cgroupAttachStall = &Detector{
	ID:    "cgroup-attach-stall",
	Title: "moving tasks between cgroups is stuck, and forks, exits and cgroup operations with it",
	Means: "A write to cgroup.procs (systemd, a container runtime) takes cgroup_mutex and then cgroup_threadgroup_rwsem for write. It waits for a fork or exec under way, which can sit in " +
		"reclaim or an OOM of its own group; every other fork, exec and exit, the OOM victim's too, then waits for the writer.",
	Proof: "Tasks wait for cgroup_threadgroup_rwsem or cgroup_mutex, and the wait lasts by a hung-task report or two dumps, without a circle.",
	Quiet: "The grace period of one migration (rcu_sync_enter) in a single dump; a circle of cgroup locks (lock-cycle).",
	Versions: "cgroup_threadgroup_rwsem from 4.2; in 4.4.155 and 4.9 the read side of fork begins after the large charges, before that at the top of copy_process(). " +
		"Moving charges along (cgroup v1, until 6.12) takes the mmap_lock of the moved process under cgroup_mutex",
	Actions: []string{
		"end what the root of the chain waits for: mostly a group at its limit, whose limit has to be raised",
		"stop what moves tasks in masses; on cgroup v1 echo 0 > memory.move_charge_at_immigrate",
	},
	Collect: []string{
		"echo w > /proc/sysrq-trigger; echo t > /proc/sysrq-trigger; dmesg > dmesg.log   # the fork or exit that holds the read side",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		var at *waitgraph.Node
		var best *queue
		for _, n := range inc.Nodes {
			if !isClass(n, "cgroup_threadgroup_rwsem", "cgroup_mutex") || inc.onCycle(n) || inc.rootOf(n) == nil {
				continue
			}
			if q := inc.queueOf(n, nil); q.lasts && len(q.direct) > 0 && (best == nil || len(q.all()) > len(best.all())) {
				at, best = n, q
			}
		}
		if at == nil {
			return nil
		}
		f := inc.stall(best)
		f.Summary = fmt.Sprintf("%s %s for the %s", taskNames(best.direct, 3), plural(len(best.direct), "waits", "wait"), at.Label)
		if n := len(best.behind); n > 0 {
			f.Summary += fmt.Sprintf("; %d more %s behind", n, plural(n, "waits", "wait"))
		}
		for _, e := range inc.Graph.Out(at) {
			if e.Relation == waitgraph.HeldBy && e.To.Task != nil {
				f.Tasks = append(f.Tasks, e.To.Task)
				f.Evidence = sortRefs(append(f.Evidence, e.Evidence...))
				f.Explanation = append(f.Explanation, edgeText(e))
				if o := inc.Graph.Out(e.To); len(o) > 0 {
					f.Explanation = append(f.Explanation, edgeText(o[0]))
				}
				break
			}
		}
		if s := inc.endText(at); s != "" {
			f.Explanation = append(f.Explanation, s)
		}
		return []Found{f}
	},
}
