package main

import (
	"bufio"
	"os"
	"reflect"
	"regexp"
	"unsafe"

	"github.com/euank/go-kmsg-parser/kmsgparser"
	"github.com/google/cadvisor/utils/oomparser"
)

// kmsg gives the lines of a file as the messages of /dev/kmsg that cadvisor's
// parser reads, through a channel of the same size.
type kmsg struct{ f *os.File }

func (k kmsg) SeekEnd() error              { return nil }
func (k kmsg) SetLogger(kmsgparser.Logger) {}
func (k kmsg) Close() error                { return k.f.Close() }

func (k kmsg) Parse() <-chan kmsgparser.Message {
	out := make(chan kmsgparser.Message, 1)
	go func() {
		defer close(out)
		lines := scanner(k.f)
		for lines.Scan() {
			out <- kmsgparser.Message{Message: lines.Text()}
		}
	}()
	return out
}

func scanner(f *os.File) *bufio.Scanner {
	s := bufio.NewScanner(f)
	s.Buffer(make([]byte, 1<<20), 1<<20)
	return s
}

// cadvisor runs cadvisor's parser and returns how many OOMs it saw. Its New
// makes one for /dev/kmsg only, so its one field is set from outside. That the
// log ends it calls an error, on standard error.
func cadvisor(file string) (int64, error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	var p oomparser.OomParser
	field := reflect.ValueOf(&p).Elem().FieldByName("parser")
	*(*kmsgparser.Parser)(unsafe.Pointer(field.UnsafeAddr())) = kmsg{f}
	out := make(chan *oomparser.OomInstance, 10)
	go func() {
		p.StreamOoms(out)
		close(out)
	}()
	n := int64(0)
	for range out {
		n++
	}
	return n, nil
}

// These are the regular expressions of github.com/google/cadvisor,
// utils/oomparser/oomparser.go, v0.60.6: Copyright 2014 Google Inc., Apache
// License 2.0. cadvisorLines calls them for each line as its StreamOoms does.
var (
	legacyContainerRegexp = regexp.MustCompile(`Task in (.*) killed as a result of limit of (.*)`)
	containerRegexp       = regexp.MustCompile(`oom-kill:constraint=(.*),nodemask=(.*),cpuset=(.*),mems_allowed=(.*),oom_memcg=(.*),task_memcg=(.*),task=(.*),pid=(.*),uid=(.*)`)
	lastLineRegexp        = regexp.MustCompile(`Killed process ([0-9]+) \((.+)\)`)
	firstLineRegexp       = regexp.MustCompile(`invoked oom-killer:`)
)

// cadvisorLines is what cadvisor's parser costs without its channels.
func cadvisorLines(file string) (n int64, err error) {
	f, err := os.Open(file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	open := false
	lines := scanner(f)
	for lines.Scan() {
		line := lines.Text()
		if !open {
			open = firstLineRegexp.MatchString(line)
			continue
		}
		if containerRegexp.FindStringSubmatch(line) == nil {
			legacyContainerRegexp.FindStringSubmatch(line)
			if lastLineRegexp.FindStringSubmatch(line) == nil {
				continue
			}
		}
		open = false
		n++
	}
	return n, lines.Err()
}
