package main

import (
	"io"
	"net/http"
	"strings"
	"testing"
)

// fetchText reads a page; "" while nobody answers.
func fetchText(t testing.TB, url string) string {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return ""
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != 200 {
		return ""
	}
	return string(text)
}

// A node and a worker of its own show what became of a work; pprof answers where it was asked for.
func TestMetricsOfACluster(t *testing.T) {
	dir := t.TempDir()
	a := freePorts(t, 6)
	spawn(t, "node", dir, "serve", "--http="+a[0], "--raft="+a[1], "--rpc="+a[2], "--workers=0", "--pprof="+a[3], "--log-format=json")
	eventually(t, "ready", func() (bool, string) { return call(t.Context(), "GET", "http://"+a[0]+"/readyz", "", nil, nil) })
	spawn(t, "worker", dir, "worker", "--coordinator="+a[2], "--slots=1", "--metrics="+a[4], "--pprof="+a[5], "--data=data")
	mustRun(t, "generate", "--columns=20", "--rows=1000", "--out="+dir+"/data/a.csv")
	mustRun(t, "schedule", "a.csv", "--wait", "--server="+a[0])

	for _, row := range []struct{ url, want string }{
		{a[0] + "/metrics", `colsum_works{status="done"} 1`},
		{a[0] + "/metrics", "colsum_leader 1"},
		{a[0] + "/metrics", "colsum_tasks_done_total 1"},
		{a[0] + "/metrics", "colsum_rows_done_total 1000"},
		{a[0] + "/metrics", "colsum_lease_seconds_count 1"},
		{a[0] + "/metrics", "colsum_workers 1"},
		{a[0] + "/metrics", `colsum_http_requests_total{call="/api/schedule_work",status="202"} 1`},
		{a[0] + "/metrics", "raft_state_leader 1"},
		{a[4] + "/metrics", "colsum_worker_tasks_done_total 1"},
		{a[4] + "/metrics", "colsum_storage_local_read_bytes_total"},
		{a[4] + "/healthz", "ok"},
		{a[3] + "/debug/pprof/goroutine?debug=1", "goroutine profile"},
		{a[5] + "/debug/pprof/cmdline", "worker"},
	} {
		var text string
		eventually(t, row.url+" shows "+row.want, func() (bool, string) {
			text = fetchText(t, "http://"+row.url)
			return strings.Contains(text, row.want), text
		})
	}
}
