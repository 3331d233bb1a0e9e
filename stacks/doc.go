// Package stacks turns the events of package parse into snapshots: one for
// each boot of each host, with its tasks and every sighting of them.
package stacks
