package parse

import "strings"

// traceRow is the part of a row that every event has.
//
//	comm-123  (  12)  [001] d..3.  1234.567890: event: fields     trace_print_context
//	comm-123          1d..3. 12345us+: event: fields              trace_print_lat_context
//	comm    123   1 1 00000003 0000002a [05d4879c] 156.335ms (+3.063ms): event: fields    the same, verbose
//	comm-123   [001]  1234.567890: event:   fields                trace-cmd report
//	comm  123/124 [001]  1234.567890: sys:event: fields           perf script
type traceRow struct {
	comm   string
	cut    bool // comm is cut to 8 letters
	pid    int
	hasPid bool
	tgid   int
	cpu    int
	time   float64
	timed  bool
	us     bool // relative microseconds
	count  bool // a counter, no time
	perf   bool
	rest   string
}

// scanRow reads what stands in front of the event's text.
func scanRow(s string) (r traceRow, ok bool) {
	r.cpu = -1
	for j := 0; ; {
		k := strings.IndexByte(s[j:], '[')
		if k < 0 {
			break
		}
		j += k
		if j > 0 && j+4 < len(s) && s[j-1] == ' ' && isDigit(s[j+1]) && isDigit(s[j+2]) && isDigit(s[j+3]) {
			e := j + 4
			for e < len(s) && e < j+6 && isDigit(s[e]) {
				e++
			}
			if e < len(s) && s[e] == ']' && r.task(s[:j-1]) && r.when(s[e+1:]) {
				n, _, _ := leadInt(s[j+1 : e])
				r.cpu = int(n)
				return r, !r.perf || strings.IndexByte(r.rest, ':') > 0
			}
		}
		j++
	}
	if r, ok = scanLatency(s); ok {
		return r, true
	}
	return scanVerbose(s)
}

// scanVerbose reads the latency format with the verbose option
// (trace_print_lat_context and lat_print_timestamp in
// kernel/trace/trace_output.c, alike from 2.6.31 to 7.x): comm, pid, CPU,
// flags, preempt count and index; the time in hexadecimal microseconds, or as
// the clock counts it; the time since the trace began and to the next entry.
func scanVerbose(s string) (r traceRow, ok bool) {
	r.cpu = -1
	for j := 1; ; {
		k := strings.Index(s[j:], " [")
		if k < 0 {
			return r, false
		}
		j += k + 2
		at, rest, ok := leadHex(s[j:])
		n := len(s) - j - len(rest)
		if !ok || n < 8 || n > 16 || !strings.HasPrefix(rest, "] ") {
			continue
		}
		w, rest := field(rest[2:])
		gap, rest := field(rest)
		if !strings.HasPrefix(gap, "(+") || !strings.HasSuffix(gap, "):") || !r.verboseTask(s[:j-2]) {
			continue
		}
		switch {
		case strings.HasSuffix(w, "ms") && strings.HasSuffix(gap, "ms):"):
			r.time = float64(at) / 1e6
		case isDigit(w[len(w)-1]):
			r.time, r.count = float64(at)/1e9, true
		default:
			continue
		}
		r.timed = true
		r.rest = trimLeft(rest)
		return r, r.rest != ""
	}
}

// verboseTask reads "comm    123   1 1 00000003 0000002a".
func (r *traceRow) verboseTask(s string) bool {
	var w [5]string
	for i := range w {
		s = trimRight(s)
		k := strings.LastIndexByte(s, ' ')
		if k < 0 {
			return false
		}
		w[i], s = s[k+1:], s[:k]
	}
	for _, x := range w[:2] {
		if _, rest, ok := leadHex(x); !ok || rest != "" || len(x) < 8 {
			return false
		}
	}
	_, flags := allInt(w[2])
	cpu, ok := allInt(w[3])
	pid, isPid := pidOf(w[4])
	if !flags || !ok || cpu < 0 || cpu >= maxTraceCPU || !isPid {
		return false
	}
	r.setComm(trim(s))
	r.pid, r.hasPid, r.cpu = pid, true, int(cpu)
	return true
}

