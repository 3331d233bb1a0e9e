package detect

import (
	"fmt"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

var oomVictimStuck = &Detector{
	ID:    "oom-victim-stuck",
	Title: "the OOM victim cannot exit: it waits in a sleep that SIGKILL does not end",
	Means: "The OOM killer chose a task that then stays in an uninterruptible wait: for a lock, a FUSE or NFS server, a frozen file system, a device. Its memory comes back " +
		"only through the oom_reaper (4.6 on), if at all; the process itself stays until the wait ends.",
	Proof:    "The victim is seen after the kill line in a wait that is not killable, and no later dump, reap or task table shows it gone.",
	Quiet:    "A victim that is gone from a later dump; one that is seen only within 2 s of the kill (it is still on its way out).",
	Versions: "all; from 4.6 the reaper usually frees the memory meanwhile, and the finding says so",
	Fixes:    []Fix{fixReaper},
	Actions: []string{
		"release what the victim waits for (its stack tells): restart the server, thaw the file system, abort the FUSE connection",
		"raise the group's limit so that its other tasks go on",
	},
	Collect: []string{
		"echo w > /proc/sysrq-trigger, twice, 10 s apart; dmesg > dmesg.log   # is it the same wait?",
		"cat /proc/VICTIM/stack /proc/VICTIM/status   # never cmdline or maps",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		var out []Found
		for _, v := range inc.Victims() {
			for _, t := range v.Threads {
				view := inc.Graph.View(t)
				n := inc.Graph.Node(t.ID)
				if view == nil || view.Wait == nil || n == nil || len(inc.Graph.Out(n)) == 0 || !view.At.Order.After(v.Order) || inc.inCycle(t) {
					continue
				}
				if inc.soonAfter(v, t) || view.Wait.Killable && len(t.Sightings) < 2 {
					continue
				}
				target := inc.Graph.Out(n)[0].To
				f := Found{Verdict: "hang", Confidence: Likely, Cycle: -1, Tasks: []*stacks.Task{t}}
				f.Summary = fmt.Sprintf("OOM victim %s is still waiting for %s in %s()", who(t), target.Label, view.Wait.Frame.Func)
				f.Evidence = sortRefs([]waitgraph.Ref{{Input: v.Kill.Span.Input, Line: v.Kill.Span.First}, {Input: view.At.Span.Input, Line: view.At.Line(view.Wait.Frame)}})
				if t.HungReports > 0 {
					f.Confidence = Confirmed
					f.Explanation = append(f.Explanation, fmt.Sprintf("khungtaskd reported it %d times, blocked for up to %d s", t.HungReports, t.BlockedS))
				}
				switch v.Fate {
				case waitgraph.Reaped:
					f.Explanation = append(f.Explanation, fmt.Sprintf("its memory is free (%s, line %d), so the OOM itself is resolved: the task hangs, the group does not", v.Reason, v.Evidence[0].Line))
					f.Fixes = []Fix{}
				case waitgraph.ReapFailed:
					f.Explanation = append(f.Explanation, "the oom_reaper could not free its memory either")
				default:
					f.Explanation = append(f.Explanation, "no reaper line follows: its memory is not free as far as the log shows")
				}
				if root := inc.rootOf(n); root != nil && root != n {
					f.Explanation = append(f.Explanation, "the chain ends at "+root.Label)
				}
				out = append(out, f)
			}
		}
		return out
	},
}

// soonAfter: the only sighting after the kill is within 2 s of it, when any
// victim may still be on its way out (the reaper itself starts 2 s after the
// kill from 5.18 on, OOM_REAPER_DELAY).
func (inc *Incident) soonAfter(v *waitgraph.Victim, t *stacks.Task) bool {
	p := t.Present()
	return t.HungReports == 0 && v.Kill.Stamp.HasBoot && p.Stamp.HasBoot && p.Source != parse.SourceProc && p.Stamp.Boot-v.Kill.Stamp.Boot < 2
}

func (inc *Incident) inCycle(t *stacks.Task) bool {
	n := inc.Graph.Node(t.ID)
	return n != nil && inc.onCycle(n)
}

// rootOf follows live edges to where they end: a resource without owner, a
// task that runs, or a lock whose owner is not in the log. Nil in a cycle.
func (inc *Incident) rootOf(n *waitgraph.Node) *waitgraph.Node {
	seen := map[*waitgraph.Node]bool{}
	for !seen[n] {
		seen[n] = true
		out := inc.Graph.Out(n)
		if len(out) == 0 {
			return n
		}
		n = out[0].To
	}
	return nil
}
