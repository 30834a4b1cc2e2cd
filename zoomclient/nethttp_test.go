package zoomclient

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The tests of this file go through net/http on both sides, over TLS on loopback, on HTTP/1.1 and HTTP/2.

// onBoth runs a test on HTTP/1.1 and on HTTP/2, with a client that makes one attempt.
func onBoth(t *testing.T, handler http.HandlerFunc, test func(t *testing.T, client *Client, server *httptest.Server)) {
	for name, http2 := range map[string]bool{"HTTP/1.1": false, "HTTP/2.0": true} {
		t.Run(name, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Proto != name {
					t.Errorf("the request came by %s", r.Proto)
				}
				handler(w, r)
			}))
			server.EnableHTTP2 = http2
			server.StartTLS()
			defer server.Close()
			server.Client().Transport.(*http.Transport).ExpectContinueTimeout = time.Second
			client, err := New(StaticToken("T"), WithBaseURL(server.URL+"/v2"), WithHTTPClient(server.Client()),
				WithLimiter(nil), WithExpectContinue(-1), WithRetry(Retry{MaxAttempts: 1}))
			if err != nil {
				t.Fatal(err)
			}
			test(t, client, server)
		})
	}
}

// largePicture does not fit into the buffers between client and server.
func largePicture(t *testing.T) Picture {
	t.Helper()
	pic, err := UncheckedPicture(bytes.Repeat([]byte("picture "), MaxPictureSize/8), "image/png")
	if err != nil {
		t.Fatal(err)
	}
	return pic
}

func TestWireHoldsThePicture(t *testing.T) {
	var digest [32]byte
	var length int64
	onBoth(t, func(w http.ResponseWriter, r *http.Request) {
		length = r.ContentLength
		form, err := r.MultipartReader()
		if err != nil {
			t.Error(err)
			return
		}
		var part *multipart.Part
		if part, err = form.NextRawPart(); err == nil {
			data, _ := io.ReadAll(part)
			digest = sha256.Sum256(data)
		}
		io.Copy(io.Discard, r.Body)
		w.WriteHeader(http.StatusCreated)
	}, func(t *testing.T, client *Client, _ *httptest.Server) {
		for _, pic := range []Picture{smallPNG(t), largePicture(t)} {
			if _, err := client.UploadPicture(t.Context(), Me, pic); err != nil || digest != pic.SHA256() || length <= pic.Size() {
				t.Errorf("%v; %d bytes declared for %d", err, length, pic.Size())
			}
		}
	})
}

// TestEarlySuccessIsNone: a plain client reports the 201 of a server that has taken next to nothing.
func TestEarlySuccessIsNone(t *testing.T) {
	huge, err := UncheckedPicture(make([]byte, 32<<20), "image/png") // more than the system's buffers ever hold
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{}, 4) // one for each of the two requests of the two runs
	onBoth(t, func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Length", "0")
		w.WriteHeader(http.StatusCreated)
		http.NewResponseController(w).Flush()
		<-release // and takes no more until the client has decided
	}, func(t *testing.T, client *Client, server *httptest.Server) {
		defer func() { release <- struct{}{}; release <- struct{}{} }()
		if _, err := client.UploadPicture(t.Context(), Me, huge); !errors.Is(err, errEarlySuccess) || errors.Is(err, ErrUnconfirmed) {
			t.Errorf("UploadPicture: %v", err)
		}
		req, _ := http.NewRequestWithContext(t.Context(), "POST", server.URL, bytes.NewReader(huge.bytes()))
		resp, err := server.Client().Do(req)
		if err != nil || resp.StatusCode != http.StatusCreated {
			t.Fatalf("the control: a plain client says %v, %v", resp, err)
		}
		resp.Body.Close()
	})
}

