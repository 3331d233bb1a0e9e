package parse

import "strings"

// digits reads the prefixes that start with a digit.
func (ln *line) digits(s string, outer int) (int, string, bool) {
	if r, ok := ln.kmsg(s); ok {
		return frameKmsg, r, true
	}
	if len(s) > 20 && s[4] == '-' && s[7] == '-' {
		return ln.isoLine(s)
	}
	if k, r, ok := ln.unixLine(s); ok {
		return k, r, ok
	}
	if outer != framePlain && outer != frameConsole && outer != frameLogger {
		return 0, s, false
	}
	if n := loggerStamp(s); n > 0 {
		if t := trimLeft(s[n:]); t != "" && (t[0] == '[' && stampAhead(t) || t[0] == '<') {
			return frameLogger, t, true
		}
		return 0, s, false
	}
	if k, r, ok := ln.logcat(s); ok {
		return k, r, ok
	}
	if n := localDate(s); n > 0 && len(s) > n {
		ln.wall = s[:n]
		if k, r, ok := ln.syslog(s[n:], frameSyslog); ok {
			return k, r, true
		}
		ln.wall, ln.host, ln.foreign = "", "", false
	}
	if len(s) > 5 && s[2] == ':' && s[3] == ' ' && isDigit(s[1]) && s[4] == '[' && stampAhead(s[4:]) { // s390 under z/VM, the CPU first
		return frameNumber, s[4:], true
	}
	// Editors and grep put a number in front; what follows must be a prefix
	// that only a log has.
	_, r, _ := leadInt(s)
	if len(s)-len(r) > 8 || r == "" || strings.IndexByte(" \t:-|)", r[0]) < 0 {
		return 0, s, false
	}
	t := strings.TrimLeft(r, " \t:|-)")
	if len(t) > 15 && (t[0] == '[' && stampAhead(t) || t[0] == '<' && len(t) > 4 && t[2] == '>' && (t[3] == '[' || isDigit(t[3])) ||
		t[3] == ' ' && t[6] == ' ' && t[9] == ':' && month(t) > 0 || t[0] == '[' && ctimeAhead(t)) {
		return frameNumber, t, true
	}
	return 0, s, false
}

// ctimeAhead recognises the stamp of dmesg -T.
func ctimeAhead(s string) bool {
	var ln line
	k, _, ok := ln.bracket(s, framePlain)
	return ok && k == frameCtime
}

// loggerStamp measures the time stamps that terminal programs put in front:
// "2024-03-10 11:19:17.123]", "11:19:17.123", " 1:10.129]".
func loggerStamp(s string) int {
	i := 0
	if len(s) > 18 && s[4] == '-' && s[7] == '-' && (s[10] == ' ' || s[10] == 'T' || s[10] == '_') {
		i = 11
	} else if len(s) > 18 && s[4] == '/' && s[7] == '/' && s[10] == ' ' {
		i = 11
	}
	colons, start := 0, i
	for i < len(s) && (isDigit(s[i]) || s[i] == ':' || s[i] == '.' || s[i] == ',') {
		if s[i] == ':' {
			if colons++; i == start || i+2 >= len(s) || !isDigit(s[i+1]) || !isDigit(s[i+2]) || i-start > 2 && colons == 1 {
				return 0
			}
		}
		i++
	}
	if colons == 0 || colons > 2 || i >= len(s) {
		return 0
	}
	if s[i] == 'Z' {
		i++
	}
	if i < len(s) && s[i] == ']' {
		return i + 1
	}
	if colons == 2 && i < len(s) && s[i] == ' ' {
		return i
	}
	return 0
}

// logcat reads "03-10 11:19:17.123     0     0 W CPU     : 0 PID: 51 Comm: x":
// Android's log daemon takes what stands before the first colon for a tag.
func (ln *line) logcat(s string) (int, string, bool) {
	if len(s) < 34 || s[2] != '-' || s[5] != ' ' || s[8] != ':' || s[11] != ':' || s[14] != '.' || s[18] != ' ' {
		return 0, s, false
	}
	pid, r := field(s[18:])
	tid, r := field(r)
	if _, ok := allInt(pid); !ok {
		return 0, s, false
	}
	if _, ok := allInt(tid); !ok {
		return 0, s, false
	}
	r = trimLeft(r)
	if len(r) < 3 || strings.IndexByte("VDIWEFSA", r[0]) < 0 || r[1] != ' ' {
		return 0, s, false
	}
	tag, msg, ok := strings.Cut(r[2:], ": ")
	if !ok {
		if tag, ok = strings.CutSuffix(r[2:], ":"); !ok {
			return 0, s, false
		}
	}
	ln.foreign = pid != "0"
	ln.stamped = true
	ln.wall = s[:18]
	switch tag = trimRight(tag); {
	case tag == "" || tag == "kernel":
	case msg == "":
		msg = tag + ":"
	default:
		msg = tag + ": " + msg
	}
	return frameLogcat, msg, true
}

