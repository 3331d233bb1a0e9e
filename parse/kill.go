package parse

import (
	"strconv"
	"strings"
)

func itoa(n int) string { return strconv.Itoa(n) }

// takeMemoryLine reads the lines that begin with the kind of OOM:
//
//	Memory cgroup out of memory: Kill process 47 (truncer) score 575 or sacrifice child   (3.2 .. 5.0)
//	Memory cgroup out of memory: Killed process 103 (eater) total-vm:35164kB, ...         (5.1 ->)
//	Memory cgroup out of memory: OOM victim 47 (truncer) is already exiting. Skip killing the task  (5.9 ->)
//	Out of memory and no killable processes...
//	Out of memory (oom_kill_allocating_task): Killed process 98 (eater) ...
func (a *assembler) takeMemoryLine(ln *line, s string) bool {
	memcg := s[0] == 'M'
	_, rest, ok := strings.Cut(s, ": ")
	switch {
	case strings.HasPrefix(s, "Out of memory and no killable processes"), strings.HasPrefix(s, "Memory cgroup out of memory and no killable"):
		a.endTraceOf(a.oom)
		a.sendNote(ln, "no_killable", s, false)
		if o := a.oom; o != nil && !a.stale(ln) {
			o.NoKillable, o.closing = true, true
			a.touch(&o.Meta, ln)
		}
		return true
	case !ok:
		return false
	case strings.HasPrefix(rest, "Killed process "):
		return a.killed(ln, rest, memcg)
	case strings.HasPrefix(rest, "Kill process "), strings.HasPrefix(rest, "kill process "):
		pid, comm, ok := firstTask(rest)
		if !ok {
			return false
		}
		a.endTraceOf(a.oom)
		if o := a.oom; o != nil && !a.stale(ln) {
			o.part = partHead
			if o.VictimPid == 0 {
				o.VictimPid, o.VictimComm = pid, comm
			}
			o.memcg = o.memcg || memcg
			o.global = o.global || !memcg
			a.touch(&o.Meta, ln)
		}
		return true
	case strings.HasPrefix(rest, "OOM victim "):
		a.sendNote(ln, "already_exiting", s, true)
		if o := a.oom; o != nil && !a.stale(ln) {
			a.endTraceOf(o)
			o.memcg = o.memcg || memcg
			o.closing = true // there will be no kill
			a.touch(&o.Meta, ln)
		}
		return true
	case strings.Contains(s, "panic_on_oom"):
		a.sendNote(ln, "panic_on_oom", s, false)
		return true
	}
	return false
}

// endTraceOf ends the trace of report o, if it is still open.
func (a *assembler) endTraceOf(o *openOOM) {
	if a.tr != nil && o != nil && a.tr.inOOM == o {
		a.endTrace(false)
	}
}

func (a *assembler) takeKilled(ln *line, s string) bool { return a.killed(ln, s, false) }

// killed reads all forms of the line that tells who was killed:
//
//	Killed process 47 (java)                                                     (2.6.32)
//	Killed process 47, UID 0, (java) total-vm:1kB, anon-rss:1kB, file-rss:1kB    (el6)
//	Killed process 47 (java), UID 0, total-vm:1kB, ...                           (el7)
//	Killed process 47 (java) total-vm:1kB, anon-rss:1kB, file-rss:1kB            (3.2 .. 4.4)
//	Killed process 47 (java) total-vm:1kB, ..., shmem-rss:1kB, UID:0 pgtables:1kB oom_score_adj:0  (5.4 ->)
func (a *assembler) killed(ln *line, s string, memcg bool) bool {
	n, rest, ok := leadInt(s[len("Killed process "):])
	if !ok || n < 0 || n > 1<<31-1 {
		return false
	}
	if strings.HasPrefix(rest, ", UID ") {
		_, r, _ := leadInt(rest[6:])
		rest = strings.TrimPrefix(r, ",")
	}
	if !strings.HasPrefix(rest, " (") {
		return false
	}
	comm, rest, whole := cutComm(rest[2:])
	k := &Kill{Pid: int(n), Comm: keep(comm), MemcgKill: memcg,
		TotalVMKB: numAfter(rest, "total-vm:"), AnonKB: numAfter(rest, "anon-rss:"),
		FileKB: numAfter(rest, "file-rss:"), ShmemKB: numAfter(rest, "shmem-rss:")}
	k.Damaged = !whole
	a.p.res.Records.Kill++
	a.gap()
	a.touch(&k.Meta, ln)
	if a.oom != nil && !a.stale(ln) {
		a.endTraceOf(a.oom)
		if o := a.oom; o.closing && o.GroupKill == "" && len(o.Kills) > 0 {
			a.endOOM(false) // a kill of its own, its report was held back
		} else {
			o.part = partHead
			o.memcg = o.memcg || memcg
			k.MemcgKill = o.memcg
			k.Report = o.OOM
			o.Kills = append(o.Kills, k)
			o.closing = true
			a.touch(&o.Meta, ln)
		}
	}
	a.p.send(k)
	return true
}

// takeSharing reads "Kill process 48 (java) sharing same memory".
func (a *assembler) takeSharing(ln *line, s string) bool {
	if !strings.Contains(s, "sharing same memory") {
		return false
	}
	a.sendNote(ln, "sharing", s, true)
	if a.oom != nil {
		a.touch(&a.oom.Meta, ln)
	}
	return true
}

// takeGroupKill reads mem_cgroup_print_oom_group (4.19 ->).
func (a *assembler) takeGroupKill(ln *line, s string) bool {
	const tail = " are going to be killed due to memory.oom.group set"
	i := strings.LastIndex(s, tail)
	if i < len("Tasks in ") {
		return false
	}
	a.sendNote(ln, "group_kill", s, false)
	if o := a.oom; o != nil && !a.stale(ln) {
		o.GroupKill = keep(s[len("Tasks in "):i])
		o.memcg = true
		a.touch(&o.Meta, ln)
	}
	return true
}

// takeReap reads oom_reap_task's lines (4.6 ->).
func (a *assembler) takeReap(ln *line, s string) bool {
	rest := s[len("oom_reaper: "):]
	r := &Reap{OK: strings.HasPrefix(rest, "reaped process ")}
	if !r.OK && !strings.HasPrefix(rest, "unable to reap pid:") {
		return false
	}
	var ok bool
	if r.Pid, r.Comm, ok = firstTask(rest); !ok {
		return false
	}
	r.AnonKB, r.FileKB, r.ShmemKB = numAfter(rest, "anon-rss:"), numAfter(rest, "file-rss:"), numAfter(rest, "shmem-rss:")
	a.p.res.Records.Reap++
	a.touch(&r.Meta, ln)
	a.p.send(r)
	a.gap()
	return true
}
