package input

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// class is what a member of a tree is good for.
type class uint8

const (
	unknown   class = iota // its first MiB decides
	kernelLog              // a source of its own
	procFile               // one line of what is known of a task
	groupFile              // state of a memory cgroup
	pstore                 // a part of the log of a kernel that died
	hint                   // names the host or the kernel
	useless
)

// rule is what a path says. Rules are tried in their order.
type rule struct {
	// pattern is the end of a path, in the words of path.Match; ** is any
	// number of directories.
	pattern string
	class   class
	what    string // shown in the list of inputs
	sample  string // a path that it is for
	parts   []string
}

// rules is what sosreport, supportconfig, must-gather, kdump and copies of
// /proc and /sys put where. A name that means a log anywhere stands at its end,
// behind the places where it does not.
var rules = []rule{
	{"proc/[0-9]*/task/[0-9]*/stack", procFile, "stack of a task", "proc/123/task/124/stack", nil},
	{"proc/[0-9]*/task/[0-9]*/status", procFile, "status of a task", "proc/123/task/124/status", nil},
	{"proc/[0-9]*/task/[0-9]*/comm", procFile, "name of a task", "proc/123/task/124/comm", nil},
	{"proc/[0-9]*/task/[0-9]*/wchan", procFile, "where a task waits", "proc/123/task/124/wchan", nil},
	{"proc/[0-9]*/task/[0-9]*/syscall", procFile, "system call of a task", "proc/123/task/124/syscall", nil},
	{"proc/[0-9]*/task/[0-9]*/cgroup", procFile, "control groups of a task", "proc/123/task/124/cgroup", nil},
	{"proc/[0-9]*/stack", procFile, "stack of a task", "proc/123/stack", nil},
	{"proc/[0-9]*/status", procFile, "status of a task", "proc/123/status", nil},
	{"proc/[0-9]*/comm", procFile, "name of a task", "proc/123/comm", nil},
	{"proc/[0-9]*/wchan", procFile, "where a task waits", "proc/123/wchan", nil},
	{"proc/[0-9]*/syscall", procFile, "system call of a task", "proc/123/syscall", nil},
	{"proc/[0-9]*/cgroup", procFile, "control groups of a task", "proc/123/cgroup", nil},

	{"proc/kmsg", kernelLog, "kernel log", "proc/kmsg", nil},
	{"proc/lockdep*", kernelLog, "lock classes of the kernel", "proc/lockdep_stats", nil},
	{"proc/lock_stat", kernelLog, "lock statistics of the kernel", "proc/lock_stat", nil},
	{"proc/version", hint, "kernel release", "proc/version", nil},
	{"proc/sys/kernel/hostname", hint, "host name", "proc/sys/kernel/hostname", nil},
	{"proc/sys/kernel/osrelease", hint, "kernel release", "proc/sys/kernel/osrelease", nil},

	{"sys/fs/cgroup/**/memory.numa_stat", useless, "is about NUMA nodes", "sys/fs/cgroup/app/memory.numa_stat", nil},
	{"sys/fs/cgroup/**/memory.kmem.slabinfo", useless, "is about slabs", "sys/fs/cgroup/memory/app/memory.kmem.slabinfo", nil},
	{"sys/fs/cgroup/**/memory.*", groupFile, "memory control group", "sys/fs/cgroup/app.slice/memory.events", nil},
	{"sys/fs/pstore/**/dmesg-*", pstore, "log of a kernel that died", "sys/fs/pstore/dmesg-efi-165102", nil},
	{"sys/fs/pstore/console-*", kernelLog, "console of the boot before", "sys/fs/pstore/console-ramoops-0", nil},
	{"var/lib/systemd/pstore/**/dmesg.txt", kernelLog, "log of a kernel that died", "var/lib/systemd/pstore/1651/001/dmesg.txt", nil},
	{"var/lib/systemd/pstore/**/dmesg-*", pstore, "log of a kernel that died", "var/lib/systemd/pstore/1651/dmesg-efi-165102", nil},
	{"proc/[0-9]*/**/*", useless, "is nothing of a log", "proc/123/maps", nil},
	{"proc/sys/**/*", useless, "is a setting of the kernel", "proc/sys/vm/swappiness", nil},
	{"sys/block/**/*", useless, "is nothing of a log", "sys/block/sda/size", nil},
	{"sys/bus/**/*", useless, "is nothing of a log", "sys/bus/pci/rescan", nil},
	{"sys/class/**/*", useless, "is nothing of a log", "sys/class/net/eth0/mtu", nil},
	{"sys/devices/**/*", useless, "is nothing of a log", "sys/devices/system/cpu/online", nil},
	{"sys/fs/**/*", useless, "is nothing of a log", "sys/fs/cgroup/app/cpu.stat", nil},
	{"sys/kernel/**/*", useless, "is nothing of a log", "sys/kernel/profiling", nil},
	{"sys/module/**/*", useless, "is nothing of a log", "sys/module/ext4/version", nil},

	{"sos_commands/kernel/uname*", hint, "host name and kernel release", "sos_commands/kernel/uname_-a", nil},
	{"sos_commands/host/hostname*", hint, "host name", "sos_commands/host/hostname", nil},
	{"sos_commands/general/hostname*", hint, "host name", "sos_commands/general/hostname", nil},
	{"sos_commands/kernel/dmesg*", kernelLog, "kernel log", "sos_commands/kernel/dmesg_-T", nil},
	{"sos_commands/general/dmesg*", kernelLog, "kernel log", "sos_commands/general/dmesg_now", nil},
	{"sos_commands/logs/journalctl*disk*usage*", useless, "is the size of the journal", "sos_commands/logs/journalctl_--disk-usage", nil},
	{"sos_commands/logs/journalctl*list-boots*", useless, "is a list of boots", "sos_commands/logs/journalctl_--list-boots", nil},
	{"sos_commands/logs/journalctl*", kernelLog, "journal", "sos_commands/logs/journalctl_--no-pager_--boot", nil},
	{"sos_commands/process/ps*", kernelLog, "list of processes", "sos_commands/process/ps_auxwwwm", nil},
	{"sos_commands/cgroups/*", kernelLog, "control groups", "sos_commands/cgroups/systemd-cgls", nil},

	{"var/crash/**/vmcore-dmesg*.txt", kernelLog, "log of a kernel that died", "var/crash/127.0.0.1-2026-11-01-10:11:12/vmcore-dmesg.txt", nil},
	{"vmcore-dmesg*.txt", kernelLog, "log of a kernel that died", "crash/vmcore-dmesg-incomplete.txt", nil},
	{"vmcore", useless, "is a kernel crash dump; extract its log: makedumpfile --dump-dmesg vmcore dmesg.log", "var/crash/1/vmcore", nil},
	{"vmcore.flat", useless, "is a kernel crash dump; extract its log: makedumpfile -R vmcore < vmcore.flat", "var/crash/1/vmcore.flat", nil},
	{"var/crash/**/dmesg.*", kernelLog, "log of a kernel that died", "var/crash/202611011011/dmesg.202611011011", nil},

	// must-gather of OpenShift: one directory a node.
	{"nodes/*/dmesg*", kernelLog, "kernel log of a node", "nodes/worker-1/dmesg", nil},
	{"nodes/*/**/journal*.log*", kernelLog, "journal of a node", "nodes/worker-1/journal.log.gz", nil},
	{"kubelet*.log*", useless, "is the log of the kubelet", "nodes/worker-1/logs/kubelet_2026.log.gz", nil},
	{"*_logs_kubelet*", useless, "is the log of the kubelet", "nodes/worker-1/worker-1_logs_kubelet.gz", nil},

	// supportconfig of SUSE: sections with a heading each, in one file a topic.
	{"basic-environment.txt", hint, "host name and kernel release", "scc_web12_261101/basic-environment.txt", nil},
	{"messages*.txt", kernelLog, "system log", "scc_web12_261101/messages.txt", nil},
	{"boot.txt", kernelLog, "kernel log in a supportconfig", "scc_web12_261101/boot.txt", nil},

	{"etc/hostname", hint, "host name", "etc/hostname", nil},
	{"etc/**/*", useless, "is configuration", "etc/logrotate.d/syslog", nil},
	{"usr/lib/**/*", useless, "belongs to a package", "usr/lib/systemd/system/syslog.socket", nil},
	{"usr/share/**/*", useless, "belongs to a package", "usr/share/doc/dmesg.gz", nil},
	{"lib/modules/**/*", useless, "belongs to a package", "lib/modules/6.1.0/modules.dep", nil},
	{"installed-rpms", useless, "is a list of packages", "installed-rpms", nil},
	{"uname*", hint, "host name and kernel release", "uname", nil},
	{"hostname", hint, "host name", "hostname", nil},

	{"var/log/messages*", kernelLog, "system log", "var/log/messages-20261101.gz", nil},
	{"var/log/kern*", kernelLog, "kernel log", "var/log/kern.log.2.gz", nil},
	{"var/log/syslog*", kernelLog, "system log", "var/log/syslog.1", nil},
	{"var/log/dmesg*", kernelLog, "kernel log", "var/log/dmesg.0", nil},
	{"var/log/boot.log*", kernelLog, "messages of the boot", "var/log/boot.log", nil},
	{"var/log/warn*", kernelLog, "system log", "var/log/warn-20261101.xz", nil},
	{"journal/**/*.journal*", kernelLog, "journal", "var/log/journal/0123456789abcdef/system.journal", nil},
	{"messages", kernelLog, "system log", "logs/messages", nil},
	{`messages[.\-]*`, kernelLog, "system log", "logs/messages-20261101.gz", nil},
	{"kern.log*", kernelLog, "kernel log", "kern.log.1", nil},
	{"kernel.log*", kernelLog, "kernel log", "kernel.log", nil},
	{"syslog", kernelLog, "system log", "syslog", nil},
	{"syslog.[0-9]*", kernelLog, "system log", "syslog.2.gz", nil},
	{"dmesg", kernelLog, "kernel log", "node7/dmesg", nil},
	{"dmesg.*", kernelLog, "kernel log", "dmesg.txt", nil},
	{`dmesg[_\-]*`, kernelLog, "kernel log", "dmesg-20261101.txt", nil},
	{"*.dmesg", kernelLog, "kernel log", "web12.dmesg", nil},
	{"*.journal", kernelLog, "journal", "user-1000.journal", nil},
}

