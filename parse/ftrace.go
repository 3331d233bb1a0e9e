package parse

import (
	"cmp"
	"slices"
	"strings"
)

// TraceEvent is one event of an ftrace text. Of functions only those on the
// charge path, and hits with a stack, are events; TraceInfo.Nodes counts the
// others.
type TraceEvent struct {
	Meta
	Comm    string // "" where the trace prints "<...>"
	Cut     bool   // Comm may be cut: to 7 letters in function_graph, to 8 in dumps
	Pid     int    // thread id, valid if HasPid
	HasPid  bool
	Tgid    int     // 0 if not printed
	CPU     int     // -1 if not printed
	Time    float64 // seconds on the trace's clock, valid if HasTime
	HasTime bool

	// Name is the event's without its system. "function" is a hit of the
	// function tracer, "call" a finished and "open" an unfinished function of
	// function_graph, "hist" an entry of a hist trigger's table, "kstack" one of
	// a bpftrace map by stack.
	Name     string
	Fields   string       // as printed
	Func     string       // of a function hit, probe or call
	Parent   string       // its caller, "" if not known
	Duration float64      // of a call, seconds
	Open     int          // of "open": line where Func was entered
	Stack    []Frame      // kernel stack, innermost first; the callers of a call
	Values   []TraceValue // of "hist" and "kstack"
}

// TraceCount is how often an event came.
type TraceCount struct {
	Name  string
	Count int64
	First int // line
	Last  int
}

// TraceInfo is what is known about a whole trace, emitted at its end.
type TraceInfo struct {
	Meta
	Tracer      string  // nop function function_graph ..., "" without a header
	First, Last float64 // seconds on the trace's clock, valid if HasTime
	HasTime     bool
	Counter     bool         // the times are counts of a clock (counter, uptime, x86-tsc), and no seconds
	Relative    bool         // they count from the trace's begin
	Summed      bool         // function_graph without times: they are sums of durations, each at least so late
	Lost        int64        // events that the kernel says it lost
	Names       []TraceCount // every event by name, most frequent first
	Nodes       []TraceNode  // the calls of function_graph, parents before children
}

// TraceNode is one call path of function_graph: all calls of Func under the
// same callers by tasks of the same name.
type TraceNode struct {
	Parent int    // index of the caller, -1 for a task's name
	Func   string // the task's name if Parent is -1
	Calls  int64
	SelfNS int64 // time in Func and in callees that were not traced
}

// The framings that a trace can have; see Result.Framing.
const (
	framingFtrace   = "ftrace"
	framingTraceCmd = "trace_cmd"
)

// maxTraceNames bounds the event names counted one by one, maxNodes the call
// paths.
const (
	maxTraceNames = 512
	maxNodes      = 1 << 16
	maxTraceCPU   = 1 << 13
	maxQueue      = 1 << 12
)

// traceReader reads ftrace text. Its state is per CPU and task, so a trace of
// any length streams in bounded memory.
type traceReader struct {
	p     *parser
	on    bool // the input is a trace, or a dump of one is being read
	dump  int  // 1 after "Dumping ftrace buffer:", 2 between the dashes
	cmd   bool // written by trace-cmd
	graph bool // "# tracer: function_graph"
	hist  bool // inside "# event histogram"
	bpf   bpfMap
	table *TraceEvent // the entry of a hist trigger's table or of a bpftrace map being read
	perf  bool        // the last row was perf script's: its stack lines have no "=>"

	tracer   string
	first    int // line
	last     int
	lines    int   // of the whole input
	seen     int64 // of this trace
	written  int64 // "entries-in-buffer/entries-written: IN/WRITTEN"
	inBuffer int64
	lost     int64
	bareRows int64 // rows without task, CPU and time
	cpus     int   // "#P:2", 0 if not told
	cpu      int   // 1 + the CPU of all rows so far
	manyCPUs bool  // they are of several
	t0, t1   float64
	timed    bool
	lat      bool // times are relative: "12345us"
	counter  bool // times have no unit
	summed   bool // times are sums of function_graph's durations
	least    float64
	leastOn  []float64 // by CPU
	head     int       // line of "# tracer:", 0 if the trace began without
	names    map[string]*TraceCount
	over     TraceCount // events whose name is not counted by itself
	host     string
	stamp    Stamp // of the dump's line in the log
	stamped  bool

	pending []*TraceEvent // by CPU: the last event, until its stack came
	hits    []lastHit     // by CPU: the last function hit without an event
	queue   []*TraceEvent // what is not sent yet, in the order of the text
	stack   *TraceEvent   // whose frames are being read
	frames  bool          // frame lines continue a stack
	kept    []Frame

	nodes   []TraceNode
	child   map[nodeKey]int32
	tasks   map[int]*graphTask
	current map[int]int // CPU -> pid, from the switch lines of function_graph
}

