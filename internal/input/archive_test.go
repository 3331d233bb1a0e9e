package input

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
)

// entry is a member of an archive to be; link is a symbolic one.
type entry struct {
	name, data, link string
}

func tarOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		h := &tar.Header{Name: e.name, Mode: 0o600, Size: int64(len(e.data)), Typeflag: tar.TypeReg}
		if e.link != "" {
			h.Typeflag, h.Linkname = tar.TypeSymlink, e.link
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, e.data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func zipOf(t testing.TB, entries ...entry) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, e := range entries {
		h := &zip.FileHeader{Name: e.name, Method: zip.Deflate}
		data := e.data
		if e.link != "" {
			h.SetMode(0o777 | os.ModeSymlink)
			data = e.link
		}
		f, err := w.CreateHeader(h)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(f, data); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func cpioOf(entries ...entry) []byte {
	var b bytes.Buffer
	add := func(name, data string, mode int) {
		fmt.Fprintf(&b, "070701%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x%08x",
			1, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name)+1, 0)
		b.WriteString(name + "\x00")
		b.Write(make([]byte, -b.Len()&3))
		b.WriteString(data)
		b.Write(make([]byte, -b.Len()&3))
	}
	for _, e := range entries {
		if e.link != "" {
			add(e.name, e.link, 0o120777)
		} else {
			add(e.name, e.data, 0o100600)
		}
	}
	add("TRAILER!!!", "", 0)
	return b.Bytes()
}

func zst(t testing.TB, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		t.Fatal(err)
	}
	return w.EncodeAll(data, nil)
}

