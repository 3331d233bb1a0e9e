package parse

import "strings"

// oddity is what somewhere in a block is not as the kernel wrote it. Looking at
// a block is cheap; only where it holds such bytes are they looked for in
// each line.
type oddity uint8

const (
	oddControl   oddity = 1 << iota // escapes, NULs, carriage returns, blanks that do not break
	oddHTML                         // "&lt;", "<br>"
	oddBackslash                    // "\x0a"
	oddHash                         // "#012"
	oddRepeat                       // "message repeated 2 times: "
)

func look(block string) (o oddity) {
	if strings.IndexByte(block, 0x1b) >= 0 || strings.IndexByte(block, 0) >= 0 || strings.IndexByte(block, '\r') >= 0 ||
		strings.Contains(block, "\u00a0") || strings.Contains(block, "\u200b") || strings.Contains(block, "\ufeff") {
		o |= oddControl
	}
	if strings.IndexByte(block, '&') >= 0 || strings.Contains(block, "<br") || strings.Contains(block, "<pre") {
		o |= oddHTML
	}
	if strings.IndexByte(block, '\\') >= 0 {
		o |= oddBackslash
	}
	if strings.Contains(block, "#01") {
		o |= oddHash
	}
	if strings.Contains(block, "message repeated ") {
		o |= oddRepeat
	}
	return o
}

func indexNewline(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}
