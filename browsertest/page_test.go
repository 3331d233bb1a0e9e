// Package browsertest opens the pages of `--format html` in Chromium and uses
// them as a reader would. It is a module of its own, so that oomtrace itself
// depends on no browser driver. run.sh installs what it needs.
package browsertest

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	cdplog "github.com/chromedp/cdproto/log"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/oomtrace/oomtrace/report"
)

// browser starts one Chromium for all tests; without one they skip.
var browser = sync.OnceValues(func() (context.Context, error) {
	path := ""
	for _, name := range []string{os.Getenv("CHROMIUM"), "chromium", "chromium-browser", "google-chrome"} {
		if p, err := exec.LookPath(name); err == nil {
			path = p
			break
		}
	}
	if path == "" {
		return nil, nil
	}
	dir, err := os.MkdirTemp("", "oomtrace-browser-")
	if err != nil {
		return nil, err
	}
	// chrome://tracing is one of the pages that have to be switched on.
	if err := os.WriteFile(filepath.Join(dir, "Local State"), []byte(`{"internal_only_uis_enabled":true}`), 0o600); err != nil {
		return nil, err
	}
	alloc, stopAlloc := chromedp.NewExecAllocator(context.Background(), append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.UserDataDir(dir), chromedp.WindowSize(1280, 900),
		chromedp.Flag("disable-gpu", true), chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)...)
	ctx, stop := chromedp.NewContext(alloc)
	atExit = func() {
		stop()
		stopAlloc()
		_ = os.RemoveAll(dir)
	}
	return ctx, chromedp.Do(ctx)
})

var atExit = func() {}

func TestMain(m *testing.M) {
	code := m.Run()
	atExit()
	os.Exit(code)
}

// tab is one page that is open, with all that it did and should not have.
type tab struct {
	t    *testing.T
	ctx  context.Context
	file string

	mu       sync.Mutex
	problems []string
}

// newTab opens an empty tab, until the test ends or the limit is over. It skips
// the test where there is no browser.
func newTab(t *testing.T, limit time.Duration) context.Context {
	t.Helper()
	root, err := browser()
	if err != nil {
		t.Fatalf("Chromium does not start: %v", err)
	}
	if root == nil {
		t.Skip("no Chromium here: browsertest/run.sh installs it, or set CHROMIUM to its path")
	}
	ctx, cancel := chromedp.NewContext(root)
	t.Cleanup(cancel)
	ctx, cancel = context.WithTimeout(ctx, limit)
	t.Cleanup(cancel)
	return ctx
}

func open(t *testing.T, r *report.Report) *tab {
	t.Helper()
	file := filepath.Join(t.TempDir(), "report.html")
	w, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := report.Write(w, r, "html", report.Options{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}

	tb := &tab{t: t, ctx: newTab(t, 60*time.Second), file: file}
	if err := chromedp.Listen(tb.ctx, tb.watch); err != nil {
		t.Fatal(err)
	}
	tb.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		if _, err := cdp.Call(ctx, target, network.Enable, network.EnableParams{}); err != nil {
			return err
		}
		_, err := cdp.Call(ctx, target, cdplog.Enable, cdp.Empty{})
		return err
	}))
	tb.size(1280, 900)
	tb.media("screen", "light")
	tb.do(chromedp.Navigate("file://" + file))
	tb.wait(`document.querySelector('main')`)
	t.Cleanup(func() {
		tb.mu.Lock()
		defer tb.mu.Unlock()
		for _, p := range tb.problems {
			t.Error(p)
		}
	})
	return tb
}

