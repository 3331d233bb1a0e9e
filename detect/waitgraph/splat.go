package waitgraph

import (
	"slices"
	"strconv"
	"strings"

	"github.com/oomtrace/oomtrace/parse"
)

// splatWait is a task that hangs where a lockdep report's chain saw a lock
// requested.
type splatWait struct {
	view       *View
	site       Ref    // the line of the report's chain
	wants, has string // lock classes
}

// splats joins tasks that hang at a site of a lockdep report's chain. The
// report turns lockdep off, so no held-lock lists come after it, but its chain
// tells the order: lock #k was requested at its site while lock #(k-1) was
// held, and #0 while the last one was (print_circular_bug, 3.2..7.1). A task
// that hangs at exactly that function and offset wants the one and has the
// other. The report alone proves nothing.
func (b *builder) splats() {
	var found []splatWait
	for _, v := range b.Views {
		if v.Wait == nil || b.joined[v.Task] || b.trapped[v.Task] != nil || !b.waiting(v) || v.Wait.Class != nil && v.Wait.Class.Resource {
			continue
		}
		if w, ok := b.splatWait(v); ok {
			found = append(found, w)
		}
	}
	has := map[string][]splatWait{} // by the class that they have
	for _, w := range found {
		has[w.has] = append(has[w.has], w)
	}
	waiters := map[string]int{} // so far, by the class that they want
	for _, w := range found {
		n := b.splatNode(w.wants)
		e := b.waitEdge(w.view, n, Lockdep)
		e.Evidence = append(e.Evidence, w.site)
		e.Why = append(e.Why, "it hangs at the very site at which lockdep's report (line "+strconv.Itoa(w.site.Line)+") saw "+w.wants+" requested")
		b.joined[w.view.Task] = true
		if waiters[w.wants]++; waiters[w.wants] > 2 {
			continue // the first two have named all owners
		}
		owners := slices.Clone(has[w.wants])
		owners = slices.DeleteFunc(owners, func(o splatWait) bool { return o.view.Task == w.view.Task })
		for _, o := range owners {
			b.add(&Edge{From: n, To: b.taskNode(o.view.Task), Relation: HeldBy, Basis: FrameModel, Frame: o.view.Wait.Frame.Func, Alternatives: len(owners), Together: b.together(w.view, o.view),
				Evidence: []Ref{{o.view.At.Span.Input, o.view.At.Line(o.view.Wait.Frame)}}, Why: []string{"at its site lockdep's report saw " + o.wants + " requested with " + o.has + " held"}})
		}
	}
}

func (b *builder) splatWait(v *View) (splatWait, bool) {
	for _, l := range b.Snap.Lockdep {
		var chain []*parse.LockdepEntry
		for i := range l.Entries {
			if e := &l.Entries[i]; e.Role == "chain" {
				chain = append(chain, e)
			}
		}
		for i, e := range chain {
			for j := range e.Frames {
				f := &e.Frames[j]
				if !f.Reliable || f.Func != v.Wait.Frame.Func || f.Offset != v.Wait.Frame.Offset {
					continue
				}
				// Printed from the highest step down to #0.
				held := chain[(i+1)%len(chain)]
				if held == e {
					continue
				}
				return splatWait{view: v, site: Ref{l.Span.Input, f.Line}, wants: splatClass(e.Class), has: splatClass(held.Class)}, true
			}
		}
	}
	return splatWait{}, false
}

// splatClass leaves out the subclass: one lock can be taken with several.
func splatClass(s string) string {
	s, _, _ = strings.Cut(s, "/")
	return s
}

func (b *builder) splatNode(class string) *Node {
	return b.node("lock:"+class+"#lockdep", func() *Node {
		return &Node{Kind: "lock", Class: class, Label: "lock " + class}
	})
}
