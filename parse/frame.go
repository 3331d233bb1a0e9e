package parse

import "strings"

// frameKind is what a line of a call trace is.
type frameKind uint8

const (
	notFrame   frameKind = iota
	frameFull            // " [<ffffffff810a3aea>] dump_header+0x7a/0xb0 [ext4]"
	frameAddr            // " [<ffffffffa0001234>] 0xffffffffa0001234": no symbol
	frameLoose           // " schedule (kernel/sched/core.c:6756)": only among other frames
	frameHalf            // " [<ffffffff810e33ca>] ?": a mail client broke the line
	frameEnd             // "[<ffffffffffffffff>] 0xffffffffffffffff": save_stack_trace's end, up to 4.x
	frameMark            // " <IRQ>", " </TASK>": dump_stack's stack names
)

// stackMark is the name of a stack in a frame line or on its own line.
type stackMark uint8

const (
	markNone stackMark = iota
	markTask
	markTaskEnd
	markIRQ
	markSoftIRQ
	markNMI
	markException
	markBack // "</IRQ>", "<EOI>", "<<EOE>>": back on the stack below
)

// ParseFrame reads one line of a call trace without its prefix: a symbol with
// offset and size, with or without address, "? " and module (printk's %pB and
// %pS; print_trace_address of x86, dump_backtrace_entry of arm64, and
// /proc/PID/stack).
func ParseFrame(line string) (Frame, bool) {
	var f Frame
	switch scanFrame(line, &f).kind {
	case frameFull, frameAddr, frameLoose:
		return f, true
	}
	return Frame{}, false
}

// isFrame tells whether scanFrame knows line.
func isFrame(line string) bool {
	var f Frame
	return scanFrame(line, &f).kind != notFrame
}

// frameInfo is what a frame line tells besides the frame.
type frameInfo struct {
	kind frameKind
	mark stackMark
	proc bool // "[<0>]": only /proc/PID/stack prints that (4.15 ->)

	callee *Frame // arm: a line names the function and its caller
}