// watch notes what no page of ours may do.
func (tb *tab) watch(ev any) {
	note := func(format string, args ...any) {
		tb.mu.Lock()
		defer tb.mu.Unlock()
		tb.problems = append(tb.problems, fmt.Sprintf(format, args...))
	}
	switch ev := ev.(type) {
	case *cdpruntime.EventConsoleAPICalled:
		note("the page writes to the console: %s", ev.Type)
	case *cdpruntime.EventExceptionThrown:
		d := ev.ExceptionDetails
		text := d.Text
		if d.Exception != nil {
			text += " " + d.Exception.Description
		}
		note("uncaught exception: %s", text)
	case *cdplog.EventEntryAdded:
		note("log: %s %s", ev.Entry.Level, ev.Entry.Text)
	case *page.EventJavascriptDialogOpening:
		note("dialog: %s", ev.Message)
	case *network.EventRequestWillBeSent:
		if u := ev.Request.URL; u != "file://"+tb.file && !strings.HasPrefix(u, "file://"+tb.file+"#") && !strings.HasPrefix(u, "data:") {
			note("request: %s", u)
		}
	}
}

func (tb *tab) do(a ...chromedp.Action[chromedp.Void]) {
	tb.t.Helper()
	if err := chromedp.Do(tb.ctx, a...); err != nil {
		tb.t.Fatal(err)
	}
}

func (tb *tab) size(width, height int64) {
	tb.t.Helper()
	tb.do(chromedp.EmulateViewport(width, height))
}

// media sets what the page is shown on, and what the reader's system prefers.
// Motion is reduced throughout: a click must not race an animation.
func (tb *tab) media(media, scheme string) {
	tb.t.Helper()
	tb.do(chromedp.Func(func(ctx context.Context, target *chromedp.Target) error {
		_, err := cdp.Call(ctx, target, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{Media: media, Features: []*emulation.MediaFeature{
			{Name: "prefers-color-scheme", Value: scheme}, {Name: "prefers-reduced-motion", Value: "reduce"},
		}})
		return err
	}))
}

func eval[T any](tb *tab, js string) T {
	tb.t.Helper()
	v, err := chromedp.Run(tb.ctx, chromedp.Evaluate[T](js))
	if err != nil {
		tb.t.Fatalf("%s: %v", js, err)
	}
	return v
}

// wait waits until js is true.
func (tb *tab) wait(js string) {
	tb.t.Helper()
	for start := time.Now(); time.Since(start) < 15*time.Second; time.Sleep(20 * time.Millisecond) {
		if eval[bool](tb, "!!("+js+")") {
			return
		}
	}
	tb.t.Fatalf("never true: %s\nthe page says: %.600s", js, eval[string](tb, `document.body.innerText`))
}

// click presses the mouse on the middle of what js gives, as a reader would.
func (tb *tab) click(js string) {
	tb.t.Helper()
	tb.wait(js)
	// Where it stands once nothing moves any more.
	var at, last [2]float64
	for range 50 {
		raw := eval[string](tb, `(() => {
			const e = `+js+`
			e.scrollIntoView({ block: 'center', behavior: 'instant' })
			const r = e.getBoundingClientRect()
			return JSON.stringify([r.x + r.width / 2, r.y + r.height / 2])
		})()`)
		if err := json.Unmarshal([]byte(raw), &at); err != nil {
			tb.t.Fatal(err)
		}
		if at == last {
			break
		}
		last = at
		time.Sleep(50 * time.Millisecond)
	}
	tb.do(chromedp.MouseClickXY(at[0], at[1]))
}

func (tb *tab) keys(keys string) {
	tb.t.Helper()
	tb.do(chromedp.KeyEvent(keys))
}

func (tb *tab) panelHas(want ...string) {
	tb.t.Helper()
	tb.wait(`!document.querySelector('#panel').hidden`)
	text := eval[string](tb, `document.querySelector('#panel').innerText`)
	for _, w := range want {
		if !strings.Contains(text, w) {
			tb.t.Errorf("the panel lacks %q:\n%s", w, text)
		}
	}
}

// shot keeps a picture where SHOTS names a directory, to be looked at.
func (tb *tab) shot(name string, full bool) {
	tb.t.Helper()
	dir := os.Getenv("SHOTS")
	if dir == "" {
		return
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		tb.t.Fatal(err)
	}
	a := chromedp.CaptureScreenshot()
	if full {
		a = chromedp.FullScreenshot(100)
	}
	png, err := chromedp.Run(tb.ctx, a)
	if err != nil {
		tb.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, name+".png"), png, 0o644); err != nil {
		tb.t.Fatal(err)
	}
}