// TestContextEndsAStuckExchange: the server has begun an answer and neither ends it nor takes the picture.
func TestContextEndsAStuckExchange(t *testing.T) {
	release := make(chan struct{}, 2)
	onBoth(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusBadRequest)
		http.NewResponseController(w).Flush()
		<-release
	}, func(t *testing.T, client *Client, _ *httptest.Server) {
		defer func() { release <- struct{}{} }()
		ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
		defer cancel()
		start := time.Now()
		_, err := client.UploadPicture(ctx, Me, largePicture(t))
		if spent := time.Since(start); !errors.Is(err, context.DeadlineExceeded) || spent > 2*time.Second {
			t.Errorf("after %v: %v", spent, err)
		}
	})
}

// TestRedirectsCarryNothing: a plain client sends picture and, to another port of the host, the token after a 307.
func TestRedirectsCarryNothing(t *testing.T) {
	var arrived atomic.Int64
	var leaked atomic.Bool
	elsewhere := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived.Add(1)
		leaked.Store(r.Header.Get("Authorization") != "")
	}))
	defer elsewhere.Close()
	for _, status := range []int{301, 302, 303, 307, 308} {
		onBoth(t, func(w http.ResponseWriter, r *http.Request) {
			io.Copy(io.Discard, r.Body)
			w.Header().Set("Location", elsewhere.URL)
			w.WriteHeader(status)
		}, func(t *testing.T, client *Client, server *httptest.Server) {
			before := arrived.Load()
			if _, err := client.UploadPicture(t.Context(), Me, smallPNG(t)); !errors.Is(err, ErrRedirected) || arrived.Load() != before {
				t.Errorf("%d: %v, %d requests elsewhere", status, err, arrived.Load()-before)
			}
			req, _ := http.NewRequestWithContext(t.Context(), "POST", server.URL, strings.NewReader("x"))
			req.Header.Set("Authorization", "Bearer T")
			resp, err := server.Client().Do(req)
			if err != nil {
				t.Fatal(err)
			}
			resp.Body.Close()
			if arrived.Load() == before || !leaked.Load() {
				t.Error("the control: a plain client did not carry the token elsewhere")
			}
		})
	}
}

func TestLostAnswerIsUnconfirmed(t *testing.T) {
	onBoth(t, func(_ http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler) // ends the connection, or the stream
	}, func(t *testing.T, client *Client, _ *httptest.Server) {
		if _, err := client.UploadPicture(t.Context(), Me, largePicture(t)); !errors.Is(err, ErrUnconfirmed) {
			t.Error(err)
		}
	})
}

// TestExpectContinueSavesTheUpload: a refusal is seen although the server takes nothing, and nothing is sent.
func TestExpectContinueSavesTheUpload(t *testing.T) {
	onBoth(t, func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusRequestEntityTooLarge)
	}, func(t *testing.T, client *Client, _ *httptest.Server) {
		client.expectFrom = 0
		for range 20 {
			_, err := client.UploadPicture(t.Context(), Me, largePicture(t))
			if answer, ok := errors.AsType[*Error](err); !ok || answer.StatusCode != http.StatusRequestEntityTooLarge {
				t.Fatal(err)
			}
		}
	})
}

// TestGzipBomb: 200 MB in 200 KB cost no memory.
func TestGzipBomb(t *testing.T) {
	var bomb bytes.Buffer
	packer := gzip.NewWriter(&bomb)
	for range 200 {
		packer.Write(make([]byte, 1<<20))
	}
	packer.Close()
	onBoth(t, func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		w.Header().Set("Content-Encoding", "gzip")
		w.WriteHeader(http.StatusBadRequest)
		w.Write(bomb.Bytes())
	}, func(t *testing.T, client *Client, _ *httptest.Server) {
		allocated := testing.Benchmark(func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := client.UploadPicture(t.Context(), Me, smallPNG(t)); err == nil {
					b.Fatal("accepted")
				}
			}
		}).AllocedBytesPerOp()
		if allocated > 4<<20 {
			t.Errorf("%d bytes allocated", allocated)
		}
	})
}

