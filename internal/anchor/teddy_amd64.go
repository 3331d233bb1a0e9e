//go:build !purego

package anchor

import (
	"bytes"
	"cmp"
	"iter"
	"math"
	"math/bits"
	"slices"

	"golang.org/x/sys/cpu"
)

// teddy is the search with vector instructions, after the algorithm of that name
// in Hyperscan (Intel): each gram is in one of a few buckets, tables tell by a byte
// which buckets have a gram with that byte at that place, and where a bucket is left
// of all bytes of a gram one of its grams may stand.
type teddy struct {
	lookup  *lookup
	wide    bool    // with AVX-512, else with AVX2
	classes classes // if wide
	nibbles nibbles // if not
}

// classes has 16 buckets as bits, eight and eight: by byte of the gram, with the one
// that follows it, by the low seven bits. AVX-512 looks these up in one step.
type classes [2][5][128]byte

// nibbles has eight buckets as bits: by byte of the gram, by low and by high nibble,
// those of the 16 nibbles twice.
type nibbles [4][2][32]byte

// hunt searches n blocks of 64 bytes, with AVX-512, or up to the first with places
// where a gram may stand and a pattern fits. It returns how many it has searched, a
// mask of these places in the last one, with one beside some of them, and the line
// feeds of all and whether there is an oddity. It reads the 16 bytes behind the
// blocks, too. n is at least 1. Its hash is that of lookup.
//
//go:noescape
func hunt(t *classes, index *[1 << 10]uint16, patterns *pattern, data *byte, n int) (searched int, places uint64, lines int, odd bool)

// sweep searches n blocks of 64 bytes, with AVX2, and reads the three bytes behind them. For
// each block where grams may stand it stores a mask of the bytes where, and the
// number of the block. It returns how many it found, and the line feeds of all
// blocks and whether there is an oddity. n is 1 to 127, and masks and blocks have
// room for as many.
//
//go:noescape
func sweep(t *nibbles, data *byte, n int, masks *uint64, blocks *int) (found, lines int, odd bool)

// sift keeps of the places that sweep has found those where a pattern fits, and
// one beside it here and there, and of the blocks those with such places. It
// returns how many blocks are left. It reads the eight bytes from each place on,
// and from the end of the block. Its hash is that of lookup.
//
//go:noescape
func sift(index *[1 << 10]uint16, patterns *pattern, data *byte, found int, masks *uint64, blocks *int) (kept int)

func hasAVX2() bool { return cpu.X86.HasAVX2 && cpu.X86.HasBMI1 }

func hasAVX512() bool {
	return cpu.X86.HasAVX512F && cpu.X86.HasAVX512BW && cpu.X86.HasAVX512VBMI && cpu.X86.HasBMI1 && cpu.X86.HasPOPCNT
}

// newTeddy returns nil if this machine or these anchors cannot be searched so.
func newTeddy(anchors []string) *teddy {
	switch {
	case hasAVX512():
		return newAVX512(anchors)
	case hasAVX2():
		return newAVX2(anchors)
	}
	return nil
}

func newAVX512(anchors []string) *teddy {
	t := &teddy{wide: true}
	var filled [2 * buckets]classBucket
	grams := fill(anchors, filled[:])
	if grams == nil {
		return nil
	}
	for i := range filled {
		for pos := range filled[i].places {
			table := &t.classes[i/buckets][pos]
			for c := range table {
				table[c] |= filled[i].places[pos].has(byte(c)) << (i % buckets)
			}
		}
	}
	t.lookup = newLookup(grams, maskLast)
	return t
}

func newAVX2(anchors []string) *teddy {
	t := &teddy{}
	var filled [buckets]nibbleBucket
	grams := fill(anchors, filled[:])
	if grams == nil {
		return nil
	}
	for i := range filled {
		for pos, p := range filled[i].places {
			for nibble := range 16 {
				for half := range 2 {
					at := half*16 + nibble
					t.nibbles[pos][0][at] |= byte(p.low>>nibble&1) << i
					t.nibbles[pos][1][at] |= byte(p.high>>nibble&1) << i
				}
			}
		}
	}
	t.lookup = newLookup(grams, maskLast)
	return t
}

// A choice is an anchor whose gram is to be chosen.
type choice struct {
	anchor string
	rarest float32 // the least frequency of its grams
}

// grams yields the grams that are all ASCII and begin eight bytes of the anchor,
// or all of it: chance rarely makes what fits their pattern.
func (c choice) grams() iter.Seq[gram] {
	return func(yield func(gram) bool) {
		for offset := 0; offset == 0 || offset+8 <= len(c.anchor); offset++ {
			if g := gramAt(c.anchor, offset); g.value&0x80808080 == 0 && !yield(g) {
				return
			}
		}
	}
}

