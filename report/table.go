package report

import (
	"bytes"
	"slices"
	"strings"

	"github.com/mattn/go-runewidth"
	"github.com/olekukonko/tablewriter"
	"github.com/olekukonko/tablewriter/renderer"
	"github.com/olekukonko/tablewriter/tw"
)

// narrow counts columns. The locale has no say in it: the same report is the
// same bytes everywhere.
var narrow = &runewidth.Condition{StrictEmojiNeutral: true}

// columns is the width of s on a terminal.
func columns(s string) int {
	for i := range len(s) {
		if s[i] < ' ' || s[i] >= 0x7f {
			return narrow.StringWidth(s)
		}
	}
	return len(s)
}

// column is one column of a table.
type column struct {
	head  string
	right bool // numbers
	tail  bool // cut at the front: the end of a path says more than its start
	wrap  bool // wrapped at commas and not cut
}

// minColumn is the least that a column is cut to.
const minColumn = 5

// renderTable lays a table out in at most width columns. Cells must be escaped;
// those that do not fit are cut, the widest columns first.
func renderTable(cols []column, rows [][]string, width int) (string, error) {
	widths := make([]int, len(cols))
	total := len(cols) - 1 // separators
	for i, c := range cols {
		widths[i] = columns(c.head)
		for _, row := range rows {
			widths[i] = max(widths[i], columns(row[i]))
		}
		total += widths[i] + 2
	}
	for ; total > width; total-- {
		widest := slices.Index(widths, slices.Max(widths))
		if widths[widest] <= minColumn {
			break
		}
		widths[widest]--
	}

	heads := make([]string, len(cols))
	align := make([]tw.Align, len(cols))
	for i, c := range cols {
		heads[i] = cut(c.head, widths[i], false)
		align[i] = tw.AlignLeft
		if c.right {
			align[i] = tw.AlignRight
		}
	}
	var buf bytes.Buffer
	table := tablewriter.NewTable(&buf,
		tablewriter.WithRenderer(renderer.NewBlueprint(tw.Rendition{
			Borders: tw.BorderNone,
			Symbols: tw.NewSymbols(tw.StyleLight),
		})),
		tablewriter.WithCondition(narrow),
		tablewriter.WithHeaderAutoFormat(tw.Off),
		tablewriter.WithHeaderAutoWrap(tw.WrapNone),
		tablewriter.WithRowAutoWrap(tw.WrapNone),
		tablewriter.WithTrimSpace(tw.Off),
		tablewriter.WithHeaderAlignmentConfig(tw.CellAlignment{PerColumn: align}),
		tablewriter.WithRowAlignmentConfig(tw.CellAlignment{PerColumn: align}),
	)
	table.Header(heads)
	for _, row := range rows {
		cells := make([]string, len(row))
		for i, cell := range row {
			if cols[i].wrap {
				cells[i] = wrapList(cell, widths[i])
			} else {
				cells[i] = cut(cell, widths[i], cols[i].tail)
			}
		}
		if err := table.Append(cells); err != nil {
			return "", err
		}
	}
	if err := table.Render(); err != nil {
		return "", err
	}
	var out strings.Builder
	for line := range strings.Lines(buf.String()) {
		out.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return out.String(), nil
}

// cut shortens s to width columns, with an ellipsis at its end or its front.
func cut(s string, width int, front bool) string {
	if columns(s) <= width {
		return s
	}
	rs := []rune(s)
	if front {
		slices.Reverse(rs)
	}
	used, n := 1, 0
	for n < len(rs) {
		w := columns(string(rs[n]))
		if used+w > width {
			break
		}
		used += w
		n++
	}
	rs = append(rs[:n:n], '…')
	if front {
		slices.Reverse(rs)
	}
	return string(rs)
}

// withoutEmpty leaves out the columns that say nothing in any row.
func withoutEmpty(cols []column, rows [][]string) ([]column, [][]string) {
	var keep []int
	for i := range cols {
		if slices.ContainsFunc(rows, func(row []string) bool { return row[i] != "" }) {
			keep = append(keep, i)
		}
	}
	var outCols []column
	outRows := make([][]string, len(rows))
	for _, i := range keep {
		outCols = append(outCols, cols[i])
		for j, row := range rows {
			outRows[j] = append(outRows[j], row[i])
		}
	}
	return outCols, outRows
}

// wrapList breaks a list with commas into lines of at most width columns.
func wrapList(s string, width int) string {
	var lines []string
	line := ""
	for item := range strings.SplitSeq(s, ", ") {
		switch {
		case line == "":
			line = item
		case columns(line)+2+columns(item)+1 <= width:
			line += ", " + item
		default:
			lines = append(lines, line+",")
			line = item
		}
	}
	lines = append(lines, line)
	for i := range lines {
		lines[i] = cut(lines[i], width, false)
	}
	return strings.Join(lines, "\n")
}
