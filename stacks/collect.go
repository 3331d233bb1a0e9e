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
// Events may come in any order. Those of different inputs may be added at the
// same time, once Origin was called for each.
type Collector struct {
	// FoldAbove is how many OOM reports of a boot are kept before those that are
	// alike are folded (see Folded), 256 if it is 0. It is set before all else.
	FoldAbove int

	feeds []*feed // by input
}

// Origin is what is known of an input besides its text.
type Origin struct {
	Host    string // of the machine it was taken from, "" if unknown
	Release string // its kernel release, "" if unknown
	Follows int    // 1 + the input that this one continues (rotated logs), 0 for none
}

// feed is what came from one input.
type feed struct {
	origin   Origin
	events   []parse.Event
	unsorted bool
	stacks   interner
	ooms     reportStore

	// Of what can come without end in one boot.
	notes map[string]int            // by kind
	hosts map[string]bool           // that an event is kept of
	hung  map[hostPid]*hungSequence // hung-task reports that say the same again
	said  [2]map[hostPid]*lastWord  // of a task's locks, and of their owner: only the latest counts
}

// lastWord is where the latest event of some about one task stands.
type lastWord struct{ n, at int }

// maxNotes bounds the notes of one kind in one boot: each says what the first
// ones say.
const maxNotes = 4096

// Origin tells where an input came from. Call it before Snapshots.
func (c *Collector) Origin(input int, o Origin) { c.feed(input).origin = o }

func (c *Collector) feed(input int) *feed {
	for len(c.feeds) <= input {
		c.feeds = append(c.feeds, &feed{ooms: reportStore{limits: limitsOf(c.FoldAbove)}})
	}
	return c.feeds[input]
}

// first is the oldest part of a rotated log: all parts are one stream.
func (c *Collector) first(input int) int {
	for range len(c.feeds) {
		f := c.feeds[input].origin.Follows
		if f == 0 {
			break
		}
		input = f - 1
	}
	return input
}

// Add takes one event. The event is the Collector's from now on: traces that
// are equal share their frames.
func (c *Collector) Add(e parse.Event) { c.feed(e.Head().Span.Input).add(e) }

func (f *feed) add(e parse.Event) {
	switch e := e.(type) {
	case *parse.Task:
		f.stacks.share(e.Trace)
	case *parse.OOM:
		f.stacks.share(e.Trace)
	}
	for _, e := range f.ooms.take(e, &f.stacks) {
		if f.bears(e) && !f.repeats(e) {
			f.keep(e)
		}
	}
}

func (f *feed) keep(e parse.Event) {
	if n := len(f.events); n > 0 && compareEvents(f.events[n-1], e) > 0 {
		f.unsorted = true
	}
	f.events = append(f.events, e)
	f.hosts[e.Head().Host] = true
}

// bears reports whether an event can bear on a snapshot. One of each host is
// kept whatever it is: it tells that the host and its boot are there.
func (f *feed) bears(e parse.Event) bool {
	if f.hosts == nil {
		f.hosts, f.notes = map[string]bool{}, map[string]int{}
	}
	switch e := e.(type) {
	case *parse.Boot:
		clear(f.notes)
		clear(f.hosts)
		f.settle()
	case *parse.Note:
		f.notes[e.Kind]++
		return f.notes[e.Kind] <= maxNotes
	case *parse.Stall, *parse.Sysrq:
		return !f.hosts[e.Head().Host]
	}
	return true
}

// hungSequence are the hung-task reports of one task that say the same: as many
// as maxHung are kept, and the last one.
type hungSequence struct {
	stack *Stack
	state byte
	n     int
	more  int // reports dropped
	seen  int // dumps dropped
	// The last report and dump, which the next ones replace.
	report *parse.HungTask
	dump   *parse.Task
}

// maxHung is more reports than khungtaskd prints by default
// (sysctl_hung_task_warnings is 10).
const maxHung = 16

