package report

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"

	"github.com/google/pprof/profile"
)

var pprofFormat = Format{
	Name:   "pprof",
	Doc:    "the tasks' kernel stacks and the time that traces measured as a profile, for `go tool pprof`",
	Binary: true,
	Write:  writePprof,
}

func writePprof(w io.Writer, r *Report, opt Options) error {
	if _, err := r.sampleType(opt); err != nil {
		return err
	}
	p := Profile(r, opt)
	if err := p.CheckValid(); err != nil {
		return err
	}
	return p.Write(w)
}

// Profile returns the stacks of the report's tasks as a pprof profile with the
// sample types tasks/count and blocked/nanoseconds, and of what traces measured
// with oncpu/nanoseconds, offcpu/nanoseconds, lockwait/nanoseconds and
// calls/count. It carries no time: the same report is the same profile. All tasks that differ in nothing but their
// pid are one sample, for one sample a pid makes a flame graph of 100,000 tasks
// 65 MB; Options.Verbose makes them all the same, with the pid as a number.
func Profile(r *Report, opt Options) *profile.Profile {
	b := profileBuilder{
		perPid: opt.Verbose,
		p: &profile.Profile{
			SampleType: []*profile.ValueType{
				{Type: "tasks", Unit: "count"},
				{Type: "blocked", Unit: "nanoseconds"},
			},
			DefaultSampleType: "tasks",
			PeriodType:        &profile.ValueType{}, // what reading it back gives; Merge wants one
		},
		mappings:  make(map[string]*profile.Mapping),
		functions: make(map[functionKey]*profile.Function),
		locations: make(map[locationKey]*profile.Location),
		samples:   make(map[string]*profile.Sample),
	}
	b.mapping("vmlinux")
	for i := range r.Incidents {
		inc := &r.Incidents[i]
		b.p.Comments = append(b.p.Comments, visible(clip(inc.Verdict+" ("+inc.Confidence+"): "+inc.Headline, maxLine)))
		v := newView(r, inc)
		rules := make(map[string][]string)
		for _, f := range inc.Findings {
			for _, id := range f.TaskIDs {
				if !slices.Contains(rules[id], f.Rule) {
					rules[id] = append(rules[id], f.Rule)
				}
			}
		}
		for j := range inc.Tasks {
			b.task(v, &inc.Tasks[j], rules[inc.Tasks[j].ID])
		}
	}
	b.trace(r)
	if st, err := r.sampleType(opt); err == nil && slices.ContainsFunc(b.p.SampleType, func(t *profile.ValueType) bool { return t.Type == st }) {
		b.p.DefaultSampleType = st
	}
	return b.p
}

type functionKey struct{ module, name string }

type locationKey struct {
	function functionKey
	address  uint64
	line     int
}

type profileBuilder struct {
	p         *profile.Profile
	mappings  map[string]*profile.Mapping
	functions map[functionKey]*profile.Function
	locations map[locationKey]*profile.Location
	samples   map[string]*profile.Sample
	perPid    bool
}

func (b *profileBuilder) task(v *view, t *Task, rules []string) {
	var stack []*profile.Location
	for _, f := range reliable(v.stackOf(t)) {
		stack = append(stack, b.location(f))
	}
	if len(stack) == 0 {
		return
	}
	labels := make(map[string][]string)
	var key strings.Builder
	for _, loc := range stack {
		fmt.Fprintf(&key, "%d ", loc.ID)
	}
	set := func(name string, values ...string) {
		fmt.Fprintf(&key, "%q", values)
		for _, s := range values {
			if s != "" {
				labels[name] = append(labels[name], profileText(s))
			}
		}
	}
	set("comm", deref(t.Comm))
	set("state", deref(t.State))
	set("memcg", deref(t.Memcg))
	set("role", t.Role)
	set("lock", v.lockClass(t))
	set("finding", rules...)

	if b.perPid {
		fmt.Fprintf(&key, "%s", t.ID)
	}

	var blocked int64
	if t.BlockedS != nil {
		blocked = *t.BlockedS * 1e9
	}
	if s := b.samples[key.String()]; s != nil {
		s.Value[0]++
		s.Value[1] += blocked
		return
	}
	s := &profile.Sample{Location: stack, Value: []int64{1, blocked}, Label: labels}
	if b.perPid && t.Pid != nil {
		s.NumLabel = map[string][]int64{"pid": {int64(*t.Pid)}}
	}
	b.samples[key.String()] = s
	b.p.Sample = append(b.p.Sample, s)
}

// lockClass is the class of what the task waits for: its instances would keep
// apart what is the same problem.
func (v *view) lockClass(t *Task) string {
	if t.Waits == nil {
		return ""
	}
	n := v.nodes[*t.Waits]
	if n == nil {
		return ""
	}
	if n.Class != nil {
		return *n.Class
	}
	return n.Label
}

func (b *profileBuilder) mapping(file string) *profile.Mapping {
	if m := b.mappings[file]; m != nil {
		return m
	}
	m := &profile.Mapping{
		ID:   uint64(len(b.p.Mapping) + 1),
		File: file,
		// The names are here: pprof need not look for a binary.
		HasFunctions: true,
	}
	b.mappings[file] = m
	b.p.Mapping = append(b.p.Mapping, m)
	return m
}

func (b *profileBuilder) location(f *Frame) *profile.Location {
	file := "vmlinux"
	if f.Module != nil && *f.Module != "" {
		file = profileText(*f.Module)
	}
	fk := functionKey{file, profileText(f.Func)}
	lk := locationKey{function: fk, address: f.addr()}
	if f.Place != nil {
		lk.line = f.Place.Line
	}
	loc := b.locations[lk]
	if loc == nil {
		loc = &profile.Location{
			ID:      uint64(len(b.p.Location) + 1),
			Mapping: b.mapping(file),
			Address: lk.address,
		}
		if f.BuildID != nil && loc.Mapping.BuildID == "" {
			loc.Mapping.BuildID = profileText(*f.BuildID)
		}
		fn := b.function(fk, f.Place)
		line := profile.Line{Function: fn}
		if p := f.Place; p != nil {
			line.Line = int64(p.Line)
			for _, in := range p.Inlined { // innermost first, as in pprof
				inl := b.function(functionKey{file, profileText(in.Func)}, &Place{File: in.File})
				loc.Line = append(loc.Line, profile.Line{Function: inl, Line: int64(in.Line)})
			}
		}
		loc.Line = append(loc.Line, line)
		b.locations[lk] = loc
		b.p.Location = append(b.p.Location, loc)
	}
	return loc
}

// function names its source file where it is known, else what it is part of.
func (b *profileBuilder) function(fk functionKey, place *Place) *profile.Function {
	fn := b.functions[fk]
	if fn == nil {
		fn = &profile.Function{ID: uint64(len(b.p.Function) + 1), Name: fk.name, SystemName: fk.name, Filename: fk.module}
		b.functions[fk] = fn
		b.p.Function = append(b.p.Function, fn)
	}
	if place != nil && place.File != "" && fn.Filename == fk.module {
		fn.Filename, fn.StartLine = profileText(place.File), int64(place.StartLine)
	}
	return fn
}

// addr is the frame's address, 0 where the log has none.
func (f *Frame) addr() uint64 {
	if f.Address == nil {
		return 0
	}
	n, err := strconv.ParseUint(strings.TrimPrefix(*f.Address, "0x"), 16, 64)
	if err != nil {
		return 0
	}
	return n
}
