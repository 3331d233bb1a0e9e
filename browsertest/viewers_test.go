package browsertest

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	cdpruntime "github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"

	"github.com/oomtrace/oomtrace/report"
)

func rendered(t *testing.T, r *report.Report, format string, opt report.Options) []byte {
	t.Helper()
	var buf bytes.Buffer
	if err := report.Write(&buf, r, format, opt); err != nil {
		t.Fatal(err)
	}
	return buf.Bytes()
}

// speedscopeGroup is what speedscope made of a file, as it exports it: each
// profile as frames that open and close.
type speedscopeGroup struct {
	Shared struct {
		Frames []struct{ Name string }
	}
	Profiles []speedscopeProfile
}

type speedscopeProfile struct {
	Type, Name, Unit     string
	StartValue, EndValue float64
	Events               []struct {
		Type  string
		Frame int
		At    float64
	}
}

// speedscoped imports a file with speedscope, in the page that its package has,
// and returns what it then exports.
func speedscoped(t *testing.T, name string, data []byte) *speedscopeGroup {
	t.Helper()
	index, err := filepath.Abs("node_modules/speedscope/dist/release/index.html")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(index); err != nil {
		t.Skip("no speedscope here: run.sh installs it (npm ci)")
	}
	ctx := newTab(t, 60*time.Second)
	var mu sync.Mutex
	var said []string
	if err := chromedp.Listen(ctx, func(ev any) {
		if e, ok := ev.(*cdpruntime.EventConsoleAPICalled); ok {
			mu.Lock()
			defer mu.Unlock()
			for _, a := range e.Args {
				said = append(said, string(a.Value))
			}
		}
	}); err != nil {
		t.Fatal(err)
	}

	// The way its command line opens a file.
	loader := filepath.Join(t.TempDir(), "file.js")
	js := fmt.Sprintf("speedscope.loadFileFromBase64(%q, %q)", name, base64.StdEncoding.EncodeToString(data))
	if err := os.WriteFile(loader, []byte(js), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := chromedp.Do(ctx, chromedp.Navigate("file://"+index+"#localProfilePath="+loader)); err != nil {
		t.Fatal(err)
	}
	tb := &tab{t: t, ctx: ctx}
	for start := time.Now(); !eval[bool](tb, `document.title.endsWith(' - speedscope') && document.body.innerText.includes('Export')`); time.Sleep(50 * time.Millisecond) {
		if time.Since(start) > 20*time.Second {
			mu.Lock()
			defer mu.Unlock()
			t.Fatalf("speedscope does not open %s: %q, console: %q", name, eval[string](tb, `document.body.innerText`), said)
		}
	}
	out, err := chromedp.Run(ctx, chromedp.Evaluate[string](`(async () => {
		let blob
		URL.createObjectURL = b => { blob = b; return '#' }
		const texts = [...document.querySelectorAll('div')].filter(e => e.innerText?.endsWith('Export') && !e.querySelector('div'))
		texts.at(-1).click()
		for (let i = 0; i < 100 && !blob; i++) await new Promise(r => setTimeout(r, 20))
		return blob ? await blob.text() : 'nothing was exported'
	})()`, chromedp.EvalAwaitPromise))
	if err != nil {
		t.Fatal(err)
	}
	var g speedscopeGroup
	if err := json.Unmarshal([]byte(out), &g); err != nil {
		t.Fatalf("speedscope exports %.300q: %v", out, err)
	}
	return &g
}

// width is how wide the frames are whose names begin with a prefix, in the
// profiles whose names have a part, and in what unit. Each profile must close
// what it opens.
func (g *speedscopeGroup) width(t *testing.T, part, prefix string) string {
	t.Helper()
	sum, unit := 0.0, ""
	for _, p := range g.Profiles {
		var open []int
		var at []float64
		for _, e := range p.Events {
			if e.Type == "O" {
				open, at = append(open, e.Frame), append(at, e.At)
				continue
			}
			n := len(open) - 1
			if n < 0 || open[n] != e.Frame {
				t.Fatalf("%s: speedscope closes what is not open", p.Name)
			}
			if strings.Contains(p.Name, part) && strings.HasPrefix(g.Shared.Frames[e.Frame].Name, prefix) {
				sum, unit = sum+e.At-at[n], p.Unit
			}
			open, at = open[:n], at[:n]
		}
		if len(open) > 0 {
			t.Errorf("%s: %d frames stay open", p.Name, len(open))
		}
	}
	return fmt.Sprintf("%.0f %s", sum, unit)
}

func TestSpeedscopeTakesTraceEvents(t *testing.T) {
	g := speedscoped(t, "oomtrace.json", rendered(t, stored(t, "trace"), "trace-events", report.Options{}))
	for _, test := range []struct{ thread, slice, want string }{
		{"truncer (tid 101)", "lock wait: 00000000037da8a8 in do_truncate", "28272971 microseconds"},
		{"truncer: scheduler", "blocked: do_truncate()", "28272614 microseconds"},
		{"holder: scheduler", "sleeping: handle_userfault()", "30243656 microseconds"},
	} {
		if got := g.width(t, test.thread, test.slice); got != test.want {
			t.Errorf("%s in %s: %s, want %s", test.slice, test.thread, got, test.want)
		}
	}
}

func TestSpeedscopeTakesProfiles(t *testing.T) {
	r := stored(t, "trace")
	byLock := report.Options{SampleType: "lockwait"}
	for _, test := range []struct{ file, format, profile, unit string }{
		{"oomtrace.pb.gz", "pprof", "", " nanoseconds"},
		{"oomtrace.txt", "folded", "", " none"},
		{"oomtrace.speedscope.json", "speedscope", "trace, time waiting for locks", " nanoseconds"},
	} {
		g := speedscoped(t, test.file, rendered(t, r, test.format, byLock))
		if got, want := g.width(t, test.profile, "do_truncate"), "28272971000"+test.unit; got != want {
			t.Errorf("%s: do_truncate is %s wide, want %s", test.format, got, want)
		}
	}
}
