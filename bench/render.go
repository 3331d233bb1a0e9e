package main

import (
	"bytes"
	_ "embed"
	"fmt"
	"strings"
	"text/template"

	"github.com/oomtrace/oomtrace/bench/workload"
)

//go:embed performance.md.tmpl
var pageTemplate string

//go:embed notes.md
var notes string

// render makes the page.
func render(r *Results) ([]byte, error) {
	t, err := template.New("performance.md").Funcs(template.FuncMap{
		"table":     func(id string) string { return markdown(r, id) },
		"goals":     func() string { return goalTable(r) },
		"limit":     func() string { return limit(r) },
		"notes":     func() string { return strings.TrimSpace(notes) },
		"size":      size,
		"thousands": thousands,
		"words":     func() string { return "`" + strings.Join(ten, "` `") + "`" },
		"texts":     textTable,
	}).Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	if err := t.Execute(&b, r); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

// column is one column of a table.
type column struct {
	title string
	cell  func(res *Results, t *Table, i int) string
}

var (
	colWhat  = column{"", func(_ *Results, t *Table, i int) string { return t.Rows[i].Label }}
	colCPU   = column{"cpu time", func(_ *Results, t *Table, i int) string { return seconds(t.Rows[i].CPU()) }}
	colSys   = column{"of it system", func(_ *Results, t *Table, i int) string { return seconds(t.Rows[i].Sys) }}
	colWall  = column{"wall time", func(_ *Results, t *Table, i int) string { return seconds(t.Rows[i].Wall) }}
	colRate  = column{"a second of cpu time", func(_ *Results, t *Table, i int) string { return rate(t.Rows[i].GBs()) }}
	colPass  = column{"a second of wall time", func(_ *Results, t *Table, i int) string { return rate(float64(t.Rows[i].Bytes) / t.Rows[i].Wall / 1e9) }}
	colRSS   = column{"peak RSS", func(_ *Results, t *Table, i int) string { return size(t.Rows[i].RSS) }}
	colMean  = column{"mean", func(_ *Results, t *Table, i int) string { return seconds(t.Rows[i].Mean) }}
	colLeast = column{"least", func(_ *Results, t *Table, i int) string { return seconds(t.Rows[i].Wall) }}
	colNote  = column{"", func(_ *Results, t *Table, i int) string { return t.Rows[i].Note }}
)

// columns of the tables, by id.
var columns = map[string][]column{
	"memory": {colWhat, {"a second", func(_ *Results, t *Table, i int) string { return rate(t.Rows[i].GBs()) }}},
	"noise": {colWhat, colCPU, colSys, colRate, {"oomtrace is", func(r *Results, t *Table, i int) string {
		return times(ratio(&t.Rows[i], r.get("noise", "oomtrace")))
	}}, colRSS},
	"threads": {{"text, threads", colWhat.cell}, colCPU, colWall, {"against one", func(r *Results, t *Table, i int) string {
		name, _, _ := strings.Cut(t.Rows[i].Key, "-")
		one := r.get("threads", name+"-1")
		if one == nil {
			return "-"
		}
		return times(one.Wall / t.Rows[i].Wall)
	}}, colRSS},
	"inputs": {colWhat, colCPU, colWall, colPass, colRSS, colNote},
	"dense":  {colWhat, colCPU, colRate, colRSS},
	"tasks":  {colWhat, colCPU, colWall, colRSS},
	"ooms": {colWhat, colCPU, colWall, {"a report", func(_ *Results, t *Table, i int) string {
		return fmt.Sprintf("%.1f µs", t.Rows[i].CPU()/float64(t.Rows[i].N)*1e6)
	}}, colRate, colRSS},
	"ftrace": {colWhat, colCPU, colWall, colRate, colRSS},
	"start":  {colWhat, colLeast, colMean, colRSS},
	"growth": {colWhat, colCPU, {"against the row above", func(_ *Results, t *Table, i int) string {
		if i%3 == 0 || t.Rows[i-1].Missing != "" {
			return ""
		}
		return times(t.Rows[i].CPU() / t.Rows[i-1].CPU())
	}}, colRSS},
}

// markdown renders a table.
func markdown(res *Results, id string) string {
	t := res.table(id)
	if len(t.Rows) == 0 {
		return "Not measured in this run.\n"
	}
	cols := columns[id]
	var b strings.Builder
	b.WriteByte('|')
	for _, c := range cols {
		b.WriteString(" " + c.title + " |")
	}
	b.WriteString("\n|---|" + strings.Repeat("---:|", len(cols)-1) + "\n")
	for i := range t.Rows {
		b.WriteByte('|')
		for j, c := range cols {
			cell := ""
			switch {
			case j > 0 && t.Rows[i].Missing == "":
				cell = c.cell(res, t, i)
			case j == 0:
				cell = t.Rows[i].Label
			case j == 1:
				cell = t.Rows[i].Missing
			}
			b.WriteString(" " + cell + " |")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func rate(gbs float64) string {
	if gbs < 1 {
		return fmt.Sprintf("%.0f MB", gbs*1e3)
	}
	return fmt.Sprintf("%.2f GB", gbs)
}

func times(f float64) string {
	if f == 0 {
		return "-"
	}
	if f >= 10 {
		return fmt.Sprintf("%.0fx", f)
	}
	return fmt.Sprintf("%.2fx", f)
}

// ratio is how many times the cpu time of b is in that of a, by byte.
func ratio(a, b *Row) float64 {
	if a == nil || b == nil {
		return 0
	}
	return b.GBs() / a.GBs()
}

// goal is something that should hold, and whether it does.
type goal struct {
	what, want string
	of         []string // the rows that it needs: table/key
	get        func(rows []*Row) (got string, met bool)
}

// faster is a goal that the second row is so many times as fast as the first.
func faster(want float64) func([]*Row) (string, bool) {
	return func(rows []*Row) (string, bool) {
		f := ratio(rows[0], rows[1])
		return times(f), f >= want
	}
}

// atMost is a goal that no row is above a limit.
func atMost(limit float64, value func(*Row) float64, show func(float64) string) func([]*Row) (string, bool) {
	return func(rows []*Row) (string, bool) {
		var got []string
		met := true
		for _, r := range rows {
			v := value(r)
			got = append(got, show(v))
			met = met && v <= limit
		}
		return strings.Join(got, ", "), met
	}
}

func rssOf(r *Row) float64     { return float64(r.RSS) }
func wallOf(r *Row) float64    { return r.Wall }
func meanOf(r *Row) float64    { return r.Mean }
func bytesOf(f float64) string { return size(int64(f)) }

// goals are what the project wants of itself.
var goals = []goal{
	{"noise, one core, portable: against `rg` with all words", "2x", []string{"noise/rg", "noise/portable"}, faster(2)},
	{"noise, one core, assembly: against `rg` with ten words", "1x", []string{"noise/rg-ten", "noise/oomtrace"}, faster(1)},
	{"noise, one core, assembly: of the read ceiling", "over half", []string{"noise/read", "noise/oomtrace"}, func(rows []*Row) (string, bool) {
		f := ratio(rows[0], rows[1])
		return fmt.Sprintf("%.0f %%", f*100), f > 0.5
	}},
	{"noise, one core: against cadvisor's parser", "10x", []string{"noise/cadvisor", "noise/oomtrace"}, faster(10)},
	{"noise, two threads: against one", "1.7x", []string{"threads/noise-1", "threads/noise-2"}, func(rows []*Row) (string, bool) {
		f := rows[0].Wall / rows[1].Wall
		return times(f), f >= 1.7
	}},
	{"a small log, from start to exit, mean", "15 ms", []string{"start/small"}, atMost(0.015, meanOf, seconds)},
	{"nothing but reports, one core, through `parse` and `stacks`", "300 MB/s", []string{"dense/stacks"}, func(rows []*Row) (string, bool) {
		return rate(rows[0].GBs()) + "/s", rows[0].GBs() >= 0.3
	}},
	{"sysrq-t of 100,000 tasks, whole: wall time", "2 s", []string{"tasks/all"}, atMost(2, wallOf, seconds)},
	{"the same: peak RSS", "300 MB", []string{"tasks/all"}, atMost(300e6, rssOf, bytesOf)},
	{"noise from a file, standard input, a pipe: peak RSS", "64 MB", []string{"inputs/file", "inputs/stdin", "inputs/pipe"}, atMost(64e6, rssOf, bytesOf)},
	{"1,000,000 OOM reports: peak RSS", "500 MB", []string{"ooms/all"}, atMost(500e6, rssOf, bytesOf)},
	{"OOM reports: cpu time of 4n against n", "4x and a tenth", []string{"growth/ooms-1", "growth/ooms-4"}, func(rows []*Row) (string, bool) {
		f := rows[1].CPU() / rows[0].CPU()
		return times(f), f <= 4.4
	}},
}

// judge tells what was measured for a goal, and "met", "**not met**" or "not
// measured". A program that had to be stopped does not meet it.
func (g *goal) judge(r *Results) (got, word string) {
	var rows []*Row
	for _, of := range g.of {
		table, key, _ := strings.Cut(of, "/")
		row := r.find(table, key)
		switch {
		case row == nil || row.Missing != "" && row.Stopped == "":
			return "-", "not measured"
		case row.Stopped != "":
			return row.Stopped, "**not met**"
		}
		rows = append(rows, row)
	}
	got, met := g.get(rows)
	if !met {
		return got, "**not met**"
	}
	return got, "met"
}

func goalTable(r *Results) string {
	var b strings.Builder
	b.WriteString("| | goal | measured | |\n|---|---:|---:|---|\n")
	for _, g := range goals {
		got, word := g.judge(r)
		if r.Quick || r.Sizes != fullSizes {
			got, word = "-", "not measured" // the goals are of the full texts
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s |\n", g.what, g.want, got, word)
	}
	return b.String()
}

// limit tells how far from the machine's memory the scanner is.
func limit(r *Results) string {
	sum, dup := r.get("memory", "sum"), r.get("memory", "copy")
	if sum == nil || dup == nil {
		return "The memory was not measured in this run."
	}
	s := fmt.Sprintf("One core adds up %s of words a second and copies %s.", rate(sum.GBs()), rate(dup.GBs()))
	if read := r.get("noise", "read"); read != nil {
		s += fmt.Sprintf(" A read from the page cache is such a copy, made by the kernel: %s a second of cpu time.", rate(read.GBs()))
		if own := r.get("noise", "oomtrace"); own != nil {
			s += fmt.Sprintf(" What oomtrace reads as a file at %s it could read at no more than that: it is at %.0f %% of what the reads alone allow.",
				rate(own.GBs()), 100*ratio(read, own))
		}
	}
	return s
}

// textTable lists the workloads.
func textTable() string {
	var b strings.Builder
	b.WriteString("| text | |\n|---|---|\n")
	for _, w := range workload.All {
		fmt.Fprintf(&b, "| %s | %s |\n", w.Name, w.About)
	}
	return b.String()
}
