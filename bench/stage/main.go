// Command stage runs a part of the analysis over a file and prints what it saw:
//
//	stage parse FILE     parse.Read
//	stage stacks FILE    and stacks.Collector, up to its snapshots
package main

import (
	"fmt"
	"os"

	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

func main() {
	if len(os.Args) != 3 {
		fmt.Fprintln(os.Stderr, "usage: stage parse|stacks FILE")
		os.Exit(2)
	}
	if err := run(os.Args[1], os.Args[2]); err != nil {
		fmt.Fprintln(os.Stderr, "stage:", err)
		os.Exit(1)
	}
}

func run(stage, file string) error {
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	defer f.Close()
	var c stacks.Collector
	var tr stacks.Tracer
	emit := func(parse.Event) {}
	if stage == "stacks" {
		emit = func(e parse.Event) {
			if !tr.Take(e) {
				c.Add(e)
			}
		}
	}
	res, err := parse.Read(f, parse.Options{}, emit)
	if err != nil {
		return err
	}
	tasks := 0
	if stage == "stacks" {
		for _, e := range tr.End() {
			c.Add(e)
		}
		for _, s := range c.Snapshots() {
			tasks += len(s.Tasks)
		}
	}
	fmt.Println(res.Records.OOM, res.Records.Kill, res.Records.HungTask, res.Records.TaskDump, tasks)
	return nil
}
