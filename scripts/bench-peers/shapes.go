package main

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strconv"
)

// shape is one kind of file. Columns are a time, then col1, col2, ...; the summed ones are the 10th, 20th, ... .
type shape struct {
	name    string
	what    string
	columns int  // besides the time column
	every   int  // step of the sum
	peers   bool // whether the peers can read it as meant
	eol     string
	cell    func(b []byte, r *rand.Rand, row, col int) []byte
}

var shapes = []shape{
	{name: "decimals", what: "random decimals, 100 columns, as `colsum generate` writes them", columns: 100, every: 10, peers: true},
	{name: "all-columns", what: "the same, all columns summed but the time", columns: 100, every: 1, peers: true, cell: decimal},
	{name: "integers", what: "short integers", columns: 100, every: 10, peers: true, cell: func(b []byte, r *rand.Rand, _, _ int) []byte {
		return strconv.AppendInt(b, int64(r.IntN(1000)), 10)
	}},
	{name: "negatives", what: "decimals, half of them negative", columns: 100, every: 10, peers: true, cell: func(b []byte, r *rand.Rand, row, col int) []byte {
		if r.IntN(2) == 0 {
			b = append(b, '-')
		}
		return decimal(b, r, row, col)
	}},
	{name: "empty", what: "one column in three empty", columns: 100, every: 10, peers: true, cell: func(b []byte, r *rand.Rand, row, col int) []byte {
		if col%3 == 0 {
			return b
		}
		return decimal(b, r, row, col)
	}},
	{name: "quoted", what: "all cells quoted", columns: 100, every: 10, peers: true, cell: func(b []byte, r *rand.Rand, row, col int) []byte {
		return append(decimal(append(b, '"'), r, row, col), '"')
	}},
	{name: "crlf", what: "CRLF", columns: 99, every: 10, peers: true, eol: "\r\n", cell: decimal},
	{name: "wide1000", what: "1000 columns", columns: 1000, every: 10, peers: true, cell: decimal},
	{name: "wide10000", what: "10,000 columns", columns: 10000, every: 10, peers: true, cell: decimal},
	{name: "text", what: "quoted text with commas and newlines between the numbers", columns: 100, every: 10, peers: true, cell: func(b []byte, r *rand.Rand, row, col int) []byte {
		if col%10 == 5 {
			return append(b, "\"some text, with a comma\nand a line of its own\""...)
		}
		return decimal(b, r, row, col)
	}},
	{name: "exponents", what: "every cell like 9.5e-05", columns: 100, every: 10, peers: true, cell: func(b []byte, r *rand.Rand, _, _ int) []byte {
		b = append(b, byte('1'+r.IntN(9)), '.')
		b = strconv.AppendInt(b, r.Int64N(1e15), 10)
		return append(b, "e-0"+strconv.Itoa(5+r.IntN(4))...)
	}},
	{name: "padded", what: "cells padded with spaces", columns: 100, every: 10, peers: false, cell: func(b []byte, r *rand.Rand, row, col int) []byte {
		return append(decimal(append(b, "  "...), r, row, col), ' ')
	}},
	{name: "ragged", what: "records of 90 to 100 columns", columns: 100, every: 10, peers: false, cell: decimal},
}

func decimal(b []byte, r *rand.Rand, _, _ int) []byte {
	b = append(b, "0."...)
	v := r.Uint64N(1e16)
	var d [16]byte
	for i := 15; i >= 0; i-- {
		d[i] = byte('0' + v%10)
		v /= 10
	}
	return append(b, d[:]...)
}

func shapeNames() []string {
	var names []string
	for _, s := range shapes {
		names = append(names, s.name)
	}
	return names
}

// summed returns the names of the columns that `colsum sum --every N` selects.
func (s *shape) summed() []string {
	var names []string
	first := s.every
	if s.every == 1 {
		first = 2 // not the time
	}
	for c := first; c <= s.columns+1; c += s.every {
		names = append(names, "col"+strconv.Itoa(c-1))
	}
	return names
}

func (s *shape) flags() []string {
	if s.every == 1 {
		return []string{"--first", "2", "--every", "1"}
	}
	return []string{"--every", strconv.Itoa(s.every)}
}

// ensure writes the file unless it is there.
func (s *shape) ensure(path string, bigRows, smallMB int) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	if s.cell == nil {
		return exec.Command("bin/colsum", "generate", "--columns", strconv.Itoa(s.columns), "--rows", strconv.Itoa(bigRows), "--out", path).Run()
	}
	tmp := path + ".part"
	f, err := os.Create(tmp)
	if err != nil {
		return err
	}
	defer f.Close()
	w := bufio.NewWriterSize(f, 1<<20)
	eol := s.eol
	if eol == "" {
		eol = "\n"
	}
	for c := 1; c <= s.columns; c++ {
		fmt.Fprintf(w, ",col%d", c)
	}
	w.WriteString(eol)
	r := rand.New(rand.NewPCG(1, 2))
	var b []byte
	for row, size := 0, 0; size < smallMB*1_000_000; row++ {
		b = append(b[:0], "2020-01-01 00:00:"...)
		b = append(b, byte('0'+row/10%6), byte('0'+row%10))
		columns := s.columns
		if s.name == "ragged" {
			columns -= r.IntN(11)
		}
		for c := 1; c <= columns; c++ {
			b = s.cell(append(b, ','), r, row, c)
		}
		b = append(b, eol...)
		size += len(b)
		if _, err := w.Write(b); err != nil {
			return err
		}
	}
	if err := w.Flush(); err != nil {
		return err
	}
	return os.Rename(tmp, path)
}
