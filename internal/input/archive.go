package input

import (
	"archive/tar"
	"archive/zip"
	"bufio"
	"bytes"
	"compress/bzip2"
	"compress/flate"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"
	"github.com/therootcompany/xz"
)

// member is what an archive or a directory holds.
type member struct {
	name string // as it is shown
	path string // for the rules: clean, relative, inside the innermost archive
	base string // name of that archive or of the directory, with its separator
	size int64
	link string // what a link points to; it has no content
	why  string // why it has no content, for what is neither file nor link

	// open returns the content as it is stored; for tar it is called before the
	// next member is asked for.
	open func() (io.ReadCloser, error)

	file string // of the directory, "" in an archive: it can be opened again
}

// archiveKind tells an archive by its first bytes, "" for none.
func archiveKind(head []byte) string {
	switch {
	case bytes.HasPrefix(head, []byte("PK\x03\x04")), bytes.HasPrefix(head, []byte("PK\x05\x06")):
		return "zip"
	case bytes.HasPrefix(head, []byte("070701")), bytes.HasPrefix(head, []byte("070702")):
		if _, ok := cpioField(head, 0); ok {
			return "cpio"
		}
	case len(head) >= 512 && (string(head[257:262]) == "ustar" || oldTar(head)):
		return "tar"
	}
	return ""
}

// oldTar finds the header of a tar without a magic by its checksum.
func oldTar(head []byte) bool {
	want, err := strconv.ParseInt(strings.Trim(string(head[148:156]), " \x00"), 8, 32)
	if err != nil || head[0] == 0 {
		return false
	}
	sum := int64(8 * ' ')
	for i, c := range head[:512] {
		if i < 148 || i >= 156 {
			sum += int64(c)
		}
	}
	return sum == want
}

