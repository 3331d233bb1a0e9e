package parse

import (
	"strings"
	"time"
)

// line is one line of the log, unwrapped.
type line struct {
	no      int
	text    string
	boot    float64
	hasBoot bool
	framed  bool   // a prefix was taken off
	stamped bool   // the prefix shows that printk wrote it
	foreign bool   // another program's line
	vendor  bool   // a vendor's prefix may follow the stamp
	part    byte   // of a CRI line: 'P' goes on, 'F' ends
	wall    string // as printed, see normalWall
	host    string
	caller  string
	bootID  string // of the journal
	frag    *span  // of an extended netconsole record, nil if it is whole
}

// lastLine is what a line without a prefix takes from the one before it, or from
// one not far before that.
type lastLine struct {
	no              int
	framed, hasBoot bool
	boot            float64
	wall            string
	host            string
	caller          string
}

func (l *lastLine) of(ln *line) {
	l.no, l.framed, l.hasBoot, l.boot = ln.no, ln.framed, ln.hasBoot, ln.boot
	set(&l.wall, ln.wall)
	set(&l.host, ln.host)
	set(&l.caller, ln.caller)
}

// set is *to = s, without a write barrier where that changes nothing.
func set(to *string, s string) {
	if *to != s {
		*to = s
	}
}

// framing is one way to wrap lines. The table is what Result.Framing names
// and what documentation lists.
type framing struct {
	name   string
	what   string
	sample string
}

// The index of each framing in framings.
const (
	framePlain = iota
	frameDmesg
	frameCtime
	frameIso
	frameReltime
	frameDelta
	frameJSON
	frameKmsg
	frameConsole
	frameSyslog
	frameJournal
	frameJournalJSON
	frameJournalExport
	frameJournalVerbose
	frameJSONLines
	frameCRI
	frameLogcat
	frameCSV
	framePstore
	frameLogger
	frameProc
	numFramings

	frameDecoded = -1 // dmesg -x's "kern  :warn  : ", around any of dmesg's stamps
	frameNumber  = -2 // line numbers and the like, around anything
)

var framings = [numFramings]framing{
	framePlain:          {"plain", "text without any prefix, pasted or quoted", ` generic_file_aio_write+0x76/0xf0`},
	frameDmesg:          {"dmesg", "dmesg, with or without -x; the serial console; vmcore-dmesg.txt", `[   12.345678] sysrq: Show State`},
	frameCtime:          {"dmesg_ctime", "dmesg -T", `[Sun Nov 22 18:33:16 2026] sysrq: Show State`},
	frameIso:            {"dmesg_iso", "dmesg --time-format iso", `2026-11-22T18:33:16,000001+00:00 sysrq: Show State`},
	frameReltime:        {"dmesg_reltime", "dmesg -e or -H", `[Nov22 19:12] sysrq: Show State`},
	frameDelta:          {"dmesg_delta", "dmesg -d", `[    4.730872 <    0.435159>] sysrq: Show State`},
	frameJSON:           {"dmesg_json", "dmesg --json", `{"dmesg": [{"pri": 6, "time":    12.345678, "msg": "sysrq: Show State"}]}`},
	frameKmsg:           {"kmsg", "/dev/kmsg records; extended netconsole, fragments too", `4,367,4730872,-,caller=T1;sysrq: Show State`},
	frameConsole:        {"console", "dmesg -r, console with levels, Android's last_kmsg", `<4>[   12.345678] sysrq: Show State`},
	frameSyslog:         {"syslog", "syslog files: RFC 3164, ISO time, RFC 5424", `Mar 10 11:19:17 web kernel: [   12.345678] sysrq: Show State`},
	frameJournal:        {"journal", "journalctl -o short and its variants, with-unit", `Mar 10 11:19:17 web kernel: sysrq: Show State`},
	frameJournalJSON:    {"journal_json", "journalctl -o json, json-pretty, json-seq", `{"_TRANSPORT":"kernel","_HOSTNAME":"web","MESSAGE":"sysrq: Show State"}`},
	frameJournalExport:  {"journal_export", "journalctl -o export", "__REALTIME_TIMESTAMP=1710069557123456\n_TRANSPORT=kernel\nMESSAGE=sysrq: Show State\n"},
	frameJournalVerbose: {"journal_verbose", "journalctl -o verbose", "Sun 2024-03-10 11:19:17.123456 UTC [s=1f;i=2;b=3;m=4;t=5;x=6]\n    _TRANSPORT=kernel\n    MESSAGE=sysrq: Show State"},
	frameJSONLines:      {"json_lines", "docker's json-file; exports as JSON with the text in a usual field (message, msg, log, line, text, _raw, ...)", `{"log":"[   12.345678] sysrq: Show State\n","stream":"stdout","time":"2024-03-10T11:19:17.123456789Z"}`},
	frameCRI:            {"cri", "log files of Kubernetes containers", `2024-03-10T11:19:17.123456789Z stdout F [   12.345678] sysrq: Show State`},
	frameLogcat:         {"logcat", "logcat -b kernel", `03-10 11:19:17.123     0     0 I sysrq   : Show State`},
	frameCSV:            {"csv", "tables with the text in a column of a usual name", "\"time\",\"host\",\"message\"\n\"2024-03-10T11:19:17Z\",\"web\",\"[   12.345678] sysrq: Show State\""},
	framePstore:         {"pstore", "pstore and ramoops files, the parts in any order", "Panic#1 Part1\n<6>[   12.345678] sysrq: Show State"},
	frameLogger:         {"logger", "a console with the time stamp of whoever logged it in front", `[2024-03-10 11:19:17.123] [   12.345678] sysrq: Show State`},
	frameProc:           {"proc_stack", "/proc/PID/stack files, concatenated", `[<0>] do_truncate+0x84/0xe0`},
}

