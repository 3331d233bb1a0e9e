// Package input opens what a user names on the command line: files, standard
// input, FIFOs, directories and archives, compressed or not. It tells a log
// from what is none and says what to do about the latter.
package input

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Stdin is the argument that stands for standard input.
const Stdin = "-"

// Source is one stream of text.
type Source struct {
	// Name is as given. A file of a directory has the directory in front, a
	// member of an archive the archive and a colon: sos.tar.xz:var/log/messages.
	// What is read from several files as one has a pattern: sos.tar.xz:proc/*/stack.
	Name        string
	Compression string // none gzip zstd xz lz4 bzip2; the outer one where there are several

	// Host and Release are what the tree around the source says of its origin,
	// in uname, say; empty where it is silent.
	Host, Release string

	// Follows is the name of the source that this one continues: the next
	// older part of a rotated log.
	Follows string

	// Open returns the text, decompressed. All that is wrong with the source
	// is told here or by a Read, in words that need no name in front. Standard
	// input and FIFOs open once, and again if they were short and read to their
	// end; all else any number of times.
	Open func() (io.ReadCloser, error)

	// OpenAt returns the same text from a byte of it on, any number of times.
	// It is nil where that would take reading all that stands before.
	OpenAt func(offset int64) (io.ReadCloser, error)

	broken error // why Open fails, if that is known
}

// Options say how to read. The zero Options are good.
type Options struct {
	Limits

	// Journal returns what reads the kernel's messages in a file of systemd's
	// journal as text. It is asked when there is such a file. Where it is nil,
	// or returns nil, the error of the file names the command that exports it.
	Journal func() Reader

	// Trace does the same for a recording of trace-cmd (trace.dat).
	Trace func() Reader
}

// Reader opens the text of a file that is none.
type Reader func(file string) (io.ReadCloser, error)

// Inputs are the sources that arguments stand for.
type Inputs struct {
	Sources  []Source
	Listings []Listing // one an argument

	opt   Options
	spool spool
}

// bufferLen is how much is read at a time.
const bufferLen = 64 << 10

// sniffLen is how much of a stream is looked at to tell what it is.
const sniffLen = 4096

// errUsed is the second Open of what can be read only once.
var errUsed = errors.New("can be read only once, and was")

// Open finds the sources that args name, in their order; those of a directory
// or an archive in the order of their names, the parts of a rotated log from
// the oldest on. It reads archives to their end, keeping what is of use, of
// files the first bytes, of directories that of each file. It does not fail: a
// source that cannot be read says so when it is opened.
//
// Close gives back what the members of archives take; no source can be read
// after it.
func Open(args []string, stdin io.Reader, opt Options) *Inputs {
	opt.Limits = opt.Limits.withDefaults()
	in := &Inputs{opt: opt}
	stdinUsed := false
	for _, arg := range args {
		switch {
		case arg == Stdin && stdinUsed:
			in.add(broken(arg, errUsed))
		case arg == Stdin:
			stdinUsed = true
			in.once(arg, io.NopCloser(stdin))
		default:
			in.path(arg)
		}
	}
	return in
}

// Close removes the temporary file, if there is one.
func (in *Inputs) Close() error { return in.spool.close() }

// add takes a source that is an argument by itself.
func (in *Inputs) add(s Source) {
	e := Entry{Name: s.Name, Used: true, Reason: "was named"}
	if s.broken != nil {
		e.Used, e.Reason = false, s.broken.Error()
	}
	if info, err := os.Stat(s.Name); err == nil && info.Mode().IsRegular() {
		e.Bytes = info.Size()
	}
	in.Sources = append(in.Sources, s)
	in.Listings = append(in.Listings, Listing{Name: s.Name, Entries: []Entry{e}})
}

func (in *Inputs) path(name string) {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		in.add(broken(name, plain(err)))
	case info.IsDir():
		in.directory(name)
	case info.Mode().IsRegular():
		in.file(name)
	case info.Mode()&(fs.ModeNamedPipe|fs.ModeCharDevice) != 0:
		if info.Mode()&fs.ModeCharDevice != 0 && filepath.Base(name) == "kmsg" {
			in.add(broken(name, errors.New("never ends; use: dmesg | oomtrace analyze -")))
			return
		}
		f, err := os.Open(name)
		if err != nil {
			in.add(broken(name, plain(err)))
			return
		}
		in.once(name, f)
	default:
		in.add(broken(name, errors.New("is a device or a socket, not a log")))
	}
}

