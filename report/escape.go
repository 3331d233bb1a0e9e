package report

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Everything that a log said is hostile until it went through this file. Each
// format has one function here that makes log text harmless in it, and calls
// it in the lowest layer of its writer.

// Limits on log text. A comm has 15 bytes in a real kernel; a limit is there
// for the log that was made to break a report.
const (
	maxName = 64   // runes of a name: comm, host, memcg, function
	maxLine = 500  // runes of a line of the log
	maxText = 2000 // runes of a sentence
)

// clip cuts s to at most n runes, the last one an ellipsis.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	count := 0
	cut := 0
	for i := range s {
		if count == n-1 {
			cut = i
		}
		if count++; count > n {
			return s[:cut] + "…"
		}
	}
	return s
}

// printable tells whether r shows as itself: no control, no bidi override, no
// zero-width or filler character, no blank but the space.
func printable(r rune) bool {
	switch r {
	case 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x2800, 0x3164, 0xffa0:
		return false // print as nothing, yet count as letters or marks
	}
	if unicode.Is(unicode.Variation_Selector, r) {
		return false
	}
	return r == ' ' || unicode.IsPrint(r)
}

// visible writes what does not show as itself in s as an escape: \n, \x1b,
// \u202e.
func visible(s string) string {
	clean := true
	for i := 0; i < len(s) && clean; i++ {
		clean = s[i] >= ' ' && s[i] < 0x7f
	}
	if clean {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n == 1:
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == '\n':
			b.WriteString(`\n`)
		case r == '\r':
			b.WriteString(`\r`)
		case r == '\t':
			b.WriteString(`\t`)
		case printable(r):
			b.WriteRune(r)
		case r < 0x100:
			fmt.Fprintf(&b, `\x%02x`, r)
		case r < 0x10000:
			fmt.Fprintf(&b, `\u%04x`, r)
		default:
			fmt.Fprintf(&b, `\U%08x`, r)
		}
		i += n
	}
	return b.String()
}

// termText makes s harmless on a terminal, on one line.
func termText(s string) string { return visible(clip(s, maxText)) }

// mdInline makes s harmless as running text of Markdown; lineStart tells that a
// line may start with it. A piece in backticks becomes a code span, and so does
// a bare identifier with underscores, which reads better than
// mem\_cgroup\_handle\_oom: whoever wrote them, nothing gets out of a span.
func mdInline(s string, lineStart bool) string {
	s = visible(clip(s, maxText))
	if lineStart {
		s = strings.TrimLeft(s, " ")
	}
	var b strings.Builder
	for {
		before, rest, ok := strings.Cut(s, "`")
		inside, after, closed := strings.Cut(rest, "`")
		if !ok || !closed || strings.TrimSpace(inside) == "" {
			mdAppend(&b, mdWords(s, lineStart))
			return b.String()
		}
		mdAppend(&b, mdWords(before, lineStart))
		mdAppend(&b, mdCode(inside))
		s, lineStart = after, false
	}
}

// mdAppend joins pieces of Markdown. Two code spans that touch would be one
// with other fences.
func mdAppend(b *strings.Builder, s string) {
	if strings.HasPrefix(s, "`") && strings.HasSuffix(b.String(), "`") {
		b.WriteByte(' ')
	}
	b.WriteString(s)
}

// mdWords escapes what is in no code span.
func mdWords(s string, lineStart bool) string {
	words := strings.Split(s, " ")
	for i, w := range words {
		if core := strings.TrimRight(w, ".,;:"); identifier(core) {
			words[i] = "`" + core + "`" + mdEscape(w[len(core):], false)
		} else {
			words[i] = mdEscape(w, lineStart && i == 0)
		}
	}
	return strings.Join(words, " ")
}

// identifier tells whether s is a name with underscores, as of a kernel
// function, a lock or a file of a cgroup.
func identifier(s string) bool {
	s = strings.TrimSuffix(s, "()")
	for i := range len(s) {
		c := s[i]
		if strings.IndexByte("_./:-", c) < 0 && (c < '0' || c > '9') && (c|0x20 < 'a' || c|0x20 > 'z') {
			return false
		}
	}
	return strings.Contains(s, "_")
}

