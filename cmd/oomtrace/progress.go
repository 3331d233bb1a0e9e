package main

import (
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/schollz/progressbar/v3"

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

func (p *progress) show(w io.Writer, delay time.Duration) {
	bar := progressbar.NewOptions64(p.total,
		progressbar.OptionSetWriter(w),
		progressbar.OptionSetDescription("reading"),
		progressbar.OptionShowBytes(true),
		progressbar.OptionUseIECUnits(true),
		progressbar.OptionSetPredictTime(true), // time left, where the size is known
		progressbar.OptionSetWidth(20),
		progressbar.OptionThrottle(100*time.Millisecond),
		progressbar.OptionClearOnFinish(),
		progressbar.OptionSetSpinnerChangeInterval(0), // else it draws by itself, too early
		progressbar.OptionSetElapsedTime(true),
	)
	bar.StartWithoutRender() // what was read before the bar shows counts too
	select {
	case <-p.end:
		return
	case <-time.After(delay):
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	for {
		n := p.read.Load()
		if p.total >= 0 {
			// A log that grows while it is read, and an end that is not the end
			// of the work, must not finish the bar.
			n = min(n, p.total-1)
		}
		bar.Set64(max(n, 0))
		select {
		case <-p.end:
			bar.Clear()
			return
		case <-tick.C:
		}
	}
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
