package storage

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// server is one S3 endpoint, shared by the stores of its buckets.
type server struct {
	core   *minio.Core
	creds  *credentials.Credentials
	timing Timing
	xfer   Transfer
	pool   *pool
	stats  *Stats
	log    *slog.Logger
	close  func()
}

// newServer makes the client of cfg.S3 without sending anything.
func newServer(cfg *Config, stats *Stats) (*server, error) {
	host, secure, err := cfg.S3.endpoint()
	if err != nil {
		return nil, err
	}
	creds, err := cfg.S3.provider()
	if err != nil {
		return nil, err
	}
	lookup := minio.BucketLookupPath
	switch aws := strings.HasSuffix(host, ".amazonaws.com"); cfg.S3.Style {
	case "":
		if aws {
			lookup = minio.BucketLookupDNS
		}
	case "dns":
		lookup = minio.BucketLookupDNS
	case "path":
	default:
		return nil, fmt.Errorf("storage: S3.Style is %q, must be dns or path", cfg.S3.Style)
	}
	transport, closeIdle, err := newTransport(cfg, stats)
	if err != nil {
		return nil, err
	}
	core, err := minio.NewCore(host, &minio.Options{
		Creds:        creds,
		Secure:       secure,
		Transport:    transport,
		Region:       cfg.S3.Region,
		BucketLookup: lookup,
		MaxRetries:   1, // that is: none
	})
	if err != nil {
		return nil, fmt.Errorf("storage: S3: %w", err)
	}
	return &server{core: core, creds: creds, timing: cfg.Timing, xfer: cfg.Transfer, pool: newPool(cfg.Transfer),
		stats: stats, log: cfg.Logger, close: closeIdle}, nil
}

// provider picks the one source of credentials.
func (c *S3Config) provider() (*credentials.Credentials, error) {
	kind := c.Credentials
	if kind == "" {
		switch {
		case c.AccessKey != "" || c.SecretKey != "":
			kind = "static"
		case c.CredentialsFile != "" || c.Profile != "":
			kind = "file"
		case c.Endpoint == "" || strings.Contains(c.Endpoint, ".amazonaws.com"):
			kind = "iam"
		default:
			return nil, errors.New("storage: S3: no credentials: set MINIO_ACCESS_KEY and MINIO_SECRET_KEY (or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY), or choose anonymous")
		}
	}
	switch kind {
	case "static":
		if c.AccessKey == "" || c.SecretKey == "" {
			return nil, errors.New("storage: S3: AccessKey and SecretKey must both be set")
		}
		return credentials.NewStaticV4(c.AccessKey, c.SecretKey, c.SessionToken), nil
	case "file":
		p := credentials.NewFileAWSCredentials(c.CredentialsFile, c.Profile)
		if _, err := p.GetWithContext(nil); err != nil { // now, not at every request
			return nil, fmt.Errorf("storage: S3: credentials file %s: %w", c.CredentialsFile, err)
		}
		return p, nil
	case "iam":
		// A client of its own: what the metadata service answers must not pass for an answer of S3.
		return credentials.New(&credentials.IAM{Client: &http.Client{Timeout: 10 * time.Second}}), nil
	case "anonymous":
		return credentials.NewStatic("", "", "", credentials.SignatureAnonymous), nil
	}
	return nil, fmt.Errorf("storage: S3.Credentials is %q, must be static, file, iam or anonymous", kind)
}

// S3 is the objects of one bucket.
type S3 struct {
	*server
	bucket string
	shown  string // what stands in front of the key in Info.Path: "" or "s3://bucket/"
}

// key is the object's key.
func (s *S3) key(op, path string) (string, error) {
	key, ok := strings.CutPrefix(path, s.shown)
	switch {
	case !ok:
		return "", badPath(op, path, "not a path of bucket "+s.bucket)
	case key == "", strings.HasSuffix(key, "/"):
		return "", &Error{Op: op, Path: s.url(key), Err: ErrIsDir}
	}
	if err := s3utils.CheckValidObjectName(key); err != nil {
		return "", badPath(op, s.url(key), err.Error())
	}
	for part := range strings.SplitSeq(key, "/") {
		if part == "." || part == ".." { // some servers keep objects as files
			return "", badPath(op, s.url(key), "holds a . or .. element")
		}
	}
	return key, nil
}

