package waitgraph

import (
	"slices"

	"gonum.org/v1/gonum/graph/topo"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

// Ref is one line of one input.
type Ref struct{ Input, Line int }

// Node is a task, a lock or a resource.
type Node struct {
	ID      string
	Kind    string // task lock resource
	Class   string // class name in this kernel ("i_mutex" before 4.7), "" for tasks
	Model   *lockmodel.Class
	Address string // "" if the log has none
	Label   string
	Task    *stacks.Task
	Episode *Episode // the memcg's or system's OOM

	index   int     // in Graph.Nodes
	out, in []*Edge // the live ones
}

// The relations of edges.
const (
	WaitsFor          = "waits_for"
	HeldBy            = "held_by"
	QueuedBehind      = "queued_behind"
	ResolvedByExit    = "resolved_by_exit_of"
	ResolvedByHandler = "resolved_by_handler"
	ResolvedByDaemon  = "resolved_by_daemon"
)

// The bases of edges, strongest first.
const (
	KernelReport    = "kernel_report"
	Lockdep         = "lockdep"
	ContentionEvent = "contention_event"
	Trace           = "trace"
	FrameModel      = "frame_model"
	User            = "user"
)

// Bases lists them.
func Bases() []string {
	return []string{KernelReport, Lockdep, ContentionEvent, Trace, FrameModel, User}
}

// Edge is one dependency.
type Edge struct {
	From, To     *Node
	Relation     string
	Mode         string // shared exclusive, "" if it has none or is unknown
	Basis        string
	Frame        string
	Fact         *lockmodel.Fact
	Why          []string
	Ended        bool
	Evidence     []Ref
	Alternatives int  // holders that the evidence cannot tell apart; 0 or 1: this one only
	Together     bool // waiter and holder were both seen waiting in one snapshot
	Weak         bool // rests on an assumption that the log neither supports nor contradicts
}

// Graph is the wait-for graph of one snapshot. Nodes and Edges are in a
// deterministic order.
type Graph struct {
	Snap     *stacks.Snapshot
	Model    *lockmodel.Model
	Version  lockmodel.Version // of the kernel, zero if unknown
	Views    []*View           // the present of each task that says something, in task order
	Episodes []*Episode
	Nodes    []*Node
	Edges    []*Edge
	Cycles   [][]*Node // each a closed walk, first node not repeated

	trapped     map[*stacks.Task]*Trapped
	trappedList []*Trapped

	dec   decoder
	views map[*stacks.Task]*View
	nodes map[string]*Node
	edges map[edgeKey]*Edge
}

// View returns what the task's present sighting says, nil if nothing.
func (g *Graph) View(t *stacks.Task) *View { return g.views[t] }

// Node returns a node by id, nil if there is none.
func (g *Graph) Node(id string) *Node { return g.nodes[id] }

// Out returns the live edges from n, none if n is nil.
func (g *Graph) Out(n *Node) []*Edge {
	if n == nil {
		return nil
	}
	return n.out
}

// In returns the live edges to n, none if n is nil.
func (g *Graph) In(n *Node) []*Edge {
	if n == nil {
		return nil
	}
	return n.in
}

// Edge returns the live edge between two nodes, nil if there is none.
func (g *Graph) Edge(from, to *Node) *Edge {
	for _, e := range from.out {
		if e.To == to {
			return e
		}
	}
	return nil
}

type edgeKey struct {
	from, to *Node
	relation string
	ended    bool
}

func (g *Graph) node(id string, make func() *Node) *Node {
	if n := g.nodes[id]; n != nil {
		return n
	}
	n := make()
	n.ID, n.index = id, len(g.Nodes)
	g.nodes[id] = n
	g.Nodes = append(g.Nodes, n)
	return n
}

func (g *Graph) taskNode(t *stacks.Task) *Node {
	return g.node(t.ID, func() *Node { return &Node{Kind: "task", Label: t.Name(), Task: t} })
}

func (g *Graph) add(e *Edge) *Edge {
	k := edgeKey{e.From, e.To, e.Relation, e.Ended}
	if o := g.edges[k]; o != nil {
		for _, r := range e.Evidence {
			if !slices.Contains(o.Evidence, r) {
				o.Evidence = append(o.Evidence, r)
			}
		}
		return o
	}
	g.edges[k] = e
	g.Edges = append(g.Edges, e)
	if !e.Ended {
		e.From.out = append(e.From.out, e)
		e.To.in = append(e.To.in, e)
	}
	return e
}

// maxCycles bounds how many cycles of one strongly connected component are
// listed: a component can have exponentially many.
const maxCycles = 8

// findCycles lists, for each strongly connected component of the live edges,
// shortest cycles until every node of the component is in one, at most
// maxCycles.
func (g *Graph) findCycles() {
	nodes := g.core()
	if len(nodes) == 0 {
		return
	}
	at := make([]int, len(g.Nodes)) // 1 + the index in nodes
	for i, n := range nodes {
		at[n.index] = i + 1
	}
	adj := make(adjacency, len(nodes))
	seen := make([]int, len(nodes)) // 1 + the last node with an edge to this one
	for i, n := range nodes {
		for _, e := range n.out { // two relations can join the same nodes
			if t := at[e.To.index] - 1; t >= 0 && t != i && seen[t] != i+1 {
				seen[t] = i + 1
				adj[i] = append(adj[i], t)
			}
		}
	}
	var comps [][]int
	for _, scc := range topo.TarjanSCC(adj) {
		if len(scc) < 2 {
			continue
		}
		var c []int
		for _, n := range scc {
			c = append(c, int(n.ID()))
		}
		slices.Sort(c)
		comps = append(comps, c)
	}
	slices.SortFunc(comps, func(a, b []int) int { return a[0] - b[0] })
	comp := make([]int, len(nodes)) // of each node, from 1; 0 if it is in none
	for i, c := range comps {
		for _, n := range c {
			comp[n] = i + 1
		}
	}
	for _, c := range comps {
		covered := map[int]bool{}
		listed := 0
		for _, start := range c {
			if covered[start] || listed == maxCycles {
				continue
			}
			cyc := shortestCycle(adj, comp, start)
			var walk []*Node
			for _, n := range cyc {
				covered[n] = true
				walk = append(walk, nodes[n])
			}
			g.Cycles = append(g.Cycles, rotate(walk))
			listed++
		}
	}
}

// core are the nodes that may be on a cycle, in order: what has no way out, or
// none in, is taken away until nothing is left that could be. Of a queue behind
// one task that is all of it.
func (g *Graph) core() []*Node {
	out, in := make([]int32, len(g.Nodes)), make([]int32, len(g.Nodes))
	for i, n := range g.Nodes {
		out[i], in[i] = int32(len(n.out)), int32(len(n.in))
	}
	var todo []*Node
	gone := make([]bool, len(g.Nodes))
	check := func(n *Node) {
		if !gone[n.index] && (out[n.index] == 0 || in[n.index] == 0) {
			gone[n.index] = true
			todo = append(todo, n)
		}
	}
	for _, n := range g.Nodes {
		check(n)
	}
	for len(todo) > 0 {
		n := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		for _, e := range n.out {
			in[e.To.index]--
			check(e.To)
		}
		for _, e := range n.in {
			out[e.From.index]--
			check(e.From)
		}
	}
	var core []*Node
	for i, n := range g.Nodes {
		if !gone[i] {
			core = append(core, n)
		}
	}
	return core
}

// shortestCycle finds one by breadth-first search inside the component of start.
func shortestCycle(adj adjacency, comp []int, start int) []int {
	prev := map[int]int{}
	queue := []int{start}
	for len(queue) > 0 {
		n := queue[0]
		queue = queue[1:]
		for _, m := range adj[n] {
			if comp[m] != comp[start] {
				continue
			}
			if m == start {
				cyc := []int{n}
				for n != start {
					n = prev[n]
					cyc = append(cyc, n)
				}
				slices.Reverse(cyc)
				return cyc
			}
			if _, seen := prev[m]; !seen {
				prev[m] = n
				queue = append(queue, m)
			}
		}
	}
	return nil
}

// rotate lets a cycle start with the task that waits for an OOM, else with
// its first task.
func rotate(c []*Node) []*Node {
	at := slices.IndexFunc(c, func(n *Node) bool { return n.Kind == "task" })
	for i, n := range c {
		if n.Kind == "task" && c[(i+1)%len(c)].Episode != nil {
			at = i
			break
		}
	}
	if at < 0 {
		return c
	}
	return append(slices.Clone(c[at:]), c[:at]...)
}

// Build makes the graph of a snapshot.
func Build(snap *stacks.Snapshot, opt Options) *Graph {
	g := &Graph{Snap: snap, Model: opt.Model, views: make(map[*stacks.Task]*View, len(snap.Tasks)), nodes: map[string]*Node{}, edges: map[edgeKey]*Edge{}}
	g.Version, _ = lockmodel.ParseVersion(snap.Release)
	g.dec = decoder{model: opt.Model, version: g.Version, known: map[reading]*Reading{}}
	b := &builder{Graph: g, opt: opt, tables: map[*parse.OOM]*table{}, victimsOf: map[*stacks.Task][]*Victim{}, writing: map[conflict][]*View{}, lockOf: map[string]*Node{}}
	b.view()
	b.episodes()
	b.chargers()
	b.allocators()
	b.locks()
	b.traceEdges()
	b.splats()
	b.resources()
	b.stackless()
	b.systemOOMs()
	b.ooms()
	b.endedEdges()
	g.findCycles()
	return g
}

// Options are what the user says beyond the logs.
type Options struct {
	Model    *lockmodel.Model
	Handlers []string // pid or comm of userspace OOM handlers
	Daemons  []string // pid or comm of FUSE daemons
}
