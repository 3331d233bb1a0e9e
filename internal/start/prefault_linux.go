//go:build amd64 || arm64

package start

import "unsafe"

// Every run touches its code and the first of its heap. Page by page these are
// some three hundred page faults, and on a virtual machine each may cost more
// than what the program does between two of them. So the kernel is asked to map
// them at once.
//
// Not its data and constants: of these a run touches few pages, and a page of
// data that is written to is copied, whoever asks for it.

// heapBytes of the heap are touched by a run on a log of a few lines. More
// would be memory that a small run does not need.
const heapBytes = 1536 << 10

// From Linux 5.14 on; before, madvise says EINVAL and nothing is lost.
const (
	populateRead  = 22
	populateWrite = 23
)

var probe *[64]byte

func init() {
	p := findProgram(auxv())
	if p.page == 0 {
		return
	}
	p.populate(p.code, p.size, populateRead)
	// The heap grows upwards from here in pieces of 4 MB; past the end of the
	// first one nothing is mapped, and the kernel stops there.
	probe = new([64]byte)
	p.populate(uintptr(unsafe.Pointer(probe)), heapBytes, populateWrite)
}

func (p *program) populate(addr, size, how uintptr) (errno int) {
	start := addr &^ (p.page - 1)
	end := (addr + size + p.page - 1) &^ (p.page - 1)
	return madvise(start, end-start, how)
}

// madvise is the system call. The package syscall is not imported as it is
// initialised late.
//
//go:noescape
func madvise(addr, size, advice uintptr) (errno int)

// auxv is what the kernel told the program at its start, as the runtime offers
// it to golang.org/x/sys.
//
//go:linkname auxv runtime.getAuxv
func auxv() []uintptr

// From elf(5) and getauxval(3).
const (
	ptLoad, ptPhdr            = 1, 6
	pfX                       = 1
	atPhdr, atPhnum, atPagesz = 3, 5, 6
)

type programHeader struct {
	kind, flags                             uint32
	off, vaddr, paddr, filesz, memsz, align uintptr
}

// program is where the code is, and the size of a page; zero where that is not
// known.
type program struct {
	code, size uintptr
	page       uintptr
}

// findProgram finds it in the program headers, which the kernel points out.
func findProgram(auxv []uintptr) (p program) {
	var headers *programHeader
	var n uintptr
	for i := 0; i+1 < len(auxv); i += 2 {
		switch auxv[i] {
		case atPhdr:
			headers = *(**programHeader)(unsafe.Pointer(&auxv[i+1])) // no memory of Go's
		case atPhnum:
			n = auxv[i+1]
		case atPagesz:
			p.page = auxv[i+1]
		}
	}
	if headers == nil {
		return program{}
	}
	var base uintptr // of a position-independent program
	for _, h := range unsafe.Slice(headers, n) {
		switch {
		case h.kind == ptPhdr:
			base = uintptr(unsafe.Pointer(headers)) - h.vaddr
		case h.kind == ptLoad && h.flags&pfX != 0:
			p.code, p.size = base+h.vaddr, h.filesz
		}
	}
	return p
}
