package stacks

import (
	"cmp"
	"slices"
	"strconv"
	"strings"

	"github.com/oomtrace/oomtrace/parse"
)

// Trace is what the ftrace text of one input shows, summed up per task: the
// events themselves are not kept.
type Trace struct {
	parse.Meta
	Info    []*parse.TraceInfo
	Fields  [][]*TraceEventFields // of each Info
	Tasks   []*TraceTask          // in order of appearance
	Waits   []TraceWait           // for locks, in the order in which they began
	Samples []TraceSample
	Cleanup []parse.Meta // mem_cgroup_oom_synchronize() called by handle_mm_fault(): cleanup, no OOM handling
	Offset  float64      // seconds to add for the log's clock

	holders map[string][]TraceHold
	byPid   map[int]*TraceTask
}

// TraceTask is one task of a trace.
type TraceTask struct {
	Pid     int
	Tgid    int // 0 if not known (record-tgid)
	Comm    string
	Spans   []TraceSpan // by start; the shortest were left out if More is not 0
	More    int
	Totals  []TraceTotal // by state
	Signals []TraceSignal
	Memcg   string      // its memory cgroup, or its cgroup v2; "" if no event tells
	Exited  *parse.Meta // the event that shows its exit, nil if none does
	Ran     float64     // when it was last seen running, valid if HasRan
	HasRan  bool
}

// The states of a task in a trace.
const (
	TraceRunning    = "running"
	TraceRunnable   = "runnable"
	TraceSleeping   = "sleeping"
	TraceBlocked    = "blocked"
	TraceCharging   = "charging"
	TraceReclaiming = "reclaiming"
	TraceOOMKill    = "oom_kill"
	TraceOOMWait    = "oom_wait"
	TraceOOMReturn  = "synchronize" // pagefault_out_of_memory: the fault is unwound, and restarts
	TraceLockWait   = "lock_wait"
	TraceExiting    = "exiting"
	TraceStopped    = "stopped" // by a signal or a debugger
	TraceSyscall    = "syscall"
	TraceFault      = "fault"
)

// TraceSpan is a time that a task spent in one state. Spans nest: a charge
// holds the reclaim in it.
type TraceSpan struct {
	State string
	Start float64 // seconds on the trace's clock
	Dur   float64 // seconds, up to the trace's end if Open
	Open  bool    // it had not ended when the trace did
	What  string  // function or lock
	Count int     // how many in a row are joined in this one
	Line  int
}

// TraceTotal is the time in one state. Time in nested states counts in each.
type TraceTotal struct {
	State string
	Count int
	S     float64
}

// TraceWait is one wait for a lock, from contention_begin to contention_end or
// from lock_contended to lock_acquired.
type TraceWait struct {
	Pid   int
	Addr  string // identity of the lock, "" if not printed; lockdep's maps have addresses of their own
	Name  string // of the lock class, "" if the event has none
	Flags string // SPIN READ WRITE RT PERCPU MUTEX, joined by "|"
	Begin float64
	End   float64 // valid if Ended
	Ended bool
	Got   bool // contention_end with ret=0
	Waker int  // who woke it up, 0 if not seen
	At    parse.Meta
	Stack []parse.Frame
}

// Shared reports whether the wait is a reader's.
func (w *TraceWait) Shared() bool { return strings.Contains(w.Flags, "READ") }

// Spinning reports whether the wait burns CPU time instead of sleeping.
func (w *TraceWait) Spinning() bool { return strings.Contains(w.Flags, "SPIN") }

// TraceHold is a lock that a task took and was not seen to release.
type TraceHold struct {
	Pid    int
	Shared bool
	Since  float64
	At     parse.Meta
	Exact  bool // lock_acquired without lock_release; else the end of a contention
}

// TraceSample is what was measured at one stack.
type TraceSample struct {
	Comm       string
	Stack      []string // innermost first
	Calls      int64
	OnCPUNS    int64
	OffCPUNS   int64
	LockWaitNS int64
	Weights    []TraceWeight
}

// TraceWeight is a sum that a table had for a stack, in a unit that it does not
// tell.
type TraceWeight struct {
	Name string
	Sum  int64
}

// Limits of what is kept of one trace.
const (
	maxSpans     = 256
	maxSamples   = 1 << 14
	maxTraceTask = 1 << 16
	maxWaits     = 1 << 10
	maxHolds     = 1 << 16
	maxCleanup   = 8
	brief        = 1e-3 // seconds: shorter spans of a kind are joined
)

// Tracer reads the trace events of one input as they come.
type Tracer struct {
	tr    *Trace
	tasks map[int]*tracedTask
	order []*tracedTask
	cpu   map[int]int // CPU -> pid that runs there
	last  float64
	timed bool

	switches int64 // of tasks, seen so far
	fields   fieldSums
	groups   map[int]string // cgroup id -> path

	samples map[string]int
	evs     []parse.Event
	ooms    []*parse.OOM
	kills   map[int]*parse.Kill
	reaps   map[int]bool
	held    map[int]int // locks that a pid holds, of tr.holders
}

// tracedTask is the state of one task while its events stream by.
type tracedTask struct {
	TraceTask
	least    float64           // no kept span is worth less
	out      *parse.TraceEvent // the switch that took it off its CPU, nil while it runs
	state    byte              // at that switch
	woken    float64           // since then, 0 if it was not
	reason   string            // why it was off, where an event tells
	onSince  float64
	on       bool
	cpu      int
	sys      openCall // system call
	flt      openCall // page fault; name is the address
	fltEnd   float64  // until when something happened in it
	unwound  bool     // the fault failed for the memcg's OOM
	mmGroups [2]groupCount
	wait     *TraceWait // for a lock, open
	reclaim  float64
	inRecl   bool
	recl     string // what it reclaimed for last: "memcg", "global", "" for nothing
	reclAt   int
	open     *parse.TraceEvent // where function_graph leaves it
	kill     *parse.Task       // its call trace in an OOM kill
	slept    *parse.Task       // its stack in an OOM wait
	totals   map[string]*TraceTotal
	busy     bool // did something besides sleeping
}