// task reads "comm-123", "comm-123 (  12)" and perf's "comm 123/124".
func (r *traceRow) task(s string) bool {
	s = trimRight(s)
	if n := len(s); n > 0 && s[n-1] == ')' {
		i := strings.LastIndexByte(s, '(')
		if i < 0 {
			return false
		}
		if tg, ok := pidOf(trimLeft(s[i+1 : n-1])); ok {
			r.tgid = tg
		} else if strings.Trim(s[i+1:n-1], "- ") != "" {
			return false
		}
		s = trimRight(s[:i])
	}
	i := len(s)
	for i > 0 && isDigit(s[i-1]) {
		i--
	}
	if i == len(s) || i == 0 {
		return false
	}
	pid, ok := pidOf(s[i:])
	if !ok {
		return false
	}
	switch s[i-1] {
	case '-':
		s = s[:i-1]
	case '/': // perf script -F +pid: "comm 123/124", process and thread
		j := i - 1
		for j > 0 && isDigit(s[j-1]) {
			j--
		}
		tg, ok := pidOf(s[j : i-1])
		if !ok || j == 0 || s[j-1] != ' ' {
			return false
		}
		r.tgid, r.perf, s = tg, true, s[:j]
	case ' ':
		r.perf, s = true, s[:i]
	default:
		return false
	}
	r.setComm(trim(s))
	r.pid, r.hasPid = pid, true
	return true
}

func (r *traceRow) setComm(c string) {
	if c != "<...>" {
		r.comm = c
	}
}

// when reads the flags, the time and the colon behind the CPU.
func (r *traceRow) when(s string) bool {
	w, rest := field(s)
	if w == "" {
		return false
	}
	if !r.stamp(w) {
		if len(w) > 8 || !traceFlags(w) {
			return false
		}
		if w, rest = field(rest); !r.stamp(w) {
			return false
		}
	}
	r.rest = trimLeft(rest)
	return r.rest != ""
}

// traceFlags recognises irqs-off, need-resched, hardirq/softirq, preempt-depth
// and, from 6.1 on, migrate-disable.
func traceFlags(w string) bool {
	if len(w) < 3 {
		return false
	}
	for i := 0; i < len(w); i++ {
		switch c := w[i]; {
		case c == '.', isHex(c), strings.IndexByte("DXNnpBLlsShHzZ#", c) >= 0:
		default:
			return false
		}
	}
	return true
}

// stamp reads "1234.567890:", "1234.567890123:", "12345:" and "12345us+:".
func (r *traceRow) stamp(w string) bool {
	return len(w) > 1 && w[len(w)-1] == ':' && r.number(w[:len(w)-1])
}

// number reads a time without the colon.
func (r *traceRow) number(w string) bool {
	whole, i := 0.0, 0
	for i < len(w) && isDigit(w[i]) {
		whole = whole*10 + float64(w[i]-'0')
		i++
	}
	if i == 0 || i > 20 {
		return false
	}
	if i == len(w) {
		r.count, r.timed = true, true
		r.time = whole / 1e9 // x86-tsc, counter, uptime: an order, no seconds
		return true
	}
	if w[i] == '.' {
		frac, scale := 0.0, 1.0
		j := i + 1
		for j < len(w) && j-i <= 9 && isDigit(w[j]) {
			frac, scale = frac*10+float64(w[j]-'0'), scale*10
			j++
		}
		if j == i+1 || j < len(w) {
			return false
		}
		r.time, r.timed = (whole*scale+frac)/scale, true
		return true
	}
	if strings.HasPrefix(w[i:], "us") && len(w)-i <= 3 {
		r.time, r.timed, r.us = whole/1e6, true, true
		return true
	}
	return false
}

