package report

import (
	"fmt"
	"strings"
)

// mdRaw is Markdown that this package wrote. What it concatenates must be
// constant or have come through escape.go.
type mdRaw string

// code is a code span.
func code(s string) mdRaw { return mdRaw(mdCode(s)) }

// mdWriter writes Markdown. Strings that reach it are escaped here; only mdRaw
// goes through.
type mdWriter struct{ buf strings.Builder }

// inline joins parts to the text of a block: strings are text of a log, mdRaw is
// not.
func inline(parts ...any) mdRaw {
	var b strings.Builder
	for _, p := range parts {
		switch p := p.(type) {
		case mdRaw:
			mdAppend(&b, string(p))
		case string:
			mdAppend(&b, mdInline(p, b.Len() == 0))
		default:
			panic(fmt.Sprintf("report: %T in Markdown", p))
		}
	}
	return mdRaw(b.String())
}

func (w *mdWriter) heading(level int, parts ...any) {
	w.block(mdRaw(strings.Repeat("#", level)+" ") + inline(parts...))
}

func (w *mdWriter) para(parts ...any) { w.block(inline(parts...)) }

// block writes a block with a blank line above it, but for the first.
func (w *mdWriter) block(s mdRaw) {
	if w.buf.Len() > 0 {
		w.buf.WriteByte('\n')
	}
	w.buf.WriteString(strings.TrimRight(string(s), "\n"))
	w.buf.WriteByte('\n')
}

// list writes a list, numbered where ordered.
func (w *mdWriter) list(ordered bool, items []mdRaw) {
	var b strings.Builder
	for i, item := range items {
		mark := "-"
		if ordered {
			mark = fmt.Sprintf("%d.", i+1)
		}
		fmt.Fprintf(&b, "%s %s\n", mark, item)
	}
	if len(items) > 0 {
		w.block(mdRaw(b.String()))
	}
}

// fence writes a code block. The lines are escaped.
func (w *mdWriter) fence(info string, lines []string) {
	if len(lines) > 0 {
		w.block(mdRaw(mdFence(info, lines)))
	}
}

// table writes a table of GitHub's and GitLab's Markdown; the headings are ours,
// a ! in front of one aligns it to the right. The cells must have come through
// mdCell or be made of numbers and words of this package.
func (w *mdWriter) table(heads []string, rows [][]mdRaw) {
	if len(rows) == 0 {
		return
	}
	var b strings.Builder
	rule := "|"
	for _, h := range heads {
		h, right := strings.CutPrefix(h, "!")
		b.WriteString("| " + h + " ")
		if right {
			rule += " ---: |"
		} else {
			rule += " --- |"
		}
	}
	b.WriteString("|\n" + rule + "\n")
	for _, row := range rows {
		for _, cell := range row {
			b.WriteString("| " + string(cell) + " ")
		}
		b.WriteString("|\n")
	}
	w.block(mdRaw(b.String()))
}
