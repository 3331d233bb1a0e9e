package parse

import (
	"fmt"
	"strings"
)

func traceSummary(b *strings.Builder, e *TraceEvent) {
	fmt.Fprintf(b, " %s", e.Name)
	if e.HasPid {
		fmt.Fprintf(b, " %s-%d", e.Comm, e.Pid)
	}
	if e.Cut {
		b.WriteString(" cut")
	}
	if e.Tgid != 0 {
		fmt.Fprintf(b, " tgid=%d", e.Tgid)
	}
	fmt.Fprintf(b, " cpu=%d", e.CPU)
	if e.HasTime {
		fmt.Fprintf(b, " at=%.6f", e.Time)
	}
	if e.Func != "" {
		fmt.Fprintf(b, " %s<-%s", e.Func, e.Parent)
	}
	if e.Duration != 0 {
		fmt.Fprintf(b, " for=%.9f", e.Duration)
	}
	if e.Fields != "" {
		fmt.Fprintf(b, " %q", e.Fields)
	}
	for _, f := range e.Stack {
		b.WriteString("\n\t\t" + frameText(f))
	}
}

func infoSummary(b *strings.Builder, v *TraceInfo) {
	fmt.Fprintf(b, " %q", v.Tracer)
	if v.HasTime {
		fmt.Fprintf(b, " %.6f..%.6f", v.First, v.Last)
	}
	fmt.Fprintf(b, " lost=%d", v.Lost)
	for _, n := range v.Names {
		fmt.Fprintf(b, " %s:%d", n.Name, n.Count)
	}
	for i, n := range v.Nodes {
		if i == 12 {
			fmt.Fprintf(b, "\n\t... %d nodes", len(v.Nodes))
			break
		}
		fmt.Fprintf(b, "\n\t%d<-%d %s calls=%d self=%d", i, n.Parent, n.Func, n.Calls, n.SelfNS)
	}
}
