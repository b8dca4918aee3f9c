package rpc

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"time"
)

const (
	// readStep is how much memory a frame gets before its bytes have arrived: a length that lies costs no more.
	readStep = 1 << 20
	// keepBuffer is the largest read buffer that a connection holds on to between frames.
	keepBuffer = 256 << 10
)

// wire is a connection after the handshake: it carries frames. One goroutine reads, any number write.
type wire struct {
	conn   net.Conn
	limits Limits
	br     *bufio.Reader
	buf    []byte

	// sending serialises frames; it is held while one is written, which the write deadline bounds.
	sending sync.Mutex

	mu     sync.Mutex // guards halted and the read deadline
	halted bool

	once   sync.Once
	closed chan struct{}
}

func newWire(conn net.Conn, l Limits) *wire {
	return &wire{conn: conn, limits: l, br: bufio.NewReader(conn), closed: make(chan struct{})}
}

// readFrame returns the next frame that is not empty. It is valid until the next call. Any error is final.
func (w *wire) readFrame() ([]byte, error) {
	for {
		if err := w.readBefore(silence * w.limits.KeepAlive); err != nil {
			return nil, err
		}
		var head [4]byte
		if _, err := io.ReadFull(w.br, head[:]); err != nil {
			return nil, err
		}
		size := binary.BigEndian.Uint32(head[:])
		if size == 0 {
			continue
		}
		if int64(size) > int64(w.limits.Frame) {
			return nil, fmt.Errorf("frame of %d bytes, limit %d: %w", size, w.limits.Frame, ErrTooLarge)
		}
		if err := w.readBefore(w.limits.Transfer); err != nil {
			return nil, err
		}
		return w.readBody(int(size))
	}
}

func (w *wire) readBody(size int) ([]byte, error) {
	buf := w.buf[:0]
	for len(buf) < size {
		at := len(buf)
		step := min(size-at, readStep)
		buf = slices.Grow(buf, step)[:at+step]
		if _, err := io.ReadFull(w.br, buf[at:]); err != nil {
			if err == io.EOF {
				err = io.ErrUnexpectedEOF
			}
			return nil, err
		}
	}
	w.buf = nil
	if cap(buf) <= keepBuffer {
		w.buf = buf
	}
	return buf, nil
}

// writeFrame sends the parts as one frame. On an error the connection is closed, as nobody knows how much got out.
func (w *wire) writeFrame(parts ...[]byte) error {
	size := 0
	for _, p := range parts {
		size += len(p)
	}
	if size > w.limits.Frame {
		return fmt.Errorf("frame of %d bytes, limit %d: %w", size, w.limits.Frame, ErrTooLarge)
	}
	out := make(net.Buffers, 0, 1+len(parts))
	out = append(out, binary.BigEndian.AppendUint32(nil, uint32(size)))
	out = append(out, parts...)

	w.sending.Lock()
	defer w.sending.Unlock()
	err := w.conn.SetWriteDeadline(time.Now().Add(w.limits.Transfer))
	if err == nil {
		_, err = out.WriteTo(w.conn)
	}
	if err != nil {
		w.close()
	}
	return err
}

// keepAlive sends empty frames until the connection is closed.
func (w *wire) keepAlive() {
	t := time.NewTicker(w.limits.KeepAlive)
	defer t.Stop()
	for {
		select {
		case <-w.closed:
			return
		case <-t.C:
			if w.writeFrame() != nil {
				return
			}
		}
	}
}

// readBefore sets the read deadline, unless reading was halted.
func (w *wire) readBefore(d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.halted {
		return net.ErrClosed
	}
	return w.conn.SetReadDeadline(time.Now().Add(d))
}

// halt ends reading, now and for good; what is to be written can still be.
func (w *wire) halt() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.halted = true
	_ = w.conn.SetReadDeadline(time.Unix(1, 0))
}

// close may be called any number of times, by anybody.
func (w *wire) close() {
	w.once.Do(func() {
		close(w.closed)
		_ = w.conn.Close()
	})
}
