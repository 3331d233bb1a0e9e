package waitgraph

import (
	"slices"
	"strconv"
	"strings"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

// builder holds what the steps of Build share.
type builder struct {
	*Graph
	opt Options

	starved map[*stacks.Task]bool  // loops in the page allocator during a system-wide OOM
	blocker map[int]*parse.Blocker // by pid of the waiter, the latest
	lists   map[int]*parse.Locks   // lockdep list by pid, the latest
	lockNr  map[string]int         // lock nodes of a class so far
	joined  map[*stacks.Task]bool  // waiters that have a lock node
	writers map[*lockmodel.Class][]*View
	loops   map[string]*View            // blocked worker by loop device
	onlyFS  map[*lockmodel.Class]string // see resourceFS
	held    map[string][]listed         // lockdep entries by address
	groups  map[groupKey]*waiter        // the first of the waiters that are alike

	byReport  map[*parse.OOM]*Episode
	tables    map[*parse.OOM]*table
	victimsOf map[*stacks.Task][]*Victim // by thread
	open      []*Episode                 // see onlyOpenEpisode
	openKnown bool
	writing   map[conflict][]*View // see writerWaits
	crowded   map[*lockmodel.Class]bool
	commits   []*View // see commitEdge
	mounts    []mount // see devicesOf

	openWaits map[int]openWait // of traces, by pid; nil until they are asked for
	lockOf    map[string]*Node // the first of Nodes[:addressed] with an address
	addressed int
}

// Trapped is a task that sits in its memcg's OOM: in the charge with its
// locks (era B), or after the unwound fault.
type Trapped struct {
	View    *View
	Report  *parse.OOM // the report it invoked, nil if none
	Looping bool       // the kernel's killer loop, not the wait queue
}

// view decodes the present of each task.
func (b *builder) view() {
	for _, t := range b.Snap.Tasks {
		p := t.Present()
		if p == nil {
			continue
		}
		v := b.dec.decode(t, p)
		if !p.Clean {
			v = b.mostFrequent(t, v)
		}
		b.views[t] = v
		b.Views = append(b.Views, v)
	}
	b.blocker = map[int]*parse.Blocker{}
	for _, k := range b.Snap.Blockers {
		b.blocker[k.Pid] = k
	}
	b.lists = map[int]*parse.Locks{}
	for _, l := range b.Snap.Locks {
		b.lists[l.Pid] = l
		// A holder asleep in S, or running, can be in lockdep's lists only.
		if len(l.Held) > 1 && b.Snap.Task(l.Pid) == nil {
			b.Snap.Name(l.Pid).Comm = l.Comm
		}
	}
	b.lockNr = map[string]int{}
	b.joined = map[*stacks.Task]bool{}
	b.groups = map[groupKey]*waiter{}
}

// mostFrequent reads a task that only mixed-up dumps show: what most of its
// sightings agree on (reasoning.md §2.1), the latest of them.
func (b *builder) mostFrequent(t *stacks.Task, latest *View) *View {
	type key struct {
		class string
		mode  lockmodel.Mode
		fn    string
	}
	of := func(v *View) key {
		if v.Wait == nil {
			return key{}
		}
		k := key{mode: v.Wait.Mode, fn: lockmodel.Fold(v.Wait.Frame.Func)}
		if v.Wait.Class != nil {
			k.class = v.Wait.Class.Name
		}
		return k
	}
	count := map[key]int{}
	best := latest
	for i := len(t.Sightings) - 1; i >= 0; i-- {
		if s := t.Sightings[i]; !s.Mute() && s.Report == nil {
			count[of(b.dec.decode(t, s))]++
		}
	}
	for i := len(t.Sightings) - 1; i >= 0; i-- {
		s := t.Sightings[i]
		if s.Mute() || s.Report != nil {
			continue
		}
		if v := b.dec.decode(t, s); count[of(v)] > count[of(best)] {
			best = v
		}
	}
	return best
}

// waiting reports whether a view's wait still lasts at the end of the log: no
// whole dump after the sighting lacks the task (reasoning.md §2.5).
func (b *builder) waiting(v *View) bool {
	if v.Wait == nil || v.Task.Gone != nil {
		return false
	}
	// SIGKILL takes a victim out of a killable wait. What khungtaskd reports
	// is not killable, whatever the frames suggest.
	if v.Wait.Killable && !v.At.Hung && b.killed(v) {
		return false
	}
	return v.Task.Unblocked == nil || v.At.State == 'S'
}

// holding reports whether a view's holds still stand. The call trace of an
// OOM report is a moment in a charge: it lasts only for a trapped invoker
// (2.6.34..3.11); from 3.12 on the charge returns, from 4.19 on it retries and
// ends when the victim is gone.
func (b *builder) holding(v *View) bool {
	if v.Task.Gone != nil {
		return false
	}
	if b.trapped[v.Task] != nil || b.starved[v.Task] {
		return true
	}
	switch v.At.Source {
	case parse.SourceOOM, parse.SourceNMI:
		return false
	}
	if v.At.State == 'D' && v.Task.Unblocked != nil {
		return false
	}
	return v.At.State != 'R'
}

// runs reports whether a task was running when it was last seen, and is not
// known to sit in a charge.
func (b *builder) runs(v *View) bool {
	return v.At.State == 'R' && b.trapped[v.Task] == nil && !b.starved[v.Task]
}

// runsHolding: a running task holds what its stack shows (lock-model §1 rule
// 7), for the moment of that dump only.
func (b *builder) runsHolding(v *View) bool {
	return v.At.State == 'R' && v.At.Dump != 0 && v.Task.Gone == nil
}

// chargers finds the tasks that sit in a memcg OOM.
func (b *builder) chargers() {
	b.trapped = map[*stacks.Task]*Trapped{}
	for _, v := range b.Views {
		t := v.Task
		if t.Gone != nil {
			continue
		}
		tr := &Trapped{View: v, Report: b.lastReport(t)}
		switch v.Charge.Kind {
		case ChargeTrap:
			tr.Looping = !v.Charge.Sleeping
		case SynchronizeWait:
			if v.At.State == 'R' {
				continue
			}
		case ChargeReclaim, ChargeOther:
			// Era B loops through reclaim: the same charge that was seen in
			// mem_cgroup_handle_oom before has not returned since.
			if !b.sawTrap(t) {
				continue
			}
			tr.Looping = true
		default:
			continue
		}
		if b.isVictim(t) || t.Unblocked != nil && v.Charge.Sleeping {
			continue // SIGKILL lets it out of the charge
		}
		if e := b.episodeWith(tr.Report); e != nil && b.leftTable(t, e, tr.Report) {
			continue
		}
		b.trapped[t] = tr
		b.trappedList = append(b.trappedList, tr)
	}
}

// leftTable: a later report of the group lists its tasks without t.
func (b *builder) leftTable(t *stacks.Task, e *Episode, since *parse.OOM) bool {
	for _, o := range e.Reports {
		if o != since && o.HasTable && !o.Damaged && o.MoreTasks == 0 && len(o.Candidates) > 0 &&
			b.Snap.Order(&o.Meta).After(b.Snap.Order(&since.Meta)) && o.TaskMemcg == since.TaskMemcg &&
			!b.table(o).has(t) {
			return true
		}
	}
	return false
}

func (b *builder) lastReport(t *stacks.Task) *parse.OOM {
	for i := len(t.Sightings) - 1; i >= 0; i-- {
		if r := t.Sightings[i].Report; r != nil {
			return r
		}
	}
	return nil
}

func (b *builder) sawTrap(t *stacks.Task) bool {
	return slices.ContainsFunc(t.Sightings, func(s *stacks.Sighting) bool {
		return b.Charge(s).Kind == ChargeTrap
	})
}

func (b *builder) isVictim(t *stacks.Task) bool {
	return len(b.victimsOf[t]) > 0 || b.Snap.KilledInFold(t)
}

// killed reports whether the task is a victim and the sighting is of the time
// after its kill.
func (b *builder) killed(v *View) bool {
	return slices.ContainsFunc(b.victimsOf[v.Task], func(x *Victim) bool { return v.At.Order.After(x.Order) })
}

func (b *builder) episodeWith(o *parse.OOM) *Episode { return b.byReport[o] }

// TrappedTask returns what is known of a task that sits in a memcg OOM, nil if it
// does not.
func (g *Graph) TrappedTask(t *stacks.Task) *Trapped { return g.trapped[t] }

// Trapped returns the tasks that sit in a memcg OOM, in task order.
func (g *Graph) Trapped() []*Trapped { return g.trappedList }

// resources adds the edges of waits for things that no task owns: frozen file
// systems, devices, memory.high; FUSE replies go to the daemon where the
// evidence or the user names it.
func (b *builder) resources() {
	daemons, basis := b.daemons()
	b.loops = b.blockedLoops()
	for _, v := range b.Views {
		w := v.Wait
		if w == nil || b.trapped[v.Task] != nil || b.joined[v.Task] || !b.waiting(v) {
			continue
		}
		if w.Class != nil && (!w.Class.Resource || w.Class.Name == "memcg_oom") {
			continue
		}
		worker, dev := b.loopWorker(v)
		n := b.resourceNode(v, dev)
		b.waitEdge(v, n, FrameModel)
		if worker != nil {
			b.add(&Edge{From: n, To: b.taskNode(worker.Task), Relation: ResolvedByDaemon, Basis: FrameModel, Alternatives: 1, Together: b.together(v, worker),
				Evidence: []Ref{{worker.At.Span.Input, worker.At.Span.First}}, Why: []string{"input and output of " + dev + " are done by the worker that its Workqueue line names, and that is blocked"}})
		}
		if w.Class != nil && w.Class.Name == "journal_commit" {
			b.commitEdge(v, n)
		}
		if w.Class == nil || w.Class.Name != "fuse_reply" {
			continue
		}
		for _, d := range daemons {
			if d == v.Task {
				continue
			}
			e := &Edge{From: n, To: b.taskNode(d), Relation: ResolvedByDaemon, Basis: basis, Alternatives: len(daemons)}
			if basis == User {
				e.Why = []string{"named by --fuse-daemon"}
			} else {
				e.Why = []string{"the only process whose stack shows the daemon's side of /dev/fuse"}
			}
			if dv := b.views[d]; dv != nil {
				e.Evidence = []Ref{{dv.At.Span.Input, dv.At.Span.First}}
				e.Together = b.together(v, dv)
			}
			b.add(e)
		}
	}
}

// stackless shows the tasks that khungtaskd reported and no stack explains.
func (b *builder) stackless() {
	for _, t := range b.Snap.Tasks {
		if t.HungReports == 0 || t.Gone != nil || t.Unblocked != nil || b.views[t] != nil && len(b.views[t].At.Frames()) > 0 {
			continue
		}
		n := b.node("resource:unknown", func() *Node {
			return &Node{Kind: "resource", Class: "unknown", Label: "something that no stack in the log shows"}
		})
		h := b.Snap.HungReports(t.Pid)[0]
		b.add(&Edge{From: b.taskNode(t), To: n, Relation: WaitsFor, Basis: KernelReport, Evidence: []Ref{{h.Span.Input, h.Span.First}}})
	}
}

// commitEdge: a journal commit is done by the journal's thread, if exactly one
// is seen in a commit on that kind of file system.
func (b *builder) commitEdge(v *View, n *Node) {
	if b.commits == nil {
		b.commits = []*View{}
		for _, o := range b.Views {
			if o.Task.Gone == nil && slices.ContainsFunc(o.At.Frames(), func(f *parse.Frame) bool {
				fn := lockmodel.Fold(f.Func)
				return fn == "jbd2_journal_commit_transaction" || fn == "journal_commit_transaction"
			}) {
				b.commits = append(b.commits, o)
			}
		}
	}
	var thread *View
	for _, o := range b.commits {
		if o == v {
			continue
		}
		if thread != nil {
			return
		}
		thread = o
	}
	if thread == nil {
		return
	}
	b.add(&Edge{From: n, To: b.taskNode(thread.Task), Relation: ResolvedByDaemon, Basis: FrameModel, Alternatives: 1, Together: b.together(v, thread),
		Evidence: []Ref{{thread.At.Span.Input, thread.At.Span.First}}, Why: []string{"the only thread that is seen in a journal commit"}})
}

func (b *builder) resourceNode(v *View, dev string) *Node {
	w := v.Wait
	if w.Class == nil {
		id := "resource:" + lockmodel.Fold(w.Frame.Func)
		return b.node(id, func() *Node {
			return &Node{Kind: "resource", Class: "unknown", Label: "something that no rule names, in " + w.Frame.Func + "()"}
		})
	}
	id, label := "resource:"+w.Class.Name, w.Class.Label
	if fs := b.resourceFS(w); fs != "" {
		id += ":" + fs
		label += " (" + fs + ")"
	}
	if dev != "" {
		id += ":" + dev
		label += " of " + dev
	}
	return b.node(id, func() *Node {
		return &Node{Kind: "resource", Class: w.Class.Name, Model: w.Class, Label: label}
	})
}

// resourceFS is the file system that a wait names, or, where it names none,
// the only one that the other waits of its class name.
func (b *builder) resourceFS(w *Wait) string {
	if w.FS != "" {
		return w.FS
	}
	if b.onlyFS == nil {
		b.onlyFS = map[*lockmodel.Class]string{}
		for _, v := range b.Views {
			if v.Wait == nil || v.Wait.Class == nil || v.Wait.FS == "" || !b.waiting(v) {
				continue
			}
			if fs, ok := b.onlyFS[v.Wait.Class]; ok && fs != v.Wait.FS {
				b.onlyFS[v.Wait.Class] = "" // more than one
			} else if !ok {
				b.onlyFS[v.Wait.Class] = v.Wait.FS
			}
		}
	}
	return b.onlyFS[w.Class]
}

// waitEdge adds the edge from a waiting task.
func (b *builder) waitEdge(v *View, to *Node, basis string) *Edge {
	w := v.Wait
	e := &Edge{From: b.taskNode(v.Task), To: to, Relation: WaitsFor, Basis: basis, Mode: modeName(w.Mode), Frame: w.Frame.Func, Fact: w.Fact,
		Evidence: []Ref{{v.At.Span.Input, v.At.Line(w.Frame)}}}
	if w.Kind == "" && v.At.Filtered() {
		e.Why = append(e.Why, "/proc/PID/stack hides lock functions, so its innermost frame is the waiter")
	}
	return b.add(e)
}

func modeName(m lockmodel.Mode) string {
	switch m {
	case lockmodel.Shared:
		return "shared"
	case lockmodel.Exclusive:
		return "exclusive"
	}
	return ""
}

// named finds the tasks that the user means by a pid or a comm.
func (b *builder) named(names []string) []*stacks.Task {
	var out []*stacks.Task
	for _, t := range b.Snap.Tasks {
		for _, n := range names {
			if t.HasPid && n == strconv.Itoa(t.Pid) || t.Comm != "" && n == t.Comm {
				out = append(out, t)
				break
			}
		}
	}
	return out
}

// daemons are the tasks that answer FUSE requests. Never guessed from a name.
func (b *builder) daemons() ([]*stacks.Task, string) {
	if len(b.opt.Daemons) > 0 {
		if d := b.named(b.opt.Daemons); len(d) > 0 {
			return d, User
		}
		for _, n := range b.opt.Daemons { // a pid that stands in no stack
			if pid, err := strconv.Atoi(n); err == nil && pid > 0 {
				return []*stacks.Task{b.Snap.Name(pid)}, User
			}
		}
	}
	var out []*stacks.Task
	procs := map[int]bool{}
	for _, v := range b.Views {
		if slices.ContainsFunc(v.At.Frames(), func(f *parse.Frame) bool {
			fn := lockmodel.Fold(f.Func)
			return strings.HasPrefix(fn, "fuse_dev_do_read") || strings.HasPrefix(fn, "fuse_dev_do_write")
		}) {
			out = append(out, v.Task)
			procs[cmpTgid(v.Task)] = true
		}
	}
	if len(procs) != 1 {
		return nil, ""
	}
	return out, FrameModel
}

func cmpTgid(t *stacks.Task) int {
	if t.Tgid != 0 {
		return t.Tgid
	}
	return t.Pid
}

// together reports whether one snapshot (a sysrq-t, or one set of /proc reads)
// shows both tasks where they are now. A sysrq-w does not count: it lacks the
// tasks in S, any of which may hold the lock too.
func (b *builder) together(x, y *View) bool {
	for _, s := range x.Task.Sightings {
		if !s.Has(place(x)) {
			continue
		}
		for _, o := range y.Task.Sightings {
			if s.Span.Input != o.Span.Input || !o.Has(place(y)) {
				continue
			}
			if s.Source == parse.SourceProc && o.Source == parse.SourceProc || s.Dump != 0 && s.Dump == o.Dump && b.wholeDump(s) {
				return true
			}
		}
	}
	return false
}

func (b *builder) wholeDump(s *stacks.Sighting) bool {
	d := b.Snap.Dump(s.Span.Input, s.Dump)
	return d != nil && d.Action == 't' && d.Complete
}

// place is the frame that tells where a task is: where it waits, where it
// charges, else its innermost one.
func place(v *View) *parse.Frame {
	switch {
	case v.Wait != nil:
		return v.Wait.Frame
	case v.Charge.Frame != nil:
		return v.Charge.Frame
	}
	return v.At.Frames()[0]
}

// Decode reads any sighting, past ones included.
func (g *Graph) Decode(t *stacks.Task, s *stacks.Sighting) *View {
	return g.dec.decode(t, s)
}

// Compatible reports whether a hold can be of the lock that a wait is for, by
// mode, kind of instance and file system.
func Compatible(w *Wait, h Hold) bool {
	if w.Mode == lockmodel.Shared && h.Mode == lockmodel.Shared {
		return false
	}
	return instanceFits(w.Instance, h.Instance) && (w.FS == "" || h.FS == "" || w.FS == h.FS)
}
