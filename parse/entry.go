package parse

import "strings"

// entry is one record of a log that is kept as fields: the journal, docker,
// JSON lines, CSV.
type entry struct {
	text      string
	rank      int // of the field that text is from; 0: no text yet
	no        int // line of the text
	host      string
	boot      string // the boot's id
	transport string
	ident     string
	wall      string
	sec       float64
	hasSec    bool
	source    bool // sec is printk's own
	user      bool // another facility than the kernel's
}

// textFields are the usual names of the field that holds the line, the best
// first.
var textFields = [...]string{"MESSAGE", "message", "msg", "log", "_raw", "line", "text", "textPayload", "SyslogMessage", "Message",
	"RenderedDescription", "LogEntry", "full_message", "short_message", "body", "content", "original", "Line", "raw", "event"}

func textRank(key string) int {
	for i, f := range textFields {
		if key == f {
			return len(textFields) - i
		}
	}
	return 0
}

// set takes one field.
func (e *entry) set(key, val string, no int) {
	if r := textRank(key); r > e.rank {
		e.text, e.rank, e.no = val, r, no
		return
	}
	switch key {
	case "_HOSTNAME", "host", "hostname", "Computer", "nodename", "node_name", "nodeName":
		if e.host == "" || key[0] == '_' {
			e.host = val
		}
	case "_BOOT_ID":
		e.boot = val
	case "_TRANSPORT":
		e.transport = val
	case "SYSLOG_IDENTIFIER", "ident", "program", "programname", "appname", "app_name", "syslog_identifier", "ProcessName":
		e.ident = val
	case "SYSLOG_FACILITY":
		e.user = val != "0"
	case "_SOURCE_MONOTONIC_TIMESTAMP":
		if us, ok := allInt(val); ok {
			e.sec, e.hasSec, e.source = float64(us)/1e6, true, true
		}
	case "__MONOTONIC_TIMESTAMP":
		if us, ok := allInt(val); ok && !e.source {
			e.sec, e.hasSec = float64(us)/1e6, true
		}
	case "__REALTIME_TIMESTAMP":
		if n := len(val); n == 16 && isDigit(val[0]) { // microseconds of the epoch
			e.wall = val[:10] + "." + val[10:]
		}
	case "time", "timestamp", "@timestamp", "_time", "TimeGenerated", "Date", "date", "ts", "datetime":
		if e.wall == "" && len(val) >= 19 && isDigit(val[0]) && val[4] == '-' {
			e.wall = val
		}
	}
}

// under takes what a nested object told and e does not have itself.
func (e *entry) under(in *entry) {
	if in.rank > e.rank {
		e.text, e.rank, e.no = in.text, in.rank, in.no
	}
	for _, f := range [...][2]*string{{&e.host, &in.host}, {&e.boot, &in.boot}, {&e.transport, &in.transport}, {&e.ident, &in.ident}, {&e.wall, &in.wall}} {
		if *f[0] == "" {
			*f[0] = *f[1]
		}
	}
	if !e.hasSec {
		e.sec, e.hasSec, e.source = in.sec, in.hasSec, in.source
	}
}

// journal tells whether the journal wrote e: its text has no prefix then.
func (e *entry) journal() bool { return e.transport != "" || e.boot != "" }

// give hands out the lines of e.
func (fr *framer) give(e *entry, kind int, yield func(*line)) {
	if e.rank == 0 {
		return
	}
	ln := line{no: e.no, host: e.host, wall: e.wall, bootID: e.boot, framed: true}
	kernel := e.transport == "kernel" || e.ident == "kernel" || e.ident == "kern"
	if e.journal() {
		ln.boot, ln.hasBoot = e.sec, e.hasSec
		ln.stamped = true
		ln.foreign = !kernel && (e.transport != "" || e.ident != "")
	} else {
		ln.stamped = kernel
		ln.foreign = !kernel && e.ident != ""
	}
	if ln.foreign {
		fr.count[kind]++
		yield(&ln)
		return
	}
	text := strings.TrimRight(e.text, "\n\r")
	for {
		t, rest, more := strings.Cut(text, "\n")
		if n := len(t); n > 0 && t[n-1] == '\r' {
			t = t[:n-1]
		}
		ln.text = t
		if e.journal() {
			fr.count[kind]++
			fr.last.of(&ln)
			one := ln
			fr.out(&one, 0, yield)
		} else {
			fr.text(&ln, kind, 0, yield)
		}
		if !more {
			return
		}
		text = rest
	}
}
