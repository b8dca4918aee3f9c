// Package storage reads byte ranges of files that lie on a local disk or in S3, however badly the connection behaves.
//
// A [Store] lists, stats and reads. [Local] and [S3] implement it; [Router] is the Store the rest of the program uses: it
// sends each path to the store that owns it. Reads are pinned to the version that Stat saw: bytes of two versions are
// never mixed. Faults are either final or transient; a reader retries the transient ones by itself until its budget of
// time without progress is spent and then returns ErrUnavailable.
//
// It is the only package that imports minio-go and go-retryablehttp.
package storage
