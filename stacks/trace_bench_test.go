package stacks_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

// BenchmarkTracer is what the states of 300 tasks cost for each of 100,000
// events, the parser's work included.
func BenchmarkTracer(b *testing.B) {
	var s strings.Builder
	s.WriteString("# tracer: nop\n")
	for i := range 20000 {
		pid, cpu := 1000+i%300, i&1
		row := func(us int, format string, args ...any) {
			fmt.Fprintf(&s, "          worker-%-7d [%03d] d..2. %6d.%06d: %s\n", pid, cpu, i/100, i%100*10000+us, fmt.Sprintf(format, args...))
		}
		row(1, "page_fault_user: address=0x7f12a4c0%d000 ip=0x55d0aa11f1a2 error_code=0x6", i%10)
		row(2, "sys_enter: NR 1 (3, 7ffd2bc4a3c0, 400, 0, 0, 0)")
		row(9, "sys_exit: NR 1 = 1024")
		row(12, "sched_waking: comm=worker pid=%d prio=120 target_cpu=%03d", 1000+(i+1)%300, cpu)
		row(15, "sched_switch: prev_comm=worker prev_pid=%d prev_prio=120 prev_state=S ==> next_comm=worker next_pid=%d next_prio=120", pid, 1000+(i+2)%300)
	}
	text := s.String()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		var tr stacks.Tracer
		if _, err := parse.Read(strings.NewReader(text), parse.Options{}, func(e parse.Event) { tr.Take(e) }); err != nil {
			b.Fatal(err)
		}
		if len(tr.End()) == 0 {
			b.Fatal("no trace")
		}
	}
}
