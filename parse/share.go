package parse

import "slices"

// Lines are where the frames of a trace stand that shares them with others.
type Lines struct {
	First int     // line of the first frame
	Rest  []int32 // of each frame, counted from First; nil if they follow one another
}

// Line is the line of a frame of t.
func (t *Trace) Line(f *Frame) int {
	switch l := t.Lines; {
	case l == nil:
		return f.Line
	case l.Rest == nil:
		return l.First + f.Line
	default:
		return l.First + int(l.Rest[f.Line])
	}
}

// Share lets t have the frames of another trace, which are equal to its own but
// for the lines. The Line of each must be its index.
func (t *Trace) Share(frames []Frame) {
	l := &Lines{}
	for i := range t.Frames {
		n := t.Line(&t.Frames[i])
		if i == 0 {
			l.First = n
		}
		if n != l.First+i && l.Rest == nil {
			l.Rest = make([]int32, len(frames))
			for j := range i {
				l.Rest[j] = int32(j)
			}
		}
		if l.Rest != nil {
			l.Rest[i] = int32(n - l.First)
		}
	}
	t.Frames, t.Lines = frames, l
}

// stackTable has the frames of the traces that ended, equal ones once: what a
// thousand tasks print is the same hundred stacks. Lists whose hash is taken
// are not kept here.
type stackTable map[uint64][]Frame

// maxStacks bounds it.
const maxStacks = 4096

// settle lets a trace that has ended share its frames with an equal one, or
// have a copy of its own at the exact size.
func (p *parser) settle(t *Trace) {
	buf := t.Frames
	if buf == nil {
		return
	}
	sum := hashFrames(buf)
	frames := p.stacks[sum]
	if !SameFrames(frames, buf) {
		taken := frames != nil
		frames = slices.Clone(buf)
		for i := range frames {
			frames[i].Line = i
		}
		if !taken && len(p.stacks) < maxStacks {
			if p.stacks == nil {
				p.stacks = stackTable{}
			}
			p.stacks[sum] = frames
		}
	}
	t.Share(frames)
	p.freeFrames(buf)
}

// hashFrames mixes what tells stacks of one kernel apart: where each frame is
// in a function of which size.
func hashFrames(frames []Frame) uint64 {
	h := uint64(len(frames))
	for i := range frames {
		f := &frames[i]
		h = (h ^ f.Addr ^ uint64(f.Offset)<<32 ^ uint64(f.Size)<<8 ^ uint64(len(f.Func))) * 0x9e3779b97f4a7c15
		if f.Reliable {
			h++
		}
		h ^= h >> 29
	}
	return h
}

// Same reports whether two frames are equal but for the line.
func (f *Frame) Same(o *Frame) bool {
	return f.Func == o.Func && f.Offset == o.Offset && f.Size == o.Size && f.Addr == o.Addr && f.HasOffset == o.HasOffset && f.HasAddr == o.HasAddr &&
		f.Reliable == o.Reliable && f.Context == o.Context && f.Module == o.Module && f.BuildID == o.BuildID && f.Place.same(o.Place)
}

func (p *Place) same(o *Place) bool {
	return p == o || p != nil && o != nil && p.File == o.File && p.Line == o.Line && p.Start == o.Start && slices.Equal(p.Inlined, o.Inlined)
}

// SameFrames reports whether two traces have the same frames, the lines apart.
func SameFrames(a, b []Frame) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Same(&b[i]) {
			return false
		}
	}
	return true
}
