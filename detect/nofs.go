package detect

import (
	"fmt"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/stacks"
)

var nofsLivelock = &Detector{
	ID:    "nofs-livelock",
	Title: "a charge that may not enter the file system is retried for ever, without an OOM kill",
	Means: "From 4.19 on the charge itself invokes the OOM killer. Up to 5.3 out_of_memory() returns success without a kill for requests without __GFP_FS, so try_charge() retries: the task spins " +
		"in reclaim with a full CPU and the locks of its fault, and nobody is killed. XFS page faults (__xfs_filemap_fault) charge that way, for instance.",
	Proof: fmt.Sprintf("All sightings of one task, over at least %d s, stand in try_charge() under the same XFS or btrfs frames, at least %d of them, or two if the kernel's own watchdog (soft lockup, "+
		"RCU stall) printed one; no kill in the log after the first; and the release is one of those.", spinSeconds, spinSightings),
	Quiet:    "A group that thrashes at its limit and is seen elsewhere in between, or in which a task is killed.",
	Versions: "4.19 to 5.3, and el8 4.18.0-147; not 5.4 and later, and not Ubuntu 4.15",
	Fixes:    []Fix{fixNOFS},
	Actions: []string{
		"raise the group's limit: the charge then succeeds",
		"or kill a large task of the group by hand",
	},
	Collect: []string{
		"echo l > /proc/sysrq-trigger, three times, 10 s apart; dmesg > dmesg.log   # the stacks of running tasks",
		"memory.failcnt (v1) or memory.events (v2) of the group, twice",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		var out []Found
		for _, s := range inc.spins {
			first, last := s.at[0], s.at[len(s.at)-1]
			f := Found{Verdict: "livelock", Confidence: Possible, Cycle: -1, Tasks: []*stacks.Task{s.task}}
			f.Summary = fmt.Sprintf("%s retries a NOFS memcg charge for ever: seen in it %d times in %.0f s, and nobody is killed", who(s.task), len(s.at), last.Stamp.Boot-first.Stamp.Boot)
			for _, x := range s.at {
				f.Evidence = append(f.Evidence, waitgraph.Ref{Input: x.Span.Input, Line: x.Line(inc.Graph.Charge(x).Frame)})
			}
			f.Evidence = sortRefs(f.Evidence)
			f.Explanation = []string{"this release's OOM killer refuses requests without __GFP_FS, and the charge is retried"}
			if s.kernel {
				f.Confidence = Likely
				f.Explanation = append(f.Explanation, "a watchdog of the kernel reported it: the task did not leave the kernel in between")
			} else {
				f.Explanation = append(f.Explanation, "not more than possible: only dumps show it, and a task that thrashes may be met in the same place each time")
			}
			if n := inc.Graph.Node(s.task.ID); n != nil {
				if q := inc.queueBehind(s.task); len(q.behind) > 0 {
					f.Explanation = append(f.Explanation, fmt.Sprintf("%s %s for its locks", taskNames(q.behind, 4), plural(len(q.behind), "waits", "wait")))
				}
			}
			out = append(out, f)
		}
		return out
	},
}
