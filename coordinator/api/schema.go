package api

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// exactNumber stands for json.Number in the OpenAPI document: a number with every digit, not the string that Go's type is.
type exactNumber struct{}

func (exactNumber) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeNumber, Description: "Exact: every digit is written out, beyond what a double holds"}
}

// columnsShape is the columns option in the OpenAPI document.
type columnsShape struct{}

func (columnsShape) Schema(huma.Registry) *huma.Schema {
	one := 1.0
	number := &huma.Schema{Type: huma.TypeInteger, Minimum: &one}
	return &huma.Schema{OneOf: []*huma.Schema{
		{
			Type:                 huma.TypeObject,
			Properties:           map[string]*huma.Schema{"first": number, "every": number},
			AdditionalProperties: false,
			Default:              map[string]int{"first": 10, "every": 10},
		},
		{
			Type:  huma.TypeArray,
			Items: &huma.Schema{OneOf: []*huma.Schema{number, {Type: huma.TypeString}}},
		},
	}}
}

func aliases(r huma.Registry) {
	r.RegisterTypeAlias(reflect.TypeFor[json.Number](), reflect.TypeFor[exactNumber]())
}

// describeBody puts the shape of a body that is read by hand, and examples of it, into the OpenAPI document.
func describeBody(doc *huma.OpenAPI, path string, shape any, examples map[string]string) {
	s := doc.Components.Schemas.Schema(reflect.TypeOf(shape), true, "")
	named := map[string]*huma.Example{}
	for name, text := range examples {
		named[name] = &huma.Example{Value: json.RawMessage(text)}
	}
	doc.Paths[path].Post.RequestBody = &huma.RequestBody{
		Required: true,
		Content:  map[string]*huma.MediaType{"application/json": {Schema: s, Examples: named}, formType: {Schema: s}},
	}
}

// correct mends what the schemas of Go types say of null: huma takes a pointer to a struct for never null, and a slice for
// sometimes null.
func correct(r huma.Registry) {
	null := &huma.Schema{Type: "null"}
	schemas := r.Map()
	for name, members := range map[string][]string{
		"Document": {"error", "file", "dialect"}, "WorkSummary": {"error"}, "ColumnResult": {"mean"},
	} {
		for _, m := range members {
			p := schemas[name].Properties
			p[m] = &huma.Schema{AnyOf: []*huma.Schema{p[m], null}}
		}
	}
	for _, m := range []string{"results", "bad_cells", "warnings"} {
		schemas["Document"].Properties[m].Nullable = false
	}
	schemas["Document"].Properties["status"].Enum = []any{"queued", "running", "done", "failed", "cancelled"}
}
