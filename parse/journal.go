package parse

import (
	bin "encoding/binary"
	"strings"
)

// journalReader reads the journal's exports that take several lines for an
// entry.
type journalReader struct {
	export  bool // journalctl -o export
	verbose bool // journalctl -o verbose
	entry   entry
	bin     string          // the field whose value comes as bytes
	buf     strings.Builder // length and value of it
	binNo   int             // line on which it begins, 0 before the first
	last    string          // verbose: the field that a further line continues
}

func (j *journalReader) open() bool { return j.export || j.verbose }

// maxValue bounds a field of an entry, bytes.
const maxValue = 4 << 20

// journalLine takes a line of an export; it returns false where that has
// ended.
func (fr *framer) journalLine(raw string, no int, yield func(*line)) bool {
	j := &fr.journal
	if j.bin != "" {
		j.binary(raw, no)
		return true
	}
	if n := len(raw); n > 0 && raw[n-1] == '\r' {
		raw = raw[:n-1]
	}
	if j.verbose {
		return fr.verboseLine(raw, no, yield)
	}
	if raw == "" {
		fr.giveJournal(frameJournalExport, yield)
		return true
	}
	key, val, ok := strings.Cut(raw, "=")
	switch {
	case !fieldName(key):
		fr.giveJournal(frameJournalExport, yield)
		j.export = false
		return false
	case ok:
		j.entry.set(key, val, no)
	default: // "MESSAGE", then eight bytes of length and the value
		j.bin, j.binNo = key, 0
		j.buf.Reset()
	}
	return true
}

// binary gathers a value that may hold anything, line ends too.
func (j *journalReader) binary(raw string, no int) {
	if j.binNo == 0 {
		j.binNo = no
	} else {
		j.buf.WriteByte('\n')
	}
	j.buf.WriteString(raw)
	got := j.buf.String()
	if len(got) < 8 {
		return
	}
	size := bin.LittleEndian.Uint64([]byte(got[:8]))
	switch {
	case size > maxValue: // damaged: the field is lost, not what follows
		j.bin = ""
	case uint64(len(got)-8) >= size:
		j.entry.set(j.bin, got[8:8+size], j.binNo)
		j.bin = ""
	}
	if j.bin == "" {
		j.buf.Reset()
	}
}

// fieldName tells whether s is a name that the journal allows.
func fieldName(s string) bool {
	if s == "" || len(s) > 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 'A' || c > 'Z') && !isDigit(c) && c != '_' {
			return false
		}
	}
	return true
}

func (fr *framer) giveJournal(kind int, yield func(*line)) {
	j := &fr.journal
	e := j.entry
	j.entry, j.last = entry{}, ""
	if e.transport == "" && e.ident == "" {
		e.transport = "kernel" // an export of chosen fields
	}
	fr.give(&e, kind, yield)
}

func (fr *framer) journalEnd(yield func(*line)) {
	if j := &fr.journal; j.open() {
		if j.bin != "" && j.buf.Len() > 8 {
			j.entry.set(j.bin, j.buf.String()[8:], j.binNo)
			j.bin = ""
		}
		kind := frameJournalExport
		if j.verbose {
			kind = frameJournalVerbose
		}
		fr.giveJournal(kind, yield)
	}
}

// verboseHead recognises "Sun 2024-03-10 11:19:17.123456 UTC [s=1f;i=2;b=3;...]".
func verboseHead(s string) bool {
	i := strings.Index(s, " [s=")
	return i > 20 && i < 48 && strings.HasSuffix(s, "]") && s[14] == ' ' && s[17] == ':'
}

func (fr *framer) verboseLine(raw string, no int, yield func(*line)) bool {
	j := &fr.journal
	t := trimLeft(raw)
	switch {
	case len(raw) > 40 && raw[0] != ' ' && verboseHead(raw):
		if j.entry.rank > 0 || j.entry.wall != "" {
			fr.giveJournal(frameJournalVerbose, yield)
		}
		j.entry.wall, _, _ = strings.Cut(raw[4:], " [")
		if i := strings.LastIndexByte(j.entry.wall, ' '); i > 10 {
			j.entry.wall = j.entry.wall[:i]
		}
		if b, ok := after(raw, ";b="); ok {
			j.entry.boot, _, _ = strings.Cut(b, ";")
		}
		if m, ok := after(raw, ";m="); ok {
			if us, _, ok := leadHex(m); ok {
				j.entry.sec, j.entry.hasSec = float64(us)/1e6, true
			}
		}
		return true
	case t == "":
		return true
	case len(raw)-len(t) >= 4 && len(raw)-len(t) < 12:
		if key, val, ok := strings.Cut(t, "="); ok && fieldName(key) {
			j.entry.set(key, val, no)
			j.last = key
			return true
		}
		fallthrough
	case raw[0] == ' ' && j.last != "": // a further line of a value
		if textRank(j.last) == j.entry.rank && len(j.entry.text) < maxValue {
			j.entry.text += "\n" + t
		}
		return true
	case strings.HasPrefix(raw, "-- "): // "-- Boot 0123... --"
		return true
	}
	fr.giveJournal(frameJournalVerbose, yield)
	j.verbose = false
	return false
}
