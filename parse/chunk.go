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
	buf  []byte
	data []byte // of buf
	cont bool   // begins inside a line that an earlier chunk has the start of
	more bool   // is the start, or a part, of one line that goes on
	all  bool   // not to be searched

	lines   int   // line feeds in data[:scanned]
	hits    []hit // one for each line with an anchor, in order, of data[:scanned]
	scanned int   // what lies behind it may hold anything

	ready bool // it was searched
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
	first int    // size of the first chunk
	size  int    // of the others: more than MaxLine, so that the start of a long line is in one chunk
	plain bool   // no chunk is searched: all lines are parsed
	start []byte // of the input
	count int
	err   error // why reading ended

	reading sync.Mutex // held while a chunk is read
	carry   []byte     // the start of the line that the next chunk begins with
	in      bool       // the last chunk ended inside a line

	mu      sync.Mutex // guards what follows
	changed sync.Cond  // a chunk is ready, or one is spare
	helpers int
	queue   []*chunk // those that were read, in the order of the input
	spare   []*chunk
	ended   bool // nothing is left to read, or wanted
}

func newChunkReader(r io.Reader, opt Options) *chunkReader {
	cr := &chunkReader{r: r, size: max(chunkSize, opt.MaxLine+1), first: max(firstChunk, opt.MaxLine+1), plain: opt.whole}
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
	for {
		cr.mu.Lock()
		for len(cr.queue) > 0 && !cr.queue[0].ready && len(cr.spare) == 0 {
			cr.changed.Wait()
		}
		if len(cr.queue) > 0 && cr.queue[0].ready {
			c := cr.queue[0]
			cr.queue = slices.Delete(cr.queue, 0, 1)
			cr.mu.Unlock()
			return c
		}
		if len(cr.queue) == 0 && cr.ended {
			cr.mu.Unlock()
			return nil
		}
		cr.mu.Unlock()
		if !cr.work() { // the last ones are still searched
			cr.mu.Lock()
			for len(cr.queue) > 0 && !cr.queue[0].ready {
				cr.changed.Wait()
			}
			cr.mu.Unlock()
		}
	}
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
// maxSearchers how many threads there are: one that reads feeds no more.
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
	cr.helpers = n
	for range 2*n + 2 {
		cr.spare = append(cr.spare, &chunk{})
	}
	cr.mu.Unlock()
	for range n {
		go func() {
			for cr.wait() {
				cr.work()
			}
		}()
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

// work reads and searches the next chunk. It returns false if there is none, or
// all chunks are in use.
func (cr *chunkReader) work() bool {
	cr.reading.Lock()
	c := cr.take()
	if c == nil {
		cr.reading.Unlock()
		return false
	}
	ok := cr.read(c)
	cr.mu.Lock()
	if ok {
		c.ready = false
		cr.queue = append(cr.queue, c)
	} else {
		cr.ended = true
		cr.changed.Broadcast()
	}
	cr.mu.Unlock()
	cr.reading.Unlock()
	if !ok {
		return false
	}
	cr.search(c)
	cr.mu.Lock()
	c.ready = true
	if cr.helpers > 0 && cr.queue[0] == c {
		cr.changed.Broadcast()
	}
	cr.mu.Unlock()
	return true
}

// take returns a spare chunk, nil if there is none to be read into.
func (cr *chunkReader) take() *chunk {
	cr.mu.Lock()
	defer cr.mu.Unlock()
	switch n := len(cr.spare); {
	case cr.ended:
		return nil
	case n > 0:
		c := cr.spare[n-1]
		cr.spare = cr.spare[:n-1]
		return c
	case cr.helpers == 0:
		return &chunk{}
	}
	return nil
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

// stop lets the helpers go.
func (cr *chunkReader) stop() {
	cr.mu.Lock()
	cr.ended = true
	cr.changed.Broadcast()
	cr.mu.Unlock()
}

// search looks for anchors in c. The first chunk and pieces of lines are not
// searched.
func (cr *chunkReader) search(c *chunk) {
	if c.all || c.more || c.cont {
		return
	}
	set := anchors()
	at := 0
	single := false // the line of the last hit goes on, no other anchor was in it yet
	for at < len(c.data) {
		i, lines, odd := set.Scan(c.data, at)
		if odd { // text that NULs stand in may hold anchors all the same
			return
		}
		c.lines += lines
		if i < 0 {
			at = len(c.data)
			break
		}
		n := alone(c.data[i:])
		if single && lines == 0 {
			c.hits[len(c.hits)-1].alone = n > 0
		} else {
			start := at + 1 + bytes.LastIndexByte(c.data[at:i], '\n')
			if len(c.hits) == maxHits {
				at = start
				break
			}
			c.hits = append(c.hits, hit{start, c.lines, n > 0})
		}
		if single = n > 0; single {
			at = i + n
			continue
		}
		if n = bytes.IndexByte(c.data[i:], '\n'); n < 0 {
			at = len(c.data)
			break
		}
		c.lines++
		at = i + n + 1
	}
	c.scanned = at
}