// framer unwraps the lines of one input. Every line is recognised by itself,
// so a change of framing inside a file needs no special care; only records of
// more than one line carry state.
type framer struct {
	count     [numFramings]int
	dmesg     bool // inside dmesg --json
	dmesgBoot float64
	dmesgHas  bool
	dmesgCall string
	dmesgPri  int64
	last      lastLine // the last framed line: bare lines continue it
	cur       line
	lastKmsg  bool
	lines     int

	json    jsonReader
	journal journalReader
	csv     csvReader
	frag    fragment
	partial string // a CRI line that goes on
	boot    string // id of the boot that journalctl's "-- Boot" named
	boots   int    // "-- Reboot --" lines
	num     int    // the last line number or column of seconds
	nums    int    // how many in a row
	held    line   // a key line that seems to be wrapped
	hold    bool
	heldLen int    // of the physical line that held ends with
	like    alike  // how cur was framed, if the next line may be framed so, too
	slow    bool   // every line is unwrapped by itself
	cpu     string // z/VM's prefix of the last line
	cpuLen  int    // of that line
}

// unwrap hands each logical line in raw to yield: one, none (JSON keys,
// dictionary lines), or several (records with escaped line ends). odd is what
// may be unusual in it.
func (fr *framer) unwrap(raw string, no int, odd oddity, yield func(*line)) {
	fr.lines++
	if fr.journal.open() && fr.journalLine(raw, no, yield) {
		return
	}
	if odd != 0 {
		raw = clean(raw, odd)
	}
	if fr.csv.open() && fr.csvLine(raw, no, yield) {
		return
	}
	if fr.dmesg {
		if fr.dmesgJSON(raw, no, yield) {
			return
		}
	} else if fr.json.open() {
		if fr.jsonLine(raw, no, yield) {
			return
		}
	}
	if odd == 0 && fr.like.ok && fr.quick(raw, no, yield) {
		return
	}
	if raw != "" {
		switch c := raw[0]; {
		case c == '[' && len(raw) > 3 && (isDigit(raw[1]) || raw[1] == ' ' && raw[2] != '{'): // a stamp
		case c == '{' || c == '[' || c == ' ' || c == '\t' || c == 0x1e:
			if t := trimLeft(raw); t != "" && (t[0] == '{' || t[0] == '[' || t[0] == 0x1e) && jsonStarts(t) && fr.jsonLine(t, no, yield) {
				return
			}
		case c == '_' || c == '"' || isAlpha(c):
			if c != '[' && fr.starts(raw, no, yield) {
				return
			}
		}
	}
	if odd&oddHTML != 0 && strings.IndexByte(raw, '<') >= 0 {
		raw = dropTags(raw)
		for {
			i := strings.IndexByte(raw, '\n')
			if i < 0 {
				break
			}
			fr.physical(raw[:i], no, odd, yield)
			if raw = raw[i+1:]; raw == "" {
				return
			}
		}
	}
	fr.physical(raw, no, odd, yield)
}

// starts tells whether a container of several lines begins, and takes its
// first line.
func (fr *framer) starts(raw string, no int, yield func(*line)) bool {
	switch c := raw[0]; {
	case c == '_':
		if strings.HasPrefix(raw, "__CURSOR=") || strings.HasPrefix(raw, "__REALTIME_TIMESTAMP=") || strings.HasPrefix(raw, "__SEQNUM=") {
			fr.journal = journalReader{export: true}
			return fr.journalLine(raw, no, yield)
		}
	case c == '"':
		return fr.csvStarts(raw, no, yield)
	case c == 'S' || c == 'M' || c == 'T' || c == 'W' || c == 'F': // a day of the week
		if len(raw) > 40 && raw[3] == ' ' && isDigit(raw[4]) && raw[8] == '-' && verboseHead(raw) {
			fr.journal = journalReader{verbose: true}
			return fr.journalLine(raw, no, yield)
		}
		fallthrough
	default:
		if fr.lines == 1 && strings.IndexAny(raw, ",;\t") > 0 {
			return fr.csvStarts(raw, no, yield)
		}
	}
	return false
}

func (fr *framer) jsonLine(raw string, no int, yield func(*line)) bool {
	ok := fr.json.line(raw, no, func(e *entry) {
		kind := frameJSONLines
		if e.journal() {
			kind = frameJournalJSON
		}
		fr.give(e, kind, yield)
	})
	if fr.json.dmesg {
		fr.json = jsonReader{}
		return fr.dmesgJSON(raw, no, yield)
	}
	return ok
}

// end hands out what waits for more lines.
func (fr *framer) end(yield func(*line)) {
	fr.json.end(func(e *entry) {
		kind := frameJSONLines
		if e.journal() {
			kind = frameJournalJSON
		}
		fr.give(e, kind, yield)
	})
	fr.journalEnd(yield)
	fr.csvEnd(yield)
	fr.fragEnd(yield)
	fr.release(yield)
}

// physical unwraps one line of text.
func (fr *framer) physical(raw string, no int, odd oddity, yield func(*line)) {
	if odd&oddRepeat != 0 {
		if n, rest, ok := repeated(raw); ok {
			for range n {
				fr.text(&line{no: no, text: rest}, framePlain, odd, yield)
			}
			return
		}
	}
	fr.cur = line{no: no, text: raw} // not a variable: a line of noise must not allocate
	fr.text(&fr.cur, framePlain, odd, yield)
}

