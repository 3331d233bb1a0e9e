package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/internal/input"
)

func newLockModel() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "lock-model",
		Short: "The facts about who holds and waits for which lock",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return usage("want a command: check or list")
		},
	}
	cmd.AddCommand(newLockModelCheck(), newLockModelList())
	return cmd
}

func newLockModelCheck() *cobra.Command {
	return &cobra.Command{
		Use:     "check FILE...",
		Short:   "Find the mistakes in files for --lock-model",
		Long:    `Check prints the mistakes as FILE:LINE:COLUMN: message; - is standard input.`,
		Example: "  oomtrace lock-model check my.lock",
		Args:    cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			bad := false
			for _, name := range args {
				if err := checkLockModel(cmd.InOrStdin(), name); err != nil {
					bad = true
					// Without the name of the program: editors jump to the place.
					fmt.Fprintln(cmd.ErrOrStderr(), oneTerminal(err.Error()))
				} else if err := printed(fmt.Fprintf(cmd.OutOrStdout(), "%s: ok\n", oneLine(name))); err != nil {
					return err
				}
			}
			if bad {
				return &status{code: exitFailed}
			}
			return nil
		},
	}
}

func checkLockModel(stdin io.Reader, name string) error {
	var src []byte
	var err error
	if name == input.Stdin {
		src, err = io.ReadAll(stdin)
	} else {
		src, err = os.ReadFile(name)
	}
	if err != nil {
		if pe, ok := errors.AsType[*os.PathError](err); ok {
			err = pe.Err
		}
		return fmt.Errorf("%s: %w", name, err)
	}
	return lockmodel.Check(name, src)
}

func newLockModelList() *cobra.Command {
	var files []string
	cmd := &cobra.Command{
		Use:   "list",
		Short: "Print the facts in use, each with its source",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			m, err := lockModel(files)
			if err != nil {
				return err
			}
			if m == nil {
				m = lockmodel.Embedded()
			}
			w := bufio.NewWriter(cmd.OutOrStdout())
			m.List(w)
			if err := w.Flush(); err != nil {
				return failed(err)
			}
			return nil
		},
	}
	cmd.Flags().StringArrayVar(&files, "lock-model", nil, "add the lock facts of `FILE` (repeatable)")
	return cmd
}
