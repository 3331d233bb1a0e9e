// Package tracecheck judges files in the Trace Event Format as their viewers
// do, for tests. The rules are those of the format's document ("Trace Event
// Format", 2016), of Perfetto's importer (json_trace_tokenizer.cc,
// json_trace_parser.cc, slice_tracker.cc, flow_tracker.cc, 2026) and of
// chrome://tracing's (trace_event_importer.html, 2025), the stricter of them
// where they differ: what a viewer would drop, count as an error, or show
// somewhere else is a problem here.
package tracecheck

import (
	"bytes"
	"cmp"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strconv"
	"unicode/utf8"
)

// Event is one event, its numbers as written.
type Event struct {
	Name   *string                    `json:"name"`
	Cat    *string                    `json:"cat"`
	Phase  *string                    `json:"ph"`
	TS     *json.Number               `json:"ts"`
	Dur    *json.Number               `json:"dur"`
	Pid    *json.Number               `json:"pid"`
	Tid    *json.Number               `json:"tid"`
	Scope  *string                    `json:"s"`
	ID     *json.RawMessage           `json:"id"`
	Bind   *string                    `json:"bp"`
	Args   map[string]json.RawMessage `json:"args"`
	Colour *string                    `json:"cname"`
}

type file struct {
	Unit   *string           `json:"displayTimeUnit"`
	Other  map[string]any    `json:"otherData"`
	Events []json.RawMessage `json:"traceEvents"`
}

type track struct{ pid, tid int64 }

type flow struct {
	cat, name, id string
}

// timed is an event with its time, in nanoseconds as Perfetto keeps it.
type timed struct {
	e       *Event
	n       int
	ts, dur int64
	at      track
}

type checker struct {
	problems []string
}

func (c *checker) failf(n int, format string, args ...any) {
	if len(c.problems) < 100 {
		c.problems = append(c.problems, fmt.Sprintf("event %d: ", n)+fmt.Sprintf(format, args...))
	}
}

