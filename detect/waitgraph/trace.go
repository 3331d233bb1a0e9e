package waitgraph

import (
	"fmt"
	"slices"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/stacks"
)

// openWait is a wait for a lock that a trace did not see end.
type openWait struct {
	trace *stacks.Trace
	wait  *stacks.TraceWait
}

// tracedWait is the first open wait of a task, nil if it has none.
func (b *builder) tracedWait(t *stacks.Task) (*stacks.Trace, *stacks.TraceWait) {
	if !t.HasPid || t.Gone != nil {
		return nil, nil
	}
	if b.openWaits == nil {
		b.openWaits = map[int]openWait{}
		for _, tr := range b.Snap.Traces {
			for i := range tr.Waits {
				w := &tr.Waits[i]
				if _, known := b.openWaits[w.Pid]; !known && !w.Ended && !w.Spinning() {
					b.openWaits[w.Pid] = openWait{tr, w}
				}
			}
		}
	}
	w := b.openWaits[t.Pid]
	return w.trace, w.wait
}

// contentionAddress takes the lock's address from the event that began the
// wait. Equal addresses are one lock.
func (b *builder) contentionAddress(w *waiter) {
	tr, tw := b.tracedWait(w.view.Task)
	if tw == nil || !fits(tw, w.view.Wait) {
		return
	}
	w.trace, w.traced = tr, tw
	if w.addr == "" {
		w.addr = tw.Addr
	}
	w.why = append(w.why, beganWhy(tw))
}

// beganWhy says how a trace shows that a wait lasts.
func beganWhy(tw *stacks.TraceWait) string {
	lock, begin, end := "a lock whose address is not printed", "contention_begin", "contention_end"
	if tw.Addr != "" {
		lock = "the lock at " + tw.Addr
	}
	if tw.Flags == "" {
		begin, end = "lock_contended", "lock_acquired"
	} else {
		lock += " (" + tw.Flags + ")"
	}
	return fmt.Sprintf("%s on %s without %s (line %d)", begin, lock, end, tw.At.Span.First)
}

// fits: the event's flags must not contradict what the stack waits for.
func fits(tw *stacks.TraceWait, w *Wait) bool {
	switch w.Mode {
	case lockmodel.Shared:
		return tw.Flags == "" || tw.Shared()
	case lockmodel.Exclusive:
		return !tw.Shared()
	}
	return true
}

// traceHolders finds who took the lock at the waiter's address and was not
// seen to release it.
func (b *builder) traceHolders(w *waiter) bool {
	for _, h := range w.trace.Holders(w.traced.Addr) {
		t := b.Snap.Task(h.Pid)
		if t == nil && h.Exact {
			t = b.Snap.Name(h.Pid)
		}
		if t == nil || t == w.view.Task || t.Gone != nil {
			continue
		}
		c := candidate{task: t, view: b.views[t], basis: Trace, addr: w.traced.Addr, refs: []Ref{{h.At.Span.Input, h.At.Span.First}}, hold: Hold{Mode: holdMode(h)}}
		c.why = []string{"the trace shows that it acquired the lock at this address, and no release"}
		if !h.Exact {
			// contention_end says that it got the lock; that it still has it
			// takes a stack that holds one of this class.
			i := -1
			if c.view != nil && w.class != nil {
				i = slices.IndexFunc(c.view.Holds, func(x Hold) bool { return x.Class == w.class })
			}
			if i < 0 {
				continue
			}
			c.basis, c.hold = ContentionEvent, c.view.Holds[i]
			c.why = []string{"contention_end gave it the lock at this address", holdWhy(c.hold)}
		}
		w.cands = append(w.cands, c)
	}
	return len(w.cands) > 0
}

func holdMode(h stacks.TraceHold) lockmodel.Mode {
	if h.Shared {
		return lockmodel.Shared
	}
	return lockmodel.Exclusive
}

// traceEdges adds the lock waits that only events show: no stack tells what
// the lock is, but its address joins those who wait for it.
func (b *builder) traceEdges() {
	for _, tr := range b.Snap.Traces {
		for i := range tr.Waits {
			tw := &tr.Waits[i]
			if tw.Ended || tw.Spinning() {
				continue
			}
			t := b.Snap.Name(tw.Pid)
			if b.joined[t] || t.Gone != nil || t.Unblocked != nil {
				continue
			}
			if v := b.views[t]; v != nil && v.Wait != nil && v.Wait.Class != nil {
				continue // it waits for a resource that its stack names
			}
			if t.Comm == "" {
				if k := tr.Task(tw.Pid); k != nil {
					t.Comm = k.Comm
				}
			}
			b.traceWaitEdge(tr, tw, t)
		}
	}
}

func (b *builder) traceWaitEdge(tr *stacks.Trace, tw *stacks.TraceWait, t *stacks.Task) {
	n := b.lockAt(tw)
	mode := lockmodel.Exclusive
	if tw.Shared() {
		mode = lockmodel.Shared
	}
	e := b.add(&Edge{From: b.taskNode(t), To: n, Relation: WaitsFor, Basis: ContentionEvent, Mode: modeName(mode), Evidence: []Ref{{tw.At.Span.Input, tw.At.Span.First}},
		Why: []string{beganWhy(tw)}})
	for i := range tw.Stack {
		if f := tw.Stack[i].Func; b.Model.Primitive(f) == nil && f != "" {
			e.Frame = f
			break
		}
	}
	b.joined[t] = true
	var holds []stacks.TraceHold
	for _, h := range tr.Holders(tw.Addr) {
		if h.Pid != tw.Pid && h.Exact {
			holds = append(holds, h)
		}
	}
	for _, h := range holds {
		b.add(&Edge{From: n, To: b.taskNode(b.Snap.Name(h.Pid)), Relation: HeldBy, Basis: Trace, Mode: modeName(holdMode(h)), Alternatives: len(holds),
			Evidence: []Ref{{h.At.Span.Input, h.At.Span.First}}, Why: []string{"the trace shows that it acquired the lock at this address, and no release"}})
	}
}

// lockAt is the node of an address: the one that another waiter has, or a new
// one of the kind that the event tells.
func (b *builder) lockAt(tw *stacks.TraceWait) *Node {
	for ; b.addressed < len(b.Nodes); b.addressed++ {
		n := b.Nodes[b.addressed]
		if n.Kind == "lock" && n.Address != "" && b.lockOf[n.Address] == nil {
			b.lockOf[n.Address] = n
		}
	}
	if n := b.lockOf[tw.Addr]; n != nil {
		return n
	}
	name, label := "lock", "lock"
	switch {
	case tw.Name != "":
		name, label = "lock", "lock "+tw.Name
		if c, _, ok := b.Model.ClassByLockdep(tw.Name); ok {
			name, label = c.NameIn(b.Version), c.Label
		}
	case tw.Flags == "MUTEX":
		name, label = "mutex", "a mutex"
	case tw.Flags == "RT":
		name, label = "rtmutex", "an rt_mutex"
	case tw.Flags == "READ" || tw.Flags == "WRITE":
		name, label = "rwsem", "a read-write semaphore"
	case tw.Flags != "":
		name, label = "percpu_rwsem", "a per-CPU read-write semaphore"
	}
	b.lockNr[name]++
	return b.node(fmt.Sprintf("lock:%s#%d", name, b.lockNr[name]), func() *Node {
		n := &Node{Kind: "lock", Class: name, Address: tw.Addr, Label: label}
		if tw.Addr != "" {
			n.Label += " at " + tw.Addr
		}
		return n
	})
}