func init() {
	for i := range rules {
		rules[i].parts = strings.Split(rules[i].pattern, "/")
	}
}

// toolTrees are the names that prove that a support tool made the tree: its
// known paths are all that is of use there, and what is under var/log.
var toolTrees = []string{"sos_commands", "sos_logs", "sos_reports", "cluster-scoped-resources", "basic-environment.txt", "supportconfig.txt"}

// classify finds the rule of a path, and the directory in front of what the
// rule matched, which is the root of the host's file system or ends in a slash.
func classify(name string) (r *rule, root string) {
	parts := strings.Split(strings.ToLower(name), "/")
	for i := range rules {
		r := &rules[i]
		if n := r.match(parts); n > 0 {
			at := len(name)
			for range n {
				at = strings.LastIndexByte(name[:max(at-1, 0)], '/') + 1
				if at == 0 {
					break
				}
			}
			return r, name[:at]
		}
	}
	return nil, ""
}

// match returns how many parts at the end of a path the pattern takes, 0 for
// none.
func (r *rule) match(parts []string) int {
	last := r.parts[len(r.parts)-1]
	if ok, err := path.Match(last, parts[len(parts)-1]); !ok || err != nil {
		return 0
	}
	if !slices.Contains(r.parts, "**") {
		if n := len(r.parts); n <= len(parts) && matchAll(r.parts, parts[len(parts)-n:]) {
			return n
		}
		return 0
	}
	// The longest match, so that a tree in a tree has the outer root.
	for i := range parts {
		if matchAll(r.parts, parts[i:]) {
			return len(parts) - i
		}
	}
	return 0
}

