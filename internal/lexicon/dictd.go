package lexicon

import (
	"fmt"
	"io"
	"regexp"
	"strings"

	"syncabel/internal/text"
)

// maxDictionary bounds a dictionary's text; FreeDict's largest has 100 MB.
const maxDictionary = 512 << 20

// Dictd reads a bilingual dictionary of FreeDict in the format of dictd: an index (rows of headword, offset and length in base 64) and the
// entries, unpacked: dictzip is gzip with an index. An entry is its headword with pronunciation, then lines of translations. Rows that are none are reported.
func Dictd(index, entries io.Reader, file string) ([]Pair, []text.Warning, error) {
	body, err := whole(entries)
	if err != nil {
		return nil, nil, fmt.Errorf("reading dictionary %s: %w", file, err)
	}
	var out []Pair
	bad := text.Problems{File: file}
	err = lines(index, file, maxLine, func(line int, row string) error {
		if strings.HasPrefix(row, "00database") {
			return nil
		}
		entry, ok := slice(body, row)
		if !ok {
			bad.Add(line, kind, "headword, offset and length of an entry are expected; is the index of this dictionary?")
			return nil
		}
		out = append(out, translations(entry)...)
		return nil
	})
	if err != nil {
		return nil, nil, err
	}
	return Merge(out), bad.List, nil
}

// whole reads all entries, which the index points into.
func whole(r io.Reader) ([]byte, error) {
	b, err := io.ReadAll(io.LimitReader(r, maxDictionary+1))
	if err == nil && len(b) > maxDictionary {
		err = fmt.Errorf("more than %d MB", maxDictionary>>20)
	}
	return b, err
}

// slice returns the entry that a row of the index points at.
func slice(body []byte, row string) (string, bool) {
	c := strings.Split(row, "\t")
	if len(c) < 3 {
		return "", false
	}
	at, ok := base64(c[1])
	n, ok2 := base64(c[2])
	if !ok || !ok2 || at+n > len(body) {
		return "", false
	}
	return string(body[at : at+n]), true
}

// base64 reads a number whose digits are those of base 64, the highest first.
func base64(s string) (n int, ok bool) {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
	if s == "" || len(s) > 6 {
		return 0, false
	}
	for i := range len(s) {
		d := strings.IndexByte(digits, s[i])
		if d < 0 {
			return 0, false
		}
		n = n<<6 | d
	}
	return n, true
}

var (
	headword = regexp.MustCompile(`^([^/<\[(]+)`)
	sense    = regexp.MustCompile(`^\s*\d+\.\s*`)
	remark   = regexp.MustCompile(`<[^>]*>|\([^)]*\)|\[[^\]]*\]`)
)

// translations are the pairs of an entry.
func translations(entry string) (out []Pair) {
	head, rest, _ := strings.Cut(entry, "\n")
	term := lower(headword.FindString(head))
	for line := range strings.Lines(rest) {
		line = remark.ReplaceAllString(sense.ReplaceAllString(line, ""), "")
		for _, t := range strings.FieldsFunc(line, func(r rune) bool { return r == ',' || r == ';' }) {
			if t = lower(t); usable(t) && usable(term) {
				out = append(out, Pair{term, t, 1})
			}
		}
	}
	return out
}
