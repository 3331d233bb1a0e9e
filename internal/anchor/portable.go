package anchor

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// bigrams is the search without vector instructions. It looks at every second
// position only, and so has two grams of each anchor: one at an even offset, one
// at an odd one. A gram is two pairs of bytes, and one lookup in a table tells
// the grams that have a pair as their first half and those that have it as their
// second one.
type bigrams struct {
	lookup *lookup
	// The low byte has a bit for each bucket with a gram that begins with that
	// pair (little endian), the high byte for each with one that ends with it.
	table [1 << 16]uint16
}

const buckets = 8

func newBigrams(anchors []string) *bigrams {
	b := &bigrams{}
	grams := make([]gram, 0, 2*len(anchors))
	for _, a := range anchors {
		for parity := range 2 {
			grams = append(grams, rarestOfParity(a, parity))
		}
	}
	b.lookup = newLookup(grams, maskFirst&maskLast)
	// A bucket costs where a first half of one of its grams is followed by a
	// second half of any, so those with frequent halves go together.
	order := make([]*gram, len(grams))
	for i := range grams {
		order[i] = &grams[i]
	}
	slices.SortStableFunc(order, func(x, y *gram) int { return cmp.Compare(y.frequency, x.frequency) })
	var firsts, seconds [buckets]float32
	for _, g := range order {
		first, second := g.half(0), g.half(1)
		best, least := 0, float32(0)
		for i := range buckets {
			more := (firsts[i]+first)*(seconds[i]+second) - firsts[i]*seconds[i]
			if i == 0 || more < least {
				best, least = i, more
			}
		}
		firsts[best] += first
		seconds[best] += second
		b.add(g, 1<<best)
	}
	return b
}

// rarestOfParity returns the rarest gram of an anchor at an even offset, or at
// an odd one.
func rarestOfParity(anchor string, parity int) gram {
	rarest := gramAt(anchor, -parity)
	for offset := 2 - parity; offset+3 <= len(anchor); offset += 2 {
		if g := gramAt(anchor, offset); g.frequency < rarest.frequency {
			rarest = g
		}
	}
	return rarest
}

func (b *bigrams) add(g *gram, bucket uint16) {
	first, second := g.value&0xffff, g.value>>16
	if g.mask == maskFirst {
		for c := range uint32(1 << 8) {
			b.table[first|c] |= bucket
		}
	} else {
		b.table[first] |= bucket
	}
	if g.mask == maskLast {
		for c := range uint32(1 << 8) {
			b.table[second|c<<8] |= bucket << 8
		}
	} else {
		b.table[second] |= bucket << 8
	}
}

// chunk is how many bytes are searched before their lines are counted: they are
// still in the first cache.
const chunk = 16 << 10

func (b *bigrams) scan(data []byte, from int) (at, lines int, odd bool) {
	counted := from
	count := func(end int) {
		n, o := survey(data[counted:end])
		counted, lines, odd = end, lines+n, odd || o
	}
	for p := from; p < len(data); p += 2 {
		p = b.next(data, p, min(p+chunk, len(data)))
		if begin := b.lookup.begin(data, p, from); begin >= 0 {
			at := b.lookup.leftmost(data, begin, p, 2, from)
			count(at)
			return at, lines, odd
		}
		if p-b.lookup.reach-counted > chunk {
			count(p - b.lookup.reach)
		}
	}
	count(len(data))
	return -1, lines, odd
}

// next returns the first of p, p+2 and so on where a gram of some bucket may stand,
// or one a little before end.
func (b *bigrams) next(data []byte, p, end int) int {
	var last uint16 // of the pair before i
	i := p
	for ; i+8 <= end; i += 8 {
		w := binary.LittleEndian.Uint64(data[i:])
		t0, t1, t2, t3 := b.table[uint16(w)], b.table[uint16(w>>16)], b.table[uint16(w>>32)], b.table[uint16(w>>48)]
		if uint8(last&(t0>>8)|t0&(t1>>8)|t1&(t2>>8)|t2&(t3>>8)) != 0 {
			switch {
			case uint8(last&(t0>>8)) != 0:
				return i - 2
			case uint8(t0&(t1>>8)) != 0:
				return i
			case uint8(t1&(t2>>8)) != 0:
				return i + 2
			}
			return i + 4
		}
		last = t3
	}
	return max(p, i-2)
}
