package report_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/oomtrace/oomtrace/report"
)

// makeSchema makes schema.json of the types of the report and the comments in
// report.go.
func makeSchema() ([]byte, error) {
	source, err := os.ReadFile("report.go")
	if err != nil {
		return nil, err
	}
	comments, err := sourceComments(source)
	if err != nil {
		return nil, err
	}
	reflector := jsonschema.Reflector{
		Anonymous: true, // one $id for the whole, none for each definition
		LookupComment: func(t reflect.Type, field string) string {
			return comments[strings.TrimSuffix(t.Name()+"."+field, ".")]
		},
	}
	s := reflector.Reflect(&report.Report{})
	s.ID = report.SchemaID
	s.Title = "oomtrace report"
	if err := allowNull(reflect.TypeFor[report.Report](), s.Definitions, map[reflect.Type]bool{}); err != nil {
		return nil, err
	}

	raw, err := s.MarshalJSON()
	if err != nil {
		return nil, err
	}
	var buf bytes.Buffer
	if err := json.Indent(&buf, raw, "", "  "); err != nil {
		return nil, err
	}
	buf.WriteByte('\n')
	return buf.Bytes(), nil
}

// allowNull lets the pointers of struct t, and of those inside it, be null:
// invopop takes a pointer for a field that may be absent.
func allowNull(t reflect.Type, defs jsonschema.Definitions, done map[reflect.Type]bool) error {
	if done[t] {
		return nil
	}
	done[t] = true
	def := defs[t.Name()]
	if def == nil {
		return fmt.Errorf("schema: no definition of %s", t.Name())
	}
	for i := range t.NumField() {
		f := t.Field(i)
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		prop, ok := def.Properties.Get(name)
		if !ok {
			return fmt.Errorf("schema: no property %s in %s", name, t.Name())
		}
		elem := f.Type
		for elem.Kind() == reflect.Slice {
			elem = elem.Elem()
		}
		if elem.Kind() == reflect.Pointer {
			elem = elem.Elem()
		}
		if elem.Kind() == reflect.Struct {
			if err := allowNull(elem, defs, done); err != nil {
				return err
			}
		}
		if f.Type.Kind() == reflect.Pointer {
			nullable(prop)
		}
	}
	return nil
}

func nullable(s *jsonschema.Schema) {
	if s.Ref != "" {
		s.OneOf = []*jsonschema.Schema{{Ref: s.Ref}, {Type: "null"}}
		s.Ref = ""
		return
	}
	// The library's Type is one string, and a list is wanted.
	s.Extras = map[string]any{"type": []string{s.Type, "null"}}
	s.Type = ""
	if s.Enum != nil {
		s.Enum = append(s.Enum, nil)
	}
}

// sourceComments returns the comments of the types ("Task") and fields
// ("Task.Pid") of a Go source.
func sourceComments(src []byte) (map[string]string, error) {
	file, err := parser.ParseFile(token.NewFileSet(), "report.go", src, parser.ParseComments)
	if err != nil {
		return nil, err
	}
	comments := make(map[string]string)
	add := func(name string, groups ...*ast.CommentGroup) {
		for _, g := range groups {
			if text := strings.Join(strings.Fields(g.Text()), " "); text != "" {
				comments[name] = text
			}
		}
	}
	for _, d := range file.Decls {
		decl, ok := d.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range decl.Specs {
			typ, ok := spec.(*ast.TypeSpec)
			if !ok {
				continue
			}
			add(typ.Name.Name, decl.Doc)
			st, ok := typ.Type.(*ast.StructType)
			if !ok {
				continue
			}
			for _, f := range st.Fields.List {
				for _, name := range f.Names {
					add(typ.Name.Name+"."+name.Name, f.Doc, f.Comment)
				}
			}
		}
	}
	return comments, nil
}
