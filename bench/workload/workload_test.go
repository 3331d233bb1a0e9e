package workload

import (
	"bytes"
	"context"
	"hash/fnv"
	"io"
	"os"
	"testing"

	"github.com/oomtrace/oomtrace"
	"github.com/oomtrace/oomtrace/report"
)

func load(t testing.TB) *Texts {
	t.Helper()
	texts, err := Load(os.DirFS("../../testdata"))
	if err != nil {
		t.Fatal(err)
	}
	return texts
}

// sizes are small ones that hold some of everything.
var sizes = map[string]int64{"noise": 8 << 20, "dense": 2 << 20, "tasks": 200, "ooms": 100, "ftrace": 1 << 20}

// analyze makes a text and returns what was planted in it, and what the
// analysis finds.
func analyze(t *testing.T, texts *Texts, w Workload) (Planted, *Found) {
	t.Helper()
	var b, out bytes.Buffer
	p, err := w.Make(&b, texts, sizes[w.Name])
	if err != nil {
		t.Fatal(err)
	}
	if int64(b.Len()) != p.Bytes || int64(bytes.Count(b.Bytes(), []byte("\n"))) != p.Lines {
		t.Fatalf("%d bytes and %d lines are said to be %d and %d", b.Len(), bytes.Count(b.Bytes(), []byte("\n")), p.Bytes, p.Lines)
	}
	r, err := oomtrace.Analyze(context.Background(), []oomtrace.Source{{Name: w.Name, Open: func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(b.Bytes())), nil
	}}}, oomtrace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	format, _ := report.Lookup("json")
	if err := format.Write(&out, r, report.Options{}); err != nil {
		t.Fatal(err)
	}
	f, err := Read(&out)
	if err != nil {
		t.Fatal(err)
	}
	return p, f
}

// TestFound holds that the analysis finds what was planted, all and no more.
func TestFound(t *testing.T) {
	texts := load(t)
	for _, w := range All {
		t.Run(w.Name, func(t *testing.T) {
			p, f := analyze(t, texts, w)
			if err := f.Check(&p); err != nil {
				t.Error(err)
			}
			if p.OOM+p.TaskDump+p.FtraceEvent == 0 {
				t.Errorf("nothing was planted: %+v", p)
			}
		})
	}
}

// Whatever is found wrongly is an error.
func TestCheckNotices(t *testing.T) {
	texts := load(t)
	noise, err := Lookup("noise")
	if err != nil {
		t.Fatal(err)
	}
	p, f := analyze(t, texts, noise)
	if err := f.Check(&p); err != nil || len(f.OOMs) == 0 {
		t.Fatal(len(f.OOMs), err)
	}
	for what, edit := range map[string]func(p *Planted, f *Found){
		"a report more":       func(p *Planted, f *Found) { p.OOM++ },
		"a report counted":    func(p *Planted, f *Found) { f.Folded.Reports++ },
		"a hung task less":    func(p *Planted, f *Found) { f.Records.HungTask-- },
		"a line less":         func(p *Planted, f *Found) { f.Lines-- },
		"a stray frame":       func(p *Planted, f *Found) { f.Records.StrayFrame++ },
		"the line of another": func(p *Planted, f *Found) { f.OOMs[0].Line++ },
		"another victim":      func(p *Planted, f *Found) { f.OOMs[0].Victims[0].Pid++ },
		"no victim":           func(p *Planted, f *Found) { f.OOMs[0].Victims = nil },
		"tasks of no lock":    func(p *Planted, f *Found) { p.Blocked = f.Tasks + 1 },
	} {
		p, f := analyze(t, texts, noise)
		edit(&p, f)
		if f.Check(&p) == nil {
			t.Errorf("%s: no error", what)
		}
	}
}

func TestDeterministic(t *testing.T) {
	texts := load(t)
	for _, w := range All {
		var sums [2]uint64
		for i := range sums {
			h := fnv.New64a()
			if _, err := w.Make(h, texts, sizes[w.Name]/4); err != nil {
				t.Fatal(err)
			}
			sums[i] = h.Sum64()
		}
		if sums[0] != sums[1] {
			t.Errorf("%s: two texts of one size differ", w.Name)
		}
	}
}

// TestShare holds that one line of noise in a thousand is part of a report.
func TestShare(t *testing.T) {
	p, err := Noise(io.Discard, load(t), 64<<20)
	if err != nil {
		t.Fatal(err)
	}
	if share := float64(p.ReportLines) / float64(p.Lines); share < 0.0008 || share > 0.0012 {
		t.Errorf("%.5f of the lines belong to reports", share)
	}
	if len(p.Reports) < 5 {
		t.Errorf("%d reports", len(p.Reports))
	}
}

func TestShapes(t *testing.T) {
	for _, list := range [][]shape{sleepers, waiters, holders} {
		for i, trace := range lines(list) {
			if len(trace) != 20 {
				t.Errorf("%s has %d frames", list[i].name, len(trace))
			}
		}
	}
}

func BenchmarkMake(b *testing.B) {
	texts := load(b)
	for _, w := range All {
		b.Run(w.Name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				p, err := w.Make(io.Discard, texts, sizes[w.Name])
				if err != nil {
					b.Fatal(err)
				}
				b.SetBytes(p.Bytes)
			}
		})
	}
}
