package lockmodel

import (
	"cmp"
	"strconv"
	"strings"
)

// ParseVersion reads the mainline release at the start of a kernel release
// string: "6.1.0-56-cloud-amd64" is 6.1.0, "3.2.71+" is 3.2.71,
// "2.6.32-358.el6.x86_64" is 2.6.32. A prefix "v" or "Linux " is not
// understood. It reports false if there are not at least two numbers.
func ParseVersion(release string) (Version, bool) {
	var n [3]int
	count, s := 0, release
	for count < len(n) {
		i := 0
		for i < len(s) && s[i] >= '0' && s[i] <= '9' {
			i++
		}
		if i == 0 || i > 6 {
			break
		}
		n[count], _ = strconv.Atoi(s[:i])
		count++
		s = s[i:]
		if s == "" || s[0] != '.' {
			break
		}
		s = s[1:]
	}
	v := Version{n[0], n[1], n[2]}
	if count < 2 || v.IsZero() {
		return Version{}, false
	}
	return v, true
}

// Compare returns -1, 0 or +1 as v is before, equal to or after o.
func (v Version) Compare(o Version) int {
	return cmp.Or(cmp.Compare(v.Major, o.Major), cmp.Compare(v.Minor, o.Minor), cmp.Compare(v.Patch, o.Patch))
}

// IsZero reports whether v is unknown, or an open end of a range.
func (v Version) IsZero() bool { return v == Version{} }

// String returns 3.2.71, 4.6 for {4, 6, 0}, and "" for the zero Version.
func (v Version) String() string {
	if v.IsZero() {
		return ""
	}
	s := strconv.Itoa(v.Major) + "." + strconv.Itoa(v.Minor)
	if v.Patch != 0 {
		s += "." + strconv.Itoa(v.Patch)
	}
	return s
}

// Contains reports whether v is in the range. Bounds count at the precision
// they are written with: a range until 4.6 contains 4.6.7, and one until
// 2.6.32 does not contain 2.6.33. The zero Version is in every range.
func (r VersionRange) Contains(v Version) bool {
	if v.IsZero() {
		return true
	}
	if v.Compare(r.Since) < 0 {
		return false
	}
	until := r.Until
	if until.IsZero() {
		return true
	}
	if until.Patch == 0 {
		v.Patch = 0
	}
	return v.Compare(until) <= 0
}

// String returns the range as it is written in a *.lock file: "2.6.32..3.15",
// "4.7..", "..4.6", "3.2" or, for the open range, "".
func (r VersionRange) String() string {
	switch {
	case r.Since.IsZero() && r.Until.IsZero():
		return ""
	case r.Since == r.Until:
		return r.Since.String()
	}
	return r.Since.String() + ".." + r.Until.String()
}

// overlaps reports whether some version is in both ranges.
func (r VersionRange) overlaps(o VersionRange) bool {
	before := func(a, b VersionRange) bool { // a ends before b starts
		return !a.Until.IsZero() && !b.Since.IsZero() && !a.Contains(b.Since) && a.Until.Compare(b.Since) < 0
	}
	return !before(r, o) && !before(o, r)
}

// parseRange reads A..B, A.., ..B or A.
func parseRange(s string) (r VersionRange, msg string) {
	one := func(s string) (Version, bool) {
		v, ok := ParseVersion(s)
		return v, ok && strings.Trim(s, "0123456789.") == "" && !strings.Contains(s, "..") && !strings.HasSuffix(s, ".") && strings.Count(s, ".") <= 2
	}
	lo, hi, isRange := strings.Cut(s, "..")
	if !isRange {
		hi = lo
	}
	var ok bool
	if lo != "" {
		if r.Since, ok = one(lo); !ok {
			return r, "bad kernel version " + strconv.Quote(lo)
		}
	}
	if hi != "" {
		if r.Until, ok = one(hi); !ok {
			return r, "bad kernel version " + strconv.Quote(hi)
		}
	}
	if lo == "" && hi == "" {
		return r, "empty range"
	}
	if lo != "" && hi != "" && !r.Contains(r.Since) {
		return r, "range " + s + " ends before it starts"
	}
	return r, ""
}
