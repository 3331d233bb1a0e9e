package input

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// content opens a text any number of times.
type content func() (io.ReadCloser, error)

// item is a member that may become a source, or a part of one.
type item struct {
	name        string
	path, base  string // as in member
	root        string // in front of what the rule matched
	rule        *rule  // nil where its first MiB decided
	compression string
	open        content // nil where only err is to be told
	err         error
	bytes       int64
	entry       int // in the listing
}

// gatherer goes through the members of one argument.
type gatherer struct {
	in    *Inputs
	name  string // of the argument
	disk  bool   // a directory, whose files are read where they are
	list  *Listing
	items []item

	seen    int // members
	sniffed int // files of a directory whose content was looked at
	logs    int // items that become sources of their own
	tools   map[string]bool
	hints   map[string]*hostHint // by base and root

	entryOf map[string]int    // of the members with content
	links   []pending         // looked at when all members are known
	wanted  map[string]string // passed over once, but a link to them is of use

	broken []Source // what cannot be read
}

type pending struct {
	m     *member
	rule  *rule
	root  string
	entry int
}

// hostHint is what a tree says of its host.
type hostHint struct {
	host, release         string
	hostRank, releaseRank int
}

// maxSources bounds what one argument is read as.
const maxSources = 10_000

func (in *Inputs) gather(name string, disk bool) *gatherer {
	return &gatherer{in: in, name: name, disk: disk, list: &Listing{Name: name, Tree: true},
		tools: map[string]bool{}, hints: map[string]*hostHint{}, entryOf: map[string]int{}}
}

// pass lists a member that is not used.
func (g *gatherer) pass(m *member, format string, args ...any) {
	g.entryOf[m.name] = len(g.list.Entries)
	g.list.Entries = append(g.list.Entries, Entry{Name: m.name, Reason: fmt.Sprintf(format, args...), Bytes: m.size})
}

// maxPath is longer than what any system allows.
const maxPath = 4096

// member decides what becomes of a member. The error ends the reading of the
// argument.
func (g *gatherer) member(m *member, in layers) error {
	if g.seen++; g.seen > in.lim.Members {
		return in.lim.membersError()
	}
	if len(m.path) > maxPath {
		m.name = m.name[:maxPath]
		g.pass(m, "has a name that is too long")
		return nil
	}
	if hidden(m.path) {
		g.pass(m, "is hidden")
		return nil
	}
	if root, ok := toolTree(m.path); ok {
		g.tools[m.base+root] = true
	}
	rule, root := classify(m.path)
	if to, ok := g.wanted[m.name]; ok {
		rule, root = classify(to)
	}
	switch {
	case m.why != "":
		g.pass(m, "%s", m.why)
		return nil
	case m.link != "":
		g.links = append(g.links, pending{m, rule, root, len(g.list.Entries)})
		g.pass(m, "is a link")
		return nil
	case m.open == nil: // a link with an empty target
		g.pass(m, "is a link to nothing")
		return nil
	case rule != nil && rule.class == useless:
		g.pass(m, "%s", rule.what)
		return nil
	case m.size == 0 && !g.disk && (rule == nil || rule.class == kernelLog):
		g.pass(m, "is empty")
		return nil
	case rule == nil && notLogs[extension(m.path)]:
		g.pass(m, "is no log by its name")
		return nil
	case rule == nil && g.known(m) && !packed(m.path):
		g.pass(m, "is no known log of such a tree")
		return nil
	}
	before := len(g.list.Entries)
	err := g.read(m, rule, root, in)
	if len(g.list.Entries) == before { // it ended the reading
		g.pass(m, "was not read")
	}
	return err
}

func extension(name string) string {
	i := strings.LastIndexByte(name, '.')
	if i < 0 {
		return ""
	}
	return strings.ToLower(name[i:])
}

// known tells whether the tree of the member is a support tool's, and the
// member not from a place where logs of any name are.
func (g *gatherer) known(m *member) bool {
	if len(g.tools) == 0 {
		return false
	}
	if rel := strings.TrimPrefix(m.name, m.base); g.tools[m.base] && !strings.HasPrefix(rel, "var/log/") {
		return true
	}
	for i, c := range m.name {
		if c == '/' || c == ':' {
			if rel := m.name[i+1:]; g.tools[m.name[:i+1]] && !strings.HasPrefix(rel, "var/log/") {
				return true
			}
		}
	}
	return false
}

