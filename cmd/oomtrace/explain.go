package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oomtrace/oomtrace/detect"
)

func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain RULE|FUNCTION|LOCK|VERSION",
		Short: "What a rule, a kernel function, a lock or a kernel release means here",
		Long: `Explain tells
  - of a rule: what it means, what evidence it takes, what ends the situation and
    which kernel has the fix;
  - of a kernel function: which locks it takes, holds or waits for, in which
    kernels, and how we know;
  - of a lock: its names by version and who takes it;
  - of a kernel release: what it does when a memory cgroup runs out of memory.

The rules: ` + strings.Join(detect.IDs(), ", ") + ".",
		Example: `  oomtrace explain memcg-oom-trap
  oomtrace explain do_truncate
  oomtrace explain i_mutex
  oomtrace explain 3.10.0-327.el7`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("want one rule, function, lock or kernel release; the rules: %s", strings.Join(detect.IDs(), ", "))
			}
			return nil
		},
		ValidArgsFunction: cobra.FixedCompletions(detect.IDs(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, ok := explain(args[0])
			if !ok {
				return usage("no rule, function, lock or release %q; the rules: %s; `oomtrace lock-model list` has the functions and locks", args[0], strings.Join(detect.IDs(), ", "))
			}
			return printed(fmt.Fprintln(cmd.OutOrStdout(), strings.TrimRight(text, "\n")))
		},
	}
}

// printed makes the result of a print an error of the command.
func printed(_ int, err error) error {
	if err != nil {
		return failed(err)
	}
	return nil
}
