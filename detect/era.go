package detect

import (
	"strconv"
	"strings"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/detect/waitgraph"
)

// Era is how a kernel handles a memcg OOM (oom-eras §2) and how we know.
type Era struct {
	Name  string // kill_once trap interim synchronize kill_in_charge v1_split unknown
	Basis string // stack report_format release none
}

// eraOf decides the era of a boot: frames prove it and always win, then the
// format of the reports, then the release, which is a prior only since
// distributions carry the change in older versions.
func eraOf(g *waitgraph.Graph) Era {
	byRelease := eraByRelease(g.Snap.Release)
	waits := false
	for _, t := range g.Snap.Tasks {
		for _, s := range t.Sightings {
			c := g.Charge(s)
			if e := c.Era(); e != "" {
				// 6.11 moved synchronize to memcontrol-v1.c and left the
				// frames of an in-charge kill as they were.
				if e == "kill_in_charge" && byRelease == "v1_split" {
					e = "v1_split"
				}
				return Era{e, "stack"}
			}
			waits = waits || c.Kind == waitgraph.SynchronizeWait
		}
	}
	if waits { // era D or a later one: the frames prove the synchronize path, the release says which
		switch byRelease {
		case "kill_in_charge", "v1_split":
			return Era{byRelease, "release"}
		case "":
			if tracedLater(g.Snap) {
				return Era{"kill_in_charge", "stack"}
			}
		}
		return Era{"synchronize", "stack"}
	}
	for _, o := range g.Snap.OOMs {
		if v, ok := lockmodel.ParseVersion(o.Format); ok && !v.IsZero() && v.Compare(lockmodel.Version{Major: 5}) >= 0 {
			if byRelease == "v1_split" {
				return Era{byRelease, "report_format"}
			}
			return Era{"kill_in_charge", "report_format"}
		}
	}
	if byRelease != "" {
		return Era{byRelease, "release"}
	}
	return Era{"unknown", "none"}
}

// eraByRelease is the prior that a release string gives (oom-eras §1, §2).
func eraByRelease(release string) string {
	v, ok := lockmodel.ParseVersion(release)
	if !ok || v.IsZero() {
		return ""
	}
	at := func(major, minor int) bool { return v.Compare(lockmodel.Version{Major: major, Minor: minor}) >= 0 }
	switch {
	case strings.Contains(release, "el6uek"), strings.Contains(release, "el7uek"):
		if v.Compare(lockmodel.Version{Major: 3, Minor: 8, Patch: 13}) == 0 {
			if b := build(release); b[0] > 68 || b[0] == 68 && b[1] >= 2 {
				return "synchronize" // 3.8.13-68.2.1
			}
			return "trap"
		}
	case strings.Contains(release, ".el6"):
		// CVE-2014-8171: 2.6.32-504.16.1.el6 carries the 3.12 series, and 2.6.32-220.69.1 (6.2 AUS).
		if b := build(release); b[0] > 504 || b[0] == 504 && b[1] >= 16 || b[0] == 220 && b[1] >= 69 {
			return "synchronize"
		}
		return "trap"
	case strings.Contains(release, ".el7"):
		if build(release)[0] >= 245 { // errata index; GA -327 (7.2)
			return "synchronize"
		}
		return "trap"
	case strings.Contains(release, ".el8"):
		return "kill_in_charge" // 4.18.0-147 has the 4.19 scheme
	}
	switch {
	case at(6, 11):
		return "v1_split"
	case at(4, 19):
		return "kill_in_charge"
	case at(3, 12):
		return "synchronize"
	case v.Major == 3 && v.Minor == 10 && v.Patch >= 99:
		return "synchronize" // 3.10.99 and 3.10.105 have it, 3.10.33 does not
	case v.Major == 2 && v.Minor == 6 && v.Patch < 34:
		return "kill_once"
	}
	return "trap"
}

// build returns the first two numbers after the dash: 504 and 16 of
// 2.6.32-504.16.2.el6.x86_64.
func build(release string) [2]int {
	var out [2]int
	_, rest, _ := strings.Cut(release, "-")
	for i, part := range strings.SplitN(rest, ".", 3) {
		n, err := strconv.Atoi(part)
		if err != nil || i > 1 {
			break
		}
		out[i] = n
	}
	return out
}
