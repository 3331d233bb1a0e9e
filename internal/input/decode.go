package input

import (
	"bytes"
	"compress/bzip2"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"slices"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/pierrec/lz4/v4"
	"github.com/therootcompany/xz"
)

// layers is what lies around a stream on the way out to the input as it is on
// disk.
type layers struct {
	lim   Limits
	raw   *counter // the input as it is on disk
	depth int      // archives and compressions so far
	size  int64    // of what is inside them, as stored; 0 where it is not known
}

// stream is the text of a source and what was found on the way to it.
type stream struct {
	io.Reader
	head        []byte // the first bytes of the text
	compression string // the outer one where there are several
	in          layers
	file        *os.File // where the text is all of a regular file
}

// codec is one kind of compression, told by its first bytes, never by the name
// of the file.
type codec struct {
	name  string
	magic func(head []byte) bool
	open  func(io.Reader) (io.Reader, error)
}

// maxWindow is how far back compressed data may refer, which is what a decoder
// holds in memory: that of xz -9 and twice that of zstd -19.
const maxWindow = 64 << 20

var codecs = []codec{
	{
		"gzip",
		func(head []byte) bool { return bytes.HasPrefix(head, []byte("\x1f\x8b\x08")) },
		func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
	},
	{
		"zstd",
		func(head []byte) bool { return bytes.HasPrefix(head, []byte("\x28\xb5\x2f\xfd")) },
		// With a concurrency of 1 it has no goroutines that want a Close.
		func(r io.Reader) (io.Reader, error) {
			return zstd.NewReader(r, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true), zstd.WithDecoderMaxWindow(2*maxWindow))
		},
	},
	{
		"xz",
		func(head []byte) bool { return bytes.HasPrefix(head, []byte("\xfd7zXZ\x00")) },
		func(r io.Reader) (io.Reader, error) { return xz.NewReader(r, maxWindow) },
	},
	{
		"lz4",
		func(head []byte) bool {
			return bytes.HasPrefix(head, []byte("\x04\x22\x4d\x18")) || bytes.HasPrefix(head, []byte("\x02\x21\x4c\x18"))
		},
		func(r io.Reader) (io.Reader, error) { return lz4.NewReader(r), nil },
	},
	{
		"bzip2",
		// The mark of a block behind it: a log may begin with the letters BZh.
		func(head []byte) bool {
			return len(head) >= 10 && bytes.HasPrefix(head, []byte("BZh")) &&
				(string(head[4:10]) == "\x31\x41\x59\x26\x53\x59" || string(head[4:10]) == "\x17\x72\x45\x38\x50\x90")
		},
		func(r io.Reader) (io.Reader, error) { return bzip2.NewReader(r), nil },
	},
}

// decode takes the compression from r, all layers of it.
func decode(r io.Reader, in layers) (stream, error) {
	size := in.size
	f, _ := r.(*os.File)
	if f != nil {
		if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
			f = nil
		} else if size == 0 {
			size = info.Size()
		}
	}
	if in.raw == nil {
		in.raw = &counter{r: r}
		r = in.raw
	}
	buffer := bufferLen
	if size > 0 {
		buffer = int(min(max(size, sniffLen), bufferLen))
	}
	br, head, err := peek(r, buffer)
	if err != nil {
		return stream{}, err
	}
	s := stream{Reader: br, head: head, compression: "none", in: in, file: f}
	for {
		i := slices.IndexFunc(codecs, func(c codec) bool { return c.magic(s.head) })
		if i < 0 {
			return s, nil
		}
		if s.in.depth == s.in.lim.Depth {
			return stream{}, s.in.lim.depthError()
		}
		s.in.depth++
		c := codecs[i]
		if s.compression == "none" {
			s.compression = c.name
		}
		br, head, err := peek(&unpacker{codec: c, r: s.Reader, in: s.in}, bufferLen)
		if err != nil {
			return stream{}, err
		}
		s.Reader, s.head, s.file = br, head, nil
	}
}

// counter counts what is read.
type counter struct {
	r   io.Reader
	n   atomic.Int64
	out int64 // bytes of text that were kept of it, or looked at
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}

// unpacker is one layer of compression. It puts the errors of the codec into
// words and stops a bomb.
type unpacker struct {
	codec codec
	r     io.Reader // compressed
	text  io.Reader // nil before the first Read
	in    layers
	out   int64
	err   error
}

func (u *unpacker) Read(p []byte) (int, error) {
	if u.err != nil {
		return 0, u.err
	}
	n, err := u.read(p)
	u.out += int64(n)
	if err != nil && err != io.EOF {
		err = damaged(u.codec.name, u.out, err)
	}
	// The ratio is that of all layers: each alone may be harmless.
	if u.in.lim.tooMuch(u.out, u.in.raw.n.Load()) {
		n, err = 0, u.in.lim.growthError(u.codec.name+" data")
	}
	u.err = err
	return n, err
}

// errPanic is what a decoder did with data that it did not expect.
var errPanic = errors.New("the decoder gave up")

func (u *unpacker) read(p []byte) (n int, err error) {
	// Decoders are other people's, some old, and the data may be hostile.
	defer func() {
		if recover() != nil {
			n, err = 0, errPanic
		}
	}()
	if u.text == nil {
		if u.text, err = u.codec.open(u.r); err != nil {
			return 0, orCut(err)
		}
	}
	n, err = u.text.Read(p)
	if n < 0 || n > len(p) {
		return 0, errPanic
	}
	return n, err
}

// orCut is for the header: where it ends the data is cut short.
func orCut(err error) error {
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	return err
}

// dataError is what is wrong with compressed data, as against its file.
type dataError string

func (e dataError) Error() string { return string(e) }

// damaged is the error of a codec after so many bytes of text.
func damaged(codec string, after int64, err error) error {
	if _, ok := errors.AsType[*fs.PathError](err); ok {
		return err
	}
	if inner, ok := errors.AsType[dataError](err); ok {
		return inner
	}
	if inner, ok := errors.AsType[limitError](err); ok {
		return inner
	}
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, xz.ErrBuf):
		return dataError(fmt.Sprintf("%s data is cut short after %d bytes of text", codec, after))
	case errors.Is(err, xz.ErrMemlimit), errors.Is(err, zstd.ErrWindowSizeExceeded), errors.Is(err, zstd.ErrDecoderSizeExceeded):
		return dataError(fmt.Sprintf("%s data was compressed with a window that is too large to unpack here; decompress it and give the result", codec))
	}
	return dataError(fmt.Sprintf("%s data is damaged after %d bytes of text", codec, after))
}
