package detect

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/report"
	"github.com/oomtrace/oomtrace/stacks"
)

// Limits of the report's trace section.
const (
	maxTraceTasks   = 500
	maxLockWaits    = 256
	maxTraceSamples = 4096
	maxTaskMoments  = 12 // of one task in a timeline
	momentS         = 1e-3
)

// Trace adds what the traces of one boot show to the report's section; out is
// nil as long as there were none.
func Trace(out *report.Trace, snap *stacks.Snapshot) *report.Trace {
	for _, tr := range snap.Traces {
		if out == nil {
			out = &report.Trace{Inputs: []report.TraceInput{}, Tasks: []report.TraceTask{}, LockWaits: []report.LockWait{}, Samples: []report.TraceSample{}}
		}
		in := tr.Span.Input
		for j, i := range tr.Info {
			ti := report.TraceInput{Input: in, Tracer: optional(i.Tracer), FirstS: i.First, LastS: i.Last, BootClock: i.Stamp.HasBoot, Counter: i.Counter, Summed: i.Summed, OffsetS: tr.Offset, Lost: i.Lost, Events: []report.TraceCount{}}
			for _, n := range i.Names {
				ti.Events = append(ti.Events, traceCount(n, tr.Fields[j]))
			}
			out.Inputs = append(out.Inputs, ti)
		}
		for _, k := range tr.Tasks {
			if len(k.Spans) == 0 {
				continue
			}
			if len(out.Tasks) >= maxTraceTasks {
				out.MoreTasks++
				continue
			}
			out.Tasks = append(out.Tasks, traceTask(in, k))
		}
		out.LockWaits = append(out.LockWaits, lockWaits(tr)...)
		out.Samples = append(out.Samples, samples(tr)...)
	}
	if out != nil {
		slices.SortStableFunc(out.Samples, func(a, b report.TraceSample) int {
			return cmp.Or(cmp.Compare(b.OnCPUNS+b.OffCPUNS+b.LockWaitNS, a.OnCPUNS+a.OffCPUNS+a.LockWaitNS), cmp.Compare(b.Calls, a.Calls))
		})
		if n := len(out.Samples); n > maxTraceSamples {
			out.Samples, out.MoreSamples = out.Samples[:maxTraceSamples], out.MoreSamples+n-maxTraceSamples
		}
	}
	return out
}

// traceCount joins the count of an event with the sums of its fields.
func traceCount(n parse.TraceCount, sums []*stacks.TraceEventFields) report.TraceCount {
	c := report.TraceCount{Name: n.Name, Count: n.Count, FirstLine: n.First, LastLine: n.Last, Fields: []report.TraceField{}}
	i := slices.IndexFunc(sums, func(s *stacks.TraceEventFields) bool { return s.Name == n.Name })
	if i < 0 {
		return c
	}
	c.MoreFields = sums[i].More
	for _, f := range sums[i].Fields {
		rf := report.TraceField{Name: f.Name, Count: f.Count, Values: []report.TraceValue{}, Others: f.Others}
		if f.Numeric {
			rf.Min, rf.Max = &f.Min, &f.Max
		}
		for _, v := range f.Values {
			rf.Values = append(rf.Values, report.TraceValue{Value: v.Value, Count: v.Count})
		}
		c.Fields = append(c.Fields, rf)
	}
	return c
}

func taskID(pid int) string { return fmt.Sprintf("task:%d", pid) }

func traceTask(in int, k *stacks.TraceTask) report.TraceTask {
	t := report.TraceTask{ID: taskID(k.Pid), Pid: k.Pid, Comm: optional(k.Comm), Memcg: optional(k.Memcg), Input: in, Spans: []report.TraceSpan{}, MoreSpans: k.More, Totals: []report.TraceTotal{},
		Signals: []report.Signal{}}
	for _, s := range k.Spans {
		t.Spans = append(t.Spans, report.TraceSpan{State: s.State, StartS: s.Start, DurationS: seconds(s.Dur), Open: s.Open, What: optional(s.What), Count: s.Count, Line: s.Line})
	}
	for _, s := range k.Totals {
		t.Totals = append(t.Totals, report.TraceTotal{State: s.State, Count: s.Count, Duration: seconds(s.S)})
	}
	for _, s := range k.Signals {
		x := report.Signal{Signal: s.Signal, Code: s.Code, Line: s.At.Span.First}
		if s.HasFrom {
			x.From, x.SentS = optional(taskID(s.From)), &s.Sent
		}
		if s.IsDelivered {
			x.DeliveredS = &s.Delivered
		}
		t.Signals = append(t.Signals, x)
	}
	return t
}

// seconds drops what floating point adds below a nanosecond.
func seconds(s float64) float64 {
	if s > 1e6 || s < -1e6 {
		return s
	}
	return float64(int64(s*1e9+0.5)) / 1e9
}

