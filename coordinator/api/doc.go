// Package api is the HTTP face of a coordinator: the REST calls, their errors as RFC 9457 problem documents, and the
// forwarding that lets every node answer every path.
//
// A request passes through these, outermost first:
//
//	front     (front.go)    panics, unknown paths and methods, the body limit
//	forward   (forward.go)  writes and default reads go to the leader; a follower is a reverse proxy
//	huma      (api.go)      query parameters checked against Go types, the OpenAPI document
//	handlers  (files.go, preview.go, schedule.go, works.go, watch.go, cluster.go)
//
// Where the mux knows no path, front tries the files of the page (package web).
//
// The bodies of the POST calls are read by hand (fields.go), not by huma: they come as JSON or as a form, numbers may be
// strings, and a wrong option is answered by its name. Their shape in the OpenAPI document is given beside them.
package api
