// Package report is the contract of oomtrace: one Report value and its
// renderings. A format renders the value and computes nothing of its own.
package report

import "fmt"

// SchemaVersion changes when a field is renamed or removed.
const SchemaVersion = "1"

// Report is the result of one analysis. A nil pointer is an unknown, printed
// as null. Sizes are kB as the kernel prints them.
type Report struct {
	SchemaVersion string     `json:"schema_version"`
	Tool          Tool       `json:"tool"`
	Inputs        []Input    `json:"inputs"`
	Incidents     []Incident `json:"incidents"`
	Trace         *Trace     `json:"trace,omitempty"` // what ftrace shows of the tasks, absent if no input is a trace
}

// Tool names the program that made the report.
type Tool struct {
	Name    string `json:"name"`
	Version string `json:"version"`
}

// Input is one stream that was read.
type Input struct {
	Name        string       `json:"name"`
	Compression string       `json:"compression"` // none gzip zstd xz bzip2 lz4
	Framing     string       `json:"framing"`
	Bytes       int64        `json:"bytes"` // after decompression
	Lines       int          `json:"lines"`
	Records     Records      `json:"records"`
	Diagnostics []Diagnostic `json:"diagnostics"`
}

// Records counts what the parser found, by kind.
type Records struct {
	OOM         int `json:"oom"`
	Kill        int `json:"kill"`
	Reap        int `json:"reap"`
	HungTask    int `json:"hung_task"`
	TaskDump    int `json:"task_dump"`
	CallTrace   int `json:"call_trace"`
	LocksHeld   int `json:"locks_held"`
	Lockdep     int `json:"lockdep"`
	FtraceEvent int `json:"ftrace_event"`

	// Read besides, and part of an incident where they bear on one.
	Stall      int `json:"stall"`       // lockups, RCU stalls, workqueue reports
	Sysrq      int `json:"sysrq"`       // other than w and t
	CgroupFile int `json:"cgroup_file"` // memory.stat, memory.oom_control and the like
	CrashTask  int `json:"crash_task"`  // of crash's bt and ps
	DebugStack int `json:"debug_stack"` // of drgn and gdb
	PSRow      int `json:"ps_row"`      // of ps with wchan
	ProcFile   int `json:"proc_file"`   // /proc/PID/wchan and syscall
	FrameLine  int `json:"frame_line"`  // reliable frames
	StrayFrame int `json:"stray_frame"` // those of them that are in no stack; each run of them has a diagnostic
}

// Diagnostic is a remark on an input. Line is null where it concerns all of it.
type Diagnostic struct {
	Line     *int   `json:"line"`
	Severity string `json:"severity" jsonschema:"enum=info,enum=warning,enum=error"`
	Code     string `json:"code"`
	Message  string `json:"message"`
}

// Ref points at a line of an input, both as in Inputs (from 0) and the file
// (from 1).
type Ref struct {
	Input int `json:"input"`
	Line  int `json:"line"`
}

// Incident is one thing that went wrong on one boot of one host.
type Incident struct {
	ID              string    `json:"id"`
	Signature       string    `json:"signature"`
	Host            *string   `json:"host"`
	Kernel          Kernel    `json:"kernel"`
	Time            Time      `json:"time"`
	Span            Span      `json:"span"`
	Verdict         string    `json:"verdict" jsonschema:"enum=deadlock,enum=livelock,enum=hang,enum=oom_storm,enum=oom_resolved,enum=oom_unresolved,enum=inconclusive"`
	Confidence      string    `json:"confidence" jsonschema:"enum=confirmed,enum=likely,enum=possible"`
	Headline        string    `json:"headline"`
	Resolution      *string   `json:"resolution"` // what was seen to end and where, null if nothing was
	SynchronizePath SyncPath  `json:"synchronize_path"`
	Count           int       `json:"count"`  // equal incidents that this one stands for: 1, itself, but where a log has a thousand
	Folded          []Folded  `json:"folded"` // OOMs that are counted instead of listed, where there are hundreds
	OOMs            []OOM     `json:"ooms"`
	Tasks           []Task    `json:"tasks"`
	WaitGraph       WaitGraph `json:"wait_graph"`
	Findings        []Finding `json:"findings"`
	Timeline        []Event   `json:"timeline"` // what happened, in the order of the log
	Log             []LogLine `json:"log"`      // the lines around the evidence, where the input could be read again
}