// scanFrame is ParseFrame with everything the trace's state needs. Where it
// finds no frame, what is in f means nothing.
func scanFrame(s string, f *Frame) (info frameInfo) {
	*f = Frame{Reliable: true}
	s = trim(s)
	for len(s) > 2 && s[0] == '<' { // " <IRQ>  [<ffffffff810a3aea>] foo+0x1/0x2", up to 4.8
		m, rest := scanMark(s)
		if m == markNone {
			return frameInfo{}
		}
		info.mark = m
		if s = trimLeft(rest); s == "" {
			info.kind = frameMark
			return info
		}
	}
	if info.mark != markNone {
		f.Context = info.mark.context(ContextTask)
	}
	if len(s) > 4 && s[0] == '(' && s[1] == '[' && s[len(s)-1] == ')' { // s390: "([<0000000000123456>] foo+0x1/0x2)"
		s, f.Reliable = s[1:len(s)-1], false
	}
	if s == "" {
		return frameInfo{}
	}
	addr := false
	if s[0] == '[' {
		if len(s) < 4 {
			return frameInfo{}
		}
		if s[1] == '<' {
			n, rest, ok := leadHex(s[2:])
			if !ok || len(rest) < 2 || rest[0] != '>' || rest[1] != ']' {
				return frameInfo{}
			}
			info.proc = n == 0 && len(s)-len(rest) == 3
			f.Addr, f.HasAddr = n, n != 0
			s = trimLeft(rest[2:])
		} else { // ppc64: "[c000000012345678] [c0000000000abcde] foo+0x10/0x20"
			n, rest, ok := leadHex(s[1:])
			if !ok || len(rest) < 3 || rest[:2] != "] " || len(s)-len(rest) < 9 {
				return frameInfo{}
			}
			if rest[2] == '[' {
				if n, rest, ok = leadHex(rest[3:]); !ok || len(rest) < 1 || rest[0] != ']' {
					return frameInfo{}
				}
			} // else sparc: "[00000000004a5c1c] foo+0x10/0x20"
			f.Addr, f.HasAddr = n, true
			s = trimLeft(rest[1:])
		}
		addr = true
		if s == "" {
			info.kind = frameHalf
			return info
		}
	}
	if s[0] == '?' {
		f.Reliable = false
		if s = s[1:]; s == "" {
			info.kind = frameHalf
			return info
		}
		if s[0] != ' ' {
			return frameInfo{}
		}
		s = trimLeft(s)
	}
	if len(s) > 2 && s[0] == '0' && s[1] == 'x' {
		return scanAddr(s, f, info)
	}
	n := symbolLen(s)
	if n == 0 {
		if addr && s[0] == '(' {
			return scanARM(s, f, info)
		}
		return frameInfo{}
	}
	f.Func = s[:n]
	rest := s[n:]
	if strings.HasPrefix(rest, "+0x") {
		off, r, ok := leadHex(rest[3:])
		if !ok || off > 1<<32-1 {
			return frameInfo{}
		}
		f.Offset = uint32(off)
		if strings.HasPrefix(r, "/0x") {
			size, r2, ok := leadHex(r[3:])
			if !ok || size > 1<<32-1 {
				return frameInfo{}
			}
			f.Size, f.HasOffset, r = uint32(size), true, r2
			info.kind = frameFull
		} else {
			info.kind = frameLoose
		}
		if r != "" && !scanTail(r, f, false) {
			return frameInfo{}
		}
		return info
	}
	if addr && rest == "" { // "[<c0012345>] foo", without offset
		info.kind = frameLoose
		return info
	}
	if strings.HasSuffix(rest, " [inline]") && !strings.HasPrefix(rest, " (") && hasPlace(rest) { // " context_switch kernel/sched/core.c:5357 [inline]"
		info.kind = frameLoose
		return info
	}
	if rest == "" || rest[0] != ' ' {
		return frameInfo{}
	}
	if strings.HasPrefix(rest, " (") && hasPlace(rest) { // decode_stacktrace.sh
		info.kind = frameLoose
		if !scanTail(rest, f, true) {
			return frameInfo{}
		}
		return info
	}
	if !addr && f.Reliable && (strings.HasPrefix(rest, " from ") || strings.HasPrefix(rest, " [")) { // arm, 6.x: "foo [mod] from bar+0x10/0x20"
		name, caller, _ := strings.Cut(s, " from ")
		callee, context := Frame{Reliable: true}, f.Context
		if !scanName(name, &callee) || scanPointer(caller, f) != frameFull {
			return frameInfo{}
		}
		f.Context = context
		info.kind, info.callee = frameFull, &callee
		return info
	}
	if at, ok := strings.CutPrefix(s, "Function entered at [<"); ok { // arm without kallsyms
		return scanEntered(at, f)
	}
	return frameInfo{}
}

// scanName reads what %ps prints: "foo", "foo [mod]".
func scanName(s string, f *Frame) bool {
	n := symbolLen(s)
	if n == 0 {
		return false
	}
	f.Func = s[:n]
	s = s[n:]
	return s == "" || strings.HasPrefix(s, " [") && strings.IndexByte(s, ']') == len(s)-1 && scanTail(s, f, false)
}

// scanPointer reads what %pS prints: a symbol with offset and size, or an
// address without one.
func scanPointer(s string, f *Frame) frameKind {
	if symbolLen(s) == 0 && !strings.HasPrefix(s, "0x") {
		return notFrame
	}
	if info := scanFrame(s, f); info.callee == nil {
		return info.kind
	}
	return notFrame
}

// scanARM reads what follows the address in arm's and mips' old lines:
//
//	[<c0014558>] (show_stack [mod]) from [<c059798c>] (dump_stack+0x7c/0xc8 [mod])
//	[<80108b50>] (dump_stack+0x8/0x34)
func scanARM(s string, f *Frame, info frameInfo) frameInfo {
	name, rest, ok := strings.Cut(s[1:], ")")
	if !ok {
		return frameInfo{}
	}
	var callee Frame
	sub := scanPointer(name, &callee)
	if sub != frameFull && sub != frameAddr {
		callee = Frame{Reliable: true}
		if !scanName(name, &callee) {
			return frameInfo{}
		}
	}
	if !f.Reliable {
		return frameInfo{}
	}
	callee.Addr, callee.HasAddr = f.Addr, f.HasAddr
	caller, ok := strings.CutPrefix(rest, " from [<")
	if !ok {
		if sub != frameFull || trim(rest) != "" {
			return frameInfo{}
		}
		callee.Context = f.Context
		info.kind = frameFull
		*f = callee
		return info
	}
	v, rest, ok := leadHex(caller)
	rest, ok2 := strings.CutPrefix(rest, ">] (")
	if !ok || !ok2 {
		return frameInfo{}
	}
	name, rest, _ = strings.Cut(rest, ")")
	context := f.Context
	if sub = scanPointer(name, f); sub != frameFull && sub != frameLoose && sub != frameAddr {
		return frameInfo{}
	}
	f.Addr, f.HasAddr, f.Context = v, v != 0, context
	if rest != "" && !scanTail(rest, f, false) {
		return frameInfo{}
	}
	info.kind, info.callee = frameFull, &callee
	if sub == frameAddr {
		info.kind = frameAddr
	}
	return info
}

