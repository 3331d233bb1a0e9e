package parse

import (
	"cmp"
	"slices"
	"strings"
)

// assembler puts the lines of one stream together to records. Each kind of
// report has its own file and its own open record here.
type assembler struct {
	p   *parser
	key streamKey

	oom   *openOOM
	hung  *HungTask
	task  *openTask  // the last task header, until its trace has ended
	hdr   *openTask  // "CPU: 1 PID: 104 Comm: x": whose trace comes next
	tr    *openTrace // the call trace being read: &open, or nil
	open  openTrace
	locks *Locks
	splat *openSplat
	dump  *openDump
	stall *openStall

	buildID string // the kernel's, from the last header that had it
	sysrq   *openSysrq
	ps      *psTable
	file    *openFile
	mix     mixing
	now     *line   // the line being read
	head    heading // the line above a pasted stack

	same     string  // text of the last line
	sameBoot float64 // its time
	twice    int     // over 0 while every line comes twice
	pend     []line  // a line that came twice, and the one after it

	lockNum int64 // of the last lock of the list

	hungPid     int    // of the last hung-task report, until its task header came
	hungComm    string // likewise
	hungRelease string
	stuck       bool   // a lockup's report was the last header: the task is running
	nmi         bool   // "NMI backtrace for cpu 1" was the last header
	manual      bool   // "sysrq: Manual OOM execution" came before
	drop        bool   // a header cut a trace short: frames are nobody's until the next "Call Trace:"
	ip          *Frame // kernel RIP line before "Call Trace:"
	userRegs    bool   // user RIP line before "Call Trace:"
}

func (a *assembler) idle() bool {
	return len(a.pend) == 0 && a.oom == nil && a.hung == nil && a.task == nil && a.hdr == nil && a.tr == nil &&
		a.locks == nil && a.splat == nil && a.dump == nil && a.stall == nil && a.sysrq == nil && a.ps == nil && a.file == nil
}

// first is the line where the oldest open record began.
func (a *assembler) first() int {
	n := int(^uint(0) >> 1)
	if a.oom != nil {
		n = min(n, a.oom.Span.First)
	}
	if a.task != nil {
		n = min(n, a.task.Span.First)
	}
	if a.tr != nil {
		n = min(n, a.tr.first)
	}
	if a.dump != nil {
		n = min(n, a.dump.Span.First)
	}
	return n
}

func sortStreams(all []*assembler) {
	slices.SortFunc(all, func(a, b *assembler) int {
		return cmp.Or(cmp.Compare(a.first(), b.first()), strings.Compare(a.key.host, b.key.host), strings.Compare(a.key.caller, b.key.caller))
	})
}

// maxText bounds Meta.Text, bytes.
const maxText = 300

// touch makes ln a part of the record m.
func (a *assembler) touch(m *Meta, ln *line) {
	a.p.touched = ln.no
	if m.Span.First == 0 {
		m.Span = Span{Input: a.p.opt.Input, First: ln.no}
		m.Stamp = Stamp{Boot: ln.boot, HasBoot: ln.hasBoot, Wall: ln.wall}
		m.Seq = a.p.seq
		m.Host, m.Caller = a.key.host, a.key.caller
		s := trim(ln.text)
		m.Text = keep(s[:min(len(s), maxText)])
	}
	m.Span.First, m.Span.Last = min(m.Span.First, ln.no), max(m.Span.Last, ln.no)
	m.End.Boot, m.End.HasBoot = ln.boot, ln.hasBoot
	if m.End.Wall != ln.wall { // a string costs a write barrier
		m.End.Wall = ln.wall
	}
}

// line drops what comes twice, as where two agents log one console. A frame of
// a recursive function and lines of two CPUs may be alike too, so a line is
// dropped only where the next one comes twice as well.
func (a *assembler) line(ln *line) {
	s := trim(ln.text)
	if len(a.pend) == 0 {
		switch {
		case ln.boot != a.sameBoot || s != a.same || s == "":
			if a.twice > 0 {
				a.twice--
			}
			a.walk(ln, s)
		case a.twice > 0:
			a.twice = 2
		default:
			a.pend = append(a.pend, *ln)
		}
		return
	}
	last := &a.pend[len(a.pend)-1]
	again := s == trim(last.text) && ln.boot == last.boot
	if len(a.pend) == 1 && !again {
		a.pend = append(a.pend, *ln)
		return
	}
	if len(a.pend) == 2 && again {
		a.pend = a.pend[:0]
		a.twice = 2
		a.walk(ln, s)
		return
	}
	a.undo()
	a.line(ln)
}

// undo walks the lines held back: they are no copies.
func (a *assembler) undo() {
	held := a.pend
	a.pend = nil
	for i := range held {
		a.walk(&held[i], trim(held[i].text))
	}
}

