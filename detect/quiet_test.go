package detect_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
)

// TestQuiet analyses testdata/quiet/*.log, logs of kernels at which nothing is
// deadlocked. None may have a finding with the verdict deadlock, at any level,
// or livelock; the OOM records and verdicts must be those of the first line,
//
//	# expect: ooms=1 verdict=hang,oom_resolved
//
// where "any" stands for whatever is neither of the two.
func TestQuiet(t *testing.T) {
	files, _ := filepath.Glob(filepath.Join("testdata", "quiet", "*.log"))
	if len(files) < 50 {
		t.Fatalf("%d quiet logs", len(files))
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".log"), func(t *testing.T) { runQuiet(t, file) })
	}
}

func runQuiet(t *testing.T, file string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var expect string
	for bytes.HasPrefix(data, []byte("#")) {
		line, rest, _ := bytes.Cut(data, []byte("\n"))
		if e, ok := strings.CutPrefix(string(line), "# expect: "); ok {
			expect = e
		}
		data = rest
	}
	var ooms int
	var verdicts []string
	for _, f := range strings.Fields(expect) {
		k, v, _ := strings.Cut(f, "=")
		switch k {
		case "ooms":
			ooms, _ = strconv.Atoi(v)
		case "verdict":
			verdicts = strings.Split(v, ",")
		}
	}
	if len(verdicts) == 0 {
		t.Fatal("no expectation in the first line")
	}
	got := 0
	var seen []string
	for _, inc := range analyze(t, &txtar.Archive{Files: []txtar.File{{Name: "log", Data: data}}}) {
		got += len(inc.OOMs)
		seen = append(seen, inc.Verdict)
		if inc.Verdict == "deadlock" || inc.Verdict == "livelock" {
			t.Errorf("verdict %s: %s", inc.Verdict, inc.Headline)
		}
		for _, f := range inc.Findings {
			if f.Verdict == "deadlock" || f.Verdict == "livelock" {
				t.Errorf("%s %s %s: %s", f.Rule, f.Verdict, f.Confidence, f.Summary)
			}
		}
		if len(inc.WaitGraph.Cycles) > 0 {
			t.Errorf("cycles: %v", inc.WaitGraph.Cycles)
		}
	}
	if got != ooms {
		t.Errorf("%d OOM records, want %d", got, ooms)
	}
	slices.Sort(seen)
	if seen = slices.Compact(seen); verdicts[0] != "any" && !slices.Equal(seen, verdicts) {
		t.Errorf("verdicts %v, want %v", seen, verdicts)
	}
}
