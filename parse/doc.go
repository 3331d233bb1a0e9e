// Package parse turns the text of a kernel log into events. It knows what the
// kernel prints and how logs wrap it, and nothing about tasks as a whole.
//
// A line walks through four stages: lineReader cuts the input into lines, the
// framer takes the prefixes off (framing.go has the table), parser.line routes
// the text to the stream of its printk caller, and that stream's assembler
// offers it to the open records and then to the kinds (kinds.go). What nobody
// takes is noise and is not kept.
//
// Text never makes it fail. A damaged record comes out as an event marked
// Damaged, with a Diagnostic that has the line.
package parse
