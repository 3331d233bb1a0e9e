package detect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/stacks"
)

// lasts reports whether a wait is known to last: khungtaskd reported the task,
// or two sightings show it at the same place. One dump shows contention only.
func (inc *Incident) lasts(t *stacks.Task) bool {
	return t != nil && (t.HungReports > 0 || inc.seenTwice(t))
}

// isClass reports whether a node is a lock or resource of one of the classes,
// by their names in the lock model.
func isClass(n *waitgraph.Node, names ...string) bool {
	return n.Model != nil && slices.Contains(names, n.Model.Name)
}

// onCycle reports whether a node is in a cycle: then the cycle is the story.
func (inc *Incident) onCycle(n *waitgraph.Node) bool {
	if inc.cycled == nil {
		inc.cycled = map[*waitgraph.Node]bool{}
		for _, c := range inc.Cycles {
			for _, n := range c {
				inc.cycled[n] = true
			}
		}
	}
	return inc.cycled[n]
}

// queue is what waits for one thing: the tasks right in front of it, and those
// that wait behind the locks of the first.
type queue struct {
	direct, behind []*stacks.Task
	refs           []waitgraph.Ref
	lasts          bool
	longest        int64
}

func (q *queue) all() []*stacks.Task { return slices.Concat(q.direct, q.behind) }

// queueOf follows the live edges backwards from n. Only tasks for which keep
// is true count as waiting right in front of it; nil keeps all.
func (inc *Incident) queueOf(n *waitgraph.Node, keep func(t *stacks.Task) bool) *queue {
	q := &queue{}
	seen := map[*waitgraph.Node]bool{n: true}
	var todo []*waitgraph.Node
	for _, e := range inc.Graph.In(n) {
		if t := e.From.Task; t != nil && !seen[e.From] && (keep == nil || keep(t)) {
			seen[e.From] = true
			todo = append(todo, e.From)
			q.add(inc, t, e)
			q.direct = append(q.direct, t)
		}
	}
	inc.follow(q, seen, todo)
	return q
}

// queueBehind is the queue of one task: who waits for what it holds.
func (inc *Incident) queueBehind(t *stacks.Task) *queue {
	q := &queue{}
	if n := inc.Graph.Node(t.ID); n != nil {
		inc.follow(q, map[*waitgraph.Node]bool{n: true}, []*waitgraph.Node{n})
	}
	return q
}

func (inc *Incident) follow(q *queue, seen map[*waitgraph.Node]bool, todo []*waitgraph.Node) {
	for len(todo) > 0 {
		m := todo[0]
		todo = todo[1:]
		for _, e := range inc.Graph.In(m) {
			if seen[e.From] {
				continue
			}
			seen[e.From] = true
			todo = append(todo, e.From)
			if t := e.From.Task; t != nil {
				q.add(inc, t, e)
				q.behind = append(q.behind, t)
			}
		}
	}
}

func (q *queue) add(inc *Incident, t *stacks.Task, e *waitgraph.Edge) {
	q.refs = append(q.refs, e.Evidence...)
	q.lasts = q.lasts || inc.lasts(t)
	q.longest = max(q.longest, t.BlockedS)
}

// stall is a finding about a queue: a hang, confirmed where khungtaskd, or a
// trace together with the log, says how long it lasts.
func (inc *Incident) stall(q *queue) Found {
	f := Found{Verdict: "hang", Confidence: Likely, Cycle: -1, Tasks: q.all(), Evidence: sortRefs(q.refs)}
	if q.longest > 0 {
		f.Confidence = Confirmed
		f.Explanation = append(f.Explanation, fmt.Sprintf("blocked for up to %d s by the hung-task reports", q.longest))
	} else if inc.allWitnessed(q.direct) {
		f.Confidence = Confirmed
		f.Explanation = append(f.Explanation, witnessText)
	}
	return f
}

// maxHeld bounds the tasks whose locks a finding lists.
const maxHeld = 5

// heldText tells who holds what while it waits, those with a queue first.
func (inc *Incident) heldText(ts []*stacks.Task) []string {
	var with, without []string
	for _, t := range ts {
		if len(with) == maxHeld {
			break
		}
		v := inc.Graph.View(t)
		if v == nil {
			continue
		}
		locks := inc.locksOf(v)
		if len(locks) == 0 {
			continue
		}
		s := fmt.Sprintf("%s meanwhile holds %s", who(t), strings.Join(locks, ", "))
		if q := inc.queueBehind(t); len(q.behind) > 0 {
			with = append(with, fmt.Sprintf("%s: %s waits behind it", s, taskNames(q.behind, 3)))
			if len(q.behind) > 1 {
				with[len(with)-1] = fmt.Sprintf("%s: %s wait behind it", s, taskNames(q.behind, 3))
			}
		} else {
			without = append(without, s)
		}
	}
	out := append(with, without...)
	if len(out) > maxHeld {
		out = out[:maxHeld]
	}
	return out
}

// locksOf names the locks that a view certainly holds.
func (inc *Incident) locksOf(v *waitgraph.View) []string {
	var out []string
	for _, h := range v.Holds {
		if h.Maybe || h.Class.Resource {
			continue
		}
		if s := fmt.Sprintf("%s in %s()", h.Class.NameIn(inc.version()), h.Frame.Func); !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	return out
}

// endText tells where the chain of a node ends.
func (inc *Incident) endText(n *waitgraph.Node) string {
	switch r := inc.rootOf(n); {
	case r == nil || r == n:
		return ""
	case r.Task != nil:
		return fmt.Sprintf("the chain ends at %s, which %s", who(r.Task), inc.doing(r.Task))
	default:
		return "the chain ends at " + r.Label
	}
}

// hasFunc reports whether a reliable frame of the sighting is one of the
// functions; a name ending in * is a prefix.
func hasFunc(s *stacks.Sighting, names ...string) bool {
	for _, f := range s.Frames() {
		fn := lockmodel.Fold(f.Func)
		if slices.ContainsFunc(names, func(p string) bool { return globMatch(p, fn) }) {
			return true
		}
	}
	return false
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
