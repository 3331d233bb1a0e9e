package main

import (
	"strings"
	"testing"
)

func TestNoViewer(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	path, _, err := findViewer()
	if err == nil || !strings.Contains(err.Error(), "go install") {
		t.Errorf("found %q, error %v", path, err)
	}
}
