//go:build amd64 || arm64

package start

import (
	"syscall"
	"unsafe"
)

// Every run touches its code, its data and the first of its heap. Page by page
// these are several hundred page faults, and on a virtual machine each may cost
// more than what the program does between two of them. So the kernel is asked
// to map them at once.
//
// Of the uninitialised data and the heap this much is touched by a run on a
// log of a few lines. More would be memory that a small run does not need.
const (
	bssBytes  = 256 << 10
	heapBytes = 1536 << 10
)

// From Linux 5.14 on; before, madvise says EINVAL and nothing is lost.
const (
	populateRead  = 22
	populateWrite = 23
)

var probe *[64]byte

func init() {
	for _, s := range segments() {
		switch {
		case s.flags&pfX != 0:
			populate(s.addr, s.size, populateRead)
		case s.flags&pfW != 0:
			populate(s.addr, s.size+min(s.zero, bssBytes), populateWrite)
		}
		// Constants are not: a run reads a small part of them.
	}
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

// segment is a part of the program file in memory.
type segment struct {
	addr, size uintptr
	zero       uintptr // bytes after it that are in no file
	flags      uint32
}

// From elf(5) and getauxval(3).
const (
	ptLoad, ptPhdr  = 1, 6
	pfX, pfW        = 1, 2
	atPhdr, atPhnum = 3, 5
)

type programHeader struct {
	kind, flags                             uint32
	off, vaddr, paddr, filesz, memsz, align uintptr
}

// segments reads the program headers where the kernel says they are.
func segments() []segment {
	var auxv [64][2]uintptr
	fd, err := syscall.Open("/proc/self/auxv", syscall.O_RDONLY|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
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
		return nil
	}
	var out []segment
	var base uintptr // of a position-independent program
	for _, h := range unsafe.Slice(headers, n) {
		switch h.kind {
		case ptPhdr:
			base = uintptr(unsafe.Pointer(headers)) - h.vaddr
		case ptLoad:
			out = append(out, segment{base + h.vaddr, h.filesz, h.memsz - h.filesz, h.flags})
		}
	}
	return out
}