// choices returns the anchors, those first whose grams are frequent anyway, or nil
// if one has no gram.
func choices(anchors []string) []choice {
	all := make([]choice, len(anchors))
	for i, a := range anchors {
		all[i] = choice{a, 2}
		for g := range all[i].grams() {
			all[i].rarest = min(all[i].rarest, g.frequency)
		}
		if all[i].rarest > 1 {
			return nil
		}
	}
	slices.SortStableFunc(all, func(a, b choice) int { return cmp.Compare(b.rarest, a.rarest) })
	return all
}

// A bucket is a classBucket or a nibbleBucket.
type bucket[B any] interface {
	*B
	// cost tells how much more often the bucket would be hit with a gram added, of
	// which it takes the window.
	cost(value, mask uint64, f *frequencies) float32
	add(value, mask uint64, f *frequencies)
}

// fill puts one gram of each anchor into a bucket, and returns these grams, or nil
// if an anchor has none. A bucket is wrong where each byte is one of some gram of it,
// or looks like one, so a gram goes where it adds least of that, and where anchors
// have a choice of grams that decides too.
func fill[B any, P bucket[B]](anchors []string, filled []B) []gram {
	var f frequencies
	for c := range f {
		f[c] = frequency(byte(c))
	}
	var grams []gram
	for _, c := range choices(anchors) {
		var best gram
		in, least := -1, float32(0)
		for g := range c.grams() {
			value, mask := g.window()
			for i := range filled {
				if cost := g.frequency + P(&filled[i]).cost(value, mask, &f); in < 0 || cost < least {
					best, in, least = g, i, cost
				}
			}
		}
		value, mask := best.window()
		P(&filled[in]).add(value, mask, &f)
		grams = append(grams, best)
	}
	return grams
}

type frequencies [128]float32 // of ASCII

// A classBucket is the bytes of its grams, at each of the five places.
type classBucket struct {
	places    [5]class
	frequency float32 // of five bytes that look like one of the grams
}

type class struct {
	set       [2]uint64 // of bytes, by the low seven bits
	frequency float32   // of these bytes
}

// has is 1 for the bytes of the class.
func (p *class) has(c byte) byte { return byte(p.set[c>>6&1] >> (c & 63) & 1) }

// with returns the frequency that the class would have with one more byte.
func (p *class) with(c byte, f *frequencies) float32 {
	if p.has(c) != 0 {
		return p.frequency
	}
	return p.frequency + f[c&127]
}

func (b *classBucket) cost(value, mask uint64, f *frequencies) float32 {
	then := float32(1)
	for i := range b.places {
		if mask>>(8*i)&0xff != 0 {
			then *= b.places[i].with(byte(value>>(8*i)), f)
		}
	}
	return then - b.frequency
}

func (b *classBucket) add(value, mask uint64, f *frequencies) {
	b.frequency = 1
	for i := range b.places {
		p := &b.places[i]
		if mask>>(8*i)&0xff != 0 {
			c := byte(value >> (8 * i))
			p.frequency = p.with(c, f)
			p.set[c>>6&1] |= 1 << (c & 63)
		} else { // any byte
			p.set, p.frequency = [2]uint64{math.MaxUint64, math.MaxUint64}, 1
		}
		b.frequency *= p.frequency
	}
}

// A nibbleBucket is the nibbles of its grams, at each of the four places.
type nibbleBucket struct {
	places    [4]place
	frequency float32 // of four bytes that look like one of the grams
}

type place struct {
	low, high uint16      // sets of nibbles
	frequency float32     // of the bytes made of a low and a high one
	ofLow     [16]float32 // frequency of the bytes made of this low and any of the high
	ofHigh    [8]float32
}

// with returns the frequency that the bytes of a place would have with one more.
func (p *place) with(c byte, f *frequencies) float32 {
	low, high := c&15, c>>4&7
	then := p.frequency
	if p.low>>low&1 == 0 {
		then += p.ofLow[low]
	}
	if p.high>>high&1 == 0 {
		then += p.ofHigh[high]
		if p.low>>low&1 == 0 {
			then += f[c&127]
		}
	}
	return then
}

func (p *place) add(c byte, f *frequencies) {
	p.frequency = p.with(c, f)
	low, high := c&15, c>>4&7
	if p.low>>low&1 == 0 {
		for h := range p.ofHigh {
			p.ofHigh[h] += f[byte(h<<4)|low]
		}
	}
	if p.high>>high&1 == 0 {
		for l := range p.ofLow {
			p.ofLow[l] += f[high<<4|byte(l)]
		}
	}
	p.low |= 1 << low
	p.high |= 1 << high
}

func (b *nibbleBucket) cost(value, mask uint64, f *frequencies) float32 {
	then := float32(1)
	for i := range b.places {
		p := &b.places[i]
		if mask>>(8*i)&0xff != 0 {
			then *= p.with(byte(value>>(8*i)), f)
		}
	}
	return then - b.frequency
}

