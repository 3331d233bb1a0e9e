package detect

import (
	"fmt"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/stacks"
)

var journalStall = &Detector{
	ID:    "journal-stall",
	Title: "the journal cannot commit: a task keeps its handle open while it waits for something else",
	Means: "The commit thread (kjournald, jbd2/DEV-8) waits until every handle of the transaction is closed. One holder sits in a memcg charge, in reclaim, on a lock or at a frozen " +
		"file system. New handles and every fsync() wait for the commit: one slow or trapped task stops the whole file system.",
	Proof:    "The commit thread waits in (jbd2_)journal_commit_transaction() for open handles, khungtaskd or a second dump says that it lasts, and a task with an open handle is seen waiting.",
	Quiet:    "A commit thread that waits for its blocks (a slow disk); handles whose holder is not in the log; a circle through the handle (memcg-oom-trap, lock-cycle).",
	Versions: "all with ext3, ext4 or ocfs2; up to 3.8 ext4 opens the handle before it charges the page (a charge trapped there stops the journal), from 3.9..3.11 on after it",
	Fixes:    []Fix{fixWriteback, fixScope, fixTrap},
	Actions: []string{
		"look at the handle's holder only: end what it waits for (raise the limit of its group, thaw, repair the device)",
		"do not sync or umount meanwhile: both wait for the commit",
	},
	Collect: []string{
		"echo w > /proc/sysrq-trigger; echo t > /proc/sysrq-trigger; dmesg > dmesg.log   # all holders of handles",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		var out []Found
		for _, n := range inc.Nodes {
			if !isClass(n, "jbd_handle") || inc.onCycle(n) {
				continue
			}
			var holders []*stacks.Task
			for _, e := range inc.Graph.Out(n) {
				if e.Relation == waitgraph.HeldBy && e.To.Task != nil && len(inc.Graph.Out(e.To)) > 0 {
					holders = append(holders, e.To.Task)
				}
			}
			commit := false
			q := inc.queueOf(n, func(t *stacks.Task) bool {
				c := inc.lasts(t) && hasFunc(inc.Graph.View(t).At, "journal_commit_transaction", "jbd2_journal_commit_transaction")
				commit = commit || c
				return c
			})
			if len(holders) == 0 || !commit {
				continue
			}
			f := inc.stall(q)
			f.Tasks = append(f.Tasks, holders...)
			what := inc.Graph.Out(inc.Graph.Node(holders[0].ID))[0]
			f.Summary = fmt.Sprintf("%s cannot commit: %s keeps its handle open and waits for %s in %s()", taskNames(q.direct, 2), who(holders[0]), what.To.Label, what.Frame)
			if len(holders) > 1 {
				f.Explanation = append(f.Explanation, fmt.Sprintf("%d tasks with an open handle wait, any of them stops the commit: %s", len(holders), taskNames(holders, 5)))
			}
			if v := inc.Graph.View(holders[0]); v.Charge.Kind == waitgraph.ChargeTrap || v.Charge.Kind == waitgraph.ChargeReclaim {
				f.Explanation = append(f.Explanation, fmt.Sprintf("%s sits in a memcg charge, in %s()", who(holders[0]), v.Charge.Frame.Func))
			}
			if len(q.behind) > 0 {
				f.Explanation = append(f.Explanation, fmt.Sprintf("%s %s for the commit", taskNames(q.behind, 4), plural(len(q.behind), "waits", "wait")))
			}
			out = append(out, f)
		}
		return out
	},
}
