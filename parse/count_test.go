package parse

import (
	"flag"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

var logDir = flag.String("logs", "../testdata/dmesg", "directory of the logs that TestCounts reads")

// TestCounts holds that nothing of a real log is lost: as many reports as
// lines that begin one, and each reliable frame in an event or accounted for.
// With -logs it reads other logs, and says where the counts differ.
func TestCounts(t *testing.T) {
	files := 0
	err := filepath.WalkDir(*logDir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || strings.HasSuffix(path, ".json") || strings.HasSuffix(path, ".md") {
			return err
		}
		data, err := os.ReadFile(path)
		if err != nil || len(data) > 64<<20 {
			return err
		}
		files++
		name := filepath.Base(path)
		evs, res := readAll(string(data), Options{MaxFrames: 1 << 20, MaxCandidates: 1 << 20})
		checkEvents(t, evs, res)
		lines := grep(string(data))
		if lines.OOM != res.Records.OOM || lines.Kill != res.Records.Kill || lines.HungTask != res.Records.HungTask {
			t.Errorf("%s: lines %d oom, %d kill, %d hung; records %d, %d, %d", name, lines.OOM, lines.Kill, lines.HungTask, res.Records.OOM, res.Records.Kill, res.Records.HungTask)
		}
		if in := inEvents(evs); in+res.More.Strays < res.More.Frames {
			t.Errorf("%s: %d reliable frames, %d in events, %d accounted for", name, res.More.Frames, in, res.More.Strays)
		}
		t.Logf("%-50s %-12s oom %d/%d kill %d/%d hung %d/%d frames %d strays %d", name, res.Framing, res.Records.OOM, lines.OOM, res.Records.Kill, lines.Kill,
			res.Records.HungTask, lines.HungTask, res.More.Frames, res.More.Strays)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if files == 0 {
		t.Error("no logs")
	}
}

func grep(log string) (c Counts) {
	for l := range strings.Lines(log) {
		switch {
		case strings.Contains(l, "invoked oom-killer: gfp_mask"):
			c.OOM++
		case strings.Contains(l, "Killed process "):
			c.Kill++
		case strings.Contains(l, "blocked for more than") || strings.Contains(l, "blocked in I/O wait"):
			c.HungTask++
		}
	}
	return c
}

// inEvents counts the reliable frames with an offset that are part of events.
func inEvents(evs []Event) int {
	n := 0
	lines := map[int]bool{}
	add := func(t *Trace) {
		for i := range t.Frames {
			f := &t.Frames[i]
			if at := t.Line(f); f.Reliable && f.HasOffset && !lines[at] {
				lines[at] = true
				n++
			}
		}
	}
	for _, e := range evs {
		switch v := e.(type) {
		case *Task:
			if v.Trace != nil {
				add(v.Trace)
			}
		case *OOM:
			if v.Trace != nil {
				add(v.Trace)
			}
		case *Lockdep:
			for _, x := range v.Entries {
				add(&Trace{Frames: x.Frames})
			}
			if v.Trace != nil {
				add(v.Trace)
			}
		}
	}
	return n
}
