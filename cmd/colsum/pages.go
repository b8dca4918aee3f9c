package main

import (
	"context"
	"net/url"
	"strconv"
)

// pageSize is how many entries a listing asks for at once.
const pageSize = 500

// pages goes through a listing page by page, from behind after, until it ends or limit entries were shown (0: all of them).
// show prints one answer and returns how many entries it has and its next. With raw set one page of limit entries is printed
// as it is instead. It returns what to give as after to go on, "" at the end.
func (c *client) pages(ctx context.Context, path string, filter url.Values, limit int, after string, raw bool, show func(answer []byte) (n int, next *string, err error)) (string, error) {
	for left := limit; ; {
		n := pageSize
		if limit > 0 {
			n = min(n, left)
		}
		if raw {
			n = limit
		}
		filter.Set("limit", strconv.Itoa(n))
		if after != "" {
			filter.Set("after", after)
		}
		answer, err := c.get(ctx, path+"?"+filter.Encode())
		if err != nil {
			return "", err
		}
		if raw {
			return "", printRaw(answer)
		}
		shown, next, err := show(answer)
		if err != nil {
			return "", err
		}
		left -= shown
		if next == nil || *next == "" {
			return "", nil
		}
		if limit > 0 && left <= 0 {
			return *next, nil
		}
		after = *next
	}
}
