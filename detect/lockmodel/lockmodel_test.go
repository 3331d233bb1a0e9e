package lockmodel

import (
	"errors"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestEmbedded(t *testing.T) {
	m, err := readEmbedded()
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Facts()) < 500 || len(m.Primitives()) < 100 || len(m.Classes()) < 50 {
		t.Errorf("%d facts, %d primitives, %d classes: some are missing", len(m.Facts()), len(m.Primitives()), len(m.Classes()))
	}
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".lock") && !slices.Contains(lockFiles, f.Name()) {
			t.Errorf("%s is not in lockFiles", f.Name())
		}
	}
}

func TestFactsAreSane(t *testing.T) {
	m := Embedded()
	used := map[string]bool{}
	check := func(f *Fact, r VersionRange) {
		for _, v := range []Version{r.Since, r.Until} {
			if v.IsZero() {
				continue
			}
			if v.Major < 2 || v.Major > 7 || v.Major == 2 && v.Minor != 6 || v.Major > 2 && v.Minor > 20 {
				t.Errorf("%s: %s: there is no release %s", f.Pos, f.Func, v)
			}
		}
	}
	names := map[string]bool{}
	for _, f := range m.Facts() {
		names[f.Func] = true
	}
	for _, f := range m.Facts() {
		used[f.Class] = true
		if m.Class(f.Class) == nil {
			t.Errorf("%s: %s: no class %s", f.Pos, f.Func, f.Class)
		}
		if f.Source == "" || f.Pos.Filename == "" || f.Pos.Line == 0 {
			t.Errorf("%s: %s has no source or no place", f.Pos, f.Func)
		}
		if Fold(f.Func) != f.Func {
			t.Errorf("%s: %s is no name that Fold leaves alone", f.Pos, f.Func)
		}
		if m.Primitive(f.Func) != nil {
			t.Errorf("%s: %s is a primitive: a fact about it is never asked for", f.Pos, f.Func)
		}
		if !slices.Contains(m.Lookup(f.Func), f) {
			t.Errorf("%s: Lookup(%s) does not find it", f.Pos, f.Func)
		}
		if f.Mode == Count && !slices.Contains([]string{"sb_freeze", "jbd_handle", "btrfs_trans_handle"}, f.Class) {
			t.Errorf("%s: %s counts %s, which is no counter", f.Pos, f.Func, f.Class)
		}
		if f.Verb == Holds && len(f.Killable) > 0 {
			t.Errorf("%s: %s holds, killable says how one waits", f.Pos, f.Func)
		}
		if f.Verb == Waits && (len(f.While) > 0 || len(f.Unless) > 0) {
			t.Errorf("%s: %s waits: nothing but primitives stands above a waiter", f.Pos, f.Func)
		}
		check(f, f.Range())
		for _, r := range f.Killable {
			check(f, r)
		}
	}
	for _, c := range m.Classes() {
		if !used[c.Name] {
			t.Errorf("%s: no fact about class %s", c.Pos, c.Name)
		}
		for i, n := range c.Names {
			for _, o := range c.Names[:i] {
				if (VersionRange{n.Since, n.Until}).overlaps(VersionRange{o.Since, o.Until}) {
					t.Errorf("%s: %s and %s at one time", c.Pos, n.Name, o.Name)
				}
			}
		}
	}
}

