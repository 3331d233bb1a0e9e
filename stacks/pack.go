package stacks

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/oomtrace/oomtrace/parse"
)

// A log can hold a million OOM reports that are all alike. Each is kept in some
// 150 bytes: what it has in common with others is interned, what only the report
// shows of it (sizes, statistics, the rows of its task table) is dropped but
// for a few of each group. Which reports come back as they were, which without
// their sizes, and which are only counted is decided when the log is over: see
// choose.

// oomReport is one packed OOM report, or a kill that stands outside any.
type oomReport struct {
	boot        int64 // microseconds since boot, valid if hasBoot
	first, last int32
	head        uint32 // index of oomHead
	group       uint32 // index of oomGroup
	stack       int32  // index of Stack, -1 for none
	lines       uint32 // of the frames, in bytes
	table       uint32 // likewise
	wall        uint32 // likewise
	invoker     int32
	kill        int32 // index of the first oomKill
	kills       uint16
	flags       uint16
}

const (
	hasBoot uint16 = 1 << iota
	noReport
	threadRows // the table has rows of threads other than their process's first
	wholeTable // it lists all of the group
)

// oomKill is one kill of a report.
type oomKill struct {
	pid    int32
	line   int32
	after  uint32 // microseconds after the report began
	head   uint32 // index of killHead
	nums   uint32 // of its text, in bytes
	reaped int32  // line that says that the reaper freed its memory, 0 for none
	wait   uint32 // microseconds from the kill to that line
}

// oomHead is what reports of one kind have in common.
type oomHead struct {
	host, text, comm, gfp, release, format string
	order, scoreAdj                        int
	hasPid, hasOrder, hasScoreAdj          bool
	damaged, mixed, hasTable, noKillable   bool
}

type oomGroup struct{ scope, memcg, taskMemcg string }

// killHead is what kill lines of one kind have in common. The numbers of text
// are cut out.
type killHead struct {
	host, text, comm string
	memcg, damaged   bool
}

// wholeReport is a report as it was parsed.
type wholeReport struct {
	oom   *parse.OOM // nil for a kill outside a report
	kill  *parse.Kill
	reaps []*parse.Reap
}

// reportStore has the OOM reports of one input in the order in which they ended.
type reportStore struct {
	limits limits

	reports chunks[oomReport]
	kills   chunks[oomKill]
	bytes   arena

	heads     index[oomHead]
	groups    index[oomGroup]
	killHeads index[killHead]

	whole     map[int]*wholeReport // those not dropped yet, by number
	retained  map[uint32]*retained // by group
	unsorted  bool
	lastWall  string
	wallAt    uint32
	lastTable map[uint32]uint32 // by group
	scratch   []byte

	pending map[*parse.Kill][]*parse.Reap // of reports that are still open
	pids    map[hostPid]*parse.Kill       // likewise
	recent  map[hostPid]recentKill
	queue   []hostPid // of recent, a ring
	at      int
}

type hostPid struct {
	host string
	pid  int
}

type recentKill struct {
	report, kill int
	anon, shmem  int64
}

// How many reports of a group stay whole, besides the first ones.
const (
	lastWhole   = 4    // the last ones
	maxRetained = 256  // groups
	maxRecent   = 4096 // kills that a reaper's line is looked for
)

// retained are the reports of one group that are whole because they are its
// last ones or its worst.
type retained struct {
	count int
	first int // number of the last one of the group's first ones
	last  [lastWhole]int
	worst int
	score int64
}

// take packs an event if it is an OOM report or belongs to one. Events that it
// leaves alone come back.
func (s *reportStore) take(e parse.Event, stacks *interner) []parse.Event {
	switch e := e.(type) {
	case *parse.Kill:
		switch {
		case e.Traced:
		case e.Report != nil: // comes again with its report
			s.hold(e)
			return nil
		default:
			return s.add(&wholeReport{kill: e}, e, []*parse.Kill{e}, stacks)
		}
	case *parse.OOM:
		if !e.Traced {
			return s.add(&wholeReport{oom: e}, e, e.Kills, stacks)
		}
	case *parse.Reap:
		if s.reap(e) {
			return nil
		}
	case *parse.Boot:
		clear(s.recent)
	}
	return []parse.Event{e}
}

