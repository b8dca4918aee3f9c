package api

import (
	"errors"
	"net/http"
	"testing"

	"colsum/coordinator/problem"
)

// Whatever is sent, the answer is a request or a problem of the client's.
func FuzzParseSchedule(f *testing.F) {
	for _, body := range []string{
		`{"filepath":"a","columns":{"first":1,"every":2}}`, `{"filepath":"a","columns":[1,"b"],"quote":null}`, `{"filepath":"a"`,
		`filepath=a&columns=1,b&every=%31`, `{"a":{"b":[}]`, `{"filepath":"a"} 1`, `{1:2}`, "\xff=\xfe", `filepath=a&columns={"first":1}`, `{"":1}`,
	} {
		f.Add([]byte(body), true)
		f.Add([]byte(body), false)
	}
	f.Fuzz(func(t *testing.T, body []byte, form bool) {
		contentType := "application/json"
		if form {
			contentType = formType
		}
		req, err := parseSchedule(sent{data: body, contentType: contentType})
		if err == nil {
			if req.Path == "" || req.Options.ChunkBytes < 0 || req.Options.Columns.First < 0 || req.Options.Columns.Every < 0 {
				t.Errorf("accepted %+v", req)
			}
			return
		}
		var p *problem.Error
		if !errors.As(err, &p) || (p.Code != problem.BadRequest && p.Code != problem.UnsupportedMedia) || p.Detail == "" {
			t.Errorf("got %v, want a problem of the client's", err)
		}
		if p != nil && p.Status >= http.StatusInternalServerError {
			t.Errorf("status %d", p.Status)
		}
	})
}