// Folded counts OOM reports that are alike and over, so that nothing else in the
// inputs tells of their tasks. The first, the last and the worst of each group
// are in the incident's OOMs. Reports that are not those but bear on a verdict
// are too, some of them without sizes, statistics and candidates.
type Folded struct {
	Scope     *string `json:"scope"`
	Memcg     *string `json:"memcg"`     // null for those of other incidents
	Incidents int     `json:"incidents"` // 0: they are of this incident; else of so many others, equal to it, that are not listed
	Reports   int     `json:"reports"`
	Kills     int     `json:"kills"`
	Reaped    int     `json:"reaped"`    // victims whose memory the oom_reaper freed
	Exited    int     `json:"exited"`    // victims that are gone, since another one was chosen later
	Unknown   int     `json:"unknown"`   // victims of which nothing tells
	NoVictim  int     `json:"no_victim"` // reports that found nobody to kill
	Like      Ref     `json:"like"`      // the listed report that they are like
	Input     int     `json:"input"`
	FirstLine int     `json:"first_line"`
	LastLine  int     `json:"last_line"`
	Time      Time    `json:"time"`
}

// Text says in one sentence what is folded.
func (f *Folded) Text() string {
	what := fmt.Sprintf("%d more OOM reports with %d kills", f.Reports, f.Kills)
	if f.Incidents > 0 {
		what = fmt.Sprintf("%d equal incidents of other groups, %d OOM reports with %d kills", f.Incidents, f.Reports, f.Kills)
	}
	what += fmt.Sprintf(", lines %d to %d, are counted, not listed", f.FirstLine, f.LastLine)
	sep := ": "
	for _, x := range []struct {
		n    int
		text string
	}{
		{f.Reaped, "%d victims reaped"}, {f.Exited, "%d exited"}, {f.Unknown, "%d victims of which nothing tells"}, {f.NoVictim, "%d reports that found nobody to kill"},
	} {
		if x.n > 0 {
			what += sep + fmt.Sprintf(x.text, x.n)
			sep = ", "
		}
	}
	return what
}

// Event is one moment of an incident.
type Event struct {
	BootS *float64 `json:"boot_s"`
	Wall  *string  `json:"wall"`
	Kind  string   `json:"kind" jsonschema:"enum=oom,enum=kill,enum=reap,enum=reap_failed,enum=hung_task,enum=dump,enum=sighting,enum=gap,enum=folded,enum=end,enum=charge,enum=reclaim,enum=oom_kill,enum=oom_wait,enum=synchronize,enum=lock_wait,enum=exit,enum=fault,enum=kill_signal"`
	Text  string   `json:"text"`
	Task  *string  `json:"task"` // node id
	Input int      `json:"input"`
	Line  int      `json:"line"`
}

// LogLine is one line of an input as it stands there.
type LogLine struct {
	Input int    `json:"input"`
	Line  int    `json:"line"`
	Text  string `json:"text"`
}

// Kernel is the kernel of the incident.
type Kernel struct {
	Release  *string `json:"release"`
	Arch     *string `json:"arch"`
	Era      string  `json:"era" jsonschema:"enum=kill_once,enum=trap,enum=interim,enum=synchronize,enum=kill_in_charge,enum=v1_split,enum=unknown"`
	EraBasis string  `json:"era_basis" jsonschema:"enum=stack,enum=report_format,enum=release,enum=none"`
}

// Time is when the incident was seen. Boot times are seconds since boot.
type Time struct {
	FirstBootS *float64 `json:"first_boot_s"`
	LastBootS  *float64 `json:"last_boot_s"`
	FirstWall  *string  `json:"first_wall"`
	LastWall   *string  `json:"last_wall"`
}

// Span is the part of an input that the incident covers.
type Span struct {
	Input     int `json:"input"`
	FirstLine int `json:"first_line"`
	LastLine  int `json:"last_line"`
}

// SyncPath tells whether the kernel took mem_cgroup_oom_synchronize().
type SyncPath struct {
	Status    string  `json:"status" jsonschema:"enum=taken,enum=not_taken,enum=not_applicable,enum=unknown"`
	Mechanism *string `json:"mechanism"` // trap in_charge enomem synchronize_kill synchronize_wait cleanup_only
	Reason    string  `json:"reason"`
	Evidence  []Ref   `json:"evidence"`
}

