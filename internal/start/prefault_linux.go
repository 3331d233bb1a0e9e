//go:build amd64 || arm64

package start

import (
	"syscall"
	"unsafe"
)

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
	addr, size := code()
	populate(addr, size, populateRead)
	// The heap grows upwards from here in pieces of 4 MB; past the end of the
	// first one nothing is mapped, and the kernel stops there.
	probe = new([64]byte)
	populate(uintptr(unsafe.Pointer(probe)), heapBytes, populateWrite)
}

func populate(addr, size, how uintptr) syscall.Errno {
	page := uintptr(syscall.Getpagesize())
	start := addr &^ (page - 1)
	end := (addr + size + page - 1) &^ (page - 1)
	_, _, err := syscall.RawSyscall(syscall.SYS_MADVISE, start, end-start, how)
	return err
}

// From elf(5) and getauxval(3).
const (
	ptLoad, ptPhdr  = 1, 6
	pfX             = 1
	atPhdr, atPhnum = 3, 5
)

type programHeader struct {
	kind, flags                             uint32
	off, vaddr, paddr, filesz, memsz, align uintptr
}

// code returns where the code of the program is. The kernel says where the
// program headers are, and they say the rest.
func code() (addr, size uintptr) {
	fd, err := syscall.Open("/proc/self/auxv", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return 0, 0
	}
	var auxv [64][2]uintptr
	syscall.Read(fd, unsafe.Slice((*byte)(unsafe.Pointer(&auxv)), unsafe.Sizeof(auxv)))
	syscall.Close(fd)
	var headers *programHeader
	var n uintptr
	for _, a := range auxv {
		switch a[0] {
		case atPhdr:
			headers = *(**programHeader)(unsafe.Pointer(&a[1])) // no memory of Go's
		case atPhnum:
			n = a[1]
		}
	}
	if headers == nil {
		return 0, 0
	}
	var base uintptr // of a position-independent program
	for _, h := range unsafe.Slice(headers, n) {
		switch {
		case h.kind == ptPhdr:
			base = uintptr(unsafe.Pointer(headers)) - h.vaddr
		case h.kind == ptLoad && h.flags&pfX != 0:
			return base + h.vaddr, h.filesz
		}
	}
	return 0, 0
}