func (s *reportStore) hold(k *parse.Kill) {
	if s.pending == nil {
		s.pending, s.pids = map[*parse.Kill][]*parse.Reap{}, map[hostPid]*parse.Kill{}
	}
	s.pending[k] = nil
	s.pids[hostPid{k.Host, k.Pid}] = k
}

// reap notes that a victim's memory was freed. Any other word of the reaper is
// an event of its own.
func (s *reportStore) reap(r *parse.Reap) bool {
	if !r.OK {
		return false
	}
	key := hostPid{r.Host, r.Pid}
	if k := s.pids[key]; k != nil {
		if len(s.pending[k]) > 0 || r.Span.First <= k.Span.First || Leftover(k, r) {
			return false
		}
		s.pending[k] = append(s.pending[k], r)
		return true
	}
	k, ok := s.recent[key]
	if !ok || Leftover(&parse.Kill{AnonKB: k.anon, ShmemKB: k.shmem}, r) {
		return false
	}
	return s.reaped(k.report, k.kill, r)
}

// reaped puts a reaper's line to its kill.
func (s *reportStore) reaped(report, kill int, r *parse.Reap) bool {
	rep, k := s.reports.at(report), s.kills.at(kill)
	wait := int64(0)
	if rep.flags&hasBoot != 0 {
		boot, ok := micros(r.Stamp)
		if wait = boot - rep.boot - int64(k.after); !ok || wait < 0 || wait > math.MaxUint32 {
			return false
		}
	}
	if k.reaped != 0 || r.Span.First <= int(k.line) || r.Span.First > math.MaxInt32 {
		return false
	}
	k.reaped, k.wait = int32(r.Span.First), uint32(wait)
	if w := s.whole[report]; w != nil {
		w.reaps = append(w.reaps, r)
	}
	return true
}

// Leftover reports whether the reaper left at least half of the anonymous and
// shared memory: mlocked (until 5.15), hugetlb, shared. It comes back only when
// the victim exits, that of tmpfs files not even then.
func Leftover(k *parse.Kill, r *parse.Reap) bool {
	left := max(r.AnonKB, 0) + max(r.ShmemKB, 0)
	return left >= 1024 && 2*left >= max(k.AnonKB, 0)+max(k.ShmemKB, 0)
}

// micros is a stamp in microseconds, as fine as printk's. It is false where that
// is not all of it.
func micros(s parse.Stamp) (int64, bool) {
	us := math.Round(s.Boot * 1e6)
	if !s.HasBoot || math.Abs(us) > 1<<52 || us/1e6 != s.Boot {
		return 0, false
	}
	return int64(us), true
}

// add packs e, a report with its kills or a kill alone. What does not fit comes
// back.
func (s *reportStore) add(w *wholeReport, e parse.Event, kills []*parse.Kill, stacks *interner) []parse.Event {
	var reaps []*parse.Reap
	for _, k := range kills {
		if list, ok := s.pending[k]; ok {
			delete(s.pending, k)
			if key := (hostPid{k.Host, k.Pid}); s.pids[key] == k {
				delete(s.pids, key)
			}
			reaps = append(reaps, list...)
		}
	}
	m := e.Head()
	if !packs(m, kills) {
		back := []parse.Event{e}
		if w.oom != nil {
			for _, k := range kills {
				back = append(back, k)
			}
		}
		for _, r := range reaps {
			back = append(back, r)
		}
		return back
	}
	n, first := s.reports.n, s.kills.n
	r := oomReport{first: int32(m.Span.First), last: int32(m.Span.Last), stack: -1, invoker: -1, kill: int32(first), kills: uint16(len(kills))}
	if m.Stamp.HasBoot {
		r.boot, _ = micros(m.Stamp)
		r.flags = hasBoot
	}
	s.common(&r, w, m, stacks)
	for _, k := range kills {
		s.addKill(&r, k)
	}
	if n > 0 && s.reports.at(n-1).first > r.first {
		s.unsorted = true
	}
	s.reports.add(r)
	s.retain(n, r.group, w, kills)
	var back []parse.Event
	for i, k := range kills {
		s.remember(hostPid{k.Host, k.Pid}, recentKill{n, first + i, k.AnonKB, k.ShmemKB})
	}
	for _, x := range reaps {
		i := slices.IndexFunc(kills, func(k *parse.Kill) bool { return k.Pid == x.Pid })
		if i < 0 || !s.reaped(n, first+i, x) {
			back = append(back, x)
		}
	}
	return back
}

