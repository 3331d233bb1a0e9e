package stacks

import (
	"strings"

	"github.com/oomtrace/oomtrace/parse"
)

// TraceSignal is a signal that a trace shows on its way to a task.
type TraceSignal struct {
	Signal      int
	Code        int  // si_code: 0 from a process, 128 (SI_KERNEL) from the kernel
	From        int  // pid of who sent it, valid if HasFrom
	HasFrom     bool // signal_generate was seen
	Sent        float64
	Delivered   float64
	IsDelivered bool
	At          parse.Meta
}

// maxSignals bounds the signals kept of one task; SIGKILL always finds a place.
const maxSignals = 8

const sigKill = 9

// openCall is a system call or a page fault that a task is in.
type openCall struct {
	name  string
	start float64
	line  int
}

// syscall reads the forms of a system call's begin and end:
//
//	sys_enter: NR 1 (3, 7ffd2bc4a3c0, 400, 0, 0, 0)    sys_exit: NR 1 = 1024     raw_syscalls, 2.6.35 ..
//	sys_write(fd: 3, buf: 7ffd2bc4a3c0, count: 400)    sys_write -> 0x400        syscalls (trace_syscalls.c, 2.6.32 ..)
//	sys_enter_write: fd: 0x3, ...                      sys_exit_write: 0x400     trace-cmd report, perf script
func syscall(e *parse.TraceEvent) (name string, enter, ok bool) {
	n := e.Name
	if !strings.HasPrefix(n, "sys_") && !strings.HasPrefix(n, "compat_sys_") {
		return "", false, false
	}
	switch {
	case n == "sys_enter", n == "sys_exit":
		w, _, _ := strings.Cut(strings.TrimPrefix(e.Fields, "NR "), " ")
		if w == "" || len(w) > 12 || w[0]-'0' > 9 {
			return "", false, false
		}
		return "system call " + w, n == "sys_enter", true
	case strings.HasPrefix(n, "sys_enter_"):
		return n[len("sys_enter_"):], true, true
	case strings.HasPrefix(n, "sys_exit_"):
		return n[len("sys_exit_"):], false, true
	case strings.HasPrefix(e.Fields, "("):
		return strings.TrimPrefix(n, "sys_"), true, true
	case strings.HasPrefix(e.Fields, "->"):
		return strings.TrimPrefix(n, "sys_"), false, true
	}
	return "", false, false
}

// syscall notes which system call a task is in.
func (t *Tracer) syscall(k *tracedTask, e *parse.TraceEvent, name string, enter bool) {
	if k == nil || k.stale(e) {
		return
	}
	t.userMode(k, e)
	if k.sys.name == name && !enter {
		k.span(TraceSpan{State: TraceSyscall, Start: k.sys.start, Dur: e.Time - k.sys.start, What: name, Line: k.sys.line})
	}
	k.sys = openCall{}
	if enter {
		k.sys = openCall{strings.Clone(name), e.Time, e.Span.First}
	}
}

// fault takes exceptions:page_fault_user and page_fault_kernel ("address=0x..
// ip=0x.. error_code=0x6", x86 3.13 ..). There is no event for a fault's end:
// it lasted at least as long as what happened in it. When the same address
// faults again after the memcg's OOM, the fault was unwound and restarted
// (pagefault_out_of_memory, 3.12 ..).
func (t *Tracer) fault(k *tracedTask, e *parse.TraceEvent) {
	if k == nil || k.stale(e) {
		return
	}
	addr := word(e.Fields, "address=")
	if k.unwound && k.flt.name != "" && k.flt.name == addr && e.Name == "page_fault_user" {
		k.span(TraceSpan{State: TraceFault, Start: k.flt.start, Dur: e.Time - k.flt.start, What: addr + ", restarted", Line: k.flt.line})
		k.flt, k.fltEnd, k.unwound = openCall{}, 0, false
	}
	if e.Name == "page_fault_user" {
		t.userMode(k, e)
	}
	t.endFault(k, e)
	k.flt, k.fltEnd, k.unwound = openCall{strings.Clone(addr), e.Time, e.Span.First}, e.Time, false
}

// userMode notes that a task was in user space just before, or is now: it waits
// for no lock, and what said otherwise was not seen to end.
func (t *Tracer) userMode(k *tracedTask, e *parse.TraceEvent) {
	t.endFault(k, e)
	k.inRecl = false
	if w := k.wait; w != nil && e.Time >= w.Begin {
		k.wait = nil
		w.End, w.Ended = e.Time, true
		t.waited(k, w)
	}
}

