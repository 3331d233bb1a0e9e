// Command peer is what oomtrace is measured against, where no program of the
// machine does it:
//
//	peer read FILE             read(2) into a buffer of 1 MiB, and no work: the ceiling
//	peer sum                   add up 256 MiB of memory: bytes a second
//	peer copy                  copy 128 MiB of memory: bytes a second, each read and written
//	peer cadvisor FILE         cadvisor's OOM parser, whole
//	peer cadvisor-lines FILE   the regular expressions of that parser, without its channels
package main

import (
	"fmt"
	"math"
	"os"
	"syscall"
	"time"
)

func main() {
	n, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "peer:", err)
		os.Exit(1)
	}
	fmt.Println(n)
}

func run(args []string) (int64, error) {
	mode, file := "", ""
	if len(args) > 0 {
		mode = args[0]
	}
	if len(args) > 1 {
		file = args[1]
	}
	switch mode {
	case "read":
		return read(file)
	case "sum":
		return sum(), nil
	case "copy":
		return duplicate(), nil
	case "cadvisor":
		return cadvisor(file)
	case "cadvisor-lines":
		return cadvisorLines(file)
	}
	return 0, fmt.Errorf("unknown mode %q", mode)
}

func read(file string) (total int64, err error) {
	fd, err := syscall.Open(file, syscall.O_RDONLY, 0)
	if err != nil {
		return 0, err
	}
	defer syscall.Close(fd)
	buf := make([]byte, 1<<20)
	for {
		n, err := syscall.Read(fd, buf)
		if n <= 0 {
			return total, err
		}
		total += int64(n)
	}
}

// The memory that is gone over, more than any cache holds, and how often: the
// fastest time counts.
const (
	sumBytes  = 256 << 20
	copyBytes = 128 << 20
	passes    = 10
)

// sum adds up words in four sums, so that the additions do not wait for each
// other.
func sum() int64 {
	words := make([]uint64, sumBytes/8)
	for i := range words {
		words[i] = uint64(i)
	}
	var a, b, c, d uint64
	rate := fastest(sumBytes, func() {
		for w := words; len(w) >= 8; w = w[8:] {
			a += w[0] + w[4]
			b += w[1] + w[5]
			c += w[2] + w[6]
			d += w[3] + w[7]
		}
	})
	if a+b+c+d == 0 {
		panic("the sum of different numbers is 0")
	}
	return rate
}

func duplicate() int64 {
	from, to := make([]byte, copyBytes), make([]byte, copyBytes)
	for i := range from {
		from[i] = byte(i)
	}
	return fastest(copyBytes, func() { copy(to, from) })
}

// fastest returns the bytes a second of the fastest of some passes over n bytes.
func fastest(n int64, pass func()) int64 {
	best := time.Duration(math.MaxInt64)
	for range passes {
		begin := time.Now()
		pass()
		best = min(best, time.Since(begin))
	}
	return int64(float64(n) / best.Seconds())
}
