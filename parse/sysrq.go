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
	case "Show backtrace of all active CPUs":
		action = 'l'
	case "Show Memory":
		action = 'm'
	case "Show Locks Held":
		action = 'd'
	case "Show Regs":
		action = 'p'
	case "Dump ftrace buffer":
		action = 'z'
	case "Kill All Tasks":
		action = 'i'
	case "Terminate All Tasks":
		action = 'e'
	case "Emergency Sync":
		action = 's'
	case "Trigger a crash":
		action = 'c'
	case "Emergency Thaw of all frozen filesystems":
		action = 'j'
	}
	a.boundary()
	a.hungPid = 0
	a.endDump(false)
	a.drop = false
	if action == 'f' {
		a.manual = true
	}
	if action != 'w' && action != 't' {
		a.p.res.More.Sysrq++
		a.sysrq = &openSysrq{Sysrq: &Sysrq{Action: action, Text: keep(trim(s))}}
		a.touch(&a.sysrq.Meta, ln)
	} else {
		a.p.dumps++
		a.dump = &openDump{Dump: &Dump{ID: a.p.dumps, Action: action}}
		a.touch(&a.dump.Meta, ln)
	}
	return true
}

// openSysrq is another sysrq command; what it prints are records of their own,
// but for Mem-Info.
type openSysrq struct {
	*Sysrq
	mem *openOOM // reads Mem-Info
}

func (a *assembler) sysrqLine(ln *line, s string) bool {
	o := a.sysrq
	switch {
	case o.Action != 'm':
	case s == "Mem-Info:":
		o.mem = &openOOM{OOM: &OOM{}, part: partMemInfo, buf: a.p.oomBuf()}
		a.touch(&o.Meta, ln)
		return true
	case o.mem != nil && o.mem.memInfoLine(a.p, s):
		a.touch(&o.Meta, ln)
		return true
	}
	a.endSysrq()
	return false
}

func (a *assembler) endSysrq() {
	if o := a.sysrq; o != nil {
		a.sysrq = nil
		if o.mem != nil {
			o.mem.settle(a.p)
			o.Stats = o.mem.Stats
		}
		a.p.send(o.Sysrq)
	}
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
