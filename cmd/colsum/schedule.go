package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"time"

	"colsum/csvsum"

	"github.com/google/uuid"
)

// ScheduleCmd asks a cluster for a work.
type ScheduleCmd struct {
	File string `arg:"" help:"The file, as 'colsum files' lists it, or s3://bucket/key, or file:///path below an allowed root."`
	Wait bool   `help:"Wait for the end and print the result; exit status 1 unless the work is done."`
	Key  string `placeholder:"TEXT" help:"Idempotency-Key of the request: the same key again gives the same work (default: a new one)."`

	OptionFlags
	ServerFlags
}

func (*ScheduleCmd) Help() string {
	return `The work goes on without this command: Ctrl-C during --wait ends the waiting only.

Examples:
  colsum schedule big.csv
  colsum schedule s3://bucket/big.csv --columns 3,price --wait
  colsum schedule big.csv --server host1:5000,host2:5000 --first 2 --every 10 --json`
}

func (c *ScheduleCmd) Validate() error {
	if len(c.Key) > 255 {
		return usagef("--key: must be at most 255 bytes, got %d", len(c.Key))
	}
	_, err := c.Options()
	return err
}

func (c *ScheduleCmd) Run(ctx context.Context) error {
	body, err := c.body(c.File)
	if err != nil {
		return err
	}
	if c.Key == "" {
		c.Key = uuid.NewString() // a request that is sent twice must not become two works
	}
	cl := c.client()
	answer, err := cl.post(ctx, "/api/schedule_work", body, http.Header{"Idempotency-Key": {c.Key}})
	if err != nil {
		return err
	}
	var accepted struct {
		WorkID string `json:"work_id"`
	}
	if err := json.Unmarshal(answer, &accepted); err != nil || accepted.WorkID == "" {
		return fmt.Errorf("the server's answer holds no work_id: %.200q", answer)
	}
	if c.Wait {
		return waitAndPrint(ctx, cl, accepted.WorkID, c.JSON)
	}
	if c.JSON {
		return printRaw(answer)
	}
	_, err = fmt.Println(accepted.WorkID)
	return err
}

// ResultCmd prints the result document of a work.
type ResultCmd struct {
	ID   string `arg:"" help:"The work id."`
	Wait bool   `help:"Wait for the end of the work."`

	ServerFlags
}

func (*ResultCmd) Help() string {
	return `Prints what is known now, whatever the status; with --wait, at the end. Exit status 1 for a work that failed or was
cancelled.

Examples:
  colsum result "$(colsum schedule big.csv)" --wait
  colsum result 0199e0a4-7c1e-7a53-9c44-0d2f4b8f0a11 --json | jq .total`
}

func (c *ResultCmd) Run(ctx context.Context) error {
	cl := c.client()
	if c.Wait {
		return waitAndPrint(ctx, cl, c.ID, c.JSON)
	}
	raw, doc, err := fetch(ctx, cl, c.ID, 0)
	if err != nil {
		return err
	}
	return printResult(raw, doc, c.JSON)
}

// fetch reads a work's document, after its end or after wait.
func fetch(ctx context.Context, cl *client, id string, wait time.Duration) ([]byte, *csvsum.Document, error) {
	path := "/api/get_result/" + url.PathEscape(id)
	if wait > 0 {
		path += "?wait=" + wait.String()
	}
	answer, err := cl.get(ctx, path)
	if err != nil {
		return nil, nil, err
	}
	doc := &csvsum.Document{}
	if err := json.Unmarshal(answer, doc); err != nil {
		return nil, nil, fmt.Errorf("read the result document: %w", err)
	}
	return answer, doc, nil
}

// printResult prints a document; a work that failed or was cancelled is an error that needs no more words.
func printResult(raw []byte, doc *csvsum.Document, asJSON bool) error {
	var err error
	if asJSON {
		err = printRaw(raw)
	} else {
		err = printDocument(os.Stdout, doc)
	}
	if err == nil && ended(doc.Status) && doc.Status != "done" {
		return errSilent
	}
	return err
}

// ended reports whether nothing more will happen to a work of this status.
func ended(status string) bool {
	return status == "done" || status == "failed" || status == "cancelled"
}
