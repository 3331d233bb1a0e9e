package main

import "strings"

// ten are the words that people grep a log for when a machine was out of memory
// or hung.
var ten = []string{
	"invoked oom-killer", "Out of memory", "Killed process", "oom_reaper", "blocked for more than",
	"Call Trace:", "soft lockup", "sysrq: ", "possible circular locking", "Memory cgroup out of memory",
}

// all are the words by which the parser knows that a record begins, or that a
// line may be part of one.
var all = append(strings.Split(`Call trace:
task:
CPU:
Pid:
INFO: 
SysRq : 
Kill process 
Tasks in 
oom killer 
Huh VM_FAULT_OOM
Kernel panic
NMI backtrace
Linux version 
 printk messages dropped
-fs (
XFS (
Future hung task reports
Sched Debug Version:
lock held by 
locks held by 
Showing all locks held
WARNING: 
[ BUG: 
Backtrace:
Last Breaking-Event-Address:
watchdog: 
Watchdog detected hard LOCKUP
rcu: 
BUG: workqueue lockup
Showing busy workqueues
workqueue: 
PID: 
==> /
Kernel Offset: 
+0x`, "\n"), ten...)
