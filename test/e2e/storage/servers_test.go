// Package storage_test tests colsum's storage against real S3 servers and broken networks. scripts/install-tools builds the
// servers; those that are missing are skipped.
package storage_test

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"colsum/storage"
	"colsum/storage/storagetest"
)

// A server is one implementation of S3.
type server struct {
	name string
	run  func(bin, addr, root string, cert *storagetest.Certificate) *exec.Cmd
}

var servers = []server{
	{"versitygw", storagetest.VersityGW},
	{"rclone", func(bin, addr, root string, cert *storagetest.Certificate) *exec.Cmd {
		cmd := exec.Command(bin, "serve", "s3", "--addr", addr, "--auth-key", storagetest.AccessKey+","+storagetest.SecretKey,
			"--config", os.DevNull, "--dir-cache-time", "0s")
		if cert != nil {
			cmd.Args = append(cmd.Args, "--cert", cert.CertFile, "--key", cert.KeyFile)
		}
		cmd.Args = append(cmd.Args, root)
		return cmd
	}},
	{"minio", func(bin, addr, root string, cert *storagetest.Certificate) *exec.Cmd {
		cmd := exec.Command(bin, "server", "--quiet", "--address", addr, "--console-address", "127.0.0.1:0")
		if cert != nil {
			cmd.Args = append(cmd.Args, "--certs-dir", filepath.Dir(cert.CertFile))
		}
		cmd.Args = append(cmd.Args, root)
		cmd.Env = append(os.Environ(), "MINIO_ROOT_USER="+storagetest.AccessKey, "MINIO_ROOT_PASSWORD="+storagetest.SecretKey,
			"MINIO_REGION="+storagetest.Region, "CI=true")
		return cmd
	}},
}

func (s server) start(t testing.TB, secure bool) *storagetest.Server {
	t.Helper()
	bin := storagetest.Tool(t, s.name, "COLSUM_"+s.name)
	return storagetest.Start(t, secure, func(addr, root string, cert *storagetest.Certificate) *exec.Cmd {
		return s.run(bin, addr, root, cert)
	})
}

func open(t testing.TB, cfg storage.Config) *storage.Router {
	t.Helper()
	cfg.Logger = slog.New(slog.DiscardHandler)
	r, err := storage.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

func TestConformance(t *testing.T) {
	for _, s := range servers {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s tls=%v", s.name, secure), func(t *testing.T) {
				srv := s.start(t, secure)
				n := 0
				storagetest.Run(t, "", func(t *testing.T) storagetest.Store {
					n++
					return open(t, srv.NewBucket(t, fmt.Sprintf("bucket%d", n)))
				})
			})
		}
	}
}
