package parse

import (
	"compress/gzip"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
)

func traceSummary(b *strings.Builder, e *TraceEvent) {
	fmt.Fprintf(b, " %s", e.Name)
	if e.HasPid {
		fmt.Fprintf(b, " %s-%d", e.Comm, e.Pid)
	}
	if e.Cut {
		b.WriteString(" cut")
	}
	if e.Tgid != 0 {
		fmt.Fprintf(b, " tgid=%d", e.Tgid)
	}
	fmt.Fprintf(b, " cpu=%d", e.CPU)
	if e.HasTime {
		fmt.Fprintf(b, " at=%.6f", e.Time)
	}
	if e.Func != "" {
		fmt.Fprintf(b, " %s<-%s", e.Func, e.Parent)
	}
	if e.Duration != 0 {
		fmt.Fprintf(b, " for=%.9f", e.Duration)
	}
	if e.Fields != "" {
		fmt.Fprintf(b, " %q", e.Fields)
	}
	for _, v := range e.Values {
		fmt.Fprintf(b, " %s:%d", v.Name, v.N)
	}
	for _, f := range e.Stack {
		b.WriteString("\n\t\t" + frameText(f))
	}
}

func infoSummary(b *strings.Builder, v *TraceInfo) {
	fmt.Fprintf(b, " %q", v.Tracer)
	if v.HasTime {
		fmt.Fprintf(b, " %.6f..%.6f", v.First, v.Last)
	}
	fmt.Fprintf(b, " lost=%d", v.Lost)
	for _, n := range v.Names {
		fmt.Fprintf(b, " %s:%d", n.Name, n.Count)
	}
	for i, n := range v.Nodes {
		if i == 12 {
			fmt.Fprintf(b, "\n\t... %d nodes", len(v.Nodes))
			break
		}
		fmt.Fprintf(b, "\n\t%d<-%d %s calls=%d self=%d", i, n.Parent, n.Func, n.Calls, n.SelfNS)
	}
}

// graphText is a reader of about n bytes of function_graph text: tasks on two
// CPUs that charge, reclaim and write.
type graphText struct {
	n    int
	rest string
}

var graphBlock = sync.OnceValue(func() string {
	var b strings.Builder
	for sec := range 100 {
		for i := range 40 {
			pid, cpu := 1000+(sec*7+i)%300, i&1
			row := func(dur, body string) {
				fmt.Fprintf(&b, "%5d.%06d |   %d)  worker-%-6d| %s |  %s\n", sec, i*1000, cpu, pid, dur, body)
			}
			row("             ", "vfs_write() {")
			row("             ", "  ext4_file_write_iter [ext4]() {")
			for j := range 8 {
				row("  0.513 us   ", fmt.Sprintf("    helper_%d();", j+8*(i%5)))
			}
			row("             ", "    try_charge_memcg() {")
			row("! 150.101 us ", "      try_to_free_mem_cgroup_pages();")
			row("! 160.300 us ", "    }")
			row("! 170.001 us ", "  }")
			row("! 171.001 us ", "}")
		}
	}
	return b.String()
})

func (g *graphText) Read(p []byte) (int, error) {
	if g.rest == "" {
		if g.n <= 0 {
			return 0, io.EOF
		}
		g.rest = graphBlock()
		g.n -= len(g.rest)
	}
	n := copy(p, g.rest)
	g.rest = g.rest[n:]
	return n, nil
}

const graphBytes = 64 << 20

func BenchmarkFtraceGraph(b *testing.B) {
	b.SetBytes(graphBytes)
	b.ReportAllocs()
	graphBlock()
	for b.Loop() {
		n := 0
		res, _ := Read(&graphText{n: graphBytes}, Options{}, func(Event) { n++ })
		if res.Records.FtraceEvent == 0 || n == 0 {
			b.Fatal("no events")
		}
	}
}

// TestFtraceMemory: a long trace is read in bounded memory.
func TestFtraceMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("reads 64 MB")
	}
	var before, now runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	n, most := 0, uint64(0)
	res, err := Read(&graphText{n: graphBytes}, Options{}, func(Event) {
		if n++; n%20000 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&now)
			most = max(most, now.HeapAlloc)
		}
	})
	if err != nil || res.Framing != "ftrace" || res.Records.FtraceEvent != res.Lines {
		t.Fatalf("%v %+v", err, res)
	}
	if most > before.HeapAlloc+16<<20 {
		t.Errorf("%d MB live while a trace of %d MB was read", (most-before.HeapAlloc)>>20, graphBytes>>20)
	}
}

// TestFtraceCut: a trace cut after any line never has more events than the whole.
func TestFtraceCut(t *testing.T) {
	for name, log := range logs(t) {
		if !strings.HasPrefix(name, "ftrace-") {
			continue
		}
		_, whole := readAll(log, Options{})
		for i := 0; i < len(log); i++ {
			if log[i] != '\n' {
				continue
			}
			evs, res := readAll(log[:i+1], Options{})
			checkEvents(t, evs, res)
			if res.Records.FtraceEvent > whole.Records.FtraceEvent {
				t.Fatalf("%s cut at byte %d: %d events, whole %d", name, i, res.Records.FtraceEvent, whole.Records.FtraceEvent)
			}
		}
	}
}