// scanLatency reads the rows of the latency format: of dumps in a log, of the
// wakeup and irqsoff tracers, of trace-cmd report -l. The CPU and the flags
// are one word.
func scanLatency(s string) (r traceRow, ok bool) {
	r.cpu = -1
	for j := 1; ; {
		k := strings.IndexByte(s[min(j, len(s)):], '-')
		if k < 0 {
			return r, false
		}
		j += k + 1
		pid, rest, ok := leadInt(s[j:])
		if !ok || pid < 0 || pid > 1<<31-1 || rest == "" || rest[0] != ' ' {
			continue
		}
		w, rest := field(rest)
		cpu, flags, ok := leadInt(w)
		if ok && flags == "" { // "0 d..3": the CPU is one digit and a blank
			flags, rest = field(rest)
		}
		if !ok || cpu < 0 || cpu >= maxTraceCPU || len(flags) > 8 || !traceFlags(flags) {
			continue
		}
		w, rest = field(rest)
		if w != "" && w[len(w)-1] != ':' { // "12345us :"
			if !strings.HasPrefix(trimLeft(rest), ":") {
				continue
			}
			w, rest = w+":", trimLeft(rest)[1:]
		}
		if !r.stamp(w) {
			continue
		}
		r.setComm(trim(s[:j-1]))
		r.cut = len(r.comm) == 8
		r.pid, r.hasPid, r.cpu = int(pid), true, int(cpu)
		r.rest = trimLeft(rest)
		return r, r.rest != ""
	}
}

// row takes one row of a trace.
func (t *traceReader) row(r *traceRow, s string, no int) {
	t.endStack()
	if r.timed {
		t.clock(r.time, r.us, r.count)
	}
	if r.cpu >= 0 && t.cpu != r.cpu+1 {
		t.manyCPUs, t.cpu = t.manyCPUs || t.cpu > 0, r.cpu+1
	}
	rest := r.rest
	t.perf = r.perf
	switch {
	case rest[0] == '<' && strings.HasPrefix(rest, "<stack trace"):
		t.count("kernel_stack", no)
		t.openStack(r, s)
		return
	case rest[0] == '<' && strings.HasPrefix(rest, "<user stack trace"):
		t.count("user_stack", no)
		t.frames = true
		return
	}
	if fn, parent, ok := functionHit(rest); ok {
		t.count("function", no)
		t.functionHit(r, symbol(fn), symbol(parent), s, no)
		return
	}
	if name := contextEntry(rest); name != "" {
		t.count(name, no)
		t.hold(r.cpu, t.take(r, name, rest, s, no))
		return
	}
	name, fields := eventName(rest)
	if r.perf && isDigit(rest[0]) { // "250000 cpu-clock:pppH:": a sample of that period
		if n, f := perfSample(rest); n != "" {
			name, fields = n, f
		}
	}
	if i := len(name) + 1; len(rest) > i+1 && rest[i] == ' ' && rest[i+1] == ' ' && !t.stamped {
		t.cmd = true // trace-cmd pads the event's name
	}
	switch name {
	case "kernel_stack":
		t.count(name, no)
		t.openStack(r, s)
		if f := trimLeft(fields); strings.HasPrefix(f, "=>") {
			t.frame(trimLeft(f[2:]), no)
		}
		return
	case "user_stack":
		t.count(name, no)
		t.frames = true
		return
	case "funcgraph_entry", "funcgraph_exit":
		g, ok := scanGraphBody(fields)
		if ok {
			g.cpu, g.comm, g.pid, g.hasPid, g.time, g.timed = r.cpu, r.comm, r.pid, r.hasPid, r.time, r.timed
			t.cmd = true
			t.graphLine(&g, s, no)
			return
		}
	}
	t.count(name, no)
	t.hold(r.cpu, t.take(r, name, fields, s, no))
	if r.perf && r.cpu >= 0 && r.cpu < len(t.pending) {
		t.stack, t.frames = t.pending[r.cpu], true
	}
}

// functionHit takes a hit of the function tracer. Those off the charge path
// are counted by caller, unless a stack follows.
func (t *traceReader) functionHit(r *traceRow, fn, parent, s string, no int) {
	if onChargePath(fn) || onChargePath(parent) {
		e := t.event(r, s, "", no)
		e.Name, e.Func, e.Parent = "function", t.p.name(fn), t.p.name(parent)
		t.hold(r.cpu, e)
		return
	}
	t.flushCPU(r.cpu)
	comm := r.comm
	if comm == "" {
		comm = "[unknown]"
	}
	if parent == "" {
		parent = "[unknown]"
	}
	n := t.node(t.node(t.node(-1, comm), parent), fn)
	t.nodes[n].Calls++
	if r.cpu >= 0 && r.cpu < maxTraceCPU {
		for len(t.hits) <= r.cpu {
			t.hits = append(t.hits, lastHit{})
		}
		t.hits[r.cpu] = lastHit{n, r.pid, no}
	}
}