// Take reads an event. It returns false for one that is none of a trace's.
func (t *Tracer) Take(e parse.Event) bool {
	switch e := e.(type) {
	case *parse.TraceEvent:
		t.event(e)
		return true
	case *parse.TraceInfo:
		t.info(e)
		return true
	}
	return false
}

func (t *Tracer) begin(m *parse.Meta) {
	if t.tr != nil {
		return
	}
	t.tr = &Trace{Meta: *m, holders: map[string][]TraceHold{}, byPid: map[int]*TraceTask{}}
	t.tasks, t.cpu, t.samples = map[int]*tracedTask{}, map[int]int{}, map[string]int{}
	t.kills, t.reaps, t.held = map[int]*parse.Kill{}, map[int]bool{}, map[int]int{}
}

// task finds or makes the state of a task; pid 0 is idle.
func (t *Tracer) task(pid int, comm string, cut bool) *tracedTask {
	if pid <= 0 {
		return nil
	}
	k := t.tasks[pid]
	if k == nil {
		if len(t.tasks) >= maxTraceTask {
			return nil
		}
		k = &tracedTask{TraceTask: TraceTask{Pid: pid}, totals: map[string]*TraceTotal{}}
		t.tasks[pid] = k
		t.order = append(t.order, k)
	}
	if comm != "" && (!cut || k.Comm == "" || len(k.Comm) < len(comm)) && (!cut || !strings.HasPrefix(k.Comm, comm)) {
		k.Comm = comm
	}
	return k
}

func (t *Tracer) event(e *parse.TraceEvent) {
	t.begin(&e.Meta)
	if e.HasTime {
		t.last, t.timed = max(t.last, e.Time), true
	}
	var k *tracedTask
	if e.HasPid {
		if k = t.task(e.Pid, e.Comm, e.Cut); k != nil && e.Tgid != 0 {
			k.Tgid = e.Tgid
		}
	}
	t.fields.add(e)
	if k != nil && e.Name != "open" && e.Values == nil {
		t.onCPU(k, e)
	}
	switch e.Name {
	case "sched_switch", "context_switch":
		t.schedSwitch(e)
	case "sched_waking", "sched_wakeup", "sched_wakeup_new":
		t.woke(e)
	case "sched_blocked_reason":
		t.blockedReason(e)
	case "sched_stat_sleep", "sched_stat_iowait", "sched_stat_blocked", "sched_stat_wait":
		t.schedStat(e)
	case "sched_process_fork":
		t.forked(e)
	case "sched_process_exec":
		t.execed(e)
	case "task_newtask":
		t.newTask(k, e)
	case "task_rename":
		if x := t.task(num(e.Fields, "pid="), "", false); x != nil {
			x.Comm = word(e.Fields, "newcomm=")
		}
	case "page_fault_user", "page_fault_kernel":
		t.fault(k, e)
	case "signal_deliver":
		t.delivered(k, e)
	case "sched_process_exit":
		if x := t.task(taskOf(e.Fields), "", false); x != nil {
			t.exit(x, e)
		}
	case "mark_victim":
		t.killed(k, e)
	case "signal_generate":
		t.signal(e)
		if strings.Contains(e.Fields, "sig=9 ") && has(e.Stack, "oom_kill_process") {
			t.killed(k, e)
		}
	case "finish_task_reaping":
		t.reaped(e)
	case "mm_vmscan_memcg_reclaim_begin", "mm_vmscan_direct_reclaim_begin":
		if k != nil {
			k.reclaim, k.inRecl, k.reclAt = e.Time, true, e.Span.First
			k.recl = "global"
			if e.Name == "mm_vmscan_memcg_reclaim_begin" {
				k.recl = "memcg"
			}
		}
	case "mm_vmscan_memcg_reclaim_end", "mm_vmscan_direct_reclaim_end":
		if k != nil && k.inRecl {
			k.inRecl = false
			k.span(TraceSpan{State: TraceReclaiming, Start: k.reclaim, Dur: e.Time - k.reclaim, What: "try_to_free_mem_cgroup_pages", Line: k.reclAt})
		}
	case "contention_begin", "lock_contended":
		t.contend(k, e)
	case "contention_end", "lock_acquired":
		t.contended(k, e)
	case "lock_acquire":
		addr, rest := lockAddr(e.Fields)
		t.hold(addr, TraceHold{Pid: e.Pid, Shared: strings.Contains(rest, "read "), Since: e.Time, At: e.Meta, Exact: true})
	case "lock_release":
		addr, _ := lockAddr(e.Fields)
		t.release(addr, e.Pid)
	case "kstack", "hist":
		t.tableEntry(e)
	case "call":
		t.call(k, e)
	case "open":
		if k != nil {
			k.open = e
			k.busy = true
		}
	default:
		switch {
		case e.Func != "":
			t.hit(k, e)
		case strings.HasPrefix(e.Name, "cgroup_"), strings.HasPrefix(e.Name, "mmap_lock_"):
			t.group(k, e)
		case strings.HasPrefix(e.Name, "sys_"), strings.HasPrefix(e.Name, "compat_sys_"):
			if name, enter, ok := syscall(e); ok {
				t.syscall(k, e, name, enter)
			}
		default:
			t.sampled(e)
		}
	}
}

func (k *tracedTask) ran(at float64) {
	k.Ran, k.HasRan = max(k.Ran, at), true
}

