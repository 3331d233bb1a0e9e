package report_test

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"os"
	"regexp"
	"strings"
	"testing"
	"unicode"

	"github.com/oomtrace/oomtrace/report"
)

// between returns what stands between two strings, "" where they do not.
func between(s, from, to string) string {
	_, s, _ = strings.Cut(s, from)
	s, _, ok := strings.Cut(s, to)
	if !ok {
		return ""
	}
	return s
}

func pageData(t *testing.T, page string) string {
	t.Helper()
	data := between(page, `<script type="application/json" id="report-data">`, "</script>")
	if !json.Valid([]byte(data)) {
		t.Fatalf("the data of the page is no JSON: %.200s", data)
	}
	return data
}

func TestHTMLAllowsItsOwnScriptOnly(t *testing.T) {
	for name, r := range cases(t) {
		page := render(t, r, "html", report.Options{})
		csp := html.UnescapeString(between(page, `<meta http-equiv="Content-Security-Policy" content="`, `"`))
		hash := func(s string) string {
			sum := sha256.Sum256([]byte(s))
			return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
		}
		script, style := between(page, "<script>", "</script>"), between(page, "<style>", "</style>")
		if len(script) < 1000 || len(style) < 1000 {
			t.Fatalf("%s: script of %d bytes, style of %d", name, len(script), len(style))
		}
		for _, want := range []string{"default-src 'none'", "script-src " + hash(script), "style-src " + hash(style), "base-uri 'none'", "form-action 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(csp, want) {
				t.Errorf("%s: the policy lacks %s:\n%s", name, want, csp)
			}
		}
		if strings.Contains(csp, "unsafe") || strings.Contains(csp, "http") {
			t.Errorf("%s: the policy is lax: %s", name, csp)
		}
		if i, j := strings.Index(page, "Content-Security-Policy"), strings.Index(page, "<style"); i > j {
			t.Errorf("%s: the policy comes after what it is to guard", name)
		}
	}
}

func TestHTMLLoadsNothing(t *testing.T) {
	// The script has the names of SVG's and XHTML's namespaces, which nobody
	// loads; markup has no address at all.
	attr := regexp.MustCompile(`(?i)<[a-z][^<>]*\s(src|href|srcset|action|data|poster|ping|style|on[a-z]+)\s*=\s*["']?([^"'\s>]*)`)
	for name, r := range cases(t) {
		page := render(t, r, "html", report.Options{})
		markup := strings.Replace(page, between(page, "<script>", "</script>"), "", 1)
		markup = strings.Replace(markup, pageData(t, page), "", 1)
		markup = strings.Replace(markup, between(page, "<style>", "</style>"), "", 1)
		for _, m := range attr.FindAllStringSubmatch(markup, -1) {
			if m[1] != "href" || m[2] != "data:," {
				t.Errorf("%s: %s", name, m[0])
			}
		}
		style := between(page, "<style>", "</style>")
		if strings.Contains(style, "url(") || strings.Contains(style, "@import") {
			t.Errorf("%s: the style sheet loads something", name)
		}
		script := between(page, "<script>", "</script>")
		for _, bad := range []string{"XMLHttpRequest", "fetch(", "WebSocket", "sendBeacon", "importScripts", "EventSource", "eval(", "new Function", "document.write"} {
			if strings.Contains(script, bad) {
				t.Errorf("the script has %s", bad)
			}
		}
	}
}

func TestHTMLOfAHostileLog(t *testing.T) {
	r := cases(t)["hostile"]
	evil := "</script><!--<script>alert(1)</script>\u2028\u2029\u202e\x1b[31m\x00\"'`" + longComm
	inc := &r.Incidents[0]
	inc.Headline += evil
	inc.Timeline = append(inc.Timeline, report.Event{Kind: evil, Text: evil, Wall: &evil, Task: &evil})
	inc.Log = append(inc.Log, report.LogLine{Line: 7, Text: evil}, report.LogLine{Line: 8, Text: evil})
	inc.WaitGraph.Edges = append(inc.WaitGraph.Edges, report.Edge{From: evil, To: evil + "2", Relation: evil, Basis: evil, Fact: &evil, Why: []string{evil}})
	for i := range inc.Tasks {
		for j := range inc.Tasks[i].Stack {
			inc.Tasks[i].Stack[j].Role, inc.Tasks[i].Stack[j].Lock = &evil, &evil
		}
	}
	page := render(t, r, "html", report.Options{})
	if strings.Contains(page, "<script>alert") || strings.Contains(page, "alert(1)</script") {
		t.Error("a script of the log is one of the page")
	}
	if n := strings.Count(page, "<script"); n != 2 {
		t.Errorf("%d scripts, want 2", n)
	}
	data := pageData(t, page)
	if strings.ContainsAny(data, "<>&\u2028\u2029") {
		t.Error("the data has markup in it")
	}
	rest := strings.Replace(page, between(page, "<script>", "</script>"), "", 1)
	for _, c := range rest {
		if c != '\n' && c != '\t' && c != '\r' && !unicode.IsPrint(c) {
			t.Errorf("the page has %U", c)
		}
	}
	var v any
	if err := json.Unmarshal([]byte(data), &v); err != nil {
		t.Fatal(err)
	}
	harmless(t, v)
	if len(data) > 500_000 {
		t.Errorf("%d bytes of data: names of 100 kB are not cut", len(data))
	}
}

