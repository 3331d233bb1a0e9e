package report

import (
	"fmt"
	"io"
	"slices"
)

var speedscopeFormat = Format{
	Name:  "speedscope",
	Doc:   "the tasks' kernel stacks and the time that traces measured as a file for speedscope.app",
	Write: writeSpeedscope,
}

const speedscopeSchema = "https://www.speedscope.app/file-format-schema.json"

type speedscopeFile struct {
	Schema   string              `json:"$schema"`
	Name     string              `json:"name"`
	Exporter string              `json:"exporter"`
	Shared   speedscopeShared    `json:"shared"`
	Profiles []speedscopeProfile `json:"profiles"`
}

type speedscopeShared struct {
	Frames []speedscopeFrame `json:"frames"`
}

type speedscopeFrame struct {
	Name string `json:"name"`
	File string `json:"file,omitempty"`
	Line int    `json:"line,omitempty"`
}

// speedscopeProfile has one sample for each stack, weighted by the tasks in it
// or by their time.
type speedscopeProfile struct {
	Type       string  `json:"type"`
	Name       string  `json:"name"`
	Unit       string  `json:"unit"`
	StartValue int64   `json:"startValue"`
	EndValue   int64   `json:"endValue"`
	Samples    [][]int `json:"samples"` // outermost frame first
	Weights    []int64 `json:"weights"`
}

func writeSpeedscope(w io.Writer, r *Report, _ Options) error {
	out := speedscopeFile{
		Schema:   speedscopeSchema,
		Name:     "oomtrace",
		Exporter: visible(clip(r.Tool.Name+" "+r.Tool.Version, maxName)),
		Shared:   speedscopeShared{Frames: []speedscopeFrame{}},
		Profiles: []speedscopeProfile{},
	}
	index := make(map[speedscopeFrame]int)
	frame := func(f speedscopeFrame) int {
		n, ok := index[f]
		if !ok {
			n = len(out.Shared.Frames)
			index[f] = n
			out.Shared.Frames = append(out.Shared.Frames, f)
		}
		return n
	}
	for i := range r.Incidents {
		inc := &r.Incidents[i]
		name := visible(clip(fmt.Sprintf("incident %d: %s", i+1, inc.Headline), maxLine))
		tasks := speedscopeProfile{Type: "sampled", Name: name + ", tasks", Unit: "none"}
		blocked := speedscopeProfile{Type: "sampled", Name: name + ", seconds blocked", Unit: "seconds"}
		seen := make(map[string]int)
		stackOf := inc.stackOf()
		for j := range inc.Tasks {
			t := &inc.Tasks[j]
			stack := reliable(stackOf(t))
			if len(stack) == 0 {
				continue
			}
			sample := []int{frame(speedscopeFrame{Name: profileText(t.stackRoot())})}
			for _, f := range slices.Backward(stack) {
				file := "vmlinux"
				if f.Module != nil && *f.Module != "" {
					file = profileText(*f.Module)
				}
				sf := speedscopeFrame{Name: profileText(f.Func), File: file}
				if f.Place != nil {
					sf.File, sf.Line = profileText(f.Place.File), f.Place.Line
				}
				sample = append(sample, frame(sf))
			}
			key := fmt.Sprint(sample)
			n, ok := seen[key]
			if !ok {
				n = len(tasks.Samples)
				seen[key] = n
				tasks.Samples = append(tasks.Samples, sample)
				tasks.Weights = append(tasks.Weights, 0)
				blocked.Weights = append(blocked.Weights, 0)
			}
			tasks.Weights[n]++
			tasks.EndValue++
			blocked.Weights[n] += max(deref(t.BlockedS), 0)
			blocked.EndValue += max(deref(t.BlockedS), 0)
		}
		if len(tasks.Samples) > 0 {
			out.Profiles = append(out.Profiles, tasks)
		}
		if blocked.EndValue > 0 {
			blocked.Samples = tasks.Samples
			out.Profiles = append(out.Profiles, blocked)
		}
	}
	if r.Trace != nil {
		for _, m := range []struct{ sampleType, name, unit string }{
			{"oncpu", "trace, time on a CPU", "nanoseconds"}, {"offcpu", "trace, time off the CPU", "nanoseconds"},
			{"lockwait", "trace, time waiting for locks", "nanoseconds"}, {"calls", "trace, calls", "none"},
		} {
			p := speedscopeProfile{Type: "sampled", Name: m.name, Unit: m.unit}
			for i := range r.Trace.Samples {
				s := &r.Trace.Samples[i]
				n := s.value(m.sampleType)
				if n <= 0 {
					continue
				}
				sample := []int{frame(speedscopeFrame{Name: profileText(s.root())})}
				for _, fn := range slices.Backward(s.Stack) {
					sample = append(sample, frame(speedscopeFrame{Name: profileText(fn), File: "vmlinux"}))
				}
				p.Samples = append(p.Samples, sample)
				p.Weights = append(p.Weights, n)
				p.EndValue += n
			}
			if len(p.Samples) > 0 {
				out.Profiles = append(out.Profiles, p)
			}
		}
	}
	return encodeJSON(w, out, "  ")
}
