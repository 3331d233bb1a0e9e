package parse

import (
	"io"
	"unicode/utf8"
)

// Options are the settings of Read. The zero value is ready to use.
type Options struct {
	Input         int // number of this input, put into every Span
	MaxCandidates int // rows kept of one OOM task table, 256 if 0; the victim's are always kept
	MaxFrames     int // frames kept of one call trace, 512 if 0
	MaxLine       int // bytes kept of one line, 64 KiB if 0

	Symbols Symbols // names frames that are only an address, nil for none

	// At, if not nil, reads the same input at any place, its first byte at 0: long
	// inputs are then read by several threads at once.
	At io.ReaderAt

	whole bool // parse every line, also those that cannot matter
	slow  bool // read every line by itself, also those like the one before
	chunk int  // size of all chunks, bytes; as is usual if 0
}

func orDefault(n, def int) int {
	if n <= 0 {
		return def
	}
	return n
}

// Read reads one input and calls emit for each record, in the order in which
// the records end: an event is emitted once it is whole, the caller sorts by
// Span.First. It returns an error only when r fails; no text makes it fail.
func Read(r io.Reader, opt Options, emit func(Event)) (Result, error) {
	p, err := read(r, opt, emit)
	return p.res, err
}

func read(r io.Reader, opt Options, emit func(Event)) (*parser, error) {
	opt.MaxCandidates = orDefault(opt.MaxCandidates, 256)
	opt.MaxFrames = orDefault(opt.MaxFrames, 512)
	opt.MaxLine = orDefault(opt.MaxLine, 64<<10)
	p := &parser{opt: opt, emit: emit, names: make(map[string]string)}
	p.ft.p = p
	input := &counter{r: r}
	text, same := asUTF8(input)
	if !same {
		opt.At = nil
	}
	cr := newChunkReader(text, opt.At, input, opt)
	p.fr.slow = opt.slow
	p.take = p.line
	p.skim(cr)
	take := p.take
	p.pstoreEnd(take)
	p.fr.end(take)
	p.end()
	p.ft.finish()
	p.res.Bytes = input.n
	p.judge(cr.start)
	if p.offset != input.n { // it was not UTF-8: offsets are of no use
		p.res.Index = nil
	}
	if cr.err == io.EOF {
		return p, nil
	}
	return p, cr.err
}

// parser is the state of one Read.
type parser struct {
	opt       Options
	emit      func(Event)
	res       Result
	take      func(*line)
	fr        framer
	skip      skimmer
	ft        traceReader
	pstore    pstoreReader
	streams   map[streamKey]*assembler
	cur       *assembler // where the last line went
	names     map[string]string
	lastNames [512]string // of names, by nameSlot
	frames    [][]Frame   // buffers, see addFrame
	stacks    stackTable
	memos     []memo     // by memoSlot; nil in short inputs
	run       *assembler // the last line was a frame of its open trace, see remember
	freeOOM   *oomBuf

	lastWall struct{ raw, normal string } // see wall

	boots    map[string]*bootState // by host
	bootHost *bootState            // of the last line
	bootName string

	seq      int    // of the line being read
	touched  int    // the last line that became part of a record
	offset   int64  // of the chunk being read
	slide    uint64 // of KASLR, as far as known
	strayEnd int    // line of the last stray frame

	mounts map[string]string // file system by host and device, see mounted
	key    []byte            // scratch

	later   map[int]int // index in waiting, by pid
	waiting []*Task     // see wait
	seen    map[int]bool

	dumps  int
	events int
	capped map[string]int // diagnostics by code
}

// maxDiags bounds the diagnostics of one code; the last one says how many more
// there were.
const maxDiags = 100

func (p *parser) diag(no int, severity, code, msg string) {
	if p.capped == nil {
		p.capped = make(map[string]int)
	}
	p.capped[code]++
	if p.capped[code] > maxDiags {
		return
	}
	if p.capped[code] == maxDiags {
		msg += " (more of these are not listed)"
	}
	p.res.Diagnostics = append(p.res.Diagnostics, Diagnostic{Line: no, Severity: severity, Code: code, Message: msg})
}

func (p *parser) send(e Event) {
	m := e.Head()
	m.Stamp.Wall, m.End.Wall = p.wall(m.Stamp.Wall), p.wall(m.End.Wall)
	m.Host, m.Caller = p.name(m.Host), p.name(m.Caller)
	if p.boots != nil {
		if e = p.bootDue(e); e == nil {
			return
		}
	}
	if _, ok := e.(*Boot); ok {
		p.mounts = nil
	}
	p.events++
	p.emit(e)
}

// name interns s: symbols, modules and hosts come again and again.
func (p *parser) name(s string) string {
	if s == "" {
		return ""
	}
	last := &p.lastNames[nameSlot(s)]
	if *last == s {
		return *last
	}
	n, ok := p.names[s]
	if !ok {
		n = keep(s)
		if len(p.names) < 1<<16 && len(n) <= 256 {
			p.names[n] = n
		}
	}
	if len(n) <= 256 {
		*last = n
	}
	return n
}

// judge adds what can be said only at the end.
func (p *parser) judge(first []byte) {
	best := framePlain
	for i, n := range p.fr.count {
		if i != framePlain && n > p.fr.count[best] || n > 0 && p.fr.count[best] == 0 {
			best = i
		}
	}
	p.res.Framing = framings[best].name
	if f := p.ft.framing(p.fr.count[best]); f != "" {
		p.res.Framing = f
	}
	switch {
	case p.res.Bytes == 0:
		p.diag(0, "warning", "empty-input", "the input is empty")
	case binaryTrace(first) != "":
		p.diag(0, "error", "binary-trace", binaryTrace(first))
	case binary(first):
		p.diag(0, "error", "not-a-log", "the input is not text; kernel logs, journal text and /proc/PID/stack files are understood")
	case p.events == 0:
		p.diag(0, "info", "no-kernel-records", "no OOM report, hung task, task dump, call trace or other kernel record was found")
	}
}

// binary tells whether data is something else than text. A serial log may
// hold some NULs and broken bytes.
func binary(data []byte) bool {
	bad := 0
	for i := 0; i < len(data); {
		c := data[i]
		if c < utf8.RuneSelf {
			if c < ' ' && c != '\n' && c != '\r' && c != '\t' && c != 0x1b && c != '\b' || c == 0x7f {
				bad++
			}
			i++
			continue
		}
		r, n := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && n == 1 {
			bad++
		}
		i += n
	}
	return bad*8 > len(data)
}
