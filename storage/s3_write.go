package storage

import (
	"bytes"
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/minio/minio-go/v7"
)

const (
	// firstPart is the size of the first parts of an upload. It doubles every partStep parts, so that the 10,000 parts
	// that S3 allows reach to its 5 TiB: 1,000 parts of 16 MiB, of 32, ... up to maxPart.
	firstPart = 16 << 20
	maxPart   = 1 << 30
	partStep  = 1000
	// contentType of every object written.
	contentType = "text/csv"
	// abortTime is how long an abort may take once the caller's ctx has ended.
	abortTime = 30 * time.Second
)

// Create uploads an object: one PUT when it is small, else parts, each tried again by itself. The object appears when
// Close returns nil.
func (s *S3) Create(ctx context.Context, path string) (Writer, error) {
	key, err := s.key("write", path)
	if err != nil {
		return nil, s.stats.count(err)
	}
	return &s3Writer{s: s, key: key, ctx: ctx}, nil
}

type s3Writer struct {
	s      *S3
	key    string
	ctx    context.Context // of Create: a Writer is one long call
	buf    []byte          // of the part being gathered
	size   int64           // of the parts sent
	upload string          // id of the multipart upload, "" before the first part
	parts  []minio.CompletePart
	err    error // sticky; os.ErrClosed once ended
}

func (w *s3Writer) Write(b []byte) (int, error) {
	written := 0
	for len(b) > 0 {
		if w.err != nil {
			return written, w.err
		}
		if w.buf == nil {
			w.buf = make([]byte, 0, firstPart)
		}
		size := w.partSize()
		if len(w.buf) == size {
			if w.err = w.send(); w.err != nil {
				return written, w.err
			}
			continue
		}
		n := min(len(b), size-len(w.buf))
		w.buf = append(w.buf, b[:n]...)
		b = b[n:]
		written += n
	}
	return written, w.err
}

func (w *s3Writer) partSize() int {
	return min(firstPart<<(len(w.parts)/partStep), maxPart)
}

// sha256 signs the gathered bytes as a whole. Left to itself minio-go signs them in chunks over plain http, and versitygw
// v1.8.0 takes the end of such a body for the next request.
func (w *s3Writer) sha256() string {
	sum := sha256.Sum256(w.buf)
	return hex.EncodeToString(sum[:])
}

// send uploads the gathered part.
func (w *s3Writer) send() error {
	s, e := w.s, &Error{Op: "write", Path: w.s.url(w.key), Off: w.size, N: int64(len(w.buf))}
	if w.upload == "" {
		err := s.retry(w.ctx, e, func(ctx context.Context, _ *call) (err error) {
			w.upload, err = s.core.NewMultipartUpload(ctx, s.bucket, w.key, minio.PutObjectOptions{ContentType: contentType})
			return err
		})
		if err != nil {
			return s.stats.count(err)
		}
	}
	number := len(w.parts) + 1
	err := s.retry(w.ctx, e, func(ctx context.Context, _ *call) error {
		part, err := s.core.PutObjectPart(ctx, s.bucket, w.key, w.upload, number, bytes.NewReader(w.buf), int64(len(w.buf)),
			minio.PutObjectPartOptions{DisableContentSha256: true, Sha256Hex: w.sha256()})
		if err != nil {
			return err
		}
		w.parts = append(w.parts, minio.CompletePart{PartNumber: number, ETag: part.ETag})
		return nil
	})
	w.size += int64(len(w.buf))
	w.buf = w.buf[:0]
	return s.stats.count(err)
}

func (w *s3Writer) Close() error {
	if w.err != nil {
		err := w.err
		w.Abort()
		return err
	}
	err := w.finish()
	if err != nil {
		w.err = err
		w.Abort()
		return err
	}
	w.err, w.buf = os.ErrClosed, nil
	return nil
}

func (w *s3Writer) finish() error {
	s, e := w.s, &Error{Op: "write", Path: w.s.url(w.key)}
	if w.upload == "" {
		err := s.retry(w.ctx, e, func(ctx context.Context, _ *call) error {
			_, err := s.core.PutObject(ctx, s.bucket, w.key, bytes.NewReader(w.buf), int64(len(w.buf)), "", w.sha256(),
				minio.PutObjectOptions{DisableContentSha256: true, ContentType: contentType})
			return err
		})
		return s.stats.count(err)
	}
	if len(w.buf) > 0 {
		if err := w.send(); err != nil {
			return err
		}
	}
	asked := 0
	err := s.retry(w.ctx, e, func(ctx context.Context, c *call) error {
		asked++
		_, err := s.core.CompleteMultipartUpload(ctx, s.bucket, w.key, w.upload, w.parts, minio.PutObjectOptions{ContentType: contentType})
		// An answer that got lost leaves a complete object and no upload.
		if err != nil && asked > 1 && minio.ToErrorResponse(err).Code == minio.NoSuchUpload && w.isThere(ctx) {
			return nil
		}
		return err
	})
	return s.stats.count(err)
}

// isThere reports whether the object is the one that the parts make. The ETag of such an object is the MD5 of the parts'
// MD5s and their number, with all servers that follow S3 in this.
func (w *s3Writer) isThere(ctx context.Context) bool {
	sum := md5.New()
	for _, p := range w.parts {
		b, err := hex.DecodeString(p.ETag)
		if err != nil {
			return false
		}
		sum.Write(b)
	}
	oi, err := w.s.core.StatObject(ctx, w.s.bucket, w.key, minio.StatObjectOptions{})
	return err == nil && oi.Size == w.size && oi.ETag == fmt.Sprintf("%x-%d", sum.Sum(nil), len(w.parts))
}

// Abort removes the parts, also when ctx has ended: they would be stored, and paid for, unseen.
func (w *s3Writer) Abort() {
	if errors.Is(w.err, os.ErrClosed) {
		return
	}
	w.err, w.buf = os.ErrClosed, nil
	if w.upload == "" {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(w.ctx), abortTime)
	defer cancel()
	s := w.s
	err := s.retry(ctx, &Error{Op: "write", Path: s.url(w.key)}, func(ctx context.Context, _ *call) error {
		return s.core.AbortMultipartUpload(ctx, s.bucket, w.key, w.upload)
	})
	if err != nil {
		s.log.Warn("an aborted upload leaves its parts behind", "path", s.url(w.key), "upload", w.upload, "err", err)
	}
}
