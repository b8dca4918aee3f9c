package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// runWith runs the program with something on its standard input and TMPDIR set.
func runWith(t *testing.T, in io.Reader, tmp string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), program, args...)
	var out, errs bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.Env = in, &out, &errs, environ("TMPDIR="+tmp)
	_ = cmd.Run() // its exit status is looked at
	return cmd.ProcessState.ExitCode(), out.String(), errs.String()
}

func TestSumOfTheStandardInput(t *testing.T) {
	path := write(t, "a.csv", "a,b\n"+strings.Repeat("1,\"2\n\"\n", 3)+"5,7\n")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	want := sumOf(t, "--every=1", "--chunk=5", path)
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	tmp := t.TempDir()
	for name, in := range map[string]io.Reader{"pipe": bytes.NewReader(text), "file": file} {
		code, out, errs := runWith(t, in, tmp, "sum", "-", "--every=1", "--chunk=5", "--json")
		if code != 0 {
			t.Fatalf("%s: exit status %d, %s", name, code, errs)
		}
		if got := document(t, out); got.Digest != want.Digest || got.Filepath != "-" || got.Total != "31" && got.Total != want.Total {
			t.Errorf("%s: total %s, digest %s, want %s, %s", name, got.Total, got.Digest, want.Total, want.Digest)
		}
	}
	if code, out, _ := runWith(t, bytes.NewReader(text), tmp, "sum", path, "-", "--every=1"); code != 0 || strings.Count(out, want.Digest) != 2 {
		t.Errorf("a file and the standard input: exit status %d, %s", code, out)
	}
	if code, _, errs := runWith(t, bytes.NewReader(text), tmp, "sum", "-", "-"); code != exitUsage || !strings.Contains(errs, "once only") {
		t.Errorf("twice: exit status %d, %s", code, errs)
	}
	if code, _, errs := runWith(t, bytes.NewReader(text), tmp+"/none", "sum", "-"); code != exitFailed || !strings.Contains(errs, "TMPDIR") {
		t.Errorf("no room: exit status %d, %s", code, errs)
	}
	if code, out, _ := runWith(t, strings.NewReader(""), tmp, "sum", "-", "--json"); code != 0 || document(t, out).Rows != 0 {
		t.Errorf("nothing: exit status %d, %s", code, out)
	}
	left, err := os.ReadDir(tmp)
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

// Ctrl-C during a pipe that goes on: the command ends, and leaves nothing.
func TestInterruptedStandardInput(t *testing.T) {
	tmp := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, "sum", "-")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var errs bytes.Buffer
	cmd.Stderr, cmd.Env = &errs, environ("TMPDIR="+tmp)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := in.Write(bytes.Repeat([]byte("1,2\n"), 100_000)); err != nil { // more than a pipe holds: it reads
		t.Fatal(err)
	}
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || !strings.Contains(errs.String(), "interrupted") {
		t.Errorf("exit status %d, %q", code, errs.String())
	}
	if left, err := os.ReadDir(tmp); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}
