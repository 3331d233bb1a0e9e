//go:build amd64 || arm64

package start

import (
	"reflect"
	"syscall"
	"testing"
	"unsafe"
)

var datum = 1

func TestSegments(t *testing.T) {
	in := func(addr uintptr, flag uint32) bool {
		for _, s := range segments() {
			if s.flags&flag != 0 && s.addr <= addr && addr < s.addr+s.size {
				return true
			}
		}
		return false
	}
	if !in(reflect.ValueOf(TestSegments).Pointer(), pfX) {
		t.Error("no segment has the code of this test")
	}
	if !in(uintptr(unsafe.Pointer(&datum)), pfW) {
		t.Error("no segment has the data of this test")
	}
	for _, s := range segments() {
		if err := populate(s.addr, s.size, populateRead); err != 0 && err != syscall.EINVAL {
			t.Errorf("%#x, %d bytes: %v", s.addr, s.size, err)
		}
	}
}
