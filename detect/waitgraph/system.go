package waitgraph

import (
	"slices"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/stacks"
)

// SystemOOM is the class of the node of an OOM that is no memory cgroup's.
const SystemOOM = "system_oom"

var v4_6 = lockmodel.Version{Major: 4, Minor: 6}

// allocLoop are the functions in which a small allocation is retried until it
// succeeds (mm/page_alloc.c; inlined into __alloc_pages_nodemask up to 4.x).
var allocLoop = []string{"__alloc_pages_slowpath", "__alloc_pages_may_oom", "__alloc_pages_nodemask", "__alloc_pages", "__alloc_pages_noprof", "__alloc_frozen_pages_noprof"}

// Allocating is the index of the frame in which a sighting stands in the page
// allocator, -1 if it does not.
func (g *Graph) Allocating(s *stacks.Sighting) int {
	for i, f := range s.Frames() {
		if slices.Contains(allocLoop, lockmodel.Fold(f.Func)) {
			return i
		}
	}
	return -1
}

// needsVictim: the allocators of a system-wide OOM go on only once its victim
// has exited: no reaper frees its memory before 4.6, or it failed.
func (b *builder) needsVictim(e *Episode) bool {
	switch e.Scope {
	case "memcg", "", "sysrq":
		return false
	}
	return slices.ContainsFunc(e.OpenVictims(), func(v *Victim) bool {
		return v.Fate == ReapFailed || v.Fate == Stuck && !b.Version.IsZero() && b.Version.Compare(v4_6) < 0
	})
}

// allocators finds the tasks that are seen in the page allocator after the
// kill of a system-wide OOM that only its victim's exit ends.
func (b *builder) allocators() {
	b.starved = map[*stacks.Task]bool{}
	for _, e := range b.Episodes {
		if !b.needsVictim(e) {
			continue
		}
		for _, v := range b.Views {
			if v.Task.Gone != nil || b.isVictim(v.Task) || v.At.State == 'D' && v.Task.Unblocked != nil || b.Allocating(v.At) < 0 || len(v.Holds) == 0 {
				continue
			}
			if slices.ContainsFunc(e.OpenVictims(), func(x *Victim) bool { return v.At.Order.After(x.Order) }) {
				b.starved[v.Task] = true
			}
		}
	}
}

// systemOOMs lets those tasks wait for the OOM; victimEdges adds its victims.
func (b *builder) systemOOMs() {
	for _, e := range b.Episodes {
		if !b.needsVictim(e) || len(b.starved) == 0 {
			continue
		}
		for _, v := range b.Views {
			if !b.starved[v.Task] {
				continue
			}
			f := v.At.Frames()[b.Allocating(v.At)]
			if e.Node == nil {
				e.Node = b.node("oom:*"+e.Scope, func() *Node { return &Node{Kind: "resource", Class: SystemOOM, Label: "system-wide OOM", Episode: e} })
			}
			b.add(&Edge{From: b.taskNode(v.Task), To: e.Node, Relation: WaitsFor, Basis: FrameModel, Frame: f.Func,
				Evidence: []Ref{{v.At.Span.Input, v.At.Line(f)}}, Why: []string{"it stands in the page allocator, which retries small requests until there is memory"}})
		}
	}
}
