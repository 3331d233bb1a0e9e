package input

import (
	"bufio"
	"bytes"
	"cmp"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// sniffText is how much of a text without a known name must show that a kernel
// wrote to it.
const sniffText = 1 << 20

// recordWords are what makes a text a log to read. Most are of reports, which
// the first MiB of a long log may well lack; a line of the kernel does too.
var recordWords = [][]byte{
	[]byte("oom-killer"), []byte("Killed process"), []byte("oom_reaper:"), []byte("blocked for more than"),
	[]byte("Call Trace"), []byte("Call trace"), []byte("Backtrace:"), []byte("oom-kill:"), []byte("SysRq"), []byte("sysrq:"),
	[]byte(" state:D "), []byte("Show Blocked State"), []byte(" locks held by "), []byte(" lock held by "), []byte("locking dependency"),
	[]byte(" kernel: "), []byte(" kernel:["), []byte("_TRANSPORT=kernel"), []byte(`"_TRANSPORT":"kernel"`), []byte(`"_TRANSPORT" : "kernel"`),
	[]byte("[    0.000000]"), []byte("/stack <=="), []byte("[<0>] "), []byte("[<ffffffff"), []byte("memory.oom_control"),
	[]byte("task                        PC stack"), []byte(" D    "), []byte("tracer: "), []byte("#P:"),
}

func kernelRecords(text []byte) bool {
	for _, w := range recordWords {
		if bytes.Contains(text, w) {
			return true
		}
	}
	return kernelStamp(text)
}

// kernelStamp finds a line that begins as one of dmesg or of /dev/kmsg does,
// maybe behind a level.
func kernelStamp(text []byte) bool {
	for line := range bytes.Lines(text) {
		if len(line) > 3 && line[0] == '<' {
			if i := bytes.IndexByte(line[:min(len(line), 6)], '>'); i > 0 {
				line = line[i+1:]
			}
		}
		if len(line) < 12 {
			continue
		}
		switch c := line[0]; {
		case c == '[':
			if bracketed(line) {
				return true
			}
		case c >= '0' && c <= '9':
			// 2026-11-22T18:33:16,000001+00:00 or 6,416,5842,-;
			if len(line) > 32 && line[10] == 'T' && line[19] == ',' && line[29] == ':' {
				return true
			}
			head, _, ok := bytes.Cut(line[:min(len(line), 80)], []byte(";"))
			if f := bytes.Split(head, []byte(",")); ok && len(f) >= 4 && len(f[3]) == 1 && bytes.ContainsAny(f[3], "-c+") &&
				len(bytes.Trim(bytes.Join(f[:3], nil), "0123456789")) == 0 {
				return true
			}
		}
	}
	return false
}

// bracketed tells "[ 1234.567890]" and "[Sun Nov 22 18:33:16 2026]".
func bracketed(line []byte) bool {
	end := bytes.IndexByte(line[:min(len(line), 30)], ']')
	if end < 0 {
		return false
	}
	stamp := bytes.TrimLeft(line[1:end], " ")
	if len(stamp) == 24 && stamp[13] == ':' && stamp[16] == ':' && bytes.HasPrefix(stamp[20:], []byte("20")) {
		return true
	}
	dot := bytes.IndexByte(stamp, '.')
	return dot > 0 && len(stamp)-dot == 7 && len(bytes.Trim(stamp, "0123456789.")) == 0
}

// hint reads what a file says of the host or the kernel.
func (g *gatherer) hint(m *member, by *rule, root string, r io.Reader) {
	text, err := io.ReadAll(io.LimitReader(r, sniffText))
	if err != nil && len(text) == 0 {
		g.pass(m, "%s", plain(err))
		return
	}
	host, release := hostOf(m.path, text)
	if host == "" && release == "" {
		g.pass(m, "names neither host nor kernel")
		return
	}
	g.entryOf[m.name] = len(g.list.Entries)
	g.list.Entries = append(g.list.Entries, Entry{Name: m.name, Used: true, Reason: by.what, Bytes: int64(len(text))})
	key := m.base + root
	h := g.hints[key]
	if h == nil {
		h = &hostHint{hostRank: len(rules), releaseRank: len(rules)}
		g.hints[key] = h
	}
	rank := slices.IndexFunc(rules, func(r rule) bool { return r.pattern == by.pattern })
	if host != "" && rank < h.hostRank {
		h.host, h.hostRank = host, rank
	}
	if release != "" && rank < h.releaseRank {
		h.release, h.releaseRank = release, rank
	}
}

// hostOf reads "Linux web-12 6.1.0-13-amd64 #1 SMP ...", "Linux version
// 6.1.0-13-amd64 (...)" or the one word of a file that is named for it.
func hostOf(name string, text []byte) (host, release string) {
	for line := range bytes.Lines(text) {
		if f := strings.Fields(string(line[:min(len(line), 512)])); len(f) >= 3 && f[0] == "Linux" {
			switch {
			case f[1] == "version" && word(f[2]):
				return "", f[2]
			case len(f) >= 4 && word(f[1]) && word(f[2]) && f[2][0] >= '0' && f[2][0] <= '9':
				return f[1], f[2]
			}
		}
	}
	one := strings.TrimSpace(string(text))
	switch {
	case !word(one):
		return "", ""
	case strings.HasSuffix(name, "osrelease"), strings.HasSuffix(name, "uname_-r"):
		return "", one
	case strings.Contains(name, "hostname"):
		return one, ""
	}
	return "", ""
}

// word tells what may be the name of a host or of a release.
func word(s string) bool {
	if s == "" || len(s) > 255 {
		return false
	}
	for _, c := range []byte(s) {
		if (c < '0' || c > '9') && (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && !strings.ContainsRune("._-+~", rune(c)) {
			return false
		}
	}
	return true
}

// hostAt is what the tree around a path says: the root nearest to it.
func (g *gatherer) hostAt(it *item) (host, release string) {
	full := it.base + it.path
	for i := len(full); i >= len(it.base); i-- {
		if h := g.hints[full[:i]]; h != nil && (i == len(it.base) || full[i-1] == '/') {
			host, release = cmp.Or(host, h.host), cmp.Or(release, h.release)
		}
	}
	// must-gather has the name of the host in the path.
	if host == "" {
		if _, rest, ok := strings.Cut("/"+it.path, "/nodes/"); ok {
			if node, _, ok := strings.Cut(rest, "/"); ok && word(node) {
				host = node
			}
		}
	}
	return host, release
}

// sourcesOf turns items into sources, in their order. The files of one kind of
// one tree that say little each are read as one.
func (g *gatherer) sourcesOf(items []item) []Source {
	var out []Source
	type key struct {
		base, root string
		class      class
	}
	joined := map[key][]*item{}
	for i := range items {
		it := &items[i]
		if it.rule != nil && (it.rule.class == procFile || it.rule.class == groupFile || it.rule.class == pstore) {
			k := key{it.base, it.root, it.rule.class}
			joined[k] = append(joined[k], it)
			continue
		}
		if it.open == nil {
			out = append(out, g.source(it, broken(it.name, it.err)))
			continue
		}
		out = append(out, g.source(it, Source{Name: it.name, Compression: it.compression, Open: it.open}))
	}
	for i := 1; i < len(out); i++ {
		a, b := rotation(out[i-1].Name), rotation(out[i].Name)
		if a.stem == b.stem {
			out[i].Follows = out[i-1].Name
		}
	}
	keys := slices.SortedFunc(maps.Keys(joined), func(a, b key) int {
		return cmp.Or(cmp.Compare(a.base, b.base), cmp.Compare(a.root, b.root), cmp.Compare(a.class, b.class))
	})
	for _, k := range keys {
		parts := joined[k]
		src := Source{Compression: "none"}
		switch k.class {
		case procFile:
			tasks := tasksOf(parts)
			if len(tasks) == 0 {
				g.unuse(parts, "has neither a stack nor a state to show")
				continue
			}
			src.Name = joinName(parts[0], "proc/*/stack")
			src.Open = func() (io.ReadCloser, error) { return &joinReader{each: eachTask(tasks)}, nil }
		case groupFile:
			src.Name = joinName(parts[0], "sys/fs/cgroup/**/memory.*")
			src.Open = func() (io.ReadCloser, error) { return &joinReader{each: eachFile(parts)}, nil }
		case pstore:
			slices.SortStableFunc(parts, pstoreOrder)
			src.Name = parts[0].name[:strings.LastIndexByte(parts[0].name, '/')+1] + "dmesg-*"
			src.Open = func() (io.ReadCloser, error) { return &joinReader{each: eachPart(parts)}, nil }
		}
		out = append(out, g.source(parts[0], src))
	}
	return out
}

// joinName names a join by its pattern, from where the tree begins.
func joinName(it *item, pattern string) string {
	if at, ok := strings.CutSuffix(it.name, strings.TrimPrefix(it.path, it.root)); ok {
		return at + pattern
	}
	// The directory that was named is inside the tree.
	return it.base + pattern[strings.IndexByte(pattern, '*'):]
}

func (g *gatherer) unuse(parts []*item, reason string) {
	for _, it := range parts {
		e := &g.list.Entries[it.entry]
		e.Used, e.Reason = false, reason
	}
}

func (g *gatherer) source(it *item, s Source) Source {
	s.Host, s.Release = g.hostAt(it)
	return s
}

// procTask is what a tree has of one task.
type procTask struct {
	tgid, tid int
	files     map[string]*item
}

// tasksOf sorts the files of /proc by task. A thread group's own directory and
// that of its first thread are the same task.
func tasksOf(parts []*item) []*procTask {
	byID := map[[2]int]*procTask{}
	for _, it := range parts {
		dir := strings.Split(strings.TrimPrefix(it.path, it.root), "/") // proc 123 [task 124] stack
		tgid, err := strconv.Atoi(dir[1])
		if err != nil || tgid <= 0 {
			continue
		}
		tid := tgid
		if len(dir) == 5 {
			if tid, err = strconv.Atoi(dir[3]); err != nil || tid <= 0 {
				continue
			}
		}
		k := [2]int{tgid, tid}
		t := byID[k]
		if t == nil {
			t = &procTask{tgid: tgid, tid: tid, files: map[string]*item{}}
			byID[k] = t
		}
		if what := dir[len(dir)-1]; t.files[what] == nil || len(dir) == 5 {
			t.files[what] = it
		}
	}
	var out []*procTask
	for _, t := range byID {
		if t.files["stack"] != nil || t.files["status"] != nil {
			out = append(out, t)
		}
	}
	slices.SortFunc(out, func(a, b *procTask) int {
		return cmp.Or(cmp.Compare(a.tgid, b.tgid), cmp.Compare(a.tid, b.tid))
	})
	return out
}

// maxPiece bounds a file of a join; a stack has at most 64 frames.
const maxPiece = 64 << 10

// joinReader reads small files one after the other. An error of one is told at
// the end, when the others are read.
type joinReader struct {
	each func(w *bytes.Buffer, i int) (more bool, err error)
	buf  bytes.Buffer
	i    int
	done bool
	err  error
}

func (j *joinReader) Read(p []byte) (int, error) {
	for j.buf.Len() == 0 {
		if j.done {
			return 0, cmp.Or(j.err, io.EOF)
		}
		j.buf.Reset()
		more, err := j.each(&j.buf, j.i)
		if j.err == nil {
			j.err = err
		}
		j.i++
		j.done = !more
	}
	return j.buf.Read(p)
}

func (j *joinReader) Close() error { return nil }

// piece reads one file of a join.
func piece(it *item, limit int64) ([]byte, error) {
	if it == nil {
		return nil, nil
	}
	if it.open == nil {
		return nil, it.err
	}
	r, err := it.open()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", it.path, err)
	}
	defer r.Close()
	text, err := io.ReadAll(io.LimitReader(r, limit))
	if err != nil {
		err = fmt.Errorf("%s: %w", it.path, err)
	}
	return text, err
}

// eachTask writes what "tail -n +1 /proc/*/task/*/stack" would, and the name
// and the state of the task between the heading and the stack:
//
//	==> proc/123/task/124/stack <==
//	Name:	java
//	State:	D (disk sleep)
//	cgroup: 4:memory:/app
//	[<0>] do_truncate+0x58/0xa0
//
// A task without a file for its stack is one line, which claims no stack:
//
//	--- pid 124 tgid 123 java: D (disk sleep), cgroup /app
func eachTask(tasks []*procTask) func(*bytes.Buffer, int) (bool, error) {
	return func(w *bytes.Buffer, i int) (bool, error) {
		t := tasks[i]
		more := i+1 < len(tasks)
		stack, err := piece(t.files["stack"], maxPiece)
		get := func(what string) string {
			text, e := piece(t.files[what], maxPiece)
			err = cmp.Or(err, e)
			return string(text)
		}
		status := get("status")
		name := cmp.Or(statusField(status, "Name"), firstLine(get("comm")))
		state := statusField(status, "State")
		group := memoryGroup(get("cgroup"))
		if t.files["stack"] == nil {
			if state != "" && name != "" {
				fmt.Fprintf(w, "--- pid %d tgid %d %s: %s", t.tid, t.tgid, name, state)
				if group != "" {
					fmt.Fprintf(w, ", cgroup %s", group[strings.LastIndexByte(group, ':')+1:])
				}
				w.WriteByte('\n')
			}
			return more, err
		}
		fmt.Fprintf(w, "==> proc/%d/task/%d/stack <==\n", t.tgid, t.tid)
		for _, f := range []struct{ key, value string }{
			{"Name:\t", name}, {"State:\t", state}, {"wchan: ", firstLine(get("wchan"))},
			{"syscall: ", firstLine(get("syscall"))}, {"cgroup: ", group},
		} {
			if f.value != "" {
				w.WriteString(f.key + f.value + "\n")
			}
		}
		w.Write(stack)
		endLine(w)
		return more, err
	}
}

func statusField(status, key string) string {
	for line := range strings.Lines(status) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			return strings.TrimSpace(rest)
		}
	}
	return ""
}

