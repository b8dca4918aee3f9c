package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"

	"colsum/coordinator/problem"
	"colsum/csvsum"
	"colsum/storage"

	"github.com/danielgtaylor/huma/v2"
)

// previewRecords is how many records a preview shows.
const previewRecords = 20

type previewInput struct {
	Filepath  string `query:"filepath" required:"true" minLength:"1" maxLength:"4096" doc:"As schedule_work takes it" example:"data.csv"`
	First     int    `query:"first" minimum:"1" doc:"First column of the step; every if absent"`
	Every     int    `query:"every" minimum:"1" doc:"Step, 10 if absent"`
	Columns   string `query:"columns" maxLength:"65536" doc:"Instead of a step: numbers and header names, as 3,price or as a JSON list"`
	Header    string `query:"header" enum:"auto,yes,no" doc:"auto if absent"`
	Delimiter string `query:"delimiter" maxLength:"4" doc:"auto or one byte"`
	Quote     string `query:"quote" maxLength:"1" doc:"One byte, or given and empty for none"`
	Decimal   string `query:"decimal" pattern:"^[.,]$" doc:". if absent"`
	Comment   string `query:"comment" maxLength:"1" doc:"One byte: lines that begin with it are skipped"`

	given url.Values
}

// Resolve keeps the query as it was sent: an empty quote means another thing than none.
func (in *previewInput) Resolve(ctx huma.Context) []error {
	u := ctx.URL()
	in.given = u.Query()
	return nil
}

var _ huma.Resolver = (*previewInput)(nil)

type previewOutput struct {
	Body previewBody
}

type previewBody struct {
	Filepath      string          `json:"filepath"`
	Size          int64           `json:"size" doc:"Bytes"`
	Version       string          `json:"version" doc:"ETag, or inode and time of change"`
	Dialect       *csvsum.DocDial `json:"dialect"`
	ColumnsTotal  int             `json:"columns_total" doc:"Of the widest record seen"`
	Header        []string        `json:"header" nullable:"true" doc:"null without a header record"`
	Records       [][]string      `json:"records" nullable:"false" doc:"The first 20 data records, cells cut at 200 bytes"`
	Selected      []int           `json:"selected" nullable:"false" doc:"Numbers of the columns that these options sum"`
	EstimatedRows int64           `json:"estimated_rows" doc:"Exact for a file of at most 1 MiB"`
	Warnings      []string        `json:"warnings" nullable:"false"`
}

// previewFile shows what the options make of a file's beginning. It asks the storage itself: any node may answer.
func (a *API) previewFile(ctx context.Context, in *previewInput) (*previewOutput, error) {
	path, opt, err := in.options()
	if err != nil {
		return nil, a.fail(ctx, err)
	}
	ctx, cancel := context.WithTimeout(ctx, listTime)
	defer cancel()
	info, p, err := a.look(ctx, path, opt)
	if err != nil {
		return nil, a.fail(ctx, previewProblem(err))
	}
	return &previewOutput{previewBody{
		Filepath: path, Size: info.Size, Version: info.Version, Dialect: p.Plan.Spec.Dialect.Doc(),
		ColumnsTotal: p.Width, Header: p.Header, Records: p.Records, Selected: p.Selected, EstimatedRows: p.Rows,
		Warnings: p.Warnings,
	}}, nil
}

// options reads the query as schedule_work reads a form, so that both understand the same.
func (in *previewInput) options() (path string, opt csvsum.Options, err error) {
	f := fields{}
	for name, v := range in.given {
		if v[0] != "" || name == "quote" {
			f[name] = field{text: v[0], isText: true}
		}
	}
	if path, err = parsePath(f); err != nil {
		return "", opt, err
	}
	if opt, err = parseFormat(f); err != nil {
		return "", opt, err
	}
	if err := opt.Validate(); err != nil {
		return "", opt, problem.New(problem.BadRequest, "%w", err)
	}
	return path, opt, nil
}

// look reads the head of a file, more and more of it while its first record does not end.
func (a *API) look(ctx context.Context, path string, opt csvsum.Options) (storage.Info, *csvsum.Preview, error) {
	info, err := a.files.Stat(ctx, path)
	if err != nil {
		return info, nil, err
	}
	const most = csvsum.HeadBytes + csvsum.RecordLimit
	for want := int64(csvsum.HeadBytes); ; want = min(2*want, most) {
		head, err := a.head(ctx, info, min(want, info.Size))
		if err != nil {
			return info, nil, err
		}
		p, err := csvsum.Look(head, info.Size, opt, previewRecords)
		if errors.Is(err, csvsum.ErrShortHead) && want < most {
			continue
		}
		return info, p, err
	}
}

func (a *API) head(ctx context.Context, info storage.Info, n int64) ([]byte, error) {
	head := make([]byte, n)
	if n == 0 {
		return head, nil
	}
	body, err := a.files.Open(ctx, info, 0, n)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	if _, err := io.ReadFull(body, head); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			err = fmt.Errorf("read %s: %w", info.Path, storage.ErrChanged)
		}
		return nil, err
	}
	return head, nil
}

// previewProblem says why a file cannot be read as asked, in the words that would end its work.
func previewProblem(err error) error {
	var format *csvsum.FormatError
	if errors.As(err, &format) {
		e := problem.New(problem.BadRequest, "%w", err)
		e.Code = problem.Code(format.Code)
		return e
	}
	return storageProblem("filepath", err)
}
