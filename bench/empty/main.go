// Command empty does nothing: what starting and ending a Go program costs.
package main

func main() {}
