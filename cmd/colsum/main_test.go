package main

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

	"colsum/csvsum"
)

// program is the program under test, built once. Under the race detector it is built with it too.
var (
	program  string
	raceFlag []string
)

func TestMain(m *testing.M) {
	code, err := buildAndRun(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	os.Exit(code)
}

func buildAndRun(m *testing.M) (int, error) {
	dir, err := os.MkdirTemp("", "colsum-test")
	if err != nil {
		return 1, err
	}
	defer os.RemoveAll(dir)
	program = filepath.Join(dir, "colsum")
	build := exec.Command("go", append(append([]string{"build"}, raceFlag...), "-o", program, ".")...)
	if out, err := build.CombinedOutput(); err != nil {
		return 1, fmt.Errorf("build: %w\n%s", err, out)
	}
	return m.Run(), nil
}

// environ is the environment of the programs under test: nothing of the developer's own settings for colsum or S3.
func environ(extra ...string) []string {
	var env []string
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "COLSUM_") && !strings.HasPrefix(e, "AWS_") && !strings.HasPrefix(e, "MINIO_") {
			env = append(env, e)
		}
	}
	return append(env, extra...)
}

// outcome is how a run of the program ended.
type outcome struct {
	code           int
	stdout, stderr string
}

// invoke runs the program to its end. It fails the test only if the program could not be run.
func invoke(t testing.TB, dir string, env []string, args ...string) outcome {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	cmd.Dir, cmd.Env = dir, environ(env...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatalf("colsum %q: %v", args, err)
	}
	return outcome{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
}

// mustRun runs the program, which has to succeed, and returns its output.
func mustRun(t testing.TB, args ...string) string {
	t.Helper()
	o := invoke(t, "", nil, args...)
	if o.code != 0 {
		t.Fatalf("colsum %q: exit status %d, want 0\n%s%s", args, o.code, o.stdout, o.stderr)
	}
	return o.stdout
}

// sumOf is the document that `colsum sum` gives for a file.
func sumOf(t testing.TB, args ...string) *csvsum.Document {
	t.Helper()
	return document(t, mustRun(t, append([]string{"sum", "--json"}, args...)...))
}

func document(t testing.TB, text string) *csvsum.Document {
	t.Helper()
	d := &csvsum.Document{}
	if err := json.Unmarshal([]byte(text), d); err != nil {
		t.Fatalf("not a result document: %v\n%s", err, text)
	}
	return d
}

// write writes a file below t.TempDir and returns its path.
func write(t testing.TB, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
