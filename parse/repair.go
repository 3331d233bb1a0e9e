package parse

import "strings"

// What mail programs, narrow consoles and web pages do to a log is undone
// here, between the framer and the streams: wrapped key lines are joined,
// traces folded into a paragraph unfolded, split records put together.

// span is the part that a fragment is of its record.
type span struct {
	off, total int
	us         int64 // time stamp: the same in all fragments of a record
}

// fragment is a record of extended netconsole whose rest is still to come.
type fragment struct {
	open bool
	ln   line
	got  int
	sp   span
}

func (fr *framer) fragLine(ln *line, yield func(*line)) {
	f := &fr.frag
	if ln.frag == nil { // another record came in between
		fr.out(ln, 0, yield)
		return
	}
	sp := *ln.frag
	ln.frag = nil
	if f.open && (f.sp.us != sp.us || f.sp.total != sp.total || f.got != sp.off) {
		fr.fragEnd(yield)
	}
	if !f.open {
		*f = fragment{open: true, ln: *ln, sp: sp, got: sp.off + len(ln.text)}
	} else {
		f.ln.text += ln.text
		f.got += len(ln.text)
	}
	if f.got >= sp.total {
		fr.fragEnd(yield)
	}
}

func (fr *framer) fragEnd(yield func(*line)) {
	if f := fr.frag; f.open {
		fr.frag = fragment{}
		fr.split(f.ln.text, &f.ln, 0, yield)
	}
}

// whole joins the pieces of a container's long line: "P" goes on, "F" ends.
func (fr *framer) whole(part byte, text string) (string, bool) {
	if part == 'P' && len(fr.partial) < maxValue {
		fr.partial += text
		return "", false
	}
	if fr.partial != "" {
		text, fr.partial = fr.partial+text, ""
	}
	return text, true
}

// out hands a line on, unless it seems to be the start of a wrapped one.
func (fr *framer) out(ln *line, size int, yield func(*line)) {
	if fr.hold {
		if ln.framed && ln.hasBoot && ln.boot == fr.held.boot && ln.caller == fr.held.caller && ln.host == fr.held.host && nameGoesOn(fr.held.text, ln.text) {
			fr.held.text += "\n" + ln.text
			fr.release(yield)
			return
		}
		if !ln.framed && !ln.foreign {
			if text, ok := rejoin(fr.held.text, ln.text, fr.heldLen); ok && len(text) < 2048 {
				fr.held.text, fr.heldLen = text, size
				if !wrapped(text) {
					whole := fr.held
					fr.hold, fr.held = false, line{}
					if len(whole.text) > 60 && fr.folded(&whole, size, yield) {
						return
					}
					yield(&whole)
				}
				return
			}
		}
		fr.release(yield)
	}
	if !ln.foreign && (wrapped(ln.text) || fr.cpu != "" && size >= 79) {
		fr.held, fr.hold, fr.heldLen = *ln, true, size
		return
	}
	yield(ln)
}

func (fr *framer) release(yield func(*line)) {
	if fr.hold {
		ln := fr.held
		fr.hold, fr.held = false, line{}
		yield(&ln)
	}
}

// mayWrap has the last bytes and the first ones of lines that wrapped looks at;
// most lines of records have neither.
var mayWrap = func() (t struct{ last, first [256]bool }) {
	for _, c := range []byte(")]d:krenst,B.[0123456789") {
		t.last[c] = true
	}
	for _, c := range []byte("tIoCP") {
		t.first[c] = true
	}
	return t
}()

// wrapped tells whether a line ends where no line of the kernel ends.
func wrapped(s string) bool {
	n := len(s)
	for n > 0 && s[n-1] == ' ' {
		n--
	}
	if n < 4 {
		return false
	}
	s = s[:n]
	return mayWrap.last[s[n-1]] && wrappedEnd(s) || wrappedHead(s)
}

