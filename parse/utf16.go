package parse

import (
	"bytes"
	bin "encoding/binary"
	"io"
	"unicode/utf16"
	"unicode/utf8"
)

// counter counts what is read from the input itself.
type counter struct {
	r io.Reader
	n int64
}

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n += int64(n)
	return n, err
}

// asUTF8 looks at the first bytes: what Windows tools save is UTF-16 with a
// byte order mark. A mark of UTF-8 is taken off. same tells whether the bytes
// are those of r, but for a mark.
func asUTF8(r io.Reader) (text io.Reader, same bool) {
	var mark [3]byte
	n, err := io.ReadFull(r, mark[:])
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return io.MultiReader(bytes.NewReader(mark[:n]), failing{err}), false
	}
	got := mark[:n]
	switch {
	case bytes.HasPrefix(got, []byte{0xff, 0xfe}):
		return &utf16Reader{r: io.MultiReader(bytes.NewReader(got[2:]), r), order: bin.LittleEndian}, false
	case bytes.HasPrefix(got, []byte{0xfe, 0xff}):
		return &utf16Reader{r: io.MultiReader(bytes.NewReader(got[2:]), r), order: bin.BigEndian}, false
	case bytes.Equal(got, []byte("\ufeff")):
		return r, true
	}
	return io.MultiReader(bytes.NewReader(got), r), true
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// utf16Reader turns UTF-16 into UTF-8.
type utf16Reader struct {
	r     io.Reader
	order bin.ByteOrder
	in    [4096]byte
	n     int // bytes in in
	out   []byte
	err   error
}

func (u *utf16Reader) Read(p []byte) (int, error) {
	for len(u.out) == 0 {
		if u.err != nil {
			return 0, u.err
		}
		var m int
		m, u.err = u.r.Read(u.in[u.n:])
		u.n += m
		i := 0
		for ; i+1 < u.n; i += 2 {
			r := rune(u.order.Uint16(u.in[i:]))
			if utf16.IsSurrogate(r) {
				if i+3 >= u.n && u.err == nil {
					break // its other half is still to come
				}
				if i+3 < u.n {
					if r2 := utf16.DecodeRune(r, rune(u.order.Uint16(u.in[i+2:]))); r2 != utf8.RuneError {
						r, i = r2, i+2
					}
				}
			}
			u.out = utf8.AppendRune(u.out, r)
		}
		u.n = copy(u.in[:], u.in[i:u.n])
	}
	n := copy(p, u.out)
	u.out = u.out[n:]
	return n, nil
}
