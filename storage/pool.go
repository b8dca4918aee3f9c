package storage

import "sync"

// pool is the budget of buffers that all readers of a Router share. Buffers come in two sizes and are reused for ever.
type pool struct {
	rangeBytes int64

	mu    sync.Mutex
	left  int64    // of the budget; an overdraft makes it negative
	big   [][]byte // free buffers of rangeBytes
	small [][]byte // free buffers of overdraft bytes
}

func newPool(t Transfer) *pool { return &pool{rangeBytes: t.RangeBytes, left: t.BufferBytes} }

// take returns a buffer of n bytes, n at most rangeBytes, or nil when the budget is used up. force takes it anyway; it is
// for n up to overdraft.
func (p *pool) take(n int64, force bool) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	free, size := &p.big, p.rangeBytes
	if n <= overdraft && p.rangeBytes > overdraft {
		free, size = &p.small, overdraft
	}
	if p.left < size && !force {
		return nil
	}
	p.left -= size
	if k := len(*free); k > 0 {
		b := (*free)[k-1]
		*free = (*free)[:k-1]
		return b[:n]
	}
	return make([]byte, n, size)
}

// give takes a buffer back. Nobody may touch it afterwards.
func (p *pool) give(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left += int64(cap(b))
	if int64(cap(b)) == p.rangeBytes {
		p.big = append(p.big, b)
	} else if len(p.small) < 16 { // more would be memory held beside the big ones
		p.small = append(p.small, b)
	}
}
