package stacks

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"

	"github.com/oomtrace/oomtrace/parse"
)

// Line is a line of an input, both as in parse.Span.
type Line struct{ Input, No int }

// Texts tells what lines say without their framing, as far as the snapshots do:
// the first lines of events, frames, and entries of lockdep's lists. Lines are
// sorted, "" stands for a line that is none of these.
func Texts(snaps []*Snapshot, lines []Line) []string {
	t := &texts{lines: lines, out: make([]string, len(lines)), at: map[int][2]int{}}
	for i, l := range lines {
		if i == 0 || lines[i-1].Input != l.Input {
			t.at[l.Input] = [2]int{i, i}
		}
		t.at[l.Input] = [2]int{t.at[l.Input][0], i + 1}
	}
	for _, s := range snaps {
		t.snapshot(s)
	}
	return t.out
}

type texts struct {
	lines []Line
	out   []string
	at    map[int][2]int // the lines of an input
}

// from is the first of the lines that is not before a line of an input, and end
// that of the next input.
func (t *texts) from(input, no int) (i, end int) {
	r := t.at[input]
	i, _ = slices.BinarySearchFunc(t.lines[r[0]:r[1]], no, func(l Line, no int) int { return cmp.Compare(l.No, no) })
	return r[0] + i, r[1]
}

// set takes the first text of a line.
func (t *texts) set(input, no int, text func() string) {
	if i, end := t.from(input, no); i < end && t.lines[i].No == no && t.out[i] == "" {
		t.out[i] = text()
	}
}

func (t *texts) head(m *parse.Meta) {
	t.set(m.Span.Input, m.Span.First, func() string { return m.Text })
}

func heads[E parse.Event](t *texts, list []E) {
	for _, e := range list {
		t.head(e.Head())
	}
}

func (t *texts) snapshot(s *Snapshot) {
	heads(t, s.OOMs)
	heads(t, s.Kills)
	heads(t, s.Reaps)
	heads(t, s.Hung)
	heads(t, s.Blockers)
	heads(t, s.Lockdep)
	heads(t, s.Dumps)
	heads(t, s.Notes)
	heads(t, s.Cgroups)
	heads(t, s.Traces)
	for _, e := range s.Locks {
		t.head(&e.Meta)
		for i := range e.Held {
			t.set(e.Span.Input, e.Held[i].Line, func() string { return heldText(&e.Held[i]) })
		}
	}
	for _, x := range s.Tasks {
		for _, e := range x.Sightings {
			t.set(e.Span.Input, e.Span.First, func() string { return e.Text })
		}
		for _, e := range x.Sightings {
			t.frames(e)
		}
	}
}

func (t *texts) frames(s *Sighting) {
	if s.Trace == nil {
		return
	}
	if i, end := t.from(s.Span.Input, s.Span.First); i == end || t.lines[i].No > s.Span.Last {
		return
	}
	for i := range s.Trace.Frames {
		f := &s.Trace.Frames[i]
		t.set(s.Span.Input, s.Line(f), func() string { return frameText(f) })
	}
}

func heldText(h *parse.HeldLock) string {
	addr := h.Addr
	if addr != "" {
		addr += " "
	}
	return fmt.Sprintf("%s(%s), at: %s", addr, h.Class, frameText(&h.At))
}

func frameText(f *parse.Frame) string {
	s := f.Func
	if s == "" {
		s = "0x" + strconv.FormatUint(f.Addr, 16)
	}
	if f.HasOffset {
		s += fmt.Sprintf("+0x%x/0x%x", f.Offset, f.Size)
	}
	if f.Module != "" {
		s += " [" + f.Module + "]"
	}
	if !f.Reliable {
		s = "? " + s
	}
	return s
}
