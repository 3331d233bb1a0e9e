package parse

import (
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	diff "github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var update = flag.Bool("update", false, "write the golden files anew")

func sortEvents(evs []Event) {
	slices.SortStableFunc(evs, func(a, b Event) int {
		x, y := a.Head().Span, b.Head().Span
		return cmp.Or(cmp.Compare(x.First, y.First), cmp.Compare(y.Last, x.Last))
	})
}

// describe is what a golden file expects of a log.
func describe(log string) string {
	evs, res := readAll(log, Options{})
	var b strings.Builder
	counts, _ := json.Marshal(res.Records)
	fmt.Fprintf(&b, "%s %s\n", res.Framing, counts)
	for _, d := range res.Diagnostics {
		fmt.Fprintf(&b, "%d: %s %s: %s\n", d.Line, d.Severity, d.Code, d.Message)
	}
	for _, e := range evs {
		b.WriteString(summary(e, true))
	}
	return b.String()
}

// TestGolden reads testdata/*.txtar: a log, and what comes out of it.
func TestGolden(t *testing.T) {
	files, _ := filepath.Glob("testdata/*.txtar")
	if len(files) == 0 {
		t.Fatal("no golden files")
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var log, want *txtar.File
			for i := range ar.Files {
				switch f := &ar.Files[i]; f.Name {
				case "log":
					log = f
				case "want":
					want = f
				}
			}
			if log == nil {
				t.Fatal("no log")
			}
			got := describe(string(log.Data))
			if *update {
				if want == nil {
					ar.Files = append(ar.Files, txtar.File{Name: "want"})
					want = &ar.Files[len(ar.Files)-1]
				}
				want.Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if want == nil {
				t.Fatal("no want; run with -update")
			}
			if d := diff.Diff(string(want.Data), got); d != "" {
				t.Errorf("(-want +got)\n%s", d)
			}
		})
	}
}

// logs returns the logs of all golden files.
func logs(t testing.TB) map[string]string {
	files, _ := filepath.Glob("testdata/*.txtar")
	out := make(map[string]string)
	for _, file := range files {
		ar, err := txtar.ParseFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range ar.Files {
			if f.Name == "log" {
				out[filepath.Base(file)] = string(f.Data)
			}
		}
	}
	return out
}

// checkEvents holds what is true of every event of every input.
func checkEvents(t *testing.T, evs []Event, res Result) {
	t.Helper()
	frames := func(tr *Trace, m *Meta) {
		if tr == nil {
			return
		}
		for i := range tr.Frames {
			if n := tr.Line(&tr.Frames[i]); n < m.Span.First || n > m.Span.Last {
				t.Errorf("%T: frame of line %d outside %v", m, n, m.Span)
			}
		}
	}
	for _, e := range evs {
		m := e.Head()
		if m.Span.First < 1 || m.Span.Last < m.Span.First || m.Span.Last > res.Lines {
			t.Errorf("%T: span %+v outside the input's %d lines", e, m.Span, res.Lines)
		}
		switch v := e.(type) {
		case *Task:
			frames(v.Trace, m)
		case *OOM:
			frames(v.Trace, m)
			for _, k := range v.Kills {
				if k.Report != v {
					t.Error("a kill does not refer to its report")
				}
			}
		}
	}
	for _, d := range res.Diagnostics {
		if d.Line < 0 || d.Line > res.Lines {
			t.Errorf("diagnostic outside the input: %+v", d)
		}
	}
}

// TestCutAnywhere cuts every log after every line, and every line in the
// middle: nothing may panic, and no event may reach past the cut.
func TestCutAnywhere(t *testing.T) {
	for name, log := range logs(t) {
		for i := 0; i < len(log); i++ {
			if log[i] != '\n' {
				continue
			}
			for _, cut := range [...]int{i + 1, max(0, i-i%23)} {
				evs, res := readAll(log[:cut], Options{})
				checkEvents(t, evs, res)
				if t.Failed() {
					t.Fatalf("%s cut at byte %d", name, cut)
				}
			}
		}
	}
}

// TestShuffledNoise puts lines of no interest between all lines of each log
// that has time stamps: no record may be lost by that.
func TestShuffledNoise(t *testing.T) {
	for name, log := range logs(t) {
		if !strings.HasPrefix(log, "[") {
			continue
		}
		var b strings.Builder
		for l := range strings.Lines(log) {
			b.WriteString(l)
			if i := strings.Index(l, "] "); i > 0 {
				b.WriteString(l[:i] + "] eth0: link becomes ready\n")
			}
		}
		_, want := readAll(log, Options{})
		_, got := readAll(b.String(), Options{})
		if d := diff.Diff(want.Records, got.Records); d != "" {
			t.Errorf("%s: records change (-want +got)\n%s", name, d)
		}
	}
}
