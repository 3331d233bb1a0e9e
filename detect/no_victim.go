package detect

import (
	"fmt"
	"slices"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/parse"
)

var oomNoVictim = &Detector{
	ID:    "oom-no-victim",
	Title: "the OOM killer found nobody to kill",
	Means: "Every task of the group is exempt (oom_score_adj -1000), already dying, or gone; the memory belongs to something that no kill frees (tmpfs, kernel memory). " +
		"2.6.34 to 3.11 loop in the charge for ever; 3.12 to 4.18 retry the fault; 4.19 to 5.15 let the charge exceed the limit; from 5.16 on it fails with -ENOMEM, and a " +
		"page fault is retried again and again ('Huh VM_FAULT_OOM leaked out').",
	Proof:    "The line 'Out of memory and no killable processes...' in a report of the group.",
	Quiet:    "A single such line beside ordinary kills: reported, but with no verdict of its own.",
	Versions: "2.6.34 to 4.18 without a line for memcgs; printed from 4.19 on",
	Fixes:    []Fix{fixFlood, fixDying, fixPF},
	Actions: []string{
		"raise the group's limit",
		"delete files of tmpfs mounts charged to the group, detach shared memory",
		"give at least one task of the group an oom_score_adj above -1000",
	},
	Collect: []string{
		"cat memory.stat of the group (shmem, kernel, slab), and cat /proc/PID/oom_score_adj of its tasks",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		var refs []waitgraph.Ref
		for _, o := range inc.Reports() {
			if o.NoKillable {
				refs = append(refs, waitgraph.Ref{Input: o.Span.Input, Line: o.Span.Last})
			}
		}
		if len(refs) == 0 {
			return nil
		}
		f := Found{Verdict: "none", Confidence: Confirmed, Cycle: -1, Evidence: refs}
		times, kills := len(refs), 0
		for _, e := range inc.Episodes {
			times += e.Folded.NoKillable
			kills += len(e.Kills) + e.Folded.Kills
		}
		f.Summary = fmt.Sprintf("the OOM killer found no killable task in %s (%d times)", inc.group(), times)
		retry := slices.ContainsFunc(inc.Snap.Notes, func(n *parse.Note) bool { return n.Kind == "fault_retry" })
		if retry {
			f.Explanation = append(f.Explanation, "the kernel also says that it retries a page fault that failed with VM_FAULT_OOM: that task makes no progress")
		}
		if (retry || times > 1) && kills == 0 {
			f.Verdict, f.Confidence = "livelock", Likely
		}
		return []Found{f}
	},
}
