package detect

import (
	"cmp"
	"math"
	"slices"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/report"
	"github.com/oomtrace/oomtrace/stacks"
)

// Incident is what a detector reads: one connected part of the wait-for graph
// with the OOM episodes that belong to it.
type Incident struct {
	Snap     *stacks.Snapshot
	Graph    *waitgraph.Graph
	Episodes []*waitgraph.Episode
	Nodes    []*waitgraph.Node // in graph order
	Edges    []*waitgraph.Edge
	Cycles   [][]*waitgraph.Node
	Tasks    []*stacks.Task // every task that the evidence mentions
	Era      Era

	// Past are OOM waits that earlier dumps show and later ones do not.
	Past []pastWait

	spins []spin // tasks that loop in a charge

	reports []*parse.OOM
	victims []*waitgraph.Victim
	boot    *bootFacts
	killed  map[*stacks.Task]bool    // threads of victims
	cycled  map[*waitgraph.Node]bool // on a cycle
	texts   map[string]*string       // see text
}

// bootFacts are what all incidents of a boot have in common, found once.
type bootFacts struct {
	caveats []string
	panics  []*parse.Note // that vm.panic_on_oom caused; see panicNotes
	known   bool
}

// pastWait is a task in an OOM wait that is over.
type pastWait struct {
	task *stacks.Task
	at   *stacks.Sighting
}

// Run finds the incidents of one snapshot. The text of their evidence is left
// for the caller to fill in: stacks.Texts has it.
func Run(g *waitgraph.Graph) []report.Incident {
	era := eraOf(g)
	boot := &bootFacts{}
	var out []report.Incident
	for _, inc := range incidents(g) {
		inc.Era, inc.boot = era, boot
		out = append(out, inc.report())
	}
	return out
}

// incidents cuts the graph: its connected parts that matter, each joined with
// the OOM episodes whose invoker, victim or OOM node is in it; the other
// episodes are incidents of their own.
func incidents(g *waitgraph.Graph) []*Incident {
	parts, part := components(g)
	all := make([]*Incident, len(parts))
	for i, nodes := range parts {
		all[i] = &Incident{Snap: g.Snap, Graph: g, Nodes: nodes}
	}
	for _, e := range g.Edges {
		inc := all[part[e.From]]
		inc.Edges = append(inc.Edges, e)
	}
	for _, c := range g.Cycles {
		inc := all[part[c[0]]]
		inc.Cycles = append(inc.Cycles, c)
	}
	used := map[*waitgraph.Episode]bool{}
	for _, e := range g.Episodes {
		if i := firstTouched(g, part, e); i >= 0 {
			all[i].Episodes = append(all[i].Episodes, e)
			used[e] = true
		}
	}
	out := slices.DeleteFunc(all, func(inc *Incident) bool { return !inc.matters() })
	for _, e := range g.Episodes {
		if !used[e] {
			out = append(out, &Incident{Snap: g.Snap, Graph: g, Episodes: []*waitgraph.Episode{e}})
		}
	}
	out = addSpins(g, addPast(g, out))
	for _, inc := range out {
		inc.collectTasks()
	}
	first := make(map[*Incident]stacks.Order, len(out))
	for _, inc := range out {
		first[inc] = inc.first()
	}
	slices.SortStableFunc(out, func(a, b *Incident) int { return first[a].Compare(first[b]) })
	return out
}

