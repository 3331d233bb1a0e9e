package archtest

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var link = regexp.MustCompile(`\]\(([^)#: ]+)(#[^)]*)?\)`)

// A page that names another one must not send its reader into the void.
func TestLinksOfDocs(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/decisions/*.md", "../../testdata/dmesg/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(string(text), -1) {
			if _, err := os.Stat(filepath.Join(filepath.Dir(page), m[1])); err != nil {
				t.Errorf("%s: dead link to %s", page, m[1])
			}
		}
	}
}

// Every log has its origin told, and every origin its log.
func TestSourcesOfLogs(t *testing.T) {
	dir := filepath.Join("..", "..", "testdata", "dmesg")
	text, err := os.ReadFile(filepath.Join(dir, "SOURCES.md"))
	if err != nil {
		t.Fatal(err)
	}
	logs, err := filepath.Glob(filepath.Join(dir, "*.log"))
	if err != nil {
		t.Fatal(err)
	}
	for _, log := range logs {
		if !strings.Contains(string(text), "`"+filepath.Base(log)+"`") {
			t.Errorf("SOURCES.md does not say where %s comes from", filepath.Base(log))
		}
	}
	for _, m := range regexp.MustCompile("(?m)^\\| `([^`]+)`").FindAllStringSubmatch(string(text), -1) {
		if _, err := os.Stat(filepath.Join(dir, m[1])); err != nil {
			t.Errorf("SOURCES.md tells of %s, which is not there", m[1])
		}
	}
}