func lz4Of(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := lz4.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func fixture(t testing.TB, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// names are those of the sources of an archive b.tar, without "b.tar:"; an
// error stands behind its source, and what can be read has the text of one line
// or is checked by the caller.
func names(t testing.TB, src []Source, base string) []string {
	t.Helper()
	var out []string
	for _, s := range src {
		name := strings.TrimPrefix(s.Name, base)
		if r, err := s.Open(); err != nil {
			name += " ! " + err.Error()
		} else {
			if _, err := io.Copy(io.Discard, r); err != nil {
				name += " !! " + err.Error()
			}
			r.Close()
		}
		out = append(out, name)
	}
	return out
}

func textOf(t testing.TB, src []Source, name string) string {
	t.Helper()
	for _, s := range src {
		if s.Name == name {
			r, err := s.Open()
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			defer r.Close()
			b, err := io.ReadAll(r)
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			return string(b)
		}
	}
	t.Fatalf("no source %s in %v", name, src)
	return ""
}

func openBytes(t testing.TB, data []byte, name string, lim Limits) *Inputs {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	in := Open([]string{path}, nil, Options{Limits: lim, Journal: findTestJournal})
	t.Cleanup(func() { in.Close() })
	for i := range in.Sources {
		in.Sources[i].Name = strings.TrimPrefix(in.Sources[i].Name, filepath.Dir(path)+"/")
		in.Sources[i].Follows = strings.TrimPrefix(in.Sources[i].Follows, filepath.Dir(path)+"/")
	}
	for i := range in.Listings {
		l := &in.Listings[i]
		l.Name = strings.TrimPrefix(l.Name, filepath.Dir(path)+"/")
		for j := range l.Entries {
			l.Entries[j].Name = strings.TrimPrefix(l.Entries[j].Name, filepath.Dir(path)+"/")
		}
	}
	return in
}

func reason(in *Inputs, name string) string {
	for _, l := range in.Listings {
		for _, e := range l.Entries {
			if e.Name == name {
				return e.Reason
			}
		}
	}
	return "(not listed)"
}

func TestCompressions(t *testing.T) {
	long := strings.Repeat(line, 10_000)
	tests := []struct {
		name        string
		data        []byte
		want        string
		compression string
	}{
		{"zstd", zst(t, []byte(long)), long, "zstd"},
		{"two frames of zstd", append(zst(t, []byte(line)), zst(t, []byte(line))...), line + line, "zstd"},
		{"lz4", lz4Of(t, []byte(long)), long, "lz4"},
		{"lz4, as of old", fixture(t, "line-legacy.lz4"), line, "lz4"},
		{"xz", fixture(t, "line.xz"), line, "xz"},
		{"two streams of xz", append(fixture(t, "line.xz"), fixture(t, "line.xz")...), line + line, "xz"},
		{"xz in gzip in zstd in lz4", lz4Of(t, zst(t, gz(t, fixture(t, "line.xz")))), line, "lz4"},
		{"as deep as allowed", deep(t, DefaultLimits.Depth), line, "gzip"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, got, err := read(t, bytes.NewReader(tt.data), "-")
			if err != nil {
				t.Fatal(err)
			}
			if got != tt.want || s.Compression != tt.compression {
				t.Errorf("read %d bytes of %s, want %d of %s", len(got), s.Compression, len(tt.want), tt.compression)
			}
		})
	}
}

func TestDamagedCompressions(t *testing.T) {
	long := strings.Repeat(line+"some words that differ", 50_000)
	for name, data := range map[string][]byte{
		"zstd": zst(t, []byte(long)), "lz4": lz4Of(t, []byte(long)), "xz": fixture(t, "line.xz"),
	} {
		for _, cut := range []int{7, len(data) / 2, len(data) - 1} {
			_, got, err := read(t, bytes.NewReader(data[:cut]), "-")
			if err == nil || !strings.HasPrefix(err.Error(), name+" data is ") {
				t.Errorf("%s cut at %d of %d: read %d bytes, %v", name, cut, len(data), len(got), err)
			}
		}
	}
}

const (
	uname  = "Linux web12.example.com 3.2.40 #1 SMP Sun Nov 22 19:25:19 UTC 2026 x86_64 GNU/Linux\n"
	stack  = "[<ffffffff8110a9c1>] mem_cgroup_handle_oom+0x241/0x3b0\n[<ffffffffffffffff>] 0xffffffffffffffff\n"
	status = "Name:\tjava\nUmask:\t0022\nState:\tD (disk sleep)\nTgid:\t123\nPid:\t%d\n"
)

// sos is a sosreport in miniature. Directories are in the order of the alphabet
// for the sake of the test on one.
func sos(t testing.TB) []entry {
	return []entry{
		{name: "sos/dmesg", link: "sos_commands/kernel/dmesg"},
		{name: "sos/etc/logrotate.d/syslog", data: "/var/log/messages {}\n"},
		{name: "sos/free", data: line},
		{name: "sos/hostname", data: "web12\n"},
		{name: "sos/installed-rpms", data: "kernel-3.2.40\n"},
		{name: "sos/proc/123/cgroup", data: "5:cpu:/\n4:memory:/app\n"},
		{name: "sos/proc/123/maps", data: "00400000-0040b000 r-xp\n"},
		{name: "sos/proc/123/stack", data: "[<0>] unused, its task has it too\n"},
		{name: "sos/proc/123/status", data: fmt.Sprintf(status, 123)},
		{name: "sos/proc/123/task/123/stack", data: stack},
		{name: "sos/proc/123/task/124/comm", data: "GC Thread\n"},
		{name: "sos/proc/123/task/124/stack", data: ""},
		{name: "sos/proc/123/task/124/wchan", data: "futex_wait"},
		{name: "sos/proc/45/cgroup", data: "0::/init.scope\n"},
		{name: "sos/proc/45/status", data: "Name:\tcron\nState:\tS (sleeping)\nPid:\t45\n"},
		{name: "sos/proc/meminfo", data: "MemTotal: 1 kB\n"},
		{name: "sos/proc/version", data: "Linux version 3.2.40 (me@build) #1 SMP\n"},
		{name: "sos/sos_commands/kernel/dmesg", data: line},
		{name: "sos/sos_commands/kernel/uname_-a", data: uname},
		{name: "sos/sos_commands/logs/journalctl_--no-pager", data: line},
		{name: "sos/sos_commands/process/ps_auxwwwm", data: "USER PID\n"},
		{name: "sos/sys/fs/cgroup/memory/app/memory.numa_stat", data: "total=1\n"},
		{name: "sos/sys/fs/cgroup/memory/app/memory.oom_control", data: "oom_kill_disable 0\nunder_oom 1\n"},
		{name: "sos/sys/fs/cgroup/memory/memory.limit_in_bytes", data: "1048576"},
		{name: "sos/var/log/kern.log", data: line},
		{name: "sos/var/log/kern.log.1", data: line},
		{name: "sos/var/log/kern.log.10.gz", data: string(gz(t, []byte(line)))},
		{name: "sos/var/log/kern.log.2.gz", data: string(gz(t, []byte(line)))},
		{name: "sos/var/log/messages", data: line},
		{name: "sos/var/log/messages-20260901.gz", data: string(gz(t, []byte(line)))},
		{name: "sos/var/log/messages-20261101.xz", data: string(fixture(t, "line.xz"))},
		{name: "sos/var/log/sa/sa01", data: "\x80\x01\xfe\x41\x80"},
		{name: "sos/var/log/serial.log", data: line},
		{name: "sos/var/log/yum.log", data: "Installed: kernel\n"},
		{name: "sos/var/tmp/notes", data: line},
	}
}

var sosSources = []string{
	"sos/sos_commands/kernel/dmesg",
	"sos/sos_commands/logs/journalctl_--no-pager",
	"sos/sos_commands/process/ps_auxwwwm",
	"sos/var/log/kern.log.10.gz",
	"sos/var/log/kern.log.2.gz",
	"sos/var/log/kern.log.1",
	"sos/var/log/kern.log",
	"sos/var/log/messages-20260901.gz",
	"sos/var/log/messages-20261101.xz",
	"sos/var/log/messages",
	"sos/var/log/serial.log",
	"sos/proc/*/stack",
	"sos/sys/fs/cgroup/**/memory.*",
}

const sosStacks = `--- pid 45 tgid 45 cron: S (sleeping), cgroup /init.scope
==> proc/123/task/123/stack <==
Name:	java
State:	D (disk sleep)
cgroup: 4:memory:/app
[<ffffffff8110a9c1>] mem_cgroup_handle_oom+0x241/0x3b0
[<ffffffffffffffff>] 0xffffffffffffffff
==> proc/123/task/124/stack <==
Name:	GC Thread
wchan: futex_wait
`

const sosGroups = `==> sys/fs/cgroup/memory/app/memory.oom_control <==
oom_kill_disable 0
under_oom 1
==> sys/fs/cgroup/memory/memory.limit_in_bytes <==
1048576
`

func TestSupportTree(t *testing.T) {
	entries := sos(t)
	plain := tarOf(t, entries...)
	tests := []struct {
		name string
		data []byte
	}{
		{"b.tar", plain},
		{"b.tar.gz", gz(t, plain)},
		{"b.tgz", gz(t, plain)},
		{"b.tar.zst", zst(t, plain)},
		{"b.tar.lz4", lz4Of(t, plain)},
		{"named.wrongly", zst(t, plain)},
		{"b.zip", zipOf(t, entries...)},
		{"b.zip.gz", gz(t, zipOf(t, entries...))},
		{"b.cpio", cpioOf(entries...)},
		{"b.cpio.zst", zst(t, cpioOf(entries...))},
	}
	check := func(t *testing.T, in *Inputs, base string) {
		t.Helper()
		if diff := cmp.Diff(sosSources, names(t, in.Sources, base)); diff != "" {
			t.Errorf("sources (-want +got):\n%s", diff)
		}
		follows := ""
		for _, s := range in.Sources {
			if s.Host != "web12.example.com" || s.Release != "3.2.40" {
				t.Errorf("%s is of host %q, kernel %q", s.Name, s.Host, s.Release)
			}
			if s.Follows != "" {
				follows += strings.TrimPrefix(s.Follows, base) + " < " + strings.TrimPrefix(s.Name, base) + "\n"
			}
		}
		if want := "sos/var/log/kern.log.10.gz < sos/var/log/kern.log.2.gz\n" +
			"sos/var/log/kern.log.2.gz < sos/var/log/kern.log.1\n" +
			"sos/var/log/kern.log.1 < sos/var/log/kern.log\n" +
			"sos/var/log/messages-20260901.gz < sos/var/log/messages-20261101.xz\n" +
			"sos/var/log/messages-20261101.xz < sos/var/log/messages\n"; follows != want {
			t.Errorf("Follows:\n%swant:\n%s", follows, want)
		}
		if diff := cmp.Diff(sosStacks, textOf(t, in.Sources, base+"sos/proc/*/stack")); diff != "" {
			t.Errorf("stacks (-want +got):\n%s", diff)
		}
		if diff := cmp.Diff(sosGroups, textOf(t, in.Sources, base+"sos/sys/fs/cgroup/**/memory.*")); diff != "" {
			t.Errorf("groups (-want +got):\n%s", diff)
		}
		if got := textOf(t, in.Sources, base+"sos/var/log/messages-20261101.xz"); got != line {
			t.Errorf("messages: %q", got)
		}
		for name, want := range map[string]string{
			"dmesg":                  "is a link to sos/sos_commands/kernel/dmesg",
			"etc/logrotate.d/syslog": "is configuration",
			"free":                   "is no known log of such a tree",
			"proc/123/maps":          "is nothing of a log",
			"var/log/sa/sa01":        "is binary data of an unknown kind, not a log",
			"var/log/yum.log":        "has no kernel records in its first MiB",
			"var/log/serial.log":     "has kernel records",
			"var/log/kern.log.1":     "kernel log",
			"var/tmp/notes":          "is no known log of such a tree",
		} {
			if got := reason(in, base+"sos/"+name); got != want {
				t.Errorf("%s %q, want %q", name, got, want)
			}
		}
		if n := len(in.Listings[0].Entries); n != len(entries) {
			t.Errorf("%d entries listed, want %d", n, len(entries))
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			check(t, openBytes(t, tt.data, tt.name, Limits{}), tt.name+":")
		})
		t.Run(tt.name+" on stdin", func(t *testing.T) {
			in := Open([]string{"-"}, bytes.NewReader(tt.data), Options{})
			defer in.Close()
			check(t, in, "-:")
		})
	}
	t.Run("directory", func(t *testing.T) {
		dir := t.TempDir()
		for _, e := range entries {
			path := filepath.Join(dir, e.name)
			if e.link == "" {
				write(t, path, []byte(e.data))
				continue
			}
			if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(e.link, path); err != nil {
				t.Fatal(err)
			}
		}
		in := Open([]string{dir}, nil, Options{})
		defer in.Close()
		check(t, in, dir+"/")

		// The directory that is named may be a part of the tree.
		for part, want := range map[string]string{
			"sos":              dir + "/sos/proc/*/stack",
			"sos/proc":         dir + "/sos/proc/*/stack",
			"sos/proc/123":     dir + "/sos/proc/*/stack",
			"sos/proc/123/../": dir + "/sos/proc/*/stack",
		} {
			in := Open([]string{dir + "/" + part}, nil, Options{})
			found := false
			for _, s := range in.Sources {
				found = found || s.Name == want
			}
			if !found {
				t.Errorf("%s: sources %v, want %s among them", part, names(t, in.Sources, dir), want)
			}
			in.Close()
		}
	})
}

