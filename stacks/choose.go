package stacks

import (
	"slices"

	"github.com/oomtrace/oomtrace/parse"
)

// limits are how much of a boot's OOM reports is shown.
type limits struct {
	above int // reports of a boot that shows all of them
	whole int // reports of an input that are never packed

	// Of a group that is folded stay, besides what choose finds worth it:
	first  int // the first reports
	last   int // the last ones
	open   int // the first and as many last ones whose victims are not known to have ended
	stacks int // the first with each call trace, up to so many
	alive  int // the last report of each invoker that may still be in its charge, up to so many

	// Groups that are alike are folded where there are more than groups.
	groups      int
	firstGroups int // that stay
	lastGroups  int
}

// defaultFoldAbove is how many OOM reports of a boot are shown before any are
// folded.
const defaultFoldAbove = 256

// alikeReports is how many kinds of reports a group has at most that can be alike
// to another: one with more is a story of its own.
const alikeReports = 4

// StormKills within StormSeconds is what no group does that merely lost one
// large task: each kill was followed by the next one.
const (
	StormKills   = 5
	StormSeconds = 600
)

// Storm reports whether some StormKills consecutive times lie within
// StormSeconds.
func Storm(times []float64) bool {
	for i := StormKills - 1; i < len(times); i++ {
		if d := times[i] - times[i-StormKills+1]; d >= 0 && d <= StormSeconds {
			return true
		}
	}
	return false
}

func limitsOf(above int) limits {
	if above == 0 {
		above = defaultFoldAbove
	}
	part := func(n int) int { return max(1, above/n) }
	return limits{above: above, whole: 16 * above, first: part(16), last: min(lastWhole, part(64)), open: part(4), stacks: 64, alive: 64, groups: 2 * above, firstGroups: above, lastGroups: part(4)}
}

// Folded stands for OOM reports of one boot that are alike and of whose tasks
// nothing else is seen. They are counted instead of kept.
//
// A report is folded only if what the log says of it cannot matter to any
// verdict:
//   - no other record mentions its invoker, a victim or a thread of theirs: no
//     hung-task report, dump, lock list, capture, trace or complaint of the
//     reaper. Another OOM report that one of that number invokes later is no
//     mention: a task that was killed invokes none (its charges pass, see
//     fatal_signal_pending() in them, 2.6.34..7.1), so it is another task;
//   - each victim is known to have ended: the oom_reaper freed its memory, or the
//     OOM killer chose another victim in the group later, which it does only once
//     the last one is gone (select_bad_process, 2.6.34..7.1); of more than
//     128 whose end is not known those in between are folded as unknown;
//   - its invoker cannot still be in the charge: the last whole task table of
//     the group does not list it, or it invoked a later report;
//   - it is none of the group's first, last or worst reports (retain says what
//     worst is), nor the first with its call trace.
//
// The times, lines and victims of the others are known as long as the log is
// read, and a line that mentions one of them brings its report back, without
// sizes, statistics and rows of the task table (their numbers are -1).
type Folded struct {
	Of      parse.Event // the first report that is kept of the group, or the first kill where it has no report
	Reports int
	Kills   int // lines

	// What became of the victims; NoKillable are reports that found none.
	Reaped, Exited, Unknown, NoKillable int
	Weak                                int // of Exited, those that only a sysrq-w lacks

	// Incidents is 0 where the reports are of the same group as Of. Else they
	// are of so many groups of their own, each alike the one of Of.
	Incidents int

	First, Last parse.Meta // of the first and last report
	Moments     []Moment   // of the reports that killed, in order; only with a stamp, and not of alike groups
}

// Moment is when a report began.
type Moment struct {
	Line int
	Boot float64 // seconds since boot
}

// pick is one report of an input.
type pick struct{ input, n int32 }

// oomSet are the OOM reports of one group, or one of unknown group.
type oomSet struct {
	scope, memcg string
	picks        []int32 // of chooser.picks
	need         bool    // one of them must be kept
}

