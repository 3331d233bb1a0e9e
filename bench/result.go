package main

import (
	"fmt"
	"slices"
)

// Results are everything that was measured.
type Results struct {
	Machine Machine
	Quick   bool
	Runs    int
	Sizes   Sizes
	Tables  []*Table
}

// Machine is where. It names no host.
type Machine struct {
	CPU    string
	Cores  int
	Memory int64 // bytes
	Go     string
	System string
}

// Table is one group of measurements.
type Table struct {
	ID   string
	Rows []Row
}

// Row is one of them.
type Row struct {
	Key, Label string
	Bytes      int64 // of the text that it went through
	N          int64 // of tasks, reports
	Run
	Mean    float64 // wall time, where many runs were made
	Missing string  // why there is none: "not installed", "stopped at 4.0 GB of memory"
	Note    string
}

// GBs is gigabytes a second of cpu time.
func (r *Row) GBs() float64 { return float64(r.Bytes) / r.CPU() / 1e9 }

func (r *Results) table(id string) *Table {
	i := slices.IndexFunc(r.Tables, func(t *Table) bool { return t.ID == id })
	if i < 0 {
		r.Tables = append(r.Tables, &Table{ID: id})
		i = len(r.Tables) - 1
	}
	return r.Tables[i]
}

// find returns a row, nil if there is none.
func (r *Results) find(id, key string) *Row {
	for _, t := range r.Tables {
		for i := range t.Rows {
			if t.ID == id && t.Rows[i].Key == key {
				return &t.Rows[i]
			}
		}
	}
	return nil
}

// get returns a row that has figures, nil if there is none.
func (r *Results) get(id, key string) *Row {
	if row := r.find(id, key); row != nil && row.Missing == "" {
		return row
	}
	return nil
}

// size renders bytes as people say them.
func size(n int64) string {
	switch f := float64(n); {
	case n >= 1e9:
		return fmt.Sprintf("%.2f GB", f/1e9)
	case n >= 1e7:
		return fmt.Sprintf("%.0f MB", f/1e6)
	case n >= 1e6:
		return fmt.Sprintf("%.1f MB", f/1e6)
	}
	return fmt.Sprintf("%.0f kB", float64(n)/1e3)
}

// seconds renders a time with three digits that mean something.
func seconds(s float64) string {
	switch {
	case s >= 100:
		return fmt.Sprintf("%.0f s", s)
	case s >= 10:
		return fmt.Sprintf("%.1f s", s)
	case s >= 1:
		return fmt.Sprintf("%.2f s", s)
	case s >= 0.1:
		return fmt.Sprintf("%.0f ms", s*1e3)
	}
	return fmt.Sprintf("%.1f ms", s*1e3)
}
