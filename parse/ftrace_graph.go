package parse

import (
	"cmp"
	"slices"
	"strings"
)

// graphRow is one row of function_graph (trace_functions_graph.c):
//
//	1234.567890 |   1)  comm-1234   | ! 255.034 us  |  func();
//	 1)               |    func() {
//	 1) + 12.345 us   |    }
//	 1)   comm-1    =>   comm-2
type graphRow struct {
	kind   graphKind
	cpu    int
	comm   string
	pid    int
	hasPid bool
	time   float64
	timed  bool
	least  bool    // time is what passed at least since the trace began
	dur    float64 // seconds, valid if hasDur
	hasDur bool
	depth  int
	fn     string // "" for an exit without a name
	text   string // of an event

	toComm string // of a switch
	toPid  int
}

type graphKind uint8

const (
	graphEntry graphKind = iota
	graphLeaf
	graphExit
	graphEvent  // "/* sched_switch: ... */"
	graphSwitch // "comm-1 => comm-2"
	graphMark   // "==========> |", "(Overruns: 3)"
)

// scanGraph reads a row of function_graph.
func scanGraph(s string) (g graphRow, ok bool) {
	g.cpu = -1
	t := trimLeft(s)
	if t == "" {
		return g, false
	}
	cols := 0
	for range 2 { // absolute and relative time
		if !isDigit(t[0]) {
			break
		}
		w, rest := field(t)
		r := traceRow{}
		if strings.IndexByte(w, '.') <= 0 || !r.number(w) || r.us {
			break
		}
		rest = trimLeft(rest)
		if strings.HasPrefix(rest, "us") {
			rest = trimLeft(rest[2:])
			if !strings.HasPrefix(rest, "|  ") { // relative time: "12.3 us | "
				return g, false
			}
			break // it was the duration
		}
		if rest == "" || rest[0] != '|' {
			return g, false
		}
		if !g.timed {
			g.time, g.timed = r.time, true
		}
		cols++
		if t = trimLeft(rest[1:]); t == "" {
			return g, false
		}
	}
	if n, rest, num := leadInt(t); num && n >= 0 && n < maxTraceCPU && strings.HasPrefix(rest, ")") {
		g.cpu = int(n)
		t = rest[1:]
		cols++
	}
	if cols == 0 {
		return g, false
	}
	if i := strings.IndexByte(t, '|'); i < 0 {
		return g, g.taskSwitch(t)
	}
	for range 4 {
		i := strings.IndexByte(t, '|')
		if i < 0 {
			break
		}
		col := trim(t[:i])
		if g.duration(col) {
			return g, g.body(t[i+1:])
		}
		if col == "==========>" || col == "<==========" {
			g.kind = graphMark
			return g, true
		}
		if len(col) <= 8 && traceFlags(col) {
			t = t[i+1:]
			continue
		}
		c, pid, ok := commPid(col, '-')
		if !ok {
			return g, false
		}
		if c != "<...>" {
			g.comm = c
		}
		g.pid, g.hasPid = pid, true
		t = t[i+1:]
	}
	return g, g.hasPid && g.body(t)
}

// duration reads "! 255.034 us", or nothing.
func (g *graphRow) duration(s string) bool {
	if s == "" {
		return true
	}
	if strings.IndexByte("+!#*@$", s[0]) >= 0 {
		s = trimLeft(s[1:])
	}
	w, rest := field(s)
	if trimLeft(rest) != "us" {
		return false
	}
	r := traceRow{}
	if !r.number(w) {
		return false
	}
	if r.count {
		r.time *= 1e9 // no fraction
	}
	g.dur, g.hasDur = r.time/1e6, true
	return true
}

// scanGraphBody reads trace-cmd's funcgraph_entry and funcgraph_exit:
// "! 12.3 us   |  func();".
func scanGraphBody(s string) (g graphRow, ok bool) {
	g.cpu = -1
	i := strings.IndexByte(s, '|')
	if i < 0 || !g.duration(trim(s[:i])) {
		return g, false
	}
	return g, g.body(s[i+1:])
}