// packs reports whether nothing of a report is lost that must not be.
func packs(m *parse.Meta, kills []*parse.Kill) bool {
	at, exact := micros(m.Stamp)
	if m.Seq != 0 && m.Seq != m.Span.First || m.Span.Last > math.MaxInt32 || m.Stamp.HasBoot != exact || len(kills) > math.MaxUint16 {
		return false
	}
	for _, k := range kills {
		kat, kexact := micros(k.Stamp)
		if k.Span.Last > math.MaxInt32 || k.Stamp.HasBoot != m.Stamp.HasBoot || k.Stamp.HasBoot != kexact || kat < at || kat-at > math.MaxUint32 || strings.IndexByte(k.Text, 0) >= 0 {
			return false
		}
	}
	return true
}

// common fills in what is interned.
func (s *reportStore) common(r *oomReport, w *wholeReport, m *parse.Meta, stacks *interner) {
	h := oomHead{host: m.Host, text: m.Text, damaged: m.Damaged}
	g := oomGroup{}
	if o := w.oom; o != nil {
		h.comm, h.gfp, h.release, h.format, h.order, h.scoreAdj = o.InvokerComm, o.GFPMask, o.Release, o.Format, o.Order, o.ScoreAdj
		h.hasPid, h.hasOrder, h.hasScoreAdj, h.hasTable, h.noKillable = o.HasPid, o.HasOrder, o.HasScoreAdj, o.HasTable, o.NoKillable
		g = oomGroup{o.Scope, o.Memcg, o.TaskMemcg}
		if g.taskMemcg == g.memcg {
			g.taskMemcg = g.memcg // one copy of a long name
		}
		if o.HasPid {
			r.invoker = int32(o.InvokerPid)
		}
		if o.Trace != nil {
			r.stack = stacks.number(o.Trace)
			h.mixed = o.Trace.Mixed
			r.lines = s.putLines(r.first, o.Trace)
		}
	} else {
		r.flags |= noReport
		h.text = ""
		if w.kill.MemcgKill {
			g.scope = "memcg"
		}
	}
	r.group = s.groups.number(g)
	r.head = s.heads.number(h)
	if w.oom != nil {
		s.putTable(r, w.oom)
	}
	if m.Stamp.Wall != s.lastWall {
		s.lastWall = m.Stamp.Wall
		s.wallAt = 0
		if m.Stamp.Wall != "" {
			s.wallAt = s.bytes.put(append(binary.AppendUvarint(s.scratch[:0], uint64(len(m.Stamp.Wall))), m.Stamp.Wall...))
		}
	}
	r.wall = s.wallAt
}

func (s *reportStore) putLines(first int32, t *parse.Trace) uint32 {
	if t.Lines == nil || len(t.Frames) == 0 {
		return 0
	}
	b := binary.AppendVarint(s.scratch[:0], int64(t.Lines.First)-int64(first))
	b = binary.AppendUvarint(b, uint64(len(t.Lines.Rest)))
	at := int32(0)
	for _, l := range t.Lines.Rest {
		b = binary.AppendVarint(b, int64(l-at))
		at = l
	}
	s.scratch = b
	return s.bytes.put(b)
}

// putTable keeps who stands in the task table: pids in order, each by its
// distance to the one before, and the process where it has another number.
func (s *reportStore) putTable(r *oomReport, o *parse.OOM) {
	if len(o.Candidates) == 0 && o.MoreTasks == 0 {
		return
	}
	if o.HasTable && !o.Damaged && o.MoreTasks == 0 {
		r.flags |= wholeTable
	}
	rows := make([][2]int, 0, 64)
	for i := range o.Candidates {
		rows = append(rows, [2]int{o.Candidates[i].Pid, o.Candidates[i].Tgid})
	}
	slices.SortFunc(rows, func(a, b [2]int) int { return a[0] - b[0] })
	b := binary.AppendUvarint(s.scratch[:0], uint64(o.MoreTasks))
	b = binary.AppendUvarint(b, uint64(len(rows)))
	at := 0
	for _, row := range rows {
		gap := uint64(row[0]-at) << 1
		if row[0] == row[1] {
			b = binary.AppendUvarint(b, gap)
		} else {
			r.flags |= threadRows
			b = binary.AppendUvarint(b, gap|1)
			b = binary.AppendVarint(b, int64(row[1]))
		}
		at = row[0]
	}
	s.scratch = b
	if s.lastTable == nil {
		s.lastTable = map[uint32]uint32{}
	}
	if last := s.lastTable[r.group]; last != 0 && bytes.HasPrefix(s.bytes.from(last), b) {
		r.table = last
		return
	}
	r.table = s.bytes.put(b)
	s.lastTable[r.group] = r.table
}

