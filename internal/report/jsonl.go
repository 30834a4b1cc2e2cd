package report

import (
	"encoding/json"
	"fmt"
	"io"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// A jsonRow is one line. Its keys are a promise to the programs that read them; `zoompic upload --json` has the same.
type jsonRow struct {
	User       string            `json:"user"`
	File       string            `json:"file,omitempty"`
	Outcome    Outcome           `json:"outcome"`
	Reason     string            `json:"reason,omitempty"`
	Advice     string            `json:"advice,omitempty"`
	Status     int               `json:"status,omitempty"`
	Code       int               `json:"code,omitempty"`
	Attempts   int               `json:"attempts,omitempty"`
	TrackingID string            `json:"tracking_id,omitempty"`
	SHA256     string            `json:"sha256,omitempty"`
	Type       string            `json:"type,omitempty"`
	Size       int64             `json:"size,omitempty"`
	Width      int               `json:"width,omitempty"`
	Height     int               `json:"height,omitempty"`
	UploadedAt string            `json:"uploaded_at,omitempty"`
	Columns    map[string]string `json:"columns,omitempty"`
}

// writeJSONL writes an object a line for each person.
func writeJSONL(w io.Writer, r Report, _ string) error {
	names := columnNames(r.Columns)
	for row := range r.Rows {
		line, err := json.Marshal(newJSONRow(row, names))
		if err != nil {
			return err
		}
		if _, err := w.Write(append(EscapeJSON(line), '\n')); err != nil {
			return err
		}
	}
	return nil
}

func newJSONRow(row Row, names []string) jsonRow {
	columns := map[string]string{}
	for i, name := range names {
		if value := row.extra(i); value != "" {
			columns[name] = value
		}
	}
	return jsonRow{
		User: row.User, File: row.File, Outcome: row.Outcome, Reason: row.Reason, Advice: row.Advice,
		Status: row.Status, Code: row.Code, Attempts: row.Attempts, TrackingID: row.TrackingID, SHA256: row.SHA256,
		Type: row.ContentType, Size: row.Size, Width: row.Width, Height: row.Height,
		UploadedAt: timestamp(row.When), Columns: columns,
	}
}

// EscapeJSON escapes the characters in a line of JSON that are not printable, which changes nothing for a program but keeps a
// name from rewriting the terminal that shows the file.
func EscapeJSON(line []byte) []byte {
	var out []byte
	for len(line) > 0 {
		r, size := utf8.DecodeRune(line)
		switch {
		case unicode.IsPrint(r):
			out = append(out, line[:size]...)
		case r > 0xFFFF: // JSON's escapes are UTF-16
			high, low := utf16.EncodeRune(r)
			out = fmt.Appendf(out, `\u%04x\u%04x`, high, low)
		default:
			out = fmt.Appendf(out, `\u%04x`, r)
		}
		line = line[size:]
	}
	return out
}
