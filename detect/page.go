package detect

import (
	"bytes"
	"fmt"
	"strings"
)

// Page is docs/detectors.md, made from the detectors.
func Page() []byte {
	var b bytes.Buffer
	b.WriteString("# Detectors\n\nMade from the code by `go test ./detect -update`; do not edit. `oomtrace explain RULE` prints the same.\n")
	for _, d := range All() {
		fmt.Fprintf(&b, "\n## %s\n\n**%s**\n\n%s\n", d.ID, d.Title, d.Means)
		fmt.Fprintf(&b, "\n- What proves it: %s\n- What looks like it and is not reported: %s\n- Kernels: %s\n", d.Proof, d.Quiet, d.Versions)
		if len(d.Fixes) > 0 {
			b.WriteString("\n| commit | subject | first in | also in | note |\n|---|---|---|---|---|\n")
			for _, f := range d.Fixes {
				fmt.Fprintf(&b, "| %s | %s | %s | %s | %s |\n", f.Commit, f.Subject, f.First, strings.Join(f.Builds, "; "), f.Note)
			}
		}
		section := func(head string, items []string) {
			if len(items) == 0 {
				return
			}
			fmt.Fprintf(&b, "\n%s:\n\n", head)
			for _, it := range items {
				fmt.Fprintf(&b, "- %s\n", it)
			}
		}
		section("What to do now, safest first", d.Actions)
		section("What to collect next", d.Collect)
	}
	return b.Bytes()
}