// addPast finds tasks that earlier dumps show in a memcg OOM wait and that no
// longer wait: that OOM ended, and its path is still worth telling.
func addPast(g *waitgraph.Graph, list []*Incident) []*Incident {
	now := map[*stacks.Task]bool{}
	for _, tr := range g.Trapped() {
		now[tr.View.Task] = true
	}
	var past []pastWait
	for _, t := range g.Snap.Tasks {
		if now[t] {
			continue
		}
		for _, s := range t.Sightings {
			if k := g.Charge(s).Kind; s.Report == nil && (k == waitgraph.SynchronizeWait || k == waitgraph.SynchronizeKill || k == waitgraph.ChargeTrap) {
				past = append(past, pastWait{t, s})
				break
			}
		}
	}
	if len(past) == 0 {
		return list
	}
	var with []*Incident
	for _, inc := range list {
		if len(inc.Episodes) > 0 || inc.hasClass("memcg_oom") {
			with = append(with, inc)
		}
	}
	if len(with) == 1 {
		with[0].Past = past
		return list
	}
	return append(list, &Incident{Snap: g.Snap, Graph: g, Past: past})
}

// components are the connected parts of the graph, ended edges included, and
// which of them each node is in.
func components(g *waitgraph.Graph) ([][]*waitgraph.Node, map[*waitgraph.Node]int) {
	parent := make(map[*waitgraph.Node]*waitgraph.Node, len(g.Nodes)) // of those with an edge; a root is its own
	find := func(n *waitgraph.Node) *waitgraph.Node {
		p := parent[n]
		if p == nil {
			parent[n] = n
			return n
		}
		for p != n {
			up := parent[p]
			parent[n] = up // path halving keeps it near linear
			n, p = up, parent[up]
		}
		return n
	}
	for _, e := range g.Edges {
		if a, b := find(e.From), find(e.To); a != b {
			parent[b] = a
		}
	}
	part := make(map[*waitgraph.Node]int, len(parent))
	number := map[*waitgraph.Node]int{} // by root
	var out [][]*waitgraph.Node
	for _, n := range g.Nodes {
		if parent[n] == nil {
			continue
		}
		r := find(n)
		i, ok := number[r]
		if !ok {
			i = len(out)
			number[r] = i
			out = append(out, nil)
		}
		out[i] = append(out[i], n)
		part[n] = i
	}
	return out, part
}

// firstTouched is the first of the graph's parts that an episode belongs to,
// -1 if it is in none.
func firstTouched(g *waitgraph.Graph, part map[*waitgraph.Node]int, e *waitgraph.Episode) int {
	best := -1
	take := func(n *waitgraph.Node) {
		if i, ok := part[n]; ok && n != nil && (best < 0 || i < best) {
			best = i
		}
	}
	take(e.Node)
	for _, v := range e.Victims {
		if v.Fate == waitgraph.ReapFailed {
			if w := mmapWriter(g, v); w != nil {
				take(g.Node(w.ID))
			}
		}
		for _, t := range v.Threads {
			if n := g.Node(t.ID); len(g.Out(n)) > 0 {
				take(n)
			}
		}
	}
	return best
}

// lasting resources are those whose mere wait is worth an incident; page and
// buffer I/O of one moment is not.
var lasting = []string{"memcg_oom", "fuse_reply", "sb_freeze", "userfault", "nfs_reply", "memcg_high"}

// matters leaves out what every busy machine shows in a dump: a task that
// waits for I/O at that moment, kernel threads among themselves.
func (inc *Incident) matters() bool {
	if len(inc.Cycles) > 0 || len(inc.Episodes) > 0 {
		return true
	}
	for _, e := range inc.Edges {
		t := e.From.Task
		if t == nil || e.Ended {
			continue
		}
		if t.HungReports > 0 {
			return true
		}
		if kt, ok := t.KernelThread(); ok && kt {
			continue
		}
		if e.To.Kind == "lock" || slices.Contains(lasting, e.To.Class) || inc.seenTwice(t) {
			return true
		}
	}
	return false
}