// endFault ends a page fault: its task is back in user space.
func (t *Tracer) endFault(k *tracedTask, e *parse.TraceEvent) {
	if k.flt.name != "" && k.fltEnd > k.flt.start && (e == nil || k.fltEnd <= e.Time) {
		open := e == nil && k.fltEnd >= t.last
		k.span(TraceSpan{State: TraceFault, Start: k.flt.start, Dur: k.fltEnd - k.flt.start, Open: open, What: k.flt.name, Line: k.flt.line})
	}
	k.flt, k.fltEnd = openCall{}, 0
}

// signal takes signal_generate ("sig=9 errno=0 code=128 comm=java pid=12 grp=1
// res=0", 2.6.33 ..; grp and res since 2.6.38), which happens in the sender.
func (t *Tracer) signal(e *parse.TraceEvent) {
	pid, sig := num(e.Fields, "pid="), num(e.Fields, "sig=")
	k := t.task(pid, word(e.Fields, " comm="), false)
	if k == nil || sig <= 0 || num(e.Fields, "res=") > 0 && sig != sigKill { // ignored, or pending already
		return
	}
	s := TraceSignal{Signal: sig, Code: num(e.Fields, "code="), From: e.Pid, HasFrom: e.HasPid, Sent: e.Time, At: e.Meta}
	if strings.Contains(e.Fields, "code=-") {
		s.Code = -num(e.Fields, "code=-")
	}
	k.addSignal(s)
}

func (k *tracedTask) addSignal(s TraceSignal) {
	if len(k.Signals) < maxSignals {
		k.Signals = append(k.Signals, s)
		return
	}
	if s.Signal != sigKill {
		return
	}
	for i := range k.Signals {
		if k.Signals[i].Signal != sigKill {
			k.Signals[i] = s
			return
		}
	}
}

// delivered takes signal_deliver ("sig=9 errno=0 code=0 sa_handler=0
// sa_flags=0"), which happens in the receiver.
func (t *Tracer) delivered(k *tracedTask, e *parse.TraceEvent) {
	sig := num(e.Fields, "sig=")
	if k == nil || sig <= 0 {
		return
	}
	for i := range k.Signals {
		if s := &k.Signals[i]; s.Signal == sig && !s.IsDelivered {
			s.Delivered, s.IsDelivered = e.Time, true
			return
		}
	}
	k.addSignal(TraceSignal{Signal: sig, Code: num(e.Fields, "code="), Delivered: e.Time, IsDelivered: true, At: e.Meta})
}

// forked takes "comm=sh pid=1 child_comm=sh child_pid=12" (2.6.33 ..).
func (t *Tracer) forked(e *parse.TraceEvent) {
	c := t.task(num(e.Fields, "child_pid="), "", false)
	if c == nil {
		return
	}
	if c.Exited != nil { // the pid is used again
		c.Exited = nil
	}
	if c.Comm == "" {
		c.Comm = word(e.Fields, "child_comm=")
	}
	if p := t.tasks[e.Pid]; p != nil && c.Memcg == "" {
		c.Memcg = p.memcg() // a child starts in its parent's group
	}
}

// newTask takes task_newtask ("pid=12 comm=sh clone_flags=3d0f00
// oom_score_adj=0", 3.4 ..): a thread has its creator's thread group.
func (t *Tracer) newTask(k *tracedTask, e *parse.TraceEvent) {
	c := t.task(num(e.Fields, "pid="), word(e.Fields, " comm="), false)
	if c == nil || k == nil {
		return
	}
	const cloneThread = 0x10000
	if flags, ok := number("0x" + word(e.Fields, "clone_flags=")); ok && uint64(flags)&cloneThread != 0 {
		if c.Tgid = k.Tgid; c.Tgid == 0 {
			c.Tgid = k.Pid
		}
	}
}

