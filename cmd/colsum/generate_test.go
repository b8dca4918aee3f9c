package main

import (
	"bytes"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"colsum/storage/storagetest"
)

// Cells look like random float64s in text: their lengths vary as those do, and all of them are in (0, 1).
func TestAppendDecimal(t *testing.T) {
	plain := regexp.MustCompile(`^0\.(0{0,3})([1-9][0-9]*)$`)
	exponent := regexp.MustCompile(`^[1-9](\.[0-9]+)?e-[0-9]{2}$`)
	rng := rand.NewPCG(1, 2)
	digits := map[int]int{}
	exponents := 0
	const n = 200_000
	for range n {
		cell := string(appendDecimal(nil, rng.Uint64(), rng))
		if v, err := strconv.ParseFloat(cell, 64); err != nil || v <= 0 || v >= 1 {
			t.Fatalf("%q is not in (0, 1): %v", cell, err)
		}
		switch m := plain.FindStringSubmatch(cell); {
		case exponent.MatchString(cell):
			exponents++
		case m == nil || strings.HasSuffix(cell, "0"):
			t.Fatalf("%q does not look like a printed float64", cell)
		default:
			digits[len(m[2])]++
		}
	}
	// 1 in 10,000 is below 0.0001: 20 of 200,000, with a deviation of 4.5.
	if exponents < 2 || exponents > 50 {
		t.Errorf("%d cells with an exponent, want about 20", exponents)
	}
	for d, share := range map[int][2]float64{15: {0.03, 0.15}, 16: {0.35, 0.6}, 17: {0.35, 0.55}} {
		if got := float64(digits[d]) / n; got < share[0] || got > share[1] {
			t.Errorf("%.3f of the cells have %d significant digits, want %v", got, d, share)
		}
	}
	for _, r := range []uint64{0, 1, 1<<64 - 1} {
		if v, err := strconv.ParseFloat(string(appendDecimal(nil, r, rng)), 64); err != nil || v <= 0 || v >= 1 {
			t.Errorf("appendDecimal(%d) gives %v, %v", r, v, err)
		}
	}
}

// --check passes what was written, and finds what was not.
func TestGenerateCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a.csv")
	mustRun(t, "generate", "--columns=30", "--rows=5000", "--check", "--out", path)
	plain := filepath.Join(t.TempDir(), "a.csv")
	mustRun(t, "generate", "--columns=30", "--rows=5000", "--out", plain)
	want, err := os.ReadFile(plain)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Error("the file is another one with --check")
	}
	written := newTally(30)
	if err := generate(t.Context(), io.Discard, 30, 5000, 1, written, nil); err != nil {
		t.Fatal(err)
	}
	c := GenerateCmd{Columns: 30, Rows: 5000, Out: path}
	if err := c.check(t.Context(), written); err != nil {
		t.Error(err)
	}
	digit := bytes.LastIndexByte(got, '.') + 3
	got[digit] = '0' + (got[digit]-'0'+1)%10
	for what, text := range map[string][]byte{"another digit": got, "a row less": want[:bytes.LastIndexByte(want[:len(want)-1], '\n')+1]} {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := c.check(t.Context(), written); err == nil || !strings.HasPrefix(err.Error(), "check ") {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// What is written to S3 is what is written to disk, and sums up alike from there.
func TestGenerateS3(t *testing.T) {
	s := storagetest.StartVersityGW(t)
	env := []string{"AWS_ACCESS_KEY_ID=" + storagetest.AccessKey, "AWS_SECRET_ACCESS_KEY=" + storagetest.SecretKey, "MINIO_ENDPOINT=" + s.URL}
	object := "s3://" + storagetest.Bucket + "/deep/a.csv"
	got := invoke(t, "", env, "generate", "--columns=20", "--rows=50000", "--out", object) // 20 MB: several parts
	if got.code != 0 {
		t.Fatalf("exit status %d: %s", got.code, got.stderr)
	}
	path := filepath.Join(t.TempDir(), "a.csv")
	mustRun(t, "generate", "--columns=20", "--rows=50000", "--out", path)
	want := sumOf(t, path)
	for _, args := range [][]string{{"sum", "--json", object}, {"sum", "--json", "--chunk=300000", object}} {
		got := invoke(t, "", env, args...)
		if got.code != 0 {
			t.Fatalf("%q: exit status %d: %s", args, got.code, got.stderr)
		}
		if d := document(t, got.stdout); d.Digest != want.Digest || d.Rows != 50000 {
			t.Errorf("%q: digest %s, %d rows; want %s, 50000", args, d.Digest, d.Rows, want.Digest)
		}
	}
	checkMessage(t, invoke(t, "", env, "sum", "s3://"+storagetest.Bucket+"/absent.csv"), exitFailed, []string{"file_not_found", "absent.csv"})
}

// Ctrl-C in the middle of it leaves nothing behind.
func TestGenerateInterrupted(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(program, "generate", "--columns=100", "--rows=100000000", "--out", filepath.Join(dir, "a.csv"))
	cmd.Env = environ()
	var stderr strings.Builder
	cmd.Stderr = &stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	eventually(t, "writing", func() (bool, string) {
		files, err := os.ReadDir(dir)
		if err != nil || len(files) == 0 {
			return false, "no file"
		}
		st, err := files[0].Info()
		return err == nil && st.Size() > 1<<20 && strings.HasPrefix(files[0].Name(), "."), files[0].Name()
	})
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed || stderr.String() != "colsum: interrupted\n" {
		t.Errorf("exit status %d, %q; want %d, interrupted", code, stderr.String(), exitFailed)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func BenchmarkGenerate(b *testing.B) {
	var n int64
	if err := generate(b.Context(), io.Discard, 100, 2000, 1, nil, func(k int64) { n += k }); err != nil {
		b.Fatal(err)
	}
	b.SetBytes(n)
	for b.Loop() {
		if err := generate(b.Context(), io.Discard, 100, 2000, 1, nil, nil); err != nil {
			b.Fatal(err)
		}
	}
}
