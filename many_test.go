package oomtrace_test

import (
	"context"
	"fmt"
	"io"
	"testing"

	"github.com/oomtrace/oomtrace"
	"github.com/oomtrace/oomtrace/report"
)

// analyzeOOMs analyses a log as it is made: it is nowhere as a whole.
func analyzeOOMs(t testing.TB, l oomLog) *report.Report {
	t.Helper()
	rep, err := oomtrace.Analyze(context.Background(), []oomtrace.Source{{Name: "ooms.log", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(l.reader()), nil
	}}}, oomtrace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

// TestManyOOMs: of thousands of healthy OOMs each is counted, few are listed,
// whatever the kernel, and none is a deadlock. (That folding hides no victim that
// is stuck: detect's TestFoldingChangesNoVerdict.)
func TestManyOOMs(t *testing.T) {
	const n = 3000
	for form, f := range oomForms {
		l := oomLog{form: form, n: n, reap: f.reap != ""}
		rep := analyzeOOMs(t, l)
		in := rep.Inputs[0].Records
		if in.OOM != n || in.Kill != n {
			t.Errorf("%s: %d reports, %d kills", form, in.OOM, in.Kill)
		}
		listed, reports, kills := 0, 0, 0
		for _, inc := range rep.Incidents {
			if inc.Verdict == "deadlock" || inc.Verdict == "livelock" || inc.Verdict == "hang" {
				t.Errorf("%s: %s", form, inc.Headline)
			}
			listed += len(inc.OOMs)
			for _, fo := range inc.Folded {
				reports += fo.Reports
				kills += fo.Kills
			}
		}
		if listed+reports != n || listed > n/10 || kills > reports {
			t.Errorf("%s: %d reports listed, %d folded with %d kills, of %d", form, listed, reports, kills, n)
		}
		if len(rep.Incidents) > 20 {
			t.Errorf("%s: %d incidents of 5 groups", form, len(rep.Incidents))
		}
	}
}

// BenchmarkOOMs: cost is linear in the reports of a log, memory hardly grows.
func BenchmarkOOMs(b *testing.B) {
	for _, n := range []int{5000, 10_000, 20_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			l := oomLog{form: "6.1", n: n, reap: true}
			b.SetBytes(int64(len(l.String())))
			b.ReportAllocs()
			for b.Loop() {
				analyzeOOMs(b, l)
			}
		})
	}
}
