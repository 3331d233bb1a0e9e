package stacks

import (
	"slices"
	"strconv"
	"strings"

	"github.com/oomtrace/oomtrace/parse"
)

// TraceEventFields is what the fields of one kind of event held, summed up: an
// event that no rule knows is kept as its name and these.
type TraceEventFields struct {
	Name   string
	Fields []TraceField // in order of appearance
	More   int          // fields beyond maxEventFields
}

// TraceField is one field of an event.
type TraceField struct {
	Name     string // "" for text without a name
	Count    int64
	Min, Max float64           // valid if all values are numbers: Numeric
	Numeric  bool              // decimal, or hexadecimal with 0x; a unit may follow ("24928kB")
	Values   []TraceFieldValue // the first maxFieldValues distinct ones, in order of appearance
	Others   int64             // how often it had another value
}

// TraceFieldValue is a value, at most maxFieldValue bytes of it, and how often
// the field had it.
type TraceFieldValue struct {
	Value string
	Count int64
}

// Limits of these sums.
const (
	maxEventKinds  = 512
	maxEventFields = 24
	maxFieldValues = 8
	maxFieldValue  = 64
)

// fieldSums sums up the events of one trace.
type fieldSums struct {
	byName map[string]*TraceEventFields
	list   []*TraceEventFields
}

func (s *fieldSums) add(e *parse.TraceEvent) {
	if e.Fields == "" || e.Name == "call" || e.Name == "open" {
		return
	}
	k := s.byName[e.Name]
	if k == nil {
		if len(s.list) >= maxEventKinds {
			return
		}
		if s.byName == nil {
			s.byName = map[string]*TraceEventFields{}
		}
		k = &TraceEventFields{Name: e.Name}
		s.byName[e.Name] = k
		s.list = append(s.list, k)
	}
	k.add(e.Fields)
}

// take returns the sums and starts anew.
func (s *fieldSums) take() []*TraceEventFields {
	out := s.list
	*s = fieldSums{}
	return out
}

// add splits "a=1 b=two words c=3", "(fd: 3, buf: 7ffe)" and text without
// names. A key is a word before "=" or ": "; its value ends where the next key
// begins.
func (k *TraceEventFields) add(s string) {
	n, key, from := 0, "", 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c != '=' && c != ':' {
			continue
		}
		b := i
		for b > from && fieldByte(s[b-1]) {
			b--
		}
		if b == i || s[b]-'0' < 10 || b > 0 && s[b-1] != ' ' && s[b-1] != '(' && s[b-1] != ',' && s[b-1] != '\t' {
			continue
		}
		if key != "" || b > 0 {
			if v := fieldValue(s[from:b]); v != "" || key != "" {
				k.put(&n, key, v)
			}
		}
		key, from = s[b:i], i+1
	}
	if v := fieldValue(s[from:]); v != "" || key != "" {
		k.put(&n, key, v)
	}
}

func fieldByte(c byte) bool {
	return c|0x20-'a' < 26 || c-'0' < 10 || c == '_' || c == '-' || c == '.'
}

// fieldValue drops what stands between a value and the next key.
func fieldValue(s string) string {
	s = strings.Trim(s, " \t,;")
	s = strings.TrimRight(strings.TrimSuffix(s, "==>"), " (")
	if strings.HasSuffix(s, ")") && !strings.Contains(s, "(") {
		s = s[:len(s)-1]
	}
	return s
}

// put counts one value. n is the place of the field in the event: the same in
// most events of a kind.
func (k *TraceEventFields) put(n *int, name, v string) {
	i := *n
	if i >= len(k.Fields) || k.Fields[i].Name != name {
		if i = slices.IndexFunc(k.Fields, func(f TraceField) bool { return f.Name == name }); i < 0 {
			if len(k.Fields) >= maxEventFields || len(name) > maxFieldValue {
				k.More++
				return
			}
			i = len(k.Fields)
			k.Fields = append(k.Fields, TraceField{Name: strings.Clone(name), Numeric: true})
		}
	}
	*n = i + 1
	f := &k.Fields[i]
	f.Count++
	if f.Numeric {
		x, ok := number(v)
		switch {
		case !ok:
			f.Numeric, f.Min, f.Max = false, 0, 0
		case f.Count == 1:
			f.Min, f.Max = x, x
		default:
			f.Min, f.Max = min(f.Min, x), max(f.Max, x)
		}
	}
	if len(v) > maxFieldValue {
		v = strings.ToValidUTF8(v[:maxFieldValue], "")
	}
	for j := range f.Values {
		if f.Values[j].Value == v {
			f.Values[j].Count++
			return
		}
	}
	if len(f.Values) >= maxFieldValues {
		f.Others++
		return
	}
	f.Values = append(f.Values, TraceFieldValue{strings.Clone(v), 1})
}

// number reads "12", "-3", "0x1f", "1.5" and "24928kB".
func number(s string) (float64, bool) {
	if s == "" || len(s) > 24 {
		return 0, false
	}
	if strings.HasPrefix(s, "0x") {
		n, err := strconv.ParseUint(s[2:], 16, 64)
		return float64(n), err == nil
	}
	i, neg := 0, false
	if s[0] == '-' {
		i, neg = 1, true
	}
	n, digits, scale, frac := 0.0, 0, 1.0, false
	for ; i < len(s); i++ {
		c := s[i]
		if c == '.' && !frac && digits > 0 {
			frac = true
			continue
		}
		if c-'0' > 9 {
			break
		}
		n = n*10 + float64(c-'0')
		digits++
		if frac {
			scale *= 10
		}
	}
	if digits == 0 {
		return 0, false
	}
	if neg {
		n = -n
	}
	switch s[i:] {
	case "", "kB", "B", "ns", "us", "ms", "s", "%":
		return n / scale, true
	}
	return 0, false
}
