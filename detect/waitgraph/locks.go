package waitgraph

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

// candidate is a task that may hold the lock that a waiter wants.
type candidate struct {
	task  *stacks.Task
	view  *View // nil if only the kernel named it
	hold  Hold
	basis string
	refs  []Ref
	addr  string
	why   []string
}

// waiter is a task in a lock wait with the holders that remain for it.
type waiter struct {
	view  *View
	class *lockmodel.Class
	addr  string
	cands []candidate
	why   []string

	narrowed []string // the part of why that the search for holders added
	like     *waiter  // the first of the waiters with the same holders, nil for itself
	node     *Node

	trace  *stacks.Trace     // that shows how the wait began, nil if none does
	traced *stacks.TraceWait // likewise
}

// locks joins waiters and holders (reasoning.md §3).
func (b *builder) locks() {
	holders := map[*lockmodel.Class][]*View{}
	for _, v := range b.Views {
		if len(v.Holds) == 0 || !b.holding(v) && !b.runsHolding(v) {
			continue
		}
		for _, h := range v.Holds {
			if l := holders[h.Class]; len(l) == 0 || l[len(l)-1] != v {
				holders[h.Class] = append(l, v)
			}
		}
	}
	b.writers = map[*lockmodel.Class][]*View{}
	waiters := map[*lockmodel.Class]int{}
	for _, v := range b.Views {
		if v.Wait == nil || v.Wait.Class == nil || !b.waiting(v) {
			continue
		}
		waiters[v.Wait.Class]++
		if v.Wait.Mode == lockmodel.Exclusive {
			b.writers[v.Wait.Class] = append(b.writers[v.Wait.Class], v)
		}
	}
	b.crowded = map[*lockmodel.Class]bool{}
	for c, list := range holders {
		b.crowded[c] = waiters[c]*len(list) > crowd
	}
	var ws []*waiter
	for _, v := range b.Views {
		w := v.Wait
		if w == nil || b.trapped[v.Task] != nil || !b.waiting(v) {
			continue
		}
		if w.Class != nil && w.Class.Resource {
			continue
		}
		if wt := b.join(v, holders); wt != nil {
			ws = append(ws, wt)
			b.joined[v.Task] = true
		}
	}
	// Waiters with the same holders or the same address wait for one lock.
	firstWriter := map[*Node]*waiter{}
	for _, w := range ws {
		if w.like != nil {
			w.node = w.like.node
		} else {
			w.node = b.lockNode(w)
		}
		if w.view.Wait.Mode == lockmodel.Exclusive && firstWriter[w.node] == nil {
			firstWriter[w.node] = w
		}
	}
	for _, w := range ws {
		n := w.node
		basis := FrameModel
		if b.blocker[w.view.Task.Pid] != nil && len(w.cands) == 1 && w.cands[0].basis == KernelReport {
			basis = KernelReport
		} else if w.traced != nil && w.addr != "" {
			basis = ContentionEvent
		} else if w.addr != "" {
			basis = Lockdep
		}
		e := b.waitEdge(w.view, n, basis)
		e.Why = append(e.Why, w.why...)
		b.queue(w, firstWriter[n])
		if w.like != nil {
			continue // the holders are those of the first
		}
		for _, c := range w.cands {
			e := b.add(&Edge{
				From: n, To: b.taskNode(c.task), Relation: HeldBy, Mode: modeName(c.hold.Mode), Basis: c.basis, Fact: c.hold.Fact,
				Evidence: c.refs, Alternatives: len(w.cands), Why: c.why, Weak: c.hold.Maybe && c.basis == FrameModel,
			})
			if c.hold.Frame != nil {
				e.Frame = c.hold.Frame.Func
			}
			if c.view != nil && b.together(w.view, c.view) {
				e.Together = true
			}
		}
	}
}

// queue draws the reader behind the writer that waits before it: an rwsem
// reader queues behind a waiting writer although the lock is only read-held.
func (b *builder) queue(w, writer *waiter) {
	if writer == nil || writer == w || w.view.Wait.Mode != lockmodel.Shared || len(w.cands) == 0 {
		return
	}
	if slices.ContainsFunc(w.cands, func(c candidate) bool { return c.hold.Mode == lockmodel.Exclusive }) {
		return
	}
	b.add(&Edge{From: b.taskNode(w.view.Task), To: b.taskNode(writer.view.Task), Relation: QueuedBehind, Basis: FrameModel,
		Evidence: []Ref{{writer.view.At.Span.Input, writer.view.At.Line(writer.view.Wait.Frame)}},
		Why:      []string{"an rwsem reader queues behind a waiting writer"}, Together: b.together(w.view, writer.view)})
}

