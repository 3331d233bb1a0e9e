package main

import (
	"bytes"
	"context"
	"fmt"
	"os/exec"
	"strings"
	"time"

	"github.com/oomtrace/oomtrace/report"
)

// dotTimeout ends a layout that takes for ever.
const dotTimeout = time.Minute

// graphviz lays out a graph with the program dot.
func graphviz(ctx context.Context) func([]byte) ([]byte, error) {
	return func(graph []byte) ([]byte, error) {
		path, err := exec.LookPath("dot")
		if err != nil {
			return nil, report.ErrNoGraphviz
		}
		ctx, cancel := context.WithTimeout(ctx, dotTimeout)
		defer cancel()
		cmd := exec.CommandContext(ctx, path, "-Tsvg")
		cmd.Stdin = bytes.NewReader(graph)
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		svg, err := cmd.Output()
		if ctx.Err() != nil {
			return nil, fmt.Errorf("dot: no layout within %s; the formats dot and mermaid have the graph", dotTimeout)
		}
		if err != nil {
			return nil, fmt.Errorf("dot: %w: %s", err, strings.TrimSpace(stderr.String()))
		}
		return svg, nil
	}
}
