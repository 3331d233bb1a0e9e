package input

import (
	"bytes"
	"io"
	"os"

	"github.com/klauspost/compress/zstd"
)

// What the members of archives take of the memory: small ones stay in it as
// long as there is room, the others go to one temporary file.
const (
	spoolMember = 1 << 20
	spoolMemory = 64 << 20
)

// spool keeps the text of members of archives, which are read once and in
// their order. It is written by one goroutine, and read by any number after.
type spool struct {
	f   *os.File
	off int64 // end of the file
	mem int   // bytes in memory
	buf []byte
}

// blob is the text of one member.
type blob struct {
	mem    []byte
	file   *spool // nil where mem has all
	off    int64
	len    int64 // in the file
	packed bool
	size   int64 // of the text
	tail   error // why the text ends there, nil at its end
}

// put reads r to its end. Only an error of the spool itself is returned; that
// of r becomes the end of the text.
func (s *spool) put(r io.Reader) (*blob, error) {
	b := &blob{}
	if s.buf == nil {
		s.buf = make([]byte, spoolMember)
	}
	src := &tailReader{r: r}
	n, err := io.ReadFull(src, s.buf)
	if err == nil {
		return b, s.overflow(b, src)
	}
	b.size, b.tail = int64(n), src.err
	if s.mem+n <= spoolMemory {
		s.mem += n
		b.mem = bytes.Clone(s.buf[:n])
		return b, nil
	}
	return b, s.write(b, func(w io.Writer) error {
		_, err := w.Write(s.buf[:n])
		return err
	})
}

// overflow writes s.buf and the rest of src to the file, compressed: logs that
// were small on disk stay small.
func (s *spool) overflow(b *blob, src *tailReader) error {
	b.packed = true
	return s.write(b, func(w io.Writer) error {
		z, err := zstd.NewWriter(w, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(1))
		if err != nil {
			return err
		}
		if _, err := z.Write(s.buf); err != nil {
			return err
		}
		n, err := io.CopyBuffer(struct{ io.Writer }{z}, struct{ io.Reader }{src}, s.buf)
		if err != nil {
			return err
		}
		b.size, b.tail = int64(len(s.buf))+n, src.err
		return z.Close()
	})
}

// raw copies r to the file as it is, for a reader that wants any byte at once.
func (s *spool) raw(r io.Reader) (*blob, error) {
	b := &blob{}
	return b, s.write(b, func(w io.Writer) error {
		src := &tailReader{r: r}
		n, err := io.Copy(w, struct{ io.Reader }{src})
		b.size, b.tail = n, src.err
		return err
	})
}

func (s *spool) write(b *blob, fill func(io.Writer) error) error {
	if s.f == nil {
		f, err := os.CreateTemp("", "oomtrace-*.spool")
		if err != nil {
			return plain(err)
		}
		// Where the system allows it the name goes at once, so that nothing is
		// left whatever ends the program.
		os.Remove(f.Name())
		s.f = f
	}
	w := &offsetWriter{f: s.f, off: s.off}
	if err := fill(w); err != nil {
		return plain(err)
	}
	b.file, b.off, b.len = s, s.off, w.off-s.off
	s.off = w.off
	return nil
}

func (s *spool) close() error {
	if s.f == nil {
		return nil
	}
	err := s.f.Close()
	os.Remove(s.f.Name())
	s.f = nil
	return plain(err)
}

// open returns the text; any number of readers may be open.
func (b *blob) open() (io.ReadCloser, error) {
	if b.file == nil {
		return io.NopCloser(b.end(bytes.NewReader(b.mem))), nil
	}
	sec := b.section()
	if !b.packed {
		return io.NopCloser(b.end(sec)), nil
	}
	z, err := zstd.NewReader(sec, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true))
	if err != nil {
		return nil, err
	}
	return readCloser{b.end(z), closeFunc(z.Close)}, nil
}

func (b *blob) section() *io.SectionReader {
	return io.NewSectionReader(b.file.f, b.off, b.len)
}

func (b *blob) end(r io.Reader) io.Reader {
	if b.tail == nil {
		return r
	}
	return io.MultiReader(r, failing{b.tail})
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

type closeFunc func()

func (f closeFunc) Close() error { f(); return nil }

// tailReader turns an error into the end and remembers it.
type tailReader struct {
	r   io.Reader
	err error
}

func (t *tailReader) Read(p []byte) (int, error) {
	n, err := t.r.Read(p)
	if err != nil && err != io.EOF {
		t.err, err = err, io.EOF
	}
	return n, err
}

type offsetWriter struct {
	f   *os.File
	off int64
}

func (w *offsetWriter) Write(p []byte) (int, error) {
	n, err := w.f.WriteAt(p, w.off)
	w.off += int64(n)
	return n, err
}
