//go:build traceviewer

package browsertest

import (
	"bytes"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/oomtrace/oomtrace/report"
)

// TestTraceViewer: the importer of chrome://tracing takes the trace events
// without a warning, all of them. It is for a Chromium that has that page
// (Debian's leaves it out), so it wants a tag; TRACE_VIEWER is the address of
// another one:
//
//	go test -tags traceviewer -run TestTraceViewer
func TestTraceViewer(t *testing.T) {
	address := os.Getenv("TRACE_VIEWER")
	if address == "" {
		address = "chrome://tracing"
	}
	ctx := newTab(t, 120*time.Second)
	if err := chromedp.Do(ctx, chromedp.Navigate(address)); err != nil {
		t.Fatalf("this Chromium has no %s: %v", address, err)
	}
	tb := &tab{t: t, ctx: ctx}
	for start := time.Now(); !eval[bool](tb, `!!(window.tr && tr.Model && tr.importer)`); time.Sleep(100 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			t.Fatalf("%s is no trace viewer", address)
		}
	}
	imported := func(data []byte) (n int, warnings string) {
		text, err := json.Marshal(string(data))
		if err != nil {
			t.Fatal(err)
		}
		var out struct {
			Slices   int
			Warnings []string
		}
		raw := eval[string](tb, `(() => {
			const model = new tr.Model()
			const options = new tr.importer.ImportOptions()
			options.pruneEmptyContainers = false
			new tr.importer.Import(model, options).importTraces([`+string(text)+`])
			let slices = 0
			for (const p of Object.values(model.processes)) {
				slices += p.instantEvents.length
				for (const th of Object.values(p.threads)) slices += th.sliceGroup.length
			}
			return JSON.stringify({ slices, warnings: model.importWarnings.map(w => w.type + ': ' + w.message) })
		})()`)
		if err := json.Unmarshal([]byte(raw), &out); err != nil {
			t.Fatal(err)
		}
		return out.Slices, strings.Join(out.Warnings, "\n")
	}
	reports := map[string]*report.Report{
		"stored": stored(t, "trace"), "woken": analyzed(t, "ftrace/qemu-6.1-lockwait.txt.gz"), "graph": analyzed(t, "ftrace/graph-6.1-memcg-oom.txt.gz"),
	}
	for name, r := range reports {
		data := rendered(t, r, "trace-events", report.Options{})
		want := bytes.Count(data, []byte(`"ph":"X"`)) + bytes.Count(data, []byte(`"ph":"i"`))
		if got, warnings := imported(data); got != want || warnings != "" {
			t.Errorf("%s: %d of %d slices, warnings: %s", name, got, want, warnings)
		}
	}
	if _, warnings := imported(bytes.Replace(rendered(t, reports["stored"], "trace-events", report.Options{}), []byte(`"ph":"X"`), []byte(`"ph":"Q"`), 1)); warnings == "" {
		t.Error("the viewer says nothing of a phase that there is not")
	}
}
