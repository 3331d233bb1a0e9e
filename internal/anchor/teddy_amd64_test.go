//go:build !purego

package anchor

import (
	"testing"

	"golang.org/x/sys/cpu"
)

// The tests compare two searches only where there are two.
func TestChoiceOfSearch(t *testing.T) {
	if !cpu.X86.HasAVX2 || !cpu.X86.HasBMI1 {
		t.Skip("no AVX2")
	}
	for _, anchors := range [][]string{kernelAnchors, {"\x01\x02\x03"}, {"\x00\n\x1b\x7f"}} {
		if New(anchors...).teddy == nil {
			t.Errorf("%q are not searched with AVX2", anchors)
		}
	}
	if New("abcd", "\x80\x81\x82\x83").teddy != nil {
		t.Error("an anchor without ASCII is searched with AVX2")
	}
}
