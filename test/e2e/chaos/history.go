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
	wall        int64  // submit: when it was called; read of nothing: works that ended by then may be forgotten (Unix time, ns)
	digest      string // read of an ended work
}

// history is everything that clients did.
type history struct {
	start  time.Time
	mu     sync.Mutex
	ops    []op              // mu
	keys   map[string]*ask   // mu
	spans  map[string][]span // mu; of files that were replaced
	cleans []*clean          // mu
}

// clean is a request to forget works that ended more than forgetAge before.
type clean struct{ call, ret int64 }

// forgetAge is longer than any request may be under way: one that comes after its work was forgotten would be a new one.
const forgetAge = 40 * time.Second

// span is when a version of a file may have been the one there was: from before it was put there until after the next was.
type span struct {
	version  int
	from, to int64
}

// ask is one request for a work.
type ask struct {
	key      string
	file     string
	chunk    int
	id       string    // "" while not accepted
	cancels  int       // how often it was asked to be cancelled, with an answer or without
	called   int64     // when it was first asked for
	accepted int64     // when its id was first learnt
	ended    int64     // when its end was first seen, 0 while it was not
	code     string    // of a work that failed, once that was seen in the end
	mtime    int64     // the latest seen of it
	last     *workView // its result, once it was read
}

func newHistory() *history {
	return &history{start: time.Now(), keys: map[string]*ask{}, spans: map[string][]span{}}
}

func (h *history) now() int64 { return int64(time.Since(h.start)) }

func (h *history) add(o op) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case o.kind == opSubmit:
		o.wall = h.wall(o.call)
	case o.kind == opRead && !o.found:
		o.wall = h.forgotten(o.ret)
	}
	h.ops = append(h.ops, o)
	if a := h.keys[o.key]; a != nil && o.found {
		a.mtime = max(a.mtime, o.mtime)
		if ranks[o.status] == endedRank && (a.ended == 0 || o.ret < a.ended) {
			a.ended = o.ret
		}
	}
}

// wall is a time of the run as Unix time.
func (h *history) wall(t int64) int64 { return h.start.UnixNano() + t }

// clean notes that works may be forgotten while f runs, or at any later time if there is no answer.
func (h *history) clean(f func() error) {
	c := &clean{h.now(), forever}
	h.mu.Lock()
	h.cleans = append(h.cleans, c)
	h.mu.Unlock()
	if f() == nil {
		h.mu.Lock()
		c.ret = h.now()
		h.mu.Unlock()
	}
}

// forgotten returns the latest end, in Unix time, of works that may be forgotten at a time of the run; call with mu held.
func (h *history) forgotten(at int64) (latest int64) {
	for _, c := range h.cleans {
		if c.call <= at {
			latest = max(latest, h.wall(min(c.ret, at))-int64(forgetAge))
		}
	}
	return latest
}

// forgettable reports whether the work of a key may be forgotten by now.
func (h *history) forgettable(key string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	a := h.keys[key]
	return max(a.mtime, h.wall(a.called)) <= h.forgotten(h.now())
}

// replace notes that a file gets another version while f runs.
func (h *history) replace(path string, version int, f func() error) error {
	h.mu.Lock()
	list := h.spans[path]
	if list == nil {
		list = []span{{to: forever}}
	}
	list = append(list, span{version: version, from: h.now(), to: forever})
	h.spans[path] = list
	h.mu.Unlock()
	err := f()
	h.mu.Lock()
	defer h.mu.Unlock()
	list[len(list)-2].to = h.now()
	return err
}

// versions returns those that a file had between two times, and how often it was replaced meanwhile.
func (h *history) versions(path string, from, to int64) (list []int, replaced int) {
	h.mu.Lock()
	defer h.mu.Unlock()
	spans := h.spans[path]
	if spans == nil {
		return []int{0}, 0
	}
	for _, s := range spans {
		if s.from <= to && s.to >= from {
			list = append(list, s.version)
		}
	}
	return list, len(list) - 1
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

// keysByID returns the keys of the works by their ids.
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
