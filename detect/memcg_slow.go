package detect

import (
	"fmt"
	"slices"
	"strings"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/stacks"
)

var memcgHighThrottle = &Detector{
	ID:    "memcg-high-throttle",
	Title: "tasks are throttled by memory.high, and others wait behind their locks",
	Means: "A group above memory.high is slowed down: each pass sleeps up to 2 s. On return to user space no lock is held. From 5.18 on (c9afe31ec443) a large charge is throttled on the " +
		"spot, with every lock of its system call: whoever needs one waits with it, in other groups too. It is slow, not a deadlock, and it kills nobody.",
	Proof:    "mem_cgroup_handle_over_high() on the stack of a task that two dumps show there, or behind which a wait lasts.",
	Quiet:    "A throttled task of one dump with nobody behind it: that is what memory.high is for.",
	Versions: "sleeps from 5.4; with locks held from 5.18 (5.15.y does not)",
	Fixes:    []Fix{fixHigh},
	Actions: []string{
		"raise memory.high of the group (not memory.max), or set it to max for the moment",
		"let a user space OOM daemon act on memory.pressure before the group is throttled for minutes",
	},
	Collect: []string{
		"memory.current, memory.high, memory.events and memory.pressure of the group, twice, 10 s apart",
		"echo w > /proc/sysrq-trigger, twice, 10 s apart; dmesg > dmesg.log",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		throttled := inc.charging(func(v *waitgraph.View) bool {
			return v.Charge.Kind == waitgraph.ChargeHigh || v.Wait != nil && v.Wait.Class != nil && v.Wait.Class.Name == "memcg_high"
		})
		q := inc.slowQueue(throttled)
		if len(q.direct) == 0 || !q.lasts {
			return nil
		}
		f := inc.stall(q)
		f.Summary = fmt.Sprintf("%s %s throttled by memory.high", taskNames(q.direct, 3), plural(len(q.direct), "is", "are"))
		if len(q.behind) > 0 {
			f.Summary += fmt.Sprintf(", and %s %s behind", taskNames(q.behind, 3), plural(len(q.behind), "waits", "wait"))
		}
		f.Explanation = append(f.Explanation, "a throttled task goes on after at most 2 s a pass: slow, not a deadlock")
		f.Explanation = append(f.Explanation, inc.heldText(q.direct)...)
		return []Found{f}
	},
}

var memcgReclaimWriteback = &Detector{
	ID:    "memcg-reclaim-writeback",
	Title: "a memcg charge waits in reclaim for page writeback while it holds file system locks",
	Means: "A group full of dirty page cache: the charge reclaims, finds pages under writeback and waits for the device (cgroup v1 has no dirty throttling of its own). It does so with " +
		"the locks of its system call. If it has a journal handle open as well, the journal cannot commit before it goes on, and the writeback may need that commit: before 4.2 this can " +
		"stay for ever, although no lock cycle shows it, since writeback has no owner.",
	Proof: "A wait in shrink_page_list() or another place of reclaim (writeback, congestion, reclaim throttle) under a charge, over frames that hold a lock or a journal handle, that lasts by a " +
		"hung-task report or two dumps, of itself or of a task behind it.",
	Quiet:    "Reclaim of one moment; a charge in reclaim without any lock; the retry loop of a trapped charge (memcg-oom-trap).",
	Versions: "3.6 to 4.1 wait even for GFP_NOFS charges; later ones only where the charge may enter the file system",
	Fixes:    []Fix{fixWriteback, fixScope},
	Actions: []string{
		"raise the group's limit: the charge then succeeds without reclaim",
		"lower vm.dirty_bytes, or use cgroup v2, where writers of a group are throttled before it is full of dirty pages",
		"look at the device: is its queue moving at all?",
	},
	Collect: []string{
		"echo w > /proc/sysrq-trigger, twice, 10 s apart; dmesg > dmesg.log",
		"memory.stat of the group (dirty, writeback), /proc/diskstats twice",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		slow := inc.charging(func(v *waitgraph.View) bool {
			if v.Charge.Kind != waitgraph.ChargeReclaim || v.Wait == nil || v.Wait.Class == nil {
				return false
			}
			// Every page fault holds its own mmap_lock: alone it stops nobody.
			if !slices.ContainsFunc(v.Holds, func(h waitgraph.Hold) bool {
				return !h.Maybe && !h.Class.Resource && h.Instance != "own_mm" && h.Class.Name != "page_lock"
			}) && len(inc.Graph.In(inc.Graph.Node(v.Task.ID))) == 0 {
				return false
			}
			switch v.Wait.Class.Name {
			case "writeback", "memcg_reclaim", "reclaim", "io", "dirty_throttle":
				return true
			}
			return false
		})
		q := inc.slowQueue(slow)
		if len(q.direct) == 0 || !q.lasts {
			return nil
		}
		f := inc.stall(q)
		f.Summary = fmt.Sprintf("%s %s in a memcg charge for reclaim (page writeback) with file system locks held", taskNames(q.direct, 3), plural(len(q.direct), "waits", "wait"))
		if len(q.behind) > 0 {
			f.Summary += fmt.Sprintf("; %d more %s behind", len(q.behind), plural(len(q.behind), "waits", "wait"))
		}
		handle := false
		for _, t := range q.direct {
			handle = handle || strings.Contains(strings.Join(inc.locksOf(inc.Graph.View(t)), " "), "handle")
		}
		if handle {
			f.Explanation = append(f.Explanation, "a journal handle is open meanwhile: the transaction cannot commit, and the writeback that is waited for may need that commit")
		}
		f.Explanation = append(f.Explanation, inc.heldText(q.direct)...)
		f.Explanation = append(f.Explanation, "no OOM kill comes of it: reclaim still waits, it has not failed")
		return []Found{f}
	},
}

// charging lists the tasks of the incident whose present place fits, trapped
// ones and those on a cycle left out.
func (inc *Incident) charging(fits func(v *waitgraph.View) bool) []*stacks.Task {
	var out []*stacks.Task
	for _, n := range inc.Nodes {
		if n.Task == nil || len(inc.Graph.Out(n)) == 0 || inc.onCycle(n) {
			continue
		}
		v := inc.Graph.View(n.Task)
		if v == nil || !fits(v) || inc.looping(n.Task) || inc.inTrap(n.Task) {
			continue
		}
		out = append(out, n.Task)
	}
	return out
}

// slowQueue is the queue in front of tasks that are slow, not stuck: those of
// them that stay or that others wait for, and who waits behind them.
func (inc *Incident) slowQueue(ts []*stacks.Task) *queue {
	q := &queue{}
	seen := map[*waitgraph.Node]bool{}
	var todo []*waitgraph.Node
	for _, t := range ts {
		n := inc.Graph.Node(t.ID)
		if !inc.lasts(t) && len(inc.Graph.In(n)) == 0 {
			continue
		}
		for _, e := range inc.Graph.Out(n) {
			q.add(inc, t, e)
		}
		seen[n] = true
		todo = append(todo, n)
		q.direct = append(q.direct, t)
	}
	inc.follow(q, seen, todo)
	return q
}
