package parse

import "strings"

// takeAllLocks reads the title of debug_show_all_locks.
func (a *assembler) takeAllLocks(ln *line, s string) bool {
	a.boundary()
	if a.dump != nil {
		a.dump.tail = true
	}
	return true
}

// takeLocks reads lockdep_print_held_locks' "2 locks held by init/1:".
func (a *assembler) takeLocks(ln *line, s string) bool {
	n, rest, ok := leadInt(s)
	if !ok { // "locks held by java/3062: 4, last CPU#0:", 7.x
		i := strings.LastIndex(s, ": ")
		if i < 0 {
			return false
		}
		if n, rest, ok = leadInt(s[i+2:]); !ok || !strings.HasPrefix(rest, ", last CPU#") {
			return false
		}
		rest = " " + s[:i]
	}
	rest, ok = strings.CutPrefix(rest, " lock")
	if !ok {
		return false
	}
	rest = strings.TrimPrefix(rest, "s")
	if rest, ok = strings.CutPrefix(rest, " held by "); !ok {
		return false
	}
	comm, pid, ok := commPid(strings.TrimSuffix(rest, ":"), '/')
	if !ok {
		return false
	}
	if a.splat == nil {
		a.boundary()
	}
	l := &Locks{Pid: pid, Comm: keep(comm), Count: int(n)}
	a.p.res.Records.LocksHeld++
	a.touch(&l.Meta, ln)
	a.locks = l
	return true
}

// lockLine reads one lock of the list:
//
//	#0:  (&mm->mmap_sem){++++++}, at: [<ffffffff8102a282>] __do_page_fault+0x3b2/0x4c0             (.. 4.18)
//	#1: ffff8880044a3b48 (&sb->s_type->i_mutex_key#7){++++}-{3:3}, at: do_truncate+0x77/0xc0      (4.19 ->)
func (a *assembler) lockLine(ln *line, s string) bool {
	h, ok := heldLock(s)
	if !ok {
		return false
	}
	// A symbolizer makes a line of each inlined function: the last one is the
	// function itself.
	num, _, _ := leadInt(s[1:])
	if n := len(a.locks.Held); n > 0 && num == a.lockNum && a.locks.Held[n-1].Class == h.Class {
		h.Line, h.At.Line = ln.no, ln.no
		h.At.Func, h.At.Module = a.p.name(h.At.Func), a.p.name(h.At.Module)
		a.locks.Held[n-1].At = h.At
		a.touch(&a.locks.Meta, ln)
		return true
	}
	a.lockNum = num
	h.Line, h.At.Line = ln.no, ln.no
	h.At.Func, h.At.Module = a.p.name(h.At.Func), a.p.name(h.At.Module)
	h.Addr, h.Class = a.p.name(h.Addr), a.p.name(h.Class)
	if len(a.locks.Held) < 256 {
		a.locks.Held = append(a.locks.Held, h)
	}
	a.touch(&a.locks.Meta, ln)
	if a.splat != nil {
		a.splat.add(a, ln, s)
	}
	return true
}

func heldLock(s string) (HeldLock, bool) {
	var h HeldLock
	_, rest, ok := leadInt(s[1:])
	if !ok || rest == "" || rest[0] != ':' {
		return h, false
	}
	rest = trimLeft(rest[1:])
	if rest != "" && isHex(rest[0]) {
		h.Addr, rest = field(rest)
		rest = trimLeft(rest)
	}
	lock, at, ok := strings.Cut(rest, ", at: ")
	if !ok || len(lock) < 2 || lock[0] != '(' {
		return h, false
	}
	i := strings.LastIndex(lock, "){")
	if i < 1 {
		return h, false
	}
	h.Class = lock[1:i]
	h.At, _ = ParseFrame(at)
	return h, true
}

