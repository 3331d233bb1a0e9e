package parse

import "strings"

// openTask is a task header that waits for its trace, or the rest of its
// fields.
type openTask struct {
	*Task
	gaps int
	torn bool // "task:X state:D" without pid: the rest comes as a line of its own
}

// takeTask reads sched_show_task's header (5.9 ->):
//
//	task:java            state:D stack:    0 pid: 3062 ppid:  2950 flags:0x00000002
//	task:java            state:D stack:0     pid:3062  tgid:3062  ppid:2950   task_flags:0x400040 flags:0x00080000
//	task:init            state:R  running task     stack:0     pid:1     ppid:0      flags:0x00000000
func (a *assembler) takeTask(ln *line, s string) bool {
	body := s[5:]
	i := strings.Index(body, " state:")
	// "%-15.15s state:": a comm that itself holds " state:" ends at column 15.
	if len(body) > 22 && body[15:22] == " state:" {
		i = 15
	}
	if i < 0 || len(body) < i+8 {
		return false
	}
	rest := body[i+7:]
	t := &openTask{Task: &Task{Comm: keep(trimRight(body[:i])), State: rest[0]}}
	if !isAlpha(t.State) {
		return false
	}
	a.openTask(ln, t, rest[1:])
	return true
}

// openTask starts the record of a task header; rest is what follows the state.
func (a *assembler) openTask(ln *line, t *openTask, rest string) {
	a.boundary()
	if a.oom != nil && !a.oom.closing {
		a.oom.Damaged = true
	}
	a.p.res.Records.TaskDump++
	a.settle(ln)
	a.touch(&t.Meta, ln)
	t.torn = !t.fields(rest) && !t.HasPid
	a.place(t)
	a.task = t
}

// place finds out which record the header belongs to.
func (a *assembler) place(t *openTask) {
	t.Source = SourceSysrq
	if a.hungPid != 0 && (t.HasPid && t.Pid == a.hungPid || t.torn && t.Comm == a.hungComm) {
		t.Source = SourceHung
		if t.torn {
			t.Pid, t.HasPid = a.hungPid, true // until the rest tells
		}
		t.Release = a.hungRelease
		a.hungPid, a.hungComm = 0, ""
		return
	}
	a.hungPid, a.hungComm = 0, ""
	if d := a.dump; d != nil && !d.tail {
		t.Dump = d.ID
		d.Tasks++
		d.after = false
		d.Span.Last, d.End = t.Span.Last, t.End
	}
}

// fields reads "key:value" pairs and returns whether the pid was among them.
// Values may be padded on either side.
func (t *openTask) fields(s string) bool {
	if r, ok := after(s, "running task"); ok {
		t.Running, s = true, r
	}
	found := false
	for {
		key, r, ok := strings.Cut(s, ":")
		if !ok {
			return found
		}
		val, r := field(r)
		s = r
		switch trim(key) {
		case "pid":
			if n, ok := pidOf(val); ok {
				t.Pid, t.HasPid, found = n, true, true
			}
		case "tgid":
			t.Tgid, _ = pidOf(val)
		case "ppid":
			t.Ppid, t.HasPpid = pidOf(val)
		}
	}
}

// taskLine takes what stands between a task header and its trace.
func (a *assembler) taskLine(ln *line, s string) bool {
	t := a.task
	if t.torn && strings.HasPrefix(s, "stack:") && strings.Contains(s, "pid:") {
		t.torn = !t.fields(s)
		a.touch(&t.Meta, ln)
		return true
	}
	if t.torn && strings.HasPrefix(s, "running task") {
		t.torn = !t.fields(s)
		return true
	}
	if w, ok := strings.CutPrefix(s, "Workqueue: "); ok {
		t.Workqueue = keep(trim(w))
		a.touch(&t.Meta, ln)
		return true
	}
	return strings.HasPrefix(s, "Stopper: ") || strings.HasPrefix(s, "Sched_ext: ")
}

// takeRow reads a row of the old task table:
//
//	java            D ffff88083fc13440     0  3062   2950 0x00000080
//	init            R  running task        0     1      0 0x00000000
//	kworker/0:0     I    0  4302      2 0x80004000
//
// (sched_show_task, 2.6.32 .. 5.8). It is read from the right, as the comm may
// hold anything.
func (a *assembler) takeRow(ln *line, s string) bool {
	r, flags := lastField(s)
	if len(flags) != 10 && len(flags) != 18 || !strings.HasPrefix(flags, "0x") {
		return false
	}
	if _, rest, ok := leadHex(flags[2:]); !ok || rest != "" {
		return false
	}
	r, w := lastField(r)
	ppid, ok1 := pidOf(w)
	r, w = lastField(r)
	pid, ok2 := pidOf(w)
	r, w = lastField(r)
	_, ok3 := allInt(w)
	if !ok1 || !ok2 || !ok3 {
		return false
	}
	t := &openTask{Task: &Task{Pid: pid, HasPid: true, Ppid: ppid, HasPpid: true}}
	r = trimRight(r)
	if p, ok := strings.CutSuffix(r, "running task"); ok {
		t.Running, r = true, trimRight(p)
	} else if p, w := lastField(r); len(w) == 16 || len(w) == 8 {
		if _, rest, ok := leadHex(w); ok && rest == "" {
			r = trimRight(p)
		}
	}
	if len(r) < 3 || r[len(r)-2] != ' ' || strings.IndexByte("RSDTtXZxKWPNI", r[len(r)-1]) < 0 {
		return false
	}
	t.State = r[len(r)-1]
	t.Comm = keep(trimRight(r[:len(r)-2]))
	a.openTask(ln, t, "")
	t.torn = false
	return true
}

