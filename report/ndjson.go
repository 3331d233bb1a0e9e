package report

import "io"

var ndjsonFormat = Format{
	Name:  "ndjson",
	Doc:   "one JSON object a line for each incident, traced task and lock wait, for pipes and log stores",
	Write: writeNDJSON,
}

// ndjsonLine is an incident as in the json format, with what tells where it
// comes from.
type ndjsonLine struct {
	SchemaVersion string        `json:"schema_version"`
	Tool          Tool          `json:"tool"`
	Inputs        []ndjsonInput `json:"inputs"` // all of the report: places of the incident count in them
	Incident      Incident      `json:"incident"`
}

type ndjsonInput struct {
	Name    string  `json:"name"`
	Framing string  `json:"framing"`
	Bytes   int64   `json:"bytes"`
	Lines   int     `json:"lines"`
	Records Records `json:"records"`
	Remarks int     `json:"remarks"` // diagnostics above the severity info
}

func writeNDJSON(w io.Writer, r *Report, _ Options) error {
	inputs := []ndjsonInput{}
	for _, in := range r.Inputs {
		inputs = append(inputs, ndjsonInput{in.Name, in.Framing, in.Bytes, in.Lines, in.Records, in.remarks()})
	}
	for i := range r.Incidents {
		line := ndjsonLine{r.SchemaVersion, r.Tool, inputs, r.Incidents[i]}
		if err := streamJSON(w, line, ""); err != nil {
			return err
		}
	}
	return writeNDJSONTrace(w, r)
}

// remarks counts what was odd about the input.
func (in *Input) remarks() int {
	n := 0
	for _, d := range in.Diagnostics {
		if d.Severity != "info" {
			n++
		}
	}
	return n
}
