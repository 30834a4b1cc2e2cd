package report

import (
	"encoding/csv"
	"io"
	"strconv"
	"strings"
	"time"
)

// byteOrderMark lets Excel read names as UTF-8; without it "Zoë" becomes "ZoÃ«".
const byteOrderMark = "\uFEFF"

var csvHeader = []string{"user", "file", "outcome", "reason", "advice", "status", "code", "attempts", "tracking_id",
	"sha256", "type", "size", "width", "height", "uploaded_at"}

// writeCSV writes a header and a line for each person, ours first, then the source's other columns.
func writeCSV(w io.Writer, r Report, _ string) error {
	if _, err := io.WriteString(w, byteOrderMark); err != nil {
		return err
	}
	out := csv.NewWriter(w)
	write := func(cells []string) error {
		for i, cell := range cells {
			cells[i] = inert(visible(cell))
		}
		return out.Write(cells)
	}
	if err := write(append(csvHeader[:len(csvHeader):len(csvHeader)], columnNames(r.Columns, csvHeader...)...)); err != nil {
		return err
	}
	for row := range r.Rows {
		if err := write(csvCells(row, len(r.Columns))); err != nil {
			return err
		}
	}
	out.Flush()
	return out.Error()
}

func csvCells(row Row, columns int) []string {
	cells := []string{row.User, row.File, string(row.Outcome), row.Reason, row.Advice,
		number(row.Status), number(row.Code), number(row.Attempts), row.TrackingID, row.SHA256, row.ContentType,
		number(row.Size), number(row.Width), number(row.Height), timestamp(row.When)}
	for i := range columns {
		cells = append(cells, row.extra(i))
	}
	return cells
}

// inert keeps a spreadsheet from running a cell as a formula, by an apostrophe before whatever could begin one: at the
// cell's own beginning, or at that of what a spreadsheet takes for one that splits at semicolons or tabs. Zoom's user IDs
// and file names may begin so too; JSON Lines has them unchanged. A carriage return is an escape by now.
func inert(cell string) string {
	var b strings.Builder
	begins := true
	for i, r := range cell {
		if begins && strings.ContainsRune("=+-@＝＋－＠", r) || i == 0 && strings.ContainsRune("\t\n", r) {
			b.WriteByte('\'')
		}
		switch {
		case strings.ContainsRune(";\t\n", r):
			begins = true
		case !strings.ContainsRune(" \u00a0\ufeff\"", r):
			begins = false
		}
		b.WriteRune(r)
	}
	return b.String()
}

func number[N int | int64](n N) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatInt(int64(n), 10)
}

func timestamp(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339)
}