// chooser decides which OOM reports of a boot are kept.
type chooser struct {
	limits
	feeds []*feed
	picks []pick // of all inputs, in order
	keep  []bool
	sets  []*oomSet
	of    []int32 // the set of each pick, -1 for none

	parent []int32 // 1 + the report that a kill without one belongs to, 0 for none
	like   []int32 // 1 + the set that a set is folded into, 0 for none; nil if no set is

	// So many reports stand in front of the last whole sysrq-t and sysrq-w.
	dumpT, dumpW int

	mentioned map[int]bool // pids of which other records tell
	waiting   map[int]bool // those of them that are seen in memory cgroup code
}

// choose returns what becomes of the OOM reports of a boot, by stream: the
// events of those that are kept, what the others come to, and whom they killed
// of the invokers of the former.
func (c *Collector) choose(streams []*stream) (kept [][]parse.Event, folded []*Folded, killed map[int]bool) {
	kept = make([][]parse.Event, len(streams))
	n := 0
	for _, s := range streams {
		n += len(s.reports)
	}
	ch := &chooser{limits: limitsOf(c.FoldAbove), feeds: c.feeds, picks: make([]pick, 0, n), keep: make([]bool, n)}
	of := make([]int32, 0, n) // the stream of each pick
	order := make([]int, len(streams))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { // as Order
		switch x, y := streams[a].timed, streams[b].timed; {
		case x == y:
			return 0
		case x:
			return -1
		}
		return 1
	})
	for _, i := range order {
		from := len(ch.picks)
		ch.picks = append(ch.picks, streams[i].reports...)
		for range streams[i].reports {
			of = append(of, int32(i))
		}
		for _, e := range streams[i].events {
			if d, ok := e.(*parse.Dump); ok && d.Complete {
				n := from + ch.inFront(ch.picks[from:], d)
				if d.Action == 't' {
					ch.dumpT = max(ch.dumpT, n)
				} else {
					ch.dumpW = max(ch.dumpW, n)
				}
			}
		}
	}
	if len(ch.picks) <= ch.above {
		for i := range ch.keep {
			ch.keep[i] = true
		}
	} else {
		ch.run(streams)
	}
	made := map[int]parse.Event{} // the first event of each report that is kept
	for i, p := range ch.picks {
		if !ch.keep[i] {
			continue
		}
		f := c.feeds[p.input]
		events := f.ooms.events(int(p.input), int(p.n), &f.stacks)
		made[i] = events[0]
		kept[of[i]] = append(kept[of[i]], events...)
	}
	if len(ch.picks) <= ch.above {
		return kept, nil, nil
	}
	invokers := map[int32]bool{}
	for i := range ch.picks {
		if _, r := ch.report(i); ch.keep[i] && r.invoker >= 0 {
			invokers[r.invoker] = true
		}
	}
	killed = map[int]bool{}
	seen := map[int32]bool{}
	for i, p := range ch.picks {
		s, r := ch.report(i)
		for j := range int(r.kills) {
			if pid := s.kills.at(int(r.kill) + j).pid; !ch.keep[i] && invokers[pid] {
				killed[int(pid)] = true
			}
		}
		if invokers[r.invoker] && !seen[r.invoker] {
			seen[r.invoker] = true
			if !ch.keep[i] {
				kept[of[i]] = append(kept[of[i]], &firstSight{parse.Meta{Span: parse.Span{Input: int(p.input), First: int(r.first)}}, int(r.invoker), s.heads.list[r.head].comm})
			}
		}
	}
	return kept, ch.fold(made), killed
}

// firstSight stands for the first report that a task invoked, where that one is
// folded and a later one is not: tasks are in the order of the log.
type firstSight struct {
	parse.Meta
	pid  int
	comm string
}

// inFront counts the reports of a stream that stand in front of an event.
func (ch *chooser) inFront(picks []pick, e parse.Event) int {
	n, _ := slices.BinarySearchFunc(picks, e, func(p pick, e parse.Event) int {
		if in := e.Head().Span.Input; int(p.input) != in {
			return int(p.input) - in
		}
		if ch.feeds[p.input].ooms.before(int(p.n), e) {
			return -1
		}
		return 1
	})
	return n
}

