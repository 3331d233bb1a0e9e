package parse

import (
	"strconv"
	"strings"
)

// openTrace is a call trace being read.
type openTrace struct {
	*Trace
	task        *openTask // whose event it becomes part of; nil for the OOM report's and a splat's own
	ctx         Context
	first       int
	paste       bool // bare frames without "Call Trace:"
	proc        bool // they come from /proc/PID/stack
	done        bool // the outermost frame was seen
	gap         bool // a foreign line came after the last frame
	gaps        int
	entered     bool  // "<TASK>" was seen
	left        bool  // "</TASK>" was seen
	scheduled   bool  // a reliable __schedule was seen
	garbled     bool  // see garble
	suspect     bool  // see mixing
	lost        bool  // printk dropped lines inside
	half        Frame // "[<ffffffff810e33ca>] ?" waits for its symbol
	isHalf      bool
	inOOM       *openOOM
	debugger    bool // crash, drgn or gdb wrote it
	interrupted bool // crash: the numbers may start again
}

// takeCallTrace opens a trace: of the task header, the CPU header or the OOM
// report that came last, or of nobody.
func (a *assembler) takeCallTrace(ln *line, s string) bool {
	a.p.res.Records.CallTrace++
	if i := strings.IndexByte(s, ':'); s[0] != 'E' && i+2 < len(s) { // its first frame on the same line
		defer func(rest string) {
			var f Frame
			if info := scanFrame(rest, &f); info.kind != notFrame {
				a.frameLine(ln, &f, info)
			}
		}(s[i+1:])
	}
	if a.splat != nil {
		a.splat.trace = true
		a.endTrace(true)
		a.openTrace(ln, nil, ln.no)
		a.splat.Trace = a.tr.Trace
		a.touch(&a.splat.Meta, ln)
		a.drop = false
		return true
	}
	a.endTrace(true)
	a.drop = false
	t := a.owner()
	switch {
	case t != nil:
		a.openTrace(ln, t, ln.no)
	case a.oom != nil && a.oom.Trace == nil:
		a.openOOMTrace(ln, ln.no)
	default:
		t = &openTask{Task: &Task{}}
		if a.head.ok {
			a.headTask(t)
		}
		a.touch(&t.Meta, ln)
		a.openTrace(ln, t, ln.no)
	}
	return true
}

// takeBreakingEvent ends an s390 trace: the address of the last branch follows,
// printed like a frame.
func (a *assembler) takeBreakingEvent(ln *line, s string) bool {
	if a.tr != nil && a.tr.task == nil && a.tr.inOOM == nil {
		return true // of a lockdep report
	}
	a.endTrace(false)
	a.drop = true
	return true
}

// owner is the task whose header stands last and still lacks its trace.
func (a *assembler) owner() *openTask {
	if a.hdr != nil && a.hdr.Trace == nil {
		return a.hdr
	}
	if a.task != nil && a.task.Trace == nil {
		return a.task
	}
	return nil
}

func (a *assembler) openTrace(ln *line, t *openTask, mark int) {
	tr := &Trace{Mark: mark, IP: a.ip, UserRegs: a.userRegs}
	a.ip, a.userRegs = nil, false
	a.open = openTrace{Trace: tr, task: t, first: ln.no, suspect: a.mix.owing(ln)}
	a.tr = &a.open
	if t != nil {
		t.Trace = tr
		a.touch(&t.Meta, ln)
	}
	if t == a.hdr {
		a.hdr = nil
	}
	if t == a.task {
		a.task = nil
	}
}

func (a *assembler) openOOMTrace(ln *line, mark int) {
	a.openTrace(ln, nil, mark)
	a.tr.inOOM, a.oom.Trace = a.oom, a.tr.Trace
	a.touch(&a.oom.Meta, ln)
}

