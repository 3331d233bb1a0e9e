package parse

// traceFormat is one shape of trace text with a sample, for the page of
// formats. A test reads each sample.
type traceFormat struct {
	name, what, sample string
	events             int // in the sample
}

// traceFormats are the traces that traceReader understands, by the framing
// that reports give them.
var traceFormats = []traceFormat{
	{framingFtrace, "trace, trace_pipe and the files of a CPU: function tracer (kernel/trace/trace_functions.c)", "# tracer: function\n#\n" +
		"           <...>-47    [001] d..1     5.116319: mem_cgroup_oom_synchronize <-pagefault_out_of_memory\n", 1},
	{framingFtrace, "the same: function_graph (trace_functions_graph.c)", "# tracer: function_graph\n#\n" +
		" 1)               |  mem_cgroup_out_of_memory() {\n 1) # 1250.100 us |    oom_kill_process();\n 1) # 1300.500 us |  }\n", 3},
	{framingFtrace, "events, with kernel stacks (trace_output.c)", "# tracer: nop\n#\n" +
		"        truncer-47      [000] .....     9.184039: contention_begin: 00000000a1b2c3d4 (flags=WRITE)\n        truncer-47      [000] .....     9.184040: <stack trace>\n => rwsem_down_write_slowpath\n => do_truncate\n => path_openat\n", 2},
	{framingTraceCmd, "trace-cmd report", "cpus=2\n" +
		"       truncer-47    [000]     9.184039: contention_begin:     00000000a1b2c3d4 (flags=WRITE)\n", 1},
}
