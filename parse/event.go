package parse

// Span is a run of lines of one input. Input counts from 0 in the order the
// inputs were given; lines count from 1.
type Span struct {
	Input, First, Last int
}

// Stamp is when a line was printed, as far as its framing tells.
type Stamp struct {
	Boot    float64 // seconds since boot, valid if HasBoot
	HasBoot bool
	Wall    string // wall clock as RFC 3339 (without year or zone where the log has none), "" if unknown
}

// Meta is what every event has: where it stands, when it was printed and what
// its framing told about it.
type Meta struct {
	Span    Span
	Stamp   Stamp  // of the first line
	End     Stamp  // of the last line
	Host    string // "" where the framing has none
	Caller  string // printk caller id, "T45" or "C0", "" without CONFIG_PRINTK_CALLER
	Seq     int    // orders events by their first lines as the kernel printed them; by Span.First but for pstore's parts
	Damaged bool   // cut, or mixed with foreign lines
	Text    string // of the first line, without its framing
}

// Head returns the event's Meta.
func (m *Meta) Head() *Meta { return m }

// Event is one record of the log: *OOM, *Kill, *Reap, *HungTask, *Blocker,
// *Task, *Locks, *Lockdep, *Dump, *Boot, *Note, *Stall,
// *Sysrq, *Cgroup, *TraceEvent or *TraceInfo.
type Event interface{ Head() *Meta }

// Context is the stack a frame was found on.
type Context uint8

// The stacks of x86 (arch/x86/kernel/dumpstack_64.c, stack_type_name).
const (
	ContextTask Context = iota
	ContextIRQ
	ContextSoftIRQ
	ContextNMI
	ContextException
)

// Frame is one line of a call trace.
type Frame struct {
	Func      string // symbol as printed, compiler suffixes kept; "" if the kernel printed only an address
	Offset    uint32 // of the return address in the function, bytes, valid if HasOffset
	Size      uint32 // of the function, bytes, valid if HasOffset
	Addr      uint64 // return address, valid if HasAddr
	HasOffset bool
	HasAddr   bool
	Reliable  bool // false for lines marked "? "
	Context   Context
	Module    string // "" for the core kernel
	BuildID   string // of the module, or of the kernel as the trace's header has it; 40 hexadecimal digits, "" if not printed (CONFIG_STACKTRACE_BUILD_ID, 5.14 ->)
	Line      int    // of a trace's frame see Trace.Line
	Place     *Place // in the source, nil without symbols that know it
}

// Trace is one call trace, innermost frame first.
type Trace struct {
	Frames   []Frame
	Mark     int    // line of "Call Trace:", 0 if the frames stand without one
	IP       *Frame // the interrupted instruction where a kernel RIP line stood before the trace
	UserSP   uint64 // user-mode stack pointer of the register dump (RSP: 002b:), 0 if none
	UserRegs bool   // a user-mode register dump follows: the trace reached the entry from user space
	Complete bool   // the outermost frame or </TASK> was seen
	Wchan    bool   // no stack: its one frame is the function the task sleeps in
	Mixed    bool   // a foreign line stood between the frames
	Lines    *Lines // nil: each frame has its own line; see Share. Frames of a log's traces are shared and must not be changed
}

// Source is the kind of record that showed a task's stack. It decides how the
// stack is read: /proc/PID/stack leaves out scheduler and lock functions.
type Source uint8

// The sources, named as in the report.
const (
	SourceCallTrace Source = iota // a bare or pasted call trace
	SourceOOM
	SourceHung
	SourceSysrq
	SourceProc
	SourceNMI // "NMI backtrace for cpu": the task is running
	SourceFtrace
)

// Task is one sighting of one task: a sysrq or hung-task dump, a
// /proc/PID/stack read, a bare call trace.
type Task struct {
	Meta
	Source    Source
	Pid       int // thread id, valid if HasPid
	Tgid      int // process id, 0 if not printed (before 6.12)
	Ppid      int // valid if HasPpid
	HasPid    bool
	HasPpid   bool
	Comm      string
	Label     string // the heading above a stack that names no task
	State     byte   // as printed, 0 if not printed
	Running   bool   // "running task": on a CPU, the stack may be stale
	Workqueue string
	Release   string // kernel release of the trace's header, ""
	Memcg     string // "" if the capture does not tell
	Trace     *Trace // nil if none was printed
	Dump      int    // number of the sysrq dump it stands in, 0 for none
	Over      bool   // of a trace, which shows that the task went on
}

