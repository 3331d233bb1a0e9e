package report

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/google/pprof/profile"
)

// Diff is what one report has that another has not, by the signatures of the
// incidents: before and after an update of the kernel, or of two hosts.
type Diff struct {
	SchemaVersion string     `json:"schema_version"`
	Tool          Tool       `json:"tool"`
	A             DiffSide   `json:"a"`
	B             DiffSide   `json:"b"`
	New           []DiffItem `json:"new"`  // only in B
	Gone          []DiffItem `json:"gone"` // only in A
	Same          []DiffItem `json:"same"`
}

// DiffSide is one of the two reports.
type DiffSide struct {
	Inputs    []string `json:"inputs"`
	Kernels   []string `json:"kernels"`
	Incidents int      `json:"incidents"`
}

// DiffItem is the incidents of one signature. What concerns a side without any
// is null.
type DiffItem struct {
	Signature string     `json:"signature"`
	Headline  string     `json:"headline"` // of the surest incident, of B where there is one
	A         *DiffCount `json:"a"`
	B         *DiffCount `json:"b"`
}

// DiffCount sums up the incidents of one signature on one side.
type DiffCount struct {
	Count      int    `json:"count"`
	Verdict    string `json:"verdict"`    // the worst
	Confidence string `json:"confidence"` // the surest
	First      string `json:"first"`      // place of the first: "dmesg.log:12"
}

var confidenceRank = map[string]int{"possible": 1, "likely": 2, "confirmed": 3}

// Compare compares two reports.
func Compare(a, b *Report) *Diff {
	d := &Diff{
		SchemaVersion: SchemaVersion, Tool: b.Tool, A: a.side(), B: b.side(),
		New: []DiffItem{}, Gone: []DiffItem{}, Same: []DiffItem{},
	}
	as, keysA := a.bySignature()
	bs, keysB := b.bySignature()
	for _, key := range keysB {
		if as[key] == nil {
			d.New = append(d.New, DiffItem{key, bs[key].headline, nil, &bs[key].DiffCount})
		} else {
			d.Same = append(d.Same, DiffItem{key, bs[key].headline, &as[key].DiffCount, &bs[key].DiffCount})
		}
	}
	for _, key := range keysA {
		if bs[key] == nil {
			d.Gone = append(d.Gone, DiffItem{key, as[key].headline, &as[key].DiffCount, nil})
		}
	}
	for _, list := range [][]DiffItem{d.New, d.Gone, d.Same} {
		slices.SortStableFunc(list, func(x, y DiffItem) int { return cmp.Compare(x.rank(), y.rank()) })
	}
	return d
}

func (r *Report) side() DiffSide {
	s := DiffSide{Inputs: []string{}, Kernels: []string{}, Incidents: len(r.Incidents)}
	for _, in := range r.Inputs {
		s.Inputs = append(s.Inputs, in.Name)
	}
	for i := range r.Incidents {
		if k := deref(r.Incidents[i].Kernel.Release); k != "" && !slices.Contains(s.Kernels, k) {
			s.Kernels = append(s.Kernels, k)
		}
	}
	return s
}

type diffGroup struct {
	DiffCount
	headline string
}

// bySignature sums up the incidents of each signature, and lists the signatures
// in the order of the report. Incidents without one are alike where their
// verdicts are.
func (r *Report) bySignature() (map[string]*diffGroup, []string) {
	groups := make(map[string]*diffGroup)
	var keys []string
	for i := range r.Incidents {
		inc := &r.Incidents[i]
		key := inc.Signature
		if key == "" {
			key = inc.Verdict + ", no signature"
		}
		g := groups[key]
		if g == nil {
			g = &diffGroup{headline: inc.Headline, DiffCount: DiffCount{
				Verdict: inc.Verdict, Confidence: inc.Confidence, First: r.At(Ref{inc.Span.Input, inc.Span.FirstLine}),
			}}
			groups[key] = g
			keys = append(keys, key)
		}
		g.Count++
		if rankOf(inc.Verdict) < rankOf(g.Verdict) {
			g.Verdict = inc.Verdict
		}
		if confidenceRank[inc.Confidence] > confidenceRank[g.Confidence] {
			g.Confidence, g.headline = inc.Confidence, inc.Headline
		}
	}
	return groups, keys
}

func (i *DiffItem) side() *DiffCount {
	if i.B != nil {
		return i.B
	}
	return i.A
}

func (i *DiffItem) rank() int { return rankOf(i.side().Verdict) }

