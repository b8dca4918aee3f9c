package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The commands in docs/api.md do what they say.
func TestCommandsInTheDocs(t *testing.T) {
	for _, tool := range []string{"bash", "curl", "grep", "sed"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skip(err)
		}
	}
	dir := t.TempDir()
	a := freePorts(t, 3)
	spawn(t, "node", dir, "serve", "--http="+a[0], "--raft="+a[1], "--rpc="+a[2], "--workers=1")
	eventually(t, "ready", func() (bool, string) { return call(t.Context(), "GET", "http://"+a[0]+"/readyz", "", nil, nil) })
	mustRun(t, "generate", "--columns=20", "--rows=50", "--out="+filepath.Join(dir, "data", "data.csv"))

	text, err := os.ReadFile("../../docs/api.md")
	if err != nil {
		t.Fatal(err)
	}
	script := "set -euo pipefail\nurl=http://" + a[0] + "\n"
	blocks := strings.Split(string(text), "```sh\n")[1:]
	if len(blocks) < 5 {
		t.Fatalf("only %d blocks", len(blocks))
	}
	for _, b := range blocks {
		block, _, _ := strings.Cut(b, "\n```")
		script += block + "\n"
	}
	cmd := exec.CommandContext(t.Context(), "bash", "-x", "-c", script)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, tail(out, 3000))
	}
}
