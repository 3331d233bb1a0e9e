package parse

import (
	"strconv"
	"strings"
)

// openFile is a file of a memory cgroup, or of /proc, below its path.
type openFile struct {
	*Cgroup
	path string // as printed
	pid  int    // of /proc/PID/wchan and /proc/PID/syscall
	tgid int
}

// maxValues bounds the values kept of one file.
const maxValues = 512

// takePath reads tail's "==> PATH <==" and grep's "PATH:line" above or before
// the files of a cgroup.
func (a *assembler) takePath(ln *line, s string) bool {
	if path, ok := strings.CutPrefix(s, "==> "); ok {
		path, ok = strings.CutSuffix(path, " <==")
		return ok && a.openFile(ln, trim(path))
	}
	path, val, ok := strings.Cut(s, ":")
	if !ok || ln.framed || !strings.Contains(path, "cgroup/") && !strings.Contains(path, "proc/") {
		return false
	}
	if a.file == nil || a.file.path != path {
		if !a.openFile(ln, path) {
			return false
		}
	}
	if val = trim(val); val != "" {
		a.fileLine(ln, val)
	}
	return true
}

// openFile opens a file whose values are read; it returns false for others.
func (a *assembler) openFile(ln *line, path string) bool {
	a.endFile()
	if i := strings.Index(path, "proc/"); i >= 0 && (i == 0 || path[i-1] == '/') {
		r := path[i+5:]
		n, rest, ok := leadInt(r)
		if r == "pressure/memory" {
			a.file = &openFile{Cgroup: &Cgroup{File: "pressure/memory", Path: "/"}, path: path}
			a.endTrace(false)
			a.dropHeading()
			a.touch(&a.file.Meta, ln)
			return true
		}
		if !ok || n < 1 || n > 1<<31-1 {
			return false
		}
		f := &openFile{path: path, pid: int(n), tgid: int(n)}
		if t, ok := strings.CutPrefix(rest, "/task/"); ok {
			n, r, ok := leadInt(t)
			if !ok || n < 1 || n > 1<<31-1 {
				return false
			}
			f.pid, rest = int(n), r
		}
		if rest != "/wchan" && rest != "/syscall" {
			return false
		}
		f.path = rest[1:]
		a.endTrace(false)
		a.dropHeading()
		a.file = f
		return true
	}
	i := strings.LastIndexByte(path, '/')
	name := path[i+1:]
	if i < 0 || !strings.HasPrefix(name, "memory.") && name != "cgroup.events" && name != "cgroup.freeze" || len(name) > 48 {
		return false
	}
	a.endTrace(false)
	a.dropHeading()
	a.file = &openFile{Cgroup: &Cgroup{Path: keep(groupPath(path[:i])), File: keep(name)}, path: keep(path)}
	a.touch(&a.file.Meta, ln)
	return true
}

// groupPath is the group's path below the mount point of its hierarchy.
func groupPath(dir string) string {
	if _, r, ok := strings.Cut(dir+"/", "cgroup/"); ok {
		first, rest, _ := strings.Cut(r, "/")
		if first == "unified" || strings.Contains(first, "memory") {
			r = rest
		}
		dir = "/" + strings.TrimSuffix(r, "/")
	}
	return dir
}

// fileLine takes a line of the open file; false: the file has ended.
func (a *assembler) fileLine(ln *line, s string) bool {
	f := a.file
	if f.Cgroup == nil {
		return a.procFileLine(ln, s)
	}
	key, val, two := strings.Cut(s, " ")
	val = trim(val)
	switch {
	case !two:
		v, ok := number(key)
		if !ok {
			return false
		}
		f.Values = append(f.Values, v)
	case strings.HasPrefix(val, "avg10="): // memory.pressure: "some avg10=0.00 avg60=0.00 avg300=0.00 total=0"
		for val != "" {
			var w string
			w, val = field(val)
			name, num, _ := strings.Cut(w, "=")
			if v, ok := number(num); ok {
				v.Name = a.p.name(key + "." + name)
				f.Values = append(f.Values, v)
			}
		}
	default:
		v, ok := number(val)
		if !ok || symbolLen(key) != len(key) {
			return false
		}
		v.Name = a.p.name(key)
		if len(f.Values) < maxValues {
			f.Values = append(f.Values, v)
		}
	}
	a.touch(&f.Meta, ln)
	return len(f.Values) < maxValues
}

func number(s string) (CgroupValue, bool) {
	if s == "max" {
		return CgroupValue{Max: true}, true
	}
	if s == "" || !isDigit(s[0]) && s[0] != '-' || len(s) > 24 {
		return CgroupValue{}, false
	}
	v, err := strconv.ParseFloat(s, 64)
	return CgroupValue{Value: v}, err == nil
}

// procFileLine takes the one line of /proc/PID/wchan or /proc/PID/syscall.
func (a *assembler) procFileLine(ln *line, s string) bool {
	f := a.file
	a.file = nil
	a.p.res.More.Proc++
	t := &Task{Source: SourceProc, Pid: f.pid, HasPid: true}
	if f.tgid != f.pid {
		t.Tgid = f.tgid
	}
	a.touch(&t.Meta, ln)
	if f.path == "wchan" {
		if s == "0" {
			return true
		}
		fr, ok := wchanFrame(s)
		if !ok {
			return false
		}
		fr.Line, fr.Func = ln.no, a.p.name(fr.Func)
		t.Trace = &Trace{Frames: []Frame{fr}, Wchan: true}
		a.p.wait(t)
		return true
	}
	if s == "running" {
		t.State, t.Running = 'R', true
		return true
	}
	n, _, ok := leadInt(s)
	return ok && n >= -1 && n < 1<<16
}

func (a *assembler) endFile() {
	f := a.file
	if f == nil {
		return
	}
	a.file = nil
	if f.Cgroup != nil {
		a.p.res.More.Cgroup++
		a.p.send(f.Cgroup)
	}
}
