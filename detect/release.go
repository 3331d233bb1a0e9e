package detect

import (
	"fmt"
	"strings"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
)

// eraText says what a kernel of an era does when a memcg runs out of memory
// (oom-eras §2).
var eraText = []struct {
	name, kernels, path string
	does                []string
}{
	{"kill_once", "2.6.25 to 2.6.33", "mem_cgroup_oom_synchronize() does not exist yet", []string{
		"The charge reclaims five times, kills one task while it still is in the charge, and then fails with -ENOMEM: a system call returns it, a page fault ends in pagefault_out_of_memory().",
		"No task stays in the charge, so the memcg OOM trap cannot occur.",
	}},
	{"trap", "2.6.34 to 3.11", "mem_cgroup_oom_synchronize() does not exist yet", []string{
		"The charge never fails for an OOM: in mem_cgroup_handle_oom() it kills and retries, or sleeps, until memory is free or its own task is killed. It does so with every lock of its call stack held.",
		"If the victim needs one of these locks to exit, this is a deadlock for good: one \"Killed process\" line and then silence (rule memcg-oom-trap). There is no OOM reaper.",
		"With the OOM killer disabled the chargers sleep there until the userspace handler acts; one that reads /proc of such a task can block on its mmap_sem.",
	}},
	{"synchronize", "3.12 to 4.18", "mem_cgroup_oom_synchronize() is taken by page faults", []string{
		"The charge only notes the OOM and fails with -ENOMEM. A page fault unwinds, lets mmap_sem go and then kills or sleeps in mem_cgroup_oom_synchronize(), without locks. A system call just returns -ENOMEM and nothing is killed or logged.",
		"The memcg OOM trap cannot occur. Since 4.6 the OOM reaper frees the victim's anonymous memory even where the victim is stuck.",
	}},
	{"kill_in_charge", "4.19 to 6.10", "mem_cgroup_oom_synchronize() is entered only where the OOM killer of a v1 group is disabled", []string{
		"The charge kills at once, in try_charge(), with the locks of its call stack held, and retries. If the victim needs one of them, the OOM reaper usually breaks the tie by freeing the victim's anonymous memory.",
		"It cannot where the group is full of page cache under writeback, tmpfs, kernel memory or mlocked memory, or where the victim's mmap_lock is held for write.",
		"With oom_kill_disable (cgroup v1) a page fault sleeps in mem_cgroup_oom_synchronize() for the userspace handler; a system call gets -ENOMEM. Without any victim the charge goes over the limit until 5.15 and fails with -ENOMEM from 5.16 on.",
	}},
	{"v1_split", "6.11 and later", "mem_cgroup_oom_synchronize() exists only with CONFIG_MEMCG_V1, for groups whose OOM killer is disabled", []string{
		"As from 5.16 on: the charge kills at once with the locks of its call stack held, retries, and fails with -ENOMEM where there is no victim. The OOM reaper breaks most ties.",
		"The code of cgroup v1 is in mm/memcontrol-v1.c and is not built by default.",
	}},
}

// ExplainRelease tells what a kernel of that release does when a memcg runs out
// of memory. It is false where the string is no kernel release.
func ExplainRelease(release string) (string, bool) {
	v, ok := lockmodel.ParseVersion(release)
	if !ok || v.IsZero() || release[0] < '0' || release[0] > '9' {
		return "", false
	}
	era := eraByRelease(release)
	for _, e := range eraText {
		if e.name != era {
			continue
		}
		var b strings.Builder
		fmt.Fprintf(&b, "%s: OOM era %s (mainline %s)\n\n", release, e.name, e.kernels)
		b.WriteString("What it does when a memcg runs out of memory\n")
		for _, s := range e.does {
			b.WriteString(wrap(s, 76, "  ") + "\n")
		}
		fmt.Fprintf(&b, "\nThe path\n%s\n", wrap(e.path+".", 76, "  "))
		b.WriteString("\nHow sure this is\n" + wrap("This is the release alone, a prior: distributions carry the changes in older versions, and private builds do too. The frames of a call trace prove the era, and `oomtrace analyze` goes by them first.", 76, "  ") + "\n")
		if era == "trap" {
			f := fixTrap
			fmt.Fprintf(&b, "\nFixed by\n%s\n%s\n", wrap(fmt.Sprintf("%s %q and its series, first in Linux %s", f.Commit, f.Subject, f.First), 76, "  "),
				wrap("also in "+strings.Join(f.Builds, "; "), 76, "  "))
		}
		return b.String(), true
	}
	return "", false
}
