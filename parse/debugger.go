package parse

import (
	"strconv"
	"strings"
)

// Stacks that crash and drgn print of a dump or a live kernel.

// crashStates are crash's task states.
var crashStates = map[string]byte{"RU": 'R', "IN": 'S', "UN": 'D', "ID": 'I', "ST": 'T', "TR": 't', "ZO": 'Z', "DE": 'X', "PA": 'P', "WA": 'W'}

// takeCrash reads the head of crash's "bt" and "foreach bt":
//
//	PID: 1234   TASK: ffff8800a6c0d940  CPU: 1   COMMAND: "java"
func (a *assembler) takeCrash(ln *line, s string) bool {
	t, ok := crashTask(s)
	if !ok {
		return false
	}
	a.boundary()
	a.p.res.More.Crash++
	if i, ok := a.p.later[t.Pid]; ok {
		t.State = a.p.waiting[i].State
	}
	a.touch(&t.Meta, ln)
	o := &openTask{Task: t}
	a.openTrace(ln, o, 0)
	a.tr.paste, a.tr.debugger = true, true
	return true
}

func crashTask(s string) (*Task, bool) {
	_, r, ok := strings.Cut(s, "PID:")
	if !ok {
		return nil, false
	}
	pid, r := field(r)
	n, ok := pidOf(pid)
	r = trimLeft(r)
	if !ok || !strings.HasPrefix(r, "TASK:") {
		return nil, false
	}
	comm, ok := after(r, `COMMAND: "`)
	if !ok {
		return nil, false
	}
	if i := strings.LastIndexByte(comm, '"'); i >= 0 {
		comm = comm[:i]
	}
	return &Task{Pid: n, HasPid: true, Comm: keep(comm)}, true
}

// takeCrashPS reads a row of crash's "ps -m", which has the time in the state
// first: [0 00:02:03.456] [UN]  PID: 1234   TASK: ffff...  CPU: 2   COMMAND: "java".
func (a *assembler) takeCrashPS(ln *line, s string) bool {
	if len(s) < 40 || !isDigit(s[1]) || s[2] != ' ' && s[3] != ' ' && s[4] != ' ' {
		return false
	}
	i := strings.Index(s, "]  PID: ")
	if i < 4 || s[i-3] != '[' {
		return false
	}
	t, ok := crashTask(s[i:])
	if !ok {
		return false
	}
	t.State = crashStates[s[i-2:i]]
	a.p.res.More.Crash++
	a.touch(&t.Meta, ln)
	a.p.wait(t)
	return true
}

// debuggerFrame reads a frame of crash, drgn or gdb:
//
//	#0 [ffffc90000a3bd38] __schedule at ffffffff81a5d3e1            crash
//	#4 [ffffc90000a3be40] ext4_sync_file+53 at ffffffffc03 [ext4]   crash bt -s
//	#1  __schedule (kernel/sched/core.c:6699:8)                     drgn
//	#2  0xffffffff81a5d3e1 in schedule () at kernel/sched/core.c:6800   gdb
func (a *assembler) debuggerFrame(ln *line, s string) bool {
	num, r, ok := leadInt(s[1:])
	if !ok || num < 0 || num > 1000 || r == "" || r[0] != ' ' {
		return false
	}
	r = trimLeft(r)
	if r == "" {
		return false
	}
	f := Frame{Reliable: true}
	switch {
	case r[0] == '[': // crash
		_, rest, ok := leadHex(r[1:])
		if !ok || !strings.HasPrefix(rest, "] ") || len(r)-len(rest) < 8 {
			return false
		}
		r = trimLeft(rest[2:])
		n := symbolLen(r)
		if n == 0 {
			return false
		}
		f.Func, r = r[:n], r[n:]
		if strings.HasPrefix(r, "+") {
			w, rest := field(r[1:])
			off, err := strconv.ParseUint(w, 0, 32)
			if err != nil {
				return false
			}
			f.Offset, r = uint32(off), rest
		}
		r = trimLeft(r)
		if strings.HasPrefix(r, "(via ") { // a function in .text that the symbol table lacks
			_, r, _ = strings.Cut(r, ") ")
		}
		at, ok := strings.CutPrefix(r, "at ")
		if !ok {
			return false
		}
		v, rest, ok := leadHex(at)
		if !ok {
			return false
		}
		f.Addr, f.HasAddr = v, v != 0
		if !scanTail(rest, &f, false) {
			return false
		}
	case strings.HasPrefix(r, "0x"):
		v, rest, ok := leadHex(r[2:])
		if !ok {
			return false
		}
		if v < 1<<63 { // user space: the kernel's stack is over
			if t := a.tr; t != nil && t.debugger {
				t.done, t.Complete, t.UserRegs = true, true, true
				return true
			}
			return false
		}
		f.Addr, f.HasAddr = v, true
		if in, ok := strings.CutPrefix(rest, " in "); ok {
			n := symbolLen(in)
			f.Func = in[:n]
		}
	default:
		n := symbolLen(r)
		if n == 0 || len(r) == n {
			return false
		}
		if r[n] == '+' {
			if f, ok = ParseFrame(r); !ok {
				return false
			}
		} else if f.Func = r[:n]; !strings.HasPrefix(r[n:], " (") || !hasPlace(r[n:]) {
			return false
		}
	}
	t := a.tr
	if t == nil || !t.debugger {
		if num != 0 || ln.stamped {
			return false
		}
		a.endTrace(false)
		o := &openTask{Task: &Task{}}
		if a.head.ok {
			a.headTask(o)
		}
		a.p.res.More.Debugger++
		a.openTrace(ln, o, 0)
		t = a.tr
		t.paste, t.debugger = true, true
	} else if num == 0 && len(t.Frames) > 0 && !t.interrupted {
		a.endTrace(false)
		return a.debuggerFrame(ln, s)
	}
	t.interrupted = false
	if len(t.Frames) < a.p.opt.MaxFrames {
		f.Line, f.Context = ln.no, t.ctx
		f.Func, f.Module = a.p.name(f.Func), a.p.name(f.Module)
		a.p.addFrame(t.Trace, &f)
	}
	if f.Func != "" && outermost(f.Func) {
		t.Complete = true
	}
	a.touchTrace(ln)
	return true
}

