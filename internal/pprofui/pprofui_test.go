package pprofui

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/oomtrace/oomtrace"
	"github.com/oomtrace/oomtrace/report"
)

func TestPprofUI(t *testing.T) {
	const log = "../../testdata/dmesg/oom-3.2-memcg-trap-ext3.log"
	open := func() (io.ReadCloser, error) { return os.Open(log) }
	r, err := oomtrace.Analyze(t.Context(), []oomtrace.Source{{Name: log, Open: open}}, oomtrace.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var data bytes.Buffer
	if err := report.Profile(r, report.Options{}).Write(&data); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	pr, pw := io.Pipe()
	done := make(chan error, 1)
	var errs bytes.Buffer
	go func() {
		done <- run(ctx, &data, "localhost:0", false, pw, &errs)
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

func TestRefused(t *testing.T) {
	for _, test := range []struct{ address, in, want string }{
		{"0.0.0.0:0", "", "no address of this machine alone"},
		{"8080", "", "missing port"},
		{"localhost:0", "a log", "unrecognized profile format"},
	} {
		err := run(t.Context(), strings.NewReader(test.in), test.address, false, io.Discard, io.Discard)
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %s", test.address, err, test.want)
		}
	}
}
