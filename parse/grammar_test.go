package parse

import (
	"bufio"
	"compress/gzip"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/alecthomas/participle/v2"
	"github.com/alecthomas/participle/v2/lexer"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// The grammar of call-trace lines, as kernels print them and as people and tools
// paste them. It holds scanFrame honest: where the grammar takes a line, both
// must read the same from it; where scanFrame takes a line as a frame with
// offset and size, so must the grammar, but for oddParens. It is written to be
// read, and a hundred times too slow for a log.

// frameLexer has the words of a line; blanks count. After follows a symbol, Tail
// what belongs to the symbol.
var frameLexer = lexer.MustStateful(lexer.Rules{
	"Root": {
		{Name: "Space", Pattern: `[ \t]+`},
		{Name: "Mark", Pattern: `<<EOE>>|</?[A-Z_#][A-Z0-9_#]{1,22}>`},
		{Name: "Entered", Pattern: `Function entered at `, Action: lexer.Push("Entered")},
		{Name: "Address", Pattern: `\[<[0-9a-fA-F]+>\]`},
		{Name: "Pair", Pattern: `\[[0-9a-fA-F]{8,}\] \[[0-9a-fA-F]+\]`},
		{Name: "Register", Pattern: `\[[0-9a-fA-F]{8,}\] [ \t]*`},
		{Name: "Maybe", Pattern: `\? [ \t]*`},
		{Name: "Open", Pattern: `\(`},
		{Name: "Hex", Pattern: `0x[0-9a-fA-F]+`, Action: lexer.Push("Tail")},
		{Name: "Symbol", Pattern: `[A-Za-z_.$][0-9A-Za-z_.$]*`, Action: lexer.Push("After")},
		{Name: "Other", Pattern: `(?s:.)`},
	},
	"Entered": {
		{Name: "Address", Pattern: `\[<[0-9a-fA-F]+>\]`},
		{Name: "From", Pattern: ` from `},
		{Name: "Other", Pattern: `(?s:.)`},
	},
	"After": {
		{Name: "Offset", Pattern: `\+0x[0-9a-fA-F]+/0x[0-9a-fA-F]+`, Action: lexer.Push("Tail")},
		{Name: "Loose", Pattern: `\+0x[0-9a-fA-F]+`, Action: lexer.Push("Tail")},
		lexer.Include("Tail"),
	},
	"Tail": {
		{Name: "From", Pattern: ` from `, Action: lexer.Push("Root")},
		{Name: "Space", Pattern: `[ \t]+`},
		{Name: "Comment", Pattern: `(?s:(#|//|/\*|<-).*)`},
		{Name: "Bracket", Pattern: `\[`, Action: lexer.Push("Module")},
		{Name: "Remark", Pattern: `\((?:[^()]|\((?:[^()]|\([^()]*\))*\))*\)`},
		{Name: "Cut", Pattern: `(?s:\(.*)`},
		{Name: "Close", Pattern: `\)`},
		{Name: "Place", Pattern: `(?:[^ \t:]*:)*[^ \t:]{2,}[chSsy?]:[0-9?](?:[^ \t]*[^ \t)])?`},
		{Name: "Word", Pattern: `[0-9A-Za-z_.$-]+`},
		{Name: "Other", Pattern: `(?s:.)`},
	},
	"Module": {
		{Name: "Name", Pattern: `[^ (\]]+`},
		{Name: "Rest", Pattern: `[ (][^\]]*`},
		{Name: "End", Pattern: `\]`, Action: lexer.Pop()},
	},
})

// grammarLine is a line of a call trace. The names of stacks stand alone or,
// up to 4.8, before a frame (stack_type_name, arch/x86/kernel/dumpstack*.c).
type grammarLine struct {
	Marks   []string        `parser:"Space? ( @Mark Space? )*"`
	S390    *grammarFrame   `parser:"( Open @@ Close"` // not reliable: show_trace, arch/s390/kernel/dumpstack.c
	Entered *grammarEntered `parser:"| @@"`
	ARM     *grammarARM     `parser:"| @@"`
	From    *grammarFrom    `parser:"| @@"`
	Decoded *grammarDecoded `parser:"| @@"`
	Inlined *grammarInlined `parser:"| @@"`
	Frame   *grammarFrame   `parser:"| @@ ) Space?"`
}

// grammarFrame is most lines:
//
//	 foo+0x1/0x2 [mod]                            x86 4.10 ->, arm64, riscv, loongarch, s390 5.x ->
//	 [<ffffffff8110a9c1>] ? foo+0x1/0x2           x86 .. 4.9; print_ip_sym everywhere
//	[<0>] foo+0x1/0x2                             /proc/PID/stack, 4.15 ->
//	[c000000012345678] [c0000000000abcde] foo+0x1/0x2 (unreliable)     powerpc
//	[00000000004a5c1c] foo+0x1/0x2                sparc64
//	 foo+0x1/0x2 (T)                              arm64: where the unwinder has it from
//	 0xffffffffa0001234                           %pS of an address without a symbol
//	[<c0012345>] foo                              without offset
type grammarFrame struct {
	Address *grammarAddress `parser:"@@?"`
	Maybe   string          `parser:"@Maybe?"`
	Symbol  string          `parser:"( @Symbol"`
	Offset  string          `parser:"  ( @Offset"`
	Loose   string          `parser:"  | @Loose )"`
	Tail    *grammarTail    `parser:"  @@"`
	Hex     string          `parser:"| @Hex"`
	HexTail *grammarTail    `parser:"  @@"`
	Bare    string          `parser:"| @Symbol )"`
}

type grammarAddress struct {
	Bracketed string `parser:"  @Address Space?"`
	Pair      string `parser:"| @Pair Space?"` // stack pointer and address
	Register  string `parser:"| @Register"`
}

// grammarTail is what may stand behind: module and build id, remarks, source
// positions, comments.
type grammarTail struct {
	Items []*grammarItem `parser:"@@*"`
}

type grammarItem struct {
	Module *grammarModule `parser:"  @@"`
	Remark string         `parser:"| @( Remark | Cut )"`
	Other  string         `parser:"| @( Space | Place | Comment )"`
}

// grammarModule is "[ext4]", "[ext4 0123456789abcdef0123456789abcdef01234567]"
// (CONFIG_STACKTRACE_BUILD_ID, 5.14 ->). A cut line may end inside.
type grammarModule struct {
	Name   string `parser:"Bracket @Name?"`
	Rest   string `parser:"@Rest?"`
	Closed bool   `parser:"@End?"`
}

// grammarARM is dump_backtrace_entry of arm, .. 5.x; mips prints one frame so:
//
//	[<c0014558>] (show_stack [mod]) from [<c059798c>] (dump_stack+0x7c/0xc8 [mod])
//	[<80108b50>] (dump_stack+0x8/0x34)
type grammarARM struct {
	Where  *grammarAddress `parser:"@@ Open"`
	Callee *grammarNamed   `parser:"@@ Close"`
	From   string          `parser:"( From @Address ' ' Open"`
	Caller *grammarNamed   `parser:"  @@ Close"`
	Tail   *grammarTail    `parser:"  @@ )?"`
}

// grammarNamed is %ps and %pS inside parentheses.
type grammarNamed struct {
	Symbol string           `parser:"( @Symbol"`
	Offset string           `parser:"  @Offset?"`
	Loose  string           `parser:"  @Loose?"`
	Hex    string           `parser:"| @Hex )"`
	Items  []*grammarInside `parser:"@@*"`
}

type grammarInside struct {
	Module *grammarModule `parser:"  @@"`
	Other  string         `parser:"| @( Space | Place )"`
}

// grammarEntered is the same without CONFIG_KALLSYMS:
//
//	Function entered at [<c0014558>] from [<c059798c>]
type grammarEntered struct {
	Callee string `parser:"Entered @Address"`
	Caller string `parser:"From @Address"`
}

// grammarFrom is the same in 6.x:
//
//	show_stack [mod] from dump_stack+0x7c/0xc8 [mod]
type grammarFrom struct {
	Callee string         `parser:"@Symbol"`
	Module *grammarModule `parser:"( ' ' @@ )?"`
	Caller string         `parser:"From @Symbol"`
	Offset string         `parser:"@Offset"`
	Tail   *grammarTail   `parser:"@@"`
}

// grammarDecoded is scripts/decode_stacktrace.sh:
//
//	ext4_file_write_iter (fs/ext4/file.c:123 (discriminator 4)) ext4
type grammarDecoded struct {
	Address *grammarAddress `parser:"@@?"`
	Maybe   string          `parser:"@Maybe?"`
	Symbol  string          `parser:"@Symbol ' '"`
	Place   string          `parser:"@Remark"`
	Items   []*grammarMore  `parser:"( Space @@ )*"`
	Module  string          `parser:"( Space @Word )?"`
}

type grammarMore struct {
	Module *grammarModule `parser:"  @@"`
	Remark string         `parser:"| @Remark"`
}

// grammarInlined is a function without a frame of its own, as syzkaller prints it:
//
//	context_switch kernel/sched/core.c:5357 [inline]
type grammarInlined struct {
	Address *grammarAddress `parser:"@@?"`
	Maybe   string          `parser:"@Maybe?"`
	Symbol  string          `parser:"@Symbol ' '"`
	Place   string          `parser:"@Place ' '"`
	Inline  string          `parser:"Bracket @'inline' End"`
}

var frameParser = participle.MustBuild[grammarLine](participle.Lexer(frameLexer), participle.UseLookahead(participle.MaxLookahead))

// grammarRead reads a line by the grammar. ok is false for what is no frame, the
// end of a stack (all ones) included.
func grammarRead(line string) (f Frame, callee *Frame, ok bool) {
	l, err := frameParser.ParseString("", strings.TrimRight(line, " \t"))
	if err != nil {
		return Frame{}, nil, false
	}
	f.Reliable = true
	for _, m := range l.Marks {
		if !strings.HasPrefix(m, "</") && m != "<EOI>" && m != "<<EOE>>" && m != "<TASK>" {
			f.Context = map[string]Context{"<IRQ>": ContextIRQ, "<SOFTIRQ>": ContextSoftIRQ, "<NMI>": ContextNMI}[m]
			if f.Context == ContextTask {
				f.Context = ContextException
			}
		} else {
			f.Context = ContextTask
		}
	}
	switch {
	case l.S390 != nil:
		f.Reliable = false
		return f, nil, l.S390.Address != nil && l.S390.read(&f)
	case l.Frame != nil:
		return f, nil, l.Frame.read(&f)
	case l.Decoded != nil:
		d := l.Decoded
		ok = d.Address.read(&f) && grammarPlace.MatchString(d.Place)
		f.Func, f.Reliable = d.Symbol, d.Maybe == ""
		var items []*grammarItem
		for _, it := range d.Items {
			items = append(items, &grammarItem{Module: it.Module, Remark: it.Remark})
		}
		ok = (&grammarTail{items}).read(&f) && ok
		if d.Module != "" {
			f.Module = d.Module
		}
		return f, nil, ok
	case l.Inlined != nil:
		f.Func, f.Reliable = l.Inlined.Symbol, l.Inlined.Maybe == ""
		return f, nil, l.Inlined.Address.read(&f)
	case l.Entered != nil:
		c := &Frame{Reliable: true}
		_, ok1 := grammarHex(l.Entered.Callee, &c.Addr)
		_, ok2 := grammarHex(l.Entered.Caller, &f.Addr)
		c.HasAddr, f.HasAddr = true, true
		return f, c, ok1 && ok2
	case l.From != nil:
		c := &Frame{Func: l.From.Callee, Reliable: true}
		ok = l.From.Module == nil || (&grammarTail{[]*grammarItem{{Module: l.From.Module}}}).read(c) && l.From.Module.Closed
		f.Func = l.From.Caller
		return f, c, grammarOffset(l.From.Offset, &f) && l.From.Tail.read(&f) && ok
	}
	a := l.ARM
	var c Frame
	if !a.Callee.read(&c) || c.Offset != 0 && !c.HasOffset {
		return Frame{}, nil, false
	}
	c.Addr = 0
	if !a.Where.read(&c) {
		return Frame{}, nil, false
	}
	if a.Caller == nil {
		c.Context = f.Context
		return c, nil, c.HasOffset
	}
	if !c.HasOffset && c.Func != "" && !a.Callee.plain() {
		return Frame{}, nil, false
	}
	if !a.Caller.read(&f) || f.Func != "" && a.Caller.Offset == "" && a.Caller.Loose == "" {
		return Frame{}, nil, false
	}
	v, ok := grammarHex(a.From, &f.Addr)
	f.HasAddr = v != 0
	return f, &c, ok && a.Tail.read(&f)
}

var (
	grammarPlace      = regexp.MustCompile(`(?:^|:)[^:]{2,}[chSsy?]:[0-9?]`)
	grammarModuleName = regexp.MustCompile(`^[0-9A-Za-z_.$-]+$`)
	grammarBuildID    = regexp.MustCompile(`^[0-9a-fA-F]{40}$`)
	grammarDigits     = regexp.MustCompile(`[0-9a-fA-F]+`)
)

// grammarHex reads the hexadecimal number in a token, of 16 digits at most.
func grammarHex(token string, into *uint64) (uint64, bool) {
	digits := grammarDigits.FindString(strings.TrimPrefix(token, "0x"))
	v, err := strconv.ParseUint(digits, 16, 64)
	*into = v
	return v, err == nil && len(digits) <= 16
}

func grammarOffset(token string, f *Frame) bool {
	if token == "" {
		return true
	}
	off, size, full := strings.Cut(strings.TrimPrefix(token, "+0x"), "/0x")
	v, err := strconv.ParseUint(off, 16, 32)
	f.Offset = uint32(v)
	if full && err == nil {
		v, err = strconv.ParseUint(size, 16, 32)
		f.Size, f.HasOffset = uint32(v), true
	}
	return err == nil && len(off) <= 16 && len(size) <= 16
}

func (a *grammarAddress) read(f *Frame) bool {
	if a == nil {
		return true
	}
	switch {
	case a.Bracketed != "":
		v, ok := grammarHex(a.Bracketed, &f.Addr)
		f.HasAddr = v != 0
		return ok
	case a.Pair != "":
		first, second, _ := strings.Cut(a.Pair, " ")
		_, ok := grammarHex(first, &f.Addr)
		_, ok2 := grammarHex(second, &f.Addr)
		f.HasAddr = true
		return ok && ok2
	}
	_, ok := grammarHex(a.Register, &f.Addr)
	f.HasAddr = true
	return ok
}

func (g *grammarFrame) read(f *Frame) bool {
	if !g.Address.read(f) {
		return false
	}
	f.Reliable = f.Reliable && g.Maybe == ""
	switch {
	case g.Hex != "":
		return grammarBareAddress(g.Hex, f) && g.HexTail.read(f)
	case g.Bare != "":
		f.Func = g.Bare
		return g.Address != nil
	}
	f.Func = g.Symbol
	if g.Loose != "" && len(g.Tail.Items) > 0 && strings.HasPrefix(g.Tail.Items[0].Other, "/0x") {
		return false // a size that is no number
	}
	return grammarOffset(g.Offset+g.Loose, f) && g.Tail.read(f)
}

// grammarBareAddress is %pS without a symbol: not all ones, which is the end of
// a stack, and not a small number.
func grammarBareAddress(token string, f *Frame) bool {
	v, ok := grammarHex(token, &f.Addr)
	f.HasAddr = true
	return ok && len(token) >= 10 && v != 1<<64-1 && (v != 1<<32-1 || len(token) != 10)
}

func (t *grammarTail) read(f *Frame) bool {
	for _, it := range t.Items {
		if it.Remark == "(unreliable)" {
			f.Reliable = false
		}
		m := it.Module
		if m == nil {
			continue
		}
		if m.Rest != "" && grammarBuildID.MatchString(m.Rest[1:]) {
			f.BuildID = m.Rest[1:]
		}
		if m.Name == "inline" || f.Module != "" {
			continue
		}
		if m.Name == "" && !m.Closed {
			continue
		}
		if !grammarModuleName.MatchString(m.Name) {
			return false
		}
		f.Module = m.Name
	}
	return true
}

// plain tells whether a name is what %ps prints: "foo", "foo [mod]".
func (n *grammarNamed) plain() bool {
	switch len(n.Items) {
	case 0:
		return true
	case 2:
		return n.Items[0].Other == " " && n.Items[1].Module != nil && n.Items[1].Module.Closed
	}
	return false
}

func (n *grammarNamed) read(f *Frame) bool {
	f.Reliable = true
	t := &grammarTail{}
	for _, it := range n.Items {
		if it.Module != nil && strings.Contains(it.Module.Name+it.Module.Rest, ")") {
			return false // the first one ends the name
		}
		t.Items = append(t.Items, &grammarItem{Module: it.Module, Other: it.Other})
	}
	if n.Hex != "" {
		return grammarBareAddress(n.Hex, f) && t.read(f)
	}
	f.Func = n.Symbol
	if n.Loose != "" && len(t.Items) > 0 && strings.HasPrefix(t.Items[0].Other, "/0x") {
		return false
	}
	return grammarOffset(n.Offset+n.Loose, f) && t.read(f)
}

// oddParens are the lines that scanFrame takes and the grammar does not: with
// parentheses that do not match, do not nest with brackets, are nested deeper
// than three, stand inside the word of a source position, or have a comment on
// their line. No kernel prints them; scanFrame looks for the ends of such a line
// first, the grammar reads it from the left.
func oddParens(line string) bool {
	if !strings.ContainsAny(line, "()") {
		return false
	}
	var open []rune
	parens := 0
	for _, c := range line {
		switch c {
		case '(', '[':
			open = append(open, c)
			if c == '(' {
				parens++
			}
		case ')', ']':
			if len(open) == 0 || (open[len(open)-1] == '(') != (c == ')') {
				return true
			}
			open = open[:len(open)-1]
			if c == ')' {
				parens--
			}
		}
		if parens > 3 {
			return true
		}
	}
	return len(open) > 0 || gluedParens.MatchString(line) || comment.MatchString(line)
}

var (
	gluedParens = regexp.MustCompile(`[^ \t(][^ \t]*[()][^ \t]*:[0-9?]|:[0-9?][^ \t]*[()][^ \t]*[^ \t()]`)
	comment     = regexp.MustCompile(`#|//|/\*|<-`)
)

// compareFrame holds scanFrame to the grammar on one line, and tells whether it
// is a frame with offset and size.
func compareFrame(t interface {
	Helper()
	Errorf(format string, args ...any)
}, line string) (full bool) {
	t.Helper()
	var fast Frame
	info := scanFrame(line, &fast)
	taken := info.kind == frameFull || info.kind == frameAddr || info.kind == frameLoose
	want, callee, ok := grammarRead(line)
	switch {
	case ok && !taken:
		t.Errorf("%q: the grammar reads %+v, scanFrame no frame", line, want)
	case ok:
		if d := cmp.Diff(want, fast); d != "" {
			t.Errorf("%q: the grammar (-) and scanFrame (+) differ:\n%s", line, d)
		}
		if d := cmp.Diff(callee, info.callee); d != "" {
			t.Errorf("%q: callee of the grammar (-) and scanFrame (+):\n%s", line, d)
		}
	case taken && fast.HasOffset && !oddParens(line):
		t.Errorf("%q: scanFrame reads %+v, the grammar no frame", line, fast)
	}
	return ok && want.HasOffset
}

// frameLines are all lines of testdata, without printk's time too.
func frameLines(t testing.TB) []string {
	t.Helper()
	var files []string
	for _, pattern := range []string{"testdata/*.txtar", "../testdata/dmesg/*.log", "../testdata/ftrace/*"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, found...)
	}
	prefix := regexp.MustCompile(`^(?:<\d+>)?\[ *\d+\.\d+\](?:\[ *[TC]\d+\])? ?`)
	lines := map[string]bool{}
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			t.Fatal(err)
		}
		var r io.Reader = f
		if strings.HasSuffix(name, ".gz") {
			if r, err = gzip.NewReader(f); err != nil {
				t.Fatal(err)
			}
		}
		for s := bufio.NewScanner(r); s.Scan(); {
			line := strings.TrimRight(s.Text(), "\r")
			lines[line] = true
			lines[prefix.ReplaceAllString(line, "")] = true
		}
		f.Close()
	}
	return slices.Sorted(maps.Keys(lines))
}

