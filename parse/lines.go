package parse

import (
	"bytes"
	"io"
	"strings"
)

// lineReader cuts an input into lines. It hands out substrings of blocks, so
// that a line of noise costs no allocation of its own.
type lineReader struct {
	r     io.Reader
	buf   []byte
	n     int    // bytes in buf
	block string // whole lines not yet handed out
	max   int
	err   error
	total int64
	first []byte // a look at the start of the input
	skip  bool   // the rest of an over-long line is being dropped
	cut   bool   // the line just handed out was cut
	odd   oddity // of the block
}

// oddity is what somewhere in a block is not as the kernel wrote it. Looking at
// a block is cheap; only where it holds such bytes are they looked for in
// each line.
type oddity uint8

const (
	oddControl   oddity = 1 << iota // escapes, NULs, carriage returns, blanks that do not break
	oddHTML                         // "&lt;", "<br>"
	oddBackslash                    // "\x0a"
	oddHash                         // "#012"
	oddRepeat                       // "message repeated 2 times: "
)

func look(block string) (o oddity) {
	if strings.IndexByte(block, 0x1b) >= 0 || strings.IndexByte(block, 0) >= 0 || strings.IndexByte(block, '\r') >= 0 ||
		strings.Contains(block, "\u00a0") || strings.Contains(block, "\u200b") || strings.Contains(block, "\ufeff") {
		o |= oddControl
	}
	if strings.IndexByte(block, '&') >= 0 || strings.Contains(block, "<br") || strings.Contains(block, "<pre") {
		o |= oddHTML
	}
	if strings.IndexByte(block, '\\') >= 0 {
		o |= oddBackslash
	}
	if strings.Contains(block, "#01") {
		o |= oddHash
	}
	if strings.Contains(block, "message repeated ") {
		o |= oddRepeat
	}
	return o
}

const blockSize = 64 << 10

func newLineReader(r io.Reader, max int) *lineReader {
	return &lineReader{r: r, buf: make([]byte, blockSize+max), max: max}
}

// next returns the next line without its line feed. cut tells that it was longer
// than max.
func (l *lineReader) next() (line string, cut, ok bool) {
	for {
		if l.block != "" {
			i := indexNewline(l.block)
			line, l.block = l.block[:i], l.block[min(i+1, len(l.block)):]
			if len(line) > l.max {
				return line[:l.max], true, true
			}
			if l.cut && l.block == "" {
				l.cut = false
				return line, true, true
			}
			return line, false, true
		}
		if !l.fill() {
			return "", false, false
		}
	}
}

func indexNewline(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}

// fill reads until buf holds a whole line, and makes these lines the block.
func (l *lineReader) fill() bool {
	for {
		if l.err == nil {
			for l.n < len(l.buf) {
				m, err := l.r.Read(l.buf[l.n:])
				l.total += int64(m)
				l.n += m
				if err != nil {
					l.err = err
					break
				}
				if m > 0 && l.n >= blockSize {
					break
				}
			}
			if l.first == nil && l.n > 0 {
				l.first = bytes.Clone(l.buf[:min(l.n, 8<<10)])
			}
		}
		if l.n == 0 {
			return false
		}
		data := l.buf[:l.n]
		if l.skip {
			i := bytes.IndexByte(data, '\n')
			if i < 0 {
				l.n = 0
				if l.err != nil {
					return false
				}
				continue
			}
			l.skip = false
			l.n = copy(l.buf, data[i+1:])
			continue
		}
		i := bytes.LastIndexByte(data, '\n')
		switch {
		case i >= 0:
			l.block = string(data[:i+1])
			l.odd = look(l.block)
			l.n = copy(l.buf, data[i+1:])
			return true
		case l.err != nil:
			l.block = string(data)
			l.odd = look(l.block)
			l.n = 0
			return true
		case l.n > l.max:
			l.block = string(data[:l.max])
			l.odd = look(l.block)
			l.n, l.skip, l.cut = 0, true, true
			return true
		}
	}
}

// readErr is why reading ended, nil at the end of the input.
func (l *lineReader) readErr() error {
	if l.err == io.EOF {
		return nil
	}
	return l.err
}