func (ch *chooser) report(i int) (*reportStore, *oomReport) {
	p := ch.picks[i]
	s := &ch.feeds[p.input].ooms
	return s, s.reports.at(int(p.n))
}

// run decides.
func (ch *chooser) run(streams []*stream) {
	ch.mention(streams)
	ch.group()
	for _, set := range ch.sets {
		ch.choose(set)
	}
	if len(ch.sets) > ch.groups {
		ch.alike()
	}
	ch.victims()
	for i, p := range ch.parent {
		if ch.keep[i] && p > 0 {
			ch.keep[p-1] = true
		}
	}
	for at := range ch.like { // these brought some back
		if slices.ContainsFunc(ch.sets[at].picks, func(i int32) bool { return ch.keep[i] }) {
			ch.like[at] = 0
		}
	}
}

// victims keeps the last reports that a victim of a kept one invoked: they may
// be the only stacks of it.
func (ch *chooser) victims() {
	of := map[int32]bool{}
	for i := range ch.picks {
		s, r := ch.report(i)
		for j := range int(r.kills) {
			if ch.keep[i] {
				of[s.kills.at(int(r.kill)+j).pid] = true
			}
		}
	}
	seen := map[int32]bool{}
	for i := range slices.Backward(ch.picks) {
		s, r := ch.report(i)
		if r.invoker < 0 || !of[r.invoker] || ch.of[i] < 0 {
			continue
		}
		clean := !s.heads.list[r.head].mixed
		if clean || !seen[r.invoker] {
			ch.keep[i], seen[r.invoker] = true, true
		}
		if clean { // see Task.Present
			delete(of, r.invoker)
		}
	}
}

// mention gathers the pids that other records tell of.
func (ch *chooser) mention(streams []*stream) {
	ch.mentioned, ch.waiting = map[int]bool{}, map[int]bool{}
	add := func(pids ...int) {
		for _, p := range pids {
			ch.mentioned[p] = true
		}
	}
	for _, s := range streams {
		for _, e := range s.events {
			switch e := e.(type) {
			case *parse.Task:
				if e.HasPid {
					add(e.Pid)
					if st := ch.feeds[e.Span.Input].stacks.stack(e.Trace); st != nil && st.memcg {
						ch.waiting[e.Pid] = true
					}
				}
				if e.Tgid != 0 {
					add(e.Tgid)
				}
			case *parse.HungTask:
				add(e.Pid)
			case *parse.Blocker:
				add(e.Pid)
				if e.Found {
					add(e.OwnerPid)
				}
			case *parse.Locks:
				add(e.Pid)
			case *parse.Lockdep:
				add(e.Pid)
				for i := range e.Entries {
					add(e.Entries[i].Pid)
				}
			case *parse.Reap:
				add(e.Pid)
			case *parse.Kill:
				add(e.Pid)
			case *parse.OOM:
				add(e.InvokerPid)
				for _, k := range e.Kills {
					add(k.Pid)
				}
			case *Trace:
				for _, t := range e.Tasks {
					add(t.Pid)
				}
			}
		}
	}
	delete(ch.mentioned, 0)
	if len(ch.mentioned) == 0 {
		return
	}
	for i := range ch.picks { // a thread that is seen tells of its process
		if s, r := ch.report(i); r.flags&threadRows != 0 {
			s.rows(r, func(pid, tgid int) {
				if pid != tgid && ch.mentioned[pid] {
					ch.mentioned[tgid] = true
				}
			})
		}
	}
}

