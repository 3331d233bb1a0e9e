package input

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// notText is the error of opening a file that is no text.
type notText struct {
	what string
	log  bool // there is, or may be, a log in it
}

func (e *notText) Error() string { return e.what }

// magics are files that people give in good faith, and how to get at the log.
// NAME stands for the file, quoted for a shell.
var magics = []struct {
	at    int
	magic string
	log   bool
	what  string
}{
	{0, journalMagic, true, journalHelp},
	{0, "KDUMP   ", true, "is a kernel crash dump; extract its log: makedumpfile --dump-dmesg NAME dmesg.log"},
	{0, "\xff\xfe", true, "is UTF-16 text; convert it: iconv -f UTF-16 -t UTF-8 NAME > dmesg.log"},
	{0, "\xfe\xff", true, "is UTF-16 text; convert it: iconv -f UTF-16 -t UTF-8 NAME > dmesg.log"},
	{0, traceMagic, true, traceHelp},
	{0, "PERFILE2", false, "is a perf recording, not a log"},
	{0, "\x7fELF", false, "is an ELF file, not a log; if it is a crash dump, extract its log: makedumpfile --dump-dmesg NAME dmesg.log"},
	{0, "\x89PNG\r\n\x1a\n", false, "is a PNG image, not a log; the text is needed, not a picture of it"},
	{0, "\xff\xd8\xff", false, "is a JPEG image, not a log; the text is needed, not a picture of it"},
	{8, "WEBP", false, "is a WebP image, not a log; the text is needed, not a picture of it"},
	{0, "GIF8", false, "is a GIF image, not a log"},
	{0, "%PDF-", false, "is a PDF document; extract its text: pdftotext -layout NAME dmesg.log"},
	{0, "7z\xbc\xaf\x27\x1c", false, "is a 7z archive; unpack it and give the files"},
	{0, "Rar!\x1a\x07", false, "is a RAR archive; unpack it and give the files"},
	{0, "SQLite format 3\x00", false, "is an SQLite database, not a log"},
}

// binary returns a *notText if the bytes are no text, else nil.
func binary(head []byte, name string) error {
	for _, m := range magics {
		if len(head) >= m.at && bytes.HasPrefix(head[m.at:], []byte(m.magic)) {
			return &notText{strings.ReplaceAll(m.what, "NAME", shellQuote(name)), m.log}
		}
	}
	if !text(head) {
		return &notText{"is binary data of an unknown kind, not a log", false}
	}
	return nil
}

// text tells whether most of the bytes are. A serial line garbles some, and a
// crash leaves blocks of NUL in a log.
func text(head []byte) bool {
	bad, seen := 0, 0
	for i := 0; i < len(head); {
		r, n := utf8.DecodeRune(head[i:])
		switch {
		case r == 0:
		case r == utf8.RuneError && n == 1,
			r < ' ' && !strings.ContainsRune("\t\n\v\f\r\b\a\x1b", r):
			bad++
			seen++
		default:
			seen += n
		}
		i += n
	}
	return bad*5 <= seen
}

// shellQuote writes a name so that a shell reads it as one word.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("/._-+,:@%=", r)
	}
	if s != "" && strings.TrimFunc(s, plain) == "" && !strings.HasPrefix(s, "-") {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