// file is a regular file. A log is closed between the look at its first bytes
// and Open.
func (in *Inputs) file(name string) {
	for again := map[string]string(nil); ; {
		f, err := os.Open(name)
		if err != nil {
			in.add(broken(name, plain(err)))
			return
		}
		s, err := decode(f, layers{lim: in.opt.Limits})
		switch {
		case err != nil:
			in.add(broken(name, plain(err)))
		case archiveKind(s.head) != "":
			// A link may show that a member is of use after it was passed over.
			if again = in.archive(name, s, again); again != nil {
				f.Close()
				continue
			}
		case recordingOf(s) != nil:
			in.add(in.recording(recordingOf(s), name, s))
		default:
			src := Source{Name: name, Compression: s.compression, Open: func() (io.ReadCloser, error) {
				f, err := os.Open(name)
				if err != nil {
					return nil, plain(err)
				}
				return openStream(name, f, layers{lim: in.opt.Limits})
			}}
			if s.file != nil {
				src.OpenAt = func(offset int64) (io.ReadCloser, error) { return openAt(name, offset) }
			}
			in.add(src)
		}
		f.Close()
		return
	}
}

// archive adds the members of an archive. It returns those that it passed over
// in vain, if a second look may help, and adds nothing then.
func (in *Inputs) archive(name string, s stream, wanted map[string]string) (again map[string]string) {
	before := in.spool
	g := in.gather(name, false)
	g.wanted = wanted
	sources := g.finish(g.archive(name+":", archiveKind(s.head), s))
	if wanted == nil && g.wanted != nil && name != Stdin {
		in.spool.off, in.spool.mem = before.off, before.mem
		return g.wanted
	}
	in.addTree(g, sources)
	return nil
}

func (in *Inputs) addTree(g *gatherer, sources []Source) {
	// In the order of the names, whatever that of the archive is.
	slices.SortStableFunc(g.list.Entries, func(a, b Entry) int { return strings.Compare(a.Name, b.Name) })
	in.Sources = append(in.Sources, sources...)
	in.Listings = append(in.Listings, *g.list)
}

// once is a stream that cannot be read again.
func (in *Inputs) once(name string, r io.ReadCloser) {
	s, err := decode(r, layers{lim: in.opt.Limits})
	switch {
	case err != nil:
		r.Close()
		in.add(broken(name, plain(err)))
		return
	case archiveKind(s.head) != "":
		in.archive(name, s, map[string]string{})
		r.Close()
		return
	case recordingOf(s) != nil:
		in.add(in.recording(recordingOf(s), name, s))
		r.Close()
		return
	}
	var text *kept
	in.add(Source{Name: name, Compression: s.compression, Open: func() (io.ReadCloser, error) {
		if text != nil {
			return text.again()
		}
		text = &kept{}
		rc, err := s.open(name, r)
		if err == nil {
			text.r = rc
			rc = readCloser{text, rc}
		}
		return rc, err
	}})
}

// maxKept is how much of a stream is kept that cannot be read again, bytes: a
// kernel's log buffer is no larger on most machines.
const maxKept = 8 << 20

// kept keeps the text of a short stream while it is read.
type kept struct {
	r    io.Reader
	text [][]byte // in pieces
	size int
	all  bool // text is all of it
}

func (k *kept) Read(p []byte) (int, error) {
	n, err := k.r.Read(p)
	if k.size += n; k.size > maxKept {
		k.text, k.size = nil, maxKept+1
		return n, err
	}
	if n > 0 {
		k.text = append(k.text, bytes.Clone(p[:n]))
	}
	k.all = err == io.EOF
	return n, err
}

func (k *kept) again() (io.ReadCloser, error) {
	if !k.all {
		return nil, errUsed
	}
	var pieces []io.Reader
	for _, b := range k.text {
		pieces = append(pieces, bytes.NewReader(b))
	}
	return io.NopCloser(io.MultiReader(pieces...)), nil
}

// openAt opens a file that is plain text.
func openAt(name string, offset int64) (io.ReadCloser, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, plain(err)
	}
	if _, err := f.Seek(offset, io.SeekStart); err != nil {
		f.Close()
		return nil, plain(err)
	}
	return f, nil
}

func openStream(name string, f io.ReadCloser, in layers) (io.ReadCloser, error) {
	s, err := decode(f, in)
	if err != nil {
		f.Close()
		return nil, plain(err)
	}
	return s.open(name, f)
}

// open refuses what is no text.
func (s stream) open(name string, under io.Closer) (io.ReadCloser, error) {
	if err := binary(s.head, name); err != nil {
		under.Close()
		return nil, err
	}
	if s.file != nil {
		return plainFile{readCloser{s, under}, s.file}, nil
	}
	return readCloser{s, under}, nil
}

// plainFile is a file that is all text.
type plainFile struct {
	readCloser
	file *os.File
}

// ReadAt may be called by several goroutines.
func (p plainFile) ReadAt(b []byte, offset int64) (int, error) {
	n, err := p.file.ReadAt(b, offset)
	if err != nil && err != io.EOF {
		err = plain(err)
	}
	return n, err
}

type readCloser struct {
	io.Reader
	io.Closer
}

// Read names no file in its errors, as Open.
func (r readCloser) Read(p []byte) (int, error) {
	n, err := r.Reader.Read(p)
	if err != nil && err != io.EOF {
		err = plain(err)
	}
	return n, err
}