// text unwraps ln.text, of which a container of the given kind has been taken
// off already.
func (fr *framer) text(ln *line, kind int, odd oddity, yield func(*line)) {
	fr.like.ok = false
	s := ln.text
	size := len(s)
	t := trimLeft(s)
	if t != "" && t[0] == '>' {
		s = unquote(t)
		ln.text = s
		t = trimLeft(s)
	}
	if fr.lastKmsg && len(s) > 1 && s[0] == ' ' && dictLine(s) {
		return
	}
	kmsg, outer := false, kind
	inner := ln.framed // a container's text: only a stamp makes it printk's
	if t != "" {
		c := t[0]
		if c == '|' && strings.HasPrefix(t, "| [") {
			t = t[2:]
			c = '['
		}
		if c == '[' || c == '<' || isDigit(c) || isAlpha(c) || c >= 0x80 {
			for range 6 { // syslog around console around dmesg
				k, rest, ok := ln.prefix(t, kind)
				if !ok {
					break
				}
				switch {
				case k == frameDecoded || k == frameNumber:
				case kind == framePlain, kind == frameConsole && k != frameDmesg, kind == frameDmesg && k == frameJournal:
					kind = k
				case kind == frameLogger && k == frameKmsg:
					kind = k
				case (kind == frameCtime || kind == frameDmesg) && outer == framePlain && (k == frameDmesg || k == frameKmsg):
					kind, ln.wall = frameLogger, ""
				}
				if k == frameCRI {
					if rest, ok = fr.whole(ln.part, rest); !ok {
						return
					}
				}
				ln.framed, kmsg = true, k == frameKmsg
				fr.like.ok = false
				if k == frameDmesg && len(s) == size && ln == &fr.cur && odd == 0 && !fr.slow {
					fr.like.of(ln, s, t, rest)
				}
				ln.text, t = rest, trimLeft(rest)
				if ln.foreign || t == "" || !ln.wrapper(k, t) {
					break
				}
			}
			if isDigit(c) && !ln.framed || inner && isDigit(c) && kind == outer {
				fr.column(ln, t)
			}
			if ln.framed && kind == framePlain {
				kind = frameDmesg
			}
			fr.like.kind = kind
		}
	}
	if ln.vendor && !ln.foreign {
		ln.vendorPrefix()
	}
	fr.lastKmsg = kmsg
	if fr.zvm(ln, s, size, yield) {
		return
	}
	if !ln.framed {
		if strings.HasPrefix(t, "-- ") && fr.bootLine(t) {
			return
		}
		fr.bare(ln)
	} else if !ln.foreign {
		if fr.boot != "" && kind == frameJournal {
			ln.bootID = fr.boot
		}
		fr.last.of(ln)
	}
	if !ln.foreign && ln.text != "" {
		fr.count[kind]++
	}
	if odd&(oddBackslash|oddHash) != 0 && !ln.foreign {
		if kmsg && strings.Contains(ln.text, `\x`) {
			if ln.frag != nil {
				ln.text = unescape(ln.text)
			} else {
				fr.split(unescape(ln.text), ln, size, yield)
				return
			}
		}
		if odd&oddHash != 0 && (kind == frameSyslog || kind == frameJournal) && strings.Contains(ln.text, "#01") {
			fr.split(syslogEscapes.Replace(ln.text), ln, size, yield)
			return
		}
		if ln.stamped && strings.Contains(ln.text, `\x0`) {
			fr.split(blankEscapes.Replace(ln.text), ln, size, yield)
			return
		}
	}
	if ln.frag != nil || fr.frag.open {
		fr.fragLine(ln, yield)
		return
	}
	if len(ln.text) > 60 && fr.folded(ln, size, yield) {
		return
	}
	fr.out(ln, size, yield)
}

var (
	syslogEscapes = strings.NewReplacer("#012", "\n", "#011", "\t", "#015", "")
	blankEscapes  = strings.NewReplacer(`\x0a`, "\n", `\x09`, "\t", `\x0d`, "")
)

// split hands out the lines of a record of several lines.
func (fr *framer) split(text string, ln *line, size int, yield func(*line)) {
	splitLines(text, *ln, func(l *line) { fr.out(l, size, yield) })
}

// wrapper tells whether a further prefix may stand in t, behind one of kind k.
// Behind printk's own stamp comes the message, whatever it looks like; only
// another stamp of printk may follow, where the first was a logger's.
func (ln *line) wrapper(k int, t string) bool {
	switch k {
	case frameDecoded, frameConsole, frameSyslog, frameJournal, frameNumber, frameCRI, frameLogger:
		return true
	case frameDmesg, frameCtime: // journalctl -o short-monotonic: "[  123.456789] web kernel: msg"
		if t[0] == '[' {
			return stampAhead(t)
		}
		if t[0] == '<' {
			return len(t) > 3 && t[2] == '>' && t[3] == '[' && stampAhead(t[3:])
		}
		i := strings.IndexByte(t, ' ')
		return i > 0 && strings.HasPrefix(t[i:], " kernel: ") && strings.IndexByte(t[:i], '\t') < 0
	}
	return false
}

// stampAhead recognises printk's "[   12.345678]" at the start of s.
func stampAhead(s string) bool {
	t := trimLeft(s[1:])
	if t == "" || !isDigit(t[0]) {
		return false
	}
	_, n := readSeconds(t)
	return n >= 8 && n < len(t) && t[n] == ']' && t[n-7] == '.'
}