// Dump is one whole sysrq-w or sysrq-t (Show Blocked State, Show State).
type Dump struct {
	Meta
	ID       int  // as in Task.Dump
	Action   byte // 'w' or 't'
	Tasks    int
	Complete bool // no lines dropped, and the log goes on after it
}

// Limit is one "usage, limit, failcnt" line of a memcg OOM report.
type Limit struct {
	UsageKB, LimitKB int64
	Failcnt          uint64
	Present          bool
}

// Stat is one entry of a memcg statistics block or of Mem-Info.
type Stat struct {
	Name string
	KB   int64
}

// Candidate is one row of the OOM report's task table.
type Candidate struct {
	Pid, Tgid   int
	UID         int64
	TotalVM     int64 // pages
	RSS         int64 // pages
	Swap        int64 // entries, -1 if the table has no such column
	ScoreAdj    int
	HasScoreAdj bool
	Comm        string
	Line        int
}

// OOM is one OOM report, from "invoked oom-killer" to the kill.
type OOM struct {
	Meta
	InvokerComm string
	InvokerPid  int // valid if HasPid
	HasPid      bool
	CPU         int // -1 if not printed
	GFPMask     string
	Order       int
	HasOrder    bool
	ScoreAdj    int
	HasScoreAdj bool
	Constraint  string // CONSTRAINT_MEMCG..., "" before 5.0
	Scope       string // memcg global cpuset mempolicy sysrq, "" if the report was cut before it told
	Memcg       string // the group whose limit was hit, "" if not printed
	TaskMemcg   string // the victim's group
	Inside      string // traces: it is this group's limit or one above it, "" if not known
	Memory      Limit
	Memswap     Limit // v1: memory+swap
	Swap        Limit // v2
	Kmem        Limit // v1
	Stats       []Stat
	Candidates  []Candidate
	MoreTasks   int  // rows left out of Candidates
	HasTable    bool // the table's title was seen
	VictimPid   int  // chosen victim (oom-kill: or "Kill process" line), 0 if none
	VictimComm  string
	GroupKill   string // memory.oom.group: the group killed as a whole
	NoKillable  bool   // "no killable processes"
	Release     string
	Format      string // "2.6.32" "3.2" "3.8" "4.9" "5.0": the oldest release that prints this form, "" if unknown
	Trace       *Trace
	Kills       []*Kill // the kills printed inside the report
	Traced      bool    // no report: events of a trace tell of the OOM
}

// Kill is one "Killed process" line. Sizes are kB, -1 if not printed.
type Kill struct {
	Meta
	Pid       int
	Comm      string
	MemcgKill bool // "Memory cgroup out of memory: Killed process"
	TotalVMKB int64
	AnonKB    int64
	FileKB    int64
	ShmemKB   int64
	Report    *OOM // nil if it stands outside a report (rate limit, oom.group)
	Traced    bool // no line of the log: oom:mark_victim of a trace
}

// Reap is one oom_reaper line. Sizes are kB, -1 if not printed.
type Reap struct {
	Meta
	Pid     int
	Comm    string
	OK      bool // false: "unable to reap"
	AnonKB  int64
	FileKB  int64
	ShmemKB int64
}

// HungTask is one "blocked for more than" report of khungtaskd. The task's
// dump is the Task event that follows with the same pid.
type HungTask struct {
	Meta
	Pid     int
	Comm    string
	Seconds int64 // the configured timeout through 5.0, measured from 5.3
	IOWait  bool  // "blocked in I/O wait" (7.1)
	Dying   bool  // "can't die" (linux-next): it has a fatal signal, blocked or not
	Release string
}

// Blocker is khungtaskd's word on who owns the lock (6.15 mutex, 6.17 rwsem).
type Blocker struct {
	Meta
	Pid       int
	Comm      string
	Kind      string // mutex semaphore rwsem
	Mode      string // reader writer, "" except for rwsem
	OwnerPid  int
	OwnerComm string
	OwnerMode string
	Found     bool // false: "the owner is not found"
}

// HeldLock is one line of a lockdep list. The last one may be the lock that
// the task still waits for.
type HeldLock struct {
	Addr  string // "" before 4.19
	Class string // as printed, with #N and /subclass
	At    Frame  // the function that asked for the lock
	Line  int
}

// Locks is one "N locks held by COMM/PID" list.
type Locks struct {
	Meta
	Pid   int
	Comm  string
	Count int
	Held  []HeldLock
}

// Lockdep is one lockdep report (a splat). It warns of an order, it never
// proves a deadlock.
type Lockdep struct {
	Meta
	Kind    string // circular recursive irq other
	Text    string
	Release string
	Comm    string // the task that ran into it
	Pid     int    // 0 if not printed
	Entries []LockdepEntry
	Trace   *Trace // of the task, nil if the report was cut before
}

