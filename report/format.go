package report

import (
	"fmt"
	"io"
	"slices"
	"strings"
)

// DefaultWidth is the number of columns that text is laid out for where
// Options.Width does not say.
const DefaultWidth = 80

// minWidth keeps a layout possible on an absurdly narrow terminal.
const minWidth = 40

// Options is what a user may choose about a rendering. A format ignores what
// does not concern it.
type Options struct {
	Width   int  // columns; 0 means DefaultWidth
	Color   bool // ANSI colours
	Verbose bool // nothing left out or summarised
	Tasks   bool // every task with its stack
	Graph   bool // every edge of the wait graph
	Why     bool // the facts behind each edge and the steps that narrowed it

	// SampleType is what the format folded counts and what pprof shows first,
	// one of SampleTypes. Without it that is the tasks, and the time of a trace
	// where nothing but a trace was read.
	SampleType string

	// Dot lays a graph in the language of graphviz out as SVG. Without it the
	// format svg fails with ErrNoGraphviz.
	Dot func(graph []byte) (svg []byte, err error)
}

func (o Options) width() int {
	if o.Width == 0 {
		return DefaultWidth
	}
	return max(o.Width, minWidth)
}

// Format is one way to write a Report.
type Format struct {
	Name   string
	Doc    string // one line
	Binary bool   // not for a terminal
	Write  func(w io.Writer, r *Report, opt Options) error
}

// Formats lists the formats by name. A new format is one file and one entry
// here.
func Formats() []Format {
	return []Format{
		dotFormat,
		foldedFormat,
		htmlFormat,
		jsonFormat,
		markdownFormat,
		mermaidFormat,
		ndjsonFormat,
		pprofFormat,
		sarifFormat,
		speedscopeFormat,
		svgFormat,
		textFormat,
		traceEventsFormat,
	}
}

// Lookup returns the format of that name.
func Lookup(name string) (Format, bool) {
	fs := Formats()
	i := slices.IndexFunc(fs, func(f Format) bool { return f.Name == name })
	if i < 0 {
		return Format{}, false
	}
	return fs[i], true
}

// Write writes r to w in the named format.
func Write(w io.Writer, r *Report, format string, opt Options) error {
	f, ok := Lookup(format)
	if !ok {
		var names []string
		for _, f := range Formats() {
			names = append(names, f.Name)
		}
		return fmt.Errorf("unknown format %q, want one of: %s", format, strings.Join(names, ", "))
	}
	return f.Write(w, r, opt)
}