// scanEntered reads "[<c0014558>] from [<c059798c>]": addresses only.
func scanEntered(s string, f *Frame) frameInfo {
	v, rest, ok := leadHex(s)
	from, ok2 := strings.CutPrefix(rest, ">] from [<")
	if !ok || !ok2 {
		return frameInfo{}
	}
	callee := Frame{Addr: v, HasAddr: true, Reliable: true}
	if v, rest, ok = leadHex(from); !ok || rest != ">]" {
		return frameInfo{}
	}
	f.Func, f.Addr, f.HasAddr = "", v, true
	return frameInfo{kind: frameAddr, callee: &callee}
}

// scanAddr reads "0xffffffffa0001234", what %pS prints for an address without
// symbol; all ones end the stack of /proc/PID/stack before 4.15.
func scanAddr(s string, f *Frame, info frameInfo) frameInfo {
	n, rest, ok := leadHex(s[2:])
	if !ok || (rest != "" && !scanTail(rest, f, false)) {
		return frameInfo{}
	}
	if n == 1<<64-1 || (n == 1<<32-1 && len(s)-len(rest) == 10) {
		info.kind = frameEnd
		return info
	}
	if len(s)-len(rest) < 10 {
		return frameInfo{}
	}
	f.Addr, f.HasAddr = n, true
	info.kind = frameAddr
	return info
}

func symbolLen(s string) int {
	i := 0
	for i < len(s) && inSymbol[s[i]] {
		i++
	}
	if i > 0 && isDigit(s[0]) {
		return 0
	}
	return i
}

// hasPlace tells whether s holds a source position as in "fs/ext4/file.c:123".
func hasPlace(s string) bool {
	for {
		i := strings.IndexByte(s, ':')
		if i < 0 {
			return false
		}
		if i > 2 && i+1 < len(s) && (isDigit(s[i+1]) || s[i+1] == '?') {
			switch s[i-1] {
			case 'c', 'h', 'S', 's', 'y', '?':
				return true
			}
		}
		s = s[i+1:]
	}
}

// scanTail reads what may follow the symbol: module, source position, arm64's
// unwind source, a comment of whoever pasted the stack.
func scanTail(s string, f *Frame, decoded bool) bool {
	for {
		if s = trimLeft(s); s == "" {
			return true
		}
		switch c := s[0]; {
		case c == '[':
			i := strings.IndexByte(s, ']')
			if i < 0 {
				i = len(s) // the line is cut
			}
			mod := s[1:i]
			if j := strings.IndexAny(mod, " ("); j >= 0 { // build id (5.14 ->) or taint letters
				if id := mod[j+1:]; isBuildID(id) {
					f.BuildID = id
				}
				mod = mod[:j]
			}
			if mod != "inline" && f.Module == "" {
				if !isModule(mod) {
					return mod == "" && i == len(s)
				}
				f.Module = mod
			}
			if i == len(s) {
				return true
			}
			s = s[i+1:]
		case c == '(':
			i := closing(s)
			if i < 0 {
				return true
			}
			if s[:i+1] == "(unreliable)" { // ppc64
				f.Reliable = false
			}
			s = s[i+1:]
		case c == '#', strings.HasPrefix(s, "//"), strings.HasPrefix(s, "/*"), strings.HasPrefix(s, "<-"):
			return true
		case decoded && isModule(s):
			f.Module = s
			return true
		default:
			w, rest := field(s)
			if !hasPlace(w) {
				return false
			}
			s = rest
		}
	}
}

