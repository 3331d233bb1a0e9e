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
	p.seq++
	if ln.bootID != "" || ln.hasBoot && ln.host != "" {
		p.bootOf(ln)
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

// bootState is what is known of the boot of one host.
type bootState struct {
	id   string
	last float64 // printk's clock
	due  *Boot   // a boot not yet sent: "Linux version" may tell more of it
	sent string  // id of the last one sent, with this id no other follows
}

// A clock that falls by more than bootBefore seconds to under bootAfter has
// been started anew; one that falls to its very begin need not fall so far.
const (
	bootBefore = 120
	bootAfter  = 60
)

// bootOf notes a boot that shows in the journal's boot id or in the clock.
func (p *parser) bootOf(ln *line) {
	b := p.bootHost
	if b == nil || p.bootName != ln.host {
		if p.boots == nil {
			p.boots = make(map[string]*bootState)
		}
		if b = p.boots[ln.host]; b == nil {
			if len(p.boots) >= maxStreams {
				return
			}
			b = &bootState{}
			p.boots[p.name(ln.host)] = b
		}
		p.bootHost, p.bootName = b, p.name(ln.host)
	}
	fresh := ln.hasBoot && ln.boot < bootAfter && (b.last > ln.boot+bootBefore || ln.boot < 2 && b.last > 20)
	if ln.hasBoot {
		b.last = ln.boot
	}
	if ln.bootID != "" && ln.bootID != b.id {
		fresh = b.id != ""
		b.id = keep(ln.bootID)
	} else if ln.bootID != "" {
		fresh = false
	}
	if !fresh {
		return
	}
	var open []*assembler
	for k, a := range p.streams {
		if k.host == ln.host {
			open = append(open, a)
			delete(p.streams, k)
		}
	}
	sortStreams(open)
	for _, a := range open {
		a.end()
	}
	p.cur = nil
	b.due = &Boot{ID: b.id}
	(&assembler{p: p, key: streamKey{host: p.name(ln.host)}}).touch(&b.due.Meta, ln)
}

// bootDue sends the boot that stands before e. A "Linux version" line is that
// boot itself.
func (p *parser) bootDue(e Event) Event {
	b := p.boots[e.Head().Host]
	if b == nil {
		return e
	}
	v, isBoot := e.(*Boot)
	if isBoot {
		if v.ID = b.id; b.due == nil && b.id != "" && b.sent == b.id {
			return nil
		}
	} else if b.due != nil && e.Head().Span.First >= b.due.Span.First {
		m := b.due.Head()
		m.Stamp.Wall, m.End.Wall = p.wall(m.Stamp.Wall), p.wall(m.End.Wall)
		p.mounts = nil
		p.events++
		p.emit(b.due)
	} else {
		return e
	}
	b.due, b.sent = nil, b.id
	return e
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

func (p *parser) end() {
	p.flush()
	p.sendWaiting()
}
