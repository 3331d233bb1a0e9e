package report

import (
	"cmp"
	"fmt"
	"net/netip"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Redact returns a copy of r in which hosts, memory cgroups, paths, IP and MAC
// addresses, kernel addresses, user ids and command names are pseudonyms: the
// same original is the same pseudonym all over the report. What tells about
// the failure stays: kernel functions, releases, pids, and the names that
// kernel threads have everywhere.
//
// It knows the names that stand in fields of the report and what looks like a
// path or an address; a name that occurs in the text of a log line alone it
// cannot know.
func Redact(r *Report) *Report {
	out := deepCopy(reflect.ValueOf(*r)).Interface().(Report)
	red := newRedactor(&out)
	for i := range out.Inputs {
		in := &out.Inputs[i]
		in.Name = red.inputName(in.Name)
		for j := range in.Diagnostics {
			red.text(&in.Diagnostics[j].Message)
		}
	}
	for i := range out.Incidents {
		red.incident(&out.Incidents[i])
	}
	red.trace(out.Trace)
	return &out
}

func deepCopy(v reflect.Value) reflect.Value {
	out := reflect.New(v.Type()).Elem()
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			out.Field(i).Set(deepCopy(v.Field(i)))
		}
	case reflect.Slice:
		if v.IsNil() {
			return out
		}
		out.Set(reflect.MakeSlice(v.Type(), v.Len(), v.Len()))
		for i := range v.Len() {
			out.Index(i).Set(deepCopy(v.Index(i)))
		}
	case reflect.Pointer:
		if v.IsNil() {
			return out
		}
		out.Set(reflect.New(v.Type().Elem()))
		out.Elem().Set(deepCopy(v.Elem()))
	default:
		out.Set(v)
	}
	return out
}

// redactor replaces the originals of one report.
type redactor struct {
	names   map[string]string   // original -> pseudonym
	byStart map[string][]string // the originals by their first word, longest first
	weak    map[string]bool     // replaced only where they are a task's name: "1", "x"
	tool    map[string]bool     // commands that advice names too
	keep    []string            // kernel releases, which can look like an IP address
	counts  map[string]int
	other   map[string]string // pseudonyms of what patterns found
}

func newRedactor(r *Report) *redactor {
	red := &redactor{
		names: map[string]string{}, byStart: map[string][]string{}, weak: map[string]bool{}, tool: map[string]bool{},
		counts: map[string]int{}, other: map[string]string{},
	}
	for i := range r.Incidents {
		inc := &r.Incidents[i]
		red.host(inc.Host)
		if s := deref(inc.Kernel.Release); s != "" && !slices.Contains(red.keep, s) {
			red.keep = append(red.keep, s)
		}
		for j := range inc.OOMs {
			o := &inc.OOMs[j]
			red.memcg(o.Memcg)
			red.memcg(o.TaskMemcg)
			red.comm(deref(o.Invoker.Comm))
			for k := range o.Victims {
				red.comm(o.Victims[k].Comm)
			}
			for k := range o.Candidates {
				red.comm(o.Candidates[k].Comm)
			}
		}
		for j := range inc.Folded {
			red.memcg(inc.Folded[j].Memcg)
		}
		for j := range inc.Tasks {
			t := &inc.Tasks[j]
			red.comm(deref(t.Comm))
			red.memcg(t.Memcg)
			for k := range t.Stack {
				red.address(t.Stack[k].Address)
			}
		}
		for j := range inc.WaitGraph.Nodes {
			red.address(inc.WaitGraph.Nodes[j].Address)
		}
	}
	red.traceNames(r.Trace)
	for i := range r.Inputs {
		if name := r.Inputs[i].Name; strings.Contains(name, "/") {
			red.add(name, red.inputName(name))
		}
	}
	slices.SortFunc(red.keep, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	for start, list := range red.byStart {
		slices.SortStableFunc(list, func(a, b string) int { return cmp.Compare(len(b), len(a)) })
		red.byStart[start] = list
	}
	return red
}

func (red *redactor) add(original, pseudonym string) {
	if original == "" || red.names[original] != "" {
		return
	}
	red.names[original] = pseudonym
	start := firstWord(original)
	red.byStart[start] = append(red.byStart[start], original)
}

// next numbers the pseudonyms of a kind.
func (red *redactor) next(kind string) string {
	red.counts[kind]++
	return kind + strconv.Itoa(red.counts[kind])
}

// found is the pseudonym of what a pattern matched.
func (red *redactor) found(kind, original string) string {
	key := kind + original
	if red.other[key] == "" {
		red.other[key] = red.next(kind)
	}
	return red.other[key]
}

func (red *redactor) host(host *string) {
	h := deref(host)
	if h == "" || red.names[h] != "" {
		return
	}
	name := red.next("host-")
	red.add(h, name)
	if _, err := netip.ParseAddr(h); err == nil {
		return
	}
	if short, domain, ok := strings.Cut(h, "."); ok {
		red.add(short, name)
		if strings.Contains(domain, ".") && red.names[domain] == "" {
			red.add(domain, red.next("domain-"))
		}
	}
}

// memcg gives each part of a path its pseudonym, so that what is below what
// still shows.
func (red *redactor) memcg(group *string) {
	p := deref(group)
	if strings.Trim(p, "/") == "" || red.names[p] != "" {
		return
	}
	var out strings.Builder
	for i, part := range strings.Split(p, "/") {
		if i > 0 {
			out.WriteByte('/')
		}
		if part != "" {
			out.WriteString(red.found("cg-", part))
		}
	}
	red.add(p, out.String())
	if dir := path.Dir(p); dir != p && strings.HasPrefix(dir, "/") {
		red.memcg(&dir)
	}
}

// lazily compiles an expression when it is first used: most runs redact
// nothing.
func lazily(expr string) func() *regexp.Regexp {
	return sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(expr) })
}

