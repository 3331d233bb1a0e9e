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
	Doc:   "kernel stacks one a line with their number or time, for flamegraph.pl and its kin",
	Write: writeFolded,
}

// SampleTypes are what a stack is measured in: tasks that have it, and how long
// they were blocked (ns); of traces the time on a CPU, off it and waiting for a
// lock (ns), and calls. They are the sample types of the profile.
var SampleTypes = []string{"tasks", "blocked", "oncpu", "offcpu", "lockwait", "calls"}

// sampleType is what a rendering counts. Tasks have stacks in an incident only.
func (r *Report) sampleType(opt Options) (string, error) {
	switch {
	case slices.Contains(SampleTypes, opt.SampleType):
		return opt.SampleType, nil
	case opt.SampleType != "":
		return "", fmt.Errorf("unknown sample type %q, want one of: %s", opt.SampleType, strings.Join(SampleTypes, ", "))
	case len(r.Incidents) > 0 || r.Trace == nil || len(r.Trace.Samples) == 0:
		return "tasks", nil
	}
	for i := range r.Trace.Samples {
		if r.Trace.Samples[i].OnCPUNS > 0 {
			return "oncpu", nil
		}
	}
	return "offcpu", nil
}

// value is what a measured stack has of a sample type.
func (s *TraceSample) value(sampleType string) int64 {
	switch sampleType {
	case "oncpu":
		return s.OnCPUNS
	case "offcpu":
		return s.OffCPUNS
	case "lockwait":
		return s.LockWaitNS
	case "calls":
		return s.Calls
	}
	return 0
}

// writeFolded writes "comm;root;...;leaf count". Like the stackcollapse
// scripts, it puts the name of the task below the outermost frame.
func writeFolded(w io.Writer, r *Report, opt Options) error {
	sampleType, err := r.sampleType(opt)
	if err != nil {
		return err
	}
	counts := make(map[string]int64)
	add := func(root string, stack []string, n int64) {
		if n <= 0 || len(stack) == 0 {
			return
		}
		names := []string{foldedName(root)}
		for _, f := range slices.Backward(stack) {
			names = append(names, foldedName(f))
		}
		counts[strings.Join(names, ";")] += n
	}
	switch sampleType {
	case "tasks", "blocked":
		for i := range r.Incidents {
			stackOf := r.Incidents[i].stackOf()
			for j := range r.Incidents[i].Tasks {
				t := &r.Incidents[i].Tasks[j]
				var stack []string
				for _, f := range reliable(stackOf(t)) {
					stack = append(stack, f.Func)
				}
				n := int64(1)
				if sampleType == "blocked" {
					n = deref(t.BlockedS) * 1e9
				}
				add(t.stackRoot(), stack, n)
			}
		}
	default:
		if r.Trace == nil {
			break
		}
		for i := range r.Trace.Samples {
			s := &r.Trace.Samples[i]
			add(s.root(), s.Stack, s.value(sampleType))
		}
	}
	lines := make([]string, 0, len(counts))
	for stack, n := range counts {
		lines = append(lines, fmt.Sprintf("%s %d\n", stack, n))
	}
	slices.SortFunc(lines, cmp.Compare)
	_, err = io.WriteString(w, strings.Join(lines, ""))
	return err
}

// root names the task below a measured stack.
func (s *TraceSample) root() string {
	if c := deref(s.Comm); c != "" {
		return c
	}
	return "[unknown]"
}

// reliable are the frames that are known to be on a stack, innermost first.
func reliable(stack []Frame) []*Frame {
	var out []*Frame
	for i := range stack {
		if f := &stack[i]; f.Reliable && f.Func != "" {
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
