package parse

import (
	"fmt"
	"strings"
)

// summary writes an event as the golden files hold it: one line for the event,
// indented lines for what it consists of. where tells lines, times and hosts
// too.
func summary(e Event, where bool) string {
	var b strings.Builder
	m := e.Head()
	if where {
		fmt.Fprintf(&b, "%d-%d ", m.Span.First, m.Span.Last)
	}
	flag := func(on bool, s string) {
		if on {
			b.WriteString(" " + s)
		}
	}
	text := func(key, s string) {
		if s != "" {
			fmt.Fprintf(&b, " %s=%q", key, s)
		}
	}
	num := func(key string, n int64, on bool) {
		if on {
			fmt.Fprintf(&b, " %s=%d", key, n)
		}
	}
	trace := func(t *Trace) {
		if t == nil {
			return
		}
		b.WriteString("\n\ttrace")
		flag(t.Mark != 0, "marked")
		flag(t.UserRegs, "user-regs")
		flag(t.Complete, "complete")
		flag(t.Mixed, "mixed")
		flag(t.Wchan, "wchan")
		if t.IP != nil {
			text("ip", t.IP.Func)
		}
		for _, f := range t.Frames {
			b.WriteString("\n\t\t" + frameText(f))
		}
	}
	name := strings.TrimPrefix(fmt.Sprintf("%T", e), "*parse.")
	b.WriteString(name)
	switch v := e.(type) {
	case *OOM:
		text("invoker", v.InvokerComm)
		num("pid", int64(v.InvokerPid), v.HasPid)
		num("cpu", int64(v.CPU), v.CPU >= 0)
		text("gfp", v.GFPMask)
		num("order", int64(v.Order), v.HasOrder)
		num("adj", int64(v.ScoreAdj), v.HasScoreAdj)
		text("constraint", v.Constraint)
		text("scope", v.Scope)
		text("memcg", v.Memcg)
		text("task-memcg", v.TaskMemcg)
		for _, l := range []struct {
			name string
			Limit
		}{{"memory", v.Memory}, {"memory+swap", v.Memswap}, {"swap", v.Swap}, {"kmem", v.Kmem}} {
			if l.Present {
				fmt.Fprintf(&b, " %s=%d/%d/%d", l.name, l.UsageKB, l.LimitKB, l.Failcnt)
			}
		}
		num("victim", int64(v.VictimPid), v.VictimPid != 0)
		text("victim-comm", v.VictimComm)
		text("group-kill", v.GroupKill)
		flag(v.NoKillable, "no-killable")
		text("release", v.Release)
		text("format", v.Format)
		for i, s := range v.Stats {
			if i == 4 {
				fmt.Fprintf(&b, "\n\t... %d stats", len(v.Stats))
				break
			}
			fmt.Fprintf(&b, "\n\tstat %s %d", s.Name, s.KB)
		}
		flag(v.HasTable, "table")
		for _, c := range v.Candidates {
			fmt.Fprintf(&b, "\n\tcandidate %d tgid=%d uid=%d vm=%d rss=%d swap=%d adj=%d %q", c.Pid, c.Tgid, c.UID, c.TotalVM, c.RSS, c.Swap, c.ScoreAdj, c.Comm)
		}
		num("more", int64(v.MoreTasks), v.MoreTasks > 0)
		for _, k := range v.Kills {
			fmt.Fprintf(&b, "\n\tkilled %d", k.Pid)
		}
		trace(v.Trace)
	case *Kill:
		fmt.Fprintf(&b, " %d %q vm=%d anon=%d file=%d shmem=%d", v.Pid, v.Comm, v.TotalVMKB, v.AnonKB, v.FileKB, v.ShmemKB)
		flag(v.MemcgKill, "memcg")
		flag(v.Report != nil, "in-report")
	case *Reap:
		fmt.Fprintf(&b, " %d %q ok=%v anon=%d file=%d shmem=%d", v.Pid, v.Comm, v.OK, v.AnonKB, v.FileKB, v.ShmemKB)
	case *HungTask:
		fmt.Fprintf(&b, " %d %q %ds", v.Pid, v.Comm, v.Seconds)
		flag(v.IOWait, "io")
		text("release", v.Release)
	case *Blocker:
		fmt.Fprintf(&b, " %d %q %s %s", v.Pid, v.Comm, v.Kind, v.Mode)
		flag(!v.Found, "owner-not-found")
		if v.Found {
			fmt.Fprintf(&b, " owner=%d %q %s", v.OwnerPid, v.OwnerComm, v.OwnerMode)
		}
	case *Task:
		b.WriteString(" " + [...]string{"call-trace", "oom", "hung", "sysrq", "proc", "nmi", "ftrace"}[v.Source])
		num("pid", int64(v.Pid), v.HasPid)
		num("tgid", int64(v.Tgid), v.Tgid != 0)
		num("ppid", int64(v.Ppid), v.HasPpid)
		text("comm", v.Comm)
		text("label", v.Label)
		if v.State != 0 {
			fmt.Fprintf(&b, " %c", v.State)
		}
		flag(v.Running, "running")
		text("workqueue", v.Workqueue)
		text("release", v.Release)
		text("memcg", v.Memcg)
		num("dump", int64(v.Dump), v.Dump != 0)
		trace(v.Trace)
	case *TraceEvent:
		traceSummary(&b, v)
	case *TraceInfo:
		infoSummary(&b, v)
	case *Dump:
		fmt.Fprintf(&b, " #%d %c tasks=%d", v.ID, v.Action, v.Tasks)
		flag(v.Complete, "complete")
	case *Locks:
		fmt.Fprintf(&b, " %d %q count=%d", v.Pid, v.Comm, v.Count)
		for _, h := range v.Held {
			fmt.Fprintf(&b, "\n\t%s %s at %s", h.Addr, h.Class, h.At.Func)
		}
	case *Lockdep:
		fmt.Fprintf(&b, " %s %d lines", v.Kind, strings.Count(v.Text, "\n")+1)
		num("pid", int64(v.Pid), v.Pid != 0)
		text("comm", v.Comm)
		text("release", v.Release)
		for _, e := range v.Entries {
			fmt.Fprintf(&b, "\n\t%s", e.Role)
			num("step", int64(e.Step), e.Role == "chain")
			fmt.Fprintf(&b, " %s", strings.TrimSpace(e.Addr+" "+e.Class))
			text("usage", e.Usage)
			num("pid", int64(e.Pid), e.Pid != 0)
			text("comm", e.Comm)
			text("at", e.At.Func)
			for _, f := range e.Frames {
				b.WriteString("\n\t\t" + frameText(f))
			}
		}
		trace(v.Trace)
	case *Stall:
		fmt.Fprintf(&b, " %s", v.Kind)
		num("cpu", int64(v.CPU), v.CPU >= 0)
		num("seconds", v.Seconds, v.Seconds != 0)
		num("jiffies", v.Jiffies, v.Jiffies != 0)
		num("pid", int64(v.Pid), v.Pid != 0)
		text("comm", v.Comm)
		for _, w := range v.Work {
			fmt.Fprintf(&b, "\n\twork %s %d %s", w.Queue, w.Pid, w.Func)
		}
	case *Sysrq:
		if v.Action != 0 {
			fmt.Fprintf(&b, " %c", v.Action)
		}
		text("text", v.Text)
		for _, s := range v.Stats {
			fmt.Fprintf(&b, "\n\tstat %s %d", s.Name, s.KB)
		}
	case *Cgroup:
		fmt.Fprintf(&b, " %s %s", v.Path, v.File)
		for _, x := range v.Values {
			fmt.Fprintf(&b, "\n\t%s=%g", x.Name, x.Value)
			flag(x.Max, "max")
		}
	case *Boot:
		fmt.Fprintf(&b, " %s %s", v.Release, v.Arch)
		text("id", v.ID)
	case *Note:
		fmt.Fprintf(&b, " %s %q", v.Kind, v.Text)
		num("pid", int64(v.Pid), v.Pid != 0)
		text("comm", v.Comm)
	}
	flag(m.Damaged, "\n\tDAMAGED")
	if where {
		text("caller", m.Caller)
		text("host", m.Host)
		text("wall", m.Stamp.Wall)
		if m.Stamp.HasBoot {
			fmt.Fprintf(&b, " boot=%g", m.Stamp.Boot)
		}
	}
	return b.String() + "\n"
}

func frameText(f Frame) string {
	s := f.Func
	if s == "" {
		s = fmt.Sprintf("%#x", f.Addr)
	}
	if f.HasOffset {
		s += fmt.Sprintf("+%#x/%#x", f.Offset, f.Size)
	}
	if f.Module != "" {
		s += " [" + f.Module + "]"
	}
	if !f.Reliable {
		s = "? " + s
	}
	if f.Context != ContextTask {
		s += fmt.Sprintf(" {%d}", f.Context)
	}
	return s
}

// readAll returns the events of a log in the order of their first lines.
func readAll(log string, opt Options) ([]Event, Result) {
	var evs []Event
	res, err := Read(strings.NewReader(log), opt, func(e Event) { evs = append(evs, e) })
	if err != nil {
		panic(err)
	}
	sortEvents(evs)
	return evs, res
}
