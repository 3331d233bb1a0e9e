package stacks

import (
	"strconv"
	"strings"

	"github.com/oomtrace/oomtrace/parse"
)

// taskSwitch is one task's leaving a CPU to another one.
type taskSwitch struct {
	prev, next         int // pids, -1 if not told
	prevComm, nextComm string
	state              byte // R S D T t X Z I P, 0 if not told
}

// switchOf reads the forms of a switch:
//
//	prev_comm=a prev_pid=1 prev_prio=120 prev_state=D|K ==> next_comm=b next_pid=2 next_prio=120   2.6.33 ..
//	task a:1 [120] (D) ==> b:2 [120]                                                               2.6.28 .. 2.6.32
//	a:1 [120] D|K ==> b:2 [120]        trace-cmd and perf script with libtraceevent's plugin
//	   1:120:D ==> [001]   2:120:R b   context_switch of the wakeup tracers
func switchOf(fields string) (s taskSwitch, ok bool) {
	s.prev, s.next = -1, -1
	if p := num(fields, "prev_pid="); p >= 0 || strings.Contains(fields, "next_pid=") {
		s.prev, s.prevComm, s.state = p, word(fields, "prev_comm="), schedState(word(fields, "prev_state="))
		s.next, s.nextComm = num(fields, "next_pid="), word(fields, "next_comm=")
		return s, true
	}
	from, to, ok := strings.Cut(fields, " ==> ")
	if !ok {
		return s, false
	}
	if pid, state, ok := contextTask(from); ok {
		_, to, _ = strings.Cut(to, "]")
		s.prev, s.state = pid, state
		s.next, _, _ = contextTask(to)
		if i := strings.LastIndexByte(to, ' '); i >= 0 {
			s.nextComm = to[i+1:]
		}
		return s, true
	}
	var rest string
	if s.prevComm, s.prev, rest, ok = nameAndPid(from); !ok {
		return s, false
	}
	switch rest = strings.Trim(rest, " ()"); rest {
	case "W": // the plugin's name for bit 7: TASK_IDLE as reported from 4.14 on
		s.state = 'I'
	case "x": // bit 6: parked from 4.14 on
		s.state = 'P'
	default:
		s.state = schedState(rest)
	}
	s.nextComm, s.next, _, ok = nameAndPid(to)
	return s, ok
}

// contextTask reads "  47:120:R".
func contextTask(s string) (pid int, state byte, ok bool) {
	a, rest, ok := strings.Cut(strings.TrimLeft(s, " "), ":")
	if !ok {
		return -1, 0, false
	}
	pid, err := strconv.Atoi(a)
	_, rest, ok = strings.Cut(rest, ":")
	if err != nil || !ok || rest == "" {
		return -1, 0, false
	}
	return pid, rest[0], true
}

// nameAndPid reads "task bash:4251 [120] rest" and "bash:4251 [120] rest"; a
// comm may hold colons and blanks.
func nameAndPid(s string) (comm string, pid int, rest string, ok bool) {
	i := strings.LastIndex(s, " [")
	if i < 0 {
		return "", -1, "", false
	}
	j := strings.LastIndexByte(s[:i], ':')
	if j < 0 {
		return "", -1, "", false
	}
	pid, err := strconv.Atoi(s[j+1 : i])
	if err != nil || pid < 0 {
		return "", -1, "", false
	}
	_, rest, _ = strings.Cut(s[i:], "]")
	return strings.TrimPrefix(strings.TrimLeft(s[:j], " "), "task "), pid, rest, true
}

// taskOf is the pid that an event tells of besides the one it happened to:
// "pid=12", "task bash:12 [120]" (.. 2.6.32), "bash:12 [120]" (the plugins);
// -1 if there is none.
func taskOf(fields string) int {
	if p := num(fields, "pid="); p >= 0 {
		return p
	}
	if i := strings.Index(fields, "]"); i >= 0 {
		if _, p, _, ok := nameAndPid(fields[:i+1]); ok {
			return p
		}
	}
	return -1
}

