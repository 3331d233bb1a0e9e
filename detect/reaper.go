package detect

import (
	"fmt"
	"slices"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/stacks"
)

var oomReaperFailed = &Detector{
	ID:    "oom-reaper-failed",
	Title: "the oom_reaper gave up on a victim",
	Means: "The reaper frees a victim's anonymous memory while the victim itself cannot run. It needs the victim's mmap_lock for read: after 10 tries in about a second it " +
		"gives up ('unable to reap'), and the next victim may be chosen. Somebody holds the victim's mmap_lock for write, usually one of its own threads in mmap, munmap, brk " +
		"or fork that waits for I/O, reclaim or a FUSE server.",
	Proof: "The kernel's line 'oom_reaper: unable to reap pid:N', with no later line that the same pid was reaped; or 'reaped process N' with at least half of its anonymous and shared memory " +
		"left (mlocked until 5.15, hugetlb, shared), and the victim seen waiting after that.",
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
			for _, r := range inc.Snap.Reaped(v.Kill.Pid) {
				part := r.OK && stacks.Leftover(v.Kill, r) && v.Fate == waitgraph.ReapFailed
				if r.OK && !part {
					continue
				}
				f := Found{Verdict: "hang", Confidence: Confirmed, Cycle: -1, Tasks: v.Threads}
				f.Evidence = []waitgraph.Ref{{Input: r.Span.Input, Line: r.Span.First}}
				f.Summary = fmt.Sprintf("the oom_reaper could not free the memory of victim %s/%d", v.Kill.Comm, v.Kill.Pid)
				f.Explanation = []string{"its mmap_lock was not to be had for read in about a second of tries: somebody holds it for write"}
				if part {
					f.Summary = fmt.Sprintf("the oom_reaper had to leave most of the memory of victim %s/%d, and the victim does not exit", v.Kill.Comm, v.Kill.Pid)
					f.Explanation = []string{fmt.Sprintf("%d kB of anonymous and %d kB of shared memory stay: mlocked (until 5.15), hugetlb or shared pages are not reaped", max(r.AnonKB, 0), max(r.ShmemKB, 0))}
				} else if w := mmapWriter(inc.Graph, v); w != nil {
					f.Tasks = append(f.Tasks, w)
					thread := "a thread of the same process"
					if w.Tgid == 0 && w.Pid != v.Kill.Pid {
						thread = "probably a thread of the same process (same name; this kernel prints no process id)"
					}
					f.Explanation = append(f.Explanation, fmt.Sprintf("%s, %s, holds it by its stack", who(w), thread))
					if n := inc.Graph.Node(w.ID); n != nil && len(inc.Graph.Out(n)) > 0 {
						f.Explanation = append(f.Explanation, fmt.Sprintf("and itself waits for %s", inc.Graph.Out(n)[0].To.Label))
					}
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
// write. Before 6.12 no process id is printed: then the name has to do.
func mmapWriter(g *waitgraph.Graph, v *waitgraph.Victim) *stacks.Task {
	for _, t := range g.Snap.Tasks {
		if (slices.Contains(v.Threads, t) || t.Tgid == 0 && t.Comm == v.Kill.Comm) && writesMM(g.View(t)) {
			return t
		}
	}
	return nil
}

func writesMM(v *waitgraph.View) bool {
	return v != nil && slices.ContainsFunc(v.Holds, func(h waitgraph.Hold) bool {
		return h.Class.Name == "mmap_lock" && h.Instance == "own_mm" && h.Mode == lockmodel.Exclusive
	})
}
