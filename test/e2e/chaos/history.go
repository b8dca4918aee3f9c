package main

import (
	"sync"
	"time"
)

// kind of a client's operation on one work, which is known by the key of its submit.
type kind string

const (
	opSubmit kind = "submit"
	opRead   kind = "read"
	opCancel kind = "cancel"
)

// forever is the return of an operation whose outcome was never learnt.
const forever = int64(1) << 62

// op is an operation as a client saw it: when it was called and when it returned, in nanoseconds since the run began.
type op struct {
	client      int
	key         string
	kind        kind
	call, ret   int64
	node        string // who was asked
	unknown     bool   // no answer: it may have been carried out at any time from call on, or never
	id          string // submit: the answer
	found       bool   // read
	status      string // read
	rows, mtime int64  // read; rows -1 where the answer has none
	digest      string // read of an ended work
}

// history is everything that clients did.
type history struct {
	start time.Time
	mu    sync.Mutex
	ops   []op            // mu
	keys  map[string]*ask // mu
}

// ask is one request for a work.
type ask struct {
	key      string
	file     string
	chunk    int
	id       string // "" while not accepted
	cancels  int    // how often it was asked to be cancelled, with an answer or without
	accepted int64  // when its id was first learnt
}

func newHistory() *history {
	return &history{start: time.Now(), keys: map[string]*ask{}}
}

func (h *history) now() int64 { return int64(time.Since(h.start)) }

func (h *history) add(o op) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.ops = append(h.ops, o)
}

// with runs f on the request of a key, which is made if need be.
func (h *history) with(key string, f func(a *ask)) {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.keys[key]
	if a == nil {
		a = &ask{key: key}
		h.keys[key] = a
	}
	f(a)
}

// keyOf returns the key of a work id; "" for one that is not known.
func (h *history) keysByID() map[string]string {
	h.mu.Lock()
	defer h.mu.Unlock()
	m := make(map[string]string, len(h.keys))
	for key, a := range h.keys {
		if a.id != "" {
			m[a.id] = key
		}
	}
	return m
}

// asks returns copies of all requests.
func (h *history) asks() []ask {
	h.mu.Lock()
	defer h.mu.Unlock()
	list := make([]ask, 0, len(h.keys))
	for _, a := range h.keys {
		list = append(list, *a)
	}
	return list
}
