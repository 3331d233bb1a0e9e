package detect

import (
	"fmt"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
)

var fuseDaemonSilent = &Detector{
	ID:    "fuse-daemon-silent",
	Title: "FUSE requests are outstanding and the daemon does not answer",
	Means: "Tasks wait for the reply of a FUSE daemon (sshfs, an overlay or object store mount, a container runtime's lxcfs). They keep the locks of their system calls: " +
		"a file's or directory's lock, the address space. Once the daemon has read a request, not even SIGKILL ends the wait. The daemon is alive and elsewhere, or waits for something itself.",
	Proof: "request_wait_answer() (or one of its callers) on the stack of a task that was seen there twice, that khungtaskd reported, or behind which a reported task waits; and no " +
		"circle through the daemon: that is lock-cycle or memcg-oom-user-handler.",
	Quiet:    "Requests of one moment in a single dump: every busy FUSE mount shows them.",
	Versions: "all; requesters are in state S until a fatal signal comes, so neither khungtaskd nor sysrq-w lists them",
	Actions: []string{
		"look at the daemon first (its log, its network, /proc/PID/stack of each thread); restart what it needs",
		"abort the connection: echo 1 > /sys/fs/fuse/connections/N/abort (N is the minor device number of the mount); all requests then fail with ENOTCONN",
		"run the daemon outside the memory cgroups that it serves, and mlocked",
	},
	Collect: []string{
		"the daemon's pid, then --fuse-daemon PID, and for t in /proc/PID/task/*; do echo \"==> $t/stack <==\"; cat $t/stack; done",
		"grep . /sys/fs/fuse/connections/*/waiting",
		"echo t > /proc/sysrq-trigger; dmesg > dmesg.log   # requesters in state S show only there",
	},
	Run: func(d *Detector, inc *Incident) []Found {
		var out []Found
		for _, n := range inc.Nodes {
			if !isClass(n, "fuse_reply") || inc.onCycle(n) {
				continue
			}
			q := inc.queueOf(n, nil)
			if !q.lasts || len(q.direct) == 0 {
				continue
			}
			f := inc.stall(q)
			f.Summary = fmt.Sprintf("%s %s for a FUSE daemon that does not answer", taskNames(q.direct, 3), plural(len(q.direct), "waits", "wait"))
			if len(q.behind) > 0 {
				f.Summary += fmt.Sprintf("; %d more %s behind %s", len(q.behind), plural(len(q.behind), "waits", "wait"), plural(len(q.direct), "it", "them"))
			}
			known := false
			for _, e := range inc.Graph.Out(n) {
				if e.Relation != waitgraph.ResolvedByDaemon || e.To.Task == nil {
					continue
				}
				known = true
				t := e.To.Task
				if o := inc.Graph.Out(e.To); len(o) > 0 {
					f.Explanation = append(f.Explanation, fmt.Sprintf("the daemon %s itself waits for %s: that is the root", who(t), o[0].To.Label))
				} else {
					f.Explanation = append(f.Explanation, fmt.Sprintf("the daemon %s is alive and %s: it has nothing to wait for in the kernel", who(t), inc.doing(t)))
				}
			}
			if !known {
				f.Explanation = append(f.Explanation, "no stack shows the daemon's side of /dev/fuse: which process it is, the log does not say")
			}
			f.Explanation = append(f.Explanation, inc.heldText(q.direct)...)
			out = append(out, f)
		}
		return out
	},
}