// read keeps the text of a member that is of use.
func (g *gatherer) read(m *member, rule *rule, root string, in layers) error {
	if g.disk && m.file != "" {
		in.raw = nil // each file is an input of its own
	}
	rc, err := m.open()
	if err != nil {
		g.unreadable(m, rule, root, plain(err))
		return nil
	}
	defer rc.Close()
	in.size = m.size
	s, err := decode(rc, in)
	if err != nil {
		if isA[limitError](err) && m.file == "" {
			return err
		}
		g.unreadable(m, rule, root, plain(err))
		return nil
	}
	it := item{name: m.name, path: m.path, base: m.base, root: root, rule: rule, compression: s.compression, bytes: m.size, entry: len(g.list.Entries)}

	if kind := archiveKind(s.head); kind != "" {
		return g.nested(m, kind, s)
	}
	if rule != nil && rule.class == hint {
		g.hint(m, rule, root, s)
		return nil
	}
	if k := recordingOf(s); k != nil {
		return g.recording(k, m, it, s)
	}
	if err := binary(s.head, m.name); err != nil {
		if e, ok := errors.AsType[*notText](err); ok && e.log {
			g.unreadable(m, rule, root, err)
		} else {
			g.pass(m, "%s", err)
		}
		return nil
	}
	text := io.Reader(&metered{r: s, in: s.in})
	if rule == nil {
		if g.disk {
			if g.sniffed++; g.sniffed > maxFiles {
				return limitError(fmt.Sprintf("holds more than %s files that could be logs; name the logs", grouped(maxFiles)))
			}
		}
		first := make([]byte, min(sniffText, max(m.size, sniffLen)))
		if s.compression != "none" {
			first = make([]byte, sniffText)
		}
		src := &tailReader{r: text}
		n, err := io.ReadFull(src, first)
		if err == nil {
			text = io.MultiReader(bytes.NewReader(first), text)
		} else {
			text = io.MultiReader(bytes.NewReader(first[:n]), failingOr(src.err))
		}
		if isA[limitError](src.err) {
			return src.err
		}
		if !kernelRecords(first[:n]) {
			switch {
			case src.err != nil:
				g.pass(m, "%s", plain(src.err))
			case n == 0:
				g.pass(m, "is empty")
			default:
				g.pass(m, "has no kernel records in its first MiB")
			}
			return nil
		}
	} else if len(s.head) == 0 && rule.class != procFile {
		// A broken stream shows its error only now.
		if _, err := s.Read(make([]byte, 1)); err != nil && err != io.EOF {
			g.unreadable(m, rule, root, plain(err))
			return nil
		}
		g.pass(m, "is empty")
		return nil
	}
	if rule == nil || rule.class == kernelLog {
		if g.logs++; g.logs > maxSources {
			return limitError(fmt.Sprintf("holds more than %s logs; name those that matter", grouped(maxSources)))
		}
	}
	if m.file != "" {
		it.open = func() (io.ReadCloser, error) {
			rc, err := m.open()
			if err != nil {
				return nil, plain(err)
			}
			return openStream(m.name, rc, layers{lim: in.lim})
		}
		g.use(it)
		return nil
	}
	b, err := g.in.spool.put(text)
	if err != nil {
		return fmt.Errorf("cannot be unpacked: %w", err)
	}
	it.open, it.bytes, it.err = b.open, b.size, b.tail
	g.use(it)
	if isA[limitError](b.tail) {
		return b.tail
	}
	return nil
}

func failingOr(err error) io.Reader {
	if err == nil {
		return bytes.NewReader(nil)
	}
	return failing{err}
}

// use lists an item as used; finish may take it back.
func (g *gatherer) use(it item) {
	reason := "has kernel records"
	if it.rule != nil {
		reason = it.rule.what
	}
	if it.err != nil {
		reason += ", but " + it.err.Error()
	}
	g.entryOf[it.name] = len(g.list.Entries)
	g.list.Entries = append(g.list.Entries, Entry{Name: it.name, Used: true, Reason: reason, Bytes: it.bytes})
	g.items = append(g.items, it)
}

// unreadable is for a member that is, or by its name may be, a log.
func (g *gatherer) unreadable(m *member, rule *rule, root string, err error) {
	e, noText := errors.AsType[*notText](err)
	if rule == nil && !(noText && e.log) && !(g.disk && logName(m.path)) || rule != nil && rule.class != kernelLog {
		g.pass(m, "%s", err)
		return
	}
	it := item{name: m.name, path: m.path, base: m.base, root: root, rule: rule, compression: "none", err: err, entry: len(g.list.Entries)}
	g.pass(m, "cannot be read: %s", err)
	g.items = append(g.items, it)
}

// nested reads an archive that is a member.
func (g *gatherer) nested(m *member, kind string, s stream) error {
	at := len(g.list.Entries)
	g.list.Entries = append(g.list.Entries, Entry{Name: m.name, Reason: "is an archive; its members follow", Bytes: m.size})
	err := g.archive(m.name+":", kind, s)
	if isA[limitError](err) && !g.disk {
		return err
	}
	if err != nil && err != errTold {
		g.list.Entries[at].Reason = err.Error()
		g.broken = append(g.broken, broken(m.name, err))
	}
	return nil
}

