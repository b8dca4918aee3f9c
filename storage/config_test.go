package storage

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFromEnv(t *testing.T) {
	home := t.TempDir()
	file := filepath.Join(home, ".aws", "credentials")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte("[default]\naws_access_key_id=A\naws_secret_access_key=B\n[other]\naws_access_key_id=C\naws_secret_access_key=D\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name     string
		env, got string // "NAME=value ...", and what is set afterwards
	}{
		{"nothing", "", "S3Config{}"},
		{"minio", "MINIO_ENDPOINT=h:9000 MINIO_ACCESS_KEY=a MINIO_SECRET_KEY=b", "Endpoint=h:9000 AccessKey=a SecretKey=b"},
		{"minio wins", "MINIO_ENDPOINT=h:9000 MINIO_ACCESS_KEY=a MINIO_SECRET_KEY=b AWS_ACCESS_KEY_ID=c AWS_SECRET_ACCESS_KEY=d AWS_SESSION_TOKEN=t AWS_ENDPOINT_URL=http://x",
			"Endpoint=h:9000 AccessKey=a SecretKey=b"},
		{"secure", "MINIO_ENDPOINT=h MINIO_SECURE=true", "Endpoint=h Secure"},
		{"aws", "AWS_ACCESS_KEY_ID=c AWS_SECRET_ACCESS_KEY=d AWS_SESSION_TOKEN=t AWS_REGION=eu-west-1 AWS_CA_BUNDLE=/ca", "AccessKey=c SecretKey=d SessionToken=t Region=eu-west-1 CAFile=/ca"},
		{"aws endpoint", "AWS_ENDPOINT_URL=http://x AWS_ENDPOINT_URL_S3=https://y AWS_DEFAULT_REGION=r", "Endpoint=https://y Region=r"},
		{"home", "HOME=" + home, "CredentialsFile=" + file},
		{"home without", "HOME=" + t.TempDir(), "S3Config{}"},
		{"profile", "HOME=" + home + " AWS_PROFILE=other", "CredentialsFile=" + file + " Profile=other"},
		{"file", "HOME=" + home + " AWS_SHARED_CREDENTIALS_FILE=/f", "CredentialsFile=/f"},
		{"keys before files", "HOME=" + home + " AWS_ACCESS_KEY_ID=c AWS_SECRET_ACCESS_KEY=d", "AccessKey=c SecretKey=d"},
		{"role", "HOME=" + home + " AWS_WEB_IDENTITY_TOKEN_FILE=/t", "Credentials=iam"},
		{"named", "COLSUM_S3_CREDENTIALS=anonymous", "Credentials=anonymous"},
	} {
		env := map[string]string{}
		for kv := range strings.FieldsSeq(test.env) {
			k, v, _ := strings.Cut(kv, "=")
			env[k] = v
		}
		var c S3Config
		if err := c.FromEnv(func(k string) string { return env[k] }); err != nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if got := describe(c); got != test.got {
			t.Errorf("%s: got %s, want %s", test.name, got, test.got)
		}
	}
	c := S3Config{Endpoint: "flag", AccessKey: "x", SecretKey: "y"}
	if err := c.FromEnv(func(string) string { return "true" }); err != nil || c.Endpoint != "flag" || c.AccessKey != "x" || c.SecretKey != "y" {
		t.Errorf("the environment replaced what was set: %s, %v", describe(c), err)
	}
	if err := c.FromEnv(func(k string) string { return "maybe" }); err == nil || !strings.Contains(err.Error(), "MINIO_SECURE") {
		t.Errorf("MINIO_SECURE=maybe: %v", err)
	}
}

func describe(c S3Config) string {
	var parts []string
	for _, f := range []struct{ name, value string }{
		{"Endpoint", c.Endpoint}, {"Region", c.Region}, {"AccessKey", c.AccessKey}, {"SecretKey", c.SecretKey}, {"SessionToken", c.SessionToken},
		{"CredentialsFile", c.CredentialsFile}, {"Profile", c.Profile}, {"Credentials", c.Credentials}, {"CAFile", c.CAFile},
	} {
		if f.value != "" {
			parts = append(parts, f.name+"="+f.value)
		}
	}
	s := strings.Join(parts, " ")
	// In the order of the struct, but keys stand before the region in the table above.
	s = strings.Replace(s, "Region=eu-west-1 AccessKey=c SecretKey=d SessionToken=t", "AccessKey=c SecretKey=d SessionToken=t Region=eu-west-1", 1)
	if c.Secure {
		s += " Secure"
	}
	if s == "" {
		return "S3Config{}"
	}
	return s
}