// TestBuffersAreRecycledSafely: uploads that are cancelled at any moment share a few buffers with others. What arrives is whole
// and belongs to its user; the race detector watches who still reads what is written anew.
func TestBuffersAreRecycledSafely(t *testing.T) {
	var arrived atomic.Int64
	onBoth(t, func(w http.ResponseWriter, r *http.Request) {
		form, err := r.MultipartReader()
		if err != nil {
			return
		}
		part, err := form.NextRawPart()
		if err != nil {
			return // cancelled
		}
		data, err := io.ReadAll(part)
		if err == nil && !bytes.Equal(data, pictureOfUser(r.URL.Path)) {
			t.Errorf("%s: somebody else's bytes arrived", r.URL.Path)
		}
		if err == nil {
			arrived.Add(1)
		}
		w.WriteHeader(http.StatusCreated)
	}, func(t *testing.T, client *Client, server *httptest.Server) {
		arrived.Store(0)
		client.retry.MaxAttempts, client.retry.MinDelay = 5, time.Millisecond // a connection that is being made may end with who asked for it
		var uploads sync.WaitGroup
		for worker := range 8 {
			uploads.Go(func() {
				for i := range 60 {
					user := fmt.Sprintf("%d-%d", worker, i)
					pic, err := UncheckedPicture(pictureOfUser("/v2/users/"+user+"/picture"), "image/png")
					if err != nil {
						t.Error(err)
						return
					}
					ctx, cancel := context.WithCancel(t.Context())
					if i%2 == 1 {
						time.AfterFunc(rand.N(3*time.Millisecond), cancel)
					}
					if _, err := client.UploadPicture(ctx, user, pic); err != nil && ctx.Err() == nil {
						t.Errorf("%s: %v", user, err)
					}
					cancel()
				}
			})
		}
		uploads.Wait()
		if arrived.Load() < 8*30 {
			t.Errorf("only %d pictures arrived", arrived.Load())
		}
	})
}

// TestFileBuffersAreRecycledSafely: the same for files, which are streamed from the buffer that they were read into.
func TestFileBuffersAreRecycledSafely(t *testing.T) {
	folder := t.TempDir()
	digests := map[string][32]byte{}
	for i := range 4 {
		data := append(bytes.Clone(smallPNG(t).bytes()), bytes.Repeat([]byte{byte(i)}, 1<<20)...)
		user := fmt.Sprint(i)
		digests["/v2/users/"+user+"/picture"] = sha256.Sum256(data)
		if err := os.WriteFile(filepath.Join(folder, user), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	var arrived atomic.Int64
	onBoth(t, func(w http.ResponseWriter, r *http.Request) {
		form, err := r.MultipartReader()
		if err != nil {
			return
		}
		part, err := form.NextRawPart()
		if err != nil {
			return // cancelled
		}
		digest := sha256.New()
		if _, err := io.Copy(digest, part); err == nil {
			arrived.Add(1)
			if [32]byte(digest.Sum(nil)) != digests[r.URL.Path] {
				t.Errorf("%s: other bytes arrived", r.URL.Path)
			}
		}
		w.WriteHeader(http.StatusCreated)
	}, func(t *testing.T, client *Client, _ *httptest.Server) {
		arrived.Store(0)
		client.retry.MaxAttempts, client.retry.MinDelay = 5, time.Millisecond
		var uploads sync.WaitGroup
		for worker := range 4 {
			uploads.Go(func() {
				user := fmt.Sprint(worker)
				for i := range 20 {
					ctx, cancel := context.WithCancel(t.Context())
					if i%2 == 1 {
						time.AfterFunc(rand.N(10*time.Millisecond), cancel)
					}
					if _, err := client.UploadFile(ctx, user, filepath.Join(folder, user)); err != nil && ctx.Err() == nil {
						t.Errorf("%s: %v", user, err)
					}
					cancel()
				}
			})
		}
		uploads.Wait()
		if arrived.Load() < 4*10 {
			t.Errorf("only %d pictures arrived", arrived.Load())
		}
	})
}

// pictureOfUser is as long as a buffer allows and the same nowhere else.
func pictureOfUser(path string) []byte { return bytes.Repeat([]byte(path+" "), 60_000/len(path+" ")) }