// Check returns what is wrong with a file, nil if nothing is. At least one
// event that is no metadata is wanted if nonempty is set.
func Check(data []byte, nonempty bool) []string {
	c := &checker{}
	if !utf8.Valid(data) {
		return []string{"no UTF-8"}
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.DisallowUnknownFields()
	var f file
	if err := dec.Decode(&f); err != nil {
		return []string{err.Error()}
	}
	if f.Unit != nil && *f.Unit != "ms" && *f.Unit != "ns" {
		c.problems = append(c.problems, "displayTimeUnit "+*f.Unit)
	}
	if f.Events == nil {
		return append(c.problems, "no array traceEvents")
	}
	var events []timed
	processes, threads := map[int64]int{}, map[track]int{}
	for n, raw := range f.Events {
		dec := json.NewDecoder(bytes.NewReader(raw))
		dec.DisallowUnknownFields()
		dec.UseNumber()
		var e Event
		if err := dec.Decode(&e); err != nil {
			c.failf(n, "%v", err)
			continue
		}
		if x, ok := c.event(n, &e, processes, threads); ok {
			events = append(events, x)
		}
	}
	if nonempty && len(events) == 0 {
		c.problems = append(c.problems, "nothing but metadata")
	}
	for _, x := range events {
		if processes[x.at.pid] == 0 {
			c.failf(x.n, "process %d has no name", x.at.pid)
		}
		if threads[x.at] == 0 && (x.e.Scope == nil || *x.e.Scope == "t") {
			c.failf(x.n, "thread %v has no name", x.at)
		}
	}
	// Perfetto sorts by time and keeps the order of the file for the rest.
	slices.SortStableFunc(events, func(a, b timed) int { return cmp.Compare(a.ts, b.ts) })
	c.stacks(events)
	c.begins(events)
	return c.problems
}

// event checks one event by itself. What it returns has a place in time.
func (c *checker) event(n int, e *Event, processes map[int64]int, threads map[track]int) (timed, bool) {
	if e.Phase == nil || len(*e.Phase) != 1 {
		c.failf(n, "no phase")
		return timed{}, false
	}
	if e.Name == nil || *e.Name == "" {
		c.failf(n, "no name")
		return timed{}, false
	}
	pid, ok1 := c.id(n, "pid", e.Pid)
	tid, ok2 := c.id(n, "tid", e.Tid)
	if !ok1 || !ok2 {
		return timed{}, false
	}
	x := timed{e: e, n: n, at: track{pid, tid}}
	if *e.Phase == "M" {
		c.metadata(n, e, x.at, processes, threads)
		return x, false
	}
	var ok bool
	if x.ts, ok = c.time(n, "ts", e.TS); !ok {
		return x, false
	}
	if e.Cat == nil || *e.Cat == "" {
		c.failf(n, "no category")
	}
	switch *e.Phase {
	case "X":
		if x.dur, ok = c.time(n, "dur", e.Dur); !ok {
			return x, false
		}
	case "i":
		if e.Scope == nil || *e.Scope != "g" && *e.Scope != "p" && *e.Scope != "t" {
			c.failf(n, "an instant wants a scope g, p or t")
			return x, false
		}
	case "s", "t", "f":
		if e.ID == nil {
			c.failf(n, "an arrow wants an id")
			return x, false
		}
		if e.Bind != nil && (*e.Phase != "f" || *e.Bind != "e") {
			c.failf(n, "binding point %q", *e.Bind)
		}
	case "B", "E":
	case "b", "e", "n":
		if e.ID == nil {
			c.failf(n, "an asynchronous event wants an id")
			return x, false
		}
	case "C":
		for name, v := range e.Args {
			if _, err := strconv.ParseFloat(string(v), 64); err != nil {
				c.failf(n, "counter %s is no number", name)
			}
		}
		if len(e.Args) == 0 {
			c.failf(n, "a counter without a value")
		}
	default:
		c.failf(n, "phase %q", *e.Phase)
		return x, false
	}
	if *e.Phase != "X" && e.Dur != nil {
		c.failf(n, "phase %s has a duration", *e.Phase)
	}
	if *e.Phase != "i" && e.Scope != nil {
		c.failf(n, "phase %s has a scope", *e.Phase)
	}
	return x, true
}

// id wants an integer that fits 32 bits: Perfetto makes 0 of others.
func (c *checker) id(n int, what string, v *json.Number) (int64, bool) {
	if v == nil {
		c.failf(n, "no %s", what)
		return 0, false
	}
	i, err := strconv.ParseInt(v.String(), 10, 64)
	if err != nil || i < 0 || i > math.MaxUint32 {
		c.failf(n, "%s %s", what, v)
		return 0, false
	}
	return i, true
}

// time wants microseconds that are whole nanoseconds, and not negative ones.
func (c *checker) time(n int, what string, v *json.Number) (int64, bool) {
	if v == nil {
		c.failf(n, "no %s", what)
		return 0, false
	}
	us, err := strconv.ParseFloat(v.String(), 64)
	if err != nil || math.IsInf(us, 0) || us < 0 || us > 9e15 {
		c.failf(n, "%s %s", what, v)
		return 0, false
	}
	ns := math.Round(us * 1e3)
	if math.Abs(ns-us*1e3) > 1e-3+us*1e-12 {
		c.failf(n, "%s %s is finer than a nanosecond", what, v)
	}
	return int64(ns), true
}

func (c *checker) metadata(n int, e *Event, at track, processes map[int64]int, threads map[track]int) {
	switch *e.Name {
	case "process_name", "thread_name":
		var name string
		if err := json.Unmarshal(e.Args["name"], &name); err != nil || name == "" {
			c.failf(n, "%s %s", *e.Name, e.Args["name"])
		}
		named := 0
		if *e.Name == "process_name" {
			processes[at.pid]++
			named = processes[at.pid]
		} else {
			threads[at]++
			named = threads[at]
		}
		if named > 1 {
			c.failf(n, "%v has two names", at)
		}
	case "process_sort_index", "thread_sort_index":
		if _, err := strconv.ParseInt(string(e.Args["sort_index"]), 10, 32); err != nil {
			c.failf(n, "%s %s", *e.Name, e.Args["sort_index"])
		}
	default:
		c.failf(n, "metadata %q", *e.Name)
	}
}

// stacks follows the slices of each thread as Perfetto's SliceTracker does, and
// the arrows, which bind to the slice on top.
func (c *checker) stacks(events []timed) {
	open := map[track][]timed{}
	started := map[flow]*timed{}
	ended := map[flow]bool{}
	var order []flow
	for i := range events {
		x := &events[i]
		stack := open[x.at]
		switch *x.e.Phase {
		case "X", "i":
			if *x.e.Phase == "i" && *x.e.Scope != "t" {
				continue
			}
			for len(stack) > 0 {
				last := stack[len(stack)-1]
				end := last.ts + last.dur
				if end > x.ts || end == x.ts && last.dur == 0 && x.dur == 0 {
					break
				}
				stack = stack[:len(stack)-1]
			}
			for _, holder := range stack {
				if end := holder.ts + holder.dur; x.ts < end && x.ts+x.dur > end {
					c.failf(x.n, "%q (%d ns, for %d) goes on after %q ends, in which it begins (%d ns, for %d)", *x.e.Name, x.ts, x.dur, *holder.e.Name, holder.ts, holder.dur)
				}
			}
			open[x.at] = append(stack, *x)
		case "s", "t", "f":
			id := flow{deref(x.e.Cat), *x.e.Name, string(*x.e.ID)}
			if len(stack) == 0 {
				c.failf(x.n, "an arrow on a thread without a slice")
			} else if top := stack[len(stack)-1]; x.ts > top.ts+max(top.dur-1, 0) {
				// Not at the end either: chrome://tracing computes in milliseconds.
				c.failf(x.n, "an arrow %d ns after %q, the last slice", x.ts-top.ts-top.dur, *top.e.Name)
			}
			switch {
			case *x.e.Phase == "s" && started[id] != nil:
				c.failf(x.n, "arrow %s starts twice", id.id)
			case *x.e.Phase == "s":
				started[id] = x
				order = append(order, id)
			case started[id] == nil:
				c.failf(x.n, "arrow %s ends and did not start", id.id)
			case *x.e.Phase == "f" && ended[id]:
				c.failf(x.n, "arrow %s ends twice", id.id)
			case *x.e.Phase == "f":
				ended[id] = true
			}
		}
	}
	for _, id := range order {
		if !ended[id] {
			c.failf(started[id].n, "arrow %s has no end", id.id)
		}
	}
}

// begins pairs what begins with what ends.
func (c *checker) begins(events []timed) {
	type async struct {
		pid     int64
		cat, id string
	}
	sync, open := map[track][]timed{}, map[async][]timed{}
	left := 0
	for i := range events {
		x := events[i]
		switch *x.e.Phase {
		case "B":
			sync[x.at] = append(sync[x.at], x)
			left++
		case "E":
			if n := len(sync[x.at]); n == 0 {
				c.failf(x.n, "an end without a begin")
			} else {
				sync[x.at] = sync[x.at][:n-1]
				left--
			}
		case "b", "e", "n":
			k := async{x.at.pid, deref(x.e.Cat), string(*x.e.ID)}
			switch n := len(open[k]); {
			case *x.e.Phase == "b":
				open[k] = append(open[k], x)
				left++
			case *x.e.Phase == "e" && n == 0:
				c.failf(x.n, "an asynchronous end without a begin")
			case *x.e.Phase == "e":
				open[k] = open[k][:n-1]
				left--
			}
		}
	}
	if left > 0 {
		c.problems = append(c.problems, fmt.Sprintf("%d begins without an end", left))
	}
}

func deref(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}
