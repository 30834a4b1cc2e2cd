package zoomclient

import "fmt"

// A Code is Zoom's own number for a failure. It is itself an error, so errors.Is(err, CodeUserNotFound) reads as it should.
type Code int

// The codes of the contract, openapi.yaml, which names the source of each.
const (
	CodeInvalidFile      Code = 120  // the file is empty, too large, no JPEG or PNG, or has no name
	CodeInvalidToken     Code = 124  // the access token has expired or is not valid
	CodeNotPermitted     Code = 200  // only an account administrator may change pictures
	CodeRejectedContent  Code = 300  // invalid or explicit content
	CodeRateLimited      Code = 429  // too many requests
	CodeUserNotFound     Code = 1001 // no such user
	CodeUserNotInAccount Code = 1010 // the user belongs to another account
	CodeMissingScope     Code = 4711 // the app lacks a scope
)

// codeMissingScopeOld is what some of Zoom's pages give instead of 4711; none of them is about pictures, so it is no part of the contract.
const codeMissingScopeOld Code = 4700

// Error says what the code means.
func (c Code) Error() string {
	if m := c.meaning(); m != "" {
		return fmt.Sprintf("zoom: code %d: %s", int(c), m)
	}
	return fmt.Sprintf("zoom: code %d", int(c))
}

func (c Code) meaning() string { return codeTexts[c].meaning }
func (c Code) advice() string  { return codeTexts[c].advice }

var codeTexts = map[Code]struct{ meaning, advice string }{
	CodeInvalidFile:      {"Zoom does not take this file", "send a JPEG or PNG of at most 2 MB"},
	CodeInvalidToken:     {"the access token has expired or is not valid", "get a new token, or check the app's credentials"},
	CodeNotPermitted:     {"only an account administrator may change this picture", "give the app's user the role permission User:Edit, or allow the change in the account's settings"},
	CodeRejectedContent:  {"Zoom refuses this picture's content", "choose another picture"},
	CodeRateLimited:      {"too many requests", "send fewer requests a second; every app of the account counts"},
	CodeUserNotFound:     {"the user does not exist", "check the user ID or email address"},
	CodeUserNotInAccount: {"the user is not in this account", "check that the app belongs to the user's account"},
	CodeMissingScope:     {"the app lacks a scope", "add the scope user:write:profile_picture:admin (classic apps: user:write:admin) to the app and activate it again"},
	codeMissingScopeOld:  {"the app lacks a scope", "add the scope user:write:profile_picture:admin (classic apps: user:write:admin) to the app and activate it again"},
}
