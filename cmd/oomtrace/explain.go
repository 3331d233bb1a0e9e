package main

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/oomtrace/oomtrace/detect"
)

func newExplain() *cobra.Command {
	return &cobra.Command{
		Use:   "explain RULE",
		Short: "What a rule means, what proves it and what fixes it",
		Long: `Explain tells what a finding means, what evidence it takes, what ends the
situation and which kernel has the fix. The rules: ` + strings.Join(detect.IDs(), ", ") + ".",
		Example: "  oomtrace explain memcg-oom-trap",
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage("want one rule of: %s", strings.Join(detect.IDs(), ", "))
			}
			return nil
		},
		ValidArgsFunction: cobra.FixedCompletions(detect.IDs(), cobra.ShellCompDirectiveNoFileComp),
		RunE: func(cmd *cobra.Command, args []string) error {
			text, ok := detect.Explain(args[0])
			if !ok {
				return usage("no rule %q; want one of: %s", args[0], strings.Join(detect.IDs(), ", "))
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