// LockdepEntry is one lock that a lockdep report speaks of.
type LockdepEntry struct {
	Role   string // acquire: being taken; hold: held; chain: a step of the known order; past: taken before; usage: where it was used in the way that Usage says
	Step   int    // of the chain, as in "-> #1"
	Addr   string // of the lock, ""
	Class  string // as printed, with #N and /subclass
	Usage  string // "{IN-SOFTIRQ-W}", "SOFTIRQ-ON-W", ""
	Comm   string // of the task the line names
	Pid    int    // 0 if it names none
	At     Frame  // the function that asked for the lock; Func is "" if not printed
	Frames []Frame
	Line   int
}

// Stall is a CPU, an RCU grace period or a worker pool that does not get on.
type Stall struct {
	Meta
	Kind    string // soft_lockup hard_lockup rcu workqueue workqueue_pools workqueue_hog
	CPU     int    // -1 if not printed
	Seconds int64  // 0 if not printed
	Jiffies int64  // RCU counts in them; 0 if not printed
	Comm    string // of the task on the CPU
	Pid     int
	Text    string
	Work    []Work // what the workers do, of workqueue and workqueue_pools
}

// Work is one work item that a worker is at.
type Work struct {
	Queue string
	Pid   int // of the worker
	Func  string
}

// Sysrq is a sysrq command other than w and t (see Dump).
type Sysrq struct {
	Meta
	Action byte // l m d f e i c ..., 0 if the text is not known
	Text   string
	Stats  []Stat // m: totals of Mem-Info
}

// Cgroup is one file of a memory cgroup: memory.events, memory.stat,
// memory.oom_control, memory.pressure, a limit.
type Cgroup struct {
	Meta
	Path   string // of the group, below the mount point
	File   string
	Values []CgroupValue
}

// CgroupValue is one value of a Cgroup file.
type CgroupValue struct {
	Name  string // "" in a file of one value; "some.avg10" in memory.pressure
	Value float64
	Max   bool // "max": no limit
}

// Get returns the value of that name.
func (c *Cgroup) Get(name string) (CgroupValue, bool) {
	for _, v := range c.Values {
		if v.Name == name {
			return v, true
		}
	}
	return CgroupValue{}, false
}

// Boot is a new boot of the machine: a "Linux version" line, or, where that
// is missing, another boot id in the journal or a clock that starts anew.
type Boot struct {
	Meta
	Release string // "" if the log does not tell
	Arch    string // "" if unknown
	ID      string // the journal's, ""
}

// Note is a single line that bears on an OOM incident.
type Note struct {
	Meta
	Kind string // no_killable fault_retry already_exiting suppressed pinned lockdep_off panic_on_oom group_kill sharing mount ("FS DEVICE")
	Text string
	Pid  int // 0 if the line names no task
	Comm string
}

// Counts are the records found in one input, by kind (report-json.md, "What
// the record counts count").
type Counts struct {
	OOM         int `json:"oom"`
	Kill        int `json:"kill"`
	Reap        int `json:"reap"`
	HungTask    int `json:"hung_task"`
	TaskDump    int `json:"task_dump"`
	CallTrace   int `json:"call_trace"`
	LocksHeld   int `json:"locks_held"`
	Lockdep     int `json:"lockdep"`
	FtraceEvent int `json:"ftrace_event"`
}

// MoreCounts are the records that the report does not count.
type MoreCounts struct {
	Stall    int
	Sysrq    int
	Cgroup   int // files
	Crash    int // tasks of crash
	Debugger int // stacks of drgn and gdb
	PS       int // rows
	Proc     int // /proc/PID/wchan and syscall
	Frames   int // reliable frame lines
	Strays   int // those of them that are in no event
}

// Diagnostic is something about the input that the reader should know.
type Diagnostic struct {
	Line     int    // 0 if it concerns the whole input
	Severity string // info warning error
	Code     string // kebab-case, stable
	Message  string
}

// LineOffset is where a line begins: Line counts from 1, Offset in bytes of the
// text from 0.
type LineOffset struct {
	Line   int
	Offset int64
}

// Result is what Read tells about one input as a whole.
type Result struct {
	Index       []LineOffset // some of the lines that were parsed, in order, to find those around an event again; nil where the text was UTF-16
	Framing     string       // how lines are wrapped; the most frequent where it changes
	Bytes       int64
	Lines       int
	Records     Counts
	More        MoreCounts
	Diagnostics []Diagnostic
}
