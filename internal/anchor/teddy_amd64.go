//go:build !purego

package anchor

import (
	"bytes"
	"cmp"
	"iter"
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

// tables has the buckets as bits: by byte of the gram, by low and by high nibble,
// those of the 16 nibbles twice.
type tables [4][2][32]byte

// sweep searches n blocks of 64 bytes and reads the three bytes behind them. For
// each block where grams may stand it stores a mask of the bytes where, and the
// number of the block. It returns how many it found, and the line feeds of all
// blocks and whether there is an oddity. n is 1 to 127, and masks and blocks have
// room for as many.
//
//go:noescape
func sweep(t *tables, data *byte, n int, masks *uint64, blocks *int) (found, lines int, odd bool)

// sift keeps of the places that sweep has found those where a pattern fits, and
// one beside it here and there, and of the blocks those with such places. It
// returns how many blocks are left. It reads the eight bytes from each place on,
// and from the end of the block. Its hash is that of lookup.
//
//go:noescape
func sift(index *[1 << 10]uint16, patterns *pattern, data *byte, found int, masks *uint64, blocks *int) (kept int)

// newTeddy returns nil if this machine or these anchors cannot be searched so.
func newTeddy(anchors []string) *teddy {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasBMI1 {
		return nil
	}
	choices := make([]choice, len(anchors))
	for i, a := range anchors {
		choices[i] = choice{a, 2}
		for g := range choices[i].grams() {
			choices[i].rarest = min(choices[i].rarest, g.frequency)
		}
		if choices[i].rarest > 1 {
			return nil
		}
	}
	t := &teddy{}
	t.lookup = newLookup(t.fill(choices), maskLast)
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

// fill puts one gram of each anchor into a bucket, and returns these grams. A
// bucket is wrong where each byte has a low and a high nibble of some gram of it,
// so a gram goes where it adds least of that, and where anchors have a choice of
// grams that decides too. Those that are frequent anyway go first.
func (t *teddy) fill(choices []choice) []gram {
	slices.SortStableFunc(choices, func(a, b choice) int { return cmp.Compare(b.rarest, a.rarest) })
	var f frequencies
	for c := range f {
		f[c] = frequency(byte(c))
	}
	var filled [buckets]bucket
	grams := make([]gram, 0, len(choices))
	for _, c := range choices {
		var best gram
		in, least := -1, float32(0)
		for g := range c.grams() {
			for i := range filled {
				if cost := g.frequency + filled[i].cost(&g, &f); in < 0 || cost < least {
					best, in, least = g, i, cost
				}
			}
		}
		filled[in].add(&best, &f)
		grams = append(grams, best)
	}
	for i := range filled {
		for pos, p := range filled[i].places {
			for nibble := range 16 {
				for half := range 2 {
					at := half*16 + nibble
					t.tables[pos][0][at] |= byte(p.low>>nibble&1) << i
					t.tables[pos][1][at] |= byte(p.high>>nibble&1) << i
				}
			}
		}
	}
	return grams
}

// A bucket is the nibbles of its grams, at each of the four places.
type bucket struct {
	places    [4]place
	frequency float32 // of four bytes that look like one of the grams
}

type place struct {
	low, high uint16      // sets of nibbles
	frequency float32     // of the bytes made of a low and a high one
	ofLow     [16]float32 // frequency of the bytes made of this low and any of the high
	ofHigh    [8]float32
}

type frequencies [128]float32 // of ASCII

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

// cost tells how much more often the bucket would be hit with a gram added.
func (b *bucket) cost(g *gram, f *frequencies) float32 {
	then := float32(1)
	for i := range b.places {
		p := &b.places[i]
		if g.mask>>(8*i)&0xff != 0 {
			then *= p.with(byte(g.value>>(8*i)), f)
		}
	}
	return then - b.frequency
}

func (b *bucket) add(g *gram, f *frequencies) {
	b.frequency = 1
	for i := range b.places {
		p := &b.places[i]
		if g.mask>>(8*i)&0xff != 0 {
			p.add(byte(g.value>>(8*i)), f)
		} else { // any byte
			p.low, p.high, p.frequency = 0xffff, 0xffff, 1
		}
		b.frequency *= p.frequency
	}
}

const (
	blockLen   = 64 // what sweep looks at in one step
	lookahead  = 8  // bytes behind the blocks that sweep and sift may read
	fewBlocks  = 4  // searched first, see searchMany
	manyBlocks = 32 // searched at once at most: a sweep in vain costs as much as a hit
)

func (t *teddy) scan(data []byte, from int) (at, lines int, odd bool) {
	q := quest{teddy: t, data: data, from: from, at: -1, searched: from}
	var masks [fewBlocks]uint64
	var numbers [fewBlocks]int
	if n := q.blocks(); n > 0 && !q.search(data[from:], min(n, fewBlocks), masks[:], numbers[:]) {
		q.searchMany()
	}
	if q.at < 0 && q.searched < len(data) {
		// Too short for a block and what follows it.
		var rest [2*blockLen + lookahead]byte
		for i := copy(rest[:], data[q.searched:]); i < len(rest); i++ {
			rest[i] = ' '
		}
		q.search(rest[:], 2, masks[:], numbers[:])
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

// searchMany searches the blocks of data: few at first, for in some data anchors
// are close together, and what is searched behind one is in vain.
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

// search searches n blocks of window, which is data from q.searched on, and tells
// whether it found an anchor. Masks and numbers are for its use.
func (q *quest) search(window []byte, n int, masks []uint64, numbers []int) bool {
	found, lines, odd := sweep(&q.tables, &window[0], n, &masks[0], &numbers[0])
	start := q.searched
	end := min(start+n*blockLen, len(q.data))
	kept := sift(&q.lookup.index, &q.lookup.patterns[0], &window[0], found, &masks[0], &numbers[0])
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
	if q.at < 0 {
		q.lines += lines
		q.odd = q.odd || odd
		return false
	}
	q.at = q.lookup.leftmost(q.data, q.at, end-1, 1, q.from)
	if q.at < start {
		q.lines -= bytes.Count(q.data[q.at:start], []byte{'\n'})
		q.odd = q.odd && hasOddity(q.data[q.from:q.at])
	} else {
		q.lines += bytes.Count(q.data[start:q.at], []byte{'\n'})
		q.odd = q.odd || odd && hasOddity(q.data[start:q.at])
	}
	return true
}
