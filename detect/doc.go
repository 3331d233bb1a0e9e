// Package detect cuts a snapshot's history into incidents and finds out what
// went wrong in each: one detector a file, all listed in All.
package detect
