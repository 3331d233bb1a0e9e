package parse

import "strings"

// openDump is a sysrq-w or sysrq-t being read.
type openDump struct {
	*Dump
	tail    bool // the task list is over: scheduler tables follow
	after   bool // the log went on after it
	dropped bool
}

// takeSysrq reads the banner of a sysrq command: "SysRq : Show State" (.. 4.3),
// "sysrq: SysRq : Show State" (4.4 .. 5.2), "sysrq: Show State" (5.3 ->).
func (a *assembler) takeSysrq(ln *line, s string) bool {
	s = strings.TrimPrefix(s, "sysrq: ")
	s = strings.TrimPrefix(s, "SysRq : ")
	var action byte
	switch trim(s) {
	case "Show Blocked State":
		action = 'w'
	case "Show State":
		action = 't'
	case "Manual OOM execution":
		action = 'f'
	}
	a.boundary()
	a.hungPid = 0
	a.endDump(false)
	a.drop = false
	if action == 'f' {
		a.manual = true
	}
	if action == 'w' || action == 't' {
		a.p.dumps++
		a.dump = &openDump{Dump: &Dump{ID: a.p.dumps, Action: action}}
		a.touch(&a.dump.Meta, ln)
	}
	return true
}

// takeTail notes that the task list of a dump is over.
func (a *assembler) takeTail(ln *line, s string) bool {
	if a.dump == nil {
		return false
	}
	a.boundary()
	a.dump.tail = true
	a.touch(&a.dump.Meta, ln)
	return true
}

// settle closes the dump when a record comes that cannot be part of it: after
// its tail, or well after its last line.
func (a *assembler) settle(ln *line) {
	d := a.dump
	if d == nil {
		return
	}
	late := ln.hasBoot && d.End.HasBoot && ln.boot > d.End.Boot+dumpGap
	if d.tail || late {
		a.endDump(false)
	}
}

// dumpGap is how many seconds may pass inside a dump; a slow console takes its
// time.
const dumpGap = 5

// endDump sends the dump. eof: the log ends here, and the dump may have been
// cut unless its tail was seen.
func (a *assembler) endDump(eof bool) {
	d := a.dump
	if d == nil {
		return
	}
	a.dump = nil
	d.Complete = !d.dropped && (!eof || d.tail || d.after)
	if !d.Complete {
		d.Damaged = true
	}
	a.p.send(d.Dump)
}
