package parse

import (
	"bytes"
	"fmt"
	"strings"
	"unsafe"
)

// skimmer walks through an input by its anchors. Noise between them is not
// parsed, not even its framing; lines are parsed from some way before an anchor
// until all records have ended. What a line of noise does where no record is
// open is nothing, or is undone by the lines in front of the next anchor.
type skimmer struct {
	prev   *chunk // the one before, for the lines in front of an anchor
	from   int    // what of prev was not parsed begins here
	behind int    // lines parsed since the last anchor
	seq    int    // of the last line when all streams were quiet
	quiet  bool   // they were
}

// Lines are parsed from lookBack lines before an anchor (at most backBytes) to
// lookOn lines behind it. Between the line that names a task and its trace
// stand at most some 40 lines (registers, modules), a status file has 60.
const (
	lookBack  = 64
	backBytes = 16 << 10
	lookOn    = 24
)

// patience is for how many lines a record may stay open without another line
// of its own. It is longer than every gap that ends one.
const patience = 4096

// blockSize is how much text is made a string at a time: lines are cut from it.
const blockSize = 64 << 10

// maxIndex bounds Result.Index. Where lines are parsed by themselves there is one
// place in farMark bytes.
const (
	maxIndex = 1 << 16
	farMark  = 256 << 10
)

var newline = []byte{'\n'}

// skim reads the whole input.
func (p *parser) skim(cr *chunkReader) {
	s := &p.skip
	s.behind = 0
	for c := cr.next(); c != nil; c = cr.next() {
		s.from = p.chunk(c)
		if s.prev != nil {
			cr.release(s.prev)
		}
		s.prev = c
		p.offset += int64(len(c.data))
	}
	cr.stop()
	s.prev = nil
}

// chunk parses what can matter in c, and returns where the rest of it begins
// that was not parsed.
func (p *parser) chunk(c *chunk) (from int) {
	data, base, pos := c.data, p.res.Lines, 0
	if c.cont { // the rest of a line that was cut
		pos = bytes.IndexByte(data, '\n') + 1
		if pos == 0 {
			return len(data)
		}
	}
	if c.scanned == 0 {
		p.back(c, pos, pos)
		p.parse(data, pos, len(data), p.offset)
		p.skip.behind = 0
		return len(data)
	}
	k := 0
	for pos < len(data) {
		for k < len(c.hits) && c.hits[k].off < pos {
			k++
		}
		next, lines := c.scanned, c.lines // the next line that can matter
		if k < len(c.hits) {
			next, lines = c.hits[k].off, c.hits[k].lines
		}
		if p.skip.behind >= lookOn && p.quiet() {
			if q := overlong(data[:next], pos, p.opt.MaxLine); q >= 0 {
				next, lines = q, p.res.Lines-base+bytes.Count(data[pos:q], newline)
			}
			to, one := next, k < len(c.hits) && next == c.hits[k].off && c.hits[k].alone && stamped(data[next:])
			if next < len(data) && !one {
				to = p.back(c, pos, next)
			}
			if to > pos {
				if pos == 0 { // one line of each chunk tells of its clock and framing
					pos = p.parseLine(data, 0)
				}
				if to = max(to, pos); to == len(data) {
					p.res.Lines = base + lines
					if data[to-1] != '\n' {
						p.res.Lines++
					}
					return pos
				}
				p.res.Lines = base + lines - bytes.Count(data[to:next], newline)
				pos = to
			}
			if one && pos == next {
				pos = p.parseLine(data, pos)
				continue
			}
		}
		if pos >= c.scanned {
			p.skip.behind = 0
			p.parse(data, pos, len(data), p.offset)
			break
		}
		end := min(ahead(data, pos, lookOn), max(c.scanned, pos))
		p.skip.behind += lookOn
		for k < len(c.hits) && c.hits[k].off < end {
			p.skip.behind = bytes.Count(data[c.hits[k].off:end], newline) - 1
			k++
		}
		pos = p.parse(data, pos, end, p.offset)
	}
	return len(data)
}

// back returns where to begin so that the lines in front of the one at next are
// seen. It parses those that the chunk before has of them.
func (p *parser) back(c *chunk, pos, next int) int {
	to, n := behind(c.data, pos, next, lookBack)
	if s := &p.skip; to == 0 && n < lookBack && !c.cont && s.prev != nil && s.from < len(s.prev.data) {
		data, base := s.prev.data, p.res.Lines
		at, _ := behind(data, s.from, len(data), lookBack-n)
		p.res.Lines = base - bytes.Count(data[at:], newline)
		p.parse(data, at, len(data), p.offset-int64(len(data)))
		s.from = len(data)
	}
	return to
}

// stamped tells whether the line at the start of data has a prefix: what it says
// does not depend on the lines before it.
func stamped(data []byte) bool {
	var ln line
	_, _, ok := ln.prefix(unsafe.String(&data[0], min(len(data), 64)), framePlain) // ln keeps it no longer
	return ok
}

