package decimal

import (
	"math/big"
	"regexp"
	"strings"
)

var grammar = regexp.MustCompile(`^[+-]?(?:([0-9]+)(?:\.([0-9]*))?|\.([0-9]+))(?:[eE]([+-]?[0-9]+))?$`)

// reference classifies a trimmed cell the slow way: by a regular expression and unbounded integers.
func reference(text string) Kind {
	if text == "" {
		return Empty
	}
	m := grammar.FindStringSubmatch(text)
	if m == nil || len(text) > MaxCell {
		return Invalid
	}
	digits := strings.TrimLeft(m[1]+m[2]+m[3], "0")
	if digits == "" {
		return Numeric
	}
	lead := big.NewInt(int64(len(digits) - 1 - len(m[2]) - len(m[3])))
	if m[4] != "" {
		e, ok := new(big.Int).SetString(m[4], 10)
		if !ok {
			return Invalid
		}
		lead.Add(lead, e)
	}
	if lead.CmpAbs(big.NewInt(MaxExponent)) > 0 {
		return Invalid
	}
	return Numeric
}
