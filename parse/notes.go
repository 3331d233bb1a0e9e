package parse

import (
	"fmt"
	"strings"
)

// note makes a taker of single lines that bear on an incident. With task, the
// line names one as "PID (COMM)".
func note(kind string, task bool) func(*assembler, *line, string) bool {
	return func(a *assembler, ln *line, s string) bool {
		a.sendNote(ln, kind, s, task)
		return true
	}
}

func (a *assembler) sendNote(ln *line, kind, s string, task bool) {
	n := &Note{Kind: kind, Text: keep(s)}
	if task {
		n.Pid, n.Comm, _ = firstTask(s)
	}
	a.touch(&n.Meta, ln)
	a.p.send(n)
	a.gap()
}

// firstTask finds "47 (java)" in s; the comm ends at the last parenthesis that
// can end it.
func firstTask(s string) (pid int, comm string, ok bool) {
	for i := 0; i < len(s); i++ {
		if !isDigit(s[i]) || i > 0 && s[i-1] != ' ' && s[i-1] != ':' {
			continue
		}
		n, rest, _ := leadInt(s[i:])
		if strings.HasPrefix(rest, " (") && n <= 1<<31-1 {
			comm, _, _ := cutComm(rest[2:])
			return int(n), keep(comm), true
		}
	}
	return 0, "", false
}

// cutComm cuts the comm off "java) total-vm:...": at most 15 bytes, so the
// last ")" in reach that is followed by what the kernel prints there.
func cutComm(s string) (comm, rest string, ok bool) {
	best := -1
	for i := 0; i < len(s) && i <= 48; i++ {
		if s[i] != ')' {
			continue
		}
		r := s[i+1:]
		if r == "" || strings.HasPrefix(r, " total-vm:") || strings.HasPrefix(r, ", UID") || strings.HasPrefix(r, " score ") ||
			strings.HasPrefix(r, ", now ") || strings.HasPrefix(r, " sharing ") || strings.HasPrefix(r, " is already") || strings.HasPrefix(r, " has mm") {
			return s[:i], r, true
		}
		if best < 0 || i <= 15 {
			best = i
		}
	}
	if best < 0 {
		return s, "", false
	}
	return s[:best], s[best+1:], true
}

// takeSuppressed reads ___ratelimit's "oom_kill_process: 12 callbacks suppressed".
func (a *assembler) takeSuppressed(ln *line, s string) bool {
	if !strings.Contains(s, "oom") && !strings.Contains(s, "out_of_memory") && !strings.HasPrefix(s, "dump_header") {
		return false
	}
	a.sendNote(ln, "suppressed", s, false)
	a.p.diag(ln.no, "warning", "dropped-lines", "the kernel held lines back: "+keep(s))
	return true
}

// takeDropped reads printk's "** 308 printk messages dropped **".
func (a *assembler) takeDropped(ln *line, s string) bool {
	if !strings.Contains(s, "printk messages dropped") {
		return false
	}
	a.sendNote(ln, "suppressed", s, false)
	n := max(0, numAfter(s, "** "))
	a.p.diag(ln.no, "warning", "dropped-lines", fmt.Sprintf("%d lines of the kernel's log were lost here", n))
	for _, o := range a.p.streams {
		if o.dump != nil {
			o.dump.dropped = true
		}
		if o.tr != nil && !o.tr.done {
			o.tr.gap, o.tr.lost = true, true
		}
	}
	return true
}

// takePanic reads the end of a kernel that does not kill: panic_on_oom.
func (a *assembler) takePanic(ln *line, s string) bool {
	low := strings.ToLower(s)
	if !strings.Contains(low, "out of memory") {
		return false
	}
	kind := "panic_on_oom"
	if strings.Contains(low, "no killable processes") {
		kind = "no_killable"
	}
	a.sendNote(ln, kind, s, false)
	if o := a.oom; o != nil {
		a.endTrace(true)
		o.NoKillable = o.NoKillable || kind == "no_killable"
		o.closing = true
		a.touch(&o.Meta, ln)
		a.endOOM(false)
	}
	return true
}

// takeBoot reads linux_banner. The same line printed by a program later on is
// no boot.
func (a *assembler) takeBoot(ln *line, s string) bool {
	if ln.hasBoot && ln.boot > 5 {
		return false
	}
	rel, rest := field(s[len("Linux version "):])
	if rel == "" || !isDigit(rel[0]) {
		return false
	}
	a.p.flushOthers(a)
	a.end()
	b := &Boot{Release: keep(rel), Arch: arch(rel, rest)}
	a.touch(&b.Meta, ln)
	a.p.send(b)
	return true
}

// flushOthers closes the streams of a's host: the machine booted.
func (p *parser) flushOthers(a *assembler) {
	var all []*assembler
	for k, o := range p.streams {
		if o != a && k.host == a.key.host {
			all = append(all, o)
			delete(p.streams, k)
		}
	}
	sortStreams(all)
	for _, o := range all {
		o.end()
	}
}

// arch finds the architecture in the release or in the compiler's name.
func arch(release, rest string) string {
	for _, a := range [...]struct{ mark, name string }{
		{"x86_64", "x86_64"}, {"amd64", "x86_64"}, {"aarch64", "aarch64"}, {"arm64", "aarch64"}, {"ppc64le", "ppc64le"},
		{"ppc64el", "ppc64le"}, {"ppc64", "ppc64"}, {"s390x", "s390x"}, {"riscv64", "riscv64"}, {"i686", "i686"}, {"armv7", "armv7l"}, {"mips64", "mips64"},
	} {
		if strings.Contains(release, a.mark) {
			return a.name
		}
	}
	for _, a := range [...]string{"x86_64", "aarch64", "powerpc64le", "s390x", "riscv64"} {
		if strings.Contains(rest, a+"-") {
			return strings.Replace(a, "powerpc64le", "ppc64le", 1)
		}
	}
	return ""
}
