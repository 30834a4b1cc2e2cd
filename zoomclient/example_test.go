package zoomclient_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"net/http/httptest"
	"os"

	"golang.org/x/oauth2"

	"github.com/zoompic/zoompic/zoomclient"
	"github.com/zoompic/zoompic/zoomclient/zoomtest"
)

// fakeZoom stands in for Zoom, so that the examples run.
func fakeZoom(users ...string) (zoom *httptest.Server, base zoomclient.Option, tokens *zoomclient.ServerToServer) {
	zoom = httptest.NewServer(zoomtest.New(users...))
	return zoom, zoomclient.WithBaseURL(zoom.URL + "/v2"), &zoomclient.ServerToServer{
		AccountID: zoomtest.AccountID, ClientID: zoomtest.ClientID, ClientSecret: zoomtest.ClientSecret,
		TokenURL: zoom.URL + "/oauth/token",
	}
}

func Example() {
	zoom, base, tokens := fakeZoom()
	defer zoom.Close()

	client, err := zoomclient.New(tokens, base)
	if err != nil {
		log.Fatal(err)
	}
	result, err := client.UploadFile(context.Background(), "ada@example.com", "../examples/ada.jpg")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(result.StatusCode, result.Location == zoom.URL+"/pictures/ada@example.com")
	// Output: 201 true
}

func ExampleOAuth2() {
	zoom, base, _ := fakeZoom()
	defer zoom.Close()
	ctx := context.Background()
	config := oauth2.Config{ /* your app */ }
	token := &oauth2.Token{AccessToken: "unknown-to-this-Zoom"}

	client, err := zoomclient.New(zoomclient.OAuth2(config.TokenSource(ctx, token)), base)
	if err != nil {
		log.Fatal(err)
	}
	_, err = client.UploadFile(ctx, zoomclient.Me, "../examples/grace.png")
	fmt.Println(errors.Is(err, zoomclient.ErrUnauthorized))
	// Output: true
}

func ExampleError() {
	zoom, base, tokens := fakeZoom("ada@example.com")
	defer zoom.Close()
	client, err := zoomclient.New(tokens, base)
	if err != nil {
		log.Fatal(err)
	}

	_, err = client.UploadFile(context.Background(), "bob@example.com", "../examples/ada.jpg")
	switch {
	case err == nil:
		fmt.Println("Zoom has the picture")
	case errors.Is(err, zoomclient.CodeUserNotFound):
		fmt.Println("no such user")
	case errors.Is(err, zoomclient.ErrUnsupportedFormat), errors.Is(err, zoomclient.ErrDamagedPicture):
		fmt.Println("nothing was sent")
	case errors.Is(err, zoomclient.ErrRateLimited):
		if answer, ok := errors.AsType[*zoomclient.Error](err); ok {
			fmt.Println("go on in", answer.RetryAfter)
		}
	case errors.Is(err, zoomclient.ErrUnconfirmed):
		fmt.Println("upload again")
	default:
		fmt.Println(err)
	}
	// Output: no such user
}

func ExampleClient_UploadPictures() {
	zoom, base, tokens := fakeZoom("ada@example.com", "grace@example.com")
	defer zoom.Close()
	client, err := zoomclient.New(tokens, base)
	if err != nil {
		log.Fatal(err)
	}

	files := map[string]string{"ada@example.com": "../examples/ada.jpg", "grace@example.com": "../examples/grace.png", "bob@example.com": "../examples/ada.jpg"}
	uploads := func(yield func(zoomclient.Upload) bool) {
		for userID, path := range files {
			open := func() (zoomclient.Picture, error) { return zoomclient.LoadPicture(path) }
			if !yield(zoomclient.Upload{UserID: userID, Open: open}) {
				return
			}
		}
	}
	for o := range client.UploadPictures(context.Background(), uploads, 8) {
		switch {
		case errors.Is(o.Err, zoomclient.ErrStopped):
			fmt.Println("the rest was not tried:", o.Err)
		case o.Err != nil:
			fmt.Println(o.Upload.UserID, "failed:", errors.Is(o.Err, zoomclient.CodeUserNotFound))
		default:
			fmt.Println(o.Upload.UserID, o.Result.StatusCode)
		}
	}
	// Unordered output:
	// ada@example.com 201
	// grace@example.com 201
	// bob@example.com failed: true
}

func ExampleReadPicture() {
	file, err := os.ReadFile("../examples/grace.png")
	if err != nil {
		log.Fatal(err)
	}
	pic, err := zoomclient.ReadPicture(bytes.NewReader(file))
	if err != nil {
		log.Fatal(err)
	}
	width, height := pic.Dimensions()
	fmt.Println(pic.ContentType(), width, height)
	// Output: image/png 512 512
}

func ExampleNew_government() {
	client, err := zoomclient.New(
		&zoomclient.ServerToServer{AccountID: "a", ClientID: "c", ClientSecret: "s", TokenURL: "https://zoomgov.com/oauth/token"},
		zoomclient.WithBaseURL("https://api.zoomgov.com/v2"),
		zoomclient.WithHTTPClient(&http.Client{}),
	)
	fmt.Println(client, err)
	// Output: zoomclient.Client(https://api.zoomgov.com/v2) <nil>
}
