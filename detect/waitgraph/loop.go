package waitgraph

import (
	"slices"
	"strings"
)

// deviceWaits are the resources that a block device delivers.
var deviceWaits = []string{"io", "buffer_io", "writeback", "xfs_buf_io", "xfs_log"}

// loopWorker finds the blocked worker of the loop device that a wait for I/O
// ends at, and the device. The worker's dump names the device in its
// "Workqueue: loopN" line (loop_workfn, 5.14 ->; before, a thread loopN). The
// waiter's device follows from its name (jbd2/loop0-8) or from the mount lines
// of the file system that its frames name; nil if that leaves a choice.
func (b *builder) loopWorker(v *View) (*View, string) {
	if v.Wait.Class == nil || !slices.Contains(deviceWaits, v.Wait.Class.Name) {
		return nil, ""
	}
	if len(b.loops) == 0 {
		return nil, ""
	}
	devs := b.devicesOf(v)
	if len(devs) != 1 || b.loops[devs[0]] == v {
		return nil, ""
	}
	return b.loops[devs[0]], devs[0]
}

// blockedLoops are the blocked workers by loop device.
func (b *builder) blockedLoops() map[string]*View {
	out := map[string]*View{}
	for _, v := range b.Views {
		if dev := loopDevice(v); dev != "" && v.Wait != nil && b.waiting(v) {
			out[dev] = v
		}
	}
	return out
}

func loopDevice(v *View) string {
	name, _, _ := strings.Cut(v.At.Work, " ")
	if name == "" {
		name = v.Task.Comm
	}
	if n, ok := strings.CutPrefix(name, "loop"); ok && n != "" && strings.Trim(n, "0123456789") == "" {
		return name
	}
	return ""
}

// devicesOf are the devices that a waiter's file system may be on. RAM disks
// are none: they complete their I/O at once (drivers/block/brd.c).
func (b *builder) devicesOf(v *View) []string {
	var out []string
	for _, m := range b.mountList() {
		if _, rest, ok := strings.Cut(v.Task.Comm, "/"); ok && (rest == m.dev || strings.HasPrefix(rest, m.dev+"-")) {
			return []string{m.dev} // jbd2/loop0-8, xfsaild/loop0
		}
		if (v.Wait.FS == "" || v.Wait.FS == m.fs) && !slices.Contains(out, m.dev) {
			out = append(out, m.dev)
		}
	}
	return out
}

// mount is a file system and the device it is on.
type mount struct{ fs, dev string }

// mountList are the mounts that the log tells of, each once.
func (b *builder) mountList() []mount {
	if b.mounts == nil {
		b.mounts = []mount{}
		seen := map[mount]bool{}
		for _, n := range b.Snap.Notes {
			fs, dev, ok := strings.Cut(n.Text, " ")
			if m := (mount{fs, dev}); n.Kind == "mount" && ok && !strings.HasPrefix(dev, "ram") && !seen[m] {
				seen[m] = true
				b.mounts = append(b.mounts, m)
			}
		}
	}
	return b.mounts
}
