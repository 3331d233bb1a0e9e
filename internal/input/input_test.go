package input

import (
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/google/go-cmp/cmp"
)

const line = "[    1.000000] bash invoked oom-killer: gfp_mask=0xd0, order=0\n"

// bz2Line is line, compressed by bzip2; the standard library only unpacks.
var bz2Line = []byte("\x42\x5a\x68\x39\x31\x41\x59\x26\x53\x59\xe5\x6a\x58\x1b\x00\x00\x0d\x5b\x80\x50\x10\x40\x07\x60" +
	"\x12\x00\x0a\xb7\xef\xd9\x40\x20\x00\x54\x45\x34\xc9\x82\x60\x98\x00\x98\x22\x8f\xd2\x9a\x7a\x9a" +
	"\x6d\x47\xa4\x03\x46\x4d\x06\x85\x6d\x90\x58\x6f\xa6\x29\x2c\xc3\x38\x13\x1a\xd0\xa5\x18\xd3\x85" +
	"\xd7\x9f\x9e\xf9\xb7\x89\x57\x01\x5e\xd3\xd3\x98\xd8\xcc\x1a\x60\x0f\x41\xbb\x70\x5d\xc9\x14\xe1" +
	"\x42\x43\x95\xa9\x60\x6c")

func gz(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// read opens and reads the single source of args.
func read(t *testing.T, stdin io.Reader, args ...string) (Source, string, error) {
	t.Helper()
	src := sourcesOf(t, stdin, args...)
	if len(src) != 1 {
		t.Fatalf("Open(%q) has %d sources, want 1", args, len(src))
	}
	r, err := src[0].Open()
	if err != nil {
		return src[0], "", err
	}
	defer r.Close()
	b, err := io.ReadAll(r)
	return src[0], string(b), err
}

// sourcesOf opens args within the default limits.
func sourcesOf(t testing.TB, stdin io.Reader, args ...string) []Source {
	t.Helper()
	in := Open(args, stdin, Options{})
	t.Cleanup(func() {
		if err := in.Close(); err != nil {
			t.Error(err)
		}
	})
	return in.Sources
}

func write(t *testing.T, path string, data []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, data, 0o666); err != nil {
		t.Fatal(err)
	}
}

func TestReadsText(t *testing.T) {
	long := strings.Repeat(line, 10_000)
	twoMembers := append(gz(t, []byte(line)), gz(t, []byte(line))...)
	tests := []struct {
		name        string
		data        []byte
		want        string
		compression string
	}{
		{"plain", []byte(long), long, "none"},
		{"empty", nil, "", "none"},
		{"gzip", gz(t, []byte(long)), long, "gzip"},
		{"gzip of nothing", gz(t, nil), "", "gzip"},
		{"gzip, two members", twoMembers, line + line, "gzip"},
		{"gzip in gzip", gz(t, gz(t, []byte(long))), long, "gzip"},
		{"bzip2", bz2Line, line, "bzip2"},
		{"bzip2 in gzip", gz(t, bz2Line), line, "gzip"},
		{"letters of bzip2", []byte("BZh9 is no magic here\n"), "BZh9 is no magic here\n", "none"},
		{"blocks of NUL", []byte(line + strings.Repeat("\x00", 9000) + line), line + strings.Repeat("\x00", 9000) + line, "none"},
		{"garbled serial line", []byte(line + "\xff\x80\x01\x02" + line), line + "\xff\x80\x01\x02" + line, "none"},
		{"UTF-8", []byte("größe 日本語\n"), "größe 日本語\n", "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "some.log")
			write(t, path, tt.data)
			for _, how := range []struct {
				name  string
				arg   string
				stdin io.Reader
			}{
				{"file", path, nil},
				{"stdin", "-", bytes.NewReader(tt.data)},
				{"stdin byte by byte", "-", iotest.OneByteReader(bytes.NewReader(tt.data))},
			} {
				s, got, err := read(t, how.stdin, how.arg)
				if err != nil {
					t.Fatalf("%s: %v", how.name, err)
				}
				if s.Name != how.arg {
					t.Errorf("%s: Name = %q, want %q", how.name, s.Name, how.arg)
				}
				if s.Compression != tt.compression {
					t.Errorf("%s: Compression = %q, want %q", how.name, s.Compression, tt.compression)
				}
				if got != tt.want {
					t.Errorf("%s: read %d bytes, want %d", how.name, len(got), len(tt.want))
				}
			}
		})
	}
}

