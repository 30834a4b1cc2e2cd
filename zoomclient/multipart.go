package zoomclient

import (
	"context"
	"crypto/rand"
)

// partName is the one field that Zoom reads (Zoom's item).
const partName = "pic_file"

// newBody returns the form of one attempt, which it stops with errStalled when the transport reads no more of it.
func (u *upload) newBody(stop context.CancelCauseFunc) *body {
	const beforeBoundary = "multipart/form-data; boundary="
	contentType := beforeBoundary + "zoompic-" + rand.Text()
	f := form{boundary: contentType[len(beforeBoundary):], pic: u.pic}
	b := &body{contentType: contentType, size: f.size()}
	if u.courier.knowsBuffers() && b.size <= maxBuffered && !u.asksFirst() {
		b.sender = newBuffered(f)
	} else {
		b.sender = newStreamed(f, stop)
	}
	return b
}

// A form is a picture as multipart/form-data: only constants, the picture's checked type and a fresh boundary are around it.
type form struct {
	boundary string
	pic      Picture
}

func (f form) appendHead(b []byte) []byte {
	b = append(append(append(b, "--"...), f.boundary...), "\r\n"...)
	b = append(append(append(b, `Content-Disposition: form-data; name="`+partName+`"; filename="`...), f.pic.fileName()...), "\"\r\n"...)
	return append(append(append(b, "Content-Type: "...), f.pic.ContentType()...), "\r\n\r\n"...)
}

func (f form) appendTail(b []byte) []byte {
	return append(append(append(b, "\r\n--"...), f.boundary...), "--\r\n"...)
}

// maxAround bounds what is around the picture.
const maxAround = 512

func (f form) size() int64 {
	var around [maxAround]byte
	return int64(len(f.appendTail(f.appendHead(around[:0])))) + f.pic.Size()
}