// lockWaits are the waits of a trace, the open ones first, then the longest;
// in the order in which they began.
func lockWaits(tr *stacks.Trace) []report.LockWait {
	waits := make([]*stacks.TraceWait, 0, len(tr.Waits))
	for i := range tr.Waits {
		waits = append(waits, &tr.Waits[i])
	}
	slices.SortStableFunc(waits, func(a, b *stacks.TraceWait) int {
		if a.Ended != b.Ended {
			if a.Ended {
				return 1
			}
			return -1
		}
		return cmp.Compare(b.End-b.Begin, a.End-a.Begin)
	})
	waits = waits[:min(len(waits), maxLockWaits)]
	slices.SortFunc(waits, func(a, b *stacks.TraceWait) int { return cmp.Compare(a.At.Span.First, b.At.Span.First) })
	var out []report.LockWait
	last := tr.Last()
	for _, w := range waits {
		end := w.End
		if !w.Ended {
			end = last
		}
		x := report.LockWait{Task: taskID(w.Pid), Address: w.Addr, Class: optional(w.Name), Flags: optional(w.Flags), BeginS: w.Begin, DurationS: seconds(end - w.Begin), Open: !w.Ended,
			Input: w.At.Span.Input, Line: w.At.Span.First}
		if w.Waker != 0 {
			x.Waker = optional(taskID(w.Waker))
		}
		out = append(out, x)
	}
	return out
}

func samples(tr *stacks.Trace) []report.TraceSample {
	var out []report.TraceSample
	for _, s := range tr.Samples {
		x := report.TraceSample{Comm: optional(s.Comm), Stack: s.Stack, Calls: s.Calls, OnCPUNS: s.OnCPUNS, OffCPUNS: s.OffCPUNS, LockWaitNS: s.LockWaitNS, Weights: []report.Weight{}}
		for _, w := range s.Weights {
			x.Weights = append(x.Weights, report.Weight{Name: w.Name, Sum: w.Sum})
		}
		out = append(out, x)
	}
	return out
}

// momentKinds are the states worth a line in an incident's timeline.
var momentKinds = map[string]string{
	stacks.TraceCharging: "charge", stacks.TraceReclaiming: "reclaim", stacks.TraceOOMKill: "oom_kill", stacks.TraceOOMWait: "oom_wait",
	stacks.TraceOOMReturn: "synchronize", stacks.TraceLockWait: "lock_wait", stacks.TraceExiting: "exit", stacks.TraceFault: "fault",
}

// moment is one thing that a trace shows of a task.
type moment struct {
	meta *parse.Meta
	kind string
	text string
	late float64 // seconds to add for the log's clock
}

// moments are the longest spans of a task that bear on an incident: how it
// charged, reclaimed, killed, waited.
func moments(snap *stacks.Snapshot, t *stacks.Task) []moment {
	var out []moment
	if !t.HasPid {
		return nil
	}
	for _, tr := range snap.Traces {
		k := tr.Task(t.Pid)
		if k == nil {
			continue
		}
		var spans []stacks.TraceSpan
		for _, s := range k.Spans {
			brief := s.State == stacks.TraceCharging || s.State == stacks.TraceReclaiming || s.State == stacks.TraceLockWait
			if momentKinds[s.State] != "" && (!brief || s.Open || s.Dur >= momentS && s.Count == 1) {
				spans = append(spans, s)
			}
		}
		slices.SortStableFunc(spans, func(a, b stacks.TraceSpan) int { return cmp.Compare(b.Dur, a.Dur) })
		spans = spans[:min(len(spans), maxTaskMoments)]
		for _, s := range spans {
			m := parse.Meta{Span: parse.Span{Input: tr.Span.Input, First: s.Line, Last: s.Line}}
			if tr.Stamp.HasBoot {
				m.Stamp = parse.Stamp{Boot: s.Start, HasBoot: true}
			}
			out = append(out, moment{&m, momentKinds[s.State], momentText(t, &s), tr.Offset})
		}
		out = append(out, killMoments(snap, tr, k, t)...)
	}
	return out
}

// killMoments are the SIGKILLs that a trace shows on their way to a task.
func killMoments(snap *stacks.Snapshot, tr *stacks.Trace, k *stacks.TraceTask, t *stacks.Task) []moment {
	var out []moment
	for _, s := range k.Signals {
		if s.Signal != 9 || len(out) == maxTaskMoments {
			continue
		}
		text := "SIGKILL for " + who(t)
		switch {
		case !s.HasFrom:
		case s.Code == 128:
			text += ", sent by the kernel in " + sender(snap, tr, s.From)
		default:
			text += ", sent by " + sender(snap, tr, s.From)
		}
		switch {
		case s.IsDelivered && s.HasFrom:
			text += fmt.Sprintf("; it arrives %.6f s later", s.Delivered-s.Sent)
		case !s.IsDelivered && k.Exited == nil:
			text += "; the trace does not show that it arrives"
		}
		out = append(out, moment{&s.At, "kill_signal", text, tr.Offset})
	}
	return out
}

func sender(snap *stacks.Snapshot, tr *stacks.Trace, pid int) string {
	if t := snap.Task(pid); t != nil {
		return who(t)
	}
	if k := tr.Task(pid); k != nil && k.Comm != "" {
		return fmt.Sprintf("%s (pid %d)", k.Comm, pid)
	}
	return fmt.Sprintf("pid %d", pid)
}

