// Package decimal adds decimal numbers exactly.
//
// A [Sum] is a running total. [Sum.Add] and [Sum.AddCell] round nothing, so the total has the same digits whatever
// the order of the additions and however they were split over several sums that are later merged. Numbers are read from
// the text of CSV cells by the grammar of [Parse].
//
// A Sum is not safe for concurrent use.
package decimal