// deep is line, compressed n times.
func deep(t testing.TB, n int) []byte {
	data := []byte(line)
	for range n {
		data = gz(t, data)
	}
	return data
}

func TestRefusesWhatIsNoText(t *testing.T) {
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"shot.png", []byte("\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"), "is a PNG image"},
		{"shot.jpg", []byte("\xff\xd8\xff\xe0\x00\x10JFIF"), "is a JPEG image"},
		{"prog", []byte("\x7fELF\x02\x01\x01\x00"), "is an ELF file"},
		{"system.journal", []byte("LPKSHHRH\x00\x00\x00\x00"), "journalctl --file "},
		{"doc.pdf", []byte("%PDF-1.7\n"), "pdftotext -layout "},
		{"trace.dat", []byte("\x17\x08\x44tracing6\x00"), "trace-cmd report "},
		{"notepad.txt", []byte("\xff\xfe[\x00 \x001\x00"), "iconv -f UTF-16"},
		{"noise", bytes.Repeat([]byte{0x80, 0x01, 0xfe, 0x41}, 100), "is binary data of an unknown kind"},
		{"deep.gz", deep(t, 7), "is packed more than 6 times, archives and compression counted; --max-depth raises the limit"},
		{"damaged.xz", []byte("\xfd7zXZ\x00\x00\x04"), "xz data is cut short after 0 bytes of text"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), tt.name)
			write(t, path, tt.data)
			_, got, err := read(t, nil, path)
			if err == nil {
				t.Fatalf("read %q, want an error", got)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q, want %q in it", err, tt.want)
			}
		})
	}
}

func TestDamagedCompressionKeepsWhatCameBefore(t *testing.T) {
	long := strings.Repeat(line, 10_000)
	whole := gz(t, []byte(long))
	flipped := bytes.Clone(whole)
	flipped[len(flipped)-5] ^= 1 // in the checksum
	tests := []struct {
		name string
		data []byte
		want string
	}{
		{"gzip cut", whole[:len(whole)-20], "gzip data is cut short after"},
		{"gzip cut in its header", whole[:5], "gzip data is cut short after 0 bytes"},
		{"small gzip cut", gz(t, []byte(line))[:40], "gzip data is cut short after"},
		{"gzip checksum", flipped, "gzip data is damaged after"},
		{"bzip2 cut", bz2Line[:30], "bzip2 data is cut short after 0 bytes"},
		{"gzip cut in gzip", gz(t, whole[:len(whole)-20]), "gzip data is cut short after"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, got, err := read(t, bytes.NewReader(tt.data), "-")
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %v, want %q in it", err, tt.want)
			}
			if !strings.HasPrefix(long, got) {
				t.Error("the bytes before the damage are not those of the log")
			}
			if strings.Contains(tt.want, "after 0 bytes") != (got == "") {
				t.Errorf("read %d bytes before %v", len(got), err)
			}
		})
	}
}

func TestBombIsStopped(t *testing.T) {
	tests := []struct {
		name string
		in   int64 // bytes on disk
		out  int64 // bytes of text so far
		stop bool
	}{
		{"little", 1, growthFree - 1<<20, false},
		{"much of much", growthFree, 10 * growthFree, false},
		{"much of little", 1 << 20, growthFree, true},
		{"very much of much", growthFree, (int64(DefaultLimits.Growth) + 1) * growthFree, true},
	}
	for _, tt := range tests {
		raw := &counter{}
		raw.n.Store(tt.in)
		u := &unpacker{text: zeros{}, codec: codec{name: "gzip"}, in: layers{lim: DefaultLimits, raw: raw}, out: tt.out}
		n, err := u.Read(make([]byte, 1000))
		if stopped := err != nil && strings.Contains(err.Error(), "grows more than 200-fold"); stopped != tt.stop || stopped == (n > 0) {
			t.Errorf("%s: read %d bytes, %v; want it stopped: %v", tt.name, n, err, tt.stop)
		}
	}
}

