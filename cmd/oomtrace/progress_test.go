package main

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/oomtrace/oomtrace"
)

func TestProgress(t *testing.T) {
	name := filepath.Join(t.TempDir(), "a.log")
	if err := os.WriteFile(name, make([]byte, 3<<20), 0o666); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		compression string
		total       int64
		want        []string
	}{
		{"none", 3 << 20, []string{"reading 66% of 3.0 MiB, ", "iB/s, ", " left"}},
		{"gzip", -1, []string{"reading 2.0 MiB, ", "iB/s"}},
	} {
		srcs := []oomtrace.Source{{Name: name, Compression: tt.compression, Open: func() (io.ReadCloser, error) { return os.Open(name) }}}
		var b bytes.Buffer
		p := watch(&b, srcs, 0)
		if p.total != tt.total {
			t.Errorf("%s: total %d, want %d", tt.compression, p.total, tt.total)
		}
		r, err := srcs[0].Open()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.CopyN(io.Discard, r, 2<<20); err != nil {
			t.Fatal(err)
		}
		time.Sleep(500 * time.Millisecond)
		p.stop()
		r.Close()
		if !strings.HasSuffix(b.String(), "\r\x1b[K") {
			t.Errorf("%s: the line is left: %q", tt.compression, b.String())
		}
		for _, want := range tt.want {
			if !strings.Contains(b.String(), want) {
				t.Errorf("%s: no %q in %q", tt.compression, want, b.String())
			}
		}
		if p.read.Load() != 2<<20 {
			t.Errorf("counted %d bytes", p.read.Load())
		}
	}
}

func TestProgressLine(t *testing.T) {
	const mib, gib = 1 << 20, 1 << 30
	for _, tt := range []struct {
		read, total int64
		elapsed     time.Duration
		want        string
	}{
		{512 * mib, 2 * gib, 4 * time.Second, "reading 25% of 2.0 GiB, 128 MiB/s, 12s left"},
		{2 * gib, 2 * gib, 20 * time.Second, "reading 100% of 2.0 GiB, 102 MiB/s"},
		{3 * gib, 2 * gib, 20 * time.Second, "reading 100% of 2.0 GiB, 154 MiB/s"}, // it grew
		{0, 2 * gib, time.Second, "reading 0% of 2.0 GiB, 0 B/s"},
		{0, 0, time.Second, "reading 0 B, 0 B/s"},
		{1000, -1, 2 * time.Second, "reading 1000 B, 500 B/s"},
		{100 * gib, -1, 100 * time.Second, "reading 100 GiB, 1.0 GiB/s"},
		{mib, 64 << 40, time.Second, "reading 0% of 64.0 TiB, 1.0 MiB/s, 18641h21m3s left"},
	} {
		if got := progressLine(tt.read, tt.total, tt.elapsed); got != tt.want {
			t.Errorf("progressLine(%d, %d, %v) = %q, want %q", tt.read, tt.total, tt.elapsed, got, tt.want)
		}
	}
}

// What ends soon shows nothing.
func TestProgressOfAShortRun(t *testing.T) {
	var b bytes.Buffer
	p := watch(&b, nil, time.Hour)
	p.stop()
	if b.Len() > 0 {
		t.Errorf("%q", b.String())
	}
	if wantsProgress(&b, nil, strings.NewReader("")) {
		t.Error("a bar where there is no terminal")
	}
}