// bootLine reads journalctl's "-- Boot 0123...f --" and "-- Reboot --".
func (fr *framer) bootLine(s string) bool {
	body, ok := strings.CutSuffix(s[3:], " --")
	switch {
	case !ok:
		return false
	case body == "Reboot":
		fr.boots++
		fr.boot = "reboot " + itoa(fr.boots)
		return true
	case strings.HasPrefix(body, "Boot ") && len(body) == 37:
		fr.boot = strings.Clone(body[5:])
		return true
	}
	return false
}

// bare fills in what a line without prefix inherits: it continues the record
// before it (printk's LOG_CONT, dmesg's lines of one record), or a prompt or
// another program's output was glued in front of the prefix.
func (fr *framer) bare(ln *line) {
	if ln.no-fr.last.no > lookBack {
		fr.last = lastLine{}
	}
	if i := strings.IndexByte(ln.text, '['); i > 0 && i < 200 {
		for j := i; j >= 0 && j < len(ln.text); {
			if stampAhead(ln.text[j:]) || fr.last.framed && !fr.last.hasBoot && j+1 < len(ln.text) && isAlpha(ln.text[j+1]) {
				in := line{no: ln.no}
				if k, rest, ok := in.prefix(ln.text[j:], framePlain); ok && (k == frameDmesg || k == frameCtime) && (!fr.last.framed || fr.last.hasBoot == in.hasBoot) {
					in.text, in.framed = rest, true
					*ln = in
					fr.last.of(ln)
					return
				}
			}
			n := strings.IndexByte(ln.text[j+1:], '[')
			if n < 0 {
				break
			}
			j += 1 + n
		}
	}
	if !fr.last.framed {
		return
	}
	ln.boot, ln.hasBoot, ln.wall, ln.host, ln.caller = fr.last.boot, fr.last.hasBoot, fr.last.wall, fr.last.host, fr.last.caller
}

// clean removes what terminals, serial lines and mail programs add.
func clean(s string, odd oddity) string {
	if odd&oddControl != 0 {
		if strings.IndexByte(s, 0x1b) >= 0 {
			s = stripANSI(s)
		}
		if strings.IndexByte(s, 0) >= 0 {
			s = strings.ReplaceAll(s, "\x00", "")
		}
		if strings.IndexByte(s, '\r') >= 0 {
			if s[len(s)-1] == '\r' {
				s = s[:len(s)-1]
			}
			s = strings.ReplaceAll(s, "\r", "")
		}
		if strings.Contains(s, "\u00a0") || strings.Contains(s, "\u200b") || strings.Contains(s, "\ufeff") {
			s = oddBlanks.Replace(s)
		}
	}
	if odd&oddHTML != 0 && strings.IndexByte(s, '&') >= 0 {
		s = htmlEscapes.Replace(s)
	}
	return s
}

var (
	oddBlanks   = strings.NewReplacer("\u00a0", " ", "\u200b", "", "\ufeff", "")
	htmlEscapes = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&nbsp;", " ", "&amp;lt;", "<", "&amp;gt;", ">", "&amp;nbsp;", " ", "&amp;", "&",
		"&quot;", `"`, "&#39;", "'", "&#x27;", "'", "&#34;", `"`, "&#43;", "+", "&#160;", " ", "&#xa0;", " ", "&#60;", "<", "&#62;", ">", "&#91;", "[", "&#93;", "]")
)

// dropTags takes the tags that pages put around lines off; a line break
// becomes one.
func dropTags(s string) string {
	var b strings.Builder
	from := 0 // what is before it is in b
	for i := 0; ; i++ {
		j := strings.IndexByte(s[i:], '<')
		if j < 0 {
			break
		}
		i += j
		r := strings.TrimPrefix(s[i+1:], "/")
		if r == "" || !isAlpha(r[0]) {
			continue // an address, "<0>"
		}
		tag := r[:symbolLen(r)]
		if len(tag) > 4 || !strings.Contains(" br p pre div span code tt td font ", " "+strings.ToLower(tag)+" ") {
			continue
		}
		end := strings.IndexByte(r, '>')
		if end < 0 {
			break // nor does any other tag end
		}
		b.WriteString(s[from:i])
		if tag == "br" || tag == "BR" || tag == "Br" || tag == "bR" {
			b.WriteByte('\n')
		}
		from = len(s) - len(r) + end + 1
		i = from - 1
	}
	if from == 0 {
		return s
	}
	b.WriteString(s[from:])
	return b.String()
}

func stripANSI(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != 0x1b {
			b.WriteByte(s[i])
			continue
		}
		if i+1 < len(s) && s[i+1] == '[' {
			j := i + 2
			for j < len(s) && (isDigit(s[j]) || s[j] == ';' || s[j] == '?') {
				j++
			}
			i = j // the final letter
		} else if i+2 < len(s) && (s[i+1] == '(' || s[i+1] == ')') {
			i += 2
		}
	}
	return b.String()
}

// unquote takes a mail's quotation marks off: "> > text", ">>> text".
func unquote(s string) string {
	for s != "" && s[0] == '>' {
		s = s[1:]
		if len(s) > 1 && s[0] == ' ' && s[1] == '>' {
			s = s[1:]
		}
	}
	return strings.TrimPrefix(s, " ")
}

// dictLine recognises " SUBSYSTEM=pci" after a kmsg record.
func dictLine(s string) bool {
	i := 1
	for i < len(s) && (s[i] >= 'A' && s[i] <= 'Z' || s[i] == '_') {
		i++
	}
	return i > 1 && i < len(s) && s[i] == '='
}

