package report

import (
	"fmt"
	"io"
	"net/url"
	"strings"
)

var sarifFormat = Format{
	Name:  "sarif",
	Doc:   "the findings as SARIF 2.1.0, for code-scanning and ticket systems",
	Write: writeSARIF,
}

const sarifSchema = "https://json.schemastore.org/sarif-2.1.0.json"

type sarifLog struct {
	Schema  string     `json:"$schema"`
	Version string     `json:"version"`
	Runs    []sarifRun `json:"runs"`
}

type sarifRun struct {
	Tool        sarifTool         `json:"tool"`
	Invocations []sarifInvocation `json:"invocations"`
	Artifacts   []sarifArtifact   `json:"artifacts"`
	Results     []sarifResult     `json:"results"`
	ColumnKind  string            `json:"columnKind"`
}

type sarifTool struct {
	Driver sarifDriver `json:"driver"`
}

type sarifDriver struct {
	Name           string      `json:"name"`
	Version        string      `json:"version,omitempty"`
	InformationURI string      `json:"informationUri"`
	Rules          []sarifRule `json:"rules"`
}

type sarifRule struct {
	ID               string    `json:"id"`
	ShortDescription sarifText `json:"shortDescription"`
	Help             sarifText `json:"help"`
}

type sarifText struct {
	Text string `json:"text"`
}

type sarifInvocation struct {
	ExecutionSuccessful        bool                `json:"executionSuccessful"`
	ToolExecutionNotifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
}

type sarifNotification struct {
	Level     string          `json:"level"`
	Message   sarifText       `json:"message"`
	Locations []sarifLocation `json:"locations"`
}

type sarifArtifact struct {
	Location sarifArtifactLocation `json:"location"`
}

type sarifArtifactLocation struct {
	URI   string `json:"uri"`
	Index *int   `json:"index,omitempty"`
}

type sarifResult struct {
	RuleID              string            `json:"ruleId"`
	RuleIndex           int               `json:"ruleIndex"`
	Kind                string            `json:"kind"`
	Level               string            `json:"level"`
	Message             sarifText         `json:"message"`
	Locations           []sarifLocation   `json:"locations"`
	RelatedLocations    []sarifLocation   `json:"relatedLocations,omitempty"`
	PartialFingerprints map[string]string `json:"partialFingerprints,omitempty"`
	Properties          sarifProperties   `json:"properties"`
}

type sarifProperties struct {
	Verdict    string   `json:"verdict"`
	Confidence string   `json:"confidence"`
	Host       *string  `json:"host,omitempty"`
	Kernel     *string  `json:"kernel,omitempty"`
	Fixes      []string `json:"fixes,omitempty"`
}

type sarifLocation struct {
	ID               *int                  `json:"id,omitempty"`
	PhysicalLocation sarifPhysicalLocation `json:"physicalLocation"`
	Message          *sarifText            `json:"message,omitempty"`
}

type sarifPhysicalLocation struct {
	ArtifactLocation sarifArtifactLocation `json:"artifactLocation"`
	Region           *sarifRegion          `json:"region,omitempty"`
}

type sarifRegion struct {
	StartLine int        `json:"startLine"`
	Snippet   *sarifText `json:"snippet,omitempty"`
}

// writeSARIF writes one run: the rules are those of the findings, a result is a
// finding, its locations the evidence.
func writeSARIF(w io.Writer, r *Report, _ Options) error {
	run := sarifRun{
		Tool: sarifTool{sarifDriver{
			Name:           "oomtrace",
			Version:        visible(clip(r.Tool.Version, maxName)),
			InformationURI: "https://github.com/oomtrace/oomtrace",
			Rules:          []sarifRule{},
		}},
		Artifacts:  []sarifArtifact{},
		Results:    []sarifResult{},
		ColumnKind: "unicodeCodePoints",
	}
	inv := sarifInvocation{ExecutionSuccessful: true}
	index := r.artifacts()
	for i, in := range r.Inputs {
		if index[i] == len(run.Artifacts) {
			run.Artifacts = append(run.Artifacts, sarifArtifact{sarifArtifactLocation{URI: fileURI(in.Name)}})
		}
		for _, d := range in.Diagnostics {
			if d.Severity == "error" {
				inv.ExecutionSuccessful = false
			}
			inv.ToolExecutionNotifications = append(inv.ToolExecutionNotifications, sarifNotification{
				Level:     sarifSeverity(d.Severity),
				Message:   sarifMessage(d.Message),
				Locations: []sarifLocation{r.sarifLocation(index, Ref{i, deref(d.Line)}, "")},
			})
		}
	}
	run.Invocations = []sarifInvocation{inv}

	rules := make(map[string]int)
	for _, i := range r.order() {
		inc := &r.Incidents[i]
		v := newView(r, inc)
		for j := range inc.Findings {
			f := &inc.Findings[j]
			id := visible(clip(f.Rule, maxName))
			rule, ok := rules[id]
			if !ok {
				rule = len(run.Tool.Driver.Rules)
				rules[id] = rule
				run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
					ID:               id,
					ShortDescription: sarifMessage(strings.ReplaceAll(f.Rule, "-", " ")),
					Help:             sarifMessage("oomtrace explain " + f.Rule),
				})
			}
			run.Results = append(run.Results, r.sarifResult(index, v, f, id, rule))
		}
	}
	return encodeJSON(w, sarifLog{sarifSchema, "2.1.0", []sarifRun{run}}, "  ")
}