// OOM is one OOM report of the kernel.
type OOM struct {
	Scope          *string     `json:"scope"` // memcg global cpuset mempolicy sysrq
	Memcg          *string     `json:"memcg"`
	TaskMemcg      *string     `json:"task_memcg"`
	Invoker        TaskRef     `json:"invoker"`
	GFPMask        *string     `json:"gfp_mask"`
	Order          *int        `json:"order"`
	OOMScoreAdj    *int        `json:"oom_score_adj"`
	Trigger        string      `json:"trigger"`
	UsageKB        *int64      `json:"usage_kb"`
	LimitKB        *int64      `json:"limit_kb"` // null: no limit, or not printed
	SwapUsageKB    *int64      `json:"swap_usage_kb"`
	SwapLimitKB    *int64      `json:"swap_limit_kb"`
	KmemUsageKB    *int64      `json:"kmem_usage_kb"`
	Failcnt        *uint64     `json:"failcnt"`
	Memory         []Stat      `json:"memory"` // what the group's memory is, as the report's statistics tell
	Candidates     []Candidate `json:"candidates"`
	MoreCandidates int         `json:"more_candidates"` // rows of the table left out here
	Victims        []Victim    `json:"victims"`
	BootS          *float64    `json:"boot_s"`
	Input          int         `json:"input"`
	Line           int         `json:"line"`
}

// Stat is one entry of the group's memory statistics.
type Stat struct {
	Name string `json:"name"`
	KB   int64  `json:"kb"`
}

// TaskRef names a task as far as the log does.
type TaskRef struct {
	Pid  *int    `json:"pid"`
	Comm *string `json:"comm"`
}

// Candidate is a row of the OOM report's task table.
type Candidate struct {
	Pid          int    `json:"pid"`
	Comm         string `json:"comm"`
	UID          int64  `json:"uid"`
	Tgid         int    `json:"tgid"`
	TotalVMPages int64  `json:"total_vm_pages"`
	RSSPages     int64  `json:"rss_pages"`
	OOMScoreAdj  *int   `json:"oom_score_adj"`
}

// Victim is a task that the OOM killer killed.
type Victim struct {
	Pid        int    `json:"pid"`
	Comm       string `json:"comm"`
	TotalVMKB  *int64 `json:"total_vm_kb"`
	AnonRSSKB  *int64 `json:"anon_rss_kb"`
	FileRSSKB  *int64 `json:"file_rss_kb"`
	ShmemRSSKB *int64 `json:"shmem_rss_kb"`
	Fate       string `json:"fate" jsonschema:"enum=exited,enum=reaped,enum=reap_failed,enum=stuck,enum=unknown"`
	FateReason string `json:"fate_reason"`
	Evidence   []Ref  `json:"evidence"`
}

// Task is a task of the incident in its latest known state.
type Task struct {
	ID           string   `json:"id"`  // the node id: task:PID or task:#N
	Pid          *int     `json:"pid"` // thread id
	Tgid         *int     `json:"tgid"`
	Comm         *string  `json:"comm"`
	Label        *string  `json:"label"` // the heading above a stack without pid
	State        *string  `json:"state"`
	Role         string   `json:"role" jsonschema:"enum=invoker,enum=victim,enum=oom_waiter,enum=blocked,enum=holder,enum=handler,enum=daemon,enum=bystander"`
	StackSource  *string  `json:"stack_source"`
	BlockedS     *int64   `json:"blocked_s"`
	CPU          *int     `json:"cpu"`
	KernelThread *bool    `json:"kernel_thread"`
	Memcg        *string  `json:"memcg"`
	Sightings    int      `json:"sightings"` // printed stacks merged into this one
	Waits        *string  `json:"waits"`     // node id of what it waits for
	Holds        []string `json:"holds"`     // locks that its frames hold, for people: "i_rwsem (file, exclusive) in generic_file_aio_write"
	Stack        []Frame  `json:"stack"`
	SameStack    *string  `json:"same_stack_as"` // node id of an earlier task with the same stack, null if the stack is here
	Evidence     []Ref    `json:"evidence"`
}

// Frame is one frame of a task's stack, innermost first.
type Frame struct {
	Func     string  `json:"func"`
	Offset   *uint32 `json:"offset"`
	Size     *uint32 `json:"size"`
	Module   *string `json:"module"`
	Address  *string `json:"address"` // hexadecimal
	Reliable bool    `json:"reliable"`
	Context  string  `json:"context" jsonschema:"enum=task,enum=irq,enum=softirq,enum=nmi,enum=exception"`
	Role     *string `json:"role" jsonschema:"enum=waits,enum=holds,enum=charges"` // what the lock model reads from it, null for most
	Place    *Place  `json:"place"`                                                // source position, null without debug information
	BuildID  *string `json:"build_id"`                                             // of the module, or of the kernel, where the log has it
	Lock     *string `json:"lock"`                                                 // the lock or resource of that role
	Line     int     `json:"line"`
}

