package storage

import (
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"time"
)

// Config says which stores a Router has and how they behave. The zero value is the local folder "data" and nothing else.
type Config struct {
	// Default is where plain paths lie: a local folder, or "s3://bucket". "" means the folder "data".
	Default string
	// FileRoots are the folders below which file:///... paths are allowed, besides the Default folder. "/" allows all.
	FileRoots []string
	// S3 is how to reach S3. It is in use when it has an endpoint or credentials, or when Default is a bucket.
	S3 S3Config
	// Transfer is how S3 objects are fetched.
	Transfer Transfer
	// Timing is how long to wait for what.
	Timing Timing
	// Logger gets a line (level debug) per fault that is being retried. Nil means slog.Default().
	Logger *slog.Logger
}

// S3Config is one S3 server (or AWS) and the right to use it.
type S3Config struct {
	// Endpoint is "host[:port]", with http:// or https:// in front or not. "" means https://s3.amazonaws.com.
	Endpoint string
	// Secure chooses https for an Endpoint without a scheme.
	Secure bool
	// Region, by default "us-east-1". It is never asked of the server: that would be one more call that can fail.
	Region string
	// Style says where the bucket stands in the URL: "dns" (host name) or "path". "" is dns for AWS, path for others.
	Style string
	// AccessKey and SecretKey (and SessionToken, for temporary ones) come first.
	AccessKey, SecretKey, SessionToken string
	// CredentialsFile and Profile: an AWS shared credentials file, used when there is no AccessKey.
	CredentialsFile, Profile string
	// Credentials names the provider: "static", "file", "iam" (EC2, ECS and EKS roles) or "anonymous". "" picks static with
	// an AccessKey, else file with a CredentialsFile or Profile, else iam for AWS; another server needs one of the above.
	// There is always exactly one: a chain would swallow errors and go on without credentials.
	Credentials string
	// CAFile holds PEM certificates trusted besides the system's.
	CAFile string
	// Buckets that s3:// paths may name, besides the Default one. Empty: every bucket that the credentials open.
	Buckets []string
}

// Transfer bounds memory and parallelism. The whole Router shares one budget of buffers.
type Transfer struct {
	// BufferBytes is the budget, default 64 MiB. A reader that finds it used up still goes on, with 256 KiB of its own.
	BufferBytes int64
	// RangeBytes is the largest range of one GET, default 4 MiB: with 8 in flight a reader has 32 MiB on the way, enough
	// for 440 MB/s at 30 ms and 90 MB/s a connection, and two readers fit into the budget.
	RangeBytes int64
	// InFlight is how many GETs one reader has on the way at most, default 8.
	InFlight int
}

// Timing holds every duration; the defaults are for real networks, tests choose shorter ones. A zero means the default.
type Timing struct {
	Dial    time.Duration // until connected, 5 s
	TLS     time.Duration // until TLS is agreed, 10 s
	Headers time.Duration // from the request sent to the response headers, 10 s
	Idle    time.Duration // silence in the middle of a body, 15 s
	// Slow is the window of the low-speed guard, 30 s: a body that brings less than 16 KiB for each second of it is given
	// up and resumed on another connection.
	Slow time.Duration
	// Budget is how long an operation goes on without a single byte of progress before it ends in ErrUnavailable, 3 min.
	Budget time.Duration
	// BackoffMin and BackoffMax bound the pauses between attempts, 100 ms and 5 s. RetryAfterMax bounds what a server's
	// Retry-After header can ask for, 10 s.
	BackoffMin, BackoffMax, RetryAfterMax time.Duration
}

// minRate is the low-speed guard's bound in bytes per second.
const minRate = 16 << 10

// overdraft is the size of the one range that a reader may always have on the way, budget or not.
const overdraft = 256 << 10

func (c *Config) setDefaults() {
	def(&c.Default, "data")
	def(&c.S3.Region, "us-east-1")
	def(&c.Transfer.BufferBytes, 64<<20)
	def(&c.Transfer.RangeBytes, 4<<20)
	def(&c.Transfer.InFlight, 8)
	t := &c.Timing
	def(&t.Dial, 5*time.Second)
	def(&t.TLS, 10*time.Second)
	def(&t.Headers, 10*time.Second)
	def(&t.Idle, 15*time.Second)
	def(&t.Slow, 30*time.Second)
	def(&t.Budget, 3*time.Minute)
	def(&t.BackoffMin, 100*time.Millisecond)
	def(&t.BackoffMax, 5*time.Second)
	def(&t.RetryAfterMax, 10*time.Second)
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
}

func def[T comparable](p *T, v T) {
	var zero T
	if *p == zero {
		*p = v
	}
}

// validate names the field and the bound. It follows setDefaults.
func (c *Config) validate() error {
	for _, d := range c.FileRoots {
		if !filepath.IsAbs(d) {
			return fmt.Errorf("storage: FileRoots: %q is not an absolute path", d)
		}
	}
	if strings.Contains(c.Default, "://") && !strings.HasPrefix(c.Default, "s3://") {
		return fmt.Errorf("storage: Default: %q is neither a folder nor s3://bucket", c.Default)
	}
	x := c.Transfer
	switch {
	case x.RangeBytes < 64<<10 || x.RangeBytes > 1<<30:
		return fmt.Errorf("storage: Transfer.RangeBytes is %d, must be 65536 to 1073741824", x.RangeBytes)
	case x.InFlight < 1 || x.InFlight > 256:
		return fmt.Errorf("storage: Transfer.InFlight is %d, must be 1 to 256", x.InFlight)
	case x.BufferBytes < x.RangeBytes:
		return fmt.Errorf("storage: Transfer.BufferBytes is %d, must be at least RangeBytes, %d", x.BufferBytes, x.RangeBytes)
	}
	for _, d := range []struct {
		name string
		d    time.Duration
	}{
		{"Dial", c.Timing.Dial}, {"TLS", c.Timing.TLS}, {"Headers", c.Timing.Headers}, {"Idle", c.Timing.Idle},
		{"Slow", c.Timing.Slow}, {"Budget", c.Timing.Budget}, {"BackoffMin", c.Timing.BackoffMin},
		{"BackoffMax", c.Timing.BackoffMax}, {"RetryAfterMax", c.Timing.RetryAfterMax},
	} {
		if d.d < 0 {
			return fmt.Errorf("storage: Timing.%s is %v, must not be negative", d.name, d.d)
		}
	}
	if c.Timing.BackoffMin > c.Timing.BackoffMax {
		return fmt.Errorf("storage: Timing.BackoffMin is %v, must be at most BackoffMax, %v", c.Timing.BackoffMin, c.Timing.BackoffMax)
	}
	return nil
}
