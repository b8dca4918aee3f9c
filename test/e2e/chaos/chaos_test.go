package main

import (
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"colsum/storage/storagetest"
)

// A short run of a fixed seed, against the program as it is now.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	s3 := storagetest.Tool(t, "versitygw", "COLSUM_VERSITYGW")
	bin := filepath.Join(t.TempDir(), "colsum")
	build := exec.Command("go", "build", "-o", bin, "./cmd/colsum")
	build.Dir = filepath.Join("..", "..", "..")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	s := settings{seed: 4, length: 30 * time.Second, workers: 2, clients: 3, bin: bin, s3: s3, dir: t.TempDir()}
	bad, err := run(t.Context(), s, t.Logf)
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range bad {
		t.Error(b)
	}
}
