package storage

import (
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// FromEnv fills the fields of S3 that are still empty from the environment: MINIO_ENDPOINT, MINIO_ACCESS_KEY,
// MINIO_SECRET_KEY, MINIO_SECURE and MINIO_REGION as the original service had them, else the usual AWS_ENDPOINT_URL_S3,
// AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN, AWS_REGION, AWS_DEFAULT_REGION,
// AWS_PROFILE, AWS_SHARED_CREDENTIALS_FILE and AWS_CA_BUNDLE, and COLSUM_S3_CREDENTIALS for the field Credentials. Keys are
// taken as a pair from one source. Without any keys, ~/.aws/credentials counts where it holds some. getenv is os.Getenv but
// for tests.
func (c *S3Config) FromEnv(getenv func(string) string) error {
	first := func(names ...string) string {
		for _, n := range names {
			if v := getenv(n); v != "" {
				return v
			}
		}
		return ""
	}
	def(&c.Endpoint, first("MINIO_ENDPOINT", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"))
	def(&c.Region, first("MINIO_REGION", "AWS_REGION", "AWS_DEFAULT_REGION"))
	def(&c.CAFile, first("AWS_CA_BUNDLE"))
	def(&c.Credentials, first("COLSUM_S3_CREDENTIALS"))
	if v := getenv("MINIO_SECURE"); v != "" {
		secure, err := strconv.ParseBool(v)
		if err != nil {
			return fmt.Errorf("MINIO_SECURE is %q, must be true or false", v)
		}
		c.Secure = c.Secure || secure
	}
	if c.AccessKey == "" && c.SecretKey == "" {
		switch {
		case getenv("MINIO_ACCESS_KEY") != "":
			c.AccessKey, c.SecretKey = getenv("MINIO_ACCESS_KEY"), getenv("MINIO_SECRET_KEY")
		case getenv("AWS_ACCESS_KEY_ID") != "":
			c.AccessKey, c.SecretKey, c.SessionToken = getenv("AWS_ACCESS_KEY_ID"), getenv("AWS_SECRET_ACCESS_KEY"), getenv("AWS_SESSION_TOKEN")
		}
	}
	if c.AccessKey == "" {
		def(&c.Profile, first("AWS_PROFILE"))
		def(&c.CredentialsFile, first("AWS_SHARED_CREDENTIALS_FILE"))
		role := first("AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI")
		switch {
		case c.Credentials != "" || c.CredentialsFile != "":
		case role != "" && c.Profile == "":
			c.Credentials = "iam"
		default:
			if home := getenv("HOME"); home != "" {
				file := S3Config{CredentialsFile: filepath.Join(home, ".aws", "credentials")}
				if _, err := file.provider(); err == nil || c.Profile != "" {
					c.CredentialsFile = file.CredentialsFile
				}
			}
		}
	}
	return nil
}

// endpoint splits Endpoint into what minio-go takes.
func (c *S3Config) endpoint() (host string, secure bool, err error) {
	host, secure = c.Endpoint, c.Secure
	if host == "" {
		return "s3.amazonaws.com", true, nil
	}
	if scheme, rest, ok := strings.Cut(host, "://"); ok {
		switch strings.ToLower(scheme) {
		case "http":
			secure = false
		case "https":
			secure = true
		default:
			return "", false, fmt.Errorf("storage: S3.Endpoint: scheme must be http or https")
		}
		host = rest
	}
	host = strings.TrimSuffix(host, "/")
	switch {
	case strings.Contains(host, "@"): // not repeated: it may hold a password
		return "", false, fmt.Errorf("storage: S3.Endpoint must not hold a user name or password; use the key settings")
	case host == "" || strings.ContainsAny(host, "/?#"):
		return "", false, fmt.Errorf("storage: S3.Endpoint: %q is not host[:port]", c.Endpoint)
	}
	return host, secure, nil
}
