package storage_test

import (
	"io"
	"os"
	"path/filepath"
	"testing"

	"colsum/storage"
)

// BenchmarkLocal compares the checked reads of Local with bare preads of the same cached file.
func BenchmarkLocal(b *testing.B) {
	const size = 256 << 20
	dir := b.TempDir()
	name := filepath.Join(dir, "f.csv")
	if err := os.WriteFile(name, make([]byte, size), 0o644); err != nil {
		b.Fatal(err)
	}
	buf := make([]byte, 256<<10)
	b.Run("store", func(b *testing.B) {
		s, err := storage.New(storage.Config{Default: dir})
		if err != nil {
			b.Fatal(err)
		}
		in, err := s.Stat(b.Context(), "f.csv")
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(size)
		for b.Loop() {
			r, err := s.Open(b.Context(), in, 0, size)
			if err != nil {
				b.Fatal(err)
			}
			for err == nil {
				_, err = r.Read(buf)
			}
			if err != io.EOF {
				b.Fatal(err)
			}
			r.Close()
		}
	})
	b.Run("pread", func(b *testing.B) {
		f, err := os.Open(name)
		if err != nil {
			b.Fatal(err)
		}
		defer f.Close()
		b.SetBytes(size)
		for b.Loop() {
			for off := int64(0); off < size; off += int64(len(buf)) {
				if _, err := f.ReadAt(buf, off); err != nil {
					b.Fatal(err)
				}
			}
		}
	})
}
