package csvsum

import (
	"bytes"
	"strings"
	"unicode/utf8"
)

// unquote returns the content of a field: itself, or without its quotes if it opens with one. buf is used where the content
// is no plain part of raw; nil allocates.
func (a *automaton) unquote(raw, buf []byte) []byte {
	if a.quote == 0 || len(raw) == 0 || raw[0] != a.quote {
		return raw
	}
	raw = raw[1:]
	i := bytes.IndexByte(raw, a.quote)
	if i < 0 {
		return raw // never closed
	}
	if i == len(raw)-1 {
		return raw[:i]
	}
	buf = append(buf[:0], raw[:i]...)
	for raw = raw[i+1:]; len(raw) > 0 && raw[0] == a.quote; raw = raw[i+1:] {
		// A doubled quote: one quote, and on to the next.
		buf = append(buf, a.quote)
		raw = raw[1:]
		if i = bytes.IndexByte(raw, a.quote); i < 0 {
			return append(buf, raw...)
		}
		buf = append(buf, raw[:i]...)
	}
	return append(buf, raw...) // what follows the closing quote is literal
}

// blank reports whether a record of one field, its end not included, counts as a blank line.
func (a *automaton) blank(raw []byte, one bool) bool {
	return len(raw) == 0 || one && a.quote != 0 && len(raw) == 2 && raw[0] == a.quote && raw[1] == a.quote
}

// badText is how a bad cell is shown: valid UTF-8, at most MaxBadText bytes.
func badText(content []byte) string {
	cutShort := len(content) > MaxBadText
	if cutShort {
		content = content[:MaxBadText]
		// Do not leave half a character at the cut.
		for i := len(content) - 1; i >= len(content)-utf8.UTFMax; i-- {
			if utf8.RuneStart(content[i]) {
				if !utf8.FullRune(content[i:]) {
					content = content[:i]
				}
				break
			}
		}
	}
	text := strings.ToValidUTF8(string(content), "\ufffd")
	for len(text) > MaxBadText {
		_, n := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-n]
	}
	return text
}