// repeats takes hung-task reports beyond maxHung that show a task as the last
// one did: with hung_task_warnings=-1 each stuck task gives one every two
// minutes.
func (f *feed) repeats(e parse.Event) bool {
	switch e := e.(type) {
	case *parse.HungTask:
		q := f.hung[hostPid{e.Host, e.Pid}]
		if q == nil || q.n < maxHung {
			return false
		}
		if q.report != nil {
			e.Seconds = max(e.Seconds, q.report.Seconds)
			q.more++
		}
		q.report = e
		return true
	case *parse.Locks:
		return f.replaces(0, hostPid{e.Host, e.Pid}, e)
	case *parse.Blocker:
		return f.replaces(1, hostPid{e.Host, e.Pid}, e)
	case *parse.Task:
		if e.Source != parse.SourceHung || !e.HasPid {
			return false
		}
		k := hostPid{e.Host, e.Pid}
		q := f.hung[k]
		if q == nil {
			if f.hung == nil {
				f.hung = map[hostPid]*hungSequence{}
			}
			q = &hungSequence{}
			f.hung[k] = q
		}
		if s := f.stacks.stack(e.Trace); s != q.stack || e.State != q.state || e.Damaged {
			f.flush(q)
			q.stack, q.state, q.n = s, e.State, 0
		}
		if q.n++; q.n <= maxHung {
			return false
		}
		if q.dump != nil {
			q.seen++
		}
		q.dump = e
		return true
	}
	return false
}

// replaces puts an event in the place of the one before of its kind and task,
// once there were maxHung.
func (f *feed) replaces(kind int, k hostPid, e parse.Event) bool {
	if f.said[kind] == nil {
		f.said[kind] = map[hostPid]*lastWord{}
	}
	w := f.said[kind][k]
	if w == nil {
		w = &lastWord{}
		f.said[kind][k] = w
	}
	if w.n++; w.n <= maxHung {
		w.at = len(f.events)
		return false
	}
	f.events[w.at] = e
	f.unsorted = true
	return true
}

// flush keeps the last report of a sequence.
func (f *feed) flush(q *hungSequence) {
	if q.report != nil {
		f.keep(&repeatedHung{q.report, q.more, q.seen})
	}
	if q.dump != nil {
		f.keep(q.dump)
	}
	q.report, q.dump, q.more, q.seen = nil, nil, 0, 0
}

// settle flushes all sequences.
func (f *feed) settle() {
	for _, q := range f.hung {
		f.flush(q)
	}
	f.hung, f.said = nil, [2]map[hostPid]*lastWord{}
}

// repeatedHung is the last of some hung-task reports that say the same.
type repeatedHung struct {
	*parse.HungTask
	more int // of them dropped before it
	seen int // of their dumps
}

// compareEvents compares two events of one input.
func compareEvents(a, b parse.Event) int {
	return cmp.Or(cmp.Compare(seq(a.Head()), seq(b.Head())), cmp.Compare(rank(a), rank(b)))
}

// stream is a run of events of one boot in one input.
type stream struct {
	host   string
	input  int
	events []parse.Event
	timed  bool

	reports []pick // its OOM reports, which are in no event yet

	release string // of the machine when the capture was made
}

// Snapshots joins all evidence: events of one host belong together, the last
// boot of one input with the last boot of another. Input without a host name
// joins the only host there is. It empties the Collector.
func (c *Collector) Snapshots() []*Snapshot {
	for _, f := range c.feeds {
		f.settle()
		if f.unsorted {
			slices.SortStableFunc(f.events, compareEvents)
			f.unsorted = false
		}
	}
	streams := c.split()
	hosts := hostNames(streams)
	of := map[string][]*stream{}
	for _, s := range streams {
		if len(hosts) == 1 {
			s.host = hosts[0]
		}
		of[s.host] = append(of[s.host], s)
	}
	var out []*Snapshot
	for _, h := range hosts {
		out = append(out, c.joinHost(h, of[h])...)
	}
	for _, f := range c.feeds {
		f.events, f.ooms = nil, reportStore{}
	}
	return out
}