// frameLine takes a frame, or a mark among frames.
func (a *assembler) frameLine(ln *line, f *Frame, info frameInfo) bool {
	t := a.tr
	if t == nil {
		switch info.kind {
		case frameFull:
		case frameAddr, frameLoose:
			if !a.head.path && !info.proc {
				return false
			}
		case frameEnd:
			if !a.head.ok {
				return false
			}
		case frameMark:
			if info.mark == markTaskEnd {
				a.mix.paid(true)
			}
			return a.task != nil || a.hdr != nil || a.oom != nil
		default:
			return false
		}
		if a.drop || a.strayFrame(ln) {
			a.stray(ln, f)
			return true
		}
		a.openBare(ln, info)
		t = a.tr
	}
	switch info.kind {
	case frameMark:
		if info.mark == markTask {
			if t.entered && !t.done {
				a.garble(t)
			}
			t.entered, a.mix.tags = true, true
		}
		if info.mark == markTaskEnd && t.left {
			a.mix.paid(true)
		}
		t.ctx = info.mark.context(t.ctx)
		if info.mark == markTaskEnd {
			t.done, t.left, t.Complete = true, true, true
		}
		a.touchTrace(ln)
		return true
	case frameEnd:
		t.proc = t.proc || t.paste
		t.done, t.Complete = true, true
		a.touchTrace(ln)
		if t.paste {
			a.endTrace(false)
		}
		return true
	case frameHalf:
		t.half, t.isHalf = *f, true
		a.touchTrace(ln)
		return true
	}
	if t.isHalf {
		if !f.HasAddr {
			f.Addr, f.HasAddr = t.half.Addr, t.half.HasAddr
		}
		f.Reliable = f.Reliable && t.half.Reliable
		t.isHalf = false
	}
	if t.paste && t.done && f.Reliable && !continuesEnd(f.Func) { // the next stack, without a blank line
		a.endTrace(false)
		a.openBare(ln, info)
		t = a.tr
	}
	if info.mark != markNone {
		t.ctx = info.mark.context(t.ctx)
	}
	if t.done && f.Reliable && !continuesEnd(f.Func) {
		t.Mixed = true // another context's frame
		a.stray(ln, f)
		if f.Func != "" && outermost(f.Func) {
			a.mix.paid(false)
		}
		return true
	}
	if t.gap {
		t.Mixed, t.gap = true, false
	}
	if f.Func == "__schedule" && f.Reliable { // never calls itself
		if t.scheduled {
			a.garble(t)
		}
		t.scheduled = true
	}
	if t.garbled {
		a.stray(ln, f)
		a.touchTrace(ln)
		return true
	}
	t.proc = t.proc || info.proc
	if len(t.Frames) >= a.p.opt.MaxFrames {
		a.stray(ln, f)
		return true
	}
	if c := info.callee; c != nil && (len(t.Frames) == 0 || t.Frames[len(t.Frames)-1].Func != c.Func) {
		c.Context, c.Line = t.ctx, ln.no
		c.Func = a.p.name(c.Func)
		a.p.addFrame(t.Trace, c)
	}
	if f.HasAddr && a.p.opt.Symbols != nil || f.HasOffset && a.p.opt.Symbols != nil {
		a.p.symbolize(f)
	}
	f.Context, f.Line = t.ctx, ln.no
	f.Func, f.Module = a.p.name(f.Func), a.p.name(f.Module)
	if f.BuildID != "" {
		f.BuildID = a.p.name(f.BuildID)
	} else if f.Module == "" {
		f.BuildID = a.buildID
	}
	a.p.addFrame(t.Trace, f)
	if f.Reliable && t.ctx == ContextTask && f.Func != "" && outermost(f.Func) {
		t.done, t.Complete, a.mix.ends = true, true, true
	}
	a.touchTrace(ln)
	return true
}

// addFrame adds a frame to an open trace. Its frames stand in a buffer that
// traces pass on, until settle.
func (p *parser) addFrame(t *Trace, f *Frame) {
	if t.Frames == nil {
		if n := len(p.frames); n > 0 {
			t.Frames, p.frames = p.frames[n-1], p.frames[:n-1]
		} else {
			t.Frames = make([]Frame, 0, 64)
		}
	}
	t.Frames = append(t.Frames, *f)
}

func (p *parser) freeFrames(buf []Frame) {
	if cap(buf) > 0 && cap(buf) <= 1024 && len(p.frames) < 8 {
		p.frames = append(p.frames, buf[:0])
	}
}

// stray accounts for a frame that becomes part of no event: it stands where no
// trace is open, or whose it is cannot be told.
func (a *assembler) stray(ln *line, f *Frame) {
	if !f.Reliable {
		return
	}
	a.p.res.More.Strays++
	if a.p.strayEnd != 0 && ln.no-a.p.strayEnd < maxGap {
		a.p.strayEnd = ln.no
		return
	}
	a.p.strayEnd = ln.no
	a.p.diag(ln.no, "info", "stray-frames", "frames from here on belong to no trace that could be told apart")
}

func (t *openTrace) reliable() bool {
	for i := range t.Frames {
		if t.Frames[i].Reliable {
			return true
		}
	}
	return false
}