// table calls row for each row of a report's task table, by pid.
func (s *reportStore) rows(r *oomReport, row func(pid, tgid int)) (more int) {
	if r.table == 0 {
		return 0
	}
	b := s.bytes.from(r.table)
	more = int(uvarint(&b))
	n := int(uvarint(&b))
	pid := 0
	for range n {
		gap := uvarint(&b)
		pid += int(gap >> 1)
		tgid := pid
		if gap&1 != 0 {
			tgid = int(varint(&b))
		}
		row(pid, tgid)
	}
	return more
}

func uvarint(b *[]byte) uint64 {
	v, n := binary.Uvarint(*b)
	*b = (*b)[n:]
	return v
}

func varint(b *[]byte) int64 {
	v, n := binary.Varint(*b)
	*b = (*b)[n:]
	return v
}

func (s *reportStore) addKill(r *oomReport, k *parse.Kill) {
	text, nums := splitNumbers(k.Text, s.scratch[:0])
	s.scratch = nums
	x := oomKill{pid: int32(k.Pid), line: int32(k.Span.First), head: s.killHeads.number(killHead{k.Host, text, k.Comm, k.MemcgKill, k.Damaged})}
	if k.Stamp.HasBoot {
		at, _ := micros(k.Stamp)
		x.after = uint32(at - r.boot)
	}
	if len(nums) > 0 {
		x.nums = s.bytes.put(nums)
	}
	s.kills.add(x)
}

// splitNumbers cuts the decimal numbers out of a text and appends them to nums.
// Each leaves a NUL behind; the text has none of its own.
func splitNumbers(text string, nums []byte) (string, []byte) {
	var b strings.Builder
	for i := 0; i < len(text); {
		j := i
		for j < len(text) && text[j] >= '0' && text[j] <= '9' {
			j++
		}
		if j == i || j-i > 18 || text[i] == '0' && j-i > 1 {
			j = max(j, i+1)
			b.WriteString(text[i:j])
			i = j
			continue
		}
		n := uint64(0)
		for ; i < j; i++ {
			n = n*10 + uint64(text[i]-'0')
		}
		nums = binary.AppendUvarint(nums, n)
		b.WriteByte(0)
	}
	return b.String(), nums
}

// joinNumbers undoes splitNumbers.
func joinNumbers(text string, nums []byte) string {
	var b []byte
	for i := range len(text) {
		if text[i] != 0 {
			b = append(b, text[i])
			continue
		}
		b = strconv.AppendUint(b, uvarint(&nums), 10)
	}
	return string(b)
}

// remember lets a reaper's line find a kill for some time.
func (s *reportStore) remember(key hostPid, k recentKill) {
	if s.recent == nil {
		s.recent, s.queue = map[hostPid]recentKill{}, make([]hostPid, 0, maxRecent)
	}
	if len(s.queue) < maxRecent {
		s.queue = append(s.queue, key)
	} else {
		if old := s.queue[s.at]; old != key {
			delete(s.recent, old)
		}
		s.queue[s.at] = key
		s.at = (s.at + 1) % maxRecent
	}
	s.recent[key] = k
}