// cleanPath makes a name out of what an archive calls its member: it never
// leads out of the archive, whatever stands in it.
func cleanPath(name string) string {
	if !strings.Contains(name, "/") {
		name = strings.ReplaceAll(name, `\`, "/") // a zip of Windows
	}
	return strings.TrimPrefix(path.Clean("/"+name), "/")
}

// eachTar calls f for every member.
func eachTar(r io.Reader, base string, f func(*member) error) error {
	tr := tar.NewReader(r)
	for {
		h, err := tr.Next()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return archiveError("tar", err)
		}
		p := cleanPath(h.Name)
		m := &member{name: base + p, path: p, base: base, size: h.Size}
		switch h.Typeflag {
		case tar.TypeReg, tar.TypeGNUSparse, '7', 0:
			m.open = func() (io.ReadCloser, error) { return io.NopCloser(&archiveReader{tr, "tar"}), nil }
		case tar.TypeSymlink:
			m.link = target(p, h.Linkname)
		case tar.TypeLink:
			m.link = cleanPath(h.Linkname)
		case tar.TypeDir, tar.TypeXGlobalHeader:
			continue
		default:
			m.why = "is a device, a socket or a pipe"
		}
		if err := f(m); err != nil {
			return err
		}
	}
}

// target is what a symbolic link points to inside its archive. An absolute
// one is taken from the root of the archive; none leads out of it.
func target(link, to string) string {
	if !path.IsAbs(to) {
		to = path.Join("/", path.Dir(link), to)
	}
	return cleanPath(to)
}

// zipDirectory bounds the directory of a zip, bytes for each allowed member:
// it is held in memory.
const zipDirectory = 256

// eachZip calls f for every member.
func eachZip(r io.ReaderAt, n int64, lim Limits, base string, f func(*member) error) error {
	dir := &limitedAt{r: r, left: int64(lim.Members)*zipDirectory + 1<<20}
	z, err := zip.NewReader(dir, n)
	if dir.left < 0 {
		return lim.membersError()
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) {
		if _, ok := errors.AsType[*fs.PathError](err); ok {
			return err
		}
		return dataError("zip archive is cut short or damaged: its directory, at its end, cannot be read")
	}
	dir.free = true
	z.RegisterDecompressor(12, func(r io.Reader) io.ReadCloser { return io.NopCloser(bzip2.NewReader(r)) })
	z.RegisterDecompressor(zstd.ZipMethodWinZip, zstd.ZipDecompressor(zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(2*maxWindow)))
	z.RegisterDecompressor(95, func(r io.Reader) io.ReadCloser {
		x, err := xz.NewReader(r, maxWindow)
		if err != nil {
			return io.NopCloser(failing{err})
		}
		return io.NopCloser(x)
	})
	for _, e := range z.File {
		p := cleanPath(e.Name)
		m := &member{name: base + p, path: p, base: base, size: int64(min(e.UncompressedSize64, 1<<62))}
		mode := e.Mode()
		switch {
		case e.Flags&1 != 0:
			m.why = "is encrypted; unpack it and give the file"
		case mode.IsRegular():
			m.open = func() (rc io.ReadCloser, err error) {
				defer func() {
					if recover() != nil {
						err = errPanic
					}
					if err != nil {
						err = archiveError("zip", err)
					}
				}()
				rc, err = e.Open()
				if err != nil {
					return nil, err
				}
				return readCloser{&archiveReader{rc, "zip"}, rc}, nil
			}
		case mode&fs.ModeSymlink != 0:
			rc, err := e.Open()
			if err != nil {
				m.why = "is a link that cannot be read"
				break
			}
			to, err := io.ReadAll(io.LimitReader(rc, 4096))
			rc.Close()
			if err != nil {
				m.why = "is a link that cannot be read"
				break
			}
			m.link = target(p, string(to))
		case mode.IsDir():
			continue
		default:
			m.why = "is a device, a socket or a pipe"
		}
		if err := f(m); err != nil {
			return err
		}
	}
	return nil
}

// limitedAt bounds what is read.
type limitedAt struct {
	r    io.ReaderAt
	left int64
	free bool // not bounded any more
}

func (l *limitedAt) ReadAt(p []byte, off int64) (int, error) {
	if !l.free {
		if l.left -= int64(len(p)); l.left < 0 {
			return 0, io.ErrUnexpectedEOF
		}
	}
	return l.r.ReadAt(p, off)
}

// The header of cpio's "newc": a magic and 13 numbers of 8 hexadecimal digits.
const (
	cpioHeader = 6 + 13*8
	cpioMode   = 1
	cpioSize   = 6
	cpioName   = 11
)

func cpioField(h []byte, i int) (int64, bool) {
	if len(h) < cpioHeader {
		return 0, false
	}
	n, err := strconv.ParseUint(string(h[6+8*i:14+8*i]), 16, 32)
	return int64(n), err == nil
}

// eachCpio calls f for every member.
func eachCpio(in io.Reader, base string, f func(*member) error) error {
	r := &counter{r: bufio.NewReader(in)}
	skip := func(to int64) error {
		n, err := io.CopyN(io.Discard, r, to-r.n.Load())
		if n < 0 || err == io.EOF {
			err = io.ErrUnexpectedEOF
		}
		return err
	}
	pad := func(n int64) int64 { return (n + 3) &^ 3 }
	for {
		var h [cpioHeader]byte
		if _, err := io.ReadFull(r, h[:]); err != nil {
			return archiveError("cpio", orCut(err))
		}
		mode, ok1 := cpioField(h[:], cpioMode)
		size, ok2 := cpioField(h[:], cpioSize)
		nlen, ok3 := cpioField(h[:], cpioName)
		if string(h[:5]) != "07070" || !ok1 || !ok2 || !ok3 || nlen == 0 || nlen > 4096 {
			return archiveError("cpio", tar.ErrHeader)
		}
		name := make([]byte, nlen)
		if _, err := io.ReadFull(r, name); err != nil {
			return archiveError("cpio", orCut(err))
		}
		if err := skip(pad(r.n.Load())); err != nil {
			return archiveError("cpio", err)
		}
		end := r.n.Load() + size
		raw := strings.TrimRight(string(name), "\x00")
		if raw == "TRAILER!!!" {
			return nil
		}
		p := cleanPath(raw)
		m := &member{name: base + p, path: p, base: base, size: size}
		switch mode & 0o170000 {
		case 0o100000:
			m.open = func() (io.ReadCloser, error) {
				return io.NopCloser(&archiveReader{&exactly{r, size}, "cpio"}), nil
			}
		case 0o120000:
			to, err := io.ReadAll(io.LimitReader(r, min(size, 4096)))
			if err != nil {
				return archiveError("cpio", err)
			}
			m.link = target(p, string(to))
		case 0o040000:
			m = nil
		default:
			m.why = "is a device, a socket or a pipe"
		}
		if m != nil {
			if err := f(m); err != nil {
				return err
			}
		}
		if err := skip(pad(end)); err != nil {
			return archiveError("cpio", err)
		}
	}
}

// exactly reads n bytes, and knows that an earlier end is one too early.
type exactly struct {
	r io.Reader
	n int64
}

func (e *exactly) Read(p []byte) (int, error) {
	if e.n == 0 {
		return 0, io.EOF
	}
	n, err := e.r.Read(p[:min(int64(len(p)), e.n)])
	e.n -= int64(n)
	if err == io.EOF && e.n > 0 {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// archiveReader puts the errors of an archive's reader into words.
type archiveReader struct {
	r    io.Reader
	kind string
}

func (a *archiveReader) Read(p []byte) (n int, err error) {
	defer func() {
		if recover() != nil {
			n, err = 0, errPanic
		}
		if err != nil && err != io.EOF {
			err = archiveError(a.kind, err)
		}
	}()
	return a.r.Read(p)
}

func archiveError(kind string, err error) error {
	if isA[dataError](err) || isA[limitError](err) || isA[*fs.PathError](err) {
		return err
	}
	switch {
	case isA[flate.CorruptInputError](err):
		return dataError(kind + " archive is damaged")
	case errors.Is(err, io.ErrUnexpectedEOF):
		return dataError(kind + " archive is cut short")
	case errors.Is(err, zip.ErrAlgorithm):
		return dataError("is compressed in a way that is not supported; unpack it and give the file")
	case errors.Is(err, tar.ErrHeader), errors.Is(err, zip.ErrFormat), errors.Is(err, zip.ErrChecksum), errors.Is(err, errPanic):
		return dataError(kind + " archive is damaged")
	}
	return dataError(fmt.Sprintf("%s archive is damaged (%v)", kind, err))
}

func isA[E error](err error) bool {
	_, ok := errors.AsType[E](err)
	return ok
}