// join finds the holders of the lock that v waits for, narrowing step by step.
func (b *builder) join(v *View, holders map[*lockmodel.Class][]*View) *waiter {
	w := &waiter{view: v, class: v.Wait.Class}
	b.lockdepAddress(w)
	b.contentionAddress(w)
	if b.kernelSays(w) {
		return w
	}
	if w.class == nil {
		if w.addr == "" {
			return nil // resources() shows the unknown wait
		}
	}
	if w.addr != "" && b.lockdepHolders(w) {
		return w
	}
	if w.traced != nil && b.traceHolders(w) {
		return w
	}
	if w.class == nil {
		return nil
	}
	key, alike := b.alike(w, holders[w.class])
	if first := b.groups[key]; alike && first != nil {
		w.cands, w.like = first.cands, first
		w.why = append(w.why, first.narrowed...)
		return w
	}
	before := len(w.why)
	for _, h := range holders[w.class] {
		if h.Task == v.Task {
			continue
		}
		for _, hold := range h.Holds {
			if hold.Class == w.class {
				b.consider(w, h, hold)
			}
		}
	}
	b.narrow(w)
	w.narrowed = w.why[before:]
	if alike {
		b.groups[key] = w
	}
	return w
}

// groupKey is what the holders of a waiter's lock depend on.
type groupKey struct {
	class       *lockmodel.Class
	instance    string
	mode        lockmodel.Mode
	fs, addr    string
	input, dump int
	process     process
	victim      *Victim
}

// process is what tells whose address space a waiter is in, as far as a dump
// does.
type process struct {
	tgid, ppid int
	comm       string
	space      uint64
}

// crowd is for how many pairs of waiters and holders of a class each pair is
// looked at. In a larger crowd, that of a process of thousands of threads, those
// that wait for its lock are joined with its holders once: that their numbers
// are near (see maybeThreads) is asked of the first of them only.
const crowd = 1 << 16

// alike tells which waiters have the same holders, so that a queue of
// thousands is joined once: those whose own process, fate and holds do not
// matter to it, or are the same.
func (b *builder) alike(w *waiter, holders []*View) (groupKey, bool) {
	v := w.view
	var p process
	switch inst := v.Wait.Instance; inst {
	case "own_mm", "target_mm", "foreign_mm", "target_task", "own_task":
		if !b.crowded[w.class] {
			return groupKey{}, false
		}
		if inst == "own_mm" || inst == "own_task" {
			if p.tgid = v.Task.Tgid; p.tgid == 0 {
				p = process{ppid: v.Task.Ppid, comm: v.Task.Comm, space: v.At.UserSP() >> 30}
			}
		}
	}
	// One that may itself hold what it waits for is no holder for itself.
	if slices.ContainsFunc(v.Holds, func(h Hold) bool {
		return h.Class == w.class && instanceFits(v.Wait.Instance, h.Instance) && (v.Wait.FS == "" || h.FS == "" || v.Wait.FS == h.FS)
	}) {
		return groupKey{}, false
	}
	var victim *Victim
	if list := b.victimsOf[v.Task]; len(list) > 0 {
		victim = list[0] // see sameStory
	} else if b.isVictim(v.Task) {
		return groupKey{}, false
	}
	return groupKey{w.class, v.Wait.Instance, v.Wait.Mode, v.Wait.FS, w.addr, v.At.Span.Input, v.At.Dump, p, victim}, len(holders) > 0
}