func mdEscape(s string, lineStart bool) string {
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		switch {
		case strings.IndexByte("`*_[]()<>|#!\\~&@{}$", c) >= 0,
			// Not a list, a heading's underline or a quick action of a tracker.
			lineStart && i == 0 && strings.IndexByte("-+=/", c) >= 0,
			// Not an ordered list.
			lineStart && c == '.' && digits(s[:i]),
			// Not a link made of bare text.
			c == ':' && strings.HasPrefix(s[i:], "://"),
			c == '.' && strings.EqualFold(s[max(0, i-3):i], "www"):
			b.WriteByte('\\')
		}
		b.WriteByte(c)
		if c == '@' || c == '#' {
			// Trackers look for @name and #1 in the rendered text, where the
			// backslash is gone: a zero-width space keeps them apart.
			b.WriteString("&#8203;")
		}
	}
	return b.String()
}

func digits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// mdCode writes s as a code span that s cannot end.
func mdCode(s string) string {
	s = visible(clip(s, maxLine))
	if s == "" {
		return ""
	}
	fence := strings.Repeat("`", longestRun(s, '`')+1)
	// A blank next to the fence is stripped by the reader, and a backtick
	// there would join it.
	if strings.HasPrefix(s, "`") || strings.HasSuffix(s, "`") || strings.Trim(s, " ") != s {
		s = " " + s + " "
	}
	return fence + s + fence
}

// mdCell makes s harmless in a cell of a table, as a code span where it can be
// one: a pipe ends a cell inside of a span too.
func mdCell(s string) string {
	if strings.Contains(s, "|") {
		return mdCellText(s)
	}
	return mdCode(s)
}

// mdCellText makes s harmless as running text of a cell.
func mdCellText(s string) string { return mdEscape(visible(clip(s, maxText)), false) }

// mdFence writes lines as a code block that no line can end.
func mdFence(info string, lines []string) string {
	var body strings.Builder
	longest := 2
	for _, l := range lines {
		l = visible(clip(l, maxLine))
		longest = max(longest, longestRun(l, '`'))
		body.WriteString(l)
		body.WriteByte('\n')
	}
	fence := strings.Repeat("`", longest+1)
	return fence + info + "\n" + body.String() + fence + "\n"
}

func longestRun(s string, c byte) int {
	longest, run := 0, 0
	for i := range len(s) {
		if s[i] == c {
			run++
			longest = max(longest, run)
		} else {
			run = 0
		}
	}
	return longest
}

// mermaidLabel writes s as a quoted label of a Mermaid diagram. Whatever is
// not plainly harmless becomes a Mermaid entity (#NN;), which its parser never
// reads as syntax.
func mermaidLabel(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range visible(clip(s, 2*maxName)) {
		switch {
		case r >= utf8.RuneSelf, r == ' ', r == '_', r == '/', r == '.', r == ':', r == ',', r == '+', r == '-', r == '(', r == ')',
			r >= '0' && r <= '9', r|0x20 >= 'a' && r|0x20 <= 'z':
			b.WriteRune(r)
		case r == '"':
			b.WriteString("#quot;")
		case r == '<':
			b.WriteString("#lt;")
		case r == '>':
			b.WriteString("#gt;")
		case r == '&':
			b.WriteString("#amp;")
		default:
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// profileText makes s harmless where `go tool pprof` prints it.
func profileText(s string) string { return visible(clip(s, maxName)) }

// foldedName makes s one frame of a folded stack: semicolons part frames, the
// last blank the count, and a # starts a comment.
func foldedName(s string) string {
	s = strings.Map(func(r rune) rune {
		switch r {
		case ';':
			return ':'
		case ' ':
			return '_'
		}
		return r
	}, visible(clip(strings.TrimSpace(s), maxName)))
	if s == "" {
		return "[unknown]"
	}
	if s[0] == '#' {
		return "_" + s
	}
	return s
}

// dotLabel writes lines as a quoted string of graphviz: in it a backslash
// starts an escape and an ampersand an HTML entity.
func dotLabel(lines ...string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i, l := range lines {
		if i > 0 {
			b.WriteString(`\n`)
		}
		b.WriteString(dotEscapes.Replace(visible(clip(l, 4*maxName))))
	}
	b.WriteByte('"')
	return b.String()
}

var dotEscapes = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "&", "&amp;")
