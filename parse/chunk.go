package parse

import (
	"bytes"
	"io"
	"runtime"
	"slices"
	"sync"
)

// chunk is a piece of the input: whole lines, but where a line is longer than
// a chunk. What it holds that can matter is looked up when it is read.
type chunk struct {
	buf   []byte // room for the start of a line, and raw
	room  int
	raw   []byte // what was read
	err   error  // why no more can be read
	all   bool   // not to be searched
	apart bool   // it was read by ReadAt
	own   found  // what the lines in raw hold that begin in it, and end there

	data []byte // of buf
	cont bool   // begins inside a line that an earlier chunk has the start of
	more bool   // is the start, or a part, of one line that goes on
	found

	ready bool // it was read and searched
}

// found is what a search found in a text.
type found struct {
	lines   int   // line feeds in [:scanned]
	hits    []hit // one for each line with an anchor, in order, of [:scanned]
	scanned int   // what lies behind it may hold anything
}

// hit is a line with an anchor.
type hit struct {
	off   int
	lines int  // line feeds in front of it
	alone bool // its record is this one line
}

// The first chunk is small, and all of it is parsed: most inputs are no longer.
// The others fit a core's cache.
const (
	firstChunk = 64 << 10
	chunkSize  = 256 << 10
)

// maxHits bounds the hits looked up in one chunk: where there are more, all
// lines are parsed.
const maxHits = 64

// chunkReader cuts an input into chunks, in order. Where there is more than one
// thread and the input proves long, helpers read and search ahead; the caller
// does so, too, rather than wait for them.
type chunkReader struct {
	r     io.Reader
	at    io.ReaderAt // what r reads, nil if it cannot be read by several threads at once
	input *counter    // what was read of it
	first int         // size of the first chunk
	size  int         // of the others: more than MaxLine, so that the start of a long line is in one chunk
	plain bool        // no chunk is searched: all lines are parsed

	// The caller's.
	start []byte // of the input
	err   error  // why reading ended
	carry []byte // the start of the line that the next chunk begins with
	in    bool   // the last chunk ended inside a line
	over  bool

	reading sync.Mutex // held while a chunk is read from r
	count   int        // of chunks begun
	pos     int64      // where in at the next one begins

	mu      sync.Mutex // guards what follows
	changed sync.Cond  // a chunk is ready, or one is spare
	helpers int
	running sync.WaitGroup
	queue   []*chunk // those that were begun, in the order of the input
	spare   []*chunk
	ended   bool // nothing is left to read, or wanted
}

func newChunkReader(r io.Reader, at io.ReaderAt, input *counter, opt Options) *chunkReader {
	cr := &chunkReader{r: r, at: at, input: input, size: max(chunkSize, opt.MaxLine+1), first: max(firstChunk, opt.MaxLine+1), plain: opt.whole}
	cr.changed.L = &cr.mu
	if opt.chunk > 0 {
		cr.size, cr.first = opt.chunk, opt.chunk
	}
	return cr
}

// next returns the next chunk, nil at the end. The chunk is the caller's until
// it is released.
func (cr *chunkReader) next() *chunk {
	if cr.helpers == 0 && cr.count == serialChunks && !cr.plain {
		cr.help(min(runtime.GOMAXPROCS(0), maxSearchers) - 1)
	}
	for !cr.over {
		cr.mu.Lock()
		for len(cr.queue) > 0 && !cr.queue[0].ready && len(cr.spare) == 0 {
			cr.changed.Wait()
		}
		if len(cr.queue) > 0 && cr.queue[0].ready {
			c := cr.queue[0]
			cr.queue = slices.Delete(cr.queue, 0, 1)
			cr.mu.Unlock()
			if cr.join(c); len(c.data) > 0 {
				return c
			}
			break
		}
		cr.mu.Unlock()
		if !cr.work() { // the last ones are still read
			cr.mu.Lock()
			for len(cr.queue) > 0 && !cr.queue[0].ready {
				cr.changed.Wait()
			}
			cr.mu.Unlock()
		}
	}
	return nil
}

func (cr *chunkReader) release(c *chunk) {
	cr.mu.Lock()
	cr.spare = append(cr.spare, c)
	if cr.helpers > 0 && len(cr.spare) > cr.helpers {
		cr.changed.Broadcast()
	}
	cr.mu.Unlock()
}

// serialChunks is how many chunks are read before helpers are worth their start,
// maxSearchers how many threads there are: more would wait for memory.
const (
	serialChunks = 8
	maxSearchers = 8
)

// help lets n goroutines read and search ahead.
func (cr *chunkReader) help(n int) {
	if n == 0 {
		return
	}
	cr.mu.Lock()
	cr.helpers, cr.pos = n, cr.input.n
	for range 2*n + 2 {
		cr.spare = append(cr.spare, &chunk{})
	}
	cr.mu.Unlock()
	for range n {
		cr.running.Go(func() {
			for cr.wait() {
				cr.work()
			}
		})
	}
}

// wait waits for a spare chunk; false at the end.
func (cr *chunkReader) wait() bool {
	cr.mu.Lock()
	defer cr.mu.Unlock()
	for len(cr.spare) == 0 && !cr.ended {
		cr.changed.Wait()
	}
	return !cr.ended
}