// garble gives the frames up: two contexts print their traces line by line, and
// nothing tells whose a frame is.
func (a *assembler) garble(t *openTrace) {
	for i := range t.Frames {
		a.stray(&line{no: t.Frames[i].Line}, &t.Frames[i])
	}
	a.p.freeFrames(t.Frames)
	t.garbled, t.Mixed, t.Frames = true, true, nil
}

// continuesEnd tells whether fn may follow an outermost frame: ret_from_fork
// is called by ret_from_fork_asm (6.6 ->), ppc64's system_call_exception by
// system_call_common.
func continuesEnd(fn string) bool {
	return strings.HasPrefix(fn, "ret_from_fork") || strings.HasPrefix(fn, "system_call")
}

func (a *assembler) touchTrace(ln *line) {
	switch t := a.tr; {
	case t.task != nil:
		a.touch(&t.task.Meta, ln)
	case t.inOOM != nil:
		a.touch(&t.inOOM.Meta, ln)
	case a.splat != nil:
		a.touch(&a.splat.Meta, ln)
	}
}

// gap notes that a line of another context stands inside the open trace.
func (a *assembler) gap() {
	if t := a.tr; t != nil && !t.done {
		t.gap = true
	}
}

// endTrace closes the open trace. cut: a header of another record came, so
// frames that follow are not known to be anybody's.
func (a *assembler) endTrace(cut bool) {
	t := a.tr
	if t == nil {
		return
	}
	a.tr = nil
	a.p.settle(t.Trace)
	if cut && !t.paste {
		a.drop = a.drop || !t.done
		a.mix.cut(a, t)
	}
	if t.suspect && len(t.Frames) > 0 {
		t.Mixed = true
	}
	if t.garbled {
		t.Complete = false
	}
	switch {
	case t.inOOM != nil:
		t.inOOM.traceOver = true
		if t.Mixed {
			t.inOOM.Damaged = true
		}
	case t.task != nil:
		if t.paste {
			a.endPaste(t)
			return
		}
		if len(t.Frames) == 0 {
			t.Mixed = t.Mixed || cut
			if !t.task.HasPid && t.task.Label == "" {
				return
			}
		}
		a.sendTask(t.task)
	default:
		a.endSplat(false)
	}
}

// regLine takes what belongs to a trace's block and is no frame: registers,
// code bytes, raw stack words.
func (a *assembler) regLine(ln *line, s string) bool {
	if a.tr == nil && a.hdr == nil && a.task == nil && a.oom == nil {
		return false
	}
	if a.tr != nil && a.tr.paste {
		return false
	}
	if s[0] == '-' && a.interruptLine(ln, s) {
		return true
	}
	if !isReg(s) {
		return false
	}
	if at, ok := instruction(s); ok {
		a.rip(ln, "0010:"+at)
	} else if strings.HasPrefix(s, "RIP: ") || strings.HasPrefix(s, "EIP: ") {
		a.rip(ln, s[5:])
	} else if rest, ok := strings.CutPrefix(s, "RSP: 002b:"); ok && a.tr != nil && a.tr.UserSP == 0 {
		sp, _, _ := strings.Cut(rest, " ")
		a.tr.UserSP, _ = strconv.ParseUint(sp, 16, 64) // RSP of __USER_DS: the task's own stack
	}
	if a.tr != nil {
		a.touchTrace(ln)
	}
	return true
}

// rip reads "0033:0x4035a6" (user space), "0010:foo+0x23/0x50" and the older
// "0010:[<ffffffff8104f5e2>]  [<ffffffff8104f5e2>] foo+0x2/0x10".
func (a *assembler) rip(ln *line, s string) {
	seg, at, ok := strings.Cut(s, ":")
	if !ok {
		return
	}
	user := len(seg) == 4 && seg[3]&3 == 3
	if user {
		if t := a.tr; t != nil {
			t.UserRegs = true
			if t.ctx == ContextTask || t.ctx == ContextException {
				t.done, t.Complete = true, true
			}
		} else {
			a.userRegs = true
		}
		return
	}
	if a.tr != nil {
		return
	}
	if i := strings.LastIndex(at, "] "); i >= 0 {
		at = at[i+2:]
	}
	if f, ok := ParseFrame(at); ok {
		f.Func, f.Module, f.Line = a.p.name(f.Func), a.p.name(f.Module), ln.no
		a.ip = &f
	}
}

