package zoomclient

import (
	"net/http"
	"strings"
	"time"

	"golang.org/x/net/http2"
)

// The rows of the fault matrix: what the server does, and what that means to an upload.

// A faultRow is one fault, on one protocol or on both.
type faultRow struct {
	only string
	fault
	effect
}

// pictureFaults are the faults of the picture endpoint, for either protocol unless only is set.
func pictureFaults() []faultRow {
	type row = faultRow
	rejected := reply{400, []string{"Content-Type", "application/json"}, `{"code":300,"message":"Your request was not accepted."}`}
	pictureIsSet := reply{201, []string{"Content-Type", "application/json"}, `{"message":"the picture is set"}`}
	rows := []row{
		{"", fault{stage: atAccept, action: fin}, lost},
		{"", fault{stage: atAccept, action: rst}, lost},
		{"", fault{stage: atAccept, action: hang}, after(lost, 10*time.Second)},
		{"", fault{stage: atAccept, action: garbage}, lost},
		{"", fault{stage: atHandshake, action: fin}, lost},
		{"", fault{stage: atHandshake, action: rst}, lost},
		{"", fault{stage: atHandshake, action: hang}, after(lost, 10*time.Second)},
		{"", fault{stage: atHandshake, action: trickle}, after(lost, 10*time.Second)},
		{"", fault{stage: atHandshake, action: garbage}, lost},
		{"", fault{stage: atHandshake, action: alert}, lost},
		{"", fault{stage: atHandshake, action: stranger}, effect{final: true}},
		{"", fault{stage: atHandshake, action: expired}, effect{final: true}},
		{"", fault{stage: atHandshake, action: misnamed}, effect{final: true}},
		{"", fault{stage: atOpen, action: fin}, lost},
		{"", fault{stage: atOpen, action: rst}, lost},
		{"", fault{stage: atOpen, action: garbage}, lost},
		{"", fault{stage: atOpen, action: hang}, after(lost, stallLasts)},
		{"", fault{stage: atHead, action: fin}, lost},
		{"", fault{stage: atHead, action: rst}, lost},
		{"", fault{stage: atHead, action: hang}, after(lost, stallLasts)},
		{"", fault{stage: atHead, action: garbage}, lost},
		{"", fault{stage: atHead, action: flood}, lost},
		{http2Name, fault{stage: atHead, action: silence}, after(lost, stallLasts)},
		{"", fault{stage: atBodyEnd, action: fin}, unconfirmed},
		{"", fault{stage: atBodyEnd, action: fin, commit: true}, unconfirmed},
		{"", fault{stage: atBodyEnd, action: rst}, unconfirmed},
		{"", fault{stage: atBodyEnd, action: rst, commit: true}, unconfirmed},
		{"", fault{stage: atBodyEnd, action: hang, commit: true}, after(unconfirmed, whole)},
		{http2Name, fault{stage: atBodyEnd, action: silence, commit: true}, after(unconfirmed, whole)},
		{"", fault{stage: atBodyEnd, action: garbage, commit: true}, unconfirmed},
		{"", fault{stage: atBodyEnd, action: flood, commit: true}, unconfirmed},
		{http1, fault{stage: atBody, after: -1, action: fin}, unconfirmed}, // the last byte is on its way: the client cannot know
		{http1, fault{stage: atBody, after: -1, action: hang}, after(unconfirmed, whole)},
	}
	for _, k := range []int{1, 100, 20_000, 100_000} {
		for _, does := range []action{fin, rst, garbage} {
			rows = append(rows, row{"", fault{stage: atBody, after: k, action: does}, lost})
		}
		rows = append(rows, row{"", fault{stage: atBody, after: k, action: hang}, after(lost, stallLasts)},
			row{http2Name, fault{stage: atBody, after: k, action: silence}, after(lost, stallLasts)})
	}
	for _, code := range []http2.ErrCode{http2.ErrCodeNo, http2.ErrCodeProtocol, http2.ErrCodeInternal, http2.ErrCodeRefusedStream, http2.ErrCodeCancel, http2.ErrCodeEnhanceYourCalm, http2.ErrCodeHTTP11Required} {
		rows = append(rows,
			row{http2Name, fault{stage: atHead, action: resetStream, code: code}, lost},
			row{http2Name, fault{stage: atBody, after: 20_000, action: resetStream, code: code}, lost},
			row{http2Name, fault{stage: atBodyEnd, action: resetStream, code: code, commit: true}, unconfirmed})
	}
	for _, code := range []http2.ErrCode{http2.ErrCodeNo, http2.ErrCodeInternal, http2.ErrCodeEnhanceYourCalm} {
		rows = append(rows,
			row{http2Name, fault{stage: atHead, action: goAway, code: code}, lost},
			row{http2Name, fault{stage: atBody, after: 20_000, action: goAway, code: code}, lost},
			row{http2Name, fault{stage: atBodyEnd, action: goAway, code: code, commit: true}, unconfirmed})
	}
	rows = append(rows, row{http2Name, fault{stage: atBodyEnd, action: goAwayAfter, commit: true}, effect{success: true}})
	for _, at := range []stage{atStatus, atHeaders, atAnswer} {
		for _, does := range []action{fin, rst, garbage, hang, trickle} {
			good, bad := unconfirmed, unconfirmed
			switch {
			case at == atAnswer && does == garbage:
				good, bad = effect{success: true}, final(400, nil) // of an answer with a status, a damaged body takes nothing away
			case at == atAnswer && (does == hang || does == trickle):
				good, bad = after(unconfirmed, answerTimeout), after(final(400, nil), answerTimeout)
			case at == atAnswer:
				bad = final(400, nil)
			case does == hang || does == trickle:
				good, bad = after(good, whole), after(bad, whole)
			}
			rows = append(rows, row{http1, fault{stage: at, action: does, reply: pictureIsSet, commit: true}, good}, row{http1, fault{stage: at, action: does, reply: rejected}, bad})
			if does == trickle || at == atAnswer && does == hang {
				continue // of the connection, not of the stream: that is a dead connection
			}
			if at == atAnswer && does == garbage {
				good = unconfirmed // no frame: the connection has failed
			}
			rows = append(rows, row{http2Name, fault{stage: at, action: does, reply: pictureIsSet, commit: true}, good}, row{http2Name, fault{stage: at, action: does, reply: rejected}, bad})
		}
	}
	for _, at := range []stage{atHead, atBody} { // an answer before the picture was taken
		for _, then := range []action{"", fin, hang} {
			for _, status := range []int{200, 201, 204} {
				early := fault{stage: at, after: 1000, action: answers1, reply: reply{status: status}, then: then}
				one := lost
				if then == "" {
					one = unconfirmed // net/http hands it out when all has been taken in the end: who knows
				}
				rows = append(rows, row{http1, early, one})
				if then == hang { // net/http leaves such a stream waiting for as long as the connection lives; servers do reset it
					early.then = resetStream
				}
				rows = append(rows, row{http2Name, early, lost})
			}
			for _, status := range []int{400, 404, 413} {
				rows = append(rows, row{"", fault{stage: at, after: 1000, action: answers1, reply: reply{status: status, body: `{"code":1001}`}, then: then}, final(status, CodeUserNotFound)})
			}
			rows = append(rows, row{"", fault{stage: at, after: 1000, action: answers1, reply: reply{status: 503}, then: then}, retried(503)})
		}
	}
	for status := 400; status < 600; status++ {
		if http.StatusText(status) == "" && status != 520 && status != 530 && status != 599 {
			continue
		}
		want := final(status, nil)
		switch {
		case status == 401: // see the cases of tokens
			continue
		case status == 408, status == 425, status >= 500:
			want = retried(status)
		case status == 429:
			continue // see the cases of limits
		}
		rows = append(rows, row{"", fault{stage: atBodyEnd, action: answers1, reply: reply{status: status, body: "<html>" + http.StatusText(status)}}, want})
	}
	for _, status := range []int{202, 203, 205, 206, 226, 299} {
		rows = append(rows, row{"", fault{stage: atBodyEnd, action: answers1, reply: reply{status: status}}, final(status, nil)})
	}
	for _, ok := range []reply{
		{200, nil, "{}"}, {201, nil, ""}, {204, nil, ""}, {201, []string{"Content-Type", "text/plain"}, "created"}, {201, []string{"Content-Type", "application/json"}, "{broken"},
		{201, []string{"Content-Encoding", "gzip", "Content-Type", "application/json"}, "no gzip"}, {201, nil, strings.Repeat("endless ", 100_000)},
	} {
		rows = append(rows, row{"", fault{stage: atBodyEnd, action: answers1, reply: ok, commit: true}, effect{success: true}})
	}
	for _, lie := range []reply{
		{200, nil, `{"code":300,"message":"no"}`}, {201, nil, `{"code":"300"}`}, {200, []string{"Content-Type", "text/html"}, "<html>Sign in"}, {200, nil, `{"status":false,"errorCode":401}`},
	} {
		rows = append(rows, row{"", fault{stage: atBodyEnd, action: answers1, reply: lie}, final(lie.status, nil)})
	}
	rows = append(rows,
		row{http2Name, fault{stage: atAnswer, action: silence, reply: pictureIsSet, commit: true}, after(unconfirmed, answerTimeout)},
		row{http2Name, fault{stage: atAnswer, action: silence, reply: rejected}, after(final(400, nil), answerTimeout)},
		row{http1, fault{stage: atBodyEnd, action: answers1, reply: reply{201, []string{"X-Long", strings.Repeat("x", 300<<10)}, ""}, commit: true}, unconfirmed},
		row{http1, fault{stage: atBodyEnd, action: answers1, reply: reply{201, []string{"Transfer-Encoding", "chunked"}, "zz\r\nnot a chunk"}, commit: true}, unconfirmed},
		row{http1, fault{stage: atBodyEnd, action: answers1, reply: reply{201, []string{"Content-Length", "9", "Content-Length", "1"}, "{}"}, commit: true}, unconfirmed},
		row{http2Name, fault{stage: atBodyEnd, action: answers1, reply: reply{201, []string{"Content-Length", "9"}, "{}"}, commit: true}, unconfirmed})
	return rows
}