// execed takes "filename=/bin/java pid=12 old_pid=13" (3.4 ..): the name of the
// program becomes the task's, and the thread 13 has taken pid 12.
func (t *Tracer) execed(e *parse.TraceEvent) {
	pid, old := num(e.Fields, "pid="), num(e.Fields, "old_pid=")
	k := t.task(pid, "", false)
	if k == nil {
		return
	}
	file := word(e.Fields, "filename=")
	file = file[strings.LastIndexByte(file, '/')+1:]
	if file != "" && (e.Comm == "" || e.Comm == "<...>") {
		k.Comm = strings.Clone(file[:min(len(file), 15)]) // begin_new_exec: TASK_COMM_LEN
	}
	if o := t.tasks[old]; old != pid && o != nil {
		t.exit(o, e)
	}
}

// group learns the memory cgroup of a task, and the paths of cgroup ids:
//
//	cgroup_attach_task: dst_root=0 dst_id=27 dst_level=1 dst_path=/job pid=12 comm=sh   4.12 ..
//	cgroup_mkdir: root=0 id=27 level=1 path=/job                                        4.12 ..
//	mmap_lock_start_locking: mm=000000003638ed07 memcg_path=/job write=true             5.11 .. 6.13
//	mmap_lock_start_locking: mm=000000003638ed07 memcg_id=27 write=true                 6.14 ..
//
// The mmap_lock events tell the group of an mm: the task's own in most, but of
// another one's where it reads that, and "/" while an mm has no owner. What
// most of them say is the task's. In cgroup v2, root 0, a task's cgroup is its
// memcg's, or below it where the controller is not enabled for that; a v1
// hierarchy has a root number of its own, and any controllers.
func (t *Tracer) group(k *tracedTask, e *parse.TraceEvent) {
	switch {
	case e.Name == "cgroup_attach_task" || e.Name == "cgroup_transfer_tasks":
		path := word(e.Fields, "dst_path=")
		t.groupID(num(e.Fields, "dst_root="), num(e.Fields, "dst_id="), path)
		if x := t.task(num(e.Fields, "pid="), word(e.Fields, " comm="), false); x != nil && num(e.Fields, "dst_root=") == 0 {
			x.Memcg, x.mmGroups = strings.Clone(path), [2]groupCount{}
		}
	case strings.HasPrefix(e.Name, "cgroup_"):
		if path := word(e.Fields, " path="); path != "" {
			t.groupID(num(e.Fields, "root="), num(e.Fields, "id="), path)
		}
	case k != nil && strings.HasPrefix(e.Name, "mmap_lock_"):
		path := word(e.Fields, "memcg_path=")
		if id := num(e.Fields, "memcg_id="); id > 0 {
			path = t.groups[id]
		}
		k.countGroup(path)
	}
}

// groupCount is how often a task was seen with an mm of a group.
type groupCount struct {
	path string
	n    int
}

// countGroup counts for the two groups with the most (as Misra and Gries do).
func (k *tracedTask) countGroup(path string) {
	if path == "" {
		return
	}
	for i := range k.mmGroups {
		if g := &k.mmGroups[i]; g.n > 0 && g.path == path {
			g.n++
			return
		}
	}
	for i := range k.mmGroups {
		if g := &k.mmGroups[i]; g.n == 0 {
			*g = groupCount{strings.Clone(path), 1}
			return
		}
	}
	for i := range k.mmGroups {
		k.mmGroups[i].n--
	}
}

// memcg is the group that a task is taken to be in, "" if unknown.
func (k *tracedTask) memcg() string {
	g := k.mmGroups[0]
	if o := k.mmGroups[1]; o.n > g.n {
		g = o
	}
	if g.n > 0 && (g.path != "/" || k.Memcg == "") {
		return g.path
	}
	return k.Memcg
}

// commonGroup is the deepest group that holds both, "" if that is the root.
func commonGroup(a, b string) string {
	n := 0
	for i := 0; ; i++ {
		if (i == len(a) || a[i] == '/') && (i == len(b) || b[i] == '/') {
			n = i
		}
		if i == len(a) || i == len(b) || a[i] != b[i] {
			return a[:n]
		}
	}
}

// maxTraceGroups bounds the cgroups whose path is known.
const maxTraceGroups = 1 << 12

// groupID remembers the path of a cgroup. Only ids of cgroup v2 and of the v1
// hierarchy of memory are memcg ids; those of other hierarchies have other
// numbers, so any that is asked for is right.
func (t *Tracer) groupID(root, id int, path string) {
	if root < 0 || id <= 0 || path == "" || len(t.groups) >= maxTraceGroups {
		return
	}
	if t.groups == nil {
		t.groups = map[int]string{}
	}
	t.groups[id] = strings.Clone(path)
}
