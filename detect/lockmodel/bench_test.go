package lockmodel

import "testing"

func BenchmarkLoad(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := readEmbedded(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkTables(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		fromTables()
	}
}

func BenchmarkLookup(b *testing.B) {
	m := Embedded()
	frames := []string{
		"__schedule", "schedule", "rwsem_down_write_slowpath", "path_openat", "do_filp_open", "do_sys_openat2",
		"__x64_sys_openat", "do_syscall_64", "entry_SYSCALL_64_after_hwframe", "create_new_entry.constprop.0",
	}
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		m.Primitive(frames[i])
		m.Lookup(frames[i])
		i = (i + 1) % len(frames)
	}
}