// on are the cases of a row, one for each protocol that it is of.
func (row faultRow) on(endpoint string) (cases []faultCase) {
	for _, protocol := range []string{http1, http2Name} {
		if row.only != "" && row.only != protocol {
			continue
		}
		c := faultCase{protocol: protocol, endpoint: endpoint, fault: row.fault, count: 1, want: row.effect}
		if protocol == http2Name && row.action == hang && row.lasts > deadLasts {
			c.want.lasts = deadLasts
		}
		cases = append(cases, c)
	}
	return cases
}

// always is the same fault as often as there are attempts.
func (c faultCase) always() faultCase {
	c.count = 5
	return c
}

// pictureCases are the faults of the picture endpoint, once, and as often as there are attempts, on new and on used
// connections, with large pictures and with small ones.
func pictureCases() (cases []faultCase) {
	for _, row := range pictureFaults() {
		for _, c := range row.on("picture") {
			cases = append(cases, c)
			if !row.final && !row.success && (row.action != answers1 || row.stage != atBodyEnd || row.reply.status%100 < 5) {
				cases = append(cases, c.always())
			}
			if small, ok := c.withSmallPicture(); ok {
				cases = append(cases, small)
			}
			if row.stage != atAccept && row.stage != atHandshake && row.stage != atOpen && row.action != answers1 {
				c.warm = true
				cases = append(cases, c)
			}
		}
	}
	return cases
}

