// Package archtest holds the project to its architecture: which package may
// import which, and that each says what it is for.
package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/oomtrace/oomtrace"

// allowed says which packages of the project a package may import, tests
// excepted. A line may only name packages of the lines above it: the stages of
// docs/architecture.md run one way. Everything may import internal/.
//
// The report is a leaf: detectors fill its types, so it stands before them, and
// no earlier stage knows it.
var allowed = []struct {
	pkg     string
	imports []string
}{
	{"internal/input", nil},
	{"internal/golden", nil},
	{"internal/tracecheck", nil},
	{"internal/archtest", nil},
	{"internal/anchor", nil},
	{"internal/start", nil},
	{"internal/loopback", nil},
	{"internal/pprofui", nil},
	{"parse", nil},
	{"report", nil},
	{"stacks", []string{"parse"}},
	{"detect/lockmodel", []string{"parse", "stacks"}},
	{"detect/waitgraph", []string{"parse", "stacks", "detect/lockmodel"}},
	{"detect", []string{"parse", "report", "stacks", "detect/lockmodel", "detect/waitgraph"}},
	{".", []string{"parse", "report", "stacks", "detect/lockmodel", "detect/waitgraph", "detect"}},
	{"cmd/oomtrace", []string{"parse", "report", "detect/lockmodel", "detect", "."}},
	{"cmd/oomtrace-pprof", nil},
}

// owners says where a dependency may be used.
var owners = map[string][]string{
	"github.com/alecthomas/participle":  {"detect/lockmodel"}, // a hundred times slower than a scanner
	"github.com/google/pprof":           {"report", "internal/pprofui"},
	"github.com/olekukonko/tablewriter": {"report"},
	"github.com/mattn/go-runewidth":     {"report"},
	"gonum.org/v1/gonum":                {"detect/waitgraph"},
	"github.com/spf13/cobra":            {"cmd/oomtrace"},
	"golang.org/x/term":                 {"cmd/oomtrace"},
	"github.com/google/go-cmp":          {"internal/golden"},
	"github.com/invopop/jsonschema":     nil, // tests only
	"github.com/rogpeppe/go-internal":   nil,
	"github.com/santhosh-tekuri":        nil,
	"pgregory.net/rapid":                nil,
}

// banned says what a package must not use of the standard library: a library
// opens no file and prints nothing by itself, and no regexp runs on a line.
var banned = map[string][]string{
	"parse":            {"os", "os/exec", "log", "log/slog", "regexp", "net", "net/http"},
	"stacks":           {"os", "os/exec", "log", "log/slog", "regexp", "net", "net/http"},
	"detect/lockmodel": {"os", "os/exec", "log", "log/slog", "net", "net/http"},
	"detect/waitgraph": {"os", "os/exec", "log", "log/slog", "regexp", "net", "net/http"},
	"detect":           {"os", "os/exec", "log", "log/slog", "regexp", "net", "net/http"},
	"report":           {"os", "os/exec", "log", "log/slog", "net", "net/http"},
	".":                {"os", "os/exec", "log", "log/slog", "regexp", "net", "net/http"},
	"internal/anchor":  {"os", "os/exec", "log", "log/slog", "regexp", "net", "net/http"},
	"internal/input":   {"os/exec", "log", "log/slog", "net", "net/http"},
	"cmd/oomtrace":     {"log", "log/slog", "net/http"}, // a server is dear to link: see cmd/oomtrace-pprof
}

func TestTableRunsOneWay(t *testing.T) {
	var above []string
	for _, row := range allowed {
		for _, imp := range row.imports {
			if !slices.Contains(above, imp) {
				t.Errorf("%s may import %s, which does not stand above it", row.pkg, imp)
			}
		}
		above = append(above, row.pkg)
	}
}

func TestImports(t *testing.T) {
	for pkg, files := range packages(t) {
		i := slices.IndexFunc(allowed, func(row struct {
			pkg     string
			imports []string
		}) bool {
			return row.pkg == pkg
		})
		if i < 0 {
			t.Errorf("%s is not in the table of this test; docs/architecture.md says where a package belongs", pkg)
			continue
		}
		for name, file := range files {
			for _, spec := range file.Imports {
				imp, err := strconv.Unquote(spec.Path.Value)
				if err != nil {
					t.Fatal(err)
				}
				checkImport(t, name, pkg, imp, allowed[i].imports)
			}
		}
	}
}

func checkImport(t *testing.T, file, pkg, imp string, mayImport []string) {
	if imp == module || strings.HasPrefix(imp, module+"/") {
		own := path.Clean("." + strings.TrimPrefix(imp, module))
		if !strings.HasPrefix(own, "internal/") && !slices.Contains(mayImport, own) {
			t.Errorf("%s: %s must not import %s", file, pkg, own)
		}
		return
	}
	if slices.Contains(banned[pkg], imp) {
		t.Errorf("%s: %s must not import %s", file, pkg, imp)
	}
	for dep, in := range owners {
		if (imp == dep || strings.HasPrefix(imp, dep+"/")) && !slices.Contains(in, pkg) {
			t.Errorf("%s: %s must not import %s; its place: %v", file, pkg, dep, in)
		}
	}
}

func TestPackageComments(t *testing.T) {
	for pkg, files := range packages(t) {
		documented := false
		for _, f := range files {
			documented = documented || f.Doc.Text() != ""
		}
		if !documented && len(files) > 0 {
			t.Errorf("%s has no package comment", pkg)
		}
	}
}

// packages returns the files of the module by package directory and name,
// tests excepted: they may look at what they like.
func packages(t *testing.T) map[string]map[string]*ast.File {
	t.Helper()
	root := filepath.Join("..", "..")
	out := make(map[string]map[string]*ast.File)
	fset := token.NewFileSet()
	err := filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			hidden := strings.HasPrefix(d.Name(), ".") && name != root
			if hidden || d.Name() == "testdata" || nested(root, name) {
				return fs.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		f, err := parser.ParseFile(fset, name, nil, parser.ImportsOnly|parser.ParseComments)
		if err != nil {
			return err
		}
		dir, err := filepath.Rel(root, filepath.Dir(name))
		if err != nil {
			return err
		}
		pkg := filepath.ToSlash(dir)
		if out[pkg] == nil {
			out[pkg] = make(map[string]*ast.File)
		}
		out[pkg][strings.TrimPrefix(filepath.ToSlash(name), "../../")] = f
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(out) == 0 {
		t.Fatal("no package found")
	}
	return out
}

// nested tells whether dir is a Go module of its own.
func nested(root, dir string) bool {
	if dir == root {
		return false
	}
	_, err := os.Stat(filepath.Join(dir, "go.mod"))
	return err == nil
}
