// Package parse turns the text of a kernel log into events. It knows what the
// kernel prints and how logs wrap it, and nothing about tasks as a whole.
//
// A line walks through five stages: lineReader cuts the input into lines,
// pstore.go puts parts that were saved newest first in order, the framer takes
// containers (JSON, the journal's exports, CSV) and prefixes off (framing.go
// has the table) and repairs what mail programs and consoles did (repair.go),
// parser.line routes the text to the stream of its host and printk caller, and
// that stream's assembler offers it to the open records and then to the kinds
// (kinds.go). What nobody takes is noise and is not kept.
//
// Text never makes it fail. A damaged record comes out as an event marked
// Damaged, with a Diagnostic that has the line.
package parse