// span adds a span, joined with the one before it if that is alike.
func (k *tracedTask) span(s TraceSpan) {
	s.Dur = max(s.Dur, 0)
	tot := k.totals[s.State]
	if tot == nil {
		tot = &TraceTotal{State: s.State}
		k.totals[s.State] = tot
	}
	tot.Count++
	tot.S += s.Dur
	switch s.State {
	case TraceRunning, TraceRunnable, TraceSleeping, TraceExiting, TraceStopped, TraceSyscall, TraceFault:
	case TraceBlocked:
		k.busy = k.busy || s.Open || s.Dur >= brief
	default:
		k.busy = true
		if s.State == TraceOOMWait || s.State == TraceOOMReturn {
			k.unwound = true
		}
	}
	if k.flt.name != "" && s.State != TraceRunning && s.State != TraceRunnable && s.State != TraceFault && s.Start >= k.flt.start {
		k.fltEnd = max(k.fltEnd, s.Start+s.Dur)
	}
	if s.Count == 0 {
		s.Count = 1
	}
	if n := len(k.Spans); n > 0 {
		p := &k.Spans[n-1]
		gap := s.Start - p.Start - p.Dur // below 0 where the clock stood still
		if p.State == s.State && p.What == s.What && !p.Open && !s.Open && gap > -brief && gap < brief && s.Dur < brief && (p.Count > 1 || p.Dur < brief) {
			p.Dur = max(p.Dur, s.Start+s.Dur-p.Start)
			p.Count += s.Count
			return
		}
	}
	k.keep(s)
}

// keep adds a span; of too many the least worth is dropped.
func (k *tracedTask) keep(s TraceSpan) {
	w := s.weight()
	if len(k.Spans) < maxSpans {
		k.Spans, k.least = append(k.Spans, s), 0
		return
	}
	k.More++
	if w <= k.least {
		return
	}
	i, least, next := 0, k.Spans[0].weight(), w // next: of all but the least
	for j := 1; j < len(k.Spans); j++ {
		switch v := k.Spans[j].weight(); {
		case v < least:
			i, least, next = j, v, min(next, least)
		default:
			next = min(next, v)
		}
	}
	if k.least = least; w <= least {
		return
	}
	k.least = next
	k.Spans = append(slices.Delete(k.Spans, i, i+1), s)
}

// weight is how much a span is worth keeping.
func (s *TraceSpan) weight() float64 {
	switch s.State {
	case TraceOOMKill, TraceOOMWait, TraceOOMReturn, TraceExiting, TraceFault:
		return 1e6 + s.Dur
	case TraceLockWait, TraceReclaiming, TraceCharging:
		return s.Dur * 100
	case TraceRunning, TraceRunnable:
		return s.Dur / 100
	case TraceSyscall:
		return s.Dur / 10
	}
	return s.Dur
}

func inOOMWait(st []parse.Frame) bool {
	return has(st, "mem_cgroup_oom_synchronize") && !has(st, "handle_mm_fault") || has(st, "mem_cgroup_handle_oom")
}

func (t *Tracer) exit(k *tracedTask, e *parse.TraceEvent) {
	if k.Exited != nil {
		return
	}
	m := e.Meta
	k.Exited = &m
	k.offCPU(e)
	t.endFault(k, e)
	if k.sys.name != "" { // exit_group(), or killed in it
		k.span(TraceSpan{State: TraceSyscall, Start: k.sys.start, Dur: e.Time - k.sys.start, What: k.sys.name, Line: k.sys.line})
		k.sys = openCall{}
	}
	k.span(TraceSpan{State: TraceExiting, Start: e.Time, Line: e.Span.First})
	if t.held[k.Pid] > 0 {
		for addr := range t.tr.holders {
			t.release(addr, k.Pid)
		}
	}
	k.wait = nil
}

// contend begins a wait for a lock.
func (t *Tracer) contend(k *tracedTask, e *parse.TraceEvent) {
	if k == nil {
		return
	}
	addr, rest := lockAddr(e.Fields)
	w := &TraceWait{Pid: k.Pid, Addr: addr, Begin: e.Time, At: e.Meta, Stack: e.Stack}
	if e.Name == "contention_begin" {
		_, f, _ := strings.Cut(rest, "flags=")
		w.Flags = strings.TrimRight(f, ")")
	} else {
		w.Name = strings.TrimPrefix(strings.TrimPrefix(rest, "try "), "read ")
		t.release(addr, k.Pid)
	}
	k.wait = w
}

// contended ends it.
func (t *Tracer) contended(k *tracedTask, e *parse.TraceEvent) {
	addr, rest := lockAddr(e.Fields)
	got := !strings.Contains(rest, "ret=-")
	shared := strings.Contains(rest, "read ")
	if k != nil && k.wait != nil && k.wait.Addr == addr {
		w := k.wait
		k.wait = nil
		w.End, w.Ended, w.Got = e.Time, true, got
		shared = shared || w.Shared()
		t.waited(k, w)
	}
	if got && e.HasPid {
		t.hold(addr, TraceHold{Pid: e.Pid, Shared: shared, Since: e.Time, At: e.Meta, Exact: e.Name == "lock_acquired"})
	}
}

func (t *Tracer) waited(k *tracedTask, w *TraceWait) {
	end := w.End
	if !w.Ended {
		end = t.last
	}
	what := w.Addr
	if what == "" {
		what = "(address not printed)"
	}
	if w.Name != "" {
		what = w.Name
	}
	if f := top(w.Stack); f != "" {
		what += " in " + f
	}
	k.span(TraceSpan{State: TraceLockWait, Start: w.Begin, Dur: end - w.Begin, Open: !w.Ended, What: what, Line: w.At.Span.First})
	if s := t.sample(k.Comm, w.Stack, strings.TrimSuffix("[lock "+w.Addr, " ")+"]"); s != nil {
		s.LockWaitNS += ns(end - w.Begin)
	}
	if len(t.tr.Waits) < maxWaits || !w.Ended {
		t.tr.Waits = append(t.tr.Waits, *w)
	}
}

// lockAddr splits the lock's address off. Early after boot %p prints the same
// "(____ptrval____)" for all pointers: that is no address.
func lockAddr(fields string) (addr, rest string) {
	addr, rest, _ = strings.Cut(fields, " ")
	if strings.HasPrefix(addr, "(") || strings.Trim(addr, "0x") == "" {
		addr = ""
	}
	return addr, rest
}

