package parse

import "strings"

// takeMount makes a taker of a file system's mount line: it tells which
// device carries which file system, so that a wait for I/O can be followed to
// a loop device's worker.
func takeMount(fs string) func(*assembler, *line, string) bool {
	return func(a *assembler, ln *line, s string) bool {
		_, rest, _ := strings.Cut(s, "(")
		dev, rest, ok := strings.Cut(rest, "): ")
		if !ok || dev == "" || len(dev) > 32 || !strings.HasPrefix(rest, "mounted filesystem") && !strings.HasPrefix(rest, "Mount") {
			return false
		}
		n := &Note{Kind: "mount", Text: fs + " " + keep(dev)}
		a.touch(&n.Meta, ln)
		a.p.send(n)
		a.gap()
		return true
	}
}
