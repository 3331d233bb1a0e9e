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

// Texts tells what lines say without their framing, as far as the events do:
// the first lines of events, frames, and entries of lockdep's lists. Lines are
// sorted, "" stands for a line that is none of these.
func (c *Collector) Texts(lines []Line) []string {
	out := make([]string, len(lines))
	for at := 0; at < len(lines); {
		end, input := at, lines[at].Input
		for end < len(lines) && lines[end].Input == input {
			end++
		}
		if input < len(c.feeds) {
			t := texts{lines[at:end], out[at:end]}
			for _, e := range c.feeds[input].events {
				t.event(e)
			}
		}
		at = end
	}
	return out
}

// texts are the lines of one input and what they say.
type texts struct {
	lines []Line
	out   []string
}

func (t *texts) find(no int) (int, bool) {
	return slices.BinarySearchFunc(t.lines, no, func(l Line, no int) int { return cmp.Compare(l.No, no) })
}

// set takes the first text of a line.
func (t *texts) set(no int, text func() string) {
	if i, ok := t.find(no); ok && t.out[i] == "" {
		t.out[i] = text()
	}
}

func (t *texts) event(e parse.Event) {
	m := e.Head()
	t.set(m.Span.First, func() string { return m.Text })
	switch e := e.(type) {
	case *parse.Task:
		t.trace(m, e.Trace)
	case *parse.OOM:
		t.trace(m, e.Trace)
	case *parse.Locks:
		for i := range e.Held {
			t.set(e.Held[i].Line, func() string { return heldText(&e.Held[i]) })
		}
	}
}

func (t *texts) trace(m *parse.Meta, tr *parse.Trace) {
	if tr == nil {
		return
	}
	if i, _ := t.find(m.Span.First); i == len(t.lines) || t.lines[i].No > m.Span.Last {
		return
	}
	for i := range tr.Frames {
		f := &tr.Frames[i]
		t.set(tr.Line(f), func() string { return frameText(f) })
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
