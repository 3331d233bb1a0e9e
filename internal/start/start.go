// Package start is what the command does before anything else so that a small
// run is short. It imports little, for that lets Go initialise it before
// nearly all other packages. It is not for a library, which has no say in the
// memory of its program.
package start

import "runtime"

func init() {
	growStack()
	// The samples for --memprofile cost each run half a megabyte and half a
	// millisecond; that flag turns them on.
	runtime.MemProfileRate = 0
}

// growStack makes the stack of the main goroutine 16 kB long while it holds two
// frames. Else it is doubled three times, deeper each time, and each frame on
// it is looked up in tables that are not in memory yet.
//
//go:noinline
func growStack() byte {
	var frame [9 << 10]byte
	return frame[zero]
}

var zero int // not known to the compiler