// TestFrameGrammar compares scanFrame with the grammar on every line of testdata.
func TestFrameGrammar(t *testing.T) {
	n := 0
	for _, line := range frameLines(t) {
		if compareFrame(t, line) {
			n++
		}
	}
	if n < 1000 {
		t.Errorf("only %d different frames in testdata", n)
	}
}

// madeFrame draws lines that kernels print, each with what it says.
type madeFrame struct {
	line   string
	want   Frame
	callee *Frame
}

var (
	drawSymbol = rapid.OneOf(
		rapid.SampledFrom([]string{"mem_cgroup_oom_synchronize", "__schedule", ".sys_write", "T.1146", "oom_kill_process.isra.0.cold", "x64_sys_call", "_RNvCs8PkZ_4core", "from", "CPU", "_nv01$x"}),
		rapid.StringMatching(`[a-z_.][a-zA-Z0-9_.$]{0,30}`))
	drawModule = rapid.OneOf(
		rapid.SampledFrom([]string{"ext4", "9p", "9pnet_virtio", "8021q", "6lowpan", "842", "3w_9xxx", "snd-hda-intel", "nf_tables", "zfs"}),
		rapid.StringMatching(`[0-9a-z_]{1,16}`).Filter(func(s string) bool { return s != "inline" }))
	drawBuildID = rapid.StringMatching(`[0-9a-f]{40}`)
)

