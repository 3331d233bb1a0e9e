package waitgraph

import (
	"cmp"
	"slices"
	"strings"

	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

// Episode is the OOM of one memcg (or of the whole system): its reports, its
// kills, and what became of the victims.
type Episode struct {
	Scope   string // memcg global cpuset mempolicy sysrq, "" if unknown
	Memcg   string // "" if global or unknown
	Reports []*parse.OOM
	Kills   []*parse.Kill
	Victims []*Victim
	Node    *Node // nil until someone waits for it

	Folded stacks.Folded  // what of it is counted instead of listed, zero if nothing is
	Alike  *stacks.Folded // other episodes that this one stands for, nil if none

	byPid  map[int]*Victim
	tgids  map[int]int  // processes of the threads that its task tables list
	listed map[int]bool // pids of the tables, see lists
}

// Fates of a victim.
const (
	Exited     = "exited"
	Reaped     = "reaped"
	ReapFailed = "reap_failed"
	Stuck      = "stuck"
	Unknown    = "unknown"
)

// Victim is one process that the OOM killer killed.
type Victim struct {
	Kill     *parse.Kill
	Task     *stacks.Task   // the thread named in the kill line, nil if it was never seen
	Threads  []*stacks.Task // all seen threads of the process, Task included
	Fate     string
	Reason   string
	Evidence []Ref
	Order    stacks.Order // of the kill
}

// Open reports whether the victim may still be there with its memory.
func (v *Victim) Open() bool { return v.Fate != Exited && v.Fate != Reaped }

// Resolved reports whether every victim is known to have ended.
func (e *Episode) Resolved() bool {
	return len(e.Victims) > 0 && e.Folded.Unknown == 0 && !slices.ContainsFunc(e.Victims, (*Victim).Open)
}

// ReportCount counts the reports, those folded included.
func (e *Episode) ReportCount() int { return len(e.Reports) + e.Folded.Reports }

// VictimCount counts the victims, those folded included.
func (e *Episode) VictimCount() int {
	return len(e.Victims) + e.Folded.Reaped + e.Folded.Exited + e.Folded.Unknown
}

// OpenVictims are the victims that may still be there.
func (e *Episode) OpenVictims() []*Victim {
	var out []*Victim
	for _, v := range e.Victims {
		if v.Open() {
			out = append(out, v)
		}
	}
	return out
}

// episodes groups OOM reports by the group whose limit was hit, attaches the
// kills and finds the fate of each victim.
func (b *builder) episodes() {
	s := b.Snap
	type group struct{ scope, memcg string }
	byGroup := map[group]*Episode{}
	traced := map[int][]*Episode{} // those of traces, which name no group, by invoker
	find := func(o *parse.OOM) *Episode {
		g := group{o.Scope, o.Memcg}
		named := o.Scope != "" && (o.Scope != "memcg" || o.Memcg != "")
		if e := byGroup[g]; named && e != nil {
			return e
		}
		e := &Episode{Scope: o.Scope, Memcg: o.Memcg}
		switch {
		case named:
			byGroup[g] = e
		case o.Scope == "memcg" && o.Traced && o.HasPid:
			for _, e := range traced[o.InvokerPid] {
				if sameCharger(e, o) {
					return e
				}
			}
			traced[o.InvokerPid] = append(traced[o.InvokerPid], e)
		}
		b.Episodes = append(b.Episodes, e)
		return e
	}
	b.byReport = make(map[*parse.OOM]*Episode, len(s.OOMs))
	for _, o := range s.OOMs {
		e := find(o)
		e.Reports = append(e.Reports, o)
		b.byReport[o] = e
	}
	lone := b.reportTimes()
	byKill := make(map[*parse.Kill]*Episode, len(s.Kills))
	for _, k := range s.Kills {
		e := b.byReport[k.Report]
		if e == nil {
			e = lone.before(k, s.Order(&k.Meta))
		}
		if e == nil { // rate limited: a kill without any report
			scope := "global"
			if k.MemcgKill {
				scope = "memcg"
			}
			e = &Episode{Scope: scope}
			b.Episodes = append(b.Episodes, e)
		}
		e.Kills = append(e.Kills, k)
		b.addVictim(e, k)
		byKill[k] = e
	}
	for _, f := range s.Folded {
		var e *Episode
		switch of := f.Of.(type) {
		case *parse.OOM:
			e = b.byReport[of]
		case *parse.Kill:
			e = byKill[of]
		}
		switch {
		case e == nil:
		case f.Incidents > 0:
			e.Alike = f
		default:
			e.Folded = *f
		}
	}
	for _, e := range b.Episodes {
		for _, v := range e.Victims {
			for _, t := range v.Threads {
				b.victimsOf[t] = append(b.victimsOf[t], v)
			}
		}
	}
	for _, e := range b.Episodes {
		for _, v := range e.Victims {
			b.fate(e, v)
		}
	}
}

// sameCharger: a trace names no group. OOMs of one task within seconds are of
// one group, since a task charges its own.
func sameCharger(e *Episode, o *parse.OOM) bool {
	last := e.Reports[len(e.Reports)-1]
	return o.Stamp.HasBoot && last.Stamp.HasBoot && o.Stamp.Boot-last.Stamp.Boot < 10
}

// reportTimes are the reports in order: those of memory cgroups, and others.
type reportTimes struct{ memcg, other []timedReport }

type timedReport struct {
	at      stacks.Order
	episode *Episode
}

func (b *builder) reportTimes() *reportTimes {
	r := &reportTimes{}
	for _, e := range b.Episodes {
		for _, o := range e.Reports {
			t := timedReport{b.Snap.Order(&o.Meta), e}
			if e.Scope == "memcg" || e.Scope == "" {
				r.memcg = append(r.memcg, t)
			}
			if e.Scope != "memcg" {
				r.other = append(r.other, t)
			}
		}
	}
	byTime := func(a, b timedReport) int { return a.at.Compare(b.at) }
	slices.SortStableFunc(r.memcg, byTime)
	slices.SortStableFunc(r.other, byTime)
	return r
}

// before finds the report that a kill line outside any report belongs to: the
// last one before it of the same kind (memory.oom.group prints one report and
// many kills; more than 10 reports in 5 s print none).
func (r *reportTimes) before(k *parse.Kill, at stacks.Order) *Episode {
	list := r.other
	if k.MemcgKill {
		list = r.memcg
	}
	i, _ := slices.BinarySearchFunc(list, at, func(t timedReport, at stacks.Order) int { return t.at.Compare(at) })
	if i == 0 {
		return nil
	}
	return list[i-1].episode
}

func (b *builder) addVictim(e *Episode, k *parse.Kill) {
	if e.byPid == nil {
		e.byPid, e.tgids = map[int]*Victim{}, map[int]int{}
		for _, o := range e.Reports {
			for _, c := range o.Candidates {
				if c.Tgid != 0 {
					e.tgids[c.Pid] = c.Tgid
				}
			}
		}
	}
	if v := e.byPid[k.Pid]; v != nil { // oom.group prints the chosen victim twice
		v.Kill, v.Order = k, b.Snap.Order(&k.Meta)
		return
	}
	v := &Victim{Kill: k, Task: b.Snap.Task(k.Pid), Order: b.Snap.Order(&k.Meta)}
	if v.Task != nil && v.Task.Comm == "" {
		v.Task.Comm = k.Comm
	}
	// The number can be a thread id: map it through the pid/tgid columns.
	tgid := k.Pid
	if t := e.tgids[k.Pid]; t != 0 {
		tgid = t
	}
	v.Threads = slices.Clone(b.Snap.Threads(tgid))
	for _, pid := range [...]int{k.Pid, tgid} {
		if t := b.Snap.Task(pid); t != nil && !slices.Contains(v.Threads, t) {
			v.Threads = append(v.Threads, t)
		}
	}
	slices.SortFunc(v.Threads, func(a, b *stacks.Task) int { return cmp.Compare(a.Index, b.Index) })
	e.byPid[k.Pid] = v
	e.Victims = append(e.Victims, v)
}

func (v *Victim) set(fate, reason string, refs ...Ref) {
	v.Fate, v.Reason, v.Evidence = fate, reason, refs
}

// fate decides what became of a victim from what the log says after the kill.
func (b *builder) fate(e *Episode, v *Victim) {
	s := b.Snap
	v.set(Unknown, "nothing is seen of it after the kill")
	killRef := Ref{v.Kill.Span.Input, v.Kill.Span.First}
	v.Evidence = []Ref{killRef}
	if x := s.Exit(v.Kill.Pid); x != nil {
		v.set(Exited, "the trace shows its exit", Ref{x.Span.Input, x.Span.First})
		return
	}
	var failed, part *parse.Reap
	for _, r := range s.Reaped(v.Kill.Pid) {
		if !s.Order(&r.Meta).After(v.Order) {
			continue
		}
		if r.OK && !stacks.Leftover(v.Kill, r) {
			v.set(Reaped, "oom_reaper freed its memory", Ref{r.Span.Input, r.Span.First})
			return
		}
		if r.OK {
			part = r
		} else {
			failed = r
		}
	}
	// Where is it now? The latest sighting after the kill decides, unless a
	// whole dump after that lacks it.
	var seen *stacks.Sighting
	var where *stacks.Task
	for _, t := range v.Threads {
		if p := t.Present(); p != nil && p.Order.After(v.Order) && (seen == nil || p.Order.After(seen.Order)) {
			seen, where = p, t
		}
	}
	after := v.Order
	if seen != nil {
		after = seen.Order
	}
	if b.leftBy(e, v, after) {
		return
	}
	if seen != nil {
		ref := Ref{seen.Span.Input, seen.Span.First}
		view := b.views[where]
		switch {
		case failed != nil:
			v.set(ReapFailed, "oom_reaper could not free its memory, and it is still there", Ref{failed.Span.Input, failed.Span.First}, ref)
		case part != nil && view != nil && view.Wait != nil && b.waiting(view):
			v.set(ReapFailed, "oom_reaper had to leave most of its memory, and it is still there", Ref{part.Span.Input, part.Span.First}, ref)
		case part != nil:
			v.set(Reaped, "oom_reaper freed what it can", Ref{part.Span.Input, part.Span.First})
		case view != nil && view.Wait != nil && b.waiting(view):
			v.set(Stuck, "it is seen waiting in "+view.Wait.Frame.Func+" after the kill", ref)
		default:
			v.set(Unknown, "it is seen after the kill, but not in a known wait", ref)
		}
		return
	}
	switch {
	case failed != nil:
		v.set(ReapFailed, "oom_reaper could not free its memory", Ref{failed.Span.Input, failed.Span.First})
	case part != nil:
		v.set(Reaped, "oom_reaper freed what it can", Ref{part.Span.Input, part.Span.First})
	}
}

// leftBy looks for evidence after a point that the victim has ended.
func (b *builder) leftBy(e *Episode, v *Victim, after stacks.Order) bool {
	s := b.Snap
	// A later task table of the same group without it: dump_tasks() lists
	// every process of the group that still has an mm.
	for _, o := range e.Reports {
		if !o.HasTable || o.Damaged || o.MoreTasks > 0 || len(o.Candidates) == 0 || !s.Order(&o.Meta).After(after) {
			continue
		}
		if t := b.table(o); !t.pid(v.Kill.Pid) && !slices.ContainsFunc(v.Threads, func(x *stacks.Task) bool { return x.Tgid != 0 && t.tgid(x.Tgid) }) {
			v.set(Exited, "it is missing from the task table of a later OOM report", Ref{o.Span.Input, o.Span.First})
			return true
		}
	}
	// A dump of all tasks says more than one of the blocked: look there first.
	for _, action := range []byte{'t', 'w'} {
		for _, d := range s.Dumps {
			if d.Action != action || !d.Complete || !s.Order(&d.Meta).After(after) || b.listed(v, d) {
				continue
			}
			reason := "a later sysrq-t of all tasks does not list it"
			if action == 'w' {
				reason = "a later sysrq-w lists no thread of it, so none is stuck in an uninterruptible sleep"
			}
			v.set(Exited, reason, Ref{d.Span.Input, d.Span.First})
			return true
		}
	}
	// A second victim in the same group: select_bad_process() chooses none
	// while one that was killed before still has its memory (2.6.34..7.1).
	from, _ := slices.BinarySearchFunc(e.Kills, after, func(k *parse.Kill, o stacks.Order) int {
		if s.Order(&k.Meta).After(o) {
			return 1
		}
		return -1
	})
	for _, k := range e.Kills[from:] {
		if k.Pid != v.Kill.Pid && k.Report != nil && k.Report != v.Kill.Report && !b.failedBefore(v, k) {
			v.set(Exited, "the OOM killer chose another victim in the group later, which it does only once the last one is gone", Ref{k.Span.Input, k.Span.First})
			return true
		}
	}
	return false
}

// failedBefore: after "unable to reap" the next victim may be picked although
// the first is still there (MMF_OOM_SKIP, 4.9 ->).
func (b *builder) failedBefore(v *Victim, k *parse.Kill) bool {
	return slices.ContainsFunc(b.Snap.Reaped(v.Kill.Pid), func(r *parse.Reap) bool {
		return !r.OK && b.Snap.Order(&k.Meta).After(b.Snap.Order(&r.Meta))
	})
}

// table is who stands in a report's task table.
type table struct{ pids, tgids []int } // sorted

func (b *builder) table(o *parse.OOM) *table {
	t := b.tables[o]
	if t == nil {
		t = &table{}
		for _, c := range o.Candidates {
			t.pids = append(t.pids, c.Pid)
			t.tgids = append(t.tgids, c.Tgid)
		}
		slices.Sort(t.pids)
		slices.Sort(t.tgids)
		b.tables[o] = t
	}
	return t
}

func (t *table) pid(n int) bool {
	_, ok := slices.BinarySearch(t.pids, n)
	return ok
}

// has reports whether the process of a task stands in the table.
func (t *table) has(x *stacks.Task) bool {
	return t.pid(x.Pid) || t.tgid(x.Pid) || x.Tgid != 0 && t.tgid(x.Tgid)
}

func (t *table) tgid(n int) bool {
	_, ok := slices.BinarySearch(t.tgids, n)
	return ok
}

// lists reports whether a pid stands in one of the episode's task tables.
func (e *Episode) lists(pid int) bool {
	if e.listed == nil {
		e.listed = map[int]bool{}
		for _, o := range e.Reports {
			for _, c := range o.Candidates {
				e.listed[c.Pid] = true
			}
		}
	}
	return e.listed[pid]
}

func (b *builder) listed(v *Victim, d *parse.Dump) bool {
	for _, t := range v.Threads {
		if slices.ContainsFunc(t.Sightings, func(x *stacks.Sighting) bool {
			return x.Dump == d.ID && x.Span.Input == d.Span.Input
		}) {
			return true
		}
	}
	return false
}

// labelled reports whether the heading above a pasted stack has a word.
func labelled(t *stacks.Task, word string) bool {
	return strings.Contains(strings.ToLower(t.Label), word)
}
