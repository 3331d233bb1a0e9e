package workload

import (
	"io"
	"slices"
	"strconv"
)

// banner is the first line of a boot of the kernel that the pieces of 6.1 are
// from.
const banner = "[    0.000000] Linux version 6.1.0-56-amd64 (debian-kernel@lists.debian.org) (gcc-12 (Debian 12.2.0-14) 12.2.0, GNU ld (GNU Binutils for Debian) 2.40) #1 SMP PREEMPT_DYNAMIC Debian 6.1.192-2"

// write writes a piece as dmesg prints it, and tells when it ends.
func (s *sink) write(p *piece, start int64, v *values) int64 {
	for i := range p.lines {
		l := &p.lines[i]
		s.line(l.append(stamp(s.buf, start+l.at), v))
		s.planted.ReportLines++
		s.planted.count(l.kind)
	}
	return start + p.us
}

// Dense writes about size bytes of dmesg of one boot that are nothing but
// reports: OOM reports, hung tasks and sysrq-w, and among them whole sysrq-t,
// which are most of it. Each has its own pids and names.
func Dense(w io.Writer, t *Texts, size int64) (Planted, error) {
	s, r := newSink(w), newRand(2)
	s.line(append(s.buf, banner...))
	reports := t.of("6.1")
	now := int64(60e6)
	for n := 0; s.planted.Bytes < size; n++ {
		v := &values{pids: 1000 * (1 + n%4000), names: r.n(len(names)), group: r.n(100)}
		p := reports[n%len(reports)]
		if n%4 == 3 {
			p = t.dumps[n/4%len(t.dumps)]
		}
		now = s.write(p, now, v) + int64(1e5+r.n(1e6))
	}
	return s.end()
}

// OOMs writes n OOM reports of memory cgroups in one boot: a handful of
// groups, each with its program, run into their limits again and again, and
// each time the kill and the reaper resolve it.
func OOMs(w io.Writer, t *Texts, n int64) (Planted, error) {
	s, r := newSink(w), newRand(4)
	s.line(append(s.buf, banner...))
	p := t.ooms
	killed := &p.lines[len(p.lines)-1]
	name := killed.parts[slices.IndexFunc(killed.parts, func(p part) bool { return p.slot == slotName })].name
	now := int64(60e6)
	for i := range n {
		group := r.n(5)
		v := &values{pids: 1000 + int(i*7%4_000_000), names: group, group: group}
		now = s.write(p, now, v)
		// oom_reap_task(), mm/oom_kill.c, 4.6 ->
		b := append(stamp(s.buf, now+2000), "oom_reaper: reaped process "...)
		b = strconv.AppendInt(b, int64(v.pid(killed.pid)), 10)
		b = append(b, " ("...)
		b = append(b, v.name(name)...)
		s.line(append(b, "), now anon-rss:0kB, file-rss:0kB, shmem-rss:0kB"...))
		s.planted.ReportLines++
		s.planted.Reap++
		now += int64(1e5 + r.n(1e6))
	}
	return s.end()
}
