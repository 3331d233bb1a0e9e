// Package waitgraph builds the wait-for graph of a snapshot: who waits for
// which lock or resource, who holds it, and which cycles that closes.
//
// Every edge carries its basis (the kernel's own words, or a frame read with
// the lock model), the lines it rests on, and the steps that narrowed it.
package waitgraph
