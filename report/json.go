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
	var buf bytes.Buffer
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	// The report is the caller's and may be in use elsewhere: fill in a copy.
	if err := enc.Encode(withoutNilSlices(reflect.ValueOf(*r)).Interface()); err != nil {
		return err
	}
	_, err := w.Write(escapeJSON(buf.Bytes()))
	return err
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
		if scalar(v.Type().Elem().Kind()) {
			reflect.Copy(out, v)
			return out
		}
		for i := range v.Len() {
			out.Index(i).Set(withoutNilSlices(v.Index(i)))
		}
		return out
	case reflect.Pointer:
		if v.IsNil() || scalar(v.Type().Elem().Kind()) {
			return v
		}
		out := reflect.New(v.Type().Elem())
		out.Elem().Set(withoutNilSlices(v.Elem()))
		return out
	}
	return v
}

func scalar(k reflect.Kind) bool {
	return k != reflect.Struct && k != reflect.Slice && k != reflect.Pointer
}

// escapeJSON writes what a terminal would act on or not show (DEL, C1
// controls, bidi overrides) as \uXXXX. encoding/json leaves these raw; they
// occur inside of strings only, so the value stays the same.
func escapeJSON(b []byte) []byte {
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
