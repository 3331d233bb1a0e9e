package parse

import "strings"

// TraceValue is one value of an entry of a table: hitcount and the sums of a
// hist trigger, or what a map of bpftrace holds. The unit is not printed.
type TraceValue struct {
	Name string
	N    int64
}

// histLine reads the table of a hist trigger (hist_trigger_entry_print in
// kernel/trace/trace_events_hist.c, 4.7 ..; the key is called stacktrace up to
// 6.3, common_stacktrace after):
//
//	{ common_pid: eater           [      4760], common_stacktrace:
//	         try_charge_memcg+0x1aa/0x650
//	         __mem_cgroup_charge+0x42/0xd0
//	} hitcount:         23  nr_reclaimed:          0
//
// Each entry is an event "hist": it tells how often, and not when.
func (t *traceReader) histLine(s string, no int) bool {
	if r, ok := scanRow(s); ok && r.timed {
		t.endTable()
		t.hist = false
		return t.line(s, no)
	}
	t.last = no
	x := trim(s)
	if strings.HasPrefix(s, "{ ") {
		t.endTable()
		t.count("hist", no)
		r := traceRow{cpu: -1}
		t.table = t.event(&r, s, "", no)
		t.table.Name, t.table.Fields = "hist", ""
		x = x[2:]
	}
	e := t.table
	if e == nil {
		return true // "Totals:"
	}
	e.Span.Last = no
	if i := strings.Index(x, "} hitcount"); i >= 0 {
		t.histKeys(x[:i], no)
		t.histValues(x[i+2:])
		t.endTable()
		return true
	}
	if f, ok := traceFrame(x); ok && s[0] == ' ' && !strings.Contains(x, ": ") {
		t.tableFrame(f, no)
		return true
	}
	t.histKeys(x, no)
	return true
}

// histKeys reads "common_pid: eater           [      4760], prev_state: 1" and
// ", common_pid: 12" behind a stack.
func (t *traceReader) histKeys(s string, no int) {
	e := t.table
	for s = strings.TrimLeft(s, ", "); s != ""; {
		var k string
		k, s, _ = strings.Cut(s, ", ")
		name, v, ok := strings.Cut(k, ":")
		if !ok {
			if n, stack, ok := strings.Cut(k, ".stacktrace"); ok { // a field of its own, its first frame right behind
				if f, ok := traceFrame(trim(stack)); ok && symbolLen(n) == len(n) {
					t.tableFrame(f, no)
				}
			}
			continue
		}
		v = trim(v)
		if v == "" {
			continue // the stack follows
		}
		if i := strings.IndexByte(v, '['); i > 0 && v[len(v)-1] == ']' { // .execname, .sym, .syscall
			comm := trim(v[:i])
			v = comm + " [" + trim(v[i+1:len(v)-1]) + "]"
			if pid, ok := pidOf(trim(strings.TrimSuffix(v[len(comm)+2:], "]"))); ok && strings.HasSuffix(name, "pid") {
				e.Comm, e.Pid, e.HasPid = t.p.name(comm), pid, true
			}
		} else if pid, ok := pidOf(v); ok && (name == "common_pid" || name == "pid" && !e.HasPid) {
			e.Pid, e.HasPid = pid, true
		} else if name == "comm" || name == "prev_comm" || name == "common_comm" {
			e.Comm = t.p.name(v)
		}
		if len(e.Fields) < maxFields {
			if e.Fields != "" {
				e.Fields += " "
			}
			e.Fields += keep(name) + "=" + keep(v)
		}
	}
}

// histValues reads "hitcount:         23  nr_reclaimed:          0".
func (t *traceReader) histValues(s string) {
	e := t.table
	for len(e.Values) < 8 {
		name, rest, ok := strings.Cut(trimLeft(s), ":")
		if !ok {
			return
		}
		n, rest, ok := leadInt(trimLeft(rest))
		if !ok {
			return
		}
		if !strings.HasSuffix(name, "(%)") {
			e.Values = append(e.Values, TraceValue{t.p.name(trim(name)), n})
		}
		for s = rest; s != "" && !isAlpha(s[0]); { // ".05", "####" of .percent and .graph
			s = s[1:]
		}
	}
}

func (t *traceReader) tableFrame(f Frame, no int) {
	if e := t.table; len(e.Stack) < t.p.opt.MaxFrames {
		f.Func, f.Module, f.Line = t.p.name(f.Func), t.p.name(f.Module), no
		e.Stack = append(e.Stack, f)
	}
}

