package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

func get(t *testing.T, method, target string, header http.Header) *http.Response {
	t.Helper()
	r := httptest.NewRequest(method, target, nil)
	for k, v := range header {
		r.Header[k] = v
	}
	w := httptest.NewRecorder()
	Handler().ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestHandler(t *testing.T) {
	for _, c := range []struct {
		method, path string
		status       int
		kind         string
	}{
		{"GET", "/", 200, "text/html; charset=utf-8"},
		{"HEAD", "/", 200, "text/html; charset=utf-8"},
		{"GET", "/index.html", 200, "text/html; charset=utf-8"},
		{"GET", "/app.js", 200, "text/javascript; charset=utf-8"},
		{"GET", "/base.css", 200, "text/css; charset=utf-8"},
		{"GET", "/icon.svg", 200, "image/svg+xml"},
		{"GET", "/nothing.js", 404, ""},
		{"GET", "/static/app.js", 404, ""},
		{"GET", "/../web.go", 404, ""},
		{"POST", "/", 405, ""},
	} {
		r := get(t, c.method, "http://node"+c.path, nil)
		if r.StatusCode != c.status {
			t.Errorf("%s %s: got status %d, want %d", c.method, c.path, r.StatusCode, c.status)
			continue
		}
		if c.status != 200 {
			continue
		}
		for name, want := range map[string]string{
			"Content-Type": c.kind, "Content-Security-Policy": Policy, "X-Content-Type-Options": "nosniff", "Cache-Control": "no-cache",
		} {
			if got := r.Header.Get(name); got != want {
				t.Errorf("%s %s: %s: got %q, want %q", c.method, c.path, name, got, want)
			}
		}
		if b := body(t, r); (b == "") != (c.method == "HEAD") {
			t.Errorf("%s %s: got a body of %d bytes", c.method, c.path, len(b))
		}
	}
}

func TestUnchangedFileIsNotSentAgain(t *testing.T) {
	tag := get(t, "GET", "/app.js", nil).Header.Get("ETag")
	if len(tag) < 10 {
		t.Fatalf("ETag: got %q", tag)
	}
	if r := get(t, "GET", "/app.js", http.Header{"If-None-Match": {tag}}); r.StatusCode != 304 {
		t.Errorf("with its ETag: got status %d, want 304", r.StatusCode)
	}
	if r := get(t, "GET", "/dom.js", http.Header{"If-None-Match": {tag}}); r.StatusCode != 200 {
		t.Errorf("with another file's ETag: got status %d, want 200", r.StatusCode)
	}
}

var (
	reference = regexp.MustCompile(`(?:from|src=|href=)\s*['"]([^'"#{]+\.(?:js|css|svg))['"]`)
	foreign   = regexp.MustCompile(`(?:https?:)?//[a-z0-9-]+\.[a-z]`)
	inline    = regexp.MustCompile(`(?i)<script>|<style|\sstyle=|\son[a-z]+=|javascript:|\.innerHTML|insertAdjacentHTML|\beval\(|new Function`)
)

// The page must work under its own policy and without a network: every file it names is there, every file that is there is
// named, and nothing is inline or foreign.
func TestFilesStandAlone(t *testing.T) {
	assets := load()
	used := map[string]bool{"index.html": true}
	total := 0
	for name, a := range assets {
		text := strings.ReplaceAll(string(a.body), "http://www.w3.org/2000/svg", "")
		total += len(text)
		for _, m := range reference.FindAllStringSubmatch(text, -1) {
			target := path.Join(path.Dir(name), m[1])
			used[target] = true
			if _, ok := assets[target]; !ok {
				t.Errorf("%s names %s, which is not there", name, target)
			}
		}
		if m := foreign.FindString(text); m != "" {
			t.Errorf("%s names another host: %s", name, m)
		}
		if m := inline.FindString(text); m != "" {
			t.Errorf("%s has what the policy forbids or text could break: %s", name, m)
		}
	}
	for name := range assets {
		if !used[name] {
			t.Errorf("%s is used nowhere", name)
		}
	}
	if len(assets) < 10 {
		t.Errorf("got %d files, want all of them", len(assets))
	}
	if total > 200_000 {
		t.Errorf("the page has %d bytes, want a small one", total)
	}
}
