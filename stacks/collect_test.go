package stacks_test

import (
	"strings"
	"testing"

	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

func collect(t *testing.T, logs ...string) []*stacks.Snapshot {
	t.Helper()
	var c stacks.Collector
	for i, l := range logs {
		if _, err := parse.Read(strings.NewReader(l), parse.Options{Input: i}, c.Add); err != nil {
			t.Fatal(err)
		}
	}
	return c.Snapshots()
}

// dump writes one sysrq entry in the format of 6.1.
func dump(at, comm, pid, state string, frames ...string) string {
	s := at + " task:" + comm + strings.Repeat(" ", 16-len(comm)) + "state:" + state + " stack:0     pid:" + pid + "    ppid:1      flags:0x00000002\n" +
		at + " Call Trace:\n" + at + "  <TASK>\n"
	for _, f := range frames {
		s += at + "  " + f + "+0x10/0x100\n"
	}
	return s + at + "  </TASK>\n"
}

const (
	linux = "[    0.000000] Linux version 6.1.0-21-amd64 (debian) #1 SMP Debian 6.1.90-1\n"
	noise = "[   99.000000] eth0: link becomes ready\n"
)

func sysrq(at string, action string, body string) string {
	return at + " sysrq: Show " + action + "\n" + body + noise
}

func TestPresentIsTheLatestThatSaysSomething(t *testing.T) {
	log := linux +
		sysrq("[   10.000000]", "Blocked State", dump("[   10.000001]", "a", "100", "D", "__schedule", "schedule", "rwsem_down_write_slowpath", "do_truncate", "do_syscall_64")) +
		sysrq("[   20.000000]", "State", dump("[   20.000001]", "a", "100", "D", "__schedule", "schedule", "folio_wait_bit_common", "truncate_inode_pages_range", "do_truncate", "do_syscall_64"))
	s := collect(t, log)
	if len(s) != 1 || len(s[0].Tasks) != 1 {
		t.Fatalf("%d snapshots", len(s))
	}
	task := s[0].Task(100)
	if task == nil || len(task.Sightings) != 2 {
		t.Fatalf("task %+v", task)
	}
	if f := task.Present().Frames(); f[3].Func != "truncate_inode_pages_range" {
		t.Errorf("present is %s", f[3].Func)
	}
	if s[0].Release != "6.1.0-21-amd64" {
		t.Errorf("release %q", s[0].Release)
	}
}

// A whole later dump without the task is evidence that it moved; a dump that
// lost lines, or that ends the log, is not.
func TestAbsence(t *testing.T) {
	first := linux + sysrq("[   10.000000]", "Blocked State", dump("[   10.000001]", "a", "100", "D", "__schedule", "schedule", "rwsem_down_write_slowpath", "do_truncate"))
	other := dump("[   20.000001]", "b", "200", "D", "__schedule", "schedule", "io_schedule", "folio_wait_bit_common")
	for _, c := range []struct {
		name, log       string
		unblocked, gone bool
	}{
		{"alone", first, false, false},
		{"sysrq-w without it", first + sysrq("[   20.000000]", "Blocked State", other), true, false},
		{"empty sysrq-w", first + sysrq("[   20.000000]", "Blocked State", ""), true, false},
		{"sysrq-t without it", first + sysrq("[   20.000000]", "State", other), false, true},
		{"lines dropped", first + "[   20.000000] sysrq: Show Blocked State\n** 308 printk messages dropped **\n" + other + noise, false, false},
		{"cut in the dump", first + "[   20.000000] sysrq: Show Blocked State\n", false, false},
		{"still listed", first + sysrq("[   20.000000]", "Blocked State", dump("[   20.000001]", "a", "100", "D", "__schedule", "schedule", "rwsem_down_write_slowpath", "do_truncate")), false, false},
	} {
		task := collect(t, c.log)[0].Task(100)
		if got := task.Unblocked != nil; got != c.unblocked {
			t.Errorf("%s: unblocked %v", c.name, got)
		}
		if got := task.Gone != nil; got != c.gone {
			t.Errorf("%s: gone %v", c.name, got)
		}
	}
}

// Questionable frames never count, nor those of an interrupt.
func TestReliableFramesOnly(t *testing.T) {
	log := linux + "[   10.000000] CPU: 0 PID: 7 Comm: x Not tainted 6.1.0-21-amd64 #1\n[   10.000001] Call Trace:\n[   10.000002]  <IRQ>\n[   10.000003]  tick_handle+0x1/0x2\n" +
		"[   10.000004]  </IRQ>\n[   10.000005]  <TASK>\n[   10.000006]  ? mutex_lock+0x1/0x2\n[   10.000007]  vfs_write+0x1/0x2\n[   10.000008]  </TASK>\n"
	f := collect(t, log)[0].Task(7).Present().Frames()
	if len(f) != 1 || f[0].Func != "vfs_write" {
		t.Errorf("frames %v", f)
	}
}

func TestBootsAndHosts(t *testing.T) {
	boot := func(host, release, pid string) string {
		p := "Nov 22 19:48:01 " + host + " kernel: "
		return p + "[    0.000000] Linux version " + release + " (gcc) #1 SMP\n" +
			p + "[   50.000000] INFO: task a:" + pid + " blocked for more than 120 seconds.\n"
	}
	s := collect(t, boot("db-1", "6.1.0-1", "11")+boot("db-2", "6.1.0-2", "22")+boot("db-1", "6.1.0-3", "33"))
	var got []string
	for _, x := range s {
		got = append(got, x.Host+" "+x.Release)
	}
	if want := "db-1 6.1.0-1,db-1 6.1.0-3,db-2 6.1.0-2"; strings.Join(got, ",") != want {
		t.Errorf("snapshots %v, want %s", got, want)
	}
	for _, x := range s {
		if len(x.Hung) != 1 {
			t.Errorf("%s %s: %d hung-task reports", x.Host, x.Release, len(x.Hung))
		}
	}
}

// A capture without a host joins the only host there is, after its log.
func TestCaptureJoinsTheHost(t *testing.T) {
	log := "Nov 22 19:48:01 db-1 kernel: [    0.000000] Linux version 6.1.0-1 (gcc) #1 SMP\n" +
		"Nov 22 19:48:01 db-1 kernel: [   50.000000] INFO: task a:11 blocked for more than 120 seconds.\n"
	proc := "==> /proc/11/stack <==\n[<0>] path_openat+0x337/0x1260\n[<0>] do_filp_open+0xaf/0x160\n"
	for _, order := range [][]string{{log, proc}, {proc, log}} {
		s := collect(t, order...)
		if len(s) != 1 {
			t.Fatalf("%d snapshots", len(s))
		}
		task := s[0].Task(11)
		if task.HungReports != 1 || len(task.Sightings) != 1 || task.Comm != "a" {
			t.Errorf("task %+v", task)
		}
		if !task.Sightings[0].Order.After(task.FirstHung) {
			t.Error("the capture stands before the log")
		}
	}
}

// The same ring buffer captured twice is one OOM.
func TestSameRecordTwice(t *testing.T) {
	oom := "[   20.100000] hog invoked oom-killer: gfp_mask=0xcc0(GFP_KERNEL), order=0, oom_score_adj=0\n" +
		"[   20.100010] CPU: 1 PID: 210 Comm: hog Not tainted 6.1.0-21-amd64 #1\n" +
		"[   20.100205] Memory cgroup out of memory: Killed process 200 (mapper) total-vm:38976kB, anon-rss:33248kB, file-rss:0kB, shmem-rss:0kB, UID:0 pgtables:100kB oom_score_adj:0\n"
	if s := collect(t, linux+oom, linux+oom); len(s) != 1 || len(s[0].OOMs) != 1 || len(s[0].Kills) != 1 {
		t.Errorf("%d snapshots, %d OOMs, %d kills", len(s), len(s[0].OOMs), len(s[0].Kills))
	}
}

// The parts of a rotated log are one stream: a boot in the newer part is not
// the counterpart of the older part's.
func TestRotatedParts(t *testing.T) {
	older := "Nov 21 19:48:01 db-1 kernel: [    0.000000] Linux version 6.1.0-1 (gcc) #1 SMP\nNov 21 19:48:01 db-1 kernel: [   50.000000] INFO: task a:11 blocked for more than 120 seconds.\n"
	newer := "Nov 22 19:48:01 db-1 kernel: [   90.000000] INFO: task a:11 blocked for more than 241 seconds.\nNov 22 20:00:01 db-1 kernel: [    0.000000] Linux version 6.1.0-2 (gcc) #1 SMP\n" +
		"Nov 22 20:48:01 db-1 kernel: [   50.000000] INFO: task b:22 blocked for more than 120 seconds.\n"
	var c stacks.Collector
	for i, l := range []string{older, newer} {
		if _, err := parse.Read(strings.NewReader(l), parse.Options{Input: i}, c.Add); err != nil {
			t.Fatal(err)
		}
	}
	c.Origin(1, stacks.Origin{Follows: 1})
	s := c.Snapshots()
	if len(s) != 2 || len(s[0].Hung) != 2 || s[0].Release != "6.1.0-1" || len(s[1].Hung) != 1 || s[1].Release != "6.1.0-2" {
		for _, x := range s {
			t.Errorf("%q: %d hung-task reports", x.Release, len(x.Hung))
		}
	}
}

// A capture that names neither host nor kernel gets them from its tree.
func TestOriginHints(t *testing.T) {
	var c stacks.Collector
	if _, err := parse.Read(strings.NewReader("==> /proc/11/stack <==\n[<0>] path_openat+0x337/0x1260\n[<0>] do_filp_open+0xaf/0x160\n"), parse.Options{}, c.Add); err != nil {
		t.Fatal(err)
	}
	c.Origin(0, stacks.Origin{Host: "db-1.example.com", Release: "6.1.0-1"})
	if s := c.Snapshots(); len(s) != 1 || s[0].Host != "db-1" || s[0].Release != "6.1.0-1" {
		t.Errorf("%+v", s[0])
	}
}

func TestOrder(t *testing.T) {
	log := stacks.Order{Input: 1, Line: 900}
	proc := stacks.Order{Untimed: true, Input: 0, Line: 1}
	if !proc.After(log) || log.After(proc) || log.Compare(log) != 0 || !(stacks.Order{Input: 1, Line: 901}).After(log) {
		t.Error("order")
	}
}