// schedState reads prev_state as __trace_sched_switch_state() and its printing
// have it (include/trace/events/sched.h): "S", "D|K" (killable, 3.x .. 4.13),
// "R+" (preempted), or the number, which hist triggers, bpf and perf print.
// Bits 0 to 3 have never changed; 16 and 32 are the two dead states in either
// order; 128 is idle and 256 and above preempted from 4.14 on.
func schedState(s string) byte {
	if s == "" {
		return 0
	}
	if c := s[0]; c-'0' < 10 {
		n, err := strconv.Atoi(s)
		switch {
		case err != nil:
			return 0
		case n&2 != 0 && n&0x400 != 0: // TASK_UNINTERRUPTIBLE|TASK_NOLOAD
			return 'I'
		case n&2 != 0:
			return 'D'
		case n&1 != 0:
			return 'S'
		case n&4 != 0:
			return 'T'
		case n&8 != 0:
			return 't'
		case n&(16|32) != 0:
			return 'X'
		case n == 128:
			return 'I'
		case n == 0 || n >= 256:
			return 'R'
		}
		return 0
	}
	if s[0] == 'x' { // TASK_DEAD, .. 4.13
		return 'X'
	}
	return s[0]
}

// later tells whether an event comes after another one. The files of single
// CPUs, one after the other, are not in the order of time.
func later(a, b *parse.TraceEvent) bool {
	if a.HasTime && b.HasTime {
		return b.Time+b.Duration >= a.Time
	}
	return b.Span.First > a.Span.First
}

// schedSwitch moves one task off a CPU and another one onto it.
func (t *Tracer) schedSwitch(e *parse.TraceEvent) {
	s, ok := switchOf(e.Fields)
	if !ok {
		return
	}
	t.switches++
	if s.prev < 0 && e.HasPid {
		s.prev = e.Pid
	}
	if k := t.task(s.prev, s.prevComm, false); k != nil && k.stale(e) {
		// the file of another CPU: where the task was before
	} else if k != nil {
		if e.Comm != "" && e.HasPid && e.Pid == s.prev {
			k.Comm = e.Comm
		}
		k.offCPU(e)
		k.out, k.state, k.woken, k.reason = e, s.state, 0, ""
		k.ran(e.Time)
		switch k.state {
		case 'Z', 'X':
			t.exit(k, e)
		}
		if inOOMWait(e.Stack) && k.state != 'R' {
			k.slept = t.sighting(k, e, e.Stack, k.state)
		}
	}
	if k := t.task(s.next, s.nextComm, false); k != nil && !k.stale(e) {
		t.back(k, e.Time)
		k.cpu = e.CPU
	}
	if e.CPU >= 0 {
		t.cpu[e.CPU] = s.next
	}
}

// stale tells whether an event is older than the task's state.
func (k *tracedTask) stale(e *parse.TraceEvent) bool {
	return e.HasTime && e.Time < k.onSince || k.out != nil && !later(k.out, e)
}

// onCPU notes that an event happened in a task: it runs. That ends its time
// off the CPU where the switch back was lost, or filtered out.
func (t *Tracer) onCPU(k *tracedTask, e *parse.TraceEvent) {
	if !e.HasTime || k.stale(e) {
		return
	}
	now := e.Time + e.Duration
	k.ran(now)
	if k.out != nil && now > k.out.Time {
		t.back(k, now)
	}
	if !k.on && k.out == nil && k.Exited == nil {
		k.on, k.onSince = true, e.Time
	}
	k.cpu = e.CPU
	if e.CPU >= 0 {
		t.cpu[e.CPU] = k.Pid
	}
}

// offCPU ends a time on the CPU.
func (k *tracedTask) offCPU(e *parse.TraceEvent) {
	if k.on && e.Time > k.onSince {
		k.span(TraceSpan{State: TraceRunning, Start: k.onSince, Dur: e.Time - k.onSince, Line: e.Span.First})
	}
	k.on = false
}

