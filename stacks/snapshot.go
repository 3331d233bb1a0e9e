package stacks

import (
	"cmp"

	"github.com/oomtrace/oomtrace/parse"
)

// Order is a place in the evidence. Sightings are ordered by where they stand
// in the log and not by time stamp: printk times can stand still or run
// backwards while several CPUs print (seen on 6.1 under "unstable clock").
type Order struct {
	Untimed bool // a capture without printk times (/proc reads) comes after the logs
	Input   int
	Line    int
	At      float64 // seconds since boot of a trace's event, which stands behind the log's Line
}

// Compare is -1, 0 or +1.
func (o Order) Compare(p Order) int {
	if o.Untimed != p.Untimed {
		if p.Untimed {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(o.Input, p.Input), cmp.Compare(o.Line, p.Line), cmp.Compare(o.At, p.At))
}

// After reports whether o stands after p.
func (o Order) After(p Order) bool { return o.Compare(p) > 0 }

// Snapshot is everything that the inputs say about one boot of one host.
// All slices are in Order.
type Snapshot struct {
	Host    string // "" if the logs do not say
	Release string // kernel release, "" if unknown
	Arch    string
	Tasks   []*Task

	OOMs     []*parse.OOM
	Kills    []*parse.Kill
	Reaps    []*parse.Reap
	Hung     []*parse.HungTask
	Blockers []*parse.Blocker
	Locks    []*parse.Locks
	Lockdep  []*parse.Lockdep
	Dumps    []*parse.Dump
	Notes    []*parse.Note
	Cgroups  []*parse.Cgroup
	Traces   []*Trace
	Folded   []*Folded // OOM reports that are in none of these lists

	Last Order // of the last event

	feeds   []*feed
	untimed map[int]bool // inputs without printk times
	ticks   []tick       // of the log that traces are ordered by
	traced  map[int]*Trace
	byPid   map[int]*Task
	unnamed int // tasks without a pid

	seenOOM, seenKill map[record]int

	reaps map[int][]*parse.Reap     // by pid
	hung  map[int][]*parse.HungTask // likewise
	tgids map[int][]*Task           // threads of a process
	dumps map[dumpKey]*parse.Dump

	killed  map[int]bool // see KilledInFold
	reports map[*parse.OOM]*Sighting
}

// Order returns where an event stands.
func (s *Snapshot) Order(m *parse.Meta) Order {
	if o, ok := s.traceOrder(m); ok {
		return o
	}
	return s.at(m.Span.Input, seq(m))
}

// seq is a record's place in its input: its first line, but for the parts of a
// pstore dump, which are saved newest first.
func seq(m *parse.Meta) int {
	if m.Seq != 0 {
		return m.Seq
	}
	return m.Span.First
}

func (s *Snapshot) stack(input int, t *parse.Trace) *Stack { return s.feeds[input].stacks.stack(t) }

func (s *Snapshot) at(input, line int) Order {
	return Order{Untimed: s.untimed[input], Input: input, Line: line}
}

// Task returns the task with that thread id, nil if none was seen.
func (s *Snapshot) Task(pid int) *Task { return s.byPid[pid] }

// Reaped returns what the oom_reaper said of a pid.
func (s *Snapshot) Reaped(pid int) []*parse.Reap { return s.reaps[pid] }

// HungReports returns what khungtaskd said of a pid.
func (s *Snapshot) HungReports(pid int) []*parse.HungTask { return s.hung[pid] }

// Threads returns the seen threads of a process, in task order. Only kernels
// from 6.12 on and task tables tell which process a thread is of.
func (s *Snapshot) Threads(tgid int) []*Task { return s.tgids[tgid] }

type dumpKey struct{ input, id int }

// Dump returns a sysrq dump of an input by its number, nil for 0.
func (s *Snapshot) Dump(input, id int) *parse.Dump { return s.dumps[dumpKey{input, id}] }

// Sighting returns the sighting of the invoker that an OOM report is, nil if it
// has no call trace.
func (s *Snapshot) Sighting(o *parse.OOM) *Sighting {
	if x := s.reports[o]; x != nil && x.Report == o {
		return x
	}
	return nil
}

// KilledInFold reports whether a task that invoked one of OOMs is the victim of
// an OOM report that is folded.
func (s *Snapshot) KilledInFold(t *Task) bool { return t.HasPid && s.killed[t.Pid] }

// Name returns the task with that thread id and makes it if the logs never
// show it: the user can name a handler or daemon that sits in no stack.
func (s *Snapshot) Name(pid int) *Task { return s.task(pid, true, "") }

// CapturesOnly reports whether nothing of a kernel log is known, only stacks
// that somebody captured or pasted.
func (s *Snapshot) CapturesOnly() bool {
	return len(s.OOMs)+len(s.Kills)+len(s.Hung)+len(s.Dumps)+len(s.Notes) == 0 && s.Release == ""
}

// Task is one task with all its sightings, in Order.
type Task struct {
	ID        string // "task:47", or "task:#1" for a stack that names no pid
	Index     int    // in Snapshot.Tasks
	Pid       int    // thread id, valid if HasPid
	HasPid    bool
	Tgid      int // process id, 0 if not known
	Ppid      int
	HasPpid   bool
	Comm      string // the latest name, "" if unknown
	Label     string // heading above a stack without pid
	Memcg     string // "" if unknown
	Sightings []*Sighting

	HungReports int
	Repeated    int   // dumps of such reports that are no sightings: the ones before and after say the same
	BlockedS    int64 // longest wait that khungtaskd reported, 0 if none
	FirstHung   Order // of the first hung-task report, valid if HungReports > 0

	// Gone is the whole sysrq-t after the last sighting that does not list
	// the task any more: it has exited. Unblocked is the whole sysrq-w after
	// the last sighting that does not list it: it is no longer in D.
	Gone, Unblocked *parse.Dump
}

// Name is comm/pid, the comm or the heading, for people.
func (t *Task) Name() string {
	switch {
	case t.HasPid && t.Comm != "":
		return t.Comm + "/" + itoa(t.Pid)
	case t.HasPid:
		return itoa(t.Pid)
	case t.Comm != "":
		return t.Comm
	case t.Label != "":
		return t.Label
	}
	return "task " + t.ID[len("task:"):]
}

// KernelThread tells whether it is a kernel thread; ok is false where the log
// does not say (kthreadd is pid 2 and the parent of all others).
func (t *Task) KernelThread() (is, ok bool) {
	if !t.HasPpid {
		return t.HasPid && t.Pid == 2, t.HasPid && t.Pid == 2
	}
	return t.Ppid == 2 || t.Pid == 2, true
}

// Sighting is one printed stack of one task.
type Sighting struct {
	Order   Order
	Span    parse.Span
	Stamp   parse.Stamp
	Text    string // of the first line, without its framing
	Source  parse.Source
	State   byte // 0 if not printed
	Running bool // on a CPU
	Clean   bool // header, trace mark and frames without a foreign line
	Dump    int  // 0 if outside a sysrq dump
	Work    string
	Trace   *parse.Trace // nil if none
	Stack   *Stack       // its frames, nil if none
	Hung    bool         // the dump of a hung-task report
	Over    bool         // a trace shows that the task went on
	Report  *parse.OOM   // the OOM report whose trace this is
}

// Frames returns the reliable frames of the task's own stack, innermost first.
// Frames marked "? " are left-overs of earlier calls and never count.
func (s *Sighting) Frames() []*parse.Frame {
	if s.Stack == nil {
		return nil
	}
	return s.Stack.Own
}

// Line is the line of one of the frames.
func (s *Sighting) Line(f *parse.Frame) int { return s.Trace.Line(f) }

// Has reports whether a frame, the same function at the same offset, is among
// the reliable frames.
func (s *Sighting) Has(f *parse.Frame) bool {
	for _, o := range s.Frames() {
		if o.Func == f.Func && o.Offset == f.Offset {
			return true
		}
	}
	return false
}

// Mute reports whether the sighting says nothing about where the task is: a
// running task shows no stack.
func (s *Sighting) Mute() bool { return len(s.Frames()) == 0 }

// Filtered reports whether scheduler and lock functions are left out, as
// /proc/PID/stack does (in_sched_functions, x86 2.6.32..7.1).
func (s *Sighting) Filtered() bool { return s.Source == parse.SourceProc }

// Present is the sighting that tells where the task is now: the latest clean
// one that says something, else the latest that says something, else nil.
func (t *Task) Present() *Sighting {
	var dirty *Sighting
	for i := len(t.Sightings) - 1; i >= 0; i-- {
		s := t.Sightings[i]
		if s.Mute() || s.Over {
			continue
		}
		// A wait channel is one frame: any stack tells more.
		if s.Clean && !s.Trace.Wchan {
			return s
		}
		if dirty == nil {
			dirty = s
		}
	}
	return dirty
}

// LastState is the state of the latest sighting that printed one, 0 if none.
func (t *Task) LastState() byte {
	for i := len(t.Sightings) - 1; i >= 0; i-- {
		if t.Sightings[i].State != 0 {
			return t.Sightings[i].State
		}
	}
	return 0
}

// UserSP is the user-mode stack pointer of the register dump, 0 if none was
// printed.
func (s *Sighting) UserSP() uint64 {
	if s.Trace == nil {
		return 0
	}
	return s.Trace.UserSP
}