// Place is a source position of the kernel (--vmlinux), with the functions that
// the compiler inlined there, innermost first.
type Place struct {
	File      string    `json:"file"`
	Line      int       `json:"line"`
	StartLine int       `json:"start_line"` // of the function, 0 if unknown
	Inlined   []Inlined `json:"inlined"`
}

// Inlined is a function without a frame of its own, and where it was at.
type Inlined struct {
	Func string `json:"func"`
	File string `json:"file"`
	Line int    `json:"line"`
}

// WaitGraph is who waits for what and what that needs to end.
type WaitGraph struct {
	Nodes  []Node     `json:"nodes"`
	Edges  []Edge     `json:"edges"`
	Cycles [][]string `json:"cycles"` // node ids in the order of the edges
}

// Node is a task, a lock or a resource.
type Node struct {
	ID      string  `json:"id"`
	Kind    string  `json:"kind" jsonschema:"enum=task,enum=lock,enum=resource"`
	Class   *string `json:"class"`
	Address *string `json:"address"`
	Label   string  `json:"label"`
}

// Edge is one dependency.
type Edge struct {
	From     string   `json:"from"`
	To       string   `json:"to"`
	Relation string   `json:"relation" jsonschema:"enum=waits_for,enum=held_by,enum=queued_behind,enum=resolved_by_exit_of,enum=resolved_by_handler,enum=resolved_by_daemon"`
	Mode     *string  `json:"mode"` // shared exclusive
	Basis    string   `json:"basis" jsonschema:"enum=kernel_report,enum=lockdep,enum=contention_event,enum=trace,enum=frame_model,enum=user"`
	Frame    *string  `json:"frame"` // the function that the edge was read from
	Fact     *string  `json:"fact"`  // the lock-model fact behind it and its source
	Why      []string `json:"why"`   // the steps that narrowed it to this instance
	Ended    bool     `json:"ended"` // later evidence shows that it is over
	Evidence []Ref    `json:"evidence"`
}

// Ended tells how a trap was seen to end.
type Ended struct {
	BootS    *float64 `json:"boot_s"`
	How      string   `json:"how"`
	Evidence []Ref    `json:"evidence"`
}

// Finding is what one detector found.
type Finding struct {
	Rule        string     `json:"rule"`
	Verdict     string     `json:"verdict" jsonschema:"enum=deadlock,enum=livelock,enum=hang,enum=oom_storm,enum=none"`
	Confidence  string     `json:"confidence" jsonschema:"enum=confirmed,enum=likely,enum=possible"`
	Summary     string     `json:"summary"`
	Explanation []string   `json:"explanation"`
	Tasks       []int      `json:"tasks"`    // pids
	TaskIDs     []string   `json:"task_ids"` // node ids, tasks without a pid included
	Cycle       *int       `json:"cycle"`    // index into the wait graph's cycles
	Ended       *Ended     `json:"ended"`
	Evidence    []Evidence `json:"evidence"`
	Fixes       []Fix      `json:"fixes"`
	Actions     []string   `json:"actions"` // safest first
	Collect     []string   `json:"collect"`
}

// Evidence is a line of the log that a finding rests on.
type Evidence struct {
	Input int    `json:"input"`
	Line  int    `json:"line"`
	Text  string `json:"text"` // the line without its framing
}

// Fix is an upstream change that ends the problem.
type Fix struct {
	Commit       string   `json:"commit"`
	Subject      string   `json:"subject"`
	FirstRelease string   `json:"first_release"`
	Builds       []string `json:"builds"` // distribution kernels known to carry it
	Note         *string  `json:"note"`
}

// Trace is what the traces among the inputs show, summed up. Times are seconds
// on the trace's clock, which is printk's for most.
type Trace struct {
	Inputs      []TraceInput  `json:"inputs"`
	Tasks       []TraceTask   `json:"tasks"`      // those that did more than to run and to sleep
	MoreTasks   int           `json:"more_tasks"` // left out here
	LockWaits   []LockWait    `json:"lock_waits"` // open and long ones
	Samples     []TraceSample `json:"samples"`    // time by stack, most first
	MoreSamples int           `json:"more_samples"`
}

// TraceInput is one trace.
type TraceInput struct {
	Input     int          `json:"input"`
	Tracer    *string      `json:"tracer"` // null without a header
	FirstS    float64      `json:"first_s"`
	LastS     float64      `json:"last_s"`
	BootClock bool         `json:"boot_clock"` // the times count from boot
	Counter   bool         `json:"counter"`    // the times are counts of a clock without a unit: an order, no seconds
	Summed    bool         `json:"summed"`     // function_graph without times: a time is what passed at least since the trace began
	OffsetS   float64      `json:"offset_s"`   // to add for the log's clock, where both tell of one kill
	Lost      int64        `json:"lost"`       // events that the kernel lost
	Events    []TraceCount `json:"events"`     // every event, most frequent first
}