// lastHit is the function hit that a CPU's next row may be the stack of.
type lastHit struct {
	node      int32
	pid, line int
}

// hitEvent makes an event of the last hit on the row's CPU: its stack came.
func (t *traceReader) hitEvent(r *traceRow, s string) {
	h := &t.hits[r.cpu]
	n := &t.nodes[h.node]
	if n.Parent < 0 || n.Calls == 0 { // "[more]"
		return
	}
	e := t.event(r, s, "", h.line)
	e.Name, e.Func, e.Parent = "function", n.Func, t.nodes[n.Parent].Func
	e.Text = e.Func + " <-" + e.Parent
	n.Calls--
	h.line = 0
	t.hold(r.cpu, e)
}

// contextEntry names what the tracers of scheduling write besides events:
// "  47:120:D ==> [001]   12:120:R bash", "  47:120:R   + [001] ..."
// (trace_ctxwake_print, 2.6.28 to 7.x).
func contextEntry(s string) string {
	n, rest, ok := leadInt(s)
	if !ok || n < 0 || len(rest) < 9 || rest[0] != ':' {
		return ""
	}
	if _, rest, ok = leadInt(trimLeft(rest[1:])); !ok || len(rest) < 6 || rest[0] != ':' {
		return ""
	}
	switch rest = trimLeft(rest[2:]); {
	case strings.HasPrefix(rest, "==> ["):
		return "context_switch"
	case strings.HasPrefix(rest, "+ ["):
		return "wakeup"
	}
	return ""
}

// perfSample reads "250000 cpu-clock:pppH: ffffffff81a3c2d8 schedule+0x2d8 ...".
func perfSample(s string) (name, fields string) {
	period, rest := field(s)
	if _, ok := allInt(period); !ok {
		return "", ""
	}
	rest = trimLeft(rest)
	i := strings.IndexByte(rest, ':')
	if i <= 0 || strings.IndexByte(rest[:i], ' ') >= 0 {
		return "", ""
	}
	return rest[:i], period
}

// take makes an event of a row.
func (t *traceReader) take(r *traceRow, name, fields, s string, no int) *TraceEvent {
	e := t.event(r, s, fields, no)
	e.Name = t.p.name(name)
	e.Func = t.p.name(probe(fields))
	return e
}

// maxFields bounds what is kept of a row, bytes.
const maxFields = 4096

// event makes an event without a name. fields are a part of s.
func (t *traceReader) event(r *traceRow, s, fields string, no int) *TraceEvent {
	e := &TraceEvent{Comm: t.p.name(r.comm), Cut: r.cut, Pid: r.pid, HasPid: r.hasPid, Tgid: r.tgid, CPU: r.cpu, Time: r.time, HasTime: r.timed}
	e.Span = Span{Input: t.p.opt.Input, First: no, Last: no}
	e.Host = t.host
	at := len(s) - len(fields)
	if !strings.HasSuffix(s, fields) {
		at = max(0, strings.Index(s, fields)) // "/* event: fields */" of function_graph
	}
	end := min(at+len(fields), maxFields)
	raw := s[:min(len(s), maxFields)]
	kept := keep(raw)
	switch {
	case fields == "" || at >= end:
	case len(kept) == len(raw):
		e.Fields = kept[at:end]
	default:
		e.Fields = keep(raw[at:end])
	}
	kept = trim(kept)
	e.Text = kept[:min(len(kept), maxText)]
	switch {
	case t.stamped:
		e.Stamp = t.stamp
	case r.timed && !r.us && !r.count && r.time < 1e9:
		e.Stamp = Stamp{Boot: r.time, HasBoot: true}
	}
	e.End = e.Stamp
	return e
}

