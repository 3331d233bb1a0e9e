package parse

import (
	"strings"
	"testing"
)

// TestShare holds that equal traces share their frames, and that each knows
// its own lines, also where a foreign line stands in between.
func TestShare(t *testing.T) {
	trace := func(pid, between string) string {
		return "[    1.000000] task:java            state:D stack:0     pid:" + pid + " ppid:2950   flags:0x00000002\n[    1.000000] Call Trace:\n" +
			"[    1.000000]  __schedule+0x1/0x10\n" + between + "[    1.000000]  schedule+0x2/0x20\n[    1.000000]  ret_from_fork+0x3/0x30\n"
	}
	evs, _ := readAll(trace("1", "")+trace("2", "")+trace("3", "[    1.000000] eth0: link becomes ready\n"), Options{})
	want := [][]int{{3, 4, 5}, {8, 9, 10}, {13, 15, 16}}
	if len(evs) != len(want) {
		t.Fatalf("%d events", len(evs))
	}
	first := evs[0].(*Task).Trace
	for i, e := range evs {
		tr := e.(*Task).Trace
		if len(tr.Frames) != 3 || &tr.Frames[0] != &first.Frames[0] {
			t.Fatalf("trace %d has frames of its own", i)
		}
		for j := range tr.Frames {
			if n := tr.Line(&tr.Frames[j]); n != want[i][j] {
				t.Errorf("trace %d, frame %d: line %d, want %d", i, j, n, want[i][j])
			}
		}
	}
	evs, _ = readAll(trace("1", "")+strings.Replace(trace("2", ""), "schedule+0x2/", "? schedule+0x2/", 1), Options{})
	if a, b := evs[0].(*Task).Trace, evs[1].(*Task).Trace; &a.Frames[0] == &b.Frames[0] {
		t.Error("a frame that is not reliable equals one that is")
	}
}
