package parse

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// TestFormatsPage holds docs/formats.md to what Formats writes.
func TestFormatsPage(t *testing.T) {
	const page = "../docs/formats.md"
	var b bytes.Buffer
	if err := Formats(&b); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(page, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(string(want), b.String()); d != "" {
		t.Errorf("docs/formats.md is not what Formats writes; go test ./parse -run FormatsPage -update (-page +Formats)\n%s", d)
	}
}

// TestUnnamedKinds holds that the samples of the kinds without a literal are
// read.
func TestUnnamedKinds(t *testing.T) {
	for _, k := range unnamedKinds {
		evs, res := readAll(k.sample+"\n\n", Options{})
		if len(evs) == 0 {
			t.Errorf("%s: no event of %q, %+v", k.name, k.sample, res)
		}
	}
}

// TestTraceSamples: every sample of a trace is read as what the page says.
func TestTraceSamples(t *testing.T) {
	for _, f := range traceFormats {
		res, err := Read(strings.NewReader(f.sample), Options{}, func(Event) {})
		if err != nil {
			t.Fatal(err)
		}
		if res.Framing != f.name || res.Records.FtraceEvent != f.events {
			t.Errorf("%s: framing %s with %d events, want %s with %d", f.what, res.Framing, res.Records.FtraceEvent, f.name, f.events)
		}
	}
}
