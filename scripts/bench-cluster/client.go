package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"slices"
	"time"
)

// client keeps its connections, as a program that asks for many works would.
var client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}, Timeout: 2 * time.Minute}

// result is what is looked at of a result document.
type result struct {
	Status string
	Error  *struct{ Code, Message string }
	Rows   int64
	Digest string

	accepted time.Duration // from the request to the work id
}

// sum has a node sum a file and waits for the result.
func sum(ctx context.Context, base, path string) (*result, error) {
	began := time.Now()
	id, err := submit(ctx, base, map[string]any{"filepath": path})
	if err != nil {
		return nil, err
	}
	r := result{accepted: time.Since(began)}
	if err := get(ctx, base+"/api/get_result/"+id+"?wait=60s", &r); err != nil {
		return nil, err
	}
	if r.Status != "done" {
		return nil, fmt.Errorf("work %s is %s: %+v", id, r.Status, r.Error)
	}
	return &r, nil
}

func submit(ctx context.Context, base string, body map[string]any) (id string, err error) {
	b, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	var out struct {
		ID string `json:"work_id"`
	}
	err = do(ctx, http.MethodPost, base+"/api/schedule_work", b, &out)
	return out.ID, err
}

func get(ctx context.Context, url string, out any) error {
	return do(ctx, http.MethodGet, url, nil, out)
}

func do(ctx context.Context, method, url string, body []byte, out any) error {
	req, err := http.NewRequestWithContext(ctx, method, url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return err
	}
	if resp.StatusCode >= 300 {
		return fmt.Errorf("%s %s: %s: %s", method, url, resp.Status, b)
	}
	if out == nil {
		return nil
	}
	return json.Unmarshal(b, out)
}

// quantile returns the value that a share q of the durations does not exceed. It sorts them.
func quantile(d []time.Duration, q float64) time.Duration {
	if len(d) == 0 {
		return 0
	}
	slices.Sort(d)
	return d[max(0, int(math.Ceil(q*float64(len(d))))-1)]
}

func ms(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1e3) }