// The ratio is that of all layers: each alone may be harmless.
func TestNestedLayersCountTheInput(t *testing.T) {
	member := gz(t, make([]byte, 1<<20))
	bomb := gz(t, bytes.Repeat(member, growthFree>>20+2))
	r, err := sourcesOf(t, bytes.NewReader(bomb), "-")[0].Open()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	n, err := io.Copy(io.Discard, r)
	if err == nil || !strings.Contains(err.Error(), "grows more than 200-fold") || n > growthFree {
		t.Errorf("error %v after %d bytes, want the growth refused after %d", err, n, growthFree)
	}
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}

func TestErrorsOfFiles(t *testing.T) {
	if _, _, err := read(t, nil, filepath.Join(t.TempDir(), "missing.log")); err == nil || err.Error() != "no such file or directory" {
		t.Errorf("missing file: %v", err)
	}
	broken := errors.New("input/output error")
	if _, _, err := read(t, iotest.ErrReader(broken), "-"); !errors.Is(err, broken) {
		t.Errorf("failing stdin: %v, want %v", err, broken)
	}
	late := io.MultiReader(strings.NewReader(line), iotest.ErrReader(broken))
	if _, got, err := read(t, late, "-"); !errors.Is(err, broken) || got != line {
		t.Errorf("stdin that fails later: %q, %v; want the line and %v", got, err, broken)
	}
}

func TestStandardInputIsReadOnce(t *testing.T) {
	src := sourcesOf(t, strings.NewReader(line), "-", "-")
	if len(src) != 2 {
		t.Fatalf("%d sources, want 2", len(src))
	}
	if _, err := src[1].Open(); !errors.Is(err, errUsed) {
		t.Errorf("second -: %v, want %v", err, errUsed)
	}
	if _, err := src[0].Open(); err != nil {
		t.Fatal(err)
	}
	if _, err := src[0].Open(); !errors.Is(err, errUsed) {
		t.Errorf("second Open before the end: %v, want %v", err, errUsed)
	}
}

// A short stream can be read again, once all of it was read.
func TestShortStandardInputIsKept(t *testing.T) {
	for size, want := range map[int]error{1: nil, 100_000: nil, maxKept: nil, maxKept + 1: errUsed} {
		text := strings.Repeat("x", size-1) + "\n"
		s, got, err := read(t, strings.NewReader(text), "-")
		if err != nil || got != text {
			t.Fatalf("%d bytes: %v", size, err)
		}
		for range 2 {
			rc, err := s.Open()
			if !errors.Is(err, want) {
				t.Errorf("%d bytes: Open again: %v, want %v", size, err, want)
				continue
			}
			if err != nil {
				continue
			}
			if again, err := io.ReadAll(rc); err != nil || string(again) != text {
				t.Errorf("%d bytes: another text, %v", size, err)
			}
		}
	}
}

func TestDirectory(t *testing.T) {
	dir := t.TempDir()
	for name, data := range map[string][]byte{
		"messages":            []byte(line),
		"kern.log.1":          []byte(line),
		"kern.log.2.gz":       gz(t, []byte(line)),
		"messages-20260301":   []byte(line),
		"proc/12/stack":       []byte("[<0>] do_truncate+0x58/0xa0\n"),
		"sub/DMESG.TXT":       []byte(line),
		"sub/dmesg.xz":        []byte("\xfd7zXZ\x00\x00\x04"),
		"notes.md":            []byte(line),
		"report.json":         []byte("{}"),
		"wtmp":                bytes.Repeat([]byte{7, 0, 1, 0x80}, 50),
		"empty.log":           nil,
		".git/config":         []byte(line),
		".hidden.log":         []byte(line),
		"sos.tar.gz":          gz(t, []byte(line)),
		"console.log.old.bz2": bz2Line,
	} {
		write(t, filepath.Join(dir, name), data)
	}
	if err := os.Symlink(dir, filepath.Join(dir, "loop")); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, s := range sourcesOf(t, nil, dir) {
		rel, err := filepath.Rel(dir, s.Name)
		if err != nil {
			t.Fatal(err)
		}
		if r, err := s.Open(); err != nil {
			rel += ": " + err.Error()[:len("xz data is cut short")]
		} else {
			r.Close()
		}
		got = append(got, rel)
	}
	want := []string{
		"console.log.old.bz2",
		"kern.log.2.gz",
		"kern.log.1",
		"messages-20260301",
		"messages",
		"sos.tar.gz",
		"sub/DMESG.TXT",
		"sub/dmesg.xz: xz data is cut short",
		"proc/*/stack",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("sources (-want +got):\n%s", diff)
	}
}

