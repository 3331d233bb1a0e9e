package detect_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/oomtrace/oomtrace/report"
)

// treeLog writes the hung-task reports of a 6.1 with lockdep for a tree of n
// tasks: root waits for a thaw with one inode lock held, each other task waits
// for the lock of its parent and, if it has children, holds one of its own.
func treeLog(n, fanIn int) string {
	var b strings.Builder
	b.WriteString("[    0.000000] Linux version 6.1.0-18-amd64 (build@host) (gcc) #1 SMP\n")
	at := 1000.0
	p := func(format string, a ...any) {
		at += 0.0001
		fmt.Fprintf(&b, "[%12.6f] %s\n", at, fmt.Sprintf(format, a...))
	}
	const syscall = " do_syscall_64 entry_SYSCALL_64_after_hwframe"
	hung := func(comm string, pid int, frames string) {
		p("INFO: task %s:%d blocked for more than 120 seconds.", comm, pid)
		p("task:%-15s state:D stack:0     pid:%-5d ppid:1      flags:0x00000002", comm, pid)
		p("Call Trace:")
		p(" <TASK>")
		for _, f := range strings.Fields(frames + syscall) {
			p(" %s+0x10/0x80", f)
		}
		p(" </TASK>")
	}
	hung("root", 100, "__schedule schedule percpu_rwsem_wait __percpu_down_read ext4_page_mkwrite do_page_mkwrite __handle_mm_fault handle_mm_fault do_user_addr_fault exc_page_fault "+
		"asm_exc_page_fault ext4_file_write_iter vfs_write ksys_write __x64_sys_write")
	for i := 1; i < n; i++ {
		hung("writer", 100+i, "__schedule schedule rwsem_down_write_slowpath down_write ext4_buffered_write_iter ext4_file_write_iter vfs_write ksys_write __x64_sys_write")
	}
	p("Showing all locks held in the system:")
	lock := func(i int) string {
		return fmt.Sprintf("ffff8881%08x (&sb->s_type->i_mutex_key#10){++++}-{3:3}, at: ext4_buffered_write_iter+0x38/0x130", i)
	}
	for i := range n {
		p("2 locks held by %s/%d:", []string{"root", "writer"}[min(i, 1)], 100+i)
		if i*fanIn+1 < n {
			p(" #0: %s", lock(i))
		}
		if i == 0 {
			p(" #1: ffff888200000001 (sb_pagefaults){.+.+}-{0:0}, at: ext4_page_mkwrite+0x38/0x130")
		} else {
			p(" #1: %s", lock((i-1)/fanIn))
		}
	}
	p("=============================================")
	return b.String()
}

// TestOneRoot: of a tree of 500 blocked tasks the report names the one root,
// the fan-in and a chain to it.
func TestOneRoot(t *testing.T) {
	incs := analyze(t, &txtar.Archive{Files: []txtar.File{{Name: "log", Data: []byte(treeLog(500, 8))}}})
	if len(incs) != 1 {
		t.Fatalf("%d incidents, want one", len(incs))
	}
	inc := &incs[0]
	var convoys []*report.Finding
	for i := range inc.Findings {
		if inc.Findings[i].Rule == "lock-convoy" {
			convoys = append(convoys, &inc.Findings[i])
		}
	}
	if len(convoys) != 1 || inc.Verdict != "hang" || inc.Confidence != "confirmed" {
		t.Fatalf("verdict %s %s, %d convoys", inc.Verdict, inc.Confidence, len(convoys))
	}
	text := convoys[0].Summary + "\n" + strings.Join(convoys[0].Explanation, "\n")
	for _, want := range []string{
		"499 tasks wait behind root (pid 100), which waits for freeze protection",
		"8 of them are right behind root (pid 100)",
		"the longest chain to the root has 4 waits:",
		"is held by root/100",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}
}

// TestCaveats: where the log says that reports or lock lists are missing, or
// the number of reports suggests it, the findings say so.
func TestCaveats(t *testing.T) {
	for _, tt := range []struct {
		name, log, want string
	}{
		{"suppressed", treeLog(5, 4) + "[ 1200.000000] Future hung task reports are suppressed, see sysctl kernel.hung_task_warnings\n", "reports no more tasks: the graph is partial"},
		{"ten reports", treeLog(10, 9), "10 hung-task reports are in the log"},
		{"lockdep off", treeLog(5, 4) + "[ 1200.000000] INFO: lockdep is turned off.\n", "lockdep is off (line "},
		{"nine reports", treeLog(9, 8), ""},
	} {
		incs := analyze(t, &txtar.Archive{Files: []txtar.File{{Name: "log", Data: []byte(tt.log)}}})
		if len(incs) == 0 || len(incs[0].Findings) == 0 {
			t.Fatalf("%s: no finding", tt.name)
		}
		for _, f := range incs[0].Findings {
			text := strings.Join(f.Explanation, "\n")
			if tt.want == "" && (strings.Contains(text, "partial") || strings.Contains(text, "lockdep is off")) || !strings.Contains(text, tt.want) {
				t.Errorf("%s: %s explains\n%s", tt.name, f.Rule, text)
			}
		}
	}
}
