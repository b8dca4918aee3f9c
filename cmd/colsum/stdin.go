package main

import (
	"context"
	"fmt"
	"io"
	"os"

	"colsum/storage"
)

// stdin names the standard input among files.
const stdin = "-"

// opener reads a file from off on; about want bytes will be read.
type opener = func(ctx context.Context, off, want int64) (io.ReadCloser, error)

// openStdin makes the standard input readable from any place: as it is if it is a file, else by way of a nameless one.
func openStdin(ctx context.Context) (storage.Info, opener, error) {
	info := storage.Info{Path: stdin, Version: stdin}
	f, from := os.Stdin, int64(0)
	st, err := f.Stat()
	if err != nil {
		return info, nil, fmt.Errorf("standard input: %w", err)
	}
	if st.Mode().IsRegular() {
		if from, err = f.Seek(0, io.SeekCurrent); err != nil {
			return info, nil, fmt.Errorf("standard input: %w", err)
		}
		info.Size = max(0, st.Size()-from)
	} else if f, info.Size, err = spool(ctx, os.Stdin); err != nil {
		return info, nil, err
	}
	return info, func(_ context.Context, off, _ int64) (io.ReadCloser, error) {
		return io.NopCloser(io.NewSectionReader(f, from+off, info.Size-off)), nil
	}, nil
}

// spool copies r to a file that has no name any more: nothing is left behind, even by SIGKILL.
func spool(ctx context.Context, r io.Reader) (*os.File, int64, error) {
	f, err := os.CreateTemp("", "colsum-stdin-")
	if err != nil {
		return nil, 0, fmt.Errorf("standard input: %w (TMPDIR says where)", err)
	}
	if err := os.Remove(f.Name()); err != nil {
		f.Close()
		return nil, 0, fmt.Errorf("standard input: %w", err)
	}
	// A read of a pipe does not know of ctx; when that ends, the copy is left to itself, and the process ends with it.
	type end struct {
		n   int64
		err error
	}
	copied := make(chan end, 1)
	go func() {
		n, err := io.Copy(f, r)
		copied <- end{n, err}
	}()
	select {
	case <-ctx.Done():
		return nil, 0, context.Cause(ctx)
	case e := <-copied:
		if e.err != nil {
			f.Close()
			return nil, 0, fmt.Errorf("standard input: %w (TMPDIR names a folder with room for it)", e.err)
		}
		return f, e.n, nil
	}
}
