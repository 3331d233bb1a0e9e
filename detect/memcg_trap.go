package detect

import (
	"fmt"
	"strings"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

var memcgOOMTrap = &Detector{
	ID:    "memcg-oom-trap",
	Title: "a memcg charge waits for its OOM victim while it holds a lock that the victim needs to exit",
	Means: "A task failed a memcg charge and stays inside it, in mem_cgroup_handle_oom(), with its whole call stack and every lock on it. The task that " +
		"the OOM killer chose waits for one of these locks in a sleep that SIGKILL does not end, so it cannot exit, no memory is freed, and the charge is " +
		"retried for ever. The reported case is i_mutex, taken in generic_file_aio_write() and wanted in do_truncate(); any lock above a charge will do.",
	Proof: "All four of: frames of the trap era (mem_cgroup_handle_oom, or a sleep right above a charge frame) over a frame that holds lock L; the victim seen after " +
		"the kill; waiting, not killably, for a lock compatible with L (class, mode, file or directory, file system); nothing later that shows it moved or exited, or that " +
		"the charge ended. The OOM report's own call trace is a sighting of the charging task, often the only one: khungtaskd skips TASK_KILLABLE sleepers.",
	Quiet: "An OOM report with the same charging stack whose victim is gone from a later dump (an ordinary kill). Tasks that hang on an i_mutex whose owner waits for " +
		"something else, beside unrelated OOMs. Kernels from 3.12 on: the fault is unwound first (3.12..4.18), or the oom_reaper frees the victim's memory (4.6 on).",
	Versions: "2.6.34 to 3.11, 3.2.y and 3.4.y stable to their end, and distribution kernels without the backport (CVE-2014-8171).",
	Fixes:    trapSeries(),
	Actions: []string{
		"raise the limit of the group by a few MiB from a shell outside it (echo N > memory.limit_in_bytes): the charge then succeeds and lets the lock go",
		"or SIGKILL the charging task, not the victim: a charge ends on a signal to its own task only",
		"do not read /proc/PID/cmdline, environ, maps or smaps of the group's tasks meanwhile: that can block on their mmap_sem",
		"then update to a kernel with the fix; until that, give the group headroom",
	},
	Collect: []string{
		"echo w > /proc/sysrq-trigger; echo t > /proc/sysrq-trigger; dmesg > dmesg.log   # both sides in one snapshot",
		"for p in /proc/[0-9]*; do echo \"==> $p/stack <==\"; cat $p/stack; done > stacks.txt   # as root; shows the charging task even when it is in no hung-task report",
		"cat memory.usage_in_bytes memory.limit_in_bytes memory.failcnt memory.oom_control of the group, twice, 10 s apart",
	},
	Run: runTrap,
}

func runTrap(d *Detector, inc *Incident) []Found {
	var out []Found
	seen := map[[2]*stacks.Task]bool{} // one finding for each pair, however many ways lead round
	for i, c := range inc.Cycles {
		exit := inc.through(c, waitgraph.ResolvedByExit)
		if exit == nil {
			continue
		}
		charger := before(c, exit.From)
		if charger == nil || seen[[2]*stacks.Task{charger, exit.To.Task}] {
			continue
		}
		v := inc.Graph.View(charger)
		if v == nil || !inc.inTrap(charger) {
			continue
		}
		seen[[2]*stacks.Task{charger, exit.To.Task}] = true
		f := inc.trapFound(i, c, charger, exit)
		if d.Collect != nil && f.Confidence == Confirmed {
			f.Collect = []string{}
		}
		out = append(out, f)
	}
	if len(out) == 0 {
		out = append(out, inc.endedTraps()...)
	}
	return out
}

// before is the task in front of a node in a cycle.
func before(cycle []*waitgraph.Node, n *waitgraph.Node) *stacks.Task {
	for i := range cycle {
		if cycle[(i+1)%len(cycle)] == n {
			return cycle[i].Task
		}
	}
	return nil
}

// inTrap: some sighting proves the trap era for this task.
func (inc *Incident) inTrap(t *stacks.Task) bool {
	for _, s := range t.Sightings {
		if inc.Graph.Charge(s).Kind == waitgraph.ChargeTrap {
			return true
		}
	}
	return false
}

func (inc *Incident) trapFound(i int, c []*waitgraph.Node, charger *stacks.Task, exit *waitgraph.Edge) Found {
	level, because := inc.cycleLevel(c)
	victim := exit.To.Task
	if l, reason := inc.victimLevel(victim, exit); l < level {
		level, because = l, append(because, reason)
	}
	if inc.Graph.View(charger).Charge.Inferred && level > Likely {
		level, because = Likely, append(because, "mem_cgroup_handle_oom() is inferred")
	}
	locks := strings.Join(lockClasses(c), ", ")
	group := exit.From.Label
	f := Found{Verdict: "deadlock", Confidence: level, Cycle: i, Tasks: cycleTasks(c), Evidence: inc.trapEvidence(c, charger, victim)}
	holder, held := inc.heldBefore(c, charger)
	doing := "retries a charge"
	if !inc.looping(charger) {
		doing = "waits in a charge"
	}
	f.Summary = fmt.Sprintf("%s holds %s while it %s in %s; victim %s needs that lock to exit", who(charger), locks, doing, strings.TrimPrefix(group, "memcg OOM of "), who(victim))
	if exit.Weak {
		f.Summary = fmt.Sprintf("%s holds %s while it %s in a memcg OOM; if %s, which needs that lock, is the victim, neither can go on", who(charger), locks, doing, who(victim))
	}
	if own := inc.locksHeldBy(c, charger); own != locks && own != "" {
		f.Summary = fmt.Sprintf("%s holds %s while it %s in %s; victim %s waits behind that (over %s) and cannot exit", who(charger), own, doing, strings.TrimPrefix(group, "memcg OOM of "), who(victim), locks)
	}
	if locks == "" {
		f.Summary = fmt.Sprintf("%s %s in %s, and its victim %s cannot exit before that ends", who(charger), doing, group, who(victim))
	}
	if held != "" {
		f.Explanation = append(f.Explanation, fmt.Sprintf("%s took the lock in %s() and has not left the charge above it: %s", who(holder), held, inc.placeText(charger)))
	}
	f.Explanation = append(f.Explanation, fmt.Sprintf("%s %s", who(victim), inc.victimText(victim, exit)))
	if level < Confirmed {
		f.Explanation = append(f.Explanation, "not confirmed: "+strings.Join(because, "; "))
	}
	return f
}

// locksHeldBy names the locks of the cycle that the task itself holds.
func (inc *Incident) locksHeldBy(c []*waitgraph.Node, t *stacks.Task) string {
	var own []*waitgraph.Node
	for _, e := range inc.EdgesOf(c) {
		if e.Relation == waitgraph.HeldBy && e.To.Task == t {
			own = append(own, e.From)
		}
	}
	return strings.Join(lockClasses(own), ", ")
}

// heldBefore is the lock's holder on the cycle that leads to the charger.
func (inc *Incident) heldBefore(c []*waitgraph.Node, charger *stacks.Task) (*stacks.Task, string) {
	for _, e := range inc.EdgesOf(c) {
		if e.Relation == waitgraph.HeldBy && e.To.Task == charger {
			return charger, e.Frame
		}
	}
	return nil, ""
}

// placeText tells where the charge was seen.
func (inc *Incident) placeText(t *stacks.Task) string {
	v := inc.Graph.View(t)
	s := fmt.Sprintf("seen in %s()", v.Charge.Frame.Func)
	for _, x := range t.Sightings {
		if x.Report != nil {
			s += fmt.Sprintf(", by the OOM report's own call trace at line %d", x.Span.First)
			break
		}
	}
	if v.At.Report == nil {
		s += fmt.Sprintf(", last at line %d", v.At.Line(v.Charge.Frame))
	} else {
		s += ", and no later line shows it elsewhere (khungtaskd and sysrq-w leave out a task that loops or sleeps killably)"
	}
	return s
}

func (inc *Incident) victimText(t *stacks.Task, exit *waitgraph.Edge) string {
	v := inc.Graph.View(t)
	s := fmt.Sprintf("waits in %s(), which SIGKILL does not end", v.Wait.Frame.Func)
	if exit.From.Episode != nil && len(exit.Evidence) > 0 {
		s = fmt.Sprintf("was killed at line %d and %s, last seen at line %d", exit.Evidence[0].Line, s, v.At.Line(v.Wait.Frame))
	}
	if t.HungReports > 0 {
		s += fmt.Sprintf("; %d hung-task reports", t.HungReports)
	}
	return s
}

func (inc *Incident) looping(t *stacks.Task) bool {
	tr := inc.Graph.TrappedTask(t)
	return tr != nil && tr.Looping
}

// victimLevel: the trap takes a victim that is seen waiting after the kill,
// longer than the moment that any contention lasts.
func (inc *Incident) victimLevel(victim *stacks.Task, exit *waitgraph.Edge) (Level, string) {
	if exit.From.Episode == nil {
		return Likely, "the log fragment has no kill line: the heading names the victim"
	}
	for _, v := range exit.From.Episode.Victims {
		for _, t := range v.Threads {
			if t != victim {
				continue
			}
			p := t.Present()
			if p == nil || !p.Order.After(v.Order) {
				return Possible, "the victim is not seen after the kill"
			}
			if t.HungReports == 0 && v.Kill.Stamp.HasBoot && p.Stamp.HasBoot && p.Stamp.Boot-v.Kill.Stamp.Boot < 2 {
				return Possible, "the victim is seen waiting only within 2 s of the kill"
			}
			return Confirmed, ""
		}
	}
	return Possible, "the victim is not seen after the kill"
}

func (inc *Incident) trapEvidence(c []*waitgraph.Node, charger, victim *stacks.Task) []waitgraph.Ref {
	out := inc.cycleEvidence(c)
	for _, o := range inc.Reports() {
		if o.HasPid && o.InvokerPid == charger.Pid && charger.HasPid {
			out = append(out, waitgraph.Ref{Input: o.Span.Input, Line: o.Span.First})
		}
	}
	if victim.HungReports > 0 {
		h := inc.Snap.HungReports(victim.Pid)[0]
		out = append(out, waitgraph.Ref{Input: h.Span.Input, Line: h.Span.First})
	}
	return sortRefs(out)
}

// endedTraps finds traps that later evidence shows to have ended: the victim
// was seen after the kill, waiting for a lock that the trapped charger held,
// and is gone now.
func (inc *Incident) endedTraps() []Found {
	var out []Found
	for _, e := range inc.Episodes {
		for _, o := range e.Reports {
			if o.Trace == nil || !o.HasPid {
				continue
			}
			charger := inc.Snap.Task(o.InvokerPid)
			at := inc.Snap.Sighting(o)
			if at == nil || inc.Graph.Charge(at).Kind != waitgraph.ChargeTrap {
				continue
			}
			held := inc.Graph.Decode(charger, at).Holds
			for _, v := range e.Victims {
				if v.Open() || v.Kill.Report != o {
					continue
				}
				for _, t := range v.Threads {
					if f, ok := inc.endedTrap(charger, at, held, v, t); ok {
						out = append(out, f)
					}
				}
			}
		}
	}
	return out
}

func (inc *Incident) endedTrap(charger *stacks.Task, at *stacks.Sighting, held []waitgraph.Hold, v *waitgraph.Victim, t *stacks.Task) (Found, bool) {
	for _, s := range t.Sightings {
		if t == charger || !s.Order.After(v.Order) || s.Mute() {
			continue
		}
		w := inc.Graph.Decode(t, s).Wait
		if w == nil || w.Class == nil || w.Class.Resource {
			continue
		}
		for _, h := range held {
			if h.Class != w.Class || !waitgraph.Compatible(w, h) {
				continue
			}
			class := w.Class.NameIn(inc.version())
			return Found{
				Verdict: "none", Confidence: Likely, Cycle: -1, Tasks: []*stacks.Task{charger, t},
				Summary: fmt.Sprintf("%s held %s in a charge while victim %s waited for it, but that ended: %s", who(charger), class, who(t), v.Reason),
				Explanation: []string{
					fmt.Sprintf("%s waited for %s in %s() after the kill (line %d)", who(t), class, w.Frame.Func, s.Line(w.Frame)),
					fmt.Sprintf("%s held it in %s() (line %d)", who(charger), h.Frame.Func, at.Line(h.Frame)),
					"later evidence breaks the cycle: " + v.Reason,
				},
				Ended:    &Ended{At: stampOf(inc, v), How: v.Reason, Evidence: v.Evidence},
				Evidence: sortRefs([]waitgraph.Ref{{Input: at.Span.Input, Line: at.Line(h.Frame)}, {Input: s.Span.Input, Line: s.Line(w.Frame)}}),
				Collect:  []string{},
			}, true
		}
	}
	return Found{}, false
}

// stampOf is when the evidence of a victim's end was printed.
func stampOf(inc *Incident, v *waitgraph.Victim) parse.Stamp {
	for _, d := range inc.Snap.Dumps {
		if len(v.Evidence) > 0 && d.Span.Input == v.Evidence[0].Input && d.Span.First == v.Evidence[0].Line {
			return d.Stamp
		}
	}
	for _, r := range inc.Snap.Reaps {
		if len(v.Evidence) > 0 && r.Span.Input == v.Evidence[0].Input && r.Span.First == v.Evidence[0].Line {
			return r.Stamp
		}
	}
	return parse.Stamp{}
}
