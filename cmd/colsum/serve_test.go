package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// One node without any flags but addresses: a whole system, driven by the client commands.
func TestServeAlone(t *testing.T) {
	dir := t.TempDir()
	mustRun(t, "generate", "--columns=40", "--rows=5000", "--out", filepath.Join(dir, "data", "a.csv"))
	want := sumOf(t, "--columns=col9,3", filepath.Join(dir, "data", "a.csv"))
	addrs := freePorts(t, 3)
	args := []string{"serve", "--http=" + addrs[0], "--raft=" + addrs[1], "--rpc=" + addrs[2]}
	server := spawn(t, "serve", dir, args...)
	at := "--server=" + addrs[0]

	// The client waits for the server to come up by itself.
	got := document(t, mustRun(t, "schedule", "a.csv", "--columns=col9,3", "--wait", "--json", at, "--retry=60s"))
	if got.Status != "done" || got.Digest != want.Digest || got.Total != want.Total {
		t.Errorf("got %s, digest %s, total %s; want done, %s, %s", got.Status, got.Digest, got.Total, want.Digest, want.Total)
	}
	id := strings.TrimSpace(mustRun(t, "schedule", "a.csv", at, "--key=k"))
	if again := strings.TrimSpace(mustRun(t, "schedule", "a.csv", at, "--key=k")); again != id {
		t.Errorf("the same key again gives work %s, want %s", again, id)
	}
	if text := mustRun(t, "result", id, "--wait", at); !strings.Contains(text, "done") || !strings.Contains(text, "digest sha256:") {
		t.Errorf("result: %s", text)
	}
	if text := mustRun(t, "works", at); !strings.Contains(text, "0 in progress") || strings.Count(text, "a.csv") != 2 || !strings.Contains(text, id) {
		t.Errorf("works: %s", text)
	}
	if text := mustRun(t, "files", at); !strings.Contains(text, "a.csv") {
		t.Errorf("files: %s", text)
	}
	if text := mustRun(t, "cluster", "status", at); !strings.Contains(text, "node1") || !strings.Contains(text, "leader") {
		t.Errorf("cluster status: %s", text)
	}
	if text := mustRun(t, "cancel", id, at); !strings.Contains(text, "done") {
		t.Errorf("cancel of an ended work: %s", text)
	}
	for _, tt := range []struct {
		args []string
		want string
	}{
		{[]string{"schedule", "absent.csv", at}, "file_not_found"},
		{[]string{"schedule", "../a.csv", at}, "bad_request"},
		{[]string{"schedule", "a.csv", "--chunk=1", at}, "chunk_bytes"},
		{[]string{"schedule", "a.csv", "--key=k", "--every=3", at}, "key_conflict"},
		{[]string{"result", "nonsense", at}, "unknown_work"},
		{[]string{"cancel", "nonsense", at}, "unknown_work"},
	} {
		checkMessage(t, invoke(t, dir, nil, tt.args...), exitFailed, []string{tt.want})
	}

	// A work that fails is exit status 1, with the document all the same.
	if err := os.WriteFile(filepath.Join(dir, "data", "bad.csv"), []byte("a,b\n1,\"2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	bad := invoke(t, dir, nil, "schedule", "bad.csv", "--wait", "--json", at)
	if d := document(t, bad.stdout); bad.code != exitFailed || d.Status != "failed" || d.Error == nil || d.Error.Code != "unterminated_quote" {
		t.Errorf("exit status %d, %s", bad.code, bad.stdout)
	}

	// A second server with the same state folder is refused; the first one is none the worse.
	other := freePorts(t, 3)
	second := invoke(t, dir, nil, "serve", "--http="+other[0], "--raft="+other[1], "--rpc="+other[2])
	checkMessage(t, second, exitFailed, []string{"--dir", "another colsum"})

	// Works outlive the process, however it ended.
	server.kill()
	server.start(t)
	if d := document(t, mustRun(t, "result", id, "--json", at, "--retry=60s")); d.Status != "done" {
		t.Errorf("after a restart: %+v", d)
	}
	if code := server.terminate(t); code != 0 {
		t.Errorf("exit status %d after SIGTERM, want 0", code)
	}
}
