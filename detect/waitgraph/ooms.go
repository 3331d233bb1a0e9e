package waitgraph

import (
	"slices"
	"strconv"

	"github.com/oomtrace/oomtrace/stacks"
)

// ooms adds the memcg's OOM as a resource: chargers wait for it, it is
// resolved by the exit of its victim, or by the userspace handler when the
// OOM killer is disabled (reasoning.md §4).
func (b *builder) ooms() {
	for _, tr := range b.trappedList {
		n := b.oomNode(tr)
		v := tr.View
		e := b.add(&Edge{From: b.taskNode(v.Task), To: n, Relation: WaitsFor, Basis: FrameModel, Frame: v.Charge.Frame.Func,
			Evidence: []Ref{{v.At.Span.Input, v.At.Line(v.Charge.Frame)}}})
		switch {
		case tr.Report != nil:
			e.Why = append(e.Why, "it invoked this OOM")
		case n.Episode != nil:
			e.Why = append(e.Why, "it sleeps in a memcg OOM, and this is the only one that the log reports")
		}
		if v.Charge.Inferred {
			e.Why = append(e.Why, "mem_cgroup_handle_oom() is taken to be inlined into "+v.Charge.Frame.Func+"()")
		}
	}
	b.victimEdges()
	b.handlerEdges()
}

// oomNode is the OOM that a trapped task waits for.
func (b *builder) oomNode(tr *Trapped) *Node {
	e := b.episodeWith(tr.Report)
	if e == nil {
		e = b.onlyOpenEpisode(tr.View.Task)
	}
	if e != nil {
		if e.Node == nil {
			e.Node = b.node(oomID(e.Memcg), func() *Node { return &Node{Kind: "resource", Class: "memcg_oom", Label: oomLabel(e.Memcg), Episode: e} })
			e.Node.Episode = e
		}
		return e.Node
	}
	cg := tr.View.Task.Memcg
	if cg == "" {
		cg = b.onlyGroupUnderOOM()
	}
	return b.node(oomID(cg), func() *Node { return &Node{Kind: "resource", Class: "memcg_oom", Label: oomLabel(cg)} })
}

// onlyGroupUnderOOM is the group whose memory.oom_control was captured with
// under_oom 1, if it is the only one.
func (b *builder) onlyGroupUnderOOM() string {
	out := ""
	for _, c := range b.Snap.Cgroups {
		if v, ok := c.Get("under_oom"); !ok || v.Value == 0 || c.Path == out {
			continue
		}
		if out != "" {
			return ""
		}
		out = c.Path
	}
	return out
}

func oomID(memcg string) string {
	if memcg == "" {
		return "oom:?"
	}
	return "oom:" + memcg
}

func oomLabel(memcg string) string {
	if memcg == "" {
		return "memcg OOM (group not in the log)"
	}
	return "memcg OOM of " + memcg
}

// onlyOpenEpisode joins a sleeper without a report of its own: by its group,
// by the task table, or because there is only one open memcg OOM.
func (b *builder) onlyOpenEpisode(t *stacks.Task) *Episode {
	if !b.openKnown {
		b.openKnown = true
		for _, e := range b.Episodes {
			if (e.Scope == "memcg" || e.Scope == "") && !e.Resolved() {
				b.open = append(b.open, e)
			}
		}
	}
	var some *Episode
	more := false
	for _, e := range b.open {
		// A pasted stack without a pid belongs to its own paste.
		if !t.HasPid && len(e.Reports) > 0 && e.Reports[0].Span.Input != t.Sightings[0].Span.Input {
			continue
		}
		if t.Memcg != "" && e.Memcg != "" && t.Memcg == e.Memcg || t.HasPid && e.lists(t.Pid) {
			return e
		}
		some, more = e, some != nil
	}
	if some != nil && !more && (t.Memcg == "" || some.Memcg == "") {
		return some
	}
	return nil
}

// victimEdges lets each open OOM wait for the exit of its victims.
func (b *builder) victimEdges() {
	for _, e := range b.Episodes {
		if e.Node == nil {
			continue
		}
		for _, v := range e.OpenVictims() {
			ref := Ref{v.Kill.Span.Input, v.Kill.Span.First}
			for _, t := range b.victimThreads(v) {
				ed := b.add(&Edge{From: e.Node, To: b.taskNode(t), Relation: ResolvedByExit, Basis: KernelReport, Evidence: []Ref{ref}})
				ed.Why = append(ed.Why, "the OOM killer killed it, and the group's memory comes back when it has exited")
			}
		}
	}
	// Pasted stacks: a heading names the victim ("OOM kill victim:").
	for _, n := range b.Nodes {
		if n.Class != "memcg_oom" || n.Episode != nil {
			continue
		}
		for _, t := range b.Snap.Tasks {
			if !t.HasPid && labelled(t, "victim") {
				ed := b.add(&Edge{From: n, To: b.taskNode(t), Relation: ResolvedByExit, Basis: User, Evidence: taskRefs(t)})
				ed.Why = append(ed.Why, "the heading above its stack names it as the victim: "+strconv.Quote(t.Label))
			}
		}
		if len(n.out) == 0 && b.Snap.CapturesOnly() {
			b.assumedVictims(n)
		}
	}
}

