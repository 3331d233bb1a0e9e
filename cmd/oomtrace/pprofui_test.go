package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oomtrace/oomtrace/report"
)

func TestPprofUI(t *testing.T) {
	r, err := loadReport(t.Context(), []string{"../../testdata/dmesg/oom-3.2-memcg-trap-ext3.log"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pr, pw := io.Pipe()
	done := make(chan error, 1)
	var errs bytes.Buffer
	go func() {
		done <- servePprof(ctx, report.Profile(r, report.Options{}), "localhost:0", false, pw, &errs)
		pw.Close()
	}()
	url, err := bufio.NewReader(pr).ReadString('\n')
	if err != nil {
		t.Fatalf("no address: %v, %v", err, <-done)
	}
	url = strings.TrimSpace(url)

	get := func(page, host string) (int, string) {
		t.Helper()
		req, err := http.NewRequestWithContext(ctx, "GET", url+page, nil)
		if err != nil {
			t.Fatal(err)
		}
		if host != "" {
			req.Host = host
		}
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return res.StatusCode, string(body)
	}
	for _, page := range []string{"", "flamegraph", "top", "peek?f=do_truncate"} {
		if code, body := get(page, ""); code != 200 || !strings.Contains(body, "do_truncate") {
			t.Errorf("/%s: %d, %.200s", page, code, body)
		}
	}
	if code, body := get("download", ""); code != 200 || len(body) == 0 {
		t.Errorf("/download: %d", code)
	}
	for _, page := range []string{"source?f=.", "disasm?f=.", "saveconfig?config=x", "no"} {
		if code, _ := get(page, ""); code != http.StatusNotFound {
			t.Errorf("/%s: %d, want none", page, code)
		}
	}
	if code, _ := get("top", "evil.example"); code != http.StatusForbidden {
		t.Errorf("a foreign name gets %d", code)
	}

	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the server does not end")
	}
	if errs.Len() > 0 {
		t.Errorf("stderr: %s", errs.String())
	}
}

func TestLoopback(t *testing.T) {
	for host, want := range map[string]bool{
		"": true, "localhost": true, "127.0.0.1": true, "127.8.8.8": true, "::1": true,
		"0.0.0.0": false, "::": false, "10.0.0.1": false, "localhost.evil.example": false,
	} {
		if got := loopback(host); got != want {
			t.Errorf("loopback(%q) = %v", host, got)
		}
	}
}