func TestFixtureTarXZ(t *testing.T) {
	in := openBytes(t, fixture(t, "host.tar.xz"), "host.tar.xz", Limits{})
	want := []string{"host/var/log/messages-20261101.gz", "host/var/log/messages"}
	if diff := cmp.Diff(want, names(t, in.Sources, "host.tar.xz:")); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}

func TestNestedArchives(t *testing.T) {
	host := func(name string) []byte {
		return gz(t, tarOf(t, entry{name: "sos_commands/kernel/uname_-a", data: "Linux " + name + " 6.1.0 #1 SMP\n"}, entry{name: "var/log/messages", data: line}))
	}
	all := tarOf(t,
		entry{name: "a.tar.gz", data: string(host("a"))},
		entry{name: "b.zip", data: string(zipOf(t, entry{name: "inner.tar.gz", data: string(host("b"))}))},
		entry{name: "readme", data: "nothing\n"},
	)
	in := openBytes(t, zst(t, all), "all.tar.zst", Limits{})
	var got []string
	for _, s := range in.Sources {
		got = append(got, s.Name+" "+s.Host)
	}
	want := []string{"all.tar.zst:a.tar.gz:var/log/messages a", "all.tar.zst:b.zip:inner.tar.gz:var/log/messages b"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}

	deep := tarOf(t, entry{name: "messages", data: line})
	for range 10 {
		deep = tarOf(t, entry{name: "deeper.tar", data: string(deep)}, entry{name: "dmesg", data: line})
	}
	in = openBytes(t, deep, "deep.tar", Limits{})
	got = names(t, in.Sources, "deep.tar:")
	if len(got) != 7 || !strings.Contains(got[6], "is packed more than 6 times") {
		t.Errorf("ten deep: %q", got)
	}
	if in := openBytes(t, deep, "deep.tar", Limits{Depth: 11}); len(in.Sources) != 11 {
		t.Errorf("ten deep, allowed: %q", names(t, in.Sources, "deep.tar:"))
	}
}

