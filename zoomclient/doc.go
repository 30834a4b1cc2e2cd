// Package zoomclient puts pictures on Zoom profiles.
//
//	tokens := &zoomclient.ServerToServer{AccountID: …, ClientID: …, ClientSecret: …}
//	client, err := zoomclient.New(tokens)
//	…
//	result, err := client.UploadFile(ctx, "ada@example.com", "ada.jpg")
//
// # What is sent
//
// A user ID that could change the request's path, and a file that is not a whole JPEG or PNG of at most 2 MiB, are
// refused before anything is sent. Each attempt then waits for its turn, gets a token, and sends the same bytes: one
// multipart form of exact length with constant part headers. Redirects are never followed, nothing in an answer chooses
// where a request goes, and no token, secret or picture is in an error, a log record or a printed value.
//
// # What counts as success
//
// Zoom answered 201 (or 200 or 204), every byte had been handed to the connection when its answer began, and the answer names no
// error code. (Forms of up to 64 KiB are handed over in one piece: there, when the answer was read.)
//
// # What is tried again
//
// No answer, 408, 425 and 5xx are tried again after a random delay between bounds that double from [Retry].MinDelay to
// MaxDelay, or after a Retry-After that fits into MaxWait, until MaxAttempts is reached. Errors of a TLS certificate, redirects
// and other 4xx are not. The same holds for the token endpoint, where 429 counts among the 5xx, and for what a proxy answers in
// their place. 417 is tried again at once, without "Expect: 100-continue".
//
// After 401 or code 124 the token is replaced once, if the source is a [TokenRefresher], and the picture is sent again at
// once; this repeat does not count against MaxAttempts. A second refusal is final, and so is a missing scope (code 4711).
//
// After 429 no upload of the client sends anything until the time that Zoom states, as seconds, HTTP date or ISO-8601
// time, or for at least a second where it states none. If an upload would have to wait longer than MaxWait in sum, it ends
// at once with an [*Error] that matches [ErrRateLimited] and says in RetryAfter how long the limit lasts. A daily limit
// without a stated time lasts to 00:00 UTC (Zoom's rate-limit page). After a limit on requests a second the client's attempts
// keep further apart than before, and come closer again with every success, since other apps of the account use the limit too.
//
// An attempt is given up after AttemptTimeout, when no byte of a picture over 64 KiB is taken for 20 seconds, or when the body
// of an answer takes longer than 10. If every byte had been sent, the picture may have been set: unless a later attempt
// succeeds the error matches [ErrUnconfirmed]. When ctx ends, the upload ends, whatever it was doing, and its error matches
// the context's and the last failure.
//
// # Many pictures
//
// [Client.UploadPictures] sends a sequence of them, and ends early when a failure would meet all the others too.
//
// Package zoomtest, below this one, is a fake Zoom for tests.
package zoomclient
