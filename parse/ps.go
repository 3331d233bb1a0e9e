package parse

import (
	"slices"
	"strings"
)

// psTable is a table of ps being read: "ps -eo pid,stat,wchan:32,comm",
// "ps axl", "ps -elf".
type psTable struct {
	cols   []string
	at     []int // where each title begins, to find names that ps cut
	titles string
	rows   int
}

// takePS reads the titles of a table that has pid, state and wchan.
func (a *assembler) takePS(ln *line, s string) bool {
	if ln.framed || !strings.Contains(s, "PID") || !strings.Contains(s, "WCHAN") {
		return false
	}
	t := &psTable{titles: ln.text}
	for pos := 0; pos < len(ln.text); {
		if ln.text[pos] == ' ' || ln.text[pos] == '\t' {
			pos++
			continue
		}
		w, _ := field(ln.text[pos:])
		t.cols, t.at = append(t.cols, keep(w)), append(t.at, pos)
		pos += len(w)
	}
	last := t.cols[len(t.cols)-1]
	if !slices.Contains(t.cols, "PID") || last != "COMMAND" && last != "CMD" && last != "COMM" && last != "WCHAN" {
		return false
	}
	a.endTrace(false)
	a.dropHeading()
	a.ps = t
	return true
}

// psRow reads one row: the command is the rest of the line.
func (a *assembler) psRow(ln *line, s string) bool {
	t := &Task{Source: SourceProc}
	wchan, cut := "", false
	lwp := false
	rest := s
	for i, col := range a.ps.cols {
		var w string
		last := i == len(a.ps.cols)-1
		if w, rest = field(rest); last {
			w = trim(w + rest)
		}
		if w == "" && !last {
			return false
		}
		switch col {
		case "PID", "LWP", "SPID", "TID":
			n, ok := pidOf(w)
			if !ok {
				return false
			}
			if col == "PID" && !lwp {
				t.Pid, t.Tgid = n, n
			} else if col != "PID" {
				t.Pid, lwp = n, true
			} else {
				t.Tgid = n
			}
			t.HasPid = true
		case "PPID":
			t.Ppid, t.HasPpid = pidOf(w)
		case "STAT", "S", "STATE":
			if !isAlpha(w[0]) {
				return false
			}
			t.State = w[0]
		case "WCHAN":
			wchan = w
			if i+1 < len(a.ps.at) { // left-aligned: as long as its column means cut
				cut = len(w) >= a.ps.at[i+1]-a.ps.at[i]-1
			}
		case "COMMAND", "CMD", "COMM":
			t.Comm = psComm(w)
		}
	}
	if !t.HasPid {
		return false
	}
	a.ps.rows++
	a.p.res.More.PS++
	a.touch(&t.Meta, ln)
	if f, ok := wchanFrame(wchan); ok {
		f.Line, f.Reliable = ln.no, !cut
		f.Func = a.p.name(f.Func)
		t.Trace = &Trace{Frames: []Frame{f}, Wchan: true}
	}
	if t.Trace != nil || t.State == 'D' {
		a.p.wait(t)
	}
	return true
}

// psComm makes a task's name of a command line: kernel threads stand in
// brackets.
func psComm(w string) string {
	if strings.HasPrefix(w, "[") && strings.HasSuffix(w, "]") {
		return keep(w[1 : len(w)-1])
	}
	w, _ = field(w)
	if i := strings.LastIndexByte(w, '/'); i >= 0 && i+1 < len(w) && w[0] == '/' {
		w = w[i+1:]
	}
	return keep(w[:min(len(w), 15)])
}

// wchanFrame makes a frame of the function that a task sleeps in.
func wchanFrame(s string) (Frame, bool) {
	s = trim(s)
	if n := symbolLen(s); n < 2 || n != len(s) {
		return Frame{}, false
	}
	return Frame{Func: s, Reliable: true}, true
}
