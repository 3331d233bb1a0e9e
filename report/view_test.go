package report

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestVisible(t *testing.T) {
	for in, want := range map[string]string{
		"plain":              "plain",
		"größe, 字":           "größe, 字",
		"a\x1b[31mb":         `a\x1b[31mb`,
		"a\nb\tc\rd\x00":     `a\nb\tc\rd\x00`,
		"\x7f\u0085\u009b":   `\x7f\x85\x9b`,
		"\xff\xfe":           `\xff\xfe`,
		"\u202e\u2066\u200f": `\u202e\u2066\u200f`,
		"\ufeff\u00ad\u00a0": `\ufeff\xad\xa0`,
		"\U000e0041":         `\U000e0041`,
		"a\ufe0f\u034f":      `a\ufe0f\u034f`,
		"\ufffd":             "\ufffd",
	} {
		if got := visible(in); got != want {
			t.Errorf("visible(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestMarkdownEscapes(t *testing.T) {
	for in, want := range map[string]string{
		"mem_cgroup_oom_synchronize(), then": "`mem_cgroup_oom_synchronize()`, then",
		"memory.limit_in_bytes of /a_b":      "`memory.limit_in_bytes` of `/a_b`",
		"run `cat x` now":                    "run `cat x` now",
		"one ` only":                         "one \\` only",
		"`a``b`":                             "`a` `b`",
		"- no list":                          "\\- no list",
		"1. no list":                         "1\\. no list",
		"/close":                             "\\/close",
		"   indented":                        "indented",
		"a @b #1":                            "a \\@&#8203;b \\#&#8203;1",
		"http://x www.x":                     "http\\://x www\\.x",
		"a*b_c":                              "a\\*b\\_c",
	} {
		if got := mdInline(in, true); got != want {
			t.Errorf("mdInline(%q) = %q, want %q", in, got, want)
		}
	}
	for in, want := range map[string]string{
		"a":   "`a`",
		"a`b": "``a`b``",
		"`":   "`` ` ``",
		" a ": "`  a  `",
		"":    "",
		"a\n": "`a\\n`",
	} {
		if got := mdCode(in); got != want {
			t.Errorf("mdCode(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestClipAndCut(t *testing.T) {
	if got := clip("größe", 4); got != "grö…" {
		t.Errorf("clip: %q", got)
	}
	if got := clip("größe", 5); got != "größe" {
		t.Errorf("clip: %q", got)
	}
	if got := cut("/var/log/kern.log", 9, true); got != "…kern.log" {
		t.Errorf("cut: %q", got)
	}
	if got := cut("字字字", 4, false); got != "字…" {
		t.Errorf("cut: %q", got)
	}
	if got := wrapList("1 oom, 2 kill, 3 reap", 14); got != "1 oom, 2 kill,\n3 reap" {
		t.Errorf("wrapList: %q", got)
	}
}

func TestPlaces(t *testing.T) {
	r := &Report{Inputs: []Input{
		{Name: "a.log"},
		{Name: "/a/long/directory/of/one/host/with/many/logs/web-1/kern.log"},
		{Name: "/a/long/directory/of/one/host/with/many/logs/web-2/kern.log"},
	}}
	refs := []Ref{{0, 1}, {0, 2}, {0, 2}, {1, 7}, {2, 8}, {9, 9}}
	if got, want := r.places(refs, 0), "a.log:1, 2, …/web-1/kern.log:7, …/web-2/kern.log:8, input 9:9"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := r.places(refs, 2), "a.log:1, 2 and 3 more"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestKB(t *testing.T) {
	for in, want := range map[int64]string{
		0: "0 kB", 10239: "10239 kB", 10240: "10 MiB", 24000: "23.4 MiB", 2 << 20: "2048 MiB", 15 << 20: "15 GiB", -5: "-5 kB",
	} {
		if got := kb(in); got != want {
			t.Errorf("kb(%d) = %s, want %s", in, got, want)
		}
	}
}

// Whatever goes in, what comes out is one line of printable text.
func FuzzEscape(f *testing.F) {
	for _, s := range []string{"", "a", "`", "``x`", " ` ", "a_b", "\x1b[0m", "\u202e", "1.", "-", "\\`", "`\\`"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for name, out := range map[string]string{
			"visible": visible(s), "term": termText(s), "inline": mdInline(s, true), "code": mdCode(s),
			"mermaid": mermaidLabel(s), "folded": foldedName(s), "dot": dotLabel(s, s), "profile": profileText(s), "fence": strings.ReplaceAll(mdFence("", []string{s}), "\n", ""),
		} {
			if !utf8.ValidString(out) {
				t.Errorf("%s(%q) is no UTF-8: %q", name, s, out)
			}
			for _, r := range out {
				if !printable(r) {
					t.Errorf("%s(%q) has %q", name, s, r)
				}
			}
		}
		if l := mermaidLabel(s); strings.Count(l, `"`) != 2 {
			t.Errorf("mermaidLabel(%q) = %s", s, l)
		}
	})
}
