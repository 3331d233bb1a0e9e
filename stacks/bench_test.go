package stacks_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

// BenchmarkCollector takes the events of a log and makes its snapshots; bytes
// are those of the log.
func BenchmarkCollector(b *testing.B) {
	tasks := func(n int) string {
		var s strings.Builder
		s.WriteString(linux)
		for i := range n / 1000 {
			s.WriteString(fmt.Sprintf("[%5d.000000] sysrq: Show State\n", 100+i))
			for k := range 1000 {
				s.WriteString(dump(fmt.Sprintf("[%5d.000000]", 100+i), "w", fmt.Sprint(1000+1000*i+k), "D", "__schedule", "schedule", "rwsem_down_write_slowpath", "do_truncate",
					"do_open", "path_openat", "do_filp_open", fmt.Sprintf("caller_%d", k%100), "do_syscall_64", "entry_SYSCALL_64_after_hwframe"))
			}
		}
		return s.String() + noise
	}
	for _, c := range []struct {
		name string
		log  func(n int) string
		n    int
	}{
		{"tasks", tasks, 5000},
		{"ooms", func(n int) string { return ooms(n, oneGroup) }, 2000},
		{"groups", func(n int) string { return ooms(n, func(i int) string { return fmt.Sprintf("/pod/%d", i) }) }, 2000},
	} {
		for _, n := range []int{c.n, 2 * c.n, 4 * c.n} {
			b.Run(fmt.Sprintf("%s=%d", c.name, n), func(b *testing.B) {
				log := c.log(n)
				b.SetBytes(int64(len(log)))
				b.ReportAllocs()
				for b.Loop() {
					b.StopTimer()
					var events []parse.Event
					if _, err := parse.Read(strings.NewReader(log), parse.Options{}, func(e parse.Event) { events = append(events, e) }); err != nil {
						b.Fatal(err)
					}
					b.StartTimer()
					var c stacks.Collector
					for _, e := range events {
						c.Add(e)
					}
					if len(c.Snapshots()) != 1 {
						b.Fatal("not one snapshot")
					}
				}
			})
		}
	}
}
