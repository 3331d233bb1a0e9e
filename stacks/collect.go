package stacks

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/oomtrace/oomtrace/parse"
)

func itoa(n int) string { return strconv.Itoa(n) }

// Collector gathers the events of all inputs. The zero Collector is ready.
// It is not safe for concurrent use; events may come in any order.
type Collector struct {
	events  []parse.Event
	origins map[int]Origin
}

// Origin is what is known of an input besides its text.
type Origin struct {
	Host    string // of the machine it was taken from, "" if unknown
	Release string // its kernel release, "" if unknown
	Follows int    // 1 + the input that this one continues (rotated logs), 0 for none
}

// Origin tells where an input came from. Call it before Snapshots.
func (c *Collector) Origin(input int, o Origin) {
	if c.origins == nil {
		c.origins = map[int]Origin{}
	}
	c.origins[input] = o
}

// first is the oldest part of a rotated log: all parts are one stream.
func (c *Collector) first(input int) int {
	for range len(c.origins) {
		f := c.origins[input].Follows
		if f == 0 {
			break
		}
		input = f - 1
	}
	return input
}

// Add takes one event.
func (c *Collector) Add(e parse.Event) { c.events = append(c.events, e) }

// stream is a run of events of one boot in one input.
type stream struct {
	host   string
	input  int
	events []parse.Event
	timed  bool

	release string // of the machine when the capture was made
}

// Snapshots joins all evidence: events of one host belong together, the last
// boot of one input with the last boot of another. Input without a host name
// joins the only host there is.
func (c *Collector) Snapshots() []*Snapshot {
	slices.SortStableFunc(c.events, func(a, b parse.Event) int {
		x, y := a.Head(), b.Head()
		return cmp.Or(cmp.Compare(x.Span.Input, y.Span.Input), cmp.Compare(seq(x), seq(y)), cmp.Compare(rank(a), rank(b)))
	})
	streams := c.split()
	hosts := hostNames(streams)
	var out []*Snapshot
	for _, h := range hosts {
		out = append(out, joinHost(h, streams, len(hosts) == 1)...)
	}
	return out
}

// rank puts the report before the dump that follows it on the same line.
func rank(e parse.Event) int {
	switch e.(type) {
	case *parse.Boot, *parse.Dump:
		return 0
	case *parse.HungTask, *parse.OOM:
		return 1
	}
	return 2
}

// split cuts each input into streams by host, and those at each boot.
func (c *Collector) split() []*stream {
	type key struct {
		input int
		host  string
	}
	cur := map[key]*stream{}
	var out []*stream
	for _, e := range c.events {
		m := e.Head()
		o := c.origins[m.Span.Input]
		host := m.Host
		if host == "" {
			host, _, _ = strings.Cut(o.Host, ".") // logs have the short name
		}
		k := key{c.first(m.Span.Input), host}
		s := cur[k]
		_, boot := e.(*parse.Boot)
		if s == nil || (boot && len(s.events) > 0) {
			s = &stream{host: host, input: k.input, release: o.Release}
			cur[k] = s
			out = append(out, s)
		}
		s.events = append(s.events, e)
		s.timed = s.timed || m.Stamp.HasBoot || m.Stamp.Wall != ""
	}
	return out
}

func hostNames(streams []*stream) []string {
	var named, all []string
	for _, s := range streams {
		if !slices.Contains(all, s.host) {
			all = append(all, s.host)
			if s.host != "" {
				named = append(named, s.host)
			}
		}
	}
	if len(named) == 1 {
		return named
	}
	return all
}

