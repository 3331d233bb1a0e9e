package detect

import (
	"strings"
	"testing"
)

func TestExplainRelease(t *testing.T) {
	for release, era := range map[string]string{
		"2.6.32":                  "kill_once",
		"3.2.71":                  "trap",
		"3.10.0-229.el7.x86_64":   "trap",
		"3.10.0-327.el7":          "synchronize",
		"4.18.0-147.5.1.el8":      "kill_in_charge",
		"4.19":                    "kill_in_charge",
		"6.12.33":                 "v1_split",
		"2.6.32-504.16.1.el6":     "synchronize",
		"4.15.0-46-generic":       "synchronize",
		"2.6.32-358.el6.x86_64":   "trap",
		"5.10.0-28-amd64 #1 SMP ": "kill_in_charge",
	} {
		text, ok := ExplainRelease(release)
		if !ok || !strings.Contains(text, "OOM era "+era+" ") {
			t.Errorf("%s: %v, want era %s:\n%s", release, ok, era, text)
		}
		for line := range strings.Lines(text) {
			if len(line) > 78 && !strings.Contains(line, release) {
				t.Errorf("a line of %d columns: %q", len(line), line)
			}
		}
	}
	for _, no := range []string{"", "x", "memcg-oom-trap", "i_mutex", "v4.19x", "generic_file_aio_write"} {
		if text, ok := ExplainRelease(no); ok {
			t.Errorf("%q is no release, but: %s", no, text)
		}
	}
}
