package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/oomtrace/oomtrace"
	"github.com/oomtrace/oomtrace/internal/input"
)

// progressDelay is how long a run takes before it shows a bar: most end sooner.
const progressDelay = time.Second

// progress shows how far the reading of the sources is.
type progress struct {
	read  atomic.Int64
	total int64 // -1 where a source does not tell its size
	end   chan struct{}
	done  sync.WaitGroup
}

// watch counts what is read of the sources and shows it on w, which must be a
// terminal, from delay on. The caller stops it before anything else is
// written.
func watch(w io.Writer, srcs []oomtrace.Source, delay time.Duration) *progress {
	p := &progress{end: make(chan struct{})}
	for i := range srcs {
		info, err := os.Stat(srcs[i].Name)
		switch {
		case p.total < 0:
		case err != nil || !info.Mode().IsRegular() || srcs[i].Compression != "none" && srcs[i].Compression != "":
			p.total = -1
		default:
			p.total += info.Size()
		}
		open := srcs[i].Open
		srcs[i].Open = func() (io.ReadCloser, error) {
			r, err := open()
			if err != nil {
				return nil, err
			}
			return &countedReader{r, &p.read}, nil
		}
	}
	p.done.Go(func() { p.show(w, delay) })
	return p
}

// stop ends the bar and removes it from the terminal.
func (p *progress) stop() {
	close(p.end)
	p.done.Wait()
}

// show draws one line again and again. Libraries for that cost every run, at
// its start, more than this does in all: one links an HTTP server.
func (p *progress) show(w io.Writer, delay time.Duration) {
	start := time.Now()
	select {
	case <-p.end:
		return
	case <-time.After(delay):
	}
	const clear = "\r\x1b[K"
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		io.WriteString(w, clear+progressLine(p.read.Load(), p.total, time.Since(start)))
		select {
		case <-p.end:
			io.WriteString(w, clear)
			return
		case <-tick.C:
		}
	}
}

// progressLine says how far the reading of total bytes is, -1 if unknown.
func progressLine(read, total int64, elapsed time.Duration) string {
	rate := float64(read) / max(elapsed.Seconds(), 1e-3)
	if total <= 0 {
		return fmt.Sprintf("reading %s, %s/s", iec(float64(read)), iec(rate))
	}
	// A log may grow while it is read, and the end of it is not that of the work.
	read = min(read, total)
	s := fmt.Sprintf("reading %d%% of %s, %s/s", read*100/total, iec(float64(total)), iec(rate))
	if rate > 0 && read < total {
		left := time.Duration(float64(total-read) / rate * float64(time.Second))
		s += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	return s
}

// iec writes a number of bytes as 1.5 GiB.
func iec(n float64) string {
	units := []string{"B", "KiB", "MiB", "GiB", "TiB"}
	for len(units) > 1 && n >= 1024 {
		n, units = n/1024, units[1:]
	}
	if n >= 100 || units[0] == "B" {
		return fmt.Sprintf("%.0f %s", n, units[0])
	}
	return fmt.Sprintf("%.1f %s", n, units[0])
}

// countedReader counts what is read through it.
type countedReader struct {
	io.ReadCloser
	n *atomic.Int64
}

func (r *countedReader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	r.n.Add(int64(n))
	return n, err
}

// wantsProgress tells whether a bar may be shown on w: a terminal that
// understands the codes for it, and nobody types the input on it.
func wantsProgress(w io.Writer, args []string, stdin io.Reader) bool {
	_, tty := terminal(w)
	_, typed := terminal(stdin)
	return tty && os.Getenv("TERM") != "dumb" && !(typed && slices.Contains(args, input.Stdin))
}