// wrappedEnd looks at the end of a line.
func wrappedEnd(s string) bool {
	switch c := s[len(s)-1]; c {
	case ')':
		return strings.Contains(s, "Killed process ") && !strings.Contains(s, "total-vm")
	case ']':
		return s[len(s)-2] == '>' && (strings.Contains(s, "}, at: [<") || strings.Contains(s, "}-{") && strings.Contains(s, ", at: [<"))
	case 'd':
		return strings.HasSuffix(s, " invoked") || strings.HasSuffix(s, " blocked") || strings.HasSuffix(s, "out of memory: Killed")
	case ':':
		return strings.HasSuffix(s, " oom-killer:") || strings.HasSuffix(s, "ainted:")
	case 'k':
		return strings.HasSuffix(s, "INFO: task")
	case 'r':
		return strings.HasSuffix(s, " blocked for") || strings.HasSuffix(s, "invoked oom-killer")
	case 'e':
		return strings.HasSuffix(s, " blocked for more")
	case 'n':
		return strings.HasSuffix(s, " for more than")
	case 's':
		return strings.HasSuffix(s, "Killed process")
	case 't':
		return strings.HasSuffix(s, " Not")
	case ',':
		return strings.Contains(s, " oom-killer: gfp_mask=") || strings.Contains(s, "Killed process ")
	case 'B':
		return strings.HasSuffix(s, "kB") && strings.Contains(s, "memory: usage ") && !strings.Contains(s, "limit ")
	default: // a digit, '.', '['
		return openStamp(s)
	}
}

// wrappedHead looks at the begin of a line that something has to follow on. Most
// lines of traces end in one of three bytes, and are none.
func wrappedHead(s string) bool {
	c := s[len(s)-1]
	for s[0] == ' ' {
		s = s[1:]
	}
	if !mayWrap.first[s[0]] || c == ')' || c == ']' || c == 'f' {
		return false
	}
	switch s[0] {
	case 't':
		return strings.HasPrefix(s, "task:") && !strings.Contains(s, "flags:0x")
	case 'I': // also a name with a line feed in it
		return strings.HasPrefix(s, "INFO: task") && (!strings.Contains(s, " blocked ") && !strings.Contains(s, " can't die ") && !strings.Contains(s, "can't die") && len(s) < 48 || isDigit(c) && strings.Contains(s, " for more than "))
	case 'o':
		return strings.HasPrefix(s, "oom-kill:constraint=") && !strings.Contains(s, ",uid=")
	case 'C':
		return strings.HasPrefix(s, "CPU: ") && strings.Contains(s, " Comm: ") && !strings.Contains(s, "ainted")
	case 'P':
		return strings.HasPrefix(s, "Pid: ") && strings.Contains(s, " comm: ") && !strings.Contains(s, "ainted")
	}
	return false
}

// nameGoesOn tells whether next goes on where a line feed in a task's name has
// cut s. printk gives both lines the same stamp.
func nameGoesOn(s, next string) bool {
	switch s = trimLeft(s); {
	case strings.HasPrefix(s, "INFO: task "):
		return !strings.Contains(s, " blocked ") && strings.Contains(next, " for more than ") && !strings.Contains(next, "INFO: task")
	case strings.HasPrefix(s, "task:"):
		return !strings.Contains(s, " state:") && strings.Contains(next, " state:") && !strings.HasPrefix(trimLeft(next), "task:")
	}
	return false
}

// openStamp tells whether s ends in the beginning of a time stamp: "[ 4390.".
func openStamp(s string) bool {
	for i := len(s) - 1; i > 10 && len(s)-i < 15; i-- {
		switch c := s[i]; {
		case c == '[':
			return s[i-1] == ' '
		case !isDigit(c) && c != ' ' && c != '.':
			return false
		}
	}
	return false
}