// drawFrame draws symbol, offset and module as %pSb prints them.
func drawFrame(t *rapid.T, f *Frame, withModule bool) string {
	f.Func = drawSymbol.Draw(t, "symbol")
	f.Offset, f.Size, f.HasOffset = rapid.Uint32().Draw(t, "offset"), rapid.Uint32().Draw(t, "size"), true
	s := fmt.Sprintf("%s+%#x/%#x", f.Func, f.Offset, f.Size)
	if f.Offset == 0 {
		s = strings.Replace(s, "+0/", "+0x0/", 1) // the kernel's %#x prefixes 0 too
	}
	if f.Size == 0 {
		s = strings.TrimSuffix(s, "/0") + "/0x0"
		s = strings.Replace(s, "/0x0/0x0", "/0x0", 1)
	}
	if withModule && rapid.Bool().Draw(t, "in a module") {
		f.Module = drawModule.Draw(t, "module")
		s += " [" + f.Module
		if rapid.Bool().Draw(t, "with build id") {
			f.BuildID = drawBuildID.Draw(t, "build id")
			s += " " + f.BuildID
		}
		s += "]"
	}
	return s
}

func drawAddress(t *rapid.T, f *Frame) string {
	f.Addr = rapid.Uint64().Draw(t, "address")
	f.HasAddr = f.Addr != 0
	return fmt.Sprintf("%016x", f.Addr)
}

