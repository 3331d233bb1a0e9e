package parse

import (
	"bufio"
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Symbols names addresses. LoadSystemMap and LoadVMLinux make one.
type Symbols interface {
	// Lookup finds the function that has addr, as the kernel was linked.
	Lookup(addr uint64) (Symbol, bool)
	// Address is where a function begins, as the kernel was linked.
	Address(name string) (uint64, bool)
}

// Symbol is a place in the kernel's text.
type Symbol struct {
	Func   string
	Offset uint32
	Size   uint32
	Place  *Place // nil without DWARF
}

// Place is a source position, with the functions that were inlined there,
// innermost first.
type Place struct {
	File    string
	Line    int
	Start   int // first line of the function, 0 if unknown
	Inlined []Inlined
}

// Inlined is a function without a frame of its own: where it was at, and where
// it was called from is the position of the next one out.
type Inlined struct {
	Func string
	File string
	Line int
}

// symtab is a sorted list of functions.
type symtab struct {
	syms  []textSym
	names map[string]uint64
	dwarf *sources
}

type textSym struct {
	addr uint64
	size uint64 // 0: up to the next one
	name string
}

// maxSymbols bounds a symbol table; a kernel has about 10^5 functions.
const maxSymbols = 4 << 20

// LoadSystemMap reads a System.map, or a copy of /proc/kallsyms.
func LoadSystemMap(r io.Reader) (Symbols, error) {
	t := &symtab{}
	sc := bufio.NewScanner(r)
	sc.Buffer(make([]byte, 0, 64<<10), 1<<20)
	for sc.Scan() {
		l := sc.Text()
		addr, rest, ok := leadHex(l)
		if !ok || len(rest) < 4 || rest[0] != ' ' || rest[2] != ' ' {
			continue
		}
		if c := rest[1] | 0x20; c != 't' && c != 'w' || addr == 0 {
			continue
		}
		name, mod := field(rest[3:])
		if mod = trim(mod); mod != "" {
			continue // /proc/kallsyms: modules are elsewhere after the next boot
		}
		if len(t.syms) >= maxSymbols {
			return nil, errors.New("too many symbols")
		}
		t.syms = append(t.syms, textSym{addr: addr, name: strings.Clone(name)})
	}
	if err := sc.Err(); err != nil {
		return nil, err
	}
	if len(t.syms) == 0 {
		return nil, errors.New("no functions found: want lines as in \"ffffffff81000000 T _stext\"")
	}
	t.sort()
	return t, nil
}

// LoadVMLinux reads the symbol table of an uncompressed kernel, and its DWARF
// for source lines and inlined functions when it is first needed. r must stay
// open as long as the result is in use.
func LoadVMLinux(r io.ReaderAt) (Symbols, error) {
	f, err := elf.NewFile(r)
	if err != nil {
		return nil, fmt.Errorf("not an uncompressed kernel (vmlinux): %w", err)
	}
	list, err := f.Symbols()
	if err != nil {
		return nil, fmt.Errorf("no symbol table: %w", err)
	}
	t := &symtab{}
	for _, s := range list {
		if elf.ST_TYPE(s.Info) == elf.STT_FUNC && s.Value != 0 && s.Name != "" && len(t.syms) < maxSymbols {
			t.syms = append(t.syms, textSym{addr: s.Value, size: s.Size, name: s.Name})
		}
	}
	if len(t.syms) == 0 {
		return nil, errors.New("the symbol table has no functions")
	}
	t.dwarf = &sources{file: f}
	t.sort()
	return t, nil
}

func (t *symtab) sort() {
	slices.SortStableFunc(t.syms, func(a, b textSym) int { return cmp.Compare(a.addr, b.addr) })
	t.names = make(map[string]uint64, len(t.syms))
	for _, s := range t.syms {
		if _, twice := t.names[s.name]; twice {
			t.names[s.name] = 0 // static functions of one name: nobody's address
			continue
		}
		t.names[s.name] = s.addr
	}
}

// maxFunction is how far from a function's begin an address may be in it,
// where the table has no sizes.
const maxFunction = 1 << 17

func (t *symtab) Lookup(addr uint64) (Symbol, bool) {
	i, ok := slices.BinarySearchFunc(t.syms, addr, func(s textSym, a uint64) int { return cmp.Compare(s.addr, a) })
	if !ok {
		i--
	}
	if i < 0 {
		return Symbol{}, false
	}
	for i > 0 && t.syms[i-1].addr == t.syms[i].addr {
		i--
	}
	s := t.syms[i]
	size := s.size
	if size == 0 {
		for j := i + 1; j < len(t.syms); j++ {
			if t.syms[j].addr > s.addr {
				size = t.syms[j].addr - s.addr
				break
			}
		}
	}
	off := addr - s.addr
	if off >= size || size > maxFunction && s.size == 0 {
		return Symbol{}, false
	}
	sym := Symbol{Func: s.name, Offset: uint32(off), Size: uint32(size)}
	if t.dwarf != nil {
		sym.Place = t.dwarf.place(addr)
	}
	return sym, true
}

func (t *symtab) Address(name string) (uint64, bool) {
	a := t.names[name]
	return a, a != 0
}

// symbolize names a frame that is only an address, and finds the place of one
// that has a name. Addresses are those of the running kernel: with KASLR they
// are shifted, and the shift shows in a frame that has both.
func (p *parser) symbolize(f *Frame) {
	sy := p.opt.Symbols
	if f.Module != "" {
		return
	}
	if f.Func != "" && f.HasOffset {
		at, ok := sy.Address(f.Func)
		if !ok {
			return
		}
		if f.HasAddr {
			p.slide = f.Addr - uint64(f.Offset) - at
		}
		// The return address may be the next line's.
		if s, ok := sy.Lookup(at + uint64(max(f.Offset, 1)) - 1); ok && s.Func == f.Func && s.Size == f.Size || ok && s.Place != nil && s.Func == f.Func {
			f.Place = s.Place
		}
		return
	}
	if f.Func != "" || !f.HasAddr {
		return
	}
	if s, ok := sy.Lookup(f.Addr - p.slide - 1); ok {
		f.Func, f.Offset, f.Size, f.HasOffset, f.Place = s.Func, s.Offset+1, s.Size, true, s.Place
	}
}

// takeOffset reads what a dying kernel with KASLR prints:
//
//	Kernel Offset: 0x1c000000 from 0xffffffff81000000 (relocation range: ...)
func (a *assembler) takeOffset(ln *line, s string) bool {
	n, _, ok := leadHex(strings.TrimPrefix(s[len("Kernel Offset: "):], "0x"))
	if ok {
		a.p.slide = n
	}
	return ok
}

// sources finds source lines and inlined functions in DWARF. Units are read
// when an address of theirs is asked for.
type sources struct {
	mu    sync.Mutex
	file  *elf.File
	data  *dwarf.Data
	tried bool
	spans []unitSpan
	units map[dwarf.Offset]*unit
}

type unitSpan struct {
	lo, hi uint64
	off    dwarf.Offset
}

type unit struct {
	lines   []dwarf.LineEntry
	inlines []inlineSpan
	starts  []startSpan
	files   []*dwarf.LineFile
}

// startSpan is a function's text and the line that it is declared in.
type startSpan struct {
	lo, hi uint64
	line   int
}

type inlineSpan struct {
	lo, hi   uint64
	depth    int
	name     string
	callFile string
	callLine int
}

// place is the source position of addr, nil if the kernel has no DWARF for it.
func (s *sources) place(addr uint64) *Place {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.tried {
		s.tried = true
		s.index()
	}
	i, ok := slices.BinarySearchFunc(s.spans, addr, func(u unitSpan, a uint64) int { return cmp.Compare(u.lo, a) })
	if !ok {
		i--
	}
	if i < 0 || addr >= s.spans[i].hi {
		return nil
	}
	u := s.unit(s.spans[i].off)
	if u == nil {
		return nil
	}
	j, ok := slices.BinarySearchFunc(u.lines, addr, func(l dwarf.LineEntry, a uint64) int { return cmp.Compare(l.Address, a) })
	if !ok {
		j--
	}
	if j < 0 || u.lines[j].EndSequence || u.lines[j].File == nil {
		return nil
	}
	file, line := sourceName(u.lines[j].File.Name), u.lines[j].Line
	p := &Place{}
	for k := len(u.inlines) - 1; k >= 0; k-- { // the deepest come last
		if in := &u.inlines[k]; addr >= in.lo && addr < in.hi {
			p.Inlined = append(p.Inlined, Inlined{Func: in.name, File: file, Line: line})
			file, line = in.callFile, in.callLine
		}
	}
	p.File, p.Line = file, line
	for _, f := range u.starts {
		if addr >= f.lo && addr < f.hi {
			p.Start = f.line
			break
		}
	}
	return p
}

// sourceName cuts the builder's directory off a path of the kernel's tree.
func sourceName(s string) string {
	for _, top := range [...]string{"/mm/", "/fs/", "/kernel/", "/block/", "/drivers/", "/net/", "/arch/", "/include/", "/ipc/", "/lib/", "/security/", "/crypto/", "/init/", "/io_uring/", "/sound/", "/virt/"} {
		if i := strings.Index(s, top); i >= 0 && strings.HasPrefix(s, "/") {
			return s[i+1:]
		}
	}
	return strings.TrimPrefix(s, "./")
}

func (s *sources) index() {
	data, err := s.file.DWARF()
	if err != nil {
		return
	}
	s.data = data
	s.units = make(map[dwarf.Offset]*unit)
	r := data.Reader()
	for {
		e, err := r.Next()
		if err != nil || e == nil {
			break
		}
		if e.Tag == dwarf.TagCompileUnit {
			if ranges, err := data.Ranges(e); err == nil {
				for _, x := range ranges {
					s.spans = append(s.spans, unitSpan{x[0], x[1], e.Offset})
				}
			}
		}
		r.SkipChildren()
	}
	slices.SortFunc(s.spans, func(a, b unitSpan) int { return cmp.Compare(a.lo, b.lo) })
}

func (s *sources) unit(off dwarf.Offset) *unit {
	if u, ok := s.units[off]; ok {
		return u
	}
	s.units[off] = nil
	r := s.data.Reader()
	r.Seek(off)
	e, err := r.Next()
	if err != nil || e == nil {
		return nil
	}
	u := &unit{}
	lr, err := s.data.LineReader(e)
	if err != nil || lr == nil {
		return nil
	}
	for len(u.lines) < maxSymbols {
		var l dwarf.LineEntry
		if lr.Next(&l) != nil {
			break
		}
		u.lines = append(u.lines, l)
	}
	slices.SortStableFunc(u.lines, func(a, b dwarf.LineEntry) int { return cmp.Compare(a.Address, b.Address) })
	u.files = lr.Files()
	s.inlines(u, r)
	s.units[off] = u
	return u
}

// inlines gathers the unit's inlined functions, outer ones before inner ones.
func (s *sources) inlines(u *unit, r *dwarf.Reader) {
	for depth := 1; depth > 0; {
		e, err := r.Next()
		if err != nil || e == nil {
			return
		}
		switch e.Tag {
		case 0:
			depth--
			continue
		case dwarf.TagInlinedSubroutine:
			ranges, err := s.data.Ranges(e)
			if err == nil && len(u.inlines) < maxSymbols {
				in := inlineSpan{depth: depth, name: s.origin(e, 0)}
				if n, ok := e.Val(dwarf.AttrCallFile).(int64); ok && n >= 0 && int(n) < len(u.files) && u.files[n] != nil {
					in.callFile = sourceName(u.files[n].Name)
				}
				if n, ok := e.Val(dwarf.AttrCallLine).(int64); ok {
					in.callLine = int(n)
				}
				for _, x := range ranges {
					in.lo, in.hi = x[0], x[1]
					u.inlines = append(u.inlines, in)
				}
			}
		case dwarf.TagSubprogram:
			if ranges, err := s.data.Ranges(e); err == nil && len(u.starts) < maxSymbols {
				for _, x := range ranges {
					u.starts = append(u.starts, startSpan{x[0], x[1], s.declared(e, 0)})
				}
			}
		case dwarf.TagLexDwarfBlock:
		default:
			r.SkipChildren()
			continue
		}
		if e.Children {
			depth++
		}
	}
}

// origin is the name of the function that e is an instance of.
func (s *sources) origin(e *dwarf.Entry, hops int) string {
	if name, ok := e.Val(dwarf.AttrName).(string); ok {
		return name
	}
	if o := s.instanceOf(e); o != nil && hops < 4 {
		return s.origin(o, hops+1)
	}
	return ""
}

// declared is the line in which the function e is declared, 0 if unknown.
func (s *sources) declared(e *dwarf.Entry, hops int) int {
	if n, ok := e.Val(dwarf.AttrDeclLine).(int64); ok {
		return int(n)
	}
	if o := s.instanceOf(e); o != nil && hops < 4 {
		return s.declared(o, hops+1)
	}
	return 0
}

// instanceOf is the entry that e is an instance of, nil if it is none.
func (s *sources) instanceOf(e *dwarf.Entry) *dwarf.Entry {
	for _, attr := range [...]dwarf.Attr{dwarf.AttrAbstractOrigin, dwarf.AttrSpecification} {
		if off, ok := e.Val(attr).(dwarf.Offset); ok {
			r := s.data.Reader()
			r.Seek(off)
			if o, err := r.Next(); err == nil {
				return o
			}
		}
	}
	return nil
}

// String is the place as "mm/memcontrol.c:2345".
func (p *Place) String() string { return p.File + ":" + strconv.Itoa(p.Line) }
