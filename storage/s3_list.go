package storage

import (
	"context"
	"strings"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/s3utils"
)

// List leaves out the markers that some programs create for folders (keys ending in a slash). Each page is one request
// per 1,000 objects, begun with start-after: no page costs more than another.
func (s *S3) List(ctx context.Context, prefix, after string, limit int) (Page, error) {
	page, err := s.list(ctx, prefix, after, pageLimit(limit))
	return page, s.stats.count(err)
}

func (s *S3) list(ctx context.Context, prefix, after string, limit int) (Page, error) {
	keys, ok := strings.CutPrefix(prefix, s.shown)
	if !ok {
		return Page{}, badPath("list", prefix, "not a path of bucket "+s.bucket)
	}
	if err := s3utils.CheckValidObjectNamePrefix(keys); err != nil {
		return Page{}, badPath("list", prefix, err.Error())
	}
	if after != "" {
		if after, ok = strings.CutPrefix(after, s.shown); !ok {
			return Page{}, badPath("list", after, "after is not a path of bucket "+s.bucket)
		}
	}
	var page Page
	noOwner := false
	for {
		more := false // after the objects of this request
		err := s.retry(ctx, &Error{Op: "list", Path: s.url(keys)}, func(ctx context.Context, _ *call) error {
			want := min(limit+1-len(page.Files), 1000)
			seen := 0
			opts := minio.ListObjectsOptions{Prefix: keys, StartAfter: after, Recursive: true, MaxKeys: want, FetchOwner: &noOwner}
			for o := range s.core.ListObjectsIter(ctx, s.bucket, opts) {
				if o.Err != nil {
					return o.Err
				}
				after = o.Key
				if !strings.HasSuffix(o.Key, "/") {
					page.Files = append(page.Files, Info{Path: s.shown + o.Key, Size: o.Size,
						Version: objectPin(o.ETag, o.LastModified), ModTime: o.LastModified.UTC()})
				}
				if seen++; seen == want { // before the iterator sends a request of its own
					more = true
					return nil
				}
			}
			return ctx.Err() // the iterator just ends with it
		})
		if err != nil {
			return Page{}, err
		}
		if len(page.Files) > limit {
			page.Files = page.Files[:limit]
			page.Next = page.Files[limit-1].Path
			return page, nil
		}
		if !more {
			return page, nil
		}
	}
}
