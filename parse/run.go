package parse

// Most lines are framed as the one before, and most frames were seen before:
// such lines are read here, in a fraction of the time. What is done is what
// framer.text and assembler.walk would do; tests read every log both ways.

// alike is the framing of a line of printk: what stands before its stamp, and
// between the stamp and the text.
type alike struct {
	ok      bool
	kind    int
	pre     string
	between string
}

// of notes how ln was framed: s is the line, the stamp is at the start of t, the
// text is rest.
func (al *alike) of(ln *line, s, t, rest string) {
	i := 1 // behind the stamp
	for i < len(t) && t[i-1] != ']' {
		i++
	}
	pre := s[:len(s)-len(t)]
	if ln.vendor || ln.foreign || ln.part != 0 || i >= len(t)-len(rest) {
		return
	}
	if pre != "" && pre[0] != '<' && !isAlpha(pre[0]) && (len(pre) < 20 || pre[4] != '-') { // numbers and quotes may read otherwise with another text
		return
	}
	al.ok, al.pre, al.between = true, pre, t[i:len(t)-len(rest)]
}

// match reads a line that is framed like the last one.
func (al *alike) match(raw string) (text string, sec float64, ok bool) {
	i := len(al.pre)
	if len(raw) < i+10 || raw[i] != '[' || raw[:i] != al.pre {
		return "", 0, false
	}
	i++
	for i < len(raw) && raw[i] == ' ' {
		i++
	}
	sec, n := readSeconds(raw[i:])
	i += n
	if n < 8 || i == len(raw) || raw[i] != ']' || raw[i-7] != '.' {
		return "", 0, false
	}
	i++
	b := al.between
	if len(raw)-i <= len(b) || raw[i:i+len(b)] != b {
		return "", 0, false
	}
	text = raw[i+len(b):]
	switch c := text[0]; { // callerID and vendorPrefix look at these
	case c == '[', c == '(', c == '-', isDigit(c):
		return "", 0, false
	case c == ' ' && len(text) > 2 && (text[1] == '(' || text[1] == '[' && text[2] != '<'):
		return "", 0, false
	}
	return text, sec, true
}

// quick unwraps a line that is framed as the last one was.
func (fr *framer) quick(raw string, no int, yield func(*line)) bool {
	s, sec, ok := fr.like.match(raw)
	ln := &fr.cur
	if !ok || fr.frag.open {
		return false
	}
	if t := trimLeft(s); t == "" || ln.wrapper(frameDmesg, t) {
		return false
	}
	fr.again(no, s, sec)
	if len(s) > 60 && fr.folded(ln, len(raw), yield) {
		fr.like.ok = false
		return true
	}
	fr.out(ln, len(raw), yield)
	return true
}

// again notes a line that differs from the last one in its text and time only.
func (fr *framer) again(no int, text string, sec float64) {
	ln := &fr.cur
	ln.no, ln.text, ln.boot = no, text, sec
	fr.last.no, fr.last.boot = no, sec
	fr.count[fr.like.kind]++
}

// memo is a line of a trace that was seen.
type memo struct {
	text   string // unwrapped
	lo, hi int    // of it without blanks around
	what   memoKind
	frame  Frame // without what depends on the trace
}

type memoKind uint8

const (
	memoFrame memoKind = iota
	memoSchedule
	memoOutermost
	memoTask    // "<TASK>"
	memoTaskEnd // "</TASK>"
)

// memoSize is how many frames are remembered; a kernel's reports have some
// hundred. In short inputs none is.
const memoSize = 1 << 10

// memoText bounds the lines that are remembered: longer ones may be folded
// paragraphs.
const memoText = 60