// body reads the function behind the last column.
func (g *graphRow) body(s string) bool {
	t := trimLeft(s)
	g.depth = max(0, (len(s)-len(t)-2)/2)
	t = trimRight(t)
	switch {
	case t == "":
		return false
	case t[0] == '}':
		g.kind = graphExit
		if r, ok := after(t, "/* "); ok {
			g.fn = symbol(r)
			if n := len(g.fn); n < len(r) && r[n] == '=' {
				g.fn = "" // "/* ret=0x0 */"
			}
		}
		return true
	case strings.HasPrefix(t, "/*"):
		g.kind = graphEvent
		g.text = trim(strings.TrimSuffix(t[2:], "*/"))
		return g.text != ""
	case t[0] == '(': // "(Overruns: 3)"
		g.kind = graphMark
		return true
	}
	n := symbolLen(t)
	if n == 0 {
		if !strings.HasPrefix(t, "0x") {
			return false
		}
		n = 2
		for n < len(t) && isHex(t[n]) {
			n++
		}
	}
	g.fn = t[:n]
	if n == len(t) || t[n] != '(' && t[n] != ' ' && t[n] != '+' {
		return false
	}
	r, _, _ := strings.Cut(t[n:], " /* ")
	switch r = trimRight(r); {
	case strings.HasSuffix(r, "{"):
		g.kind = graphEntry
	case strings.HasSuffix(r, ";"):
		g.kind = graphLeaf
	default:
		return false
	}
	return true
}

// taskSwitch reads the line between two rules: "comm-1    =>   comm-2".
func (g *graphRow) taskSwitch(s string) bool {
	from, to, ok := strings.Cut(s, "=>")
	if !ok {
		return false
	}
	c, pid, ok := commPid(trim(from), '-')
	if !ok {
		return false
	}
	if g.toComm, g.toPid, ok = commPid(trim(to), '-'); !ok {
		return false
	}
	g.kind, g.comm, g.pid, g.hasPid = graphSwitch, c, pid, true
	return true
}

// graphTask is the call stack of one task, or of what runs on a CPU while its
// task is not known.
type graphTask struct {
	comm  string
	pid   int
	known bool
	cpu   int
	root  int32
	open  []graphCall
	seen  int // rows of all tasks when it last had one
}

type graphCall struct {
	node   int32
	depth  int
	line   int
	start  float64
	timed  bool
	callee float64 // seconds in traced callees
}

type nodeKey struct {
	parent int32
	fn     string
}

// node finds or makes the call path of fn under parent.
func (t *traceReader) node(parent int32, fn string) int32 {
	if i, ok := t.child[nodeKey{parent, fn}]; ok {
		return i
	}
	if t.child == nil {
		t.child = make(map[nodeKey]int32)
	}
	if len(t.nodes) >= maxNodes {
		if fn = "[more]"; parent < 0 {
			return 0
		}
		if i, ok := t.child[nodeKey{-2, fn}]; ok {
			return i
		}
	}
	i := int32(len(t.nodes))
	fn = t.p.name(fn)
	key := nodeKey{parent, fn}
	if len(t.nodes) >= maxNodes {
		key.parent, parent = -2, -1
	}
	t.nodes = append(t.nodes, TraceNode{Parent: int(parent), Func: fn})
	t.child[key] = i
	return i
}

// maxGraphTasks bounds the tasks with a call stack; those without open calls
// go first.
const maxGraphTasks = 1 << 15

