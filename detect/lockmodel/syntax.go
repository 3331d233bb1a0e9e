package lockmodel

import (
	"errors"
	"fmt"
	"strings"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
)

// The grammar is loose on purpose: it fixes the shape of a statement, and
// load.go judges the words, so that a wrong word is told apart from a wrong
// shape and gets a hint of its own.

var lockLexer = lexer.MustSimple([]lexer.SimpleRule{
	{Name: "Comment", Pattern: `#[^\n]*`},
	{Name: "Blank", Pattern: `[ \t\r]+`},
	{Name: "EOL", Pattern: `\n`},
	{Name: "String", Pattern: `"(?:\\.|[^"\\\n])*"`},
	{Name: "Unterminated", Pattern: `"[^\n]*`},
	{Name: "Range", Pattern: `(?:[0-9]|\.\.)[0-9A-Za-z.]*`},
	{Name: "Set", Pattern: `@[A-Za-z_][A-Za-z0-9_]*`},
	{Name: "Word", Pattern: `[A-Za-z_][A-Za-z0-9_]*\*?`},
	{Name: "Punct", Pattern: `[{},=]`},
	{Name: "Other", Pattern: `[^ \t\r\n]`},
})

type lockFile struct {
	Statements []*statement `parser:"( @@ | EOL )*"`
}

type statement struct {
	Class     *classStmt     `parser:"(   @@"`
	Entry     *classEntry    `parser:"  | @@"`
	Close     *closeStmt     `parser:"  | @@"`
	Primitive *primitiveStmt `parser:"  | @@"`
	Set       *setStmt       `parser:"  | @@"`
	Fact      *factStmt      `parser:"  | @@ )"`
	End       string         `parser:"( EOL | EOF )"`
}

// lock NAME "label" [kinds WORD...] [source "..."] [{]
//
// The lines of the block and its end are statements of their own, which
// load.go puts together: a mistake in one is then reported where it is.
type classStmt struct {
	Pos     lexer.Position
	Keyword string  `parser:"@( 'lock' | 'resource' )"`
	Name    word    `parser:"@@"`
	Label   string  `parser:"@String"`
	Kinds   []word  `parser:"( 'kinds' ( (?! 'source' ) @@ )+ )?"`
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
	Name  string    `parser:"@( Word | String )"`
	Since *rangeLit `parser:"( 'since' @@ )?"`
	Until *rangeLit `parser:"( 'until' @@ )?"`
	In    *rangeLit `parser:"( 'in' @@ )?"`
}

type lockdepEntry struct {
	Name     string `parser:"@String"`
	Instance *word  `parser:"@@?"`
}

// primitive F, G kind WORD [shared|exclusive] [killable] [interruptible]
type primitiveStmt struct {
	Pos   lexer.Position
	Funcs []word `parser:"'primitive' @@ ( ',' @@ )*"`
	Kind  word   `parser:"'kind' @@"`
	Flags []word `parser:"@@*"`
}

// set NAME = F, G, ...
type setStmt struct {
	Pos   lexer.Position
	Name  word      `parser:"'set' @@"`
	Funcs []funcRef `parser:"'=' @@ ( ',' EOL? @@ )*"`
}

// F, G VERB CLASS clause...
type factStmt struct {
	Pos     lexer.Position
	Funcs   []word    `parser:"@@ ( ',' @@ )*"`
	Verb    word      `parser:"@@"`
	Class   word      `parser:"@@"`
	Clauses []*clause `parser:"@@*"`
}

type clause struct {
	Pos      lexer.Position
	In       *rangeLit       `parser:"  'in' @@"`
	While    []funcRef       `parser:"| 'while' @@ ( ',' @@ )*"`
	Unless   []funcRef       `parser:"| 'unless' @@ ( ',' @@ )*"`
	From     []funcRef       `parser:"| 'from' @@ ( ',' @@ )*"`
	NotFrom  []funcRef       `parser:"| 'notfrom' @@ ( ',' @@ )*"`
	On       []word          `parser:"| 'on' @@ ( ',' @@ )*"`
	Source   *string         `parser:"| 'source' @String"`
	Killable *killableClause `parser:"| @@"`
	Word     *word           `parser:"| @@"`
}

type killableClause struct {
	Keyword string    `parser:"@'killable'"`
	In      *rangeLit `parser:"( 'in' @@ )?"`
}

type word struct {
	Pos  lexer.Position
	Text string `parser:"@Word"`
}

type funcRef struct {
	Pos  lexer.Position
	Text string `parser:"@( Word | Set )"`
}

type rangeLit struct {
	Pos  lexer.Position
	Text string `parser:"@Range"`
}

var lockParser = participle.MustBuild[lockFile](
	participle.Lexer(lockLexer),
	participle.Elide("Comment", "Blank"),
	participle.UseLookahead(2),
)

var (
	symUnterminated = lockLexer.Symbols()["Unterminated"]
	symEOL          = lockLexer.Symbols()["EOL"]
)

// maxErrors bounds what one file reports, and with it the work on a file that
// is no lock model at all.
const maxErrors = 20

// parseFile parses src. A statement of wrong shape is reported, blanked and the
// rest parsed again, so that one run shows all mistakes.
func parseFile(name string, src []byte) (*lockFile, []*Error) {
	var errs []*Error
	text := strings.ReplaceAll(string(src), "\x00", "?") // NUL would end the text for some lexers
	for {
		file, err := lockParser.ParseString(name, text)
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
		case tok.Type == symUnterminated:
			e.Msg, e.Hint = "unterminated string", `end it with " on the same line`
		case tok.Type == symEOL:
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
	case strings.HasPrefix(want, "Word"), strings.HasPrefix(want, "word"), strings.HasPrefix(want, "<word>"):
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
