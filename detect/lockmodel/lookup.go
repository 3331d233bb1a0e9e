package lockmodel

import (
	"maps"
	"slices"
	"strings"
)

// Model is a set of classes, primitives and facts. It is never changed after
// it was made: any number of goroutines may use it.
type Model struct {
	classes    []*Class
	primitives []*Primitive
	facts      []*Fact
	sets       map[string][]string

	byClass     map[string]*Class
	byLockdep   map[string]lockdepEntryOf
	byPrimitive map[string]*Primitive
	prefixes    []*Primitive // those whose name ends in *
	tables      bool         // the facts of tables.go belong to it; byFunc has what is not as there
	byFunc      map[string][]*Fact
	bySyscall   map[string][]*Fact // facts of sys_X, by X
}

type lockdepEntryOf struct {
	class    *Class
	instance string
}

func newModel() *Model {
	return &Model{
		sets:        map[string][]string{},
		byClass:     map[string]*Class{},
		byLockdep:   map[string]lockdepEntryOf{},
		byPrimitive: map[string]*Primitive{},
		byFunc:      map[string][]*Fact{},
		bySyscall:   map[string][]*Fact{},
	}
}

func (m *Model) clone() *Model {
	out := &Model{
		classes:     slices.Clone(m.classes),
		primitives:  slices.Clone(m.primitives),
		facts:       slices.Clone(m.facts),
		sets:        maps.Clone(m.sets),
		byClass:     maps.Clone(m.byClass),
		byLockdep:   maps.Clone(m.byLockdep),
		byPrimitive: maps.Clone(m.byPrimitive),
		prefixes:    slices.Clone(m.prefixes),
		tables:      m.tables,
		byFunc:      maps.Clone(m.byFunc),
		bySyscall:   maps.Clone(m.bySyscall),
	}
	return out
}

// addClass takes the lockdep names that c has by now; the loader adds those of
// a block as it reads them.
func (m *Model) addClass(c *Class) {
	m.classes = append(m.classes, c)
	m.byClass[c.Name] = c
	for _, d := range c.Lockdep {
		m.byLockdep[d.Name] = lockdepEntryOf{c, d.Instance}
	}
}

func (m *Model) addPrimitive(p *Primitive) {
	m.primitives = append(m.primitives, p)
	m.byPrimitive[p.Func] = p
	if strings.HasSuffix(p.Func, "*") {
		m.prefixes = append(m.prefixes, p)
	}
}

func (m *Model) addFact(f *Fact) {
	m.facts = append(m.facts, f)
	// Clip: a clone shares the slices of its original and must not write to
	// their spare room.
	m.byFunc[f.Func] = append(slices.Clip(m.about(f.Func)), f)
	if name, ok := strings.CutPrefix(f.Func, "sys_"); ok {
		m.bySyscall[name] = append(slices.Clip(m.bySyscall[name]), f)
	}
}

// about returns the facts about the function of exactly that name.
func (m *Model) about(fn string) []*Fact {
	if facts, ok := m.byFunc[fn]; ok || !m.tables {
		return facts
	}
	return tableAbout(fn)
}

// duplicate returns a fact that says the same as f for a common version.
func (m *Model) duplicate(f *Fact) *Fact {
	for _, o := range m.about(f.Func) {
		if o.Verb == f.Verb && o.Class == f.Class && o.Mode == f.Mode && o.Instance == f.Instance && o.Maybe == f.Maybe &&
			slices.Equal(o.While, f.While) && slices.Equal(o.Unless, f.Unless) && slices.Equal(o.From, f.From) &&
			slices.Equal(o.NotFrom, f.NotFrom) && slices.Equal(o.On, f.On) &&
			o.Range().overlaps(f.Range()) {
			return o
		}
	}
	return nil
}

// Classes returns all classes in file order.
func (m *Model) Classes() []*Class { return m.classes }

// Class returns the class of that name, or nil.
func (m *Model) Class(name string) *Class { return m.byClass[name] }

// Primitives returns all primitives in file order.
func (m *Model) Primitives() []*Primitive { return m.primitives }

// Facts returns all facts in file order.
func (m *Model) Facts() []*Fact { return m.facts }

// Primitive returns the sleep, lock or tracer primitive that the function is,
// or nil. fn may be as printed, with compiler suffixes.
func (m *Model) Primitive(fn string) *Primitive {
	fn = Fold(fn)
	if p := m.byPrimitive[fn]; p != nil {
		return p
	}
	for _, p := range m.prefixes {
		if strings.HasPrefix(fn, p.Func[:len(p.Func)-1]) {
			return p
		}
	}
	return nil
}

