package parse

import (
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

// allLogs is every log of the tests, by name.
func allLogs(t testing.TB) map[string]string {
	out := logs(t)
	for _, pattern := range []string{"../testdata/dmesg/*.log", "../testdata/ftrace/*", "../detect/testdata/*/*.txtar"} {
		files, _ := filepath.Glob(pattern)
		if len(files) == 0 {
			t.Fatal("no ", pattern)
		}
		for _, file := range files {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			out[file] = string(data)
		}
	}
	return out
}

// noiseLines are n lines of a log without any record, in one of the framings.
func noiseLines(kind string, n int, rnd *rand.Rand) string {
	texts := []string{
		"usb 1-1.2: new high-speed USB device number %d using xhci_hcd", "audit: type=1400 audit(1710069557.123:%d): apparmor=\"ALLOWED\" operation=\"open\"",
		"[UFW BLOCK] IN=eth0 OUT= SRC=203.0.113.7 DST=192.0.2.1 LEN=%d TOS=0x00 PROTO=TCP", "eth0: Link is Up - 1Gbps/Full - flow control rx/tx (%d)",
		"device veth%da entered promiscuous mode", "perf: interrupt took too long (%d > 2500), lowering kernel.perf_event_max_sample_rate",
	}
	var b strings.Builder
	for range n {
		text := fmt.Sprintf(texts[rnd.IntN(len(texts))], rnd.IntN(100000))
		switch kind {
		case "dmesg":
			fmt.Fprintf(&b, "[ 9999.%06d] %s\n", rnd.IntN(1000000), text)
		case "syslog":
			fmt.Fprintf(&b, "Mar 10 11:%02d:%02d web kernel: [ 9999.%06d] %s\n", rnd.IntN(60), rnd.IntN(60), rnd.IntN(1000000), text)
		case "foreign":
			fmt.Fprintf(&b, "Mar 10 11:%02d:%02d db%d sshd[%d]: Accepted publickey for deploy from 192.0.2.%d port 52144 ssh2\n", rnd.IntN(60), rnd.IntN(60), rnd.IntN(3), rnd.IntN(40000), rnd.IntN(255))
		case "json":
			fmt.Fprintf(&b, "{\"log\":\"%s\\n\",\"stream\":\"stdout\",\"time\":\"2024-03-10T11:19:17.%09dZ\"}\n", strings.ReplaceAll(text, `"`, `\"`), rnd.IntN(1000000000))
		}
	}
	return b.String()
}

// skimAll reads text and tells how many lines were parsed.
func skimAll(text io.Reader, opt Options) ([]Event, Result, int) {
	var evs []Event
	p, err := read(text, opt, func(e Event) { evs = append(evs, e) })
	if err != nil {
		panic(err)
	}
	sortEvents(evs)
	return evs, p.res, p.fr.lines
}

// sameRead compares what two readings of one text found. Order numbers count
// the lines that were parsed: only their order counts. The framing is that of
// most lines parsed.
func sameRead(t *testing.T, what string, want, got []Event, wres, gres Result) {
	t.Helper()
	rank := func(evs []Event) {
		for i, e := range evs {
			e.Head().Seq = i
		}
	}
	bySeq := func(a, b Event) int { return a.Head().Seq - b.Head().Seq }
	slices.SortStableFunc(want, bySeq)
	slices.SortStableFunc(got, bySeq)
	rank(want)
	rank(got)
	wres.Index, gres.Index, wres.Framing, gres.Framing = nil, nil, "", ""
	if d := cmp.Diff(wres, gres, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s: result (-whole +skimmed):\n%s", what, d)
		return
	}
	if d := cmp.Diff(want, got, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("%s: events (-whole +skimmed):\n%s", what, d[:min(len(d), 3000)])
	}
}

// TestSkim holds that skipping noise changes nothing: every log of the tests,
// between noise of several framings, gives the same events with and without.
func TestSkim(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	skipped := 0
	logs := allLogs(t)
	for i, name := range slices.Sorted(maps.Keys(logs)) {
		kind := [...]string{"dmesg", "syslog", "foreign", "json"}[i%4]
		text := noiseLines(kind, 400, rnd) + logs[name] + "\n" + noiseLines(kind, 700, rnd)
		want, wres, all := skimAll(strings.NewReader(text), Options{whole: true, slow: true})
		for _, size := range []int{16 << 10, 40_000} {
			got, gres, some := skimAll(strings.NewReader(text), Options{chunk: size})
			sameRead(t, fmt.Sprintf("%s in %s, chunks of %d", name, kind, size), want, got, wres, gres)
			skipped += all - some
		}
	}
	if skipped < 30_000 {
		t.Errorf("only %d lines of noise were skipped", skipped)
	}
}

// TestSkimParallel reads one long text on several threads, in one, byte by byte,
// and whole; it has lines that are longer than a chunk.
func TestSkimParallel(t *testing.T) {
	rnd := rand.New(rand.NewPCG(3, 4))
	var b strings.Builder
	logs := allLogs(t)
	for i, name := range slices.Sorted(maps.Keys(logs)) {
		if strings.Contains(name, "trace") || len(logs[name]) > 100_000 {
			continue // a trace is read whole, up to the end of the input
		}
		b.WriteString(noiseLines("syslog", 300, rnd) + logs[name] + "\n")
		if i%7 == 0 {
			b.WriteString(noiseLines("foreign", 50, rnd) + strings.Repeat("x ", rnd.IntN(40_000)) + "\n" + noiseLines("foreign", 50, rnd))
		}
	}
	text := b.String()
	opt := Options{chunk: 20_000, MaxLine: 10_000}
	whole := opt
	whole.whole, whole.slow = true, true
	want, wres, _ := skimAll(strings.NewReader(text), whole)
	long := 0
	for _, d := range wres.Diagnostics {
		if d.Code == "long-line" {
			long++
		}
	}
	if long == 0 {
		t.Error("no long line")
	}
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	at := opt
	at.At = strings.NewReader(text)
	for _, threads := range []int{1, 2, 4} {
		runtime.GOMAXPROCS(threads)
		got, gres, _ := skimAll(strings.NewReader(text), opt)
		sameRead(t, fmt.Sprint(threads, " threads"), want, got, wres, gres)
		got, gres, _ = skimAll(strings.NewReader(text), at)
		sameRead(t, fmt.Sprint(threads, " threads, each reading"), want, got, wres, gres)
	}
	got, gres, _ := skimAll(iotest.OneByteReader(strings.NewReader(text)), opt)
	sameRead(t, "byte by byte", want, got, wres, gres)

	fail := fmt.Errorf("disk on fire")
	_, err := read(io.MultiReader(strings.NewReader(text), iotest.ErrReader(fail)), opt, func(Event) {})
	if err != fail {
		t.Errorf("error %v, want %v", err, fail)
	}

	// What is there of a file that fails in the middle is what a stream gives that
	// ends there.
	half := text[:len(text)/2+1]
	want, wres, _ = skimAll(strings.NewReader(half), whole)
	at.At = failingAt{strings.NewReader(half), fail}
	got = nil
	p, err := read(strings.NewReader(text), at, func(e Event) { got = append(got, e) })
	if err != fail {
		t.Errorf("error %v of ReadAt, want %v", err, fail)
	}
	sortEvents(got)
	sameRead(t, "up to the error", want, got, wres, p.res)
}

// failingAt fails at the end of a text.
type failingAt struct {
	*strings.Reader
	err error
}

func (f failingAt) ReadAt(b []byte, off int64) (int, error) {
	n, err := f.Reader.ReadAt(b, off)
	if err == io.EOF {
		err = f.err
	}
	return n, err
}

// TestIndex holds that lines are where the index says.
func TestIndex(t *testing.T) {
	rnd := rand.New(rand.NewPCG(5, 6))
	text := noiseLines("dmesg", 300, rnd) + logs(t)["oom-6.1-v2-group.txtar"] + noiseLines("dmesg", 900, rnd) + logs(t)["hung-7.2.txtar"] + noiseLines("dmesg", 900, rnd)
	_, res, _ := skimAll(strings.NewReader(text), Options{chunk: 8 << 10, MaxLine: 4 << 10})
	if len(res.Index) < 4 {
		t.Fatalf("index %v", res.Index)
	}
	for _, at := range res.Index {
		if n := 1 + strings.Count(text[:at.Offset], "\n"); n != at.Line || at.Offset > 0 && text[at.Offset-1] != '\n' {
			t.Errorf("line %d is not at offset %d: line %d is", at.Line, at.Offset, n)
		}
	}
}

// FuzzSkim holds the same for damaged logs: a piece of text between noise.
func FuzzSkim(f *testing.F) {
	for _, log := range logs(f) {
		f.Add(log[:min(len(log), 8<<10)], uint64(1))
	}
	kinds := []string{"dmesg", "syslog", "foreign", "json"}
	f.Fuzz(func(t *testing.T, text string, seed uint64) {
		rnd := rand.New(rand.NewPCG(seed, 7))
		kind := kinds[rnd.IntN(len(kinds))]
		cut := rnd.IntN(len(text) + 1)
		text = noiseLines(kind, 150, rnd) + text[:cut] + "\n" + noiseLines(kind, rnd.IntN(300), rnd) + text[cut:] + "\n" + noiseLines(kind, 150, rnd)
		want, wres, _ := skimAll(strings.NewReader(text), Options{whole: true, slow: true, MaxLine: 4 << 10})
		// What has no anchor, and is passed over far from lines that have one: the
		// rows of a trace without its head, and what names a task but has no stack
		// of it (a row of a dump that lost its title, a collector's heading).
		bare := func(e Event) bool { task, ok := e.(*Task); return ok && task.Trace == nil }
		if wres.Records.FtraceEvent > 0 || slices.ContainsFunc(want, bare) {
			return
		}
		got, gres, _ := skimAll(strings.NewReader(text), Options{chunk: 8 << 10, MaxLine: 4 << 10})
		sameRead(t, "skimmed", want, got, wres, gres)
	})
}
