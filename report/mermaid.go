package report

import "fmt"

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
