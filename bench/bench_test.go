package main

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oomtrace/oomtrace/internal/golden"
)

// The tests measure as the harness does, by running this program again.
func TestMain(m *testing.M) {
	if len(os.Args) == 3 && os.Args[1] == measureMode {
		main()
		return
	}
	os.Exit(m.Run())
}

// fake are results as a machine may give them, one of each way to fail among
// them.
func fake() *Results {
	r := &Results{
		Machine: Machine{CPU: "Some CPU", Cores: 8, Memory: 32e9, Go: "1.99.1", System: "linux/amd64, Linux 9.9"},
		Runs:    3, Sizes: fullSizes,
	}
	add := func(table, key string, row Row) {
		row.Key = key
		if row.Label == "" {
			row.Label = key
		}
		r.table(table).Rows = append(r.table(table).Rows, row)
	}
	stream := func(cpu float64, rss int64) Row {
		return Row{Bytes: 2e9, Run: Run{User: cpu * 0.75, Sys: cpu * 0.25, Wall: cpu * 1.1, RSS: rss}}
	}
	add("memory", "sum", Row{Bytes: 20e9, Run: Run{User: 1}})
	add("memory", "copy", Row{Bytes: 10e9, Run: Run{User: 1}})
	add("noise", "read", stream(0.25, 5e6))
	add("noise", "grep", Row{Missing: "not installed"})
	add("noise", "rg-ten", stream(1, 2e9))
	add("noise", "rg", stream(2, 2e9))
	add("noise", "cadvisor", stream(8, 10e6))
	add("noise", "oomtrace", stream(0.5, 30e6))
	add("noise", "portable", stream(0.8, 30e6))
	add("threads", "noise-1", stream(0.5, 30e6))
	add("threads", "noise-2", Row{Bytes: 2e9, Run: Run{User: 0.5, Sys: 0.1, Wall: 0.3, RSS: 31e6}})
	add("inputs", "file", stream(0.6, 40e6))
	add("inputs", "stdin", stream(0.6, 70e6))
	add("inputs", "pipe", stream(0.6, 40e6))
	add("dense", "stacks", Row{Bytes: 50e6, Run: Run{User: 0.2, Wall: 0.2, RSS: 40e6}})
	add("ooms", "all", Row{Bytes: 3.6e9, N: 1_000_000, Run: Run{User: 9, Wall: 9, RSS: 6e9, Stopped: "stopped at 6.00 GB of memory"}, Missing: "stopped at 6.00 GB of memory"})
	add("start", "small", Row{Mean: 0.0123, Run: Run{Wall: 0.0111, RSS: 20e6}})
	for i, cpu := range []float64{1, 2.1, 4.3} {
		add("growth", "ooms-"+[]string{"1", "2", "4"}[i], Row{N: 50_000 << i, Run: Run{User: cpu, RSS: 100e6}})
	}
	return r
}

func TestRender(t *testing.T) {
	was := notes
	defer func() { notes = was }()
	notes = "## Notes\n\nBy hand.\n"
	page, err := render(fake())
	if err != nil {
		t.Fatal(err)
	}
	golden.Check(t, "testdata/page.md", page)
}

// A quick run shows that everything runs: it is no word on the goals.
func TestQuickJudgesNothing(t *testing.T) {
	r := fake()
	r.Quick = true
	page, err := render(r)
	if err != nil {
		t.Fatal(err)
	}
	if n := bytes.Count(page, []byte("not measured |")); n != len(goals) {
		t.Errorf("%d of %d goals are not measured", n, len(goals))
	}
}

func TestMeasure(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "text")
	if err := os.WriteFile(file, []byte("some\ntext\n"), 0o666); err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(dir, "out")
	for name, s := range map[string]Spec{
		"file":  {Args: []string{"cat", file}, Pin: true},
		"stdin": {Args: []string{"cat"}, Stdin: file},
		"pipe":  {Args: []string{"cat"}, Feed: []string{"cat", file}},
	} {
		s.Stdout, s.MaxRSS, s.Limit = out, 1e9, time.Minute
		runs, err := measure(self, s, 2)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		got, err := os.ReadFile(out)
		if err != nil || string(got) != "some\ntext\n" {
			t.Errorf("%s: the program wrote %q, %v", name, got, err)
		}
		if r := least(runs); len(runs) != 2 || r.Wall <= 0 || r.RSS < 1<<20 || r.RSS > 1<<27 || r.Stopped != "" {
			t.Errorf("%s: %+v", name, runs)
		}
	}
	if _, err := measure(self, Spec{Args: []string{"cat", filepath.Join(dir, "none")}}, 1); err == nil || !strings.Contains(err.Error(), "No such file") {
		t.Errorf("a program that fails: %v", err)
	}
	if _, err := measure(self, Spec{Args: []string{"cat", filepath.Join(dir, "none")}, OK: []int{1}}, 1); err != nil {
		t.Errorf("a program that may end with 1: %v", err)
	}
	runs, err := measure(self, Spec{Args: []string{"sleep", "60"}, Limit: 100 * time.Millisecond}, 3)
	if err != nil || len(runs) != 1 || runs[0].Stopped != "stopped after 100ms" {
		t.Errorf("a program without end: %+v, %v", runs, err)
	}
	runs, err = measure(self, Spec{Args: []string{"sleep", "60"}, MaxRSS: 1}, 3)
	if err != nil || len(runs) != 1 || !strings.HasPrefix(runs[0].Stopped, "stopped at") {
		t.Errorf("a program that is too large: %+v, %v", runs, err)
	}
}

// Tables that are not measured anew are those of the run before.
func TestResults(t *testing.T) {
	file := filepath.Join(t.TempDir(), "results.json")
	r := fake()
	if err := r.load(file); err != nil {
		t.Fatalf("without a file: %v", err)
	}
	if err := r.save(file); err != nil {
		t.Fatal(err)
	}
	again := &Results{Machine: r.Machine, Runs: r.Runs, Sizes: r.Sizes}
	if err := again.load(file); err != nil || !reflect.DeepEqual(r, again) {
		t.Errorf("%v: saved %+v, loaded %+v", err, r, again)
	}
	other := &Results{Machine: r.Machine, Runs: r.Runs, Sizes: quickSizes}
	if err := other.load(file); err == nil {
		t.Error("results of other texts were taken")
	}
}

func TestFlags(t *testing.T) {
	for _, args := range [][]string{{"-only", "nonsense"}, {"-k", "0"}, {"-write", "noise"}, {"-write", "nonsense:1"}, {"-root", t.TempDir()}, {"more"}} {
		if err := run(args, new(bytes.Buffer), new(bytes.Buffer)); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
	var out bytes.Buffer
	if err := run([]string{"-write", "tasks:3"}, &out, new(bytes.Buffer)); err != nil || bytes.Count(out.Bytes(), []byte("task:")) != 3 {
		t.Errorf("%v: %.200s", err, out.Bytes())
	}
}

func TestAnchors(t *testing.T) {
	texts, err := anchors("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"+0x", "Call Trace", "total-vm"} {
		if !slices.Contains(texts, want) {
			t.Errorf("%q is not among the anchors %q", want, texts)
		}
	}
}