// Names only ever become names: nothing is written anywhere.
func TestHostileNames(t *testing.T) {
	entries := []entry{
		{name: "../../../../../../etc/shadow.log", data: line},
		{name: "/abs/dmesg", data: line},
		{name: "a/../../b/dmesg", data: line},
		{name: "link1", link: "../../../../../etc/passwd"},
		{name: "x/dmesg", link: "/etc/passwd"},
		{name: "y/dmesg", link: "../../../../b/dmesg"},
		{name: "loop/dmesg", link: "../loop2/dmesg"},
		{name: "loop2/dmesg", link: "../loop/dmesg"},
		{name: "e\x1b[31m\n/dmesg", data: line},
		{name: strings.Repeat("long/", 2000) + "dmesg", data: line},
	}
	want := []string{"abs/dmesg", "b/dmesg", "e\x1b[31m\n/dmesg"}
	for kind, data := range map[string][]byte{"b.tar": tarOf(t, entries...), "b.zip": zipOf(t, entries...)} {
		in := openBytes(t, data, kind, Limits{})
		if diff := cmp.Diff(want, names(t, in.Sources, kind+":")); diff != "" {
			t.Errorf("%s: sources (-want +got):\n%s", kind, diff)
		}
		for name, want := range map[string]string{
			"etc/shadow.log": "is configuration",
			"link1":          "is a link to etc/passwd, which is not there",
			"x/dmesg":        "is a link to etc/passwd, which is not there",
			"y/dmesg":        "is a link to b/dmesg",
			"loop/dmesg":     "is a link that leads in a circle",
		} {
			if got := reason(in, kind+":"+name); got != want {
				t.Errorf("%s: %s %q, want %q", kind, name, got, want)
			}
		}
	}
}

// A link of a directory never leads out of it.
func TestLinkOutOfDirectory(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "secret")
	write(t, outside, []byte(line))
	dir := t.TempDir()
	write(t, filepath.Join(dir, "kern.log"), []byte(line))
	if err := os.Symlink(outside, filepath.Join(dir, "dmesg")); err != nil {
		t.Fatal(err)
	}
	if got := names(t, sourcesOf(t, nil, dir), dir+"/"); len(got) != 1 || got[0] != "kern.log" {
		t.Errorf("sources %q, want kern.log", got)
	}
}

// What a log's name points to is read under its own name, wherever it stands.
func TestLinkMakesALog(t *testing.T) {
	entries := []entry{
		{name: "sos/sos_commands/boot/1", data: line},
		{name: "sos/var/log/dmesg", link: "../../sos_commands/boot/1"},
		{name: "sos/var/log/dmesg.old", link: "../../sos_commands/boot/2"},
		{name: "sos/sos_commands/boot/2", data: line},
		{name: "sos/sos_commands/boot/3", data: line},
	}
	want := []string{"sos/sos_commands/boot/1", "sos/sos_commands/boot/2"}
	data := tarOf(t, entries...)
	in := openBytes(t, data, "b.tar", Limits{})
	if diff := cmp.Diff(want, names(t, in.Sources, "b.tar:")); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if len(in.Listings) != 1 || len(in.Listings[0].Entries) != len(entries) {
		t.Errorf("listing %v", in.Listings)
	}
}

