package storage_test

import (
	"os"
	"path/filepath"
	"testing"

	"colsum/storage"
	"colsum/storage/storagetest"
)

func open(t *testing.T, cfg storage.Config) *storage.Router {
	t.Helper()
	r, err := storage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestLocal(t *testing.T) {
	t.Run("default", func(t *testing.T) {
		storagetest.Run(t, "", func(t *testing.T) storagetest.Store {
			return open(t, storage.Config{Default: t.TempDir()})
		})
	})
	dir := t.TempDir()
	t.Run("file", func(t *testing.T) {
		storagetest.Run(t, "file://"+dir+"/", func(t *testing.T) storagetest.Store {
			t.Cleanup(func() { empty(t, dir) })
			return open(t, storage.Config{Default: t.TempDir(), FileRoots: []string{filepath.Dir(dir), dir}})
		})
	})
}

func TestS3(t *testing.T) {
	server := storagetest.StartVersityGW(t)
	t.Run("default", func(t *testing.T) {
		storagetest.Run(t, "", func(t *testing.T) storagetest.Store {
			t.Cleanup(func() { empty(t, server.Dir) })
			return open(t, server.Config())
		})
	})
	t.Run("s3", func(t *testing.T) {
		storagetest.Run(t, "s3://"+storagetest.Bucket+"/", func(t *testing.T) storagetest.Store {
			t.Cleanup(func() { empty(t, server.Dir) })
			cfg := server.Config()
			cfg.Default = t.TempDir()
			return open(t, cfg)
		})
	})
}

// empty removes what is in a folder, but not the folder.
func empty(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			t.Fatal(err)
		}
	}
}