// withSmallPicture is the same fault for a picture that is sent in one piece: from the request's head on, all of it may have
// arrived. ok is false where the fault is none for such a picture.
func (c faultCase) withSmallPicture() (small faultCase, ok bool) {
	c.small = true
	switch c.fault.stage {
	case atOpen:
		return c, false // whether the head was written by then is a matter of chance
	case atHead, atBody:
		if c.fault.action == answers1 || c.fault.after > 20_000 {
			return c, false // an answer to a request that is whole
		}
		c.want.whole = true
		if c.want.lasts == stallLasts {
			c.want.lasts = whole // there is nothing left to stall
		}
	}
	return c, true
}

// tokenFaults are the faults of the token endpoint. None of them costs a request for the picture.
func tokenFaults() []faultRow {
	type row = faultRow
	never := effect{final: true}
	rows := []row{
		{"", fault{stage: atAccept, action: fin}, lost},
		{"", fault{stage: atAccept, action: rst}, lost},
		{"", fault{stage: atAccept, action: hang}, after(lost, 10*time.Second)},
		{"", fault{stage: atAccept, action: garbage}, lost},
		{"", fault{stage: atHandshake, action: fin}, lost},
		{"", fault{stage: atHandshake, action: hang}, after(lost, 10*time.Second)},
		{"", fault{stage: atHandshake, action: trickle}, after(lost, 10*time.Second)},
		{"", fault{stage: atHandshake, action: alert}, lost},
		{"", fault{stage: atHandshake, action: stranger}, never},
		{"", fault{stage: atHandshake, action: expired}, never},
		{"", fault{stage: atHandshake, action: misnamed}, never},
		{http2Name, fault{stage: atHead, action: resetStream, code: http2.ErrCodeRefusedStream}, lost},
		{http2Name, fault{stage: atBodyEnd, action: goAway, code: http2.ErrCodeEnhanceYourCalm}, lost},
		{http2Name, fault{stage: atBodyEnd, action: silence}, after(lost, tokenTimeout)},
	}
	token := reply{200, []string{"Content-Type", "application/json"}, `{"access_token":"never-received","expires_in":3599}`}
	for _, at := range []stage{atOpen, atHead, atBodyEnd, atStatus, atHeaders, atAnswer} {
		for _, does := range []action{fin, rst, garbage, hang} {
			want := lost
			if does == hang {
				want = after(lost, tokenTimeout)
			}
			if at == atAnswer && does == garbage {
				rows = append(rows, row{http1, fault{stage: at, action: does, reply: token}, never}) // by its length it is an answer
				continue
			}
			rows = append(rows, row{"", fault{stage: at, action: does, reply: token}, want})
		}
	}
	for status := 400; status < 600; status++ {
		if http.StatusText(status) == "" || status == 407 || status == 421 {
			continue
		}
		want := never
		if status == 429 || status >= 500 {
			want = lost
		}
		rows = append(rows, row{"", fault{stage: atBodyEnd, action: answers1, reply: reply{status: status, body: `{"reason":"no","error":"invalid"}`}}, want})
	}
	for _, body := range []string{"", "<html>", "{}", `{"error":"invalid_client"}`, `{"access_token":"cut o`, `{"access_token":"line\r\nbreak"}`, `{"access_token":7}`, strings.Repeat(`{"access_token":"T"`, 20_000)} {
		rows = append(rows, row{"", fault{stage: atBodyEnd, action: answers1, reply: reply{status: 200, body: body}}, never})
	}
	return rows
}

func tokenCases() (cases []faultCase) {
	for _, row := range tokenFaults() {
		for _, c := range row.on("token") {
			cases = append(cases, c)
			if !row.final {
				cases = append(cases, c.always())
			}
		}
	}
	return cases
}

// redirectCases send both endpoints everywhere. No connection is made to any other host, and no request to another path.
func redirectCases() (cases []faultCase) {
	for endpoint, host := range map[string]string{"picture": "api.zoom.us", "token": "zoom.us"} {
		for _, protocol := range []string{http1, http2Name} {
			for _, status := range []int{300, 301, 302, 303, 305, 307, 308} {
				for _, location := range []string{"/elsewhere", "https://" + host + ":8443/", "https://sub." + host + "/", "https://elsewhere.example/", "http://" + host + "/", "http://[::1"} {
					want := final(status, ErrRedirected)
					if endpoint == "token" {
						want = effect{final: true}
					}
					cases = append(cases, faultCase{protocol: protocol, endpoint: endpoint, count: 1, want: want,
						fault: fault{stage: atBodyEnd, action: answers1, reply: reply{status: status, header: []string{"Location", location}}}})
				}
			}
		}
	}
	return cases
}