func matchAll(pattern, parts []string) bool {
	for i, p := range pattern {
		if p == "**" {
			rest := pattern[i+1:]
			// Patterns have one ** only: what is behind it is as long as rest.
			return len(parts)-i >= len(rest) && matchAll(rest, parts[len(parts)-len(rest):])
		}
		if i >= len(parts) {
			return false
		}
		if ok, err := path.Match(p, parts[i]); !ok || err != nil {
			return false
		}
	}
	return len(pattern) == len(parts)
}

// toolTree returns the root of a support tool's tree, if the path proves one.
func toolTree(name string) (root string, ok bool) {
	at := 0
	for part := range strings.SplitSeq(name, "/") {
		if slices.Contains(toolTrees, part) {
			return name[:at], true
		}
		at += len(part) + 1
	}
	return "", false
}

// hidden are files of editors, of version control and of the Mac's archiver.
func hidden(name string) bool {
	for part := range strings.SplitSeq(name, "/") {
		if strings.HasPrefix(part, ".") || part == "__MACOSX" {
			return true
		}
	}
	return false
}

// notLogs are endings of what holds kernel log text that no kernel printed
// there: source code, patches, documentation.
var notLogs = map[string]bool{
	".c": true, ".h": true, ".cc": true, ".cpp": true, ".go": true, ".rs": true, ".py": true, ".pl": true, ".sh": true,
	".js": true, ".ts": true, ".java": true, ".rb": true, ".s": true, ".md": true, ".rst": true, ".adoc": true, ".patch": true,
	".diff": true, ".lock": true, ".txtar": true, ".ko": true, ".so": true, ".rpm": true, ".deb": true, ".pyc": true,
}

