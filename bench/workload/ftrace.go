package workload

import (
	"fmt"
	"io"
	"strconv"
	"strings"
)

// graphRow is a line of function_graph text behind its time.
type graphRow struct {
	us   int64 // since the first row
	rest string
}

const graphHeader = "# tracer: function_graph\n#\n#     TIME        CPU  TASK/PID         DURATION                  FUNCTION CALLS\n#      |          |     |    |           |   |                     |   |   |   |\n"

// graphRows takes the rows of a trace.
func graphRows(text string) (rows []graphRow, err error) {
	body, ok := strings.CutPrefix(text, graphHeader)
	if !ok {
		return nil, fmt.Errorf("function_graph trace with another header: %.100q", text)
	}
	first := int64(-1)
	for line := range strings.Lines(body) {
		line = strings.TrimRight(line, "\n")
		at, rest, ok := strings.Cut(line, " |")
		if !ok {
			continue
		}
		s, f, _ := strings.Cut(strings.TrimSpace(at), ".")
		sec, err1 := strconv.ParseInt(s, 10, 64)
		us, err2 := strconv.ParseInt(f, 10, 64)
		if err1 != nil || err2 != nil || len(f) != 6 {
			return nil, fmt.Errorf("function_graph row without a time: %q", line)
		}
		us += sec * 1e6
		if first < 0 {
			first = us
		}
		rows = append(rows, graphRow{us - first, " |" + rest})
	}
	return rows, nil
}

// Ftrace writes about size bytes of function_graph text: the charge path of a
// task that runs out of its group's memory, kills and goes on, over and over.
func Ftrace(w io.Writer, t *Texts, size int64) (Planted, error) {
	s := newSink(w)
	for line := range strings.Lines(graphHeader) {
		s.line(append(s.buf, strings.TrimRight(line, "\n")...))
	}
	now, last := int64(31_000_000), t.graph[len(t.graph)-1].us
	for s.planted.Bytes < size {
		for i := range t.graph {
			r := &t.graph[i]
			b := padded(s.buf, (now+r.us)/1e6, 5)
			b = append(b, '.')
			b = zeros(b, (now+r.us)%1e6, 6)
			s.line(append(b, r.rest...))
			s.planted.FtraceEvent++
		}
		now += last + 1000
	}
	s.planted.ReportLines = int64(s.planted.FtraceEvent)
	return s.end()
}
