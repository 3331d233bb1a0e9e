package anchor

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// A searcher is one way to do what Scan does.
type searcher struct {
	name string
	scan func(data []byte, from int) (at, lines int, odd bool)
}

func searchers(anchors []string) []searcher {
	portable := &Set{portable: newBigrams(minimal(anchors))}
	return append(vectorSearchers(anchors), searcher{"portable", portable.Scan})
}

// naive is what Scan must do, told in the plainest way.
func naive(anchors []string, data []byte, from int) (at, lines int, odd bool) {
	at = -1
	for _, a := range anchors {
		if i := bytes.Index(data[from:], []byte(a)); i >= 0 && (at < 0 || from+i < at) {
			at = from + i
		}
	}
	passed := data[from:]
	if at >= 0 {
		passed = data[from:at]
	}
	return at, bytes.Count(passed, []byte("\n")), bytes.ContainsAny(passed, "\x00\x1b")
}

type failer interface {
	Helper()
	Fatalf(format string, args ...any)
}

// check compares all searchers with naive, from one offset.
func check(t failer, anchors []string, ways []searcher, data []byte, from int) (at int) {
	t.Helper()
	at, lines, odd := naive(anchors, data, from)
	for _, way := range ways {
		gotAt, gotLines, gotOdd := way.scan(data, from)
		if gotAt != at || gotLines != lines || gotOdd != odd {
			t.Fatalf("%s(%d bytes from %d) = %d, %d, %v, want %d, %d, %v; anchors %q, data %.300q",
				way.name, len(data), from, gotAt, gotLines, gotOdd, at, lines, odd, anchors, data[from:])
		}
	}
	return at
}

// checkAll compares every hit, as a caller finds one after the other.
func checkAll(t failer, anchors []string, ways []searcher, data []byte) {
	t.Helper()
	for from := 0; from <= len(data); {
		at := check(t, anchors, ways, data, from)
		if at < 0 {
			return
		}
		from = at + 1
	}
}

func TestNewPanics(t *testing.T) {
	for _, anchors := range [][]string{nil, {"abc", "ab"}, {""}} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("New(%q) did not panic", anchors)
				}
			}()
			New(anchors...)
		}()
	}
}

// Every anchor is found at every place relative to the ends of vectors, in data
// of every length and alignment.
func TestEveryPlace(t *testing.T) {
	ways := searchers(kernelAnchors)
	fillers := []string{"x", "\n", "the lo\nck of memory ", "+0+0", "\x00", "\xff[<"}
	buf := make([]byte, 512)
	for _, a := range kernelAnchors {
		for before := range 132 {
			for _, after := range []int{0, 1, 2, 3, 30, 64, 100} {
				filler := fillers[(before+after)%len(fillers)]
				data := buf[before%67:][:before+len(a)+after]
				for i := range data {
					data[i] = filler[i%len(filler)]
				}
				copy(data[before:], a)
				check(t, kernelAnchors, ways, data, 0)
				check(t, kernelAnchors, ways, data, before)
				check(t, kernelAnchors, ways, data, before+1)
				check(t, kernelAnchors, ways, data[:before+len(a)-1], 0)
			}
		}
	}
}

// The leftmost begin wins, even if what is rare in that anchor comes last.
func TestLeftmost(t *testing.T) {
	for _, anchors := range [][]string{
		{"eeeeeeeeeeeeeeeeeeee~^~^", "e~^~", "eee\x01"},
		{"aaaaaaaaaaaaaaaaaaaaaaaa", "aaaaab", "baa"},
		{"abcdefgh", "bcdefg", "cdef", "def"},
		{"\n@[", "@[\n", "\n\n\n"},
		{"\x00\x00\x00", "\x1b[0m", "\x00\n\x00\x1b"},
		{"\xff\xfe\xfd", "\x80\x80\x80\x80", "ab\xc3\xa9", "\xc3\xa9b"},
		{"abcd\xe9", "abcdi\xff", "e\x00\x1b\n\x80"}, // the bytes behind a gram need not be ASCII
	} {
		ways := searchers(anchors)
		for _, a := range anchors {
			for _, b := range anchors {
				for pad := range 70 {
					for overlap := range min(len(a), len(b)) {
						data := strings.Repeat(".", pad) + a[:len(a)-overlap] + b + strings.Repeat("e", pad%5)
						checkAll(t, anchors, ways, []byte(data))
						checkAll(t, anchors, ways, []byte(strings.Repeat("e", pad)+a[1:]+b[:len(b)-1]+a))
					}
				}
			}
		}
	}
}

