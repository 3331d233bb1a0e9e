package oomtrace

import (
	"bytes"
	"io"
	"slices"
	"strings"

	"github.com/oomtrace/oomtrace/detect"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/report"
)

// addLog reads the inputs once more for the lines around the evidence: what
// will be evidence is not known while a log streams by.
func addLog(sources []Source, results []parse.Result, incs []report.Incident) {
	lines := make([][]int, len(sources)) // wanted, by input
	context := make([][]report.Ref, len(incs))
	for i := range incs {
		context[i] = detect.Context(&incs[i])
		for _, r := range context[i] {
			lines[r.Input] = append(lines[r.Input], r.Line)
		}
	}
	texts := make([][]string, len(sources))
	for i, src := range sources {
		slices.Sort(lines[i])
		lines[i] = slices.Compact(lines[i])
		texts[i] = fetchLines(src, results[i].Index, lines[i])
	}
	for i := range incs {
		for _, r := range context[i] {
			k, _ := slices.BinarySearch(lines[r.Input], r.Line)
			if text := texts[r.Input][k]; text != "" {
				incs[i].Log = append(incs[i].Log, report.LogLine{Input: r.Input, Line: r.Line, Text: text})
			}
		}
	}
}

// maxLogLine bounds a line of log context, bytes.
const maxLogLine = 1000

// fetchLines returns the texts of sorted lines, "" for those that cannot be
// read: the report stands without context. index has the places of some lines.
func fetchLines(src Source, index []parse.LineOffset, lines []int) []string {
	out := make([]string, len(lines))
	if len(lines) == 0 {
		return out
	}
	var at lineCounter
	defer func() { at.close() }()
	for i, line := range lines {
		if src.OpenAt != nil && len(index) > 0 {
			k, found := slices.BinarySearchFunc(index, line, func(o parse.LineOffset, line int) int { return o.Line - line })
			if !found {
				k--
			}
			if k >= 0 && (at.r == nil || index[k].Line > at.line+farLines) {
				at.close()
				r, err := src.OpenAt(index[k].Offset)
				if err != nil {
					return out
				}
				at = lineCounter{r: r, line: index[k].Line, buf: at.buf}
			}
		}
		if at.r == nil {
			r, err := src.Open()
			if err != nil {
				return out
			}
			at.r, at.line = r, 1
		}
		if !at.skip(line) {
			return out
		}
		out[i] = strings.ToValidUTF8(string(at.read()), "\uFFFD")
	}
	return out
}

// farLines is how far ahead a line must be to be worth opening the source anew.
const farLines = 2000

// lineCounter reads lines by their numbers.
type lineCounter struct {
	r    io.ReadCloser
	line int    // the next one
	rest []byte // of buf, not yet used
	buf  []byte
	more bool // r was read from
	err  error
}

// What is read at once: the lines are most often near where r was opened.
const (
	nearBytes = 16 << 10
	farBytes  = 256 << 10
)

func (l *lineCounter) close() {
	if l.r != nil {
		l.r.Close()
	}
}

func (l *lineCounter) fill() bool {
	size := nearBytes
	if l.more {
		size = farBytes
	}
	if len(l.buf) < size {
		l.buf = make([]byte, size)
	}
	l.more = true
	for l.err == nil {
		var n int
		if n, l.err = l.r.Read(l.buf[:size]); n > 0 {
			l.rest = l.buf[:n]
			return true
		}
	}
	return false
}

// skip goes to the start of a line, false if there is none. It only counts line
// feeds on the way.
func (l *lineCounter) skip(line int) bool {
	for l.line < line {
		if len(l.rest) == 0 && !l.fill() {
			return false
		}
		if n := bytes.Count(l.rest, newline); l.line+n < line {
			l.line += n
			l.rest = nil
			continue
		}
		for l.line < line {
			l.rest = l.rest[bytes.IndexByte(l.rest, '\n')+1:]
			l.line++
		}
	}
	return len(l.rest) > 0 || l.fill()
}

var newline = []byte{'\n'}

// read returns the line, without its line feed and at most maxLogLine bytes of
// it.
func (l *lineCounter) read() []byte {
	var out []byte
	for {
		i := bytes.IndexByte(l.rest, '\n')
		piece := l.rest
		if i >= 0 {
			piece = l.rest[:i]
		}
		out = append(out, piece[:min(len(piece), maxLogLine-len(out))]...)
		if i >= 0 {
			l.rest = l.rest[i+1:]
			l.line++
			break
		}
		l.rest = nil
		if !l.fill() {
			l.line++
			break
		}
	}
	return bytes.TrimRight(out, "\r\n")
}
