package report

import "io"

// ndjsonTraceLine is one part of what a trace shows: one of the pointers is
// set.
type ndjsonTraceLine struct {
	SchemaVersion string      `json:"schema_version"`
	Tool          Tool        `json:"tool"`
	InputName     string      `json:"input_name"` // what the numbers of the part point at
	TraceInput    *TraceInput `json:"trace_input,omitempty"`
	TraceTask     *TraceTask  `json:"trace_task,omitempty"`
	LockWait      *LockWait   `json:"lock_wait,omitempty"`
}

// writeNDJSONTrace writes a line for each trace, each of its tasks and each of
// its waits for locks, as they are in the json format.
func writeNDJSONTrace(w io.Writer, r *Report) error {
	if r.Trace == nil {
		return nil
	}
	line := func(input int, part ndjsonTraceLine) error {
		part.SchemaVersion, part.Tool = r.SchemaVersion, r.Tool
		if input >= 0 && input < len(r.Inputs) {
			part.InputName = r.Inputs[input].Name
		}
		return streamJSON(w, part, "")
	}
	for i := range r.Trace.Inputs {
		if err := line(r.Trace.Inputs[i].Input, ndjsonTraceLine{TraceInput: &r.Trace.Inputs[i]}); err != nil {
			return err
		}
	}
	for i := range r.Trace.Tasks {
		if err := line(r.Trace.Tasks[i].Input, ndjsonTraceLine{TraceTask: &r.Trace.Tasks[i]}); err != nil {
			return err
		}
	}
	for i := range r.Trace.LockWaits {
		if err := line(r.Trace.LockWaits[i].Input, ndjsonTraceLine{LockWait: &r.Trace.LockWaits[i]}); err != nil {
			return err
		}
	}
	return nil
}
