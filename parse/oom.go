package parse

import (
	"slices"
	"strings"
)

// openOOM is an OOM report being read.
type openOOM struct {
	*OOM
	part      oomPart
	buf       *oomBuf
	more      []Candidate // rows over the limit, until the victim is known
	taskIn    string      // pieces of "Task in A killed as a result of limit of B"
	oomKill   string      // pieces of the oom-kill: line
	statsDone bool        // the first group's block is whole
	memInfo   bool
	memcg     bool // a line that only memcg reports have was seen
	global    bool // likewise for "Out of memory: Kill process"
	cpuset    bool // a line "COMM cpuset=..." was seen (.. 4.20)
	flags     bool // gfp flags by name (4.6 ->)
	nodemask  bool // in the header (4.9 .. 4.20)
	oomAdj    bool // oom_adj= in the header (.. 3.6)
	traceOver bool
	closing   bool // the kill was printed; only what belongs to it may follow
}

// oomBuf holds what grows while a report is read, for one report after another:
// what is kept of it is copied at its exact size.
type oomBuf struct {
	cols  []column // of the task table
	rows  []Candidate
	stats []Stat
}

// oomBuf hands out a buffer, freeBuf takes it back.
func (p *parser) oomBuf() *oomBuf {
	if b := p.freeOOM; b != nil {
		p.freeOOM = nil
		return b
	}
	return &oomBuf{}
}

func (p *parser) freeBuf(b *oomBuf) {
	b.cols, b.rows, b.stats = b.cols[:0], b.rows[:0], b.stats[:0]
	p.freeOOM = b
}

// column is a column of the task table.
type column uint8

const (
	colOther column = iota // a number that is not kept
	colUID
	colTgid
	colTotalVM
	colRSS
	colSwap
	colScoreAdj
	colName
)

func columnOf(name string) column {
	switch name {
	case "uid":
		return colUID
	case "tgid":
		return colTgid
	case "total_vm":
		return colTotalVM
	case "rss":
		return colRSS
	case "swapents":
		return colSwap
	case "oom_score_adj":
		return colScoreAdj
	case "name":
		return colName
	}
	return colOther
}

// oomPart is the block of the report that the next line may continue.
type oomPart uint8

const (
	partHead oomPart = iota
	partStats
	partMemInfo
	partTable
)

// maxPieces bounds, in bytes, what is put together from pieces.
const maxPieces = 16 << 10

// maxMore bounds the rows held back for the victim's sake.
const maxMore = 1 << 16

// oomGap is how long, in seconds and in lines, a report may be silent before
// a later line is no more taken for its own.
const (
	oomGapSeconds = 30
	oomGapLines   = 3000
)

// takeOOM reads dump_header's first line:
//
//	java invoked oom-killer: gfp_mask=0xd0, order=0, oom_adj=0, oom_score_adj=0           (2.6.36 .. 3.6)
//	java invoked oom-killer: gfp_mask=0x14000c0(GFP_KERNEL), nodemask=(null), order=0, oom_score_adj=0  (4.9 .. 4.20)
//	java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0         (5.0 ->)
//
// The comm may hold anything, so the last "invoked" counts; mails and sources
// that quote the words do not.
func (a *assembler) takeOOM(ln *line, s string) bool {
	const words = " invoked oom-killer"
	i := strings.LastIndex(s, words)
	comm, rest := strings.TrimSuffix(s[:i], " "), s[i+len(words):]
	rest = strings.TrimPrefix(rest, ":")
	rest = trimLeft(rest)
	const mask = "gfp_mask=0x"
	switch {
	case strings.HasPrefix(rest, mask):
		if len(rest) == len(mask) || !isHex(rest[len(mask)]) {
			return false
		}
	case strings.HasPrefix(mask, rest): // cut short, or wrapped by a mail program
	default:
		return false
	}
	if !ln.stamped && (len(comm) > 15 || comm == "") {
		return false
	}
	a.boundary()
	a.settle(ln)
	a.hungPid = 0
	a.endOOM(true)
	a.drop = false
	a.p.res.Records.OOM++
	o := &openOOM{OOM: &OOM{InvokerComm: a.p.name(comm), CPU: -1}, buf: a.p.oomBuf()}
	a.oom = o
	a.touch(&o.Meta, ln)
	o.header(rest)
	if a.manual {
		o.Scope = "sysrq"
		a.manual = false
	}
	return true
}