func TestLookup(t *testing.T) {
	m := Embedded()
	same := func(printed, name string) {
		t.Helper()
		got, want := m.Lookup(printed), m.Lookup(name)
		if len(want) == 0 || !slices.Equal(got, want) {
			t.Errorf("Lookup(%s) has %d facts, Lookup(%s) %d", printed, len(got), name, len(want))
		}
	}
	for _, s := range []string{"__x64_sys_brk", "__ia32_sys_brk", "__se_sys_brk", "__do_sys_brk", "__arm64_sys_brk", "SyS_brk", "compat_sys_brk", "ksys_brk", "sys_brk.isra.0"} {
		same(s, "sys_brk")
	}
	same("ksys_mmap_pgoff", "sys_mmap_pgoff")
	same("do_mprotect_pkey.constprop.0", "do_mprotect_pkey")
	same("process_vm_rw_core.constprop.0", "process_vm_rw_core")
	same("__do_unlinkat", "do_unlinkat")
	same(".do_truncate", "do_truncate")
	for _, none := range []string{"SyS_write", "sys_write", "__x64_sys_read", "do_syscall_64", "T.1146", "", "_", "__", ".", "..", "sys_", "__x64_sys_", "schedule", "*"} {
		if facts := m.Lookup(none); len(facts) != 0 {
			t.Errorf("Lookup(%q) = %v", none, facts)
		}
	}
	if p := m.Primitive("rwsem_down_write_slowpath.constprop.0"); p == nil || p.Kind != "rwsem" || p.Mode != Exclusive {
		t.Errorf("Primitive = %+v", p)
	}
	if p := m.Primitive("trace_event_raw_event_sched_switch"); p == nil || p.Kind != "tracer" {
		t.Errorf("Primitive = %+v", p)
	}
	if p := m.Primitive("mutex_lock_killable"); p == nil || !p.Killable || p.Mode != Exclusive {
		t.Errorf("Primitive = %+v", p)
	}
	if n := testing.AllocsPerRun(100, func() { m.Lookup("__x64_sys_brk"); m.Lookup("nothing_of_ours.isra.0"); m.Primitive("do_truncate") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestFold(t *testing.T) {
	for in, want := range map[string]string{
		"do_last": "do_last", "try_charge.isra.0": "try_charge", "f.constprop.1": "f", "f.part.2": "f", "f.cold": "f",
		"f.llvm.123456": "f", "f.clone.4": "f", "f.isra.0.cold": "f", "f.part.0.constprop.3": "f", "f.lto_priv.0": "f",
		".f": "f", ".f.isra.1": "f", "T.1146": "T.1146", "": "", ".": ".", "0x0": "0x0",
	} {
		if got := Fold(in); got != want {
			t.Errorf("Fold(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestFuncMatches(t *testing.T) {
	list := []string{"do_truncate", "xfs_*", "sys_brk", "__do_sys_*"}
	for fn, want := range map[string]bool{
		"do_truncate": true, "do_truncate.isra.0": true, "do_trunc": false, "xfs_ilock": true, "xfs": false,
		"SyS_brk": true, "__x64_sys_brk": true, "sys_brk": true, "sys_brk2": false, "__do_sys_pause": true,
	} {
		if got := FuncMatches(list, fn); got != want {
			t.Errorf("FuncMatches(%s) = %v", fn, got)
		}
	}
}

func TestFileSystem(t *testing.T) {
	for _, tt := range []struct{ fn, module, want string }{
		{"ext3_write_begin", "", "ext3"}, {"ext4_file_read_iter", "ext4", "ext4"}, {"__ext4_journal_start_sb", "", "ext4"},
		{"__xfs_filemap_fault", "xfs", "xfs"}, {"btrfs_tree_lock", "btrfs", "btrfs"}, {"fuse_mkdir", "fuse", "fuse"},
		{"create_new_entry.constprop.0", "fuse", "fuse"}, {"fuse_dev_do_read", "fuse", ""}, {"nfs_file_write", "nfs", "nfs"},
		{"nfs4_do_open", "nfsv4", "nfs"}, {"nfsd_vfs_write", "nfsd", ""}, {"nfsd_vfs_write", "", ""}, {"shmem_write_begin", "", "shmem"},
		{"ovl_write_iter", "overlay", "overlay"}, {"f2fs_file_write_iter", "", "f2fs"}, {"ext2_setsize", "", "ext2"},
		{"ceph_write_iter", "ceph", "ceph"}, {"v9fs_file_write_iter", "9p", "9p"}, {"p9_client_rpc", "9pnet", ""},
		{"journal_start", "jbd", ""}, {"start_this_handle", "jbd2", ""}, {"jbd2_journal_start", "", ""}, {"generic_perform_write", "", ""},
		{"do_truncate", "", ""}, {"xfs_like", "mymod", ""}, {"", "", ""}, {"_", "", ""},
	} {
		if got := FileSystem(tt.fn, tt.module); got != tt.want {
			t.Errorf("FileSystem(%q, %q) = %q, want %q", tt.fn, tt.module, got, tt.want)
		}
	}
}

func TestVersion(t *testing.T) {
	for in, want := range map[string]Version{
		"6.1.0-56-cloud-amd64": {6, 1, 0}, "3.2.71+": {3, 2, 71}, "2.6.32-358.el6.x86_64": {2, 6, 32}, "7.2.13+deb14": {7, 2, 13},
		"4.18.0-147.el8.x86_64": {4, 18, 0}, "7.0-rc3": {7, 0, 0}, "5.10": {5, 10, 0}, "2.6.32.71": {2, 6, 32},
	} {
		if got, ok := ParseVersion(in); !ok || got != want {
			t.Errorf("ParseVersion(%q) = %v, %v", in, got, ok)
		}
	}
	for _, in := range []string{"", "6", "x.y", "v6.1", "-1.2", ".6.1", "0.0", "99999999999999999999.1"} {
		if v, ok := ParseVersion(in); ok {
			t.Errorf("ParseVersion(%q) = %v", in, v)
		}
	}
	order := []Version{{}, {2, 6, 32}, {2, 6, 39}, {3, 2, 0}, {3, 2, 71}, {3, 10, 0}, {4, 9, 0}, {6, 1, 192}, {6, 12, 0}}
	for i, a := range order {
		for j, b := range order {
			want := 0
			if i < j {
				want = -1
			} else if i > j {
				want = 1
			}
			if got := a.Compare(b); got != want {
				t.Errorf("%v.Compare(%v) = %d", a, b, got)
			}
		}
	}
	if s := (Version{4, 6, 0}).String() + " " + (Version{3, 2, 71}).String() + (Version{}).String(); s != "4.6 3.2.71" {
		t.Error(s)
	}
	for _, tt := range []struct {
		r  string
		v  Version
		in bool
	}{
		{"..4.6", Version{4, 6, 7}, true}, {"..4.6", Version{4, 7, 0}, false}, {"4.7..", Version{4, 6, 9}, false},
		{"2.6.32..3.15", Version{3, 15, 9}, true}, {"2.6.32..3.15", Version{2, 6, 31}, false}, {"..2.6.32", Version{2, 6, 33}, false},
		{"3.2", Version{3, 2, 71}, true}, {"3.2", Version{3, 3, 0}, false}, {"4.19.40..4.19", Version{4, 19, 39}, false},
		{"4.19.40..4.19", Version{4, 19, 200}, true}, {"5.1..", Version{}, true},
	} {
		r, msg := parseRange(tt.r)
		if msg != "" {
			t.Fatal(tt.r, msg)
		}
		if got := r.Contains(tt.v); got != tt.in {
			t.Errorf("%s contains %v: %v", tt.r, tt.v, got)
		}
		if again, _ := parseRange(r.String()); again != r {
			t.Errorf("%s is printed as %s", tt.r, r)
		}
	}
	for _, in := range []string{"..", "", "4", "x..4.6", "4.6..x", "4.7..4.6", "4.6...4.7", "4.6.", "1.2.3.4"} {
		if r, msg := parseRange(in); msg == "" {
			t.Errorf("parseRange(%q) = %v", in, r)
		}
	}
}

func TestKillable(t *testing.T) {
	f := Embedded().Lookup("do_truncate")[0]
	for v, want := range map[Version]bool{{}: false, {6, 12, 0}: false, {7, 0, 0}: true, {7, 2, 13}: true} {
		if got := f.KillableIn(v); got != want {
			t.Errorf("do_truncate killable in %v: %v", v, got)
		}
	}
	for _, f := range Embedded().Lookup("mem_cgroup_out_of_memory") {
		for v, want := range map[Version]bool{{4, 18, 0}: false, {4, 19, 0}: false, {4, 19, 40}: true, {4, 20, 0}: false, {5, 0, 0}: false, {5, 1, 0}: true} {
			if got := f.KillableIn(v); got != want {
				t.Errorf("mem_cgroup_out_of_memory killable in %v: %v", v, got)
			}
		}
	}
}

func TestClasses(t *testing.T) {
	m := Embedded()
	for _, tt := range []struct{ printed, class, instance string }{
		{"&sb->s_type->i_mutex_key#14", "i_rwsem", "file"}, {"&type->i_mutex_dir_key#6/1", "i_rwsem", "dir"},
		{"&type->i_mutex_dir_key#7/5", "i_rwsem", "dir"}, {"&mm->mmap_lock", "mmap_lock", ""}, {"&mm->mmap_sem", "mmap_lock", ""},
		{"sb_writers#3", "sb_freeze", "sb"}, {"&type->s_umount_key#41", "s_umount", "sb"}, {"cgroup_mutex", "cgroup_mutex", "global"},
		{"memcg_oom_lock", "memcg_oom", "memcg"}, {"jbd2_handle", "jbd_handle", "journal"}, {"&ei->i_data_sem/2", "i_data_sem", "inode"},
	} {
		c, instance, ok := m.ClassByLockdep(tt.printed)
		if !ok || c.Name != tt.class || instance != tt.instance {
			t.Errorf("ClassByLockdep(%s) = %v, %q, %v", tt.printed, c, instance, ok)
		}
	}
	for _, s := range []string{"", "#1", "labmod_lock", "i_rwsem", "/1"} {
		if c, _, ok := m.ClassByLockdep(s); ok || c != nil {
			t.Errorf("ClassByLockdep(%q) = %v", s, c)
		}
	}
	c := m.Class("i_rwsem")
	for v, want := range map[Version]string{{3, 2, 71}: "i_mutex", {4, 6, 7}: "i_mutex", {4, 7, 0}: "i_rwsem", {6, 1, 0}: "i_rwsem", {}: "i_rwsem"} {
		if got := c.NameIn(v); got != want {
			t.Errorf("%v: %s", v, got)
		}
	}
	if got := m.Class("sb_freeze"); !got.Resource {
		t.Error("sb_freeze is a resource")
	}
}

func TestWith(t *testing.T) {
	base := Embedded()
	n := len(base.Facts())
	m, err := base.With("mine.lock", []byte(`# ours
lock labmod_lock "lab lock" kinds mutex source "labmod.c" {
	lockdep "&lab->lock" global
}
set lab_calls = lab_a, lab_b
lab_ioctl acquires labmod_lock exclusive global unless @lab_calls source "labmod.c lab_ioctl()"
do_truncate holds labmod_lock exclusive global source "labmod.c"
primitive lab_sleep kind sched
`))
	if err != nil {
		t.Fatal(err)
	}
	if len(base.Facts()) != n || base.Class("labmod_lock") != nil || len(base.Lookup("lab_ioctl")) != 0 || base.Primitive("lab_sleep") != nil {
		t.Error("With changed its receiver")
	}
	facts := m.Lookup("lab_ioctl")
	if len(facts) != 1 || !slices.Equal(facts[0].Unless, []string{"lab_a", "lab_b"}) || facts[0].Pos.String() != "mine.lock:6:1" {
		t.Errorf("facts %v", facts)
	}
	if len(m.Lookup("do_truncate")) != len(base.Lookup("do_truncate"))+1 {
		t.Error("a fact about a known function is not added")
	}
	if c, _, ok := m.ClassByLockdep("&lab->lock#2"); !ok || c.Name != "labmod_lock" {
		t.Error("lockdep name")
	}
	if err := Check("ok.lock", nil); err != nil {
		t.Error(err)
	}
}

func TestErrors(t *testing.T) {
	tests := []struct{ name, src, want string }{
		{"unknown class", "f holds i_rwsme source \"x\"\n",
			`f.lock:1:9: unknown lock class "i_rwsme" (did you mean i_rwsem?)`},
		{"unknown class, like no other", "f holds qqqqqqqq source \"x\"\n",
			`f.lock:1:9: unknown lock class "qqqqqqqq" (declare it: lock qqqqqqqq "what people call it" kinds mutex source "...")`},
		{"unknown verb", "\n  f hold i_rwsem source \"x\"\n",
			`f.lock:2:5: unknown verb "hold" (did you mean holds?)`},
		{"bad range", "f holds i_rwsem in 4.x..5.0 source \"x\"",
			`f.lock:1:17: bad kernel version "4.x" (write 2.6.32..3.15, 4.7.., ..4.6 or 3.2; both ends belong to the range)`},
		{"reversed range", "f holds i_rwsem in 5.0..4.6 source \"x\"",
			`f.lock:1:17: range 5.0..4.6 ends before it starts (write 2.6.32..3.15, 4.7.., ..4.6 or 3.2; both ends belong to the range)`},
		{"no range", "f holds i_rwsem in source \"x\"",
			`f.lock:1:17: in without kernel versions (write: in 2.6.32..3.15, in 4.7.., in ..4.6 or in 3.2)`},
		{"missing source", "f holds i_rwsem exclusive file\n",
			`f.lock:1:1: the fact has no source (add: source "FILE FUNCTION, RELEASE")`},
		{"unterminated string", "# a comment\nf holds i_rwsem source \"fs/x.c\ng waits pipe source \"y\"\n",
			`f.lock:2:24: unterminated string (end it with " on the same line)`},
		{"unknown instance", "f holds i_rwsem exclusive fil source \"x\"\n",
			`f.lock:1:27: unknown word "fil" (did you mean file?)`},
		{"unknown kind", "f waits i_rwsem on mutx source \"x\"\n",
			`f.lock:1:20: unknown kind of primitive "mutx" (did you mean mutex?)`},
		{"unknown set", "f holds i_rwsem unless @write_snyc source \"x\"\n",
			`f.lock:1:24: unknown set @write_snyc (did you mean @write_sync?)`},
		{"second in a list", "f holds i_rwsem unless a, @nothing_like_it source \"x\"\n",
			`f.lock:1:27: unknown set @nothing_like_it (one of @dir_work, @fault, @fault_io, @fault_over, @fault_retry, @fs_create, @fs_lookup, @inode_end, @open_rest, @other_mm, @path_walk, @sb_wait, @syscall_entry, @write_sync)`},
		{"said twice", "f holds i_rwsem while a while b source \"x\"\n",
			`f.lock:1:25: while is said twice (one clause of a sort in a fact; write two facts)`},
		{"line too short", "f holds\n",
			`f.lock:1:8: the line ends too early (a name belongs here: FUNCTION VERB CLASS clauses)`},
		{"list too short", "f holds i_rwsem while a, source \"x\"\n",
			`f.lock:1:33: unexpected text "x" (texts follow source, lockdep or name; look for a comma too many before it)`},
		{"stray sign", "f holds i_rwsem ; source \"x\"\n",
			`f.lock:1:17: unexpected ";" (the statement should end here; one statement a line)`},
		{"duplicate", "f holds i_rwsem in ..4.6 source \"x\"\nf holds i_rwsem in 4.6.. source \"y\"\n",
			`f.lock:2:1: f holds i_rwsem: the same is in f.lock:1:1 (remove one, or narrow the ranges so that they do not overlap)`},
		{"class twice", "lock i_rwsem \"mine\" kinds mutex source \"x\"\n",
			`f.lock:1:6: class i_rwsem is already in classes.lock:6:1 (facts may be added to it, but it cannot be described twice)`},
		{"open block", "lock mine \"mine\" kinds mutex source \"x\" {\n name a until 4.6\n",
			`f.lock:1:1: the block of class mine is not closed (end it with a line })`},
		{"in a block", "lock mine \"mine\" kinds mutex source \"x\" {\n nam a until 4.6\n}\n",
			`f.lock:2:14: unexpected "4.6" (the statement should end here; one statement a line)`},
		{"wildcard", "xfs_* holds i_rwsem source \"x\"\n",
			`f.lock:1:1: a fact is about one function, not xfs_* (a trailing * is for while, unless, from, notfrom, set and primitive)`},
		{"two mistakes", "f hold i_rwsem source \"x\"\ng waits\nh waits pipes source \"y\"\n",
			"f.lock:1:3: unknown verb \"hold\" (did you mean holds?)\nf.lock:2:8: the line ends too early (a name belongs here: FUNCTION VERB CLASS clauses)\nf.lock:3:9: unknown lock class \"pipes\" (did you mean pipe?)"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := Check("f.lock", []byte(tt.src))
			var list *Errors
			if !errors.As(err, &list) || len(list.List) == 0 {
				t.Fatalf("Check = %v, want *Errors", err)
			}
			if got := err.Error(); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
	if err := Check("binary", []byte(strings.Repeat("\x7fELF\x00 \n", 1000))); err == nil || len(err.(*Errors).List) > maxErrors {
		t.Errorf("Check of no lock model: %d mistakes", len(err.(*Errors).List))
	}
}

func TestList(t *testing.T) {
	var b strings.Builder
	Embedded().List(&b)
	for _, want := range []string{
		"i_rwsem (i_mutex until 4.6): inode lock, lock\n",
		"\n  do_truncate acquires i_rwsem exclusive file killable in 7.0..  [fs/open.c do_truncate(),",
		"memcg_oom: memory cgroup OOM, resource\n",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("List has no %q", want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, name := range lockFiles {
		src, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(src[:min(len(src), 3000)])
	}
	for _, s := range []string{
		"f holds i_rwsem source \"x\"", "lock a \"b\" kinds mutex source \"c\" {\nname d until 4.6\n}\n", "set a = b,\n c\n", "{", "}", "@", "\"", "..", "f,\n", "\xff\n", "name a\n",
		"primitive a*, b kind sched shared killable\n",
	} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 1<<14 {
			return
		}
		m, err := Embedded().With("fuzz", src)
		if err != nil {
			var list *Errors
			if !errors.As(err, &list) || len(list.List) == 0 {
				t.Fatalf("error %v is no *Errors", err)
			}
			lines := strings.Count(string(src), "\n") + 1
			for _, e := range list.List {
				if e.Pos.Line < 1 || e.Pos.Line > lines || e.Pos.Column < 1 || e.Pos.Filename != "fuzz" || e.Msg == "" {
					t.Fatalf("error %+v in %d lines", e, lines)
				}
			}
			return
		}
		for _, fact := range m.Facts()[len(Embedded().Facts()):] {
			line := fact.String() + " source \"again\"\n"
			again := strings.Replace(line, fact.Func+" ", fact.Func+"_again ", 1)
			if _, err := m.With("again", []byte(again)); err != nil {
				t.Fatalf("%q: %v", again, err)
			}
		}
	})
}
