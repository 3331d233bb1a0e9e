//go:build !race

package waitgraph

const mostNodes = 5