// frameForms draw a line of each architecture and age.
var frameForms = map[string]func(t *rapid.T) madeFrame{
	"x86 4.10 ->, arm64, riscv": func(t *rapid.T) (x madeFrame) {
		x.want.Reliable = rapid.Bool().Draw(t, "reliable")
		mark := " "
		if !x.want.Reliable {
			mark = " ? "
		}
		x.line = mark + drawFrame(t, &x.want, true) + rapid.SampledFrom([]string{"", " ", " (T)", " (CF)", " (P)"}).Draw(t, "source")
		return x
	},
	"x86 .. 4.9": func(t *rapid.T) (x madeFrame) {
		marks := map[string]Context{"": ContextTask, " <IRQ> ": ContextIRQ, " <NMI> ": ContextNMI, " <#DF> ": ContextException, " <EOI> ": ContextTask, " <<EOE>> ": ContextTask}
		mark := rapid.SampledFrom([]string{"", " <IRQ> ", " <NMI> ", " <#DF> ", " <EOI> ", " <<EOE>> "}).Draw(t, "mark")
		x.want.Context, x.want.Reliable = marks[mark], rapid.Bool().Draw(t, "reliable")
		x.line = mark + " [<" + drawAddress(t, &x.want) + ">] "
		if !x.want.Reliable {
			x.line += "? "
		}
		x.line += drawFrame(t, &x.want, true)
		return x
	},
	"/proc/PID/stack": func(t *rapid.T) (x madeFrame) {
		x.want.Reliable = true
		x.line = "[<0>] " + drawFrame(t, &x.want, true)
		return x
	},
	"powerpc": func(t *rapid.T) (x madeFrame) {
		x.want.Reliable = rapid.Bool().Draw(t, "reliable")
		var sp Frame
		x.line = "[" + drawAddress(t, &sp) + "] [" + drawAddress(t, &x.want) + "] " + drawFrame(t, &x.want, true)
		x.want.HasAddr = true
		if !x.want.Reliable {
			x.line += " (unreliable)"
		}
		return x
	},
	"sparc64": func(t *rapid.T) (x madeFrame) {
		x.want.Reliable = true
		x.line = "[" + drawAddress(t, &x.want) + "] " + drawFrame(t, &x.want, true)
		x.want.HasAddr = true
		return x
	},
	"s390": func(t *rapid.T) (x madeFrame) {
		x.want.Reliable = rapid.Bool().Draw(t, "reliable")
		x.line = "[<" + drawAddress(t, &x.want) + ">] " + drawFrame(t, &x.want, true)
		if x.want.Reliable {
			x.line = " " + x.line + " "
		} else {
			x.line = "(" + x.line + ")"
		}
		return x
	},
	"mips": func(t *rapid.T) (x madeFrame) {
		x.want.Reliable = true
		x.line = "[<" + drawAddress(t, &x.want) + ">] (" + drawFrame(t, &x.want, true) + ")"
		return x
	},
	"arm .. 5.x": func(t *rapid.T) (x madeFrame) {
		x.callee = &Frame{Reliable: true}
		x.want.Reliable = true
		where := drawAddress(t, x.callee)
		var name string
		switch rapid.IntRange(0, 2).Draw(t, "callee") {
		case 0:
			name = drawFrame(t, x.callee, true) // %pS, .. 3.10
		case 1:
			x.callee.Func = drawSymbol.Draw(t, "symbol")
			if name = x.callee.Func; rapid.Bool().Draw(t, "in a module") {
				x.callee.Module = drawModule.Draw(t, "module")
				name += " [" + x.callee.Module + "]"
			}
		default: // a module that is gone
			x.callee.Addr |= 1 << 63
			x.callee.HasAddr = true
			where = fmt.Sprintf("%016x", x.callee.Addr)
			name = "0x" + where
			if x.callee.Addr == 1<<64-1 {
				t.Skip("all ones are the end of a stack")
			}
		}
		x.line = "[<" + where + ">] (" + name + ") from [<" + drawAddress(t, &x.want) + ">] (" + drawFrame(t, &x.want, true) + ")"
		return x
	},
	"arm 6.x": func(t *rapid.T) (x madeFrame) {
		x.callee = &Frame{Func: drawSymbol.Draw(t, "callee"), Reliable: true}
		x.want.Reliable = true
		x.line = " " + x.callee.Func
		if rapid.Bool().Draw(t, "in a module") {
			x.callee.Module = drawModule.Draw(t, "module")
			x.line += " [" + x.callee.Module + "]"
		}
		x.line += " from " + drawFrame(t, &x.want, true)
		return x
	},
	"arm without kallsyms": func(t *rapid.T) (x madeFrame) {
		x.callee = &Frame{Reliable: true}
		x.want.Reliable = true
		x.line = "Function entered at [<" + drawAddress(t, x.callee) + ">] from [<" + drawAddress(t, &x.want) + ">]"
		x.callee.HasAddr, x.want.HasAddr = true, true
		return x
	},
	"no symbol": func(t *rapid.T) (x madeFrame) {
		x.want = Frame{Addr: rapid.Uint64Range(1<<28, 1<<64-2).Draw(t, "address"), HasAddr: true, Reliable: true}
		if x.want.Addr == 1<<32-1 {
			t.Skip("all ones are the end of a stack")
		}
		x.line = fmt.Sprintf(" [<%016x>] %#x", x.want.Addr, x.want.Addr)
		return x
	},
	"decode_stacktrace.sh": func(t *rapid.T) (x madeFrame) {
		x.want = Frame{Func: drawSymbol.Draw(t, "symbol"), Reliable: rapid.Bool().Draw(t, "reliable")}
		x.line = " "
		if !x.want.Reliable {
			x.line += "? "
		}
		x.line += x.want.Func + rapid.SampledFrom([]string{" (fs/ext4/file.c:123)", " (arch/x86/entry/entry_64.S:129)", " (include/linux/sched.h:12 mm/memcontrol.c:99)",
			" (mm/memory.c:12 (discriminator 4))", " (kernel/sched/core.c:?)"}).Draw(t, "place")
		if rapid.Bool().Draw(t, "in a module") {
			x.want.Module = drawModule.Draw(t, "module")
			x.line += " " + x.want.Module
		}
		return x
	},
	"syzkaller": func(t *rapid.T) (x madeFrame) {
		x.want.Reliable = true
		if rapid.Bool().Draw(t, "inlined") {
			x.want.Func = drawSymbol.Draw(t, "symbol")
			x.line = " " + x.want.Func + " kernel/sched/core.c:5357 [inline]"
		} else {
			x.line = " " + drawFrame(t, &x.want, false) + " kernel/sched/core.c:6756"
		}
		return x
	},
}

