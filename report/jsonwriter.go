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
	plans  map[reflect.Type][]jsonField
	err    error
}

type jsonField struct {
	index     int
	name      string // with quotes, colon and, if indented, a blank
	omitEmpty bool
}

// jsonFlush is how much text is collected before it is written, bytes.
const jsonFlush = 64 << 10

// streamJSON writes v and a line feed.
func streamJSON(w io.Writer, v any, indent string) error {
	j := &jsonWriter{w: w, indent: indent, plans: map[reflect.Type][]jsonField{}}
	j.value(reflect.ValueOf(v))
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

// line begins the next line of an indented value.
func (j *jsonWriter) line() {
	if j.indent == "" {
		return
	}
	j.buf = append(j.buf, '\n')
	for range j.level {
		j.buf = append(j.buf, j.indent...)
	}
}

func (j *jsonWriter) value(v reflect.Value) {
	switch v.Kind() {
	case reflect.Struct:
		j.object(v)
	case reflect.Slice:
		j.array(v)
	case reflect.Pointer:
		if v.IsNil() {
			j.buf = append(j.buf, "null"...)
		} else {
			j.value(v.Elem())
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
	if len(j.buf) >= jsonFlush {
		j.flush()
	}
}

func (j *jsonWriter) object(v reflect.Value) {
	fields, ok := j.plans[v.Type()]
	if !ok {
		fields = j.plan(v.Type())
		j.plans[v.Type()] = fields
	}
	j.buf = append(j.buf, '{')
	j.level++
	some := false
	for i := range fields {
		f := &fields[i]
		x := v.Field(f.index)
		if f.omitEmpty && (x.IsZero() || x.Kind() == reflect.Slice && x.Len() == 0) {
			continue
		}
		if some {
			j.buf = append(j.buf, ',')
		}
		some = true
		j.line()
		j.buf = append(j.buf, f.name...)
		j.value(x)
	}
	j.level--
	if some {
		j.line()
	}
	j.buf = append(j.buf, '}')
}

func (j *jsonWriter) plan(t reflect.Type) []jsonField {
	var out []jsonField
	for i := range t.NumField() {
		name, opt, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		if name == "" || name == "-" || t.Field(i).Anonymous {
			j.fail(fmt.Errorf("report: %s.%s has no name in JSON", t, t.Field(i).Name))
		}
		f := jsonField{index: i, name: `"` + name + `":`, omitEmpty: opt == "omitempty"}
		if j.indent != "" {
			f.name += " "
		}
		out = append(out, f)
	}
	return out
}

func (j *jsonWriter) fail(err error) {
	if j.err == nil {
		j.err = err
	}
}

func (j *jsonWriter) array(v reflect.Value) {
	j.buf = append(j.buf, '[')
	j.level++
	for i := range v.Len() {
		if i > 0 {
			j.buf = append(j.buf, ',')
		}
		j.line()
		j.value(v.Index(i))
	}
	j.level--
	if v.Len() > 0 {
		j.line()
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