func TestHTMLOfAHostileTrace(t *testing.T) {
	seen := 0
	for name, r := range poisoned(t) {
		if r.Trace == nil {
			continue
		}
		seen++
		page := render(t, r, "html", report.Options{})
		if n := strings.Count(page, "<script"); n != 2 {
			t.Errorf("%s: %d scripts, want 2", name, n)
		}
		static := between(page, "<noscript>", "</noscript>")
		if !strings.Contains(static, "&lt;script&gt;alert(1)") || strings.Contains(static, "<script") || unprintable(static) != nil {
			t.Errorf("%s: text of the trace is not escaped without scripts: %.300q", name, static)
		}
		var v any
		if err := json.Unmarshal([]byte(pageData(t, page)), &v); err != nil {
			t.Fatal(err)
		}
		harmless(t, v)
	}
	if seen == 0 {
		t.Error("no hostile trace")
	}
}

// A trace of many tasks does not make a page that no browser opens.
func TestHTMLOfALongTrace(t *testing.T) {
	r := cases(t)["trace"]
	k := r.Trace.Tasks[0]
	for len(k.Spans) < 256 {
		k.Spans = append(k.Spans, k.Spans[len(k.Spans)%5])
	}
	r.Trace.Tasks = nil
	for i := range 500 {
		k.Pid, k.ID = 1000+i, fmt.Sprintf("task:%d", 1000+i)
		r.Trace.Tasks = append(r.Trace.Tasks, k)
	}
	if n := len(render(t, r, "html", report.Options{})); n > 4_000_000 {
		t.Errorf("128,000 spans take %d bytes", n)
	}
}

// harmless fails where a string of the page's data would act when shown.
func harmless(t *testing.T, v any) {
	t.Helper()
	switch v := v.(type) {
	case string:
		for _, c := range v {
			if !unicode.IsPrint(c) {
				t.Errorf("%q has %U", fmt.Sprintf("%.80s", v), c)
				return
			}
		}
		if n := len([]rune(v)); n > 10_000 {
			t.Errorf("a text of %d characters", n)
		}
	case []any:
		for _, x := range v {
			harmless(t, x)
		}
	case map[string]any:
		for _, x := range v {
			harmless(t, x)
		}
	}
}

func TestHTMLSize(t *testing.T) {
	for name, r := range cases(t) {
		if n := len(render(t, r, "html", report.Options{})); n > 1_500_000 {
			t.Errorf("%s: %d bytes", name, n)
		}
	}
	// Ten thousand tasks with one stack: it is in the page once.
	r := cases(t)["trap"]
	inc := &r.Incidents[0]
	for i := range 10_000 {
		pid := 1000 + i
		task := inc.Tasks[0]
		task.ID, task.Pid = fmt.Sprintf("task:%d", pid), &pid
		inc.Tasks = append(inc.Tasks, task)
	}
	page := render(t, r, "html", report.Options{})
	if n := len(page); n > 4_000_000 {
		t.Errorf("10,000 tasks take %d bytes", n)
	}
	if n := strings.Count(page, `"generic_perform_write"`); n != 1 {
		t.Errorf("a frame that all tasks have is in the page %d times", n)
	}
}

func TestHTMLIsDeterministic(t *testing.T) {
	a, b := cases(t), cases(t)
	for name := range a {
		if render(t, a[name], "html", report.Options{}) != render(t, b[name], "html", report.Options{}) {
			t.Errorf("%s: two renderings differ", name)
		}
	}
}

func TestHTMLOfNothing(t *testing.T) {
	page := render(t, &report.Report{}, "html", report.Options{})
	pageData(t, page)
	if !strings.Contains(page, "<li>nothing</li>") {
		t.Error("without scripts the page does not say that nothing was found")
	}
}

func TestHTMLNamesItsLibraries(t *testing.T) {
	page := render(t, &report.Report{}, "html", report.Options{})
	pinned, err := os.ReadFile("html/package.json")
	if err != nil {
		t.Fatal(err)
	}
	var pkg struct{ Dependencies map[string]string }
	if err := json.Unmarshal(pinned, &pkg); err != nil {
		t.Fatal(err)
	}
	for name, version := range pkg.Dependencies {
		if !strings.Contains(html.UnescapeString(page), name+" "+version+" (") {
			t.Errorf("no licence of %s %s in the page: run html/build.sh", name, version)
		}
	}
	lock, err := os.ReadFile("html/package-lock.json")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(lock), `"resolved"`) {
		t.Error("package-lock.json names where one machine got its packages")
	}
}
