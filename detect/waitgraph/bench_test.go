package waitgraph

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

// BenchmarkCycles finds the cycles of random graphs with ten edges a node, at
// n and 4n: the cost must grow as n does.
func BenchmarkCycles(b *testing.B) {
	for _, n := range []int{25_000, 100_000} {
		b.Run(fmt.Sprintf("nodes=%d/edges=%d", n, 10*n), func(b *testing.B) {
			rnd := rand.New(rand.NewPCG(1, 2))
			edges := make([][2]int, 10*n)
			for i := range edges {
				edges[i] = [2]int{rnd.IntN(n), rnd.IntN(n)}
			}
			g := graphOf(n, edges)
			b.ReportAllocs()
			for b.Loop() {
				g.Cycles = nil
				g.findCycles()
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(len(edges)), "ns/edge")
		})
	}
}

// BenchmarkBuild makes the graph of a machine on which n tasks wait for the
// locks of a hundred owners.
func BenchmarkBuild(b *testing.B) {
	for _, n := range []int{25_000, 100_000} {
		b.Run(fmt.Sprintf("tasks=%d", n), func(b *testing.B) {
			var c stacks.Collector
			if _, err := parse.Read(strings.NewReader(blockedTasks(n)), parse.Options{}, c.Add); err != nil {
				b.Fatal(err)
			}
			snap := c.Snapshots()[0]
			b.ReportAllocs()
			for b.Loop() {
				Build(snap, Options{Model: lockmodel.Embedded()})
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/task")
		})
	}
}

// blockedTasks is a sysrq-w of 6.1 with n tasks: a hundred that hold an inode
// lock and wait for a FUSE server, the others waiting for an inode lock.
func blockedTasks(n int) string {
	var s strings.Builder
	s.WriteString("[    0.000000] Linux version 6.1.0-21-amd64 (gcc) #1 SMP\n[  300.000000] sysrq: Show Blocked State\n")
	for i := range n {
		frames := []string{"__schedule", "schedule", "rwsem_down_write_slowpath", "fuse_file_write_iter", "vfs_write", "ksys_write", "do_syscall_64"}
		if i < 100 {
			frames = []string{"__schedule", "schedule", "request_wait_answer", "fuse_simple_request", "fuse_perform_write", "fuse_file_write_iter", "vfs_write", "ksys_write", "do_syscall_64"}
		}
		fmt.Fprintf(&s, "[  300.000000] task:w%-14d state:D stack:0     pid:%-5d ppid:1      flags:0x00000002\n[  300.000000] Call Trace:\n[  300.000000]  <TASK>\n", i%7, 1000+i)
		for _, f := range frames {
			fmt.Fprintf(&s, "[  300.000000]  %s+0x10/0x100\n", f)
		}
		s.WriteString("[  300.000000]  </TASK>\n")
	}
	return s.String()
}