// prefix takes one prefix off s.
func (ln *line) prefix(s string, outer int) (kind int, rest string, ok bool) {
	if len(s) < 3 {
		return 0, s, false
	}
	switch c := s[0]; {
	case c == '[':
		return ln.bracket(s, outer)
	case c == '<':
		return ln.level(s)
	case isDigit(c):
		return ln.digits(s, outer)
	}
	if len(s) > 16 {
		if s[3] == ' ' && s[9] == ':' && s[12] == ':' && (s[15] == ' ' || s[15] == '.') && month(s[:3]) > 0 {
			n := 15
			for s[15] == '.' && n < len(s) && s[n] != ' ' { // journalctl -o short-precise
				n++
			}
			ln.wall = s[:n]
			return ln.syslog(s[n:], frameSyslog)
		}
		if s[8] == ':' || s[6] == ':' || s[7] == ':' || s[5] == ':' {
			if r, ok := ln.decoded(s); ok {
				return frameDecoded, r, true
			}
		}
		if s[3] == ' ' && len(s) > 28 && s[8] == '-' && s[11] == '-' && s[14] == ' ' { // Sun 2024-03-10 11:19:17 UTC host kernel:
			if i := strings.IndexByte(s[24:], ' '); i >= 0 && s[17] == ':' && i < 8 {
				ln.wall = s[4:23]
				return ln.syslog(s[24+i:], frameJournal)
			}
		}
	}
	if len(s) > 16 && outer != frameDmesg {
		if n := localDate(s); n > 0 {
			ln.wall = s[:n]
			if k, r, ok := ln.syslog(s[n:], frameSyslog); ok {
				return k, r, true
			}
			ln.wall, ln.host, ln.foreign = "", "", false
		}
	}
	if r, ok := strings.CutPrefix(s, "kernel: "); ok && outer != frameSyslog && outer != frameJournal {
		ln.stamped = true
		return frameConsole, r, true
	}
	if ln.hasBoot && ln.host == "" { // journalctl -o short-monotonic, short-unix
		if w, r := field(s); strings.HasPrefix(r, " kernel: ") && len(w) < 64 {
			ln.host = w
			return frameJournal, r[9:], true
		}
	}
	return 0, s, false
}

// bracket reads the stamps in brackets.
func (ln *line) bracket(s string, outer int) (int, string, bool) {
	i := 1
	for i < len(s) && s[i] == ' ' {
		i++
	}
	if i >= len(s) {
		return 0, s, false
	}
	c := s[i]
	switch {
	case isDigit(c): // "[   12.345678] " and "[    4.730872 <    0.435159>] "
		sec, n := readSeconds(s[i:])
		if n == 0 || i+n >= len(s) {
			if n := loggerStamp(s[i:]); n > 0 {
				return frameLogger, strings.TrimPrefix(s[i+n:], " "), true
			}
			return 0, s, false
		}
		kind := frameDmesg
		r := s[i+n:]
		switch r[0] {
		case ' ':
			r = trimLeft(r)
			if _, n := readSeconds(r); n > 0 && len(r) > n && r[n] == ']' { // grabserial: "[0.123456 0.000012] "
				return frameLogger, strings.TrimPrefix(r[n+1:], " "), true
			}
			if r == "" || r[0] != '<' {
				return 0, s, false
			}
			j := strings.Index(r, ">]")
			if j < 0 || j > 20 {
				return 0, s, false
			}
			r, kind = r[j+1:], frameDelta
		case ',': // "[   12.345678, 0] ", with the CPU
			t := trimLeft(r[1:])
			_, t2, ok := leadInt(t)
			if !ok || len(t)-len(t2) > 3 {
				return 0, s, false
			}
			r = t2
		}
		if r == "" || r[0] != ']' {
			return 0, s, false
		}
		ln.boot, ln.hasBoot, ln.stamped = sec, true, true
		r = ln.callerID(r[1:])
		if len(r) > 4 {
			switch c := r[0]; c {
			case ' ':
				ln.vendor = r[1] == '(' || r[1] == '[' && isDigit(r[2])
			case '(', '-', '[':
				ln.vendor = true
			default:
				ln.vendor = r[3] == ':' && isDigit(c)
			}
		}
		return kind, r, true
	case (c == 'T' || c == 'C') && outer == frameConsole: // "<4>[   T45] "
		if r := ln.callerID(s); len(r) < len(s) {
			return frameDmesg, r, true
		}
	case c == '+': // "[  +0.000483] "
		_, n := readSeconds(strings.Replace(s[i+1:], ",", ".", 1))
		if n == 0 || i+1+n >= len(s) || s[i+1+n] != ']' {
			return 0, s, false
		}
		ln.stamped = true
		return frameReltime, ln.callerID(s[i+n+2:]), true
	case i == 1 && (isAlpha(c) || c >= 0x80):
		j := strings.IndexByte(s[:min(len(s), 49)], ']') // bare asks this of every '[' of a line
		if j < 10 {
			return 0, s, false
		}
		in := s[1:j]
		if n := len(in); n > 16 && in[n-5] == ' ' && in[n-8] == ':' && in[n-11] == ':' && in[n-14] == ' ' && isDigit(in[n-1]) {
			ln.wall, ln.stamped = in, true
			return frameCtime, ln.callerID(s[j+1:]), true
		}
		if n := len(in); n >= 10 && in[n-3] == ':' && in[n-6] == ' ' && isDigit(in[n-1]) && isDigit(in[n-2]) && isDigit(in[n-4]) { // "[Nov22 19:12] "
			ln.wall, ln.stamped = in, true
			return frameReltime, ln.callerID(s[j+1:]), true
		}
	}
	return 0, s, false
}

