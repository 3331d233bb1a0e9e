//go:build !amd64 || purego

package anchor

// teddy is the search with vector instructions, which this build has not.
type teddy struct{}

func newTeddy([]string) *teddy { return nil }

func (*teddy) scan([]byte, int) (int, int, bool) { panic("unreachable") }
