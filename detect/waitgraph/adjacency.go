package waitgraph

import (
	"slices"

	"gonum.org/v1/gonum/graph"
)

// adjacency is a directed graph on the nodes 0 to n-1 as gonum's algorithms
// want it, on slices: its own graphs are maps of maps, which cost more than
// the search itself.
type adjacency [][]int

var _ graph.Directed = adjacency(nil)

// Node returns node id, nil if there is none.
func (a adjacency) Node(id int64) graph.Node {
	if id < 0 || id >= int64(len(a)) {
		return nil
	}
	return vertex(id)
}

// Nodes iterates over all nodes.
func (a adjacency) Nodes() graph.Nodes { return &walk{n: len(a), at: -1} }

// From iterates over the successors of id.
func (a adjacency) From(id int64) graph.Nodes { return &walk{list: a[id], n: len(a[id]), at: -1} }

// To iterates over the predecessors of id. Nothing here asks for them often.
func (a adjacency) To(id int64) graph.Nodes {
	var list []int
	for from, to := range a {
		if slices.Contains(to, int(id)) {
			list = append(list, from)
		}
	}
	return &walk{list: list, n: len(list), at: -1}
}

// HasEdgeBetween reports an edge in either direction.
func (a adjacency) HasEdgeBetween(x, y int64) bool {
	return a.HasEdgeFromTo(x, y) || a.HasEdgeFromTo(y, x)
}

// HasEdgeFromTo reports an edge from u to v.
func (a adjacency) HasEdgeFromTo(u, v int64) bool { return slices.Contains(a[u], int(v)) }

// Edge returns the edge from u to v, nil if there is none.
func (a adjacency) Edge(u, v int64) graph.Edge {
	if !a.HasEdgeFromTo(u, v) {
		return nil
	}
	return arc{vertex(u), vertex(v)}
}

// vertex and arc are those of gonum's package simple, which links all of its
// linear algebra.
type vertex int64

func (v vertex) ID() int64 { return int64(v) }

type arc struct{ from, to vertex }

func (a arc) From() graph.Node         { return a.from }
func (a arc) To() graph.Node           { return a.to }
func (a arc) ReversedEdge() graph.Edge { return arc{a.to, a.from} }

// walk iterates over a list of nodes, or over 0 to n-1 if list is nil.
type walk struct {
	list  []int
	n, at int
}

func (w *walk) Next() bool {
	if w.at+1 >= w.n {
		w.at = w.n
		return false
	}
	w.at++
	return true
}

func (w *walk) Len() int { return max(0, w.n-w.at-1) }

func (w *walk) Reset() { w.at = -1 }

func (w *walk) Node() graph.Node {
	switch {
	case w.at < 0 || w.at >= w.n:
		return nil
	case w.list != nil:
		return vertex(w.list[w.at])
	}
	return vertex(w.at)
}