// callerID takes "[   T45] " (CONFIG_PRINTK_CALLER, 5.1 ->) and the blank that
// ends the prefix off.
func (ln *line) callerID(s string) string {
	r := s
	if len(r) > 1 && r[0] == ' ' && r[1] == '[' {
		r = r[1:]
	}
	if len(r) > 3 && r[0] == '[' {
		i := 1
		for i < len(r) && r[i] == ' ' {
			i++
		}
		if i < len(r) && (r[i] == 'T' || r[i] == 'C') {
			j := i + 1
			for j < len(r) && isDigit(r[j]) {
				j++
			}
			if j > i+1 && j < len(r) && r[j] == ']' {
				ln.caller = r[i:j]
				s = r[j+1:]
			}
		}
	}
	return strings.TrimPrefix(s, " ")
}

// readSeconds reads "12.345678".
func readSeconds(s string) (sec float64, n int) {
	var whole, frac int64
	i := 0
	for i < len(s) && i < 10 && isDigit(s[i]) {
		whole = whole*10 + int64(s[i]-'0')
		i++
	}
	if i == 0 || i+1 >= len(s) || s[i] != '.' {
		return 0, 0
	}
	i++
	if len(s) > i+6 && !isDigit(s[i+6]) {
		if us, ok := micros(s[i : i+6]); ok {
			return float64(whole*1e6+us) / 1e6, i + 6
		}
	}
	start, scale := i, int64(1)
	for i < len(s) && i-start < 9 && isDigit(s[i]) {
		if i-start < 6 {
			frac, scale = frac*10+int64(s[i]-'0'), scale*10
		}
		i++
	}
	if i-start < 2 {
		return 0, 0
	}
	return float64(whole*scale+frac) / float64(scale), i
}

// hasSeconds tells whether readSeconds reads the start of s.
func hasSeconds(s string) bool {
	i := 0
	for i < len(s) && i < 10 && isDigit(s[i]) {
		i++
	}
	return i > 0 && i+2 < len(s) && s[i] == '.' && isDigit(s[i+1]) && isDigit(s[i+2])
}

// micros reads the six digits of printk's stamp.
func micros(s string) (n int64, ok bool) {
	for i := range len(s) {
		if !isDigit(s[i]) {
			return 0, false
		}
		n = n*10 + int64(s[i]-'0')
	}
	return n, true
}

// level reads "<4>" and RFC 5424's "<4>1 2024-...". Only facility 0 is the
// kernel's own.
func (ln *line) level(s string) (int, string, bool) {
	n, r, ok := leadInt(s[1:])
	if !ok || n < 0 || n > 191 || r == "" || r[0] != '>' || len(s)-len(r) > 4 {
		return 0, s, false
	}
	r = r[1:]
	if strings.HasPrefix(r, "1 2") && len(r) > 30 {
		if k, rest, ok := ln.isoLine(r[2:]); ok {
			return k, rest, ok
		}
	}
	if n > 7 {
		ln.foreign = true
	}
	ln.stamped = true
	return frameConsole, r, true
}

// kmsg reads "4,367,4730872,-,caller=T1;text" (devkmsg_read, 3.5 ->), also
// with the release in front that netconsole adds.
func (ln *line) kmsg(s string) (string, bool) {
	head, text, ok := strings.Cut(s, ";")
	if !ok || len(head) < 6 || len(head) > 160 {
		return s, false
	}
	pri, r, ok := leadInt(head)
	if ok && r != "" && r[0] == '.' {
		if _, r, ok = strings.Cut(head, ","); !ok {
			return s, false
		}
		pri, r, ok = leadInt(r)
	}
	if !ok || r == "" || r[0] != ',' {
		return s, false
	}
	_, r, ok = leadInt(r[1:])
	if !ok || r == "" || r[0] != ',' {
		return s, false
	}
	us, r, ok := leadInt(r[1:])
	if !ok || r == "" || r[0] != ',' || len(r) < 2 {
		return s, false
	}
	if pri > 7 {
		ln.foreign = true
	}
	ln.boot, ln.hasBoot, ln.stamped = float64(us)/1e6, true, true
	if len(r) > 3 {
		if c, ok := after(r, ",caller="); ok {
			c, _, _ = strings.Cut(c, ",")
			ln.caller = c
		}
		if f, ok := after(r, ",ncfrag="); ok { // netconsole's records of more than 1000 bytes
			off, f, ok1 := leadInt(f)
			total, _, ok2 := leadInt(strings.TrimPrefix(f, "/"))
			if ok1 && ok2 && off >= 0 && total > off && total < 1<<20 {
				ln.frag = &span{int(off), int(total), us}
			}
		}
	}
	return text, true
}

