// Package oomtrace analyses kernel logs of OOM incidents: who waits for whom,
// whether it is a memcg-OOM deadlock, which path the kernel took and which
// commit fixes it.
package oomtrace

import (
	"cmp"
	"context"
	"io"
	"slices"
	"strconv"
	"sync"

	"github.com/oomtrace/oomtrace/detect"
	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/report"
	"github.com/oomtrace/oomtrace/stacks"
)

// Source is one stream to read.
type Source struct {
	Name        string // as the report names it
	Compression string // none gzip bzip2 ...
	Host        string // of the machine it was taken from, where the text itself may not tell; "" if unknown
	Release     string // its kernel release, "" if unknown
	Follows     string // name of the source that this one continues (rotated logs), "" for none

	// Open is called once to read, and once more for the log lines around the
	// evidence; a stream that cannot be read twice fails then, and the report
	// goes without them. Where what it returns is an io.ReaderAt, too, with the
	// first byte of the text at 0, long texts are read by several threads.
	Open func() (io.ReadCloser, error)

	// OpenAt, if not nil, opens the same text at a byte of it, for these lines.
	OpenAt func(offset int64) (io.ReadCloser, error)
}

// Options are what the user says beyond the logs.
type Options struct {
	OOMHandlers []string         // pid or comm of userspace OOM handlers
	FuseDaemons []string         // pid or comm of FUSE daemons
	LockModel   *lockmodel.Model // nil is the embedded one
	Symbols     parse.Symbols    // names frames that are only an address, and their source; nil for none
	Version     string           // of the tool, for the report
}

// Analyze reads the sources and joins all evidence of one host and boot. A
// source that cannot be read becomes an input with an error diagnostic of
// code "unreadable"; the others are analysed all the same. The error is that
// of ctx.
func Analyze(ctx context.Context, sources []Source, opt Options) (*report.Report, error) {
	var c stacks.Collector
	number := map[string]int{} // from 1, by name
	for i, src := range slices.Backward(sources) {
		number[src.Name] = i + 1
	}
	delete(number, "")
	for i, src := range sources {
		c.Origin(i, stacks.Origin{Host: src.Host, Release: src.Release, Follows: number[src.Follows]})
	}
	results := readAll(ctx, sources, opt.Symbols, &c)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	rep := &report.Report{SchemaVersion: report.SchemaVersion, Tool: report.Tool{Name: "oomtrace", Version: opt.Version}, Inputs: []report.Input{}, Incidents: []report.Incident{}}
	for i, src := range sources {
		rep.Inputs = append(rep.Inputs, input(src, &results[i]))
	}
	if opt.LockModel == nil {
		opt.LockModel = lockmodel.Embedded()
	}
	snaps := c.Snapshots()
	for _, snap := range snaps {
		g := waitgraph.Build(snap, waitgraph.Options{Model: opt.LockModel, Handlers: opt.OOMHandlers, Daemons: opt.FuseDaemons})
		rep.Incidents = append(rep.Incidents, detect.Run(g)...)
		rep.Trace = detect.Trace(rep.Trace, snap)
	}
	for i := range rep.Incidents {
		rep.Incidents[i].ID = strconv.Itoa(i + 1)
	}
	addTexts(snaps, rep.Incidents)
	addLog(sources, results, rep.Incidents)
	return rep, ctx.Err()
}

// addTexts adds what the lines say that findings rest on.
func addTexts(snaps []*stacks.Snapshot, incs []report.Incident) {
	var evidence []*report.Evidence
	for i := range incs {
		for j := range incs[i].Findings {
			f := &incs[i].Findings[j]
			for k := range f.Evidence {
				evidence = append(evidence, &f.Evidence[k])
			}
		}
	}
	slices.SortFunc(evidence, func(a, b *report.Evidence) int {
		return cmp.Or(cmp.Compare(a.Input, b.Input), cmp.Compare(a.Line, b.Line))
	})
	var lines []stacks.Line
	for _, e := range evidence {
		if l := (stacks.Line{Input: e.Input, No: e.Line}); len(lines) == 0 || lines[len(lines)-1] != l {
			lines = append(lines, l)
		}
	}
	texts := stacks.Texts(snaps, lines)
	at := -1
	for _, e := range evidence {
		if l := (stacks.Line{Input: e.Input, No: e.Line}); at < 0 || lines[at] != l {
			at++
		}
		e.Text = texts[at]
	}
}

// readAll parses the sources in parallel; the result does not depend on which
// ends first.
func readAll(ctx context.Context, sources []Source, symbols parse.Symbols, c *stacks.Collector) []parse.Result {
	results := make([]parse.Result, len(sources))
	read := func(i int) {
		if ctx.Err() == nil {
			results[i] = readOne(i, sources[i], symbols, c)
		}
	}
	if len(sources) == 1 { // the stack of a goroutine would have to grow anew
		read(0)
		return results
	}
	var wg sync.WaitGroup
	slots := make(chan struct{}, 8)
	for i := range sources {
		wg.Add(1)
		go func() {
			defer wg.Done()
			slots <- struct{}{}
			defer func() { <-slots }()
			read(i)
		}()
	}
	wg.Wait()
	return results
}

func readOne(i int, src Source, symbols parse.Symbols, c *stacks.Collector) (res parse.Result) {
	r, err := src.Open()
	if err == nil {
		defer r.Close()
		var tr stacks.Tracer // a trace streams: its events are not kept
		at, _ := r.(io.ReaderAt)
		res, err = parse.Read(r, parse.Options{Input: i, Symbols: symbols, At: at}, func(e parse.Event) {
			if !tr.Take(e) {
				c.Add(e)
			}
		})
		for _, e := range tr.End() {
			c.Add(e)
		}
	}
	if err != nil {
		res.Diagnostics = append(res.Diagnostics, parse.Diagnostic{Line: res.Lines, Severity: "error", Code: "unreadable", Message: err.Error()})
	}
	return res
}

func input(src Source, res *parse.Result) report.Input {
	out := report.Input{Name: src.Name, Compression: src.Compression, Framing: res.Framing, Bytes: res.Bytes, Lines: res.Lines, Records: records(res), Diagnostics: []report.Diagnostic{}}
	if out.Compression == "" {
		out.Compression = "none"
	}
	if out.Framing == "" {
		out.Framing = "plain"
	}
	for _, d := range res.Diagnostics {
		rd := report.Diagnostic{Severity: d.Severity, Code: d.Code, Message: d.Message}
		if d.Line > 0 {
			rd.Line = &d.Line
		}
		out.Diagnostics = append(out.Diagnostics, rd)
	}
	return out
}

func records(res *parse.Result) report.Records {
	c, m := res.Records, res.More
	return report.Records{
		OOM: c.OOM, Kill: c.Kill, Reap: c.Reap, HungTask: c.HungTask, TaskDump: c.TaskDump, CallTrace: c.CallTrace, LocksHeld: c.LocksHeld, Lockdep: c.Lockdep,
		FtraceEvent: c.FtraceEvent, Stall: m.Stall, Sysrq: m.Sysrq, CgroupFile: m.Cgroup, CrashTask: m.Crash, DebugStack: m.Debugger, PSRow: m.PS,
		ProcFile: m.Proc, FrameLine: m.Frames, StrayFrame: m.Strays,
	}
}