// consider adds a holder unless something contradicts it.
func (b *builder) consider(w *waiter, h *View, hold Hold) {
	wait := w.view.Wait
	if wait.Mode == lockmodel.Shared && hold.Mode == lockmodel.Shared && !b.writerWaits(w, h) {
		return // readers do not exclude each other
	}
	// Who takes one more count waits for nobody; who waits for the count to
	// drain (a journal commit for its handles) waits for every holder.
	if hold.Mode == lockmodel.Count && wait.Mode != lockmodel.Exclusive && wait.Fact.Verb != lockmodel.Waits {
		return
	}
	if !instanceFits(wait.Instance, hold.Instance) {
		return
	}
	if wait.FS != "" && hold.FS != "" && wait.FS != hold.FS {
		w.why = append(w.why, fmt.Sprintf("not %s: its frames name %s, the waiter's %s", h.Task.Name(), hold.FS, wait.FS))
		return
	}
	a, c := w.view.Task, h.Task
	known := a.Tgid != 0 && c.Tgid != 0
	switch {
	case wait.Instance == "own_mm" && hold.Instance == "own_mm" && (known && a.Tgid != c.Tgid || !known && !maybeThreads(w.view, h)):
		return // another process's mm
	case wait.Instance == "target_mm" && known && a.Tgid == c.Tgid:
		return // a process reads another one's mm
	}
	cand := candidate{task: c, view: h, hold: hold, basis: FrameModel, refs: []Ref{{h.At.Span.Input, h.At.Line(hold.Frame)}}}
	cand.why = append(cand.why, holdWhy(hold))
	if hold.Maybe {
		cand.why = append(cand.why, "maybe: the stack does not tell whether it holds this lock or a finer one, or has dropped it")
	}
	if b.runs(h) {
		if h.At.Dump != w.view.At.Dump || h.At.Span.Input != w.view.At.Span.Input {
			return // it may have let go since
		}
		cand.why = append(cand.why, "it runs, so it may release the lock by itself")
	}
	if h.At.Report != nil {
		cand.why = append(cand.why, "its last known place is its own OOM report")
	}
	if wait.FS != "" && wait.FS == hold.FS {
		cand.why = append(cand.why, "the frames of both name "+hold.FS)
	}
	w.cands = append(w.cands, cand)
}

func holdWhy(h Hold) string {
	if h.Fact.Verb == lockmodel.Acquires {
		return h.Frame.Func + "() takes it and its callees run with it"
	}
	return h.Frame.Func + "() runs only with it held"
}

// writerWaits: between a reading holder and a waiting reader there is a
// conflict only if a writer waits for the same lock.
func (b *builder) writerWaits(w *waiter, h *View) bool {
	k := conflict{w.class, w.view.Wait.Instance, w.view.Wait.FS}
	writers, known := b.writing[k]
	if !known {
		for _, v := range b.writers[w.class] {
			// Waiter and holder are no more than two of them.
			if len(writers) < 3 && instanceFits(v.Wait.Instance, k.instance) && (v.Wait.FS == "" || k.fs == "" || v.Wait.FS == k.fs) {
				writers = append(writers, v)
			}
		}
		b.writing[k] = writers
	}
	return slices.ContainsFunc(writers, func(v *View) bool { return v != w.view && v != h })
}

// conflict is what the writers in the way of a reader depend on.
type conflict struct {
	class        *lockmodel.Class
	instance, fs string
}

// instanceFits: a directory's lock is never a file's; "inode" is either.
// Another process's mm can be anybody's own.
func instanceFits(wait, hold string) bool {
	if wait == hold || wait == "" || hold == "" {
		return true
	}
	pair := func(x, y string) bool { return wait == x && hold == y || wait == y && hold == x }
	switch {
	case pair("inode", "file"), pair("inode", "dir"):
		return true
	case pair("target_mm", "own_mm"), pair("foreign_mm", "own_mm"):
		return true
	case pair("target_task", "own_task"):
		return true
	}
	return false
}

// narrow drops candidates that are less likely than another one, in the order
// of reasoning.md §3, and stops when one is left.
func (b *builder) narrow(w *waiter) {
	step := func(reason string, keep func(c candidate) bool) {
		if len(w.cands) < 2 {
			return
		}
		var kept []candidate
		for _, c := range w.cands {
			if keep(c) {
				kept = append(kept, c)
			}
		}
		if len(kept) > 0 && len(kept) < len(w.cands) {
			w.cands = kept
			w.why = append(w.why, reason)
		}
	}
	// One task can hold several locks of the class: keep the fitting one.
	slices.SortStableFunc(w.cands, func(x, y candidate) int {
		return cmp.Compare(exact(w.view.Wait, y.hold), exact(w.view.Wait, x.hold))
	})
	seen := map[*stacks.Task]bool{}
	w.cands = slices.DeleteFunc(w.cands, func(c candidate) bool {
		dup := seen[c.task]
		seen[c.task] = true
		return dup
	})
	wait := w.view.Wait
	if wait.Instance == "own_mm" {
		step("holders in the same process outrank others", func(c candidate) bool {
			return w.view.Task.Tgid != 0 && c.task.Tgid == w.view.Task.Tgid
		})
		step("user stack addresses suggest the same process", func(c candidate) bool { return sameSpace(w.view.At, c.view.At) })
	}
	if wait.Mode == lockmodel.Shared {
		step("only a writer keeps a reader out", func(c candidate) bool { return c.hold.Mode == lockmodel.Exclusive })
	}
	step("a lock that the stack proves outranks one that it cannot tell (per-VMA locks)", func(c candidate) bool { return !c.hold.Maybe })
	step("holders that wait outrank holders that run", func(c candidate) bool { return !b.runs(c.view) })
	step("the waiter is the victim of this holder's OOM", func(c candidate) bool { return b.sameStory(w.view.Task, c.task) })
	if wait.FS != "" {
		step("frames that name the same file system outrank frames that name none", func(c candidate) bool { return c.hold.FS == wait.FS })
	}
}