func broken(name string, err error) Source {
	return Source{Name: name, Compression: "none", broken: err, Open: func() (io.ReadCloser, error) { return nil, err }}
}

// plain takes the path from an error of package os: the caller prints the name
// in front.
func plain(err error) error {
	if pe, ok := errors.AsType[*fs.PathError](err); ok {
		return pe.Err
	}
	return err
}

// peek returns the first bytes of r, which a later Read of the bufio.Reader
// returns again. Of an error behind them that Read tells.
func peek(r io.Reader, buffer int) (*bufio.Reader, []byte, error) {
	br := bufio.NewReaderSize(r, buffer)
	head, err := br.Peek(sniffLen)
	if err != nil && err != io.EOF && len(head) == 0 {
		return nil, nil, err
	}
	return br, head, nil
}

// maxFiles bounds the walk through a directory that is not one of logs.
const maxFiles = 10_000

// directory adds the files below a directory that are logs.
func (in *Inputs) directory(root string) {
	if kernelTree(root) {
		in.add(broken(root, errors.New(
			"is a file system of the kernel, where reading a file can block; name the files, as in /proc/PID/stack")))
		return
	}
	var wanted map[string]string
	for {
		g := in.gather(root, true)
		g.wanted = wanted
		sources := g.finish(g.walk(root))
		if wanted == nil && g.wanted != nil {
			wanted = g.wanted
			continue
		}
		in.addTree(g, sources)
		return
	}
}

// walk goes through a directory. What links point to is never followed by the
// system, only looked up among the files of the directory.
func (g *gatherer) walk(root string) error {
	base := filepath.ToSlash(filepath.Join(root, "x"))
	base = base[:len(base)-1]
	above := placeOf(root)
	return filepath.WalkDir(root, func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			g.broken = append(g.broken, broken(name, plain(err)))
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		if d.IsDir() {
			if name != root && hidden(d.Name()) || base == "/" && kernelTree(name) {
				return fs.SkipDir
			}
			return nil
		}
		m := &member{name: base + filepath.ToSlash(rel), path: above + filepath.ToSlash(rel), base: base, file: name}
		switch info, err := d.Info(); {
		case err != nil:
			m.why = plain(err).Error()
		case d.Type().IsRegular():
			m.size = info.Size()
			m.open = func() (io.ReadCloser, error) { return os.Open(name) }
		case d.Type()&fs.ModeSymlink != 0:
			to, err := os.Readlink(name)
			if err != nil {
				m.why = plain(err).Error()
			} else {
				m.link = target(filepath.ToSlash(rel), filepath.ToSlash(to))
			}
		default:
			m.why = "is a device, a socket or a pipe"
		}
		return g.member(m, layers{lim: g.in.opt.Limits})
	})
}

// placeOf is the end of a directory's own path that tells where in a host's
// file system it was: proc/123/ and var/log/ are, home/me/ticket/ is not.
func placeOf(dir string) string {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return ""
	}
	parts := strings.Split(filepath.ToSlash(abs), "/")
	for i := len(parts) - 1; i >= 0 && i >= len(parts)-4; i-- {
		switch parts[i] {
		case "proc", "sys", "var", "sos_commands", "nodes":
			return strings.Join(parts[i:], "/") + "/"
		}
	}
	return ""
}

// kernelTree tells whether dir is in a file system that the kernel makes up.
func kernelTree(dir string) bool {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return false
	}
	if real, err := filepath.EvalSymlinks(abs); err == nil {
		abs = real
	}
	for _, tree := range []string{"/proc", "/sys", "/dev"} {
		if abs == tree || strings.HasPrefix(abs, tree+"/") && !strings.HasPrefix(abs, "/sys/fs/pstore") && !strings.HasPrefix(abs, "/dev/shm") {
			return true
		}
	}
	return false
}

// logName tells from its name whether a file of a directory may be a log:
// messages, kern.log.1.gz, messages-20260301, dmesg.txt, stack.
func logName(name string) bool {
	name = strings.ToLower(name)
	for {
		ext := filepath.Ext(name)
		switch ext {
		case ".gz", ".bz2", ".xz", ".zst", ".lz4", ".old", ".bak":
		default:
			if !isNumber(ext) {
				return logExt[ext]
			}
		}
		name = strings.TrimSuffix(name, ext)
	}
}

// logExt are the endings of logs; most have none at all.
var logExt = map[string]bool{
	"": true, ".log": true, ".txt": true, ".out": true, ".err": true, ".dmesg": true, ".kmsg": true,
	".console": true, ".serial": true, ".state": true, ".stack": true, ".stacks": true, ".trace": true,
}

// isNumber is for the endings of rotated logs: .1, .20260301, .2026-03-01.
func isNumber(ext string) bool {
	return len(ext) > 1 && strings.Trim(ext[1:], "0123456789-_") == ""
}
