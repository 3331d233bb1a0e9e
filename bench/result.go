package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
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

// load takes the tables of an earlier run, where there was one. They must be of
// the same machine and the same texts.
func (r *Results) load(file string) error {
	data, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	var old Results
	if err == nil {
		err = json.Unmarshal(data, &old)
	}
	if err != nil {
		return err
	}
	if old.Machine != r.Machine || old.Sizes != r.Sizes || old.Runs != r.Runs {
		return fmt.Errorf("%s is of another machine, of other texts or of another number of runs", file)
	}
	r.Tables = old.Tables
	return nil
}

// save writes everything that was measured.
func (r *Results) save(file string) error {
	data, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(file, append(data, '\n'), 0o666)
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