// packed are the endings of archives, which are opened even where nothing else
// of a name is known.
func packed(name string) bool {
	name = strings.ToLower(name)
	for _, ext := range []string{".tgz", ".tbz", ".tbz2", ".txz", ".tzst", ".zip", ".tar", ".cpio"} {
		if strings.HasSuffix(name, ext) || strings.Contains(path.Base(name), ".tar.") {
			return true
		}
	}
	return false
}

// age says where a file stands in the rotation of its log.
type age struct {
	stem string // the name that all files of the rotation have
	kind int    // 0 dated, 1 numbered, 2 .old, 3 in use
	n    int    // of a numbered one
	date string
}

// rotation takes the name of a rotated log apart: messages-20261101.gz,
// kern.log.2.gz, kern-20261101.log, dmesg.old.
func rotation(name string) age {
	base := name
	for {
		switch ext := path.Ext(base); strings.ToLower(ext) {
		case ".gz", ".bz2", ".xz", ".zst", ".lz4":
			base = strings.TrimSuffix(base, ext)
			continue
		}
		break
	}
	ext := path.Ext(base)
	stem := strings.TrimSuffix(base, ext)
	switch {
	case ext == ".old" || ext == ".bak":
		return age{stem: stem, kind: 2}
	case len(ext) > 1 && len(ext) <= 5 && isNumber(ext) && !strings.ContainsAny(ext, "-_"):
		n := 0
		for _, c := range ext[1:] {
			n = n*10 + int(c-'0')
		}
		return age{stem: stem, kind: 1, n: n}
	}
	for _, tail := range []string{ext, ""} {
		s := strings.TrimSuffix(base, tail)
		d := strings.TrimRight(s, "0123456789-_.")
		date := s[len(d):]
		if len(date) >= 9 && strings.Trim(date[1:], "-_.") != "" && strings.Count(date, ".") <= 1 && strings.ContainsRune("-_.", rune(date[0])) {
			if tail != "" && isNumber(tail) {
				continue // the date itself has a dot
			}
			return age{stem: d + tail, kind: 0, date: date}
		}
	}
	return age{stem: base, kind: 3}
}

func (a age) compare(b age) int {
	return cmp.Or(cmp.Compare(a.stem, b.stem), cmp.Compare(a.kind, b.kind), cmp.Compare(b.n, a.n), cmp.Compare(a.date, b.date))
}

// older orders paths: by directory, the parts of one log together and the
// oldest of them first.
func older(a, b string) int {
	x, y := strings.Split(a, "/"), strings.Split(b, "/")
	for i := 0; i < len(x)-1 && i < len(y)-1; i++ {
		if c := cmp.Compare(x[i], y[i]); c != 0 {
			return c
		}
	}
	switch n := min(len(x), len(y)) - 1; {
	case len(x) < len(y): // a file where the other has a directory
		return cmp.Or(cmp.Compare(rotation(x[n]).stem, y[n]), -1)
	case len(x) > len(y):
		return cmp.Or(cmp.Compare(x[n], rotation(y[n]).stem), 1)
	default:
		return cmp.Or(rotation(x[n]).compare(rotation(y[n])), cmp.Compare(a, b))
	}
}
