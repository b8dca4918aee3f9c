package main

import (
	"crypto/md5"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httputil"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// An outcome is what must come of a work.
type outcome struct {
	status string // "done" or "failed"
	digest string // of a done work
	rows   int64
	code   string // of a failed work
}

// A file is one that works are asked for. One of several versions begins with the first and is replaced now and then.
type file struct {
	path     string
	versions []outcome
}

// makeFiles writes the files and learns what must come of them from `colsum sum`.
func (c *cluster) makeFiles() error {
	local := func(name string) string { return filepath.Join(c.dir, "data", name) }
	for i, f := range []struct{ columns, rows int }{{30, 3000}, {12, 500}, {100, 2500}, {11, 20000}} {
		for _, path := range []string{local(fmt.Sprintf("f%d.csv", i)), fmt.Sprintf("s3://bucket/f%d.csv", i)} {
			if _, err := c.colsum("generate", fmt.Sprint("--columns=", f.columns), fmt.Sprint("--rows=", f.rows), fmt.Sprint("--seed=", i), "--out", path); err != nil {
				return err
			}
		}
	}
	// Quoted newlines make guesses at a task's state go wrong; a quote that never closes makes a work fail.
	quoted, unclosed := []byte("a,b\n"), []byte("a,b\n")
	for i := range 20000 {
		quoted = fmt.Appendf(quoted, "\"%d\n\"\",\"\" 1,2\n\",%d.%d\n", i, i, i%1000)
		unclosed = fmt.Appendf(unclosed, "x%d,%d\n", i, i)
	}
	unclosed = append(unclosed, "\"never closed,1\n2,3\n"...)
	err := errors.Join(os.WriteFile(local("quoted.csv"), quoted, 0o600), os.WriteFile(local("unclosed.csv"), unclosed, 0o600),
		os.WriteFile(filepath.Join(c.dir, "s3", "bucket", "quoted.csv"), quoted, 0o600))
	if err != nil {
		return err
	}
	for _, path := range []string{
		"f0.csv", "f1.csv", "f2.csv", "f3.csv", "quoted.csv", "unclosed.csv",
		"s3://bucket/f0.csv", "s3://bucket/f1.csv", "s3://bucket/f2.csv", "s3://bucket/f3.csv", "s3://bucket/quoted.csv",
	} {
		name := path
		if filepath.Dir(path) == "." {
			name = local(path)
		}
		o, err := c.sum(name)
		if err != nil {
			return err
		}
		c.files = append(c.files, file{path, []outcome{o}})
	}
	return c.makeVersions()
}

// makeVersions writes the files that are replaced, and their versions: those of one file have one size, those of the other
// differ.
func (c *cluster) makeVersions() error {
	for name, rows := range map[string][]int{"same.csv": {15000, 15000, 15000}, "other.csv": {15000, 4000, 23000}} {
		var versions []outcome
		for v, n := range rows {
			text := []byte("c1,c2,c3,c4,c5,c6,c7,c8,c9,c10\n")
			for i := range n {
				text = fmt.Appendf(text, "%06d,some text,,,,,,,,%d.%06d\n", i, 1+v, i*7919%1000000)
			}
			for _, s3 := range []bool{false, true} {
				if err := os.WriteFile(c.version(name, s3, v), text, 0o600); err != nil {
					return err
				}
			}
			// As the S3 server does it: an object without one would have no version but its time, to the second.
			etag := md5.Sum(text)
			if err := unix.Setxattr(c.version(name, true, v), "user.etag", []byte(hex.EncodeToString(etag[:])), 0); err != nil {
				return fmt.Errorf("give an object its ETag: %w", err)
			}
			o, err := c.sum(c.version(name, false, v))
			if err != nil {
				return err
			}
			versions = append(versions, o)
		}
		for _, path := range []string{name, "s3://bucket/" + name} {
			if err := c.replace(path, 0); err != nil {
				return err
			}
			c.files = append(c.files, file{path, versions})
		}
	}
	return nil
}

// version is where a version of a file lies.
func (c *cluster) version(name string, s3 bool, v int) string {
	where := c.dir
	if s3 {
		where = filepath.Join(c.dir, "s3")
	}
	return filepath.Join(where, "versions", fmt.Sprint(name, ".", v))
}

// replace gives a file another version, at once. On disk that is a new file each time; an object is as it was when it had
// this version before.
func (c *cluster) replace(path string, v int) error {
	name, s3 := strings.CutPrefix(path, "s3://bucket/")
	from := c.version(name, s3, v)
	if s3 {
		c.gate.Lock()
		defer c.gate.Unlock()
		return errors.Join(os.Link(from, from+".new"), os.Rename(from+".new", filepath.Join(c.dir, "s3", "bucket", name)))
	}
	text, err := os.ReadFile(from)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(from+".new", text, 0o600), os.Rename(from+".new", filepath.Join(c.dir, "data", name)))
}

// openGate puts a proxy before the S3 server. The server looks at an object's ETag and opens it in two steps: replaced between
// them, the bytes of one version would be given under the name of another, which no reader could know. So nothing is
// replaced between the beginning of a request and that of its answer.
func (c *cluster) openGate(server string) (addr string, err error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	c.front = &http.Server{
		Handler: &httputil.ReverseProxy{
			Rewrite:   func(p *httputil.ProxyRequest) { p.Out.URL.Scheme, p.Out.URL.Host = "http", server },
			Transport: gated{&c.gate, &http.Transport{DisableCompression: true, MaxIdleConnsPerHost: 100}},
			ErrorLog:  log.New(io.Discard, "", 0), // readers that hang up
		},
		ErrorLog: log.New(io.Discard, "", 0),
	}
	go func() { _ = c.front.Serve(l) }() // until close
	return l.Addr().String(), nil
}

type gated struct {
	gate *sync.RWMutex
	to   *http.Transport
}

func (g gated) RoundTrip(r *http.Request) (*http.Response, error) {
	g.gate.RLock()
	defer g.gate.RUnlock()
	return g.to.RoundTrip(r)
}

// sum is what `colsum sum` makes of a file.
func (c *cluster) sum(name string) (outcome, error) {
	out, err := c.colsum("sum", "--json", name)
	if err != nil {
		return outcome{}, err
	}
	var v workView
	if err := json.Unmarshal(out, &v); err != nil {
		return outcome{}, fmt.Errorf("colsum sum %s: %w", name, err)
	}
	o := outcome{status: v.Status, digest: v.Digest, rows: v.Rows}
	if v.Error != nil {
		o.code = v.Error.Code
	}
	return o, nil
}

// colsum runs the program to its end.
func (c *cluster) colsum(args ...string) ([]byte, error) {
	cmd := exec.Command(c.bin, args...)
	cmd.Env = append(os.Environ(), append(s3Env, "AWS_ENDPOINT_URL=http://"+c.s3Addr, "AWS_REGION=us-east-1")...)
	out, err := cmd.Output()
	if exit := (*exec.ExitError)(nil); errors.As(err, &exit) && exit.ExitCode() == 1 && args[0] == "sum" {
		return out, nil // the sum of a file that must fail
	} else if err != nil {
		return nil, fmt.Errorf("colsum %q: %w", args, err)
	}
	return out, nil
}
