package api

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"

	"colsum/coordinator/problem"

	"github.com/danielgtaylor/huma/v2"
)

// leaderCodes can be the answer to whatever the leader has to answer.
var leaderCodes = []problem.Code{problem.NoLeader, problem.Timeout}

// writeCodes can be the answer to every write.
var writeCodes = append([]problem.Code{
	problem.BodyTooLarge, problem.UnsupportedMedia, problem.OutcomeUnknown, problem.Busy,
}, leaderCodes...)

// problemsOf lists what each call may answer besides its success: its own codes here; every call can also answer
// bad_request to what is malformed, and internal.
var problemsOf = map[string][]problem.Code{
	"list_files":       {problem.FileNotFound, problem.Forbidden, problem.StorageUnavailable},
	"preview_file":     {problem.FileNotFound, problem.Forbidden, problem.StorageUnavailable},
	"schedule_work":    append([]problem.Code{problem.FileNotFound, problem.Forbidden, problem.KeyConflict, problem.TooManyWorks}, writeCodes...),
	"list_works":       leaderCodes,
	"get_result":       append([]problem.Code{problem.UnknownWork}, leaderCodes...),
	"watch_work":       append([]problem.Code{problem.UnknownWork}, leaderCodes...),
	"cancel_work":      append([]problem.Code{problem.UnknownWork}, writeCodes...),
	"clean_works":      writeCodes,
	"cluster_announce": append([]problem.Code{problem.UnknownNode}, writeCodes...),
	"cluster_add":      append([]problem.Code{problem.NodeConflict}, writeCodes...),
	"cluster_remove":   append([]problem.Code{problem.UnknownNode, problem.QuorumAtRisk}, writeCodes...),
	"cluster_transfer": append([]problem.Code{problem.UnknownNode, problem.NodeConflict}, writeCodes...),
	"cluster":          leaderCodes,
	"healthz":          {},
	"readyz":           {problem.NoLeader},
}

// describe finishes the OpenAPI document: the problems of each call, the examples, the streams.
func describe(doc *huma.OpenAPI) {
	describeBody(doc, "/api/schedule_work", scheduleBody{}, map[string]string{
		"every 10th column":              `{"filepath":"data.csv"}`,
		"as the original service":        `{"filepath":"data.csv","first":2,"every":10}`,
		"named columns of a German file": `{"filepath":"s3://bucket/key.csv","columns":[3,"price"],"delimiter":";","decimal":","}`,
	})
	describeBody(doc, "/api/clean_works", cleanBody{}, map[string]string{"older than 20 minutes": `{"max_age":1200}`})

	correct(doc.Components.Schemas)

	stream := doc.Paths["/api/watch_work/{work_id}"].Get.Responses["200"]
	stream.Description = "Events `work`, each with the result document as its data, the last one `end`; comments in between"
	stream.Content = map[string]*huma.MediaType{"text/event-stream": {
		Schema:  &huma.Schema{Type: huma.TypeString},
		Example: "event: work\ndata: " + resultExample + "\n\nevent: end\ndata: " + resultExample + "\n\n",
	}}
	for path, text := range map[string]string{
		"/api/list_files":           `{"files":[{"path":"data.csv","size":5700000000,"time":1763900000}],"next":null}`,
		"/api/get_result/{work_id}": resultExample,
		"/api/preview_file":         previewExample,
	} {
		doc.Paths[path].Get.Responses["200"].Content["application/json"].Example = json.RawMessage(text)
	}
	doc.Paths["/api/schedule_work"].Post.Responses["202"].Content["application/json"].Example =
		json.RawMessage(`{"work_id":"0199e0a4-7c1e-7a53-9c44-0d2f4b8f0a11"}`)

	for _, item := range doc.Paths {
		for _, op := range []*huma.Operation{item.Get, item.Post} {
			if op != nil {
				describeProblems(op)
			}
		}
	}
}

func describeProblems(op *huma.Operation) {
	codes, ok := problemsOf[op.OperationID]
	if !ok {
		panic("api: no problems listed for " + op.OperationID) // whoever adds a call has to say how it fails
	}
	delete(op.Responses, "default")
	byStatus := map[int][]problem.Code{}
	for _, code := range append([]problem.Code{problem.BadRequest, problem.Internal}, codes...) {
		status := problem.New(code, "x").Status
		byStatus[status] = append(byStatus[status], code)
	}
	for status, codes := range byStatus {
		examples := map[string]*huma.Example{}
		words := make([]string, 0, len(codes))
		for _, code := range codes {
			words = append(words, "`"+string(code)+"`")
			examples[string(code)] = &huma.Example{Value: document(problem.New(code, "one sentence about it"))}
		}
		op.Responses[strconv.Itoa(status)] = &huma.Response{
			Description: http.StatusText(status) + ": " + strings.Join(words, ", "),
			Content: map[string]*huma.MediaType{problemType: {
				Schema: &huma.Schema{Ref: "#/components/schemas/Problem"}, Examples: examples,
			}},
		}
	}
}

const resultExample = `{"work_id":"0199e0a4-7c1e-7a53-9c44-0d2f4b8f0a11","filepath":"data.csv","status":"done",` +
	`"ctime":"2026-11-23T12:00:00Z","mtime":"2026-11-23T12:00:05Z","error":null,` +
	`"progress":{"bytes_done":5700000000,"bytes_total":5700000000,"tasks_done":85,"tasks_total":85,"rows":3000000,"bytes_per_second":0},` +
	`"file":{"size":5700000000,"version":"\"9b2cf535f27731c974343645a3985328\""},` +
	`"dialect":{"delimiter":",","quote":"\"","decimal":".","comment":null,"header":true,"newline":"\n","bom":false,"compression":null},` +
	`"rows":3000000,"columns_total":101,` +
	`"results":[{"column":10,"name":"col9","sum":1499832.1234567890123456,"mean":0.49994404115226300,` +
	`"numeric":3000000,"empty":0,"invalid":0,"missing":0}],"total":1499832.1234567890123456,` +
	`"bad_cells":[],"warnings":[],"digest":"sha256:5d1f0c4b1a2e9f6377a0c1de4ab8f2096f0e3c5d7781a94e2fb0c6d3a8e15b42"}`

const previewExample = `{"filepath":"data.csv","size":5700000000,"version":"\"9b2cf535f27731c974343645a3985328\"",` +
	`"dialect":{"delimiter":",","quote":"\"","decimal":".","comment":null,"header":true,"newline":"\n","bom":false,"compression":null},` +
	`"columns_total":3,"header":["","col1","col2"],"records":[["1.5","0.25","0.125"]],"selected":[2],` +
	`"estimated_rows":3000000,"warnings":[]}`
