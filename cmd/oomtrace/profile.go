package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"

	"github.com/spf13/cobra"
)

// profiles are --cpuprofile and --memprofile: profiles of this program for
// `go tool pprof`.
type profiles struct {
	cpu, mem string // files, "" for none
	samples  bytes.Buffer
	started  bool
}

// addTo gives the flags to all commands below root.
func (p *profiles) addTo(root *cobra.Command) {
	fs := root.PersistentFlags()
	fs.StringVar(&p.cpu, "cpuprofile", "", "write a CPU profile of oomtrace itself to `FILE`")
	fs.StringVar(&p.mem, "memprofile", "", "write a profile of its memory allocations to `FILE`")
	root.PersistentPreRunE = func(*cobra.Command, []string) error { return p.start() }
}

func (p *profiles) start() error {
	if err := errors.Join(checkProfile("cpuprofile", p.cpu), checkProfile("memprofile", p.mem)); err != nil {
		return err
	}
	if p.cpu != "" && p.cpu == p.mem {
		return usage("--cpuprofile and --memprofile are both %s", p.cpu)
	}
	p.started = true
	if p.mem != "" {
		runtime.MemProfileRate = 512 << 10 // Go's own; 0 until here, see internal/start
	}
	if p.cpu == "" {
		return nil
	}
	return pprof.StartCPUProfile(&p.samples)
}

// checkProfile keeps a log from being replaced by a profile where the name of
// the profile was forgotten, and tells before a long run what cannot be
// written after it.
func checkProfile(flag, name string) error {
	if name == "" {
		return nil
	}
	if dir, err := os.Stat(filepath.Dir(name)); err != nil || !dir.IsDir() {
		return usage("--%s %s: no such directory", flag, name)
	}
	switch info, err := os.Stat(name); {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return usage("--%s: %w", flag, err)
	case info.Mode().IsRegular() && info.Size() == 0, !info.Mode().IsRegular() && !info.IsDir():
		return nil
	case info.Mode().IsRegular() && startsWith(name, "\x1f\x8b"): // both are gzip data
		return nil
	}
	return usage("--%s %s exists and is no profile; it is not replaced", flag, name)
}

// startsWith tells whether the file begins so.
func startsWith(name, magic string) bool {
	f, err := os.Open(name)
	if err != nil {
		return false
	}
	defer f.Close()
	head := make([]byte, len(magic))
	_, err = io.ReadFull(f, head)
	return err == nil && string(head) == magic
}

// finish writes the profiles, of a run that failed too. After a wrong usage
// there is nothing to know, and the name of a file may be the mistake.
func (p *profiles) finish(code int) error {
	if !p.started {
		return nil
	}
	if p.cpu != "" {
		pprof.StopCPUProfile()
	}
	if code == exitUsage {
		return nil
	}
	var errs []error
	if p.cpu != "" {
		errs = append(errs, writeProfile("cpuprofile", p.cpu, func(w io.Writer) error {
			_, err := w.Write(p.samples.Bytes())
			return err
		}))
	}
	if p.mem != "" {
		runtime.GC() // the profile is that of the last collection
		errs = append(errs, writeProfile("memprofile", p.mem, func(w io.Writer) error {
			return pprof.Lookup("allocs").WriteTo(w, 0)
		}))
	}
	return errors.Join(errs...)
}

func writeProfile(flag, name string, write func(io.Writer) error) error {
	if err := writeFile(name, write); err != nil {
		return fmt.Errorf("--%s: %w", flag, err)
	}
	return nil
}
