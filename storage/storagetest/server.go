package storagetest

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"sync"
	"testing"
	"time"

	"colsum/storage"
)

// Server is a running S3 server with one bucket, "test".
type Server struct {
	// URL is http://127.0.0.1:port, or https.
	URL string
	// Dir is the bucket's folder: a file put there is an object (without an ETag, unless the server makes one up).
	Dir string
	// CAFile holds the certificate of an https server.
	CAFile string

	root string // the folder whose folders are the buckets
}

// The names that a Server goes by.
const (
	AccessKey = "testkey"
	SecretKey = "testsecret"
	Region    = "us-east-1"
	Bucket    = "test"
)

// Config returns the configuration of a Router whose default store is the server's bucket.
func (s *Server) Config() storage.Config { return s.config(Bucket) }

// NewBucket makes another bucket, by its folder, and returns the configuration that has it as its default store.
func (s *Server) NewBucket(t testing.TB, name string) storage.Config {
	t.Helper()
	if err := os.Mkdir(filepath.Join(s.root, name), 0o755); err != nil {
		t.Fatal(err)
	}
	return s.config(name)
}

func (s *Server) config(bucket string) storage.Config {
	return storage.Config{
		Default: "s3://" + bucket,
		S3:      storage.S3Config{Endpoint: s.URL, AccessKey: AccessKey, SecretKey: SecretKey, Region: Region, CAFile: s.CAFile},
	}
}

// StartVersityGW starts a versitygw on a free port of 127.0.0.1 over a temporary folder and stops it when the test ends.
// The program is $COLSUM_VERSITYGW or .tools/bin/versitygw; without it the test is skipped, but with CI=true it fails.
func StartVersityGW(t testing.TB) *Server {
	t.Helper()
	bin := Tool(t, "versitygw", "COLSUM_VERSITYGW")
	return Start(t, false, func(addr, root string, _ *Certificate) *exec.Cmd { return VersityGW(bin, addr, root, nil) })
}

// VersityGW is the command that runs the program bin on addr, with TLS if there is a certificate.
func VersityGW(bin, addr, root string, cert *Certificate) *exec.Cmd {
	cmd := exec.Command(bin, "--quiet", "--keep-alive", "--region", Region, "--port", addr)
	if cert != nil {
		cmd.Args = append(cmd.Args, "--cert", cert.CertFile, "--key", cert.KeyFile)
	}
	cmd.Args = append(cmd.Args, "posix", root)
	cmd.Env = append(os.Environ(), "ROOT_ACCESS_KEY_ID="+AccessKey, "ROOT_SECRET_ACCESS_KEY="+SecretKey)
	return cmd
}

// Tool finds a program of scripts/install-NAME: at the path that the environment variable env holds, or in .tools/bin at
// the top of the repository.
func Tool(t testing.TB, name, env string) string {
	t.Helper()
	bin := os.Getenv(env)
	if bin == "" {
		_, file, _, _ := runtime.Caller(0)
		bin = filepath.Join(filepath.Dir(file), "..", "..", ".tools", "bin", name)
	}
	if _, err := os.Stat(bin); err != nil {
		if os.Getenv("CI") == "true" {
			t.Fatalf("no %s: run scripts/install-%s (%v)", name, name, err)
		}
		t.Skipf("no %s: run scripts/install-%s", name, name)
	}
	return bin
}

// Start runs an S3 server whose buckets are the folders of root, waits until it answers, and stops it when the test ends.
// command gets the address to listen on; a server that finds it taken is started again on another. secure makes a
// certificate, else cert is nil.
func Start(t testing.TB, secure bool, command func(addr, root string, cert *Certificate) *exec.Cmd) *Server {
	t.Helper()
	root := t.TempDir()
	s := &Server{Dir: filepath.Join(root, Bucket), root: root}
	if err := os.MkdirAll(s.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	var cert *Certificate
	scheme := "http://"
	if secure {
		cert = NewCertificate(t)
		s.CAFile, scheme = cert.CertFile, "https://"
	}
	for try := 0; ; try++ {
		addr := freeAddr(t)
		var out output
		cmd := command(addr, root, cert)
		cmd.Stdout, cmd.Stderr = &out, &out
		noOrphan(cmd)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		exited := make(chan struct{})
		go func() { cmd.Wait(); close(exited) }()
		t.Cleanup(func() {
			cmd.Process.Kill()
			<-exited
			if t.Failed() {
				t.Logf("%s said:\n%s", filepath.Base(cmd.Path), out.String())
			}
		})
		s.URL = scheme + addr
		if answers(t, s.URL, exited) {
			return s
		}
		if try == 3 {
			t.Fatalf("%s does not run:\n%s", filepath.Base(cmd.Path), out.String())
		}
	}
}

// answers waits for any HTTP response. False: the process has ended.
func answers(t testing.TB, url string, exited <-chan struct{}) bool {
	t.Helper()
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true}, // any answer will do
	}}
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	limit := time.After(60 * time.Second)
	for {
		if resp, err := client.Get(url + "/"); err == nil {
			resp.Body.Close()
			return true
		}
		select {
		case <-tick.C:
		case <-exited:
			return false
		case <-limit:
			t.Fatalf("no answer from %s within a minute", url)
		}
	}
}

func freeAddr(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return fmt.Sprint(l.Addr())
}

// output collects what a server says.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}
