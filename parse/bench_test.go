package parse

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
)

// The benchmarks read megabytes of nothing but records, made of the records of
// real logs, which are told again and again with the clock going on.

// denseBytes is how long each log is.
const denseBytes = 8 << 20

// denseLines are the lines of all records of the real logs, without their
// prefixes: OOM reports of 3.2 to 6.1, hung tasks, sysrq-w and -t, lockdep lists.
var denseLines = sync.OnceValue(func() (lines []string) {
	files, _ := filepath.Glob("../testdata/dmesg/*.log")
	for _, file := range files {
		name := filepath.Base(file)
		if strings.HasPrefix(name, "trace") || strings.HasPrefix(name, "proc") || strings.HasPrefix(name, "stacks") {
			continue // no kernel logs
		}
		data, err := os.ReadFile(file)
		if err != nil {
			panic(err)
		}
		raw := strings.Split(strings.ReplaceAll(string(data), "\r", ""), "\n")
		in := make([]bool, len(raw)+1)
		evs, _ := readAll(string(data), Options{})
		for _, e := range evs {
			switch e.(type) {
			case *OOM, *HungTask, *Task, *Locks, *Lockdep, *Kill, *Reap, *Blocker:
				for i := e.Head().Span.First; i <= e.Head().Span.Last; i++ {
					in[i] = true
				}
			}
		}
		for i, l := range raw {
			if _, text, ok := strings.Cut(l, "] "); ok && in[i+1] {
				lines = append(lines, text)
			}
		}
	}
	return lines
})

// dense writes denseBytes of the given lines with a prefix made by wrap.
func dense(lines []string, wrap func(b *strings.Builder, sec float64), end string) string {
	var b strings.Builder
	for sec := 10.0; b.Len() < denseBytes; {
		for _, l := range lines {
			wrap(&b, sec)
			b.WriteString(l)
			b.WriteString(end + "\n")
			sec += 0.000131
		}
	}
	return b.String()
}

func dmesgStamp(b *strings.Builder, sec float64) { fmt.Fprintf(b, "[%12.6f] ", sec) }

var denseFramings = []struct {
	name string
	end  string // of each line
	wrap func(b *strings.Builder, sec float64)
}{
	{"dmesg", "", dmesgStamp},
	{"console", "\r", func(b *strings.Builder, sec float64) { b.WriteString("<4>"); dmesgStamp(b, sec) }},
	{"caller", "", func(b *strings.Builder, sec float64) { fmt.Fprintf(b, "[%12.6f][  T1234] ", sec) }},
	{"syslog", "", func(b *strings.Builder, sec float64) {
		fmt.Fprintf(b, "Mar 10 11:%02d:%02d web kernel: ", int(sec)/60%60, int(sec)%60)
		dmesgStamp(b, sec)
	}},
	{"journal", "", func(b *strings.Builder, sec float64) {
		fmt.Fprintf(b, "Mar 10 11:%02d:%02d web kernel: ", int(sec)/60%60, int(sec)%60)
	}},
}

// BenchmarkReadDense reads all kinds of records, in several framings.
func BenchmarkReadDense(b *testing.B) {
	for _, f := range denseFramings {
		b.Run(f.name, func(b *testing.B) { benchmarkRead(b, dense(denseLines(), f.wrap, f.end)) })
	}
}

// densePart is one kind of record alone.
type densePart struct {
	name  string
	lines []string
}

func denseParts(t testing.TB) []densePart {
	const invoked = "java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0"
	const killed = "Memory cgroup out of memory: Killed process 103 (java) total-vm:35164kB, anon-rss:33120kB, file-rss:4kB, shmem-rss:0kB, UID:0 pgtables:104kB oom_score_adj:0"
	var frames, rows, stats []string
	for i, l := range denseLines() {
		_, frame := ParseFrame(l)
		switch t := trim(l); {
		case frame:
			if len(frames)%20 == 0 {
				frames = append(frames, "task:java            state:D stack:0     pid:"+itoa(100+i)+" ppid:2950   flags:0x00000002", "Call Trace:")
			}
			frames = append(frames, l)
		case len(t) > 40 && t[0] == '[' && isDigit(trimLeft(t[1:])[0]):
			if len(rows)%100 == 0 {
				rows = append(rows, killed, invoked, "[  pid  ]   uid  tgid total_vm      rss pgtables_bytes swapents oom_score_adj name")
			}
			rows = append(rows, l)
		}
	}
	for _, l := range strings.Split(logs(t)["oom-6.1-v2-group.txtar"], "\n") {
		if _, text, ok := strings.Cut(l, "] "); ok && (strings.Contains(text, "oom") || strings.Contains(text, "emory") || isAlpha((text + " ")[0]) && strings.Count(text, " ") == 1) {
			stats = append(stats, text)
		}
	}
	return []densePart{{"frames", frames}, {"tasktable", rows}, {"stats", stats}}
}