// raw takes a line of the input before its framing is looked at. It returns
// false for a line that is no part of a trace.
func (t *traceReader) raw(s string, no int) bool {
	if t.dump == 0 && !t.on && !startsTrace(s) {
		return false
	}
	if t.dump != 0 {
		return false // the dump's lines are the log's
	}
	if !t.line(s, no) {
		return false
	}
	t.lines++
	return true
}

// startsTrace tells whether a line shows that the input is a trace. It must
// cost little: it sees every line of every log.
func startsTrace(s string) bool {
	i := 0
	for i < len(s) && s[i] == ' ' {
		i++
	}
	if i == 0 && s != "" && s[0] == '@' {
		return bpfStart(s)
	}
	if len(s)-i < 6 {
		return false
	}
	switch c := s[i]; {
	case c == '#':
		return strings.HasPrefix(s, "# tracer: ") || strings.HasPrefix(s, "# event histogram")
	case c == '[' || c == '<' && s[i+1] != '.' && s[i+1] != 'i':
		return false
	case c == 'C' && strings.HasPrefix(s, "CPU:") && (strings.HasSuffix(s, " EVENTS]") || strings.HasSuffix(s, " DROPPED]")):
		return true
	case c == 'c' && strings.HasPrefix(s, "cpus="):
		_, ok := allInt(s[5:])
		return ok
	case isDigit(c):
		_, ok := scanGraph(s)
		return ok
	case c == '=' || c == ' ':
		return false
	}
	for j := i; ; {
		k := strings.IndexByte(s[j:], '[')
		if k < 0 {
			break
		}
		j += k + 1
		if j > 1 && s[j-2] == ' ' && j+4 < len(s) && isDigit(s[j]) && isDigit(s[j+1]) && isDigit(s[j+2]) {
			e := j + 3
			for e < len(s) && isHex(s[e]) {
				e++
			}
			if e == len(s) || s[e] != ']' { // printk's stamp
				continue
			}
			r, ok := scanRow(s)
			return ok && r.timed
		}
	}
	return false
}

// inLog takes a line of a log, unwrapped: ftrace dumps into it on an oops or
// on sysrq-z (ftrace_dump, kernel/trace/trace.c).
func (t *traceReader) inLog(ln *line) bool {
	s := ln.text
	if t.dump == 0 {
		if len(s) < 22 || s[0] != 'D' || !strings.HasPrefix(s, "Dumping ftrace buffer:") {
			return false
		}
		t.finish()
		t.begin(ln.no)
		t.dump, t.host, t.last = 1, ln.host, ln.no
		return true
	}
	if ln.no-t.last > maxGap*4 && !strings.HasPrefix(s, "----") {
		t.finish() // its end was lost
		return false
	}
	if strings.HasPrefix(s, "-----------------------") {
		t.last = ln.no
		if t.dump == 2 {
			t.finish()
		} else {
			t.dump = 2
		}
		return true
	}
	if s == "" || t.dump == 1 {
		return strings.Contains(s, "(ftrace buffer empty)")
	}
	t.stamp, t.stamped = Stamp{Boot: ln.boot, HasBoot: ln.hasBoot, Wall: ln.wall}, true
	return t.line(s, ln.no)
}