func TestLooseTree(t *testing.T) {
	in := openBytes(t, tarOf(t,
		entry{name: "ticket/README.md", data: line},
		entry{name: "ticket/console.html", data: "<pre>" + line},
		entry{name: "ticket/export.csv", data: "time,host,message\n1,a,INFO: task java:12 blocked for more than 120 seconds.\n"},
		entry{name: "ticket/late.log", data: strings.Repeat("application line\n", 80_000) + line},
		entry{name: "ticket/router.log", data: "link up\n"},
		entry{name: "ticket/shot.png", data: "\x89PNG\r\n\x1a\n"},
		entry{name: "ticket/syslog.txt", data: "Nov 22 10:00:00 web12 kernel: eth0: link up\n"},
		entry{name: "ticket/.hidden", data: line},
		entry{name: "ticket/empty.log"},
	), "ticket.tar", Limits{})
	want := []string{"ticket/console.html", "ticket/export.csv", "ticket/syslog.txt"}
	if diff := cmp.Diff(want, names(t, in.Sources, "ticket.tar:")); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
	if got, want := in.Listings[0].Summary(), "used 3 of 9 members of ticket.tar; --list-inputs shows which"; got != want {
		t.Errorf("Summary() = %q, want %q", got, want)
	}
	var b strings.Builder
	if err := in.WriteList(&b, strings.ToUpper); err != nil {
		t.Fatal(err)
	}
	if want := "\nyes  68         TICKET.TAR:TICKET/CONSOLE.HTML  HAS KERNEL RECORDS\n"; !strings.Contains(b.String(), want) {
		t.Errorf("list is\n%swant %q in it", b.String(), want)
	}

	in = openBytes(t, tarOf(t, entry{name: "a.txt", data: "x\n"}), "no.tar", Limits{})
	if got := names(t, in.Sources, ""); len(got) != 1 || got[0] != "no.tar ! holds no file that looks like a log (1 members; --list-inputs shows why)" {
		t.Errorf("sources %q", got)
	}
}

func TestOtherTools(t *testing.T) {
	tests := []struct {
		name    string
		entries []entry
		want    []string // source and host
	}{
		{"supportconfig", []entry{
			{name: "scc_web12/basic-environment.txt", data: "#==[ Command ]====#\n# /bin/uname -a\nLinux web12 5.14.21-default #1 SMP x86_64\n"},
			{name: "scc_web12/boot.txt", data: "#==[ Command ]====#\n# /usr/bin/dmesg -T\n" + line},
			{name: "scc_web12/fs-diskio.txt", data: line},
			{name: "scc_web12/messages.txt", data: "#==[ Log File ]====#\n# /var/log/messages - Last 500 Lines\n" + line},
		}, []string{"scc_web12/boot.txt web12", "scc_web12/messages.txt web12"}},
		{"must-gather", []entry{
			{name: "mg/cluster-scoped-resources/core/nodes.yaml", data: line},
			{name: "mg/nodes/worker-1/dmesg", data: line},
			{name: "mg/nodes/worker-1/logs/kubelet_1.log.gz", data: string(gz(t, []byte(line)))},
			{name: "mg/nodes/worker-2/dmesg", data: line},
			{name: "mg/nodes/worker-2/worker-2_logs_kubelet.gz", data: string(gz(t, []byte(line)))},
		}, []string{"mg/nodes/worker-1/dmesg worker-1", "mg/nodes/worker-2/dmesg worker-2"}},
		{"kdump", []entry{
			{name: "var/crash/127.0.0.1-2026-11-01-10:11:12/vmcore", data: "KDUMP   "},
			{name: "var/crash/127.0.0.1-2026-11-01-10:11:12/vmcore-dmesg.txt", data: line},
		}, []string{"var/crash/127.0.0.1-2026-11-01-10:11:12/vmcore-dmesg.txt "}},
	}
	for _, tt := range tests {
		in := openBytes(t, tarOf(t, tt.entries...), "b.tar", Limits{})
		var got []string
		for _, s := range in.Sources {
			got = append(got, strings.TrimPrefix(s.Name, "b.tar:")+" "+s.Host)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: sources (-want +got):\n%s", tt.name, diff)
		}
	}
}

func TestPstorePartsInOrder(t *testing.T) {
	src := openBytes(t, tarOf(t,
		entry{name: "sys/fs/pstore/dmesg-efi-1", data: "Panic#2 Part1\nfour\n"},
		entry{name: "sys/fs/pstore/dmesg-efi-2", data: "Panic#2 Part2\nthree"},
		entry{name: "sys/fs/pstore/dmesg-efi-3", data: "Oops#1 Part1\ntwo\n"},
		entry{name: "sys/fs/pstore/dmesg-efi-4", data: "Oops#1 Part10\none\n"},
	), "b.tar", Limits{}).Sources
	want := "Oops#1 Part10\none\nOops#1 Part1\ntwo\nPanic#2 Part2\nthree\nPanic#2 Part1\nfour\n"
	if got := textOf(t, src, "b.tar:sys/fs/pstore/dmesg-*"); got != want {
		t.Errorf("read %q, want %q", got, want)
	}
}

