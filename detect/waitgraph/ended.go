package waitgraph

import (
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

// endedEdges shows the circles that were seen after a kill and are over: the
// invoker in its charge under a lock that the victim then waited for, and a
// victim that is gone or reaped since. They are in no cycle.
func (b *builder) endedEdges() {
	for _, e := range b.Episodes {
		for _, v := range e.Victims {
			if v.Open() || v.Kill.Report == nil {
				continue
			}
			invoker, at := b.invokerOf(v.Kill.Report)
			if at == nil {
				continue
			}
			if k := b.Charge(at).Kind; k != ChargeTrap && k != ChargeInCharge && k != ChargeInterim {
				continue // nothing was held: the fault had been unwound
			}
			held := b.dec.decode(invoker, at).Holds
			for _, t := range v.Threads {
				if t != invoker {
					b.endedCircle(e, v, invoker, at, held, t)
				}
			}
		}
	}
}

// invokerOf is the task of a report and the sighting that the report is.
func (b *builder) invokerOf(o *parse.OOM) (*stacks.Task, *stacks.Sighting) {
	if !o.HasPid {
		return nil, nil
	}
	t := b.Snap.Task(o.InvokerPid)
	if t == nil {
		return nil, nil
	}
	if s := b.Snap.Sighting(o); s != nil {
		return t, s
	}
	return nil, nil
}

func (b *builder) endedCircle(e *Episode, v *Victim, invoker *stacks.Task, at *stacks.Sighting, held []Hold, t *stacks.Task) {
	for _, s := range t.Sightings {
		if s.Mute() || !s.Order.After(v.Order) {
			continue
		}
		view := b.dec.decode(t, s)
		w := view.Wait
		if w == nil || w.Class == nil || w.Class.Resource {
			continue
		}
		for _, h := range held {
			if h.Class != w.Class || !Compatible(w, h) {
				continue
			}
			if e.Node == nil {
				e.Node = b.node(oomID(e.Memcg), func() *Node { return &Node{Kind: "resource", Class: "memcg_oom", Label: oomLabel(e.Memcg), Episode: e} })
			}
			lock := b.lockNode(&waiter{view: view, class: w.Class, cands: []candidate{{task: invoker, hold: h}}})
			why := []string{"over: " + v.Reason}
			charge := b.Charge(at)
			add := func(from, to *Node, rel, basis, frame string, r Ref) {
				b.add(&Edge{From: from, To: to, Relation: rel, Basis: basis, Frame: frame, Ended: true, Why: why, Evidence: []Ref{r}})
			}
			add(b.taskNode(t), lock, WaitsFor, FrameModel, w.Frame.Func, Ref{s.Span.Input, s.Line(w.Frame)})
			add(lock, b.taskNode(invoker), HeldBy, FrameModel, h.Frame.Func, Ref{at.Span.Input, at.Line(h.Frame)})
			add(b.taskNode(invoker), e.Node, WaitsFor, FrameModel, charge.Frame.Func, Ref{at.Span.Input, at.Line(charge.Frame)})
			add(e.Node, b.taskNode(t), ResolvedByExit, KernelReport, "", Ref{v.Kill.Span.Input, v.Kill.Span.First})
			return
		}
	}
}