// behind goes up to n lines back from the start of a line, at most to pos, and
// tells how many it went.
func behind(data []byte, pos, at, n int) (to, lines int) {
	least := max(pos, at-backBytes)
	for lines < n && at > least {
		i := pos
		if j := bytes.LastIndexByte(data[pos:at-1], '\n'); j >= 0 {
			i = pos + j + 1
		}
		if i < least {
			break
		}
		at = i
		lines++
	}
	return at, lines
}

// ahead is where the n-th line from the start of a line on ends.
func ahead(data []byte, pos, n int) int {
	for range n {
		i := bytes.IndexByte(data[pos:], '\n')
		if i < 0 {
			return len(data)
		}
		pos += i + 1
	}
	return pos
}

// overlong finds the first line of data[pos:] that is longer than n, -1 if none
// is. It looks at few bytes where lines are short.
func overlong(data []byte, pos, n int) int {
	for len(data)-pos > n {
		i := bytes.LastIndexByte(data[pos:pos+n+1], '\n')
		if i < 0 {
			return pos
		}
		pos += i + 1
	}
	return -1
}

// quiet tells whether lines without an anchor can matter now: not while a
// container goes on over lines, or a record is open.
func (p *parser) quiet() bool {
	fr := &p.fr
	if fr.journal.open() || fr.csv.open() || fr.json.open() || fr.dmesg || fr.frag.open || fr.hold || fr.partial != "" || len(p.pstore.parts) > 0 {
		return false
	}
	if p.ft.on && p.res.Lines-p.ft.last <= patience {
		return false
	}
	if p.res.Lines-p.touched > patience {
		return true
	}
	if s := &p.skip; p.seq > s.seq+1 || p.cur == nil || !s.quiet {
		s.quiet = false
		for _, a := range p.streams {
			if !a.quiet() {
				return false
			}
		}
	} else if !p.cur.quiet() { // of one line more than the last time, that it was
		s.quiet = false
		return false
	}
	p.skip.seq, p.skip.quiet = p.seq, true
	return true
}

// quiet tells whether noise changes nothing here.
func (a *assembler) quiet() bool {
	if d := a.dump; d != nil && d.after {
		a.dump = nil // it waits for nothing but the next record
		ok := a.idle()
		a.dump = d
		return ok
	}
	return a.idle()
}

// parse parses the lines of data[pos:end], which lies at the given offset of
// the input, and returns end.
func (p *parser) parse(data []byte, pos, end int, offset int64) int {
	for pos < end {
		to := min(pos+blockSize, end)
		if i := bytes.LastIndexByte(data[pos:to], '\n'); i >= 0 {
			to = pos + i + 1
		} else if i := bytes.IndexByte(data[to:end], '\n'); i >= 0 {
			to += i + 1
		} else {
			to = end
		}
		p.mark(offset + int64(pos))
		p.block(data[pos:to])
		pos = to
	}
	return end
}

// parseLine parses the one line of data at pos, and returns where it ends.
func (p *parser) parseLine(data []byte, pos int) int {
	if n := len(p.res.Index); n == 0 || p.offset+int64(pos)-p.res.Index[n-1].Offset > farMark {
		p.mark(p.offset + int64(pos))
	}
	end := ahead(data, pos, 1)
	p.block(data[pos:end])
	return end
}

// block parses whole lines.
func (p *parser) block(data []byte) {
	odd := look(data)
	text := string(data)
	for text != "" {
		i := indexNewline(text)
		p.one(text[:i], odd)
		text = text[min(i+1, len(text)):]
	}
}

// mark notes where the next line begins.
func (p *parser) mark(offset int64) {
	if len(p.res.Index) == maxIndex { // keep every other one
		for i := range maxIndex / 2 {
			p.res.Index[i] = p.res.Index[2*i]
		}
		p.res.Index = p.res.Index[:maxIndex/2]
	}
	p.res.Index = append(p.res.Index, LineOffset{p.res.Lines + 1, offset})
}

// one parses one line.
func (p *parser) one(whole string, odd oddity) {
	if a := p.run; a != nil {
		if odd == 0 && p.frame(a, whole) {
			return
		}
		p.run = nil
	}
	p.res.Lines++
	if n := p.opt.MaxLine; len(whole) > n {
		whole = whole[:n]
		p.diag(p.res.Lines, "warning", "long-line", fmt.Sprintf("line is longer than %d bytes and was cut", n))
	}
	if p.ft.raw(strings.TrimSuffix(whole, "\r"), p.res.Lines) || p.pstoreLine(whole, p.res.Lines, odd, p.take) {
		return
	}
	p.fr.unwrap(whole, p.res.Lines, odd, p.take)
}
