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
		if a.p.mounted(a.key.host, dev, fs) {
			a.p.touched = ln.no
			a.gap()
			return true
		}
		n := &Note{Kind: "mount", Text: fs + " " + keep(dev)}
		a.touch(&n.Meta, ln)
		a.p.send(n)
		a.gap()
		return true
	}
}

// maxMounts bounds the mounts remembered.
const maxMounts = 1 << 12

// mounted tells whether that mount is known already since the host booted: a
// machine may mount the same device thousands of times.
func (p *parser) mounted(host, dev, fs string) bool {
	p.key = append(append(append(p.key[:0], host...), 0), dev...)
	if p.mounts[string(p.key)] == fs {
		return true
	}
	if p.mounts == nil {
		p.mounts = make(map[string]string)
	}
	if len(p.mounts) < maxMounts {
		p.mounts[string(p.key)] = fs
	}
	return false
}
