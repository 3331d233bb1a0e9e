package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/term"

	"github.com/oomtrace/oomtrace/report"
)

// terminal returns the descriptor of f if it is a terminal.
func terminal(f any) (fd int, ok bool) {
	file, ok := f.(*os.File)
	if !ok || !term.IsTerminal(int(file.Fd())) {
		return 0, false
	}
	return int(file.Fd()), true
}

// width is that of the terminal w, or the default.
func width(w io.Writer) int {
	if fd, ok := terminal(w); ok {
		if cols, _, err := term.GetSize(fd); err == nil && cols > 0 {
			return cols
		}
	}
	return report.DefaultWidth
}

// color decides the value of --color. The flag outranks NO_COLOR, as
// no-color.org has it.
func color(when string, w io.Writer) bool {
	switch when {
	case "always":
		return true
	case "never":
		return false
	}
	_, tty := terminal(w)
	return tty && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

// oneLine writes s so that nothing in it acts on a terminal: names of files
// are as hostile as the text of a log.
func oneLine(s string) string {
	if utf8.ValidString(s) && strings.IndexFunc(s, func(r rune) bool { return !unicode.IsPrint(r) }) < 0 {
		return s
	}
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// oneTerminal is oneLine for each line of s.
func oneTerminal(s string) string {
	lines := strings.Split(s, "\n")
	for i := range lines {
		lines[i] = oneLine(lines[i])
	}
	return strings.Join(lines, "\n")
}
