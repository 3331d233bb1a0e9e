package detect

import (
	"fmt"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/stacks"
)

var oomStorm = &Detector{
	ID:    "oom-storm",
	Title: "the same memcg runs out of memory again and again",
	Means: "The group is killed, restarted or refilled, and killed again: a restart loop, a limit below the working set, or memory that no kill frees (tmpfs, kernel memory) so " +
		"that one task after another dies.",
	Proof:    fmt.Sprintf("At least %d kills in one group within %d s.", stacks.StormKills, stacks.StormSeconds),
	Quiet:    "A few kills, kills of different groups, and memory.oom.group, where one report kills a whole group at once.",
	Versions: "all",
	Fixes:    []Fix{fixMargin},
	Actions: []string{
		"compare the limit with what the group needs (the statistics of the report), raise it or lower the load",
		"stop the restart loop of the service that lives in the group",
	},
	Collect: []string{
		"memory.stat and memory.events of the group before and after a kill",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		var out []Found
		for _, e := range inc.Episodes {
			var times []float64
			var refs []waitgraph.Ref
			folded := e.Folded.Moments
			for _, o := range e.Reports {
				if len(o.Kills) == 0 || !o.Stamp.HasBoot {
					continue
				}
				for len(folded) > 0 && folded[0].Line < o.Span.First {
					times, folded = append(times, folded[0].Boot), folded[1:]
				}
				times = append(times, o.Stamp.Boot)
				refs = append(refs, waitgraph.Ref{Input: o.Span.Input, Line: o.Span.First})
			}
			for _, m := range folded {
				times = append(times, m.Boot)
			}
			if e.Scope != "memcg" || !stacks.Storm(times) {
				continue
			}
			n := len(times)
			f := Found{Verdict: "oom_storm", Confidence: Confirmed, Cycle: -1, Evidence: refs[:min(len(refs), 10)]}
			f.Summary = fmt.Sprintf("%d OOM kills in %s within %.0f s", n, groupName(e), times[n-1]-times[0])
			out = append(out, f)
		}
		return out
	},
}
