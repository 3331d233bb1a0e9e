package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"

	"github.com/oomtrace/oomtrace"
	"github.com/oomtrace/oomtrace/bench/workload"
	"github.com/oomtrace/oomtrace/detect"
	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/internal/input"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/report"
	"github.com/oomtrace/oomtrace/stacks"
)

// stageSizes make texts that are large enough to be no start-up, and small
// enough to be gone over many times.
var stageSizes = map[string]int64{"noise": 16e6, "dense": 8e6, "tasks": 2000, "ooms": 1000, "ftrace": 8e6}

// forTexts runs a benchmark over each workload.
func forTexts(b *testing.B, do func(b *testing.B, text []byte)) {
	texts, err := workload.Load(os.DirFS("../testdata"))
	if err != nil {
		b.Fatal(err)
	}
	for _, w := range workload.All {
		var text bytes.Buffer
		if _, err := w.Make(&text, texts, stageSizes[w.Name]); err != nil {
			b.Fatal(err)
		}
		b.Run(w.Name, func(b *testing.B) {
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			do(b, text.Bytes())
		})
	}
}

func source(text []byte) oomtrace.Source {
	return oomtrace.Source{Name: "text", Open: func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }}
}

// BenchmarkInput unpacks what it is given, to the plain text.
func BenchmarkInput(b *testing.B) {
	texts, err := workload.Load(os.DirFS("../testdata"))
	if err != nil {
		b.Fatal(err)
	}
	var text bytes.Buffer
	if _, err := workload.Noise(&text, texts, stageSizes["noise"]); err != nil {
		b.Fatal(err)
	}
	for _, c := range []struct {
		name string
		pack func(w io.Writer) io.WriteCloser
	}{
		{"plain", func(w io.Writer) io.WriteCloser { return plain{w} }},
		{"gzip", func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }},
		{"zstd", func(w io.Writer) io.WriteCloser { z, _ := zstd.NewWriter(w); return z }},
		{"lz4", func(w io.Writer) io.WriteCloser { return lz4.NewWriter(w) }},
	} {
		b.Run(c.name, func(b *testing.B) {
			name := filepath.Join(b.TempDir(), "log")
			f, err := os.Create(name)
			if err != nil {
				b.Fatal(err)
			}
			z := c.pack(f)
			if _, err := z.Write(text.Bytes()); err != nil {
				b.Fatal(err)
			}
			if err := z.Close(); err != nil {
				b.Fatal(err)
			}
			f.Close()
			b.SetBytes(int64(text.Len()))
			b.ReportAllocs()
			buf := make([]byte, 1<<20)
			for b.Loop() {
				in := input.Open([]string{name}, nil, input.Options{Limits: input.DefaultLimits})
				r, err := in.Sources[0].Open()
				if err != nil {
					b.Fatal(err)
				}
				n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{r}, buf)
				if err != nil || n != int64(text.Len()) {
					b.Fatal(n, err)
				}
				r.Close()
				in.Close()
			}
		})
	}
}

type plain struct{ io.Writer }

func (plain) Close() error { return nil }

// BenchmarkParse cuts lines and makes events of them.
func BenchmarkParse(b *testing.B) {
	forTexts(b, func(b *testing.B, text []byte) {
		for b.Loop() {
			if _, err := parse.Read(bytes.NewReader(text), parse.Options{}, func(parse.Event) {}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func snapshots(b *testing.B, text []byte) []*stacks.Snapshot {
	var c stacks.Collector
	var tr stacks.Tracer
	if _, err := parse.Read(bytes.NewReader(text), parse.Options{}, func(e parse.Event) {
		if !tr.Take(e) {
			c.Add(e)
		}
	}); err != nil {
		b.Fatal(err)
	}
	for _, e := range tr.End() {
		c.Add(e)
	}
	return c.Snapshots()
}

// BenchmarkStacks is BenchmarkParse and the snapshots.
func BenchmarkStacks(b *testing.B) {
	forTexts(b, func(b *testing.B, text []byte) {
		for b.Loop() {
			snapshots(b, text)
		}
	})
}

// BenchmarkGraph builds the wait-for graphs of the snapshots.
func BenchmarkGraph(b *testing.B) {
	forTexts(b, func(b *testing.B, text []byte) {
		snaps := snapshots(b, text)
		for b.Loop() {
			for _, s := range snaps {
				waitgraph.Build(s, waitgraph.Options{Model: lockmodel.Embedded()})
			}
		}
	})
}

// BenchmarkDetect makes incidents and findings of the graphs.
func BenchmarkDetect(b *testing.B) {
	forTexts(b, func(b *testing.B, text []byte) {
		var graphs []*waitgraph.Graph
		for _, s := range snapshots(b, text) {
			graphs = append(graphs, waitgraph.Build(s, waitgraph.Options{Model: lockmodel.Embedded()}))
		}
		for b.Loop() {
			for _, g := range graphs {
				detect.Run(g)
			}
		}
	})
}

// BenchmarkAnalyze is everything up to the report.
func BenchmarkAnalyze(b *testing.B) {
	forTexts(b, func(b *testing.B, text []byte) {
		for b.Loop() {
			if _, err := oomtrace.Analyze(context.Background(), []oomtrace.Source{source(text)}, oomtrace.Options{}); err != nil {
				b.Fatal(err)
			}
		}
	})
}

// BenchmarkReport writes the report as JSON, and as text.
func BenchmarkReport(b *testing.B) {
	for _, name := range []string{"json", "text"} {
		format, _ := report.Lookup(name)
		b.Run(name, func(b *testing.B) {
			forTexts(b, func(b *testing.B, text []byte) {
				r, err := oomtrace.Analyze(context.Background(), []oomtrace.Source{source(text)}, oomtrace.Options{})
				if err != nil {
					b.Fatal(err)
				}
				var size counter
				for b.Loop() {
					size = 0
					if err := format.Write(&size, r, report.Options{Width: 80}); err != nil {
						b.Fatal(err)
					}
				}
				b.SetBytes(int64(size)) // of what is written
			})
		})
	}
}

type counter int64

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }
