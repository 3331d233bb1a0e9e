package parse

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
