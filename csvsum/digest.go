package csvsum

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
)

// digest returns "sha256:" and the hexadecimal SHA-256 of the canonical text of a result:
//
//	colsum 1
//	size 5700000000
//	dialect delimiter="," quote="\"" decimal="." comment="" header=true newline="\n" bom=false one_column=false
//	rows 3000000
//	column 10 name="col9" sum=1499832.1234567890123456 numeric=3000000 empty=0 invalid=0 missing=0
//
// with one such line for each result, by ascending column, each line ended by "\n". Texts are Go string literals (in which
// every byte has one form); name=null stands for a column without a header cell. Nothing that depends on the split, the
// storage, or the time is in it.
func digest(p *Plan, r *Result) string {
	h := sha256.New()
	d := &p.Spec.Dialect
	fmt.Fprintf(h, "colsum 1\nsize %d\n", p.Spec.Size)
	fmt.Fprintf(h, "dialect delimiter=%q quote=%q decimal=%q comment=%q header=%t newline=%q bom=%t one_column=%t\n",
		byteText(d.Delimiter), byteText(d.Quote), byteText(d.Decimal), byteText(d.Comment), d.Header, d.NewlineText, d.BOM, d.OneColumn)
	fmt.Fprintf(h, "rows %d\n", r.Rows)
	for i := range r.Results {
		writeColumn(h, &r.Results[i])
	}
	return "sha256:" + hex.EncodeToString(h.Sum(nil))
}

func writeColumn(w io.Writer, c *ColumnResult) {
	name := "null"
	if c.Name != nil {
		name = fmt.Sprintf("%q", *c.Name)
	}
	fmt.Fprintf(w, "column %d name=%s sum=%s numeric=%d empty=%d invalid=%d missing=%d\n",
		c.Column, name, c.Sum, c.Numeric, c.Empty, c.Invalid, c.Missing)
}
