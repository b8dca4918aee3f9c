package cluster_test

import (
	"bufio"
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"colsum/storage/storagetest"
)

// memoryLimit is the goal for a process that sums: 64 MiB of buffers and 32 MiB for all else.
const memoryLimit = 96 << 20

// A worker and `colsum sum` keep within their memory on an S3 object much larger than that. 2 slots, direct.
func TestMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("an object of 500 MB")
	}
	w := openWay(t)
	plain := filepath.Join(w.server.Dir, "big.csv") // a file of the server's folder is an object
	generate(t, plain, 1_200_000, 1)
	want := sum(t, plain).Digest
	endpoint := []string{"--s3-endpoint=" + w.server.URL, "--s3-region=" + storagetest.Region}

	c := startCluster(t, 1, 0, endpoint...)
	worker := c.worker("w0", c.data)
	c.done(c.submit("s3://test/big.csv", 64<<20), want)
	c.done(c.submit("s3://test/big.csv", 1<<20), want)
	check(t, "worker", peak(t, worker.cmd.Process.Pid))

	cmd := exec.CommandContext(t.Context(), program, append([]string{"sum", "--workers=2", "--json", "s3://test/big.csv"}, endpoint...)...)
	cmd.Env = environ()
	var out bytes.Buffer
	cmd.Stdout = &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	most := int64(0)
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for running := true; running; {
		most = max(most, peak(t, cmd.Process.Pid))
		select {
		case <-tick.C:
		case err := <-ended:
			if err != nil || !strings.Contains(out.String(), want) {
				t.Fatalf("colsum sum: %v, without digest %s:\n%s", err, want, &out)
			}
			running = false
		}
	}
	check(t, "colsum sum", most)
}

func check(t *testing.T, what string, most int64) {
	t.Helper()
	t.Logf("%s: at most %.1f MiB resident", what, float64(most)/(1<<20))
	if most == 0 || most > memoryLimit {
		t.Errorf("%s: %d bytes, want 1 to %d", what, most, memoryLimit)
	}
}

// peak is the most memory that a process has had resident so far (VmHWM), 0 when it has ended.
func peak(t testing.TB, pid int) (bytes int64) {
	t.Helper()
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if _, err := fmt.Sscanf(s.Text(), "VmHWM: %d kB", &bytes); err == nil {
			return bytes << 10
		}
	}
	return 0
}