// TestFrameForms holds grammar and scanFrame to lines that are made of what they
// say, for each architecture.
func TestFrameForms(t *testing.T) {
	for name, draw := range frameForms {
		t.Run(name, rapid.MakeCheck(func(t *rapid.T) {
			x := draw(t)
			compareFrame(t, x.line)
			var fast Frame
			info := scanFrame(x.line, &fast)
			if d := cmp.Diff(x.want, fast); info.kind == notFrame || d != "" {
				t.Fatalf("%q: made (-) and read (+), kind %d:\n%s", x.line, info.kind, d)
			}
			if d := cmp.Diff(x.callee, info.callee); d != "" {
				t.Fatalf("%q: callee made (-) and read (+):\n%s", x.line, d)
			}
		}))
	}
}

// TestFrameNames has what the grammar found: names of modules may begin with a
// digit, and arm prints the callee's module and, of a module that is gone, its
// address (%ps and %pS, dump_backtrace_entry, arch/arm/kernel/traps.c).
func TestFrameNames(t *testing.T) {
	for line, want := range map[string]string{
		" p9_client_rpc+0x1/0x2 [9pnet]":                                                "p9_client_rpc 9pnet",
		" vlan_dev_open+0x1/0x2 [8021q 0123456789abcdef0123456789abcdef01234567]":       "vlan_dev_open 8021q",
		" v9fs_file_read_iter (fs/9p/vfs_file.c:123) 9p":                                "v9fs_file_read_iter 9p",
		"[<bf0012d0>] (ext4_sync [ext4]) from [<c0059798>] (vfs_fsync_range+0x7c/0xc8)": "vfs_fsync_range  < ext4_sync ext4",
		" ext4_sync [ext4] from vfs_fsync_range+0x7c/0xc8":                              "vfs_fsync_range  < ext4_sync ext4",
		"[<bf0012d0>] (0xbf0012d0) from [<c0059798>] (do_one_initcall+0x7c/0xc8)":       "do_one_initcall  <  ",
		" foo+0x1/0x2 [a;b]": "no frame",
	} {
		var f Frame
		info := scanFrame(line, &f)
		got := f.Func + " " + f.Module
		if info.callee != nil {
			got += " < " + info.callee.Func + " " + info.callee.Module
		}
		if info.kind == notFrame {
			got = "no frame"
		}
		if got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
}

// frameWords are what lines of frames are made of, to be put together wrongly.
var frameWords = []string{" ", " ", " ", "  ", "\t", "<IRQ>", "<<EOE>>", "</TASK>", "<#DF>", "<EOI>", "[<ffffffff8110a9c1>]", "[<0>]", "[<", ">]", "[c000000012345678]", "[0000000000abcdef]", "[12]",
	"?", "? ", "(", ")", ")", "Function entered at ", " from ", "from", "foo", "bar.cold", "T.1146", "9p", "+0x1/0x2", "+0x241/0x3b0", "+0x12", "/0x3", "+", "0xffffffffa0001234", "0xffffffffffffffff", "0x12",
	"[ext4]", "[9p]", "[", "]", "[ext4 0123456789abcdef0123456789abcdef01234567]", "[inline]", " [inline]", "[nvidia(PO)]", "[a;b]", "(T)", "(unreliable)", "((a) b)", "(((x)))", "kernel/sched/core.c:6756", "(fs/ext4/file.c:123)",
	"a.c:1", ":", "# comment", "//", "/*", "<-", "\xff", "é"}

// TestFrameSoup compares lines that are nearly frames.
func TestFrameSoup(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		compareFrame(t, strings.Join(rapid.SliceOfN(rapid.SampledFrom(frameWords), 0, 14).Draw(t, "words"), ""))
	})
}