func exact(w *Wait, h Hold) int {
	n := 0
	if w.Instance == h.Instance {
		n += 2
	}
	if w.FS == h.FS {
		n++
	}
	return n
}

// maybeThreads: before 6.12 no dump prints process ids. Two tasks are then taken
// for threads of one process if something suggests it: the name, the user stack
// addresses, or the same parent and neighbouring thread ids.
func maybeThreads(a, b *View) bool {
	t, o := a.Task, b.Task
	near := t.HasPpid && o.HasPpid && t.Ppid == o.Ppid && max(t.Pid, o.Pid)-min(t.Pid, o.Pid) <= 16
	return t.Comm != "" && t.Comm == o.Comm || near || sameSpace(a.At, b.At)
}

// sameSpace compares the user stack pointers of two dumps: threads of one
// process share the upper half of their mmap region (ASLR, 28 bits of it).
func sameSpace(a, b *stacks.Sighting) bool {
	x, y := a.UserSP(), b.UserSP()
	return x != 0 && y != 0 && x>>30 == y>>30
}

// sameStory: the waiter was killed for exactly the OOM that this holder sits in.
func (b *builder) sameStory(victim, holder *stacks.Task) bool {
	tr := b.trapped[holder]
	if tr == nil || tr.Report == nil {
		return false
	}
	for _, k := range tr.Report.Kills {
		if k.Pid == victim.Pid && victim.HasPid || victim.Tgid != 0 && victim.Tgid == k.Pid {
			return true
		}
	}
	return false
}

// kernelSays uses khungtaskd's own word on the owner (6.15 mutex, 6.17 rwsem).
func (b *builder) kernelSays(w *waiter) bool {
	k := b.blocker[w.view.Task.Pid]
	if k == nil || !k.Found || !w.view.Task.HasPid {
		return false
	}
	owner := b.Snap.Task(k.OwnerPid)
	if owner == nil || k.Kind == "semaphore" {
		return false // the last holder of a semaphore is a hint only
	}
	c := candidate{task: owner, basis: KernelReport, refs: []Ref{{k.Span.Input, k.Span.First}}, view: b.views[owner], hold: Hold{Mode: lockmodel.Exclusive}}
	c.why = []string{"khungtaskd names the owner"}
	if k.OwnerMode == "reader" {
		c.hold.Mode = lockmodel.Shared
		c.why = append(c.why, "the mark is of some reader, maybe not the one that blocks")
	}
	if c.view != nil {
		if c.view.Task.Gone != nil {
			return false
		}
		for _, h := range c.view.Holds {
			if h.Class == w.class && w.class != nil && instanceFits(w.view.Wait.Instance, h.Instance) {
				c.hold.Frame, c.hold.Fact = h.Frame, h.Fact
				c.refs = append(c.refs, Ref{c.view.At.Span.Input, c.view.At.Line(h.Frame)})
				c.why = append(c.why, holdWhy(h))
				break
			}
		}
	}
	// The reader mark of an rwsem stays after the release: a writer that read
	// before finds itself there. Its stack has to show the lock as well.
	if owner == w.view.Task && c.hold.Mode == lockmodel.Shared && c.hold.Frame == nil {
		return false
	}
	w.cands = []candidate{c}
	return true
}

// lockdepAddress takes the address of the lock that the task waits for from
// its lockdep list: the last entry, if its class is the one that the stack
// waits for, or if the entry was requested at the waiting frame.
func (b *builder) lockdepAddress(w *waiter) {
	l := b.lists[w.view.Task.Pid]
	if l == nil || len(l.Held) == 0 || !w.view.Task.HasPid {
		return
	}
	last := l.Held[len(l.Held)-1]
	if !b.waitsForEntry(w.view, last) {
		return
	}
	if w.class == nil {
		if c, _, ok := b.Model.ClassByLockdep(last.Class); ok {
			w.class = c
		}
	}
	if last.Addr != "" && strings.Trim(last.Addr, "0") != "" {
		w.addr = last.Addr
		w.why = append(w.why, fmt.Sprintf("lockdep lists %s at %s as the last entry: the lock it still waits for", last.Class, last.Addr))
	}
}

