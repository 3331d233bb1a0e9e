package parse

import "strings"

// heading is the line above a stack that somebody pasted or a collector wrote.
type heading struct {
	ok     bool // a stack may follow
	path   bool // "==> /proc/123/stack <==": a stack file, even if it is empty
	strong bool // names pid and state: a capture, even if its stack is empty
	stack  bool // "stack:" came after it
	hasPid bool
	pid    int
	tgid   int
	ppid   int
	comm   string
	state  byte
	memcg  string
	label  string
	status bool // collected from /proc/PID/status lines
	ln     line
}

// heading looks at a line that no record took. Only text without kernel
// prefixes has headings.
func (a *assembler) heading(ln *line, s string) {
	if len(s) > 512 {
		a.dropHeading()
		return
	}
	if s == "stack:" && a.head.ok {
		a.head.stack, a.head.strong = true, a.head.hasPid
		return
	}
	if a.statusLine(ln, s) {
		return
	}
	if tag, _, ok := strings.Cut(s, ":"); ok && a.head.path && a.head.hasPid && procNote(tag) {
		return
	}
	h := readHeading(s)
	if h.path && a.head.status && a.head.hasPid && a.head.pid == h.pid { // status, then stack of one task
		st := a.head
		h.comm, h.state, h.tgid, h.ppid, h.status = st.comm, st.state, max(h.tgid, st.tgid), st.ppid, true
		a.head = heading{}
	}
	a.dropHeading()
	h.ln = *ln
	a.head = h
}

// procNote tells the one-line values that collectors print beside a stack.
func procNote(tag string) bool {
	switch trim(tag) {
	case "wchan", "syscall", "cmdline", "comm", "cgroup":
		return true
	}
	return false
}

// statusLine reads /proc/PID/status: "Name:\tjava", "State:\tD (disk sleep)".
func (a *assembler) statusLine(ln *line, s string) bool {
	key, val, ok := strings.Cut(s, ":")
	if !ok || val == "" || val[0] != '\t' && val[0] != ' ' {
		return false
	}
	h := &a.head
	val = trim(val)
	switch key {
	case "Name":
		if h.path && h.hasPid && h.comm == "" {
			h.comm = keep(val)
			return true
		}
		a.dropHeading()
		a.head = heading{ok: true, status: true, comm: keep(val), ln: *ln}
		return true
	case "State":
		if (h.status || h.path) && val != "" {
			h.state = val[0]
			return true
		}
	case "Tgid":
		if h.status {
			h.tgid, _ = pidOf(val)
			return true
		}
	case "Pid":
		if h.status {
			h.pid, h.hasPid = pidOf(val)
			return true
		}
	case "PPid":
		if h.status {
			h.ppid, _ = pidOf(val)
			return true
		}
	}
	return h.status && key != "" && symbolLen(key) == len(key) && key[0] >= 'A' && key[0] <= 'Z'
}

// readHeading finds out what a heading says about the task below it:
//
//	==> /proc/103/task/105/stack <==
//	--- pid 47 tgid 47 truncer: D (disk sleep), oom_score_adj 0, cgroup /web, rss 14512 kB
//	## hog3 tid=102 pid=102 State:	D (disk sleep) wchan=x cgroup=1:memory:/trap
//	1031 (java)
//	OOM invoking task:
func readHeading(s string) heading {
	h := heading{ok: true}
	if i := strings.Index(s, "proc/"); i >= 0 && h.procPath(s[i+5:]) {
		return h
	}
	if r, ok := after(s, "stack_trace("); ok { // drgn
		if n, rest, ok := leadInt(r); ok && n > 0 && n < 1<<31 && strings.HasPrefix(rest, ")") {
			h.pid, h.hasPid = int(n), true
			return h
		}
	}
	h.state = stateIn(s)
	tid := tokenInt(s, "tid")
	pid := tokenInt(s, "pid")
	tgid := tokenInt(s, "tgid")
	switch {
	case tid > 0:
		h.pid, h.hasPid = tid, true
		h.tgid = pid
		if tgid > 0 {
			h.tgid = tgid
		}
	case pid > 0:
		h.pid, h.hasPid, h.tgid = pid, true, tgid
	}
	if h.tgid < 0 {
		h.tgid = 0
	}
	h.memcg = cgroupIn(s)
	h.comm = commIn(s, &h)
	h.strong = h.hasPid && (h.state != 0 || h.tgid != 0) && strings.IndexByte("-#=", s[0]) >= 0
	if !h.hasPid && len(s) <= 120 && !strings.HasSuffix(s, "wrote:") {
		h.label = keep(trimRight(strings.TrimSuffix(strings.TrimSuffix(trim(strings.Trim(s, "#*=-")), ":"), ",")))
	}
	return h
}

