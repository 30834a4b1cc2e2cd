package zoomtest_test

import (
	"context"
	"fmt"
	"log"
	"net/http/httptest"

	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/zoomtest"
)

// In a test, NewServer(t, …) does all of this but the upload.
func ExampleNew() {
	zoom := zoomtest.New("ada@example.com")
	zoom.AcceptToken("T")
	server := httptest.NewServer(zoom)
	defer server.Close()

	client, err := zoomclient.New(zoomclient.StaticToken("T"), zoomclient.WithBaseURL(server.URL+"/v2"))
	if err != nil {
		log.Fatal(err)
	}
	if _, err := client.UploadFile(context.Background(), "ada@example.com", "../../examples/ada.jpg"); err != nil {
		log.Fatal(err)
	}
	picture, ok := zoom.Picture("ada@example.com")
	fmt.Println(len(picture) > 0, ok, len(zoom.Uploads()))
	// Output: true true 1
}

func ExampleHandler_Reply() {
	zoom := zoomtest.New()
	zoom.AcceptToken("T")
	server := httptest.NewServer(zoom)
	defer server.Close()
	client, err := zoomclient.New(zoomclient.StaticToken("T"), zoomclient.WithBaseURL(server.URL+"/v2"))
	if err != nil {
		log.Fatal(err)
	}

	zoom.Reply("rejected-content")
	_, err = client.UploadFile(context.Background(), zoomclient.Me, "../../examples/ada.jpg")
	fmt.Println(err)
	// Output: zoom: 400 Bad Request: Your request was not accepted because the profile picture contains invalid or explicit content (code 300, tracking ID FAKE_000001); choose another picture
}