// regWords stand in front of a colon in register dumps of x86 and arm64, "Code:",
// "Hardware name:" and the like.
var regWords = [...]string{
	"RIP", "RSP", "RAX", "RBX", "RCX", "RDX", "RBP", "RSI", "RDI", "R08", "R09", "R10", "R11", "R12", "R13", "R14", "R15",
	"FS", "GS", "CS", "DS", "ES", "SS", "CR0", "CR2", "DR0", "DR3", "PKRU", "EFLAGS", "ORIG_RAX", "Code", "Stack",
	"EIP", "EAX", "EBX", "ECX", "EDX", "ESI", "EDI", "EBP", "ESP",
	"NIP", "LR", "REGS", "MSR", "CFAR", "CTR", "GPR00", "GPR04", "GPR08", "GPR12", "GPR16", "GPR20", "GPR24", "GPR28", "TRAP", // ppc
	"Krnl PSW", "User PSW", "Krnl GPRS", "User GPRS", "Krnl Code", "User Code", // s390
	"epc", "ra", "gp", "tp", "t0", "s1", "a1", "a4", "a7", "s4", "s7", "s10", "t5", "status", // riscv, mips
	"Status", "Cause", "BadVA", "PrId", "Hi", "Lo", "Acx", "Flags", "Control", "xPSR", "fp", "ip", "Stack from", "r10",
	"Hardware name", "Modules linked in", "Tainted", "pc", "lr", "sp", "pstate", "Process", "last sysfs file",
}

// regPhrases begin other lines of such dumps; sp= and bsp= are ia64's.
var regPhrases = [...]string{"LR [", "LR = ", "LR is at ", "NIP [", "PC is at ", "Exception stack(", "EIP is at ", "sp=", "bsp=", "Dumping ftrace", "---[ end trace"}

// regIndex has both by first byte.
var regIndex [256]struct{ words, phrases []string }

func init() {
	for _, w := range regWords {
		regIndex[w[0]].words = append(regIndex[w[0]].words, w)
	}
	for _, w := range regPhrases {
		regIndex[w[0]].phrases = append(regIndex[w[0]].phrases, w)
	}
}

// isReg recognises lines of a register dump, and lines of raw stack words
// (.. 4.8).
func isReg(s string) bool {
	c := s[0]
	at := &regIndex[c]
	if at.words != nil || c == 'x' || c == 'r' {
		if i := strings.IndexByte(s[:min(len(s), 24)], ':'); i > 0 {
			w := trimRight(s[:i])
			for _, x := range at.words {
				if len(x) == len(w) && x[len(x)-1] == w[len(w)-1] && x == w {
					return true
				}
			}
			if (c == 'x' || c == 'r') && len(w) <= 3 && len(w) > 1 && isDigit(w[1]) {
				return true
			}
		}
	}
	for _, p := range at.phrases {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return stackWords(s)
}

// instruction finds where a register dump says the CPU was.
func instruction(s string) (string, bool) {
	if strings.IndexByte("PEpN", s[0]) < 0 {
		return "", false
	}
	for _, p := range [...]string{"PC is at ", "EIP is at ", "pc : ", "NIP ["} {
		if r, ok := strings.CutPrefix(s, p); ok {
			if p == "NIP [" {
				_, r, _ = strings.Cut(r, "] ")
			}
			return r, r != ""
		}
	}
	return "", false
}

// interruptLine reads what ppc prints where an interrupt came: "--- interrupt:
// 300 at __copy_user+0x1c/0x30", and for a system call "--- interrupt: c00 at
// 0x7fff9b2c4d38".
func (a *assembler) interruptLine(ln *line, s string) bool {
	t := a.tr
	if t == nil || !strings.HasPrefix(s, "--- interrupt: ") && !strings.HasPrefix(s, "--- Exception: ") {
		return false
	}
	_, at, ok := strings.Cut(s, " at ")
	if ok && strings.HasPrefix(at, "0x") {
		if v, _, ok := leadHex(at[2:]); ok && v < 1<<63 {
			t.UserRegs, t.done, t.Complete = true, true, true
		}
	} else if ok && !t.done {
		var f Frame
		if info := scanFrame(at, &f); info.kind == frameFull {
			return a.frameLine(ln, &f, info)
		}
	}
	a.touchTrace(ln)
	return true
}

// stackWords recognises " ffff88001e5f7c50 0000000000000086 ...".
func stackWords(s string) bool {
	if len(s) < 8 || !isHex(s[0]) {
		return false
	}
	for s != "" {
		var w string
		w, s = field(s)
		if len(w) != 16 && len(w) != 8 {
			return w == "" || w == "..."
		}
		if _, rest, ok := leadHex(w); !ok || rest != "" {
			return false
		}
	}
	return true
}
