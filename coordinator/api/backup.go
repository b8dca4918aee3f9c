package api

import (
	"errors"
	"net/http"

	"colsum/coordinator/problem"
)

// backup sends the state as an archive: fsm's snapshot, whose own checksum shows whether it came through whole.
func (a *API) backup(w http.ResponseWriter, r *http.Request) {
	if err := a.current(r.Context(), r.URL.Query().Get("consistency")); err != nil {
		writeProblem(w, problem.From(err))
		return
	}
	w.Header().Set("Content-Type", "application/octet-stream")
	w.Header().Set("Content-Disposition", `attachment; filename="colsum.backup"`)
	if err := a.works.State().Backup(w); err != nil {
		if r.Context().Err() == nil && !errors.Is(err, http.ErrHandlerTimeout) {
			a.log.Error("backup broken off", "error", err)
		}
		panic(http.ErrAbortHandler) // the client must see the break
	}
}