// group puts the reports to their groups, as waitgraph makes episodes of them,
// and drops those that another capture of the same log has too.
func (ch *chooser) group() {
	ch.of = make([]int32, len(ch.picks))
	ch.parent = make([]int32, len(ch.picks))
	byKey := map[[2]string]int32{}
	lastMemcg, lastOther := -1, -1
	put := func(i int, scope, memcg string) {
		named := scope != "" && (scope != "memcg" || memcg != "")
		at, ok := byKey[[2]string{scope, memcg}]
		if !named || !ok {
			at = int32(len(ch.sets))
			ch.sets = append(ch.sets, &oomSet{scope: scope, memcg: memcg})
			if named {
				byKey[[2]string{scope, memcg}] = at
			}
		}
		ch.of[i] = at
		ch.sets[at].picks = append(ch.sets[at].picks, int32(i))
	}
	var seen map[record]int32
	if slices.ContainsFunc(ch.picks, func(p pick) bool { return p.input != ch.picks[0].input }) {
		seen = map[record]int32{}
	}
	for i, p := range ch.picks {
		s, r := ch.report(i)
		if seen != nil && r.flags&hasBoot != 0 {
			k := record{float64(r.boot), int(r.invoker), s.heads.list[r.head].comm}
			if r.flags&noReport != 0 {
				k = record{float64(r.boot), int(s.kills.at(int(r.kill)).pid), "\x00"}
			}
			first, ok := seen[k]
			if !ok {
				seen[k] = p.input
			} else if first != p.input {
				ch.of[i] = -1
				continue
			}
		}
		g := s.groups.list[r.group]
		if r.flags&noReport == 0 {
			put(i, g.scope, g.memcg)
			if g.scope == "memcg" || g.scope == "" {
				lastMemcg = i
			}
			if g.scope != "memcg" {
				lastOther = i
			}
			continue
		}
		before := lastOther
		if g.scope == "memcg" {
			before = lastMemcg
		}
		if before < 0 {
			put(i, "", "")
			continue
		}
		ch.parent[i] = int32(before) + 1
		ch.of[i] = ch.of[before]
		ch.sets[ch.of[i]].picks = append(ch.sets[ch.of[i]].picks, int32(i))
	}
}

// fate is what became of a victim as far as the OOM records alone tell.
type fate uint8

const (
	fateUnknown fate = iota
	fateReaped
	fateExited // the OOM killer chose another one in the group later, or a table or dump of all tasks lacks it
	fateWeak   // a dump of the blocked tasks lacks it
	fateAgain  // the same pid is killed again later
)

// fates tells of each kill of a set, the last one first. It goes by what
// waitgraph goes by: see leftBy there.
func (ch *chooser) fates(set *oomSet, tell func(i int, k *oomKill, f fate)) {
	table, listed := ch.lastTable(set)
	var later [2]int32 // two pids that later reports killed
	n := 0
	for _, i := range slices.Backward(set.picks) {
		s, r := ch.report(int(i))
		for j := range int(r.kills) {
			k := s.kills.at(int(r.kill) + j)
			f := fateUnknown
			switch {
			case n == 1 && later[0] == k.pid:
				f = fateAgain
			case k.reaped != 0:
				f = fateReaped
			case i < table && !listed[int(k.pid)], int(i) < ch.dumpT:
				f = fateExited
			case int(i) < ch.dumpW:
				f = fateWeak
			case n > 0:
				f = fateExited
			}
			tell(int(i), k, f)
		}
		for j := range int(r.kills) {
			if k := s.kills.at(int(r.kill) + j); r.flags&noReport == 0 && n < 2 && (n == 0 || later[0] != k.pid) {
				later[n] = k.pid
				n++
			}
		}
	}
}

// lastTable is the last report of a set with a whole task table, -1 if there is
// none, and who stands in it.
func (ch *chooser) lastTable(set *oomSet) (at int32, listed map[int]bool) {
	for _, i := range slices.Backward(set.picks) {
		if s, r := ch.report(int(i)); r.flags&wholeTable != 0 {
			listed = map[int]bool{}
			s.rows(r, func(pid, tgid int) { listed[pid], listed[tgid] = true, true })
			return i, listed
		}
	}
	return -1, nil
}

