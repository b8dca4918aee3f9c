package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A fake is a cluster in a few lines, that is right unless a bug is planted. Its works take a few steps, one per request.
type fake struct {
	bug string

	mu    sync.Mutex
	files map[string][]outcome
	now   map[string]int // versions of files
	works []*fakeWork
	keys  map[string]*fakeWork
	clock time.Time
	reads int
}

type fakeWork struct {
	id, path string
	steps    int
	version  int // of its file, when it was asked for
	view     map[string]any
	earlier  map[string]any // what it was before the last change
}

func startFake(t *testing.T, bug string, files []file) (*fake, func() []string) {
	f := &fake{bug: bug, files: map[string][]outcome{}, now: map[string]int{}, keys: map[string]*fakeWork{}, clock: time.Now()}
	for _, x := range files {
		f.files[x.path] = x.versions
	}
	var nodes []string
	for range 3 {
		s := httptest.NewServer(f)
		t.Cleanup(s.Close)
		nodes = append(nodes, s.URL)
	}
	return f, func() []string { return nodes }
}

// replace gives a file another version.
func (f *fake) replace(path string, v int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.now[path] = v
}

// show sets what readers see of a work.
func (f *fake) show(w *fakeWork, status string, rows int64) {
	f.clock = f.clock.Add(time.Millisecond)
	w.earlier = w.view
	w.view = map[string]any{"work_id": w.id, "status": status, "mtime": f.clock, "progress": map[string]any{"rows": rows}}
}

// advance brings a work one step on.
func (f *fake) advance(w *fakeWork) {
	x := f.files[w.path][w.version]
	if ranks[w.view["status"].(string)] == endedRank || f.bug == "never ends" && w.steps == 3 && strings.Count(w.id, "'")%10 == 9 {
		return
	}
	if w.steps++; w.steps < 4 {
		f.show(w, "running", x.rows*int64(w.steps)/4)
		return
	}
	changed := w.version != f.now[w.path]
	switch {
	case changed && f.bug == "mixed versions":
		x.digest = "sha256:mixed"
	case changed && f.bug != "version of before", f.bug == "changed for nothing" && len(f.works)%5 == 0:
		x = outcome{status: "failed", code: "file_changed"}
	}
	f.show(w, x.status, x.rows)
	w.view["rows"], w.view["digest"] = x.rows, x.digest
	if x.code != "" {
		w.view["error"] = map[string]any{"code": x.code}
	}
	if f.bug == "double fold" && len(f.works)%5 == 0 {
		w.view["rows"], w.view["digest"] = x.rows+x.rows/4, "sha256:other"
	}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	answer := func(status int, v any) {
		w.WriteHeader(status)
		json.NewEncoder(w).Encode(v)
	}
	id := r.URL.Path[strings.LastIndexByte(r.URL.Path, '/')+1:]
	switch {
	case strings.HasPrefix(r.URL.Path, "/api/schedule_work"):
		var body struct{ Filepath string }
		json.NewDecoder(r.Body).Decode(&body)
		key := r.Header.Get("Idempotency-Key")
		x := f.keys[key]
		if x == nil || f.bug == "key forgotten" && len(f.works)%5 == 0 {
			x = &fakeWork{id: "w" + key + strings.Repeat("'", len(f.works)), path: body.Filepath, version: f.now[body.Filepath]}
			if f.bug == "version of before" {
				x.version = 0
			}
			f.show(x, "queued", 0)
			f.keys[key] = x
			if f.bug != "accepted work lost" || len(f.works)%5 != 4 {
				f.works = append(f.works, x)
			} else {
				f.works = append(f.works, &fakeWork{id: "lost", view: map[string]any{"work_id": x.id, "status": "done"}})
			}
		}
		answer(http.StatusAccepted, map[string]any{"work_id": x.id})
	case strings.HasPrefix(r.URL.Path, "/api/get_result"), strings.HasPrefix(r.URL.Path, "/api/cancel_work"):
		for _, x := range f.works {
			if x.id != id {
				continue
			}
			if r.Method == http.MethodPost {
				if ranks[x.view["status"].(string)] != endedRank && f.bug != "cancel forgotten" {
					f.show(x, "cancelled", 0)
				}
				answer(http.StatusOK, x.view)
				return
			}
			f.advance(x)
			f.reads++
			if f.bug == "stale read" && f.reads%10 == 0 && x.earlier != nil {
				answer(http.StatusOK, x.earlier)
				return
			}
			answer(http.StatusOK, x.view)
			return
		}
		answer(http.StatusNotFound, map[string]any{"code": "unknown_work"})
	case strings.HasPrefix(r.URL.Path, "/api/list_works"):
		list := []any{}
		for i := len(f.works) - 1; i >= 0; i-- {
			list = append(list, f.works[i].view)
		}
		answer(http.StatusOK, map[string]any{"works": list})
	case strings.HasPrefix(r.URL.Path, "/api/clean_works"):
		if f.bug == "forgets too early" {
			f.works = slices.DeleteFunc(f.works, func(x *fakeWork) bool { return ranks[x.view["status"].(string)] == endedRank })
		}
		answer(http.StatusOK, map[string]any{"removed": 0})
	case strings.HasPrefix(r.URL.Path, "/api/cluster"):
		sum := "same"
		if f.bug == "states differ" {
			sum = r.Host
		}
		answer(http.StatusOK, map[string]any{"state": nodeState{7, sum}})
	}
}
