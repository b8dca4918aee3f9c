package api

import (
	"testing"

	"colsum/csvsum"
)

// A listed work shows the same progress as its document, the speed included.
func TestListedProgressIsTheDocuments(t *testing.T) {
	s := newStack(t, 1, nil)
	s.ready()
	s.work()
	n := s.nodes[0]
	s.file("small.csv", small)
	id := s.submit(n, `{"filepath":"small.csv"}`)
	var doc struct{ Progress csvsum.Progress }
	s.get(n, "/api/get_result/"+id+"?wait=50s").into(t, &doc)
	var list struct {
		Works []struct{ Progress csvsum.Progress }
	}
	s.get(n, "/api/list_works").into(t, &list)
	if len(list.Works) != 1 || list.Works[0].Progress != doc.Progress || doc.Progress.BytesPerSecond <= 0 {
		t.Errorf("list_works: got %+v, want the document's %+v with a speed", list.Works, doc.Progress)
	}
}