// choose marks the reports of a set that stay.
func (ch *chooser) choose(set *oomSet) {
	keep := func(i int32) { ch.keep[i] = true }
	n := len(set.picks)
	for _, i := range set.picks[:min(n, ch.first)] {
		keep(i)
	}
	for _, i := range set.picks[max(0, n-ch.last):] {
		keep(i)
	}
	worst, score := int32(-1), int64(-1)
	stacks := map[[2]int32]bool{}
	for _, i := range set.picks {
		s, r := ch.report(int(i))
		if g := s.retained[r.group]; g != nil && g.worst == int(ch.picks[i].n) && g.score > score {
			worst, score = i, g.score
		}
		if k := [2]int32{ch.picks[i].input, r.stack}; len(stacks) < ch.stacks && !stacks[k] {
			stacks[k] = true
			keep(i)
		}
		if len(ch.mentioned) > 0 && ch.matters(s, r) {
			set.need = true
			keep(i)
		}
	}
	if worst >= 0 {
		keep(worst)
	}
	table, listed := ch.lastTable(set)
	if table >= 0 {
		keep(table)
	}
	ch.open(set)
	ch.alive(set, table, listed)
	if len(ch.waiting) > 0 {
		ch.listed(set)
	}
}

// matters reports whether another record mentions a task of a report.
func (ch *chooser) matters(s *reportStore, r *oomReport) bool {
	if r.invoker >= 0 && ch.mentioned[int(r.invoker)] {
		return true
	}
	for j := range int(r.kills) {
		if ch.mentioned[int(s.kills.at(int(r.kill)+j).pid)] {
			return true
		}
	}
	some := false
	if r.flags&threadRows != 0 { // the number of a kill line can be a thread's
		s.rows(r, func(pid, tgid int) {
			for j := range int(r.kills) {
				some = some || pid != tgid && pid == int(s.kills.at(int(r.kill)+j).pid) && ch.mentioned[tgid]
			}
		})
	}
	return some
}

// open keeps reports whose victims are not known to have ended.
func (ch *chooser) open(set *oomSet) {
	var open []int32 // the last one first
	ch.fates(set, func(i int, k *oomKill, f fate) {
		if f == fateUnknown && (len(open) == 0 || open[len(open)-1] != int32(i)) {
			open = append(open, int32(i))
		}
	})
	for k, i := range open {
		if k < ch.limits.open || k >= len(open)-ch.limits.open {
			ch.keep[i] = true
		}
	}
}

// alive keeps the last reports of each invoker that may still sit in its charge
// (2.6.34..3.11): one that the group's last whole table lists, or, after it or
// without one, any.
func (ch *chooser) alive(set *oomSet, table int32, listed map[int]bool) {
	seen, clean := map[int32]bool{}, map[int32]bool{}
	for _, i := range slices.Backward(set.picks) {
		s, r := ch.report(int(i))
		if len(clean) == ch.limits.alive {
			break
		}
		if r.invoker < 0 || clean[r.invoker] || !ch.trapped(i) || i <= table && !listed[int(r.invoker)] {
			continue
		}
		if mixed := s.heads.list[r.head].mixed; !mixed {
			clean[r.invoker] = true // see Task.Present
		} else if seen[r.invoker] {
			continue
		}
		seen[r.invoker] = true
		ch.keep[i] = true
	}
}

// trapped reports whether the call trace of a report shows a charge that may
// last.
func (ch *chooser) trapped(i int32) bool {
	_, r := ch.report(int(i))
	return r.stack >= 0 && ch.feeds[ch.picks[i].input].stacks.list[r.stack].trap
}

// listed keeps for each task that is seen in memory cgroup code a report whose
// table lists it: that tells its group.
func (ch *chooser) listed(set *oomSet) {
	found := map[int]bool{}
	for _, i := range set.picks {
		s, r := ch.report(int(i))
		s.rows(r, func(pid, tgid int) {
			if ch.waiting[pid] && !found[pid] {
				found[pid] = true
				ch.keep[i] = true
				set.need = true
			}
		})
		if len(found) == len(ch.waiting) {
			return
		}
	}
}

// class is what sets have in common that are alike.
type class struct {
	scope         string
	count         int // of the reports, up to alikeReports + 1
	kinds         [alikeReports]kind
	storm         bool
	unknown, weak bool // some victims' fates
}

// kind is what reports have in common that are alike.
type kind struct{ input, head, stack, kill int32 }