func (b *builder) waitsForEntry(v *View, h parse.HeldLock) bool {
	if v == nil || v.Wait == nil {
		return false
	}
	if v.Wait.Frame != nil && lockmodel.Fold(h.At.Func) == lockmodel.Fold(v.Wait.Frame.Func) {
		return true
	}
	c, _, ok := b.Model.ClassByLockdep(h.Class)
	return ok && v.Wait.Class != nil && c == v.Wait.Class
}

// listed is one entry of a task's lockdep list.
type listed struct {
	task *stacks.Task
	list *parse.Locks
	at   int
}

// lockdepHolders finds who lists the address as held: not as the last entry,
// or as the last one while its stack waits for something else.
func (b *builder) lockdepHolders(w *waiter) bool {
	if b.held == nil {
		b.held = map[string][]listed{}
		for _, t := range b.Snap.Tasks {
			l := b.lists[t.Pid]
			if l == nil || !t.HasPid || t.Gone != nil {
				continue
			}
			for i, h := range l.Held {
				b.held[h.Addr] = append(b.held[h.Addr], listed{t, l, i})
			}
		}
	}
	for _, e := range b.held[w.addr] {
		h, v := e.list.Held[e.at], b.views[e.task]
		last := e.at == len(e.list.Held)-1
		if e.task == w.view.Task || last && (v == nil || b.waitsForEntry(v, h)) || w.has(e.task) {
			continue
		}
		f := h.At
		c := candidate{task: e.task, view: v, basis: Lockdep, refs: []Ref{{e.list.Span.Input, h.Line}}, hold: Hold{Mode: lockmodel.Exclusive, Frame: &f}}
		c.why = []string{"lockdep lists the same address as held, asked for in " + h.At.Func}
		if v != nil {
			for _, hd := range v.Holds {
				if hd.Class == w.class {
					c.hold.Mode, c.hold.Fact = hd.Mode, hd.Fact
				}
			}
		}
		w.cands = append(w.cands, c)
	}
	return len(w.cands) > 0
}

func (w *waiter) has(t *stacks.Task) bool {
	return slices.ContainsFunc(w.cands, func(c candidate) bool { return c.task == t })
}

// lockNode gives waiters with the same address, or the same class and
// holders, one node.
func (b *builder) lockNode(w *waiter) *Node {
	name, label := "lock", "lock"
	if w.class != nil {
		name = w.class.NameIn(b.nameVersion(w))
		label = w.class.Label
	}
	key := "lockkey:" + name + "|" + w.addr
	if w.addr == "" {
		inst := w.view.Wait.Instance
		if len(w.cands) > 0 {
			inst = ""
		}
		key += "|" + inst + "|" + w.view.Wait.FS
		if len(w.cands) > 0 {
			var holders strings.Builder
			holders.WriteString("lockkey:" + name)
			for i := range w.cands {
				c := &w.cands[i]
				holders.WriteString("|" + c.task.ID + "/" + c.hold.Instance)
			}
			key = holders.String()
		}
	}
	if n := b.nodes[key]; n != nil {
		return n
	}
	b.lockNr[name]++
	n := b.node(fmt.Sprintf("lock:%s#%d", name, b.lockNr[name]), func() *Node {
		n := &Node{Kind: "lock", Class: name, Model: w.class, Address: w.addr, Label: label}
		if inst := instanceLabel(w.view.Wait.Instance); inst != "" {
			n.Label += " of " + inst
		}
		if w.view.Wait.FS != "" {
			n.Label += " on " + w.view.Wait.FS
		}
		return n
	})
	b.nodes[key] = n
	return n
}

// nameVersion is the release that a lock is named for: the log's, or where it
// has none the last one in which the holder's or waiter's frame exists.
func (b *builder) nameVersion(w *waiter) lockmodel.Version {
	if !b.Version.IsZero() {
		return b.Version
	}
	for _, c := range w.cands {
		if c.hold.Fact != nil && !c.hold.Fact.Until.IsZero() {
			return c.hold.Fact.Until
		}
	}
	if f := w.view.Wait.Fact; f != nil {
		return f.Until
	}
	return lockmodel.Version{}
}

func instanceLabel(inst string) string {
	switch inst {
	case "file", "inode":
		return "a file"
	case "dir":
		return "a directory"
	case "own_mm":
		return "its own address space"
	case "target_mm", "foreign_mm":
		return "another process"
	case "target_task":
		return "another task"
	case "journal":
		return "the journal"
	case "sb":
		return "the file system"
	}
	return ""
}