// BenchmarkReadParts reads one kind of record alone, as dmesg prints it.
func BenchmarkReadParts(b *testing.B) {
	for _, p := range denseParts(b) {
		b.Run(p.name, func(b *testing.B) { benchmarkRead(b, dense(p.lines, dmesgStamp, "")) })
	}
}

// BenchmarkReadNoise reads a log without records.
func BenchmarkReadNoise(b *testing.B) {
	benchmarkRead(b, strings.Repeat("[    0.408920] pci 0000:00:01.1: legacy IDE quirk: reg 0x10: [io  0x01f0-0x01f7]\n[    0.408990] ACPI: PCI: Interrupt link LNKA configured for IRQ 10\n", 5000))
}

func benchmarkRead(b *testing.B, log string) {
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Read(strings.NewReader(log), Options{}, func(Event) {}); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(strings.Count(log, "\n")), "ns/line")
}

// BenchmarkReadKept tells how much memory the events of a dense log hold, per
// byte of the log.
func BenchmarkReadKept(b *testing.B) {
	log := dense(denseLines(), dmesgStamp, "")
	b.SetBytes(int64(len(log)))
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	var kept []Event
	for b.Loop() {
		kept = kept[:0]
		if _, err := Read(strings.NewReader(log), Options{}, func(e Event) { kept = append(kept, e) }); err != nil {
			b.Fatal(err)
		}
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	b.ReportMetric((float64(after.HeapAlloc)-float64(before.HeapAlloc))/float64(len(log)), "live-B/B")
	runtime.KeepAlive(kept)
	runtime.KeepAlive(log)
}

// BenchmarkLongLine reads one line of one pattern. What a byte costs must not
// depend on the length of the line.
func BenchmarkLongLine(b *testing.B) {
	for _, p := range []struct{ name, before, pattern string }{
		{"brackets", "", "["},
		{"dates", "{\"MESSAGE\":\"a\"}\nx ", "[a "},
		{"stamps", "x ", "[    1.000000] "},
		{"blanks", "x", " "},
		{"offsets", "[    1.000000] ", "+0x"},
		{"frames", "[    1.000000] ", "foo+0x1/0x2 "},
		{"addresses", "[    1.000000] ", "[<ffffffff81000000>] "},
		{"tags", "&lt;", "<br"},
		{"quotes", "", ">"},
		{"escapes", "Mar 10 11:19:17 web kernel: ", "#012"},
		{"parentheses", "foo ", "("},
		{"places", "foo ", "x.c:1 "},
	} {
		for _, n := range []int{64 << 10, 1 << 20} {
			b.Run(fmt.Sprintf("%s/%dKiB", p.name, n>>10), func(b *testing.B) {
				log := p.before + strings.Repeat(p.pattern, n/len(p.pattern)) + "\n"
				b.SetBytes(int64(len(log)))
				for b.Loop() {
					if _, err := Read(strings.NewReader(log), Options{MaxLine: 2 << 20, whole: true, slow: true}, func(Event) {}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

func BenchmarkParseFrame(b *testing.B) {
	for _, bm := range []struct{ name, line string }{
		{"address", " [<ffffffff8110a9c1>] mem_cgroup_handle_oom+0x241/0x3b0"},
		{"unreliable", " ? exit_to_user_mode_prepare+0x44/0x240"},
		{"module", " fuse_dev_do_read+0x3a1/0x7f0 [fuse]"},
		{"none", "memory: usage 32768kB, limit 32768kB, failcnt 23"},
	} {
		b.Run(bm.name, func(b *testing.B) {
			b.SetBytes(int64(len(bm.line)))
			b.ReportAllocs()
			for b.Loop() {
				ParseFrame(bm.line)
			}
		})
	}
}
