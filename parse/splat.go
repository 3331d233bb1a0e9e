package parse

import "strings"

// What a lockdep report says of each lock (kernel/locking/lockdep.c):
//
//	a/101 is trying to acquire lock:                  print_circular_bug_header, print_deadlock_bug
//	but task is already holding lock:
//	-> #1 (lock_a){+.+.}-{3:3}:                       print_circular_bug_entry
//	a/101 just changed the state of lock:             print_irq_inversion_bug
//	but this lock took another, SOFTIRQ-unsafe lock in the past:
//	a/101 [HC0[0]:SC0[0]:HE1:SE1] takes:              print_usage_bug
//	{IN-SOFTIRQ-W} state was registered at:
//	which would create a new lock dependency:         print_bad_irq_dependency

// maxEntries and maxEntryFrames bound what is kept of one report.
const (
	maxEntries     = 128
	maxEntryFrames = 64
)

// entryLine reads one line of a lockdep report.
func (sp *openSplat) entryLine(a *assembler, ln *line, s string) {
	var f Frame
	if info := scanFrame(s, &f); (info.kind == frameFull || info.kind == frameAddr) && s[0] != '(' {
		if n := len(sp.Entries); n > 0 && !sp.over {
			if e := &sp.Entries[n-1]; sp.frames && len(e.Frames) < maxEntryFrames {
				f.Line, f.Func, f.Module = ln.no, a.p.name(f.Func), a.p.name(f.Module)
				e.Frames = append(e.Frames, f)
				if info.kind == frameFull && f.Reliable {
					a.p.res.More.Frames++
				}
				return
			}
		}
		return // Text has it
	}
	switch {
	case strings.HasSuffix(s, " is trying to acquire lock:"), strings.HasSuffix(s, " is trying to lock:"), strings.HasSuffix(s, " is trying to acquire:"):
		sp.expect(s, "acquire")
	case strings.HasSuffix(s, " just changed the state of lock:"), strings.HasSuffix(s, " takes:"):
		sp.expect(s, "acquire")
	case strings.Contains(s, "already holding lock:"), strings.Contains(s, "this task is already holding:"):
		sp.expect(s, "hold")
	case strings.HasPrefix(s, "but this lock took another"), strings.HasPrefix(s, "but this lock was taken by another"):
		sp.expect("", "past")
	case strings.HasPrefix(s, "but this new dependency connects a"), strings.HasPrefix(s, "to a ") && strings.HasSuffix(s, "-unsafe lock:"):
		sp.expect("", "usage")
	case strings.Contains(s, "which became ") && strings.HasSuffix(s, " at:"):
		e := LockdepEntry{Role: "usage", Usage: keep(strings.TrimSuffix(s[strings.Index(s, "became ")+7:], " at:")), Line: ln.no}
		if n := len(sp.Entries); n > 0 {
			e.Class = sp.Entries[n-1].Class
		}
		sp.entry(e)
		sp.frames = true
	case strings.HasSuffix(s, " state was registered at:"):
		sp.entry(LockdepEntry{Role: "usage", Usage: keep(strings.TrimSuffix(s, " state was registered at:")), Line: ln.no})
		sp.frames = true
	case strings.HasPrefix(s, "-> #"):
		n, rest, ok := leadInt(s[4:])
		if !ok {
			return
		}
		e := LockdepEntry{Role: "chain", Step: int(min(n, 1<<20)), Line: ln.no}
		e.lock(a, strings.TrimSuffix(trim(rest), ":"))
		sp.entry(e)
		sp.frames = true
	case strings.HasPrefix(s, "-> ("):
		e := LockdepEntry{Role: "usage", Line: ln.no}
		e.lock(a, s[3:])
		sp.entry(e)
		sp.frames = true
	case strings.HasSuffix(s, " at:") && (strings.Contains(s, "-ON-") || strings.HasPrefix(s, "IN-") || strings.HasPrefix(s, "INITIAL USE") || strings.HasPrefix(s, "... acquired")):
		e := LockdepEntry{Role: "usage", Usage: keep(trim(strings.TrimSuffix(s, " at:"))), Line: ln.no}
		if n := len(sp.Entries); n > 0 {
			e.Class = sp.Entries[n-1].Class
		}
		sp.entry(e)
		sp.frames = true
	case sp.role != "" && strings.Contains(s, "){"):
		e := LockdepEntry{Role: sp.role, Comm: sp.comm, Pid: sp.pid, Line: ln.no}
		lock, at, _ := strings.Cut(s, ", at: ")
		e.lock(a, lock)
		if f, ok := ParseFrame(at); ok {
			f.Line, f.Func, f.Module = ln.no, a.p.name(f.Func), a.p.name(f.Module)
			e.At = f
		}
		sp.entry(e)
		sp.role, sp.frames = "", false
	case strings.HasPrefix(s, "other info that"), strings.HasPrefix(s, "stack backtrace"), strings.HasPrefix(s, "Possible "):
		sp.frames, sp.role = false, ""
	case sp.Release == "" && (strings.Contains(s, " Not tainted") || strings.Contains(s, " Tainted: ")):
		w, _ := field(s)
		sp.Release = keep(w)
	}
}

// expect notes that the next lock is the one that s is about.
func (sp *openSplat) expect(s, role string) {
	sp.role, sp.comm, sp.pid, sp.frames = role, "", 0, false
	w := s
	for _, cut := range [...]string{" is trying to", " just changed", " takes:", " [HC"} {
		if i := strings.Index(w, cut); i >= 0 {
			w = w[:i]
		}
	}
	if comm, pid, ok := commPid(w, '/'); ok {
		sp.comm, sp.pid = keep(comm), pid
		if sp.Pid == 0 {
			sp.Comm, sp.Pid = sp.comm, pid
		}
	}
}

// lock reads "ffff888004dd4f18 (lock_b){+.+.}-{3:3}".
func (e *LockdepEntry) lock(a *assembler, s string) {
	if s != "" && isHex(s[0]) {
		w, rest := field(s)
		e.Addr, s = a.p.name(w), trimLeft(rest)
	}
	if i := strings.LastIndex(s, "){"); i > 0 && s[0] == '(' {
		e.Class = a.p.name(s[1:i])
		e.Usage, _, _ = strings.Cut(s[i+1:], "}")
		e.Usage = a.p.name(e.Usage + "}")
	}
}

func (sp *openSplat) entry(e LockdepEntry) {
	if sp.over = len(sp.Entries) >= maxEntries; !sp.over {
		sp.Entries = append(sp.Entries, e)
	}
}