// seenTwice reports whether two dumps show the task in the same wait.
func (inc *Incident) seenTwice(t *stacks.Task) bool {
	if inc.tracedLong(t) {
		return true
	}
	if len(t.Sightings) < 2 {
		return false
	}
	v := inc.Graph.View(t)
	if v == nil || v.Wait == nil {
		return false
	}
	var first *stacks.Sighting
	for _, s := range t.Sightings {
		f := inc.Graph.Top(s)
		// A trace shows every sleep, the short ones too: tracedLong looks at those.
		if s.Source == parse.SourceFtrace || f == nil || f.Func != v.Wait.Frame.Func || f.Offset != v.Wait.Frame.Offset {
			continue
		}
		if first == nil {
			first = s
			continue
		}
		// Two dumps of one moment are no more than one.
		if !first.Stamp.HasBoot || !s.Stamp.HasBoot || math.Abs(s.Stamp.Boot-first.Stamp.Boot) >= 2 {
			return true
		}
	}
	return false
}

func (inc *Incident) hasClass(class string) bool {
	return slices.ContainsFunc(inc.Nodes, func(n *waitgraph.Node) bool { return n.Class == class })
}

func (inc *Incident) collectTasks() {
	seen := map[*stacks.Task]bool{}
	add := func(t *stacks.Task) {
		if t != nil && !seen[t] {
			seen[t] = true
			inc.Tasks = append(inc.Tasks, t)
		}
	}
	for _, n := range inc.Nodes {
		add(n.Task)
	}
	for _, e := range inc.Episodes {
		for _, o := range e.Reports {
			if o.HasPid {
				add(inc.Snap.Task(o.InvokerPid))
			}
		}
		for _, v := range e.Victims {
			for _, t := range v.Threads {
				add(t)
			}
		}
	}
	for _, s := range inc.spins {
		add(s.task)
	}
	for _, p := range inc.Past {
		add(p.task)
	}
	slices.SortStableFunc(inc.Tasks, func(a, b *stacks.Task) int { return cmp.Compare(a.Index, b.Index) })
}

// first is the earliest evidence.
func (inc *Incident) first() stacks.Order {
	var out stacks.Order
	set := false
	take := func(o stacks.Order) {
		if !set || out.After(o) {
			out, set = o, true
		}
	}
	for _, e := range inc.Episodes {
		for _, o := range e.Reports {
			take(inc.Snap.Order(&o.Meta))
		}
		for _, k := range e.Kills {
			take(inc.Snap.Order(&k.Meta))
		}
	}
	for _, t := range inc.Tasks {
		for _, s := range t.Sightings {
			take(s.Order)
		}
	}
	return out
}

// Waiters are the live wait edges of the incident.
func (inc *Incident) Waiters() []*waitgraph.Edge {
	var out []*waitgraph.Edge
	for _, e := range inc.Edges {
		if e.Relation == waitgraph.WaitsFor && !e.Ended {
			out = append(out, e)
		}
	}
	return out
}

// EdgesOf are the edges of a cycle, in its order.
func (inc *Incident) EdgesOf(cycle []*waitgraph.Node) []*waitgraph.Edge {
	var out []*waitgraph.Edge
	for i, n := range cycle {
		if e := inc.Graph.Edge(n, cycle[(i+1)%len(cycle)]); e != nil {
			out = append(out, e)
		}
	}
	return out
}

// Reports are the OOM reports of the incident, in log order.
func (inc *Incident) Reports() []*parse.OOM {
	if inc.reports == nil && len(inc.Episodes) > 0 {
		inc.reports = []*parse.OOM{}
		for _, e := range inc.Episodes {
			inc.reports = append(inc.reports, e.Reports...)
		}
		slices.SortStableFunc(inc.reports, func(a, b *parse.OOM) int {
			return inc.Snap.Order(&a.Meta).Compare(inc.Snap.Order(&b.Meta))
		})
	}
	return inc.reports
}

// Victims are the victims of all episodes.
func (inc *Incident) Victims() []*waitgraph.Victim {
	if inc.victims == nil {
		for _, e := range inc.Episodes {
			inc.victims = append(inc.victims, e.Victims...)
		}
	}
	return inc.victims
}

func (inc *Incident) version() lockmodel.Version { return inc.Graph.Version }
