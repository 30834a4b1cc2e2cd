package report

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// visible shows the characters of a foreign text that could rewrite a terminal or turn the reading direction as escapes
// such as \x1b or \u202e. Line ends and tabs stay, and so do joiners, which some scripts and emoji need.
func visible(text string) string {
	if !strings.ContainsFunc(text, isHostile) && utf8.ValidString(text) {
		return text
	}
	var b strings.Builder
	for _, r := range text { // a byte that is not UTF-8 comes as U+FFFD
		if isHostile(r) {
			quoted := strconv.QuoteRuneToASCII(r)
			b.WriteString(quoted[1 : len(quoted)-1])
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}

func isHostile(r rune) bool {
	return unicode.Is(unicode.Cc, r) && r != '\n' && r != '\t' || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// columnNames makes names distinct, from each other and from those that are taken: a reader by name must find each one.
func columnNames(columns []string, taken ...string) []string {
	used := map[string]bool{}
	for _, name := range taken {
		used[name] = true
	}
	names := make([]string, len(columns))
	for i, column := range columns {
		if column == "" {
			column = "column"
		}
		names[i] = column
		for n := 2; used[names[i]]; n++ {
			names[i] = fmt.Sprintf("%s_%d", column, n)
		}
		used[names[i]] = true
	}
	return names
}

// extra is the value of the source's other column i; rows of a ragged source may have fewer.
func (r Row) extra(i int) string {
	if i < len(r.Extra) {
		return r.Extra[i]
	}
	return ""
}
