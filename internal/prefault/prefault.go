// Package prefault makes the kernel map at once the memory that every run of
// the program touches in its first milliseconds: its code, its data and the
// first of the heap. Page by page these are several hundred page faults, and
// on a virtual machine each may cost more than what the program does between
// two of them.
//
// It is for the command: a library has no say in the memory of its program.
package prefault
