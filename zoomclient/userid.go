package zoomclient

import (
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Me stands for the user whose token it is. User-level apps must use it (Zoom's item).
const Me = "me"

const maxUserID = 254 // bytes; the longest email address

// CheckUserID reports whether an upload would take userID: a user ID, an email address or [Me]. Its errors match
// [ErrInvalidUserID]. Refused is everything that could make the request's path name something else.
func CheckUserID(userID string) error {
	refuse := func(why string) error {
		return fmt.Errorf("%w: %s; use a Zoom user ID, an email address or %q", ErrInvalidUserID, why, Me)
	}
	switch {
	case userID == "":
		return refuse("it is empty")
	case userID == "." || userID == "..":
		return refuse(fmt.Sprintf("%q is a step in a path", userID))
	case len(userID) > maxUserID:
		return refuse(fmt.Sprintf("it has %d bytes, more than %d", len(userID), maxUserID))
	case !utf8.ValidString(userID):
		return refuse("it is not valid UTF-8")
	}
	for _, r := range userID {
		if strings.ContainsRune(`/\%?#;`, r) || unicode.IsSpace(r) || unicode.In(r, unicode.Cc, unicode.Cf) {
			return refuse(fmt.Sprintf("%+q may not stand in it", r))
		}
	}
	return nil
}