// isoLine reads "2026-11-22T18:33:16,000001+00:00 msg" (dmesg, with a comma),
// "2024-03-10T11:19:17.123456+00:00 host kernel: msg" (rsyslog) and
// "2024-03-10T11:19:17+0000 host kernel: msg" (journalctl).
func (ln *line) isoLine(s string) (int, string, bool) {
	if len(s) < 20 || s[4] != '-' || s[7] != '-' || (s[10] != 'T' && s[10] != ' ') || s[13] != ':' || s[16] != ':' || !isDigit(s[18]) {
		return 0, s, false
	}
	i := 19
	for i < len(s) && (isDigit(s[i]) || strings.IndexByte(",.+-:Z", s[i]) >= 0) {
		i++
	}
	if i >= len(s) {
		return 0, s, false
	}
	if s[i] != ' ' {
		return 0, s, false
	}
	ln.wall = s[:i]
	if s[19] == ',' && s[10] == 'T' {
		ln.stamped = true
		return frameIso, ln.callerID(s[i:]), true
	}
	r := s[i+1:]
	if strings.HasPrefix(r, "std") && (strings.HasPrefix(r, "stdout ") || strings.HasPrefix(r, "stderr ")) && len(r) > 8 && (r[7] == 'F' || r[7] == 'P') && r[8] == ' ' {
		ln.part = r[7]
		return frameCRI, r[9:], true
	}
	if t := trimLeft(r); t != "" && (t[0] == '[' && stampAhead(t) || t[0] == '<' && len(t) > 3 && t[3] == '[') {
		return frameLogger, t, true
	}
	kind := frameSyslog
	if strings.IndexByte(s[19:i], '.') < 0 {
		kind = frameJournal
	}
	return ln.syslog(s[i:], kind)
}

// unixLine reads "1710069557.123456 host kernel: msg".
func (ln *line) unixLine(s string) (int, string, bool) {
	if len(s) < 20 || s[10] != '.' || s[17] != ' ' {
		return 0, s, false
	}
	if _, n := readSeconds(s); n != 17 {
		return 0, s, false
	}
	w, r := field(s[17:])
	if !strings.HasPrefix(r, " kernel: ") {
		if strings.Contains(s, ": ") {
			ln.wall, ln.foreign = s[:17], true
			return frameJournal, r, true
		}
		return 0, s, false
	}
	ln.wall, ln.host, ln.stamped = s[:17], w, true
	return frameJournal, r[9:], true
}

// syslog reads " host kernel: msg" and the variants of it; lines of other
// programs are foreign.
func (ln *line) syslog(s string, kind int) (int, string, bool) {
	t := trimLeft(s)
	if t != "" && t[0] == '[' && stampAhead(t) { // ts of moreutils
		return frameLogger, t, true
	}
	w, r := field(t)
	if host, rest, ok := kernelTag(t); ok && host == "" {
		ln.stamped = true
		return journalOr(kind, rest), rest, true
	}
	ln.host = w
	t = trimLeft(r)
	if strings.HasPrefix(t, "kern.") { // busybox syslogd: "host kern.warn kernel: msg"
		_, r = field(t)
		t = trimLeft(r)
	}
	if _, rest, ok := kernelTag(t); ok {
		ln.stamped = true
		return journalOr(kind, rest), rest, true
	}
	if rest, ok := strings.CutPrefix(t, "- - "); ok { // RFC 5424 without a tag
		return kind, structured(rest), true
	}
	if _, n := readSeconds(trimLeft(strings.TrimPrefix(t, "["))); n > 0 && t[0] == '[' {
		return kind, t, true
	}
	ln.foreign = true
	return kind, t, true
}

func journalOr(kind int, rest string) int {
	if t := trimLeft(rest); t != "" && t[0] == '[' && hasSeconds(trimLeft(t[1:])) {
		return kind
	}
	return frameJournal
}

// kernelTag takes "kernel: ", "kernel:[", "kernel[0]: " or "kernel  " off s.
func kernelTag(s string) (host, rest string, ok bool) {
	r, ok := strings.CutPrefix(s, "kernel")
	if !ok || r == "" {
		return "", s, false
	}
	if r[0] == '[' {
		i := strings.Index(r, "]:")
		if i < 0 || i > 12 {
			return "", s, false
		}
		r = r[i+1:]
	}
	switch {
	case r[0] == ':':
		return "", strings.TrimPrefix(r[1:], " "), true
	case r[0] == ' ':
		if w, t := field(r); w == "-" || w == "0" { // RFC 5424: PROCID MSGID STRUCTURED-DATA MSG
			if _, t = field(t); t != "" {
				return "", structured(trimLeft(t)), true
			}
		}
		return "", r[1:], true
	}
	return "", s, false
}

// structured takes RFC 5424's structured data off: "-" or "[id key="value"]".
func structured(s string) string {
	for strings.HasPrefix(s, "[") && !stampAhead(s) {
		i := strings.Index(s, "]")
		if i < 0 || !strings.Contains(s[:i], "=\"") && strings.IndexByte(s[:i], ' ') >= 0 {
			return s
		}
		if s = s[i+1:]; s != "" && s[0] == '[' {
			continue
		}
		return strings.TrimPrefix(strings.TrimPrefix(s, " "), "\ufeff")
	}
	return strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(s, "-"), " "), "\ufeff")
}

// decoded reads dmesg -x's "kern  :warn  : ". Lines of other facilities were
// written by programs.
func (ln *line) decoded(s string) (string, bool) {
	i := strings.IndexByte(s, ':')
	if i < 3 || i > 8 || symbolLen(s) < 3 {
		return s, false
	}
	fac := trimRight(s[:i])
	r := s[i+1:]
	j := strings.IndexByte(r, ':')
	if j < 3 || j > 7 {
		return s, false
	}
	switch trimRight(r[:j]) {
	case "emerg", "alert", "crit", "err", "warn", "notice", "info", "debug":
	default:
		return s, false
	}
	if fac != "kern" {
		switch fac {
		case "user", "mail", "daemon", "auth", "syslog", "lpr", "news", "uucp", "cron", "authpriv", "ftp":
			ln.foreign = true
		default:
			return s, false
		}
	}
	ln.stamped = true
	return strings.TrimPrefix(r[j+1:], " "), true
}

