package api

import (
	"bytes"
	"encoding/json"
	"maps"
	"net/http"

	"colsum/coordinator/problem"
)

// attempt is a ResponseWriter that holds back a 503, so that the request can be tried again on another leader: the client
// sees only the last attempt. Any other answer passes straight through. Not safe for concurrent use.
type attempt struct {
	to     http.ResponseWriter
	header http.Header // nil until asked for
	status int         // of the answer, 0 until there is one
	begun  bool        // the answer passes through
	held   bytes.Buffer
}

func (a *attempt) Header() http.Header {
	if a.begun {
		return a.to.Header()
	}
	if a.header == nil {
		a.header = http.Header{}
	}
	return a.header
}

func (a *attempt) WriteHeader(status int) {
	if a.status != 0 {
		return
	}
	if status < 200 { // informational: the answer is still to come
		return
	}
	a.status = status
	if status != http.StatusServiceUnavailable {
		a.begin()
	}
}

func (a *attempt) begin() {
	maps.Copy(a.to.Header(), a.header)
	a.begun = true
	a.to.WriteHeader(a.status)
}

func (a *attempt) Write(p []byte) (int, error) {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if a.begun {
		return a.to.Write(p)
	}
	return a.held.Write(p)
}

// Unwrap lets http.ResponseController reach deadlines, and Flush once the answer passes through.
func (a *attempt) Unwrap() http.ResponseWriter { return a.to }

// FlushError sends on what has been written, if it passes through.
func (a *attempt) FlushError() error {
	if a.status == 0 {
		a.WriteHeader(http.StatusOK)
	}
	if !a.begun {
		return nil
	}
	return http.NewResponseController(a.to).Flush()
}

// flush sends a held answer.
func (a *attempt) flush() {
	if a.begun || a.status == 0 {
		return
	}
	a.begin()
	a.to.Write(a.held.Bytes())
}

// reset forgets a held answer.
func (a *attempt) reset() {
	a.header, a.status = nil, 0
	a.held.Reset()
}

// heldCode is the code of a held problem, "" for any other answer.
func (a *attempt) heldCode() problem.Code {
	if a.begun || a.status == 0 {
		return ""
	}
	var p Problem
	if json.Unmarshal(a.held.Bytes(), &p) != nil {
		return ""
	}
	return p.Code
}
