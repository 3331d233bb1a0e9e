package report

import (
	"bytes"
	"fmt"
	"strings"
)

// style is how a piece of text looks where colours are on.
type style string

const (
	plain  style = ""
	bold   style = "1"
	dim    style = "2"
	red    style = "1;31"
	green  style = "1;32"
	yellow style = "1;33"
	cyan   style = "36"
)

// span is a piece of a paragraph.
type span struct {
	style style
	text  string
}

func (s style) of(text string) span { return span{s, text} }

// textWriter lays text out for a terminal. All that reaches it is escaped here,
// before it is measured and wrapped; only the prefixes of lines and the colours
// are its own.
type textWriter struct {
	buf   bytes.Buffer
	width int
	color bool
}

// para writes words wrapped to the width: the first line after first, the
// others after rest. The parts are strings and spans; blanks between words are
// theirs.
func (w *textWriter) para(first, rest string, parts ...any) {
	start := w.buf.Len() // of the line
	w.buf.WriteString(first)
	used := columns(first)
	fresh := true // nothing but the prefix on this line yet
	for _, word := range words(parts) {
		n := 0
		for _, s := range word {
			n += columns(s.text)
		}
		if !fresh && used+1+n > w.width {
			w.end(start)
			start = w.buf.Len()
			w.buf.WriteString(rest)
			used, fresh = columns(rest), true
		}
		if !fresh {
			w.buf.WriteByte(' ')
			used++
		}
		for _, s := range word {
			w.buf.WriteString(w.paint(s.style, s.text))
		}
		used += n
		fresh = false
	}
	w.end(start)
}

// noBreak stands for a blank that no line is broken at.
const noBreak = "\u00a0"

// words splits parts at blanks. A word can have several styles, as in a bold
// name with a plain comma behind it.
func words(parts []any) [][]span {
	spans := make([]span, len(parts))
	n := 0
	for i, p := range parts {
		s, ok := p.(span)
		if !ok {
			s = span{plain, p.(string)}
		}
		// A pid stays with its word. Log text has no such blank left in it.
		s.text = strings.ReplaceAll(termText(s.text), "(pid ", "(pid"+noBreak)
		spans[i] = s
		n += strings.Count(s.text, " ") + 1
	}
	pieces := make([]span, 0, n) // of all words
	out := make([][]span, 0, n)
	glue := false // the last word goes on
	for _, s := range spans {
		for more := true; more; {
			var piece string
			piece, s.text, more = strings.Cut(s.text, " ")
			if piece != "" {
				pieces = append(pieces, span{s.style, strings.ReplaceAll(piece, noBreak, " ")})
				if !glue {
					out = append(out, nil)
				}
				last := &out[len(out)-1]
				*last = pieces[len(pieces)-len(*last)-1:]
			}
			glue = !more && (glue || piece != "")
		}
	}
	return out
}

// raw writes one line of log text as it is, escaped but not wrapped.
func (w *textWriter) raw(prefix, text string) {
	w.line(prefix + visible(clip(text, maxLine)))
}

// line writes a finished line.
func (w *textWriter) line(s string) {
	start := w.buf.Len()
	w.buf.WriteString(s)
	w.end(start)
}

// end ends the line that starts at byte start of the text, without the blanks
// at its end.
func (w *textWriter) end(start int) {
	b := w.buf.Bytes()
	n := len(b)
	for n > start && b[n-1] == ' ' {
		n--
	}
	w.buf.Truncate(n)
	w.buf.WriteByte('\n')
}

func (w *textWriter) blank() { w.buf.WriteByte('\n') }

// head writes the heading of a section, with a blank line above.
func (w *textWriter) head(title string) {
	w.blank()
	w.line("  " + w.paint(bold, title))
}

func (w *textWriter) paint(s style, text string) string {
	if !w.color || s == plain {
		return text
	}
	return fmt.Sprintf("\x1b[%sm%s\x1b[0m", s, text)
}

// table writes a table with an indent. The cells are escaped here.
func (w *textWriter) table(indent string, cols []column, rows [][]string) error {
	for _, row := range rows {
		for i := range row {
			row[i] = termText(row[i])
		}
	}
	cols, rows = withoutEmpty(cols, rows)
	s, err := renderTable(cols, rows, w.width-columns(indent))
	if err != nil {
		return err
	}
	for line := range strings.Lines(s) {
		w.line(indent + strings.TrimSuffix(line, "\n"))
	}
	return nil
}