func TestEndpoint(t *testing.T) {
	for in, want := range map[string]string{
		"": "https s3.amazonaws.com", "h": "http h", "h:9000": "http h:9000", "http://h:9000/": "http h:9000", "HTTPS://h": "https h",
		"h/path": "", "ftp://h": "", "http://": "", "http://user:pass@h": "", "h?x": "",
	} {
		host, secure, err := (&S3Config{Endpoint: in}).endpoint()
		got := "http " + host
		if secure {
			got = "https " + host
		}
		if err != nil {
			got = ""
			if strings.Contains(err.Error(), "pass@") {
				t.Errorf("%q: the message tells the password: %v", in, err)
			}
		}
		if got != want {
			t.Errorf("%q: got %q, %v, want %q", in, got, err, want)
		}
	}
	if _, secure, err := (&S3Config{Endpoint: "h", Secure: true}).endpoint(); !secure || err != nil {
		t.Error("Secure does nothing")
	}
}

func TestNewRefuses(t *testing.T) {
	keys := S3Config{Endpoint: "127.0.0.1:1", AccessKey: "a", SecretKey: "b"}
	with := func(f func(c *Config)) Config {
		c := Config{Default: "s3://bucket", S3: keys}
		f(&c)
		return c
	}
	for _, test := range []struct {
		cfg  Config
		want string
	}{
		{Config{Default: "ftp://x"}, "Default"},
		{Config{FileRoots: []string{"relative"}}, "FileRoots"},
		{with(func(c *Config) { c.Default = "s3://" }), "Default"},
		{with(func(c *Config) { c.Default = "s3://b/prefix" }), "Default"},
		{with(func(c *Config) { c.Default = "s3://x" }), "Default"},
		{with(func(c *Config) { c.S3.SecretKey = "" }), "SecretKey"},
		{with(func(c *Config) { c.S3.AccessKey, c.S3.SecretKey = "", "" }), "no credentials"},
		{with(func(c *Config) { c.S3.Credentials = "guess" }), "S3.Credentials"},
		{with(func(c *Config) { c.S3.Credentials, c.S3.CredentialsFile = "file", "/no/such/file" }), "/no/such/file"},
		{with(func(c *Config) { c.S3.CAFile = "/no/such/file" }), "S3.CAFile"},
		{with(func(c *Config) { c.S3.CAFile = "config_test.go" }), "no certificate"},
		{with(func(c *Config) { c.S3.Style = "both" }), "S3.Style"},
		{with(func(c *Config) { c.S3.Endpoint = "h/x" }), "S3.Endpoint"},
		{with(func(c *Config) { c.Transfer.RangeBytes = 1 }), "Transfer.RangeBytes"},
		{with(func(c *Config) { c.Transfer.InFlight = -1 }), "Transfer.InFlight"},
		{with(func(c *Config) { c.Transfer.BufferBytes = 1 << 20 }), "Transfer.BufferBytes"},
		{with(func(c *Config) { c.Timing.Budget = -time.Second }), "Timing.Budget"},
		{with(func(c *Config) { c.Timing.BackoffMin = time.Hour }), "Timing.BackoffMin"},
	} {
		if _, err := New(test.cfg); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("got %v, want something about %s", err, test.want)
		}
	}
	if _, err := New(with(func(*Config) {})); err != nil {
		t.Error(err)
	}
}

func TestAllowedBuckets(t *testing.T) {
	r, err := New(Config{Default: "s3://main", S3: S3Config{Endpoint: "127.0.0.1:1", AccessKey: "a", SecretKey: "b", Buckets: []string{"extra"}}})
	if err != nil {
		t.Fatal(err)
	}
	for path, ok := range map[string]bool{"s3://main/k": true, "s3://extra/k": true, "s3://other/k": false, "s3://extra": false, "s3:///k": false, "s3://x/k": false, "s3://Bad_Name/k": false, "plain": true, "a/s3://other/k": true} {
		if _, err := r.store("stat", path); (err == nil) != ok {
			t.Errorf("%s: %v", path, err)
		}
	}
}
