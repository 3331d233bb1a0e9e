package detect

import (
	"bytes"
	"fmt"

	"github.com/oomtrace/oomtrace/detect/waitgraph"
)

// grounds are what the confidence of one edge rests on.
type grounds struct {
	basis      string // waitgraph.KernelReport ...
	claim      claim
	candidates candidates
	together   bool // waiter and holder seen waiting in one whole snapshot
	assumed    bool // neither supported nor contradicted by the log
	mixed      bool // the stack is mixed with foreign lines
}

// claim is what an edge says.
type claim uint8

const (
	claimWaits claim = iota // a task waits, read from its own stack
	claimOwner              // who holds or delivers it
)

// candidates is how many tasks the owner may be.
type candidates uint8

const (
	oneCandidate  candidates = iota
	anyLeadsBack             // several, and each of them closes the cycle
	someLeadsAway            // several
)

// level is the rule of the report's contract ("Confidence is a rule, not a
// feeling"), for one edge. A cycle has the lowest level of its edges.
func (g grounds) level() (Level, string) {
	switch {
	case g.assumed:
		return Possible, "an assumption that the log neither supports nor contradicts"
	case g.basis == waitgraph.User && g.candidates == oneCandidate:
		return Confirmed, "the user's own words"
	case g.basis != waitgraph.FrameModel && g.basis != waitgraph.User:
		return Confirmed, "the kernel's own words"
	case g.claim == claimWaits && g.mixed:
		return Likely, "the stack is mixed with foreign lines"
	case g.claim == claimWaits:
		return Confirmed, "the task's own stack shows the wait"
	case g.candidates == someLeadsAway:
		return Possible, "several candidates, and not all of them close the cycle"
	case g.candidates == anyLeadsBack:
		return Likely, "several candidates, but whichever it is closes the cycle"
	case !g.together:
		return Likely, "one candidate, inferred from its frames: same class, mode, kind and file system, not seen waiting in one whole snapshot with the waiter"
	}
	return Confirmed, "one candidate, and both were seen waiting in one whole snapshot"
}

// grounds reads them off an edge.
func (inc *Incident) grounds(e *waitgraph.Edge) grounds {
	g := grounds{basis: e.Basis, claim: claimOwner, together: e.Together, assumed: e.Weak}
	switch e.Relation {
	case waitgraph.WaitsFor:
		g.claim = claimWaits
		if v := inc.Graph.View(e.From.Task); v != nil {
			g.mixed = !v.At.Clean
		}
	case waitgraph.HeldBy, waitgraph.ResolvedByDaemon, waitgraph.ResolvedByHandler:
		if e.Alternatives > 1 {
			g.candidates = someLeadsAway
			if inc.allLeadBack(e) {
				g.candidates = anyLeadsBack
			}
		}
	}
	return g
}

// cycleLevel is the confidence of a cycle, and what holds it down.
func (inc *Incident) cycleLevel(cycle []*waitgraph.Node) (Level, []string) {
	level := Confirmed
	var because []string
	for _, e := range inc.EdgesOf(cycle) {
		l, reason := inc.grounds(e).level()
		if l == Confirmed {
			continue
		}
		level = min(level, l)
		because = append(because, fmt.Sprintf("%s -> %s: %s", e.From.Label, e.To.Label, reason))
	}
	return level, because
}

// allLeadBack: a cycle needs no unique instance. If every holder that the log
// cannot tell apart leads back to the waiter, the waiter is stuck whichever
// it is.
func (inc *Incident) allLeadBack(e *waitgraph.Edge) bool {
	for _, o := range inc.Graph.Out(e.From) {
		if o.Relation == e.Relation && !inc.reaches(o.To, e.From) {
			return false
		}
	}
	return true
}

// ConfidenceTable maps every combination of grounds to its level, for the
// documentation.
func ConfidenceTable() []byte {
	var b bytes.Buffer
	b.WriteString("| edge | basis | candidates | one snapshot | stack | assumed | level | because |\n|---|---|---|---|---|---|---|---|\n")
	yes := func(v bool, a, b string) string {
		if v {
			return a
		}
		return b
	}
	row := func(g grounds) {
		l, why := g.level()
		cands := [...]string{"one", "several, all close the cycle", "several"}[g.candidates]
		edge, snap, stack := "owner", yes(g.together, "yes", "no"), "-"
		if g.claim == claimWaits {
			edge, cands, snap, stack = "wait", "-", "-", yes(g.mixed, "mixed", "clean")
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s | %s | %s |\n", edge, g.basis, cands, snap, stack, yes(g.assumed, "yes", "no"), l, why)
	}
	for _, assumed := range []bool{false, true} {
		for _, basis := range waitgraph.Bases() {
			for _, mixed := range []bool{false, true} {
				row(grounds{basis: basis, claim: claimWaits, mixed: mixed, assumed: assumed})
			}
			for _, c := range []candidates{oneCandidate, anyLeadsBack, someLeadsAway} {
				for _, together := range []bool{true, false} {
					row(grounds{basis: basis, claim: claimOwner, candidates: c, together: together, assumed: assumed})
				}
			}
		}
	}
	return b.Bytes()
}
