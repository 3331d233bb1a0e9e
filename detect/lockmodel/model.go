// Package lockmodel says which kernel functions hold or wait for which locks.
//
// The facts live in *.lock files in a small language (see docs/lock-model.md)
// of which tables.go is made; users add theirs with --lock-model FILE.
package lockmodel

import "github.com/alecthomas/participle/v2/lexer"

// Version is a mainline kernel release, as in 3.2.71. The zero Version means
// "unknown" or, in a range, "open".
type Version struct{ Major, Minor, Patch int }

// Mode is how a lock is taken.
type Mode uint8

// The modes. AnyMode in a fact means that the sleep primitive decides.
const (
	AnyMode   Mode = iota // not known, or the primitive decides
	Shared                // reader
	Exclusive             // writer, mutex
	Count                 // a counter that many hold at once: freeze protection, journal handles
)

// Verb is what a function does with a lock.
type Verb uint8

// The verbs.
const (
	// Acquires: the function takes the lock itself. It waits for it while it
	// stands right under a sleep primitive, and holds it while another
	// function stands above it.
	Acquires Verb = iota
	// Holds: the lock is held whenever this function is on the stack, even as
	// the waiting frame (for another lock): its caller took it, or it did so
	// before.
	Holds
	// Waits: the function sleeps for it and never holds it afterwards.
	Waits
)

// Class is a lock class or a resource that tasks wait for.
type Class struct {
	Name     string        // as used in facts: i_rwsem
	Label    string        // for people: "inode lock"
	Resource bool          // no owner the kernel tracks: frozen fs, FUSE reply, memcg OOM, page I/O
	Kinds    []string      // the kinds of primitive it sleeps in: mutex rwsem percpu ...
	Names    []VersionName // its name by version: i_mutex until 4.6
	Lockdep  []LockdepName // lockdep class names without #N and /subclass
	Source   string
	Pos      lexer.Position
}

// VersionName is a name that a class had in a range of versions.
type VersionName struct {
	Name         string
	Since, Until Version
}

// LockdepName maps a lockdep class to an instance of a Class.
type LockdepName struct {
	Name     string // "&sb->s_type->i_mutex_key"
	Instance string // "file", "" if the class has one kind of instance
}

// Primitive is a scheduler, tracer or lock function that stands above the
// function that waits.
type Primitive struct {
	Func          string
	Kind          string // sched mutex rwsem percpu semaphore rtmutex page bit buffer completion timeout tracer
	Mode          Mode
	Killable      bool
	Interruptible bool
	Pos           lexer.Position
}

// Fact is what one function does with one lock.
type Fact struct {
	Func         string
	Verb         Verb
	Class        string
	Mode         Mode
	Instance     string   // file dir inode own_mm target_mm new_mm foreign_mm sb journal page memcg task pipe global fuse device ...
	Since, Until Version  // kernel releases, inclusive; zero is open
	While        []string // only while one of these stands above (closer to the sleep)
	Unless       []string // not while one of these stands above
	From         []string // only when one of these stands below (called it)
	NotFrom      []string // not when one of these stands below
	On           []string // only under a primitive of one of these kinds (Waits and Acquires)
	Maybe        bool     // per-VMA locks: cannot be told from the stack
	Killable     []VersionRange
	Source       string // file and function, with the release it was read in
	Pos          lexer.Position
}

// VersionRange is inclusive; a zero end is open.
type VersionRange struct{ Since, Until Version }