// functionHit reads "func <-parent" (trace_fn_trace) and trace-cmd's
// "function:             func <-- parent". Arguments (6.1x) may follow func.
func functionHit(s string) (fn, parent string, ok bool) {
	if r, cut := strings.CutPrefix(s, "function:"); cut {
		s = trimLeft(r)
	}
	i := strings.Index(s, " <-")
	if i <= 0 {
		return "", "", false
	}
	fn, parent = s[:i], s[i+3:]
	n := symbolLen(fn)
	if n == 0 || n < len(fn) && fn[n] != '+' && fn[n] != ' ' && fn[n] != '(' {
		return "", "", false
	}
	if n < len(fn) && fn[n] == ' ' && (n+1 >= len(fn) || fn[n+1] != '[') {
		return "", "", false
	}
	parent = trimLeft(strings.TrimPrefix(parent, "-"))
	if symbolLen(parent) == 0 && !strings.HasPrefix(parent, "0x") {
		return "", "", false
	}
	return fn, parent, true
}

// symbol is the name in "func+0x1/0x2 [mod]".
func symbol(s string) string { return s[:symbolLen(s)] }

// eventName splits "sched_switch: prev_comm=..." and "sched:sched_switch: ...";
// system calls print "sys_open(...)" and "sys_open -> 0x3".
func eventName(s string) (name, fields string) {
	n := symbolLen(s)
	if n > 0 && n < len(s) && s[n] == ':' {
		if n+1 < len(s) && s[n+1] != ' ' {
			if m := symbolLen(s[n+1:]); m > 0 && n+1+m < len(s) && s[n+1+m] == ':' {
				return s[n+1 : n+1+m], trimLeft(s[n+2+m:])
			}
		}
		return s[:n], trimLeft(s[n+1:])
	}
	if n == 0 {
		w, rest := field(s)
		if w = w[:min(len(w), 64)]; len(w) > 1 {
			w = strings.TrimSuffix(w, ":")
		}
		return w, trimLeft(rest)
	}
	return s[:n], trimLeft(s[n:])
}

// probe is the function in a probe event's "(func+0x0/0x50) args" or
// "(caller+0x13/0x60 <- func)", and in a function probe's "(func) args". The
// arguments of a system call are no function: "(fd: 3, buf: 7ffe)".
func probe(fields string) string {
	if fields == "" || fields[0] != '(' {
		return ""
	}
	in, _, _ := strings.Cut(fields[1:], ")")
	if i := strings.Index(in, " <- "); i >= 0 {
		in = in[i+4:]
	}
	n := symbolLen(in)
	if n < len(in) && in[n] != '+' && in[n] != ' ' || n+1 < len(in) && in[n] == ' ' && in[n+1] != '[' && in[n+1] != '<' {
		return ""
	}
	return in[:n]
}

// onChargePath tells whether a function is a part of charging memory to a
// group, or of what follows when that fails.
func onChargePath(fn string) bool {
	fn = symbol(fn)
	if len(fn) < 5 {
		return false
	}
	switch fn[0] {
	case 'm':
		return strings.HasPrefix(fn, "mem_cgroup_") && chargeWord(fn[11:]) || strings.HasPrefix(fn, "mark_oom_victim") || fn == "memory_max_write"
	case '_':
		return strings.HasPrefix(fn, "__mem_cgroup_") && chargeWord(fn[13:]) || strings.HasPrefix(fn, "__oom_")
	case 't':
		return strings.HasPrefix(fn, "try_charge") || strings.HasPrefix(fn, "try_to_free_mem_cgroup_pages")
	case 'o':
		return strings.HasPrefix(fn, "oom_kill_process") || strings.HasPrefix(fn, "oom_reap") || strings.HasPrefix(fn, "out_of_memory") || strings.HasPrefix(fn, "obj_cgroup_charge")
	case 'c':
		return strings.HasPrefix(fn, "charge_memcg")
	case 'p':
		return strings.HasPrefix(fn, "pagefault_out_of_memory")
	case 'd':
		return fn == "do_exit" || fn == "dump_header"
	case 'e':
		return fn == "exit_oom_victim"
	}
	return false
}

