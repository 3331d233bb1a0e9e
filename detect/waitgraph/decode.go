package waitgraph

import (
	"slices"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

// Wait is what a sighting waits for.
type Wait struct {
	Class    *lockmodel.Class // nil: the frames name no lock
	Instance string
	Mode     lockmodel.Mode // AnyMode where the capture hides the primitive
	FS       string         // file system that the frames name, "" if none
	Frame    *parse.Frame   // the function that waits
	Fact     *lockmodel.Fact
	Killable bool
	Kind     string // kind of the sleep primitive, "" if hidden
}

// Hold is a lock that a sighting's frames prove to be held.
type Hold struct {
	Class    *lockmodel.Class
	Instance string
	Mode     lockmodel.Mode
	FS       string
	Frame    *parse.Frame
	Fact     *lockmodel.Fact
	Maybe    bool // per-VMA locks (6.4): the stack cannot tell
}

// View is what one sighting says about its task.
type View struct {
	Task *stacks.Task
	At   *stacks.Sighting
	*Reading
}

// Reading is what a stack says, of whatever task. Many views have the same one.
type Reading struct {
	Wait   *Wait
	Holds  []Hold
	Charge Charge
}

// decoder reads sightings with a lock model for one kernel version. What it
// read is kept: the same stacks come again and again.
type decoder struct {
	model   *lockmodel.Model
	version lockmodel.Version // zero if unknown
	known   map[reading]*Reading
}

// reading is all that a Reading depends on.
type reading struct {
	stack  *stacks.Stack
	state  byte
	source parse.Source
}

// decode reads one sighting.
func (d *decoder) decode(t *stacks.Task, s *stacks.Sighting) *View {
	return &View{Task: t, At: s, Reading: d.of(s)}
}

func (d *decoder) of(s *stacks.Sighting) *Reading {
	k := reading{s.Stack, s.State, s.Source}
	r := d.known[k]
	if r == nil {
		r = d.read(s)
		d.known[k] = r
	}
	return r
}

// read reads one sighting (reasoning.md §1).
func (d *decoder) read(s *stacks.Sighting) *Reading {
	v := &Reading{}
	frames := s.Frames()
	v.Charge = chargeOf(frames, d.model, d.version, s)
	if s.State == 'Z' || s.State == 'X' || len(frames) == 0 {
		return v
	}
	top, prim := d.primitives(frames)
	if top == len(frames) {
		return v
	}
	names := make([]string, len(frames))
	for i, f := range frames {
		names[i] = lockmodel.Fold(f.Func)
	}
	if s.State != 'R' {
		v.Wait = d.wait(frames, names, top, prim, s)
	}
	// A sleeper in S that is in no known wait (read, poll, wait4) holds nothing.
	if s.State == 'S' && (v.Wait == nil || v.Wait.Class == nil) {
		v.Wait = nil
		return v
	}
	v.Holds = d.holds(frames, names, top, v.Wait)
	return v
}

// primitives skips scheduler, tracer and lock functions at the top and sums
// up what kind of sleep they are, nil if there are none.
func (d *decoder) primitives(frames []*parse.Frame) (top int, sum *lockmodel.Primitive) {
	for top < len(frames) {
		p := d.model.Primitive(frames[top].Func)
		if p == nil {
			break
		}
		top++
		if p.Kind == "tracer" {
			continue
		}
		if sum == nil {
			c := *p
			sum = &c
			continue
		}
		// The lowest one decides: percpu_down_read() of 4.4..5.8 sleeps in an rwsem.
		if !weak(p.Kind) {
			sum.Kind = p.Kind
		}
		if p.Mode != lockmodel.AnyMode {
			sum.Mode = p.Mode
		}
		sum.Killable = sum.Killable || p.Killable
	}
	return top, sum
}

// weak kinds say only that the task sleeps, not in what.
func weak(kind string) bool { return kind == "sched" || kind == "timeout" || kind == "io" }

// wait finds the lock that the innermost function other than a primitive
// waits for. In /proc/PID/stack and in pasted fragments the primitive is
// hidden (lock-model §1 rule 8): there the function itself is the waiter.
func (d *decoder) wait(frames []*parse.Frame, names []string, top int, prim *lockmodel.Primitive, s *stacks.Sighting) *Wait {
	f := frames[top]
	hidden := prim == nil
	w := &Wait{Frame: f}
	if hidden && !s.Filtered() && s.Source != parse.SourceCallTrace {
		if s.State == 'D' {
			return w // its innermost frames are missing: it waits, but who knows for what
		}
		return nil
	}
	if !hidden {
		w.Mode, w.Killable, w.Kind = prim.Mode, prim.Killable, prim.Kind
	}
	for _, fact := range d.model.Lookup(f.Func) {
		c := d.model.Class(fact.Class)
		if c == nil || !fact.In(d.version) || !fact.FitsPrimitive(c, prim) || !fact.BelowOK(names[top+1:]) {
			continue
		}
		if w.Fact != nil {
			// /proc/PID/stack cannot tell reader from writer of one lock.
			if hidden && w.Class == c && w.Instance == fact.Instance && w.Mode != fact.Mode {
				w.Mode = lockmodel.AnyMode
			}
			continue
		}
		w.Class, w.Fact, w.Instance = c, fact, fact.Instance
		if w.Mode == lockmodel.AnyMode {
			w.Mode = fact.Mode
		}
		w.Killable = w.Killable || len(fact.Killable) > 0 && fact.KillableIn(d.version)
	}
	if w.Fact == nil {
		if s.State != 'D' {
			return nil
		}
		return w // in D, but no fact names what for
	}
	w.FS = d.fsOf(frames, names, top)
	return w
}

// holds collects the locks of all frames below the primitives (a waiter holds
// too: without that no chain ever closes).
func (d *decoder) holds(frames []*parse.Frame, names []string, top int, w *Wait) []Hold {
	var out []Hold
	for j := top; j < len(frames); j++ {
		f := frames[j]
		for _, fact := range d.model.Lookup(f.Func) {
			if fact.Verb == lockmodel.Waits || !fact.In(d.version) {
				continue
			}
			if fact.Verb == lockmodel.Acquires && j == top {
				continue // the waiter, or not yet known to have it
			}
			if !fact.BelowOK(names[j+1:]) || !fact.AboveOK(names[top:j]) {
				continue
			}
			c := d.model.Class(fact.Class)
			if c == nil {
				continue
			}
			h := Hold{Class: c, Instance: fact.Instance, Mode: fact.Mode, Frame: f, Fact: fact, Maybe: fact.Maybe}
			if h.Mode == lockmodel.AnyMode {
				h.Mode = lockmodel.Exclusive
			}
			h.FS = d.fsOf(frames, names, j)
			// The callers of a waiter hold the lock only once it has it.
			if w != nil && w.Class == c && w.Instance == h.Instance && (w.FS == "" || h.FS == "" || w.FS == h.FS) {
				continue
			}
			out = addHold(out, h)
		}
	}
	return out
}

// addHold keeps one hold for each lock, preferring the frame that took it to
// those that inherit it. Holds come innermost first.
func addHold(list []Hold, h Hold) []Hold {
	for i := range list {
		o := &list[i]
		if o.Class != h.Class || o.Instance != h.Instance || (o.FS != "" && h.FS != "" && o.FS != h.FS) {
			continue
		}
		if o.FS == "" {
			o.FS = h.FS
		}
		if o.Mode == lockmodel.Shared && h.Mode == lockmodel.Exclusive && !h.Maybe {
			o.Mode = h.Mode
		}
		// Of the frames that inherit it the outermost is next to the one that took it.
		if o.Fact.Verb == lockmodel.Holds && (o.Maybe || !h.Maybe) {
			o.Frame, o.Fact = h.Frame, h.Fact
		}
		o.Maybe = o.Maybe && h.Maybe
		return list
	}
	return append(list, h)
}

// layer are the functions at which the file of a stack changes: a fault or a
// nested write may be on another file system than the one above it.
var layer = []string{"handle_mm_fault", "__handle_mm_fault", "do_user_addr_fault", "do_page_fault", "__do_page_fault",
	"shrink_slab", "vfs_read", "vfs_write", "vfs_iter_write", "vfs_iter_read", "path_openat", "vfs_fsync_range"}

// fsOf tells which file system the lock of frame i belongs to: the nearest
// frame that names one, first towards the sleep, then towards the callers.
func (d *decoder) fsOf(frames []*parse.Frame, names []string, i int) string {
	for j := i; j >= 0; j-- {
		if fs := lockmodel.FileSystem(frames[j].Func, frames[j].Module); fs != "" {
			return fs
		}
		if j < i && slices.Contains(layer, names[j]) {
			break
		}
	}
	for j := i + 1; j < len(frames) && !slices.Contains(layer, names[j]); j++ {
		if fs := lockmodel.FileSystem(frames[j].Func, frames[j].Module); fs != "" {
			return fs
		}
	}
	return ""
}
