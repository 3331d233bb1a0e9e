package detect

import (
	"slices"
	"strings"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/detect/waitgraph"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

// spinSeconds and spinSightings are how long, and how often, a task must be
// seen inside one and the same charge before that is called a loop.
const (
	spinSeconds   = 20
	spinSightings = 3
)

// spin is a task that never leaves a charge: every sighting of it stands
// there, over the same callers.
type spin struct {
	task   *stacks.Task
	at     []*stacks.Sighting
	kernel bool // a watchdog of the kernel (soft lockup, RCU stall) printed one of them
}

// spins lists the tasks that loop in a charge that may not enter the file
// system, on kernels whose OOM killer refuses such charges.
func spins(g *waitgraph.Graph) []spin {
	if !refusesNOFS(g.Snap.Release) {
		return nil
	}
	var out []spin
	for _, t := range g.Snap.Tasks {
		if len(t.Sightings) < 2 || t.Gone != nil {
			continue
		}
		s := spin{task: t}
		outer := ""
		for _, x := range t.Sightings {
			if x.Mute() && x.State != 'S' {
				continue // running without a stack: it says nothing
			}
			o, ok := nofsCharge(g, x)
			if !ok || outer != "" && o != outer {
				s.at = nil
				break
			}
			outer = o
			s.at = append(s.at, x)
			s.kernel = s.kernel || x.Source == parse.SourceCallTrace || x.Source == parse.SourceNMI
		}
		if len(s.at) < 2 || len(s.at) < spinSightings && !s.kernel {
			continue
		}
		first, last := s.at[0], s.at[len(s.at)-1]
		if !first.Stamp.HasBoot || last.Stamp.Boot-first.Stamp.Boot < spinSeconds || killedSince(g, first) {
			continue
		}
		out = append(out, s)
	}
	return out
}

// refusesNOFS: out_of_memory() returns without a kill for a charge without
// __GFP_FS, and try_charge() retries it: 4.19 to 5.3 and el8.
func refusesNOFS(release string) bool {
	v, ok := lockmodel.ParseVersion(release)
	if !ok {
		return false
	}
	if strings.Contains(release, ".el8") {
		return true
	}
	return v.Compare(lockmodel.Version{Major: 4, Minor: 19}) >= 0 && v.Compare(lockmodel.Version{Major: 5, Minor: 4}) < 0
}

// nofsCharge reports whether a sighting stands inside a charge made by XFS or
// btrfs page cache code, or with a journal handle open, none of which may enter
// the file system; outer are its callers, from the charge outwards.
func nofsCharge(g *waitgraph.Graph, s *stacks.Sighting) (outer string, ok bool) {
	c := g.Charge(s)
	switch c.Kind {
	case waitgraph.ChargeReclaim, waitgraph.ChargeOther, waitgraph.ChargeInCharge:
	default:
		return "", false
	}
	frames := s.Frames()
	i := slices.Index(frames, c.Frame)
	var b strings.Builder
	for _, f := range frames[i+1:] {
		fn := lockmodel.Fold(f.Func)
		b.WriteString(fn)
		b.WriteByte(' ')
		if strings.HasPrefix(fn, "xfs_") || strings.HasPrefix(fn, "__xfs_") || strings.HasPrefix(fn, "btrfs_") {
			ok = true
		}
	}
	return b.String(), ok
}

func killedSince(g *waitgraph.Graph, s *stacks.Sighting) bool {
	return slices.ContainsFunc(g.Snap.Kills, func(k *parse.Kill) bool { return g.Snap.Order(&k.Meta).After(s.Order) })
}

// addSpins gives a loop that is in no incident one of its own.
func addSpins(g *waitgraph.Graph, list []*Incident) []*Incident {
	found := spins(g)
	if len(found) == 0 {
		return list
	}
	of := map[*waitgraph.Node]*Incident{}
	for _, inc := range list {
		for _, n := range inc.Nodes {
			of[n] = inc
		}
	}
	for _, s := range found {
		inc := of[g.Node(s.task.ID)]
		if inc == nil {
			inc = &Incident{Snap: g.Snap, Graph: g}
			list = append(list, inc)
		}
		inc.spins = append(inc.spins, s)
	}
	return list
}
