package lockmodel

import (
	"strings"
	"sync"
)

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
	m.tables = true
	for i := range tableClasses {
		c := &tableClasses[i]
		m.addClass(c)
	}
	for i := range tablePrimitives {
		m.addPrimitive(&tablePrimitives[i])
	}
	m.facts = make([]*Fact, len(tableFacts))
	for i := range tableFacts {
		m.facts[i] = &tableFacts[i]
	}
	for _, g := range tableFuncs {
		if name, ok := strings.CutPrefix(g.name, "sys_"); ok {
			m.bySyscall[name] = g.facts()
		}
	}
	for _, s := range tableSets {
		m.sets[s.name] = s.funcs
	}
	return m
}

// function is one that facts of the tables are about: those from to to of
// tableOrder.
type function struct {
	name     string
	from, to uint16
}

func (f *function) facts() []*Fact { return tableOrder[f.from:f.to:f.to] }

// tableAbout returns the facts of the tables about fn, by way of a hash table
// that the tables bring along: to make one costs a small log a tenth of its
// time.
func tableAbout(fn string) []*Fact {
	for i := hash(fn); ; i++ {
		slot := tableSlots[i%uint32(len(tableSlots))]
		if slot == 0 {
			return nil
		}
		if f := &tableFuncs[slot-1]; f.name == fn {
			return f.facts()
		}
	}
}

// hash is FNV-1a.
func hash(s string) uint32 {
	h := uint32(2166136261)
	for i := range len(s) {
		h = (h ^ uint32(s[i])) * 16777619
	}
	return h
}
