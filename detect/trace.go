package detect

import (
	"cmp"
	"fmt"
	"slices"

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
			ti := report.TraceInput{Input: in, Tracer: optional(i.Tracer), FirstS: i.First, LastS: i.Last, BootClock: i.Stamp.HasBoot, Counter: i.Counter, OffsetS: tr.Offset, Lost: i.Lost, Events: []report.TraceCount{}}
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
		out = append(out, report.TraceSample{Comm: optional(s.Comm), Stack: s.Stack, Calls: s.Calls, OnCPUNS: s.OnCPUNS, OffCPUNS: s.OffCPUNS, LockWaitNS: s.LockWaitNS})
	}
	return out
}

// momentKinds are the states worth a line in an incident's timeline.
var momentKinds = map[string]string{
	stacks.TraceCharging: "charge", stacks.TraceReclaiming: "reclaim", stacks.TraceOOMKill: "oom_kill", stacks.TraceOOMWait: "oom_wait",
	stacks.TraceOOMReturn: "synchronize", stacks.TraceLockWait: "lock_wait", stacks.TraceExiting: "exit",
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
	}
	return out
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