func (t *traceReader) begin(no int) {
	p := t.p
	lines, cmd := t.lines, t.cmd
	*t = traceReader{p: p, lines: lines, cmd: cmd, on: true, first: no, last: no, names: map[string]*TraceCount{}}
}

// line takes a line of a trace.
func (t *traceReader) line(s string, no int) bool {
	if !t.on {
		t.begin(no)
	}
	s = trimRight(strings.TrimSuffix(s, "\r"))
	if s == "" {
		t.endStack()
		t.perf = false
		return false
	}
	if t.bpf.on {
		return t.bpfLine(s, no)
	}
	c := s[0]
	if c == ' ' || c == '\t' || c == '=' || c == '<' {
		x := trimLeft(s)
		if len(x) > 2 && x[1] == '>' && x[0] == '=' || strings.HasPrefix(x, "<= ") {
			t.last = no
			t.frame(trimLeft(x[2:]), no)
			return true
		}
		if t.perf && isHex(x[0]) && t.perfFrame(x, no) {
			t.last = no
			return true
		}
	}
	t.perf = false
	if c == '#' && (len(s) == 1 || !isDigit(s[1])) {
		t.header(s, no)
		return true
	}
	if t.hist {
		return t.histLine(s, no)
	}
	if t.graph || c == ' ' || isDigit(c) {
		if g, ok := scanGraph(s); ok {
			t.last = no
			t.graphLine(&g, s, no)
			return true
		}
	}
	if r, ok := scanRow(s); ok {
		t.last = no
		t.row(&r, s, no)
		return true
	}
	if t.bare(s, no) {
		return true
	}
	switch {
	case strings.HasPrefix(s, "CPU:") || strings.HasPrefix(s, "CPU "):
		if n, cpu, ok := lostLine(s); ok {
			t.last = no
			t.drop(n, cpu, no)
			return true
		}
	case c == '@' && bpfStart(s):
		return t.bpfLine(s, no)
	case strings.HasPrefix(s, "##### CPU "), strings.HasPrefix(s, " ----------"), strings.HasPrefix(s, "version = "),
		strings.HasPrefix(s, "cpus="), strings.HasPrefix(s, "Attaching "):
		if c == 'c' {
			t.cmd = true
		}
		return true
	}
	return false
}

// bare takes a row without task, CPU and time, as the kernel prints it with
// options/context-info off: then all rows behind the header are such.
func (t *traceReader) bare(s string, no int) bool {
	if t.head == 0 || t.seen != t.bareRows {
		return false
	}
	n := symbolLen(s)
	if n == 0 && s[0] != '<' || n > 0 && (n+2 >= len(s) || s[n] != ':' && s[n] != '(' && s[n:n+2] != " <" && s[n:n+2] != " -") {
		return false
	}
	if t.bareRows == 0 {
		t.p.diag(no, "info", "no-context", "the rows of this trace tell no task, CPU and time (options/context-info was off): no states come of it")
	}
	t.last = no
	r := traceRow{cpu: -1, rest: s}
	t.row(&r, s, no)
	t.bareRows = t.seen
	return true
}

// header reads the comment lines in front of a trace.
func (t *traceReader) header(s string, no int) {
	if r, ok := strings.CutPrefix(s, "# tracer: "); ok {
		if t.seen > 0 {
			t.finish()
			t.begin(no)
		}
		t.tracer, t.head = t.p.name(trim(r)), no
		t.graph = strings.HasPrefix(t.tracer, "function_graph")
		return
	}
	if r, ok := after(s, "entries-in-buffer/entries-written: "); ok {
		n, rest, _ := leadInt(r)
		t.inBuffer = n
		if strings.HasPrefix(rest, "/") {
			t.written, _, _ = leadInt(rest[1:])
		}
		if r, ok := after(r, "#P:"); ok {
			n, _, _ := leadInt(r)
			t.cpus = int(min(n, maxTraceCPU))
		}
		return
	}
	if strings.Contains(s, " latency trace v") {
		t.p.diag(no, "info", "latency-tracer", "the header of the "+t.tracer+" tracer is passed over; its rows are read as a trace")
		return
	}
	t.hist = t.hist || strings.HasPrefix(s, "# event histogram")
}

