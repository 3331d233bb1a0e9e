package parse

import "strings"

// csvReader reads tables that query tools export: a line of column names, of
// which one is a usual name of the text; or quoted columns without names.
type csvReader struct {
	comma byte
	names []string // "" without names
	text  int      // column of the text, -1 without names
	on    bool
	buf   strings.Builder // a record whose quotation goes on
	no    int
	lines int
}

func (c *csvReader) open() bool { return c.on }

// maxRecord bounds the lines of one CSV record.
const maxRecord = 5000

// csvStarts takes the first line of a table, or a line of quoted columns.
func (fr *framer) csvStarts(raw string, no int, yield func(*line)) bool {
	comma := byte(',')
	for _, c := range [...]byte{',', ';', '\t'} {
		if strings.IndexByte(raw, c) > 0 {
			comma = c
			break
		}
	}
	if raw[0] == '"' && !strings.Contains(raw, `"`+string(comma)) || len(raw) > 4096 {
		return false
	}
	cols, _ := csvSplit(raw, comma)
	if len(cols) < 2 {
		return false
	}
	best := -1
	for i, name := range cols {
		name = strings.ToLower(trim(name))
		if len(name) > 32 {
			best = -1
			break
		}
		for _, f := range textFields {
			if name == strings.ToLower(f) && (best < 0 || textRank(f) > textRank(cols[best])) {
				cols[i], best = f, i
				break
			}
		}
	}
	switch {
	case best >= 0:
		fr.csv = csvReader{comma: comma, names: cols, text: best, on: true}
		return true
	case raw[0] == '"' && fr.csvColumn(cols) >= 0:
		fr.csv = csvReader{comma: comma, text: -1, on: true}
		return fr.csvLine(raw, no, yield)
	}
	return false
}

// csvColumn finds the column with a kernel's line by its prefix.
func (fr *framer) csvColumn(cols []string) int {
	for i, c := range cols {
		var ln line
		if len(c) < 8 {
			continue
		}
		if _, rest, ok := ln.prefix(c, framePlain); ok && ln.stamped && rest != "" {
			return i
		}
	}
	return -1
}

// csvLine takes a line of the table; false: the table has ended.
func (fr *framer) csvLine(raw string, no int, yield func(*line)) bool {
	c := &fr.csv
	if c.lines == 0 {
		if raw == "" {
			return true
		}
		if c.text < 0 && raw[0] != '"' {
			c.on = false
			return false
		}
		c.no = no
	} else {
		c.buf.WriteByte('\n')
	}
	if c.lines == 0 && strings.Count(raw, `"`)%2 == 0 {
		fr.csvRecord(raw, no, yield)
		return true
	}
	c.buf.WriteString(raw)
	c.lines++
	if rec := raw; strings.Count(rec, `"`)%2 == 1 && c.lines > 1 || c.lines > maxRecord {
		fr.csvRecord(c.buf.String(), c.no, yield)
		c.buf.Reset()
		c.lines = 0
	}
	return true
}

func (fr *framer) csvEnd(yield func(*line)) {
	if c := &fr.csv; c.on && c.lines > 0 {
		fr.csvRecord(c.buf.String(), c.no, yield)
		c.buf.Reset()
		c.lines = 0
	}
}

func (fr *framer) csvRecord(rec string, no int, yield func(*line)) {
	c := &fr.csv
	cols, at := csvSplit(rec, c.comma)
	i := c.text
	if i < 0 {
		i = fr.csvColumn(cols)
	}
	if i < 0 || i >= len(cols) {
		return
	}
	var e entry
	for k, name := range c.names {
		if k < len(cols) && k != i && textRank(name) == 0 {
			e.set(trim(name), cols[k], no)
		}
	}
	e.text, e.rank, e.no = cols[i], 1, no+strings.Count(rec[:at[i]], "\n")
	if strings.IndexByte(e.text, '\n') < 0 {
		fr.give(&e, frameCSV, yield)
		return
	}
	for l := range strings.Lines(e.text) { // a cell of many lines: each has its own number
		one := e
		one.text = strings.TrimRight(l, "\n")
		fr.give(&one, frameCSV, yield)
		e.no++
	}
}

// csvSplit cuts a record into its columns, and tells where each begins.
func csvSplit(s string, comma byte) (cols []string, at []int) {
	for pos := 0; len(cols) < 1000; {
		start := pos
		if pos < len(s) && s[pos] == '"' {
			var b strings.Builder
			i := pos + 1
			for i < len(s) {
				j := strings.IndexByte(s[i:], '"')
				if j < 0 {
					b.WriteString(s[i:])
					i = len(s)
					break
				}
				b.WriteString(s[i : i+j])
				i += j + 1
				if i >= len(s) || s[i] != '"' {
					break
				}
				b.WriteByte('"')
				i++
			}
			cols, at = append(cols, b.String()), append(at, start)
			j := strings.IndexByte(s[i:], comma)
			if j < 0 {
				return cols, at
			}
			pos = i + j + 1
			continue
		}
		j := strings.IndexByte(s[pos:], comma)
		if j < 0 {
			return append(cols, s[pos:]), append(at, start)
		}
		cols, at = append(cols, s[pos:pos+j]), append(at, start)
		pos += j + 1
	}
	return cols, at
}
