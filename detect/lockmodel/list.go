package lockmodel

import (
	"fmt"
	"io"
	"strings"
)

// String returns the verb as it is written: acquires, holds or waits.
func (v Verb) String() string {
	if int(v) < len(verbNames()) {
		return verbNames()[v]
	}
	return "?"
}

// String returns the mode as it is written; "" for AnyMode.
func (m Mode) String() string {
	switch m {
	case Shared:
		return "shared"
	case Exclusive:
		return "exclusive"
	case Count:
		return "count"
	}
	return ""
}

// String returns the fact as one line of the language, without its source.
func (f *Fact) String() string {
	parts := []string{f.Func, f.Verb.String(), f.Class}
	add := func(words ...string) { parts = append(parts, words...) }
	if f.Mode != AnyMode {
		add(f.Mode.String())
	}
	if f.Instance != "" {
		add(f.Instance)
	}
	if f.Maybe {
		add("maybe")
	}
	for _, r := range f.Killable {
		add("killable")
		if s := r.String(); s != "" {
			add("in", s)
		}
	}
	if s := f.Range().String(); s != "" {
		add("in", s)
	}
	for _, list := range []struct {
		word  string
		funcs []string
	}{{"on", f.On}, {"while", f.While}, {"unless", f.Unless}, {"from", f.From}, {"notfrom", f.NotFrom}} {
		if len(list.funcs) > 0 {
			add(list.word, strings.Join(list.funcs, ", "))
		}
	}
	return strings.Join(parts, " ")
}

// Title returns the name of the class and those it had, "i_rwsem (i_mutex
// until 4.6)".
func (c *Class) Title() string {
	var old []string
	for _, n := range c.Names {
		if n.Name == c.Name {
			continue
		}
		s := n.Name
		if !n.Since.IsZero() {
			s += " since " + n.Since.String()
		}
		if !n.Until.IsZero() {
			s += " until " + n.Until.String()
		}
		old = append(old, s)
	}
	if len(old) == 0 {
		return c.Name
	}
	return c.Name + " (" + strings.Join(old, ", ") + ")"
}

// List writes the facts in use as plain text, one a line, grouped by class.
func (m *Model) List(w io.Writer) {
	byClass := map[string][]*Fact{}
	for _, f := range m.facts {
		byClass[f.Class] = append(byClass[f.Class], f)
	}
	for i, c := range m.classes {
		if i > 0 {
			fmt.Fprintln(w)
		}
		what := "lock"
		if c.Resource {
			what = "resource"
		}
		fmt.Fprintf(w, "%s: %s, %s\n", c.Title(), c.Label, what)
		for _, f := range byClass[c.Name] {
			fmt.Fprintf(w, "  %s  [%s; %s:%d]\n", f, f.Source, f.Pos.Filename, f.Pos.Line)
		}
	}
	fmt.Fprintf(w, "\n%d classes, %d facts, %d primitives\n", len(m.classes), len(m.facts), len(m.primitives))
}