// Lookup returns all facts about a function as printed, in file order, of all
// versions. Compiler suffixes and system call wrappers are folded; leading
// underscores only if the exact name is unknown. The caller must not change the
// result. It takes no lock and allocates nothing.
func (m *Model) Lookup(fn string) []*Fact {
	fn = Fold(fn)
	if facts := m.about(fn); facts != nil {
		return facts
	}
	if name, ok := syscallName(fn); ok {
		if facts, ok := m.bySyscall[name]; ok {
			return facts
		}
	}
	if rest, ok := strings.CutPrefix(fn, "compat_"); ok {
		if facts := m.about(rest); facts != nil {
			return facts
		}
	}
	// The kernel names the inner part of f as __f, but a primitive is none.
	if rest, ok := strings.CutPrefix(fn, "__"); ok && m.Primitive(fn) == nil {
		return m.about(rest)
	}
	return nil
}

// Range returns the releases for which the fact holds.
func (f *Fact) Range() VersionRange { return VersionRange{f.Since, f.Until} }

// In reports whether the fact holds in v. A zero v, a kernel that is not
// known, is in every range.
func (f *Fact) In(v Version) bool { return f.Range().Contains(v) }

// KillableIn reports whether a fatal signal ends the wait for the lock in v.
// For a zero v it must be so in every version.
func (f *Fact) KillableIn(v Version) bool {
	for _, r := range f.Killable {
		if v.IsZero() && r != (VersionRange{}) {
			continue
		}
		if r.Contains(v) {
			return true
		}
	}
	return false
}

// FitsPrimitive reports whether a function that stands right under p may wait
// for the lock of this fact of class c: kind and mode agree. A nil p, for
// captures that hide primitives, fits all facts but those on percpu alone: the
// functions of percpu rwsems are always visible. It is false for Holds.
func (f *Fact) FitsPrimitive(c *Class, p *Primitive) bool {
	if f.Verb == Holds {
		return false
	}
	if p == nil {
		return len(f.On) != 1 || f.On[0] != "percpu"
	}
	if f.Mode == Shared && p.Mode == Exclusive || f.Mode == Exclusive && p.Mode == Shared {
		return false
	}
	allowed := f.On
	if len(allowed) == 0 && c != nil {
		allowed = c.Kinds
	}
	if len(allowed) == 0 || slices.Contains(allowed, p.Kind) {
		return true
	}
	// PREEMPT_RT builds its mutexes and rwsems of rtmutexes.
	return p.Kind == "rtmutex" && (slices.Contains(allowed, "mutex") || slices.Contains(allowed, "rwsem") || slices.Contains(allowed, "percpu"))
}

// AboveOK reports whether While and Unless allow the fact, for the functions
// that stand above, closer to the sleep. They limit holding, not waiting.
func (f *Fact) AboveOK(above []string) bool { return allowed(f.While, f.Unless, above) }

// BelowOK reports whether From and NotFrom allow the fact, for the functions
// that stand below: those that called it.
func (f *Fact) BelowOK(below []string) bool { return allowed(f.From, f.NotFrom, below) }

func allowed(only, not, frames []string) bool {
	if len(only) == 0 && len(not) == 0 {
		return true
	}
	found := len(only) == 0
	for _, fn := range frames {
		if !found && FuncMatches(only, fn) {
			found = true
		}
		if FuncMatches(not, fn) {
			return false
		}
	}
	return found
}

// ClassByLockdep returns the class and instance for a lock name that lockdep
// printed, such as "&type->i_mutex_dir_key#6/1".
func (m *Model) ClassByLockdep(printed string) (class *Class, instance string, ok bool) {
	name := strings.TrimSpace(printed)
	if e, ok := m.byLockdep[name]; ok {
		return e.class, e.instance, true
	}
	digits := func(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }
	if i := strings.LastIndexByte(name, '/'); i > 0 && digits(name[i+1:]) {
		name = name[:i]
	}
	if i := strings.LastIndexByte(name, '#'); i > 0 && digits(name[i+1:]) {
		name = name[:i]
	}
	e, ok := m.byLockdep[name]
	return e.class, e.instance, ok
}

// NameIn returns what the lock is called in v: i_mutex in 3.2 and i_rwsem in
// 6.1; the name of the class if v is zero or no name is given for it.
func (c *Class) NameIn(v Version) string {
	if !v.IsZero() {
		for _, n := range c.Names {
			if (VersionRange{n.Since, n.Until}).Contains(v) {
				return n.Name
			}
		}
	}
	return c.Name
}