// rejoin joins the wrapped line s and what follows it, if that is its rest.
func rejoin(s, next string, size int) (string, bool) {
	s, n := trimRight(s), trim(next)
	if n == "" {
		return "", false
	}
	with := s + " " + n
	ok := false
	switch t := trimLeft(s); {
	case openStamp(s):
		i := 0
		for i < len(n) && (isDigit(n[i]) || n[i] == '.') {
			i++
		}
		if ok = i < len(n) && n[i] == ']'; ok && s[len(s)-1] != '[' {
			with = s + n
		}
	case s[len(s)-1] == ']':
		ok = strings.Contains(n, "+0x")
	case strings.HasSuffix(s, " invoked"):
		ok = strings.HasPrefix(n, "oom-killer:")
	case strings.HasSuffix(s, " oom-killer"):
		ok = strings.HasPrefix(n, ": gfp_mask=")
		with = s + n
	case strings.HasSuffix(s, " oom-killer:"):
		ok = strings.HasPrefix(n, "gfp_mask=")
	case strings.HasSuffix(s, "out of memory: Killed"):
		ok = strings.HasPrefix(n, "process ")
	case strings.Contains(s, " oom-killer: gfp_mask="):
		ok = strings.HasPrefix(n, "order=") || strings.HasPrefix(n, "oom_") || strings.HasPrefix(n, "nodemask=")
	case strings.Contains(s, "INFO: task"):
		ok = strings.Contains(n, "blocked") || strings.Contains(n, "more than") || strings.Contains(n, "seconds") || strings.HasPrefix(n, "for more")
	case strings.HasSuffix(s, "Killed process"):
		ok = isDigit(n[0])
	case strings.Contains(s, "Killed process "):
		ok = strings.Contains(n, "-vm:") || strings.Contains(n, "-rss:") || strings.HasPrefix(n, "UID") || strings.HasPrefix(n, "oom_score_adj:")
	case strings.HasPrefix(t, "CPU: "), strings.HasPrefix(t, "Pid: "):
		ok = !starts(n) && (strings.HasSuffix(s, "ainted:") || strings.HasSuffix(s, " Not") || strings.HasPrefix(n, "Not tainted") || strings.HasPrefix(n, "Tainted:"))
	case strings.HasSuffix(s, "ainted:"), strings.HasSuffix(s, " Not"): // of a hung task's report
		ok = isDigit(n[0]) || strings.HasPrefix(n, "G ") || strings.HasPrefix(n, "P ") || strings.HasPrefix(n, "tainted ")
	case strings.HasPrefix(t, "task:"):
		if !strings.Contains(t, " state:") {
			return "", false
		}
		if strings.HasPrefix(n, "stack:") || strings.HasPrefix(n, "running task") {
			return "", false // the kernel itself breaks there, see taskLine
		}
		ok = strings.Contains(n, "flags:0x") || strings.Contains(n, "pid:")
		if k := lastWord(s); strings.IndexByte(k, ':') < 0 || size >= 79 { // cut inside a word: "pi" "d:   42"
			if !strings.Contains(with, " pid:") || size >= 79 {
				with = s + n
			}
		}
	case strings.HasPrefix(t, "oom-kill:"):
		ok = n[0] != ',' && !starts(n) && (strings.IndexByte(n, '=') > 0 || strings.IndexByte(n, ',') > 0) && strings.IndexByte(n, ' ') < 0
		with = s + n
	case strings.Contains(s, "memory: usage "):
		ok = strings.HasPrefix(n, "limit ")
	}
	if !ok {
		return "", false
	}
	return with, true
}

func lastWord(s string) string { return s[strings.LastIndexByte(s, ' ')+1:] }

