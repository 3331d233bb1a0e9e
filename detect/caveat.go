package detect

import (
	"fmt"

	"github.com/oomtrace/oomtrace/parse"
)

// hungLimit is how many hung-task reports a kernel prints unless told
// otherwise (sysctl_hung_task_warnings, all releases).
const hungLimit = 10

// caveats tell what the log cannot show: reports that khungtaskd no longer
// prints, lock lists that lockdep no longer has.
func (inc *Incident) caveats() []string {
	if inc.boot.caveats == nil {
		inc.boot.caveats = inc.findCaveats()
	}
	return inc.boot.caveats
}

func (inc *Incident) findCaveats() []string {
	out := []string{}
	suppressed, off := 0, 0
	for _, n := range inc.Snap.Notes {
		switch {
		case n.Kind == "suppressed" && hungNote(n) && suppressed == 0:
			suppressed = n.Span.First
		case n.Kind == "lockdep_off" && off == 0:
			off = n.Span.First
		}
	}
	switch {
	case suppressed > 0:
		out = append(out, fmt.Sprintf("khungtaskd says at line %d that it reports no more tasks: the graph is partial", suppressed))
	case len(inc.Snap.Hung) == hungLimit:
		out = append(out, fmt.Sprintf("%d hung-task reports are in the log, after which a kernel prints no more by default (hung_task_warnings): the graph may be partial", hungLimit))
	}
	if off > 0 {
		out = append(out, fmt.Sprintf("lockdep is off (line %d), after a first splat or a taint: lists of held locks are missing or incomplete", off))
	}
	return out
}

func hungNote(n *parse.Note) bool { return len(n.Text) > 6 && n.Text[:6] == "Future" }
