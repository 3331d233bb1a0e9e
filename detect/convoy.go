package detect

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/stacks"
)

// convoyTasks is how many tasks must wait behind one root.
const convoyTasks = 2

var lockConvoy = &Detector{
	ID:    "lock-convoy",
	Title: "many tasks wait behind one",
	Means: "A chain of waits ends at one root: a task that itself waits for something without an owner (a frozen file system, a silent FUSE daemon, a device), that runs, or a " +
		"lock whose owner is not in the log. The others are its followers; only the root matters.",
	Proof:    fmt.Sprintf("At least %d tasks whose live waits lead to the root, which is in no circle.", convoyTasks),
	Quiet:    "Waits behind a circle (that is a deadlock), and waits of one moment: a queue seen in a single dump that no hung-task report or second dump confirms.",
	Versions: "all",
	Actions: []string{
		"look at the root only: what it waits for must be released (thaw the file system, answer or abort the FUSE request, repair the device)",
	},
	Collect: []string{
		"echo t > /proc/sysrq-trigger; dmesg > dmesg.log   # an owner asleep in state S, or running, is in no sysrq-w and no hung-task report",
		"a second dump 30 s later: does the root move?",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		ends := inc.ends()
		behind := map[*waitgraph.Node][]*waitgraph.Node{}
		var roots []*waitgraph.Node
		for _, n := range inc.Nodes {
			if n.Task == nil || len(inc.Graph.Out(n)) == 0 {
				continue
			}
			r := ends[n].root
			if r == nil {
				continue
			}
			if behind[r] == nil {
				roots = append(roots, r)
			}
			behind[r] = append(behind[r], n)
		}
		var out []Found
		for _, r := range roots {
			if f, ok := inc.convoy(r, behind[r], ends); ok {
				out = append(out, f)
			}
		}
		slices.SortStableFunc(out, func(a, b Found) int { return cmp.Compare(len(b.Tasks), len(a.Tasks)) })
		return out
	},
}

// end is where a chain of waits ends: its root (nil in a circle), the last
// task on the way to it, and how many waits lead there.
type end struct {
	root, last *waitgraph.Node
	depth      int
}

// ends follows every chain once, along the first live edge of each node.
func (inc *Incident) ends() map[*waitgraph.Node]end {
	out := map[*waitgraph.Node]end{}
	for _, n := range inc.Nodes {
		var path []*waitgraph.Node
		on := map[*waitgraph.Node]bool{}
		for m := n; ; {
			if _, known := out[m]; known {
				break
			}
			if on[m] {
				out[m] = end{}
				break
			}
			on[m] = true
			path = append(path, m)
			edges := inc.Graph.Out(m)
			if len(edges) == 0 {
				out[m] = end{root: m}
				if m.Task != nil {
					out[m] = end{root: m, last: m}
				}
				break
			}
			m = edges[0].To
		}
		for _, m := range slices.Backward(path) {
			if _, known := out[m]; known {
				continue
			}
			e := out[inc.Graph.Out(m)[0].To]
			if e.root == nil {
				out[m] = end{}
				continue
			}
			if m.Task != nil {
				e.depth++
				if e.last == nil {
					e.last = m
				}
			}
			out[m] = e
		}
	}
	return out
}

// maxChain bounds the links of a chain that are told one by one.
const maxChain = 6

// chainText tells the longest chain to the root, the far end first.
func (inc *Incident) chainText(nodes []*waitgraph.Node, ends map[*waitgraph.Node]end) []string {
	deepest := nodes[0]
	for _, n := range nodes {
		if ends[n].depth > ends[deepest].depth {
			deepest = n
		}
	}
	if ends[deepest].depth < 2 {
		return nil
	}
	var links []string
	for m := deepest; len(inc.Graph.Out(m)) > 0; {
		e := inc.Graph.Out(m)[0]
		links = append(links, edgeText(e))
		m = e.To
	}
	if n := len(links); n > 2*maxChain {
		links = slices.Concat(links[:maxChain], []string{fmt.Sprintf("... %d links more ...", n-2*maxChain)}, links[n-maxChain:])
	}
	return append([]string{fmt.Sprintf("the longest chain to the root has %d waits:", ends[deepest].depth)}, links...)
}

