package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/oomtrace/oomtrace/parse"
)

func newFormats() *cobra.Command {
	return &cobra.Command{
		Use:   "formats",
		Short: "The logs and records that are understood, with a sample of each",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := buffered(cmd.OutOrStdout(), parse.Formats); err != nil {
				return failed(err)
			}
			return nil
		},
	}
}

// symbols reads the files of --system-map and --vmlinux; nil without them.
// The file of --vmlinux stays open: its DWARF is read as it is needed.
func symbols(systemMap, vmlinux string) (parse.Symbols, error) {
	switch {
	case systemMap != "" && vmlinux != "":
		return nil, usage("--system-map and --vmlinux tell the same; give one")
	case systemMap != "":
		return loadSymbols("--system-map", systemMap, func(f *os.File) (parse.Symbols, error) {
			defer f.Close()
			return parse.LoadSystemMap(f)
		})
	case vmlinux != "":
		return loadSymbols("--vmlinux", vmlinux, func(f *os.File) (parse.Symbols, error) { return parse.LoadVMLinux(f) })
	}
	return nil, nil
}

func loadSymbols(flag, name string, load func(*os.File) (parse.Symbols, error)) (parse.Symbols, error) {
	f, err := os.Open(name)
	if err != nil {
		if pe, ok := errors.AsType[*os.PathError](err); ok {
			err = pe.Err
		}
		return nil, usage("%s %s: %w", flag, oneLine(name), err)
	}
	sy, err := load(f)
	if err != nil {
		f.Close()
		return nil, usage("%s: %w", flag, fmt.Errorf("%s: %w", oneLine(name), err))
	}
	return sy, nil
}