// assumedVictims: where only stacks were captured and no kernel log, a task
// that waits for a lock of a trapped charger may be the victim or may not.
func (b *builder) assumedVictims(n *Node) {
	for _, e := range slices.Clone(n.in) {
		charger := e.From.Task
		if charger == nil || b.trapped[charger] == nil || b.trapped[charger].View.Charge.Kind == SynchronizeWait {
			continue
		}
		for _, held := range e.From.in {
			if held.Relation != HeldBy {
				continue
			}
			for _, w := range held.From.in {
				v := b.views[w.From.Task]
				if v == nil || v.Wait == nil || v.Wait.Killable || b.trapped[w.From.Task] != nil {
					continue
				}
				b.add(&Edge{From: n, To: w.From, Relation: ResolvedByExit, Basis: FrameModel, Weak: true, Evidence: []Ref{{v.At.Span.Input, v.At.Line(v.Wait.Frame)}},
					Why: []string{"an assumption: there is no OOM report that names the victim, and this task waits for a lock of the charging one"}})
			}
		}
	}
}

// victimThreads are the threads whose exit the OOM waits for: those seen in a
// wait after the kill, else the one that the kill line names.
func (b *builder) victimThreads(v *Victim) []*stacks.Task {
	var out []*stacks.Task
	for _, t := range v.Threads {
		if view := b.views[t]; view != nil && view.At.Order.After(v.Order) && view.Wait != nil && b.waiting(view) {
			out = append(out, t)
		}
	}
	if len(out) > 0 {
		return out
	}
	if v.Task != nil {
		return []*stacks.Task{v.Task}
	}
	t := b.Snap.Name(v.Kill.Pid)
	if t.Comm == "" {
		t.Comm = v.Kill.Comm
	}
	return []*stacks.Task{t}
}

// handlerEdges: with the OOM killer disabled (no kill in the group) the OOM
// ends when its userspace handler acts. No log names that process.
func (b *builder) handlerEdges() {
	for _, n := range slices.Clone(b.Nodes) {
		if n.Class != "memcg_oom" || n.Episode != nil && len(n.Episode.Victims) > 0 || len(n.out) > 0 {
			continue
		}
		handlers, basis, weak := b.handlers(n)
		for _, h := range handlers {
			e := b.add(&Edge{From: n, To: b.taskNode(h), Relation: ResolvedByHandler, Basis: basis, Alternatives: len(handlers), Weak: weak})
			if v := b.views[h]; v != nil {
				e.Evidence = []Ref{{v.At.Span.Input, v.At.Span.First}}
			}
			if basis == User {
				e.Why = []string{"named by --oom-handler"}
			} else {
				e.Why = []string{"it is the only task that reads /proc of a sleeper: a guess that it is the handler"}
			}
		}
	}
}

func (b *builder) handlers(n *Node) (list []*stacks.Task, basis string, weak bool) {
	if len(b.opt.Handlers) > 0 {
		if h := b.named(b.opt.Handlers); len(h) > 0 {
			return h, User, false
		}
		for _, name := range b.opt.Handlers {
			if pid, err := strconv.Atoi(name); err == nil && pid > 0 {
				return []*stacks.Task{b.Snap.Name(pid)}, User, false
			}
		}
		return nil, "", false
	}
	// A task outside the group that waits for something a sleeper holds while
	// it reads another process: a candidate if there is exactly one.
	var out []*stacks.Task
	for _, v := range b.Views {
		if v.Wait == nil || b.trapped[v.Task] != nil || !b.waiting(v) || v.Wait.Instance != "target_mm" && v.Wait.Instance != "target_task" {
			continue
		}
		for _, e := range b.taskNode(v.Task).out {
			for _, h := range e.To.out {
				if h.To.Task != nil && b.trapped[h.To.Task] != nil && !slices.Contains(out, v.Task) {
					out = append(out, v.Task)
				}
			}
		}
	}
	if len(out) != 1 {
		return nil, "", false
	}
	return out, FrameModel, true
}

func taskRefs(t *stacks.Task) []Ref {
	var out []Ref
	for _, s := range t.Sightings {
		out = append(out, Ref{s.Span.Input, s.Span.First})
	}
	return out
}
