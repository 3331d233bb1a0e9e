package workload

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/go-json-experiment/json/jsontext"
)

// Found is what a JSON report says was found in a text.
type Found struct {
	Bytes, Lines int64
	Records      Records
	Incidents    int
	OOMs         []FoundOOM
	Tasks        int // of all incidents
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
		Pid int `json:"pid"`
	} `json:"victims"`
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

// Check tells what of the planted was not found, or found and not planted.
func (f *Found) Check(p *Planted) error {
	var errs []error
	for _, c := range []struct {
		what      string
		got, want int64
	}{
		{"bytes", f.Bytes, p.Bytes},
		{"lines", f.Lines, p.Lines},
		{"OOM reports", int64(f.Records.OOM), int64(p.OOM)},
		{"kills", int64(f.Records.Kill), int64(p.Kill)},
		{"reaps", int64(f.Records.Reap), int64(p.Reap)},
		{"hung tasks", int64(f.Records.HungTask), int64(p.HungTask)},
		{"task dumps", int64(f.Records.TaskDump), int64(p.TaskDump)},
		{"events of a trace", int64(f.Records.FtraceEvent), int64(p.FtraceEvent)},
		{"frames outside of reports", int64(f.Records.StrayFrame), 0},
	} {
		if c.got != c.want {
			errs = append(errs, fmt.Errorf("%d %s found, %d planted", c.got, c.what, c.want))
		}
	}
	if p.Reports != nil {
		errs = append(errs, f.checkOOMs(p))
	}
	return errors.Join(errs...)
}

// checkOOMs compares the OOM reports one by one: line and victim.
func (f *Found) checkOOMs(p *Planted) error {
	found := slices.Clone(f.OOMs)
	slices.SortFunc(found, func(a, b FoundOOM) int { return a.Line - b.Line })
	i := 0
	for _, r := range p.Reports {
		if r.Kind != OOM {
			continue
		}
		switch {
		case i == len(found) || found[i].Line != r.Line:
			return fmt.Errorf("the OOM report at line %d is not in any incident", r.Line)
		case len(found[i].Victims) == 0 || found[i].Victims[0].Pid != r.Pid:
			return fmt.Errorf("the OOM report at line %d has victims %v, planted was %d", r.Line, found[i].Victims, r.Pid)
		}
		i++
	}
	if i < len(found) {
		return fmt.Errorf("an OOM report at line %d, where none was planted", found[i].Line)
	}
	return nil
}
