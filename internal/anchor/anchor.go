// Package anchor finds the first of a few dozen short literals (anchors) in big
// byte slices, and counts the lines on the way: what a parser needs to pass over
// the noise between two records at the speed of memory.
package anchor

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
)

// minLen is the length of the shortest anchor: with less, noise is full of hits.
const minLen = 3

// Set is a compiled set of anchors. It is immutable and safe for concurrent use.
//
// A search looks for grams, up to four bytes of each anchor, and compares the
// anchors only where one stands.
type Set struct {
	teddy    *teddy   // nil if there is no such search for this machine or these anchors
	portable *bigrams // otherwise
}

// New compiles anchors. It panics if there is none, or one is shorter than three
// bytes.
func New(anchors ...string) *Set {
	if len(anchors) == 0 {
		panic("anchor: no anchors")
	}
	for _, a := range anchors {
		if len(a) < minLen {
			panic("anchor: " + a + " is too short")
		}
	}
	anchors = minimal(anchors)
	if t := newTeddy(anchors); t != nil {
		return &Set{teddy: t}
	}
	return &Set{portable: newBigrams(anchors)}
}

// Scan returns the offset in data of the first byte of the leftmost anchor that
// begins at or after from, or -1. It also returns how many line feeds stand in
// data[from:end], where end is that offset or len(data), and whether a NUL or an
// escape character (0x1b) does. From is at most len(data).
func (s *Set) Scan(data []byte, from int) (at, lines int, odd bool) {
	if s.teddy != nil {
		return s.teddy.scan(data, from)
	}
	return s.portable.scan(data, from)
}

// minimal returns anchors in order, without those that begin with another one:
// where they stand, that one does.
func minimal(anchors []string) []string {
	anchors = slices.Clone(anchors)
	slices.Sort(anchors)
	out := anchors[:0]
	for _, a := range anchors {
		if len(out) == 0 || !strings.HasPrefix(a, out[len(out)-1]) {
			out = append(out, a)
		}
	}
	return out
}

// survey counts the line feeds of data, and tells whether there is a NUL or an
// escape character.
func survey(data []byte) (lines int, odd bool) {
	return bytes.Count(data, []byte{'\n'}), hasOddity(data)
}

func hasOddity(data []byte) bool {
	return bytes.IndexByte(data, 0) >= 0 || bytes.IndexByte(data, 0x1b) >= 0
}

// A gram is four bytes by which an anchor is found, or three: then the first or
// the last may be any byte.
type gram struct {
	anchor string
	offset int    // of the gram in the anchor; -1 if its first byte is the one before the anchor
	value  uint32 // little endian, 0 where any byte may stand
	mask   uint32

	frequency float32 // in a log without anchors
	next      int32   // in a lookup: the next one of its hash, as in pattern
}

const (
	maskFull  = 0xffffffff
	maskFirst = 0xffffff00 // the first byte is any
	maskLast  = 0x00ffffff // the last byte is any
)

// gramAt returns the gram at an offset of an anchor.
func gramAt(anchor string, offset int) gram {
	g := gram{anchor: anchor, offset: offset, mask: maskFull}
	var b [4]byte
	for i := range b {
		if at := offset + i; at >= 0 && at < len(anchor) {
			b[i] = anchor[at]
		}
	}
	g.value = binary.LittleEndian.Uint32(b[:])
	switch {
	case offset < 0:
		g.mask = maskFirst
	case offset+4 > len(anchor):
		g.mask = maskLast
	}
	g.frequency = g.rate()
	return g
}

// window returns the bytes of the anchor that stand in the eight from the gram on,
// and which these are.
func (g gram) window() (value, mask uint64) {
	for i := range 8 {
		if at := g.offset + i; at >= 0 && at < len(g.anchor) {
			value |= uint64(g.anchor[at]) << (8 * i)
			mask |= 0xff << (8 * i)
		}
	}
	return value, mask
}

// A lookup finds anchors by their grams.
type lookup struct {
	hashed   uint32          // the bytes that all grams have
	index    [1 << 10]uint16 // of what, by hash of these bytes
	patterns []pattern       // the first is for all other hashes
	grams    []gram
	reach    int // the greatest offset of a gram
}

// A pattern is what the eight bytes from a gram on have in common in all grams of
// one hash.
type pattern struct {
	value, mask uint64
	first       int64 // index of a gram and 1, or 0: none
}

// newLookup keeps grams.
func newLookup(grams []gram, hashed uint32) *lookup {
	l := &lookup{hashed: hashed, patterns: make([]pattern, 1, 1+len(grams)), grams: grams}
	l.patterns[0].value = 1 // in no bytes, so never
	for n := range grams {
		g := &grams[n]
		h := l.hash(uint64(g.value))
		value, mask := g.window()
		if l.index[h] == 0 {
			l.index[h] = uint16(len(l.patterns))
			l.patterns = append(l.patterns, pattern{value: value, mask: mask})
		}
		p := &l.patterns[l.index[h]]
		p.mask &= mask &^ (p.value ^ value)
		p.value &= p.mask
		g.next, p.first = int32(p.first), int64(n+1)
		l.reach = max(l.reach, g.offset)
	}
	return l
}

// hashFactor spreads bytes over the high bits, and leaves out the last of four; the
// assembly has it too.
const hashFactor = 0x35a7bd00

func (l *lookup) hash(x uint64) uint32 { return uint32(x) & l.hashed * hashFactor >> 22 }

// begin returns where the leftmost anchor begins that has its gram at an offset
// of data and does not begin before from, or -1.
func (l *lookup) begin(data []byte, at, from int) int {
	var x uint64
	if at+8 <= len(data) {
		x = binary.LittleEndian.Uint64(data[at:])
	} else {
		var b [8]byte
		copy(b[:], data[min(at, len(data)):])
		x = binary.LittleEndian.Uint64(b[:])
	}
	p := &l.patterns[l.index[l.hash(x)]]
	if x&p.mask != p.value {
		return -1
	}
	leftmost := -1
	var g *gram
	for n := p.first; n != 0; n = int64(g.next) {
		g = &l.grams[n-1]
		begin := at - g.offset
		if begin < from || leftmost >= 0 && begin >= leftmost {
			continue
		}
		if end := begin + len(g.anchor); end <= len(data) && string(data[begin:end]) == g.anchor {
			leftmost = begin
		}
	}
	return leftmost
}

// leftmost returns where the leftmost anchor begins, given the begin of one
// whose gram is at an offset of data: another gram, behind it, may be that of an
// anchor that begins before. Grams are looked for at every step bytes.
func (l *lookup) leftmost(data []byte, begin, at, step, from int) int {
	for at += step; at < len(data) && at-l.reach < begin; at += step {
		if b := l.begin(data, at, from); b >= 0 && b < begin {
			begin = b
		}
	}
	return begin
}