// debuggerLine takes what crash prints among frames: registers, source lines,
// the marks of an exception.
func (a *assembler) debuggerLine(ln *line, s string) bool {
	t := a.tr
	switch {
	case strings.HasPrefix(s, "[exception RIP: "):
		if f, ok := crashIP(s); ok && t.IP == nil {
			f.Line = ln.no
			f.Func = a.p.name(f.Func)
			t.IP = &f
		}
	case strings.HasPrefix(s, "--- <"): // "--- <NMI exception stack> ---"
		t.interrupted = true
		for i := range t.Frames {
			if t.Frames[i].Context == ContextTask {
				t.Frames[i].Context = ContextNMI
				if strings.HasPrefix(s, "--- <IRQ") {
					t.Frames[i].Context = ContextIRQ
				}
			}
		}
	case strings.HasPrefix(s, "RIP: ") || strings.HasPrefix(s, "PC: "):
		w, _ := field(s[4:])
		if v, rest, ok := leadHex(w); ok && rest == "" && v < 1<<63 {
			t.UserRegs, t.Complete = true, true
			if sp, ok := after(s, "RSP: "); ok {
				t.UserSP, _, _ = leadHex(sp)
			}
		}
	case isReg(s), s == "(active)", s[0] == '/' && (hasPlace(s) || strings.Contains(s, ".c: ") || strings.Contains(s, ".h: ") || strings.Contains(s, ".S: ")), strings.HasPrefix(s, "bt: "):
	default:
		return false
	}
	a.touchTrace(ln)
	return true
}

func crashIP(s string) (Frame, bool) {
	name, off, ok := strings.Cut(strings.TrimSuffix(s[len("[exception RIP: "):], "]"), "+")
	n, ok2 := allInt(off)
	if !ok || !ok2 || n < 0 || n > 1<<31 || symbolLen(name) != len(name) {
		return Frame{}, false
	}
	return Frame{Func: name, Offset: uint32(n), Reliable: true}, true
}

// wait holds back what tells a task's state and at most one frame until it is
// known that the input has no stack of that task.
func (p *parser) wait(t *Task) {
	if p.later == nil {
		p.later = make(map[int]int)
	}
	if i, ok := p.later[t.Pid]; ok {
		if w := p.waiting[i]; w.Trace == nil {
			t.State, t.Comm = orByte(t.State, w.State), orString(t.Comm, w.Comm)
			p.waiting[i] = t
		} else {
			w.State, w.Comm = orByte(w.State, t.State), orString(w.Comm, t.Comm)
		}
		return
	}
	if len(p.waiting) < maxMore {
		p.later[t.Pid] = len(p.waiting)
		p.waiting = append(p.waiting, t)
	}
}

func orByte(a, b byte) byte {
	if a == 0 {
		return b
	}
	return a
}

func orString(a, b string) string {
	if a == "" {
		return b
	}
	return a
}

// sendWaiting sends the tasks that nothing else told of.
func (p *parser) sendWaiting() {
	for _, t := range p.waiting {
		if !p.seen[t.Pid] {
			p.send(t)
		}
	}
	p.waiting, p.later = nil, nil
}

// saw notes that the input has a stack of this task.
func (p *parser) saw(pid int) {
	if p.seen == nil {
		p.seen = make(map[int]bool)
	}
	p.seen[pid] = true
}
