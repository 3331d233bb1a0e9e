package workload

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"io/fs"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// cut names a piece of a log in testdata/dmesg: from the first line that holds
// From up to the next that holds Until.
type cut struct {
	kernel      string
	log         string
	from, until string
	before      bool // the line of until is not part of it
}

// reports are pieces of a few lines: OOM reports, hung tasks, sysrq-w.
var reports = []cut{
	{"6.1", "oom-6.1-memcg-v1.log", "eater invoked oom-killer", "Killed process", false},
	{"6.1", "oom-6.1-memcg-v1.log", "small_grower invoked oom-killer", "Killed process", false},
	{"6.1", "oom-6.1-memcg-v1.log", "filewriter invoked oom-killer", "Killed process", false},
	{"6.1", "oom-6.1-memcg-v2.log", "webreq invoked oom-killer", "Killed process", false},
	{"6.1", "oom-6.1-memcg-v2.log", "hogthr-2 invoked oom-killer", "Killed process", false},
	{"6.1", "oom-6.1-global.log", "eater invoked oom-killer", "Killed process", false},
	{"6.1", "hung-6.1-fuse-oom-cycle.log", "INFO: task oomhandler", "</TASK>", false},
	{"6.1", "hung-6.1-frozen-filesystem.log", "INFO: task dioreader", "</TASK>", false},
	{"6.1", "hung-6.1-fuse-oom-cycle.log", "sysrq: Show Blocked State", "sysrq: Show State", true},
	{"3.2", "oom-3.2-healthy-in-write.log", "bigwrite invoked oom-killer", "Killed process", false},
	{"3.2", "hung-3.2-frozen-ext3-healthy-oom.log", "INFO: task bigwrite", "INFO: task sh", true},
	{"3.2", "hung-3.2-frozen-ext3-healthy-oom.log", "SysRq : Show Blocked State", "Sched Debug", true},
	{"3.14", "oom-3.14-synchronize-path.log", "bigwrite invoked oom-killer", "Killed process", false},
	{"7.2", "hung-7.2-mmap-lock-fuse.log", "INFO: task mmlock-faulter", "</TASK>", false},
	{"7.2", "hung-7.2-mmap-lock-fuse.log", "INFO: task vmreader", "</TASK>", false},
}

// dumps are whole sysrq-t, with the scheduler's tables behind the tasks.
var dumps = []cut{
	{"6.1", "hung-6.1-lab-lockwait.log", "sysrq: Show State", "lab: end", true},
	{"6.1", "oom-6.1-lab-healthy.log", "sysrq: Show State", "lab: end", true},
	{"6.1", "oom-6.1-lab-two-kills.log", "sysrq: Show State", "lab: end", true},
	{"6.1", "sysrq-6.1-lab-oom-disabled.log", "sysrq: Show State", "lab: end", true},
}

// Texts are the pieces that the workloads are made of.
type Texts struct {
	reports, dumps []*piece
	ooms           *piece // the report that OOMs repeats
	graph          []graphRow
}

// Load reads the pieces out of testdata, the directory of that name at the
// root of the repository.
func Load(testdata fs.FS) (*Texts, error) {
	t := &Texts{}
	logs := map[string][]byte{}
	read := func(list []cut) (pieces []*piece, err error) {
		for _, c := range list {
			if logs[c.log] == nil {
				if logs[c.log], err = fs.ReadFile(testdata, "dmesg/"+c.log); err != nil {
					return nil, err
				}
			}
			p, err := c.piece(logs[c.log])
			if err != nil {
				return nil, err
			}
			pieces = append(pieces, p)
		}
		return pieces, nil
	}
	var err error
	if t.reports, err = read(reports); err != nil {
		return nil, err
	}
	if t.dumps, err = read(dumps); err != nil {
		return nil, err
	}
	for i := range reports {
		if strings.HasPrefix(reports[i].from, "webreq ") {
			t.ooms = t.reports[i]
		}
	}
	packed, err := fs.ReadFile(testdata, "ftrace/graph-6.1-memcg-oom.txt.gz")
	if err != nil {
		return nil, err
	}
	z, err := gzip.NewReader(bytes.NewReader(packed))
	if err != nil {
		return nil, err
	}
	text, err := io.ReadAll(z)
	if err != nil {
		return nil, err
	}
	t.graph, err = graphRows(string(text))
	return t, err
}

// of returns the reports of a kernel.
func (t *Texts) of(kernel string) (list []*piece) {
	for _, p := range t.reports {
		if p.kernel == kernel {
			list = append(list, p)
		}
	}
	return list
}

