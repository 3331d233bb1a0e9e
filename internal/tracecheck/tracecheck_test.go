package tracecheck_test

import (
	"strings"
	"testing"

	"github.com/oomtrace/oomtrace/internal/tracecheck"
)

const names = `{"name":"process_name","ph":"M","pid":1,"tid":0,"args":{"name":"p"}},
{"name":"thread_name","ph":"M","pid":1,"tid":2,"args":{"name":"t"}},`

func check(events string) []string {
	return tracecheck.Check([]byte(`{"displayTimeUnit":"ms","traceEvents":[`+names+events+`]}`), true)
}

const slice = `{"name":"a","cat":"c","ph":"X","ts":10,"dur":5.25,"pid":1,"tid":2,"args":{"line":1}}`

func TestGood(t *testing.T) {
	for _, events := range []string{
		slice,
		slice + `,{"name":"in it","cat":"c","ph":"X","ts":10,"dur":1,"pid":1,"tid":2}`,
		slice + `,{"name":"after it","cat":"c","ph":"X","ts":15.25,"dur":9,"pid":1,"tid":2}`,
		`{"name":"at","cat":"c","ph":"i","ts":1,"s":"p","pid":1,"tid":0}`,
		slice + `,{"name":"f","cat":"c","ph":"s","ts":15.249,"id":1,"pid":1,"tid":2},{"name":"f","cat":"c","ph":"f","bp":"e","ts":15.249,"id":1,"pid":1,"tid":2}`,
		`{"name":"x","cat":"c","ph":"B","ts":1,"pid":1,"tid":2},{"name":"x","cat":"c","ph":"E","ts":2,"pid":1,"tid":2}`,
		`{"name":"x","cat":"c","ph":"b","id":7,"ts":1,"pid":1,"tid":2},{"name":"x","cat":"c","ph":"e","id":7,"ts":2,"pid":1,"tid":2}`,
		`{"name":"n","cat":"c","ph":"C","ts":1,"pid":1,"tid":2,"args":{"v":1.5}}`,
	} {
		if p := check(events); p != nil {
			t.Errorf("%s: %q", events, p)
		}
	}
}

func TestBad(t *testing.T) {
	edit := func(old, new string) string { return strings.Replace(slice, old, new, 1) }
	for _, test := range []struct{ events, want string }{
		{edit(`"ph":"X",`, ``), "no phase"},
		{edit(`"ph":"X"`, `"ph":"Q"`), "phase"},
		{edit(`"name":"a",`, ``), "no name"},
		{edit(`"cat":"c",`, ``), "no category"},
		{edit(`"ts":10,`, ``), "no ts"},
		{edit(`"ts":10`, `"ts":-1`), "ts -1"},
		{edit(`"ts":10`, `"ts":10.00001`), "nanosecond"},
		{edit(`"ts":10`, `"ts":"x"`), "invalid number"},
		{edit(`"dur":5.25,`, ``), "no dur"},
		{edit(`"dur":5.25`, `"dur":-5`), "dur -5"},
		{edit(`"pid":1`, `"pid":1.5`), "pid 1.5"},
		{edit(`"pid":1`, `"pid":3`), "process 3 has no name"},
		{edit(`"tid":2`, `"tid":3`), "has no name"},
		{edit(`"tid":2`, `"tid":4294967296`), "tid"},
		{edit(`"args"`, `"arguments"`), "unknown field"},
		{edit(`{"line":1}`, `[]`), "cannot unmarshal"},
		{slice + `,{"name":"across","cat":"c","ph":"X","ts":12,"dur":5,"pid":1,"tid":2}`, "goes on after"},
		{slice + `,{"name":"at","cat":"c","ph":"i","ts":1,"pid":1,"tid":2}`, "scope"},
		{slice + `,{"name":"at","cat":"c","ph":"i","ts":1,"s":"x","pid":1,"tid":2}`, "scope"},
		{slice + `,{"name":"f","cat":"c","ph":"s","ts":12,"pid":1,"tid":2}`, "id"},
		{slice + `,{"name":"f","cat":"c","ph":"s","ts":12,"id":1,"pid":1,"tid":2}`, "no end"},
		{slice + `,{"name":"f","cat":"c","ph":"f","bp":"e","ts":12,"id":1,"pid":1,"tid":2}`, "did not start"},
		{slice + `,{"name":"f","cat":"c","ph":"s","ts":20,"id":1,"pid":1,"tid":2},{"name":"f","cat":"c","ph":"f","bp":"e","ts":20,"id":1,"pid":1,"tid":2}`, "the last slice"},
		{slice + `,{"name":"f","cat":"c","ph":"s","ts":15.25,"id":1,"pid":1,"tid":2},{"name":"f","cat":"c","ph":"f","bp":"e","ts":15.25,"id":1,"pid":1,"tid":2}`, "the last slice"},
		{`{"name":"f","cat":"c","ph":"s","ts":5,"id":1,"pid":1,"tid":2},` + slice, "without a slice"},
		{slice + `,{"name":"f","cat":"c","ph":"s","ts":12,"id":1,"pid":1,"tid":2},{"name":"f","cat":"c","ph":"f","bp":"x","ts":12,"id":1,"pid":1,"tid":2}`, "binding"},
		{`{"name":"x","cat":"c","ph":"B","ts":1,"pid":1,"tid":2}`, "without an end"},
		{`{"name":"x","cat":"c","ph":"E","ts":1,"pid":1,"tid":2}`, "without a begin"},
		{`{"name":"x","cat":"c","ph":"e","id":1,"ts":1,"pid":1,"tid":2}`, "without a begin"},
		{`{"name":"n","cat":"c","ph":"C","ts":1,"pid":1,"tid":2}`, "without a value"},
		{`{"name":"thread_name","ph":"M","pid":1,"tid":2,"args":{"name":"again"}},` + slice, "two names"},
		{`{"name":"thread_name","ph":"M","pid":1,"tid":3,"args":{"name":""}},` + slice, "thread_name"},
		{`{"name":"thread_nam","ph":"M","pid":1,"tid":3,"args":{"name":"x"}},` + slice, "metadata"},
		{`{"name":"thread_name","ph":"M","pid":1,"tid":3,"args":{"name":"x"}}`, "nothing but metadata"},
	} {
		if p := strings.Join(check(test.events), "; "); !strings.Contains(p, test.want) {
			t.Errorf("%s: problems %q, want %q", test.events, p, test.want)
		}
	}
	for _, whole := range []string{``, `{}`, `[`, `{"traceEvents":{}}`, `{"traceEvents":[]`, `{"traceEvents":[],"displayTimeUnit":"us"}`, "{\"traceEvents\":[{\"name\":\"\xff\"}]}"} {
		if tracecheck.Check([]byte(whole), false) == nil {
			t.Errorf("nothing is wrong with %q", whole)
		}
	}
}