func (t *traceReader) graphTask(g *graphRow) *graphTask {
	pid, known := g.pid, g.hasPid
	if !known {
		if pid, known = t.current[g.cpu]; !known {
			pid = -1 - g.cpu
		}
	}
	key := pid
	if known && pid == 0 {
		key = -1 - maxTraceCPU - g.cpu // each CPU has an idle task
	}
	k := t.tasks[key]
	if k == nil {
		if t.tasks == nil {
			t.tasks = make(map[int]*graphTask)
		}
		if len(t.tasks) >= maxGraphTasks {
			for id, o := range t.tasks {
				if len(o.open) == 0 {
					delete(t.tasks, id)
				}
			}
			if len(t.tasks) >= maxGraphTasks {
				clear(t.tasks)
			}
		}
		k = &graphTask{pid: pid, known: known, root: -1}
		t.tasks[key] = k
	}
	if g.comm != "" && k.comm != g.comm || k.root < 0 {
		if g.comm != "" {
			k.comm = t.p.name(g.comm)
		}
		name := k.comm
		if name == "" {
			name = "[unknown]"
		}
		k.root = t.node(-1, name)
	}
	k.cpu = g.cpu
	return k
}

// graphLine takes one row of function_graph.
func (t *traceReader) graphLine(g *graphRow, s string, no int) {
	t.endStack()
	switch g.kind {
	case graphMark:
		return
	case graphSwitch:
		if t.current == nil {
			t.current = make(map[int]int)
		}
		if g.cpu >= 0 {
			t.current[g.cpu] = g.toPid
			t.graphTask(&graphRow{cpu: g.cpu, comm: g.toComm, pid: g.toPid, hasPid: true})
		}
		return
	}
	k := t.graphTask(g)
	if !g.timed && (!t.timed || t.summed) {
		t.sum(g, k)
	}
	if g.timed {
		t.clock(g.time, g.least, false)
	}
	k.seen = no
	if g.kind == graphEvent {
		name, fields := eventName(g.text)
		t.count(name, no)
		r := k.row(g)
		t.hold(g.cpu, t.take(&r, name, fields, s, no))
		return
	}
	t.count("function_graph", no)
	switch g.kind {
	case graphEntry, graphLeaf:
		for n := len(k.open); n > 0 && k.open[n-1].depth >= g.depth; n-- {
			k.open = k.open[:n-1] // its end was lost
		}
		parent := k.root
		if n := len(k.open); n > 0 {
			parent = k.open[n-1].node
		}
		c := graphCall{node: t.node(parent, g.fn), depth: g.depth, line: no, start: g.time, timed: g.timed}
		t.nodes[c.node].Calls++
		if g.kind == graphLeaf {
			t.leave(k, &c, g, s, no)
		} else if len(k.open) < t.p.opt.MaxFrames {
			k.open = append(k.open, c)
		}
	case graphExit:
		n := len(k.open)
		for n > 0 && k.open[n-1].depth > g.depth {
			n--
		}
		if n == 0 || k.open[n-1].depth < g.depth || g.fn != "" && t.nodes[k.open[n-1].node].Func != g.fn {
			k.open = k.open[:n]
			if g.fn != "" { // the entry stands before the trace's start
				parent := k.root
				if n > 0 {
					parent = k.open[n-1].node
				}
				c := graphCall{node: t.node(parent, g.fn), depth: g.depth, line: no}
				t.nodes[c.node].Calls++
				t.leave(k, &c, g, s, no)
			}
			return
		}
		c := k.open[n-1]
		k.open = k.open[:n-1]
		t.leave(k, &c, g, s, no)
	}
}

// sum gives a row of a trace without times (funcgraph-abstime is off unless set)
// the time that passed at least. The rows stand in the order of time; on a CPU
// the next one comes after a leaf's duration; a call ends its duration after it
// began. What no call covers is not in it.
func (t *traceReader) sum(g *graphRow, k *graphTask) {
	at := t.least
	if g.cpu >= 0 && g.cpu < len(t.leastOn) {
		at = max(at, t.leastOn[g.cpu])
	}
	if g.kind == graphExit && g.hasDur {
		for i := len(k.open) - 1; i >= 0; i-- {
			if c := &k.open[i]; c.depth <= g.depth {
				if c.depth == g.depth && c.timed && g.dur < 1e9 {
					at = max(at, c.start+g.dur)
				}
				break
			}
		}
	}
	t.least, t.summed = at, true
	g.time, g.timed, g.least = at, true, true
	if g.kind == graphLeaf && g.hasDur && g.dur < 1e9 && g.cpu >= 0 && g.cpu < maxTraceCPU {
		for len(t.leastOn) <= g.cpu {
			t.leastOn = append(t.leastOn, 0)
		}
		t.leastOn[g.cpu] = at + g.dur
	}
}