// remember notes the line of a trace that was just read from ln, whose text is s
// without blanks around, and that those which follow may be read by frame.
func (p *parser) remember(a *assembler, ln *line, s string, info frameInfo) {
	if p.memos == nil {
		if p.offset == 0 || p.opt.slow || p.opt.Symbols != nil {
			return
		}
		p.memos = make([]memo, memoSize)
	}
	t := a.tr
	if ln != &p.fr.cur || !p.fr.like.ok || ln.bootID != "" || a != p.cur || t == nil || t.paste || t.gap || t.garbled || t.isHalf || t.debugger || t.proc ||
		a.hung != nil || a.locks != nil || a.splat != nil || a.stall != nil || a.sysrq != nil || a.ps != nil || a.file != nil || a.head.ok || len(a.pend) > 0 || a.twice > 0 ||
		p.fr.hold || p.fr.frag.open || p.fr.cpu != "" || p.ft.on || p.ft.dump != 0 || len(p.pstore.parts) > 0 {
		return
	}
	p.run = a
	m := &p.memos[memoSlot(ln.text)]
	if m.text == ln.text || len(ln.text) > memoText || wrapped(ln.text) {
		return
	}
	n := memo{text: keep(ln.text)}
	if n.text != ln.text {
		return
	}
	switch {
	case info == frameInfo{kind: frameMark, mark: markTask}:
		n.what = memoTask
	case info == frameInfo{kind: frameMark, mark: markTaskEnd}:
		n.what = memoTaskEnd
	case info == frameInfo{kind: frameFull}:
		f := &n.frame
		scanFrame(s, f)
		switch {
		case f.Func == "":
			return
		case f.Func == "__schedule" && f.Reliable:
			n.what = memoSchedule
		case f.Reliable && outermost(f.Func):
			n.what = memoOutermost
		}
		f.Func, f.Module, f.BuildID = p.name(f.Func), p.name(f.Module), p.name(f.BuildID)
	default:
		return
	}
	n.lo = len(n.text) - len(trimLeft(n.text))
	n.hi = n.lo + len(s)
	*m = n
}

// memoSlot is a hash of s.
func memoSlot(s string) uint64 {
	n := len(s)
	h := uint64(n)
	if n >= 16 {
		h ^= (load64(s[n/2-4:]) ^ load64(s)*0x9e3779b97f4a7c15)
		h = (h ^ h>>32 ^ load64(s[n-8:])) * 0x9e3779b97f4a7c15
	}
	return h >> (64 - 10)
}

// frame reads one more line of a trace.
func (p *parser) frame(a *assembler, raw string) bool {
	if len(raw) > min(256, p.opt.MaxLine) {
		return false
	}
	text, sec, ok := p.fr.like.match(raw)
	if !ok {
		return false
	}
	m := &p.memos[memoSlot(text)]
	t := a.tr
	if m.text != text || p.fr.cur.host != "" && sec < bootAfter {
		return false
	}
	s := text[m.lo:m.hi]
	if sec == a.sameBoot && s == a.same {
		return false
	}
	switch m.what {
	case memoTask:
		if t.entered || len(t.Frames) > 0 {
			return false
		}
		t.entered, a.mix.tags, t.ctx = true, true, ContextTask
	case memoTaskEnd:
		if t.left {
			return false
		}
		t.ctx, t.done, t.left, t.Complete = ContextTask, true, true, true
	default:
		if t.done || len(t.Frames) >= p.opt.MaxFrames || m.what == memoSchedule && t.scheduled {
			return false
		}
		p.addFrame(t.Trace, &m.frame)
		f := &t.Frames[len(t.Frames)-1]
		f.Context, f.Line = t.ctx, p.res.Lines+1
		if f.BuildID == "" && f.Module == "" {
			f.BuildID = a.buildID
		}
		if f.Reliable {
			p.res.More.Frames++
		}
		if m.what == memoSchedule {
			t.scheduled = true
		} else if m.what == memoOutermost && t.ctx == ContextTask {
			t.done, t.Complete, a.mix.ends = true, true, true
		}
	}
	p.res.Lines++
	p.seq++
	p.fr.lines++
	p.fr.again(p.res.Lines, text, sec)
	if p.fr.cur.host != "" {
		p.bootHost.last = sec
	}
	a.now, a.same, a.sameBoot = &p.fr.cur, s, sec
	a.touchTrace(a.now)
	return true
}