// header reads what follows "invoked oom-killer: ".
func (o *openOOM) header(s string) {
	if v, ok := after(s, "gfp_mask="); ok {
		end := strings.IndexByte(v, ',')
		if i := strings.IndexByte(v, '('); i > 0 && (end < 0 || i < end) {
			o.flags = true
			if j := strings.IndexByte(v, ')'); j > 0 {
				end = j + 1
			}
		}
		if end < 0 || end > len(v) {
			end = len(v)
		}
		o.GFPMask = keep(v[:end])
	}
	if v, ok := after(s, " order="); ok {
		n, _, ok := leadInt(v)
		o.Order, o.HasOrder = int(n), ok
	}
	if v, ok := after(s, "oom_score_adj="); ok {
		n, _, ok := leadInt(v)
		o.ScoreAdj, o.HasScoreAdj = int(n), ok
	}
	o.oomAdj = strings.Contains(s, "oom_adj=")
	o.nodemask = strings.Contains(s, "nodemask=")
}

// format tells the oldest release that prints this form. 4.6 to 4.8 print
// flags without nodemask and count as 4.9: their reports differ in nothing
// else.
func (o *openOOM) format() string {
	switch {
	case o.GFPMask == "":
		return ""
	case o.oomAdj && !o.HasScoreAdj:
		return "2.6.32"
	case o.oomAdj:
		return "3.2"
	case o.nodemask, o.flags && o.cpuset:
		return "4.9"
	case o.flags:
		return "5.0"
	case o.HasScoreAdj:
		return "3.8"
	}
	return ""
}

// oomLine takes the lines between header and kill.
func (a *assembler) oomLine(ln *line, s string) bool {
	o := a.oom
	if a.stale(ln) {
		return false
	}
	if o.closing {
		if strings.HasPrefix(s, ",cpuset=") {
			return true
		}
		// Other contexts' single lines may fall between the kills of a group.
		if o.GroupKill == "" {
			a.endOOM(false)
		}
		return false
	}
	took := a.oomBody(ln, s)
	if took {
		if a.tr != nil && a.tr.inOOM == o {
			a.endTrace(false)
		}
		a.gap()
		a.touch(&o.Meta, ln)
	} else if o.part == partTable && ln.stamped {
		o.Damaged = true // a foreign line among the rows
	}
	return took
}

// stale closes a report that has been silent for so long that its end is lost.
func (a *assembler) stale(ln *line) bool {
	o := a.oom
	if ln.no-o.Span.Last > oomGapLines || ln.hasBoot && o.End.HasBoot && ln.boot-o.End.Boot > oomGapSeconds {
		a.endOOM(true)
		return true
	}
	return false
}

func (a *assembler) oomBody(ln *line, s string) bool {
	o := a.oom
	if o.part == partTable && s[0] == '[' && o.row(a.p, s, ln.no) {
		return true
	}
	if o.part == partStats && o.stat(a.p, s) {
		return true
	}
	if o.part == partMemInfo && s[0] != 'T' && s[0] != 'o' && s[0] != '[' && o.memInfoLine(a.p, s) {
		return true
	}
	if o.taskIn != "" && o.Memcg == "" && o.taskInPiece(s) {
		return true
	}
	switch {
	case strings.HasPrefix(s, "memory: usage "):
		o.Memory = limit(s)
	case strings.HasPrefix(s, "memory+swap: usage "):
		o.Memswap = limit(s)
	case strings.HasPrefix(s, "swap: usage "):
		o.Swap = limit(s)
	case strings.HasPrefix(s, "kmem: usage "):
		o.Kmem = limit(s)
	case strings.HasPrefix(s, "Task in "): // mem_cgroup_print_oom_info, .. 4.20
		o.taskIn = s
		o.taskInPiece("")
	case strings.HasPrefix(s, "Memory limit reached of cgroup "): // 4.4 .. 4.20
		o.Memcg = keep(s[len("Memory limit reached of cgroup "):])
	case strings.HasPrefix(s, "Memory cgroup stats for "):
		o.stats(a.p, s[len("Memory cgroup stats for "):])
	case strings.HasPrefix(s, "Memory cgroup min protection "): // 7.0 ->, global reports too
		o.part = partHead
		return true
	case strings.HasPrefix(s, "oom-kill:"):
		o.oomKill = keep(s)
		o.oomKillPiece("")
		o.part = partHead
		return true
	case s[0] == ',' && o.oomKill != "" && o.oomKillPiece(s):
		return true
	case s == "Mem-Info:":
		o.memInfo, o.part = true, partMemInfo
		return true
	case strings.HasPrefix(s, "[") && strings.Contains(s, "total_vm"):
		return o.title(s)
	case strings.HasPrefix(s, "Tasks state ("):
		o.part = partHead
		return true
	case strings.HasPrefix(s, "Workqueue: "), strings.HasPrefix(s, "COMPACTION is disabled"), strings.HasPrefix(s, "Unreclaimable slab info"):
		return true
	case strings.Contains(s, " cpuset=") && strings.Contains(s, " mems_allowed="): // .. 4.20
		o.cpuset = true
		return true
	case o.memInfo && o.memInfoLine(a.p, s):
		return true
	default:
		return false
	}
	o.memcg = true
	if o.part != partStats {
		o.part = partHead
	}
	return true
}