func firstLine(s string) string {
	s, _, _ = strings.Cut(s, "\n")
	return strings.TrimSpace(s)
}

// memoryGroup is the line of /proc/PID/cgroup on memory: "4:memory:/app", or
// "0::/app" where all controllers are in one tree.
func memoryGroup(text string) string {
	unified := ""
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		_, rest, _ := strings.Cut(line, ":")
		ctl, _, ok := strings.Cut(rest, ":")
		switch {
		case !ok:
		case slices.Contains(strings.Split(ctl, ","), "memory"):
			return line
		case ctl == "":
			unified = line
		}
	}
	return unified
}

func endLine(w *bytes.Buffer) {
	if b := w.Bytes(); len(b) > 0 && b[len(b)-1] != '\n' {
		w.WriteByte('\n')
	}
}

// eachFile writes files under a heading each, as tail does.
func eachFile(parts []*item) func(*bytes.Buffer, int) (bool, error) {
	return func(w *bytes.Buffer, i int) (bool, error) {
		text, err := piece(parts[i], maxPiece)
		fmt.Fprintf(w, "==> %s <==\n", strings.TrimPrefix(parts[i].path, parts[i].root))
		w.Write(text)
		endLine(w)
		return i+1 < len(parts), err
	}
}

// eachPart writes the parts of a log as they follow each other.
func eachPart(parts []*item) func(*bytes.Buffer, int) (bool, error) {
	return func(w *bytes.Buffer, i int) (bool, error) {
		text, err := piece(parts[i], 16<<20)
		w.Write(text)
		endLine(w)
		return i+1 < len(parts), err
	}
}

// pstoreOrder puts the parts of one log in the order of time: the kernel
// writes the end of the log first, as "Panic#2 Part1".
func pstoreOrder(a, b *item) int {
	an, ap := pstorePart(a)
	bn, bp := pstorePart(b)
	return cmp.Or(cmp.Compare(an, bn), cmp.Compare(bp, ap))
}

func pstorePart(it *item) (count, part int) {
	if it.open == nil {
		return 0, 0
	}
	r, err := it.open()
	if err != nil {
		return 0, 0
	}
	defer r.Close()
	line, _ := bufio.NewReaderSize(io.LimitReader(r, 128), 128).ReadString('\n')
	_, rest, ok := strings.Cut(strings.TrimSpace(line), "#")
	if !ok {
		return 0, 0
	}
	n, p, _ := strings.Cut(rest, " Part")
	count, _ = strconv.Atoi(n)
	part, _ = strconv.Atoi(p)
	return count, part
}
