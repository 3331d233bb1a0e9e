// Package start is what the command does before anything else so that a small
// run is short. It imports little, for that lets Go initialise it before
// nearly all other packages. It is not for a library, which has no say in the
// memory of its program.
package start

import "runtime"

func init() {
	// The samples for --memprofile cost each run half a megabyte and half a
	// millisecond; that flag turns them on.
	runtime.MemProfileRate = 0
}