// joinHost makes the snapshots of one host, oldest boot first.
func joinHost(host string, streams []*stream, only bool) []*Snapshot {
	perInput := map[int][]*stream{}
	var inputs []int
	most := 0
	for _, s := range streams {
		if s.host != host && !only {
			continue
		}
		if len(perInput[s.input]) == 0 {
			inputs = append(inputs, s.input)
		}
		perInput[s.input] = append(perInput[s.input], s)
		most = max(most, len(perInput[s.input]))
	}
	var out []*Snapshot
	for k := most; k > 0; k-- { // k-th boot from the end
		snap := &Snapshot{Host: host, untimed: map[int]bool{}, byPid: map[int]*Task{}, traced: map[int]*Trace{}}
		for _, in := range inputs {
			if list := perInput[in]; k <= len(list) {
				s := list[len(list)-k]
				for _, e := range s.events {
					snap.untimed[e.Head().Span.Input] = !s.timed
					snap.add(e)
				}
				if k == 1 { // uname tells of the boot it was run in
					snap.release(s.release)
				}
			}
		}
		snap.finish()
		out = append(out, snap)
	}
	return out
}

func (s *Snapshot) add(e parse.Event) {
	m := e.Head()
	if o := s.at(m.Span.Input, m.Span.Last); o.After(s.Last) {
		s.Last = o
	}
	switch e := e.(type) {
	case *parse.Boot:
		s.Release, s.Arch = e.Release, e.Arch
	case *parse.Task:
		s.addTask(e)
	case *parse.OOM:
		if !s.seenOOM(e) {
			s.OOMs = append(s.OOMs, e)
			s.addInvoker(e)
		}
		s.release(e.Release)
	case *parse.Kill:
		if !s.seenKill(e) {
			s.Kills = append(s.Kills, e)
			if e.Traced {
				s.task(e.Pid, true, "").setComm(e.Comm)
			}
		}
	case *parse.Reap:
		s.Reaps = append(s.Reaps, e)
	case *parse.HungTask:
		s.Hung = append(s.Hung, e)
		t := s.task(e.Pid, true, "")
		t.setComm(e.Comm)
		if t.HungReports == 0 {
			t.FirstHung = s.Order(&e.Meta)
		}
		t.HungReports++
		t.BlockedS = max(t.BlockedS, e.Seconds)
		s.release(e.Release)
	case *parse.Blocker:
		s.Blockers = append(s.Blockers, e)
		s.task(e.Pid, true, "").setComm(e.Comm)
		if e.Found {
			s.task(e.OwnerPid, true, "").setComm(e.OwnerComm)
		}
	case *parse.Locks:
		s.Locks = append(s.Locks, e)
	case *parse.Lockdep:
		s.Lockdep = append(s.Lockdep, e)
	case *parse.Dump:
		s.Dumps = append(s.Dumps, e)
	case *parse.Note:
		s.Notes = append(s.Notes, e)
	case *parse.Cgroup:
		s.Cgroups = append(s.Cgroups, e)
	case *Trace:
		s.Traces = append(s.Traces, e)
	}
}

func (s *Snapshot) release(r string) {
	if s.Release == "" {
		s.Release = r
	}
}

// seenOOM and seenKill find the same record in another capture of the same
// ring buffer (a dmesg and a journal of one boot, say).
func (s *Snapshot) seenOOM(e *parse.OOM) bool {
	return slices.ContainsFunc(s.OOMs, func(o *parse.OOM) bool {
		return sameRecord(&o.Meta, &e.Meta) && o.InvokerComm == e.InvokerComm && o.InvokerPid == e.InvokerPid
	})
}

func (s *Snapshot) seenKill(e *parse.Kill) bool {
	return slices.ContainsFunc(s.Kills, func(o *parse.Kill) bool {
		return sameRecord(&o.Meta, &e.Meta) && o.Pid == e.Pid
	})
}

func sameRecord(a, b *parse.Meta) bool {
	return a.Span.Input != b.Span.Input && a.Stamp.HasBoot && b.Stamp.HasBoot && a.Stamp.Boot == b.Stamp.Boot
}