// takeHeader reads the line that dump_stack and register dumps begin with:
//
//	Pid: 51, comm: bigwrite Not tainted 3.2.71+ #5
//	CPU: 1 PID: 103 Comm: eater Not tainted 6.1.0-56-cloud-amd64 #1  Debian 6.1.192-2
//	CPU: 0 UID: 0 PID: 103 Comm: eater Tainted: G        W          6.12.0 #1
func (a *assembler) takeHeader(ln *line, s string) bool {
	var pidText, comm string
	var ok bool
	if s[0] == 'P' {
		pidText, comm, ok = strings.Cut(s[4:], ", comm:")
	} else {
		if pidText, ok = after(s, " PID: "); ok {
			pidText, comm, ok = strings.Cut(pidText, " Comm:")
		}
	}
	pid, ok2 := pidOf(trim(pidText))
	if !ok || !ok2 {
		return false
	}
	comm = strings.TrimPrefix(comm, " ")
	if id := headerBuildID(trimRight(s)); id != "" {
		a.buildID = keep(id)
	}
	release := ""
	if i := strings.LastIndex(comm, " Not tainted"); i >= 0 {
		release, _ = field(comm[i+len(" Not tainted"):])
		comm = comm[:i]
	} else if i := strings.LastIndex(comm, " Tainted: "); i >= 0 {
		release = taintedRelease(comm[i+len(" Tainted: "):])
		comm = comm[:i]
	}
	comm = strings.TrimSuffix(strings.TrimSuffix(comm, " Kdump: loaded"), " Kdump: not loaded")
	comm = trimRight(comm)
	if a.splat != nil {
		return true
	}
	if o := a.oom; o != nil && !o.HasPid && o.Trace == nil && !a.nmi && sameComm(o.InvokerComm, comm) {
		a.endTrace(true)
		o.InvokerPid, o.HasPid, o.Release = pid, true, keep(release)
		o.CPU = int(numAfter(s, "CPU:"))
		a.hdr = nil
		a.touch(&o.Meta, ln)
		a.drop = false
		return true
	}
	nmi, stuck := a.nmi, a.stuck
	a.boundary()
	if a.oom != nil && a.oom.Trace == nil {
		a.oom.Damaged = true
	}
	t := &openTask{Task: &Task{Source: SourceCallTrace, Pid: pid, HasPid: true, Comm: keep(comm), Release: keep(release)}}
	if nmi {
		t.Source = SourceNMI
	}
	t.Running = stuck
	a.touch(&t.Meta, ln)
	a.hdr = t
	return true
}

// sameComm compares the names in the header and in the CPU line, which may be
// cut or hold a byte that a log daemon replaced.
func sameComm(a, b string) bool {
	a, b = trim(a), trim(b)
	return a == b || a == "" || b == "" || keep(a) == keep(b) || strings.HasPrefix(a, b) || strings.HasPrefix(b, a) || strings.HasSuffix(a, b)
}

// taintedRelease skips "G        W  OE  " in front of the release.
func taintedRelease(s string) string {
	for s != "" {
		var w string
		if w, s = field(s); w != "" && isDigit(w[0]) {
			return w
		}
	}
	return ""
}

// takeNMI reads nmi_cpu_backtrace's "NMI backtrace for cpu 1"; idle CPUs are
// skipped and have no stack.
func (a *assembler) takeNMI(ln *line, s string) bool {
	a.boundary()
	a.nmi = !strings.Contains(s, " skipped")
	return true
}

func (a *assembler) endTask() {
	if h := a.hdr; h != nil && h.Source == SourceNMI && h.Trace == nil && (a.ip != nil || a.userRegs) {
		h.Trace = &Trace{IP: a.ip, UserRegs: a.userRegs}
		a.ip, a.userRegs, a.hdr = nil, false, nil
		a.sendTask(h)
	}
	if t := a.task; t != nil {
		a.task = nil
		a.sendTask(t)
	}
}

func (a *assembler) sendTask(t *openTask) {
	if t.Trace != nil && t.Trace.Mixed {
		t.Damaged = true
	}
	if d := a.dump; d != nil && t.Dump == d.ID && t.Span.Last > d.Span.Last {
		d.Span.Last, d.End = t.Span.Last, t.End
	}
	if t.HasPid && t.Trace != nil {
		a.p.saw(t.Pid)
	}
	a.sendTraced(t.Task, t.Trace)
}

// sendTraced sends an event with a trace. Where its receiver shares the frames
// with others, the slice is free for the next trace.
func (a *assembler) sendTraced(e Event, t *Trace) {
	if t == nil || t.Lines != nil {
		a.p.send(e)
		return
	}
	frames := t.Frames
	a.p.send(e)
	if t.Lines != nil && len(frames) > 0 {
		clear(frames)
		a.spare = frames[:0]
	}
}
