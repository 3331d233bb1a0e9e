// Package parse turns the text of a kernel log into events. It knows what the
// kernel prints and how logs wrap it, and nothing about tasks as a whole.
package parse