func TestDirectoryWithoutLogs(t *testing.T) {
	dir := t.TempDir()
	write(t, filepath.Join(dir, "main.go"), []byte("package main\n"))
	if _, _, err := read(t, nil, dir); err == nil || !strings.Contains(err.Error(), "holds no file that looks like a log (1 seen)") {
		t.Errorf("error %v", err)
	}
}

func TestKernelTreesAreNotWalked(t *testing.T) {
	for dir, want := range map[string]bool{
		"/proc": true, "/proc/12": true, "/sys": true, "/dev": true,
		"/processes": false, "/var/log": false, "/sys/fs/pstore": false, "/dev/shm/logs": false,
	} {
		if got := kernelTree(dir); got != want {
			t.Errorf("kernelTree(%q) = %v, want %v", dir, got, want)
		}
	}
}

func TestUnreadable(t *testing.T) {
	if runtime.GOOS == "windows" || os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	dir := t.TempDir()
	write(t, filepath.Join(dir, "open.log"), []byte(line))
	write(t, filepath.Join(dir, "shut.log"), []byte(line))
	write(t, filepath.Join(dir, "shut", "a.log"), []byte(line))
	for _, name := range []string{"shut", "shut.log"} {
		if err := os.Chmod(filepath.Join(dir, name), 0); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() { os.Chmod(filepath.Join(dir, "shut"), 0o777) })
	failed := 0
	src := sourcesOf(t, nil, dir)
	for _, s := range src {
		if _, err := s.Open(); err != nil {
			failed++
			if err.Error() != "permission denied" {
				t.Errorf("%s: %v", s.Name, err)
			}
		}
	}
	if len(src) != 3 || failed != 2 {
		t.Errorf("%d sources, %d of them unreadable; want 3 and 2", len(src), failed)
	}
}

func TestShellQuote(t *testing.T) {
	for in, want := range map[string]string{
		"a.log":    "a.log",
		"-":        "'-'",
		"a b":      "'a b'",
		"it's":     `'it'\''s'`,
		"$(x).log": "'$(x).log'",
	} {
		if got := shellQuote(in); got != want {
			t.Errorf("shellQuote(%q) = %s, want %s", in, got, want)
		}
	}
}

func FuzzOpen(f *testing.F) {
	f.Add([]byte(line))
	f.Add(gz(f, []byte(line)))
	f.Add(gz(f, bz2Line))
	f.Add(bz2Line)
	f.Add([]byte("\x1f\x8b\x08"))
	f.Add([]byte("LPKSHHRH"))
	f.Add(zst(f, []byte(line)))
	f.Add(lz4Of(f, []byte(line)))
	f.Add(fixture(f, "line.xz"))
	f.Add(fixture(f, "line-legacy.lz4"))
	f.Add(fixture(f, "host.tar.xz"))
	small := []entry{{name: "proc/1/stack", data: stack}, {name: "dmesg", link: "proc/1/stack"}, {name: "messages.1", data: line}}
	f.Add(tarOf(f, small...))
	f.Add(zipOf(f, small...))
	f.Add(cpioOf(small...))
	f.Add(tarOf(f, entry{name: "a.zip", data: string(zipOf(f, small...))}))
	f.Add(gz(f, tarOf(f, sos(f)[:8]...)))
	f.Fuzz(func(t *testing.T, data []byte) {
		in := Open([]string{"-"}, bytes.NewReader(data), Options{Limits: Limits{Members: 1000, Bytes: 16 << 20}})
		defer in.Close()
		if len(in.Sources) == 0 {
			t.Error("no source, and no error")
		}
		for _, s := range in.Sources {
			if !strings.HasPrefix(s.Name, "-") {
				t.Errorf("a source named %q", s.Name)
			}
			r, err := s.Open()
			if err != nil {
				continue
			}
			// Whatever it is, it ends.
			if _, err := io.Copy(io.Discard, io.LimitReader(r, 64<<20)); err != nil && err.Error() == "" {
				t.Error("an error without words")
			}
			r.Close()
		}
	})
}
