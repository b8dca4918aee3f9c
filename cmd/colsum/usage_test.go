package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// Each of these is a command line that no run could satisfy: exit status 2, one line that names the flag and the bound.
func TestUsageErrors(t *testing.T) {
	file := write(t, "a.csv", "1,2\n")
	for _, tt := range []struct {
		args []string
		env  []string
		want []string // all in the message
	}{
		{args: []string{"nonsense"}, want: []string{"nonsense"}},
		{args: []string{"sum"}, want: []string{"<file>", "colsum sum --help"}},
		{args: []string{"sum", file, "--nonsense"}, want: []string{"--nonsense"}},
		{args: []string{"sum", file, "--every=0"}, want: []string{"--every", "at least 1", "got 0"}},
		{args: []string{"sum", file, "--every=-3"}, want: []string{"--every", "at least 1", "got -3"}},
		{args: []string{"sum", file, "--every=x"}, want: []string{"--every", `"x"`}},
		{args: []string{"sum", file, "--first=0"}, want: []string{"--first", "at least 1", "got 0"}},
		{args: []string{"sum", file, "--columns=3,0"}, want: []string{"--columns", "at least 1", "got 0"}},
		{args: []string{"sum", file, "--columns=3", "--every=2"}, want: []string{"--columns", "--every"}},
		{args: []string{"sum", file, "--delimiter=ab"}, want: []string{"--delimiter", "one byte"}},
		{args: []string{"sum", file, "--delimiter=§"}, want: []string{"--delimiter", "one byte"}},
		{args: []string{"sum", file, "--delimiter=\""}, want: []string{"--quote", "delimiter"}},
		{args: []string{"sum", file, "--quote=5"}, want: []string{"--quote", "number", "5"}},
		{args: []string{"sum", ""}, want: []string{"<file>", "empty"}},
		{args: []string{"generate", "--columns=1", "--rows=1", "--out=s3://b/k", "--s3-endpoint=127.0.0.1:1", "--s3-credentials=static"}, want: []string{"S3", "Key"}},
		{args: []string{"sum", file, "--decimal=;"}, want: []string{"--decimal"}},
		{args: []string{"sum", file, "--header=maybe"}, want: []string{"--header", "maybe"}},
		{args: []string{"sum", file, "--invalid=ignore"}, want: []string{"--invalid", "ignore"}},
		{args: []string{"sum", file, "--chunk=0"}, want: []string{"--chunk", "at least 1"}},
		{args: []string{"sum", file, "--chunk=many"}, want: []string{"--chunk", "many"}},
		{args: []string{"sum", file, "--workers=-1"}, want: []string{"--workers", "at least 1"}},
		{args: []string{"sum", file}, env: []string{"COLSUM_EVERY=0"}, want: []string{"--every", "at least 1"}},
		{args: []string{"sum", file}, env: []string{"COLSUM_EVERY=x"}, want: []string{"--every", "COLSUM_EVERY"}},
		{args: []string{"schedule", "a.csv", "--every=0"}, want: []string{"--every", "at least 1"}},
		{args: []string{"schedule", "a.csv", "--server=ftp://x"}, want: []string{"--server", "ftp://x"}},
		{args: []string{"works", "--limit=-1"}, want: []string{"--limit", "at least 0"}},
		{args: []string{"works", "--status=lost"}, want: []string{"--status", "lost"}},
		{args: []string{"generate", "--columns=0", "--rows=1"}, want: []string{"--columns", "between 1 and", "got 0"}},
		{args: []string{"generate", "--columns=3"}, want: []string{"--rows"}},
		{args: []string{"generate", "--columns=3", "--rows=-1"}, want: []string{"--rows", "at least 0"}},
		{args: []string{"serve", "--http=5000"}, want: []string{"--http", "host:port"}},
		{args: []string{"serve", "--rpc=127.0.0.1:99999"}, want: []string{"--rpc", "65535"}},
		{args: []string{"serve", "--peer=b=127.0.0.1:1"}, want: []string{"--peer", "node1"}},
		{args: []string{"serve", "--peer=b"}, want: []string{"--peer", "ID=HOST:PORT"}},
		{args: []string{"serve", "--raft=0.0.0.0:1", "--peer=node1=h:1"}, want: []string{"--advertise-raft", "required"}},
		{args: []string{"serve", "--workers=-1"}, want: []string{"--workers", "at least 0"}},
		{args: []string{"serve", "--log-format=xml"}, want: []string{"--log-format", "xml"}},
		{args: []string{"worker", "--coordinator=host"}, want: []string{"--coordinator", "host:port"}},
		{args: []string{"worker", "--s3-credentials=chain"}, want: []string{"--s3-credentials", "static", "chain"}},
		{args: []string{"sum", file, "--storage-patience=0s"}, want: []string{"--storage-patience", "1s to 24h", "0s"}},
		{args: []string{"worker"}, env: []string{"COLSUM_STORAGE_PATIENCE=long"}, want: []string{"--storage-patience", "long"}},
		{args: []string{"worker", "--slots=-1"}, want: []string{"--slots", "at least 1"}},
	} {
		t.Run(strings.Join(append(tt.env, tt.args...), " "), func(t *testing.T) {
			got := invoke(t, t.TempDir(), tt.env, tt.args...)
			checkMessage(t, got, exitUsage, tt.want)
		})
	}
}

