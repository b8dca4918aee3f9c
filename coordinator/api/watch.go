package api

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"time"

	"colsum/fsm"

	"github.com/danielgtaylor/huma/v2"
)

const (
	// watchPause lies between two events of a work that runs; its end is told at once.
	watchPause = 250 * time.Millisecond
	// watchLook is how often a document is made anew without a change of the state: speeds and outages of the storage are
	// the leader's own knowledge.
	watchLook = time.Second
	// watchRate bounds what one stream sends, in bytes a second: the documents of very wide files come less often.
	watchRate = 4 << 20
	// keepAlive is after how long without an event a comment is sent, so that nobody in between takes the stream for dead.
	keepAlive = 10 * time.Second
	// watchWrite is how long a client may take to accept an event.
	watchWrite = 30 * time.Second
)

type watchWorkInput struct {
	WorkID      string `path:"work_id" maxLength:"64"`
	Consistency string `query:"consistency" enum:"stale" doc:"stale: this node answers from what it knows"`
}

// watchWork sends the result document at each change, and ends with the work. Who leads answers, and ends the stream when
// it leads no more: the client asks again, and sees where the work stands.
func (a *API) watchWork(ctx context.Context, in *watchWorkInput) (*huma.StreamResponse, error) {
	if err := a.current(ctx, in.Consistency); err != nil {
		return nil, a.fail(ctx, err)
	}
	if _, ok := a.works.State().Summary(in.WorkID); !ok {
		return nil, a.fail(ctx, unknownWork(in.WorkID))
	}
	return &huma.StreamResponse{Body: func(hctx huma.Context) {
		hctx.SetHeader("Content-Type", "text/event-stream")
		hctx.SetHeader("Cache-Control", "no-store")
		hctx.SetHeader("X-Accel-Buffering", "no") // nginx would hold the events back
		hctx.SetStatus(http.StatusOK)
		w, ok := hctx.BodyWriter().(http.ResponseWriter)
		if !ok || hctx.Method() == http.MethodHead {
			return
		}
		s := &stream{to: w, control: http.NewResponseController(w)}
		a.watch(hctx.Context(), in, s)
		_ = s.control.SetWriteDeadline(time.Time{}) // the connection may serve another request
	}}, nil
}

// watch sends events until the work ends, the client or the server goes, or this node stops leading.
func (a *API) watch(ctx context.Context, in *watchWorkInput, s *stream) {
	look := time.NewTicker(watchLook)
	defer look.Stop()
	var last []byte
	for {
		moved := a.cluster.LeaderChanged()
		changed := a.works.State().Changed(in.WorkID)
		if _, self, _ := a.works.Leader(); !self && in.Consistency != "stale" {
			return
		}
		doc, ok := a.works.Document(in.WorkID)
		if !ok {
			return // forgotten: who asks again is told so
		}
		data, err := json.Marshal(doc)
		if err != nil {
			a.log.Error("document of a work", "work", in.WorkID, "error", err)
			return
		}
		over := fsm.Status(doc.Status).Ended()
		switch {
		case !bytes.Equal(data, last):
			err = s.event("work", data)
			last = data
		case time.Since(s.at) >= keepAlive:
			err = s.comment("keepalive")
		}
		if over && err == nil {
			err = s.event("end", data)
		}
		if over || err != nil {
			return
		}
		if !a.watchPause(ctx, in.WorkID, watchPause+time.Duration(float64(len(data))/watchRate*1e9)) {
			return
		}
		select {
		case <-changed:
		case <-moved:
		case <-look.C:
		case <-ctx.Done():
			return
		case <-a.closing:
			return
		}
	}
}

// watchPause waits for d or until the work has ended; false when the stream is over.
func (a *API) watchPause(ctx context.Context, id string, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	for {
		changed := a.works.State().Changed(id)
		if work, ok := a.works.State().Summary(id); !ok || work.Status.Ended() {
			return true
		}
		select {
		case <-changed:
		case <-t.C:
			return true
		case <-ctx.Done():
			return false
		case <-a.closing:
			return false
		}
	}
}

// stream writes server-sent events, each at once.
type stream struct {
	to      io.Writer
	control *http.ResponseController
	at      time.Time // of the last write
}

// event sends data, which is one line.
func (s *stream) event(name string, data []byte) error {
	return s.send([]byte("event: "+name+"\ndata: "), data, []byte("\n\n"))
}

func (s *stream) comment(text string) error { return s.send([]byte(": " + text + "\n\n")) }

func (s *stream) send(parts ...[]byte) error {
	s.at = time.Now()
	// Not every ResponseWriter has deadlines; without one a client that hangs holds this goroutine, and nothing else.
	_ = s.control.SetWriteDeadline(s.at.Add(watchWrite))
	if _, err := s.to.Write(bytes.Join(parts, nil)); err != nil {
		return err
	}
	return s.control.Flush()
}
