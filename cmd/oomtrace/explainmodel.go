package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oomtrace/oomtrace/detect"
	"github.com/oomtrace/oomtrace/detect/lockmodel"
)

// explain is the text on a rule, a kernel release, or what of the lock model
// has that name: a lock and a function can share one.
func explain(name string) (string, bool) {
	if text, ok := detect.Explain(name); ok {
		return text, true
	}
	if text, ok := detect.ExplainRelease(name); ok {
		return text, true
	}
	m := lockmodel.Embedded()
	name = strings.TrimSuffix(name, "()")
	var parts []string
	for _, c := range classes(m, name) {
		parts = append(parts, explainClass(m, c))
	}
	if text, ok := explainFunction(m, name); ok {
		parts = append(parts, text)
	}
	return strings.Join(parts, "\n"), parts != nil
}

// classes are those of that name, now or in some version, and those that
// lockdep calls so.
func classes(m *lockmodel.Model, name string) []*lockmodel.Class {
	var out []*lockmodel.Class
	for _, c := range m.Classes() {
		old := slices.ContainsFunc(c.Names, func(n lockmodel.VersionName) bool { return n.Name == name })
		if c.Name == name || old {
			out = append(out, c)
		}
	}
	if c, _, ok := m.ClassByLockdep(name); ok && !slices.Contains(out, c) {
		out = append(out, c)
	}
	return out
}

func explainClass(m *lockmodel.Model, c *lockmodel.Class) string {
	var b strings.Builder
	what := "a lock"
	if c.Resource {
		what = "something to wait for that no task owns"
	}
	fmt.Fprintf(&b, "%s: %s, %s\n", c.Name, c.Label, what)
	if len(c.Names) > 0 {
		b.WriteString("\nIts names\n")
		for _, n := range c.Names {
			fmt.Fprintf(&b, "  %s: %s\n", n.Name, kernels(lockmodel.VersionRange{Since: n.Since, Until: n.Until}))
		}
	}
	if len(c.Lockdep) > 0 {
		b.WriteString("\nLockdep calls it\n")
		for _, d := range c.Lockdep {
			instance := ""
			if d.Instance != "" {
				instance = " (" + d.Instance + ")"
			}
			fmt.Fprintf(&b, "  %s%s\n", d.Name, instance)
		}
	}
	for _, verb := range []struct {
		head string
		verb lockmodel.Verb
	}{
		{"Who takes it", lockmodel.Acquires},
		{"In whose frames it is held", lockmodel.Holds},
		{"Who waits for it", lockmodel.Waits},
	} {
		first := true
		for _, f := range m.Facts() {
			if f.Class != c.Name || f.Verb != verb.verb {
				continue
			}
			if first {
				fmt.Fprintf(&b, "\n%s\n", verb.head)
				first = false
			}
			fmt.Fprintf(&b, "  %s%s: %s\n", f.Func, how(f), kernels(f.Range()))
		}
	}
	if c.Source != "" {
		fmt.Fprintf(&b, "\nSource: %s\n", c.Source)
	}
	return b.String()
}

func explainFunction(m *lockmodel.Model, name string) (string, bool) {
	facts := m.Lookup(name)
	p := m.Primitive(name)
	if len(facts) == 0 && p == nil {
		return "", false
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s: a kernel function\n", name)
	if len(facts) > 0 && facts[0].Func != lockmodel.Fold(name) {
		fmt.Fprintf(&b, "\nKnown as %s.\n", facts[0].Func)
	}
	if p != nil {
		signal := "no signal ends the sleep"
		switch {
		case p.Interruptible:
			signal = "any signal ends the sleep"
		case p.Killable:
			signal = "a fatal signal ends the sleep"
		}
		mode := ""
		if p.Mode != lockmodel.AnyMode {
			mode = ", " + p.Mode.String()
		}
		fmt.Fprintf(&b, "\nTasks sleep in it: %s%s; %s.\nThe function below it on the stack tells for what.\n", p.Kind, mode, signal)
	}
	for _, f := range facts {
		c := m.Class(f.Class)
		verb := map[lockmodel.Verb]string{
			lockmodel.Acquires: "takes",
			lockmodel.Holds:    "runs with",
			lockmodel.Waits:    "waits for",
		}[f.Verb]
		fmt.Fprintf(&b, "\n%s %s%s\n", verb, c.Title(), how(f))
		fmt.Fprintf(&b, "  %s\n", c.Label)
		switch f.Verb {
		case lockmodel.Acquires:
			b.WriteString("  it waits for it while it sleeps there, and holds it while a function stands above it\n")
		case lockmodel.Holds:
			b.WriteString("  held whenever the function is on the stack\n")
		case lockmodel.Waits:
			b.WriteString("  not held afterwards\n")
		}
		fmt.Fprintf(&b, "  kernels: %s\n", kernels(f.Range()))
		for _, list := range []struct {
			text  string
			names []string
		}{
			{"only under", f.On}, {"only while above it stands", f.While}, {"not while above it stands", f.Unless},
			{"only when called by", f.From}, {"not when called by", f.NotFrom},
		} {
			if len(list.names) > 0 {
				fmt.Fprintf(&b, "  %s: %s\n", list.text, strings.Join(list.names, ", "))
			}
		}
		for _, r := range f.Killable {
			fmt.Fprintf(&b, "  a fatal signal ends the wait: %s\n", kernels(r))
		}
		if f.Maybe {
			b.WriteString("  in some kernels of these only: the stack alone does not tell\n")
		}
		fmt.Fprintf(&b, "  source: %s (%s:%d)\n", f.Source, f.Pos.Filename, f.Pos.Line)
	}
	return b.String(), true
}

// how is the mode and the instance of a fact, " (exclusive, file)".
func how(f *lockmodel.Fact) string {
	var parts []string
	if f.Mode != lockmodel.AnyMode {
		parts = append(parts, f.Mode.String())
	}
	if f.Instance != "" {
		parts = append(parts, strings.ReplaceAll(f.Instance, "_", " "))
	}
	if parts == nil {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func kernels(r lockmodel.VersionRange) string {
	switch {
	case r.Since.IsZero() && r.Until.IsZero():
		return "all"
	case r.Since.IsZero():
		return "until " + r.Until.String()
	case r.Until.IsZero():
		return "since " + r.Since.String()
	case r.Since == r.Until:
		return r.Since.String()
	}
	return r.Since.String() + " to " + r.Until.String()
}