// chargeWord leaves out the statistics and lookups among mem_cgroup_*.
func chargeWord(s string) bool {
	for _, w := range [...]string{"charge", "try_charge", "newpage_charge", "cache_charge", "do_charge", "oom", "out_of_memory", "handle_o", "reclaim",
		"hierarchical_reclaim", "swapin_charge", "charge_common", "soft_limit_reclaim"} {
		if strings.HasPrefix(s, w) {
			return !strings.HasPrefix(s, "charge_statistics")
		}
	}
	return false
}

// openStack begins the kernel stack of the last event of the row's CPU.
func (t *traceReader) openStack(r *traceRow, s string) {
	t.frames = true
	if r.cpu >= 0 && r.cpu < len(t.hits) && t.hits[r.cpu].line > 0 && t.hits[r.cpu].pid == r.pid && (r.cpu >= len(t.pending) || t.pending[r.cpu] == nil) {
		t.hitEvent(r, s)
	}
	if r.cpu < 0 || r.cpu >= len(t.pending) {
		return
	}
	if e := t.pending[r.cpu]; e != nil && e.Pid == r.pid && e.Stack == nil {
		t.stack = e
	}
}

// frame takes one " => func+0x41/0x60 <ffffffff892ca011>" line. In a cut trace
// the first ones may be nobody's.
func (t *traceReader) frame(s string, no int) {
	if t.stack == nil || len(t.kept) >= t.p.opt.MaxFrames {
		return
	}
	if f, ok := traceFrame(s); ok {
		f.Func, f.Module, f.Line = t.p.name(f.Func), t.p.name(f.Module), no
		t.kept = append(t.kept, f)
		t.stack.Span.Last = no
	}
}

// traceFrame reads a frame as ftrace, trace-cmd and bpftrace print it.
func traceFrame(s string) (f Frame, ok bool) {
	n := symbolLen(s)
	if n == 0 {
		return f, false // "0x0", "<00007f...>"
	}
	f.Func, f.Reliable = s[:n], true
	s = s[n:]
	if strings.HasPrefix(s, "+0x") {
		off, rest, ok := leadHex(s[3:])
		if !ok || off >= 1<<32 {
			return f, false
		}
		s = rest
		if strings.HasPrefix(s, "/0x") {
			size, rest, ok := leadHex(s[3:])
			if !ok || size >= 1<<32 {
				return f, false
			}
			f.Offset, f.Size, f.HasOffset, s = uint32(off), uint32(size), true, rest
		}
	} else if strings.HasPrefix(s, "+") { // bpftrace: decimal
		_, s, _ = leadInt(s[1:])
	}
	s = trimLeft(s)
	if strings.HasPrefix(s, "[") {
		if i := strings.IndexByte(s, ']'); i > 0 {
			f.Module, s = s[1:i], trimLeft(s[i+1:])
		}
	}
	if len(s) > 2 && (s[0] == '<' || s[0] == '(') {
		if a, _, ok := leadHex(strings.TrimPrefix(s[1:], "0x")); ok && a != 0 {
			f.Addr, f.HasAddr = a, true
		}
	}
	return f, true
}

// perfFrame reads perf script's "ffffffff81a3c2d8 __schedule+0x2d8 ([kernel.kallsyms])".
func (t *traceReader) perfFrame(s string, no int) bool {
	addr, rest, ok := leadHex(s)
	if !ok || rest == "" || rest[0] != ' ' || len(s)-len(rest) < 6 {
		return false
	}
	f, ok := traceFrame(trimLeft(rest))
	if !ok {
		return true // user space
	}
	if addr>>63 == 0 && addr>>31 == 0 || strings.Contains(rest, "(/") {
		return true
	}
	if i := strings.LastIndex(rest, " (["); i >= 0 {
		if m := strings.TrimSuffix(rest[i+3:], "])"); !strings.HasPrefix(m, "kernel.") && !strings.HasPrefix(m, "guest.") {
			f.Module = m
		}
	}
	if t.stack != nil && len(t.kept) < t.p.opt.MaxFrames {
		f.Addr, f.HasAddr, f.Line = addr, true, no
		f.Func, f.Module = t.p.name(f.Func), t.p.name(f.Module)
		t.kept = append(t.kept, f)
		t.stack.Span.Last = no
	}
	return true
}