func (t *Tracer) hold(addr string, h TraceHold) {
	if addr == "" {
		return
	}
	list := t.tr.holders[addr]
	if len(list) == 0 && len(t.tr.holders) >= maxHolds {
		return
	}
	if !h.Shared && !h.Exact { // whoever had it before has released it
		list = t.drop(list, func(o TraceHold) bool { return !o.Exact })
	}
	list = t.drop(list, func(o TraceHold) bool { return o.Pid == h.Pid })
	if len(list) < 64 {
		list = append(list, h)
		t.held[h.Pid]++
	}
	t.tr.holders[addr] = list
}

func (t *Tracer) release(addr string, pid int) {
	list, ok := t.tr.holders[addr]
	if !ok {
		return
	}
	if list = t.drop(list, func(o TraceHold) bool { return o.Pid == pid }); len(list) == 0 {
		delete(t.tr.holders, addr)
		return
	}
	t.tr.holders[addr] = list
}

// drop removes holds from a list of holders.
func (t *Tracer) drop(list []TraceHold, gone func(TraceHold) bool) []TraceHold {
	return slices.DeleteFunc(list, func(h TraceHold) bool {
		if !gone(h) {
			return false
		}
		if t.held[h.Pid]--; t.held[h.Pid] == 0 {
			delete(t.held, h.Pid)
		}
		return true
	})
}

// killed makes the report of an OOM kill that the trace alone tells of.
func (t *Tracer) killed(k *tracedTask, e *parse.TraceEvent) {
	pid := num(e.Fields, "pid=")
	if c := t.kills[pid]; c != nil && c.TotalVMKB < 0 { // after its signal_generate
		c.TotalVMKB, c.AnonKB, c.FileKB, c.ShmemKB = size(e.Fields, "total-vm="), size(e.Fields, "anon-rss="), size(e.Fields, "file-rss:"), size(e.Fields, "shmem-rss:")
	}
	if pid <= 0 || t.kills[pid] != nil {
		return
	}
	o := t.oom(k, e, e.Stack)
	if k != nil && e.HasTime && !slices.ContainsFunc(k.Spans, func(s TraceSpan) bool { return s.State == TraceOOMKill && e.Time-s.Start < 5 }) {
		k.span(TraceSpan{State: TraceOOMKill, Start: e.Time, What: "oom_kill_process", Line: e.Span.First})
	}
	c := &parse.Kill{Meta: e.Meta, Pid: pid, Comm: word(e.Fields, " comm="), MemcgKill: o.Scope == "memcg", Traced: true,
		TotalVMKB: size(e.Fields, "total-vm="), AnonKB: size(e.Fields, "anon-rss="), FileKB: size(e.Fields, "file-rss:"), ShmemKB: size(e.Fields, "shmem-rss:"), Report: o}
	t.addKill(o, c)
}

func (t *Tracer) addKill(o *parse.OOM, c *parse.Kill) {
	if len(t.kills) >= maxTraceTask {
		return
	}
	v := t.task(c.Pid, c.Comm, false)
	if v != nil && c.Comm == "" {
		c.Comm = v.Comm
	}
	o.VictimPid, o.VictimComm = c.Pid, c.Comm
	o.Kills = append(o.Kills, c)
	t.kills[c.Pid] = c
	t.evs = append(t.evs, c)
}

// oom finds or makes the OOM that a task is handling: one for each task within
// a second.
func (t *Tracer) oom(k *tracedTask, e *parse.TraceEvent, st []parse.Frame) *parse.OOM {
	for i := len(t.ooms) - 1; i >= 0; i-- {
		o := t.ooms[i]
		if e.HasPid && o.InvokerPid == e.Pid && (len(o.Kills) == 0 && e.Time-o.Stamp.Boot < 5 || e.Name == "call" && o.Span.First > e.Span.First && o.Span.Last < e.Span.Last) {
			if o.Trace == nil && len(st) > 0 {
				o.Trace = frames(st)
			}
			if o.Scope == "" {
				o.Scope = oomScope(st)
				for _, c := range o.Kills {
					c.MemcgKill = o.Scope == "memcg"
				}
			}
			return o
		}
	}
	o := &parse.OOM{Meta: e.Meta, InvokerComm: e.Comm, InvokerPid: e.Pid, HasPid: e.HasPid, CPU: e.CPU, Traced: true}
	if k != nil {
		o.InvokerComm = k.Comm
	}
	if len(st) > 0 {
		o.Trace = frames(st)
	}
	if o.Scope = oomScope(st); o.Scope == "" && k != nil {
		// The killer is called after reclaim failed, and for what it was done:
		// by try_charge_memcg() for a memcg, by __alloc_pages_slowpath() for all.
		o.Scope = k.recl
	}
	if len(t.ooms) < maxTraceTask {
		t.ooms = append(t.ooms, o)
		t.evs = append(t.evs, o)
	}
	return o
}

// oomGroup tells what is known of the group: a charge fails at the limit of the
// charger's group or of one above it, and the victim is in that one too.
func (t *Tracer) oomGroup(o *parse.OOM) {
	if o.Scope != "memcg" {
		return
	}
	if k := t.tasks[o.InvokerPid]; k != nil && o.HasPid {
		o.Inside = k.Memcg
	}
	for _, c := range o.Kills {
		if v := t.tasks[c.Pid]; v != nil && v.Memcg != "" {
			o.TaskMemcg = v.Memcg
			if o.Inside != "" {
				o.Inside = commonGroup(o.Inside, v.Memcg)
			}
		}
	}
	if o.Inside == "/" {
		o.Inside = ""
	}
}

// oomScope reads off a stack what an OOM is of, "" if it does not tell.
func oomScope(st []parse.Frame) string {
	switch {
	case has(st, "mem_cgroup_out_of_memory"), has(st, "mem_cgroup_oom_synchronize"), has(st, "mem_cgroup_handle_oom"):
		return "memcg"
	case has(st, "__alloc_pages"), has(st, "__alloc_pages_slowpath"), has(st, "__alloc_pages_may_oom"):
		return "global"
	}
	return ""
}

