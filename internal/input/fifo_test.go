//go:build unix

package input

import (
	"io"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestFIFO(t *testing.T) {
	path := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	go func() {
		w, err := os.OpenFile(path, os.O_WRONLY, 0)
		if err != nil {
			return
		}
		defer w.Close()
		w.WriteString(line)
	}()
	s, got, err := read(t, nil, path)
	if err != nil || got != line {
		t.Errorf("read %q, %v; want the line", got, err)
	}
	if rc, err := s.Open(); err != nil {
		t.Errorf("second Open: %v", err)
	} else if again, err := io.ReadAll(rc); string(again) != line || err != nil {
		t.Errorf("read again %q, %v; want the line", again, err)
	}
}

func TestKmsgIsRefused(t *testing.T) {
	// The name and the kind of file tell; any device will do.
	path := filepath.Join(t.TempDir(), "kmsg")
	if err := os.Symlink("/dev/null", path); err != nil {
		t.Fatal(err)
	}
	if _, _, err := read(t, nil, path); err == nil {
		t.Error("opened kmsg, which never ends")
	}
}