// state is the verdict and confidence, and how they changed.
func (i *DiffItem) state() string {
	change := func(a, b string) string {
		if a == b {
			return clip(b, maxName)
		}
		return clip(a, maxName) + " -> " + clip(b, maxName)
	}
	if i.A == nil || i.B == nil {
		c := i.side()
		return fmt.Sprintf("%s (%s), %s", clip(verdictText(c.Verdict), maxName), clip(c.Confidence, maxName), count(c.Count, "time"))
	}
	times := count(i.B.Count, "time")
	if i.A.Count != i.B.Count {
		times = fmt.Sprintf("%d -> %s", i.A.Count, times)
	}
	return fmt.Sprintf("%s (%s), %s", change(verdictText(i.A.Verdict), verdictText(i.B.Verdict)), change(i.A.Confidence, i.B.Confidence), times)
}

// DiffFormats are the formats of WriteDiff.
func DiffFormats() []string { return []string{"json", "markdown", "text"} }

// WriteDiff writes d in the named format.
func WriteDiff(w io.Writer, d *Diff, format string, opt Options) error {
	switch format {
	case "json":
		return encodeJSON(w, d, "  ")
	case "markdown":
		return d.markdown(w, opt)
	case "text":
		return d.text(w, opt)
	}
	return fmt.Errorf("unknown format %q of a diff, want one of: %s", format, strings.Join(DiffFormats(), ", "))
}

// sections are the parts of a diff with the words for them.
func (d *Diff) sections() []struct {
	title string
	style style
	items []DiffItem
} {
	return []struct {
		title string
		style style
		items []DiffItem
	}{{"new in B", red, d.New}, {"gone, only in A", green, d.Gone}, {"the same", yellow, d.Same}}
}

func (s *DiffSide) text(limit int) string {
	inputs := s.Inputs
	more := ""
	if limit > 0 && len(inputs) > limit {
		inputs, more = inputs[:limit], fmt.Sprintf(" and %d more", len(s.Inputs)-limit)
	}
	out := strings.Join(clipAll(inputs, 4*maxName), ", ") + more + ": " + count(s.Incidents, "incident")
	if len(s.Kernels) > 0 {
		out += ", kernel " + strings.Join(clipAll(s.Kernels, maxName), ", ")
	}
	return out
}

func clipAll(list []string, n int) []string {
	out := make([]string, len(list))
	for i, s := range list {
		out[i] = clip(s, n)
	}
	return out
}

func (d *Diff) text(w io.Writer, opt Options) error {
	t := &text{textWriter: textWriter{width: opt.width(), color: opt.Color}, opt: opt}
	t.para("A  ", "   ", d.A.text(t.limit(3)))
	t.para("B  ", "   ", d.B.text(t.limit(3)))
	if len(d.New)+len(d.Gone)+len(d.Same) == 0 {
		t.blank()
		t.para("", "  ", green.of("no incident"), " in either")
	}
	for _, s := range d.sections() {
		if len(s.items) == 0 {
			continue
		}
		t.blank()
		t.para("", "  ", s.style.of(s.title))
		for _, it := range s.items {
			t.para("  ", "    ", bold.of(it.state()), ": ", cyan.of(clip(it.Signature, 2*maxName)))
			t.para("    ", "    ", clip(it.Headline, 4*maxName))
			t.para("    ", "    ", dim.of("first at "+it.side().First))
		}
	}
	_, err := w.Write(t.buf.Bytes())
	return err
}

func (d *Diff) markdown(w io.Writer, opt Options) error {
	var m mdWriter
	limit := 3
	if opt.Verbose {
		limit = 0
	}
	m.heading(1, mdRaw(fmt.Sprintf("%d new, %d gone, %d the same", len(d.New), len(d.Gone), len(d.Same))))
	m.list(false, []mdRaw{inline(mdRaw("A: "), d.A.text(limit)), inline(mdRaw("B: "), d.B.text(limit))})
	for _, s := range d.sections() {
		if len(s.items) == 0 {
			continue
		}
		m.heading(2, mdRaw(strings.ToUpper(s.title[:1])+s.title[1:]))
		var items []mdRaw
		for _, it := range s.items {
			items = append(items, inline(it.state(), mdRaw(" "), code(clip(it.Signature, 2*maxName)), mdRaw(": "), clip(it.Headline, 4*maxName),
				mdRaw(" ("), code(it.side().First), mdRaw(")")))
		}
		m.list(false, items)
	}
	_, err := io.WriteString(w, m.buf.String())
	return err
}

// DiffProfile is the profile of b with the samples of a taken away, as
// `go tool pprof -diff_base` makes it.
func DiffProfile(a, b *Report, opt Options) (*profile.Profile, error) {
	pa, pb := Profile(a, opt), Profile(b, opt)
	pa.Scale(-1)
	// By this label pprof knows what the percentages are of.
	pa.SetLabel("pprof::base", []string{"true"})
	p, err := profile.Merge([]*profile.Profile{pb, pa})
	if err != nil {
		return nil, err
	}
	p.DefaultSampleType = pb.DefaultSampleType
	return p, p.CheckValid()
}