// FuzzFrameGrammar compares scanFrame with the grammar on any line.
func FuzzFrameGrammar(f *testing.F) {
	n := 0
	for _, line := range frameLines(f) {
		if _, ok := ParseFrame(line); ok {
			if n++; n%50 == 0 {
				f.Add(line)
			}
		}
	}
	for _, draw := range frameForms {
		for seed := range 5 {
			f.Add(rapid.Custom(func(t *rapid.T) string { return draw(t).line }).Example(seed))
		}
	}
	f.Fuzz(func(t *testing.T, line string) {
		if strings.ContainsAny(line, "\n\r") || len(line) > 300 { // the grammar takes its time
			return
		}
		compareFrame(t, line)
	})
}

// grammarSummary is the oom-kill: line (dump_oom_summary, mm/oom_kill.c, and
// mem_cgroup_print_oom_context, 5.0 ->). The lists of nodes have commas, and so
// may paths and names.
type grammarSummary struct {
	Constraint string   `parser:"Head @Constraint"`
	Nodes      string   `parser:"@Nodemask Cpuset"`
	Cpuset     []string `parser:"@( Text | Comma )* MemsAllowed"`
	Mems       []string `parser:"@( Text | Comma )*"`
	Global     bool     `parser:"( @Global"`
	Memcg      []string `parser:"| OomMemcg @( Text | Comma )* ) TaskMemcg"`
	TaskMemcg  []string `parser:"@( Text | Comma )* Task"`
	Task       []string `parser:"@( Text | Comma )*"`
	Pid        string   `parser:"@Pid"`
	UID        string   `parser:"@UID"`
}

