package waitgraph

import (
	"slices"
	"strings"

	"github.com/oomtrace/oomtrace/detect/lockmodel"
	"github.com/oomtrace/oomtrace/parse"
	"github.com/oomtrace/oomtrace/stacks"
)

// ChargeKind is where in a memcg charge, or in its OOM handling, a task is.
type ChargeKind uint8

// The places, by oom-eras §4. A kind proves an era; see Charge.Era.
const (
	ChargeNone       ChargeKind = iota
	ChargeReclaim               // try_to_free_mem_cgroup_pages under a charge: not an OOM
	ChargeTrap                  // mem_cgroup_handle_oom, 2.6.34..3.11: in the charge with all locks
	ChargeInCharge              // mem_cgroup_out_of_memory under a charge: kill done in place
	ChargeInterim               // the same below mem_cgroup_oom, 3.12-rc
	ChargeOther                 // inside a charge, in neither of these
	SynchronizeKill             // mem_cgroup_oom_synchronize kills
	SynchronizeWait             // mem_cgroup_oom_synchronize sleeps
	ChargeLimitWrite            // a write to memory.max or limit_in_bytes
	ChargeHigh                  // memory.high throttling
)

// Charge is what a stack shows of a memcg charge.
type Charge struct {
	Kind     ChargeKind
	Frame    *parse.Frame // the frame that proves it
	Sleeping bool         // on the memcg's OOM wait queue (not the killer's one-tick nap)
	Inferred bool         // handle_oom was inlined away
	Fault    bool         // a page fault stands below
	Kill     *parse.Frame // oom_kill_process or mem_cgroup_out_of_memory above
}

// chargeFuncs are the entry points and the core of charging, 2.6.25..7.1
// (mm/memcontrol.c). T.NNN and compiler suffixes are folded away before.
var chargeFuncs = []string{
	"__mem_cgroup_try_charge", "mem_cgroup_do_charge", "mem_cgroup_charge_common", "mem_cgroup_newpage_charge",
	"mem_cgroup_cache_charge", "mem_cgroup_try_charge", "mem_cgroup_try_charge_swapin", "__mem_cgroup_try_charge_swapin",
	"mem_cgroup_charge_file", "mem_cgroup_charge_anon", "mem_cgroup_prepare_migration", "__mem_cgroup_try_charge_mm",
	"try_charge", "try_charge_memcg", "charge_memcg", "mem_cgroup_charge", "__mem_cgroup_charge",
	"mem_cgroup_try_charge_delay", "mem_cgroup_swapin_charge_page", "mem_cgroup_swapin_charge_folio", "mem_cgroup_charge_hugetlb",
	"obj_cgroup_charge", "obj_cgroup_charge_pages", "obj_cgroup_charge_account", "__memcg_kmem_charge", "__memcg_kmem_charge_page",
	"memcg_kmem_charge", "memcg_charge_kmem", "memcg_charge_kernel_stack", "__memcg_slab_post_alloc_hook", "mem_cgroup_charge_skmem",
	"mem_cgroup_hugetlb_try_charge", "mem_cgroup_do_precharge",
}

// trapFuncs are the charge functions of 2.6.34..3.11. mem_cgroup_handle_oom is
// static from 3.8 on, so GCC may inline it into one of them.
var trapFuncs = []string{"__mem_cgroup_try_charge", "mem_cgroup_do_charge", "mem_cgroup_charge_common", "mem_cgroup_newpage_charge",
	"mem_cgroup_cache_charge", "mem_cgroup_try_charge_swapin"}

func isCharge(fn string) bool { return slices.Contains(chargeFuncs, lockmodel.Fold(fn)) }

// gccTemp reports the name GCC gives a static callee it moved (T.1146).
func gccTemp(fn string) bool {
	rest, ok := strings.CutPrefix(fn, "T.")
	return ok && rest != "" && strings.Trim(rest, "0123456789") == ""
}