// piece is a cut with blanks to fill in.
type piece struct {
	kernel string
	lines  []pieceLine
	us     int64 // it takes
}

type pieceLine struct {
	at    int64 // microseconds since the piece's first line
	kind  Kind
	pid   int // as in the log; of a line that begins a report
	parts []part
}

// part is text and the blank behind it.
type part struct {
	text  string
	slot  slot
	pid   int // slotPid: as in the log
	name  int // slotName: number of the name in the piece
	width int // padded to
	right bool
}

type slot uint8

const (
	slotNone slot = iota
	slotPid
	slotName
	slotGroup // what tells one memory cgroup from the next, behind its path
)

// values fill the blanks of a piece.
type values struct {
	pids  int // added to the pids of user tasks
	names int // the first of them
	group int // number of the memory cgroup
}

// firstUserPid parts the kernel threads of the logs, which keep their pids,
// from the tasks of the incident.
const firstUserPid = 40

func (v *values) pid(p int) int {
	if p < firstUserPid {
		return p
	}
	return p + v.pids
}

// names of programs that run out of memory.
var names = []string{"java", "mysqld", "postgres", "node", "python3", "nginx", "php-fpm8.2", "redis-server", "dockerd", "containerd", "kubelet", "rsync",
	"ffmpeg", "gunicorn", "beam.smp", "prometheus", "clickhouse-serv", "elasticsearch", "mongod", "chrome", "ruby3.1", "celery", "envoy", "cc1plus"}

func (v *values) name(i int) string { return names[(v.names+i)%len(names)] }

// append adds the text of a line.
func (l *pieceLine) append(b []byte, v *values) []byte {
	for i := range l.parts {
		p := &l.parts[i]
		b = append(b, p.text...)
		start := len(b)
		switch p.slot {
		case slotNone:
			continue
		case slotPid:
			if p.right {
				b = padded(b, int64(v.pid(p.pid)), p.width)
			} else {
				b = strconv.AppendInt(b, int64(v.pid(p.pid)), 10)
			}
		case slotName:
			b = append(b, v.name(p.name)...)
		case slotGroup:
			b = append(b, "/pod"...)
			b = strconv.AppendInt(b, int64(v.group), 10)
		}
		for len(b)-start < p.width {
			b = append(b, ' ')
		}
	}
	return b
}

var printed = regexp.MustCompile(`^\[ *(\d+)\.(\d{6})\] (.*)$`)

// piece cuts c out of its log. Lines without printk's time are programs on the
// same console: they are left out.
func (c *cut) piece(log []byte) (*piece, error) {
	p := &piece{kernel: c.kernel}
	var texts []string
	first := int64(-1)
	for line := range strings.Lines(string(log)) {
		m := printed.FindStringSubmatch(strings.TrimRight(line, "\r\n"))
		if m == nil {
			continue
		}
		if first < 0 && !strings.Contains(m[3], c.from) {
			continue
		}
		end := first >= 0 && strings.Contains(m[3], c.until)
		if end && c.before {
			break
		}
		sec, _ := strconv.ParseInt(m[1], 10, 64)
		us, _ := strconv.ParseInt(m[2], 10, 64)
		us += sec * 1e6
		if first < 0 {
			first = us
		}
		p.us = max(p.us, us-first)
		p.lines = append(p.lines, pieceLine{at: p.us}) // printk's clock may jump back, a log's does not
		texts = append(texts, m[3])
		if end {
			break
		}
	}
	if len(texts) == 0 {
		return nil, fmt.Errorf("%s: no line with %q", c.log, c.from)
	}
	users := userNames(texts)
	for i, text := range texts {
		p.lines[i].fill(text, users)
	}
	// A report is named by its victim, which its last line tells.
	for i := range p.lines {
		if p.lines[i].kind == OOM {
			for _, l := range p.lines[i:] {
				if l.kind == Kill {
					p.lines[i].pid = l.pid
					break
				}
			}
		}
	}
	return p, nil
}

// form is a line that names a task or a memory cgroup. Its groups are what is
// filled in: name, pid, memcg; lname and lpid are padded with blanks behind,
// rpid with blanks in front.
type form struct {
	kind Kind
	re   *regexp.Regexp
}