// archive reads the members of an archive.
func (g *gatherer) archive(base, kind string, s stream) error {
	in := s.in
	if in.depth == in.lim.Depth {
		return in.lim.depthError()
	}
	in.depth++
	first := len(g.items)
	each := func(m *member) error { return g.member(m, in) }
	var err error
	switch kind {
	case "tar":
		err = eachTar(&metered{r: s, in: in, pass: true}, base, each)
	case "cpio":
		err = eachCpio(&metered{r: s, in: in, pass: true}, base, each)
	case "zip":
		err = g.zip(base, s, in, each)
	}
	if err == nil {
		return nil
	}
	// The member in which it broke tells of it, if it is a source.
	if n := len(g.items); n > first && g.items[n-1].err != nil && g.items[n-1].err.Error() == err.Error() {
		return errTold
	}
	if n := len(g.list.Entries); n > 0 && g.seen > 0 && isA[dataError](err) {
		return dataError(fmt.Sprintf("%s, in or behind its member %s", err, strings.TrimPrefix(g.list.Entries[n-1].Name, base)))
	}
	return err
}

// errTold is an error that a source will tell.
var errTold = errors.New("was told")

// metered counts what an argument unpacks to. Bytes that only pass by on the
// way to the members do not count twice.
type metered struct {
	r    io.Reader
	in   layers
	pass bool
	n    int64
}

func (c *metered) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	total := &c.in.raw.out
	if c.pass {
		total = &c.n
	}
	*total += int64(n)
	switch {
	case *total > c.in.lim.Bytes:
		return 0, c.in.lim.bytesError()
	case c.in.lim.tooMuch(*total, c.in.raw.n.Load()):
		return 0, c.in.lim.growthError("the archive")
	}
	return n, err
}

// zip spools an archive that is not a file: its directory is at its end.
func (g *gatherer) zip(base string, s stream, in layers, each func(*member) error) error {
	if s.file != nil {
		info, err := s.file.Stat()
		if err != nil {
			return err
		}
		in.raw.n.Store(info.Size())
		return eachZip(s.file, info.Size(), in.lim, base, each)
	}
	b, err := g.in.spool.raw(&metered{r: s, in: in})
	if err != nil {
		return fmt.Errorf("cannot be unpacked: %w", err)
	}
	if b.tail != nil {
		return b.tail
	}
	return eachZip(b.section(), b.size, in.lim, base, each)
}

// finish makes the sources of what was found.
func (g *gatherer) finish(err error) []Source {
	if err != nil && err != errTold {
		g.broken = append(g.broken, broken(g.name, err))
	}
	g.resolveLinks()
	keep := g.items[:0]
	for _, it := range g.items {
		// Found before the tree was known to be a support tool's.
		if it.rule == nil && g.known(&member{name: it.name, base: it.base}) {
			e := &g.list.Entries[it.entry]
			e.Used, e.Reason = false, "is no known log of such a tree"
			continue
		}
		keep = append(keep, it)
	}
	slices.SortStableFunc(keep, func(a, b item) int { return older(a.base+a.path, b.base+b.path) })
	out := g.sourcesOf(keep)
	if len(out) == 0 && len(g.broken) == 0 {
		what := "members; --list-inputs shows why"
		if g.disk {
			what = "seen"
		}
		g.broken = append(g.broken, broken(g.name, fmt.Errorf("holds no file that looks like a log (%s %s)", grouped(g.seen), what)))
	}
	return append(out, g.broken...)
}

// maxLinks is how many links one may lead through.
const maxLinks = 16

// resolveLinks finds what the links with the names of logs point to. A member
// that is of use by the name of a link only was passed over: it is wanted, and
// the caller may read the argument once more.
func (g *gatherer) resolveLinks() {
	to := map[string]string{}
	for _, l := range g.links {
		to[l.m.name] = l.m.base + l.m.link
	}
	for _, l := range g.links {
		e := &g.list.Entries[l.entry]
		name := l.m.name
		hops := 0
		for ; hops < maxLinks && to[name] != ""; hops++ {
			name = to[name]
		}
		shown := strings.TrimPrefix(name, l.m.base)
		at, ok := g.entryOf[name]
		switch {
		case hops == maxLinks:
			e.Reason = "is a link that leads in a circle"
		case ok && g.list.Entries[at].Used:
			e.Reason = "is a link to " + shown
		case !ok:
			e.Reason = "is a link to " + shown + ", which is not there"
		default:
			e.Reason = "is a link to " + shown + ", which is not used"
			if l.rule != nil && l.rule.class != useless {
				if g.wanted == nil {
					g.wanted = map[string]string{}
				}
				if _, again := g.wanted[name]; !again {
					g.wanted[name] = l.m.path
				}
			}
		}
	}
}
