//go:build !purego

package anchor

import "testing"

// vectorWays are the searches with vector instructions: whether this machine has
// them, and what makes them, nil if the anchors cannot be searched so.
var vectorWays = []struct {
	name string
	has  func() bool
	make func(anchors []string) *teddy
}{
	{"AVX-512", hasAVX512, newAVX512},
	{"AVX2", hasAVX2, newAVX2},
}

func vectorSearchers(anchors []string) []searcher {
	var out []searcher
	for _, way := range vectorWays {
		if !way.has() {
			continue
		}
		if t := way.make(minimal(anchors)); t != nil {
			out = append(out, searcher{way.name, (&Set{teddy: t}).Scan})
		}
	}
	return out
}

// The tests compare searches only where there are several.
func TestChoiceOfSearch(t *testing.T) {
	for _, way := range vectorWays {
		t.Run(way.name, func(t *testing.T) {
			if !way.has() {
				t.Skip("this machine has no " + way.name)
			}
			for _, anchors := range [][]string{kernelAnchors, {"\x01\x02\x03"}, {"\x00\n\x1b\x7f"}, {"abcd\x80"}} {
				if way.make(anchors) == nil || New(anchors...).teddy == nil {
					t.Errorf("%q are not searched with vector instructions", anchors)
				}
			}
			if anchors := []string{"abcd", "\x80\x81\x82\x83"}; way.make(anchors) != nil {
				t.Error("an anchor without ASCII is searched with vector instructions")
			}
		})
	}
	if hasAVX512() && !New("abcd").teddy.wide {
		t.Error("AVX-512 is not used")
	}
}