// procPath reads "103/task/105/stack".
func (h *heading) procPath(s string) bool {
	n, rest, ok := leadInt(s)
	if !ok || n > 1<<31-1 {
		return false
	}
	pid, tgid := int(n), 0
	if r, ok := strings.CutPrefix(rest, "/task/"); ok {
		n, r, ok := leadInt(r)
		if !ok || n > 1<<31-1 {
			return false
		}
		pid, tgid, rest = int(n), pid, r
	}
	if !strings.HasPrefix(rest, "/stack") {
		return false
	}
	h.path, h.hasPid, h.pid, h.tgid = true, true, pid, tgid
	return true
}

// tokenInt finds "pid 47", "pid=47", "pid: 47", "PID:47" or "Process 47" as a
// word of s, 0 if there is none.
func tokenInt(s, key string) int {
	for i := 0; i+len(key) < len(s); i++ {
		if !strings.EqualFold(s[i:i+len(key)], key) || i > 0 && (isAlpha(s[i-1]) || s[i-1] == '_' || s[i-1] == '>') {
			continue
		}
		r := strings.TrimLeft(s[i+len(key):], "=:# \t")
		if len(r) == len(s)-i-len(key) {
			continue
		}
		if n, rest, ok := leadInt(r); ok && n > 0 && n < 1<<31 && (rest == "" || !isAlpha(rest[0])) {
			return int(n)
		}
	}
	return 0
}

// stateWords are task_state_array's names.
var stateWords = [...]string{" (disk sleep)", " (sleeping)", " (running)", " (stopped)", " (tracing stop)", " (zombie)", " (dead)", " (idle)", " (parked)"}

func stateIn(s string) byte {
	for _, w := range stateWords {
		if i := strings.Index(s, w); i > 0 && isAlpha(s[i-1]) && (i == 1 || !isAlpha(s[i-2])) {
			return s[i-1]
		}
	}
	return 0
}

// cgroupIn finds "cgroup /web" or "cgroup=1:memory:/trap".
func cgroupIn(s string) string {
	i := strings.LastIndex(s, " cgroup") // not the wchan mem_cgroup_oom_synchronize
	if i < 0 {
		return ""
	}
	i++
	r := strings.TrimLeft(s[i+len("cgroup"):], "=: \t")
	w, _ := field(r)
	w = strings.TrimSuffix(w, ",")
	for part := range strings.SplitSeq(w, ",") {
		if _, p, ok := strings.Cut(part, "memory:"); ok {
			return keep(p)
		}
	}
	if _, p, ok := strings.Cut(w, "::"); ok {
		return keep(p)
	}
	if strings.HasPrefix(w, "/") {
		return keep(w)
	}
	return ""
}

// commIn finds the task's name; it may also find the pid, in "123 (comm)".
func commIn(s string, h *heading) string {
	for _, key := range [...]string{"comm=", "comm: ", "comm:", "name="} {
		if r, ok := after(s, key); ok {
			w, _ := field(r)
			return keep(strings.Trim(w, `",;`))
		}
	}
	if h.hasPid {
		t := strings.TrimLeft(s, "#=- \t")
		if i := strings.Index(t, " tid="); i > 0 { // ## hog3 tid=102
			return keep(t[:i])
		}
		if i := strings.Index(t, " pid="); i > 0 && i <= 15 {
			return keep(t[:i])
		}
		if h.state != 0 { // pid 47 tgid 47 truncer: D (disk sleep)
			if i := strings.Index(t, ": "+string(h.state)+" ("); i > 0 {
				r := t[:i]
				for { // drop "pid 47 tgid 47"
					w, rest := field(r)
					num, rest2 := field(rest)
					if _, ok := allInt(num); !ok || !strings.HasSuffix(w, "id") {
						break
					}
					r = rest2
				}
				return keep(trim(r))
			}
		}
	}
	t := s
	for _, p := range [...]string{"Process ", "process ", "Task ", "task ", "PID ", "pid "} {
		t = strings.TrimPrefix(t, p)
	}
	n, rest, ok := leadInt(strings.TrimLeft(t, "#=- \t"))
	if !ok || n <= 0 || n > 1<<31-1 {
		return ""
	}
	if rest == "" || rest == ":" { // "1031:" alone above a stack
		h.pid, h.hasPid = int(n), true
		return ""
	}
	if strings.HasPrefix(rest, " (") {
		comm, r, ok := cutComm(rest[2:])
		if ok && (r == "" || r[0] == ':' || r[0] == ' ' || r[0] == ',') {
			h.pid, h.hasPid = int(n), true
			return keep(comm)
		}
	}
	if t != s && h.hasPid {
		w, _ := field(strings.TrimLeft(rest, ": "))
		return keep(w)
	}
	return ""
}