func (a *assembler) endLocks() {
	if l := a.locks; l != nil {
		a.locks = nil
		l.Damaged = l.Damaged || len(l.Held) != 0 && len(l.Held) < l.Count
		a.p.send(l)
	}
}

// openSplat is a lockdep report being read.
type openSplat struct {
	*Lockdep
	text  strings.Builder
	trace bool // its own "stack backtrace:" is being read
	gaps  int

	role   string // of the lock that comes next
	comm   string // and its task
	pid    int
	frames bool // frames are of the last entry
	over   bool // no more entries are kept
}

// maxSplat bounds the text kept of one lockdep report.
const maxSplat = 64 << 10

// splatTitles are the first lines of lockdep's reports, without "WARNING: " or
// "[ INFO: ".
var splatTitles = [...]struct{ title, kind string }{
	{"possible circular locking dependency detected", "circular"},
	{"possible recursive locking detected", "recursive"},
	{"possible irq lock inversion dependency detected", "irq"},
	{"inconsistent lock state", "irq"},
	{"HARDIRQ-safe -> HARDIRQ-unsafe lock order detected", "irq"},
	{"SOFTIRQ-safe -> SOFTIRQ-unsafe lock order detected", "irq"},
	{"-safe -> ", "irq"},
	{"bad unlock balance detected", "other"},
	{"bad contention detected", "other"},
	{"held lock freed!", "other"},
	{"lock held when returning to user space", "other"},
	{"suspicious RCU usage", "other"},
	{"Invalid wait context", "other"},
	{"Nested lock was not taken", "other"},
}

// takeSplat reads the title of a lockdep report.
func (a *assembler) takeSplat(ln *line, s string) bool {
	for _, t := range splatTitles {
		if strings.Contains(s, t.title) {
			a.boundary()
			a.p.res.Records.Lockdep++
			a.splat = &openSplat{Lockdep: &Lockdep{Kind: t.kind}}
			a.splat.add(a, ln, s)
			return true
		}
	}
	return false
}

func (sp *openSplat) add(a *assembler, ln *line, s string) {
	a.touch(&sp.Meta, ln)
	if sp.text.Len()+len(s) < maxSplat {
		sp.text.WriteString(s)
		sp.text.WriteByte('\n')
	}
}

// splatLine takes all lines of a lockdep report: its stacks show where locks
// were once taken, and are no tasks' present.
func (a *assembler) splatLine(ln *line, s string) bool {
	sp := a.splat
	if sp.trace { // the stack backtrace ends it
		if !isFrame(s) && !isReg(s) {
			a.endTrace(false)
			a.endSplat(false)
		}
		return false
	}
	switch {
	case strings.HasPrefix(s, "Call Trace:"), strings.HasPrefix(s, "Call trace:"):
		return false
	case strings.HasPrefix(s, "CPU:"), strings.HasPrefix(s, "Pid:"):
	case isDigit(s[0]) && strings.Contains(s, " held by "):
		sp.add(a, ln, s)
		return false
	default:
		var f Frame
		if (scanFrame(s, &f).kind == notFrame || f.Func == "") && starts(s) {
			return false
		}
	}
	sp.add(a, ln, s)
	sp.entryLine(a, ln, s)
	if sp.gaps++; sp.gaps > 4000 {
		a.endSplat(true)
	}
	return true
}

// starts tells whether s begins a record that ends a lockdep report.
func starts(s string) bool {
	for _, k := range kindIndex[s[0]] {
		if k.name != "lockdep" && k.name != "lockdep-off" && k.begins(s) {
			return true
		}
	}
	return strings.Contains(s, " invoked oom-killer: gfp_mask=")
}

func (a *assembler) endSplat(cut bool) {
	sp := a.splat
	if sp == nil {
		return
	}
	a.splat = nil
	sp.Damaged = sp.Damaged || cut && !sp.trace
	sp.Text = keep(strings.TrimSuffix(sp.text.String(), "\n"))
	a.p.send(sp.Lockdep)
}
