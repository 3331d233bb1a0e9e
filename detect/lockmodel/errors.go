package lockmodel

import (
	"strings"

	"github.com/alecthomas/participle/v2/lexer"
)

// Error is one mistake in a *.lock file.
type Error struct {
	Pos  lexer.Position // file, line and column, the last two from 1
	Msg  string
	Hint string // what to write instead; may be empty
}

// Error returns "file:line:column: message (hint)".
func (e *Error) Error() string {
	s := e.Pos.String() + ": " + e.Msg
	if e.Hint != "" {
		s += " (" + e.Hint + ")"
	}
	return s
}

// Errors are the mistakes in a *.lock file, in file order; never empty when it
// is returned as an error.
type Errors struct{ List []*Error }

// Error returns one line for each mistake.
func (e *Errors) Error() string {
	lines := make([]string, len(e.List))
	for i, one := range e.List {
		lines[i] = one.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap returns the single mistakes, for errors.As.
func (e *Errors) Unwrap() []error {
	out := make([]error, len(e.List))
	for i, one := range e.List {
		out[i] = one
	}
	return out
}

// nearest returns the word of words that is most like s, if one is like it.
func nearest(s string, words []string) (string, bool) {
	best, dist := "", len(s)/3+2
	for _, w := range words {
		if d := distance(s, w, dist); d < dist {
			best, dist = w, d
		}
	}
	return best, best != ""
}

// distance is the number of letters to insert, delete or replace, or to swap
// with a neighbour, that makes b of a; at least max if it is not less.
func distance(a, b string, max int) int {
	if len(a)-len(b) >= max || len(b)-len(a) >= max {
		return max
	}
	prev2, prev, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range prev {
		prev[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(prev[j]+1, row[j-1]+1, prev[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], prev2[j-2]+1)
			}
		}
		prev2, prev, row = prev, row, prev2
	}
	return prev[len(b)]
}
