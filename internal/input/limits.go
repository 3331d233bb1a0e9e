package input

import (
	"fmt"
	"strconv"
	"strings"
)

// Limits bound what one argument may unpack to. A field that is 0 has its
// default.
type Limits struct {
	Members int   // of an archive or a directory, with those of archives inside it
	Bytes   int64 // that an archive unpacks to
	Depth   int   // layers of compression and of archives around a text
	Growth  int   // bytes that one byte of input may become, beyond the first 256 MiB
}

// DefaultLimits are wide for what support tools collect, and narrow for what
// was made to fill a disk. Real logs shrink to a tenth, one that repeats a
// single line to a hundredth.
var DefaultLimits = Limits{Members: 250_000, Bytes: 32 << 30, Depth: 6, Growth: 200}

// growthFree is how many bytes are always allowed, whatever they grew from.
const growthFree = 256 << 20

func (l Limits) withDefaults() Limits {
	d := DefaultLimits
	if l.Members > 0 {
		d.Members = l.Members
	}
	if l.Bytes > 0 {
		d.Bytes = l.Bytes
	}
	if l.Depth > 0 {
		d.Depth = l.Depth
	}
	if l.Growth > 0 {
		d.Growth = l.Growth
	}
	return d
}

// tooMuch tells whether n bytes are more than in bytes can honestly become.
func (l Limits) tooMuch(n, in int64) bool {
	return n > growthFree && n/int64(l.Growth) > in
}

func (l Limits) growthError(what string) error {
	return limitError(fmt.Sprintf("%s grows more than %d-fold and was not read to its end; --max-growth raises the limit", what, l.Growth))
}

func (l Limits) bytesError() error {
	return limitError(fmt.Sprintf("unpacks to more than %s; --max-size raises the limit", size(l.Bytes)))
}

func (l Limits) membersError() error {
	return limitError(fmt.Sprintf("holds more than %s members; --max-members raises the limit", grouped(l.Members)))
}

func (l Limits) depthError() error {
	return dataError(fmt.Sprintf("is packed more than %d times, archives and compression counted; --max-depth raises the limit", l.Depth))
}

// limitError ends the reading of the whole argument.
type limitError string

func (e limitError) Error() string { return string(e) }

func size(n int64) string {
	for _, u := range []string{"B", "KiB", "MiB", "GiB"} {
		if n < 1024 || n%1024 != 0 {
			return fmt.Sprintf("%d %s", n, u)
		}
		n /= 1024
	}
	return fmt.Sprintf("%d TiB", n)
}

// grouped writes 4113 as 4,113.
func grouped(n int) string {
	s := strconv.Itoa(n)
	var b strings.Builder
	for i, c := range s {
		if i > 0 && (len(s)-i)%3 == 0 {
			b.WriteByte(',')
		}
		b.WriteRune(c)
	}
	return b.String()
}