var summaryParser = participle.MustBuild[grammarSummary](participle.Lexer(lexer.MustSimple([]lexer.SimpleRule{
	{Name: "Head", Pattern: `oom-kill:constraint=`},
	{Name: "Constraint", Pattern: `CONSTRAINT_[A-Z_]+`},
	{Name: "Nodemask", Pattern: `,nodemask=(?:\(null\)|[0-9]+(?:[-,:/][0-9]+)*)`},
	{Name: "Cpuset", Pattern: `,cpuset=`},
	{Name: "MemsAllowed", Pattern: `,mems_allowed=`},
	{Name: "Global", Pattern: `,global_oom`},
	{Name: "OomMemcg", Pattern: `,oom_memcg=`},
	{Name: "TaskMemcg", Pattern: `,task_memcg=`},
	{Name: "Task", Pattern: `,task=`},
	{Name: "Pid", Pattern: `,pid=[0-9]+`},
	{Name: "UID", Pattern: `,uid=[0-9]+`},
	{Name: "Comma", Pattern: `,`},
	{Name: "Text", Pattern: `[^,]+`},
})), participle.UseLookahead(participle.MaxLookahead))

// TestSummaryGrammar holds the reader of oom-kill: lines, which reads from the
// right, to the grammar, which reads from the left.
func TestSummaryGrammar(t *testing.T) {
	path := rapid.OneOf(rapid.SampledFrom([]string{"/", "/kubepods.slice/pod1", "/a,b", "/machine.slice/machine-qemu\\x2d1,0.scope"}), rapid.StringMatching(`/[a-z0-9_,./:-]{0,40}`))
	nodes := rapid.OneOf(rapid.SampledFrom([]string{"(null)", "0", "0-1", "0-1,3", "0,2,4-7"}))
	name := rapid.OneOf(rapid.SampledFrom([]string{"java", "Web Content", "a,b", "runc:[2:INIT]", "(sd-pam)"}), rapid.StringMatching(`[a-zA-Z0-9_,. :/()-]{1,15}`).Filter(func(s string) bool { return strings.TrimSpace(s) == s }))
	rapid.Check(t, func(t *rapid.T) {
		constraint := rapid.SampledFrom([]string{"CONSTRAINT_NONE", "CONSTRAINT_CPUSET", "CONSTRAINT_MEMORY_POLICY", "CONSTRAINT_MEMCG"}).Draw(t, "constraint")
		line := "oom-kill:constraint=" + constraint + ",nodemask=" + nodes.Draw(t, "nodemask") + ",cpuset=" + path.Draw(t, "cpuset") + ",mems_allowed=" + nodes.Draw(t, "mems")
		if constraint == "CONSTRAINT_MEMCG" {
			line += ",oom_memcg=" + path.Draw(t, "oom_memcg")
		} else {
			line += ",global_oom"
		}
		line += fmt.Sprintf(",task_memcg=%s,task=%s,pid=%d,uid=%d", path.Draw(t, "task_memcg"), name.Draw(t, "task"), rapid.IntRange(1, 1<<22).Draw(t, "pid"), rapid.Uint32().Draw(t, "uid"))
		g, err := summaryParser.ParseString("", line)
		if err != nil {
			t.Fatalf("%q: the grammar refuses it: %v", line, err)
		}
		evs, _ := readAll("java invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n"+line+"\n", Options{})
		if len(evs) != 1 {
			t.Fatalf("%q: %d events", line, len(evs))
		}
		o := evs[0].(*OOM)
		got := []string{o.Constraint, o.Memcg, o.TaskMemcg, o.VictimComm, strconv.Itoa(o.VictimPid), o.Scope}
		scope := map[string]string{"CONSTRAINT_NONE": "global", "CONSTRAINT_CPUSET": "cpuset", "CONSTRAINT_MEMORY_POLICY": "mempolicy", "CONSTRAINT_MEMCG": "memcg"}[constraint]
		want := []string{g.Constraint, strings.Join(g.Memcg, ""), strings.Join(g.TaskMemcg, ""), strings.Join(g.Task, ""), strings.TrimPrefix(g.Pid, ",pid="), scope}
		if d := cmp.Diff(want, got); d != "" {
			t.Fatalf("%q: constraint, memcg, task's memcg, name, pid, scope by the grammar (-) and as read (+):\n%s", line, d)
		}
	})
}

