package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"unicode/utf8"
)

var jsonFormat = Format{
	Name:  "json",
	Doc:   "the whole report, for programs; `oomtrace schema` describes it",
	Write: writeJSON,
}

func writeJSON(w io.Writer, r *Report, _ Options) error {
	// The report is the caller's and may be in use elsewhere: fill in a copy.
	return encodeJSON(w, withoutNilSlices(reflect.ValueOf(*r)).Interface(), "  ")
}

// encodeJSON writes v as JSON that does nothing on a terminal.
func encodeJSON(w io.Writer, v any, indent string) error {
	enc := json.NewEncoder(escapingWriter{w})
	enc.SetEscapeHTML(false)
	enc.SetIndent("", indent)
	return enc.Encode(v)
}

// escapingWriter escapes the JSON that an encoder writes, which is always a
// whole value.
type escapingWriter struct{ w io.Writer }

func (e escapingWriter) Write(b []byte) (int, error) {
	if _, err := e.w.Write(escapeJSON(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// withoutNilSlices returns a copy of v in which every nil slice is an empty
// one, so that a reader of the JSON never has to tell [] from null.
func withoutNilSlices(v reflect.Value) reflect.Value {
	switch v.Kind() {
	case reflect.Struct:
		out := reflect.New(v.Type()).Elem()
		for i := range v.NumField() {
			out.Field(i).Set(withoutNilSlices(v.Field(i)))
		}
		return out
	case reflect.Slice:
		out := reflect.MakeSlice(v.Type(), v.Len(), v.Len())
		if !hasSlice(v.Type().Elem()) {
			reflect.Copy(out, v)
			return out
		}
		for i := range v.Len() {
			out.Index(i).Set(withoutNilSlices(v.Index(i)))
		}
		return out
	case reflect.Pointer:
		if v.IsNil() || !hasSlice(v.Type().Elem()) {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(withoutNilSlices(v.Elem()))
		return out
	}
	return v
}

// hasSlice tells whether a value of type t can hold a slice. The bulk of a
// report, its frames, cannot, and is copied as it is.
func hasSlice(t reflect.Type) bool {
	switch t.Kind() {
	case reflect.Slice:
		return true
	case reflect.Pointer:
		return hasSlice(t.Elem())
	case reflect.Struct:
		for i := range t.NumField() {
			if hasSlice(t.Field(i).Type) {
				return true
			}
		}
	}
	return false
}

// escapeJSON writes what a terminal would act on or not show (DEL, C1
// controls, bidi overrides) as \uXXXX. encoding/json leaves these raw; they
// occur inside of strings only, so the value stays the same.
func escapeJSON(b []byte) []byte {
	if !bytes.ContainsFunc(b, func(r rune) bool { return r >= 0x7f }) {
		return b
	}
	out := make([]byte, 0, len(b))
	for len(b) > 0 {
		if b[0] < utf8.RuneSelf && b[0] != 0x7f {
			out = append(out, b[0])
			b = b[1:]
			continue
		}
		r, n := utf8.DecodeRune(b)
		switch {
		case printable(r):
			out = append(out, b[:n]...)
		case r > 0xffff:
			out = fmt.Appendf(out, `\u%04x\u%04x`, 0xd800+(r-0x10000)>>10, 0xdc00+(r-0x10000)&0x3ff)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		b = b[n:]
	}
	return out
}