// isModule tells whether s is the name of a module. It may begin with a digit:
// 9p, 8021q, 6lowpan.
func isModule(s string) bool {
	for i := 0; i < len(s); i++ {
		if !inSymbol[s[i]] && s[i] != '-' {
			return false
		}
	}
	return s != ""
}

// closing is the index of the parenthesis that closes the one at s[0].
func closing(s string) int {
	depth := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return i
			}
		}
	}
	return -1
}

// scanMark reads "<IRQ>", "</TASK>", "<<EOE>>", "<#DF>" at the start of s.
func scanMark(s string) (stackMark, string) {
	i := strings.IndexByte(s, '>')
	if i < 2 {
		return markNone, s
	}
	if i+1 < len(s) && s[1] == '<' && s[i+1] == '>' {
		i++
	}
	name, rest := s[:i+1], s[i+1:]
	switch name {
	case "<TASK>":
		return markTask, rest
	case "</TASK>":
		return markTaskEnd, rest
	case "<IRQ>":
		return markIRQ, rest
	case "<SOFTIRQ>":
		return markSoftIRQ, rest
	case "<NMI>":
		return markNMI, rest
	case "<EOI>", "<<EOE>>":
		return markBack, rest
	}
	body := name[1:]
	m := markException
	if body[0] == '/' {
		m, body = markBack, body[1:]
	}
	if len(body) < 3 || len(body) > 24 {
		return markNone, s
	}
	for j := 0; j < len(body)-1; j++ {
		c := body[j]
		if (c < 'A' || c > 'Z') && !isDigit(c) && c != '_' && c != '#' {
			return markNone, s
		}
	}
	if isDigit(body[0]) {
		return markNone, s
	}
	return m, rest
}

func (m stackMark) context(old Context) Context {
	switch m {
	case markTask, markTaskEnd, markBack:
		return ContextTask
	case markIRQ:
		return ContextIRQ
	case markSoftIRQ:
		return ContextSoftIRQ
	case markNMI:
		return ContextNMI
	case markException:
		return ContextException
	}
	return old
}

// outermost tells whether a reliable frame of fn ends a task's stack: nothing
// called it. An exception entry (asm_exc_page_fault) is no end, it may have
// interrupted the kernel.
func outermost(fn string) bool {
	switch fn[0] {
	case 'e':
		return strings.HasPrefix(fn, "entry_SYSCALL") || strings.HasPrefix(fn, "entry_SYSENTER") ||
			strings.HasPrefix(fn, "entry_INT80") || strings.HasPrefix(fn, "el0t_64_sync") && !strings.HasSuffix(fn, "_handler") || fn == "el0_sync"
	case 's':
		return strings.HasPrefix(fn, "system_call") || strings.HasPrefix(fn, "stub_") || strings.HasPrefix(fn, "sysenter_") ||
			strings.HasPrefix(fn, "syscall_call") || strings.HasPrefix(fn, "secondary_startup")
	case 'r':
		return strings.HasPrefix(fn, "ret_from_fork") || fn == "ret_from_syscall" || strings.HasPrefix(fn, "ret_from_kernel_") || fn == "ret_fast_syscall"
	case 'k':
		return fn == "kernel_thread_helper" || fn == "kernel_thread_starter"
	case 'c':
		return fn == "child_rip" || strings.HasPrefix(fn, "cstar_")
	case 'i':
		return fn == "ia32_sysret" || strings.HasPrefix(fn, "ia32_cstar") || strings.HasPrefix(fn, "ia32_sysenter") || fn == "ia32_syscall"
	}
	return fn == "tracesys" || fn == "handle_sys" || fn == "handle_sys64" || fn == "__sys_trace_return"
}

// isBuildID reports whether s is a build id as the kernel prints it (%20phN).
func isBuildID(s string) bool {
	if len(s) != 40 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if !isHex(s[i]) {
			return false
		}
	}
	return true
}

// headerBuildID is the kernel's build id at the end of a trace's header, "" if
// it has none (BUILD_ID_FMT in dump_stack_print_info, 5.14 ->).
func headerBuildID(s string) string {
	if n := len(s); n > 41 && s[n-41] == ' ' && isBuildID(s[n-40:]) {
		return s[n-40:]
	}
	return ""
}
