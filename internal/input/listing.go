package input

import (
	"cmp"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// Listing is what became of one argument.
type Listing struct {
	Name    string
	Tree    bool // an archive or a directory; else it has one entry, itself
	Entries []Entry
}

// Entry is one file or one member of an archive.
type Entry struct {
	Name   string
	Used   bool
	Reason string // what it is, or why it was passed over
	Bytes  int64  // of its text if it was read, else as it is stored
}

// Used counts the entries that were used.
func (l *Listing) Used() int {
	n := 0
	for _, e := range l.Entries {
		if e.Used {
			n++
		}
	}
	return n
}

// Summary is one line on a tree of which something was passed over, else "".
func (l *Listing) Summary() string {
	used := l.Used()
	if !l.Tree || used == len(l.Entries) {
		return ""
	}
	return fmt.Sprintf("used %s of %s members of %s; --list-inputs shows which", grouped(used), grouped(len(l.Entries)), l.Name)
}

// WriteList writes all entries as a table; show makes a name or a reason
// harmless.
func (in *Inputs) WriteList(w io.Writer, show func(string) string) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "USE\tBYTES\tNAME\tREASON")
	for _, l := range in.Listings {
		for _, e := range l.Entries {
			use := "-"
			if e.Used {
				use = "yes"
			}
			tabs := strings.NewReplacer("\t", `\t`)
			if _, err := fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", use, grouped(int(e.Bytes)), tabs.Replace(show(e.Name)), cmp.Or(show(e.Reason), "-")); err != nil {
				return err
			}
		}
	}
	return t.Flush()
}
