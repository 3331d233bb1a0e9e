package detect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/oomtrace/oomtrace/detect"
	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

// crowds are logs of n tasks that wait, each in another way.
var crowds = map[string]func(b *strings.Builder, i int){
	// For one lock, behind a hundred owners.
	"queue": func(b *strings.Builder, i int) {
		if i%100 == 0 {
			dumped(b, i, "__schedule", "schedule", "request_wait_answer", "fuse_simple_request", "fuse_perform_write", "fuse_file_write_iter", "vfs_write", "do_syscall_64")
		} else {
			dumped(b, i, "__schedule", "schedule", "rwsem_down_write_slowpath", "fuse_file_write_iter", "vfs_write", "do_syscall_64")
		}
	},
	// Each for something of its own.
	"alone": func(b *strings.Builder, i int) {
		fmt.Fprintf(b, "[  400.000000] INFO: task w:%d blocked for more than 120 seconds.\n", 1000+i)
		dumped(b, i, "__schedule", "schedule", fmt.Sprintf("driver_%d", i), "vfs_write", "do_syscall_64")
	},
	// For the address space of one process that others of it use.
	"mmap_lock": func(b *strings.Builder, i int) {
		switch i % 3 {
		case 0:
			dumped(b, i, "__schedule", "schedule", "rwsem_down_read_slowpath", "down_read", "do_user_addr_fault", "exc_page_fault", "asm_exc_page_fault")
		case 1:
			dumped(b, i, "__schedule", "schedule", "rwsem_down_write_slowpath", "down_write_killable", "vm_mmap_pgoff", "ksys_mmap_pgoff", "do_syscall_64")
		default:
			dumped(b, i, "__schedule", "schedule", "io_schedule", "folio_wait_bit_common", "filemap_fault", "__handle_mm_fault", "handle_mm_fault", "do_user_addr_fault", "exc_page_fault")
		}
	},
	// For a file's lock, with that of its directory.
	"unlink": func(b *strings.Builder, i int) {
		if i%5 == 0 {
			dumped(b, i, "__schedule", "schedule", "io_schedule", "folio_wait_bit_common", "generic_perform_write", "ext4_buffered_write_iter", "vfs_write", "do_syscall_64")
		} else {
			dumped(b, i, "__schedule", "schedule", "rwsem_down_write_slowpath", "vfs_unlink", "do_unlinkat", "__x64_sys_unlink", "do_syscall_64")
		}
	},
}

func dumped(b *strings.Builder, i int, frames ...string) {
	fmt.Fprintf(b, "[  400.000000] task:w               state:D stack:0     pid:%-5d ppid:1      flags:0x00000002\n[  400.000000] Call Trace:\n[  400.000000]  <TASK>\n", 1000+i)
	for k, f := range frames {
		fmt.Fprintf(b, "[  400.000000]  %s+0x%x/0x200\n", f, 16+k)
	}
	b.WriteString("[  400.000000]  </TASK>\n")
}

// BenchmarkRun makes the graph and finds the incidents of n tasks.
func BenchmarkRun(b *testing.B) {
	for _, name := range []string{"queue", "alone", "mmap_lock", "unlink"} {
		for _, n := range []int{2000, 4000, 8000} {
			b.Run(fmt.Sprintf("%s=%d", name, n), func(b *testing.B) {
				var log strings.Builder
				log.WriteString("[    0.000000] Linux version 6.1.0-21-amd64 (gcc) #1 SMP\n[  300.000000] sysrq: Show State\n")
				for i := range n {
					crowds[name](&log, i)
				}
				var c stacks.Collector
				if _, err := parse.Read(strings.NewReader(log.String()), parse.Options{}, c.Add); err != nil {
					b.Fatal(err)
				}
				snap := c.Snapshots()[0]
				b.SetBytes(int64(log.Len()))
				b.ReportAllocs()
				for b.Loop() {
					if len(detect.Run(waitgraph.Build(snap, waitgraph.Options{Model: lockmodel.Embedded()}))) == 0 {
						b.Fatal("no incident")
					}
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/task")
			})
		}
	}
}
