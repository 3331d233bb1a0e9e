package lockmodel

import (
	"bytes"
	"fmt"
	"go/format"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/oomtrace/oomtrace/internal/golden"
)

// The files in the order in which they are read: classes and sets come before
// the facts that name them.
var lockFiles = []string{
	"classes.lock", "primitives.lock", "vfs.lock", "localfs.lock", "netfs.lock", "mm.lock", "task.lock",
}

// readEmbedded parses the files that the tables are made of.
func readEmbedded() (*Model, error) {
	m := newModel()
	for _, name := range lockFiles {
		src, err := os.ReadFile(name)
		if err == nil {
			err = m.load(name, src)
		}
		if err != nil {
			return nil, err
		}
	}
	return m, nil
}

// TestTables keeps tables.go equal to the embedded *.lock files: go test
// ./detect/lockmodel -run TestTables -update.
func TestTables(t *testing.T) {
	m, err := readEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	src, err := format.Source(source(m))
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "tables.go", src)
	if golden.Updating() {
		return
	}
	got := fromTables()
	funcs := map[string]bool{"": true, "no_such_function": true}
	for _, f := range m.facts {
		funcs[f.Func] = true
		for _, near := range []string{f.Func[1:], f.Func + "_", "__" + f.Func, "compat_" + f.Func, "__x64_" + f.Func} {
			funcs[near] = true
		}
	}
	for fn := range funcs {
		if have, want := got.Lookup(fn), m.Lookup(fn); !reflect.DeepEqual(have, want) && len(have)+len(want) > 0 {
			t.Errorf("facts about %s: %v, want %v", fn, have, want)
		}
	}
	got.tables, got.byFunc = false, m.byFunc
	if !reflect.DeepEqual(got, m) {
		t.Error("the model of the tables is not the model of the files")
	}
}

// source is a Go file with the model as static data.
func source(m *Model) []byte {
	var b bytes.Buffer
	// Lists stand where they are used, each time anew: a variable for those
	// that are shared would be copied by code that runs at every start.
	list := func(l []string) string {
		if len(l) == 0 {
			return ""
		}
		return fmt.Sprintf("%#v", l)
	}
	field := func(name, value string) {
		if value != "" {
			fmt.Fprintf(&b, "%s: %s, ", name, value)
		}
	}
	value := func(v any) string {
		if reflect.ValueOf(v).IsZero() {
			return ""
		}
		// lexer.Position prints itself without its package.
		return strings.NewReplacer("lockmodel.", "", "Position{", "lexer.Position{").Replace(fmt.Sprintf("%#v", v))
	}
	fmt.Fprintf(&b, "var tableClasses = [...]Class{\n")
	for _, c := range m.classes {
		fmt.Fprintf(&b, "%s,\n", value(*c))
	}
	fmt.Fprintf(&b, "}\n\nvar tablePrimitives = [...]Primitive{\n")
	for _, p := range m.primitives {
		fmt.Fprintf(&b, "%s,\n", value(*p))
	}
	fmt.Fprintf(&b, "}\n\nvar tableFacts = [...]Fact{\n")
	for _, f := range m.facts {
		b.WriteString("{")
		field("Func", value(f.Func))
		field("Verb", value(f.Verb))
		field("Class", value(f.Class))
		field("Mode", value(f.Mode))
		field("Instance", value(f.Instance))
		field("Since", value(f.Since))
		field("Until", value(f.Until))
		field("While", list(f.While))
		field("Unless", list(f.Unless))
		field("From", list(f.From))
		field("NotFrom", list(f.NotFrom))
		field("On", list(f.On))
		field("Maybe", value(f.Maybe))
		field("Killable", value(f.Killable))
		field("Source", value(f.Source))
		field("Pos", value(f.Pos))
		b.WriteString("},\n")
	}
	b.WriteString("}\n\n// The facts by function: a hash table of 1 + places in tableFuncs, 0 for none,\n// with the next place taken where one is full.\n")
	funcs := map[string][]int{}
	for i, f := range m.facts {
		funcs[f.Func] = append(funcs[f.Func], i)
	}
	var order, functions bytes.Buffer
	slots := make([]int, 2048)
	if 2*len(funcs) > len(slots) {
		panic("more slots, please")
	}
	n := 0
	for k, name := range slices.Sorted(maps.Keys(funcs)) {
		fmt.Fprintf(&functions, "{%q, %d, %d},\n", name, n, n+len(funcs[name]))
		for _, i := range funcs[name] {
			fmt.Fprintf(&order, "&tableFacts[%d],\n", i)
			n++
		}
		at := int(hash(name)) % len(slots)
		for slots[at] != 0 {
			at = (at + 1) % len(slots)
		}
		slots[at] = k + 1
	}
	fmt.Fprintf(&b, "var tableSlots = [...]uint16{")
	for i, slot := range slots {
		if i%32 == 0 {
			b.WriteString("\n")
		}
		fmt.Fprintf(&b, "%d, ", slot)
	}
	fmt.Fprintf(&b, "\n}\n\nvar tableFuncs = [...]function{\n%s}\n\nvar tableOrder = [...]*Fact{\n%s}\n\nvar tableSets = [...]set{\n", &functions, &order)
	var sets []string
	for name := range m.sets {
		sets = append(sets, name)
	}
	slices.Sort(sets)
	for _, name := range sets {
		fmt.Fprintf(&b, "{%q, %s},\n", name, list(m.sets[name]))
	}
	b.WriteString("}\n")
	return []byte("package lockmodel\n\n// Code generated from the *.lock files by TestTables. DO NOT EDIT.\n\nimport \"github.com/alecthomas/participle/v2/lexer\"\n\n" +
		b.String())
}
