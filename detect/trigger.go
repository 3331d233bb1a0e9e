package detect

import (
	"slices"
	"strings"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/parse"
)

// triggers name what charged, by the frames of the report's call trace,
// innermost first; the first row with a frame on the stack wins.
var triggers = []struct {
	name  string
	funcs []string
}{
	{"swapin", []string{"do_swap_page", "mem_cgroup_try_charge_swapin", "__mem_cgroup_try_charge_swapin", "mem_cgroup_swapin_charge_*"}},
	{"tmpfs", []string{"shmem_*"}},
	{"page_cache_write", []string{"generic_perform_write", "generic_file_buffered_write", "grab_cache_page_write_begin", "iomap_file_buffered_write", "iomap_write_begin", "*_write_begin", "btrfs_buffered_write"}},
	{"fork", []string{"copy_process", "dup_mm", "dup_mmap", "kernel_clone", "_do_fork", "do_fork"}},
	{"mmap", []string{"do_brk", "do_brk_flags", "sys_brk", "mmap_region", "__mmap_region", "do_mmap", "do_mmap_pgoff", "__mm_populate", "populate_vma_page_range", "mlock_vma_pages_range", "do_mlock"}},
	{"page_fault_file", []string{"filemap_fault", "__do_fault", "do_read_fault", "do_shared_fault", "do_cow_fault", "page_cache_ra_unbounded", "*_filemap_fault"}},
	{"page_fault_anon", []string{"do_anonymous_page", "do_wp_page", "wp_page_copy", "do_huge_pmd_anonymous_page", "__do_huge_pmd_anonymous_page", "handle_pte_fault", "handle_mm_fault", "__handle_mm_fault"}},
	{"kmem", []string{"obj_cgroup_charge*", "__memcg_kmem_charge*", "memcg_kmem_charge*", "memcg_charge_kmem", "memcg_charge_kernel_stack", "__memcg_slab_post_alloc_hook", "mem_cgroup_charge_skmem"}},
}

// trigger classifies the charge of a report. From 3.12 to 4.18 the fault is
// unwound before the report is printed, so the stack cannot tell.
func trigger(o *parse.OOM) string {
	if o.Trace == nil {
		return "unknown"
	}
	some := false
	for _, row := range triggers {
		for i := range o.Trace.Frames {
			f := &o.Trace.Frames[i]
			if !f.Reliable || f.Context != parse.ContextTask {
				continue
			}
			some = true
			if slices.ContainsFunc(row.funcs, func(p string) bool { return globMatch(p, lockmodel.Fold(f.Func)) }) {
				return row.name
			}
		}
	}
	if !some || has(o.Trace, "pagefault_out_of_memory") {
		return "unknown"
	}
	return "other"
}

func globMatch(pattern, s string) bool {
	if p, ok := strings.CutSuffix(pattern, "*"); ok {
		return strings.HasPrefix(s, p)
	}
	if p, ok := strings.CutPrefix(pattern, "*"); ok {
		return strings.HasSuffix(s, p)
	}
	return pattern == s
}

func has(t *parse.Trace, fn string) bool {
	return slices.ContainsFunc(t.Frames, func(f parse.Frame) bool { return f.Reliable && lockmodel.Fold(f.Func) == fn })
}
