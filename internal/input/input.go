// Package input opens what a user names on the command line: files, standard
// input, FIFOs and directories, compressed or not. It tells a log from what is
// none and says what to do about the latter.
package input

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Stdin is the argument that stands for standard input.
const Stdin = "-"

// Source is one stream of text.
type Source struct {
	Name        string // as given; a file of a directory has the directory in front
	Compression string // none gzip bzip2; the outer one where there are two

	// Open returns the text, decompressed. All that is wrong with the source
	// is told here or by a Read, in words that need no name in front. Standard
	// input and FIFOs open once.
	Open func() (io.ReadCloser, error)
}

// sniffLen is how much of a stream is looked at to tell what it is.
const sniffLen = 4096

// errUsed is the second Open of what can be read only once.
var errUsed = errors.New("can be read only once, and was")

// Open returns the sources that args name, in their order; the files of a
// directory in the order of their names. It reads the first bytes of each, and
// does not fail: a source that cannot be read says so when it is opened.
func Open(args []string, stdin io.Reader) []Source {
	var out []Source
	stdinUsed := false
	for _, arg := range args {
		switch {
		case arg == Stdin && stdinUsed:
			out = append(out, broken(arg, errUsed))
		case arg == Stdin:
			stdinUsed = true
			out = append(out, once(arg, io.NopCloser(stdin)))
		default:
			out = append(out, openPath(arg)...)
		}
	}
	return out
}

func openPath(name string) []Source {
	info, err := os.Stat(name)
	switch {
	case err != nil:
		return []Source{broken(name, plain(err))}
	case info.IsDir():
		return walk(name)
	case info.Mode().IsRegular():
		return []Source{file(name)}
	case info.Mode()&(fs.ModeNamedPipe|fs.ModeCharDevice) != 0:
		if info.Mode()&fs.ModeCharDevice != 0 && filepath.Base(name) == "kmsg" {
			return []Source{broken(name, errors.New("never ends; use: dmesg | oomtrace analyze -"))}
		}
		f, err := os.Open(name)
		if err != nil {
			return []Source{broken(name, plain(err))}
		}
		return []Source{once(name, f)}
	default:
		return []Source{broken(name, errors.New("is a device or a socket, not a log"))}
	}
}

// file is a regular file. It is closed between the look at its first bytes and
// Open: a directory can hold more files than a process may have open.
func file(name string) Source {
	f, err := os.Open(name)
	if err != nil {
		return broken(name, plain(err))
	}
	defer f.Close()
	s, err := decode(f)
	if err != nil {
		return broken(name, plain(err))
	}
	return Source{Name: name, Compression: s.compression, Open: func() (io.ReadCloser, error) {
		f, err := os.Open(name)
		if err != nil {
			return nil, plain(err)
		}
		return openStream(name, f)
	}}
}

// once is a stream that cannot be read again.
func once(name string, r io.ReadCloser) Source {
	s, err := decode(r)
	if err != nil {
		r.Close()
		return broken(name, plain(err))
	}
	used := false
	return Source{Name: name, Compression: s.compression, Open: func() (io.ReadCloser, error) {
		if used {
			return nil, errUsed
		}
		used = true
		return s.open(name, r)
	}}
}

func openStream(name string, f io.ReadCloser) (io.ReadCloser, error) {
	s, err := decode(f)
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
	return readCloser{s, under}, nil
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
	return Source{Name: name, Compression: "none", Open: func() (io.ReadCloser, error) { return nil, err }}
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
func peek(r io.Reader) (*bufio.Reader, []byte, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	head, err := br.Peek(sniffLen)
	if err != nil && err != io.EOF && len(head) == 0 {
		return nil, nil, err
	}
	return br, head, nil
}

// maxFiles bounds the walk through a directory that is not one of logs.
const maxFiles = 10_000

// walk returns the files below a directory that look like logs. Hidden files
// and symbolic links are left out: what they point to is either there under
// its own name or not part of the directory.
func walk(root string) []Source {
	if kernelTree(root) {
		return []Source{broken(root, errors.New(
			"is a file system of the kernel, where reading a file can block; name the files, as in /proc/PID/stack"))}
	}
	var out []Source
	seen := 0
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			out = append(out, broken(path, plain(err)))
			if d != nil && d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case path != root && strings.HasPrefix(d.Name(), "."):
			if d.IsDir() {
				return fs.SkipDir
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		if seen++; seen > maxFiles {
			return fmt.Errorf("holds more than %d files; name the logs", maxFiles)
		}
		if !logName(d.Name()) {
			return nil
		}
		if s := file(path); looksLikeLog(s) {
			out = append(out, s)
		}
		return nil
	})
	if err != nil {
		out = append(out, broken(root, plain(err)))
	}
	if len(out) == 0 {
		out = append(out, broken(root, fmt.Errorf("holds no file that looks like a log (%d seen)", seen)))
	}
	return out
}

// looksLikeLog keeps what cannot be read, to be told, and drops what is empty
// or holds no log: nobody asked for that very file.
func looksLikeLog(s Source) bool {
	r, err := s.Open()
	if err != nil {
		e, ok := errors.AsType[*notText](err)
		return !ok || e.log
	}
	defer r.Close()
	n, err := r.Read(make([]byte, 1))
	return n > 0 || err != nil && err != io.EOF
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
