package problem

import (
	"errors"
	"fmt"
	"io"
	"testing"
)

func TestNewFillsInStatusAndCause(t *testing.T) {
	for code, status := range statuses {
		e := New(code, "field: %w", io.EOF)
		if e.Status != status || e.Detail != "field: EOF" || !errors.Is(e, io.EOF) {
			t.Errorf("%s: %+v", code, e)
		}
		if retry := e.RetryAfter > 0; retry != (status == 429 || status == 503) {
			t.Errorf("%s: status %d, retry after %v", code, status, e.RetryAfter)
		}
	}
	defer func() {
		if recover() == nil {
			t.Error("a code without status was taken")
		}
	}()
	New("invented", "")
}

func TestFrom(t *testing.T) {
	if e := From(nil); e != nil {
		t.Errorf("nil became %v", e)
	}
	if e := From(fmt.Errorf("submit: %w", New(KeyConflict, "taken"))); e.Code != KeyConflict || e.Status != 409 {
		t.Errorf("a wrapped problem became %+v", e)
	}
	if e := From(errors.New("secret")); e.Code != Internal || e.Status != 500 || e.Detail == "secret" || e.Unwrap() == nil {
		t.Errorf("a foreign error became %+v", e)
	}
}
