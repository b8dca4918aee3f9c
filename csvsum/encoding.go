package csvsum

import "bytes"

// Files that are no plain CSV text, by their first bytes. UTF-32LE comes first: its mark begins like that of UTF-16LE.
var foreign = []struct{ magic, code, name string }{
	{"\xff\xfe\x00\x00", "unsupported_encoding", "UTF-32 text"},
	{"\x00\x00\xfe\xff", "unsupported_encoding", "UTF-32 text"},
	{"\xff\xfe", "unsupported_encoding", "UTF-16 text"},
	{"\xfe\xff", "unsupported_encoding", "UTF-16 text"},
	{"\x1f\x8b", "compressed", "gzip data"},         // RFC 1952
	{"\x28\xb5\x2f\xfd", "compressed", "zstd data"}, // RFC 8878
	{"\xfd7zXZ\x00", "compressed", "xz data"},       // xz file format 1.1
	{"\x04\x22\x4d\x18", "compressed", "lz4 data"},  // LZ4 frame format
	{"PK\x03\x04", "compressed", "a zip archive"},   // APPNOTE.TXT
	{"PK\x05\x06", "compressed", "an empty zip archive"},
}

// bzip2 has a printable magic: "BZh", the level, and the digits of pi that open its first block (or of its root, if empty).
var bzip2Blocks = []string{"\x31\x41\x59\x26\x53\x59", "\x17\x72\x45\x38\x50\x90"}

// refuseEncoding returns a *FormatError for a file that is not plain text in a byte-wise encoding.
func refuseEncoding(head []byte) error {
	for _, f := range foreign {
		if bytes.HasPrefix(head, []byte(f.magic)) {
			return &FormatError{Code: f.code, Detail: "the file begins like " + f.name + ", which is not supported"}
		}
	}
	if len(head) >= 10 && bytes.HasPrefix(head, []byte("BZh")) && head[3] >= '1' && head[3] <= '9' {
		for _, block := range bzip2Blocks {
			if string(head[4:10]) == block {
				return &FormatError{Code: "compressed", Detail: "the file begins like bzip2 data, which is not supported"}
			}
		}
	}
	return nil
}
