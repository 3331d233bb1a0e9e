package main

import (
	"github.com/spf13/cobra"

	"github.com/oomtrace/oomtrace/report"
)

func newSchema() *cobra.Command {
	return &cobra.Command{
		Use:   "schema",
		Short: "Print the JSON Schema of the report",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return printed(cmd.OutOrStdout().Write(report.Schema()))
		},
	}
}
