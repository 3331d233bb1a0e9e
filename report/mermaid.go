package report

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// mermaidCycle draws a cycle as a Mermaid flowchart. A solid arrow is what the
// kernel said, a dotted one what was inferred.
func mermaidCycle(v *view, edges []*Edge) []string {
	lines := []string{"flowchart LR"}
	ids := make(map[string]string)
	for _, e := range edges {
		for _, id := range []string{e.From, e.To} {
			if ids[id] != "" {
				continue
			}
			ids[id] = fmt.Sprintf("n%d", len(ids))
			open, end := "(", ")" // a lock or a resource is round
			if n := v.nodes[id]; n == nil || n.Kind == "task" {
				open, end = "[", "]"
			}
			lines = append(lines, "  "+ids[id]+open+mermaidLabel(v.nodeName(id))+end)
		}
	}
	for _, e := range edges {
		arrow := "-.->"
		if e.said() {
			arrow = "-->"
		}
		lines = append(lines, fmt.Sprintf("  %s %s|%s| %s", ids[e.From], arrow, mermaidLabel(relation(e, false)), ids[e.To]))
	}
	return lines
}

var mermaidFormat = Format{
	Name:  "mermaid",
	Doc:   "the wait-for graph as a Mermaid flowchart",
	Write: writeMermaid,
}

// writeMermaid draws the wait-for graphs. Ids are generated and labels quoted:
// nothing of a log is syntax.
func writeMermaid(w io.Writer, r *Report, opt Options) error {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	var cycle []string // edges, by their number in the chart
	number := 0
	for i, d := range r.drawings(opt) {
		fmt.Fprintf(&b, "  subgraph g%d[%s]\n", i, mermaidLabel(d.title))
		for _, n := range d.nodes {
			open, end := "[", "]"
			switch n.kind {
			case "lock":
				open, end = "(", ")"
			case "resource":
				open, end = "{{", "}}"
			}
			fmt.Fprintf(&b, "    %s%s%s%s\n", n.id, open, mermaidLabel(strings.Join(n.label, ", ")), end)
			if n.cycle {
				fmt.Fprintf(&b, "    class %s cycle\n", n.id)
			}
		}
		for _, e := range d.edges {
			arrow := "-.->"
			if e.said {
				arrow = "-->"
			}
			label := strings.Join(e.label, ", ")
			if e.ended {
				label += ", over by now"
			}
			fmt.Fprintf(&b, "    %s %s|%s| %s\n", e.from, arrow, mermaidLabel(label), e.to)
			if e.cycle {
				cycle = append(cycle, strconv.Itoa(number))
			}
			number++
		}
		if d.more > 0 {
			fmt.Fprintf(&b, "    more%d[%s]\n", i, mermaidLabel("and "+count(d.more, "more edge")))
		}
		b.WriteString("  end\n")
	}
	b.WriteString("  classDef cycle stroke:#c1121f,stroke-width:3px\n")
	if cycle != nil {
		fmt.Fprintf(&b, "  linkStyle %s stroke:#c1121f,stroke-width:3px\n", strings.Join(cycle, ","))
	}
	_, err := io.WriteString(w, b.String())
	return err
}
