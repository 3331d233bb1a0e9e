package waitgraph

import (
	"fmt"
	"slices"
	"sync"
	"testing"

	"pgregory.net/rapid"
)

// graphOf makes a graph of n task nodes with the given edges.
func graphOf(n int, edges [][2]int) *Graph {
	g := &Graph{nodes: map[string]*Node{}, edges: map[edgeKey]*Edge{}, out: map[*Node][]*Edge{}, in: map[*Node][]*Edge{}}
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
// without self-loops.
func TestCyclesOnAllSmallGraphs(t *testing.T) {
	for n := 1; n <= mostNodes; n++ {
		var pairs [][2]int
		for i := range n {
			for j := range n {
				if i != j {
					pairs = append(pairs, [2]int{i, j})
				}
			}
		}
		var wg sync.WaitGroup
		const parts = 4
		for p := range parts {
			wg.Add(1)
			go func() {
				defer wg.Done()
				for set := p; set < 1<<len(pairs); set += parts {
					var edges [][2]int
					for k, e := range pairs {
						if set>>k&1 == 1 {
							edges = append(edges, e)
						}
					}
					g := graphOf(n, edges)
					g.findCycles()
					if bad := wrongCycles(g, n); bad != "" {
						t.Errorf("%d nodes, edges %v: %s", n, edges, bad)
						return
					}
				}
			}()
		}
		wg.Wait()
	}
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
