package parse

import (
	"cmp"
	"slices"
	"strings"
)

// pstoreReader puts the parts of a log that a dying kernel saved in order. It
// saved the newest first, each part as "Panic#1 Part2", and that is how the
// files stand in a directory.
type pstoreReader struct {
	parts []pstorePart
	size  int
	group string // "Panic#1"
}

type pstorePart struct {
	n     int
	lines []pstoreLine
}

type pstoreLine struct {
	text string
	no   int
	odd  oddity
}

// maxPstore bounds what is held back to be put in order.
const maxPstore = 32 << 20

// pstoreHead reads "Panic#1 Part3" (kmsg_dump's pstore_dump, 2.6.39 ->).
func pstoreHead(s string) (group string, part int, ok bool) {
	if len(s) > 48 || len(s) < 8 || s[0] < 'A' || s[0] > 'Z' {
		return "", 0, false
	}
	i := strings.IndexByte(s, '#')
	if i < 4 {
		return "", 0, false
	}
	switch s[:i] {
	case "Panic", "Oops", "Emergency", "Shutdown", "Unknown", "Restart", "Halt", "Poweroff", "Kexec":
	default:
		return "", 0, false
	}
	group, p, ok := strings.Cut(strings.TrimRight(s, "\r"), " Part")
	if !ok {
		return "", 0, false
	}
	n, ok := allInt(p)
	return group, int(n), ok && n >= 0 && n < 1<<20
}

// pstoreLine takes a raw line where parts are open, or one opens.
func (p *parser) pstoreLine(raw string, no int, odd oddity, take func(*line)) bool {
	s := &p.pstore
	if len(raw) > 7 && raw[0] >= 'A' && raw[0] <= 'Z' && raw[len(raw)-1] != ' ' {
		if group, n, ok := pstoreHead(raw); ok {
			if s.group != group {
				p.pstoreEnd(take)
			}
			p.fr.count[framePstore]++
			s.group = strings.Clone(group)
			s.parts = append(s.parts, pstorePart{n: n})
			return true
		}
	}
	if len(s.parts) == 0 {
		return false
	}
	if strings.HasPrefix(raw, "==> ") || s.size > maxPstore {
		p.pstoreEnd(take)
		return false
	}
	part := &s.parts[len(s.parts)-1]
	part.lines = append(part.lines, pstoreLine{raw, no, odd})
	s.size += len(raw) + 48
	p.fr.count[framePstore]++
	return true
}

// pstoreEnd hands the parts on, the oldest first.
func (p *parser) pstoreEnd(take func(*line)) {
	s := p.pstore
	p.pstore = pstoreReader{}
	slices.SortStableFunc(s.parts, func(a, b pstorePart) int { return cmp.Compare(b.n, a.n) })
	for _, part := range s.parts {
		for _, l := range part.lines {
			p.fr.unwrap(l.text, l.no, l.odd, take)
		}
	}
}
