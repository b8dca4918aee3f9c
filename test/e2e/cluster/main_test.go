// Package cluster_test runs clusters of real processes over storage that fails: whatever happens to it, a work that ends
// as done has the digest that `colsum sum` gives for the plain file, and a work that cannot be right fails and says why.
//
// The S3 server is a versitygw. Between it and the cluster stand a proxy that says wrong things (storagetest.Proxy) and a
// network that breaks (toxi). Every test ends with a search for the S3 keys in all that the processes wrote and answered.
package cluster_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"colsum/csvsum"
	"colsum/storage/storagetest"
)

// program is the program under test, built once, or $COLSUM_BIN.
var program string

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	if bin := os.Getenv("COLSUM_BIN"); bin != "" {
		abs, err := filepath.Abs(bin)
		program = abs
		return m.Run(), err
	}
	dir, err := os.MkdirTemp("", "colsum-e2e")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "colsum")
	build := exec.Command("go", "build", "-o", program, "./cmd/colsum")
	build.Dir = filepath.Join("..", "..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// patience is how long a test waits for what must happen. Only a failing test takes that long.
const patience = 2 * time.Minute

// environ is the environment of the programs under test: the keys, and nothing of the developer's own settings.
func environ(extra ...string) []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "COLSUM_") && !strings.HasPrefix(e, "AWS_") && !strings.HasPrefix(e, "MINIO_") {
			env = append(env, e)
		}
	}
	env = append(env, "MINIO_ACCESS_KEY="+storagetest.AccessKey, "MINIO_SECRET_KEY="+storagetest.SecretKey)
	return append(env, extra...)
}

// run runs the program to its end and returns its exit status and what it wrote, which is searched for keys.
func run(t testing.TB, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return runWith(t, nil, args...)
}

// runWith is run with more in the environment.
func runWith(t testing.TB, env []string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = t.TempDir(), environ(env...)
	var out, msg bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &msg
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("colsum %q: %v", args, err)
	}
	noKeys(t, fmt.Sprintf("colsum %q", args), append(out.Bytes(), msg.Bytes()...))
	return cmd.ProcessState.ExitCode(), out.String(), msg.String()
}

// sum is the document of `colsum sum`, which has to succeed.
func sum(t testing.TB, args ...string) *csvsum.Document {
	t.Helper()
	code, stdout, stderr := run(t, append([]string{"sum", "--json"}, args...)...)
	d := &csvsum.Document{}
	if err := json.Unmarshal([]byte(stdout), d); err != nil || code != 0 || d.Digest == "" {
		t.Fatalf("colsum sum %q: exit status %d, %v\n%s%s", args, code, err, stdout, stderr)
	}
	return d
}

// generate writes a file of the shape every test uses: 21 columns, about 420 bytes a row.
func generate(t testing.TB, path string, rows, seed int, flags ...string) {
	t.Helper()
	args := append([]string{"generate", "--columns=21", fmt.Sprint("--rows=", rows), fmt.Sprint("--seed=", seed), "--out", path}, flags...)
	if code, _, stderr := run(t, args...); code != 0 {
		t.Fatalf("generate %s: exit status %d\n%s", path, code, stderr)
	}
}

// wrongKey is a secret key that the server does not know.
const wrongKey = "not-the-secret-of-the-server"

// noKeys fails the test if text holds an S3 key.
func noKeys(t testing.TB, where string, text []byte) {
	t.Helper()
	for _, key := range []string{storagetest.AccessKey, storagetest.SecretKey, wrongKey} {
		if i := bytes.Index(text, []byte(key)); i >= 0 {
			t.Errorf("%s holds the S3 key %q: ...%q...", where, key, text[max(0, i-80):min(len(text), i+len(key)+20)])
		}
	}
}
