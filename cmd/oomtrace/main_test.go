package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/oomtrace/oomtrace/report"
)

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"oomtrace": main})
}

// TestScripts runs testdata/script. $LOGS is the directory of real logs.
func TestScripts(t *testing.T) {
	logs, err := filepath.Abs("../../testdata/dmesg")
	if err != nil {
		t.Fatal(err)
	}
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		RequireExplicitExec: true,
		RequireUniqueNames:  true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("LOGS", logs)
			env.Setenv("NO_COLOR", "")
			env.Setenv("TERM", "xterm")
			return nil
		},
		Condition: func(cond string) (bool, error) {
			return cond == "root" && os.Geteuid() == 0, nil
		},
		Cmds: map[string]func(ts *testscript.TestScript, neg bool, args []string){
			"escapes": escapes,
			"cut":     cut,
			"inits":   inits,
		},
	})
}

// escapes checks that standard output has ANSI escapes, or ! none.
func escapes(ts *testscript.TestScript, neg bool, args []string) {
	if strings.Contains(ts.ReadFile("stdout"), "\x1b[") == neg {
		ts.Fatalf("escapes in stdout: %v", !neg)
	}
}

// inits N checks that the packages of the program allocate at most N bytes
// before main, as GODEBUG=inittrace=1 said on standard error.
func inits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: inits N")
	}
	most, err := strconv.Atoi(args[0])
	ts.Check(err)
	sum, found := 0, regexp.MustCompile(`(?m)^init (\S+) @.* clock, (\d+) bytes`).FindAllStringSubmatch(ts.ReadFile("stderr"), -1)
	for _, m := range found {
		n, err := strconv.Atoi(m[2])
		ts.Check(err)
		if sum += n; n > most/5 {
			ts.Logf("%s: %d bytes", m[1], n)
		}
	}
	if len(found) == 0 || sum > most {
		ts.Fatalf("%d packages allocate %d bytes, want at most %d", len(found), sum, most)
	}
}

// cut NAME FILE TEXT writes FILE up to the first TEXT to NAME: a log that ends
// in the middle of a report.
func cut(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 3 {
		ts.Fatalf("usage: cut NAME FILE TEXT")
	}
	data, err := os.ReadFile(ts.MkAbs(args[1]))
	ts.Check(err)
	at := bytes.Index(data, []byte(args[2]))
	if at < 0 {
		ts.Fatalf("%s does not have %q", args[1], args[2])
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data[:at], 0o666))
}

// The name of a file must not act on the terminal that it is printed on.
func TestOneLine(t *testing.T) {
	for in, want := range map[string]string{
		"dmesg.log":   "dmesg.log",
		"größe":       "größe",
		"\x1b[31mred": `\x1b[31mred`,
		"a\nb":        `a\nb`,
		"\xff.log":    `\xff.log`,
		"\u202elog":   `\u202elog`,
	} {
		if got := oneLine(in); got != want {
			t.Errorf("oneLine(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestWriteFile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "report")
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	link := filepath.Join(dir, "link")
	if err := os.Symlink("report", link); err != nil {
		t.Fatal(err)
	}

	err := writeFile(link, func(w io.Writer) error {
		io.WriteString(w, "half of the new")
		return errors.New("no more")
	})
	if err == nil || err.Error() != "no more" {
		t.Errorf("failed write: %v", err)
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("after a failed write the file holds %q, want the old", got)
	}

	if err := writeFile(link, func(w io.Writer) error { _, err := io.WriteString(w, "new"); return err }); err != nil {
		t.Fatal(err)
	}
	if got, _ := os.ReadFile(path); string(got) != "new" {
		t.Errorf("the file holds %q, want the new", got)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v, %v", info, err)
	}
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, want that of the old file", info.Mode())
	}
	if left, _ := os.ReadDir(dir); len(left) != 2 {
		t.Errorf("%d files, want 2: a temporary one was left", len(left))
	}
}

func TestFound(t *testing.T) {
	r := &report.Report{Incidents: []report.Incident{{Findings: []report.Finding{
		{Verdict: "hang", Confidence: "confirmed"},
		{Verdict: "livelock", Confidence: "likely"},
	}}}}
	for level, want := range map[string]bool{"possible": true, "likely": true, "confirmed": false} {
		if got := found(r, level); got != want {
			t.Errorf("found(%s) = %v, want %v", level, got, want)
		}
	}
	if found(&report.Report{}, "possible") {
		t.Error("found something in an empty report")
	}
}

// Remarks on a hostile or hopeless log do not flood the terminal.
func TestDiagnose(t *testing.T) {
	line := 7
	in := report.Input{Name: "a\x1b.log"}
	for range maxDiagnostics + 5 {
		in.Diagnostics = append(in.Diagnostics, report.Diagnostic{Line: &line, Severity: "warning", Code: "truncated-report", Message: "cut"})
	}
	in.Diagnostics = append(in.Diagnostics,
		report.Diagnostic{Severity: "info", Code: "note", Message: "by the way"},
		report.Diagnostic{Severity: "error", Code: unreadable, Message: "input/output error"})
	var b bytes.Buffer
	if !diagnose(&b, &report.Report{Inputs: []report.Input{in}}, false) {
		t.Error("the input counts as read")
	}
	want := strings.Repeat("oomtrace: a\\x1b.log:7: cut\n", maxDiagnostics) +
		"oomtrace: a\\x1b.log: input/output error\n" +
		"oomtrace: a\\x1b.log: 5 more remarks; -v shows them\n"
	if diff := cmp.Diff(want, b.String()); diff != "" {
		t.Errorf("stderr (-want +got):\n%s", diff)
	}
	b.Reset()
	diagnose(&b, &report.Report{Inputs: []report.Input{in}}, true)
	if got := strings.Count(b.String(), "\n"); got != maxDiagnostics+5+2 {
		t.Errorf("-v prints %d remarks, want all %d", got, maxDiagnostics+7)
	}
}