// back ends what kept a task off its CPU.
func (t *Tracer) back(k *tracedTask, at float64) {
	if o := k.out; o != nil {
		state, what := k.away()
		end := at
		if k.woken > o.Time && k.woken < at && state != TraceRunnable {
			end = k.woken
		}
		k.span(TraceSpan{State: state, Start: o.Time, Dur: end - o.Time, What: what, Line: o.Span.First})
		if end < at {
			k.span(TraceSpan{State: TraceRunnable, Start: end, Dur: at - end, Line: o.Span.First})
		}
		if s := t.sample(k.Comm, o.Stack, ""); s != nil && len(o.Stack) > 0 {
			s.OffCPUNS += ns(at - o.Time)
		}
		if k.slept != nil {
			k.slept.Over = true
		}
		k.on = false
	}
	if !k.on {
		k.on, k.onSince = true, at
	}
	k.out, k.woken, k.reason = nil, 0, ""
	k.ran(at)
}

// woke notes that a task off its CPU may run again. trace_sched_waking() comes
// when the state matched: the task does not sleep any more
// (try_to_wake_up, 4.3 ..; sched_wakeup before).
func (t *Tracer) woke(e *parse.TraceEvent) {
	k := t.tasks[taskOf(e.Fields)]
	if k == nil {
		return
	}
	if k.wait != nil && k.wait.Waker == 0 && e.HasPid {
		k.wait.Waker = e.Pid
	}
	if k.out != nil && k.woken == 0 && e.HasTime && e.Time >= k.out.Time {
		k.woken = e.Time
	}
}

// schedStat takes the scheduler's own sums, made when the task wakes up:
// sched_stat_sleep, _iowait, _blocked and _wait ("comm=a pid=1 delay=12 [ns]",
// 2.6.31 ..). They say as much as two switches do.
func (t *Tracer) schedStat(e *parse.TraceEvent) {
	k := t.task(num(e.Fields, "pid="), "", false)
	if k == nil || k.out != nil || t.switches > 0 || !e.HasTime {
		return
	}
	d := float64(num(e.Fields, "delay=")) / 1e9
	if d <= 0 || d > e.Time {
		return
	}
	s := TraceSpan{State: TraceBlocked, Start: e.Time - d, Dur: d, Line: e.Span.First}
	switch e.Name {
	case "sched_stat_sleep":
		s.State = TraceSleeping
	case "sched_stat_wait":
		s.State = TraceRunnable
	case "sched_stat_iowait":
		s.What = "I/O"
	}
	k.span(s)
}

// blockedReason takes "pid=12 iowait=0 caller=do_truncate+0x6a/0xa0", which
// Android's kernels give when a task in D wakes up.
func (t *Tracer) blockedReason(e *parse.TraceEvent) {
	k := t.tasks[num(e.Fields, "pid=")]
	if k == nil {
		return
	}
	fn := word(e.Fields, "caller=")
	if i := strings.IndexAny(fn, "+ "); i > 0 {
		fn = fn[:i]
	}
	if fn != "" && !strings.HasPrefix(fn, "0x") {
		k.reason = fn
	}
}

// away says what a task off its CPU does.
func (k *tracedTask) away() (state, what string) {
	what = top(k.out.Stack)
	if what == "" {
		what = k.reason
	}
	if what == "" && k.sys.name != "" {
		what = k.sys.name
	}
	switch {
	case k.state == 'R':
		return TraceRunnable, ""
	case k.state == 'Z' || k.state == 'X':
		return TraceExiting, ""
	case k.state == 'T' || k.state == 't':
		return TraceStopped, what
	case k.wait != nil:
		return TraceBlocked, what
	case inOOMWait(k.out.Stack):
		return TraceOOMWait, what
	case k.state == 'D':
		return TraceBlocked, what
	}
	return TraceSleeping, what
}
