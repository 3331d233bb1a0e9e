package lockmodel

import (
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The grammar is loose on purpose: it fixes the shape of a statement, and
// load.go judges the words, so that a wrong word is told apart from a wrong
// shape and gets a hint of its own.

type lockFile struct {
	Statements []*statement `parser:"( @@ | EOL )*"`
}

// A fact comes first, it is by far the most frequent; declarations begin with a
// word that no function has.
type statement struct {
	Fact      *factStmt      `parser:"(   (?! 'lock' | 'resource' | 'name' | 'lockdep' | 'primitive' | 'set' ) @@"`
	Class     *classStmt     `parser:"  | @@"`
	Entry     *classEntry    `parser:"  | @@"`
	Close     *closeStmt     `parser:"  | @@"`
	Primitive *primitiveStmt `parser:"  | @@"`
	Set       *setStmt       `parser:"  | @@ )"`
	End       string         `parser:"( EOL | EOF )"`
}

// lock NAME "label" [kinds WORD...] [source "..."] [{]
//
// The lines of the block and its end are statements of their own, which
// load.go puts together: a mistake in one is then reported where it is.
type classStmt struct {
	Pos     lexer.Position
	Keyword string  `parser:"@( 'lock' | 'resource' )"`
	Name    names   `parser:"@@"`
	Label   string  `parser:"@String"`
	Kinds   []names `parser:"( 'kinds' ( (?! 'source' ) @@ )+ )?"`
	Source  *string `parser:"( 'source' @String )?"`
	Open    bool    `parser:"@'{'?"`
}

// name WORD [since V] [until V] [in RANGE], or lockdep "..." [INSTANCE]
type classEntry struct {
	Pos     lexer.Position
	Name    *nameEntry    `parser:"  'name' @@"`
	Lockdep *lockdepEntry `parser:"| 'lockdep' @@"`
}

type closeStmt struct {
	Pos   lexer.Position
	Brace string `parser:"@'}'"`
}

type nameEntry struct {
	Name  string  `parser:"@( Names | String )"`
	Since *string `parser:"( 'since' @Range )?"`
	Until *string `parser:"( 'until' @Range )?"`
	In    *string `parser:"( 'in' @Range )?"`
}

type lockdepEntry struct {
	Name     string `parser:"@String"`
	Instance *names `parser:"@@?"`
}

// primitive F, G kind WORD [shared|exclusive] [killable] [interruptible]
type primitiveStmt struct {
	Pos   lexer.Position
	Funcs names   `parser:"'primitive' @@"`
	Kind  names   `parser:"'kind' @@"`
	Flags []names `parser:"@@*"`
}

// set NAME = F, G, ...
type setStmt struct {
	Pos   lexer.Position
	Name  names `parser:"'set' @@"`
	Funcs names `parser:"'=' @@"`
}

// F, G VERB CLASS clause...
type factStmt struct {
	Pos     lexer.Position
	Funcs   names      `parser:"@@"`
	Verb    names      `parser:"@@"`
	Class   names      `parser:"@@"`
	Clauses clauseList `parser:"@@"`
}

// clauseList is what follows verb and class of a fact:
//
//	clauses = { ( "while" | "unless" | "from" | "notfrom" | "on" ) Names | Names [ Range | String ] }
//
// It and names parse themselves, because the general way costs three times as
// much.
type clauseList struct{ list []clause }

// A clause is a keyword with what belongs to it, or a word alone: the mode, the
// instance, maybe. load.go tells which words need what, and that the range
// after killable is not that of the fact.
type clause struct {
	Pos   lexer.Position
	Word  string
	Funcs *names
	Range string // a version range after Word
	Text  string // a string after Word, with its quotes
}

// Parse takes clauses up to the first token that cannot start one.
func (l *clauseList) Parse(lex *lexer.PeekingLexer) error {
	for {
		tok := lex.Peek()
		if tok.Type != tokNames && tok.Type != tokLister {
			return nil
		}
		lex.Next()
		c := clause{Pos: tok.Pos, Word: tok.Value}
		next := lex.Peek()
		switch {
		case tok.Type == tokLister:
			if next.Type != tokNames {
				return &participle.UnexpectedTokenError{Unexpected: *next, Expect: "<names>"}
			}
			c.Funcs = &names{next.Pos, next.Value}
			lex.Next()
		case next.Type == tokRange:
			c.Range = next.Value
			lex.Next()
		case next.Type == tokString:
			c.Text = next.Value
			lex.Next()
		}
		l.list = append(l.list, c)
	}
}

// names is a word, or a list of words with commas between them.
type names struct {
	Pos  lexer.Position
	Text string
}

// Parse takes one token.
func (n *names) Parse(lex *lexer.PeekingLexer) error {
	tok := lex.Peek()
	if tok.Type != tokNames {
		return participle.NextMatch
	}
	n.Pos, n.Text = tok.Pos, tok.Value
	lex.Next()
	return nil
}

// list returns the single words.
func (n names) list() []word {
	out := make([]word, 0, strings.Count(n.Text, ",")+1)
	rest, pos := n.Text, n.Pos
	for {
		one, after, more := strings.Cut(rest, ",")
		text := strings.TrimLeft(one, " \t\r\n")
		out = append(out, word{moved(pos, one[:len(one)-len(text)]), strings.TrimRight(text, " \t\r")})
		if !more {
			return out
		}
		pos = moved(pos, rest[:len(one)+1])
		rest = after
	}
}

// word is one name.
type word struct {
	Pos  lexer.Position
	Text string
}

// lockParser is built when a user's file asks for it: most runs need none.
var lockParser = sync.OnceValue(func() *participle.Parser[lockFile] {
	return participle.MustBuild[lockFile](
		participle.Lexer(lockLexer{}),
		participle.UseLookahead(2),
	)
})

// maxErrors bounds what one file reports, and with it the work on a file that
// is no lock model at all.
const maxErrors = 20

// parseFile parses src. A statement of wrong shape is reported, blanked and the
// rest parsed again, so that one run shows all mistakes.
func parseFile(name string, src []byte) (*lockFile, []*Error) {
	var errs []*Error
	text := strings.ReplaceAll(string(src), "\x00", "?") // NUL would end the text for some lexers
	for {
		file, err := lockParser().ParseString(name, text)
		if err == nil {
			return file, errs
		}
		e := syntaxError(name, err)
		errs = append(errs, e)
		if len(errs) >= maxErrors {
			return nil, errs
		}
		var ok bool
		if text, ok = blank(text, e.Pos.Line); !ok {
			return nil, errs
		}
	}
}

func syntaxError(name string, err error) *Error {
	e := &Error{Pos: lexer.Position{Filename: name, Line: 1, Column: 1}, Msg: err.Error()}
	var perr participle.Error
	if errors.As(err, &perr) {
		e.Pos, e.Msg = perr.Position(), perr.Message()
		e.Pos.Filename = name
	}
	var unexpected *participle.UnexpectedTokenError
	if errors.As(err, &unexpected) {
		tok := unexpected.Unexpected
		switch {
		case tok.Type == tokUnterminated:
			e.Msg, e.Hint = "unterminated string", `end it with " on the same line`
		case tok.Type == tokString:
			e.Msg, e.Hint = "unexpected text "+quote(unquote(tok.Value)), `texts follow source, lockdep or name; look for a comma too many before it`
		case tok.Type == tokEOL:
			e.Msg, e.Hint = "the line ends too early", expectation(unexpected)
		case tok.EOF():
			e.Msg, e.Hint = "the file ends too early", expectation(unexpected)
		default:
			e.Msg, e.Hint = fmt.Sprintf("unexpected %s", quote(tok.Value)), expectation(unexpected)
		}
	}
	return e
}

// expectation turns what the parser wanted into words of the language.
func expectation(err *participle.UnexpectedTokenError) string {
	msg := err.Message()
	_, want, ok := strings.Cut(msg, "(expected ")
	if !ok {
		return ""
	}
	want = strings.TrimSuffix(want, ")")
	switch {
	case strings.HasPrefix(want, "Range"), strings.HasPrefix(want, "<range>"):
		return "a kernel version or range such as 2.6.32..3.15, 4.7.., ..4.6 or 3.2 belongs here"
	case strings.HasPrefix(want, "names"), strings.HasPrefix(want, "<names>"):
		return "a name belongs here: FUNCTION VERB CLASS clauses"
	case strings.HasPrefix(want, "<string>"), strings.HasPrefix(want, "String"):
		return `a text in double quotes belongs here`
	case strings.HasPrefix(want, "<eol>"), strings.HasPrefix(want, "EOL"), strings.Contains(want, "<eof>"):
		return "the statement should end here; one statement a line"
	}
	return "expected " + want
}

func quote(s string) string {
	const limit = 40
	if len(s) > limit {
		s = strings.ToValidUTF8(s[:limit], "?") + "..."
	}
	return fmt.Sprintf("%q", s)
}

// brokenClass stands for a class statement that could not be parsed.
const (
	brokenName  = "__broken"
	brokenClass = `lock ` + brokenName + ` "" source "" {`
)

// blank empties a line; if a block opens there, a stand-in
// keeps it, so that its lines are still those of a class. It reports false if there is nothing left to blank.
func blank(text string, line int) (string, bool) {
	lines := strings.Split(text, "\n")
	i := line - 1
	for i >= len(lines) || i >= 0 && strings.TrimSpace(lines[i]) == "" {
		i-- // "too early" is reported at the end of the file: take the last line
	}
	if i < 0 {
		return text, false
	}
	if strings.HasSuffix(strings.TrimSpace(lines[i]), "{") && lines[i] != brokenClass {
		lines[i] = brokenClass
	} else {
		lines[i] = ""
	}
	return strings.Join(lines, "\n"), true
}

// unquote removes the quotes and the backslashes of a string token.
func unquote(s string) string {
	s = strings.TrimSuffix(strings.TrimPrefix(s, `"`), `"`)
	if !strings.Contains(s, `\`) {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}
