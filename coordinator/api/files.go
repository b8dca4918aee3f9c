package api

import (
	"context"
	"time"
)

// listTime bounds a listing: a storage that is away is said to be so while the client still listens.
const listTime = 15 * time.Second

type listFilesInput struct {
	Prefix string `query:"prefix" maxLength:"4096" doc:"Only paths that begin with this"`
	Limit  int    `query:"limit" minimum:"1" maximum:"1000" default:"1000"`
	After  string `query:"after" maxLength:"4096" doc:"next of the page before"`
}

type listFilesOutput struct {
	Body struct {
		Files []fileEntry `json:"files" nullable:"false" doc:"By path"`
		Next  *string     `json:"next" doc:"after of the next page, null on the last"`
	}
}

type fileEntry struct {
	Path string `json:"path" doc:"What schedule_work takes"`
	Size int64  `json:"size" doc:"Bytes"`
	Time int64  `json:"time" doc:"Last change, unix seconds"`
}

// listFiles asks the storage itself: any node may answer.
func (a *API) listFiles(ctx context.Context, in *listFilesInput) (*listFilesOutput, error) {
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	page, err := a.files.List(ctx, in.Prefix, in.After, in.Limit)
	if err != nil {
		return nil, a.fail(ctx, storageProblem("prefix", err))
	}
	out := &listFilesOutput{}
	out.Body.Files = make([]fileEntry, 0, len(page.Files))
	for _, f := range page.Files {
		out.Body.Files = append(out.Body.Files, fileEntry{Path: f.Path, Size: f.Size, Time: f.ModTime.Unix()})
	}
	out.Body.Next = orNull(page.Next)
	return out, nil
}
