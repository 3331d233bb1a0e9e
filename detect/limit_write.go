package detect

import (
	"fmt"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/stacks"
)

var limitWriteOOM = &Detector{
	ID:    "limit-write-oom",
	Title: "a write to the group's limit kills, or hangs in reclaim",
	Means: "Setting memory.max (v2) below the usage reclaims and, where that does not suffice, kills until the new limit fits: the invoker of the report is the writer, not a task of the group. " +
		"Setting memory.limit_in_bytes (v1) or force_empty reclaims under one system-wide mutex and can take minutes; every other limit write waits for it.",
	Proof: "memory_max_write(), mem_cgroup_resize_limit(), mem_cgroup_resize_max() or mem_cgroup_force_empty() on the call trace of an OOM report (a kill), or on the stack of a task that " +
		"khungtaskd reported or two dumps show there (a hang).",
	Quiet:    "A charge that runs out of memory because somebody lowered the limit before; a limit write in one dump.",
	Versions: "memory.max: 4.5 and later; v1: all, under set_limit_mutex, memcg_limit_mutex (4.4) or memcg_max_mutex (4.19 on)",
	Actions: []string{
		"write a larger value from another shell (v2: takes effect at once), or send the writer a signal: reclaim checks for one",
		"lower memory.high first and memory.max later",
	},
	Collect: []string{
		"cat /proc/WRITER/stack, twice; memory.current and memory.stat of the group",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		var out []Found
		for _, t := range inc.Tasks {
			for _, s := range t.Sightings {
				c := inc.Graph.Charge(s)
				if c.Kind != waitgraph.ChargeLimitWrite || s.Report == nil {
					continue
				}
				f := Found{Verdict: "none", Confidence: Confirmed, Cycle: -1, Tasks: []*stacks.Task{t}, Collect: []string{}}
				f.Summary = fmt.Sprintf("the OOM comes from a write to the limit by %s, not from a charge", who(t))
				f.Explanation = []string{fmt.Sprintf("%s() is on the call trace of the report: the kernel kills in the group until the new limit fits", c.Frame.Func)}
				f.Evidence = []waitgraph.Ref{{Input: s.Span.Input, Line: s.Line(c.Frame)}}
				out = append(out, f)
				break
			}
			n := inc.Graph.Node(t.ID)
			v := inc.Graph.View(t)
			if n == nil || v == nil || v.Charge.Kind != waitgraph.ChargeLimitWrite || len(inc.Graph.Out(n)) == 0 || inc.onCycle(n) {
				continue
			}
			if isClass(inc.Graph.Out(n)[0].To, "memcg_limit_mutex") {
				continue // behind another limit write
			}
			q := inc.slowQueue([]*stacks.Task{t})
			if len(q.direct) == 0 || !q.lasts {
				continue
			}
			f := inc.stall(q)
			f.Summary = fmt.Sprintf("%s hangs in reclaim while it sets a group's limit", who(t))
			if len(q.behind) > 0 {
				f.Summary += fmt.Sprintf("; %s %s behind it", taskNames(q.behind, 3), plural(len(q.behind), "waits", "wait"))
			}
			f.Explanation = append(f.Explanation, fmt.Sprintf("%s() reclaims until the new limit fits: no OOM is involved", v.Charge.Frame.Func))
			out = append(out, f)
		}
		return out
	},
}
