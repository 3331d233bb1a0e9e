package parse

// streamKey names a stream of lines that belong together: one printk caller
// (a task or, in interrupts, a CPU) of one host.
type streamKey struct{ host, caller string }

// maxStreams bounds the assemblers kept; idle ones go first.
const maxStreams = 1024

// line routes one line to its stream. Without caller ids there is one stream
// and lines of several contexts may be mixed in it.
func (p *parser) line(ln *line) {
	if ln.foreign || p.ft.inLog(ln) {
		return
	}
	key := streamKey{ln.host, ln.caller}
	a := p.cur
	if a == nil || a.key != key {
		a = p.streams[key]
		if a == nil {
			if p.streams == nil {
				p.streams = make(map[streamKey]*assembler)
			}
			if len(p.streams) >= maxStreams {
				p.evict()
			}
			key = streamKey{p.name(ln.host), p.name(ln.caller)}
			a = &assembler{p: p, key: key}
			p.streams[key] = a
		}
		p.cur = a
	}
	a.line(ln)
}

// evict drops all idle streams, and closes all if few are idle.
func (p *parser) evict() {
	for k, a := range p.streams {
		if a.idle() {
			delete(p.streams, k)
		}
	}
	if len(p.streams) > maxStreams/2 {
		p.flush()
	}
	p.cur = nil
}

// flush closes every stream, in the order in which their open records began.
func (p *parser) flush() {
	all := make([]*assembler, 0, len(p.streams))
	for _, a := range p.streams {
		all = append(all, a)
	}
	sortStreams(all)
	for _, a := range all {
		a.end()
	}
	clear(p.streams)
	p.cur = nil
}

func (p *parser) end() { p.flush() }