// limit reads "memory: usage 24576kB, limit 24576kB, failcnt 90".
func limit(s string) Limit {
	l := Limit{UsageKB: numAfter(s, "usage "), LimitKB: numAfter(s, "limit ")}
	if n := numAfter(s, "failcnt "); n > 0 {
		l.Failcnt = uint64(n)
	}
	if l.LimitKB < 0 { // "18446744073709551615kB" does not fit: no limit
		if v, ok := after(s, "limit "); ok && v != "" && isDigit(v[0]) {
			l.LimitKB = 1<<63 - 1
		}
	}
	l.Present = l.UsageKB >= 0 && l.LimitKB >= 0
	l.UsageKB, l.LimitKB = max(0, l.UsageKB), max(0, l.LimitKB)
	return l
}

// taskInPiece adds a piece of "Task in /a killed as a result of limit of /b",
// which pr_cont may print as three records.
func (o *openOOM) taskInPiece(s string) bool {
	const killed, limitOf = " killed", " as a result of limit of "
	switch {
	case s == "":
	case len(o.taskIn) > maxPieces:
		return false
	case strings.HasPrefix(s, "killed"), strings.HasPrefix(s, "as a result of"), s[0] == '/' && strings.Contains(o.taskIn, "limit of"):
		o.taskIn += " " + s
	default:
		return false
	}
	o.taskIn = strings.ReplaceAll(o.taskIn, "  ", " ")
	i := strings.LastIndex(o.taskIn, limitOf)
	if i < 0 {
		return true
	}
	o.TaskMemcg = keep(trim(strings.TrimSuffix(strings.TrimPrefix(o.taskIn[:i], "Task in"), killed))) // "" in a damaged line
	o.Memcg = keep(o.taskIn[i+len(limitOf):])
	return true
}

// oomKillPiece adds a piece of the oom-kill: line (dump_oom_summary, 5.0 ->)
// and reads it from the right: paths and comms may hold commas.
func (o *openOOM) oomKillPiece(s string) bool {
	if s != "" && (!strings.HasPrefix(s, ",cpuset=") && !strings.HasPrefix(s, ",mems_allowed=") && !strings.HasPrefix(s, ",oom_memcg=") &&
		!strings.HasPrefix(s, ",global_oom") && !strings.HasPrefix(s, ",task_memcg=") && !strings.HasPrefix(s, ",task=") && !strings.HasPrefix(s, ",nodemask=")) {
		return false
	}
	if len(o.oomKill) > maxPieces {
		return false
	}
	o.oomKill += keep(s)
	t := o.oomKill
	if v, ok := after(t, "constraint="); ok {
		v, _, _ = strings.Cut(v, ",")
		o.Constraint = v
	}
	if strings.HasPrefix(o.Constraint, "CONSTRAINT_MEMCG") {
		o.memcg = true
	}
	if i := strings.LastIndex(t, ",uid="); i >= 0 {
		t = t[:i]
	}
	i := strings.LastIndex(t, ",pid=")
	if i < 0 {
		return true
	}
	n, _, ok := leadInt(t[i+5:])
	if !ok || n > 1<<31-1 {
		return true
	}
	o.VictimPid = int(n)
	t = t[:i]
	const task = ",task="
	from := max(0, i-15-len(task)) // a comm has at most 15 bytes, and may itself hold ",task="
	if j := strings.Index(t[from:], task); j >= 0 {
		o.VictimComm, t = t[from+j+len(task):], t[:from+j]
	} else if j := strings.LastIndex(t, task); j >= 0 {
		o.VictimComm, t = t[j+len(task):], t[:j]
	}
	if j := strings.LastIndex(t, ",task_memcg="); j >= 0 {
		o.TaskMemcg, t = t[j+len(",task_memcg="):], t[:j]
	}
	if j := strings.LastIndex(t, ",oom_memcg="); j >= 0 {
		o.Memcg, o.memcg = t[j+len(",oom_memcg="):], true
	} else if strings.HasSuffix(t, ",global_oom") {
		o.global = true
	}
	return true
}