// chargeOf reads the charge state of a stack (oom-eras §4). frames are the
// reliable ones, innermost first.
func chargeOf(frames []*parse.Frame, m *lockmodel.Model, v lockmodel.Version, s *stacks.Sighting) Charge {
	find := func(names ...string) int {
		return slices.IndexFunc(frames, func(f *parse.Frame) bool { return slices.Contains(names, lockmodel.Fold(f.Func)) })
	}
	var c Charge
	c.Fault = find("do_page_fault", "__do_page_fault", "do_user_addr_fault", "exc_page_fault", "handle_mm_fault", "pagefault_out_of_memory") >= 0
	kill := find("oom_kill_process", "mem_cgroup_out_of_memory", "out_of_memory", "dump_header")
	if kill >= 0 {
		c.Kill = frames[kill]
	}
	if i := find("mem_cgroup_oom_synchronize"); i >= 0 && find("handle_mm_fault") < 0 {
		c.Frame = frames[i]
		if kill >= 0 && kill < i {
			c.Kind = SynchronizeKill
		} else {
			c.Kind, c.Sleeping = SynchronizeWait, s.State != 'R'
		}
		return c
	}
	if i := find("mem_cgroup_handle_oom"); i >= 0 {
		c.Kind, c.Frame = ChargeTrap, frames[i]
		// The killer's nap is schedule_timeout_uninterruptible(1); a waiter
		// on memcg_oom_waitq stands in schedule() itself (3.2, 3.11).
		c.Sleeping = kill < 0 && find("schedule_timeout_uninterruptible", "schedule_timeout") < 0
		return c
	}
	if i := find("memory_max_write", "mem_cgroup_resize_limit", "mem_cgroup_resize_max", "mem_cgroup_resize_memsw_limit", "mem_cgroup_force_empty"); i >= 0 {
		c.Kind, c.Frame = ChargeLimitWrite, frames[i]
		return c
	}
	if i := find("mem_cgroup_handle_over_high", "__mem_cgroup_handle_over_high"); i >= 0 {
		c.Kind, c.Frame = ChargeHigh, frames[i]
		return c
	}
	first := slices.IndexFunc(frames, func(f *parse.Frame) bool { return isCharge(f.Func) })
	if first < 0 {
		return c
	}
	c.Frame = frames[first]
	inlined := slices.Contains(trapFuncs, lockmodel.Fold(c.Frame.Func)) && (v.IsZero() || (v.Compare(v3_5) >= 0 && v.Compare(v3_12) < 0))
	switch oom := find("mem_cgroup_out_of_memory"); {
	case oom >= 0 && oom < first || kill >= 0 && kill < first:
		c.Kind = ChargeInCharge
		if i := find("mem_cgroup_oom"); i >= 0 && i < first {
			c.Kind = ChargeInterim
		} else if inlined && !v.IsZero() {
			c.Kind, c.Inferred = ChargeTrap, true
		}
	case find("try_to_free_mem_cgroup_pages", "mem_cgroup_hierarchical_reclaim", "mem_cgroup_reclaim") >= 0:
		c.Kind = ChargeReclaim
	default:
		c.Kind = ChargeOther
		// A sleep right above a charge frame is an inlined handle_oom of
		// 2.6.34..3.11, unless the state is S: then it is the wait for a
		// charge move (mem_cgroup_wait_acct_move, .. 6.12).
		if above := frames[:first]; inlined && s.State == 'D' && !s.Filtered() && len(above) > 0 && onlySleeps(above, m) {
			c.Kind, c.Inferred = ChargeTrap, true
			c.Sleeping = !slices.ContainsFunc(above, func(f *parse.Frame) bool { return f.Func == "schedule_timeout_uninterruptible" })
		}
	}
	return c
}

var v3_5, v3_12 = lockmodel.Version{Major: 3, Minor: 5}, lockmodel.Version{Major: 3, Minor: 12}

func onlySleeps(frames []*parse.Frame, m *lockmodel.Model) bool {
	for _, f := range frames {
		if gccTemp(f.Func) {
			continue
		}
		if p := m.Primitive(f.Func); p == nil || !weak(p.Kind) {
			return false
		}
	}
	return true
}

// Era is the era that the frames prove, "" if none (oom-eras §4).
func (c Charge) Era() string {
	switch c.Kind {
	case ChargeTrap:
		return "trap"
	case ChargeInterim:
		return "interim"
	case ChargeInCharge:
		if fn := lockmodel.Fold(c.Frame.Func); fn == "__mem_cgroup_try_charge" {
			return "kill_once"
		}
		return "kill_in_charge"
	case SynchronizeKill:
		return "synchronize"
	}
	return ""
}

// Charge reads the charge state of any sighting, past ones included.
func (g *Graph) Charge(s *stacks.Sighting) Charge {
	return g.dec.of(s).Charge
}

// Top is the innermost frame that is no scheduler or lock function: what a
// sighting is doing, nil if it shows nothing else.
func (g *Graph) Top(s *stacks.Sighting) *parse.Frame {
	for _, f := range s.Frames() {
		if g.Model.Primitive(f.Func) == nil {
			return f
		}
	}
	return nil
}