// rank puts the report before the dump that follows it on the same line.
func rank(e parse.Event) int {
	switch e.(type) {
	case *parse.Boot, *parse.Dump:
		return 0
	case *parse.HungTask, *repeatedHung, *parse.OOM, *firstSight:
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
	for input, f := range c.feeds {
		first := c.first(input)
		short, _, _ := strings.Cut(f.origin.Host, ".") // logs have the short name
		at := func(host string, boot bool) *stream {
			k := key{first, host}
			if k.host == "" {
				k.host = short
			}
			s := cur[k]
			if s == nil || boot && len(s.events)+len(s.reports) > 0 {
				s = &stream{host: k.host, input: k.input, release: f.origin.Release}
				cur[k] = s
				out = append(out, s)
			}
			return s
		}
		reports := f.ooms.order()
		packed := func(n int32) {
			r := f.ooms.reports.at(int(n))
			s := at(f.ooms.heads.list[r.head].host, false)
			s.reports = append(s.reports, pick{int32(input), n})
			s.timed = s.timed || r.flags&hasBoot != 0 || r.wall != 0
		}
		for _, e := range f.events {
			m := e.Head()
			for len(reports) > 0 && f.ooms.before(int(reports[0]), e) {
				packed(reports[0])
				reports = reports[1:]
			}
			_, boot := e.(*parse.Boot)
			s := at(m.Host, boot)
			s.events = append(s.events, e)
			s.timed = s.timed || m.Stamp.HasBoot || m.Stamp.Wall != ""
		}
		for _, n := range reports {
			packed(n)
		}
	}
	return out
}

func hostNames(streams []*stream) []string {
	var named, all []string
	seen := map[string]bool{}
	for _, s := range streams {
		if !seen[s.host] {
			seen[s.host] = true
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
func (c *Collector) joinHost(host string, streams []*stream) []*Snapshot {
	perInput := map[int][]*stream{}
	var inputs []int
	most := 0
	for _, s := range streams {
		if len(perInput[s.input]) == 0 {
			inputs = append(inputs, s.input)
		}
		perInput[s.input] = append(perInput[s.input], s)
		most = max(most, len(perInput[s.input]))
	}
	var out []*Snapshot
	for k := most; k > 0; k-- { // k-th boot from the end
		snap := &Snapshot{Host: host, feeds: c.feeds, untimed: map[int]bool{}, byPid: map[int]*Task{}, traced: map[int]*Trace{},
			seenOOM: map[record]int{}, seenKill: map[record]int{},
			reaps: map[int][]*parse.Reap{}, hung: map[int][]*parse.HungTask{}, tgids: map[int][]*Task{}, dumps: map[dumpKey]*parse.Dump{}, reports: map[*parse.OOM]*Sighting{}}
		var boot []*stream
		for _, in := range inputs {
			if list := perInput[in]; k <= len(list) {
				boot = append(boot, list[len(list)-k])
			}
		}
		var reports [][]parse.Event
		reports, snap.Folded, snap.killed = c.choose(boot)
		for i, s := range boot {
			events := s.events
			if len(reports[i]) > 0 {
				events = append(reports[i], events...)
				slices.SortStableFunc(events, func(a, b parse.Event) int {
					return cmp.Or(cmp.Compare(a.Head().Span.Input, b.Head().Span.Input), compareEvents(a, b))
				})
			}
			for _, e := range events {
				snap.untimed[e.Head().Span.Input] = !s.timed
				snap.add(e)
			}
			if k == 1 { // uname tells of the boot it was run in
				snap.release(s.release)
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
		if !seen(s.seenOOM, &e.Meta, e.InvokerPid, e.InvokerComm) {
			s.OOMs = append(s.OOMs, e)
			s.addInvoker(e)
		}
		s.release(e.Release)
	case *parse.Kill:
		if !seen(s.seenKill, &e.Meta, e.Pid, "") {
			s.Kills = append(s.Kills, e)
			if e.Traced {
				s.task(e.Pid, true, "").setComm(e.Comm)
			}
		}
	case *parse.Reap:
		s.Reaps = append(s.Reaps, e)
		s.reaps[e.Pid] = append(s.reaps[e.Pid], e)
	case *parse.HungTask:
		s.addHung(e, 0, 0)
	case *repeatedHung:
		s.addHung(e.HungTask, e.more, e.seen)
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
		s.dumps[dumpKey{e.Span.Input, e.ID}] = e
	case *parse.Note:
		s.Notes = append(s.Notes, e)
	case *parse.Cgroup:
		s.Cgroups = append(s.Cgroups, e)
	case *Trace:
		s.Traces = append(s.Traces, e)
	case *firstSight:
		s.task(e.pid, true, "").setComm(e.comm)
	}
}

// addHung adds a report that stands for some more, and their dumps.
func (s *Snapshot) addHung(e *parse.HungTask, more, dumps int) {
	s.Hung = append(s.Hung, e)
	s.hung[e.Pid] = append(s.hung[e.Pid], e)
	t := s.task(e.Pid, true, "")
	t.setComm(e.Comm)
	if t.HungReports == 0 {
		t.FirstHung = s.Order(&e.Meta)
	}
	t.HungReports += 1 + more
	t.Repeated += dumps
	t.BlockedS = max(t.BlockedS, e.Seconds)
	s.release(e.Release)
}

func (s *Snapshot) release(r string) {
	if s.Release == "" {
		s.Release = r
	}
}

// record tells one OOM report, or one kill, of a boot from the others.
type record struct {
	boot float64
	pid  int
	comm string
}

// seen finds the same record in another capture of the same ring buffer (a
// dmesg and a journal of one boot, say). in has the input that told of it first.
func seen(in map[record]int, m *parse.Meta, pid int, comm string) bool {
	if !m.Stamp.HasBoot {
		return false
	}
	k := record{m.Stamp.Boot, pid, comm}
	first, ok := in[k]
	if !ok {
		in[k] = m.Span.Input
	}
	return ok && first != m.Span.Input
}

// task finds or makes a task. A stack without pid is always a new one.
func (s *Snapshot) task(pid int, hasPid bool, label string) *Task {
	if hasPid {
		if t := s.byPid[pid]; t != nil {
			return t
		}
	}
	t := &Task{Index: len(s.Tasks), Pid: pid, HasPid: hasPid, Label: label}
	if hasPid {
		t.ID = "task:" + itoa(pid)
		s.byPid[pid] = t
	} else {
		s.unnamed++
		t.ID = "task:#" + itoa(s.unnamed)
	}
	s.Tasks = append(s.Tasks, t)
	return t
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
		Order: s.Order(&e.Meta), Span: e.Span, Stamp: e.Stamp, Text: e.Text, Source: e.Source, State: state,
		Running: state == 'R', Clean: !e.Damaged && (e.Trace == nil || !e.Trace.Mixed),
		Dump: e.Dump, Work: e.Workqueue, Trace: e.Trace, Stack: s.stack(e.Span.Input, e.Trace), Hung: e.Source == parse.SourceHung, Over: e.Over,
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
	x := &Sighting{
		Order: s.Order(&e.Meta), Span: e.Span, Stamp: e.Stamp, Source: src, State: 'R', Running: true,
		Clean: !e.Trace.Mixed, Trace: e.Trace, Stack: s.stack(e.Span.Input, e.Trace), Report: e,
	}
	t.Sightings = append(t.Sightings, x)
	s.reports[e] = x
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
	var whole []*parse.Dump
	for _, d := range s.Dumps {
		if d.Complete {
			whole = append(whole, d)
		}
	}
	byOrder := func(a, b *Sighting) int { return a.Order.Compare(b.Order) }
	slices.SortStableFunc(whole, func(a, b *parse.Dump) int { return s.Order(&a.Meta).Compare(s.Order(&b.Meta)) })
	for _, t := range s.Tasks {
		if t.HasPid && t.Tgid != 0 {
			s.tgids[t.Tgid] = append(s.tgids[t.Tgid], t)
		}
		slices.SortStableFunc(t.Sightings, byOrder)
		s.markEnds(t, whole)
	}
}

// markEnds looks for whole dumps after the task's last sighting that lack it.
// Only they are evidence of absence: hung-task reports leave out killable
// sleepers, and a dump with dropped lines may have lost the task.
func (s *Snapshot) markEnds(t *Task, whole []*parse.Dump) {
	if len(t.Sightings) == 0 || !t.HasPid {
		return
	}
	last := t.Sightings[len(t.Sightings)-1]
	from, _ := slices.BinarySearchFunc(whole, last.Order, func(d *parse.Dump, o Order) int {
		if s.Order(&d.Meta).After(o) {
			return 1
		}
		return -1
	})
	for _, d := range whole[from:] {
		if d.ID == last.Dump || t.FirstHung.After(s.Order(&d.Meta)) {
			continue
		}
		switch {
		case d.Action == 't' && t.Gone == nil:
			t.Gone = d
		case d.Action == 'w' && t.Unblocked == nil:
			t.Unblocked = d
		}
		if t.Gone != nil && t.Unblocked != nil {
			break
		}
	}
}
