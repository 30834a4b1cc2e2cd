package source

import (
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// pictureExtensions make a file of a folder somebody's picture. Those of formats that Zoom does not take are here too:
// their people must be told, not passed over.
var pictureExtensions = []string{
	".jpg", ".jpeg", ".jpe", ".jfif", ".png",
	".gif", ".webp", ".heic", ".heif", ".avif", ".bmp", ".tif", ".tiff", ".jxl", ".jp2", ".svg", ".psd", ".pdf",
}

// readFolder takes each picture's file name without its extension as the user.
func (s *Source) readFolder(recursive bool) error {
	return fs.WalkDir(s.root.FS(), ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return fmt.Errorf("%s: %w", quote(name), plain(err))
		case name == ".":
			return nil
		case strings.HasPrefix(entry.Name(), ".zoompic"): // our own state
			return nil
		case isHidden(entry.Name()) || entry.IsDir() && !recursive:
			s.Skipped = append(s.Skipped, name)
			if entry.IsDir() {
				s.passedFolder = s.passedFolder || !isHidden(entry.Name())
				return fs.SkipDir
			}
			return nil
		case entry.IsDir():
			return nil
		}
		extension := path.Ext(name)
		if !slices.Contains(pictureExtensions, strings.ToLower(extension)) {
			s.Skipped = append(s.Skipped, name)
			return nil
		}
		user := strings.TrimSuffix(entry.Name(), extension)
		s.Rows = append(s.Rows, Row{User: user, File: name, Err: checkUser(user), path: name})
		return nil
	})
}

// isHidden knows what systems put beside pictures: dot files, and the thumbnails of Windows and of network drives.
func isHidden(name string) bool {
	return strings.HasPrefix(name, ".") || strings.HasPrefix(name, "@eaDir") || strings.HasPrefix(name, "__MACOSX") ||
		slices.ContainsFunc([]string{"Thumbs.db", "ehthumbs.db", "desktop.ini"}, func(n string) bool { return strings.EqualFold(n, name) })
}
