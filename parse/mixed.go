package parse

import "strings"

// mixing watches a stream without caller ids for contexts that print line by
// line into each other. A header that cuts a trace short leaves frames of that
// trace still to come: they may end up in any trace that follows, until the
// cut one's own end has passed by. Traces in between are marked Mixed.
type mixing struct {
	ends bool // traces of this log end in frames that outermost knows
	tags bool // traces are wrapped in <TASK> ... </TASK>
	debt int  // cut traces whose end has not been seen
	late int  // traces whose frames are whole, with </TASK> still to come
	line int  // where the last one was cut
	boot float64
}

// How long the rest of a cut trace may take to come, in lines and seconds.
const (
	mixLines   = 300
	mixSeconds = 2
)

// cut notes that t ended before its outermost frame.
func (m *mixing) cut(a *assembler, t *openTrace) {
	if a.key.caller != "" || !a.now.stamped || !m.ends || t.lost {
		return
	}
	if t.done && t.entered && !t.left {
		m.late++
		m.line, m.boot = a.now.no, a.now.boot
	}
	if t.done || !t.mayContinue() {
		return
	}
	t.Mixed = true
	m.debt++
	m.line, m.boot = a.now.no, a.now.boot
}

// cutHeader notes that another header came between a task's header and its
// trace.
func (m *mixing) cutHeader(a *assembler) {
	if a.key.caller == "" && a.now != nil && a.now.stamped && m.ends {
		m.debt++
		m.line, m.boot = a.now.no, a.now.boot
	}
}

// strayFrame tells whether a frame outside any trace is the rest of one that
// was closed: this kernel marks its traces, so it begins no new stack.
func (a *assembler) strayFrame(ln *line) bool {
	return ln.stamped && a.mix.ends && !a.head.ok && a.owner() == nil && (a.oom == nil || a.oom.Trace != nil)
}

// paid notes the end of a trace that is not the open one.
func (m *mixing) paid(tag bool) {
	switch {
	case tag != m.tags:
	case tag && m.late > 0:
		m.late--
	case m.debt > 0:
		m.debt--
	}
}

// owing tells whether frames of a cut trace may still come.
func (m *mixing) owing(ln *line) bool {
	if m.debt+m.late > 0 && (ln.no-m.line > mixLines || ln.hasBoot && ln.boot-m.boot > mixSeconds) {
		m.debt, m.late = 0, 0
	}
	return m.debt > 0
}

// mayContinue tells whether more frames were to be expected: an entry from a
// page fault may be the last (without registers, .. 4.x), and a running task's
// stack may be all left-overs.
func (t *openTrace) mayContinue() bool {
	for i := len(t.Frames) - 1; i >= 0; i-- {
		if f := &t.Frames[i]; f.Reliable {
			return f.Func != "page_fault" && f.Func != "async_page_fault" && f.Func != "error_code" && !strings.HasPrefix(f.Func, "asm_")
		}
	}
	return len(t.Frames) == 0
}
