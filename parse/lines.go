package parse

import (
	"bytes"
	"strings"
	"sync"

	"github.com/oomtrace/oomtrace/internal/anchor"
)

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

// rarities are what makes a block odd and is longer than a character.
var rarities = [...]string{"<br", "<pre", "#01", "message repeated "}

// raritySet finds all of them at once; it is worth its making in long texts only.
var raritySet = sync.OnceValue(func() *anchor.Set { return anchor.New(rarities[:]...) })

func look(block []byte) (o oddity) {
	if bytes.IndexByte(block, '&') >= 0 {
		o |= oddHTML
	}
	if bytes.IndexByte(block, '\\') >= 0 {
		o |= oddBackslash
	}
	if bytes.IndexByte(block, 0x1b) >= 0 || bytes.IndexByte(block, 0) >= 0 || bytes.IndexByte(block, '\r') >= 0 ||
		bytes.Contains(block, []byte("\u00a0")) || bytes.Contains(block, []byte("\u200b")) || bytes.Contains(block, []byte("\ufeff")) {
		o |= oddControl
	}
	if len(block) > blockSize/2 {
		if at, _, _ := raritySet().Scan(block, 0); at < 0 {
			return o
		}
	}
	for i, of := range [len(rarities)]oddity{oddHTML, oddHTML, oddHash, oddRepeat} {
		if bytes.Contains(block, []byte(rarities[i])) {
			o |= of
		}
	}
	return o
}

func indexNewline(s string) int {
	if i := strings.IndexByte(s, '\n'); i >= 0 {
		return i
	}
	return len(s)
}
