package storage

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
)

// tail is how far beyond off+want a reader fetches ahead: the end of the last record, nearly always.
const tail = 64 << 10

// Open starts to fetch at once: ranges of up to Transfer.RangeBytes, several at a time, each into a buffer of the shared
// pool. Read hands out the bytes of the first range as they arrive.
func (s *S3) Open(ctx context.Context, in Info, off, want int64) (io.ReadCloser, error) {
	key, err := s.key("open", in.Path)
	if err != nil {
		return nil, s.stats.count(err)
	}
	if off < 0 || off > in.Size {
		return nil, s.stats.count(badPath("open", in.Path, fmt.Sprintf("offset %d outside 0..%d", off, in.Size)))
	}
	ctx, cancel := context.WithCancel(ctx)
	r := &s3Reader{
		pool: s.pool, xfer: s.xfer, stats: s.stats, cancel: cancel, done: ctx.Done(),
		cause: func() error { return &Error{Op: "read", Path: s.url(key), Err: ended(ctx)} },
		size:  in.Size, next: off, ahead: in.Size, step: tail,
	}
	if left := in.Size - off; want < left-tail {
		r.ahead = off + max(want, 0) + tail
	}
	// Equal pieces: a last one of a few bytes would be a request for nearly nothing.
	if span := r.ahead - off; span > 0 {
		pieces := (span + s.xfer.RangeBytes - 1) / s.xfer.RangeBytes
		r.piece = min(((span+pieces-1)/pieces+4095)&^4095, s.xfer.RangeBytes)
	}
	r.fetch = func(p *piece, off int64) {
		defer r.running.Done()
		p.end(s.stats.count(s.fetch(ctx, key, in, off, p.buf, p.add)))
	}
	r.fill()
	return r, nil
}

// s3Reader is an in-order reader over pieces that are fetched at the same time. Not safe for concurrent use, but its
// pieces are filled by goroutines of their own.
type s3Reader struct {
	pool    *pool
	xfer    Transfer
	stats   *Stats
	fetch   func(p *piece, off int64)
	running sync.WaitGroup // the goroutines of fetch
	cancel  context.CancelFunc
	done    <-chan struct{}
	cause   func() error

	size   int64
	next   int64    // first byte not yet asked for
	ahead  int64    // how far to fetch without being asked
	piece  int64    // length of a range
	step   int64    // beyond ahead: how much further to go when a Read wants more
	pieces []*piece // in order of their offsets; Read is at the first
	err    error    // sticky
}

// fill asks for as many pieces as InFlight, the pool and ahead allow. There is always one on the way or at hand unless the
// end of the file is reached: its small overdraft on the pool is what keeps readers from waiting for each other.
func (r *s3Reader) fill() {
	if len(r.pieces) == 0 && r.next == r.ahead && r.next < r.size {
		r.piece = min(r.step, r.xfer.RangeBytes)
		r.ahead = min(r.size, r.next+r.piece)
		r.step *= 2
	}
	for len(r.pieces) < r.xfer.InFlight && r.next < r.ahead {
		n := min(r.piece, r.ahead-r.next)
		buf := r.pool.take(n, false)
		if buf == nil {
			if len(r.pieces) > 0 {
				return
			}
			n = min(n, overdraft)
			buf = r.pool.take(n, true)
		}
		p := &piece{buf: buf, news: make(chan struct{}, 1)}
		r.pieces = append(r.pieces, p)
		r.running.Add(1)
		go r.fetch(p, r.next)
		r.next += n
	}
}

func (r *s3Reader) Read(p []byte) (int, error) {
	for {
		if r.err != nil {
			return 0, r.err
		}
		if len(p) == 0 {
			return 0, nil
		}
		select {
		case <-r.done: // even when the bytes are here already
			r.err = r.cause()
			return 0, r.err
		default:
		}
		r.fill()
		if len(r.pieces) == 0 {
			r.err = io.EOF
			return 0, io.EOF
		}
		head := r.pieces[0]
		n, err := head.read(p)
		if head.empty() {
			// Complete, so its goroutine is past touching the buffer.
			r.pool.give(head.buf)
			r.pieces[0] = nil
			r.pieces = r.pieces[1:]
			r.fill()
			if n == 0 {
				continue
			}
		}
		switch {
		case n > 0:
			return n, nil
		case err != nil:
			r.err = err
			r.cancel()
			return 0, err
		}
		select {
		case <-head.news:
		case <-r.done:
			r.err = r.cause()
			return 0, r.err
		}
	}
}

// Close breaks off what is on the way and waits for it: the buffers go back to the pool.
func (r *s3Reader) Close() error {
	if r.err == nil {
		r.err = os.ErrClosed
	}
	r.cancel()
	r.running.Wait()
	for _, p := range r.pieces {
		r.pool.give(p.buf)
	}
	r.pieces = nil
	return nil
}

// piece is one range: filled by one goroutine, read by another.
type piece struct {
	buf  []byte
	news chan struct{} // capacity 1: something was added, or the end came

	taken int // by the reader alone

	mu     sync.Mutex
	filled int
	ended  bool
	err    error // valid once ended
}

func (p *piece) add(n int) {
	p.mu.Lock()
	p.filled += n
	p.mu.Unlock()
	p.wake()
}

func (p *piece) end(err error) {
	p.mu.Lock()
	p.ended, p.err = true, err
	p.mu.Unlock()
	p.wake()
}

func (p *piece) wake() {
	select {
	case p.news <- struct{}{}:
	default:
	}
}

// read copies what is there. 0 and nil: wait for news. An error comes after the bytes before it. The last byte is held
// back until the goroutine that fills the piece is through: only the end of the response shows that it was not too long.
func (p *piece) read(dst []byte) (int, error) {
	p.mu.Lock()
	filled, err := p.filled, p.err
	if filled == len(p.buf) && (!p.ended || p.err != nil) {
		filled--
	}
	p.mu.Unlock()
	n := copy(dst, p.buf[p.taken:filled])
	p.taken += n
	if n > 0 {
		err = nil // not yet
	}
	return n, err
}

// empty reports whether all of the range was read, which implies that the goroutine that filled it is through.
func (p *piece) empty() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.ended && p.err == nil && p.taken == len(p.buf)
}
