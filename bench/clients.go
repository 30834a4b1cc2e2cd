package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	restyv2 "github.com/go-resty/resty/v2"
	restyv3 "resty.dev/v3"

	"github.com/zoompic/zoompic/zoomclient"
)

const (
	user     = "ada@example.com"
	inFlight = 64 // uploads at once where there are many; every client keeps as many idle connections
)

// The names of clients that something is compared with or by.
const (
	rawClient      = "raw"
	leanClient     = "net/http at its leanest"
	pictureClient  = "UploadPicture"
	fileClient     = "UploadFile"
	picturesClient = "UploadPictures" // in processes only
)

// A client opens an uploader for one sample and one server.
type client struct {
	name string
	size string // the only size it is measured with; empty: all
	peer bool   // somebody else's, from a file: UploadFile is to be faster
	open func(base string, s *sample) (uploader, error)
}

// An uploader makes one upload and fails unless it was answered 201. Many may run at once.
type uploader func() error

// clients are all Go clients. The first is what the others are measured against; peers read the file in the way their
// documentation shows.
var clients = []client{
	{name: rawClient, open: openRaw},
	{name: leanClient, open: openLean},
	{name: pictureClient, open: openPicture},
	{name: fileClient, open: openFile},
	{name: "UploadPicture, default Expect", size: "2 MB", open: openDefault},
	{name: "mime/multipart + bytes.Buffer", peer: true, open: openBuffer},
	{name: "io.Pipe", peer: true, open: openPipe},
	{name: "resty v2", peer: true, open: openRestyV2},
	{name: "resty v3", peer: true, open: openRestyV3},
}

// measured reports whether c is measured with s.
func (c client) measured(s *sample) bool { return c.size == "" || c.size == s.size }

func findClient(name string) (client, error) {
	for _, c := range clients {
		if c.name == name {
			return c, nil
		}
	}
	return client{}, fmt.Errorf("there is no client %q", name)
}

func pictureURL(base string) string { return base + "/users/" + user + "/picture" }

// newTransport is net/http's own, with enough idle connections.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = inFlight
	t.DisableCompression = true
	return t
}

// openRaw posts bytes that were made before: what zoompic sends, byte for byte as long.
func openRaw(base string, s *sample) (uploader, error) {
	client := &http.Client{Transport: newTransport()}
	return openBytes(base, s, client.Do)
}

// openLean posts them in one write where they are few, by a transport alone: what is left of raw if nothing is done but to send.
func openLean(base string, s *sample) (uploader, error) {
	transport := newTransport()
	transport.WriteBufferSize = 68 << 10
	return openBytes(base, s, transport.RoundTrip)
}

func openBytes(base string, s *sample, do func(*http.Request) (*http.Response, error)) (uploader, error) {
	boundary := "zoompic-" + strings.Repeat("B", 26)
	head := "--" + boundary + "\r\n" +
		`Content-Disposition: form-data; name="pic_file"; filename="picture.jpg"` + "\r\nContent-Type: image/jpeg\r\n\r\n"
	body := bytes.Join([][]byte{[]byte(head), s.data, []byte("\r\n--" + boundary + "--\r\n")}, nil)
	return func() error {
		req, err := http.NewRequest(http.MethodPost, pictureURL(base), bytes.NewReader(body))
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Accept", "application/json")
		req.Header.Set("Content-Type", "multipart/form-data; boundary="+boundary)
		req.Header.Set("User-Agent", "zoompic/"+zoomclient.Version+" ("+runtime.Version()+")")
		return send(do, req)
	}, nil
}

// newClient is zoompic without pacing. The others do not ask before they send, so neither does it, but where that is measured.
func newClient(base string, opts ...zoomclient.Option) (*zoomclient.Client, error) {
	opts = append([]zoomclient.Option{zoomclient.WithBaseURL(base), zoomclient.WithLimiter(nil)}, opts...)
	return zoomclient.New(zoomclient.StaticToken(token), opts...)
}

func openPicture(base string, s *sample) (uploader, error) {
	return openMemory(base, s, zoomclient.WithExpectContinue(-1))
}

func openDefault(base string, s *sample) (uploader, error) { return openMemory(base, s) }

func openMemory(base string, s *sample, opts ...zoomclient.Option) (uploader, error) {
	client, err := newClient(base, opts...)
	if err != nil {
		return nil, err
	}
	pic, err := zoomclient.NewPicture(s.data)
	return func() error {
		_, err := client.UploadPicture(context.Background(), user, pic)
		return err
	}, err
}

func openFile(base string, s *sample) (uploader, error) {
	client, err := newClient(base, zoomclient.WithExpectContinue(-1))
	return func() error {
		_, err := client.UploadFile(context.Background(), user, s.path)
		return err
	}, err
}

// openBuffer is how most Go programs upload a file.
func openBuffer(base string, s *sample) (uploader, error) {
	client := &http.Client{Transport: newTransport()}
	return func() error {
		var body bytes.Buffer
		form := multipart.NewWriter(&body)
		if err := writeForm(form, s.path); err != nil {
			return err
		}
		return post(client, base, &body, form)
	}, nil
}

// openPipe is how Go programs upload a file that they do not want in memory.
func openPipe(base string, s *sample) (uploader, error) {
	client := &http.Client{Transport: newTransport()}
	return func() error {
		r, w := io.Pipe()
		form := multipart.NewWriter(w)
		go func() { w.CloseWithError(writeForm(form, s.path)) }()
		defer r.Close()
		return post(client, base, r, form)
	}, nil
}

func writeForm(form *multipart.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	part, err := form.CreateFormFile("pic_file", filepath.Base(path))
	if err != nil {
		return err
	}
	if _, err := io.Copy(part, f); err != nil {
		return err
	}
	return form.Close()
}

func post(client *http.Client, base string, body io.Reader, form *multipart.Writer) error {
	req, err := http.NewRequest(http.MethodPost, pictureURL(base), body)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Content-Type", form.FormDataContentType())
	return send(client.Do, req)
}

func send(do func(*http.Request) (*http.Response, error), req *http.Request) error {
	resp, err := do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return err
	}
	return created(resp.StatusCode)
}

func openRestyV2(base string, s *sample) (uploader, error) {
	client := restyv2.New().SetTransport(newTransport())
	return func() error {
		resp, err := client.R().SetAuthToken(token).SetFile("pic_file", s.path).Post(pictureURL(base))
		if err != nil {
			return err
		}
		return created(resp.StatusCode())
	}, nil
}

func openRestyV3(base string, s *sample) (uploader, error) {
	client := restyv3.New().SetTransport(newTransport())
	return func() error {
		resp, err := client.R().SetAuthToken(token).SetFile("pic_file", s.path).Post(pictureURL(base))
		if err != nil {
			return err
		}
		return created(resp.StatusCode())
	}, nil
}

func created(status int) error {
	if status != http.StatusCreated {
		return fmt.Errorf("status %d", status)
	}
	return nil
}
