package parse

import "strings"

// openStall is a report of a CPU, a grace period or a worker pool that does
// not get on, as long as lines of its body may follow.
type openStall struct {
	*Stall
	queue string // the workqueue that the last lines are about
}

// maxWork bounds the work items kept of one pool dump.
const maxWork = 1024

// takeLockup reads the watchdog's lines:
//
//	watchdog: BUG: soft lockup - CPU#3 stuck for 22s! [java:1234]      (5.x ->; "NMI watchdog: " 4.4 ..; bare before)
//	Watchdog detected hard LOCKUP on cpu 1                             (all; "CPU1: " in front from 7.1)
func (a *assembler) takeLockup(ln *line, s string) bool {
	st := &Stall{CPU: -1, Text: keep(s[:min(len(s), maxText)])}
	if r, ok := after(s, "soft lockup - CPU#"); ok {
		st.Kind, st.CPU = "soft_lockup", int(min(numAfter("#"+r, "#"), 1<<20))
		st.Seconds = max(0, numAfter(r, "stuck for "))
		if i := strings.LastIndexByte(r, '['); i > 0 && strings.HasSuffix(r, "]") {
			var ok bool
			st.Comm, st.Pid, ok = commPid(r[i+1:len(r)-1], ':')
			st.Comm = keep(st.Comm)
			st.Damaged = !ok
		} else {
			st.Damaged = true
		}
	} else if r, ok := after(s, "detected hard LOCKUP on cpu"); ok {
		st.Kind, st.CPU = "hard_lockup", int(min(numAfter(r, " "), 1<<20))
	} else {
		return false
	}
	a.openStall(ln, st)
	a.stuck = true
	return true
}

// takeRCU reads print_other_cpu_stall and print_cpu_stall:
//
//	rcu: INFO: rcu_preempt self-detected stall on CPU           ("rcu: " 4.19 ->)
//	rcu: INFO: rcu_preempt detected stalls on CPUs/tasks:
//	INFO: rcu_sched detected stall on CPU 2 (t=6500 jiffies)    (3.2)
//	rcu: rcu_preempt kthread starved for 5250 jiffies! g-123 f0x0 RCU_GP_WAIT_FQS(5) ->state=0x0 ->cpu=1
func (a *assembler) takeRCU(ln *line, s string) bool {
	st := &Stall{Kind: "rcu", CPU: -1, Text: keep(s[:min(len(s), maxText)])}
	switch {
	case strings.Contains(s, " kthread starved for "):
		st.Jiffies = max(0, numAfter(s, "starved for "))
		st.CPU = int(min(numAfter(s, "->cpu="), 1<<20))
	case strings.Contains(s, " stall"):
		st.CPU = int(min(numAfter(s, "on CPU "), 1<<20))
		st.Jiffies = max(0, numAfter(s, "(t="))
	default:
		return false
	}
	a.openStall(ln, st)
	return true
}

// takePool reads the workqueue watchdog's line and the dump that follows it
// or a sysrq-t (wq_watchdog_timer_fn, 4.5 ->; show_all_workqueues, 4.1 ->):
//
//	BUG: workqueue lockup - pool cpus=0 node=0 flags=0x0 nice=0 stuck for 45s!
//	Showing busy workqueues and worker pools:
//	workqueue: drain_local_stock hogged CPU for >10000us 4 times, consider switching to WQ_UNBOUND
func (a *assembler) takePool(ln *line, s string) bool {
	st := &Stall{Kind: "workqueue", CPU: -1, Text: keep(s[:min(len(s), maxText)])}
	switch {
	case strings.HasPrefix(s, "BUG: workqueue lockup"):
		st.CPU = int(min(numAfter(s, "cpus="), 1<<20))
		st.Seconds = max(0, numAfter(s, "stuck for "))
	case strings.Contains(s, " hogged CPU for "):
		st.Kind = "workqueue_hog"
		a.p.res.More.Stall++
		a.touch(&st.Meta, ln)
		a.p.send(st)
		a.gap()
		return true
	default:
		st.Kind = "workqueue_pools"
		if a.dump != nil {
			a.takeTail(ln, s)
		}
	}
	a.openStall(ln, st)
	return true
}

func (a *assembler) openStall(ln *line, st *Stall) {
	a.boundary()
	a.p.res.More.Stall++
	a.touch(&st.Meta, ln)
	a.stall = &openStall{Stall: st}
}

// stallLine takes the body of a stall report; anything else ends it.
func (a *assembler) stallLine(ln *line, s string) bool {
	st := a.stall
	switch st.Kind {
	case "rcu":
		n, r, ok := leadInt(s)
		switch {
		case ok && strings.HasPrefix(r, "-") && strings.Contains(r, "idle="): // "0-....: (1 GPs behind) idle=..."
			if st.CPU < 0 {
				st.CPU = int(min(n, 1<<20))
			}
		case strings.HasPrefix(s, "(t="), strings.HasPrefix(s, "(detected by "), strings.HasPrefix(s, "rcu: \t(t="), strings.HasPrefix(s, "rcu: \t(detected by "):
			st.Jiffies = max(st.Jiffies, numAfter(s, "t="))
		case strings.HasPrefix(s, "rcu: \t"), strings.HasPrefix(s, "rcu:     "), strings.HasPrefix(s, "Tasks blocked on level-"), strings.HasPrefix(s, "rcu: Tasks blocked"):
			if n, r, ok := leadInt(trimLeft(s[4:])); ok && st.CPU < 0 && strings.HasPrefix(r, "-") {
				st.CPU = int(min(n, 1<<20))
			}
		default:
			a.endStall()
			return false
		}
	case "workqueue", "workqueue_pools":
		switch {
		case strings.HasPrefix(s, "Showing busy workqueues") && st.Kind == "workqueue":
			return false // a record of its own
		case strings.HasPrefix(s, "workqueue "):
			st.queue, _, _ = strings.Cut(s[len("workqueue "):], ": flags=")
			st.queue = a.p.name(st.queue)
		case strings.HasPrefix(s, "pwq "), strings.HasPrefix(s, "pending: "), strings.HasPrefix(s, "delayed: "), strings.HasPrefix(s, "inactive: "), strings.HasPrefix(s, "pool "):
		case strings.HasPrefix(s, "in-flight: "):
			a.inFlight(s[len("in-flight: "):])
		default:
			a.endStall()
			return false
		}
	default:
		a.endStall()
		return false
	}
	a.touch(&st.Meta, ln)
	return true
}

// inFlight reads "45:loop_workfn [loop], 46(RESCUER):foo BAR(12)".
func (a *assembler) inFlight(s string) {
	for _, item := range strings.Split(s, ",") {
		n, r, ok := leadInt(trimLeft(item))
		if !ok || n < 1 || n > 1<<31-1 || len(a.stall.Work) >= maxWork {
			continue
		}
		_, fn, ok := strings.Cut(r, ":")
		if !ok {
			continue
		}
		fn, _ = field(fn)
		a.stall.Work = append(a.stall.Work, Work{Queue: a.stall.queue, Pid: int(n), Func: a.p.name(fn)})
	}
}

func (a *assembler) endStall() {
	if st := a.stall; st != nil {
		a.stall = nil
		a.p.send(st.Stall)
	}
}
