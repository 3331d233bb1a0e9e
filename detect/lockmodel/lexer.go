package lockmodel

import (
	"io"
	"strings"
	"unicode/utf8"

	"github.com/alecthomas/participle/v2/lexer"
)

// The tokens. A list of names with commas between them is one token: the
// grammar needs no look into it, and a fact of ten functions parses as fast as
// a fact of one. Blanks and comments are no tokens.
const (
	tokEOL lexer.TokenType = iota + 1
	tokString
	tokUnterminated // a string that the line ends
	tokRange        // what starts like a version: 2.6.32..3.15
	tokNames        // f or f, g, @set, xfs_*
	tokLister       // while unless from notfrom on: a list follows
	tokPunct        // { } =
	tokOther
)

// lockLexer is the lexer of *.lock files. It is written by hand because
// regular expressions took more time than all the rest.
type lockLexer struct{}

// Symbols returns the names of the tokens in the grammar.
func (lockLexer) Symbols() map[string]lexer.TokenType {
	return map[string]lexer.TokenType{
		"EOF": lexer.EOF, "EOL": tokEOL, "String": tokString, "Unterminated": tokUnterminated,
		"Range": tokRange, "Names": tokNames, "Lister": tokLister, "Punct": tokPunct, "Other": tokOther,
	}
}

// Lex returns a lexer of what r has.
func (d lockLexer) Lex(name string, r io.Reader) (lexer.Lexer, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return d.LexString(name, string(b))
}

// LexString returns a lexer of src.
func (lockLexer) LexString(name, src string) (lexer.Lexer, error) {
	return &scanner{src: src, pos: lexer.Position{Filename: name, Line: 1, Column: 1}}, nil
}

type scanner struct {
	src string
	pos lexer.Position
}

func isNameStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func isNamePart(c byte) bool { return isNameStart(c) || c >= '0' && c <= '9' }

// Next returns the next token; lexer.EOF at the end, for ever.
func (s *scanner) Next() (lexer.Token, error) {
	src := s.src
	i := s.pos.Offset
	for i < len(src) && (src[i] == ' ' || src[i] == '\t' || src[i] == '\r' || src[i] == '#') {
		if src[i] == '#' {
			if n := strings.IndexByte(src[i:], '\n'); n >= 0 {
				i += n
			} else {
				i = len(src)
			}
			continue
		}
		i++
	}
	s.advance(i)
	if i == len(src) {
		return lexer.EOFToken(s.pos), nil
	}
	typ, end := tokOther, i+1
	switch c := src[i]; {
	case c == '\n':
		typ = tokEOL
	case c == '"':
		typ, end = stringEnd(src, i)
	case c >= '0' && c <= '9', strings.HasPrefix(src[i:], ".."):
		typ = tokRange
		for end < len(src) && (isNamePart(src[end]) || src[end] == '.') {
			end++
		}
	case c == '{', c == '}', c == '=':
		typ = tokPunct
	default:
		if n := nameEnd(src, i); n > i {
			typ, end = tokNames, listEnd(src, n)
			switch src[i:end] {
			case "while", "unless", "from", "notfrom", "on":
				typ = tokLister
			}
		} else if c >= utf8.RuneSelf {
			_, size := utf8.DecodeRuneInString(src[i:])
			end = i + size
		}
	}
	tok := lexer.Token{Type: typ, Value: src[i:end], Pos: s.pos}
	s.advance(end)
	return tok, nil
}

// advance moves the position to offset i.
func (s *scanner) advance(i int) {
	s.pos = moved(s.pos, s.src[s.pos.Offset:i])
}

// moved returns the position after text that starts at pos. Columns count
// bytes.
func moved(pos lexer.Position, text string) lexer.Position {
	pos.Offset += len(text)
	if n := strings.LastIndexByte(text, '\n'); n >= 0 {
		pos.Line += strings.Count(text, "\n")
		pos.Column = len(text) - n
	} else {
		pos.Column += len(text)
	}
	return pos
}

func stringEnd(src string, i int) (lexer.TokenType, int) {
	for end := i + 1; end < len(src); end++ {
		switch src[end] {
		case '\\':
			if end+1 < len(src) && src[end+1] != '\n' {
				end++
			}
		case '"':
			return tokString, end + 1
		case '\n':
			return tokUnterminated, end
		}
	}
	return tokUnterminated, len(src)
}

// nameEnd returns the end of the name at i, or i if there is none.
func nameEnd(src string, i int) int {
	end := i
	if end < len(src) && src[end] == '@' {
		end++
	}
	if end == len(src) || !isNameStart(src[end]) {
		return i
	}
	for end < len(src) && isNamePart(src[end]) {
		end++
	}
	if end < len(src) && src[end] == '*' {
		end++
	}
	return end
}

// listEnd returns the end of the list of names whose first ends at end. A line
// may end after a comma.
func listEnd(src string, end int) int {
	for {
		i := skipBlanks(src, end)
		if i == len(src) || src[i] != ',' {
			return end
		}
		i = skipBlanks(src, i+1)
		if i < len(src) && src[i] == '\n' {
			i = skipBlanks(src, i+1)
		}
		n := nameEnd(src, i)
		if n == i {
			return end
		}
		end = n
	}
}

func skipBlanks(src string, i int) int {
	for i < len(src) && (src[i] == ' ' || src[i] == '\t' || src[i] == '\r') {
		i++
	}
	return i
}
