package parse

import (
	"fmt"
	"math/rand"
	"slices"
	"strings"
	"testing"
)

// TestInterleaved prints two logs into each other, in bursts of random length.
// With caller ids the events are those of the two logs; without, no record is
// lost, and a stack that is not one of theirs is marked.
func TestInterleaved(t *testing.T) {
	text := func(name string) (out []string) {
		for l := range strings.Lines(logs(t)[name]) {
			if _, s, ok := strings.Cut(strings.TrimSuffix(l, "\n"), "] "); ok {
				out = append(out, s)
			}
		}
		return out
	}
	hung := text("hung-7.2.txtar")
	one, two := append(slices.Clone(hung), text("nmi-6.1.txtar")...), slices.Repeat(text("hung-7.2.txtar"), 2)
	stacks := func(log string) (all []string, res Result) {
		evs, res := readAll(log, Options{})
		for _, e := range evs {
			if k, ok := e.(*Task); ok && k.Trace != nil && !k.Trace.Mixed && len(k.Trace.Frames) > 0 {
				c := *k
				c.Source, c.Release = 0, "" // a foreign line may hide which report a header belongs to
				all = append(all, summary(&c, false))
			}
		}
		return all, res
	}
	for _, ids := range []bool{true, false} {
		for seed := range int64(40) {
			r := rand.New(rand.NewSource(seed))
			idA, idB := "] ", "] "
			if ids {
				idA, idB = "][    T1] ", "][    C0] "
			}
			a, b := slices.Clone(one), slices.Clone(two)
			var log, apart strings.Builder
			usec := 0
			write := func(to *strings.Builder, id string, ls []string) {
				for _, l := range ls {
					usec++ // one line twice at the same time is a copy
					fmt.Fprintf(to, "[   40.%06d%s%s\n", usec, id, l)
				}
			}
			write(&log, idA, hung) // a whole trace shows how this kernel's stacks end
			write(&apart, idA, append(slices.Clone(hung), a...))
			write(&apart, idB, b)
			burst := 1 << r.Intn(5)
			for len(a)+len(b) > 0 {
				n := min(len(a), 1+r.Intn(burst))
				write(&log, idA, a[:n])
				a = a[n:]
				n = min(len(b), 1+r.Intn(burst))
				write(&log, idB, b[:n])
				b = b[n:]
			}
			want, wantRes := stacks(apart.String())
			got, gotRes := stacks(log.String())
			if gotRes.Records != wantRes.Records {
				t.Errorf("ids %v, seed %d: %+v, want %+v", ids, seed, gotRes.Records, wantRes.Records)
			}
			if ids {
				slices.Sort(want)
				slices.Sort(got)
				if !slices.Equal(got, want) {
					t.Errorf("seed %d: stacks differ", seed)
				}
				continue
			}
			for _, s := range got {
				if !slices.Contains(want, s) {
					t.Errorf("seed %d, bursts up to %d: a false stack is not marked:\n%s", seed, burst, s)
					break
				}
			}
		}
	}
}