func (r *Report) sarifResult(index []int, v *view, f *Finding, id string, rule int) sarifResult {
	inc := v.inc
	out := sarifResult{
		RuleID:    id,
		RuleIndex: rule,
		Kind:      "fail",
		Level:     "warning",
		Message:   sarifMessage(f.Summary),
		Locations: []sarifLocation{r.sarifLocation(index, Ref{inc.Span.Input, inc.Span.FirstLine}, "")},
		Properties: sarifProperties{
			Verdict:    visible(clip(f.Verdict, maxName)),
			Confidence: visible(clip(f.Confidence, maxName)),
		},
	}
	for _, s := range f.Explanation {
		out.Message.Text += "\n" + sarifMessage(s).Text
	}
	switch f.Verdict {
	case "deadlock", "livelock":
		out.Level = "error"
	case "none": // it was, and is over
		out.Kind, out.Level = "informational", "none"
	}
	for i, e := range f.Evidence {
		loc := r.sarifLocation(index, Ref{e.Input, e.Line}, v.evidenceText(e))
		if i == 0 {
			out.Locations = []sarifLocation{loc}
			continue
		}
		loc.ID = &i
		out.RelatedLocations = append(out.RelatedLocations, loc)
	}
	if inc.Signature != "" {
		out.PartialFingerprints = map[string]string{"oomtraceSignature/v1": visible(clip(inc.Signature, maxLine))}
	}
	if inc.Host != nil {
		s := visible(clip(*inc.Host, maxName))
		out.Properties.Host = &s
	}
	if inc.Kernel.Release != nil {
		s := visible(clip(*inc.Kernel.Release, maxName))
		out.Properties.Kernel = &s
	}
	for i := range f.Fixes {
		fix := &f.Fixes[i]
		out.Properties.Fixes = append(out.Properties.Fixes, visible(clip(fix.Commit+" "+fix.Subject+" ("+fix.release()+")", maxLine)))
	}
	return out
}

// artifacts gives each input the place of its file in the list of artifacts,
// which must not hold one twice.
func (r *Report) artifacts() []int {
	index := make([]int, len(r.Inputs))
	seen := make(map[string]int)
	for i := range r.Inputs {
		uri := fileURI(r.Inputs[i].Name)
		n, ok := seen[uri]
		if !ok {
			n = len(seen)
			seen[uri] = n
		}
		index[i] = n
	}
	return index
}

func (r *Report) sarifLocation(index []int, ref Ref, text string) sarifLocation {
	loc := sarifPhysicalLocation{ArtifactLocation: sarifArtifactLocation{URI: fileURI(r.inputName(ref.Input))}}
	if ref.Input >= 0 && ref.Input < len(r.Inputs) {
		loc.ArtifactLocation.URI = fileURI(r.Inputs[ref.Input].Name)
		loc.ArtifactLocation.Index = &index[ref.Input]
	}
	if ref.Line > 0 {
		loc.Region = &sarifRegion{StartLine: ref.Line}
		if text != "" {
			loc.Region.Snippet = &sarifText{visible(clip(text, maxLine))}
		}
	}
	return sarifLocation{PhysicalLocation: loc}
}

func sarifSeverity(severity string) string {
	switch severity {
	case "error", "warning":
		return severity
	}
	return "note"
}

// sarifMessage makes s harmless as the text of a message, where [a](b) is a
// link and {0} a placeholder (SARIF 2.1.0, 3.11.5 and 3.11.6).
func sarifMessage(s string) sarifText {
	return sarifText{sarifEscapes.Replace(visible(clip(s, maxText)))}
}

var sarifEscapes = strings.NewReplacer("[", `\[`, "]", `\]`, "{", "{{", "}", "}}")

// fileURI is the name of an input as a URI reference.
func fileURI(name string) string {
	if name == "" || name == "-" {
		return "stdin"
	}
	parts := strings.Split(clip(name, maxText), "/")
	for i, p := range parts {
		if p != "." && p != ".." {
			p = url.PathEscape(p)
			// A colon would end a scheme.
			parts[i] = strings.ReplaceAll(p, ":", "%3A")
		}
	}
	uri := strings.Join(parts, "/")
	if strings.HasPrefix(uri, "/") {
		return fmt.Sprintf("file:///%s", strings.TrimLeft(uri, "/"))
	}
	return uri
}
