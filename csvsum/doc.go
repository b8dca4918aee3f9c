// Package csvsum is the engine: it turns byte ranges of a CSV file into exact partial column sums and folds them.
//
// [Sniff] looks at the head of a file once and yields a [Plan]. [Scanner.Scan] turns one [Task], a byte range of the file, into
// a [Partial]; tasks may run anywhere, in any order, any number of times. A [Fold] takes the partials back in any order and
// adds them in task order; it drops a partial whose assumed start state turns out wrong and says so, and its task is run
// again with the state given. [Fold.Result] is the answer: the same digits for every split.
//
// CSV rules: RFC 4180 with the departures listed in docs/csv.md.
package csvsum