// TestFtraceSummed: without times a trace is read as with them, and no time is
// later than the true one. The trace is real; its times are taken off.
func TestFtraceSummed(t *testing.T) {
	f, err := os.Open("../testdata/ftrace/forms-6.12-graph-all.txt.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	zr, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(zr)
	if err != nil {
		t.Fatal(err)
	}
	var cut strings.Builder
	for line := range strings.Lines(string(data)) {
		if i := strings.Index(line, " |   "); i > 0 && i < 14 && line[0] == ' ' && strings.Contains(line[:i], ".") {
			line = " " + strings.TrimLeft(line[i+2:], " ")
		}
		cut.WriteString(line)
	}
	events := func(text string) (out []*TraceEvent, info *TraceInfo) {
		evs, _ := readAll(text, Options{})
		for _, e := range evs {
			switch e := e.(type) {
			case *TraceEvent:
				out = append(out, e)
			case *TraceInfo:
				info = e
			}
		}
		return out, info
	}
	want, whole := events(string(data))
	got, info := events(cut.String())
	if len(want) < 2000 || len(got) != len(want) || !info.Summed || whole.Summed || info.Last <= 0 {
		t.Fatalf("%d events with times, %d without; %+v", len(want), len(got), info)
	}
	for i, e := range got {
		if w := want[i]; e.Name != w.Name || e.Func != w.Func || e.Duration != w.Duration || e.Time > w.Time-whole.First+2e-6 {
			t.Fatalf("line %d: %s %s at %f, true %s %s at %f", e.Span.First, e.Name, e.Func, e.Time, w.Name, w.Func, w.Time-whole.First)
		}
	}
}

func FuzzFtrace(f *testing.F) {
	for name, log := range logs(f) {
		if strings.HasPrefix(name, "ftrace-") {
			f.Add([]byte(log[:min(len(log), 4000)]))
		}
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		opt := Options{MaxFrames: 8, MaxLine: 300}
		evs, res := readAll(string(data), opt)
		checkEvents(t, evs, res)
		if res.Records.FtraceEvent > res.Lines {
			t.Errorf("%d events in %d lines", res.Records.FtraceEvent, res.Lines)
		}
		for _, e := range evs {
			if e, ok := e.(*TraceEvent); ok && (e.Name == "" && e.Func == "" || len(e.Stack) > opt.MaxFrames || e.HasPid && e.Pid < 0) {
				t.Errorf("%s", summary(e, true))
			}
		}
	})
}

func TestBinaryTrace(t *testing.T) {
	for in, want := range map[string]string{
		"\x17\x08\x44tracing6\x00\x00\x08\x00\x10\x00\x00": "trace-cmd report",
		"PERFILE2\x68\x00\x00\x00\x00\x00\x00\x00":         "perf script",
	} {
		_, res := readAll(in+strings.Repeat("\x00\x01\xfe", 99), Options{})
		if len(res.Diagnostics) != 1 || res.Diagnostics[0].Code != "binary-trace" || !strings.Contains(res.Diagnostics[0].Message, want) {
			t.Errorf("%q: %+v", in, res.Diagnostics)
		}
	}
}

// eventText is text of about n bytes of events: switches, wakeups, system
// calls, page faults.
var eventBlock = sync.OnceValue(func() string {
	var b strings.Builder
	b.WriteString("# tracer: nop\n")
	for i := range 20000 {
		pid, cpu := 1000+i%300, i&1
		row := func(us int, ev string) {
			fmt.Fprintf(&b, "          worker-%-7d [%03d] d..2. %6d.%06d: %s\n", pid, cpu, i/100, i%100*10000+us, ev)
		}
		row(1, "page_fault_user: address=0x7f12a4c0"+itoa(i%10)+"000 ip=0x55d0aa11f1a2 error_code=0x6")
		row(2, "sys_enter: NR 1 (3, 7ffd2bc4a3c0, 400, 0, 0, 0)")
		row(9, "sys_exit: NR 1 = 1024")
		row(12, fmt.Sprintf("sched_waking: comm=worker pid=%d prio=120 target_cpu=%03d", 1000+(i+1)%300, cpu))
		row(15, fmt.Sprintf("sched_switch: prev_comm=worker prev_pid=%d prev_prio=120 prev_state=S ==> next_comm=worker next_pid=%d next_prio=120", pid, 1000+(i+2)%300))
	}
	return b.String()
})

func BenchmarkFtraceEvents(b *testing.B) {
	text := eventBlock()
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	for b.Loop() {
		res, _ := Read(strings.NewReader(text), Options{}, func(Event) {})
		if res.Records.FtraceEvent != 100000 {
			b.Fatal(res.Records.FtraceEvent)
		}
	}
}