// retain decides which reports stay whole: the first of an input and of each
// group, the last ones and the worst, which is the one with most kills or, of
// those with as many, with most memory of the victims.
func (s *reportStore) retain(n int, group uint32, w *wholeReport, kills []*parse.Kill) {
	if s.whole == nil {
		s.whole, s.retained = map[int]*wholeReport{}, map[uint32]*retained{}
	}
	s.whole[n] = w
	if w.oom == nil {
		group = math.MaxUint32
	}
	g := s.retained[group]
	if g == nil {
		if len(s.retained) >= maxRetained {
			group = math.MaxUint32 - 1 // all others
			g = s.retained[group]
		}
		if g == nil {
			g = &retained{first: -1, worst: -1, last: [lastWhole]int{-1, -1, -1, -1}}
			s.retained[group] = g
		}
	}
	score := int64(len(kills)) << 48
	for _, k := range kills {
		score += min(max(k.AnonKB, 0)+max(k.FileKB, 0)+max(k.ShmemKB, 0), 1<<40)
	}
	old := g.worst
	if g.worst < 0 || score > g.score {
		g.worst, g.score = n, score
	} else {
		old = -1
	}
	i := g.count % lastWhole
	out := g.last[i]
	g.last[i] = n
	if g.count++; g.count <= s.limits.first && group != math.MaxUint32-1 {
		g.first = n
	}
	for _, x := range [...]int{out, old} {
		if x >= s.limits.whole && x > g.first && x != g.worst && !slices.Contains(g.last[:], x) {
			delete(s.whole, x)
		}
	}
}

// stamp is when a report began.
func (s *reportStore) stamp(r *oomReport) parse.Stamp {
	st := parse.Stamp{}
	if r.flags&hasBoot != 0 {
		st.Boot, st.HasBoot = float64(r.boot)/1e6, true
	}
	if r.wall != 0 {
		b := s.bytes.from(r.wall)
		n := uvarint(&b)
		st.Wall = string(b[:n])
	}
	return st
}

// events returns a report as it came, or what is left of it: sizes, statistics
// and rows of the table are gone.
func (s *reportStore) events(input, n int, stacks *interner) []parse.Event {
	var out []parse.Event
	if w := s.whole[n]; w != nil {
		if w.oom != nil {
			out = append(out, w.oom)
			for _, k := range w.oom.Kills {
				out = append(out, k)
			}
		} else {
			out = append(out, w.kill)
		}
		for _, r := range w.reaps {
			out = append(out, r)
		}
		return out
	}
	r := s.reports.at(n)
	h := s.heads.list[r.head]
	st := s.stamp(r)
	var o *parse.OOM
	if r.flags&noReport == 0 {
		g := s.groups.list[r.group]
		o = &parse.OOM{
			Meta:        parse.Meta{Span: parse.Span{Input: input, First: int(r.first), Last: int(r.last)}, Stamp: st, End: st, Host: h.host, Damaged: h.damaged, Text: h.text},
			InvokerComm: h.comm, HasPid: h.hasPid, CPU: -1, GFPMask: h.gfp, Order: h.order, HasOrder: h.hasOrder, ScoreAdj: h.scoreAdj, HasScoreAdj: h.hasScoreAdj,
			Scope: g.scope, Memcg: g.memcg, TaskMemcg: g.taskMemcg, HasTable: h.hasTable, NoKillable: h.noKillable, Release: h.release, Format: h.format,
		}
		if h.hasPid {
			o.InvokerPid = int(r.invoker)
		}
		o.MoreTasks = s.rows(r, func(pid, tgid int) {
			o.Candidates = append(o.Candidates, parse.Candidate{Pid: pid, Tgid: tgid, TotalVM: -1, RSS: -1, Swap: -1})
		})
		if r.stack >= 0 {
			o.Trace = &parse.Trace{Frames: stacks.list[r.stack].Frames, Mixed: h.mixed, Lines: s.linesOf(r)}
		}
		out = append(out, o)
	}
	for i := range int(r.kills) {
		x := s.kills.at(int(r.kill) + i)
		kh := s.killHeads.list[x.head]
		var nums []byte
		if x.nums != 0 {
			nums = s.bytes.from(x.nums)
		}
		at := st
		if at.HasBoot {
			at.Boot = float64(r.boot+int64(x.after)) / 1e6
		}
		text := joinNumbers(kh.text, nums)
		k := &parse.Kill{Meta: parse.Meta{Span: parse.Span{Input: input, First: int(x.line), Last: int(x.line)}, Stamp: at, End: at, Host: kh.host, Damaged: kh.damaged, Text: text},
			Pid: int(x.pid), Comm: kh.comm, MemcgKill: kh.memcg, Report: o,
			TotalVMKB: sizeIn(text, "total-vm:"), AnonKB: sizeIn(text, "anon-rss:"), FileKB: sizeIn(text, "file-rss:"), ShmemKB: sizeIn(text, "shmem-rss:")}
		if o != nil {
			o.Kills = append(o.Kills, k)
		}
		out = append(out, k)
		if x.reaped != 0 {
			if at.HasBoot {
				at.Boot = float64(r.boot+int64(x.after)+int64(x.wait)) / 1e6
			}
			out = append(out, &parse.Reap{Meta: parse.Meta{Span: parse.Span{Input: input, First: int(x.reaped), Last: int(x.reaped)}, Stamp: at, End: at, Host: kh.host},
				Pid: int(x.pid), Comm: kh.comm, OK: true, AnonKB: -1, FileKB: -1, ShmemKB: -1})
		}
	}
	return out
}

