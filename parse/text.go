package parse

import (
	"strings"
	"unicode/utf8"
)

// trim removes blanks and tabs on both sides; log text has no other white
// space that matters.
func trim(s string) string { return trimRight(trimLeft(s)) }

func trimLeft(s string) string {
	for s != "" && (s[0] == ' ' || s[0] == '\t') {
		s = s[1:]
	}
	return s
}

func trimRight(s string) string {
	for s != "" && (s[len(s)-1] == ' ' || s[len(s)-1] == '\t') {
		s = s[:len(s)-1]
	}
	return s
}

func isDigit(c byte) bool { return c-'0' < 10 }
func isAlpha(c byte) bool { return c|0x20-'a' < 26 }
func isHex(c byte) bool   { return hexValue[c] < 16 }

// hexValue is the value of a hexadecimal digit, 16 for other bytes.
var hexValue = func() (t [256]uint8) {
	for i := range t {
		switch c := byte(i); {
		case isDigit(c):
			t[i] = c - '0'
		case c|0x20-'a' < 6:
			t[i] = c | 0x20 - 'a' + 10
		default:
			t[i] = 16
		}
	}
	return t
}()

// inSymbol tells which bytes a symbol may consist of.
var inSymbol = func() (t [256]bool) {
	for i := range t {
		c := byte(i)
		t[i] = isAlpha(c) || isDigit(c) || c == '_' || c == '.' || c == '$'
	}
	return t
}()

// leadInt reads the decimal number at the start of s.
func leadInt(s string) (n int64, rest string, ok bool) {
	i, neg := 0, false
	if s != "" && s[0] == '-' {
		neg, i = true, 1
	}
	start := i
	for i < len(s) && isDigit(s[i]) {
		if n > (1<<63-10)/10 {
			return 0, s, false
		}
		n = n*10 + int64(s[i]-'0')
		i++
	}
	if i == start {
		return 0, s, false
	}
	if neg {
		n = -n
	}
	return n, s[i:], true
}

// allInt reads s as a decimal number and nothing else.
func allInt(s string) (int64, bool) {
	n, rest, ok := leadInt(s)
	return n, ok && rest == ""
}

// pidOf reads s as a process id.
func pidOf(s string) (int, bool) {
	n, ok := allInt(s)
	if !ok || n < 0 || n > 1<<31-1 {
		return 0, false
	}
	return int(n), true
}

// leadHex reads the hexadecimal number at the start of s, without "0x".
func leadHex(s string) (n uint64, rest string, ok bool) {
	i := 0
	for i < len(s) && i < 17 {
		v := hexValue[s[i]]
		if v > 15 {
			break
		}
		n = n<<4 | uint64(v)
		i++
	}
	return n, s[i:], i > 0 && i <= 16
}

// field cuts the first blank-separated word off s.
func field(s string) (word, rest string) {
	s = trimLeft(s)
	for i := 0; i < len(s); i++ {
		if s[i] == ' ' || s[i] == '\t' {
			return s[:i], s[i:]
		}
	}
	return s, ""
}

// lastField cuts the last blank-separated word off s.
func lastField(s string) (rest, word string) {
	s = trimRight(s)
	for i := len(s) - 1; i >= 0; i-- {
		if s[i] == ' ' || s[i] == '\t' {
			return s[:i], s[i+1:]
		}
	}
	return "", s
}

// after returns what follows the first sep in s.
func after(s, sep string) (string, bool) {
	i := strings.Index(s, sep)
	if i < 0 {
		return "", false
	}
	return s[i+len(sep):], true
}

// numAfter reads the number that follows key in s, -1 if there is none.
func numAfter(s, key string) int64 {
	rest, ok := after(s, key)
	if !ok {
		return -1
	}
	n, _, ok := leadInt(trimLeft(rest))
	if !ok {
		return -1
	}
	return n
}

// keep returns a copy of s that does not hold on to the block it was read
// with, valid UTF-8.
func keep(s string) string {
	if utf8.ValidString(s) {
		return strings.Clone(s)
	}
	return strings.ToValidUTF8(s, "\uFFFD")
}

// nameSlot is a hash of s for parser.lastNames. The names of functions begin
// and end alike, seldom both.
func nameSlot(s string) uint64 {
	n := len(s)
	h := uint64(n)
	if n >= 8 {
		h = (h ^ load64(s)) * 0x9e3779b97f4a7c15
		h ^= h>>32 ^ load64(s[n-8:])
	} else {
		for i := range n {
			h = h<<8 | uint64(s[i])
		}
	}
	return h * 0x9e3779b97f4a7c15 >> (64 - 9)
}

func load64(s string) uint64 {
	_ = s[7]
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 | uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}

// commPid splits "COMM:PID" or "COMM/PID" at the last separator; a comm may
// hold any byte.
func commPid(s string, sep byte) (comm string, pid int, ok bool) {
	i := strings.LastIndexByte(s, sep)
	if i < 0 {
		return "", 0, false
	}
	pid, ok = pidOf(s[i+1:])
	return s[:i], pid, ok
}
