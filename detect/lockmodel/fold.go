package lockmodel

import "strings"

// Fold removes what compilers append to a function name: .isra.0,
// .constprop.1, .part.2, .cold, .llvm.123, .clone.4, .lto_priv.0, and the dot
// that the first 64-bit PowerPC ABI puts in front. Names such as T.1146, which
// old compilers give to parts of functions, say nothing and stay as they are.
// It is the only place where this is done.
func Fold(fn string) string {
	if len(fn) > 1 && fn[0] == '.' {
		fn = fn[1:]
	}
	if i := strings.IndexByte(fn, '.'); i > 0 && fn[:i] != "T" {
		return fn[:i]
	}
	return fn
}

// The prefixes that wrap a system call, longest first where one is the start
// of another. sys_ itself is last so that every spelling has one short name.
var syscallPrefixes = [...]string{
	"__x64_compat_sys_", "__ia32_compat_sys_", "__arm64_compat_sys_", "__s390x_compat_sys_",
	"__se_compat_sys_", "__do_compat_sys_", "compat_SyS_", "compat_sys_",
	"__x64_sys_", "__x32_compat_sys_", "__ia32_sys_", "__arm64_sys_", "__s390x_sys_", "__s390_sys_", "__riscv_sys_",
	"__powerpc_sys_", "__loongarch_sys_", "__se_sys_", "__do_sys_", "ksys_", "SyS_", "SYSC_", "C_SYSC_",
	"stub32_", "stub_", "sys32_", "sys_",
}

// syscallName returns brk for sys_brk, __x64_sys_brk, SyS_brk and the like.
func syscallName(fn string) (string, bool) {
	if fn == "" || strings.IndexByte("_ckSs C", fn[0]) < 0 {
		return "", false
	}
	for _, p := range syscallPrefixes {
		if len(fn) > len(p) && strings.HasPrefix(fn, p) {
			return fn[len(p):], true
		}
	}
	return "", false
}

// FuncMatches reports whether the function fn, as printed, is one of list: the
// names in While, Unless, From and NotFrom. A name there that ends in * stands
// for all that begin so, and a name sys_X for every wrapper of system call X.
func FuncMatches(list []string, fn string) bool {
	if len(list) == 0 {
		return false
	}
	fn = Fold(fn)
	for _, want := range list {
		if n := len(want) - 1; n >= 0 && want[n] == '*' {
			if strings.HasPrefix(fn, want[:n]) {
				return true
			}
			continue
		}
		if want == fn {
			return true
		}
		if strings.HasPrefix(want, "sys_") {
			if name, ok := syscallName(fn); ok && name == want[len("sys_"):] {
				return true
			}
		}
	}
	return false
}

// fileSystems maps a module or the prefix of a function to a file system.
var fileSystems = map[string]string{
	"9p": "9p", "v9fs": "9p",
	"bcachefs": "bcachefs", "bch2": "bcachefs",
	"btrfs": "btrfs",
	"ceph":  "ceph",
	"cifs":  "cifs", "smb2": "cifs", "smb3": "cifs",
	"ext2": "ext2", "ext3": "ext3", "ext4": "ext4",
	"f2fs": "f2fs",
	"fuse": "fuse", "virtiofs": "fuse",
	"gfs2":      "gfs2",
	"hugetlbfs": "hugetlbfs",
	"jfs":       "jfs",
	"nfs":       "nfs", "nfs3": "nfs", "nfs4": "nfs", "nfsv2": "nfs", "nfsv3": "nfs", "nfsv4": "nfs",
	"ntfs3": "ntfs3",
	"ocfs2": "ocfs2",
	"ovl":   "overlay", "overlay": "overlay",
	"ramfs":    "ramfs",
	"reiserfs": "reiserfs",
	"shmem":    "shmem",
	"ubifs":    "ubifs",
	"xfs":      "xfs",
}

// FileSystem returns the type of file system that the frame fn of module is
// in: "ext3" for ext3_write_begin, "nfs" for a function of [nfsv4], "shmem" for
// tmpfs, "overlay" for ovl_write_iter; "" if the frame does not tell. Frames of
// a journal (jbd, jbd2) serve several file systems and do not tell, nor do
// fuse_dev_read and its like: the file there is /dev/fuse, and the task is the
// daemon. ext4 frames may serve a file system that was made as ext2 or ext3.
func FileSystem(fn, module string) string {
	fn = strings.TrimLeft(Fold(fn), "_")
	if strings.HasPrefix(fn, "fuse_dev_") {
		return ""
	}
	if fs := fileSystems[module]; fs != "" {
		return fs
	}
	if module != "" {
		// A module of another name may have functions that look like these.
		return ""
	}
	prefix, _, ok := strings.Cut(fn, "_")
	if !ok {
		return ""
	}
	return fileSystems[prefix]
}
