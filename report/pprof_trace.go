package report

import "github.com/google/pprof/profile"

// trace adds the trace section as sample types of its own. A profile without
// a trace stays as it is.
func (b *profileBuilder) trace(r *Report) {
	if r.Trace == nil || len(r.Trace.Samples) == 0 {
		return
	}
	own := len(b.p.SampleType)
	b.p.SampleType = append(b.p.SampleType,
		&profile.ValueType{Type: "oncpu", Unit: "nanoseconds"},
		&profile.ValueType{Type: "offcpu", Unit: "nanoseconds"},
		&profile.ValueType{Type: "lockwait", Unit: "nanoseconds"},
		&profile.ValueType{Type: "calls", Unit: "count"},
	)
	for _, s := range b.p.Sample {
		s.Value = append(s.Value, make([]int64, 4)...)
	}
	for i := range r.Trace.Samples {
		t := &r.Trace.Samples[i]
		s := &profile.Sample{Value: append(make([]int64, own), t.OnCPUNS, t.OffCPUNS, t.LockWaitNS, t.Calls)}
		for _, fn := range t.Stack {
			s.Location = append(s.Location, b.location(&Frame{Func: fn}))
		}
		if c := deref(t.Comm); c != "" {
			s.Label = map[string][]string{"comm": {profileText(c)}}
		}
		b.p.Sample = append(b.p.Sample, s)
	}
}