// Each of these is a run that fails: exit status 1, one line that says what and where.
func TestFailures(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	dir := t.TempDir()
	pipe := filepath.Join(dir, "pipe")
	if err := unix.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		args []string
		env  []string
		want []string
	}{
		{"absent file", []string{"sum", "absent.csv"}, nil, []string{"absent.csv", "file_not_found"}},
		{"below a file", []string{"sum", write(t, "a.csv", "1\n") + "/b.csv"}, nil, []string{"b.csv", "file_not_found"}},
		{"S3 without keys", []string{"sum", "--s3-endpoint=127.0.0.1:1", "s3://b/k"}, nil, []string{"s3://b/k", "bad_option", "no credentials"}},
		{"S3 not set up", []string{"sum", "s3://b/k"}, nil, []string{"s3://b/k", "path_not_allowed", "no S3 storage"}},
		{"over a pipe", []string{"generate", "--columns=1", "--rows=1", "--out=" + pipe}, nil, []string{"pipe", "regular file"}},
		{"folder", []string{"sum", dir}, nil, []string{dir, "is_directory", "is a directory"}},
		{"device", []string{"sum", "/dev/null"}, nil, []string{"/dev/null", "path_not_allowed", "regular file"}},
		{"UTF-16", []string{"sum", write(t, "a.csv", "\xff\xfe1\x00,\x002\x00\n\x00")}, nil, []string{"unsupported_encoding", "UTF-16"}},
		{"gzip", []string{"sum", write(t, "a.csv", "\x1f\x8b\x08\x00\x00\x00\x00\x00")}, nil, []string{"compressed", "gzip"}},
		{"unterminated quote", []string{"sum", write(t, "a.csv", "a,b\n1,\"2\n3,4\n")}, nil, []string{"unterminated_quote", "byte 6"}},
		{"unknown column", []string{"sum", "--columns=price", write(t, "a.csv", "a,b\n1,2\n")}, nil, []string{"unknown_column", "price"}},
		{"invalid=fail", []string{"sum", "--every=1", "--invalid=fail", write(t, "a.csv", "a,b\n1,x\n")}, nil, []string{"invalid_cell", "x"}},
		{"kernel", []string{"sum", write(t, "a.csv", "1\n")}, []string{"COLSUM_KERNEL=abacus"}, []string{"COLSUM_KERNEL", "abacus"}},
		{"kernel of a worker", []string{"worker"}, []string{"COLSUM_KERNEL=abacus"}, []string{"COLSUM_KERNEL", "abacus"}},
		{"kernel of a node", []string{"serve"}, []string{"COLSUM_KERNEL=abacus"}, []string{"COLSUM_KERNEL", "abacus"}},
		{"no server", []string{"works", "--retry=0s", "--server=127.0.0.1:1"}, nil, []string{"127.0.0.1:1", "refused"}},
		{"port in use", []string{"serve", "--http", taken.Addr().String()}, nil, []string{"--http", taken.Addr().String(), "in use"}},
		{"missing folder", []string{"serve", "--http=127.0.0.1:0", "--raft=127.0.0.1:0", "--rpc=127.0.0.1:0", "--data=missing"}, nil, []string{"--data", "missing", "does not exist"}},
		{"missing file root", []string{"worker", "--file-root=missing"}, nil, []string{"--file-root", "missing", "does not exist"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			checkMessage(t, invoke(t, t.TempDir(), tt.env, tt.args...), exitFailed, tt.want)
		})
	}
}

// checkMessage checks an exit status and the one line that goes with it.
func checkMessage(t *testing.T, got outcome, code int, want []string) {
	t.Helper()
	if got.code != code {
		t.Errorf("exit status %d, want %d", got.code, code)
	}
	last := strings.TrimSpace(got.stderr)
	if strings.Contains(last, "\n") || !strings.HasPrefix(last, "colsum: ") {
		t.Errorf("standard error is not one line that begins with 'colsum: ':\n%s", got.stderr)
	}
	for _, w := range want {
		if !strings.Contains(last, w) {
			t.Errorf("message %q does not contain %q", last, w)
		}
	}
	if got.stdout != "" {
		t.Errorf("standard output %q, want none", got.stdout)
	}
}

// Every command answers --help with its flags, their environment variables and an example.
func TestHelp(t *testing.T) {
	for _, command := range []string{"serve", "worker", "sum", "schedule", "works", "result", "watch", "cancel", "files", "generate"} {
		got := invoke(t, "", nil, command, "--help")
		if got.code != 0 || !strings.Contains(got.stdout, "COLSUM_") || !strings.Contains(got.stdout, "Example") {
			t.Errorf("%s --help: exit status %d, want 0 and an example and the environment variables\n%s%s", command, got.code, got.stdout, got.stderr)
		}
	}
	if got := invoke(t, "", nil); got.code != 0 || !strings.Contains(got.stdout, "colsum sum") {
		t.Errorf("colsum without arguments: exit status %d\n%s", got.code, got.stdout)
	}
}