// vendorPrefix takes off what kernels of vendors and the realtime patch print
// between stamp and message.
func (ln *line) vendorPrefix() {
	s := ln.text
	ln.vendor = false
	if len(s) >= 5 && isDigit(s[0]) && isDigit(s[1]) && isDigit(s[2]) && s[3] == ':' && s[4] == ' ' { // PREEMPT_RT, .. 5.x: the CPU
		ln.text = s[5:]
		return
	}
	t := trimLeft(s)
	if len(t) < 7 {
		return
	}
	switch r := strings.TrimPrefix(t, "-"); {
	case r[0] == '(' && isDigit(r[1]): // Mediatek: "-(0)[123:comm]msg"
		i := strings.Index(r, ")[")
		if i < 2 || i > 3 {
			return
		}
		pid, rest, ok := leadInt(r[i+2:])
		if !ok || rest == "" || rest[0] != ':' {
			return
		}
		// A comm may hold "]"; it has at most 15 bytes.
		j := strings.IndexByte(rest, ']')
		if j < 0 || j > 17 {
			return
		}
		if ln.caller == "" {
			ln.caller = "T" + itoa(int(pid))
		}
		ln.text = rest[j+1:]
	case t[0] == '[' && isDigit(t[1]): // Samsung: "[0:      swapper/0:    1] msg"
		i := strings.IndexByte(t, ']')
		if i < 8 || i > 40 || t[2] != ':' && t[3] != ':' {
			return
		}
		comm, pid, ok := strings.Cut(t[1:i], ":")
		if !ok {
			return
		}
		k := strings.LastIndexByte(pid, ':')
		if _, isCPU := allInt(comm); !isCPU || k < 1 {
			return
		}
		n, ok := pidOf(trim(pid[k+1:]))
		if !ok {
			return
		}
		if ln.caller == "" {
			ln.caller = "T" + itoa(n)
		}
		ln.text = strings.TrimPrefix(t[i+1:], " ")
	}
}

// repeated reads syslog's "message repeated 3 times: [ text]" and returns what
// the line would be without it.
func repeated(raw string) (n int, s string, ok bool) {
	head, rest, ok := strings.Cut(raw, "message repeated ")
	if !ok {
		return 0, "", false
	}
	times, rest, ok := leadInt(rest)
	if !ok || times < 1 {
		return 0, "", false
	}
	if rest, ok = strings.CutPrefix(rest, " times: ["); !ok || !strings.HasSuffix(rest, "]") {
		return 0, "", false
	}
	return int(min(times, maxRepeat)), head + strings.TrimPrefix(rest[:len(rest)-1], " "), true
}

// maxRepeat bounds what one line may stand for.
const maxRepeat = 64

// column takes a column of seconds or line numbers off: "03585  __schedule+..".
// Only what is a record with it gone tells that it is one.
func (fr *framer) column(ln *line, t string) {
	v, r, ok := leadInt(t)
	if !ok || len(t)-len(r) > 7 || r == "" || strings.IndexByte(" \t:", r[0]) < 0 {
		fr.nums = 0
		return
	}
	n := int(v)
	s := strings.TrimPrefix(r[1:], " ")
	row := n >= fr.num && n <= fr.num+1000
	fr.num = n
	switch b := trimLeft(s); {
	case b == "" && row && fr.nums > 1:
	case strings.HasPrefix(b, "lock"): // "2 locks held by java/3062:"
		return
	case b != "" && recordAhead(b):
		fr.nums++
	case row && fr.nums > 2:
	default:
		fr.nums = 0
		return
	}
	ln.text = s
}

// recordAhead tells whether s is a frame, or starts a record.
func recordAhead(s string) bool {
	var f Frame
	if k := scanFrame(s, &f).kind; k == frameFull || k == frameMark {
		return true
	}
	return starts(s) || strings.HasPrefix(s, "Killed process ")
}

// localDate measures a date of syslog in another language: "Mär 10 11:19:17",
// "févr. 03 11:19:17", "10 mars 11:19:17", "3月 10 11:19:17".
func localDate(s string) int {
	i := strings.IndexByte(s[:min(len(s), 24)], ':')
	if i < 6 || i+6 > len(s) || s[i+3] != ':' || !isDigit(s[i-1]) || !isDigit(s[i-2]) || !isDigit(s[i+1]) || !isDigit(s[i+2]) || !isDigit(s[i+4]) || !isDigit(s[i+5]) || s[i-3] != ' ' {
		return 0
	}
	a, b := field(s[:i-2])
	b = trim(b)
	if b == "" || len(a) > 14 || len(b) > 14 {
		return 0
	}
	_, day := allInt(b)
	_, day2 := allInt(a)
	if day == day2 || day && len(b) > 2 || day2 && len(a) > 2 {
		return 0
	}
	if day && localMonth(a) == 0 || day2 && localMonth(b) == 0 {
		return 0
	}
	return i + 6
}

// localMonth is the number of a month's name as strftime writes it, 0 if it is
// none.
func localMonth(s string) int {
	if r, ok := strings.CutSuffix(s, "月"); ok {
		if n, ok := allInt(trim(r)); ok && n > 0 && n < 13 {
			return int(n)
		}
		return 0
	}
	s = strings.ToLower(strings.TrimSuffix(s, "."))
	for i, names := range monthNames {
		for _, n := range names {
			if s == n || len(n) > 3 && strings.HasPrefix(s, n) {
				return i + 1
			}
		}
	}
	return 0
}

// monthNames are abbreviations in de, fr, es, it, nl, pt, pl, cs, sv, ru;
// longer ones stand for all names that begin so.
var monthNames = [12][]string{
	{"jan", "janv", "ene", "gen", "led", "янв", "sty"},
	{"feb", "févr", "fév", "fev", "lut", "úno", "фев", "февр"},
	{"mär", "mrz", "mars", "mar", "mrt", "bře", "мар", "март"},
	{"apr", "avr", "avri", "abr", "kwi", "dub", "апр"},
	{"mai", "may", "mag", "mei", "maj", "kvě", "мая", "май"},
	{"jun", "juin", "giu", "cze", "čen", "июн"},
	{"jul", "juil", "lug", "lip", "čec", "июл"},
	{"aug", "août", "ago", "sie", "srp", "авг"},
	{"sep", "sept", "set", "wrz", "zář", "сен", "сент"},
	{"okt", "oct", "ott", "out", "paź", "říj", "окт"},
	{"nov", "lis", "ноя", "нояб"},
	{"dez", "dec", "déc", "dic", "dez", "gru", "pro", "дек"},
}