func (t *Tracer) reaped(e *parse.TraceEvent) {
	pid := num(e.Fields, "pid=")
	if pid <= 0 || t.reaps[pid] || len(t.reaps) >= maxTraceTask {
		return
	}
	t.reaps[pid] = true
	r := &parse.Reap{Meta: e.Meta, Pid: pid, OK: true, AnonKB: -1, FileKB: -1, ShmemKB: -1}
	if v := t.tasks[pid]; v != nil {
		r.Comm = v.Comm
	}
	t.evs = append(t.evs, r)
}

// call reads a finished call of function_graph.
func (t *Tracer) call(k *tracedTask, e *parse.TraceEvent) {
	if k == nil {
		return
	}
	st := append([]parse.Frame{{Func: e.Func, Reliable: true, Line: e.Span.First}}, e.Stack...)
	s := TraceSpan{Start: e.Time, Dur: e.Duration, What: e.Func, Line: e.Span.First}
	switch {
	case e.Func == "try_to_free_mem_cgroup_pages", strings.HasPrefix(e.Func, "mem_cgroup_hierarchical_reclaim"), strings.HasPrefix(e.Func, "mem_cgroup_reclaim"):
		s.State = TraceReclaiming
	case e.Func == "oom_kill_process", e.Func == "mem_cgroup_out_of_memory":
		t.oomStack(k, e, st)
		if e.Func != "mem_cgroup_out_of_memory" && has(e.Stack, "mem_cgroup_out_of_memory") {
			return
		}
		s.State = TraceOOMKill
		k.Spans = slices.DeleteFunc(k.Spans, func(o TraceSpan) bool { // mark_victim, inside
			return o.State == TraceOOMKill && o.Dur == 0 && o.Start >= s.Start && o.Start <= s.Start+s.Dur
		})
	case e.Func == "exit_oom_victim":
		t.victimExits(k, e)
		return
	case e.Func == "do_exit":
		t.exit(k, e)
		return
	case e.Func == "mem_cgroup_oom_synchronize":
		if e.Parent == "handle_mm_fault" || has(e.Stack, "handle_mm_fault") && !has(e.Stack, "pagefault_out_of_memory") {
			t.cleanup(e)
			return
		}
		// Every fault that ends in VM_FAULT_OOM calls it: it was the memcg's
		// OOM only if the task slept in it, or killed.
		if e.Duration < minSleep {
			return
		}
		s.State = TraceOOMWait
		if k.slept == nil && k.kill == nil {
			k.slept = t.sighting(k, e, st, 0)
		}
		if k.slept != nil {
			k.slept.Over = true
		}
	case e.Func == "pagefault_out_of_memory":
		s.State = TraceOOMReturn
	case strings.HasPrefix(e.Func, "schedule"), strings.HasPrefix(e.Func, "io_schedule"):
		if !inOOMWait(st) {
			return
		}
		s.State = TraceOOMWait
		k.slept = t.sighting(k, e, st, 0)
		k.slept.Over = true
	case isChargeName(e.Func):
		s.State = TraceCharging
	default:
		return
	}
	k.span(s)
}

// minSleep is from how long on a call of mem_cgroup_oom_synchronize() must
// have slept: without a sleep it takes microseconds.
const minSleep = 1e-3

func isChargeName(fn string) bool {
	return strings.HasPrefix(fn, "try_charge") || strings.Contains(fn, "mem_cgroup_try_charge") || strings.HasPrefix(fn, "charge_memcg") ||
		strings.HasPrefix(fn, "__mem_cgroup_charge") || strings.HasPrefix(fn, "mem_cgroup_charge") || strings.HasPrefix(fn, "obj_cgroup_charge") ||
		strings.HasPrefix(fn, "mem_cgroup_do_charge") || strings.HasSuffix(fn, "_charge") && strings.HasPrefix(fn, "mem_cgroup_")
}

// oomStack keeps a task's stack inside an OOM kill.
func (t *Tracer) oomStack(k *tracedTask, e *parse.TraceEvent, st []parse.Frame) {
	if t.stillDying(e) {
		return
	}
	o := t.oom(k, e, st)
	if o.Trace == nil || len(o.Trace.Frames) < len(st) && !has(o.Trace.Frames, "oom_kill_process") {
		o.Trace = frames(st)
	}
}

// stillDying: mem_cgroup_out_of_memory() is called while the victim of the OOM
// before is on its way out. It finds that victim and kills nobody: no OOM of
// its own. A kill that it makes all the same has events that tell so.
func (t *Tracer) stillDying(e *parse.TraceEvent) bool {
	if e.Func != "mem_cgroup_out_of_memory" || len(t.ooms) == 0 {
		return false
	}
	o := t.ooms[len(t.ooms)-1]
	return o.Trace != nil && e.Time-o.Stamp.Boot < 5 && slices.ContainsFunc(o.Kills, func(c *parse.Kill) bool {
		v := t.tasks[c.Pid]
		return v == nil || v.Exited == nil
	})
}

// victimExits: only a victim of the OOM killer calls exit_oom_victim(), when
// it has given its memory up.
func (t *Tracer) victimExits(k *tracedTask, e *parse.TraceEvent) {
	if t.kills[k.Pid] == nil && len(t.ooms) > 0 {
		if o := t.ooms[len(t.ooms)-1]; len(o.Kills) == 0 {
			m := o.Meta // killed then, seen now
			t.addKill(o, &parse.Kill{Meta: m, Pid: k.Pid, Comm: k.Comm, MemcgKill: o.Scope == "memcg", Traced: true,
				TotalVMKB: -1, AnonKB: -1, FileKB: -1, ShmemKB: -1, Report: o})
		}
	}
	t.exit(k, e)
}

