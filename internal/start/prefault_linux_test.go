//go:build amd64 || arm64

package start

import (
	"reflect"
	"syscall"
	"testing"
)

func TestCode(t *testing.T) {
	addr, size := code()
	here := reflect.ValueOf(TestCode).Pointer()
	if here < addr || here >= addr+size {
		t.Errorf("this test is at %#x, the code at %#x, %d bytes", here, addr, size)
	}
	if err := populate(addr, size, populateRead); err != 0 && err != syscall.EINVAL {
		t.Error(err)
	}
}
