// Command oomtrace-pprof is the viewer of `oomtrace pprof`: it reads a profile
// from standard input and shows it in pprof's web interface.
package main

import (
	"os"

	"github.com/oomtrace/oomtrace/internal/pprofui"
)

func main() { os.Exit(pprofui.Main()) }