// stats reads the head of a group's statistics, and the whole of them where
// they stand on one line (3.10 .. 5.0). The first group is the root of the
// OOM; the others are below it.
func (o *openOOM) stats(p *parser, s string) {
	if o.statsDone || len(o.buf.stats) > 0 {
		o.statsDone = true
		o.part = partHead
		return
	}
	path, body, ok := strings.Cut(s, ": ")
	if !ok {
		path, o.part = strings.TrimSuffix(s, ":"), partStats
	}
	if o.Memcg == "" {
		o.Memcg = keep(path)
	}
	for body != "" {
		var w string
		w, body = field(body)
		k, v, _ := strings.Cut(w, ":")
		n, unit, ok := leadInt(v)
		if ok && (unit == "KB" || unit == "kB") {
			o.buf.stats = append(o.buf.stats, Stat{p.name(k), n})
		}
	}
	o.statsDone = len(o.buf.stats) > 0
}

// stat reads one line of the block of 5.1 and later: "anon 33423360", bytes.
// Counters of events are left out.
func (o *openOOM) stat(p *parser, s string) bool {
	if s[0] == ':' { // 3.10 .. 4.20, path and values as pieces
		o.stats(p, ":"+s)
		return true
	}
	k, v := field(s)
	n, ok := allInt(trim(v))
	if !ok || symbolLen(k) != len(k) || len(k) < 2 {
		o.part = partHead
		return false
	}
	if !countsEvents(k) && len(o.buf.stats) < 256 {
		o.buf.stats = append(o.buf.stats, Stat{p.name(k), n / 1024})
	}
	return true
}

// countsEvents tells the counters of memory.stat that are no sizes.
func countsEvents(k string) bool {
	switch k[0] {
	case 'p':
		return strings.HasPrefix(k, "pg")
	case 'w':
		return strings.HasPrefix(k, "workingset_")
	case 't':
		return strings.HasPrefix(k, "thp_")
	case 'z':
		return strings.HasPrefix(k, "zswp")
	case 'n':
		return strings.HasPrefix(k, "numa_")
	case 's':
		return strings.HasPrefix(k, "swpin") || strings.HasPrefix(k, "swpout")
	case 'd':
		return strings.HasPrefix(k, "demote")
	case 'h':
		return strings.HasPrefix(k, "hugetlb_")
	case 'o':
		return strings.HasPrefix(k, "oom_")
	}
	return false
}

// memInfoLine reads show_free_areas' and show_mem's lines. Totals are in
// pages, taken for 4 kB; they become Stats where no memcg has its own.
func (o *openOOM) memInfoLine(p *parser, s string) bool {
	switch {
	case strings.HasPrefix(s, "Node "), strings.HasPrefix(s, "lowmem_reserve"), strings.HasPrefix(s, "DMA"), strings.HasPrefix(s, "Normal"),
		strings.HasPrefix(s, "HighMem"), strings.HasPrefix(s, "CPU "), strings.HasPrefix(s, "Swap cache stats"),
		strings.HasPrefix(s, "Free swap"), strings.HasPrefix(s, "Total swap"), strings.HasPrefix(s, "Movable"):
		return true
	}
	if isDigit(s[0]) {
		return strings.Contains(s, " page")
	}
	pairs := 0
	for t := s; t != ""; {
		var w string
		w, t = field(t)
		k, v, ok := strings.Cut(w, ":")
		n, isNum := allInt(v)
		if !ok || !isNum || k == "" || k[0] < 'a' || k[0] > 'z' {
			return pairs > 0
		}
		pairs++
		if !o.memcg && o.part == partMemInfo && len(o.buf.stats) < 64 && k != "bounce" {
			o.buf.stats = append(o.buf.stats, Stat{p.name(k), n * 4})
		}
	}
	return pairs > 0
}

