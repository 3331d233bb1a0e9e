package lockmodel

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/oomtrace/oomtrace/internal/golden"
)

const (
	docsFile  = "../../docs/lock-model.md"
	docsStart = "<!-- generated from detect/lockmodel/*.lock: go test ./detect/lockmodel -run TestDocs -update -->\n"
)

// TestDocs keeps the tables of the facts current.
func TestDocs(t *testing.T) {
	old, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	old = bytes.ReplaceAll(old, []byte("\r\n"), []byte("\n"))
	head, _, ok := strings.Cut(string(old), docsStart)
	if !ok {
		t.Fatalf("%s has no line %q", docsFile, docsStart)
	}
	want := head + docsStart + exerciseTable(t) + tables(Embedded())
	if want == string(old) {
		return
	}
	if !golden.Updating() {
		t.Fatalf("%s is stale: go test ./detect/lockmodel -run TestDocs -update", docsFile)
	}
	if err := os.WriteFile(docsFile, []byte(want), 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestDocsExamples parses every example of the language in the text.
func TestDocsExamples(t *testing.T) {
	b, err := os.ReadFile(docsFile)
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	for i, part := range strings.Split(string(b), "```lock\n")[1:] {
		src, _, ok := strings.Cut(part, "```")
		if !ok {
			t.Fatal("a block is not closed")
		}
		if err := Check(fmt.Sprintf("example-%d", i+1), []byte(src)); err != nil {
			t.Error(err)
		}
		n++
	}
	if n == 0 {
		t.Error("no examples")
	}
}

func tables(m *Model) string {
	var b strings.Builder
	cell := strings.NewReplacer("|", `\|`, "*", `\*`, "_", `\_`, "<", "&lt;")
	code := func(s string) string { return "`" + strings.ReplaceAll(s, "|", `\|`) + "`" }
	fmt.Fprintf(&b, "\n%d classes, %d facts, %d primitives.\n", len(m.classes), len(m.facts), len(m.primitives))

	b.WriteString("\n### Sets\n\n| set | functions |\n|---|---|\n")
	for _, name := range sortedKeys(m.sets) {
		fmt.Fprintf(&b, "| %s | %s |\n", code("@"+name), codes(m.sets[name]))
	}

	b.WriteString("\n### Primitives\n\n| kind | mode | functions |\n|---|---|---|\n")
	for _, g := range groupPrimitives(m.primitives) {
		fmt.Fprintf(&b, "| %s | %s | %s |\n", g.kind, g.mode, codes(g.funcs))
	}

	for _, c := range m.classes {
		what := "lock"
		if c.Resource {
			what = "resource"
		}
		fmt.Fprintf(&b, "\n### %s\n\n%s (%s); %s\n", cell.Replace(c.Title()), c.Label, what, cell.Replace(c.Source))
		b.WriteString("\n| functions | fact | releases | source |\n|---|---|---|---|\n")
		// The functions of one line of a file are one row.
		var row *Fact
		var funcs []string
		flush := func() {
			if row == nil {
				return
			}
			one := *row
			one.Func, one.Class, one.Since, one.Until = "", "", Version{}, Version{}
			rng := row.Range().String()
			if rng == "" {
				rng = "all"
			}
			text := strings.Join(strings.Fields(one.String()), " ")
			fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", codes(funcs), cell.Replace(m.withSets(row, text)), rng, cell.Replace(row.Source))
			row, funcs = nil, nil
		}
		for _, f := range m.facts {
			if f.Class != c.Name {
				continue
			}
			if row != nil && row.Pos != f.Pos {
				flush()
			}
			row = f
			funcs = append(funcs, f.Func)
		}
		flush()
	}
	return b.String()
}

func codes(names []string) string { return "`" + strings.Join(names, "` `") + "`" }

// withSets writes the lists of a fact with the names of sets.
func (m *Model) withSets(f *Fact, text string) string {
	for _, list := range [][]string{f.While, f.Unless, f.From, f.NotFrom} {
		if len(list) == 0 {
			continue
		}
		long := strings.Join(list, ", ")
		short := long
		for _, name := range sortedKeys(m.sets) {
			short = strings.Replace(short, strings.Join(m.sets[name], ", "), "@"+name, 1)
		}
		text = strings.Replace(text, long, short, 1)
	}
	return text
}

func sortedKeys(m map[string][]string) []string { return slices.Sorted(maps.Keys(m)) }

type primitiveGroup struct {
	kind, mode string
	funcs      []string
}

// groupPrimitives puts primitives of one kind and mode together.
func groupPrimitives(list []*Primitive) []*primitiveGroup {
	var out []*primitiveGroup
	for _, p := range list {
		mode := p.Mode.String()
		if p.Killable {
			mode = strings.TrimSpace(mode + " killable")
		}
		if p.Interruptible {
			mode = strings.TrimSpace(mode + " interruptible")
		}
		i := slices.IndexFunc(out, func(g *primitiveGroup) bool { return g.kind == p.Kind && g.mode == mode })
		if i < 0 {
			i = len(out)
			out = append(out, &primitiveGroup{kind: p.Kind, mode: mode})
		}
		out[i].funcs = append(out[i].funcs, p.Func)
	}
	return out
}
