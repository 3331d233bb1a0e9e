//go:build amd64 || arm64

package start

import (
	"reflect"
	"syscall"
	"testing"
)

func TestProgram(t *testing.T) {
	p := findProgram(auxv())
	if here := reflect.ValueOf(TestProgram).Pointer(); here < p.code || here >= p.code+p.size {
		t.Errorf("this test is at %#x, the code at %#x, %d bytes", here, p.code, p.size)
	}
	if want := uintptr(syscall.Getpagesize()); p.page != want {
		t.Errorf("a page has %d bytes, want %d", p.page, want)
	}
	if err := syscall.Errno(p.populate(p.code, p.size, populateRead)); err != 0 && err != syscall.EINVAL {
		t.Error(err)
	}
}