// axe lists what axe-core finds against WCAG A and AA.
func (tb *tab) axe() []string {
	tb.t.Helper()
	src, err := os.ReadFile("node_modules/axe-core/axe.min.js")
	if os.IsNotExist(err) {
		tb.t.Skip("no axe-core here: run.sh installs it (npm ci)")
	}
	if err != nil {
		tb.t.Fatal(err)
	}
	if !eval[bool](tb, `'axe' in window`) {
		eval[bool](tb, string(src)+"\n;true")
	}
	raw, err := chromedp.Run(tb.ctx, chromedp.Evaluate[string](`axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }).then(r => JSON.stringify(
		r.violations.map(v => v.id + ': ' + v.help + ': ' + v.nodes.slice(0, 4).map(n => n.html.slice(0, 160) + ' ' + n.failureSummary).join(' | '))))`, chromedp.EvalAwaitPromise))
	if err != nil {
		tb.t.Fatal(err)
	}
	var out []string
	if err := json.Unmarshal([]byte(raw), &out); err != nil {
		tb.t.Fatal(err)
	}
	return out
}

func stored(t *testing.T, name string) *report.Report {
	t.Helper()
	raw, err := os.ReadFile("../report/testdata/" + name + ".report.json")
	if err != nil {
		t.Fatal(err)
	}
	var r report.Report
	// @LONG@ stands for a name of 100 kB in the stored reports.
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(raw), "@LONG@", strings.Repeat("A", 100_000))), &r); err != nil {
		t.Fatal(err)
	}
	return &r
}

func ptr[T any](v T) *T { return &v }

// full is the trap with what the newest reports have: a timeline with a gap,
// the log around the evidence, and what the frames do.
func full(t *testing.T) *report.Report {
	r := stored(t, "trap")
	inc := &r.Incidents[0]
	inc.Timeline = []report.Event{
		{BootS: ptr(5.116319), Kind: "oom", Text: "OOM in /web, invoked by bigwrite", Task: ptr("task:51"), Line: 129},
		{BootS: ptr(5.160321), Kind: "kill", Text: "truncer (pid 47) killed", Task: ptr("task:47"), Line: 183},
		{BootS: ptr(5.160321), Kind: "gap", Text: "20 s without an event of this incident", Line: 183},
		{BootS: ptr(25.281579), Kind: "hung_task", Text: "truncer (pid 47) blocked for more than 8 s", Task: ptr("task:47"), Line: 354},
		{BootS: ptr(28.957809), Kind: "dump", Text: "sysrq-t lists 27 tasks, 3 of this incident", Line: 374},
		{BootS: ptr(57.319581), Kind: "hung_task", Text: "truncer (pid 47) blocked for more than 8 s", Task: ptr("task:47"), Line: 1178},
	}
	inc.Log = nil
	for _, at := range []int{129, 140, 149, 183, 354, 374, 1178, 1188} {
		for n := at - 3; n <= at+3; n++ {
			inc.Log = append(inc.Log, report.LogLine{Line: n, Text: fmt.Sprintf("[%5d.000000] line %d of the log", n/20, n)})
		}
	}
	for i := range inc.Tasks {
		for j := range inc.Tasks[i].Stack {
			f := &inc.Tasks[i].Stack[j]
			switch f.Func {
			case "generic_file_aio_write":
				f.Role, f.Lock = ptr("holds"), ptr("i_mutex (file, exclusive)")
			case "do_truncate":
				f.Role, f.Lock = ptr("waits"), ptr("i_mutex (file, exclusive)")
			case "mem_cgroup_handle_oom":
				f.Role, f.Lock = ptr("charges"), ptr("memcg OOM")
			}
		}
	}
	return r
}

