package zoomclient

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const maxMessage = 500 // characters of a server's text that are kept

// clean makes foreign text fit for an error or a log: one line of valid UTF-8, at most limit characters,
// without the control and format characters that could rewrite a terminal.
func clean(text string, limit int) string {
	if most := limit * utf8.UTFMax; len(text) > most {
		text = text[:most]
	}
	text = strings.ToValidUTF8(text, "\uFFFD")
	text = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.In(r, unicode.Cc, unicode.Cf, unicode.Co):
			return -1
		}
		return r
	}, text)
	if strings.Contains(text, " ") {
		text = strings.Join(strings.Fields(text), " ")
	}
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	return string([]rune(text)[:limit-1]) + "…"
}