func (b *nibbleBucket) add(value, mask uint64, f *frequencies) {
	b.frequency = 1
	for i := range b.places {
		p := &b.places[i]
		if mask>>(8*i)&0xff != 0 {
			p.add(byte(value>>(8*i)), f)
		} else { // any byte
			p.low, p.high, p.frequency = 0xffff, 0xffff, 1
		}
		b.frequency *= p.frequency
	}
}

const (
	blockLen   = 64 // what is looked at in one step
	lookahead  = 16 // bytes behind the blocks that are read, too
	fewBlocks  = 4  // swept first, see searchMany
	manyBlocks = 32 // swept at once at most: to sweep in vain costs as much as a hit
)

var blanks = bytes.Repeat([]byte{' '}, 2*blockLen+lookahead)

func (t *teddy) scan(data []byte, from int) (at, lines int, odd bool) {
	q := quest{teddy: t, data: data, from: from, at: -1, searched: from}
	var masks [fewBlocks]uint64
	var numbers [fewBlocks]int
	if t.wide {
		q.searchAll()
	} else if n := q.blocks(); n > 0 && !q.search(data[from:], min(n, fewBlocks), masks[:], numbers[:]) {
		q.searchMany()
	}
	if q.at < 0 && q.searched < len(data) {
		// Too short for a block and what follows it.
		var rest [2*blockLen + lookahead]byte
		copy(rest[copy(rest[:], data[q.searched:]):], blanks)
		if !q.search(rest[:], 2, masks[:], numbers[:]) && q.searched < len(data) {
			q.search(rest[blockLen:], 1, masks[:], numbers[:])
		}
	}
	return q.at, q.lines, q.odd
}

// A quest is one search.
type quest struct {
	*teddy
	data     []byte
	from     int
	at       int // the anchor, or -1
	searched int // as far as this data is searched, and lines are counted
	lines    int
	odd      bool
}

// blocks tells how many blocks there are still to search.
func (q *quest) blocks() int { return (len(q.data) - q.searched - lookahead) / blockLen }

// searchAll searches the blocks of data, where nothing is searched behind an anchor.
func (q *quest) searchAll() {
	var mask [1]uint64
	var number [1]int
	for {
		n := q.blocks()
		if n <= 0 || q.search(q.data[q.searched:], n, mask[:], number[:]) {
			return
		}
	}
}

// searchMany searches the blocks of data: few at first, for in some data anchors
// are close together, and what is swept behind one is in vain.
func (q *quest) searchMany() {
	var masks [manyBlocks]uint64
	var numbers [manyBlocks]int
	for n := 2 * fewBlocks; ; n = min(2*n, manyBlocks) {
		n := min(n, q.blocks())
		if n <= 0 || q.search(q.data[q.searched:], n, masks[:], numbers[:]) {
			return
		}
	}
}

// search searches n blocks of window, which is data from q.searched on, or some of
// them, see find, and tells whether it found an anchor. Masks and numbers are for
// its use.
func (q *quest) search(window []byte, n int, masks []uint64, numbers []int) bool {
	n, kept, lines, odd := q.find(window, n, masks, numbers)
	start := q.searched
	end := min(start+n*blockLen, len(q.data))
	for i, mask := range masks[:kept] {
		for ; mask != 0; mask &= mask - 1 {
			place := start + numbers[i]*blockLen + bits.TrailingZeros64(mask)
			if q.at >= 0 && place-q.lookup.reach >= q.at {
				break
			}
			if begin := q.lookup.begin(q.data, place, q.from); begin >= 0 && (q.at < 0 || begin < q.at) {
				q.at = begin
			}
		}
	}
	q.searched = end
	q.lines += lines
	q.odd = q.odd || odd
	if q.at < 0 {
		return false
	}
	q.at = q.lookup.leftmost(q.data, q.at, end-1, 1, q.from)
	q.lines -= bytes.Count(q.data[q.at:end], []byte{'\n'})
	q.odd = q.odd && hasOddity(q.data[q.from:q.at])
	return true
}

// find searches n blocks of window, or up to the first where a pattern fits. It
// returns how many it has searched, in how many of them a pattern fits, by mask and
// number, and the line feeds of all and whether there is an oddity.
func (t *teddy) find(window []byte, n int, masks []uint64, numbers []int) (searched, kept, lines int, odd bool) {
	index, patterns := &t.lookup.index, &t.lookup.patterns[0]
	if t.wide {
		searched, masks[0], lines, odd = hunt(&t.classes, index, patterns, &window[0], n)
		numbers[0] = searched - 1
		if masks[0] != 0 {
			kept = 1
		}
		return searched, kept, lines, odd
	}
	found, lines, odd := sweep(&t.nibbles, &window[0], n, &masks[0], &numbers[0])
	return n, sift(index, patterns, &window[0], found, &masks[0], &numbers[0]), lines, odd
}
