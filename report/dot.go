package report

import (
	"errors"
	"fmt"
	"io"
	"strings"
)

var dotFormat = Format{
	Name:  "dot",
	Doc:   "the wait-for graph, for graphviz",
	Write: writeDot,
}

var svgFormat = Format{
	Name:  "svg",
	Doc:   "the wait-for graph as an image; needs graphviz",
	Write: writeSVG,
}

// ErrNoGraphviz tells that svg cannot be written. Whoever writes the report
// gives Options.Dot: this package starts no programs.
var ErrNoGraphviz = errors.New("svg needs the program dot of graphviz, which was not found (Debian: apt install graphviz); the dot format writes its input")

func writeSVG(w io.Writer, r *Report, opt Options) error {
	if opt.Dot == nil {
		return ErrNoGraphviz
	}
	var in strings.Builder
	if err := writeDot(&in, r, opt); err != nil {
		return err
	}
	svg, err := opt.Dot([]byte(in.String()))
	if err != nil {
		return err
	}
	_, err = w.Write(svg)
	return err
}

func writeDot(w io.Writer, r *Report, opt Options) error {
	var b strings.Builder
	b.WriteString("digraph oomtrace {\n" +
		"  rankdir=LR;\n" +
		"  node [fontname=\"Helvetica\", fontsize=11, style=filled, fillcolor=\"#eef2f7\", color=\"#5b6770\"];\n" +
		"  edge [fontname=\"Helvetica\", fontsize=10, color=\"#5b6770\"];\n")
	for i, d := range r.drawings(opt) {
		fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%s;\n    fontname=\"Helvetica\";\n", i, dotLabel(d.title))
		for _, n := range d.nodes {
			shape := "box"
			switch n.kind {
			case "lock":
				shape = "ellipse"
			case "resource":
				shape = "hexagon"
			}
			fmt.Fprintf(&b, "    %s [label=%s, shape=%s", n.id, dotLabel(n.label...), shape)
			if n.cycle {
				b.WriteString(", color=\"#c1121f\", fillcolor=\"#ffe3e3\", penwidth=2")
			}
			b.WriteString("];\n")
		}
		for _, e := range d.edges {
			fmt.Fprintf(&b, "    %s -> %s [label=%s", e.from, e.to, dotLabel(e.label...))
			if e.cycle {
				b.WriteString(", color=\"#c1121f\", fontcolor=\"#c1121f\", penwidth=2")
			}
			switch {
			case e.ended:
				b.WriteString(", style=dotted")
			case !e.said: // inferred
				b.WriteString(", style=dashed")
			}
			b.WriteString("];\n")
		}
		if d.more > 0 {
			fmt.Fprintf(&b, "    more_%d [label=%s, shape=plaintext, style=\"\"];\n", i, dotLabel("and "+count(d.more, "more edge")))
		}
		b.WriteString("  }\n")
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}
