package waitgraph

import (
	"fmt"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

// graphOf makes a graph of n task nodes with the given edges.
func graphOf(n int, edges [][2]int) *Graph {
	g := &Graph{nodes: map[string]*Node{}, edges: map[edgeKey]*Edge{}}
	for i := range n {
		g.node(fmt.Sprintf("task:%d", i), func() *Node { return &Node{Kind: "task"} })
	}
	for _, e := range edges {
		g.add(&Edge{From: g.Nodes[e[0]], To: g.Nodes[e[1]], Relation: WaitsFor})
	}
	return g
}

// bruteForce finds the nodes that lie on any simple cycle, by walking all
// simple paths.
func bruteForce(g *Graph) map[*Node]bool {
	on := map[*Node]bool{}
	var walk func(start, n *Node, path []*Node)
	walk = func(start, n *Node, path []*Node) {
		for _, e := range g.Out(n) {
			if e.To == start && len(path) > 1 {
				for _, p := range path {
					on[p] = true
				}
			} else if !slices.Contains(path, e.To) {
				walk(start, e.To, append(path, e.To))
			}
		}
	}
	for _, n := range g.Nodes {
		walk(n, n, []*Node{n})
	}
	return on
}

// TestCyclesAgainstBruteForce: the listed cycles are closed walks over edges
// of the graph and, where no component needed the cap, they cover exactly the
// nodes that lie on a cycle.
func TestCyclesAgainstBruteForce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(2, 7).Draw(t, "n")
		edge := rapid.Custom(func(t *rapid.T) [2]int {
			return [2]int{rapid.IntRange(0, n-1).Draw(t, "from"), rapid.IntRange(0, n-1).Draw(t, "to")}
		})
		g := graphOf(n, rapid.SliceOfN(edge, 0, 14).Draw(t, "edges"))
		g.findCycles()
		covered := map[*Node]bool{}
		for _, c := range g.Cycles {
			for i, x := range c {
				if g.Edge(x, c[(i+1)%len(c)]) == nil {
					t.Fatalf("cycle %v is not closed", ids(c))
				}
				if slices.Index(c, x) != i {
					t.Fatalf("cycle %v repeats a node", ids(c))
				}
				covered[x] = true
			}
		}
		want := bruteForce(g)
		for _, x := range g.Nodes {
			if covered[x] != want[x] {
				t.Fatalf("%s: covered %v, on a cycle %v", x.ID, covered[x], want[x])
			}
		}
	})
}

// TestCyclesAreCapped: a complete graph has exponentially many cycles.
func TestCyclesAreCapped(t *testing.T) {
	var edges [][2]int
	for i := range 40 {
		for j := range 40 {
			if i != j {
				edges = append(edges, [2]int{i, j})
			}
		}
	}
	g := graphOf(40, edges)
	g.findCycles()
	if len(g.Cycles) == 0 || len(g.Cycles) > maxCycles {
		t.Errorf("%d cycles, want 1 to %d", len(g.Cycles), maxCycles)
	}
}

// TestEndedEdgesCloseNothing: an edge that later evidence broke is in no cycle.
func TestEndedEdgesCloseNothing(t *testing.T) {
	g := graphOf(2, [][2]int{{0, 1}})
	g.add(&Edge{From: g.Nodes[1], To: g.Nodes[0], Relation: HeldBy, Ended: true})
	g.findCycles()
	if len(g.Cycles) != 0 {
		t.Errorf("cycles %v through an ended edge", g.Cycles)
	}
}

func ids(c []*Node) []string {
	var out []string
	for _, n := range c {
		out = append(out, n.ID)
	}
	return out
}

// TestCyclesOnAllSmallGraphs walks every directed graph of up to 5 nodes
// without self-loops, one of each set of graphs that are equal but for the
// names of their nodes.
func TestCyclesOnAllSmallGraphs(t *testing.T) {
	// Digraphs on n unlabelled nodes, OEIS A000273.
	want := []int{0, 1, 3, 16, 218, 9608}
	for n := 1; n < len(want); n++ {
		var pairs [][2]int
		index := map[[2]int]int{}
		for i := range n {
			for j := range n {
				if i != j {
					index[[2]int{i, j}] = len(pairs)
					pairs = append(pairs, [2]int{i, j})
				}
			}
		}
		var renamings [][]int // where each pair goes
		permute(n, func(p []int) {
			var to []int
			for _, e := range pairs {
				to = append(to, index[[2]int{p[e[0]], p[e[1]]}])
			}
			renamings = append(renamings, to)
		})
		count := 0
		for set := range 1 << len(pairs) {
			if !leastOf(set, renamings) {
				continue
			}
			count++
			var edges [][2]int
			for k, e := range pairs {
				if set>>k&1 == 1 {
					edges = append(edges, e)
				}
			}
			g := graphOf(n, edges)
			g.findCycles()
			if bad := wrongCycles(g, n); bad != "" {
				t.Fatalf("%d nodes, edges %v: %s", n, edges, bad)
			}
		}
		if count != want[n] {
			t.Errorf("%d graphs of %d nodes, want %d", count, n, want[n])
		}
	}
}

// leastOf reports whether no renaming of the nodes makes a smaller set.
func leastOf(set int, renamings [][]int) bool {
	for _, to := range renamings {
		other := 0
		for k, t := range to {
			other |= set >> k & 1 << t
		}
		if other < set {
			return false
		}
	}
	return true
}

func permute(n int, f func([]int)) {
	p := make([]int, 0, n)
	var walk func(used int)
	walk = func(used int) {
		if len(p) == n {
			f(p)
			return
		}
		for i := range n {
			if used>>i&1 == 0 {
				p = append(p, i)
				walk(used | 1<<i)
				p = p[:len(p)-1]
			}
		}
	}
	walk(0)
}

// wrongCycles compares with the transitive closure: a node lies on a cycle
// exactly if it reaches itself.
func wrongCycles(g *Graph, n int) string {
	var reach [5]uint8
	index := map[*Node]int{}
	for i, x := range g.Nodes {
		index[x] = i
	}
	for _, e := range g.Edges {
		reach[index[e.From]] |= 1 << index[e.To]
	}
	for k := range n {
		for i := range n {
			if reach[i]>>k&1 == 1 {
				reach[i] |= reach[k]
			}
		}
	}
	var covered uint8
	for _, c := range g.Cycles {
		for i, x := range c {
			if g.Edge(x, c[(i+1)%len(c)]) == nil {
				return "a cycle is not closed"
			}
			covered |= 1 << index[x]
		}
	}
	for i := range n {
		if (covered>>i&1 == 1) != (reach[i]>>i&1 == 1) {
			return fmt.Sprintf("node %d: covered %v", i, covered>>i&1 == 1)
		}
	}
	return ""
}
