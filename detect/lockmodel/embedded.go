package lockmodel

import "sync"

// set is a named list of functions.
type set struct {
	name  string
	funcs []string
}

// Embedded returns the model of the *.lock files in the binary. The result is
// shared and must not be changed.
//
// It comes from tables.go, static data made of these files, and not from the
// files themselves: to parse them costs more than to analyse a small log.
func Embedded() *Model { return loadTables() }

var loadTables = sync.OnceValue(fromTables)

func fromTables() *Model {
	m := newModel()
	for i := range tableClasses {
		c := &tableClasses[i]
		m.addClass(c)
	}
	for i := range tablePrimitives {
		m.addPrimitive(&tablePrimitives[i])
	}
	m.facts = make([]*Fact, 0, len(tableFacts))
	for i := range tableFacts {
		m.addFact(&tableFacts[i])
	}
	for _, s := range tableSets {
		m.sets[s.name] = s.funcs
	}
	return m
}
