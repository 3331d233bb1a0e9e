package detect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/stacks"
)

var memcgOOMUserHandler = &Detector{
	ID:    "memcg-oom-user-handler",
	Title: "a memcg with the OOM killer disabled waits for its userspace handler, and the handler cannot act",
	Means: "With oom_kill_disable=1 (cgroup v1) the kernel kills nobody: the chargers sleep until a userspace handler frees memory or raises the limit. Before 3.12 they " +
		"sleep inside the charge, with their locks: a handler that then reads /proc/PID/cmdline, maps or smaps of a sleeper blocks on the mmap_sem that the sleeper holds for " +
		"write. On later kernels the sleepers hold nothing, but a handler can still wait for something that needs one of them, as a FUSE daemon inside the group.",
	Proof: "Tasks asleep in mem_cgroup_handle_oom() or mem_cgroup_oom_synchronize() and no kill in their group. A deadlock needs the handler: named with --oom-handler, or the " +
		"only task that reads /proc of a sleeper (then at most 'possible'), and its wait, or what it waits for, leading back to a sleeper.",
	Quiet:    "Sleepers without any known handler: a stall, reported as a hang, since nobody is seen to be in a circle. Sleepers of a group in which the kernel did kill.",
	Versions: "cgroup v1: 2.6.34 and later for the stall; holding locks up to 3.11. cgroup v2 has no way to disable the killer.",
	Fixes:    trapSeries(),
	Actions: []string{
		"raise memory.limit_in_bytes of the group a little, or echo 0 > memory.oom_control, from a shell outside the group",
		"use only /proc/PID/stat, status, stack and wchan meanwhile, never cmdline, environ, maps or smaps",
		"keep the handler outside the group, mlocked, and let it read nothing under /proc/PID but status and stack",
	},
	Collect: []string{
		"the pid of the handler: the process that holds an eventfd of memory.oom_control (ls -l /proc/[0-9]*/fd 2>/dev/null | grep -B1 oom_control), then --oom-handler PID",
		"cat memory.oom_control of the group (oom_kill_disable, under_oom)",
		"echo t > /proc/sysrq-trigger; dmesg > dmesg.log",
	},
	Run: runUserHandler,
}