func TestLimits(t *testing.T) {
	many := []entry{{name: "dmesg", data: line}}
	for i := range 50 {
		many = append(many, entry{name: fmt.Sprintf("f%d.txt", i), data: "nothing\n"})
	}
	zeros := string(gz(t, bytes.Repeat([]byte(line), 100_000)))
	tests := []struct {
		name string
		data []byte
		lim  Limits
		want []string
	}{
		{"members of a tar", tarOf(t, many...), Limits{Members: 50},
			[]string{"dmesg", "b ! holds more than 50 members; --max-members raises the limit"}},
		{"members of a zip", zipOf(t, many...), Limits{Members: 50},
			[]string{"dmesg", "b ! holds more than 50 members; --max-members raises the limit"}},
		{"members of archives in an archive", tarOf(t, entry{name: "dmesg", data: line}, entry{name: "a.tar", data: string(tarOf(t, many...))}), Limits{Members: 50},
			[]string{"a.tar:dmesg", "dmesg", "b ! holds more than 50 members; --max-members raises the limit"}},
		{"bytes of a tar", tarOf(t, entry{name: "dmesg", data: line}, entry{name: "vmcore", data: strings.Repeat("x", 1<<20)}, entry{name: "syslog", data: line}), Limits{Bytes: 1 << 20},
			[]string{"dmesg", "b ! unpacks to more than 1 MiB; --max-size raises the limit"}},
		{"bytes of members", zipOf(t, entry{name: "dmesg", data: line}, entry{name: "kern.log.gz", data: zeros}, entry{name: "syslog", data: line}), Limits{Bytes: 5 << 20},
			[]string{"dmesg", "kern.log.gz !! unpacks to more than 5 MiB; --max-size raises the limit"}},
		{"bytes of a zip in a tar", tarOf(t, entry{name: "dmesg", data: line}, entry{name: "a.zip", data: strings.Repeat("PK\x03\x04", 1<<18)}), Limits{Bytes: 1 << 19},
			[]string{"dmesg", "b ! unpacks to more than 512 KiB; --max-size raises the limit"}},
	}
	for _, tt := range tests {
		in := openBytes(t, tt.data, "b", tt.lim)
		if diff := cmp.Diff(tt.want, names(t, in.Sources, "b:")); diff != "" {
			t.Errorf("%s: sources (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Ten archives that each grow within the limit are one that does not.
func TestBombInArchive(t *testing.T) {
	if testing.Short() {
		t.Skip("unpacks 300 MB")
	}
	bomb := string(gz(t, make([]byte, 30<<20)))
	var entries []entry
	for i := range 10 {
		entries = append(entries, entry{name: fmt.Sprintf("kern.log.%d.gz", i), data: bomb})
	}
	for kind, data := range map[string][]byte{"b.tar.gz": gz(t, tarOf(t, entries...)), "b.zip": zipOf(t, entries...)} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		in := openBytes(t, data, kind, Limits{})
		runtime.ReadMemStats(&after)
		got := names(t, in.Sources, kind+":")
		if !strings.Contains(strings.Join(got, "\n"), " !! the archive grows more than 200-fold and was not read to its end; --max-growth raises the limit") {
			t.Errorf("%s: %q", kind, got)
		}
		if grown := after.Sys - before.Sys; grown > 200<<20 {
			t.Errorf("%s: %d MiB of memory", kind, grown>>20)
		}
		if in.spool.mem > spoolMemory+1<<20 {
			t.Errorf("%s: %d bytes in memory", kind, in.spool.mem)
		}
	}
}

func TestDamagedArchive(t *testing.T) {
	var long strings.Builder
	for i := range 20_000 {
		fmt.Fprintf(&long, "[%5d.%06d] line %x of a log\n", i, i*7919%1_000_000, i*i*7919)
	}
	entries := []entry{
		{name: "dmesg", data: line}, {name: "kern.log", data: long.String()}, {name: "nothing", data: long.String()[:99] + "\n"}, {name: "syslog", data: line},
	}
	whole := tarOf(t, entries...)
	garbled := bytes.Clone(whole)
	at := bytes.Index(garbled, []byte("syslog"))
	copy(garbled[at+100:], "????????????????????????????????????????????????????????????")
	packed := gz(t, whole)
	z := zipOf(t, entries...)
	zBad := bytes.Clone(z)
	zBad[len(line)+300] ^= 0x55
	tests := []struct {
		name string
		data []byte
		want []string
	}{
		{"tar cut in a member", whole[:100_000], []string{"dmesg", "kern.log !! tar archive is cut short"}},
		{"tar garbled", garbled, []string{"dmesg", "kern.log", "nothing", "b ! tar archive is damaged, in or behind its member nothing"}},
		{"gzip cut", packed[:len(packed)/2], []string{"dmesg", "kern.log !! gzip data is cut short after N bytes of text"}},
		{"zip member", zBad, []string{"dmesg", "kern.log !! zip archive is damaged", "nothing", "syslog"}},
		{"zip cut", z[:len(z)-30], []string{"b ! zip archive is cut short or damaged: its directory, at its end, cannot be read"}},
		{"cpio cut", cpioOf(entries...)[:100_000], []string{"dmesg", "kern.log !! cpio archive is cut short"}},
		{"a member is damaged", tarOf(t, entry{name: "a/dmesg.gz", data: string(gz(t, []byte(long.String()))[:200])}, entry{name: "b/dmesg.xz", data: "\xfd7zXZ\x00\x00\x04"}, entry{name: "syslog", data: line}),
			[]string{"a/dmesg.gz !! gzip data is cut short after N bytes of text", "b/dmesg.xz ! xz data is cut short after N bytes of text", "syslog"}},
	}
	for _, tt := range tests {
		in := openBytes(t, tt.data, "b", Limits{})
		got := names(t, in.Sources, "b:")
		for i := range got {
			if head, tail, ok := strings.Cut(got[i], " after "); ok {
				got[i] = head + " after N" + strings.TrimLeft(tail, "0123456789")
			}
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s: sources (-want +got):\n%s", tt.name, diff)
		}
	}
}

// Large members go to a file, which leaves nothing behind.
func TestSpool(t *testing.T) {
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	large := strings.Repeat(line, 60_000)
	var entries []entry
	for i := range 4 {
		entries = append(entries, entry{name: fmt.Sprintf("%d/dmesg", i), data: large + fmt.Sprint(i)})
	}
	in := openBytes(t, tarOf(t, entries...), "b.tar", Limits{})
	if in.spool.mem != 0 || in.spool.off == 0 || in.spool.off > 1<<20 {
		t.Errorf("%d bytes in memory, %d in the file", in.spool.mem, in.spool.off)
	}
	in.spool.mem = spoolMemory // full
	b, err := in.spool.put(strings.NewReader(line))
	if err != nil || b.file == nil {
		t.Fatalf("a small member with the memory full: %v, %v", b, err)
	}
	if r, err := b.open(); err != nil {
		t.Error(err)
	} else if got, err := io.ReadAll(r); err != nil || string(got) != line {
		t.Errorf("read %q, %v", got, err)
	}
	for i, s := range in.Sources {
		for range 2 {
			if got := textOf(t, []Source{s}, s.Name); got != large+fmt.Sprint(i) {
				t.Errorf("%s: read %d bytes", s.Name, len(got))
			}
		}
	}
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 1 { // the test's own file
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// testJournal stands for journalctl in openBytes; a test that sets it does not
// run beside another.
var testJournal Reader

func findTestJournal() Reader { return testJournal }

func TestJournal(t *testing.T) {
	t.Cleanup(func() { testJournal = nil })
	journal := journalMagic + strings.Repeat("\x00", 200)
	packed := gz(t, []byte(journal))
	archive := tarOf(t, entry{name: "var/log/journal/0123/system.journal", data: journal})
	inputs := map[string][]byte{"a.journal": []byte(journal), "b.journal.gz": packed, "c.tar": archive}

	testJournal = func(file string) (io.ReadCloser, error) {
		if data, err := os.ReadFile(file); err != nil || string(data) != journal {
			return nil, errors.New("not a journal")
		}
		return io.NopCloser(strings.NewReader(line)), nil
	}
	tmp := t.TempDir()
	t.Setenv("TMPDIR", tmp)
	for name, data := range inputs {
		in := openBytes(t, data, name, Limits{})
		for range 2 {
			if got := textOf(t, in.Sources, in.Sources[0].Name); got != line {
				t.Errorf("%s: read %q", name, got)
			}
		}
	}
	if left, err := filepath.Glob(filepath.Join(tmp, "oomtrace-*")); err != nil || left != nil {
		t.Errorf("left behind: %v, %v", left, err)
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "system.journal"), []byte(journal))
	in := Open([]string{dir}, nil, Options{Journal: findTestJournal})
	defer in.Close()
	if got := names(t, in.Sources, dir+"/"); len(got) != 1 || got[0] != "system.journal" {
		t.Errorf("directory: %q", got)
	}

	bad := errors.New("Bad message")
	testJournal = func(string) (io.ReadCloser, error) {
		return io.NopCloser(io.MultiReader(strings.NewReader(line), failing{bad})), nil
	}
	for name, data := range inputs {
		in := openBytes(t, data, name, Limits{})
		if got := names(t, in.Sources, ""); !strings.Contains(got[0], " !! journalctl cannot read it (Bad message); the file is a systemd journal file; export it: journalctl --file ") {
			t.Errorf("damaged %s: %q", name, got)
		}
	}

	testJournal = nil
	for name, data := range inputs {
		in := openBytes(t, data, name, Limits{})
		if got := names(t, in.Sources, ""); len(got) != 1 || !strings.Contains(got[0], " ! is a systemd journal file; export it: journalctl --file ") {
			t.Errorf("%s without journalctl: %q", name, got)
		}
	}
}

// TestTraceRecording: a recording of trace-cmd is read by its program, as a
// journal is.
func TestTraceRecording(t *testing.T) {
	data := []byte(traceMagic + strings.Repeat("\x00", 200))
	path := filepath.Join(t.TempDir(), "trace.dat")
	write(t, path, data)
	traceCmd := func(file string) (io.ReadCloser, error) {
		if got, err := os.ReadFile(file); err != nil || !bytes.Equal(got, data) {
			return nil, errors.New("not a recording")
		}
		return io.NopCloser(strings.NewReader(line)), nil
	}
	in := Open([]string{path}, nil, Options{Trace: func() Reader { return traceCmd }})
	defer in.Close()
	if got := textOf(t, in.Sources, path); got != line {
		t.Errorf("read %q", got)
	}
	traceCmd = func(string) (io.ReadCloser, error) { return nil, errors.New("Bad message") }
	in = Open([]string{path}, nil, Options{Trace: func() Reader { return traceCmd }})
	defer in.Close()
	if _, err := in.Sources[0].Open(); err == nil || !strings.Contains(err.Error(), "trace-cmd cannot read it (Bad message); the file is a trace-cmd recording; convert it: trace-cmd report -i ") {
		t.Errorf("%v", err)
	}
}

func TestRules(t *testing.T) {
	for i := range rules {
		r := &rules[i]
		for _, prefix := range []string{"", "sosreport-web12-2026/", "a/b/"} {
			got, root := classify(prefix + r.sample)
			if got != r {
				pattern := "none"
				if got != nil {
					pattern = got.pattern
				}
				t.Errorf("%s is taken by %s, want %s", prefix+r.sample, pattern, r.pattern)
			} else if !strings.HasPrefix(prefix+r.sample, root) || len(root) < len(prefix) {
				t.Errorf("%s has the root %q", prefix+r.sample, root)
			}
		}
	}
	for _, name := range []string{"syslog.conf", "kernel", "processes", "stack", "myproc/12/stack", "proc/self/stack", "messages_en.properties"} {
		if r, _ := classify(name); r != nil {
			t.Errorf("%s is taken by %s", name, r.pattern)
		}
	}
	if r, _ := classify("sos/VAR/LOG/Messages"); r == nil || r.class != kernelLog {
		t.Error("a name in capitals is not known")
	}
}

func TestKernelRecords(t *testing.T) {
	for text, want := range map[string]bool{
		"[   12.345678] usb 1-1: new device\n":                     true,
		"<6>[   12.345678] usb 1-1: new device\n":                  true,
		"[Sun Nov 22 18:33:16 2026] usb 1-1: new device\n":         true,
		"2026-11-22T18:33:16,000001+00:00 usb 1-1: new device\n":   true,
		"6,416,5842,-;usb 1-1: new device\n":                       true,
		"4,416,5842,-,caller=T12;usb 1-1: new device\n":            true,
		"Nov 22 10:00:00 web12 kernel: usb 1-1: new device\n":      true,
		"==> /proc/12/stack <==\n":                                 true,
		"[    12.345] (II) an X server\n":                          false,
		"2026-11-22T18:33:16.000001+00:00 host sshd: hello, you\n": false,
		"1,2,3,4;5\n12,34,56,x;\n":                                 false,
		"[info] some application\n[2026-11-22 10:00:00] another\n": false,
		"": false,
	} {
		if got := kernelRecords([]byte(text)); got != want {
			t.Errorf("kernelRecords(%q) = %v", text, got)
		}
	}
}

func TestOlder(t *testing.T) {
	want := []string{
		"a/z", "console-1.log", "console-2.log",
		"dmesg.2.gz", "dmesg.0", "dmesg",
		"kern-20261030.log", "kern-20261101.log.gz", "kern.log",
		"kern.log/x",
		"log.2026-10-30", "log.2026-11-01-12", "log",
		"messages-20260901.gz", "messages-20261101", "messages.10", "messages.2.gz", "messages.old", "messages",
	}
	for i, a := range want {
		for j, b := range want {
			if got := older(a, b); (got < 0) != (i < j) || (got > 0) != (i > j) {
				t.Errorf("older(%s, %s) = %d", a, b, got)
			}
		}
	}
}

func TestHostOf(t *testing.T) {
	for _, tt := range []struct{ name, text, host, release string }{
		{"uname", uname, "web12.example.com", "3.2.40"},
		{"proc/version", "Linux version 6.1.0-13-amd64 (debian@build) (gcc)\n", "", "6.1.0-13-amd64"},
		{"uname_-r", "5.14.0-70.el9.x86_64\n", "", "5.14.0-70.el9.x86_64"},
		{"hostname", "web-12\n", "web-12", ""},
		{"hostname", "two words\n", "", ""},
		{"hostname", "\x1b[31m", "", ""},
		{"uname", "", "", ""},
		{"uname", "Linux is a kernel\n", "", ""},
	} {
		if host, release := hostOf(tt.name, []byte(tt.text)); host != tt.host || release != tt.release {
			t.Errorf("%s %q: %q, %q", tt.name, tt.text, host, release)
		}
	}
}
