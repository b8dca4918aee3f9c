package api

import (
	"encoding/json"
	"maps"
	"net/url"
	"slices"
	"strings"
	"testing"

	"colsum/coordinator/problem"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// loaded is JSON as the schema library wants it.
func loaded(t testing.TB, text string) any {
	t.Helper()
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatalf("%v in %.200s", err, text)
	}
	return v
}

// openAPI returns a node's document, and a function that checks a JSON text against the schema at a place in it.
func openAPI(t testing.TB, s *stack, n *node) (doc map[string]any, check func(text string, at ...string) error) {
	t.Helper()
	text := s.get(n, "/openapi.json").body
	c := jsonschema.NewCompiler()
	c.AssertFormat()
	root := loaded(t, text)
	if err := c.AddResource("http://colsum/openapi.json", root); err != nil {
		t.Fatal(err)
	}
	return root.(map[string]any), func(text string, at ...string) error {
		t.Helper()
		pointer := ""
		for _, part := range at {
			pointer += "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(part)
		}
		schema, err := c.Compile("http://colsum/openapi.json#" + (&url.URL{Path: pointer}).EscapedPath())
		if err != nil {
			t.Fatalf("%v: %v", at, err)
		}
		return schema.Validate(loaded(t, text))
	}
}

// The document is what the OpenAPI Initiative's own schema of 3.1 demands.
func TestTheOpenAPIDocumentIsValid(t *testing.T) {
	s := newStack(t, 1, nil)
	doc, _ := openAPI(t, s, s.nodes[0])
	schema, err := jsonschema.NewCompiler().Compile("testdata/openapi-3.1.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if err := schema.Validate(doc); err != nil {
		t.Error(err)
	}
	if v := doc["openapi"]; !strings.HasPrefix(v.(string), "3.1.") {
		t.Errorf("version %v", v)
	}
	paths := slices.Sorted(maps.Keys(doc["paths"].(map[string]any)))
	for _, p := range []string{
		"/api/cancel_work/{work_id}", "/api/clean_works", "/api/cluster", "/api/get_result/{work_id}", "/api/list_files", "/api/list_works",
		"/api/preview_file", "/api/schedule_work", "/api/watch_work/{work_id}", "/healthz", "/readyz",
	} {
		if !slices.Contains(paths, p) {
			t.Errorf("%s is not described", p)
		}
	}
}

// Every example fits the schema that it stands beside.
func TestExamplesFitTheirSchemas(t *testing.T) {
	s := newStack(t, 1, nil)
	doc, check := openAPI(t, s, s.nodes[0])
	checked := 0
	var walk func(v any, at []string)
	walk = func(v any, at []string) {
		switch v := v.(type) {
		case map[string]any:
			_, hasSchema := v["schema"]
			examples := map[string]any{}
			if named, ok := v["examples"].(map[string]any); ok && hasSchema {
				for name, e := range named {
					examples[name] = e.(map[string]any)["value"]
				}
			}
			if e, ok := v["example"]; ok && hasSchema {
				examples["example"] = e
			}
			for name, e := range examples {
				text, err := json.Marshal(e)
				if err != nil {
					t.Fatal(err)
				}
				if err := check(string(text), append(at, "schema")...); err != nil {
					t.Errorf("%v, example %s: %v", at, name, err)
				}
				checked++
			}
			for k, child := range v {
				walk(child, append(slices.Clone(at), k))
			}
		case []any:
			for range v {
				return // parameters: their examples stand in schemas
			}
		}
	}
	walk(doc["paths"], []string{"paths"})
	if checked < 50 {
		t.Errorf("only %d examples", checked)
	}
}

// What the server really answers fits what it says it answers.
func TestAnswersFitTheDocument(t *testing.T) {
	s := newStack(t, 1, nil)
	s.ready()
	s.work()
	n := s.nodes[0]
	_, check := openAPI(t, s, n)
	s.file("a.csv", small)
	id := s.submit(n, `{"filepath":"a.csv","first":2,"every":1}`)
	failed := s.submit(n, `{"filepath":"a.csv","first":3,"every":1,"invalid":"fail"}`)
	for _, row := range []struct{ method, path, pattern, status string }{
		{"get", "/api/get_result/" + id, "/api/get_result/{work_id}", "200"}, // whatever it is at
		{"get", "/api/get_result/" + id + "?wait=60s", "/api/get_result/{work_id}", "200"},
		{"get", "/api/get_result/" + failed + "?wait=60s", "/api/get_result/{work_id}", "200"},
		{"get", "/api/get_result/none", "/api/get_result/{work_id}", "404"},
		{"get", "/api/list_works", "/api/list_works", "200"},
		{"get", "/api/list_works?limit=0", "/api/list_works", "400"},
		{"get", "/api/list_files", "/api/list_files", "200"},
		{"get", "/api/preview_file?filepath=a.csv", "/api/preview_file", "200"},
		{"get", "/api/preview_file?filepath=a.csv&header=no", "/api/preview_file", "200"},
		{"get", "/api/preview_file?filepath=none.csv", "/api/preview_file", "404"},
		{"get", "/api/cluster", "/api/cluster", "200"},
		{"get", "/healthz", "/healthz", "200"},
		{"get", "/readyz", "/readyz", "200"},
		{"post", "/api/cancel_work/" + id, "/api/cancel_work/{work_id}", "200"},
		{"post", "/api/cancel_work/none", "/api/cancel_work/{work_id}", "404"},
	} {
		a := s.do(n, strings.ToUpper(row.method), row.path, "", "")
		kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
		if err := check(a.body, "paths", row.pattern, row.method, "responses", row.status, "content", kind, "schema"); err != nil {
			t.Errorf("%s %s: %v\n%s", row.method, row.path, err, a.body)
		}
	}
}

// Requests that the schema allows are accepted, and those it forbids are refused.
func TestRequestsFitTheDocument(t *testing.T) {
	s := newStack(t, 1, nil)
	s.ready()
	n := s.nodes[0]
	_, check := openAPI(t, s, n)
	s.file("a.csv", small)
	for body, ok := range map[string]bool{
		`{"filepath":"a.csv"}`:                               true,
		`{"filepath":"a.csv","first":2,"every":10}`:          true,
		`{"filepath":"a.csv","columns":{"every":3}}`:         true,
		`{"filepath":"a.csv","columns":[1,"b"]}`:             true,
		`{"filepath":"a.csv","quote":"","comment":"#"}`:      true,
		`{"filepath":"a.csv","delimiter":";","decimal":","}`: true,
		`{"filepath":"a.csv","chunk_bytes":4096}`:            true,
		`{}`:                                 false,
		`{"filepath":""}`:                    false,
		`{"filepath":"a.csv","every":0}`:     false,
		`{"filepath":"a.csv","columns":[0]}`: false,
		`{"filepath":"a.csv","columns":{"evry":1}}`:             false,
		`{"filepath":"a.csv","header":"maybe"}`:                 false,
		`{"filepath":"a.csv","decimal":";"}`:                    false,
		`{"filepath":"a.csv","colums":[1]}`:                     false,
		`{"filepath":"a.csv","chunk_bytes":0,"invalid":"fail"}`: false,
	} {
		err := check(body, "paths", "/api/schedule_work", "post", "requestBody", "content", "application/json", "schema")
		a := s.post(n, "/api/schedule_work", body)
		if (err == nil) != ok || (a.status == 202) != ok {
			t.Errorf("%s: the schema says %v, the server %d %s; want it allowed: %t", body, err, a.status, a.body, ok)
		}
		if !ok {
			wantProblem(t, body, a, 400, problem.BadRequest, "")
		}
	}
}