// endTable sends the entry that is open.
func (t *traceReader) endTable() {
	if e := t.table; e != nil {
		t.table = nil
		t.send(e)
	}
}

// bpfStart recognises bpftrace's "@[", "@stacks[comm, 12," in front of a stack.
func bpfStart(s string) bool {
	i := 1 + symbolLen(s[1:])
	return i < len(s) && s[i] == '[' && (i+1 == len(s) || s[len(s)-1] == ',')
}

// bpfMap is how far a map of bpftrace was read.
type bpfMap struct {
	on   bool
	user bool // behind the kernel's stack: user-space frames
	rows bool // "]:", the rows of a histogram follow
	sum  int64
}

// bpfLine reads a map of bpftrace with a kernel stack as key: its value is a
// number, or a histogram, whose entries are added up.
//
//	@stacks[
//	    mem_cgroup_oom_synchronize+1
//	    pagefault_out_of_memory+24
//	, java, 4211]: 3
//	@us[
//	    schedule+64
//	]:
//	[8, 16)                3 |@@@@@@@@@@@@                    |
func (t *traceReader) bpfLine(s string, no int) bool {
	m := &t.bpf
	x := trim(s)
	if m.rows {
		if n, ok := histogramRow(x); ok {
			m.sum += n
			t.table.Span.Last, t.last = no, no
			return true
		}
		t.bpfEnd(m.sum)
	}
	if !m.on {
		if !bpfStart(s) {
			return t.line(s, no)
		}
		t.count("kstack", no)
		r := traceRow{cpu: -1}
		t.table = t.event(&r, s, "", no)
		*m = bpfMap{on: true}
		i := strings.IndexByte(s, '[')
		t.table.Name, t.table.Fields = "kstack", "map="+t.p.name(s[:i])
		if i+1 < len(s) {
			t.bpfKeys(strings.TrimSuffix(s[i+1:], ","))
		}
		return true
	}
	e := t.table
	t.last = no
	if i := strings.LastIndex(x, "]:"); i >= 0 && (i+2 == len(x) || x[i+2] == ' ') {
		t.bpfKeys(strings.TrimPrefix(x[:i], ","))
		e.Span.Last = no
		v := trim(x[i+2:])
		if v == "" {
			m.rows = true
			return true
		}
		n, _, _ := leadInt(v)
		t.bpfEnd(n)
		return true
	}
	if x[0] == ',' { // the end of one key
		m.user = m.user || len(e.Stack) > 0
		t.bpfKeys(strings.Trim(x, ", "))
		e.Span.Last = no
		return true
	}
	if f, ok := traceFrame(x); ok {
		if !m.user {
			t.tableFrame(f, no)
		}
		e.Span.Last = no
		return true
	}
	if no-e.Span.Last > 2 {
		t.bpfEnd(1)
		return false
	}
	return true
}

// bpfEnd sends the entry of a map.
func (t *traceReader) bpfEnd(n int64) {
	e, rows := t.table, t.bpf.rows
	t.bpf = bpfMap{}
	if e == nil {
		return
	}
	name, _, _ := strings.Cut(strings.TrimPrefix(e.Fields, "map="), " ")
	if rows {
		name = "entries" // of its histogram: a count, whatever the map sums up
	}
	e.Values = []TraceValue{{name, n}}
	e.Fields += " value=" + itoa(int(n))
	t.endTable()
}

// histogramRow reads "[8, 16)       3 |@@@@    |" and "(..., 0)   3 |@@  |".
func histogramRow(s string) (n int64, ok bool) {
	if s == "" || s[0] != '[' && s[0] != '(' || s[len(s)-1] != '|' {
		return 0, false
	}
	i := strings.IndexAny(s[1:], ")]")
	if i < 0 {
		return 0, false
	}
	n, rest, ok := leadInt(trimLeft(s[i+2:]))
	return n, ok && strings.HasPrefix(trimLeft(rest), "|")
}

// bpfKeys finds a task among the keys beside the stack.
func (t *traceReader) bpfKeys(s string) {
	e := t.table
	for k := range strings.SplitSeq(s, ",") {
		k = trim(k)
		if pid, ok := pidOf(k); ok {
			e.Pid, e.HasPid = pid, true
			continue
		}
		if k != "" && k != "<...>" && len(k) < 16 { // TASK_COMM_LEN
			e.Comm = t.p.name(k)
		}
	}
}
