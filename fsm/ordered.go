package fsm

import "slices"

// ordered is a list of works kept sorted. Works are inserted near its end and removed near its front or end, so a slice
// does: 10,000 works are moved in a microsecond.
type ordered struct {
	list []*work
	cmp  func(a, b *work) int
}

func bySeq(a, b *work) int {
	switch {
	case a.seq < b.seq:
		return -1
	case a.seq > b.seq:
		return 1
	}
	return 0
}

func byEnd(a, b *work) int {
	switch {
	case a.head.Mtime < b.head.Mtime:
		return -1
	case a.head.Mtime > b.head.Mtime:
		return 1
	}
	return bySeq(a, b)
}

func (o *ordered) insert(w *work) {
	if n := len(o.list); n == 0 || o.cmp(o.list[n-1], w) < 0 {
		o.list = append(o.list, w)
		return
	}
	i, _ := slices.BinarySearchFunc(o.list, w, o.cmp)
	o.list = slices.Insert(o.list, i, w)
}

// remove takes out a work that is in the list.
func (o *ordered) remove(w *work) {
	i, found := slices.BinarySearchFunc(o.list, w, o.cmp)
	if !found || o.list[i] != w {
		panic("fsm: a work is missing in an index")
	}
	o.list = slices.Delete(o.list, i, i+1)
}

// removeAll takes out all works that are marked as gone.
func (o *ordered) removeAll() {
	o.list = slices.DeleteFunc(o.list, func(w *work) bool { return w.gone })
}
