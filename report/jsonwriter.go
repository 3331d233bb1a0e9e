package report

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strconv"
	"strings"
)

// jsonWriter writes a value as encoding/json does, but piece by piece: that
// package builds the whole text in memory, and once more to indent it, which
// for the report of a large machine is many times the report itself. Nil slices
// become [], so that a reader never has to tell them from null, and what a
// terminal would act on is escaped.
type jsonWriter struct {
	w      io.Writer
	buf    []byte
	indent string // of one level, "" for all on one line
	level  int
	breaks []string // the line feed and indent of each level
	types  map[reflect.Type]*jsonType
	err    error
}

// jsonType is what is to know of a type to write its values. It is made once:
// a report has millions of values of a few types.
type jsonType struct {
	kind   reflect.Kind
	elem   *jsonType // of a slice or a pointer
	fields []jsonField
}

type jsonField struct {
	index     int
	name      string // with quotes, colon and, if indented, a blank
	omitEmpty bool
	*jsonType
	starts []string // by level, the line break and the name
}

// jsonFlush is how much text is collected before it is written, bytes.
const jsonFlush = 64 << 10

// streamJSON writes v and a line feed.
func streamJSON(w io.Writer, v any, indent string) error {
	j := &jsonWriter{w: w, indent: indent, types: map[reflect.Type]*jsonType{}}
	j.value(reflect.ValueOf(v), j.typeOf(reflect.TypeOf(v)))
	j.buf = append(j.buf, '\n')
	j.flush()
	return j.err
}

func (j *jsonWriter) flush() {
	if j.err == nil && len(j.buf) > 0 {
		_, j.err = j.w.Write(j.buf)
	}
	j.buf = j.buf[:0]
}

// newline is what begins the next line of an indented value.
func (j *jsonWriter) newline() string {
	if j.indent == "" {
		return ""
	}
	for len(j.breaks) <= j.level {
		j.breaks = append(j.breaks, "\n"+strings.Repeat(j.indent, len(j.breaks)))
	}
	return j.breaks[j.level]
}

func (j *jsonWriter) value(v reflect.Value, t *jsonType) {
	switch t.kind {
	case reflect.Struct:
		j.object(v, t)
	case reflect.Slice:
		j.array(v, t)
	case reflect.Pointer:
		if v.IsNil() {
			j.buf = append(j.buf, "null"...)
		} else {
			j.value(v.Elem(), t.elem)
		}
	case reflect.String:
		j.string(v.String())
	case reflect.Bool:
		j.buf = strconv.AppendBool(j.buf, v.Bool())
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		j.buf = strconv.AppendInt(j.buf, v.Int(), 10)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		j.buf = strconv.AppendUint(j.buf, v.Uint(), 10)
	default:
		j.other(v)
	}
}

func (j *jsonWriter) object(v reflect.Value, t *jsonType) {
	j.buf = append(j.buf, '{')
	j.level++
	some := false
	for i := range t.fields {
		f := &t.fields[i]
		x := v.Field(f.index)
		if f.omitEmpty && (x.IsZero() || f.kind == reflect.Slice && x.Len() == 0) {
			continue
		}
		if some {
			j.buf = append(j.buf, ',')
		}
		some = true
		for len(f.starts) <= j.level {
			f.starts = append(f.starts, "")
		}
		if f.starts[j.level] == "" {
			f.starts[j.level] = j.newline() + f.name
		}
		j.buf = append(j.buf, f.starts[j.level]...)
		j.value(x, f.jsonType)
	}
	j.level--
	if some {
		j.buf = append(j.buf, j.newline()...)
	}
	j.buf = append(j.buf, '}')
	if len(j.buf) >= jsonFlush {
		j.flush()
	}
}

func (j *jsonWriter) typeOf(t reflect.Type) *jsonType {
	if known := j.types[t]; known != nil {
		return known
	}
	out := &jsonType{kind: t.Kind()}
	j.types[t] = out // before its fields: a type may hold itself
	switch t.Kind() {
	case reflect.Slice, reflect.Pointer:
		out.elem = j.typeOf(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			name, opt, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			if name == "" || name == "-" || t.Field(i).Anonymous {
				j.fail(fmt.Errorf("report: %s.%s has no name in JSON", t, t.Field(i).Name))
			}
			f := jsonField{index: i, name: `"` + name + `":`, omitEmpty: opt == "omitempty", jsonType: j.typeOf(t.Field(i).Type)}
			if j.indent != "" {
				f.name += " "
			}
			out.fields = append(out.fields, f)
		}
	}
	return out
}

func (j *jsonWriter) fail(err error) {
	if j.err == nil {
		j.err = err
	}
}

func (j *jsonWriter) array(v reflect.Value, t *jsonType) {
	j.buf = append(j.buf, '[')
	j.level++
	n := v.Len()
	for i := range n {
		if i > 0 {
			j.buf = append(j.buf, ',')
		}
		j.buf = append(j.buf, j.newline()...)
		j.value(v.Index(i), t.elem)
		if len(j.buf) >= jsonFlush {
			j.flush()
		}
	}
	j.level--
	if n > 0 {
		j.buf = append(j.buf, j.newline()...)
	}
	j.buf = append(j.buf, ']')
}

// string writes most strings as they are: few hold anything to escape.
func (j *jsonWriter) string(s string) {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			j.encoded(s)
			return
		}
	}
	j.buf = append(j.buf, '"')
	j.buf = append(j.buf, s...)
	j.buf = append(j.buf, '"')
}

// other writes what takes more than a few lines to write, and is rare.
func (j *jsonWriter) other(v reflect.Value) {
	switch v.Kind() {
	case reflect.Float32, reflect.Float64:
		j.encoded(v.Interface())
	default:
		j.fail(fmt.Errorf("report: no JSON for %s", v.Type()))
	}
}

func (j *jsonWriter) encoded(v any) {
	var b strings.Builder
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		j.fail(err)
		return
	}
	j.buf = append(j.buf, escapeJSON([]byte(strings.TrimSuffix(b.String(), "\n")))...)
}