func (t *Tracer) cleanup(e *parse.TraceEvent) {
	if len(t.tr.Cleanup) < maxCleanup {
		t.tr.Cleanup = append(t.tr.Cleanup, e.Meta)
	}
}

// hit reads a hit of the function tracer or of a probe: where func was called,
// not how long it took.
func (t *Tracer) hit(k *tracedTask, e *parse.TraceEvent) {
	if k == nil {
		return
	}
	st := hitStack(e)
	if s := t.sample(k.Comm, st, ""); s != nil {
		s.Calls++
	}
	s := TraceSpan{Start: e.Time, What: e.Func, Line: e.Span.First}
	switch {
	case e.Func == "mem_cgroup_oom_synchronize":
		if e.Parent == "handle_mm_fault" {
			t.cleanup(e)
			return
		}
		s.State = TraceOOMReturn
	case e.Func == "pagefault_out_of_memory":
		s.State = TraceOOMReturn
	case e.Func == "oom_kill_process", e.Func == "mem_cgroup_out_of_memory", e.Func == "__oom_kill_process":
		t.oomStack(k, e, st)
		s.State = TraceOOMKill
	case e.Func == "exit_oom_victim":
		t.victimExits(k, e)
		return
	case e.Func == "do_exit":
		t.exit(k, e)
		return
	case strings.HasPrefix(e.Func, "schedule") && inOOMWait(st):
		s.State = TraceOOMWait
		k.slept = t.sighting(k, e, st, 0)
	case e.Func == "try_to_free_mem_cgroup_pages":
		s.State = TraceReclaiming
	case e.Func == "mem_cgroup_handle_oom":
		s.State = TraceOOMWait
	case isChargeName(e.Func):
		s.State = TraceCharging
	default:
		return
	}
	k.span(s)
}

// hitStack completes the stack of a function hit: ftrace leaves out the
// function and, before 4.x, its caller.
func hitStack(e *parse.TraceEvent) []parse.Frame {
	var out []parse.Frame
	at := func(fn string) {
		if fn != "" {
			out = append(out, parse.Frame{Func: fn, Reliable: true, Line: e.Span.First})
		}
	}
	switch {
	case len(e.Stack) > 0 && e.Stack[0].Func == e.Func:
	case len(e.Stack) > 0 && e.Stack[0].Func == e.Parent:
		at(e.Func)
	default:
		at(e.Func)
		at(e.Parent)
	}
	return append(out, e.Stack...)
}

// sighting makes a task's stack a sighting of it.
func (t *Tracer) sighting(k *tracedTask, e *parse.TraceEvent, st []parse.Frame, state byte) *parse.Task {
	s := &parse.Task{Meta: e.Meta, Source: parse.SourceFtrace, Pid: k.Pid, HasPid: true, Tgid: k.Tgid, Comm: k.Comm, State: state, Running: state == 'R', Trace: frames(st)}
	s.Caller = ""
	return s
}

// frames makes a stack a call trace, without the tracer's own functions on top.
func frames(st []parse.Frame) *parse.Trace {
	for len(st) > 1 && tracerStub(st[0].Func) {
		st = st[1:]
	}
	return &parse.Trace{Frames: slices.Clone(st), Complete: true}
}

func (t *Tracer) info(e *parse.TraceInfo) {
	t.begin(&e.Meta)
	t.tr.Info = append(t.tr.Info, e)
	t.tr.Fields = append(t.tr.Fields, t.fields.take())
	if e.HasTime {
		t.last = max(t.last, e.Last)
	}
	t.tr.Span.First = min(t.tr.Span.First, e.Span.First)
	t.tr.Span.Last = max(t.tr.Span.Last, e.Span.Last)
	for i := range e.Nodes {
		n := &e.Nodes[i]
		if n.Parent < 0 || n.Calls == 0 && n.SelfNS == 0 {
			continue
		}
		var st []parse.Frame
		comm, j := "", i
		for ; e.Nodes[j].Parent >= 0; j = e.Nodes[j].Parent {
			st = append(st, parse.Frame{Func: e.Nodes[j].Func})
		}
		comm = e.Nodes[j].Func
		s := t.sample(comm, st, "")
		if s == nil {
			continue
		}
		s.Calls += n.Calls
		if f := n.Func; strings.HasPrefix(f, "schedule") || f == "__schedule" || strings.HasPrefix(f, "io_schedule") {
			s.OffCPUNS += n.SelfNS
		} else {
			s.OnCPUNS += n.SelfNS
		}
	}
}

// sample finds the sample of a stack; a wait whose stack is not known gets
// the stand-in.
func (t *Tracer) sample(comm string, st []parse.Frame, standIn string) *TraceSample {
	var names []string
	for i := range st {
		if st[i].Func != "" && !tracerStub(st[i].Func) {
			names = append(names, st[i].Func)
		}
	}
	if len(names) == 0 {
		if standIn == "" {
			return nil
		}
		names = []string{standIn}
	}
	key := comm + "\x00" + strings.Join(names, "\x00")
	i, ok := t.samples[key]
	if !ok {
		if len(t.samples) >= maxSamples {
			names, key = []string{"[more]"}, "\x00[more]"
			if i, ok = t.samples[key]; ok {
				return &t.tr.Samples[i]
			}
			comm = ""
		}
		i = len(t.tr.Samples)
		t.samples[key] = i
		t.tr.Samples = append(t.tr.Samples, TraceSample{Comm: comm, Stack: names})
	}
	return &t.tr.Samples[i]
}

// tableEntry takes an entry of a table: a stack, and how often it came, since
// when or until when nobody knows. So it makes a sample and no sighting.
func (t *Tracer) tableEntry(e *parse.TraceEvent) {
	s := t.sample(e.Comm, e.Stack, "")
	if s == nil {
		return
	}
	for _, v := range e.Values {
		if v.N < 0 {
			continue
		}
		if e.Name == "hist" && v.Name == "hitcount" || e.Name == "kstack" && !namesUnit(v.Name) {
			s.Calls += v.N
			continue
		}
		j := slices.IndexFunc(s.Weights, func(w TraceWeight) bool { return w.Name == v.Name })
		if j < 0 {
			if len(s.Weights) >= maxWeights {
				continue
			}
			j = len(s.Weights)
			s.Weights = append(s.Weights, TraceWeight{Name: v.Name})
		}
		s.Weights[j].Sum += v.N
	}
}