// dmesgJSON reads dmesg --json, one key a line. It returns false for a line
// that is none of it.
func (fr *framer) dmesgJSON(raw string, no int, yield func(*line)) bool {
	fr.dmesg = true
	if strings.Contains(raw, `"time"`) && strings.Contains(raw, `"msg"`) { // not pretty-printed
		for {
			i := strings.Index(raw, `"time"`)
			if i < 0 {
				return true
			}
			fr.jsonKey(raw[i:], no, yield)
			raw = raw[i+6:]
			if i = strings.Index(raw, `"msg"`); i < 0 {
				return true
			}
			raw = raw[i+fr.jsonKey(raw[i:], no, yield):]
		}
	}
	t := trim(raw)
	switch {
	case t == "", t[0] == '{', t[0] == '}', t[0] == '"', t[0] == ']':
		fr.jsonKey(t, no, yield)
		return true
	}
	fr.dmesg = false
	return false
}

// jsonKey reads one "key": value and returns how long it is.
func (fr *framer) jsonKey(t string, no int, yield func(*line)) int {
	key, val, ok := strings.Cut(t, ":")
	if !ok {
		return len(t)
	}
	val = trimLeft(val)
	switch trim(key) {
	case `"pri"`:
		fr.dmesgPri, _, _ = leadInt(val)
		fr.dmesgCall, fr.dmesgHas = "", false
	case `"time"`:
		sec, n := readSeconds(val)
		fr.dmesgBoot, fr.dmesgHas = sec, n > 0
	case `"caller"`:
		fr.dmesgCall, _ = unquoteJSON(val)
	case `"msg"`:
		text, n := unquoteJSON(val)
		fr.count[frameJSON]++
		ln := line{no: no, boot: fr.dmesgBoot, hasBoot: fr.dmesgHas, caller: trim(fr.dmesgCall), framed: true, stamped: true, foreign: fr.dmesgPri > 7}
		splitLines(text, ln, yield)
		return len(t) - len(val) + n
	}
	return len(key) + 1
}

// splitLines yields each line of a record of several lines. What follows
// "\n<4>[" is the rest of the file, a bug of util-linux 2.38.1 with -F.
func splitLines(text string, ln line, yield func(*line)) {
	for first := true; ; first = false {
		t, rest, more := strings.Cut(text, "\n")
		if !first && len(t) > 4 && t[0] == '<' && isDigit(t[1]) && t[2] == '>' {
			return
		}
		one := ln
		one.text = t
		yield(&one)
		if !more {
			return
		}
		text = rest
	}
}

// unescape undoes /dev/kmsg's \x0a.
func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+3 < len(s) && s[i+1] == 'x' && isHex(s[i+2]) && isHex(s[i+3]) {
			v, _, _ := leadHex(s[i+2 : i+4])
			b.WriteByte(byte(v))
			i += 3
			continue
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func month(s string) int {
	if len(s) < 3 {
		return 0
	}
	switch s[:3] {
	case "Jan":
		return 1
	case "Feb":
		return 2
	case "Mar":
		return 3
	case "Apr":
		return 4
	case "May":
		return 5
	case "Jun":
		return 6
	case "Jul":
		return 7
	case "Aug":
		return 8
	case "Sep":
		return 9
	case "Oct":
		return 10
	case "Nov":
		return 11
	case "Dec":
		return 12
	}
	return 0
}

// wall is normalWall: many records bear one wall clock.
func (p *parser) wall(s string) string {
	if w := &p.lastWall; w.raw != s {
		w.raw, w.normal = s, normalWall(s)
	}
	return p.lastWall.normal
}

// normalWall writes a wall clock as RFC 3339, as far as the log tells: no
// year in syslog ("--11-22T19:48:01"), no zone in dmesg -T.
func normalWall(s string) string {
	if s == "" {
		return ""
	}
	if isDigit(s[0]) {
		if len(s) == 17 && s[10] == '.' { // seconds of the epoch
			sec, _, _ := leadInt(s)
			us, _, _ := leadInt(s[11:])
			return time.Unix(sec, us*1000).UTC().Format("2006-01-02T15:04:05.000000Z07:00")
		}
		b := []byte(s)
		if len(b) > 10 && b[10] == ' ' {
			b[10] = 'T'
		}
		if len(b) > 19 && b[19] == ',' {
			b[19] = '.'
		}
		if n := len(b); n > 24 && (b[n-5] == '+' || b[n-5] == '-') || n == 24 && (b[19] == '+' || b[19] == '-') {
			b = append(b[:n-2:n-2], ':', b[n-2], b[n-1])
			b[n-2], b[n-1], b[n] = ':', s[n-2], s[n-1]
		}
		return string(b)
	}
	if n := len(s); n > 16 && s[n-5] == ' ' && s[n-8] == ':' { // Sun Nov 22 18:33:16 2026
		rest, year := lastField(s)
		rest, clock := lastField(rest)
		rest, day := lastField(rest)
		_, mon := lastField(rest)
		if m := month(mon); m > 0 && len(day) <= 2 && day != "" {
			return year + "-" + two(m) + "-" + pad(day) + "T" + clock
		}
		return ""
	}
	m := month(s)
	if m == 0 {
		return ""
	}
	day, clock := field(s[3:])
	clock = trim(clock)
	if day == "" || len(day) > 2 || clock == "" {
		return ""
	}
	return "--" + two(m) + "-" + pad(day) + "T" + clock
}

func two(n int) string { return string([]byte{'0' + byte(n/10), '0' + byte(n%10)}) }

func pad(s string) string {
	if len(s) == 1 {
		return "0" + s
	}
	return s
}
