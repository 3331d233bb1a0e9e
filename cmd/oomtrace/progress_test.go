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
		{"none", 3 << 20, []string{"reading", "%", "/s"}},
		{"gzip", -1, []string{"reading", "/s"}},
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
