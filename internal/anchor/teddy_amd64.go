//go:build !purego

package anchor

import (
	"bytes"
	"cmp"
	"math/bits"
	"slices"

	"golang.org/x/sys/cpu"
)

// teddy is the search with AVX2, after the algorithm of that name in Hyperscan
// (Intel): each gram is in one of eight buckets, a shuffle by the low and one by
// the high nibble of a byte tell which buckets have a gram with that byte at that
// place, and where a bucket is left of all four bytes one of its grams may stand.
type teddy struct {
	lookup *lookup
	tables tables
}

// tables has the layout that findGrams knows.
type tables struct {
	nibbles [4][2][32]byte       // the buckets by byte of the gram, and by low and high nibble, twice 16
	hashes  [1 << 12 / 32]uint32 // the hashes of the first three bytes of grams, as bits
}

// findGrams searches data[from:n] in blocks of 64 bytes, as far as there are
// blocks with three bytes behind them, for a block where a gram may stand. It
// returns where the block begins, and a bit for each byte of it where one may; or
// where the last block ended and 0. Lines and odd are those of the blocks up to
// there, the one with the gram too.
//
//go:noescape
func findGrams(t *tables, data *byte, n, from int) (at int, candidates uint64, lines int, odd bool)

// newTeddy returns nil if this machine or these anchors cannot be searched so.
func newTeddy(anchors []string) *teddy {
	if !cpu.X86.HasAVX2 {
		return nil
	}
	var options [][]gram
	for _, a := range anchors {
		o := asciiGrams(a)
		if len(o) == 0 {
			return nil
		}
		options = append(options, o)
	}
	t := &teddy{}
	grams := t.fill(options)
	t.lookup = newLookup(grams)
	for _, g := range grams {
		h := g.value << 8 * 0x9e3779b1 >> 20
		t.tables.hashes[h/32] |= 1 << (h % 32)
	}
	return t
}

// asciiGrams returns the grams of an anchor that have four bytes, or three in an
// anchor of three, all ASCII.
func asciiGrams(anchor string) []gram {
	var grams []gram
	for offset := 0; offset == 0 || offset+4 <= len(anchor); offset++ {
		if g := gramAt(anchor, offset); g.value&0x80808080 == 0 {
			grams = append(grams, g)
		}
	}
	return grams
}

// fill puts one gram of each anchor into a bucket, and returns these grams. A
// bucket is wrong where each byte has a low and a high nibble of some gram of it,
// so a gram goes where it adds least of that, the most frequent ones first.
func (t *teddy) fill(options [][]gram) []gram {
	slices.SortStableFunc(options, func(a, b []gram) int { return cmp.Compare(rarest(b), rarest(a)) })
	var filled [buckets]bucket
	var grams []gram
	for _, o := range options {
		var best gram
		in, least := -1, 0.0
		for _, g := range o {
			for i := range filled {
				if c := filled[i].cost(g); in < 0 || c < least {
					best, in, least = g, i, c
				}
			}
		}
		filled[in].add(best)
		grams = append(grams, best)
	}
	for i := range filled {
		for pos, p := range filled[i].places {
			for nibble := range 16 {
				for half := range 2 {
					at := half*16 + nibble
					t.tables.nibbles[pos][0][at] |= byte(p.low>>nibble&1) << i
					t.tables.nibbles[pos][1][at] |= byte(p.high>>nibble&1) << i
				}
			}
		}
	}
	return grams
}

func rarest(grams []gram) float64 {
	f := 1.0
	for _, g := range grams {
		f = min(f, g.frequency(0, 4))
	}
	return f
}

// A bucket is the nibbles of its grams, at each of the four places.
type bucket struct {
	places [4]place
}

type place struct {
	low, high uint16      // sets of nibbles
	frequency float64     // of the bytes made of a low and a high one
	ofLow     [16]float64 // frequency of the bytes made of this low and any of the high
	ofHigh    [8]float64
}

// with returns the frequency that the bytes of a place would have with one more.
func (p *place) with(c byte) float64 {
	low, high := c&15, c>>4
	f := p.frequency
	if p.low>>low&1 == 0 {
		f += p.ofLow[low]
	}
	if p.high>>high&1 == 0 {
		f += p.ofHigh[high]
		if p.low>>low&1 == 0 {
			f += frequency(c)
		}
	}
	return f
}

func (p *place) add(c byte) {
	p.frequency = p.with(c)
	low, high := c&15, c>>4
	if p.low>>low&1 == 0 {
		for h := range p.ofHigh {
			p.ofHigh[h] += frequency(byte(h<<4) | low)
		}
	}
	if p.high>>high&1 == 0 {
		for l := range p.ofLow {
			p.ofLow[l] += frequency(high<<4 | byte(l))
		}
	}
	p.low |= 1 << low
	p.high |= 1 << high
}

// cost tells how much more often the bucket would be hit with a gram added.
func (b *bucket) cost(g gram) float64 {
	now, then := 1.0, 1.0
	for i := range b.places {
		p := &b.places[i]
		now *= p.frequency
		if g.mask>>(8*i)&0xff != 0 {
			then *= p.with(byte(g.value >> (8 * i)))
		}
	}
	return then - now
}

func (b *bucket) add(g gram) {
	for i := range b.places {
		p := &b.places[i]
		if g.mask>>(8*i)&0xff != 0 {
			p.add(byte(g.value >> (8 * i)))
		} else { // any byte
			p.low, p.high, p.frequency = 0xffff, 0xffff, 1
		}
	}
}

// blockLen is how many bytes findGrams looks at in one step, lookahead how many
// more it reads.
const (
	blockLen  = 64
	lookahead = 3
)

func (t *teddy) scan(data []byte, from int) (at, lines int, odd bool) {
	at, lines, odd, searched := t.search(data, data, 0, from, from)
	if at >= 0 || searched == len(data) {
		return at, lines, odd
	}
	var rest [2*blockLen + lookahead]byte // what is too short for a block and what follows it
	for i := copy(rest[:], data[searched:]); i < len(rest); i++ {
		rest[i] = ' '
	}
	at, more, moreOdd, _ := t.search(data, rest[:], searched, searched, from)
	return at, lines + more, odd || moreOdd
}

// search finds the first anchor whose gram begins in a block of window, which
// stands for data from base on, and tells how much it searched.
func (t *teddy) search(data, window []byte, base, start, from int) (at, lines int, odd bool, searched int) {
	for p := start - base; p < len(window); p += blockLen {
		var candidates uint64
		var n int
		var o bool
		p, candidates, n, o = findGrams(&t.tables, &window[0], len(window), p)
		lines += n
		odd = odd || o
		if candidates == 0 {
			return -1, lines, odd, min(base+p, len(data))
		}
		at := -1
		for ; candidates != 0; candidates &= candidates - 1 {
			place := base + p + bits.TrailingZeros64(candidates)
			if begin := t.lookup.begin(data, place, from); begin >= 0 && (at < 0 || begin < at) {
				at = begin
			}
		}
		if at < 0 {
			continue
		}
		end := base + p + blockLen
		at = t.lookup.leftmost(data, at, end-1, 1, from)
		lines -= bytes.Count(data[at:min(end, len(data))], []byte{'\n'})
		return at, lines, odd && hasOddity(data[from:at]), end
	}
	return -1, lines, odd, min(base+len(window), len(data))
}
