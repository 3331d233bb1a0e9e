package oomtrace

import (
	"bytes"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/oomtrace/oomtrace/parse"
)

// TestFetchLines: the lines are the same however they are found.
func TestFetchLines(t *testing.T) {
	var text []byte
	var want []string
	var index []parse.LineOffset
	for i := 1; i <= 20_000; i++ {
		line := fmt.Sprintf("line %d %s", i, strings.Repeat("x", i%97))
		if i%5000 == 0 {
			line += strings.Repeat("long ", 100_000)
		}
		if i%700 == 1 {
			index = append(index, parse.LineOffset{Line: i, Offset: int64(len(text))})
		}
		text = append(text, line...)
		if i%3 == 0 {
			text = append(text, '\r')
		}
		if i < 20_000 {
			text = append(text, '\n')
		}
		want = append(want, line[:min(len(line), maxLogLine)])
	}
	lines := []int{1, 2, 3, 699, 700, 4999, 5000, 5001, 10_000, 10_001, 19_999, 20_000, 20_001, 30_000}
	open := func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text)), nil }
	openAt := func(at int64) (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(text[at:])), nil }
	slow := func() (io.ReadCloser, error) {
		return io.NopCloser(iotest.HalfReader(bytes.NewReader(text))), nil
	}
	once := func() (io.ReadCloser, error) { return nil, io.ErrClosedPipe }
	for _, c := range []struct {
		name  string
		src   Source
		index []parse.LineOffset
		none  bool
	}{
		{"counted", Source{Open: open}, nil, false},
		{"in small pieces", Source{Open: slow}, index, false},
		{"no index", Source{Open: open, OpenAt: openAt}, nil, false},
		{"by index", Source{Open: once, OpenAt: openAt}, index, false},
		{"index begins late", Source{Open: open, OpenAt: openAt}, index[3:], false},
		{"cannot be read twice", Source{Open: once}, index, true},
	} {
		got := fetchLines(c.src, c.index, lines)
		for i, n := range lines {
			text := ""
			if n <= len(want) && !c.none {
				text = want[n-1]
			}
			if got[i] != text {
				t.Errorf("%s: line %d is %.60q, want %.60q", c.name, n, got[i], text)
			}
		}
	}
	if !slices.IsSorted(lines) {
		t.Fatal("lines are not sorted")
	}
}
