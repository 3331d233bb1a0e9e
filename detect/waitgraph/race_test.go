//go:build race

package waitgraph

// The race detector makes the walk of all graphs ten times as long.
const mostNodes = 4
