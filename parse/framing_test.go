package parse

import (
	bin "encoding/binary"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// record is a line of the kernel's buffer, to be wrapped in each framing.
type record struct {
	boot float64
	text string
}

// wrappers write a record as each tool does.
var wrappers = []struct {
	name string
	kind string // Result.Framing
	wrap func(i int, r record) string
}{
	{"plain", "plain", func(_ int, r record) string { return r.text }},
	{"dmesg", "dmesg", func(_ int, r record) string { return fmt.Sprintf("[%12.6f] %s", r.boot, r.text) }},
	{"dmesg with carriage returns", "dmesg", func(_ int, r record) string { return fmt.Sprintf("[%12.6f] %s\r", r.boot, r.text) }},
	{"dmesg in colour", "dmesg", func(_ int, r record) string {
		return fmt.Sprintf("\x1b[32m[%12.6f] \x1b[0m\x1b[1m%s\x1b[0m", r.boot, r.text)
	}},
	{"dmesg -T", "dmesg_ctime", func(_ int, r record) string { return "[Sun Nov 22 18:33:16 2026] " + r.text }},
	{"dmesg -T, localised", "dmesg_ctime", func(_ int, r record) string { return "[Mär Aug  2 18:33:16 2026] " + r.text }},
	{"dmesg -x", "dmesg", func(_ int, r record) string { return fmt.Sprintf("kern  :warn  : [%12.6f] %s", r.boot, r.text) }},
	{"dmesg -x -T", "dmesg_ctime", func(_ int, r record) string { return "kern  :notice: [Sun Nov 22 18:33:16 2026] " + r.text }},
	{"dmesg -r", "console", func(_ int, r record) string { return fmt.Sprintf("<4>[%12.6f] %s", r.boot, r.text) }},
	{"level alone", "console", func(_ int, r record) string { return "<6>" + r.text }},
	{"caller", "dmesg", func(_ int, r record) string { return fmt.Sprintf("[%12.6f][   T45] %s", r.boot, r.text) }},
	{"caller of dmesg 2.38", "dmesg", func(_ int, r record) string { return fmt.Sprintf("[%12.6f] [    C0] %s", r.boot, r.text) }},
	{"dmesg -d", "dmesg_delta", func(_ int, r record) string { return fmt.Sprintf("[%12.6f <    0.000122>] %s", r.boot, r.text) }},
	{"dmesg iso", "dmesg_iso", func(_ int, r record) string { return "2026-11-22T18:33:16,000001+00:00 " + r.text }},
	{"dmesg -H", "dmesg_reltime", func(i int, r record) string {
		if i == 0 {
			return "[Nov22 19:12] " + r.text
		}
		return "[  +0.000483] " + r.text
	}},
	{"dmesg -H, comma", "dmesg_reltime", func(_ int, r record) string { return "[  +0,000483] " + r.text }},
	{"syslog", "syslog", func(_ int, r record) string {
		return fmt.Sprintf("Mar 10 11:19:17 web kernel: [%12.6f] %s", r.boot, r.text)
	}},
	{"syslog of imklog", "syslog", func(_ int, r record) string {
		return fmt.Sprintf("Mar  1 11:19:17 web kernel:[%12.6f] %s", r.boot, r.text)
	}},
	{"syslog without host", "syslog", func(_ int, r record) string {
		return fmt.Sprintf("Mar 10 11:19:17  kernel: [%12.6f] %s", r.boot, r.text)
	}},
	{"busybox syslog", "syslog", func(_ int, r record) string {
		return fmt.Sprintf("Nov 22 19:48:01 labvm kern.warn kernel: [%12.6f] %s", r.boot, r.text)
	}},
	{"syslog with caller", "syslog", func(_ int, r record) string {
		return fmt.Sprintf("Mar 10 11:19:17 web kernel: [%12.6f][   T45] %s", r.boot, r.text)
	}},
	{"rsyslog iso", "syslog", func(_ int, r record) string {
		return fmt.Sprintf("2024-03-10T11:19:17.123456+00:00 web kernel: [%12.6f] %s", r.boot, r.text)
	}},
	{"rsyslog iso, no colon", "syslog", func(_ int, r record) string {
		return fmt.Sprintf("2024-03-10T11:19:17.123456+00:00 web kernel [%12.6f] %s", r.boot, r.text)
	}},
	{"RFC 5424", "syslog", func(_ int, r record) string {
		return fmt.Sprintf("<4>1 2024-03-10T11:19:17.123456+00:00 web kernel - - - [%12.6f] %s", r.boot, r.text)
	}},
	{"journalctl short", "journal", func(_ int, r record) string { return "Mar 10 11:19:17 web kernel: " + r.text }},
	{"journalctl short-precise", "journal", func(_ int, r record) string { return "Mar 10 11:19:17.123456 web kernel: " + r.text }},
	{"journalctl short-iso", "journal", func(_ int, r record) string { return "2024-03-10T11:19:17+0000 web kernel: " + r.text }},
	{"journalctl short-monotonic", "journal", func(_ int, r record) string { return fmt.Sprintf("[%12.6f] web kernel: %s", r.boot, r.text) }},
	{"journalctl short-unix", "journal", func(_ int, r record) string { return "1710069557.123456 web kernel: " + r.text }},
	{"journalctl short-full", "journal", func(_ int, r record) string { return "Sun 2024-03-10 11:19:17 UTC web kernel: " + r.text }},
	{"kmsg", "kmsg", func(i int, r record) string {
		return fmt.Sprintf("4,%d,%d,-;%s\n SUBSYSTEM=pci\n DEVICE=+pci:0000:00:01.0", i, int64(r.boot*1e6+.5), strings.ReplaceAll(r.text, `\`, `\x5c`))
	}},
	{"kmsg with caller", "kmsg", func(i int, r record) string {
		return fmt.Sprintf("4,%d,%d,-,caller=T1;%s", i, int64(r.boot*1e6+.5), r.text)
	}},
	{"dmesg --json", "dmesg_json", func(i int, r record) string {
		head := "      },{"
		if i == 0 {
			head = "{\n   \"dmesg\": [\n      {"
		}
		return fmt.Sprintf("%s\n         \"pri\": 4,\n         \"time\": %12.6f,\n         \"msg\": \"%s\"", head, r.boot, strings.NewReplacer(`"`, `\"`, "\t", `\t`).Replace(r.text))
	}},
	{"mail", "plain", func(_ int, r record) string { return "> > " + r.text }},
	{"mail of dmesg", "dmesg", func(_ int, r record) string { return fmt.Sprintf(">>  [%12.6f] %s", r.boot, r.text) }},
	{"indented", "dmesg", func(_ int, r record) string { return fmt.Sprintf("\t    [%12.6f] %s", r.boot, r.text) }},
	{"serial logger", "logger", func(_ int, r record) string {
		return fmt.Sprintf("[2024-03-10 11:19:17.123] [%12.6f] %s", r.boot, r.text)
	}},
	{"serial logger, clock", "logger", func(_ int, r record) string { return fmt.Sprintf("11:19:17.123 [%12.6f] %s", r.boot, r.text) }},
	{"serial logger, ISO", "logger", func(_ int, r record) string {
		return fmt.Sprintf("2024-03-10T11:19:17.123456Z [%12.6f] %s", r.boot, r.text)
	}},
	{"serial logger, ctime", "logger", func(_ int, r record) string {
		return fmt.Sprintf("[Sun Mar 10 11:19:17 2024][%12.6f] %s", r.boot, r.text)
	}},
	{"grabserial", "logger", func(_ int, r record) string { return fmt.Sprintf("[1.234567 0.000123] [%12.6f] %s", r.boot, r.text) }},
	{"ts", "logger", func(_ int, r record) string { return fmt.Sprintf("Mar 10 11:19:17 [%12.6f] %s", r.boot, r.text) }},
	{"kmsg in a terminal logger", "kmsg", func(i int, r record) string {
		return fmt.Sprintf("| [ 1:10.129] 6,%d,%d,-;%s", i, int64(r.boot*1e6+.5), r.text)
	}},
	{"journalctl json", "journal_json", func(_ int, r record) string {
		return fmt.Sprintf(`{"_HOSTNAME":"web","PRIORITY":"4","_BOOT_ID":"0f","MESSAGE":%s,"_TRANSPORT":"kernel","_SOURCE_MONOTONIC_TIMESTAMP":"%d","__REALTIME_TIMESTAMP":"1710069557123456"}`, quoteJSON(r.text), int64(r.boot*1e6+.5))
	}},
	{"journalctl json, bytes", "journal_json", func(_ int, r record) string {
		return fmt.Sprintf(`{ "_TRANSPORT" : "kernel", "MESSAGE" : %s, "_SOURCE_MONOTONIC_TIMESTAMP" : "%d" }`, strings.ReplaceAll(fmt.Sprint([]byte(r.text)), " ", ","), int64(r.boot*1e6+.5))
	}},
	{"journalctl json-pretty", "journal_json", func(_ int, r record) string {
		return fmt.Sprintf("{\n\t\"_HOSTNAME\" : \"web\",\n\t\"MESSAGE\" : %s,\n\t\"_TRANSPORT\" : \"kernel\",\n\t\"_SOURCE_MONOTONIC_TIMESTAMP\" : \"%d\"\n}", quoteJSON(r.text), int64(r.boot*1e6+.5))
	}},
	{"journalctl json-seq", "journal_json", func(_ int, r record) string {
		return fmt.Sprintf("\x1e{\"MESSAGE\":%s,\"_TRANSPORT\":\"kernel\",\"_SOURCE_MONOTONIC_TIMESTAMP\":\"%d\"}", quoteJSON(r.text), int64(r.boot*1e6+.5))
	}},
	{"journalctl export", "journal_export", func(i int, r record) string {
		return fmt.Sprintf("__CURSOR=s=1;i=%d\n__REALTIME_TIMESTAMP=1710069557123456\n_TRANSPORT=kernel\n_HOSTNAME=web\nMESSAGE=%s\n_SOURCE_MONOTONIC_TIMESTAMP=%d\n", i, r.text, int64(r.boot*1e6+.5))
	}},
	{"journalctl export, bytes", "journal_export", func(i int, r record) string {
		var size [8]byte
		bin.LittleEndian.PutUint64(size[:], uint64(len(r.text)))
		return fmt.Sprintf("__CURSOR=s=1;i=%d\n_TRANSPORT=kernel\nMESSAGE\n%s%s\n_SOURCE_MONOTONIC_TIMESTAMP=%d\n", i, size[:], r.text, int64(r.boot*1e6+.5))
	}},
	{"journalctl verbose", "journal_verbose", func(i int, r record) string {
		return fmt.Sprintf("Sun 2024-03-10 11:19:17.123456 UTC [s=1f;i=%x;b=3;m=4;t=5;x=6]\n    _TRANSPORT=kernel\n    _HOSTNAME=web\n    MESSAGE=%s\n    _SOURCE_MONOTONIC_TIMESTAMP=%d", i, r.text, int64(r.boot*1e6+.5))
	}},
	{"journalctl with-unit", "journal", func(i int, r record) string {
		return "Sun 2024-03-10 11:19:17 UTC web kernel: " + r.text + "\nSun 2024-03-10 11:19:17 UTC web sshd.service[12]: hello"
	}},
	{"journalctl short-iso-precise", "journal", func(_ int, r record) string { return "2024-03-10T11:19:17.123456+0000 web kernel: " + r.text }},
	{"docker json-file", "json_lines", func(_ int, r record) string {
		return fmt.Sprintf(`{"log":%s,"stream":"stdout","time":"2024-03-10T11:19:17.123456789Z"}`, quoteJSON(fmt.Sprintf("[%12.6f] %s\n", r.boot, r.text)))
	}},
	{"JSON lines, nested", "json_lines", func(_ int, r record) string {
		return fmt.Sprintf(`{"_index":"k","_source":{"@timestamp":"2024-03-10T11:19:17Z","host":{"name":"web"},"message":%s}}`, quoteJSON(fmt.Sprintf("[%12.6f] %s", r.boot, r.text)))
	}},
	{"JSON lines of syslog", "json_lines", func(_ int, r record) string {
		return fmt.Sprintf(`{"_raw":%s}`, quoteJSON(fmt.Sprintf("Mar 10 11:19:17 web kernel: [%12.6f] %s", r.boot, r.text)))
	}},
	{"JSON array", "json_lines", func(i int, r record) string {
		open := ","
		if i == 0 {
			open = "["
		}
		return open + fmt.Sprintf(`{"line":%s,"labels":{"job":"k"}}`, quoteJSON(fmt.Sprintf("[%12.6f] %s", r.boot, r.text)))
	}},
	{"Loki", "json_lines", func(i int, r record) string {
		open := ","
		if i == 0 {
			open = `{"data":{"result":[{"stream":{"a":"b"},"values":[`
		}
		return open + fmt.Sprintf(`["1710069557123456789",%s]`, quoteJSON(fmt.Sprintf("[%12.6f] %s", r.boot, r.text)))
	}},
	{"CRI", "cri", func(_ int, r record) string {
		l := fmt.Sprintf("[%12.6f] %s", r.boot, r.text)
		return "2024-03-10T11:19:17.123456789Z stdout P " + l[:9] + "\n2024-03-10T11:19:17.123456789Z stdout F " + l[9:]
	}},
	{"CSV", "csv", func(i int, r record) string {
		head := ""
		if i == 0 {
			head = "\"_time\",\"host\",\"_raw\"\n"
		}
		return head + fmt.Sprintf("\"2024-03-10T11:19:17Z\",\"web\",\"%s\"", strings.ReplaceAll(fmt.Sprintf("[%12.6f] %s", r.boot, r.text), `"`, `""`))
	}},
	{"CSV without names", "csv", func(i int, r record) string {
		return fmt.Sprintf("\"17\",\"%s\",\"x\"", strings.ReplaceAll(fmt.Sprintf("[%12.6f] %s", r.boot, r.text), `"`, `""`))
	}},
	{"netconsole with release", "kmsg", func(i int, r record) string {
		return fmt.Sprintf("6.1.0,4,%d,%d,-;%s", i, int64(r.boot*1e6+.5), r.text)
	}},
	{"netconsole in fragments", "kmsg", func(i int, r record) string {
		h, n := fmt.Sprintf("4,%d,%d,-,ncfrag=", i, int64(r.boot*1e6+.5)), len(r.text)
		if n < 2 {
			return fmt.Sprintf("4,%d,%d,-;%s", i, int64(r.boot*1e6+.5), r.text)
		}
		return fmt.Sprintf("%s0/%d;%s\n%s%d/%d;%s", h, n, r.text[:n/2], h, n/2, n, r.text[n/2:])
	}},
	{"RFC 5424 with data", "syslog", func(_ int, r record) string {
		return fmt.Sprintf("<4>1 2024-03-10T11:19:17.123456+00:00 web kernel - - [meta sequenceId=\"1\"] \ufeff[%12.6f] %s", r.boot, r.text)
	}},
	{"localised syslog", "syslog", func(_ int, r record) string {
		return fmt.Sprintf("févr. 03 11:19:17 web kernel: [%12.6f] %s", r.boot, r.text)
	}},
	{"day first", "syslog", func(_ int, r record) string {
		return fmt.Sprintf("10 mars 11:19:17 web kernel: [%12.6f] %s", r.boot, r.text)
	}},
	{"realtime kernel", "dmesg", func(_ int, r record) string { return fmt.Sprintf("[%12.6f] 001: %s", r.boot, r.text) }},
	{"Mediatek", "console", func(_ int, r record) string { return fmt.Sprintf("<4>[%12.6f] -(1)[123:sh]%s", r.boot, r.text) }},
	{"Samsung", "dmesg", func(_ int, r record) string {
		return fmt.Sprintf("[%12.6f]  [1:    kworker/1:1:   123] %s", r.boot, r.text)
	}},
	{"stamp with CPU", "dmesg", func(_ int, r record) string { return fmt.Sprintf("[%12.6f,1] %s", r.boot, r.text) }},
	{"logcat", "logcat", func(_ int, r record) string { return "03-10 11:19:17.123     0     0 W         : " + r.text }},
	{"vmcore-dmesg", "dmesg", func(_ int, r record) string {
		return fmt.Sprintf("[%12.6f] %s", r.boot, strings.ReplaceAll(r.text, "\t", `\x09`))
	}},
	{"syslog with escaped tabs", "syslog", func(_ int, r record) string {
		return fmt.Sprintf("Mar 10 11:19:17 web kernel: [%12.6f] %s", r.boot, strings.ReplaceAll(r.text, "\t", "#011"))
	}},
	{"HTML", "dmesg", func(_ int, r record) string {
		return fmt.Sprintf("<span class=\"x\">[%12.6f]&nbsp;%s</span><br/>", r.boot, strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace(r.text))
	}},
	{"grep -n", "dmesg", func(i int, r record) string { return fmt.Sprintf("%d:[%12.6f] %s", 100+i, r.boot, r.text) }},
	{"editor", "dmesg", func(i int, r record) string { return fmt.Sprintf("%6d [%12.6f] %s", 100+i, r.boot, r.text) }},
	{"prompt in front", "dmesg", func(i int, r record) string {
		p := ""
		if i%7 == 3 {
			p = "login: "
		}
		return fmt.Sprintf("%s[%12.6f] %s", p, r.boot, r.text)
	}},
	{"two agents", "dmesg", func(_ int, r record) string {
		return fmt.Sprintf("[%12.6f] %s\n[%12.6f] %s", r.boot, r.text, r.boot, r.text)
	}},
}

func quoteJSON(s string) string {
	b, err := json.Marshal(s)
	if err != nil {
		panic(err)
	}
	return string(b)
}

// TestFramings writes one log in every framing: the events must not differ.
func TestFramings(t *testing.T) {
	for _, name := range []string{"oom-6.1-v2-group.txtar", "oom-3.2-memcg.txtar", "hung-7.2.txtar", "sysrq-w-3.2.txtar", "nmi-6.1.txtar", "locks-3.2.txtar", "lockdep-circular.txtar"} {
		var recs []record
		for l := range strings.Lines(logs(t)[name]) {
			_, text, ok := strings.Cut(strings.TrimSuffix(l, "\n"), "] ")
			if !ok {
				t.Fatalf("%s: %q", name, l)
			}
			sec, _ := readSeconds(strings.TrimLeft(l, "[ "))
			recs = append(recs, record{sec, text})
		}
		write := func(wrap func(int, record) string) string {
			var b strings.Builder
			for i, r := range recs {
				b.WriteString(wrap(i, r) + "\n")
			}
			return b.String()
		}
		want := eventsOnly(write(wrappers[1].wrap))
		for _, w := range wrappers {
			t.Run(strings.TrimSuffix(name, ".txtar")+"/"+w.name, func(t *testing.T) {
				log := write(w.wrap)
				if d := cmp.Diff(want, eventsOnly(log)); d != "" {
					t.Errorf("events differ (-dmesg +%s)\n%s", w.name, d)
				}
				evs, res := readAll(log, Options{})
				checkEvents(t, evs, res)
				if res.Framing != w.kind {
					t.Errorf("framing %q, want %q", res.Framing, w.kind)
				}
			})
		}
	}
}

func eventsOnly(log string) string {
	evs, res := readAll(log, Options{})
	s := fmt.Sprintf("%+v\n", res.Records)
	for _, e := range evs {
		s += summary(e, false)
	}
	return s
}

func TestStamps(t *testing.T) {
	const kill = "Out of memory: Killed process 1 (a)"
	tests := []struct {
		line string
		want Stamp
		host string
	}{
		{"[Sun Nov  2 18:33:16 2026] " + kill, Stamp{Wall: "2026-11-02T18:33:16"}, ""},
		{"[Nov22 19:12] " + kill, Stamp{Wall: "--11-22T19:12"}, ""},
		{"Mar  1 11:19:17 web kernel: " + kill, Stamp{Wall: "--03-01T11:19:17"}, "web"},
		{"2026-11-22T18:33:16,000001+00:00 " + kill, Stamp{Wall: "2026-11-22T18:33:16.000001+00:00"}, ""},
		{"2024-03-10T11:19:17+0000 db kernel: " + kill, Stamp{Wall: "2024-03-10T11:19:17+00:00"}, "db"},
		{"1710069557.123456 db kernel: " + kill, Stamp{Wall: "2024-03-10T11:19:17.123456Z"}, "db"},
		{"Sun 2024-03-10 11:19:17 UTC db kernel: " + kill, Stamp{Wall: "2024-03-10T11:19:17"}, "db"},
		{"4,1,38659319,-,caller=T9;" + kill, Stamp{Boot: 38.659319, HasBoot: true}, ""},
		{"[   38.659319] " + kill, Stamp{Boot: 38.659319, HasBoot: true}, ""},
		{kill, Stamp{}, ""},
	}
	for _, tt := range tests {
		evs, _ := readAll(tt.line, Options{})
		if len(evs) != 1 {
			t.Errorf("%s: %d events", tt.line, len(evs))
			continue
		}
		m := evs[0].Head()
		if m.Stamp != tt.want || m.End != tt.want || m.Host != tt.host {
			t.Errorf("%s: %+v host %q", tt.line, m.Stamp, m.Host)
		}
	}
}

// TestFramingSamples reads the table's samples: each is found to be what it
// says.
func TestFramingSamples(t *testing.T) {
	for i, f := range framings {
		if i == frameProc {
			continue
		}
		var fr framer
		var got line
		take := func(l *line) { got = *l }
		text, _ := strings.CutPrefix(f.sample, "Panic#1 Part1\n") // parts are put in order before the framer
		if i == framePstore {
			fr.count[i] = 1
		}
		no := 0
		for l := range strings.Lines(text) {
			no++
			fr.unwrap(strings.TrimSuffix(l, "\n"), no, look([]byte(l)), take)
		}
		fr.end(take)
		if fr.count[i] != 1 || i != framePlain && got.text != "sysrq: Show State" {
			t.Errorf("%s: text %q, counts %v", f.name, got.text, fr.count)
		}
	}
}

// TestOthers holds that what other programs write is not taken for the
// kernel's.
func TestOthers(t *testing.T) {
	const fake = "java invoked oom-killer: gfp_mask=0xd0, order=0"
	for _, l := range []string{
		"Mar 10 11:19:17 web sshd[12]: " + fake,
		"2024-03-10T11:19:17.123456+00:00 web app: " + fake,
		"1710069557.123456 web app[1]: " + fake,
		"user  :notice: [   12.345678] " + fake,
		"<14>[   12.345678] " + fake,
		"12,367,4730872,-;" + fake,
		"Subject: [BUG] " + fake,
		`pr_warn("%s invoked oom-killer: gfp_mask=%#x(%pGg)", current->comm`,
		"the machine froze after java invoked oom-killer and then",
		"Killed process %d (%s) total-vm:%lukB",
	} {
		_, res := readAll(l+"\n", Options{})
		if res.Records != (Counts{}) {
			t.Errorf("%s: %+v", l, res.Records)
		}
	}
}
