package stacks

import (
	"hash/maphash"
	"slices"
	"strings"

	"github.com/oomtrace/oomtrace/parse"
)

// Stack is a call trace that some sightings have in common.
type Stack struct {
	Frames []parse.Frame  // the Line of each is its index
	Own    []*parse.Frame // the reliable ones of the task's own stack, innermost first

	next   *Stack // with the same hash
	number int32
	memcg  bool // shows memory cgroup code
	trap   bool // shows a charge that may keep its task until its OOM is over
}

// trapFuncs are what a charge of 2.6.34..3.11 shows, which sits out its OOM with
// all locks held: waitgraph tells whether it does.
var trapFuncs = []string{"mem_cgroup_handle_oom", "__mem_cgroup_try_charge", "mem_cgroup_do_charge", "mem_cgroup_charge_common", "mem_cgroup_newpage_charge", "mem_cgroup_cache_charge",
	"mem_cgroup_try_charge_swapin"}

// interner keeps each distinct call trace of an input once: what a thousand
// tasks print is the same hundred stacks.
type interner struct {
	seed   maphash.Seed
	byHash map[uint64]*Stack

	byFrame map[*parse.Frame]*Stack // by its first frame
	list    []*Stack
}

// share lets a trace share its frames with those that are equal.
func (in *interner) share(t *parse.Trace) {
	if t == nil || len(t.Frames) == 0 || in.byFrame[&t.Frames[0]] != nil {
		return
	}
	if in.byHash == nil {
		in.seed, in.byHash, in.byFrame = maphash.MakeSeed(), map[uint64]*Stack{}, map[*parse.Frame]*Stack{}
	}
	sum := in.hash(t.Frames)
	for s := in.byHash[sum]; s != nil; s = s.next {
		if parse.SameFrames(s.Frames, t.Frames) {
			t.Share(s.Frames)
			return
		}
	}
	s := &Stack{Frames: t.Frames, next: in.byHash[sum]}
	if t.Lines == nil {
		s.Frames = slices.Clone(t.Frames)
		for i := range s.Frames {
			s.Frames[i].Line = i
		}
		t.Share(s.Frames)
	}
	s.Own = ownFrames(s.Frames)
	s.number = int32(len(in.list))
	in.list = append(in.list, s)
	for i := range s.Frames {
		fn := s.Frames[i].Func
		s.memcg = s.memcg || strings.Contains(fn, "mem_cgroup")
		s.trap = s.trap || slices.ContainsFunc(trapFuncs, func(name string) bool { return strings.HasPrefix(fn, name) })
	}
	in.byHash[sum], in.byFrame[&s.Frames[0]] = s, s
}

// stack is that of a trace that shares its frames, nil if it has none.
func (in *interner) stack(t *parse.Trace) *Stack {
	if t == nil || len(t.Frames) == 0 {
		return nil
	}
	return in.byFrame[&t.Frames[0]]
}

// number tells stacks apart, -1 for none.
func (in *interner) number(t *parse.Trace) int32 {
	if s := in.stack(t); s != nil {
		return s.number
	}
	return -1
}

// hash mixes what tells most stacks apart; parse.SameFrames decides.
func (in *interner) hash(frames []parse.Frame) uint64 {
	const prime = 0x9e3779b97f4a7c15
	sum := uint64(len(frames))
	for i := range frames {
		f := &frames[i]
		mark := uint64(f.Context)
		if f.Reliable {
			mark |= 0x100
		}
		sum = (sum ^ maphash.String(in.seed, f.Func) ^ mark<<32 ^ uint64(f.Offset) ^ f.Addr<<8) * prime
		sum ^= sum >> 29
	}
	return sum
}

// ownFrames are the reliable frames of the task's own stack. Frames marked "? "
// are left-overs of earlier calls and never count.
func ownFrames(frames []parse.Frame) []*parse.Frame {
	var out []*parse.Frame
	for i := range frames {
		f := &frames[i]
		if f.Reliable && f.Context == parse.ContextTask && f.Func != "" {
			out = append(out, f)
		}
	}
	return slices.Clip(out)
}
