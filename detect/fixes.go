package detect

// Fix is an upstream commit. Sources: kernel changelogs and the trees named in
// docs/detectors.md; the release is the first mainline one.
type Fix struct {
	Commit  string
	Subject string
	First   string
	Builds  []string // distribution kernels known to carry it
	Note    string
}

// trapBuilds carry the 3.12 series (CVE-2014-8171).
var trapBuilds = []string{
	"RHEL 6: 2.6.32-504.16.1.el6 (and 2.6.32-220.69.1.el6 of 6.2 AUS)",
	"RHEL 7: 3.10.0-245 and later, so every GA kernel from 7.2 (-327)",
	"Oracle UEK3: 3.8.13-68.2.1",
	"3.10.y stable: in 3.10.99, not yet in 3.10.33",
}

var (
	fixTrap = Fix{Commit: "3812c8c8f395", Subject: "mm: memcg: do not trap chargers with full callstack on OOM", First: "3.12", Builds: trapBuilds,
		Note: "last of a series: take it whole, with 4942642080ea and the buffer-allocation fixes 84235de394d9 and 3168ecbe1c04 (CVE-2014-8171)"}
	fixTrapArch   = Fix{Commit: "759496ba6407", Subject: "arch: mm: pass userspace fault flag to generic fault handler", First: "3.12"}
	fixTrapX86    = Fix{Commit: "3a13c4d761b4", Subject: "x86: finish user fault error path with fatal signal", First: "3.12"}
	fixTrapUser   = Fix{Commit: "519e52473ebe", Subject: "mm: memcg: enable memcg OOM killer only for user faults", First: "3.12"}
	fixTrapRework = Fix{Commit: "fb2a6fc56be6", Subject: "mm: memcg: rework and document OOM waiting and wakeup", First: "3.12"}
	fixTrapAfter  = Fix{Commit: "4942642080ea", Subject: "mm: memcg: handle non-error OOM situations more gracefully", First: "3.12"}

	fixReaper   = Fix{Commit: "aac453635549", Subject: "mm, oom: introduce oom reaper", First: "4.6", Note: "not in RHEL 7.7 (no oom_reaper symbol in its tree)"}
	fixKillable = Fix{Commit: "dc0ef0df7b6a", Subject: "mm: make mmap_sem for write waits killable for mm syscalls", First: "4.7"}
	fixMunlock  = Fix{Commit: "27ae357fa82b", Subject: "mm, oom: fix concurrent munlock and oom reaper unmap, v3", First: "4.17"}
	fixFlood    = Fix{Commit: "7775face2079", Subject: "memcg: killed threads should not invoke memcg OOM killer", First: "5.1", Builds: []string{"4.19.40 stable", "Ubuntu 4.15.18"}}
	fixDying    = Fix{Commit: "a4ebf1b6ca1e", Subject: "memcg: prohibit unconditional exceeding the limit of dying tasks", First: "5.16", Builds: []string{"5.15.135 stable"}}
	fixPF       = Fix{Commit: "60e2793d440a", Subject: "mm, oom: do not trigger out_of_memory from the #PF", First: "5.16", Builds: []string{"5.15.135 stable", "Ubuntu 4.15.18 and 5.4.195"}}
	fixMargin   = Fix{Commit: "1378b37d03e8", Subject: "memcg, oom: check memcg margin for parallel oom", First: "5.9"}

	fixNOFS      = Fix{Commit: "f9c645621a28", Subject: "memcg, oom: don't require __GFP_FS when invoking memcg OOM killer", First: "5.4", Builds: []string{"Ubuntu 4.15.18"}}
	fixHigh      = Fix{Commit: "9ea9cb00a82b", Subject: "mm: memcontrol: fix GFP_NOFS recursion in memory.high enforcement", First: "6.6", Note: "keeps reclaim out of the file system; the throttling itself stays"}
	fixWriteback = Fix{Commit: "ecf5fc6e9654", Subject: "mm, vmscan: Do not wait for page writeback for GFP_NOFS allocations", First: "4.2", Note: "tagged for stable 3.6 and later"}
	fixScope     = Fix{Commit: "81378da64de6", Subject: "jbd2: mark the transaction context with the scope GFP_NOFS context", First: "4.12"}
)

func trapSeries() []Fix {
	return []Fix{fixTrap, fixTrapArch, fixTrapX86, fixTrapUser, fixTrapRework, fixTrapAfter}
}
