package stacks

import (
	"cmp"
	"slices"
	"strings"

	"github.com/oomtrace/oomtrace/parse"
)

// tick is a place in the log whose time is known.
type tick struct {
	input, line int
	boot        float64 // the latest so far
}

// joinTraces joins traces with the log of the same boot. Both count seconds
// since boot, so an event of a trace is put behind the last line of the log
// that is not later; the log itself stays in its own order.
func (s *Snapshot) joinTraces() {
	if len(s.Traces) == 0 {
		return
	}
	for _, tr := range s.Traces {
		s.traced[tr.Span.Input] = tr
	}
	s.findTicks()
	if len(s.ticks) > 0 && s.traced[s.ticks[0].input] != nil {
		delete(s.traced, s.ticks[0].input) // a dump inside the log: its lines have their order
	}
	s.dropTwins()
	for _, t := range s.Tasks {
		for _, x := range t.Sightings {
			if x.Source == parse.SourceFtrace {
				x.Order = s.Order(&parse.Meta{Span: x.Span, Stamp: x.Stamp})
			}
		}
	}
	s.Last = Order{}
	for _, t := range s.ticks {
		if o := s.at(t.input, t.line); o.After(s.Last) {
			s.Last = o
		}
	}
	for _, tr := range s.Traces {
		m := tr.Meta
		m.Stamp = m.End
		if o := s.Order(&m); o.After(s.Last) {
			s.Last = o
		}
		for _, k := range tr.Tasks {
			s.movedOn(tr, k)
		}
	}
}

// findTicks lists the timed places of the log with the most of them.
func (s *Snapshot) findTicks() {
	var all []tick
	add := func(m *parse.Meta) {
		if m.Stamp.HasBoot {
			all = append(all, tick{m.Span.Input, m.Span.First, m.Stamp.Boot})
		}
	}
	for _, e := range s.OOMs {
		if !e.Traced {
			add(&e.Meta)
		}
	}
	for _, e := range s.Kills {
		if !e.Traced {
			add(&e.Meta)
		}
	}
	for _, e := range s.Hung {
		add(&e.Meta)
	}
	for _, e := range s.Dumps {
		add(&e.Meta)
	}
	for _, e := range s.Locks {
		add(&e.Meta)
	}
	for _, e := range s.Notes {
		add(&e.Meta)
	}
	for _, t := range s.Tasks {
		for _, x := range t.Sightings {
			if x.Source != parse.SourceFtrace {
				add(&parse.Meta{Span: x.Span, Stamp: x.Stamp})
			}
		}
	}
	for _, e := range s.Reaps {
		if s.traced[e.Span.Input] == nil {
			add(&e.Meta)
		}
	}
	n := map[int]int{}
	for _, t := range all {
		n[t.input]++
	}
	best := -1
	for _, t := range all {
		if best < 0 || n[t.input] > n[best] || n[t.input] == n[best] && t.input < best {
			best = t.input
		}
	}
	all = slices.DeleteFunc(all, func(t tick) bool { return t.input != best })
	slices.SortFunc(all, func(a, b tick) int { return cmp.Or(cmp.Compare(a.line, b.line), cmp.Compare(a.boot, b.boot)) })
	for i := range all {
		if i > 0 {
			all[i].boot = max(all[i].boot, all[i-1].boot)
		}
	}
	s.ticks = all
}

// traceOrder is where an event of a trace file stands in the log.
func (s *Snapshot) traceOrder(m *parse.Meta) (Order, bool) {
	tr := s.traced[m.Span.Input]
	if tr == nil || len(s.ticks) == 0 || !m.Stamp.HasBoot {
		return Order{}, false
	}
	at := m.Stamp.Boot + tr.Offset
	i, _ := slices.BinarySearchFunc(s.ticks, at, func(t tick, at float64) int {
		if t.boot <= at {
			return -1
		}
		return 1
	})
	o := Order{Untimed: s.untimed[s.ticks[0].input], Input: s.ticks[0].input, At: at}
	if i > 0 {
		o.Line = s.ticks[i-1].line
	}
	return o, true
}