// kernelThread matches the names that kernel threads have on every machine.
var kernelThread = lazily(`^(kworker|jbd2|ksoftirqd|migration|cpuhp|idle_inject|irq|xfsaild|xfs-[a-z]+|ext4-[a-z-]+|swapper|watchdog|md\d+_[a-z0-9]+|nvme-[a-z-]+|kdmflush|dmcrypt_write)/` +
	`|^(khungtaskd|oom_reaper|kswapd\d*|kjournald2?|kcompactd\d*|kthreadd|khugepaged|ksmd|kdevtmpfs|kauditd|kblockd|kthrotld|pdflush|bdflush|bdi-default|writeback|` +
	`flush-[\w:.-]+|rcu_[a-z_]+|rcuos?[\w/-]*|rcub[\w/-]*|loop\d+|md\d+_[a-z0-9]+|scsi_eh_\d+|btrfs-[a-z-]+|nfsd|nfsiod|rpciod|lockd|xprtiod|cifsd|ksnapd|events/\d+|netns|khelper|kintegrityd|mm_percpu_wq|migration|swapper)$`)

// toolWords are commands that the advice of a finding names.
var toolWords = []string{"cat", "crash", "cut", "dmesg", "echo", "fuser", "gdb", "grep", "journalctl", "kill", "ls", "lsof", "mount", "perf", "ps", "sh", "shell", "sysctl", "tee", "umount"}

func (red *redactor) comm(comm string) {
	if comm == "" || red.names[comm] != "" || kernelThread().MatchString(comm) {
		return
	}
	red.add(comm, red.next("comm-a"))
	red.weak[comm] = len(comm) == 1 || digits(comm)
	red.tool[comm] = slices.Contains(toolWords, comm)
}

func (red *redactor) address(addr *string) {
	a := strings.TrimPrefix(deref(addr), "0x")
	if a == "" || red.names[a] != "" {
		return
	}
	name := red.found("addr-", strings.ToLower(a))
	red.add("0x"+a, name)
	red.add(a, name)
}

// inputName keeps what a log is called and hides where it lies.
func (red *redactor) inputName(name string) string {
	i := strings.LastIndexByte(name, '/')
	if i < 0 {
		return red.replace(name, false)
	}
	dir := "/"
	if name[:i] != "" {
		dir = red.found("dir-", name[:i]) + "/"
	}
	return dir + red.replace(name[i+1:], false)
}