// stop lets the helpers go, and waits for them: the input is the caller's again.
func (cr *chunkReader) stop() {
	cr.mu.Lock()
	cr.ended = true
	cr.changed.Broadcast()
	cr.mu.Unlock()
	cr.running.Wait()
}

// work reads and searches the next chunk. It returns false if there is none, or
// all chunks are in use.
func (cr *chunkReader) work() bool {
	cr.reading.Lock()
	c := cr.begin()
	if c == nil {
		cr.reading.Unlock()
		return false
	}
	if cr.at == nil || cr.helpers == 0 {
		for n := 0; n < len(c.raw) && c.err == nil; { // not io.ReadFull: a cut gzip stream ends in io.ErrUnexpectedEOF, too
			var m int
			m, c.err = cr.r.Read(c.raw[n:])
			if n += m; c.err != nil {
				c.raw = c.raw[:n]
			}
		}
		cr.reading.Unlock()
	} else {
		at := cr.pos
		cr.pos += int64(len(c.raw))
		cr.reading.Unlock()
		c.apart = true
		var n int
		if n, c.err = cr.at.ReadAt(c.raw, at); n == len(c.raw) {
			c.err = nil
		}
		c.raw = c.raw[:n]
	}
	if c.err != nil {
		cr.mu.Lock()
		cr.ended = true
		cr.changed.Broadcast()
		cr.mu.Unlock()
	}
	c.search()
	cr.mu.Lock()
	c.ready = true
	if cr.helpers > 0 && cr.queue[0] == c {
		cr.changed.Broadcast()
	}
	cr.mu.Unlock()
	return true
}

// begin puts a chunk that is to be read into the queue, nil if there is none.
func (cr *chunkReader) begin() *chunk {
	cr.mu.Lock()
	defer cr.mu.Unlock()
	c := &chunk{}
	switch n := len(cr.spare); {
	case cr.ended, n == 0 && cr.helpers > 0:
		return nil
	case n > 0:
		c, cr.spare = cr.spare[n-1], cr.spare[:n-1]
	}
	size := cr.size
	if c.room = size; cr.count == 0 {
		size, c.room = cr.first, 0
	}
	if len(c.buf) < c.room+size {
		c.buf = make([]byte, c.room+size)
	}
	c.raw, c.err, c.ready = c.buf[c.room:c.room+size], nil, false
	c.all = cr.plain || cr.count == 0
	cr.count++
	cr.queue = append(cr.queue, c)
	return c
}

// search looks for anchors in the whole lines of c.raw.
func (c *chunk) search() {
	c.own = found{hits: c.own.hits[:0]}
	if from, to := c.lineEnds(); !c.all && from > 0 {
		c.own.search(c.raw[from:to])
	}
}

// lineEnds returns where in c.raw the first line ends, and the last one; 0 if
// none does.
func (c *chunk) lineEnds() (first, last int) {
	return bytes.IndexByte(c.raw, '\n') + 1, bytes.LastIndexByte(c.raw, '\n') + 1
}

// join puts the start of its first line in front of c, and keeps that of the
// line that the next chunk begins with.
func (cr *chunkReader) join(c *chunk) {
	if c.apart {
		cr.input.n += int64(len(c.raw))
	}
	first, end := c.lineEnds()
	c.cont, c.more = cr.in, c.err == nil && end == 0
	if c.err != nil {
		cr.err, cr.over = c.err, true
		end = len(c.raw)
	} else if c.more {
		end = len(c.raw)
	}
	begin := c.room - copy(c.buf[c.room-len(cr.carry):], cr.carry)
	c.data = c.buf[begin : c.room+end]
	cr.carry = append(cr.carry[:0], c.raw[end:]...)
	cr.in = c.more
	if cr.start == nil {
		cr.start = bytes.Clone(c.data[:min(len(c.data), 8<<10)])
	}

	c.found = found{hits: c.hits[:0]}
	if c.all || c.more || c.cont || first == 0 || first < end && c.own.scanned == 0 {
		return // all of it may hold anything
	}
	if c.found.search(c.data[:c.room-begin+first]); c.scanned == 0 {
		return
	}
	for _, h := range c.own.hits {
		c.hits = append(c.hits, hit{c.scanned + h.off, c.lines + h.lines, h.alone})
	}
	c.lines, c.scanned = c.lines+c.own.lines, c.scanned+c.own.scanned
}

// search looks for anchors in whole lines. It finds nothing where it cannot tell.
func (f *found) search(data []byte) {
	set := anchors()
	at := 0
	single := false // the line of the last hit goes on, no other anchor was in it yet
	for at < len(data) {
		i, lines, odd := set.Scan(data, at)
		if odd { // text that NULs stand in may hold anchors all the same
			*f = found{hits: f.hits[:0]}
			return
		}
		f.lines += lines
		if i < 0 {
			at = len(data)
			break
		}
		n := alone(data[i:])
		if single && lines == 0 {
			f.hits[len(f.hits)-1].alone = n > 0
		} else {
			start := at + 1 + bytes.LastIndexByte(data[at:i], '\n')
			if len(f.hits) == maxHits {
				at = start
				break
			}
			f.hits = append(f.hits, hit{start, f.lines, n > 0})
		}
		if single = n > 0; single {
			at = i + n
			continue
		}
		if n = bytes.IndexByte(data[i:], '\n'); n < 0 {
			at = len(data)
			break
		}
		f.lines++
		at = i + n + 1
	}
	f.scanned = at
}
