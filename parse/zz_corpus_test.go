package parse

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCorpusX(t *testing.T) {
	dir := os.Getenv("OOMTRACE_CORPUS")
	if dir == "" {
		t.Skip()
	}
	fs, _ := filepath.Glob(dir + "/*")
	data, _ := os.ReadFile(dir + "/truth.json")
	var truth map[string]struct {
		Log map[string]any `json:"serial_log"`
	}
	json.Unmarshal(data, &truth)
	n := func(v any) int {
		switch v := v.(type) {
		case []any:
			return len(v)
		case float64:
			return int(v)
		}
		return -1
	}
	for _, f := range fs {
		if o := os.Getenv("ONLY"); o != "" && !strings.Contains(f, o) {
			continue
		}
		if strings.HasSuffix(f, "README.md") || strings.HasSuffix(f, "truth.json") {
			continue
		}
		r, _ := os.Open(f)
		var evs []Event
		res, err := Read(r, Options{}, func(e Event) { evs = append(evs, e) })
		b := filepath.Base(f)
		fmt.Println("==", b, res.Framing, res.Lines, fmt.Sprintf("%+v", res.Records), err)
		for _, d := range res.Diagnostics {
			fmt.Println("   diag", d)
		}
		tr := truth[b].Log
		chk := func(k string, got int) {
			if v, ok := tr[k]; ok && n(v) != got {
				fmt.Println("  MISMATCH", k, "want", n(v), "got", got)
			}
		}
		chk("oom_reports", res.Records.OOM)
		chk("hung_reports", res.Records.HungTask)
		chk("task_blocks", res.Records.TaskDump)
		chk("call_traces", res.Records.CallTrace)
		chk("killed", res.Records.Kill)
		chk("reaped", res.Records.Reap)
		if os.Getenv("DUMP") != "" {
			for _, e := range evs {
				fmt.Println(show(e))
			}
		}
	}
}

func show(e Event) string {
	m := e.Head()
	s := fmt.Sprintf("%d-%d %T", m.Span.First, m.Span.Last, e)
	if m.Damaged {
		s += " DAMAGED"
	}
	trc := func(tr *Trace) string {
		if tr == nil {
			return " notrace"
		}
		o := fmt.Sprintf(" trace@%d n=%d", tr.Mark, len(tr.Frames))
		if tr.Complete {
			o += " complete"
		}
		if tr.Mixed {
			o += " MIXED"
		}
		if tr.UserRegs {
			o += " user"
		}
		if tr.IP != nil {
			o += " ip=" + tr.IP.Func
		}
		if len(tr.Frames) > 0 {
			o += " " + tr.Frames[0].Func + ".." + tr.Frames[len(tr.Frames)-1].Func
		}
		return o
	}
	switch v := e.(type) {
	case *Task:
		s += fmt.Sprintf(" src=%d pid=%d/%v tgid=%d ppid=%d comm=%q label=%q st=%c run=%v wq=%q rel=%q memcg=%q dump=%d", v.Source, v.Pid, v.HasPid, v.Tgid, v.Ppid, v.Comm, v.Label, v.State, v.Running, v.Workqueue, v.Release, v.Memcg, v.Dump) + trc(v.Trace)
	case *OOM:
		c := *v
		tr := trc(v.Trace)
		c.Trace = nil
		c.Kills = nil
		c.Meta = Meta{}
		if len(c.Stats) > 4 {
			c.Stats = c.Stats[:4]
		}
		s += fmt.Sprintf(" %+v kills=%d", c, len(v.Kills)) + tr
	case *Kill:
		s += fmt.Sprintf(" pid=%d %q memcg=%v %d %d %d %d rep=%v", v.Pid, v.Comm, v.MemcgKill, v.TotalVMKB, v.AnonKB, v.FileKB, v.ShmemKB, v.Report != nil)
	default:
		b, _ := json.Marshal(e)
		if len(b) > 600 {
			b = b[:600]
		}
		s += " " + string(b)
	}
	return s
}