// task finds or makes a task. A stack without pid is always a new one.
func (s *Snapshot) task(pid int, hasPid bool, label string) *Task {
	if hasPid {
		if t := s.byPid[pid]; t != nil {
			return t
		}
	}
	t := &Task{Pid: pid, HasPid: hasPid, Label: label}
	if hasPid {
		t.ID = "task:" + itoa(pid)
		s.byPid[pid] = t
	} else {
		t.ID = "task:#" + itoa(1+s.unnamed())
	}
	s.Tasks = append(s.Tasks, t)
	return t
}

func (s *Snapshot) unnamed() int {
	n := 0
	for _, t := range s.Tasks {
		if !t.HasPid {
			n++
		}
	}
	return n
}

func (t *Task) setComm(c string) {
	if c != "" {
		t.Comm = c
	}
}

func (s *Snapshot) addTask(e *parse.Task) {
	s.release(e.Release)
	t := s.task(e.Pid, e.HasPid, e.Label)
	if e.Source != parse.SourceFtrace || t.Comm == "" { // a trace may cut it
		t.setComm(e.Comm)
	}
	if e.Tgid != 0 {
		t.Tgid = e.Tgid
	}
	if e.HasPpid {
		t.Ppid, t.HasPpid = e.Ppid, true
	}
	if e.Memcg != "" {
		t.Memcg = e.Memcg
	}
	state := e.State
	if e.Running || e.Source == parse.SourceNMI {
		state = 'R'
	}
	t.Sightings = append(t.Sightings, &Sighting{
		Order: s.Order(&e.Meta), Span: e.Span, Stamp: e.Stamp, Source: e.Source, State: state,
		Running: state == 'R', Clean: !e.Damaged && (e.Trace == nil || !e.Trace.Mixed),
		Dump: e.Dump, Work: e.Workqueue, Trace: e.Trace, Hung: e.Source == parse.SourceHung, Over: e.Over,
	})
}

// addInvoker records the OOM report's own call trace as a sighting of the
// invoker: on kernels before 3.12 often the only sight of the lock's owner,
// because khungtaskd skips TASK_KILLABLE sleepers and running tasks.
func (s *Snapshot) addInvoker(e *parse.OOM) {
	t := s.task(e.InvokerPid, e.HasPid, "")
	t.setComm(e.InvokerComm)
	if e.Trace == nil {
		return
	}
	src := parse.SourceOOM
	if e.Traced {
		src = parse.SourceFtrace
	}
	t.Sightings = append(t.Sightings, &Sighting{
		Order: s.Order(&e.Meta), Span: e.Span, Stamp: e.Stamp, Source: src, State: 'R', Running: true,
		Clean: !e.Trace.Mixed, Trace: e.Trace, Report: e,
	})
}

func (s *Snapshot) finish() {
	s.joinTraces()
	for _, o := range s.OOMs {
		for _, c := range o.Candidates {
			if t := s.byPid[c.Pid]; t != nil && t.Tgid == 0 {
				t.Tgid = c.Tgid
			}
		}
	}
	slices.SortStableFunc(s.Kills, func(a, b *parse.Kill) int { return s.Order(&a.Meta).Compare(s.Order(&b.Meta)) })
	for _, t := range s.Tasks {
		slices.SortStableFunc(t.Sightings, func(a, b *Sighting) int { return a.Order.Compare(b.Order) })
		s.markEnds(t)
	}
}

// markEnds looks for whole dumps after the task's last sighting that lack it.
// Only they are evidence of absence: hung-task reports leave out killable
// sleepers, and a dump with dropped lines may have lost the task.
func (s *Snapshot) markEnds(t *Task) {
	if len(t.Sightings) == 0 || !t.HasPid {
		return
	}
	last := t.Sightings[len(t.Sightings)-1]
	for _, d := range s.Dumps {
		if !d.Complete || d.ID == last.Dump || !s.Order(&d.Meta).After(last.Order) {
			continue
		}
		if t.FirstHung.After(s.Order(&d.Meta)) {
			continue
		}
		switch {
		case d.Action == 't' && t.Gone == nil:
			t.Gone = d
		case d.Action == 'w' && t.Unblocked == nil:
			t.Unblocked = d
		}
	}
}
