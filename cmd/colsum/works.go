package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"time"

	"colsum/csvsum"
)

// WorksCmd lists works, newest first.
type WorksCmd struct {
	Status string `enum:",queued,running,done,failed,cancelled" default:"" placeholder:"STATUS" help:"Only works of this status: queued, running, done, failed or cancelled."`
	Limit  int    `default:"20" placeholder:"N" help:"List at most so many, 0 for all (default 20)."`
	After  string `placeholder:"ID" help:"Go on behind this work of an earlier listing."`

	ServerFlags
}

func (*WorksCmd) Help() string {
	return `Examples:
  colsum works
  colsum works --status running --limit 0
  colsum works --json --server host1:5000`
}

func (c *WorksCmd) Validate() error {
	if c.Limit < 0 {
		return usagef("--limit: must be at least 0, got %d", c.Limit)
	}
	if c.Limit == 0 && c.JSON {
		return usagef("--limit: must be at least 1 with --json, which prints one page as the server gives it")
	}
	return nil
}

// workList is the answer of list_works.
type workList struct {
	InProgress int `json:"in_progress"`
	Counts     struct {
		Queued, Running, Done, Failed, Cancelled int
	} `json:"counts"`
	Tasks struct {
		Leased, Pending, Done int64
	} `json:"tasks"`
	Works []struct {
		WorkID   string           `json:"work_id"`
		Filepath string           `json:"filepath"`
		Status   string           `json:"status"`
		Ctime    time.Time        `json:"ctime"`
		Error    *csvsum.DocError `json:"error"`
		Progress csvsum.Progress  `json:"progress"`
	} `json:"works"`
	Next *string `json:"next"`
}

func (c *WorksCmd) Run(ctx context.Context) error {
	cl := c.client()
	t := newTable(os.Stdout, 0)
	first := true
	filter := url.Values{}
	if c.Status != "" {
		filter.Set("status", c.Status)
	}
	_, err := cl.pages(ctx, "/api/list_works", filter, c.Limit, c.After, c.JSON, func(answer []byte) (int, *string, error) {
		var list workList
		if err := json.Unmarshal(answer, &list); err != nil {
			return 0, nil, fmt.Errorf("read the list of works: %w", err)
		}
		if first {
			first = false
			fmt.Printf("%d in progress (%d queued, %d running), %d done, %d failed, %d cancelled\n", list.InProgress,
				list.Counts.Queued, list.Counts.Running, list.Counts.Done, list.Counts.Failed, list.Counts.Cancelled)
			if list.Counts.Running > 0 {
				fmt.Printf("tasks of the running works: %d leased, %d pending, %d done\n",
					list.Tasks.Leased, list.Tasks.Pending, list.Tasks.Done)
			}
			if len(list.Works) > 0 {
				fmt.Fprintln(t, "WORK\tSTATUS\tCREATED\tPROGRESS\tFILE")
			}
		}
		for _, w := range list.Works {
			progress := "-"
			switch {
			case w.Error != nil:
				progress = w.Error.Code
			case w.Progress.TasksTotal > 0:
				progress = progressText(w.Progress)
			}
			fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", w.WorkID, w.Status, w.Ctime.Local().Format(time.DateTime), progress, printable(w.Filepath))
		}
		return len(list.Works), list.Next, nil
	})
	if err != nil {
		return err
	}
	return t.Flush()
}

// CancelCmd stops a work.
type CancelCmd struct {
	ID string `arg:"" help:"The work id."`

	ServerFlags
}

func (*CancelCmd) Help() string {
	return `Cancelling a work that has ended changes nothing and is no error.

Example:
  colsum cancel 0199e0a4-7c1e-7a53-9c44-0d2f4b8f0a11`
}

func (c *CancelCmd) Run(ctx context.Context) error {
	answer, err := c.client().post(ctx, "/api/cancel_work/"+url.PathEscape(c.ID), struct{}{}, nil)
	if err != nil {
		return err
	}
	if c.JSON {
		return printRaw(answer)
	}
	var now struct {
		Status string `json:"status"`
	}
	if json.Unmarshal(answer, &now) != nil || now.Status == "" {
		now.Status = "cancelled"
	}
	_, err = fmt.Printf("%s: %s\n", c.ID, now.Status)
	return err
}
