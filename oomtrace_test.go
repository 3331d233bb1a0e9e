package oomtrace_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/oomtrace/oomtrace"
	"github.com/oomtrace/oomtrace/internal/golden"
	"github.com/oomtrace/oomtrace/report"
)

func logs(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/dmesg/*.log")
	if err != nil || len(files) == 0 {
		t.Fatal("no logs in testdata/dmesg", err)
	}
	return files
}

func source(name string, data []byte) oomtrace.Source {
	return oomtrace.Source{Name: name, Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data)), nil }}
}

func read(t *testing.T, file string) []byte {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func analyze(t *testing.T, opt oomtrace.Options, src ...oomtrace.Source) *report.Report {
	t.Helper()
	opt.Version = "test"
	rep, err := oomtrace.Analyze(context.Background(), src, opt)
	if err != nil {
		t.Fatal(err)
	}
	return rep
}

func render(t *testing.T, rep *report.Report, format string) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b, rep, format, report.Options{}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// summary is what a whole-walk golden file holds: the report without the
// stacks and log lines, which have tests of their own.
func summary(rep *report.Report) *report.Report {
	for i := range rep.Incidents {
		inc := &rep.Incidents[i]
		inc.Log = nil
		for j := range inc.Tasks {
			inc.Tasks[j].Stack = nil
		}
		for j := range inc.OOMs {
			inc.OOMs[j].Memory, inc.OOMs[j].Candidates = nil, nil
		}
	}
	return rep
}

// TestGoldenWalk holds the whole walk, log to JSON, for every log of
// testdata/dmesg.
func TestGoldenWalk(t *testing.T) {
	for _, file := range logs(t) {
		t.Run(filepath.Base(file), func(t *testing.T) {
			rep := analyze(t, oomtrace.Options{}, source(filepath.Base(file), read(t, file)))
			want := strings.TrimSuffix(file, filepath.Ext(file)) + ".want.json"
			golden.Check(t, want, render(t, summary(rep), "json"))
		})
	}
}

// TestSameBytes: the same input gives the same bytes in every format, whatever
// the parallelism and however the bytes arrive.
func TestSameBytes(t *testing.T) {
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(0))
	for _, file := range logs(t) {
		data := read(t, file)
		var first map[string][]byte
		for _, procs := range []int{1, 2} {
			runtime.GOMAXPROCS(procs)
			for run := range 2 {
				src := source(file, data)
				if run == 1 && len(data) < 100_000 {
					src.Open = func() (io.ReadCloser, error) { return io.NopCloser(iotest.OneByteReader(bytes.NewReader(data))), nil }
				}
				rep := analyze(t, oomtrace.Options{}, src, source("again", data))
				got := map[string][]byte{}
				for _, f := range report.Formats() {
					var b bytes.Buffer
					if err := f.Write(&b, rep, report.Options{}); err != nil {
						t.Logf("%s: %v", f.Name, err)
						continue
					}
					got[f.Name] = b.Bytes()
				}
				if first == nil {
					first = got
					continue
				}
				for name, b := range got {
					if !bytes.Equal(b, first[name]) {
						t.Errorf("%s: %s differs with GOMAXPROCS=%d, run %d", file, name, procs, run)
					}
				}
			}
		}
	}
}

// TestCutAnywhere: a log cut at any line gives no panic and no evidence beyond
// the cut.
func TestCutAnywhere(t *testing.T) {
	for _, file := range []string{"testdata/dmesg/oom-3.2-memcg-trap-ext3.log", "testdata/dmesg/oom-6.1-trap-locks-reaped.log"} {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		lines := bytes.SplitAfter(data, []byte("\n"))
		step := max(1, len(lines)/150)
		for n := 0; n <= len(lines); n += step {
			rep := analyze(t, oomtrace.Options{}, source("cut", bytes.Join(lines[:n], nil)))
			for _, inc := range rep.Incidents {
				for _, f := range inc.Findings {
					for _, e := range f.Evidence {
						if e.Line > n || e.Line < 1 {
							t.Fatalf("%s cut at %d: evidence at line %d", file, n, e.Line)
						}
					}
				}
				for _, e := range inc.WaitGraph.Edges {
					for _, r := range e.Evidence {
						if r.Line > n || r.Line < 1 {
							t.Fatalf("%s cut at %d: edge evidence at line %d", file, n, r.Line)
						}
					}
				}
			}
		}
	}
}

// framings write a log line in other wrappings; what they find must not
// depend on it.
var framings = map[string]func(n int, stamp, text string) string{
	"console level": func(_ int, stamp, text string) string { return "<6>[" + stamp + "] " + text },
	"caller id":     func(_ int, stamp, text string) string { return "[" + stamp + "][    T1] " + text },
	"dmesg -x":      func(_ int, stamp, text string) string { return "kern  :info  : [" + stamp + "] " + text },
	"syslog": func(_ int, stamp, text string) string {
		return "Nov 22 19:48:01 db-7 kernel: [" + stamp + "] " + text
	},
	"journal": func(_ int, _, text string) string { return "Nov 22 19:48:01 db-7 kernel: " + text },
	"rsyslog": func(_ int, stamp, text string) string {
		return "2026-11-22T19:48:01.123456+00:00 db-7 kernel: [" + stamp + "] " + text
	},
	"dmesg -T": func(_ int, _, text string) string { return "[Sun Nov 22 18:33:16 2026] " + text },
	"kmsg": func(n int, stamp, text string) string {
		us := strings.TrimLeft(strings.ReplaceAll(strings.TrimSpace(stamp), ".", ""), "0")
		if us == "" {
			us = "0"
		}
		return fmt.Sprintf("6,%d,%s,-;%s", n, us, text)
	},
	"quoted mail": func(_ int, stamp, text string) string { return "> > [" + stamp + "] " + text },
}

// TestFramingsAgree: one incident in every framing has the same findings.
func TestFramingsAgree(t *testing.T) {
	data := string(read(t, "testdata/dmesg/oom-3.2-memcg-trap-ext3.log"))
	want := findings(analyze(t, oomtrace.Options{}, source("raw", []byte(data))))
	if !strings.Contains(want, "memcg-oom-trap deadlock") {
		t.Fatalf("raw log has %s", want)
	}
	for name, wrap := range framings {
		t.Run(name, func(t *testing.T) {
			var b strings.Builder
			for i, l := range strings.Split(strings.ReplaceAll(data, "\r", ""), "\n") {
				stamp, text, ok := strings.Cut(strings.TrimPrefix(l, "["), "] ")
				if !ok {
					continue
				}
				b.WriteString(wrap(i, stamp, text) + "\n")
			}
			if got := findings(analyze(t, oomtrace.Options{}, source(name, []byte(b.String())))); got != want {
				t.Errorf("got\n%swant\n%s", got, want)
			}
		})
	}
}

func findings(rep *report.Report) string {
	var b strings.Builder
	for _, inc := range rep.Incidents {
		fmt.Fprintf(&b, "%s %s\n", inc.Verdict, inc.Signature)
		for _, f := range inc.Findings {
			fmt.Fprintf(&b, "  %s %s %s %v\n", f.Rule, f.Verdict, f.Confidence, f.Tasks)
		}
	}
	return b.String()
}

// TestRenamedPids: other pids, the same findings and signature.
func TestRenamedPids(t *testing.T) {
	data := string(read(t, "testdata/dmesg/oom-3.2-memcg-trap-ext3.log"))
	raw := analyze(t, oomtrace.Options{}, source("raw", []byte(data)))
	// Same width, so that columns stay: 47 -> 83, 51 -> 92.
	r := strings.NewReplacer("Pid: 51", "Pid: 92", "0    51 ", "0    92 ", "[   51]     0    51", "[   92]     0    92", "process 47 ", "process 83 ",
		"0    47 ", "0    83 ", "[   47]     0    47", "[   83]     0    83", "truncer:47", "truncer:83")
	renamed := analyze(t, oomtrace.Options{}, source("renamed", []byte(r.Replace(data))))
	a, b := raw.Incidents[0], renamed.Incidents[0]
	if a.Signature != b.Signature || a.Verdict != b.Verdict || a.Confidence != b.Confidence {
		t.Errorf("%s %s %s became %s %s %s", a.Verdict, a.Confidence, a.Signature, b.Verdict, b.Confidence, b.Signature)
	}
	if got := fmt.Sprint(b.Findings[0].Tasks); !strings.Contains(got, "92") || !strings.Contains(got, "83") {
		t.Errorf("tasks %v", got)
	}
}

// TestUnreadable: one bad source does not hide the others.
func TestUnreadable(t *testing.T) {
	bad := oomtrace.Source{Name: "bad", Open: func() (io.ReadCloser, error) { return nil, os.ErrPermission }}
	torn := oomtrace.Source{Name: "torn", Open: func() (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader("[ 1.0] text\n"), iotest.ErrReader(io.ErrUnexpectedEOF))), nil
	}}
	rep := analyze(t, oomtrace.Options{}, bad, source("good", read(t, "testdata/dmesg/oom-3.2-memcg-trap-ext3.log")), torn)
	if len(rep.Inputs) != 3 || len(rep.Incidents) == 0 {
		t.Fatalf("%d inputs, %d incidents", len(rep.Inputs), len(rep.Incidents))
	}
	for _, i := range []int{0, 2} {
		d := rep.Inputs[i].Diagnostics
		if len(d) == 0 || d[len(d)-1].Code != "unreadable" || d[len(d)-1].Severity != "error" {
			t.Errorf("input %d: %+v", i, d)
		}
	}
}

// TestTogether: the /proc reads of the same run do not lower the confidence.
func TestTogether(t *testing.T) {
	rank := map[string]int{"possible": 1, "likely": 2, "confirmed": 3}
	log := source("dmesg", read(t, "testdata/dmesg/oom-3.2-memcg-trap-ext3.log"))
	state := source("state", read(t, "testdata/dmesg/state-3.2-memcg-trap-ext3.log"))
	alone, both := analyze(t, oomtrace.Options{}, log), analyze(t, oomtrace.Options{}, log, state)
	if a, b := alone.Incidents[0].Confidence, both.Incidents[0].Confidence; rank[b] < rank[a] || b == "" {
		t.Errorf("%s alone, %s together", a, b)
	}
}

// TestCancelled: a cancelled context is the only error.
func TestCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := oomtrace.Analyze(ctx, []oomtrace.Source{source("x", nil)}, oomtrace.Options{}); err == nil {
		t.Error("no error")
	}
}

// TestReadmeExample keeps the example in README.md equal to what is printed.
func TestReadmeExample(t *testing.T) {
	const begin, end = "<!-- example: go test . -run TestReadmeExample -update -->\n", "<!-- end of example -->\n"
	readme := string(read(t, "README.md"))
	head, rest, ok := strings.Cut(readme, begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatal("README.md has no place for the example")
	}
	const log = "testdata/dmesg/oom-3.2-memcg-trap-ext3.log"
	text := string(render(t, analyze(t, oomtrace.Options{}, source(log, read(t, log))), "text"))
	first, _, ok := strings.Cut(text, "\n── incident 2")
	if !ok {
		t.Fatal("no second incident to cut the example at")
	}
	golden.Check(t, "README.md", []byte(head+begin+"```\n$ oomtrace analyze "+log+"\n"+first+"\n...\n```\n"+end+tail))
}

func BenchmarkAnalyze(b *testing.B) {
	data, err := os.ReadFile("testdata/dmesg/oom-3.2-memcg-trap-ext3.log")
	if err != nil {
		b.Fatal(err)
	}
	b.SetBytes(int64(len(data)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := oomtrace.Analyze(context.Background(), []oomtrace.Source{source("x", data)}, oomtrace.Options{}); err != nil {
			b.Fatal(err)
		}
	}
}