// crowd is an incident of n tasks, a fifth of them with a stack of their own.
func crowd(t *testing.T, n int) *report.Report {
	r := full(t)
	inc := &r.Incidents[0]
	state, source, lock := "D", "sysrq", inc.WaitGraph.Edges[0].To
	for _, e := range inc.WaitGraph.Edges {
		if e.Relation == "waits_for" && strings.HasPrefix(e.To, "lock:") {
			lock = e.To
		}
	}
	for i := range n {
		pid := 10_000 + i
		task := report.Task{
			ID: fmt.Sprintf("task:%d", pid), Pid: &pid, Comm: ptr(fmt.Sprintf("worker%d", i%7)), State: &state, Role: "blocked", StackSource: &source,
			BlockedS: ptr(int64(120 + i%900)), Waits: &lock, Sightings: 1, Evidence: []report.Ref{{Line: 2000 + 30*i}},
		}
		variant := i % 40
		if i%5 == 0 {
			variant = 1000 + i
		}
		names := []string{"schedule", "rwsem_down_write_slowpath", "down_write", "do_truncate"}
		for d := range 14 {
			names = append(names, fmt.Sprintf("fn_%d_%d", d, variant%(40+d*d*20)))
		}
		slices.Reverse(names[4:])
		for d, name := range append(names, "do_syscall_64") {
			task.Stack = append(task.Stack, report.Frame{Func: name, Offset: ptr(uint32(16 * d)), Size: ptr(uint32(512)), Reliable: true, Context: "task", Line: 2000 + 30*i + d})
		}
		inc.Tasks = append(inc.Tasks, task)
		inc.WaitGraph.Nodes = append(inc.WaitGraph.Nodes, report.Node{ID: task.ID, Kind: "task", Label: fmt.Sprintf("worker%d/%d", i%7, pid)})
		inc.WaitGraph.Edges = append(inc.WaitGraph.Edges, report.Edge{From: task.ID, To: lock, Relation: "waits_for", Basis: "frame_model", Frame: ptr("do_truncate"), Evidence: task.Evidence})
	}
	for i := range 2000 {
		inc.OOMs[0].Candidates = append(inc.OOMs[0].Candidates, report.Candidate{Pid: 10_000 + i, Comm: "worker", Tgid: 10_000 + i, TotalVMPages: int64(i * 7), RSSPages: int64(i * 3)})
	}
	return r
}

func TestGraph(t *testing.T) {
	tb := open(t, full(t))
	if n := eval[int](tb, `document.querySelectorAll('svg.waits .node.cycle').length`); n != 4 {
		t.Errorf("%d nodes stand out as the cycle, want 4", n)
	}
	tb.click(`document.querySelector('svg.waits .node.role-invoker text')`)
	tb.panelHas("bigwrite (pid 51)", "mem_cgroup_handle_oom", "holds i_mutex (file, exclusive)", "charges memcg OOM", "Holds")
	tb.keys("\x1b")
	tb.wait(`document.querySelector('#panel').hidden`)

	tb.click(`document.querySelector('svg.waits .edge.cycle.inferred .label')`)
	tb.panelHas("inferred", "part of the cycle", "Evidence", "web-12/dmesg.log")
	if n := eval[int](tb, `document.querySelectorAll('#panel .line.hit').length`); n == 0 {
		t.Error("the edge shows no evidence line")
	}
	tb.click(`document.querySelector('#panel .close')`)
	tb.wait(`document.querySelector('#panel').hidden`)

	// The keyboard gets there, opens, closes, and is back where it was.
	eval[bool](tb, `document.querySelector('svg.waits .node.role-victim').focus() || true`)
	tb.keys("\r")
	tb.panelHas("truncer (pid 47)", "Stack")
	tb.wait(`document.querySelector('#panel').contains(document.activeElement)`)
	tb.keys("\x1b")
	tb.wait(`document.querySelector('#panel').hidden && document.activeElement.matches('.role-victim')`)

	before := eval[string](tb, `document.querySelector('svg.waits .stage').getAttribute('transform')`)
	tb.click(`document.querySelector('button[aria-label="Zoom in"]')`)
	tb.wait(`document.querySelector('svg.waits .stage').getAttribute('transform') !== ` + fmt.Sprintf("%q", before))
	tb.click(`document.querySelector('.in-words button')`)
	tb.panelHas("Evidence")
}