// title reads dump_tasks' column names: "[ pid ]   uid  tgid total_vm ... name".
func (o *openOOM) title(s string) bool {
	_, names, ok := strings.Cut(s, "]")
	if !ok {
		return false
	}
	o.buf.cols = o.buf.cols[:0]
	for {
		var w string
		if w, names = field(names); w == "" {
			break
		}
		o.buf.cols = append(o.buf.cols, columnOf(w))
	}
	o.HasTable, o.part = true, partTable
	return true
}

// row reads one task by the names of the columns; the name is the rest of the
// line and may hold blanks.
func (o *openOOM) row(p *parser, s string, no int) bool {
	in, rest, ok := strings.Cut(s[1:], "]")
	if !ok {
		return false
	}
	pid, ok := pidOf(trim(in))
	if !ok {
		return false
	}
	c := Candidate{Pid: pid, Swap: -1, Line: no}
	for _, col := range o.buf.cols {
		if col == colName {
			c.Comm = p.name(strings.TrimPrefix(rest, " "))
			break
		}
		n, r, ok := leadInt(trimLeft(rest))
		if !ok || r != "" && r[0] != ' ' && r[0] != '\t' {
			return false
		}
		rest = r
		switch col {
		case colUID:
			c.UID = n
		case colTgid:
			c.Tgid = int(n)
		case colTotalVM:
			c.TotalVM = n
		case colRSS:
			c.RSS = n
		case colSwap:
			c.Swap = n
		case colScoreAdj:
			c.ScoreAdj, c.HasScoreAdj = int(n), true
		}
	}
	switch {
	case len(o.buf.rows) < p.opt.MaxCandidates:
		o.buf.rows = append(o.buf.rows, c)
	case len(o.more) < maxMore:
		o.more = append(o.more, c)
	default:
		o.MoreTasks++
	}
	return true
}

// endOOM sends the report. cut: nothing of it can follow any more.
func (a *assembler) endOOM(cut bool) {
	o := a.oom
	if o == nil {
		return
	}
	if a.tr != nil && a.tr.inOOM == o {
		a.endTrace(false)
	}
	a.oom = nil
	if cut && !o.closing {
		o.Damaged = true
		a.p.diag(o.Span.Last, "warning", "truncated-report", "the OOM report that began at line "+itoa(o.Span.First)+" ends here, before it tells who was killed")
	}
	o.Format = o.format()
	o.Scope = o.scope()
	for i := range o.more {
		if o.isVictim(&o.more[i]) {
			o.buf.rows = append(o.buf.rows, o.more[i])
		} else {
			o.MoreTasks++
		}
	}
	o.settle(a.p)
	a.p.send(o.OOM)
}

// settle gives the report what was gathered for it.
func (o *openOOM) settle(p *parser) {
	if len(o.buf.rows) > 0 {
		o.Candidates = slices.Clone(o.buf.rows)
	}
	if len(o.buf.stats) > 0 {
		o.Stats = slices.Clone(o.buf.stats)
	}
	p.freeBuf(o.buf)
	o.buf = nil
}

func (o *openOOM) isVictim(c *Candidate) bool {
	if c.Pid == o.VictimPid || c.Tgid == o.VictimPid && o.VictimPid != 0 {
		return true
	}
	for _, k := range o.Kills {
		if c.Pid == k.Pid || c.Tgid == k.Pid {
			return true
		}
	}
	return false
}

func (o *openOOM) scope() string {
	if o.Scope != "" || o.HasOrder && o.Order == -1 || o.Trace.has("moom_callback") {
		return "sysrq"
	}
	switch o.Constraint {
	case "CONSTRAINT_MEMCG":
		return "memcg"
	case "CONSTRAINT_CPUSET":
		return "cpuset"
	case "CONSTRAINT_MEMORY_POLICY":
		return "mempolicy"
	case "CONSTRAINT_NONE":
		return "global"
	}
	switch {
	case o.memcg:
		return "memcg"
	case o.memInfo, o.global:
		return "global"
	case o.Trace.has("mem_cgroup_out_of_memory"), o.Trace.has("mem_cgroup_oom_synchronize"):
		return "memcg" // the log ends before a line tells
	}
	return ""
}

// has tells whether fn is a reliable frame of t.
func (t *Trace) has(fn string) bool {
	if t == nil {
		return false
	}
	for i := range t.Frames {
		if t.Frames[i].Reliable && t.Frames[i].Func == fn {
			return true
		}
	}
	return false
}
