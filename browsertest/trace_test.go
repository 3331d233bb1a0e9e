package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/oomtrace/oomtrace/report"
)

// analyzed is the report of a log in testdata, made by the command.
func analyzed(t *testing.T, paths ...string) *report.Report {
	t.Helper()
	args := []string{"run", "./cmd/oomtrace", "analyze", "--format", "json"}
	for _, p := range paths {
		args = append(args, "testdata/"+p)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("oomtrace analyze %v: %v", paths, err)
	}
	var r report.Report
	if err := json.Unmarshal(out, &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

func TestTraceLanes(t *testing.T) {
	tb := open(t, analyzed(t, "dmesg/trace-6.1-lab-oom-disabled.log"))
	tb.wait(`document.querySelectorAll('svg.lanes .span').length > 20`)
	names := eval[string](tb, `document.querySelector('.lane-names').textContent`)
	for _, want := range []string{"hog1/101", "hog2/102", "hog3/103", "oomhandler/99"} {
		if !strings.Contains(names, want) {
			t.Errorf("no lane %s in %s", want, names)
		}
	}
	eval[bool](tb, `(document.querySelector('#trace').scrollIntoView({ behavior: 'instant' }), true)`)
	tb.shot("trace-light", false)
	// The OOM wait of 24 s is as wide as it is long.
	width := eval[float64](tb, `(() => {
		const span = [...document.querySelectorAll('svg.lanes .span')].find(g => g.querySelector('title').textContent.includes('hog1 (pid 101): OOM wait'))
		return span.querySelector('rect').getBBox().width / (document.querySelector('svg.lanes').clientWidth - 176)
	})()`)
	if width < 0.94 || width > 0.97 { // 24.5457 of 25.7016 s
		t.Errorf("the OOM wait takes %.3f of the lane", width)
	}

	tb.click(`[...document.querySelectorAll('svg.lanes .span')].find(g => g.querySelector('title').textContent.includes('hog1 (pid 101): OOM wait')).querySelector('rect')`)
	tb.panelHas("hog1 (pid 101): OOM wait", "mem_cgroup_oom_synchronize()", "24.546 s, not ended", "4573")
	tb.click(`[...document.querySelectorAll('#panel button')].find(b => b.innerText === 'The task and its stack')`)
	tb.panelHas("Stack", "mem_cgroup_oom_synchronize")
	tb.keys("\x1b")
	tb.wait(`document.querySelector('#panel').hidden`)

	// The keyboard: to the span before, zoom to it, all again.
	eval[bool](tb, `document.querySelector('.lane-box').focus() || true`)
	tb.do(chromedp.KeyEvent(kb.ArrowLeft)) // left
	tb.wait(`document.querySelector('#trace .details').innerText.includes('hog1 (pid 101): synchronize length not traced, mem_cgroup_oom_synchronize()')`)
	tb.do(chromedp.KeyEvent(kb.ArrowLeft))
	tb.wait(`document.querySelector('#trace .details').innerText.includes('hog1 (pid 101): reclaiming 18 times in 1.971 ms')`)
	tb.keys("z")
	tb.wait(`document.querySelector('#trace .tools .status').innerText.includes('(2.759 ms)')`)
	tb.wait(`[...document.querySelectorAll('svg.lanes .tag text')].some(e => e.textContent.includes('reclaiming: try_to_free'))`)
	tb.shot("trace-zoomed", false)
	tb.keys("\r")
	tb.panelHas("try_to_free_mem_cgroup_pages()", "3.838557 s")
	tb.keys("\x1b")
	tb.do(chromedp.KeyEvent(kb.ArrowDown)) // down
	tb.wait(`document.querySelector('#trace .details').innerText.includes('hog2 (pid 102)')`)
	tb.do(chromedp.KeyEvent(kb.Home)) // home
	tb.wait(`document.querySelector('#trace .tools .status').innerText.includes('2.685207 s to 28.386802 s')`)
	tb.click(`document.querySelector('button[aria-label="Zoom in on the timeline"]')`)
	tb.wait(`document.querySelector('#trace .tools .status').innerText.includes('(12.851 s)')`)

	// The tables.
	if n := eval[int](tb, `document.querySelectorAll('#trace table').length`); n != 2 {
		t.Errorf("%d tables, want the totals and the waits", n)
	}
	path := eval[string](tb, `[...document.querySelectorAll('#trace li')].find(r => r.innerText.startsWith('hog1')).innerText`)
	if !strings.Contains(path, "reclaiming 18 times in 1.971 ms → synchronize → OOM wait 24.546 s, not ended") {
		t.Errorf("the path of hog1: %s", path)
	}
	tb.click(`document.querySelector('#trace tbody td button.link')`)
	tb.panelHas("waits for 00000000b75f3e74")
	tb.keys("\x1b")

	// The stacks by time, one value and then another.
	tb.wait(`document.querySelector('#measured .flame').textContent.includes('eventfd_read')`)
	tb.wait(`document.querySelector('#measured .details').innerText.includes('100.0 %')`)
	tb.shot("trace-full", true)
}

func TestTraceDarkAndNarrow(t *testing.T) {
	r := analyzed(t, "ftrace/graph-6.1-memcg-oom.txt.gz", "ftrace/qemu-6.1-lockwait.txt.gz")
	tb := open(t, r)
	tb.media("screen", "dark")
	tb.wait(`document.querySelectorAll('svg.lanes').length === 2 && document.querySelectorAll('svg.lanes .span').length > 20`)
	tb.wait(`document.querySelector('#measured g.frame')`)
	for _, v := range tb.axe() {
		t.Error(v)
	}
	eval[bool](tb, `(document.querySelector('#trace').scrollIntoView({ behavior: 'instant' }), true)`)
	tb.shot("trace-dark", false)
	tb.shot("trace-dark-full", true)
	tb.size(360, 780)
	tb.wait(`document.querySelector('svg.lanes').clientWidth < 340`)
	if w := eval[int](tb, `document.documentElement.scrollWidth`); w > 360 {
		t.Errorf("the page is %d px wide in a window of 360", w)
	}
	tb.media("screen", "light")
	eval[bool](tb, `(document.querySelector('#trace').scrollIntoView({ behavior: 'instant' }), true)`)
	tb.shot("trace-phone", false)
	for _, v := range tb.axe() {
		t.Error(v)
	}
}

// TestTraceWithoutTimes: a trace that prints no times has totals and no lanes,
// and one that shows nothing wrong is shown all the same.
func TestTraceWithoutTimes(t *testing.T) {
	r := stored(t, "trace")
	r.Incidents = nil
	r.Trace.Inputs[2].FirstS, r.Trace.Inputs[2].LastS = 0, 0
	tb := open(t, r)
	tb.wait(`document.querySelector('h1').innerText === 'No incident found' && document.querySelectorAll('#trace .trace').length === 3`)
	tb.wait(`document.querySelectorAll('svg.lanes').length === 2`)
	tb.wait(`document.querySelector('#trace').innerText.includes('no times, so no timeline')`)
	for _, v := range tb.axe() {
		t.Error(v)
	}
	tb.shot("trace-no-incident", true)
}

// TestTraceOfCounts: a clock that counts has no seconds on the page either.
func TestTraceOfCounts(t *testing.T) {
	tb := open(t, analyzed(t, "ftrace/forms-6.12-clock-counter.txt.gz", "ftrace/forms-6.12-events.txt.gz"))
	tb.wait(`document.querySelectorAll('svg.lanes').length === 2 && document.querySelectorAll('svg.lanes .span').length > 20`)
	counted := eval[string](tb, `document.querySelector('#trace .trace').innerText`)
	if !strings.Contains(counted, "3 to 628 (625 ticks)") || strings.Contains(counted, " ns") {
		t.Errorf("the trace of counts says:\n%s", counted)
	}
	timed := eval[string](tb, `document.querySelectorAll('#trace .trace')[1].innerText`)
	for _, want := range []string{"s system call", "f page fault", "signal 9 from the kernel, sent 46.067144 s in eater (pid 4760), delivered 46.067887 s"} {
		if !strings.Contains(timed, want) {
			t.Errorf("no %q in\n%s", want, timed)
		}
	}
	tb.click(`[...document.querySelectorAll('#trace summary')].at(-1)`)
	tb.wait(`document.querySelectorAll('#trace .trace')[1].innerText.includes('prev_state R+ (59)')`)
	for _, v := range tb.axe() {
		t.Error(v)
	}
	tb.shot("trace-forms", true)
}

// manyTraced is a trace of n tasks with many short spans each.
func manyTraced(t *testing.T, n int) *report.Report {
	r := stored(t, "trace")
	tr := r.Trace
	tr.Inputs, tr.Tasks = tr.Inputs[:1], nil
	for i := range n {
		k := report.TraceTask{ID: fmt.Sprintf("task:%d", 1000+i), Pid: 1000 + i, Comm: ptr("worker")}
		for j := range 256 {
			at := 2.3 + float64(j)*0.1
			k.Spans = append(k.Spans, report.TraceSpan{State: []string{"running", "runnable", "blocked", "reclaiming"}[j%4], StartS: at, DurationS: 0.00005 * float64(j), Count: 1, Line: j})
		}
		k.Totals = []report.TraceTotal{{State: "running", Count: 64, Duration: 1}}
		tr.Tasks = append(tr.Tasks, k)
	}
	return r
}

func TestTraceOfManyTasks(t *testing.T) {
	tb := open(t, manyTraced(t, 500))
	tb.wait(`document.querySelectorAll('svg.lanes .span').length > 100`)
	if n := eval[int](tb, `document.querySelectorAll('svg.lanes *').length`); n > 20_000 {
		t.Errorf("%d elements in the lanes", n)
	}
	tb.click(`[...document.querySelectorAll('#trace button')].find(b => b.innerText.startsWith('Show 48 more tasks'))`)
	tb.wait(`document.querySelectorAll('.lane-names text').length === 60`)
	if size := len(eval[string](tb, `document.querySelector('#report-data').textContent`)); size > 4_000_000 {
		t.Errorf("%d bytes of data", size)
	}
	tb.wait(`document.querySelector('#trace').innerText.includes('left out of the timeline')`)
}

func TestTraceWithoutScripts(t *testing.T) {
	tb := open(t, stored(t, "trace"))
	tb.do(chromedp.Func(noScripts))
	tb.do(chromedp.Navigate("file://" + tb.file))
	text := eval[string](tb, `document.body.innerText`)
	for _, want := range []string{"What the trace shows", "truncer (pid 101)", "lock wait 28.273 s", "charging 4097 times in 13.127 ms → reclaiming 18 times in 4.371 ms → OOM wait 7.908 s, not ended", "00000000037da8a8"} {
		if !strings.Contains(text, want) {
			t.Errorf("without scripts the page lacks %q:\n%.3000s", want, text)
		}
	}
	tb.shot("trace-noscript", true)
}

func noScripts(ctx context.Context, target *chromedp.Target) error {
	_, err := cdp.Call(ctx, target, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	return err
}