func (inc *Incident) convoy(root *waitgraph.Node, nodes []*waitgraph.Node, ends map[*waitgraph.Node]end) (Found, bool) {
	// The root task is the last task of the chain: the one that others wait
	// for and that itself waits for the root node (or is it).
	count := map[*waitgraph.Node]int{}
	direct := map[*waitgraph.Node]int{} // right behind that task
	for _, n := range nodes {
		last := ends[n].last
		count[last]++
		if n != last && (ends[n].depth == ends[last].depth+1) {
			direct[last]++
		}
	}
	var head *waitgraph.Node
	for _, n := range append(slices.Clone(nodes), root) {
		if n.Task != nil && (head == nil || count[n] > count[head]) {
			head = n
		}
	}
	followers := count[head]
	if head != root || root.Task == nil {
		followers-- // the head itself
	}
	lasts := false
	longest := int64(0)
	var tasks []*stacks.Task
	var refs []waitgraph.Ref
	for _, n := range nodes {
		tasks = append(tasks, n.Task)
		lasts = lasts || n.Task.HungReports > 0 || inc.seenTwice(n.Task)
		longest = max(longest, n.Task.BlockedS)
		for _, e := range inc.Graph.Out(n) {
			refs = append(refs, e.Evidence...)
		}
	}
	if !lasts || root.Class == "memcg_oom" || followers < convoyTasks && len(nodes) < convoyTasks+1 {
		return Found{}, false
	}
	f := Found{Verdict: "hang", Confidence: Likely, Cycle: -1, Tasks: tasks, Evidence: sortRefs(refs)}
	switch {
	case root.Task != nil:
		f.Summary = fmt.Sprintf("%d tasks wait behind %s, which %s", len(nodes), who(root.Task), inc.doing(root.Task))
	case followers >= 1 && head.Task != nil && count[head] > 1:
		f.Summary = fmt.Sprintf("%d %s behind %s, which waits for %s", count[head]-1, plural(count[head]-1, "task waits", "tasks wait"), who(head.Task), root.Label)
		if rest := len(nodes) - count[head]; rest > 0 {
			f.Explanation = append(f.Explanation, fmt.Sprintf("%d more wait for %s as well", rest, root.Label))
		}
	default:
		f.Summary = fmt.Sprintf("%d tasks wait for %s", len(nodes), root.Label)
	}
	switch {
	case root.Kind == "lock":
		f.Explanation = append(f.Explanation, "its owner is in no stack of the log: it may run, or sleep in a state that this kind of dump does not list")
	case root.Kind == "resource":
		f.Explanation = append(f.Explanation, "no task owns "+root.Label+": what ends the wait is outside the log")
	}
	if n := direct[head]; n > 0 && n < followers {
		f.Explanation = append(f.Explanation, fmt.Sprintf("%d of them %s right behind %s, the others behind those", n, plural(n, "is", "are"), who(head.Task)))
	}
	f.Explanation = append(f.Explanation, inc.chainText(nodes, ends)...)
	if longest > 0 {
		f.Confidence = Confirmed
		f.Explanation = append(f.Explanation, fmt.Sprintf("blocked for up to %d s by the hung-task reports", longest))
	}
	if len(inc.Reports()) == 0 {
		f.Explanation = append(f.Explanation, "no OOM is part of this hang")
	}
	return f, true
}

// doing says in a few words what a task that does not wait does.
func (inc *Incident) doing(t *stacks.Task) string {
	switch v := inc.Graph.View(t); {
	case v == nil || v.At == nil:
		return "stands in no stack of the log"
	case v.At.State == 'R':
		return "runs"
	case v.At.State == 'S' && inc.Graph.Top(v.At) != nil:
		return "sleeps in " + inc.Graph.Top(v.At).Func + "()"
	default:
		return "is in no known wait"
	}
}
