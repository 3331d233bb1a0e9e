//go:build unix

package main

import (
	"bufio"
	"io"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// In the source tree `go run` is enough: the viewer is made as well.
func TestViewerOfGoRun(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "run", ".", "pprof", "../../testdata/dmesg/oom-3.2-memcg-trap-ext3.log")
	cmd.Env = append(cmd.Environ(), "PATH="+goDir(t), "CGO_ENABLED=0") // no C compiler there
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}              // as a shell does, for Ctrl-C
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	url, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		cmd.Wait()
		t.Fatalf("no address: %v, %s", err, said.String())
	}
	res, err := http.Get(strings.TrimSpace(url) + "flamegraph")
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || !strings.Contains(string(body), "mem_cgroup_handle_oom") {
		t.Errorf("the page of the stacks has %d bytes, error %v", len(body), err)
	}
	if err := syscall.Kill(-cmd.Process.Pid, syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	cmd.Wait() // `go run` ends in 1 whatever its program says
	if said.Len() > 0 {
		t.Errorf("after Ctrl-C: %s", said.String())
	}
	if res, err := http.Get(strings.TrimSpace(url)); err == nil {
		res.Body.Close()
		t.Error("the viewer goes on after Ctrl-C")
	}
}

// goDir is the directory of the go command: nothing else is in PATH.
func goDir(t *testing.T) string {
	path, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	return path[:strings.LastIndexByte(path, '/')]
}
