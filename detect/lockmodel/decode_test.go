package lockmodel

import (
	"slices"
	"strings"
	"testing"
)

// decode reads a stack, innermost function first, in the way that docs/lock-model.md
// describes: what it waits for and what it holds below.
func decode(m *Model, v Version, stack string) (waits, holds []string) {
	frames := strings.Fields(stack)
	i := 0
	var prim *Primitive
	for ; i < len(frames); i++ {
		p := m.Primitive(frames[i])
		if p == nil {
			break
		}
		if prim == nil || p.Kind != "sched" && p.Kind != "tracer" {
			prim = p
		}
	}
	if i == len(frames) {
		return nil, nil
	}
	describe := func(f *Fact, mode Mode, killable bool) string {
		s := f.Class
		if mode != AnyMode {
			s += " " + mode.String()
		}
		if f.Instance != "" {
			s += " " + f.Instance
		}
		if f.Maybe {
			s += " maybe"
		}
		if killable {
			s += " killable"
		}
		return s
	}
	waited := map[string]bool{}
	for _, f := range m.Lookup(frames[i]) {
		if f.Verb == Holds || !f.In(v) || !f.FitsPrimitive(m.Class(f.Class), prim) || !f.BelowOK(frames[i+1:]) {
			continue
		}
		mode, killable := f.Mode, f.KillableIn(v)
		if prim != nil {
			if mode == AnyMode {
				mode = prim.Mode
			}
			killable = killable || prim.Killable
		}
		waits = append(waits, describe(f, mode, killable))
		waited[f.Class+" "+f.Instance] = true
	}
	for j := i; j < len(frames); j++ {
		for _, f := range m.Lookup(frames[j]) {
			if f.Verb == Waits || f.Verb == Acquires && j == i || !f.In(v) || !f.AboveOK(frames[:j]) || !f.BelowOK(frames[j+1:]) {
				continue
			}
			if f.Verb == Acquires && waited[f.Class+" "+f.Instance] {
				continue // it acquires through the frame that waits
			}
			if s := describe(f, f.Mode, false); !slices.Contains(holds, s) {
				holds = append(holds, s)
			}
		}
	}
	return waits, holds
}

