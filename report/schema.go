package report

import (
	_ "embed"
	"slices"
)

// SchemaID names the JSON Schema of this SchemaVersion.
const SchemaID = "https://oomtrace.dev/schema/report-" + SchemaVersion + ".json"

// schema is made of the types of this package by TestSchema: what makes it
// would cost every run its start.
//
//go:embed schema.json
var schema []byte

// Schema returns the JSON Schema (draft 2020-12) of the json format. Every
// field is always present; one that may be unknown also allows null.
func Schema() []byte { return slices.Clone(schema) }
