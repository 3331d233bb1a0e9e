package anchor

import (
	"bytes"
	"os"
	"syscall"
	"testing"
)

// No byte behind the end is read, nor one before the begin: data lies between
// pages that may not be touched.
func TestBounds(t *testing.T) {
	page := os.Getpagesize()
	mem, err := syscall.Mmap(-1, 0, 3*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		t.Fatal(err)
	}
	defer syscall.Munmap(mem)
	middle := mem[page : 2*page]
	for _, guard := range [][]byte{mem[:page], mem[2*page:]} {
		if err := syscall.Mprotect(guard, syscall.PROT_NONE); err != nil {
			t.Fatal(err)
		}
	}
	ways := searchers(kernelAnchors)
	for _, filler := range []string{"x", "lock", "[<x", "\n"} {
		copy(middle, bytes.Repeat([]byte(filler), page/len(filler)))
		for n := range 300 {
			for _, data := range [][]byte{middle[:n], middle[page-n:]} {
				check(t, kernelAnchors, ways, data, 0)
				check(t, kernelAnchors, ways, data, n/2)
				check(t, kernelAnchors, ways, data, n)
			}
		}
		for n := page - 300; n <= page; n++ {
			check(t, kernelAnchors, ways, middle[:n], 0)
			check(t, kernelAnchors, ways, middle[page-n:], 0)
		}
	}
	copy(middle[page-6:], "lockup")
	copy(middle, "[<0")
	for n := 6; n <= page; n++ {
		check(t, kernelAnchors, ways, middle[page-n:], min(3, n))
	}
	check(t, kernelAnchors, ways, middle[:page-1], 1)
}
