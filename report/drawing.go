package report

import (
	"fmt"
	"slices"
)

// drawing is the wait-for graph of an incident as dot and mermaid draw it.
// Tasks that wait in the same way for the same thing are one node: a graph of
// a thousand boxes shows nothing.
type drawing struct {
	title string
	nodes []drawnNode
	edges []drawnEdge
	more  int // edges left out
}

type drawnNode struct {
	id    string // generated, unique in the report
	label []string
	kind  string // task lock resource
	cycle bool
}

type drawnEdge struct {
	from, to string // ids of nodes
	label    []string
	said     bool // by the kernel: a solid line
	cycle    bool
	ended    bool
}

const (
	foldFrom  = 4   // so many tasks alike are one node
	maxDrawn  = 200 // edges of an incident
	shownLike = 3   // names in a folded node
)

// drawings are the graphs of the incidents that have one, the worst first.
func (r *Report) drawings(opt Options) []drawing {
	var out []drawing
	nodes := 0
	for _, i := range r.order() {
		inc := &r.Incidents[i]
		if len(inc.WaitGraph.Edges) == 0 {
			continue
		}
		title := fmt.Sprintf("incident %d: %s (%s): %s", i+1, verdictText(inc.Verdict), inc.Confidence, inc.Headline)
		d := draw(newView(r, inc), opt, &nodes)
		d.title = clip(title, 3*maxName)
		out = append(out, d)
	}
	return out
}

func draw(v *view, opt Options, count *int) drawing {
	var d drawing
	g := &v.inc.WaitGraph
	cycle := make(map[*Edge]bool)
	inCycle := make(map[string]bool)
	for _, c := range g.Cycles {
		for _, e := range v.cycleEdges(c) {
			cycle[e] = true
			inCycle[e.From], inCycle[e.To] = true, true
		}
	}
	degree := make(map[string]int) // edges at a node
	for i := range g.Edges {
		degree[g.Edges[i].From]++
		degree[g.Edges[i].To]++
	}

	ids := make(map[string]string)
	add := func(key string, n drawnNode) string {
		if ids[key] == "" {
			n.id = fmt.Sprintf("n%d", *count)
			*count++
			ids[key] = n.id
			d.nodes = append(d.nodes, n)
		}
		return ids[key]
	}
	node := func(id string) string {
		kind := "task"
		if n := v.nodes[id]; n != nil {
			kind = n.Kind
		}
		label := []string{v.nodeName(id)}
		if t := v.tasks[id]; t != nil {
			if s := v.condition(id); s != "" {
				label = append(label, s[len(", "):])
			}
			if in := v.in(t); in != "" {
				label = append(label, "in "+in)
			}
		}
		return add(id, drawnNode{label: label, kind: kind, cycle: inCycle[id]})
	}

	// The cycle comes first, so that it is whole where edges are left out.
	groups := v.edgeGroups(nil)
	slices.SortStableFunc(groups, func(a, b edgeGroup) int { return btoi(cycle[b.edge]) - btoi(cycle[a.edge]) })
	for _, grp := range groups {
		e := grp.edge
		var alone, alike []string
		for _, from := range grp.from {
			if !opt.Verbose && len(grp.from) >= foldFrom && degree[from] == 1 && v.tasks[from] != nil {
				alike = append(alike, from)
			} else {
				alone = append(alone, from)
			}
		}
		if len(alike) < foldFrom {
			alone, alike = grp.from, nil
		}
		edge := func(from, id string) {
			if !opt.Verbose && len(d.edges) == maxDrawn {
				d.more++
				return
			}
			label := []string{relation(e, false)}
			if e.Frame != nil {
				label = append(label, clip(*e.Frame, maxName))
			}
			d.edges = append(d.edges, drawnEdge{
				from: from, to: node(e.To), label: label, said: e.said(),
				cycle: cycle[v.edges[ends{id, e.To}]] && !e.Ended, ended: e.Ended,
			})
		}
		for _, id := range alone {
			edge(node(id), id)
		}
		if alike != nil {
			n := drawnNode{label: []string{v.names(alike, shownLike)}, kind: "task"}
			if t := v.tasks[alike[0]]; v.in(t) != "" {
				n.label = append(n.label, "in "+v.in(t))
			}
			edge(add("like "+alike[0], n), alike[0])
		}
	}
	return d
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