// lostLine reads "CPU:1 [LOST 123 EVENTS]" and trace-cmd's "CPU:1 [12 EVENTS
// DROPPED]", "CPU:1 [EVENTS DROPPED]".
func lostLine(s string) (n int64, cpu int, ok bool) {
	c, r, ok := leadInt(s[4:])
	if !ok || c < 0 || c >= maxTraceCPU {
		return 0, 0, false
	}
	r, ok = strings.CutPrefix(trimLeft(r), "[")
	if !ok {
		return 0, 0, false
	}
	r = strings.TrimPrefix(r, "LOST ")
	n, rest, counted := leadInt(r)
	if !counted {
		n, rest = 0, r
	}
	return n, int(c), strings.HasPrefix(trimLeft(rest), "EVENTS")
}

func (t *traceReader) drop(n int64, cpu, no int) {
	t.lost += max(n, 1)
	if n > 0 {
		t.p.diag(no, "warning", "lost-events", "CPU "+itoa(cpu)+" lost "+itoa(int(n))+" events here")
	} else {
		t.p.diag(no, "warning", "lost-events", "CPU "+itoa(cpu)+" lost events here")
	}
	t.endStack()
	t.flushCPU(cpu)
	for _, g := range t.tasks {
		if g.cpu == cpu {
			g.open = g.open[:0]
		}
	}
}

// count counts one row.
func (t *traceReader) count(name string, no int) {
	t.seen++
	t.last = no
	t.p.res.Records.FtraceEvent++
	n := t.names[name]
	if n == nil {
		n = &t.over
		if len(t.names) < maxTraceNames && len(name) <= 128 {
			n = &TraceCount{Name: keep(name)}
			t.names[n.Name] = n
		}
	}
	if n.Count++; n.First == 0 {
		n.First = no
	}
	n.Last = no
}

func (t *traceReader) clock(sec float64, relative, counter bool) {
	if !t.timed || sec < t.t0 {
		t.t0 = sec
	}
	if !t.timed || sec > t.t1 {
		t.t1 = sec
	}
	t.timed, t.lat, t.counter = true, t.lat || relative, t.counter || counter
}

// emitted events.

// send sends an event behind those of the text before it. Some may still wait
// for their stacks: other CPUs' events come between an event and its stack.
func (t *traceReader) send(e *TraceEvent) {
	if e == nil {
		return
	}
	t.queue = append(t.queue, e)
	t.drain()
}

// drain sends the events at the head of the queue that miss no stack. A CPU
// that falls silent does not hold the others up for long.
func (t *traceReader) drain() {
	n := 0
	for ; n < len(t.queue); n++ {
		e := t.queue[n]
		if c := e.CPU; c >= 0 && c < len(t.pending) && t.pending[c] == e && (e.Stack == nil || t.stack == e) {
			if len(t.queue)-n <= maxQueue {
				break
			}
			t.pending[c] = nil
		}
		t.p.send(e)
	}
	if n > 0 {
		t.queue = slices.Delete(t.queue, 0, n)
	}
}

func (t *traceReader) flushCPU(cpu int) {
	if cpu >= 0 && cpu < len(t.pending) {
		t.pending[cpu] = nil
		t.drain()
	}
}

// hold sends an event once its stack came, or the next row of its CPU.
func (t *traceReader) hold(cpu int, e *TraceEvent) {
	t.flushCPU(cpu)
	if e != nil && cpu >= 0 && cpu < maxTraceCPU {
		for len(t.pending) <= cpu {
			t.pending = append(t.pending, nil)
		}
		t.pending[cpu] = e
	}
	t.send(e)
}