func TestFlameGraph(t *testing.T) {
	tb := open(t, full(t))
	tb.wait(`document.querySelectorAll('.flame g.frame').length > 10`)
	tb.wait(`document.querySelector('.flame').innerText.includes('vfs_write')`)
	frame := func(name string) string {
		return `[...document.querySelectorAll('.flame g.frame')].find(g => g.getAttribute('name') === '` + name + `')`
	}
	tb.click(frame("vfs_write") + `.querySelector('rect')`)
	tb.wait(`!document.querySelector('#flame .tools button').disabled && document.querySelector('.flame g.fade')`)
	tb.click(`[...document.querySelectorAll('#flame .tools button')].find(b => b.innerText === 'Zoom out')`)
	tb.wait(`!document.querySelector('.flame g.fade')`)

	eval[bool](tb, `document.querySelector('#flame input[type=search]').focus() || true`)
	tb.keys("TRUNCATE")
	tb.wait(`document.querySelector('#flame .details').innerText.includes('found, in 1 of')`)
	tb.wait(`[...document.querySelectorAll('.flame rect')].some(r => r.getAttribute('fill') === 'var(--f-hit)')`)

	for _, mode := range []string{"lock", "role", "state", "frame"} {
		eval[bool](tb, `(() => { const s = document.querySelector('#flame select'); s.value = '`+mode+`'; s.dispatchEvent(new Event('change')); return true })()`)
		tb.wait(`document.querySelectorAll('#flame .legend button').length > 0`)
	}
	tb.click(`document.querySelector('#flame .legend button')`)
	tb.wait(`document.querySelector('#flame .legend button[aria-pressed=true]')`)
	tb.click(`document.querySelector('#flame .legend button[aria-pressed=true]')`)

	// Root on top, and the arrow keys.
	tb.click(`[...document.querySelectorAll('#flame .tools button')].find(b => b.innerText === 'Root on top')`)
	eval[bool](tb, `document.querySelector('.flame').focus() || true`)
	for range 3 {
		tb.do(chromedp.KeyEvent(kb.ArrowDown))
	}
	tb.wait(`document.querySelector('.flame g[data-current]') && !document.querySelector('#flame .details').innerText.startsWith('all tasks')`)
	tb.keys("t")
	tb.panelHas("Stack", "system_call_fastpath")
}

func TestTablesAndTimeline(t *testing.T) {
	tb := open(t, full(t))
	head := `[...document.querySelectorAll('#candidates th button')].find(b => b.innerText.startsWith('RSS'))`
	tb.click(head)
	tb.wait(head + `.closest('th').getAttribute('aria-sort') === 'descending'`)
	first := `document.querySelector('#candidates tbody tr').innerText`
	tb.wait(first + `.includes('truncer')`)
	tb.click(head)
	tb.wait(head + `.closest('th').getAttribute('aria-sort') === 'ascending' && ` + first + `.includes('bigwrite')`)
	eval[bool](tb, `document.querySelector('#tasks input[type=search]').focus() || true`)
	tb.keys("truncer")
	tb.wait(`document.querySelectorAll('#tasks tbody tr').length === 1`)
	tb.click(`document.querySelector('#tasks tbody button')`)
	tb.panelHas("truncer (pid 47)", "waits for i_mutex (file, exclusive)")

	tb.wait(`document.querySelectorAll('#timeline .events li').length === 6 && document.querySelector('#timeline .strip .gap')`)
	tb.click(`document.querySelector('#timeline .links button:last-child')`)
	tb.panelHas("line 129 of the log", "line 126 of the log", "line 132 of the log")
	tb.click(`document.querySelector('#evidence summary')`)
	tb.wait(`document.querySelector('#evidence details[open] .line.hit')`)
	tb.wait(`document.querySelector('#memory .bar .fill') && document.querySelector('#memory .part.m-anon')`)
}