func (red *redactor) incident(inc *Incident) {
	red.text(inc.Host)
	red.text(&inc.Headline)
	red.text(inc.Resolution)
	red.text(&inc.SynchronizePath.Reason)
	for i := range inc.Folded {
		red.text(inc.Folded[i].Memcg)
	}
	for i := range inc.OOMs {
		o := &inc.OOMs[i]
		red.text(o.Memcg)
		red.text(o.TaskMemcg)
		red.name(o.Invoker.Comm)
		for j := range o.Candidates {
			c := &o.Candidates[j]
			red.name(&c.Comm)
			c.UID = red.uid(c.UID)
		}
		for j := range o.Victims {
			red.name(&o.Victims[j].Comm)
			red.text(&o.Victims[j].FateReason)
		}
		for j := range o.Memory {
			red.text(&o.Memory[j].Name)
		}
	}
	for i := range inc.Tasks {
		t := &inc.Tasks[i]
		red.text(&t.ID)
		red.name(t.Comm)
		red.text(t.Label)
		red.text(t.Memcg)
		red.text(t.Waits)
		red.texts(t.Holds)
		for j := range t.Stack {
			red.text(t.Stack[j].Address)
			red.text(t.Stack[j].Lock)
		}
	}
	g := &inc.WaitGraph
	for i := range g.Nodes {
		red.text(&g.Nodes[i].ID)
		red.text(g.Nodes[i].Address)
		red.text(&g.Nodes[i].Label)
	}
	for i := range g.Edges {
		red.text(&g.Edges[i].From)
		red.text(&g.Edges[i].To)
		red.texts(g.Edges[i].Why)
	}
	for _, c := range g.Cycles {
		red.texts(c)
	}
	for i := range inc.Findings {
		f := &inc.Findings[i]
		red.text(&f.Summary)
		red.texts(f.Explanation)
		red.texts(f.TaskIDs)
		if f.Ended != nil {
			red.text(&f.Ended.How)
		}
		for j := range f.Evidence {
			red.text(&f.Evidence[j].Text)
		}
		for _, advice := range [][]string{f.Actions, f.Collect} {
			for j := range advice {
				advice[j] = red.replace(advice[j], true)
			}
		}
	}
	for i := range inc.Timeline {
		red.text(&inc.Timeline[i].Text)
		red.text(inc.Timeline[i].Task)
	}
	for i := range inc.Log {
		red.text(&inc.Log[i].Text)
	}
}

func (red *redactor) text(s *string) {
	if s != nil {
		*s = red.replace(*s, false)
	}
}

func (red *redactor) texts(list []string) {
	for i := range list {
		red.text(&list[i])
	}
}

// name is a field that holds a command name and nothing else.
func (red *redactor) name(s *string) {
	if s != nil {
		if p := red.names[*s]; p != "" {
			*s = p
		}
	}
}

// uid leaves root, which tells nothing.
func (red *redactor) uid(uid int64) int64 {
	if uid == 0 {
		return 0
	}
	n, _ := strconv.ParseInt(strings.TrimPrefix(red.found("uid-", strconv.FormatInt(uid, 10)), "uid-"), 10, 64)
	return 90000 + n
}

// piece is a part of a string. What is done is not looked at again: a
// pseudonym may look like a name.
type piece struct {
	text string
	done bool
}

// replace writes the pseudonyms into a text. In advice the names of common
// tools stay where they are not the name of a task.
func (red *redactor) replace(s string, advice bool) string {
	if s == "" {
		return s
	}
	pieces := []piece{{text: s}}
	each := func(f func(string) []piece) {
		var out []piece
		for _, p := range pieces {
			if p.done {
				out = append(out, p)
			} else {
				out = append(out, f(p.text)...)
			}
		}
		pieces = out
	}
	each(red.keepReleases)
	each(func(s string) []piece { return red.replaceNames(s, advice) })
	for _, pat := range patterns() {
		var out []piece
		before := " " // a blank stands for the start of the text, a letter for a pseudonym
		for _, p := range pieces {
			if p.done {
				out = append(out, p)
			} else {
				out = append(out, pat.replace(red, before, p.text)...)
			}
			before = "x"
		}
		pieces = out
	}
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.text)
	}
	return b.String()
}

// replace looks for the pattern in s, which stands behind before.
func (pat *pattern) replace(red *redactor, before, s string) []piece {
	var out []piece
	s = before + s
	last := len(before)
	for _, m := range pat.re.FindAllStringSubmatchIndex(s, -1) {
		from, to := m[2], m[3]
		if from < last {
			continue
		}
		if p := pat.pseudonym(red, s[from:to]); p != "" {
			out = append(out, piece{text: s[last:from]}, piece{p, true})
			last = to
		}
	}
	return append(out, piece{text: s[last:]})
}

func (red *redactor) keepReleases(s string) []piece {
	var out []piece
	for {
		at, release := -1, ""
		for _, k := range red.keep {
			if i := strings.Index(s, k); i >= 0 && (at < 0 || i < at) {
				at, release = i, k
			}
		}
		if at < 0 {
			return append(out, piece{text: s})
		}
		out = append(out, piece{text: s[:at]}, piece{release, true})
		s = s[at+len(release):]
	}
}

func wordByte(c byte) bool {
	return c == '_' || c >= 0x80 || c >= '0' && c <= '9' || c|0x20 >= 'a' && c|0x20 <= 'z'
}

