package detect_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/oomtrace/oomtrace/detect"
	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/internal/golden"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/report"
	"github.com/oomtrace/oomtrace/stacks"
)

// analyze runs the stages on the log files of a case. Its comment can name a
// handler or a daemon, a line each: "handler: NAME", "daemon: NAME".
func analyze(t *testing.T, ar *txtar.Archive) []report.Incident {
	t.Helper()
	opt := waitgraph.Options{Model: lockmodel.Embedded()}
	for _, l := range strings.Split(string(ar.Comment), "\n") {
		if v, ok := strings.CutPrefix(l, "handler: "); ok {
			opt.Handlers = append(opt.Handlers, v)
		}
		if v, ok := strings.CutPrefix(l, "daemon: "); ok {
			opt.Daemons = append(opt.Daemons, v)
		}
	}
	var c stacks.Collector
	n := 0
	for _, f := range ar.Files {
		if f.Name == "want" {
			continue
		}
		if _, err := parse.Read(bytes.NewReader(f.Data), parse.Options{Input: n}, c.Add); err != nil {
			t.Fatal(err)
		}
		n++
	}
	var out []report.Incident
	for _, s := range c.Snapshots() {
		out = append(out, detect.Run(waitgraph.Build(s, opt))...)
	}
	return out
}

// TestDetectors runs detect/testdata/<id>/{fires,quiet}-*.txtar: a fires case
// must have a finding of the rule with a verdict of its own, a quiet case none
// at all (or only one that says how it ended), and both must match "want".
func TestDetectors(t *testing.T) {
	for _, id := range detect.IDs() {
		for _, kind := range []string{"fires", "quiet"} {
			files, _ := filepath.Glob(filepath.Join("testdata", id, kind+"-*.txtar"))
			if len(files) == 0 {
				t.Errorf("testdata/%s has no %s-*.txtar case", id, kind)
			}
			for _, file := range files {
				t.Run(id+"/"+filepath.Base(file), func(t *testing.T) { runCase(t, file, id, kind) })
			}
		}
	}
	dirs, _ := os.ReadDir("testdata")
	for _, d := range dirs {
		if d.Name() != "quiet" && !slices.Contains(detect.IDs(), d.Name()) {
			t.Errorf("testdata/%s is of no detector", d.Name())
		}
	}
}

func runCase(t *testing.T, file, id, kind string) {
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	ar := txtar.Parse(data)
	incs := analyze(t, ar)
	fired := false
	var b strings.Builder
	for _, inc := range incs {
		fmt.Fprintf(&b, "%s %s: %s\n", inc.Verdict, inc.Confidence, inc.Headline)
		mech := ""
		if inc.SynchronizePath.Mechanism != nil {
			mech = "/" + *inc.SynchronizePath.Mechanism
		}
		fmt.Fprintf(&b, "  era %s by %s, synchronize %s%s\n", inc.Kernel.Era, inc.Kernel.EraBasis, inc.SynchronizePath.Status, mech)
		for _, f := range inc.Findings {
			fmt.Fprintf(&b, "  %s %s %s: %s\n", f.Rule, f.Verdict, f.Confidence, f.Summary)
			fired = fired || f.Rule == id && f.Ended == nil
		}
		for _, e := range inc.WaitGraph.Edges {
			ended := ""
			if e.Ended {
				ended = " (ended)"
			}
			fmt.Fprintf(&b, "    %s -> %s %s %s%s\n", e.From, e.To, e.Relation, e.Basis, ended)
		}
	}
	if fired != (kind == "fires") {
		t.Errorf("%s: rule fired = %v\n%s", file, fired, b.String())
	}
	i := slices.IndexFunc(ar.Files, func(f txtar.File) bool { return f.Name == "want" })
	if golden.Updating() {
		if i < 0 {
			ar.Files = append(ar.Files, txtar.File{Name: "want"})
			i = len(ar.Files) - 1
		}
		ar.Files[i].Data = []byte(b.String())
		if err := os.WriteFile(file, txtar.Format(ar), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if i < 0 || string(ar.Files[i].Data) != b.String() {
		t.Errorf("%s: got\n%s", file, b.String())
	}
}

// TestDocumented: every detector explains itself.
func TestDocumented(t *testing.T) {
	for _, d := range detect.All() {
		if d.ID == "" || d.Title == "" || d.Means == "" || d.Proof == "" || d.Quiet == "" || d.Versions == "" || len(d.Actions) == 0 || len(d.Collect) == 0 || d.Run == nil {
			t.Errorf("%s lacks documentation", d.ID)
		}
		for _, f := range d.Fixes {
			if len(f.Commit) != 12 || f.Subject == "" || f.First == "" {
				t.Errorf("%s: incomplete fix %+v", d.ID, f)
			}
		}
		if text, ok := detect.Explain(d.ID); !ok || !strings.Contains(text, d.Title) {
			t.Errorf("explain %s: %q", d.ID, text)
		}
	}
}

// TestDocsPage keeps docs/detectors.md equal to the code.
func TestDocsPage(t *testing.T) {
	golden.Check(t, filepath.Join("..", "docs", "detectors.md"), detect.Page())
}

// TestConfidenceTable keeps the table in docs/lock-model.md equal to the rule.
func TestConfidenceTable(t *testing.T) {
	const file, begin, end = "../docs/lock-model.md", "<!-- confidence: go test ./detect -run TestConfidenceTable -update -->\n", "<!-- end of confidence -->\n"
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, ok := strings.Cut(string(data), begin)
	_, tail, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s has no place for the table", file)
	}
	golden.Check(t, file, []byte(head+begin+"\n"+string(detect.ConfidenceTable())+"\n"+end+tail))
}