func (ch *chooser) class(set *oomSet) (class, bool) {
	c := class{scope: set.scope, count: min(len(set.picks), alikeReports+1)}
	if set.need {
		return c, false
	}
	kinds := 0
	var times []float64
	for _, i := range set.picks {
		s, r := ch.report(int(i))
		k := kind{ch.picks[i].input, int32(r.head) + 1, r.stack, -1}
		if r.kills > 0 {
			k.kill = int32(s.kills.at(int(r.kill)).head)
			if r.flags&(hasBoot|noReport) == hasBoot && len(set.picks) >= StormKills {
				times = append(times, float64(r.boot)/1e6)
			}
		}
		if slices.Contains(c.kinds[:kinds], k) {
			continue
		}
		if kinds == alikeReports || ch.trapped(i) {
			return c, false
		}
		c.kinds[kinds] = k
		kinds++
	}
	c.storm = Storm(times)
	ch.fates(set, func(_ int, _ *oomKill, f fate) {
		c.unknown = c.unknown || f == fateUnknown
		c.weak = c.weak || f == fateWeak
	})
	return c, true
}

// alike drops the sets that are like an earlier one.
func (ch *chooser) alike() {
	ch.like = make([]int32, len(ch.sets)) // 1 + the set that stands for each
	first := map[class]int32{}
	for at, set := range ch.sets {
		c, ok := ch.class(set)
		if !ok {
			continue
		}
		rep, known := first[c]
		if !known {
			first[c] = int32(at)
			continue
		}
		if at < ch.firstGroups || at >= len(ch.sets)-ch.lastGroups {
			continue
		}
		ch.like[at] = rep + 1
		for _, i := range set.picks {
			ch.keep[i] = false
		}
	}
}

// fold counts what is not kept; made has the first event of each kept report.
func (ch *chooser) fold(made map[int]parse.Event) []*Folded {
	var out []*Folded
	likes := map[int32]*Folded{}
	for at, set := range ch.sets {
		rep := int32(at)
		if ch.like != nil && ch.like[at] > 0 {
			rep = ch.like[at] - 1
		}
		var f *Folded
		if rep != int32(at) {
			f = likes[rep]
		}
		if f == nil {
			f = &Folded{}
			for _, i := range ch.sets[rep].picks {
				if e := made[int(i)]; e != nil {
					f.Of = e
					break
				}
			}
			if rep != int32(at) {
				likes[rep] = f
			}
		}
		before := f.Reports + f.Kills
		ch.count(f, set, rep == int32(at))
		if rep != int32(at) {
			f.Incidents++
		}
		if before == 0 && f.Reports+f.Kills > 0 {
			out = append(out, f)
		}
	}
	return out
}

// count adds the reports of a set that are not kept.
func (ch *chooser) count(f *Folded, set *oomSet, moments bool) {
	for _, i := range set.picks {
		if ch.keep[i] {
			continue
		}
		s, r := ch.report(int(i))
		h := s.heads.list[r.head]
		m := parse.Meta{Span: parse.Span{Input: int(ch.picks[i].input), First: int(r.first), Last: int(r.last)}, Stamp: s.stamp(r), Host: h.host}
		m.End = m.Stamp
		if f.Reports+f.Kills == 0 {
			f.First = m
		}
		f.Last = m
		if r.flags&noReport == 0 {
			f.Reports++
		}
		f.Kills += int(r.kills)
		if h.noKillable {
			f.NoKillable++
		}
		if moments && r.kills > 0 && r.flags&(hasBoot|noReport) == hasBoot {
			f.Moments = append(f.Moments, Moment{Line: int(r.first), Boot: m.Stamp.Boot})
		}
	}
	ch.fates(set, func(i int, _ *oomKill, x fate) {
		switch {
		case ch.keep[i]:
		case x == fateReaped:
			f.Reaped++
		case x == fateExited:
			f.Exited++
		case x == fateWeak:
			f.Exited++
			f.Weak++
		case x == fateUnknown:
			f.Unknown++
		}
	})
}