// zvm undoes the 80-column console of z/VM, which puts the CPU in front of
// each piece: "01: [  490.492303] task:x stack:58984 pi", "01: d:   42 ppid:".
func (fr *framer) zvm(ln *line, s string, size int, yield func(*line)) bool {
	if len(s) < 4 || s[2] != ':' || !isDigit(s[0]) || !isDigit(s[1]) || s[3] != ' ' {
		fr.cpu = ""
		return false
	}
	cont := fr.cpu != "" && fr.cpu == s[:2] && s[4:] != "" && !ln.hasBoot
	full := fr.cpuLen >= 79
	fr.cpu, fr.cpuLen = s[:2], size
	if !cont {
		return false
	}
	rest := s[4:]
	if full && fr.hold {
		fr.held.text += rest
		if size < 79 {
			fr.release(yield)
		}
		return true
	}
	ln.text = rest
	return false
}

// folded unfolds a trace that was pasted as one paragraph.
func (fr *framer) folded(ln *line, size int, yield func(*line)) bool {
	text := ln.text
	from, done := 0, false
	for from < len(text) { // by time stamps
		i := strings.IndexByte(text[from:], '[')
		if i < 0 {
			break
		}
		i += from
		from = i + 1
		if i == 0 || text[i-1] != ' ' || !stampAhead(text[i:]) {
			continue
		}
		if !ln.stamped && !fr.last.framed {
			break
		}
		head := *ln
		head.text = text[:i]
		fr.unfold(&head, yield)
		in := line{no: ln.no, host: ln.host, wall: ln.wall, bootID: ln.bootID, framed: true}
		_, rest, ok := in.prefix(text[i:], framePlain)
		if !ok {
			return true
		}
		in.text = rest
		text, ln, from, done = rest, &in, 0, true
	}
	if done {
		fr.last.of(ln)
	}
	if done || len(text) > 80 && strings.Count(text, "+0x") > 1 {
		if fr.unfold(ln, yield) {
			return true
		}
	}
	return done
}

// unfold cuts a line of several frames into one of each; it hands the line out
// whole where it is not sure.
func (fr *framer) unfold(ln *line, yield func(*line)) bool {
	cuts := frameCuts(ln.text)
	if cuts == nil {
		if trim(ln.text) != "" {
			fr.out(ln, 0, yield)
		}
		return true
	}
	for i, c := range cuts {
		end := len(ln.text)
		if i+1 < len(cuts) {
			end = cuts[i+1]
		}
		one := *ln
		one.text = trimRight(ln.text[c:end])
		if one.text != "" {
			fr.out(&one, 0, yield)
		}
	}
	return true
}

// frameCuts finds where each frame of a paragraph begins; nil if it is none.
func frameCuts(s string) []int {
	if strings.Count(s, "+0x") < 2 {
		return nil
	}
	var cuts []int
	frames := 0
	open := -1 // where the frame being read begins: its address or "?"
	pos := 0
	for pos < len(s) {
		for pos < len(s) && s[pos] == ' ' {
			pos++
		}
		if pos == len(s) {
			break
		}
		start := pos
		for pos < len(s) && s[pos] != ' ' {
			pos++
		}
		w := s[start:pos]
		switch {
		case w == "?" || len(w) > 4 && w[0] == '[' && w[1] == '<':
			if open < 0 {
				open = start
			}
		case strings.Contains(w, "+0x") && symbolLen(w) > 0 && strings.Contains(w, "/0x"):
			if open < 0 {
				open = start
			}
			cuts = append(cuts, open)
			open = -1
			frames++
		case frames > 0 && (w[0] == '[' || w == "(T)" || w == "(C)" || w == "(P)" || w == "(L)" || w == "(F)" || w == "(K)"): // module
		case len(w) > 4 && w[0] == '<' && w[len(w)-1] == '>':
			cuts = append(cuts, start)
			open = -1
		case frames == 0:
			if len(cuts) == 0 {
				cuts = append(cuts, 0)
			}
			open = -1
		case strings.Contains(s[pos:], "+0x"):
			return nil // something else between the frames
		default:
			if last := cuts[len(cuts)-1]; last < start {
				cuts = append(cuts, start)
			}
			return cuts
		}
	}
	if frames < 2 {
		return nil
	}
	return cuts
}
