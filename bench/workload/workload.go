// Package workload makes the logs that oomtrace is measured with. They are
// made of the kernel texts in testdata, with other pids, names and times, and
// the maker keeps count of what it planted: a measurement of a run that did not
// find all of it is no measurement.
//
// The same arguments give the same bytes, on every machine.
package workload

import (
	"bufio"
	"fmt"
	"io"
	"slices"
)

// Planted is what a text holds.
type Planted struct {
	Bytes, Lines int64
	ReportLines  int64 // those of them that are part of a report

	OOM, Kill, Reap, HungTask, TaskDump, FtraceEvent int

	Blocked int // tasks that wait for a lock or hold one, of Tasks

	// Reports are the planted OOM and hung-task reports of Noise, in order.
	// Other texts hold too many to list.
	Reports []Report
}

// Report is one planted report.
type Report struct {
	Line int // its first line, from 1
	Kind Kind
	Pid  int // the killed task, or the one that hangs
}

// Kind is what a line of a report begins.
type Kind uint8

// The kinds of lines that are counted.
const (
	Plain Kind = iota
	OOM
	Kill
	Reap
	HungTask
	TaskDump
)

func (p *Planted) count(k Kind) {
	switch k {
	case OOM:
		p.OOM++
	case Kill:
		p.Kill++
	case Reap:
		p.Reap++
	case HungTask:
		p.HungTask++
	case TaskDump:
		p.TaskDump++
	}
}

// Workload is one kind of text. Make writes one of about size n, in Unit, to w.
type Workload struct {
	Name, About string
	Unit        string // of n: bytes, tasks, reports
	Make        func(w io.Writer, t *Texts, n int64) (Planted, error)
}

// All are the workloads, by name.
var All = []Workload{
	{"noise", "syslog of 48 hosts and their programs; one line in a thousand belongs to a kernel report", "bytes", Noise},
	{"dense", "dmesg with nothing but OOM reports, hung tasks and sysrq-t", "bytes", Dense},
	{"tasks", "one sysrq-t of n tasks with 20 frames each, a tenth of them waiting for locks", "tasks", Tasks},
	{"ooms", "n memcg OOM reports of a few groups, each resolved by a kill", "reports", OOMs},
	{"ftrace", "function_graph text of the charge path", "bytes", Ftrace},
}

// Lookup returns the workload of that name.
func Lookup(name string) (Workload, error) {
	i := slices.IndexFunc(All, func(w Workload) bool { return w.Name == name })
	if i < 0 {
		return Workload{}, fmt.Errorf("no workload %q", name)
	}
	return All[i], nil
}

// sink writes lines and counts them.
type sink struct {
	w       *bufio.Writer
	buf     []byte // the line that is being made
	planted Planted
}

func newSink(w io.Writer) *sink {
	return &sink{w: bufio.NewWriterSize(w, 1<<20), buf: make([]byte, 0, 4<<10)}
}

// line ends b, a line made in s.buf, and writes it.
func (s *sink) line(b []byte) {
	b = append(b, '\n')
	s.buf = b[:0]
	s.planted.Bytes += int64(len(b))
	s.planted.Lines++
	s.w.Write(b) // bufio keeps the error for Flush
}

func (s *sink) end() (Planted, error) { return s.planted, s.w.Flush() }

// rng is xorshift64*: a few instructions, since it is asked for each field of
// each line.
type rng uint64

func newRand(seed uint64) rng { return rng(seed*2 + 0x9e3779b97f4a7c15) }

func (r *rng) next() uint64 {
	x := uint64(*r)
	x ^= x >> 12
	x ^= x << 25
	x ^= x >> 27
	*r = rng(x)
	return x * 0x2545f4914f6cdd1d
}

// n returns a number below n.
func (r *rng) n(n int) int { return int(r.next() >> 33 * uint64(n) >> 31) }

func pick[T any](r *rng, from []T) T { return from[r.n(len(from))] }

// padded appends n in at least width places, blanks in front.
func padded(b []byte, n int64, width int) []byte { return number(b, n, width, ' ') }

func zeros(b []byte, n int64, width int) []byte { return number(b, n, width, '0') }

func number(b []byte, n int64, width int, fill byte) []byte {
	var d [20]byte
	i := len(d)
	for n > 0 || i == len(d) {
		i--
		d[i] = byte('0' + n%10)
		n /= 10
	}
	for len(d)-i < width {
		i--
		d[i] = fill
	}
	return append(b, d[i:]...)
}

func hex(b []byte, v uint64, width int) []byte {
	const digits = "0123456789abcdef"
	for i := width - 1; i >= 0; i-- {
		b = append(b, digits[v>>(4*i)&15])
	}
	return b
}

// stamp appends printk's time, as in "[   12.345678] ".
func stamp(b []byte, us int64) []byte {
	b = append(b, '[')
	b = padded(b, us/1e6, 5)
	b = append(b, '.')
	b = zeros(b, us%1e6, 6)
	return append(b, "] "...)
}