var forms = []form{
	{OOM, regexp.MustCompile(`^(?P<name>\S+) invoked oom-killer: `)},
	{Plain, regexp.MustCompile(`^(?P<name>\S+) cpuset=`)},
	{Plain, regexp.MustCompile(`^CPU: \d+ PID: (?P<pid>\d+) Comm: (?P<name>\S+) `)},
	{Plain, regexp.MustCompile(`^Pid: (?P<pid>\d+), comm: (?P<name>\S+) `)},
	{Plain, regexp.MustCompile(`^\[(?P<rpid> *\d+)\] +\d+(?P<rpid> +\d+) .* (?P<name>\S+)$`)},
	{Plain, regexp.MustCompile(`^oom-kill:.*,oom_memcg=[^,]+(?P<memcg>),task_memcg=[^,]+(?P<memcg>),task=(?P<name>[^,]+),pid=(?P<pid>\d+),`)},
	{Plain, regexp.MustCompile(`^oom-kill:.*,task=(?P<name>[^,]+),pid=(?P<pid>\d+),`)},
	{Plain, regexp.MustCompile(`: Kill process (?P<pid>\d+) \((?P<name>[^)]+)\) score`)},
	{Kill, regexp.MustCompile(`Killed process (?P<pid>\d+) \((?P<name>[^)]+)\)`)},
	{Reap, regexp.MustCompile(`^oom_reaper: reaped process (?P<pid>\d+) \((?P<name>[^)]+)\)`)},
	{Plain, regexp.MustCompile(`^Memory cgroup stats for [^:]+(?P<memcg>):`)},
	{Plain, regexp.MustCompile(`^Task in \S+(?P<memcg>) killed as a result of limit of \S+(?P<memcg>)$`)},
	{HungTask, regexp.MustCompile(`^INFO: task (?P<name>\S+):(?P<pid>\d+) blocked for more than`)},
	{HungTask, regexp.MustCompile(`^INFO: task (?P<name>\S+):(?P<pid>\d+)(?: <\w+>)? (?:is )?blocked on .* owned by task (?P<name>\S+):(?P<pid>\d+)`)},
	{TaskDump, regexp.MustCompile(`^task:(?P<lname>.{15}) state:.* stack:.* pid:(?P<lpid>\d+ *) tgid:(?P<lpid>\d+ *) ppid:(?P<lpid>\d+ *) `)},
	{TaskDump, regexp.MustCompile(`^task:(?P<lname>.{15}) state:.* stack:.* pid:(?P<lpid>\d+ *) ppid:(?P<lpid>\d+ *) `)},
	{TaskDump, regexp.MustCompile(`^(?P<lname>\S+ *) [RSDTtZX] (?: running task  {0,2}|[0-9a-f]{16}) +\d+ (?P<rpid> *\d+) (?P<rpid> *\d+) 0x[0-9a-f]+$`)},
}

// userNames lists the tasks of a piece that are no kernel threads: the others
// keep their names.
func userNames(texts []string) []string {
	kernel := map[string]bool{"init": true, "kthreadd": true}
	var all []string
	for _, text := range texts {
		for _, f := range forms {
			m := f.re.FindStringSubmatch(text)
			if m == nil {
				continue
			}
			for i, group := range f.re.SubexpNames() {
				if strings.TrimPrefix(group, "l") != "name" {
					continue
				}
				name := strings.TrimRight(m[i], " ")
				last := strings.TrimSpace(m[len(m)-1])
				if f.kind == TaskDump && (last == "2" || last == "0") { // its parent is kthreadd
					kernel[name] = true
				}
				if !slices.Contains(all, name) {
					all = append(all, name)
				}
			}
			break
		}
	}
	return slices.DeleteFunc(all, func(name string) bool { return kernel[name] })
}

// fill makes the parts of a line.
func (l *pieceLine) fill(text string, users []string) {
	rest, from := text, 0
	for _, f := range forms {
		at := f.re.FindStringSubmatchIndex(text)
		if at == nil {
			continue
		}
		l.kind = f.kind
		for i, group := range f.re.SubexpNames() {
			lo, hi := at[2*i], at[2*i+1]
			if group == "" {
				continue
			}
			p := part{text: text[from:lo]}
			was := strings.TrimSpace(text[lo:hi])
			switch group {
			case "pid", "lpid", "rpid":
				p.slot, p.right = slotPid, group == "rpid"
				p.pid, _ = strconv.Atoi(was)
				if l.pid == 0 {
					l.pid = p.pid
				}
			case "name", "lname":
				if p.name = slices.Index(users, was); p.name < 0 {
					continue
				}
				p.slot = slotName
			case "memcg":
				p.slot = slotGroup
			}
			if group[0] == 'l' || group[0] == 'r' {
				p.width = hi - lo
			}
			l.parts = append(l.parts, p)
			from = hi
		}
		rest = text[from:]
		break
	}
	l.parts = append(l.parts, part{text: rest})
}
