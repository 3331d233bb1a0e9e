package parse

import (
	"strings"
	"unicode/utf8"
)

// jsonReader reads logs kept as JSON: an object a line, pretty-printed over
// many lines, in arrays, or nested as search engines export them. It asks for
// nothing but balanced brackets.
type jsonReader struct {
	stack []jsonLevel
	dmesg bool // the key "dmesg" was seen
}

type jsonLevel struct {
	array bool
	key   string // of the value that comes
	value bool   // a colon was seen
	entry entry
	bytes []byte // an array of numbers that is a text
	first string // of an array: its strings, as Loki's ["time", "line"]
	items int
	no    int
}

// maxDepth bounds how deep JSON may be nested.
const maxDepth = 64

// jsonStarts tells whether a line begins a JSON log. "{" alone may be
// anything, the next line will tell.
func jsonStarts(t string) bool {
	if t[0] == 0x1e { // json-seq
		return true
	}
	r := trimLeft(t[1:])
	switch t[0] {
	case '{':
		return r == "" || r[0] == '"' && strings.IndexByte(r, ':') > 0
	case '[':
		if r == "" {
			return false
		}
		return r[0] == '{' && (len(r) == 1 || jsonStarts(r)) || strings.HasPrefix(r, `["`)
	}
	return false
}

func (j *jsonReader) open() bool { return len(j.stack) > 0 }

// line reads one line and hands out the entries that end in it. It returns
// false for a line that is no JSON; what was open is lost then.
func (j *jsonReader) line(s string, no int, give func(*entry)) bool {
	for i := 0; i < len(s); {
		switch c := s[i]; {
		case c == ' ' || c == '\t' || c == 0x1e || c == '\r':
			i++
		case c == '{' || c == '[':
			if len(j.stack) >= maxDepth {
				j.stack = nil
				return false
			}
			if n := len(j.stack); n > 0 && !j.stack[n-1].array && !j.stack[n-1].value {
				j.stack = nil
				return false
			}
			j.stack = append(j.stack, jsonLevel{array: c == '[', no: no})
			i++
		case c == '}' || c == ']':
			if !j.close(c == ']', give) {
				return false
			}
			i++
			if len(j.stack) == 0 {
				s, i = s[i:], 0
				if t := strings.TrimLeft(s, ", \t\x1e"); t == "" || t[0] != '{' && t[0] != '[' {
					return true
				}
			}
		case len(j.stack) == 0:
			return false
		case c == '"':
			val, n := unquoteJSON(s[i:])
			i += n
			j.scalar(val, true, no)
		case c == ':':
			if n := len(j.stack); n > 0 {
				j.stack[n-1].value = true
			}
			i++
		case c == ',':
			if n := len(j.stack); n > 0 {
				j.stack[n-1].key, j.stack[n-1].value = "", false
			}
			i++
		case isDigit(c) || c == '-' || isAlpha(c):
			k := i
			for k < len(s) && strings.IndexByte(" \t,}]:\"", s[k]) < 0 {
				k++
			}
			w := s[i:k]
			if !isDigit(c) && c != '-' && w != "true" && w != "false" && w != "null" {
				j.stack = nil
				return false
			}
			j.scalar(w, false, no)
			i = k
		default:
			j.stack = nil
			return false
		}
	}
	return true
}

func (j *jsonReader) scalar(val string, str bool, no int) {
	n := len(j.stack)
	l := &j.stack[n-1]
	switch {
	case !l.array && !l.value:
		if l.key = val; val == "dmesg" && n == 1 {
			j.dmesg = true
		}
	case !l.array:
		if str || textRank(l.key) == 0 {
			l.entry.set(l.key, val, no)
		}
	case str:
		if l.items++; l.items == 1 {
			l.first = val
		}
		if l.items < 3 {
			l.entry.text, l.entry.no = val, no
		}
	default: // bytes of a text that is not UTF-8
		if v, ok := allInt(val); ok && v >= 0 && v < 256 && len(l.bytes) < 1<<20 {
			l.bytes = append(l.bytes, byte(v))
		}
	}
}

// close ends an object or an array. An object in another one tells something
// of it; one in an array is a record of its own.
func (j *jsonReader) close(array bool, give func(*entry)) bool {
	n := len(j.stack)
	if n == 0 || j.stack[n-1].array != array {
		j.stack = nil
		return false
	}
	l := j.stack[n-1]
	j.stack = j.stack[:n-1]
	var up *jsonLevel
	if n > 1 {
		up = &j.stack[n-2]
	}
	switch {
	case !array && (up == nil || up.array):
		give(&l.entry)
	case !array:
		up.entry.under(&l.entry)
	case up == nil:
	case up.array:
		if l.items > 1 && isNumber(l.first) { // Loki
			e := entry{text: l.entry.text, no: l.entry.no, rank: 1}
			if ns := l.first; len(ns) == 19 {
				e.wall = ns[:10] + "." + ns[10:16]
			}
			give(&e)
		}
	case len(l.bytes) > 0:
		up.entry.set(up.key, string(l.bytes), l.no)
	case l.items > 0:
		up.entry.set(up.key, l.first, l.no)
	}
	if up != nil && !up.array {
		up.key, up.value = "", false
	}
	return true
}

// end hands out what stays open at the end of the input.
func (j *jsonReader) end(give func(*entry)) {
	for len(j.stack) > 0 {
		if !j.close(j.stack[len(j.stack)-1].array, give) {
			return
		}
	}
}

func isNumber(s string) bool {
	_, ok := allInt(s)
	return ok
}

// unquoteJSON reads a JSON string at the start of s; a missing end is
// forgiven.
func unquoteJSON(s string) (string, int) {
	if s == "" || s[0] != '"' {
		return "", 0
	}
	i := strings.IndexByte(s[1:], '"')
	if i < 0 {
		i = len(s) - 1
	}
	if strings.IndexByte(s[1:i+1], '\\') >= 0 {
		return unescapeJSON(s)
	}
	return s[1 : i+1], min(i+2, len(s))
}

func unescapeJSON(s string) (string, int) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] == '"' {
			return b.String(), i + 1
		}
		if s[i] != '\\' || i+1 >= len(s) {
			b.WriteByte(s[i])
			continue
		}
		i++
		switch s[i] {
		case 'n':
			b.WriteByte('\n')
		case 't':
			b.WriteByte('\t')
		case 'r', 'b', 'f':
			b.WriteByte(' ')
		case 'u', 'x':
			n := 4
			if s[i] == 'x' { // util-linux writes \xNN for bytes that are no text
				n = 2
			}
			if i+n < len(s) {
				if v, rest, ok := leadHex(s[i+1 : i+1+n]); ok && rest == "" {
					switch {
					case n == 2:
						b.WriteByte(byte(v))
					case v == 0x1b || v == 0: // colours
						b.WriteByte(byte(v))
					case v >= 0xd800 && v < 0xe000:
						b.WriteRune(utf8.RuneError)
					default:
						b.WriteRune(rune(v))
					}
					i += n
				}
			}
		default:
			b.WriteByte(s[i])
		}
	}
	return b.String(), len(s)
}
