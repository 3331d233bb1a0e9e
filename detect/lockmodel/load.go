package lockmodel

import (
	"fmt"
	"slices"
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// With returns m and the classes, primitives, sets and facts of a user's file.
// An error is an *Errors.
func (m *Model) With(name string, src []byte) (*Model, error) {
	out := m.clone()
	if err := out.load(name, src); err != nil {
		return nil, err
	}
	return out, nil
}

// Check reports what is wrong with a user's file that is added to the embedded
// model: nil or an *Errors.
func Check(name string, src []byte) error {
	_, err := Embedded().With(name, src)
	return err
}

// The words of the language.
var (
	verbs = map[string]Verb{"acquires": Acquires, "holds": Holds, "waits": Waits}
	modes = map[string]Mode{"shared": Shared, "exclusive": Exclusive, "count": Count}
	kinds = []string{
		"sched", "mutex", "rwsem", "percpu", "semaphore", "rtmutex", "page", "bit", "buffer", "completion", "timeout", "tracer",
	}
	// instances says which object of its class a lock belongs to.
	instances = []string{
		"file", "dir", "inode", "own_mm", "target_mm", "new_mm", "foreign_mm", "own_vma", "sb", "journal", "page", "mapping",
		"memcg", "own_task", "target_task", "pipe", "global", "fuse_conn", "server", "device", "eb", "range", "dentry", "buffer", "mount", "node", "ns",
	}
	clauseWords = []string{"in", "while", "unless", "from", "notfrom", "on", "maybe", "killable", "source", "shared", "exclusive", "count"}
)

func verbNames() []string { return []string{"acquires", "holds", "waits"} }

// loader turns statements into the contents of a model.
type loader struct {
	m       *Model
	file    string
	errs    []*Error
	open    *Class // the class whose block is open
	openPos lexer.Position
}

// load adds a file. On error the model is in no usable state.
func (m *Model) load(name string, src []byte) error {
	file, errs := parseFile(name, src)
	l := &loader{m: m, file: name, errs: errs}
	if file != nil {
		// Classes, sets and primitives first: a file may use them before it
		// says what they are.
		for _, s := range file.Statements {
			if l.open != nil && s.Entry == nil && s.Close == nil {
				l.fail(l.openPos, "end it with a line }", "the block of class %s is not closed", l.open.Name)
				l.open = nil
			}
			switch {
			case s.Class != nil:
				l.class(s.Class)
			case s.Entry != nil:
				l.entry(s.Entry)
			case s.Close != nil:
				if l.open == nil {
					l.fail(s.Close.Pos, "remove it", "} without a block")
				}
				l.open = nil
			case s.Set != nil:
				l.set(s.Set)
			case s.Primitive != nil:
				l.primitive(s.Primitive)
			}
		}
		if l.open != nil {
			l.fail(l.openPos, "end it with a line }", "the block of class %s is not closed", l.open.Name)
		}
		for _, s := range file.Statements {
			if s.Fact != nil {
				l.fact(s.Fact)
			}
		}
	}
	if len(l.errs) == 0 {
		return nil
	}
	slices.SortStableFunc(l.errs, func(a, b *Error) int {
		if a.Pos.Line != b.Pos.Line {
			return a.Pos.Line - b.Pos.Line
		}
		return a.Pos.Column - b.Pos.Column
	})
	return &Errors{List: l.errs[:min(len(l.errs), maxErrors)]}
}

func (l *loader) fail(pos lexer.Position, hint, format string, args ...any) {
	pos.Filename = l.file
	l.errs = append(l.errs, &Error{Pos: pos, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

// didYouMean is the hint for a wrong word.
func didYouMean(got string, words []string) string {
	if w, ok := nearest(got, words); ok {
		return "did you mean " + w + "?"
	}
	return "one of " + strings.Join(words, ", ")
}

func (l *loader) pos(p lexer.Position) lexer.Position {
	p.Filename = l.file
	return p
}

func (l *loader) rng(pos lexer.Position, text *string) VersionRange {
	if text == nil {
		return VersionRange{}
	}
	out, msg := parseRange(*text)
	if msg != "" {
		l.fail(pos, "write 2.6.32..3.15, 4.7.., ..4.6 or 3.2; both ends belong to the range", "%s", msg)
	}
	return out
}

func (l *loader) class(s *classStmt) {
	c := &Class{
		Name: s.Name.Text, Label: unquote(s.Label), Resource: s.Keyword == "resource", Pos: l.pos(s.Pos),
	}
	if s.Open {
		l.open, l.openPos = c, s.Pos
	}
	if c.Name == brokenName {
		return // reported by the parser
	}
	if old := l.m.byClass[c.Name]; old != nil {
		l.fail(s.Name.Pos, "facts may be added to it, but it cannot be described twice", "class %s is already in %s", c.Name, old.Pos)
		return
	}
	for _, k := range s.Kinds {
		if !slices.Contains(kinds, k.Text) {
			l.fail(k.Pos, didYouMean(k.Text, kinds), "unknown kind of primitive %q", k.Text)
		}
		c.Kinds = append(c.Kinds, k.Text)
	}
	if s.Source == nil {
		l.fail(s.Pos, `add: source "FILE FUNCTION, RELEASE"`, "class %s has no source", c.Name)
	} else {
		c.Source = unquote(*s.Source)
	}
	l.m.addClass(c)
}

// entry is a line in the block of a class.
func (l *loader) entry(e *classEntry) {
	c := l.open
	if c == nil {
		l.fail(e.Pos, "name and lockdep belong between { and } of a lock or resource", "outside of a class")
		return
	}
	if e.Name != nil {
		in := l.rng(e.Pos, e.Name.In)
		if e.Name.Since != nil {
			in.Since = l.rng(e.Pos, e.Name.Since).Since
		}
		if e.Name.Until != nil {
			in.Until = l.rng(e.Pos, e.Name.Until).Until
		}
		c.Names = append(c.Names, VersionName{Name: unquote(e.Name.Name), Since: in.Since, Until: in.Until})
		return
	}
	d := LockdepName{Name: unquote(e.Lockdep.Name)}
	if w := e.Lockdep.Instance; w != nil {
		d.Instance = w.Text
		if !slices.Contains(instances, w.Text) {
			l.fail(w.Pos, didYouMean(w.Text, instances), "unknown instance %q", w.Text)
		}
	}
	if old, _, ok := l.m.ClassByLockdep(d.Name); ok {
		l.fail(e.Pos, "a lockdep name belongs to one class", "lockdep name %q is already that of %s", d.Name, old.Name)
		return
	}
	c.Lockdep = append(c.Lockdep, d)
	l.m.byLockdep[d.Name] = lockdepEntryOf{c, d.Instance}
}

func (l *loader) primitive(s *primitiveStmt) {
	if !slices.Contains(kinds, s.Kind.Text) {
		l.fail(s.Kind.Pos, didYouMean(s.Kind.Text, kinds), "unknown kind of primitive %q", s.Kind.Text)
	}
	p := Primitive{Kind: s.Kind.Text, Pos: l.pos(s.Pos)}
	for _, w := range s.Flags {
		switch w.Text {
		case "shared", "exclusive":
			p.Mode = modes[w.Text]
		case "killable":
			p.Killable = true
		case "interruptible":
			p.Interruptible = true
		default:
			words := []string{"shared", "exclusive", "killable", "interruptible"}
			l.fail(w.Pos, didYouMean(w.Text, words), "unknown word %q about a primitive", w.Text)
		}
	}
	for _, f := range s.Funcs.list() {
		if f.Text[0] == '@' {
			l.fail(f.Pos, "write its functions", "a primitive cannot be the set %s", f.Text)
			continue
		}
		one := p
		one.Func = f.Text
		if old := l.m.byPrimitive[f.Text]; old != nil {
			l.fail(f.Pos, "one line for each primitive", "primitive %s is already in %s", f.Text, old.Pos)
			continue
		}
		l.m.addPrimitive(&one)
	}
}

func (l *loader) set(s *setStmt) {
	if _, ok := l.m.sets[s.Name.Text]; ok {
		l.fail(s.Name.Pos, "choose another name", "set @%s is already there", s.Name.Text)
		return
	}
	l.m.sets[s.Name.Text] = l.funcs(&s.Funcs)
}

// funcs expands a list of functions and @sets.
func (l *loader) funcs(n *names) []string {
	refs := n.list()
	if len(refs) == 1 && refs[0].Text[0] == '@' {
		if set, ok := l.m.sets[refs[0].Text[1:]]; ok {
			return set // shared: nothing appends to it
		}
	}
	var out []string
	for _, r := range refs {
		if r.Text[0] != '@' {
			out = append(out, r.Text)
			continue
		}
		set, ok := l.m.sets[r.Text[1:]]
		if !ok {
			names := make([]string, 0, len(l.m.sets))
			for name := range l.m.sets {
				names = append(names, "@"+name)
			}
			slices.Sort(names)
			l.fail(r.Pos, didYouMean(r.Text, names), "unknown set %s", r.Text)
		}
		out = append(out, set...)
	}
	return slices.Clip(out)
}

func (l *loader) fact(s *factStmt) {
	f := Fact{Class: s.Class.Text, Pos: l.pos(s.Pos)}
	var ok bool
	if f.Verb, ok = verbs[s.Verb.Text]; !ok {
		l.fail(s.Verb.Pos, didYouMean(s.Verb.Text, verbNames()), "unknown verb %q", s.Verb.Text)
	}
	class := l.m.byClass[f.Class]
	if class == nil {
		names := make([]string, len(l.m.classes))
		for i, c := range l.m.classes {
			names[i] = c.Name
		}
		hint := "declare it: lock " + f.Class + ` "what people call it" kinds mutex source "..."`
		if near, ok := nearest(f.Class, names); ok {
			hint = "did you mean " + near + "?"
		}
		l.fail(s.Class.Pos, hint, "unknown lock class %q", f.Class)
	}
	seen := map[string]bool{}
	once := func(pos lexer.Position, what string) {
		if seen[what] {
			l.fail(pos, "one clause of a sort in a fact; write two facts", "%s is said twice", what)
		}
		seen[what] = true
	}
	for i := range s.Clauses.list {
		c := &s.Clauses.list[i]
		switch {
		case c.Funcs != nil && c.Word == "on":
			once(c.Pos, "on")
			for _, k := range c.Funcs.list() {
				if !slices.Contains(kinds, k.Text) {
					l.fail(k.Pos, didYouMean(k.Text, kinds), "unknown kind of primitive %q", k.Text)
				}
				f.On = append(f.On, k.Text)
			}
			if f.Verb == Holds {
				l.fail(c.Pos, "on says under which primitive a function waits; holds never waits", "holds with on")
			}
		case c.Funcs != nil:
			once(c.Pos, c.Word)
			funcs := l.funcs(c.Funcs)
			switch c.Word {
			case "while":
				f.While = funcs
			case "unless":
				f.Unless = funcs
			case "from":
				f.From = funcs
			case "notfrom":
				f.NotFrom = funcs
			}
		case c.Word == "in" && c.Range != "":
			if i > 0 && s.Clauses.list[i-1].Word == "killable" {
				f.Killable[len(f.Killable)-1] = l.rng(c.Pos, &c.Range)
				continue
			}
			once(c.Pos, "in")
			r := l.rng(c.Pos, &c.Range)
			f.Since, f.Until = r.Since, r.Until
		case c.Word == "source" && c.Text != "":
			once(c.Pos, "source")
			f.Source = unquote(c.Text)
		case c.Word == "killable" && c.Range == "" && c.Text == "":
			f.Killable = append(f.Killable, VersionRange{})
		case c.Range != "":
			l.fail(c.Pos, "write: in "+c.Range, "a range after %s", quote(c.Word))
		case c.Text != "":
			l.fail(c.Pos, "write: source "+c.Text, "a text after %s", quote(c.Word))
		default:
			l.factWord(&f, c, once)
		}
	}
	if strings.TrimSpace(f.Source) == "" {
		l.fail(s.Pos, `add: source "FILE FUNCTION, RELEASE"`, "the fact has no source")
	}
	for _, fn := range s.Funcs.list() {
		if fn.Text[0] == '@' {
			l.fail(fn.Pos, "sets are for while, unless, from and notfrom", "a fact is about functions, not the set %s", fn.Text)
			continue
		}
		if strings.HasSuffix(fn.Text, "*") {
			l.fail(fn.Pos, "a trailing * is for while, unless, from, notfrom, set and primitive", "a fact is about one function, not %s", fn.Text)
			continue
		}
		one := f
		one.Func = fn.Text
		if class == nil {
			continue
		}
		if old := l.m.duplicate(&one); old != nil {
			l.fail(fn.Pos, "remove one, or narrow the ranges so that they do not overlap", "%s %s %s: the same is in %s", fn.Text, verbNames()[f.Verb], f.Class, old.Pos)
			continue
		}
		l.m.addFact(&one)
	}
}

// factWord is a word alone: mode, maybe or instance.
func (l *loader) factWord(f *Fact, c *clause, once func(lexer.Position, string)) {
	w := c.Word
	if mode, ok := modes[w]; ok {
		once(c.Pos, "the mode")
		f.Mode = mode
		return
	}
	switch {
	case w == "maybe":
		once(c.Pos, "maybe")
		f.Maybe = true
	case slices.Contains(instances, w):
		once(c.Pos, "the instance")
		f.Instance = w
	case w == "in":
		l.fail(c.Pos, "write: in 2.6.32..3.15, in 4.7.., in ..4.6 or in 3.2", "in without kernel versions")
	case w == "source":
		l.fail(c.Pos, `write: source "FILE FUNCTION, RELEASE"`, "source without a text")
	case strings.Contains(w, ","):
		l.fail(c.Pos, "a list follows while, unless, from, notfrom or on", "a list of names %s without a keyword", quote(w))
	default:
		l.fail(c.Pos, didYouMean(w, slices.Concat(clauseWords, instances)), "unknown word %s", quote(w))
	}
}
