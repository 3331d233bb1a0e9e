package report_test

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"github.com/google/pprof/profile"

	"github.com/oomtrace/oomtrace/internal/golden"
	"github.com/oomtrace/oomtrace/report"
)

func writeDiff(t *testing.T, d *report.Diff, format string, opt report.Options) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.WriteDiff(&b, d, format, opt); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// diffed are two reports with one signature in both, one gone and one new.
func diffed(t *testing.T) (a, b *report.Report) {
	all := cases(t)
	a, b = all["trap"], all["hang"]
	a.Incidents = append(a.Incidents, all["resolved"].Incidents[0])
	surer := load(t, "testdata/trap.report.json").Incidents[0]
	surer.Confidence = "confirmed"
	b.Incidents = append(b.Incidents, surer, surer)
	return a, b
}

func TestDiff(t *testing.T) {
	a, b := diffed(t)
	d := report.Compare(a, b)
	for _, format := range report.DiffFormats() {
		golden.Check(t, "testdata/diff."+format, []byte(writeDiff(t, d, format, report.Options{})))
	}
	if len(d.New) != 1 || len(d.Gone) != 1 || len(d.Same) != 1 {
		t.Fatalf("%d new, %d gone, %d the same", len(d.New), len(d.Gone), len(d.Same))
	}
	if s := d.Same[0]; s.A.Count != 1 || s.B.Count != 2 || s.A.Confidence != "likely" || s.B.Confidence != "confirmed" {
		t.Errorf("the same: %+v, %+v", s.A, s.B)
	}
	if d := report.Compare(a, a); len(d.New)+len(d.Gone) != 0 || len(d.Same) != 2 {
		t.Errorf("a report differs from itself: %+v", d)
	}
	if err := report.WriteDiff(&bytes.Buffer{}, d, "xml", report.Options{}); err == nil {
		t.Error("no error for an unknown format")
	}
}

func TestDiffOfNothing(t *testing.T) {
	d := report.Compare(&report.Report{}, &report.Report{})
	if out := writeDiff(t, d, "text", report.Options{}); !strings.Contains(out, "no incident") {
		t.Errorf("%q", out)
	}
	if out := writeDiff(t, d, "json", report.Options{}); strings.Contains(out, "null") {
		t.Errorf("a nil list: %s", out)
	}
}

func TestHostileDiff(t *testing.T) {
	for name, r := range poisoned(t) {
		d := report.Compare(cases(t)["hang"], r)
		for _, format := range report.DiffFormats() {
			out := writeDiff(t, d, format, report.Options{})
			for _, bad := range unprintable(out) {
				if bad != '\ufffd' {
					t.Errorf("%s of %s: %q", format, name, bad)
				}
			}
			switch format {
			case "json":
				if !json.Valid([]byte(out)) {
					t.Errorf("%s: no JSON", name)
				}
			case "markdown":
				prose, err := markdownProse(out)
				if err != nil {
					t.Errorf("%s: %v", name, err)
				}
				for _, line := range prose {
					checkProse(t, name, line)
				}
			}
		}
	}
}

func TestDiffProfile(t *testing.T) {
	a, b := diffed(t)
	p, err := report.DiffProfile(a, b, report.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var buf bytes.Buffer
	if err := p.Write(&buf); err != nil {
		t.Fatal(err)
	}
	if p, err = profile.Parse(&buf); err != nil {
		t.Fatal(err)
	}
	var plus, minus int64
	for _, s := range p.Sample {
		if base := s.Label["pprof::base"] != nil; base != (s.Value[0] < 0) {
			t.Errorf("sample %v, base %v", s.Value, base)
		}
		if s.Value[0] > 0 {
			plus += s.Value[0]
		} else {
			minus += s.Value[0]
		}
	}
	if plus != 38 || minus != -4 { // 32 of the hang and 3 of each trap; 3 of a trap and the victim
		t.Errorf("%d and %d tasks", plus, minus)
	}
}