// headTask moves what the heading says to t and uses the heading up.
func (a *assembler) headTask(t *openTask) {
	h := &a.head
	t.Pid, t.HasPid, t.Tgid, t.Ppid, t.HasPpid = h.pid, h.hasPid, h.tgid, h.ppid, h.ppid > 0
	t.Comm, t.State, t.Memcg = h.comm, h.state, h.memcg
	if !h.hasPid && h.comm == "" {
		t.Label = h.label
	}
	a.touch(&t.Meta, &h.ln)
	a.head = heading{}
}

// openBare starts a stack without "Call Trace:": of the header above it, of
// the OOM report, or a pasted one.
func (a *assembler) openBare(ln *line, info frameInfo) {
	if t := a.owner(); t != nil && !info.proc {
		a.openTrace(ln, t, 0)
		return
	}
	if a.oom != nil && a.oom.Trace == nil && !a.oom.closing && a.oom.part == partHead && !info.proc {
		a.openOOMTrace(ln, 0)
		return
	}
	a.endTask()
	t := &openTask{Task: &Task{}}
	named := a.head.ok
	h := a.head
	if named {
		a.headTask(t)
	} else if ln.stamped {
		t.Damaged = true // the head of the trace is missing
	}
	a.openTrace(ln, t, 0)
	a.tr.paste = true
	a.tr.proc = info.proc || h.path || h.stack
}

// endPaste sends a pasted stack, if it is one: a single line that looks like a
// frame may be anything.
func (a *assembler) endPaste(t *openTrace) {
	if len(t.Frames) < 2 && !t.proc && !(t.task.HasPid && len(t.Frames) > 0) {
		for i := range t.Frames {
			if f := &t.Frames[i]; f.Reliable && f.HasOffset {
				a.p.res.More.Frames-- // a place that something else names
			}
		}
		return
	}
	if t.proc {
		t.task.Source = SourceProc
		a.p.fr.count[frameProc] += len(t.Frames) + 1
		a.p.fr.count[framePlain] -= len(t.Frames) + 1
	}
	a.sendTask(t.task)
}

// dropHeading forgets the heading, unless it alone tells something: the stack
// file of a running task is empty, and a collector may name a task whose stack
// it could not read (no Trace then).
func (a *assembler) dropHeading() {
	h := a.head
	if h.ok && (h.path || h.strong) {
		t := &openTask{Task: &Task{Source: SourceProc}}
		if h.path {
			t.Trace = &Trace{}
		}
		a.headTask(t)
		a.sendTask(t)
	}
	a.head = heading{}
}

// procPrefix cuts grep's "/proc/123/stack:[<0>] foo+0x1/0x2".
func (a *assembler) procPrefix(ln *line, s string) (string, bool) {
	path, rest, ok := strings.Cut(s, "/stack:")
	if !ok || rest == "" || rest[0] != '[' || !strings.Contains(path, "proc/") {
		return s, false
	}
	h := readHeading(path + "/stack")
	if !h.path {
		return s, false
	}
	if t := a.tr; t != nil && t.paste && t.task.Pid == h.pid && !t.done {
		return rest, true
	}
	a.endTrace(false)
	a.dropHeading()
	h.ln = *ln
	a.head = h
	return rest, true
}