func (s *S3) url(key string) string { return "s3://" + s.bucket + "/" + key }

// Stat asks for the object's headers.
func (s *S3) Stat(ctx context.Context, path string) (Info, error) {
	key, err := s.key("stat", path)
	if err != nil {
		return Info{}, s.stats.count(err)
	}
	var in Info
	err = s.retry(ctx, &Error{Op: "stat", Path: s.url(key)}, func(ctx context.Context, c *call) error {
		oi, err := s.core.StatObject(ctx, s.bucket, key, minio.StatObjectOptions{})
		if err != nil {
			return err
		}
		if oi.Size < 0 {
			return errors.New("the response has no Content-Length")
		}
		in = Info{Path: path, Size: oi.Size, Version: objectPin(c.header.Get("ETag"), oi.LastModified), ModTime: oi.LastModified.UTC()}
		return nil
	})
	return in, s.stats.count(err)
}

// objectPin is the version of an object: its ETag as sent, or where the server has none the time of its last change. The
// size is a field of Info, so it is compared beside it.
func objectPin(etag string, modified time.Time) string {
	if etag == "" || etag == `""` {
		return "modified " + modified.UTC().Format(time.RFC3339)
	}
	// minio-go cuts quotes off in listings.
	if etag[0] != '"' && !strings.HasPrefix(etag, "W/") {
		etag = `"` + etag
	}
	if !strings.HasSuffix(etag, `"`) {
		etag += `"`
	}
	return etag
}

// retry runs one request until it succeeds, fails for good, or the budget is spent. e says what is being done; a copy of
// it, completed, is the error returned.
func (s *S3) retry(ctx context.Context, e *Error, do func(ctx context.Context, c *call) error) error {
	p, requests := newPatience(s.timing), 0
	for {
		c := new(call)
		err := s.attempt(ctx, p, c, do)
		requests += c.requests
		if err == nil {
			return nil
		}
		if err := s.again(ctx, p, c, e, requests, err); err != nil {
			return err
		}
	}
}

// attempt runs do once, for no longer than the budget lasts. do must be done with the response's body when it returns.
func (s *S3) attempt(ctx context.Context, p *patience, c *call, do func(ctx context.Context, c *call) error) error {
	ctx, cancel := context.WithTimeout(withCall(ctx, c), p.left())
	defer cancel()
	return do(ctx, c)
}

// again decides what follows a failed attempt: nil after the pause before the next one, or the operation's error.
func (s *S3) again(ctx context.Context, p *patience, c *call, e *Error, requests int, err error) error {
	v := judge(c, err)
	out := *e
	out.Status, out.Code, out.Detail, out.Attempts = c.status, v.code, v.text, requests
	if c.header != nil {
		out.RequestID = c.header.Get("x-amz-request-id")
	}
	switch {
	case ctx.Err() != nil:
		out.Err = ended(ctx)
		return &out
	case v.final != nil:
		out.Err = v.final
		return &out
	}
	if strings.HasPrefix(v.code, "ExpiredToken") {
		s.creds.Expire()
	}
	s.log.Debug("storage fault, trying again", "op", e.Op, "path", e.Path, "off", e.Off, "status", c.status, "code", v.code, "err", v.text)
	switch {
	case p.left() > 0:
		p.fault = v.text
	case p.fault != "": // the attempt was cut short by the budget: the fault before it tells more
		out.Detail = fmt.Sprintf("no progress for %v: %s", s.timing.Budget, p.fault)
	default:
		out.Detail = fmt.Sprintf("no answer for %v", s.timing.Budget)
	}
	if !p.wait(ctx, c.header) {
		out.Err = ErrUnavailable
		if ctx.Err() != nil {
			out.Err = ended(ctx)
		}
		return &out
	}
	s.stats.Retries.Add(1)
	return nil
}