// TraceCount is how often an event came, and what its fields held.
type TraceCount struct {
	Name       string       `json:"name"` // "" for names beyond those counted one by one
	Count      int64        `json:"count"`
	FirstLine  int          `json:"first_line"`
	LastLine   int          `json:"last_line"`
	Fields     []TraceField `json:"fields"`      // in order of appearance
	MoreFields int          `json:"more_fields"` // values of fields beyond those
}

// TraceField sums up one field of an event.
type TraceField struct {
	Name   string       `json:"name"` // "" for text without a name
	Count  int64        `json:"count"`
	Min    *float64     `json:"min"` // null unless every value is a number
	Max    *float64     `json:"max"`
	Values []TraceValue `json:"values"` // the first few distinct ones
	Others int64        `json:"others"` // how often it had another one
}

// TraceValue is a value of a field, cut to 64 bytes, and how often it came.
type TraceValue struct {
	Value string `json:"value"`
	Count int64  `json:"count"`
}

// TraceTask is what one task did.
type TraceTask struct {
	ID        string       `json:"id"` // as the node id: task:PID
	Pid       int          `json:"pid"`
	Comm      *string      `json:"comm"`
	Memcg     *string      `json:"memcg"` // its memory cgroup, where an event tells it
	Input     int          `json:"input"`
	Spans     []TraceSpan  `json:"spans"` // by start; a charge holds the reclaim inside it
	MoreSpans int          `json:"more_spans"`
	Totals    []TraceTotal `json:"totals"`
	Signals   []Signal     `json:"signals"` // that the trace shows on their way to it
}

// Signal is one signal to a task.
type Signal struct {
	Signal     int      `json:"signal"`
	Code       int      `json:"code"`        // si_code: 0 from a process, 128 from the kernel
	From       *string  `json:"from"`        // node id of the task in which it was sent
	SentS      *float64 `json:"sent_s"`      // null if the trace does not show it
	DeliveredS *float64 `json:"delivered_s"` // null if the trace does not show it
	Line       int      `json:"line"`
}

// TraceSpan is a time in one state.
type TraceSpan struct {
	State     string  `json:"state" jsonschema:"enum=running,enum=runnable,enum=sleeping,enum=blocked,enum=charging,enum=reclaiming,enum=oom_kill,enum=oom_wait,enum=synchronize,enum=lock_wait,enum=exiting,enum=stopped,enum=syscall,enum=fault"`
	StartS    float64 `json:"start_s"`
	DurationS float64 `json:"duration_s"` // up to the trace's end if open
	Open      bool    `json:"open"`       // it had not ended when the trace did
	What      *string `json:"what"`       // function, or lock
	Count     int     `json:"count"`      // how many in a row
	Line      int     `json:"line"`
}

// TraceTotal is the time in one state; nested states count in each.
type TraceTotal struct {
	State    string  `json:"state"`
	Count    int     `json:"count"`
	Duration float64 `json:"duration_s"`
}

// LockWait is one wait for a lock, from the events that begin and end it.
type LockWait struct {
	Task      string  `json:"task"` // node id
	Address   string  `json:"address"`
	Class     *string `json:"class"` // lockdep's name, null from contention events
	Flags     *string `json:"flags"` // READ WRITE MUTEX ... as printed
	BeginS    float64 `json:"begin_s"`
	DurationS float64 `json:"duration_s"`
	Open      bool    `json:"open"`
	Waker     *string `json:"waker"` // node id of the task that woke it up: who released the lock
	Input     int     `json:"input"`
	Line      int     `json:"line"`
}

// TraceSample is what was measured at one stack.
type TraceSample struct {
	Comm       *string  `json:"comm"`
	Stack      []string `json:"stack"` // functions, innermost first
	Calls      int64    `json:"calls"`
	OnCPUNS    int64    `json:"on_cpu_ns"` // function_graph's time in the function itself
	OffCPUNS   int64    `json:"off_cpu_ns"`
	LockWaitNS int64    `json:"lock_wait_ns"`
	Weights    []Weight `json:"weights"` // sums of hist triggers and of bpftrace
}

// Weight is a sum that a table had for a stack. The table does not tell its
// unit.
type Weight struct {
	Name string `json:"name"`
	Sum  int64  `json:"sum"`
}