func momentText(t *stacks.Task, s *stacks.TraceSpan) string {
	long := fmt.Sprintf("for %.6f s", s.Dur)
	if s.Open {
		long = fmt.Sprintf("until the trace ends, %.6f s later", s.Dur)
	} else if s.Dur == 0 {
		long = "(duration not traced)"
	}
	times := ""
	if s.Count > 1 {
		times = fmt.Sprintf(", %d times in a row", s.Count)
	}
	what := s.What
	if what != "" && s.State != stacks.TraceLockWait {
		what += "()"
	}
	name := who(t)
	switch s.State {
	case stacks.TraceCharging:
		return fmt.Sprintf("%s charges memory in %s %s%s", name, what, long, times)
	case stacks.TraceReclaiming:
		return fmt.Sprintf("%s reclaims in %s %s%s", name, what, long, times)
	case stacks.TraceOOMKill:
		return fmt.Sprintf("%s is in the OOM killer, %s, %s", name, what, long)
	case stacks.TraceOOMWait:
		return fmt.Sprintf("%s waits in the memcg's OOM, %s, %s", name, what, long)
	case stacks.TraceOOMReturn:
		return fmt.Sprintf("%s has unwound its fault and is in %s %s; the fault is retried after it", name, what, long)
	case stacks.TraceFault:
		if addr, ok := strings.CutSuffix(s.What, ", restarted"); ok {
			return fmt.Sprintf("the page fault of %s at %s was unwound, and restarted %.6f s later", name, addr, s.Dur)
		}
		return fmt.Sprintf("%s is in a page fault at %s for at least %.6f s", name, s.What, s.Dur)
	case stacks.TraceLockWait:
		return fmt.Sprintf("%s waits for the lock %s %s%s", name, what, long, times)
	}
	return name + " exits"
}

// lastingS is how long a wait must last in a trace to be more than contention.
const lastingS = 5

// tracedLong: a trace shows the task in one wait for seconds, up to its end.
func (inc *Incident) tracedLong(t *stacks.Task) bool {
	v := inc.Graph.View(t)
	named := v != nil && v.Wait != nil && v.Wait.Class != nil
	for _, tr := range inc.Snap.Traces {
		k := tr.Task(t.Pid)
		if k == nil || !t.HasPid {
			continue
		}
		for _, s := range k.Spans {
			if s.Open && s.Dur >= lastingS && (s.State == stacks.TraceLockWait || s.State == stacks.TraceOOMWait || s.State == stacks.TraceBlocked && named) {
				return true
			}
		}
	}
	return false
}

// witnessed: the wait has two witnesses that need no word of each other. The
// trace shows how it began and that the task did not run for seconds since; a
// dump or a hung-task report of the log shows the task in the same function
// after that.
func (inc *Incident) witnessed(t *stacks.Task) bool {
	v := inc.Graph.View(t)
	if v == nil || !t.HasPid {
		return false
	}
	f := v.Charge.Frame
	if v.Wait != nil {
		f = v.Wait.Frame
	}
	if f == nil {
		return false
	}
	for _, tr := range inc.Snap.Traces {
		k := tr.Task(t.Pid)
		if k == nil || !tr.Stamp.HasBoot {
			continue
		}
		for _, s := range k.Spans {
			if !s.Open || s.Dur < lastingS || s.State != stacks.TraceLockWait && s.State != stacks.TraceOOMWait && s.State != stacks.TraceBlocked {
				continue
			}
			if slices.ContainsFunc(t.Sightings, func(x *stacks.Sighting) bool {
				return (x.Source == parse.SourceSysrq || x.Source == parse.SourceHung) && !x.Over && x.Stamp.HasBoot && x.Stamp.Boot > s.Start+tr.Offset && hasFunc(x, f.Func)
			}) {
				return true
			}
		}
	}
	return false
}

func (inc *Incident) allWitnessed(ts []*stacks.Task) bool {
	return len(ts) > 0 && !slices.ContainsFunc(ts, func(t *stacks.Task) bool { return !inc.witnessed(t) })
}

const witnessText = "the trace shows how the wait began and that it went on to the trace's end; the log shows the same wait, seen from outside"

// tracedLater: a trace of a kernel whose release is not known shows functions
// that came after the kill moved into the charge (try_charge_memcg, 5.14;
// charge_memcg, 5.16).
func tracedLater(snap *stacks.Snapshot) bool {
	for _, tr := range snap.Traces {
		for _, s := range tr.Samples {
			if slices.Contains(s.Stack, "try_charge_memcg") || slices.Contains(s.Stack, "charge_memcg") {
				return true
			}
		}
	}
	return false
}

// cleanupOnly: the only calls of mem_cgroup_oom_synchronize() that a trace
// shows are handle_mm_fault()'s, which forget a failed charge of a fault that
// succeeded in the end.
func (inc *Incident) cleanupOnly() (report.Ref, bool) {
	for _, tr := range inc.Snap.Traces {
		if len(tr.Cleanup) > 0 {
			return report.Ref{Input: tr.Cleanup[0].Span.Input, Line: tr.Cleanup[0].Span.First}, true
		}
	}
	return report.Ref{}, false
}
