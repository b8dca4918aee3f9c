package storage_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"colsum/storage/storagetest"
)

// A metadata service that is at fault for a while delays a request; its answers do not pass for those of S3.
func TestRole(t *testing.T) {
	server := storagetest.StartVersityGW(t)
	var asked atomic.Int32
	metadata := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch asked.Add(1) {
		case 1:
			http.NotFound(w, r)
		case 2:
			w.WriteHeader(http.StatusForbidden)
		case 3:
			w.WriteHeader(http.StatusInternalServerError)
		default:
			fmt.Fprintf(w, `{"AccessKeyId":%q,"SecretAccessKey":%q,"Expiration":%q}`,
				storagetest.AccessKey, storagetest.SecretKey, time.Now().Add(time.Hour).UTC().Format(time.RFC3339))
		}
	}))
	defer metadata.Close()
	t.Setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", metadata.URL)
	cfg := server.Config()
	cfg.Timing = storagetest.Timing
	cfg.S3.AccessKey, cfg.S3.SecretKey, cfg.S3.Credentials = "", "", "iam"
	s := open(t, cfg)
	if page, err := s.List(t.Context(), "", "", 10); err != nil || len(page.Files) != 0 || asked.Load() < 4 {
		t.Errorf("%+v, %v, after %d questions", page, err, asked.Load())
	}
}

func TestCredentialsFile(t *testing.T) {
	server := storagetest.StartVersityGW(t)
	file := filepath.Join(t.TempDir(), "credentials")
	text := fmt.Sprintf("[default]\naws_access_key_id=x\naws_secret_access_key=y\n[p]\naws_access_key_id=%s\naws_secret_access_key=%s\n",
		storagetest.AccessKey, storagetest.SecretKey)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cfg := server.Config()
	cfg.S3.AccessKey, cfg.S3.SecretKey = "", ""
	cfg.S3.CredentialsFile, cfg.S3.Profile = file, "p"
	in := storagetest.Put(t, open(t, cfg), "x.csv", []byte("1"))
	if in.Size != 1 {
		t.Errorf("%+v", in)
	}
}