// firstWord is the word that s starts with, or its first byte.
func firstWord(s string) string {
	n := 0
	for n < len(s) && wordByte(s[n]) {
		n++
	}
	return s[:max(n, 1)]
}

// replaceNames replaces the known originals, the longest first, where they are
// no part of a longer word.
func (red *redactor) replaceNames(s string, advice bool) []piece {
	var out []piece
	last := 0
	for i := 0; i < len(s); {
		word := firstWord(s[i:])
		n := len(word)
		for _, name := range red.byStart[word] {
			rest, ok := strings.CutPrefix(s[i:], name)
			if !ok || rest != "" && wordByte(name[len(name)-1]) && wordByte(rest[0]) {
				continue
			}
			task := strings.HasPrefix(rest, " (pid ")
			if !task && (red.weak[name] || advice && red.tool[name]) {
				continue
			}
			out = append(out, piece{text: s[last:i]}, piece{red.names[name], true})
			n = len(name)
			if strings.HasPrefix(red.names[name], "host-") {
				n += len(domainOf().FindString(rest))
			}
			last = i + n
			break
		}
		i += n
	}
	return append(out, piece{text: s[last:]})
}

// domainOf matches the domain behind the short name of a host.
var domainOf = lazily(`^(\.[A-Za-z][A-Za-z0-9-]*){2,}`)

// pattern is what is replaced wherever it stands: its first group, unless the
// pseudonym is "".
type pattern struct {
	re        *regexp.Regexp
	pseudonym func(*redactor, string) string
}

// patterns are compiled when a report is redacted.
var patterns = sync.OnceValue(func() []pattern {
	return []pattern{
		// A row of the OOM report's table of tasks, and uid=1000 in audit lines.
		{regexp.MustCompile(`\[\s*\d+\]\s+(\d+)\s+\d+\s+\d+\s`), (*redactor).uidText},
		{regexp.MustCompile(`(?i)\b[a-z]*uid[:=]\s?(\d+)\b`), (*redactor).uidText},
		{regexp.MustCompile(`(?i)\b((?:[0-9a-f]{2}:){5}[0-9a-f]{2})\b`), func(red *redactor, s string) string {
			return red.found("mac-", strings.ToLower(s))
		}},
		{regexp.MustCompile(`[^\w.:]((?:\d{1,3}\.){3}\d{1,3})\b`), (*redactor).ip},
		{regexp.MustCompile(`(?i)[^\w.:]([0-9a-f]{0,4}:[0-9a-f:]*:[0-9a-f.:]*[0-9a-f]|[0-9a-f]{1,4}:[0-9a-f:]*::)`), (*redactor).ip},
		{regexp.MustCompile(`(?i)\[<([0-9a-f]{8,16})>\]`), (*redactor).addressText},
		{regexp.MustCompile(`(?i)\b((?:0x)?[0-9a-f]{16})\b`), (*redactor).addressText},
		{regexp.MustCompile("(?:[\\s=\"'(:,`\\[])(/[^\\s\"'`,;:()\\[\\]]+)"), (*redactor).path},
	}
})

func (red *redactor) uidText(s string) string {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n == 0 {
		return ""
	}
	return strconv.FormatInt(red.uid(n), 10)
}

func (red *redactor) ip(s string) string {
	addr, err := netip.ParseAddr(s)
	if err != nil || addr.IsUnspecified() || addr.IsLoopback() {
		return ""
	}
	return red.found("ip-", addr.String())
}

func (red *redactor) addressText(s string) string {
	s = strings.TrimPrefix(strings.TrimPrefix(strings.ToLower(s), "0x"), "0X")
	if strings.Trim(s, "0") == "" {
		return ""
	}
	return red.found("addr-", s)
}

// path leaves what is the same on every machine: the files of the kernel.
func (red *redactor) path(s string) string {
	const cgroups = "/sys/fs/cgroup/"
	switch {
	case strings.Trim(s, "/.") == "":
		return ""
	case strings.HasPrefix(s, cgroups):
		rest := s[len(cgroups):]
		if dir := path.Dir(rest); dir != "." {
			return fmt.Sprintf("%s%s/%s", cgroups, red.found("path-", dir), path.Base(rest))
		}
		return ""
	case strings.HasPrefix(s, "/proc/"), strings.HasPrefix(s, "/sys/"), strings.HasPrefix(s, "/dev/"):
		return ""
	}
	return "/" + red.found("path-", strings.TrimRight(s, "."))
}
