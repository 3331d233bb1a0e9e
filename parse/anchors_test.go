package parse

import (
	"strings"
	"testing"
)

// TestAnchors holds that no record can begin unseen: every kind's sample has an
// anchor, and one line at least of every sample of the formats.
func TestAnchors(t *testing.T) {
	for _, k := range kinds {
		if k.name == "header" {
			continue // it only names the task of the trace that follows, which lookBack sees
		}
		if at, _, _ := anchors().Scan([]byte(k.sample), 0); at < 0 {
			t.Errorf("%s: no anchor in %q", k.name, k.sample)
		}
		if k.literal == k.sample || strings.HasPrefix(k.sample, k.literal) {
			continue
		}
		t.Errorf("%s: %q does not begin with %q", k.name, k.sample, k.literal)
	}
	for _, k := range unnamedKinds {
		found := false
		for line := range strings.Lines(k.sample) {
			at, _, _ := anchors().Scan([]byte("\n"+line), 0)
			found = found || at >= 0
		}
		if !found {
			t.Errorf("%s: no anchor in %q", k.name, k.sample)
		}
	}
	for _, f := range traceFormats {
		if at, _, _ := anchors().Scan([]byte("\n"+f.sample), 0); at < 0 {
			t.Errorf("%s: no anchor in %q", f.name, f.sample)
		}
	}
	for _, title := range splatTitles {
		if at, _, _ := anchors().Scan([]byte(title.title), 0); at < 0 {
			t.Errorf("no anchor in %q", title.title)
		}
	}
}
