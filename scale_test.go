package oomtrace_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/oomtrace/oomtrace"
	"github.com/oomtrace/oomtrace/internal/golden"
	"github.com/oomtrace/oomtrace/report"
)

// whole benchmarks everything from the text to its JSON.
func whole(b *testing.B, log string) {
	src := oomtrace.Source{Name: "x", Open: func() (io.ReadCloser, error) { return io.NopCloser(strings.NewReader(log)), nil }}
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		rep, err := oomtrace.Analyze(context.Background(), []oomtrace.Source{src}, oomtrace.Options{})
		if err != nil {
			b.Fatal(err)
		}
		if err := report.Write(io.Discard, rep, "json", report.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkAnalyzeOOMs is a log of n OOM reports, in each form: the cost must
// grow as n does.
func BenchmarkAnalyzeOOMs(b *testing.B) {
	for _, l := range []oomLog{{form: "3.2"}, {form: "3.14"}, {form: "6.1"}, {form: "6.1", reap: true, groups: 1, rows: 3, wrap: 1000}} {
		for _, n := range []int{1000, 2000, 4000} {
			l.n = n
			b.Run(fmt.Sprintf("%s/reaper=%v/reports=%d", l.form, l.reap, n), func(b *testing.B) { whole(b, l.String()) })
		}
	}
}

// BenchmarkAnalyzeTasks is a dump of n tasks, of which one in ten or all wait.
func BenchmarkAnalyzeTasks(b *testing.B) {
	for _, share := range []int{10, 1} {
		for _, n := range []int{5000, 10_000, 20_000} {
			b.Run(fmt.Sprintf("waiting=1of%d/tasks=%d", share, n), func(b *testing.B) { whole(b, taskLog(n, share)) })
		}
	}
}

// TestFoldedReport holds what is told of a thousand OOMs of one group.
func TestFoldedReport(t *testing.T) {
	log := oomLog{form: "6.1", n: 1000, groups: 1, rows: 3, reap: true}.String()
	rep := analyze(t, oomtrace.Options{}, source("kern.log", []byte(log)))
	if len(rep.Incidents) != 1 || rep.Inputs[0].Records.OOM != 1000 || rep.Inputs[0].Records.Kill != 1000 {
		t.Fatalf("%d incidents, records %+v", len(rep.Incidents), rep.Inputs[0].Records)
	}
	var b bytes.Buffer
	b.Write(render(t, rep, "text"))
	inc := &rep.Incidents[0]
	b.WriteString("\ntimeline\n")
	for _, e := range inc.Timeline {
		fmt.Fprintf(&b, "%d: %s: %s\n", e.Line, e.Kind, e.Text)
	}
	golden.Check(t, "testdata/folded.txt", b.Bytes())
	f := inc.Folded
	if len(f) != 1 || f[0].Reports+len(inc.OOMs) != 1000 || f[0].Kills != f[0].Reports || f[0].Reaped != f[0].Kills || f[0].Like.Line != 2 {
		t.Errorf("folded %+v, %d listed", f, len(inc.OOMs))
	}
}

// TestSameStacks: beyond 2000 tasks those that wait refer to an equal stack, and
// all stacks can be found.
func TestSameStacks(t *testing.T) {
	for n, refer := range map[int]bool{1500: false, 2500: true} {
		rep := analyze(t, oomtrace.Options{}, source("x", []byte(taskLog(n, 1))))
		inc := &rep.Incidents[0]
		if len(inc.Tasks) != n {
			t.Fatalf("%d tasks", len(inc.Tasks))
		}
		has := map[string]bool{}
		same := 0
		for i := range inc.Tasks {
			task := &inc.Tasks[i]
			has[task.ID] = len(task.Stack) == 20
			switch {
			case task.SameStack == nil && len(task.Stack) != 20:
				t.Fatalf("%s has %d frames", task.ID, len(task.Stack))
			case task.SameStack != nil:
				same++
				if !has[*task.SameStack] || len(task.Stack) > 0 || !slices.Contains([]string{"blocked", "bystander", "oom_waiter"}, task.Role) {
					t.Fatalf("%s, %s, refers to %s and has %d frames", task.ID, task.Role, *task.SameStack, len(task.Stack))
				}
			}
		}
		if refer != (same > 0) || refer && same < n-100-51 {
			t.Errorf("%d tasks, %d refer", n, same)
		}
	}
}
