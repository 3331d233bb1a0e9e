package detect

import (
	"fmt"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/report"
	"github.com/oomtrace/oomtrace/stacks"
)

// synchronizePath tells whether the kernel took mem_cgroup_oom_synchronize()
// in this incident (oom-eras §4). Only a frame proves it: its absence from a
// dump proves nothing about the past.
func (inc *Incident) synchronizePath() report.SyncPath {
	var best *stacks.Sighting
	var charge waitgraph.Charge
	rank := func(k waitgraph.ChargeKind) int {
		switch k {
		case waitgraph.SynchronizeKill:
			return 6
		case waitgraph.SynchronizeWait:
			return 5
		case waitgraph.ChargeTrap:
			return 4
		case waitgraph.ChargeInCharge, waitgraph.ChargeInterim:
			return 3
		case waitgraph.ChargeLimitWrite:
			return 2
		}
		return 0
	}
	take := func(s *stacks.Sighting) {
		if c := inc.Graph.Charge(s); rank(c.Kind) > rank(charge.Kind) {
			best, charge = s, c
		}
	}
	for _, t := range inc.Tasks {
		for _, s := range t.Sightings {
			take(s)
		}
	}
	// An invoker whose report names no pid is no task of the graph's nodes.
	for _, o := range inc.Reports() {
		if s := inc.Snap.Sighting(o); s != nil {
			take(s)
		}
	}
	out := report.SyncPath{Status: "unknown", Evidence: []report.Ref{}}
	set := func(status, mechanism, reason string) {
		out.Status, out.Reason = status, reason
		if mechanism != "" {
			out.Mechanism = &mechanism
		}
		if best != nil && charge.Frame != nil {
			out.Evidence = append(out.Evidence, report.Ref{Input: best.Span.Input, Line: best.Line(charge.Frame)})
		}
	}
	switch charge.Kind {
	case waitgraph.SynchronizeKill:
		set("taken", "synchronize_kill", "the fault was unwound and mem_cgroup_oom_synchronize() killed from pagefault_out_of_memory(), where no lock is held")
	case waitgraph.SynchronizeWait:
		set("taken", "synchronize_wait", "a task sleeps in mem_cgroup_oom_synchronize() after its fault was unwound: it holds no lock of the fault")
	case waitgraph.ChargeTrap:
		how := "waits"
		if !charge.Sleeping {
			how = "loops"
		}
		reason := fmt.Sprintf("the charging task %s in %s() with every lock of its call stack; mem_cgroup_oom_synchronize() is on no stack", how, charge.Frame.Func)
		if charge.Inferred {
			reason += " (inferred: mem_cgroup_handle_oom() inlined)"
		}
		set("not_taken", "trap", reason)
	case waitgraph.ChargeInCharge, waitgraph.ChargeInterim:
		set("not_taken", "in_charge", fmt.Sprintf("the kill was done inside the charge, above %s(), while the locks of the system call were held", charge.Frame.Func))
	case waitgraph.ChargeLimitWrite:
		set("not_applicable", "", "the OOM came from a write to the group's limit, not from a charge")
	default:
		inc.noChargeFrame(set, &out)
	}
	return out
}

// noChargeFrame is the case that no stack shows a memcg OOM.
func (inc *Incident) noChargeFrame(set func(status, mechanism, reason string), out *report.SyncPath) {
	memcg := inc.hasClass("memcg_oom")
	for _, e := range inc.Episodes {
		switch e.Scope {
		case "memcg", "":
			memcg = true
		}
	}
	if !memcg {
		if len(inc.Episodes) == 0 {
			set("not_applicable", "", "no memcg OOM in this incident")
		} else {
			set("not_applicable", "", "the OOM is not a memcg's")
		}
	} else if ref, ok := inc.cleanupOnly(); ok {
		set("not_taken", "cleanup_only", "the trace shows mem_cgroup_oom_synchronize() called by handle_mm_fault() only: it forgets the failed charge of a fault that succeeded")
		out.Evidence = append(out.Evidence, ref)
	} else {
		set("unknown", "", "no call trace of the charging task is in the log")
	}
	for _, o := range inc.Reports() {
		out.Evidence = append(out.Evidence, report.Ref{Input: o.Span.Input, Line: o.Span.First})
		break
	}
}

// resolution tells what was seen to end, "" if nothing was.
func (inc *Incident) resolution() (text string, resolved bool) {
	vs := inc.Victims()
	if len(vs) == 0 {
		if len(inc.Past) > 0 && !inc.hasClass("memcg_oom") {
			return "the tasks that waited for the memcg OOM no longer wait in the later dump", true
		}
		return "", false
	}
	open, all := 0, 0
	for _, e := range inc.Episodes {
		open += e.Folded.Unknown
		all += e.VictimCount()
	}
	var last *waitgraph.Victim
	for _, v := range vs {
		if v.Open() {
			open++
		} else {
			last = v
		}
	}
	if open > 0 || last == nil {
		return "", false
	}
	what := fmt.Sprintf("victim %s/%d: %s (line %d)", last.Kill.Comm, last.Kill.Pid, last.Reason, last.Evidence[0].Line)
	if all > 1 {
		what = fmt.Sprintf("all %d victims are gone; the last one, %s", all, what)
	}
	return what, true
}
