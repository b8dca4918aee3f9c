package cluster_test

import (
	"testing"

	"colsum/csvsum"
)

// outages are two ways for a server to be gone: nobody listens, or nobody answers.
var outages = []struct {
	name  string
	begin func(t *testing.T, w *way)
	end   func(t *testing.T, w *way)
}{
	{"refused", func(_ *testing.T, w *way) { w.network.Refuse() }, func(t *testing.T, w *way) {
		if err := w.network.Accept(); err != nil {
			t.Fatal(err)
		}
	}},
	{"silent", func(t *testing.T, w *way) { w.network.Silence(t) }, func(_ *testing.T, w *way) { w.network.Heal() }},
}

// Storage is away when a work comes: it is accepted and waits, works on the local disk go on, and when storage is back it is
// planned and summed without anybody's help.
func TestStorageAwayAtPlanning(t *testing.T) {
	w := openWay(t)
	digest := w.put(t, "a.csv", 2000, 1)
	c := startCluster(t, 3, 2, w.flags()...)
	generate(t, c.data+"/disk.csv", 10_000, 2)
	disk := sum(t, c.data+"/disk.csv").Digest
	for _, o := range outages {
		t.Run(o.name, func(t *testing.T) {
			o.begin(t, w)
			first, second := c.submit("s3://test/a.csv", 64<<10), c.submit("s3://test/a.csv", 100<<10)
			c.done(c.submit("disk.csv", 64<<10), disk)
			for _, id := range []string{first, second} {
				d := c.until("said to be without storage", id, func(d *csvsum.Document) bool {
					return d.Progress.StorageUnreachableSince != nil
				})
				if d.Status != "queued" {
					t.Errorf("%s, want queued", d.Status)
				}
			}
			c.done(c.submit("disk.csv", 64<<10), disk)
			o.end(t, w)
			c.done(first, digest)
			c.done(second, digest)
		})
	}
}

// Storage goes away in mid-work: the work stays running, what was summed stays summed, works on the local disk go on.
func TestStorageAwayInMidWork(t *testing.T) {
	w := openWay(t)
	digest := w.put(t, "a.csv", 10_000, 1)
	c := startCluster(t, 3, 2, w.flags()...)
	generate(t, c.data+"/disk.csv", 10_000, 2)
	disk := sum(t, c.data+"/disk.csv").Digest
	for _, o := range outages {
		t.Run(o.name, func(t *testing.T) {
			g := w.hold(10)
			id := c.submit("s3://test/a.csv", 64<<10)
			<-g.held
			d := c.until("partly summed", id, func(d *csvsum.Document) bool { return d.Progress.TasksDone > 0 })
			if d.Progress.TasksDone == d.Progress.TasksTotal || d.Status != "running" {
				t.Fatalf("%s with %+v behind the gate", d.Status, d.Progress)
			}
			o.begin(t, w)
			g.open()
			c.done(c.submit("disk.csv", 64<<10), disk)
			gone := c.until("said to be without storage", id, func(d *csvsum.Document) bool {
				return d.Progress.StorageUnreachableSince != nil
			})
			if gone.Status != "running" || gone.Progress.TasksDone < d.Progress.TasksDone {
				t.Errorf("%s with %+v, after %+v", gone.Status, gone.Progress, d.Progress)
			}
			c.done(c.submit("disk.csv", 64<<10), disk)
			o.end(t, w)
			c.done(id, digest)
			if d, text := c.result(id); d.Progress.StorageUnreachableSince != nil {
				t.Errorf("still said to be without storage: %s", text)
			}
		})
	}
}

// The workers are as patient as can be, and storage goes away under all their slots: works on the local disk get done all
// the same, and the work without storage says so long before anybody has given up.
func TestPatienceHoldsUpNobodyElse(t *testing.T) {
	w := openWay(t)
	digest := w.put(t, "a.csv", 10_000, 1)
	c := startCluster(t, 1, 2, append(w.flags(), "--storage-patience=1h")...)
	generate(t, c.data+"/disk.csv", 10_000, 2)
	disk := sum(t, c.data+"/disk.csv").Digest
	g := w.hold(10)
	id := c.submit("s3://test/a.csv", 64<<10)
	<-g.held
	w.network.Silence(t)
	g.open()
	for _, chunk := range []int{1 << 20, 10_000_000} { // several tasks, and a single one
		c.done(c.submit("disk.csv", chunk), disk)
	}
	d := c.until("said to be without storage", id, func(d *csvsum.Document) bool {
		return d.Progress.StorageUnreachableSince != nil
	})
	if d.Status != "running" {
		t.Errorf("%s, want running", d.Status)
	}
	c.done(c.submit("disk.csv", 64<<10), disk)
	w.network.Heal()
	c.done(id, digest)
}
