package parse

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

func FuzzRead(f *testing.F) {
	for _, log := range logs(f) {
		f.Add([]byte(log))
	}
	for _, w := range wrappers {
		f.Add([]byte(w.wrap(0, record{12.5, "java invoked oom-killer: gfp_mask=0xd0, order=0"}) + "\n" + w.wrap(1, record{12.6, " [<ffffffff8110a9c1>] mem_cgroup_handle_oom+0x241/0x3b0"})))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		opt := Options{Input: 3, MaxCandidates: 4, MaxFrames: 8, MaxLine: 300}
		evs, res := readAll(string(data), opt)
		checkEvents(t, evs, res)
		var again []Event
		res2, _ := Read(iotest.OneByteReader(strings.NewReader(string(data))), opt, func(e Event) { again = append(again, e) })
		sortEvents(again)
		if d := cmp.Diff(res, res2); d != "" {
			t.Errorf("read byte by byte the result differs:\n%s", d)
		}
		for i := range evs {
			if i >= len(again) || summary(evs[i], true) != summary(again[i], true) {
				t.Fatal("read byte by byte the events differ")
			}
		}
	})
}

func FuzzParseFrame(f *testing.F) {
	for _, l := range []string{
		" [<ffffffff8110a9c1>] mem_cgroup_handle_oom+0x241/0x3b0", " ? foo+0x1/0x2 [mod]", " <IRQ>  [<ffffffff8110a9c1>] foo+0x1/0x2",
		"([<0000000000123456>] foo+0x1/0x2)", " ext4_file_write_iter (fs/ext4/file.c:123 (discriminator 4)) ext4", "[<0>] 0xffffffffffffffff", "<<EOE>>", "<",
	} {
		f.Add(l)
	}
	f.Fuzz(func(t *testing.T, l string) {
		fr, ok := ParseFrame(l)
		if !ok && fr != (Frame{}) {
			t.Errorf("%q: no frame, but %+v", l, fr)
		}
		if ok && (!strings.Contains(l, fr.Func) || fr.Func == "" && !fr.HasAddr) {
			t.Errorf("%q: %+v", l, fr)
		}
	})
}

func TestHostileInput(t *testing.T) {
	tests := []struct{ name, in, code string }{
		{"empty", "", "empty-input"},
		{"picture", "\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR" + strings.Repeat("\x00\x01\xfe\x93\xff", 200), "not-a-log"},
		{"prose", "Hello,\nthe machine is slow.\n", "no-kernel-records"},
		{"one endless line", strings.Repeat("x", 1<<20), "long-line"},
		{"NULs among text", strings.Repeat("\x00", 10) + "[    1.000000] Out of memory: Killed process 1 (a)\n" + strings.Repeat("text\n", 100), ""},
	}
	for _, tt := range tests {
		evs, res := readAll(tt.in, Options{})
		checkEvents(t, evs, res)
		found := tt.code == "" && len(res.Diagnostics) == 0
		for _, d := range res.Diagnostics {
			found = found || d.Code == tt.code
		}
		if !found || int(res.Bytes) != len(tt.in) {
			t.Errorf("%s: %+v", tt.name, res)
		}
	}
}

// TestManyCallers holds that streams are bounded, and that an open record of a
// stream that has to go is sent, not lost.
func TestManyCallers(t *testing.T) {
	var b strings.Builder
	for i := range 5000 {
		b.WriteString("[    1.000000][ T" + itoa(i) + "] INFO: task a:" + itoa(i+1) + " blocked for more than 120 seconds.\n")
	}
	evs, res := readAll(b.String(), Options{})
	if len(evs) != 5000 || res.Records.HungTask != 5000 {
		t.Errorf("%d events, %+v", len(evs), res.Records)
	}
}

func TestReadError(t *testing.T) {
	r := io.MultiReader(strings.NewReader("Out of memory: Killed process 1 (a)\nx"), iotest.ErrReader(io.ErrUnexpectedEOF))
	n := 0
	_, err := Read(r, Options{}, func(Event) { n++ })
	if err != io.ErrUnexpectedEOF || n != 1 {
		t.Errorf("err %v, %d events", err, n)
	}
}

func TestLimits(t *testing.T) {
	var b strings.Builder
	b.WriteString("java invoked oom-killer: gfp_mask=0xd0, order=0, oom_score_adj=0\nCPU: 0 PID: 5 Comm: java Not tainted 3.14.1 #1\nCall Trace:\n")
	for range 40 {
		b.WriteString(" foo+0x1/0x2\n")
	}
	b.WriteString("Task in /a killed as a result of limit of /a\n[ pid ]   uid  tgid total_vm      rss nr_ptes swapents oom_score_adj name\n")
	for i := range 50 {
		b.WriteString("[" + itoa(100+i) + "]     0    " + itoa(100+i) + "     3847     3628      11        0             0 x\n")
	}
	b.WriteString("Memory cgroup out of memory: Kill process 140 (x) score 574 or sacrifice child\nKilled process 141 (x) total-vm:1kB, anon-rss:1kB, file-rss:1kB\n")
	evs, _ := readAll(b.String(), Options{MaxCandidates: 10, MaxFrames: 20})
	o := evs[0].(*OOM)
	if len(o.Trace.Frames) != 20 || len(o.Candidates) != 12 || o.MoreTasks != 38 || o.Candidates[10].Pid != 140 || o.Candidates[11].Pid != 141 {
		t.Errorf("%d frames, %d candidates, %d more", len(o.Trace.Frames), len(o.Candidates), o.MoreTasks)
	}
}

func FuzzSystemMap(f *testing.F) {
	f.Add([]byte("ffffffff81000000 T _text\nffffffff81000100 t foo\n"), uint64(0xffffffff81000010))
	f.Fuzz(func(t *testing.T, data []byte, addr uint64) {
		sy, err := LoadSystemMap(strings.NewReader(string(data)))
		if err != nil {
			return
		}
		if s, ok := sy.Lookup(addr); ok {
			if at, known := sy.Address(s.Func); known && at+uint64(s.Offset) != addr {
				t.Errorf("%#x is %s+%#x, which begins at %#x", addr, s.Func, s.Offset, at)
			}
		}
	})
}

// FuzzVMLinux holds that a damaged kernel image is an error, not a panic.
func FuzzVMLinux(f *testing.F) {
	f.Add([]byte("\x7fELF\x02\x01\x01"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if sy, err := LoadVMLinux(strings.NewReader(string(data))); err == nil {
			sy.Lookup(0xffffffff81000000)
		}
	})
}
