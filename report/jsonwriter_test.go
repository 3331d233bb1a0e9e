package report

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// TestJSONOfAnyReport: whatever a report holds, its JSON is what encoding/json
// writes, with [] for nil slices and what a terminal acts on escaped.
func TestJSONOfAnyReport(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		r := reflect.New(reflect.TypeFor[Report]()).Elem()
		fill(t, r, 3)
		for _, indent := range []string{"", "  "} {
			var got, want bytes.Buffer
			if err := streamJSON(&got, r.Addr().Interface(), indent); err != nil {
				t.Fatal(err)
			}
			enc := json.NewEncoder(&want)
			enc.SetEscapeHTML(false)
			enc.SetIndent("", indent)
			if err := enc.Encode(withoutNil(r).Interface()); err != nil {
				t.Fatal(err)
			}
			if w := escapeJSON(want.Bytes()); !bytes.Equal(got.Bytes(), w) {
				t.Fatalf("got  %s\nwant %s", got.Bytes(), w)
			}
			if !json.Valid(got.Bytes()) || strings.IndexFunc(got.String(), func(r rune) bool { return r != '\n' && !printable(r) }) >= 0 {
				t.Fatalf("not harmless: %q", got.Bytes())
			}
		}
	})
}

// fill makes v anything; slices have up to most elements.
func fill(t *rapid.T, v reflect.Value, most int) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(t, v.Field(i), most)
		}
	case reflect.Slice:
		n := rapid.IntRange(-1, most).Draw(t, "len")
		if n < 0 {
			return // nil
		}
		v.Set(reflect.MakeSlice(v.Type(), n, n))
		for i := range n {
			fill(t, v.Index(i), max(most-1, 1))
		}
	case reflect.Pointer:
		if rapid.Bool().Draw(t, "known") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), most)
		}
	case reflect.String:
		v.SetString(drawString(t))
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int64:
		v.SetInt(rapid.Int64().Draw(t, "int"))
	case reflect.Uint32:
		v.SetUint(uint64(rapid.Uint32().Draw(t, "uint")))
	case reflect.Uint64:
		v.SetUint(rapid.Uint64().Draw(t, "uint"))
	case reflect.Float64:
		f := rapid.Float64().Draw(t, "float")
		if math.IsNaN(f) || math.IsInf(f, 0) {
			f = 0 // no JSON has them
		}
		v.SetFloat(f)
	default:
		t.Fatalf("a report with a %s", v.Type())
	}
}

// drawString is plain, or has what JSON, HTML or a terminal minds.
func drawString(t *rapid.T) string {
	return rapid.OneOf(
		rapid.StringMatching(`[a-z_.0-9+/ ]{0,20}`),
		rapid.String(),
		rapid.Map(rapid.SliceOfN(rapid.Byte(), 0, 20), func(b []byte) string { return string(b) }),
		rapid.Map(rapid.SliceOfN(rapid.SampledFrom([]string{
			`"`, `\`, "/", "<", ">", "&", "\b", "\f", "\n", "\r", "\t", "\x00", "\x1b", "\x7f", "\u0080", "\u009b", "\u00ad", "\u200b",
			"\u2028", "\u2029", "\u202e", "\ufeff", "\ufffd", "\uffff", "\U0001f600", "\U000e0001", "\xff", "\xc0\xaf", "\xed\xa0\x80", "a",
		}), 0, 6), func(s []string) string { return strings.Join(s, "") }),
	).Draw(t, "string")
}

// withoutNil is v with empty slices for those that are nil.
func withoutNil(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(withoutNil(v.Field(i)))
		}
	case reflect.Slice:
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(withoutNil(v.Index(i)))
		}
	case reflect.Pointer:
		if !v.IsNil() {
			out.Set(reflect.New(v.Type().Elem()))
			out.Elem().Set(withoutNil(v.Elem()))
		}
	default:
		out.Set(v)
	}
	return out
}
