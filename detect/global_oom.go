package detect

import (
	"fmt"
	"strings"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/stacks"
)

var globalOOMLock = &Detector{
	ID:    "global-oom-lock",
	Title: "a system-wide OOM: a task allocates for ever under a lock that the victim needs to exit",
	Means: "The page allocator retries small requests until there is memory, with the caller's locks. The OOM killer chose a victim that waits for one of these locks in a sleep that SIGKILL does " +
		"not end. While that victim lives no other one is chosen. Before 4.6 nothing else frees its memory; from then on the oom_reaper does, unless it fails.",
	Proof: "The victim of a system-wide OOM seen after the kill, waiting for a lock; a task seen after the kill in __alloc_pages_slowpath() (or the function it is inlined into) over a frame that holds " +
		"this lock. Deadlock only on kernels before 4.6, or with 'oom_reaper: unable to reap' for that victim; otherwise a hang of the victim.",
	Quiet:    "An allocation seen only in the OOM report itself; a victim that was reaped or is gone from a later dump.",
	Versions: "all; a deadlock before 4.6",
	Fixes:    []Fix{fixReaper},
	Actions: []string{
		"free memory by hand: swapon a spare device, drop caches (echo 1 > /proc/sys/vm/drop_caches), end a large task other than the victim",
		"echo f > /proc/sysrq-trigger does not help while the victim lives: it is chosen again",
	},
	Collect: []string{
		"echo w > /proc/sysrq-trigger; echo t > /proc/sysrq-trigger; dmesg > dmesg.log   # both sides in one snapshot",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		var out []Found
		for i, c := range inc.Cycles {
			exit := inc.through(c, waitgraph.ResolvedByExit)
			if exit == nil || exit.From.Class != waitgraph.SystemOOM {
				continue
			}
			alloc, victim := before(c, exit.From), exit.To.Task
			level, because := inc.cycleLevel(c)
			if l, reason := inc.victimLevel(victim, exit); l < level {
				level, because = l, append(because, reason)
			}
			if level > Likely { // small requests are retried, the log does not print the size
				level, because = Likely, append(because, "that the allocation is retried for ever is an inference")
			}
			f := Found{Verdict: "deadlock", Confidence: level, Cycle: i, Tasks: cycleTasks(c), Evidence: sortRefs(inc.cycleEvidence(c)), Explanation: inc.cycleText(c)}
			f.Summary = fmt.Sprintf("%s allocates memory with %s held; victim %s of the system-wide OOM needs that lock to exit", who(alloc), strings.Join(lockClasses(c), ", "), who(victim))
			f.Explanation = append(f.Explanation, "not confirmed: "+strings.Join(because, "; "))
			out = append(out, f)
		}
		if len(out) > 0 {
			return out
		}
		for _, e := range inc.Episodes {
			if e.Scope == "memcg" || e.Scope == "" {
				continue
			}
			for _, v := range e.Victims {
				for _, t := range v.Threads {
					if f, ok := inc.allocUnderLock(v, t); ok {
						out = append(out, f)
					}
				}
			}
		}
		return out
	},
}

// allocUnderLock: the victim still waits for a lock whose holder is in the
// page allocator, but its memory is free or can be freed.
func (inc *Incident) allocUnderLock(v *waitgraph.Victim, t *stacks.Task) (Found, bool) {
	n := inc.Graph.Node(t.ID)
	if n == nil || !inc.lasts(t) || inc.onCycle(n) {
		return Found{}, false
	}
	for _, w := range inc.Graph.Out(n) {
		for _, h := range inc.Graph.Out(w.To) {
			if h.Relation != waitgraph.HeldBy || h.To.Task == nil {
				continue
			}
			hv := inc.Graph.View(h.To.Task)
			if hv == nil || inc.Graph.Allocating(hv.At) < 0 || !hv.At.Order.After(v.Order) {
				continue
			}
			f := Found{Verdict: "hang", Confidence: Likely, Cycle: -1, Tasks: []*stacks.Task{t, h.To.Task}, Evidence: sortRefs(append(append([]waitgraph.Ref{}, w.Evidence...), h.Evidence...))}
			f.Summary = fmt.Sprintf("victim %s of a system-wide OOM waits for %s, which %s holds while it allocates memory", who(t), w.To.Label, who(h.To.Task))
			f.Explanation = []string{edgeText(w), edgeText(h)}
			if !v.Open() {
				f.Explanation = append(f.Explanation, "no deadlock: "+v.Reason)
			} else {
				f.Explanation = append(f.Explanation, "no deadlock as far as the log shows: from 4.6 on the oom_reaper frees the victim's memory meanwhile")
			}
			return f, true
		}
	}
	return Found{}, false
}
