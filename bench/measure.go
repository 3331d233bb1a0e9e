package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Spec is a program to be measured.
type Spec struct {
	Args   []string
	Stdin  string   // file
	Feed   []string // program whose output is piped to its standard input
	Stdout string   // file, "" for /dev/null
	Procs  int      // GOMAXPROCS; 0 leaves it to the program
	Pin    bool     // to one CPU
	OK     []int    // exit statuses that are no failure, besides 0
	MaxRSS int64    // bytes: it is stopped beyond
	Limit  time.Duration
	Runs   int
}

// Run is one run of it. Times are seconds.
type Run struct {
	User, Sys, Wall float64
	RSS             int64  // bytes, at most at one time
	Stopped         string // why it was stopped, "" if it ended by itself
}

// CPU is the cpu time.
func (r Run) CPU() float64 { return r.User + r.Sys }

// measureMode is the argument by which the harness runs itself. What is
// measured is started by a small process: Linux counts what the process that
// calls exec(2) has in memory as that of the new program, and the harness may
// have grown (setmax_mm_hiwater_rss(), fs/exec.c).
const measureMode = "measure-one"

// measure runs the program n times.
func measure(self string, s Spec, n int) ([]Run, error) {
	s.Runs = n
	spec, err := json.Marshal(s)
	if err != nil {
		return nil, err
	}
	cmd := exec.Command(self, measureMode, string(spec))
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s", strings.Join(s.Args, " "), err, stderr.Bytes())
	}
	var runs []Run
	return runs, json.Unmarshal(out, &runs)
}

// measureAll is the small process.
func measureAll(spec string, stdout io.Writer) error {
	var s Spec
	if err := json.Unmarshal([]byte(spec), &s); err != nil {
		return err
	}
	if s.Pin {
		// Children inherit the CPUs of the thread that starts them.
		runtime.LockOSThread()
		if err := pin(); err != nil {
			return err
		}
	}
	var runs []Run
	for range s.Runs {
		r, err := measureOne(s)
		if err != nil {
			return err
		}
		if runs = append(runs, r); r.Stopped != "" {
			break
		}
	}
	return json.NewEncoder(stdout).Encode(runs)
}

// measureOne runs it once.
func measureOne(s Spec) (r Run, err error) {
	cmd := exec.Command(s.Args[0], s.Args[1:]...)
	cmd.Env = append(os.Environ(), "LC_ALL=C")
	if s.Procs > 0 {
		cmd.Env = append(cmd.Env, "GOMAXPROCS="+strconv.Itoa(s.Procs))
	}
	stderr, err := os.CreateTemp("", "bench-") // not a pipe, whose reader would be one more process to wait for
	if err != nil {
		return r, err
	}
	defer stderr.Close()
	if err := os.Remove(stderr.Name()); err != nil {
		return r, err
	}
	cmd.Stderr = stderr
	if s.Stdout != "" {
		f, err := os.Create(s.Stdout)
		if err != nil {
			return r, err
		}
		defer f.Close()
		cmd.Stdout = f
	}
	switch {
	case s.Feed != nil:
		feed := exec.Command(s.Feed[0], s.Feed[1:]...)
		from, w, err := os.Pipe()
		if err != nil {
			return r, err
		}
		defer from.Close()
		cmd.Stdin, feed.Stdout = from, w
		err = feed.Start()
		w.Close()
		if err != nil {
			return r, err
		}
		defer feed.Wait()
		defer feed.Process.Kill()
	case s.Stdin != "":
		f, err := os.Open(s.Stdin)
		if err != nil {
			return r, err
		}
		defer f.Close()
		cmd.Stdin = f
	}
	begin := time.Now()
	if err := cmd.Start(); err != nil {
		return r, err
	}
	stop := guard(cmd.Process.Pid, s.MaxRSS, s.Limit)
	err = cmd.Wait()
	r = Run{Wall: time.Since(begin).Seconds(), Stopped: stop()}
	var exit *exec.ExitError
	if err != nil && r.Stopped == "" && (!errors.As(err, &exit) || !slices.Contains(s.OK, exit.ExitCode())) {
		said := make([]byte, 500)
		n, _ := stderr.ReadAt(said, 0)
		return r, fmt.Errorf("%w: %s", err, said[:n])
	}
	r.User, r.Sys = cmd.ProcessState.UserTime().Seconds(), cmd.ProcessState.SystemTime().Seconds()
	if ru, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		r.RSS = int64(ru.Maxrss) << 10 // Linux counts in KiB
	}
	return r, nil
}

// pin keeps the thread on the first CPU that it may use.
func pin() error {
	var may, one unix.CPUSet
	if err := unix.SchedGetaffinity(0, &may); err != nil {
		return err
	}
	for i := range len(may) * 64 {
		if may.IsSet(i) {
			one.Set(i)
			break
		}
	}
	return unix.SchedSetaffinity(0, &one)
}

// guard stops a process that takes more memory or time than it may: a
// measurement must not take the machine down. The function that it returns
// ends the watch and tells why the process was stopped.
func guard(pid int, maxRSS int64, limit time.Duration) (stop func() string) {
	done, why := make(chan struct{}), make(chan string, 1)
	begin := time.Now()
	go func() {
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-done:
				why <- ""
				return
			case <-tick.C:
			}
			reason := ""
			if limit > 0 && time.Since(begin) > limit {
				reason = fmt.Sprintf("stopped after %s", limit)
			} else if maxRSS > 0 && rss(pid) > maxRSS {
				reason = fmt.Sprintf("stopped at %s of memory", size(maxRSS))
			}
			if reason != "" {
				syscall.Kill(pid, syscall.SIGKILL)
				<-done
				why <- reason
				return
			}
		}
	}()
	return func() string { close(done); return <-why }
}

// rss is the resident memory of a process, 0 if it cannot be read.
func rss(pid int) int64 {
	text, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "statm"))
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(text))
	if len(fields) < 2 {
		return 0
	}
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}

// least is the run with the least cpu time, with the shortest wall time and
// the greatest memory of all: what else the machine did only ever adds time.
func least(runs []Run) Run {
	best := slices.MinFunc(runs, func(a, b Run) int {
		switch {
		case a.CPU() < b.CPU():
			return -1
		case a.CPU() > b.CPU():
			return 1
		}
		return 0
	})
	for _, r := range runs {
		best.Wall = min(best.Wall, r.Wall)
		best.RSS = max(best.RSS, r.RSS)
		if r.Stopped != "" {
			best.Stopped = r.Stopped
		}
	}
	return best
}

// warm reads files, so that they are in the page cache.
func warm(files ...string) error {
	for _, name := range files {
		f, err := os.Open(name)
		if err != nil {
			return err
		}
		_, err = io.Copy(struct{ io.Writer }{io.Discard}, f)
		f.Close()
		if err != nil {
			return err
		}
	}
	return nil
}