func TestSeveralIncidents(t *testing.T) {
	tb := open(t, stored(t, "ended"))
	tb.wait(`document.querySelectorAll('.incidents button').length === 3`)
	tb.wait(`document.querySelectorAll('svg.waits .edge.ended').length > 0`)
	tb.click(`document.querySelectorAll('.incidents button')[1]`)
	tb.wait(`document.querySelector('h1').innerText === JSON.parse(document.querySelector('#report-data').textContent).incidents[1].headline`)
	eval[bool](tb, `document.querySelector('.switch input').focus() || true`)
	tb.keys("not seen to be")
	tb.wait(`document.querySelectorAll('.incidents button').length === 1`)
}

func TestResolvedAndEmpty(t *testing.T) {
	for _, name := range []string{"resolved", "empty", "fragment"} {
		t.Run(name, func(t *testing.T) {
			open(t, stored(t, name)).wait(`document.querySelector('h1').innerText.length > 0`)
		})
	}
}

func TestHostileLogIsInert(t *testing.T) {
	r := stored(t, "hostile")
	nasty := "</script><script>window.pwned=1</script><img src=x onerror=\"window.pwned=1\">\u202e\x1b[31m\u2028<!--<svg onload=alert(1)>" + strings.Repeat("A", 100_000)
	inc := &r.Incidents[0]
	inc.Timeline = []report.Event{{BootS: ptr(1.0), Kind: "oom", Text: nasty, Line: 1}, {BootS: ptr(2.0), Kind: "gap", Text: nasty, Line: 2}, {BootS: ptr(9.0), Kind: nasty, Text: nasty, Line: 3}}
	for line := 1; line < 300; line++ {
		inc.Log = append(inc.Log, report.LogLine{Line: line, Text: nasty})
	}
	for i := range inc.Tasks {
		for j := range inc.Tasks[i].Stack {
			inc.Tasks[i].Stack[j].Role, inc.Tasks[i].Stack[j].Lock = ptr("holds"), &nasty
		}
	}
	r.Trace = stored(t, "trace").Trace
	for i := range r.Trace.Inputs {
		in := &r.Trace.Inputs[i]
		in.Input, in.Tracer = 0, &nasty
		for j := range in.Events {
			in.Events[j].Name = nasty
		}
	}
	for i := range r.Trace.Tasks {
		k := &r.Trace.Tasks[i]
		k.Input, k.Comm, k.ID = 0, &nasty, nasty
		for j := range k.Spans {
			k.Spans[j].What = &nasty
		}
		k.Spans[0].State = nasty
	}
	for i := range r.Trace.LockWaits {
		w := &r.Trace.LockWaits[i]
		w.Address, w.Class, w.Flags, w.Waker, w.Task = nasty, &nasty, &nasty, &nasty, nasty
	}
	for i := range r.Trace.Samples {
		r.Trace.Samples[i].Comm = &nasty
		r.Trace.Samples[i].Stack = append(r.Trace.Samples[i].Stack, nasty)
	}
	tb := open(t, r)
	tb.wait(`document.querySelectorAll('svg.lanes .span').length > 10`)
	tb.shot("hostile", true)
	// Everything that can be opened.
	n := eval[int](tb, `(() => {
		const all = [...document.querySelectorAll('svg.waits [role=button], svg.lanes .span rect, main button:not(.theme), main summary')]
		for (const e of all) e.dispatchEvent(new MouseEvent('click', { bubbles: true, cancelable: true }))
		for (const e of document.querySelectorAll('main details')) e.open = true
		return all.length
	})()`)
	if n < 20 {
		t.Errorf("only %d things to click", n)
	}
	tb.wait(`document.querySelectorAll('details[open]').length > 0`)
	time.Sleep(300 * time.Millisecond) // for an onerror that might come
	if eval[bool](tb, `'pwned' in window || document.querySelectorAll('script').length !== 2 || document.querySelectorAll('img, iframe, object, [onerror], [onload], main a:not([href^="#"])').length > 0`) {
		t.Error("text of the log became markup")
	}
	if eval[bool](tb, `/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u200b-\u200f\u202a-\u202e\u2066-\u2069]/.test(document.querySelector('#app').textContent)`) {
		t.Error("a control character or bidi override is in the page")
	}
	if w := eval[int](tb, `document.documentElement.scrollWidth`); w > 1280 {
		t.Errorf("long names make the page %d px wide", w)
	}
}