// sizeIn reads a size of a kill line in kB, -1 if it is not there.
func sizeIn(text, key string) int64 {
	_, rest, ok := strings.Cut(text, key)
	n, digits := int64(0), 0
	for ; ok && digits < len(rest) && digits < 18 && rest[digits] >= '0' && rest[digits] <= '9'; digits++ {
		n = n*10 + int64(rest[digits]-'0')
	}
	if digits == 0 {
		return -1
	}
	return n
}

func (s *reportStore) linesOf(r *oomReport) *parse.Lines {
	l := &parse.Lines{First: int(r.first)}
	if r.lines == 0 {
		return l
	}
	b := s.bytes.from(r.lines)
	l.First += int(varint(&b))
	n := int(uvarint(&b))
	at := int32(0)
	for range n {
		at += int32(varint(&b))
		l.Rest = append(l.Rest, at)
	}
	return l
}

// order are the reports by their first lines.
func (s *reportStore) order() []int32 {
	out := make([]int32, s.reports.n)
	for i := range out {
		out[i] = int32(i)
	}
	if s.unsorted {
		slices.SortStableFunc(out, func(a, b int32) int { return int(s.reports.at(int(a)).first) - int(s.reports.at(int(b)).first) })
	}
	return out
}

// before reports whether a report stands in front of an event.
func (s *reportStore) before(n int, e parse.Event) bool {
	first, at := int(s.reports.at(n).first), seq(e.Head())
	return first < at || first == at && rank(e) > 0
}

// chunks is a list that grows without being copied.
type chunks[T any] struct {
	list [][]T
	n    int
}

const chunkLen = 1024

func (c *chunks[T]) add(x T) {
	if c.n%chunkLen == 0 {
		size := chunkLen
		if c.n == 0 {
			size = 16 // most logs have a few
		}
		c.list = append(c.list, make([]T, 0, size))
	}
	last := &c.list[len(c.list)-1]
	*last = append(*last, x)
	c.n++
}

func (c *chunks[T]) at(i int) *T { return &c.list[i/chunkLen][i%chunkLen] }

// arena keeps byte strings that know their own length.
type arena struct {
	list [][]byte
}

const arenaLen = 64 << 10

// put returns where b is kept, never 0.
func (a *arena) put(b []byte) uint32 {
	n := len(a.list)
	if n == 0 || len(a.list[n-1])+len(b) > arenaLen {
		size := arenaLen
		if n == 0 {
			size = 1 << 10 // most logs need little
		}
		a.list = append(a.list, make([]byte, 0, max(size, len(b))))
		n++
	}
	c := &a.list[n-1]
	at := uint32(n)<<16 | uint32(len(*c))
	*c = append(*c, b...)
	return at
}

func (a *arena) from(at uint32) []byte { return a.list[at>>16-1][at&0xffff:] }

// index numbers values that come again and again.
type index[T comparable] struct {
	list []T
	of   map[T]uint32
}

func (x *index[T]) number(v T) uint32 {
	n, ok := x.of[v]
	if !ok {
		if x.of == nil {
			x.of = map[T]uint32{}
		}
		n = uint32(len(x.list))
		x.list = append(x.list, v)
		x.of[v] = n
	}
	return n
}
