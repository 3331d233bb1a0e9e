package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
)

var foldedFormat = Format{
	Name:  "folded",
	Doc:   "the tasks' kernel stacks one a line, for flamegraph.pl and its kin",
	Write: writeFolded,
}

// writeFolded writes "comm;root;...;leaf count". Like the stackcollapse
// scripts, it puts the name of the task below the outermost frame.
func writeFolded(w io.Writer, r *Report, _ Options) error {
	counts := make(map[string]int)
	for i := range r.Incidents {
		for j := range r.Incidents[i].Tasks {
			t := &r.Incidents[i].Tasks[j]
			stack := t.frames()
			if len(stack) == 0 {
				continue
			}
			names := []string{foldedName(t.stackRoot())}
			for _, f := range slices.Backward(stack) {
				names = append(names, foldedName(f.Func))
			}
			counts[strings.Join(names, ";")]++
		}
	}
	lines := make([]string, 0, len(counts))
	for stack, n := range counts {
		lines = append(lines, fmt.Sprintf("%s %d\n", stack, n))
	}
	slices.SortFunc(lines, cmp.Compare)
	_, err := io.WriteString(w, strings.Join(lines, ""))
	return err
}

// frames are the frames of a task that are known to be on its stack, innermost
// first.
func (t *Task) frames() []*Frame {
	var out []*Frame
	for i := range t.Stack {
		if f := &t.Stack[i]; f.Reliable && f.Func != "" {
			out = append(out, f)
		}
	}
	return out
}

// stackRoot names the tasks whose stacks stand together in a flame graph: all
// of one comm.
func (t *Task) stackRoot() string {
	switch {
	case t.Comm != nil && *t.Comm != "":
		return *t.Comm
	case t.Label != nil && *t.Label != "":
		return strings.TrimRight(*t.Label, ": ")
	}
	return "[unknown]"
}
