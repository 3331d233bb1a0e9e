package report_test

import (
	"reflect"
	"regexp"
	"strings"
	"testing"

	"github.com/oomtrace/oomtrace/report"
)

// secrets is a report with everything in it that Redact hides.
func secrets(t *testing.T) *report.Report {
	r := load(t, "testdata/trap.report.json")
	host := "db7.corp.example"
	cg := "/tenants/acme/user-4711.slice"
	addr := "ffff888123456780"
	r.Inputs[0].Name = "/home/alice/tickets/31415/dmesg.log"
	inc := &r.Incidents[0]
	inc.Host = &host
	release := "2.6.32.59"
	inc.Kernel.Release = &release
	inc.OOMs[0].Memcg = &cg
	inc.OOMs[0].Candidates[0].UID = 4711
	inc.WaitGraph.Nodes[3].Address = &addr
	inc.Headline = "bigwrite (pid 51) on db7 in " + cg + ", 10.1.2.3"
	f := &inc.Findings[0]
	f.Explanation = append(f.Explanation,
		"seen on db7.corp.example and on db7, not on db77, kernel 2.6.32.59",
		"the lock is at ffff888123456780, 0xffff888123456780 and [<c1234567>]",
		"peers 10.1.2.3, 2001:db8::7, 52:54:00:12:34:56 and 10.1.2.4 at 12:34:56",
		"in "+cg+"/memory.max of /sys/fs/cgroup/tenants/acme/memory.max, see /srv/acme/core and /proc/51/stack",
		"kworker/0:1 and jbd2/sda1-8 and bigwriter stay, bigwrite/51 and truncer:47 go",
		"[   47]  4711    47     3847     3628   1       0             0 truncer",
		"audit: uid=4711 auid=0 comm=\"truncer\"")
	f.Actions = append(f.Actions, "run `cat /proc/51/stack`; cat (pid 9) is a task")
	cat, kworker := "cat", "kworker/0:1"
	inc.Tasks = append(inc.Tasks, report.Task{ID: "task:9", Comm: &cat, Role: "bystander"}, report.Task{ID: "task:10", Comm: &kworker, Role: "bystander"})
	inc.Log = append(inc.Log, report.LogLine{Line: 9, Text: "Mar  2 10:11:12 db7 kernel: [    5.1] bigwrite invoked oom-killer"})
	return r
}

func TestRedactHidesTheOriginals(t *testing.T) {
	r := secrets(t)
	before := render(t, r, "json", report.Options{})
	red := report.Redact(r)
	if render(t, r, "json", report.Options{}) != before {
		t.Fatal("Redact changed its argument")
	}
	originals := regexp.MustCompile(`\b(db7|corp|tenants|acme|user-4711|4711|alice|31415|bigwrite|truncer|appender|10\.1\.2\.\d|2001:db8|52:54|ffff888123456780|ffffffff81[0-9a-f]+|c1234567)\b`)
	for _, f := range formats() {
		for _, opt := range []report.Options{{}, everything} {
			out := render(t, red, f.Name, opt)
			if f.Name == "pprof" {
				out = parseProfile(t, red).String()
			}
			if s := originals.FindString(out); s != "" {
				i := strings.Index(out, s)
				t.Errorf("%s has %q in %q", f.Name, s, out[max(0, i-100):min(len(out), i+100)])
			}
		}
	}

	all := render(t, red, "json", report.Options{})
	for _, want := range []string{
		"host-1", "comm-a1 (pid 51)", "/cg-1/cg-2/cg-3", "dir-1/dmesg.log", "kworker/0:1", "jbd2/sda1-8", "bigwriter", "db77",
		"seen on host-1 and on host-1, not on db77, kernel 2.6.32.59", "mem_cgroup_handle_oom",
		"/proc/51/stack", "/cg-1/cg-2/cg-3/memory.max of /sys/fs/cgroup/cg-1/cg-2/memory.max", "12:34:56", "run `cat /proc/51/stack`; comm-a4 (pid 9) is a task", "ip-1", "ip-2", "mac-1", "uid=90001 auid=0",
		"[   47]  90001    47", "comm-a1/51 and comm-a2:47 go", "Mar  2 10:11:12 host-1 kernel: [    5.1] comm-a1 invoked oom-killer",
	} {
		if !strings.Contains(all, want) && !strings.Contains(all, strings.ReplaceAll(want, `"`, `\"`)) {
			t.Errorf("the redacted report does not have %q", want)
		}
	}
	if err := validate(t, compileSchema(t), all); err != nil {
		t.Error(err)
	}
}

// The graph of a redacted report is the same graph: each id that an edge or a
// task names is there.
func TestRedactKeepsTheGraph(t *testing.T) {
	for name, r := range cases(t) {
		red := report.Redact(r)
		for i := range red.Incidents {
			nodes := make(map[string]bool)
			for _, n := range red.Incidents[i].WaitGraph.Nodes {
				nodes[n.ID] = true
			}
			if len(nodes) != len(r.Incidents[i].WaitGraph.Nodes) {
				t.Errorf("%s: nodes became one", name)
			}
			for j, e := range red.Incidents[i].WaitGraph.Edges {
				old := r.Incidents[i].WaitGraph
				has := func(id string) bool {
					for _, n := range old.Nodes {
						if n.ID == id {
							return true
						}
					}
					return false
				}
				if nodes[e.From] != has(old.Edges[j].From) || nodes[e.To] != has(old.Edges[j].To) {
					t.Errorf("%s: edge %s -> %s leads nowhere", name, e.From, e.To)
				}
			}
		}
		if again := report.Redact(r); !reflect.DeepEqual(again, red) {
			t.Errorf("%s: not the same twice", name)
		}
	}
	for _, r := range poisoned(t) {
		report.Redact(r)
	}
}
