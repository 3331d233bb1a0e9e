package detect

import (
	"fmt"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/stacks"
)

var oomReaperFailed = &Detector{
	ID:    "oom-reaper-failed",
	Title: "the oom_reaper gave up on a victim",
	Means: "The reaper frees a victim's anonymous memory while the victim itself cannot run. It needs the victim's mmap_lock for read: after 10 tries in about a second it " +
		"gives up ('unable to reap'), and the next victim may be chosen. Somebody holds the victim's mmap_lock for write, usually one of its own threads in mmap, munmap, brk " +
		"or fork that waits for I/O, reclaim or a FUSE server.",
	Proof:    "The kernel's line 'oom_reaper: unable to reap pid:N', with no later line that the same pid was reaped.",
	Quiet:    "A victim that exits by itself soon after (a later dump or task table lacks it): then the finding says that it ended.",
	Versions: "4.6 and later",
	Fixes:    []Fix{fixKillable, fixMunlock},
	Actions: []string{
		"look at the victim's own threads for the one in mmap, munmap, brk or fork: what it waits for holds everything up",
		"raise the group's limit, or kill another large task of the group by hand",
	},
	Collect: []string{
		"for t in /proc/VICTIM/task/*; do echo \"==> $t/stack <==\"; cat $t/stack; done",
		"echo t > /proc/sysrq-trigger; dmesg > dmesg.log",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		var out []Found
		for _, v := range inc.Victims() {
			for _, r := range inc.Snap.Reaps {
				if r.OK || r.Pid != v.Kill.Pid {
					continue
				}
				f := Found{Verdict: "hang", Confidence: Confirmed, Cycle: -1, Tasks: v.Threads}
				f.Evidence = []waitgraph.Ref{{Input: r.Span.Input, Line: r.Span.First}}
				f.Summary = fmt.Sprintf("the oom_reaper could not free the memory of victim %s/%d", v.Kill.Comm, v.Kill.Pid)
				f.Explanation = []string{"its mmap_lock was not to be had for read in about a second of tries: somebody holds it for write"}
				if w := inc.mmapWriter(v); w != nil {
					f.Explanation = append(f.Explanation, fmt.Sprintf("%s of the same process holds it, by its stack", who(w)))
				}
				if !v.Open() {
					f.Verdict = "none"
					f.Ended = &Ended{At: stampOf(inc, v), How: v.Reason, Evidence: v.Evidence}
					f.Explanation = append(f.Explanation, "but it ended: "+v.Reason)
				}
				out = append(out, f)
				break
			}
		}
		return out
	},
}

// mmapWriter is the victim's thread whose stack shows its mmap_lock held for
// write.
func (inc *Incident) mmapWriter(v *waitgraph.Victim) *stacks.Task {
	for _, t := range v.Threads {
		view := inc.Graph.View(t)
		if view == nil {
			continue
		}
		for _, h := range view.Holds {
			if h.Class.Name == "mmap_lock" && h.Instance == "own_mm" && h.Mode.String() == "exclusive" {
				return t
			}
		}
	}
	return nil
}