// maxWeights bounds the sums of one stack.
const maxWeights = 8

// namesUnit tells whether the name of a bpftrace map is that of a sum: count()
// and sum() print alike.
func namesUnit(m string) bool {
	m = strings.TrimPrefix(m, "@")
	for _, u := range [...]string{"us", "ms", "ns", "sec", "secs", "usecs", "msecs", "nsecs", "bytes", "kb", "sum", "total", "time", "dur", "duration", "lat", "latency", "size", "offcpu", "blocked"} {
		if m == u || strings.HasSuffix(m, "_"+u) {
			return true
		}
	}
	return false
}

// sampled counts an event with a stack that no rule reads. The clock events of
// perf are samples of time on the CPU: their period is in nanoseconds.
func (t *Tracer) sampled(e *parse.TraceEvent) {
	s := t.sample(e.Comm, e.Stack, "")
	if s == nil {
		return
	}
	s.Calls++
	if e.Name == "cpu-clock" || e.Name == "task-clock" {
		if n, err := strconv.ParseInt(e.Fields, 10, 64); err == nil && n > 0 && n < 1e12 {
			s.OnCPUNS += n
		}
	}
}

// tracerStub recognises the functions that the tracer itself puts on top of a
// stack.
func tracerStub(fn string) bool {
	for _, p := range [...]string{"trace_event_raw_event_", "__traceiter_", "ftrace_raw_event_", "trace_event_buffer_", "perf_trace_", "ftrace_call", "ftrace_graph_caller", "return_to_handler"} {
		if strings.HasPrefix(fn, p) {
			return true
		}
	}
	return false
}

// End closes what is open and returns what the trace proves as events that
// other evidence can be joined with: sightings, kills, reaps and the Trace.
// It returns nil if there was no trace.
func (t *Tracer) End() []parse.Event {
	if t.tr == nil {
		return nil
	}
	for _, k := range t.order {
		t.close(k)
	}
	for _, o := range t.ooms {
		t.oomGroup(o)
	}
	slices.SortStableFunc(t.tr.Waits, func(a, b TraceWait) int { return cmp.Compare(a.At.Span.First, b.At.Span.First) })
	t.tr.End = t.tr.Stamp
	if t.timed && t.tr.Stamp.HasBoot {
		t.tr.End.Boot = t.last
	}
	out := append(t.evs, t.tr)
	t.evs = nil
	return out
}

func (t *Tracer) close(k *tracedTask) {
	gone := k.Exited != nil
	if k.slept != nil && gone {
		k.slept.Over = true
	}
	if w := k.wait; w != nil && !gone {
		t.waited(k, w)
	}
	if k.inRecl && !gone {
		k.span(TraceSpan{State: TraceReclaiming, Start: k.reclaim, Dur: t.last - k.reclaim, Open: true, What: "try_to_free_mem_cgroup_pages", Line: k.reclAt})
	}
	var now *parse.Task
	switch {
	case gone:
	case k.out != nil:
		now = t.stillOut(k)
	case k.on && t.switches > 0 && t.cpu[k.cpu] == k.Pid:
		k.span(TraceSpan{State: TraceRunning, Start: k.onSince, Dur: t.last - k.onSince, Open: true})
	case k.wait != nil && !k.wait.Spinning() && len(k.wait.Stack) > 0:
		now = t.waitSighting(k)
	case k.open != nil:
		now = t.stillOpen(k)
	case k.slept != nil && !k.slept.Over:
		now = k.slept
		if k.HasRan && k.Ran > k.slept.Stamp.Boot+1e-3 && k.slept.Stamp.HasBoot {
			k.slept.Over = true
		}
	}
	if !gone {
		if k.sys.name != "" {
			k.span(TraceSpan{State: TraceSyscall, Start: k.sys.start, Dur: t.last - k.sys.start, Open: true, What: k.sys.name, Line: k.sys.line})
		}
		t.endFault(k, nil)
	}
	if k.slept != nil && k.slept != now {
		k.slept.Over = true
		k.slept.Comm = k.Comm
		t.evs = append(t.evs, k.slept)
	}
	if now != nil {
		t.evs = append(t.evs, now)
	}
	k.totalise()
	k.Memcg = k.memcg()
	if k.busy || gone && t.kills[k.Pid] != nil {
		slices.SortStableFunc(k.Spans, func(a, b TraceSpan) int { return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(b.Dur, a.Dur)) })
	} else {
		k.Spans, k.More = nil, 0 // slept and ran, nothing else
	}
	tt := &k.TraceTask
	t.tr.Tasks = append(t.tr.Tasks, tt)
	t.tr.byPid[k.Pid] = tt
}

// stillOut is a task that is off its CPU when the trace ends.
func (t *Tracer) stillOut(k *tracedTask) *parse.Task {
	o, state := k.out, k.state
	name, what := k.away()
	end := t.last
	if k.woken > o.Time && name != TraceRunnable { // and may run since
		end, state = k.woken, 'R'
	}
	k.span(TraceSpan{State: name, Start: o.Time, Dur: end - o.Time, Open: end == t.last, What: what, Line: o.Span.First})
	if state != k.state {
		k.span(TraceSpan{State: TraceRunnable, Start: end, Dur: t.last - end, Open: true, Line: o.Span.First})
	}
	if s := t.sample(k.Comm, o.Stack, ""); s != nil && len(o.Stack) > 0 {
		s.OffCPUNS += ns(t.last - o.Time)
	}
	switch {
	case len(o.Stack) > 0:
		return t.sighting(k, o, graft(o.Stack, k.wait), state)
	case k.wait != nil && len(k.wait.Stack) > 0:
		return t.waitSighting(k)
	case k.open != nil: // function_graph tells where
		return t.sighting(k, k.open, append([]parse.Frame{{Func: k.open.Func, Reliable: true, Line: k.open.Open}}, k.open.Stack...), state)
	}
	return nil
}