// A byte that is counted or flagged is so up to the anchor and no further.
func TestOddities(t *testing.T) {
	ways := searchers(kernelAnchors)
	for _, c := range []byte{0, 0x1b, '\n', 0x0b, 0x10, 0x1a, 0x80, 0x8a, 0x9b} {
		for _, at := range []int{0, 1, 31, 32, 63, 64, 90, 127, 128, 200} {
			data := []byte(strings.Repeat("x", 220) + "lockup" + strings.Repeat("x", 80))
			data[at] = c
			check(t, kernelAnchors, ways, data, 0)
			check(t, kernelAnchors, ways, data, at)
			check(t, kernelAnchors, ways, data, at+1)
			copy(data[at:], "lockup")
			data[at+6] = c
			check(t, kernelAnchors, ways, data, 0)
			check(t, kernelAnchors, ways, data, at+1)
		}
	}
}

// Long data: more line feeds than a byte counts, and more bytes than any part of
// it that is searched at once.
func TestLong(t *testing.T) {
	ways := searchers(kernelAnchors)
	for _, n := range []int{chunk - 1, chunk, chunk + 1, 5*chunk + 7} {
		data := bytes.Repeat([]byte{'\n'}, n)
		check(t, kernelAnchors, ways, data, 0)
		check(t, kernelAnchors, ways, append(data, "lockup"...), 0)
		check(t, kernelAnchors, ways, append(data, "Killed process"...), 3)
		check(t, kernelAnchors, ways, append(data, "Killed proces\x00"...), 5)
	}
}

// Every hit in noise, and in data where every line has one.
func TestLogs(t *testing.T) {
	ways := searchers(kernelAnchors)
	for _, data := range [][]byte{noise(2 << 20), dense(200 << 10)} {
		hits := 0
		for from := 0; from <= len(data); {
			// The next one is near, and the naive search slow.
			var at, lines int
			for n := 4 << 10; ; n *= 2 {
				end := min(from+n, len(data))
				if at, lines, _ = naive(kernelAnchors, data[:end], from); at >= 0 || end == len(data) {
					break
				}
			}
			for _, way := range ways {
				if gotAt, gotLines, odd := way.scan(data, from); gotAt != at || gotLines != lines || odd {
					t.Fatalf("%s from %d = %d, %d, %v, want %d, %d, false", way.name, from, gotAt, gotLines, odd, at, lines)
				}
			}
			if at < 0 {
				break
			}
			hits++
			from = at + 1
		}
		if hits < 500 {
			t.Errorf("only %d hits", hits)
		}
	}
}

// Data that is made of the letters of a few random anchors, so that nearly every
// place looks like one.
func TestSmallAlphabet(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	text := func(alphabet string, n int) []byte {
		out := make([]byte, n)
		for i := range out {
			out[i] = alphabet[rnd.IntN(len(alphabet))]
		}
		return out
	}
	for range 400 {
		alphabet := []string{"ab", "abc\n", "0123456789", "\x00\x1b\n\xff", "abcdefgh \x80"}[rnd.IntN(5)]
		var anchors []string
		for range 1 + rnd.IntN(90) {
			anchors = append(anchors, string(text(alphabet, 3+rnd.IntN(4)*rnd.IntN(8))))
		}
		ways := searchers(anchors)
		data := text(alphabet, rnd.IntN(600))
		for range rnd.IntN(3) {
			if a := anchors[rnd.IntN(len(anchors))]; len(data) > len(a) {
				copy(data[rnd.IntN(len(data)-len(a)):], a)
			}
		}
		checkAll(t, anchors, ways, data)
		for range 5 {
			check(t, anchors, ways, data, rnd.IntN(len(data)+1))
		}
	}
}

