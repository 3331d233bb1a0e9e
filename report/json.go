package report

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"unicode/utf8"
)

var jsonFormat = Format{
	Name:  "json",
	Doc:   "the whole report, for programs; `oomtrace schema` describes it",
	Write: writeJSON,
}

func writeJSON(w io.Writer, r *Report, _ Options) error {
	return streamJSON(w, r, "  ")
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
