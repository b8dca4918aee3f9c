package rpc

import (
	"context"
	"errors"
	"fmt"
	"io"
	netrpc "net/rpc"

	"github.com/hashicorp/go-msgpack/v2/codec"
)

// handle is read-only once the package is initialised, as its users require.
var handle = func() *codec.MsgpackHandle {
	h := &codec.MsgpackHandle{WriteExt: true} // the bin type for bytes
	h.MaxDepth = 64
	return h
}()

// A frame holds a head and, unless the head reports an error, a body: two msgpack values, nothing after them.
type requestHead struct {
	Seq    uint64 `codec:"seq"`
	Method string `codec:"method"`
}

type responseHead struct {
	Seq uint64 `codec:"seq"`
	// Error is of net/rpc's own making: the request was not understood. What a handler has to say is in the Answer.
	Error string `codec:"error"`
}

// rawBody is an encoded message. The client encodes a request once, in the caller's goroutine, whatever becomes of it.
type rawBody []byte

func encode(v any) ([]byte, error) {
	var b []byte
	if err := codec.NewEncoderBytes(&b, handle).Encode(v); err != nil {
		return nil, fmt.Errorf("encode %T: %w", v, err)
	}
	return b, nil
}

// frameReader decodes the two values of one frame after another.
type frameReader struct {
	w    *wire
	dec  *codec.Decoder
	size int
}

func (f *frameReader) next(head any) error {
	b, err := f.w.readFrame()
	if err != nil {
		return err
	}
	f.size = len(b)
	f.dec = codec.NewDecoderBytes(b, handle)
	return f.dec.Decode(head)
}

// body decodes the second value; nil skips it, as the frame ends anyhow.
func (f *frameReader) body(v any) error {
	if v == nil {
		return nil
	}
	if err := f.dec.Decode(v); err != nil {
		return fmt.Errorf("decode %T: %w", v, err)
	}
	if n := f.dec.NumBytesRead(); n != f.size {
		return fmt.Errorf("decode %T: %d bytes too many in its frame", v, f.size-n)
	}
	return nil
}

// serverCodec is one accepted connection as net/rpc sees it. It admits a bounded number of calls at a time, and ends the
// connection's context as soon as no more can be read.
type serverCodec struct {
	frameReader
	calls  chan struct{} // one token a call under way
	ctx    context.Context
	cancel context.CancelCauseFunc
}

func (c *serverCodec) ReadRequestHeader(r *netrpc.Request) error {
	select {
	case c.calls <- struct{}{}:
	case <-c.ctx.Done():
		return io.EOF
	}
	var h requestHead
	if err := c.next(&h); err != nil {
		<-c.calls
		c.cancel(fmt.Errorf("read request: %w", err))
		return err
	}
	r.Seq, r.ServiceMethod = h.Seq, h.Method
	return nil
}

func (c *serverCodec) ReadRequestBody(v any) error { return c.body(v) }

// WriteResponse is called by net/rpc exactly once for each header read without error.
func (c *serverCodec) WriteResponse(r *netrpc.Response, v any) error {
	defer func() { <-c.calls }()
	head := responseHead{Seq: r.Seq, Error: r.Error}
	err := c.respond(head, v)
	if err != nil && errors.Is(err, errUnsent) {
		head.Error = err.Error()
		err = c.respond(head, nil)
	}
	if err != nil {
		c.w.close()
		c.cancel(fmt.Errorf("write response: %w", err))
	}
	return err
}

// errUnsent marks a response of which nothing was written.
var errUnsent = errors.New("response not sent")

func (c *serverCodec) respond(head responseHead, v any) error {
	h, err := encode(&head)
	if err != nil {
		return err
	}
	if head.Error != "" {
		return c.w.writeFrame(h)
	}
	b, err := encode(v)
	if err != nil {
		return fmt.Errorf("%w: %w", errUnsent, err)
	}
	if err := c.w.writeFrame(h, b); errors.Is(err, ErrTooLarge) {
		return fmt.Errorf("%w: %w", errUnsent, err)
	} else {
		return err
	}
}

func (c *serverCodec) Close() error {
	c.w.close()
	return nil
}

// clientCodec is one dialled connection as net/rpc sees it. Requests are rawBody.
type clientCodec struct{ frameReader }

func (c *clientCodec) WriteRequest(r *netrpc.Request, v any) error {
	h, err := encode(&requestHead{Seq: r.Seq, Method: r.ServiceMethod})
	if err != nil {
		return err
	}
	return c.w.writeFrame(h, v.(rawBody))
}

func (c *clientCodec) ReadResponseHeader(r *netrpc.Response) error {
	var h responseHead
	if err := c.next(&h); err != nil {
		// net/rpc stops reading now: without a reader the connection is of no more use.
		c.w.close()
		return err
	}
	r.Seq, r.Error = h.Seq, h.Error
	return nil
}

func (c *clientCodec) ReadResponseBody(v any) error {
	err := c.body(v)
	if err != nil {
		c.w.close()
	}
	return err
}

func (c *clientCodec) Close() error {
	c.w.close()
	return nil
}
