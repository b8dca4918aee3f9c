package storage

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// Router is the Store of the whole program. It sends each path to the store that owns it:
//
//	s3://bucket/key    an object; the key is taken literally, nothing is percent-decoded
//	file:///abs/path   a file below one of Config.FileRoots or the Default folder; literally, too
//	anything else      a file of the default store
//
// A prefix or an `after` of List is such a path as well, and the paths listed are of the same form.
type Router struct {
	cfg   Config
	stats Stats
	main  Store
	roots []*Local // longest first
	s3    *server  // nil when S3 is not configured

	mu      sync.Mutex
	buckets map[string]*S3 // by name, those asked for as s3://
}

// New makes the stores of cfg. It reads certificates and credentials files but sends nothing and needs no storage to be
// there: a folder or a server may appear later.
func New(cfg Config) (*Router, error) {
	cfg.setDefaults()
	if err := cfg.validate(); err != nil {
		return nil, err
	}
	r := &Router{cfg: cfg, buckets: make(map[string]*S3)}
	bucket, isS3 := strings.CutPrefix(cfg.Default, "s3://")
	bucket = strings.TrimSuffix(bucket, "/")
	x := cfg.S3
	if isS3 || x.Endpoint != "" || x.AccessKey != "" || x.CredentialsFile != "" || x.Profile != "" || x.Credentials != "" {
		var err error
		if r.s3, err = newServer(&r.cfg, &r.stats); err != nil {
			return nil, err
		}
	}
	roots := slices.Clone(cfg.FileRoots)
	if isS3 {
		if bucket == "" || strings.Contains(bucket, "/") {
			return nil, fmt.Errorf("storage: Default: %q is not s3://bucket", cfg.Default)
		}
		if err := s3utils.CheckValidBucketName(bucket); err != nil {
			return nil, fmt.Errorf("storage: Default: %w", err)
		}
		r.main = &S3{server: r.s3, bucket: bucket}
	} else {
		l, err := NewLocal(cfg.Default)
		if err != nil {
			return nil, fmt.Errorf("storage: Default: %w", err)
		}
		l.stats = &r.stats
		r.main = l
		roots = append(roots, l.dir)
	}
	for _, dir := range roots {
		dir = filepath.Clean(dir)
		shown := "file://" + dir
		if dir != "/" {
			shown += "/"
		}
		r.roots = append(r.roots, &Local{dir: dir, shown: shown, stats: &r.stats})
	}
	slices.SortFunc(r.roots, func(a, b *Local) int { return len(b.dir) - len(a.dir) })
	return r, nil
}

// Stats returns the counters of all stores of this Router.
func (r *Router) Stats() *Stats { return &r.stats }

// Close lets idle connections go. Readers must have been closed.
func (r *Router) Close() error {
	if r.s3 != nil {
		r.s3.close()
	}
	return nil
}

func (r *Router) List(ctx context.Context, prefix, after string, limit int) (Page, error) {
	s, err := r.store("list", prefix)
	if err != nil {
		return Page{}, err
	}
	return s.List(ctx, prefix, after, limit)
}

func (r *Router) Stat(ctx context.Context, path string) (Info, error) {
	s, err := r.store("stat", path)
	if err != nil {
		return Info{}, err
	}
	return s.Stat(ctx, path)
}

func (r *Router) Open(ctx context.Context, info Info, off, want int64) (io.ReadCloser, error) {
	s, err := r.store("open", info.Path)
	if err != nil {
		return nil, err
	}
	return s.Open(ctx, info, off, want)
}

// Create makes a file that appears under path when it is closed, in place of one that was there.
func (r *Router) Create(ctx context.Context, path string) (Writer, error) {
	s, err := r.store("write", path)
	if err != nil {
		return nil, err
	}
	return s.(interface {
		Create(context.Context, string) (Writer, error)
	}).Create(ctx, path)
}

// store finds the owner of path.
func (r *Router) store(op, path string) (Store, error) {
	scheme, rest, ok := strings.Cut(path, "://")
	switch {
	case !ok || strings.Contains(scheme, "/"):
		return r.main, nil
	case scheme == "s3":
		return r.bucket(op, path, rest)
	case scheme == "file":
		for _, l := range r.roots {
			if strings.HasPrefix(path, l.shown) {
				return l, nil
			}
		}
		return nil, r.stats.count(badPath(op, path, "not below an allowed folder"))
	}
	return nil, r.stats.count(badPath(op, path, "unknown scheme "+scheme+"://"))
}

func (r *Router) bucket(op, path, rest string) (Store, error) {
	name, _, ok := strings.Cut(rest, "/")
	if !ok || name == "" {
		return nil, r.stats.count(badPath(op, path, "not s3://bucket/key"))
	}
	if r.s3 == nil {
		return nil, r.stats.count(badPath(op, path, "no S3 storage is configured"))
	}
	if err := s3utils.CheckValidBucketName(name); err != nil { // minio-go's own refusals look like faults of the network
		return nil, r.stats.count(badPath(op, path, err.Error()))
	}
	if main, ok := r.main.(*S3); len(r.cfg.S3.Buckets) > 0 && !slices.Contains(r.cfg.S3.Buckets, name) && !(ok && main.bucket == name) {
		return nil, r.stats.count(badPath(op, path, "bucket "+name+" is not among the allowed ones"))
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	s := r.buckets[name]
	if s == nil {
		if len(r.buckets) >= 1000 { // names come from users
			clear(r.buckets)
		}
		s = &S3{server: r.s3, bucket: name, shown: "s3://" + name + "/"}
		r.buckets[name] = s
	}
	return s, nil
}
