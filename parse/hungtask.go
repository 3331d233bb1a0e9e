package parse

import "strings"

// takeHung reads khungtaskd's lines (check_hung_task, debug_show_blocker):
//
//	INFO: task java:3062 blocked for more than 120 seconds.
//	INFO: task java:3062 blocked in I/O wait for more than 143 seconds.
//	INFO: task zsh:470 is blocked on a mutex likely owned by task zsh:470.
//	INFO: task a:1 <writer> blocked on an rw-semaphore likely owned by task b:2 <reader>
func (a *assembler) takeHung(ln *line, s string) bool {
	body := strings.TrimPrefix(s[len("INFO: task"):], " ")
	i, io := strings.LastIndex(body, " blocked for more than "), false
	if i < 0 {
		i, io = strings.LastIndex(body, " blocked in I/O wait for more than "), true
	}
	dying := false
	if i < 0 {
		i, io = strings.LastIndex(body, " can't die for more than "), false
		dying = i >= 0
	}
	if i < 0 {
		return a.takeBlocker(ln, body)
	}
	comm, pid, ok := commPid(trimRight(body[:i]), ':')
	if !ok {
		return false
	}
	a.boundary()
	a.settle(ln)
	h := &HungTask{Pid: pid, Comm: keep(comm), IOWait: io, Dying: dying}
	h.Seconds = max(0, numAfter(body[i:], "for more than "))
	a.touch(&h.Meta, ln)
	a.p.res.Records.HungTask++
	a.hung, a.hungPid, a.hungComm, a.hungRelease = h, pid, h.Comm, ""
	return true
}

// hungLine takes the rest of a hung-task report's head.
func (a *assembler) hungLine(ln *line, s string) bool {
	switch {
	case strings.HasPrefix(s, "Not tainted "):
		a.hung.Release, _ = field(s[len("Not tainted "):])
		a.hung.Release = keep(a.hung.Release)
	case strings.HasPrefix(s, "Tainted: "):
		a.hung.Release = keep(taintedRelease(s[len("Tainted: "):]))
	case strings.HasPrefix(s, "Blocked by coredump"), strings.HasPrefix(s, `"echo 0 > /proc/sys/kernel/hung_task`):
	default:
		return false
	}
	a.hungRelease = a.hung.Release
	a.touch(&a.hung.Meta, ln)
	return true
}

func (a *assembler) endHung() {
	if h := a.hung; h != nil {
		a.hung = nil
		a.p.send(h)
	}
}

// takeBlocker reads who owns the lock (6.15 -> mutex, 6.16 -> semaphore,
// 6.17 -> rw-semaphore).
func (a *assembler) takeBlocker(ln *line, s string) bool {
	i := strings.LastIndex(s, " blocked on a")
	if i < 0 {
		return false
	}
	b := &Blocker{}
	var ok bool
	b.Comm, b.Mode, b.Pid, ok = taskMode(strings.TrimSuffix(s[:i], " is"))
	if !ok {
		return false
	}
	rest := s[i+len(" blocked on a"):]
	switch {
	case strings.HasPrefix(rest, " mutex"):
		b.Kind = "mutex"
	case strings.HasPrefix(rest, " semaphore"):
		b.Kind = "semaphore"
	case strings.HasPrefix(rest, "n rw-semaphore"):
		b.Kind = "rwsem"
	default:
		return false
	}
	owner, found := after(rest, " likely owned by task ")
	if !found {
		owner, found = after(rest, " likely last held by task ")
	}
	if found {
		b.OwnerComm, b.OwnerMode, b.OwnerPid, b.Found = taskMode(strings.TrimSuffix(owner, "."))
		b.Damaged = !b.Found
	} else if !strings.Contains(rest, "not found") {
		b.Damaged = true
	}
	a.boundary()
	a.touch(&b.Meta, ln)
	a.p.send(b)
	return true
}

// taskMode splits "kworker/u16:0:12 <reader>".
func taskMode(s string) (comm, mode string, pid int, ok bool) {
	s = trim(s)
	for _, m := range [...]string{"reader", "writer"} {
		if strings.HasSuffix(s, " <"+m+">") {
			s, mode = s[:len(s)-len(m)-3], m
		}
	}
	comm, pid, ok = commPid(s, ':')
	return keep(comm), mode, pid, ok
}