func (t *traceReader) endStack() {
	if e := t.stack; e != nil {
		e.Stack = slices.Clone(t.kept)
		t.stack = nil
	}
	t.kept, t.frames = t.kept[:0], false
}

// finish ends a trace.
func (t *traceReader) finish() {
	if !t.on {
		return
	}
	t.endStack()
	if t.bpf.on {
		t.bpfEnd(max(t.bpf.sum, 1))
	}
	t.endTable()
	for cpu := range t.pending {
		t.flushCPU(cpu)
	}
	t.openCalls()
	if t.seen > 0 {
		info := &TraceInfo{Tracer: t.tracer, First: t.t0, Last: t.t1, HasTime: t.timed, Counter: t.counter, Relative: t.lat, Summed: t.summed, Lost: t.lost, Nodes: t.nodes}
		info.Span = Span{Input: t.p.opt.Input, First: t.first, Last: t.last}
		info.Host = t.host
		if t.dump != 0 {
			info.Stamp, info.End = t.stamp, t.stamp
		} else if t.bootClock() {
			info.Stamp, info.End = Stamp{Boot: t.t0, HasBoot: true}, Stamp{Boot: t.t1, HasBoot: true}
		}
		for _, n := range t.names {
			info.Names = append(info.Names, *n)
		}
		slices.SortFunc(info.Names, func(a, b TraceCount) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Name, b.Name))
		})
		if t.over.Count > 0 {
			info.Names = append(info.Names, t.over)
		}
		t.p.send(info)
		if t.summed {
			t.p.diag(t.first, "info", "summed-times", "function_graph without times (funcgraph-abstime): a time here is what passed at least since the trace began, by the durations of the calls")
		}
		if t.counter {
			t.p.diag(t.first, "info", "counter-clock", "the times of this trace are counts and no seconds (trace_clock counter, uptime or x86-tsc): its order holds, durations have no unit")
		}
		switch {
		case t.head == 0 || t.inBuffer <= t.seen:
		case t.cpu > 0 && !t.manyCPUs && t.cpus > 1: // get_total_entries(): the header of per_cpu/cpuN/trace counts all CPUs
			t.p.diag(t.last, "info", "one-cpu", "the header tells of "+itoa(int(t.inBuffer))+" entries of "+itoa(t.cpus)+" CPUs, "+itoa(int(t.seen))+" of CPU "+itoa(t.cpu-1)+
				" are here: it is the file of one CPU, or was cut")
		default:
			t.p.diag(t.last, "warning", "cut-trace", "the header tells of "+itoa(int(t.inBuffer))+" entries, "+itoa(int(t.seen))+" are here: the trace was cut")
		}
		if t.written > t.inBuffer && t.inBuffer > 0 {
			t.p.diag(t.head, "info", "overwritten", itoa(int(t.written-t.inBuffer))+" older entries were overwritten in the ring buffer before it was read")
		}
	}
	p, lines, cmd := t.p, t.lines, t.cmd
	*t = traceReader{p: p, lines: lines, cmd: cmd}
}

// bootClock: the clocks local, global, boot, mono and perf count from boot as
// printk does; counters and wall clocks (tai) do not.
func (t *traceReader) bootClock() bool { return t.timed && !t.lat && !t.counter && t.t1 < 1e9 }

// framing names the input's framing if most of it is a trace.
func (t *traceReader) framing(others int) string {
	switch {
	case t.lines == 0 || others > t.lines:
		return ""
	case t.cmd:
		return framingTraceCmd
	}
	return framingFtrace
}

// binaryTrace says what to do with a recording that is not text, "" for
// anything else.
func binaryTrace(data []byte) string {
	switch s := string(data[:min(len(data), 16)]); {
	case strings.HasPrefix(s, "\x17\x08\x44tracing"):
		return "this is trace-cmd's binary trace.dat; make text of it with: trace-cmd report -i trace.dat > trace.txt"
	case strings.HasPrefix(s, "PERFILE2"):
		return "this is a binary perf.data; make text of it with: perf script -i perf.data > trace.txt"
	}
	return ""
}
