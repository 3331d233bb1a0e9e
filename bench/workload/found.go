package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// Found is what a JSON report says was found in a text.
type Found struct {
	Bytes, Lines int64
	Records      Records
	Incidents    int
	OOMs         []FoundOOM
	Folded       Folded // of all incidents
	Tasks        int    // of all incidents
}

// Records are the counts of the report's input.
type Records struct {
	OOM         int `json:"oom"`
	Kill        int `json:"kill"`
	Reap        int `json:"reap"`
	HungTask    int `json:"hung_task"`
	TaskDump    int `json:"task_dump"`
	FtraceEvent int `json:"ftrace_event"`
	StrayFrame  int `json:"stray_frame"`
}

// FoundOOM is one OOM report.
type FoundOOM struct {
	Line    int `json:"line"`
	Victims []struct {
		Pid  int    `json:"pid"`
		Fate string `json:"fate"`
	} `json:"victims"`
}

// Folded is what incidents count instead of listing it.
type Folded struct {
	Reports int `json:"reports"`
	Kills   int `json:"kills"`
	Reaped  int `json:"reaped"`
}

// Read reads a JSON report of one input. What is not looked at, stacks and
// graphs mostly, is skipped without being kept: a report can be larger than
// what it is the report of.
func Read(r io.Reader) (*Found, error) {
	f, d := &Found{}, jsontext.NewDecoder(r)
	err := object(d, map[string]func() error{
		"inputs": func() error {
			return array(d, func() error {
				var in struct {
					Bytes, Lines int64
					Records      Records
				}
				if err := value(d, &in); err != nil {
					return err
				}
				f.Bytes, f.Lines, f.Records = in.Bytes, in.Lines, in.Records
				return nil
			})
		},
		"incidents": func() error {
			return array(d, func() error {
				f.Incidents++
				return object(d, map[string]func() error{
					"ooms": func() error {
						return array(d, func() error {
							var o FoundOOM
							if err := value(d, &o); err != nil {
								return err
							}
							f.OOMs = append(f.OOMs, o)
							return nil
						})
					},
					"folded": func() error {
						return array(d, func() error {
							var g Folded
							if err := value(d, &g); err != nil {
								return err
							}
							f.Folded.Reports += g.Reports
							f.Folded.Kills += g.Kills
							f.Folded.Reaped += g.Reaped
							return nil
						})
					},
					"tasks": func() error {
						return array(d, func() error {
							f.Tasks++
							return d.SkipValue()
						})
					},
				})
			})
		},
	})
	if err != nil {
		return nil, fmt.Errorf("the report: %w", err)
	}
	_, err = io.Copy(io.Discard, r)
	return f, err
}

func value(d *jsontext.Decoder, into any) error {
	v, err := d.ReadValue()
	if err != nil {
		return err
	}
	return json.Unmarshal(v, into)
}

// object calls the function of each member that has one.
func object(d *jsontext.Decoder, members map[string]func() error) error {
	if t, err := d.ReadToken(); err != nil || t.Kind() != '{' {
		return errors.Join(errors.New("no object"), err)
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		if f := members[name.String()]; f != nil {
			err = f()
		} else {
			err = d.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

func array(d *jsontext.Decoder, element func() error) error {
	if t, err := d.ReadToken(); err != nil || t.Kind() != '[' {
		return errors.Join(errors.New("no array"), err)
	}
	for d.PeekKind() != ']' {
		if err := element(); err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// Check tells what of the planted was not found, or found and not planted. The
// records of the input must be those that were planted, the incidents must list
// or count each OOM report and each kill once, and what they list must stand at
// its line with its victim.
func (f *Found) Check(p *Planted) error {
	reports, kills, reaped := len(f.OOMs)+f.Folded.Reports, f.Folded.Kills, f.Folded.Reaped
	for _, o := range f.OOMs {
		kills += len(o.Victims)
		for _, v := range o.Victims {
			if v.Fate == "reaped" {
				reaped++
			}
		}
	}
	var errs []error
	for _, c := range []struct {
		what      string
		got, want int64
	}{
		{"bytes", f.Bytes, p.Bytes},
		{"lines", f.Lines, p.Lines},
		{"OOM reports", int64(f.Records.OOM), int64(p.OOM)},
		{"OOM reports in incidents", int64(reports), int64(p.OOM)},
		{"kills", int64(f.Records.Kill), int64(p.Kill)},
		{"kills in incidents", int64(kills), int64(p.Kill)},
		{"reaps", int64(f.Records.Reap), int64(p.Reap)},
		{"reaped victims in incidents", int64(reaped), int64(p.Reap)},
		{"hung tasks", int64(f.Records.HungTask), int64(p.HungTask)},
		{"task dumps", int64(f.Records.TaskDump), int64(p.TaskDump)},
		{"events of a trace", int64(f.Records.FtraceEvent), int64(p.FtraceEvent)},
		{"frames outside of reports", int64(f.Records.StrayFrame), 0},
	} {
		if c.got != c.want && !(p.FtraceEvent > 0 && strings.HasSuffix(c.what, "incidents")) {
			errs = append(errs, fmt.Errorf("%d %s found, %d planted", c.got, c.what, c.want))
		}
	}
	if p.Blocked > 0 && f.Tasks != p.Blocked {
		errs = append(errs, fmt.Errorf("%d tasks in incidents, %d planted that wait or hold", f.Tasks, p.Blocked))
	}
	if p.Reports != nil {
		errs = append(errs, f.checkOOMs(p))
	}
	return errors.Join(errs...)
}

// checkOOMs looks for each listed OOM report among the planted ones.
func (f *Found) checkOOMs(p *Planted) error {
	for _, o := range f.OOMs {
		i, ok := slices.BinarySearchFunc(p.Reports, o.Line, func(r Report, line int) int { return r.Line - line })
		switch {
		case !ok || p.Reports[i].Kind != OOM:
			return fmt.Errorf("an OOM report at line %d, where none was planted", o.Line)
		case len(o.Victims) != 1 || o.Victims[0].Pid != p.Reports[i].Pid:
			return fmt.Errorf("the OOM report at line %d has victims %v, planted was %d", o.Line, o.Victims, p.Reports[i].Pid)
		}
	}
	return nil
}