func TestDecode(t *testing.T) {
	tests := []struct {
		name, version, stack string
		waits, holds         string
	}{
		{"seed invoker", "", "mem_cgroup_handle_oom mem_cgroup_cache_charge add_to_page_cache_locked add_to_page_cache_lru grab_cache_page_write_begin ext3_write_begin generic_file_buffered_write __generic_file_aio_write generic_file_aio_write do_sync_write vfs_write sys_write system_call_fastpath",
			"memcg_oom memcg killable; memcg_oom_mutex exclusive global", "i_rwsem exclusive file; sb_freeze count sb"},
		{"seed victim", "", "do_truncate do_last path_openat do_filp_open do_sys_open sys_open system_call_fastpath",
			"i_rwsem exclusive file", "sb_freeze count sb"},
		{"victim with primitives", "3.2.71+", "schedule __mutex_lock_slowpath mutex_lock do_truncate do_last path_openat do_filp_open do_sys_open sys_open",
			"i_rwsem exclusive file", ""},
		{"truncate is past its lock", "3.2.71+", "schedule io_schedule sleep_on_page __wait_on_bit_lock __lock_page truncate_inode_pages_range truncate_pagecache ext3_setattr notify_change do_truncate do_last path_openat",
			"page_lock exclusive page", "i_rwsem exclusive file"},
		{"brk under mlockall", "3.2.71+", "mem_cgroup_handle_oom __mem_cgroup_try_charge mem_cgroup_charge_common mem_cgroup_newpage_charge handle_pte_fault handle_mm_fault __get_user_pages __mlock_vma_pages_range mlock_vma_pages_range do_brk sys_brk",
			"memcg_oom memcg killable", "mmap_lock shared own_mm; mmap_lock exclusive own_mm"},
		{"exec holds no mmap_lock", "3.2.71+", "schedule mem_cgroup_handle_oom __mem_cgroup_try_charge mem_cgroup_charge_common mem_cgroup_newpage_charge handle_pte_fault handle_mm_fault __get_user_pages get_user_pages copy_strings do_execve sys_execve stub_execve",
			"memcg_oom memcg killable", "cred_guard_mutex exclusive own_task"},
		{"exec from 5.9 on", "6.1.192", "schedule rwsem_down_read_slowpath down_read get_user_pages_remote get_arg_page copy_string_kernel do_execveat_common __x64_sys_execve",
			"", ""},
		{"reader of maps during exec", "3.2.71+", "schedule __mutex_lock_killable_slowpath mutex_lock_killable mm_for_maps m_start seq_read vfs_read",
			"cred_guard_mutex exclusive target_task killable", ""},
		{"reader of cmdline", "3.2.71+", "schedule rwsem_down_failed_common rwsem_down_read_failed call_rwsem_down_read_failed __access_remote_vm access_process_vm proc_pid_cmdline",
			"mmap_lock shared target_mm", ""},
		{"frozen, holding the inode", "3.2.71+", "schedule __generic_file_aio_write generic_file_aio_write do_sync_write vfs_write",
			"sb_freeze count sb", "i_rwsem exclusive file"},
		{"direct read into a frozen file system", "6.1.192", "__schedule schedule percpu_rwsem_wait __percpu_down_read ext4_page_mkwrite do_page_mkwrite do_fault __handle_mm_fault handle_mm_fault __get_user_pages get_user_pages_unlocked internal_get_user_pages_fast bio_iov_iter_get_pages iomap_dio_bio_iter __iomap_dio_rw iomap_dio_rw ext4_file_read_iter vfs_read ksys_read do_syscall_64",
			"sb_freeze count sb", "mmap_lock shared own_mm; i_rwsem shared file"},
		{"mkdir on FUSE", "6.1.192", "request_wait_answer fuse_simple_request create_new_entry.constprop.0 fuse_mkdir vfs_mkdir do_mkdirat __x64_sys_mkdir",
			"fuse_reply fuse_conn", "i_rwsem exclusive dir; sb_freeze count sb"},
		{"mmap of a FUSE file", "7.2.13", "schedule io_schedule folio_wait_bit_common folio_wait_writeback fuse_launder_folio folio_unmap_invalidate invalidate_inode_pages2_range fuse_file_mmap __mmap_region do_mmap vm_mmap_pgoff ksys_mmap_pgoff",
			"fuse_reply fuse_conn", "mmap_lock exclusive own_mm"},
		{"path walk", "6.1.192", "schedule rwsem_down_read_slowpath down_read walk_component path_lookupat filename_lookup vfs_statx",
			"i_rwsem shared dir", ""},
		{"create", "6.1.192", "schedule rwsem_down_write_slowpath path_openat do_filp_open do_sys_openat2",
			"i_rwsem exclusive dir", ""},
		{"create without primitives", "6.1.192", "path_openat do_filp_open do_sys_openat2",
			"i_rwsem exclusive dir; i_rwsem shared dir", ""},
		{"rename waits for a file, holds directories", "6.1.192", "schedule rwsem_down_write_slowpath down_write vfs_rename do_renameat2 __x64_sys_rename",
			"i_rwsem exclusive inode", "i_rwsem exclusive dir; s_vfs_rename_mutex exclusive sb maybe; sb_freeze count sb"},
		{"rename mutex", "6.1.192", "schedule __mutex_lock mutex_lock lock_rename do_renameat2", "s_vfs_rename_mutex exclusive sb", "s_vfs_rename_mutex exclusive sb maybe; sb_freeze count sb"},
		{"rmdir of a directory in use", "6.1.192", "schedule rwsem_down_write_slowpath down_write vfs_rmdir do_rmdir",
			"i_rwsem exclusive inode", "i_rwsem exclusive dir; sb_freeze count sb"},
		{"unlink does not keep the directory over the last iput", "6.1.192", "schedule start_this_handle jbd2__journal_start __ext4_journal_start_sb ext4_evict_inode evict iput do_unlinkat",
			"journal_commit journal", "sb_freeze count sb; i_new inode"},
		{"userfaultfd gives the lock back", "6.1.192", "schedule handle_userfault do_anonymous_page __handle_mm_fault handle_mm_fault do_user_addr_fault exc_page_fault asm_exc_page_fault fault_in_readable fault_in_iov_iter_readable generic_perform_write ext4_buffered_write_iter do_syscall_64",
			"userfault own_mm", "i_rwsem exclusive file"},
		{"user fault, per-VMA locks", "6.12.0", "schedule request_wait_answer fuse_simple_request fuse_page_mkwrite do_page_mkwrite do_wp_page __handle_mm_fault handle_mm_fault do_user_addr_fault exc_page_fault asm_exc_page_fault",
			"fuse_reply fuse_conn", "page_lock exclusive page maybe; mmap_lock shared own_mm maybe; vma_lock shared own_vma maybe"},
		{"fault in a system call, per-VMA locks", "6.12.0", "schedule request_wait_answer fuse_page_mkwrite __handle_mm_fault handle_mm_fault do_user_addr_fault exc_page_fault asm_exc_page_fault rep_movs_alternative copy_page_to_iter do_syscall_64",
			"fuse_reply fuse_conn", "mmap_lock shared own_mm"},
		{"synchronize holds nothing", "6.1.192", "__schedule schedule mem_cgroup_oom_synchronize pagefault_out_of_memory exc_page_fault asm_exc_page_fault",
			"memcg_oom memcg killable", ""},
		{"exit", "3.2.71", "schedule rwsem_down_failed_common call_rwsem_down_read_failed down_read do_exit do_group_exit", "mmap_lock shared own_mm", ""},
		{"cgroup.procs", "6.1.192", "schedule __mutex_lock mutex_lock cgroup_kn_lock_live __cgroup_procs_write cgroup_procs_write", "cgroup_mutex exclusive global", ""},
		{"cgroup.procs, second lock", "6.1.192", "schedule rcu_sync_enter percpu_down_write cgroup_procs_write_start __cgroup_procs_write", "rcu", "cgroup_mutex exclusive global"},
		{"ext4_llseek", "4.9.0", "schedule rwsem_down_write_failed down_write ext4_llseek", "i_rwsem exclusive file", ""},
		{"ext4_llseek, later", "5.9.0", "schedule rwsem_down_read_slowpath down_read ext4_llseek", "i_rwsem shared file", ""},
		{"traced", "6.1.192", "trace_event_raw_event_sched_switch __schedule schedule rwsem_down_write_slowpath ftrace_graph_caller do_truncate return_to_handler", "i_rwsem exclusive file", ""},
		{"real-time kernel", "6.1.192", "__schedule schedule rt_mutex_slowlock_block rwbase_write_lock down_write do_truncate", "i_rwsem exclusive file", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v, ok := ParseVersion(tt.version)
			if !ok && tt.version != "" {
				t.Fatalf("version %q", tt.version)
			}
			waits, holds := decode(Embedded(), v, tt.stack)
			if got := strings.Join(waits, "; "); got != tt.waits {
				t.Errorf("waits for %q, want %q", got, tt.waits)
			}
			if got := strings.Join(holds, "; "); got != tt.holds {
				t.Errorf("holds %q, want %q", got, tt.holds)
			}
		})
	}
}
