package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"colsum/storage"

	"golang.org/x/sys/unix"
)

// S3Flags say how S3 is reached. Keys come from the environment only, so that no process listing shows them.
type S3Flags struct {
	Endpoint    string   `placeholder:"HOST:PORT" help:"S3 server, http:// or https:// in front or not (default: MINIO_ENDPOINT, AWS_ENDPOINT_URL, else AWS)."`
	Region      string   `placeholder:"NAME" help:"Region of the buckets (default: AWS_REGION, else us-east-1)."`
	Bucket      []string `placeholder:"NAME" help:"A bucket that may be read; repeat it for more (default: all that the keys open)."`
	Style       string   `enum:",dns,path" default:"" placeholder:"dns|path" help:"Where the bucket stands in the URL (default: dns for AWS, path for others)."`
	CA          string   `name:"ca" placeholder:"FILE" help:"PEM file of certificates to trust besides the system's (default: AWS_CA_BUNDLE)."`
	Credentials string   `enum:",static,file,iam,anonymous" default:"" placeholder:"static|file|iam|anonymous" help:"Where the keys come from: static is the environment, file a credentials file, iam the role of this machine, anonymous none at all (default: static if the environment has keys, else file if there is one, else iam for AWS)."`
}

// config is the flags and the environment, the flags first.
func (f *S3Flags) config() (storage.S3Config, error) {
	c := storage.S3Config{
		Endpoint: f.Endpoint, Region: f.Region, Buckets: f.Bucket, Style: f.Style, CAFile: f.CA, Credentials: f.Credentials,
	}
	return c, c.FromEnv(os.Getenv)
}

// AccessFlags say how storage is reached and for how long it is tried.
type AccessFlags struct {
	StoragePatience budget `placeholder:"DURATION" help:"Go on trying S3 for so long without a single byte of progress (default 3m; in serve and worker 30s: then the task goes back into the queue and is tried again, for ever)."`

	S3Flags `prefix:"s3-"`
}

// budget is a duration of at least a second; 0 is the default.
type budget time.Duration

func (b *budget) UnmarshalText(text []byte) error {
	d, err := time.ParseDuration(string(text))
	if err != nil || d < time.Second || d > 24*time.Hour {
		return usagef("must be a duration from 1s to 24h, got %q", text)
	}
	*b = budget(d)
	return nil
}

// clusterPatience is the default where a scheduler stands behind the storage: giving up costs a part of one task, holding on
// a slot that others could use.
const clusterPatience = 30 * time.Second

// StorageFlags say which files serve and worker can reach.
type StorageFlags struct {
	Data     string   `placeholder:"DIR|s3://BUCKET" help:"Where plain paths lie: a folder or a bucket (default ./data, created if absent)."`
	FileRoot []string `placeholder:"DIR" help:"A folder below which file:///... paths may be summed too; repeat it for more (default: none)."`

	AccessFlags
}

// router opens the storage. A folder that was named must exist; only the default one is created.
func (f *StorageFlags) router() (*storage.Router, error) {
	s3, err := f.config()
	if err != nil {
		return nil, err
	}
	c := storage.Config{Default: f.Data, FileRoots: f.FileRoot, S3: s3, Logger: slog.Default()}
	c.Timing.Budget = cmp.Or(time.Duration(f.StoragePatience), clusterPatience)
	switch {
	case f.Data == "":
		c.Default = "data"
		if err := os.MkdirAll(c.Default, 0o755); err != nil {
			return nil, fmt.Errorf("--data: %w", err)
		}
	case !strings.HasPrefix(f.Data, "s3://"):
		if err := checkFolder("--data", f.Data); err != nil {
			return nil, err
		}
	}
	for i, d := range c.FileRoots {
		if err := checkFolder("--file-root", d); err != nil {
			return nil, err
		}
		if c.FileRoots[i], err = filepath.Abs(d); err != nil {
			return nil, fmt.Errorf("--file-root: %w", err)
		}
	}
	return storage.New(c)
}

// checkFolder refuses what is not a folder.
func checkFolder(flag, dir string) error {
	st, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("%s: folder %s does not exist", flag, dir)
	case err != nil:
		return fmt.Errorf("%s: %w", flag, err)
	case !st.IsDir():
		return fmt.Errorf("%s: %s is not a folder", flag, dir)
	}
	return nil
}

// openStore returns the store of one file named on the command line, and the file's path within it: s3://bucket/key, or a
// path on this machine as the shell knows it, through symbolic links too.
func openStore(path string, f *AccessFlags) (storage.Store, string, error) {
	if strings.HasPrefix(path, "s3://") {
		r, err := openS3(f)
		return r, path, err
	}
	dir, name, err := splitPath(path)
	if err != nil {
		return nil, "", err
	}
	l, err := storage.NewLocal(dir)
	return l, name, err
}

// openS3 is a router whose default store is not used.
func openS3(f *AccessFlags) (*storage.Router, error) {
	s3, err := f.config()
	if err != nil {
		return nil, usagef("%s", err)
	}
	r, err := storage.New(storage.Config{
		S3: s3, Timing: storage.Timing{Budget: time.Duration(f.StoragePatience)}, Logger: slog.Default(),
	})
	if err != nil {
		return nil, usagef("%s", err)
	}
	return r, nil
}

// splitPath resolves links and splits a path into the folder it is in and its name there.
func splitPath(path string) (dir, name string, err error) {
	real, err := filepath.EvalSymlinks(strings.TrimPrefix(path, "file://"))
	if err != nil {
		e := &storage.Error{Op: "open", Path: path, Err: storage.ErrNotFound}
		var pe *fs.PathError
		switch {
		case errors.Is(err, fs.ErrPermission):
			e.Err = storage.ErrForbidden
		case !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, unix.ENOTDIR):
			e.Err = storage.ErrBadPath
			e.Detail = err.Error()
			if errors.As(err, &pe) {
				e.Detail = pe.Err.Error()
			}
		}
		return "", "", e
	}
	if real, err = filepath.Abs(real); err != nil {
		return "", "", err
	}
	if real == "/" {
		return "", "", &storage.Error{Op: "open", Path: path, Err: storage.ErrIsDir}
	}
	return filepath.Dir(real), filepath.Base(real), nil
}

// create starts the file of generate --out.
func (c *GenerateCmd) create(ctx context.Context) (storage.Writer, error) {
	if strings.HasPrefix(c.Out, "s3://") {
		r, err := openS3(&c.AccessFlags)
		if err != nil {
			return nil, err
		}
		return r.Create(ctx, c.Out)
	}
	abs, err := filepath.Abs(c.Out)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(abs), 0o755); err != nil {
		return nil, fmt.Errorf("--out: %w", err)
	}
	l, err := storage.NewLocal(filepath.Dir(abs))
	if err != nil {
		return nil, err
	}
	return l.Create(ctx, filepath.Base(abs))
}