func (k *graphTask) row(g *graphRow) traceRow {
	r := traceRow{us: g.least, comm: k.comm, cut: len(k.comm) == 7, cpu: g.cpu, time: g.time, timed: g.timed}
	if k.known {
		r.pid, r.hasPid = k.pid, true
	}
	return r
}

// leave accounts a finished call and tells of it if it is on the charge path.
func (t *traceReader) leave(k *graphTask, c *graphCall, g *graphRow, s string, no int) {
	if g.hasDur {
		if self := g.dur - c.callee; self > 0 {
			t.nodes[c.node].SelfNS += int64(self*1e9 + 0.5)
		}
		if n := len(k.open); n > 0 {
			k.open[n-1].callee += g.dur
		}
	}
	fn := t.nodes[c.node].Func
	if !onChargePath(fn) && !(sleeps(fn) && t.underCharge(k)) {
		return
	}
	r := k.row(g)
	if c.timed {
		r.time, r.timed = c.start, true
	} else if g.timed && g.hasDur {
		r.time = g.time - g.dur
	}
	e := t.event(&r, s, "", no)
	e.Name, e.Func, e.Duration = "call", fn, g.dur
	e.Span.First = c.line
	t.callers(k, e, len(k.open))
	t.send(e)
}

// sleeps tells whether fn gives up the CPU.
func sleeps(fn string) bool {
	return strings.HasPrefix(fn, "schedule") || strings.HasPrefix(fn, "io_schedule") || fn == "__schedule"
}

func (t *traceReader) underCharge(k *graphTask) bool {
	for i := len(k.open) - 1; i >= 0; i-- {
		if onChargePath(t.nodes[k.open[i].node].Func) {
			return true
		}
	}
	return false
}

// callers makes the open calls below n the event's stack.
func (t *traceReader) callers(k *graphTask, e *TraceEvent, n int) {
	for i := n - 1; i >= 0; i-- {
		c := &k.open[i]
		e.Stack = append(e.Stack, Frame{Func: t.nodes[c.node].Func, Reliable: true, Line: c.line})
	}
	if len(e.Stack) > 0 {
		e.Parent = e.Stack[0].Func
	}
}

// openCalls tells, for each task with unfinished calls, where it still is.
func (t *traceReader) openCalls() {
	last := map[int]*graphTask{} // the last task on each CPU
	var all []*graphTask
	for _, k := range t.tasks {
		all = append(all, k)
		if o := last[k.cpu]; o == nil || k.seen > o.seen {
			last[k.cpu] = k
		}
	}
	slices.SortFunc(all, func(a, b *graphTask) int { return cmp.Or(cmp.Compare(a.seen, b.seen), cmp.Compare(a.pid, b.pid)) })
	for _, k := range all {
		n := len(k.open)
		if n == 0 || k.known && k.pid == 0 {
			continue
		}
		c := k.open[n-1]
		g := graphRow{cpu: k.cpu, time: c.start, timed: c.timed, least: t.summed}
		r := k.row(&g)
		fn := t.nodes[c.node].Func
		e := t.event(&r, fn+"() {", "", c.line)
		e.Name, e.Func, e.Open = "open", fn, c.line
		e.Fields = "off-cpu"
		if last[k.cpu] == k && (t.current == nil || t.current[k.cpu] == k.pid) {
			e.Fields = "last-on-cpu"
		}
		t.callers(k, e, n-1)
		t.send(e)
	}
}
