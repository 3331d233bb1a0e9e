package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strconv"
)

// ten are the words that people grep a log for when a machine was out of memory
// or hung.
var ten = []string{
	"invoked oom-killer", "Out of memory", "Killed process", "oom_reaper", "blocked for more than",
	"Call Trace:", "soft lockup", "sysrq: ", "possible circular locking", "Memory cgroup out of memory",
}

// anchors returns the texts that the parser looks for in noise: anchorTexts in
// parse/anchors.go, read as source, since they are nobody else's business. The
// one that spans two lines is left out: other programs look at one.
func anchors(root string) ([]string, error) {
	file := filepath.Join(root, "parse", "anchors.go")
	f, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
	if err != nil {
		return nil, err
	}
	var texts []string
	ast.Inspect(f, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != "anchorTexts" || len(spec.Values) != 1 {
			return true
		}
		ast.Inspect(spec.Values[0], func(n ast.Node) bool {
			if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
				if s, err := strconv.Unquote(lit.Value); err == nil && s[0] != '\n' {
					texts = append(texts, s)
				}
			}
			return true
		})
		return false
	})
	if len(texts) < len(ten) {
		return nil, fmt.Errorf("%s: %d anchors", file, len(texts))
	}
	return texts, nil
}
