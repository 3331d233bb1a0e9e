package parse

import (
	"bytes"
	"io"
	"runtime"
	"sync"
)

// chunk is a piece of the input: whole lines, but where a line is longer than
// a chunk. What it holds that can matter is looked up when it is read.
type chunk struct {
	buf  []byte
	data []byte // of buf
	cont bool   // begins inside a line that an earlier chunk has the start of
	more bool   // is the start, or a part, of one line that goes on
	all  bool   // not to be searched

	lines   int   // line feeds in data[:scanned]
	hits    []hit // one for each line with an anchor, in order, of data[:scanned]
	scanned int   // what lies behind it may hold anything

	ready chan struct{} // nil if it is ready
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
// thread and the input proves long, chunks are read by one goroutine at a time
// and searched by several.
type chunkReader struct {
	r     io.Reader
	first int    // size of the first chunk
	size  int    // of the others: more than MaxLine, so that the start of a long line is in one chunk
	carry []byte // the start of the line that the next chunk begins with
	in    bool   // the last chunk ended inside a line
	count int
	err   error  // why reading ended
	start []byte // of the input

	mu    sync.Mutex  // held while reading
	queue chan *chunk // in the order of the input; nil while the caller reads itself
	free  chan *chunk
	spare []*chunk
	done  bool
	plain bool // no chunk is searched: all lines are parsed
}

func newChunkReader(r io.Reader, opt Options) *chunkReader {
	cr := &chunkReader{r: r, size: max(chunkSize, opt.MaxLine+1), first: max(firstChunk, opt.MaxLine+1), plain: opt.whole}
	if opt.chunk > 0 {
		cr.size, cr.first = opt.chunk, opt.chunk
	}
	return cr
}

// next returns the next chunk, nil at the end. The chunk is the caller's until
// it is released.
func (cr *chunkReader) next() *chunk {
	if cr.queue == nil && cr.count == serialChunks && !cr.plain {
		if n := min(runtime.GOMAXPROCS(0), maxSearchers); n > 1 {
			cr.help(n)
		}
	}
	if cr.queue != nil {
		c := <-cr.queue
		if c != nil {
			<-c.ready
		}
		return c
	}
	c := &chunk{}
	if n := len(cr.spare); n > 0 {
		c, cr.spare = cr.spare[n-1], cr.spare[:n-1]
	}
	if !cr.read(c) {
		return nil
	}
	cr.search(c)
	return c
}

func (cr *chunkReader) release(c *chunk) {
	if cr.queue != nil {
		cr.free <- c
	} else {
		cr.spare = append(cr.spare, c)
	}
}

// serialChunks is how many chunks are read before goroutines are worth their
// start, maxSearchers how many there are: one thread that reads feeds no more.
const (
	serialChunks = 8
	maxSearchers = 8
)

// help lets n goroutines read and search ahead.
func (cr *chunkReader) help(n int) {
	chunks := 2*n + 2
	cr.queue = make(chan *chunk, chunks)
	cr.free = make(chan *chunk, chunks+2) // the two that the caller may hold now
	for range chunks {
		cr.free <- &chunk{ready: make(chan struct{}, 1)}
	}
	cr.spare = nil
	for range n {
		go func() {
			for c := range cr.free {
				if c.ready == nil {
					c.ready = make(chan struct{}, 1)
				}
				if !cr.enqueue(c) {
					return
				}
				cr.search(c)
				c.ready <- struct{}{}
			}
		}()
	}
}

// enqueue reads the next chunk; false at the end.
func (cr *chunkReader) enqueue(c *chunk) bool {
	cr.mu.Lock()
	defer cr.mu.Unlock()
	if cr.done {
		return false
	}
	if !cr.read(c) {
		cr.done = true
		close(cr.queue)
		return false
	}
	cr.queue <- c
	return true
}

// read fills c with the next lines. It returns false at the end.
func (cr *chunkReader) read(c *chunk) bool {
	size := cr.size
	if cr.count == 0 {
		size = cr.first
	}
	if cap(c.buf) < size {
		c.buf = make([]byte, size)
	}
	buf := c.buf[:size]
	n := copy(buf, cr.carry)
	cr.carry = cr.carry[:0]
	for n < len(buf) && cr.err == nil { // not io.ReadFull: a cut gzip stream ends in io.ErrUnexpectedEOF, too
		var m int
		m, cr.err = cr.r.Read(buf[n:])
		n += m
	}
	if n == 0 {
		return false
	}
	data := buf[:n]
	if cr.start == nil {
		cr.start = bytes.Clone(data[:min(n, 8<<10)])
	}
	c.cont, c.more = cr.in, false
	if cr.err == nil {
		if i := bytes.LastIndexByte(data, '\n'); i >= 0 {
			cr.carry = append(cr.carry, data[i+1:]...)
			data = data[:i+1]
		} else {
			c.more = true
		}
	}
	cr.in = c.more
	c.data = data
	c.lines, c.hits, c.scanned = 0, c.hits[:0], 0
	c.all = cr.plain || cr.count == 0
	cr.count++
	return true
}

// stop lets the goroutines go. The caller releases nothing after it.
func (cr *chunkReader) stop() {
	if cr.queue != nil {
		close(cr.free)
	}
}

// search looks for anchors in c. The first chunk and pieces of lines are not
// searched.
func (cr *chunkReader) search(c *chunk) {
	if c.all || c.more || c.cont {
		return
	}
	set := anchors()
	at := 0
	for at < len(c.data) {
		i, lines, odd := set.Scan(c.data, at)
		if odd { // text that NULs stand in may hold anchors all the same
			return
		}
		if i < 0 {
			c.lines, at = c.lines+lines, len(c.data)
			break
		}
		start := at + 1 + bytes.LastIndexByte(c.data[at:i], '\n')
		if len(c.hits) == maxHits {
			c.lines += lines
			at = start
			break
		}
		c.lines += lines
		n := bytes.IndexByte(c.data[i:], '\n') + 1
		line := c.data[i:]
		if n > 0 {
			line = line[:n-1]
		}
		c.hits = append(c.hits, hit{start, c.lines, alone(line)})
		if n == 0 {
			at = len(c.data)
			break
		}
		c.lines++
		at = i + n
	}
	c.scanned = at
}