func TestRapid(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		anchors := rapid.SliceOfN(rapid.StringOfN(rapid.RuneFrom([]rune("ab[0x \n\x00é")), 3, 24, -1), 1, 80).Draw(t, "anchors")
		pieces := rapid.SliceOf(rapid.OneOf(rapid.SampledFrom(anchors), rapid.StringOf(rapid.RuneFrom([]rune("ab[0x \n\x1bz"))))).Draw(t, "pieces")
		data := []byte(strings.Join(pieces, ""))
		from := rapid.IntRange(0, len(data)).Draw(t, "from")
		ways := searchers(anchors)
		check(t, anchors, ways, data, from)
		checkAll(t, anchors, ways, data)
	})
}

func FuzzScan(f *testing.F) {
	f.Add([]byte("Call Trace:\n [<ffffffff81000000>] foo+0x10/0x20\n"), "", 0)
	f.Add([]byte("\x00\n\x1b@[ab@[\n@["), "ab\xff\nbc@\nabc", 1)
	f.Add([]byte(strings.Repeat("abab\n", 40)), "aba\nbab\n\x00\x00\x00", 64)
	kernel := searchers(kernelAnchors)
	f.Fuzz(func(t *testing.T, data []byte, list string, from int) {
		// The list is separated by line feeds, so the kernel's anchors stand
		// for those with a line feed.
		anchors, ways := kernelAnchors, kernel
		own := slices.DeleteFunc(strings.Split(list, "\n"), func(a string) bool { return len(a) < minLen })
		if len(own) > 0 && len(own) <= 200 {
			anchors, ways = own, searchers(own)
		}
		if from >= 0 && from <= len(data) {
			check(t, anchors, ways, data, from)
		}
		checkAll(t, anchors, ways, data)
	})
}

// dense returns n bytes or a little more of call traces: an anchor in each line.
func dense(n int) []byte {
	var out bytes.Buffer
	for i := 0; out.Len() < n; i++ {
		fmt.Fprintf(&out, "[%5d.%06d]  ? do_filp_open_%d+0x%x/0x%x\n", 100+i/1000, i%1e6, i%90, i%4096, i%8192)
	}
	return out.Bytes()
}

func BenchmarkNew(b *testing.B) {
	for b.Loop() {
		New(kernelAnchors...)
	}
}

func BenchmarkScan(b *testing.B) {
	ways := searchers(kernelAnchors)
	rare := searchers(slices.DeleteFunc(slices.Clone(kernelAnchors), func(a string) bool {
		return slices.Contains([]string{"000] ", "-fs (", "State:", " Part"}, a)
	}))
	long := noise(8 << 20)
	for _, c := range []struct {
		name string
		ways []searcher
		data []byte
	}{
		{"noise", ways, long[:256<<10]},
		{"noise-without-hits", rare, long[:256<<10]},
		{"noise-cold", rare, bytes.Repeat(long, 16)}, // the branches are not learned by heart, either
		{"dense", ways, dense(256 << 10)},
	} {
		for _, way := range c.ways {
			b.Run(c.name+"/"+way.name, func(b *testing.B) {
				b.SetBytes(int64(len(c.data)))
				hits := 0
				for b.Loop() {
					hits = 0
					for from := 0; ; hits++ {
						at, _, _ := way.scan(c.data, from)
						if at < 0 {
							break
						}
						from = at + 1
					}
				}
				b.ReportMetric(1e6*float64(hits)/float64(len(c.data)), "hits/MB")
			})
		}
	}
}
