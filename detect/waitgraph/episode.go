package waitgraph

import (
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

	order stacks.Order
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
	return len(e.Victims) > 0 && !slices.ContainsFunc(e.Victims, (*Victim).Open)
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
	find := func(o *parse.OOM) *Episode {
		for _, e := range b.Episodes {
			if e.Scope == o.Scope && e.Memcg == o.Memcg && (o.Scope != "" && (o.Scope != "memcg" || o.Memcg != "" || sameCharger(e, o))) {
				return e
			}
		}
		e := &Episode{Scope: o.Scope, Memcg: o.Memcg}
		b.Episodes = append(b.Episodes, e)
		return e
	}
	byReport := map[*parse.OOM]*Episode{}
	for _, o := range s.OOMs {
		e := find(o)
		if len(e.Reports) == 0 {
			e.order = s.Order(&o.Meta)
		}
		e.Reports = append(e.Reports, o)
		byReport[o] = e
	}
	for _, k := range s.Kills {
		e := byReport[k.Report]
		if e == nil {
			e = b.episodeOf(k)
		}
		if e == nil { // rate limited: a kill without any report
			scope := "global"
			if k.MemcgKill {
				scope = "memcg"
			}
			e = &Episode{Scope: scope, order: s.Order(&k.Meta)}
			b.Episodes = append(b.Episodes, e)
		}
		e.Kills = append(e.Kills, k)
		b.addVictim(e, k)
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
	return o.Traced && last.Traced && o.HasPid && last.HasPid && o.InvokerPid == last.InvokerPid &&
		o.Stamp.HasBoot && last.Stamp.HasBoot && o.Stamp.Boot-last.Stamp.Boot < 10
}

// episodeOf finds the report that a kill line outside any report belongs to:
// the last one before it of the same kind (memory.oom.group prints one report
// and many kills; more than 10 reports in 5 s print none).
func (b *builder) episodeOf(k *parse.Kill) *Episode {
	var best *Episode
	var at stacks.Order
	for _, e := range b.Episodes {
		if k.MemcgKill != (e.Scope == "memcg") && e.Scope != "" {
			continue
		}
		for _, o := range e.Reports {
			if ord := b.Snap.Order(&o.Meta); b.Snap.Order(&k.Meta).After(ord) && (best == nil || ord.After(at)) {
				best, at = e, ord
			}
		}
	}
	return best
}

func (b *builder) addVictim(e *Episode, k *parse.Kill) {
	for _, v := range e.Victims {
		if v.Kill.Pid == k.Pid { // oom.group prints the chosen victim twice
			v.Kill, v.Order = k, b.Snap.Order(&k.Meta)
			return
		}
	}
	v := &Victim{Kill: k, Task: b.Snap.Task(k.Pid), Order: b.Snap.Order(&k.Meta)}
	if v.Task != nil && v.Task.Comm == "" {
		v.Task.Comm = k.Comm
	}
	// The number can be a thread id: map it through the pid/tgid columns.
	tgid := k.Pid
	for _, o := range e.Reports {
		for _, c := range o.Candidates {
			if c.Pid == k.Pid && c.Tgid != 0 {
				tgid = c.Tgid
			}
		}
	}
	for _, t := range b.Snap.Tasks {
		if t.HasPid && (t.Pid == k.Pid || t.Pid == tgid || t.Tgid != 0 && t.Tgid == tgid) {
			v.Threads = append(v.Threads, t)
		}
	}
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
	for _, r := range s.Reaps {
		if r.Pid != v.Kill.Pid || !s.Order(&r.Meta).After(v.Order) {
			continue
		}
		if r.OK && !Leftover(v.Kill, r) {
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

// Leftover reports whether the reaper left at least half of the anonymous and
// shared memory: mlocked (until 5.15), hugetlb, shared. It comes back only when
// the victim exits, that of tmpfs files not even then.
func Leftover(k *parse.Kill, r *parse.Reap) bool {
	left := max(r.AnonKB, 0) + max(r.ShmemKB, 0)
	return left >= 1024 && 2*left >= max(k.AnonKB, 0)+max(k.ShmemKB, 0)
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
		if !slices.ContainsFunc(o.Candidates, func(c parse.Candidate) bool {
			return c.Pid == v.Kill.Pid || slices.ContainsFunc(v.Threads, func(t *stacks.Task) bool { return t.Tgid != 0 && t.Tgid == c.Tgid })
		}) {
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
	for _, k := range e.Kills {
		if k.Pid != v.Kill.Pid && k.Report != nil && k.Report != v.Kill.Report && s.Order(&k.Meta).After(after) && !b.failedBefore(v, k) {
			v.set(Exited, "the OOM killer chose another victim in the group later, which it does only once the last one is gone", Ref{k.Span.Input, k.Span.First})
			return true
		}
	}
	return false
}

// failedBefore: after "unable to reap" the next victim may be picked although
// the first is still there (MMF_OOM_SKIP, 4.9 ->).
func (b *builder) failedBefore(v *Victim, k *parse.Kill) bool {
	return slices.ContainsFunc(b.Snap.Reaps, func(r *parse.Reap) bool {
		return !r.OK && r.Pid == v.Kill.Pid && b.Snap.Order(&k.Meta).After(b.Snap.Order(&r.Meta))
	})
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