// grammarRow is the head of a row of a trace (trace_print_context,
// kernel/trace/trace_output.c; trace-cmd report leaves the flags out):
//
//	<...>-47    (     45) [001] d..1.     5.116319: sched_switch: prev_comm=...
type grammarRow struct {
	Comm  string `parser:"@Task"`
	Tgid  string `parser:"@Tgid?"`
	CPU   string `parser:"@CPU"`
	Flags string `parser:"@Flags?"`
	Time  string `parser:"@Time"`
	Rest  string `parser:"@Rest"`
}

var rowParser = participle.MustBuild[grammarRow](participle.Lexer(lexer.MustStateful(lexer.Rules{
	"Root": {{Name: "Task", Pattern: ` *[^\[(]*[^ \[(]-[0-9]+ +`, Action: lexer.Push("Head")}},
	"Head": {
		{Name: "Tgid", Pattern: `\( *(?:[0-9]+|-+)\) +`},
		{Name: "CPU", Pattern: `\[[0-9]{3,5}\] +`},
		{Name: "Time", Pattern: `[0-9]+\.[0-9]{6,9}: `, Action: lexer.Push("Rest")},
		{Name: "Flags", Pattern: `[.0-9a-fDXNnpBLlsShHzZ#]{3,8} +`},
	},
	"Rest": {{Name: "Rest", Pattern: `(?s:.+)`}},
})))

// TestRowGrammar compares the reader of trace rows with the grammar, on rows as
// the kernels print them.
func TestRowGrammar(t *testing.T) {
	check := func(t interface {
		Fatalf(string, ...any)
	}, line string) bool {
		g, err := rowParser.ParseString("", line)
		if err != nil {
			return false
		}
		r, ok := scanRow(line)
		if !ok {
			t.Fatalf("%q: the grammar reads %+v, scanRow no row", line, g)
		}
		i := strings.LastIndexByte(strings.TrimSpace(g.Comm), '-')
		comm, pid := strings.TrimSpace(g.Comm)[:i], strings.TrimSpace(g.Comm)[i+1:]
		if comm == "<...>" {
			comm = ""
		}
		tgid, _ := strconv.Atoi(strings.Trim(g.Tgid, "( )-"))
		cpu, _ := strconv.Atoi(strings.Trim(g.CPU, "[] "))
		time, _ := strconv.ParseFloat(strings.TrimSuffix(g.Time, ": "), 64)
		want := fmt.Sprintf("%q %s %d %d %.9f %q", comm, pid, tgid, cpu, time, strings.TrimLeft(g.Rest, " "))
		if got := fmt.Sprintf("%q %d %d %d %.9f %q", r.comm, r.pid, r.tgid, r.cpu, r.time, r.rest); got != want {
			t.Fatalf("%q: the grammar reads %s, scanRow %s", line, want, got)
		}
		return true
	}
	n := 0
	for _, line := range frameLines(t) {
		if check(t, line) {
			n++
		}
	}
	if n < 1000 {
		t.Errorf("only %d rows in testdata", n)
	}
	comm := rapid.OneOf(rapid.SampledFrom([]string{"<...>", "<idle>", "kworker/0:1H", "Web Content", "a-b-1", "java"}), rapid.StringMatching(`[a-zA-Z0-9_.:/<>-]{1,15}`))
	rapid.Check(t, func(t *rapid.T) {
		line := fmt.Sprintf("%16s-%-7d ", comm.Draw(t, "comm"), rapid.IntRange(0, 1<<22).Draw(t, "pid"))
		line += rapid.SampledFrom([]string{"", "(     45) ", "(-------) "}).Draw(t, "tgid")
		line += fmt.Sprintf("[%03d] ", rapid.IntRange(0, 2000).Draw(t, "cpu"))
		line += rapid.SampledFrom([]string{"", "d..1 ", "dNs3. ", "..... ", "D.h2. "}).Draw(t, "flags")
		line += fmt.Sprintf("%5d.%06d: %s", rapid.IntRange(0, 1<<30).Draw(t, "seconds"), rapid.IntRange(0, 999999).Draw(t, "us"),
			rapid.SampledFrom([]string{"sched_switch: prev_comm=a prev_pid=1 prev_prio=120 prev_state=D ==> next_comm=b next_pid=2 next_prio=120", "foo <-bar", "<stack trace>", "a-1 [000] 1.000000: b: c"}).Draw(t, "event"))
		if !check(t, line) {
			t.Fatalf("%q: the grammar refuses it", line)
		}
	})
}
