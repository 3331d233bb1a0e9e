package oomtrace_test

import (
	"bytes"
	"context"
	"io"
	"os"
	"strings"
	"testing"

	"github.com/oomtrace/oomtrace"
	"github.com/oomtrace/oomtrace/report"
)

// FuzzAnalyze: no input makes the walk panic, cites a line that is not there,
// or fails a renderer. Run it with go test -fuzz FuzzAnalyze.
func FuzzAnalyze(f *testing.F) {
	for _, name := range []string{"stacks-3.x-memcg-trap-changelog", "procstack-6.1-fuse-oom-cycle"} {
		data, err := os.ReadFile("testdata/dmesg/" + name + ".log")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	trap, err := os.ReadFile("testdata/dmesg/oom-3.2-memcg-trap-ext3.log")
	if err != nil {
		f.Fatal(err)
	}
	// Small seeds: a coverage-guided run spends its time on minimising large ones.
	lines := strings.SplitAfter(string(trap), "\n")
	f.Add([]byte(strings.Join(lines[128:204], "")))
	f.Add([]byte(strings.Join(lines[333:356], "")))
	f.Fuzz(func(t *testing.T, data []byte) {
		src := source("log", data)
		src.Open = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }
		rep, err := oomtrace.Analyze(context.Background(), []oomtrace.Source{src}, oomtrace.Options{OOMHandlers: []string{"oomhandler"}, FuseDaemons: []string{"labfused"}})
		if err != nil {
			t.Fatal(err)
		}
		last := bytes.Count(data, []byte("\n")) + 1
		checkRefs(t, rep, last)
		for _, fm := range report.Formats() {
			if err := fm.Write(io.Discard, rep, report.Options{Verbose: true, Tasks: true, Graph: true, Why: true}); err != nil && fm.Name != "svg" {
				t.Errorf("%s: %v", fm.Name, err)
			}
		}
	})
}

// checkRefs: every citation points into the input, every edge and cycle at a
// node that exists.
func checkRefs(t *testing.T, rep *report.Report, last int) {
	t.Helper()
	line := func(what string, n int) {
		if n < 1 || n > last {
			t.Errorf("%s cites line %d of %d", what, n, last)
		}
	}
	for _, inc := range rep.Incidents {
		nodes := map[string]bool{}
		for _, n := range inc.WaitGraph.Nodes {
			if nodes[n.ID] {
				t.Errorf("node %s twice", n.ID)
			}
			nodes[n.ID] = true
		}
		for _, e := range inc.WaitGraph.Edges {
			if !nodes[e.From] || !nodes[e.To] {
				t.Errorf("edge %s -> %s has no node", e.From, e.To)
			}
			for _, r := range e.Evidence {
				line("an edge", r.Line)
			}
		}
		for _, c := range inc.WaitGraph.Cycles {
			for _, id := range c {
				if !nodes[id] {
					t.Errorf("cycle has no node %s", id)
				}
			}
		}
		for _, f := range inc.Findings {
			for _, e := range f.Evidence {
				line(f.Rule, e.Line)
			}
			if f.Cycle != nil && *f.Cycle >= len(inc.WaitGraph.Cycles) {
				t.Errorf("%s: no cycle %d", f.Rule, *f.Cycle)
			}
		}
		for _, e := range inc.Timeline {
			line("the timeline", e.Line)
		}
	}
}
