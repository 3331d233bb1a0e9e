package input

import (
	"bytes"
	"compress/bzip2"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
)

// A stream that grows without bound when it is decompressed was made to: real
// logs shrink to a tenth, one that repeats a single line to a hundredth.
const (
	bombFree  = 256 << 20 // bytes of text that are always allowed
	bombRatio = 200       // beyond them, bytes of text for one byte of input
	maxNested = 2         // compressed, and compressed again
)

// stream is the text of a source and what was found on the way to it.
type stream struct {
	io.Reader
	head        []byte // the first bytes of the text
	compression string
}

// codec is one kind of compression, told by its first bytes, never by the name
// of the file.
type codec struct {
	name  string
	magic func(head []byte) bool
	open  func(io.Reader) (io.Reader, error)
}

var codecs = []codec{
	{
		"gzip",
		func(head []byte) bool { return bytes.HasPrefix(head, []byte("\x1f\x8b\x08")) },
		func(r io.Reader) (io.Reader, error) { return gzip.NewReader(r) },
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

// decode takes the compression from r.
func decode(r io.Reader) (stream, error) {
	raw := &counter{r: r}
	br, head, err := peek(raw)
	if err != nil {
		return stream{}, err
	}
	s := stream{Reader: br, head: head, compression: "none"}
	for depth := 0; ; depth++ {
		i := slices.IndexFunc(codecs, func(c codec) bool { return c.magic(s.head) })
		if i < 0 {
			return s, nil
		}
		if depth == maxNested {
			return stream{}, dataError(fmt.Sprintf("is compressed more than %d times", maxNested))
		}
		c := codecs[i]
		if depth == 0 {
			s.compression = c.name
		}
		text, err := c.open(s.Reader)
		if err != nil {
			return stream{}, damaged(c.name, 0, err)
		}
		br, head, err := peek(&unpacker{r: text, codec: c.name, in: raw})
		if err != nil {
			return stream{}, err
		}
		s.Reader, s.head = br, head
	}
}

// counter counts what is read.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// unpacker puts the errors of a codec into words and stops a bomb.
type unpacker struct {
	r     io.Reader
	codec string
	in    *counter // the input as it is on disk
	out   int64
}

func (u *unpacker) Read(p []byte) (int, error) {
	n, err := u.r.Read(p)
	u.out += int64(n)
	if err != nil && err != io.EOF {
		return n, damaged(u.codec, u.out, err)
	}
	if u.out > bombFree && u.out/bombRatio > u.in.n {
		return 0, dataError(fmt.Sprintf("%s data grows more than %d-fold and was not read to its end; if that is right, decompress it and give the result",
			u.codec, bombRatio))
	}
	return n, err
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
	what := "is damaged"
	if errors.Is(err, io.ErrUnexpectedEOF) || err == io.EOF {
		what = "is cut short"
	}
	return dataError(fmt.Sprintf("%s data %s after %d bytes of text", codec, what, after))
}