func TestTenThousandTasks(t *testing.T) {
	start := time.Now()
	tb := open(t, crowd(t, 10_000))
	tb.wait(`document.querySelectorAll('.flame g.frame').length > 10`)
	took := time.Since(start)
	if took > 20*time.Second {
		t.Errorf("the page takes %v to show", took)
	}
	if info, err := os.Stat(tb.file); err == nil {
		t.Logf("%d kB, shown after %v", info.Size()>>10, took.Round(time.Millisecond))
	}
	if n := eval[int](tb, `document.querySelectorAll('*').length`); n > 30_000 {
		t.Errorf("%d elements", n)
	}
	if n := eval[int](tb, `document.querySelectorAll('svg.waits .node').length`); n > 130 {
		t.Errorf("%d boxes in the graph", n)
	}
	tb.wait(`[...document.querySelectorAll('svg.waits .node')].some(n => / tasks/.test(n.textContent))`)
	start = time.Now()
	eval[bool](tb, `document.querySelector('#tasks input[type=checkbox]').click() || true`)
	tb.wait(`document.querySelectorAll('#tasks tbody tr').length === 50`)
	tb.click(`[...document.querySelectorAll('#tasks .pager button')].at(-1)`)
	eval[bool](tb, `document.querySelector('#tasks input[type=search]').focus() || true`)
	tb.keys("19999")
	tb.wait(`document.querySelectorAll('#tasks tbody tr').length === 1`)
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("the task table takes %v", took)
	}
	tb.click(`[...document.querySelectorAll('svg.waits .node')].find(n => / tasks/.test(n.textContent)).querySelector('text')`)
	tb.panelHas("tasks")
	tb.shot("crowd", true)
}

func TestAccessible(t *testing.T) {
	reports := map[string]func(*testing.T) *report.Report{
		"trap":     full,
		"hang":     func(t *testing.T) *report.Report { return stored(t, "hang") },
		"ended":    func(t *testing.T) *report.Report { return stored(t, "ended") },
		"resolved": func(t *testing.T) *report.Report { return stored(t, "resolved") },
		"crowd":    func(t *testing.T) *report.Report { return crowd(t, 300) },
	}
	for name, r := range reports {
		for _, scheme := range []string{"light", "dark"} {
			if name == "crowd" && scheme == "dark" {
				continue // the same elements again, and slow
			}
			t.Run(name+"/"+scheme, func(t *testing.T) {
				t.Parallel()
				tb := open(t, r(t))
				tb.media("screen", scheme)
				tb.wait(`!document.querySelector('.flame') || document.querySelector('.flame g.frame')`)
				tb.shot(name+"-"+scheme, true)
				for _, v := range tb.axe() {
					t.Error(v)
				}
				if name == "crowd" || eval[bool](tb, `!document.querySelector('svg.waits .edge')`) {
					return
				}
				eval[bool](tb, `document.querySelectorAll('main details').forEach(d => { d.open = true }) || true`)
				tb.wait(`[...document.querySelectorAll('main details.where')].every(d => d.childElementCount > 1)`)
				tb.click(`document.querySelector('svg.waits .node text')`)
				tb.panelHas("")
				tb.shot(name+"-"+scheme+"-panel", false)
				for _, v := range tb.axe() {
					t.Errorf("with the panel: %s", v)
				}
				tb.click(`document.querySelector('.in-words button') ?? document.querySelector('#panel .close')`)
				for _, v := range tb.axe() {
					t.Errorf("with an edge: %s", v)
				}
			})
		}
	}
}

