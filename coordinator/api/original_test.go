package api

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
)

// The calls in the original service's README, exactly as httpie sends them: a POST where there are fields, JSON whose values
// are all strings, its Accept and User-Agent.
func TestTheOriginalsCallsAsHTTPieSendsThem(t *testing.T) {
	s := newStack(t, 3, nil)
	lead := s.ready()
	s.work()
	s.file("a.csv", ",col1,col2,col3,col4,col5,col6,col7,col8,col9,col10\n"+
		"2022-01-01T00:00:00,0.1,1,1,1,1,1,1,1,0.25,7\n2022-01-01T00:00:01,0.2,1,1,1,1,1,1,1,0.5,7\n")
	common := []string{"User-Agent", "HTTPie/3.2.4", "Accept-Encoding", "gzip, deflate", "Connection", "keep-alive"}
	for _, n := range s.nodes {
		t.Run(map[bool]string{true: "leader", false: "follower"}[n == s.nodes[lead]], func(t *testing.T) {
			get := func(path string) answer { return s.do(n, "GET", path, "", "", append(common, "Accept", "*/*")...) }
			post := func(path, body string) answer {
				return s.do(n, "POST", path, "application/json", body, append(common, "Accept", "application/json, */*;q=0.5")...)
			}
			// http :5000/api/list_files
			var files struct{ Files []struct{ Path string } }
			get("/api/list_files").into(t, &files)
			if len(files.Files) != 1 || files.Files[0].Path != "a.csv" {
				t.Fatalf("list_files: %+v", files)
			}
			for body, want := range map[string]string{
				`{"filepath": "a.csv"}`:                              "10 0.75 ",
				`{"filepath": "a.csv", "first": "2", "every": "10"}`: "2 0.3 ", // what the original's code summed
			} {
				// http :5000/api/schedule_work filepath=a.csv
				var accepted struct {
					WorkID string `json:"work_id"`
				}
				a := post("/api/schedule_work", body)
				a.into(t, &accepted)
				if a.status != 202 || !strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
					t.Fatalf("schedule_work: %d %s", a.status, a.body)
				}
				// http :5000/api/get_result/ID, until the work is done
				var doc struct {
					Status  string
					Results []struct {
						Column int
						Sum    json.Number
					}
				}
				for doc.Status != "done" {
					a := get("/api/get_result/" + accepted.WorkID)
					a.into(t, &doc)
					if a.status != 200 || doc.Status == "failed" {
						t.Fatalf("get_result: %d %s", a.status, a.body)
					}
				}
				got := ""
				for _, r := range doc.Results {
					got += fmt.Sprintf("%d %s ", r.Column, r.Sum)
				}
				if got != want {
					t.Errorf("%s: sums %q, want %q", body, got, want)
				}
				// http :5000/api/list_works
				var works struct {
					InProgress *int `json:"in_progress"`
					Works      []struct {
						WorkID string `json:"work_id"`
					}
				}
				get("/api/list_works").into(t, &works)
				if works.InProgress == nil || *works.InProgress != 0 || works.Works[0].WorkID != accepted.WorkID {
					t.Errorf("list_works: %+v", works)
				}
			}
		})
	}
}