// walk is the walk of one line: the open records may take it, then the kinds
// are asked, then it is noise.
func (a *assembler) walk(ln *line, s string) {
	a.now, a.same, a.sameBoot = ln, s, ln.boot
	if a.head.ok && ln.no-a.head.ln.no > lookBack {
		a.dropHeading()
	}
	if s == "" {
		a.blank()
		return
	}
	if a.hung != nil {
		if a.hungLine(ln, s) {
			return
		}
		a.endHung()
	}
	if a.locks != nil {
		if s[0] == '#' && a.lockLine(ln, s) {
			return
		}
		a.endLocks()
	}
	if a.splat != nil && a.splatLine(ln, s) {
		return
	}
	if a.stall != nil && a.stallLine(ln, s) || a.sysrq != nil && a.sysrqLine(ln, s) {
		return
	}
	if a.ps != nil || a.file != nil {
		if a.ps != nil {
			if a.psRow(ln, s) {
				return
			}
			a.ps = nil
		}
		if a.file != nil {
			if s[0] != '=' && s[0] != '/' && a.fileLine(ln, s) {
				return
			}
			if s[0] != '/' {
				a.endFile()
			}
		}
	}
	if s[0] == '#' && a.debuggerFrame(ln, s) || a.tr != nil && a.tr.debugger && a.debuggerLine(ln, s) {
		return
	}
	if !ln.framed && len(s) > 12 && (s[0] == '/' || s[0] == 'p') {
		s, _ = a.procPrefix(ln, s)
	}
	if s[0] == 'E' && strings.HasPrefix(s, "EEH: [") { // powerpc
		s = s[5:]
	}
	var f Frame
	if info := scanFrame(s, &f); info.kind != notFrame {
		if info.kind == frameFull && f.Reliable {
			a.p.res.More.Frames++
		}
		if a.frameLine(ln, &f, info) {
			a.p.remember(a, ln, s, info)
			return
		}
	}
	if a.regLine(ln, s) {
		return
	}
	if a.start(ln, s) {
		if a.tr != nil && a.tr.first == ln.no {
			a.p.remember(a, ln, s, frameInfo{})
		}
		return
	}
	if a.task != nil && a.taskLine(ln, s) {
		return
	}
	if a.oom != nil && a.oomLine(ln, s) {
		return
	}
	a.noise(ln, s)
}

// start asks the kinds whether a record starts here.
func (a *assembler) start(ln *line, s string) bool {
	for _, k := range kindIndex[s[0]] {
		if k.begins(s) && k.take(a, ln, s) {
			return true
		}
	}
	if isDigit(s[0]) && a.takeLocks(ln, s) {
		return true
	}
	if invoked(s) && a.takeOOM(ln, s) {
		return true
	}
	if n := len(s); n > 30 && s[n-10] == '0' && s[n-9] == 'x' || n > 40 && s[n-18] == '0' && s[n-17] == 'x' {
		return a.takeRow(ln, s)
	}
	if s[len(s)-1] == 'd' && strings.HasSuffix(s, " callbacks suppressed") {
		return a.takeSuppressed(ln, s)
	}
	return false
}

// invoked tells whether s is dump_header's first line, or quotes it.
func invoked(s string) bool {
	i := strings.Index(s, "oom-killer") // its first byte is rarer than a blank
	return i > 0 && strings.Contains(s[max(0, i-len(" invoked ")):], " invoked oom-killer")
}

// blank is an empty line. It ends a pasted stack.
func (a *assembler) blank() {
	a.endFile()
	a.ps = nil
	a.endLocks()
	if a.tr != nil && a.tr.paste {
		a.endTrace(false)
	}
}

func (a *assembler) cutTask(t *openTask) {
	t.Damaged = true
	a.p.diag(t.Span.Last, "warning", "truncated-report", "the call trace that began at line "+itoa(t.Span.First)+" ends here, before its outermost frame")
}

// noise is a line that no open record takes.
func (a *assembler) noise(ln *line, s string) {
	if t := a.tr; t != nil {
		switch {
		case t.paste, t.done && (!t.entered || t.left):
			a.endTrace(false)
		default:
			t.gap = true
			if t.gaps++; t.gaps > maxGap {
				a.endTrace(true)
			}
		}
	} else if a.task != nil {
		if a.task.gaps++; a.task.gaps > maxGap {
			a.endTask()
		}
	}
	if d := a.dump; d != nil && ln.stamped && a.tr == nil && a.task == nil {
		d.after = true
	}
	if !ln.framed {
		a.heading(ln, s)
	} else if a.head.ok { // the log goes on: what was above it heads nothing
		a.dropHeading()
	}
}

// maxGap is how many lines of others may stand inside a trace or between a
// task header and its trace.
const maxGap = 64

// boundary ends what a new header ends.
func (a *assembler) boundary() {
	a.endHung()
	a.endLocks()
	a.endStall()
	a.endSysrq()
	a.endFile()
	a.ps = nil
	a.endTrace(true)
	if a.task != nil {
		a.mix.cutHeader(a)
	}
	a.endTask()
	a.endSplat(true)
	a.dropHeading()
	a.hdr, a.nmi, a.stuck, a.ip, a.userRegs = nil, false, false, nil, false
	if o := a.oom; o != nil && o.closing && o.GroupKill == "" {
		a.endOOM(false)
	}
}

// end closes the stream. What is open has been cut.
func (a *assembler) end() {
	a.undo()
	if t := a.tr; t != nil && t.task != nil && !t.paste && !t.done && (len(t.Frames) == 0 || t.reliable()) {
		a.cutTask(t.task)
	} else if t == nil && a.task != nil {
		a.cutTask(a.task)
	}
	a.endHung()
	a.endLocks()
	a.endStall()
	a.endSysrq()
	a.endFile()
	a.ps = nil
	a.endTrace(false)
	a.endTask()
	a.endSplat(true)
	a.dropHeading()
	a.endOOM(true)
	a.endDump(true)
}