func (k *tracedTask) totalise() {
	for _, tot := range k.totals {
		k.Totals = append(k.Totals, *tot)
	}
	slices.SortFunc(k.Totals, func(a, b TraceTotal) int { return strings.Compare(a.State, b.State) })
}

// waitSighting is a task known to wait from contention_begin alone.
func (t *Tracer) waitSighting(k *tracedTask) *parse.Task {
	e := &parse.TraceEvent{Meta: k.wait.At}
	return t.sighting(k, e, k.wait.Stack, 'D')
}

// stillOpen is a task that function_graph leaves inside calls.
func (t *Tracer) stillOpen(k *tracedTask) *parse.Task {
	e := k.open
	st := append([]parse.Frame{{Func: e.Func, Reliable: true, Line: e.Open}}, e.Stack...)
	sleeps := slices.ContainsFunc(st, func(f parse.Frame) bool {
		return strings.HasPrefix(f.Func, "schedule") || strings.HasPrefix(f.Func, "io_schedule")
	})
	state := byte(0)
	if !sleeps && e.Fields == "last-on-cpu" {
		state = 'R'
	}
	s := TraceSpan{State: TraceRunning, Start: e.Time, Dur: t.last - e.Time, Open: true, What: e.Func, Line: e.Open}
	switch {
	case inOOMWait(st) && state == 0:
		s.State = TraceOOMWait
	case has(st, "try_to_free_mem_cgroup_pages"):
		s.State = TraceReclaiming
	case sleeps:
		s.State = TraceSleeping
	case slices.ContainsFunc(st, func(f parse.Frame) bool { return isChargeName(f.Func) }):
		s.State = TraceCharging
	}
	if !e.HasTime {
		s.Dur = 0
	}
	k.span(s)
	return t.sighting(k, e, st, state)
}

// graft completes a stack that the reader cut (trace-cmd prints 8 frames)
// with the one of the same wait's contention_begin.
func graft(st []parse.Frame, w *TraceWait) []parse.Frame {
	if w == nil || len(st) == 0 || len(w.Stack) == 0 {
		return st
	}
	last := st[len(st)-1]
	for i := range w.Stack {
		if w.Stack[i].Func == last.Func {
			return append(slices.Clone(st), w.Stack[i+1:]...)
		}
	}
	return st
}

// Holders are the tasks that took the lock at an address and were not seen to
// release it.
func (t *Trace) Holders(addr string) []TraceHold { return t.holders[addr] }

// Task returns what the trace shows of a thread, nil if nothing.
func (t *Trace) Task(pid int) *TraceTask { return t.byPid[pid] }

// Last is the latest time of the trace.
func (t *Trace) Last() float64 {
	last := 0.0
	for _, i := range t.Info {
		last = max(last, i.Last)
	}
	return last
}

func ns(s float64) int64 {
	if s <= 0 || s > 1e9 {
		return 0
	}
	return int64(s*1e9 + 0.5)
}

func has(st []parse.Frame, fn string) bool {
	return slices.ContainsFunc(st, func(f parse.Frame) bool {
		name, _, _ := strings.Cut(f.Func, ".")
		return name == fn
	})
}

// top is the innermost function that is no scheduler's, lock's or tracer's.
func top(st []parse.Frame) string {
	for i := range st {
		f := st[i].Func
		if f == "" || tracerStub(f) || strings.HasPrefix(f, "schedule") || strings.HasPrefix(f, "__schedule") || strings.HasPrefix(f, "preempt_schedule") ||
			strings.HasPrefix(f, "rwsem_down_") || strings.HasPrefix(f, "down_") || strings.HasPrefix(f, "__down") || strings.HasPrefix(f, "mutex_lock") ||
			strings.HasPrefix(f, "__mutex_lock") || strings.HasPrefix(f, "io_schedule") || strings.HasPrefix(f, "__cond_resched") || strings.HasPrefix(f, "percpu_") ||
			strings.HasPrefix(f, "__percpu_") || strings.HasPrefix(f, "native_queued_") || strings.HasPrefix(f, "queued_") || strings.HasPrefix(f, "_raw_") {
			continue
		}
		return f
	}
	return ""
}

// word reads what follows key in fields: up to the next " name=", since a comm
// may hold blanks.
func word(fields, key string) string {
	i := strings.Index(fields, key)
	if i < 0 {
		if !strings.HasPrefix(key, " ") || !strings.HasPrefix(fields, key[1:]) {
			return ""
		}
		i, key = 0, key[1:]
	}
	s := fields[i+len(key):]
	for j := 0; j < len(s); j++ {
		if s[j] != ' ' {
			continue
		}
		n := j + 1
		for n < len(s) && (s[n] == '_' || s[n] == '-' || s[n]|0x20-'a' < 26) {
			n++
		}
		if n > j+1 && n < len(s) && (s[n] == '=' || s[n] == ':') || strings.HasPrefix(s[j:], " ==>") {
			return s[:j]
		}
	}
	return s
}

// num reads the number that follows key as a whole word, -1 if there is none.
func num(fields, key string) int {
	for j := 0; ; {
		i := strings.Index(fields[j:], key)
		if i < 0 {
			return -1
		}
		i += j
		if i == 0 || fields[i-1] == ' ' {
			e := i + len(key)
			for e < len(fields) && fields[e]-'0' < 10 {
				e++
			}
			if n, err := strconv.Atoi(fields[i+len(key) : e]); err == nil {
				return n
			}
		}
		j = i + len(key)
	}
}

// size reads "total-vm=24928kB", -1 if it is not there.
func size(fields, key string) int64 {
	if n := num(fields, key); n >= 0 {
		return int64(n)
	}
	return -1
}