// dropTwins removes the OOMs and kills of a trace that the log, or another
// trace, tells of too. A trace whose clock is another one than printk's is
// shifted by what they differ in.
func (s *Snapshot) dropTwins() {
	twin := map[*parse.OOM]bool{}
	for i, o := range s.OOMs {
		if !o.Traced {
			continue
		}
		for j, p := range s.OOMs {
			if p == o || twin[p] || p.Traced && (p.Span.Input == o.Span.Input || j > i) || !sameOOM(o, p) {
				continue
			}
			if !p.Traced && o.Stamp.HasBoot && p.Stamp.HasBoot {
				s.shift(o, p)
			}
			twin[o] = true
			break
		}
	}
	if len(twin) > 0 {
		for _, t := range s.Tasks {
			for _, x := range t.Sightings {
				if x.Report != nil && twin[x.Report] {
					x.Report, x.Over = nil, true
				}
			}
		}
		s.OOMs = slices.DeleteFunc(s.OOMs, func(o *parse.OOM) bool { return twin[o] })
	}
	s.Kills = slices.DeleteFunc(s.Kills, func(k *parse.Kill) bool {
		return k.Traced && (twin[k.Report] || slices.ContainsFunc(s.Kills, func(p *parse.Kill) bool {
			return p != k && !p.Traced && p.Pid == k.Pid && strings.HasPrefix(p.Comm, k.Comm)
		}))
	})
}

// maxShift bounds how far the clock of a trace may be from printk's.
const maxShift = 30

func sameOOM(a, b *parse.OOM) bool {
	if a.HasPid && b.HasPid && a.InvokerPid != b.InvokerPid {
		return false
	}
	if a.Stamp.HasBoot && b.Stamp.HasBoot {
		if d := a.Stamp.Boot - b.Stamp.Boot; d > maxShift || d < -maxShift {
			return false
		}
	}
	va, vb := victims(a), victims(b)
	if len(va) > 0 && len(vb) > 0 {
		return slices.ContainsFunc(va, func(p int) bool { return slices.Contains(vb, p) })
	}
	return a.HasPid && b.HasPid
}

func victims(o *parse.OOM) []int {
	var out []int
	for _, k := range o.Kills {
		out = append(out, k.Pid)
	}
	return out
}

// shift finds the difference of the clocks from one kill that both tell of.
func (s *Snapshot) shift(o, p *parse.OOM) {
	tr := s.traced[o.Span.Input]
	if tr == nil || tr.Offset != 0 {
		return
	}
	d := p.Stamp.Boot - o.Stamp.Boot
	for _, k := range o.Kills {
		for _, q := range p.Kills {
			if k.Pid == q.Pid && q.Stamp.HasBoot {
				d = q.Stamp.Boot - k.Stamp.Boot
			}
		}
	}
	if d > 1 || d < -1 {
		tr.Offset = d
	}
}

// movedOn marks what is no longer so: a trace saw the task run after a dump
// showed it asleep. A task in a charge loop runs all the time.
func (s *Snapshot) movedOn(tr *Trace, k *TraceTask) {
	t := s.byPid[k.Pid]
	if t == nil || !tr.Stamp.HasBoot || !k.HasRan {
		return
	}
	ran := k.Ran + tr.Offset
	for _, x := range t.Sightings {
		if !x.Stamp.HasBoot || x.Trace == nil || s.traced[x.Span.Input] != nil && x.Source != parse.SourceFtrace {
			continue
		}
		if slices.ContainsFunc(x.Trace.Frames, func(f parse.Frame) bool {
			return f.Func == "mem_cgroup_handle_oom" || strings.HasPrefix(f.Func, "__mem_cgroup_try_charge")
		}) {
			continue
		}
		switch {
		case x.Source == parse.SourceFtrace && x.Report != nil:
			x.Over = x.Over || k.Exited != nil || ran > x.Stamp.Boot+tr.Offset+0.01
		case (x.Source == parse.SourceHung || x.Source == parse.SourceSysrq) && x.State != 'R':
			x.Over = x.Over || ran > x.Stamp.Boot+1
		}
	}
}

// Exit is the event of a trace that shows the exit of a thread, nil if none
// does.
func (s *Snapshot) Exit(pid int) *parse.Meta {
	for _, tr := range s.Traces {
		if k := tr.Task(pid); k != nil && k.Exited != nil {
			return k.Exited
		}
	}
	return nil
}