func runUserHandler(d *Detector, inc *Incident) []Found {
	var out []Found
	for i, c := range inc.Cycles {
		h := inc.through(c, waitgraph.ResolvedByHandler)
		if h == nil {
			continue
		}
		level, because := inc.cycleLevel(c)
		handler := h.To.Task
		f := Found{Verdict: "deadlock", Confidence: level, Cycle: i, Tasks: cycleTasks(c), Evidence: sortRefs(inc.cycleEvidence(c))}
		f.Explanation = inc.cycleText(c)
		if level < Confirmed {
			f.Explanation = append(f.Explanation, "not confirmed: "+strings.Join(because, "; "))
		} else {
			f.Collect = []string{}
		}
		sleeper := before(c, h.From)
		switch {
		case sleeper == handler:
			f.Summary = fmt.Sprintf("OOM handler %s sleeps in the very memcg OOM that it should resolve", who(handler))
		case handler != nil && sleeper != nil:
			f.Summary = fmt.Sprintf("%s sleeps in a memcg OOM with the OOM killer disabled; its handler %s waits for something that needs %s", who(sleeper), who(handler), who(sleeper))
			if locks := lockClasses(c); len(locks) > 0 {
				f.Summary = fmt.Sprintf("%s sleeps in a memcg OOM with the OOM killer disabled; its handler %s waits for %s, and that wait leads back to %s",
					who(sleeper), who(handler), strings.Join(locks, ", "), who(sleeper))
			}
		}
		if inc.Era.Name != "trap" {
			f.Fixes = []Fix{}
			f.Explanation = append(f.Explanation, "the sleepers hold no lock of their fault on this kernel; the circle goes through what others need from them, so no kernel fix applies")
		}
		out = append(out, f)
	}
	if len(out) > 0 {
		return out
	}
	// No circle: the group waits for somebody that no log shows to be stuck.
	for _, n := range inc.Nodes {
		if n.Class != "memcg_oom" || n.Episode != nil && len(n.Episode.Victims) > 0 || hasVictim(inc, n) {
			continue
		}
		var sleepers []*stacks.Task
		var refs []waitgraph.Ref
		holding := false
		for _, e := range inc.Graph.In(n) {
			if e.Relation == waitgraph.WaitsFor {
				sleepers = append(sleepers, e.From.Task)
				refs = append(refs, e.Evidence...)
				v := inc.Graph.View(e.From.Task)
				holding = holding || v != nil && len(v.Holds) > 0
			}
		}
		if len(sleepers) == 0 {
			continue
		}
		f := Found{Verdict: "hang", Confidence: Likely, Cycle: -1, Tasks: sleepers, Evidence: sortRefs(refs)}
		f.Summary = fmt.Sprintf("%s in a memcg OOM that the kernel does not resolve (OOM killer disabled): only a userspace handler or a higher limit ends it", sleepText(sleepers))
		f.Explanation = []string{"no kill of this group is in the log, so the kernel's OOM killer is off there (oom_kill_disable), or the log lacks its report"}
		inc.oomControl(n, &f)
		// From 4.19 on the wait queue in mem_cgroup_oom_synchronize() is entered
		// with oom_kill_disable only: no kernel log is needed to know it.
		proved := (inc.Era.Name == "kill_in_charge" || inc.Era.Name == "v1_split") && inc.synchronized(sleepers)
		if proved {
			f.Explanation = []string{"on this kernel a task sleeps in mem_cgroup_oom_synchronize() only where the OOM killer is disabled (cgroup v1, oom_kill_disable)"}
			if f.Confidence == Likely && inc.allWitnessed(sleepers) {
				f.Confidence = Confirmed
				f.Explanation = append(f.Explanation, witnessText)
			}
		}
		if inc.Snap.CapturesOnly() && f.Confidence < Confirmed && !proved {
			f.Confidence = Possible
			f.Summary = fmt.Sprintf("%s in a memcg OOM: its userspace handler has not acted (OOM killer disabled), or its victim cannot exit", sleepText(sleepers))
			f.Explanation = []string{"only captured stacks are at hand; the kernel log would tell whether a victim was killed"}
		}
		if holding {
			f.Explanation = append(f.Explanation, "the sleepers hold the locks of their system calls meanwhile: whoever needs one waits with them")
		} else {
			f.Explanation = append(f.Explanation, "the sleepers hold no lock")
			f.Fixes = []Fix{}
		}
		if slices.ContainsFunc(inc.Graph.Out(n), func(e *waitgraph.Edge) bool { return e.Relation == waitgraph.ResolvedByHandler }) {
			f.Explanation = append(f.Explanation, "its handler is known and is not seen to wait for any of them")
		}
		out = append(out, f)
	}
	return out
}

func sleepText(ts []*stacks.Task) string {
	verb := " sleep"
	if len(ts) == 1 {
		verb = " sleeps"
	}
	return taskNames(ts, 3) + verb
}

// hasVictim: a pasted fragment can name the victim without a kill line.
func hasVictim(inc *Incident, n *waitgraph.Node) bool {
	return slices.ContainsFunc(inc.Graph.Out(n), func(e *waitgraph.Edge) bool { return e.Relation == waitgraph.ResolvedByExit })
}

// oomControl adds what a capture of the group's memory.oom_control says.
func (inc *Incident) oomControl(n *waitgraph.Node, f *Found) {
	for _, c := range inc.Snap.Cgroups {
		disabled, ok := c.Get("oom_kill_disable")
		under, _ := c.Get("under_oom")
		if !ok || "oom:"+c.Path != n.ID {
			continue
		}
		f.Evidence = append(f.Evidence, waitgraph.Ref{Input: c.Span.Input, Line: c.Span.First})
		if disabled.Value != 0 {
			f.Confidence = Confirmed
			f.Explanation = []string{fmt.Sprintf("memory.oom_control of %s says oom_kill_disable 1, under_oom %.0f: the kernel kills nobody there", c.Path, under.Value)}
		} else {
			f.Confidence = Possible
			f.Explanation = append(f.Explanation, fmt.Sprintf("but memory.oom_control of %s says oom_kill_disable 0: the kernel's killer is on, and its report is missing from the log", c.Path))
		}
	}
}

// synchronized reports whether all of them sleep after the unwound fault.
func (inc *Incident) synchronized(ts []*stacks.Task) bool {
	for _, t := range ts {
		if v := inc.Graph.View(t); v == nil || v.Charge.Kind != waitgraph.SynchronizeWait {
			return false
		}
	}
	return len(ts) > 0
}
