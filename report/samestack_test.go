package report_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/oomtrace/oomtrace/report"
)

// A task whose stack stands at an earlier one counts like any other.
func TestSameStack(t *testing.T) {
	whole, short := load(t, "testdata/hang.report.json"), load(t, "testdata/hang.report.json")
	referring := 0
	for i := range short.Incidents {
		tasks := short.Incidents[i].Tasks
		for j := range tasks {
			for k := range tasks[:j] {
				if tasks[k].SameStack == nil && sameFrames(tasks[k].Stack, tasks[j].Stack) {
					tasks[j].SameStack, tasks[j].Stack = &tasks[k].ID, nil
					referring++
					break
				}
			}
		}
	}
	if referring < 20 {
		t.Fatalf("%d tasks refer to another", referring)
	}
	for _, format := range []string{"folded", "pprof", "speedscope", "text", "markdown", "sarif", "dot", "mermaid", "trace-events"} {
		if got, want := render(t, short, format, report.Options{}), render(t, whole, format, report.Options{}); got != want {
			t.Errorf("%s differs:\n%s\nwant:\n%s", format, got, want)
		}
	}
	if got := strings.Count(render(t, short, "text", report.Options{Tasks: true}), "the same stack as "); got != referring {
		t.Errorf("the text says of %d tasks that their stack is another's, want %d", got, referring)
	}

	type page struct {
		Incidents []struct {
			Stacks [][]int
			Tasks  []struct {
				Name  string
				Stack int
				Lines []int
			}
		}
	}
	var got, want page
	for r, p := range map[*report.Report]*page{short: &got, whole: &want} {
		if err := json.Unmarshal([]byte(pageData(t, render(t, r, "html", report.Options{}))), p); err != nil {
			t.Fatal(err)
		}
	}
	for i := range want.Incidents {
		if !reflect.DeepEqual(got.Incidents[i].Stacks, want.Incidents[i].Stacks) {
			t.Errorf("stacks of the page: %v, want %v", got.Incidents[i].Stacks, want.Incidents[i].Stacks)
		}
		for j, task := range got.Incidents[i].Tasks {
			stack := want.Incidents[i].Tasks[j].Stack
			if task.Stack != stack {
				t.Errorf("%s has stack %d in the page, want %d", task.Name, task.Stack, stack)
			}
			if short.Incidents[i].Tasks[j].SameStack == nil {
				continue
			}
			// The page counts on from the one line: none of them is above 0.
			if n := len(want.Incidents[i].Stacks[stack]); len(task.Lines) != 1 || task.Lines[0]+n-1 > 0 {
				t.Errorf("%s shows the lines of another task: %v", task.Name, task.Lines)
			}
		}
	}
}

// sameFrames tells whether two stacks differ in nothing but their lines.
func sameFrames(a, b []report.Frame) bool {
	if len(a) != len(b) || len(a) == 0 {
		return false
	}
	for i := range a {
		x, y := a[i], b[i]
		x.Line, y.Line = 0, 0
		if !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return true
}