// TestTheGuardsWork breaks the page in the ways that the tests above look for:
// a check that cannot fail checks nothing.
func TestTheGuardsWork(t *testing.T) {
	tb := open(t, full(t))
	clear := func() []string {
		tb.mu.Lock()
		defer tb.mu.Unlock()
		p := tb.problems
		tb.problems = nil
		return p
	}
	if eval[bool](tb, `(() => { try { document.querySelector('h1').innerHTML = '<b>x</b>'; return true } catch { return false } })()`) {
		t.Error("a string becomes markup")
	}
	eval[bool](tb, `(() => {
		const i = document.createElement('img')
		i.src = 'http://127.0.0.1:9/x.png'
		document.body.append(i)
		fetch('http://127.0.0.1:9/').catch(() => {})
		return true
	})()`)
	time.Sleep(300 * time.Millisecond)
	if got := strings.Join(clear(), "\n"); !strings.Contains(got, "img-src") || !strings.Contains(got, "connect-src") && !strings.Contains(got, "default-src") {
		t.Errorf("the policy lets requests through, or nobody notices:\n%s", got)
	}
	eval[bool](tb, `(console.log('x'), setTimeout(() => { throw new Error('y') }), true)`)
	time.Sleep(200 * time.Millisecond)
	if got := clear(); len(got) != 2 {
		t.Errorf("a line on the console and an exception give %q", got)
	}
	eval[bool](tb, `document.documentElement.style.setProperty('--muted', '#aaaaaa') || true`)
	if got := strings.Join(tb.axe(), "\n"); !strings.Contains(got, "color-contrast") {
		t.Errorf("grey on white passes: %s", got)
	}
}

func TestThemeButton(t *testing.T) {
	tb := open(t, full(t))
	light := eval[string](tb, `getComputedStyle(document.body).backgroundColor`)
	tb.click(`document.querySelector('.theme')`)
	tb.wait(`getComputedStyle(document.body).backgroundColor !== '` + light + `'`)
}

func TestPhone(t *testing.T) {
	for _, name := range []string{"trap", "hang"} {
		t.Run(name, func(t *testing.T) {
			r := full(t)
			if name != "trap" {
				r = stored(t, name)
			}
			tb := open(t, r)
			tb.size(360, 780)
			tb.do(chromedp.Navigate("file://" + tb.file))
			tb.wait(`document.querySelector('main') && document.querySelector('.flame g.frame')`)
			if w := eval[int](tb, `document.documentElement.scrollWidth`); w > 360 {
				t.Errorf("the page is %d px wide on a phone of 360", w)
			}
			tb.shot(name+"-phone", true)
			tb.click(`document.querySelector('svg.waits .node.task text')`)
			tb.panelHas("Stack")
			tb.shot(name+"-phone-panel", false)
			for _, v := range tb.axe() {
				t.Error(v)
			}
		})
	}
}

func TestPrint(t *testing.T) {
	tb := open(t, full(t))
	tb.media("print", "light")
	if eval[bool](tb, `['.toc', '.top', '.tools', '#panel'].some(s => document.querySelector(s) && getComputedStyle(document.querySelector(s)).display !== 'none')`) {
		t.Error("controls are on paper")
	}
	res, err := chromedp.Call(tb.ctx, page.PrintToPDF, page.PrintToPDFParams{PrintBackground: ptr(true)})
	if err != nil {
		t.Fatal(err)
	}
	if len(res.Data) < 1000 {
		t.Errorf("%d bytes of PDF", len(res.Data))
	}
}

// TestShowcase takes the picture for docs/, where SHOTS is set.
func TestShowcase(t *testing.T) {
	r := analyzed(t, "dmesg/oom-3.2-memcg-trap-ext3.log")
	r.Incidents = r.Incidents[:1]
	tb := open(t, r)
	tb.size(1440, 1280)
	tb.wait(`document.querySelector('.flame g.frame')`)
	eval[bool](tb, `document.querySelector('svg.waits .node.role-invoker').focus() || true`)
	tb.keys("\r")
	tb.panelHas("Stack")
	eval[bool](tb, `(scrollTo({ top: 0, behavior: 'instant' }), true)`)
	tb.shot("showcase", false)
	tb.keys("\x1b")
	tb.shot("showcase-full", true)
}
