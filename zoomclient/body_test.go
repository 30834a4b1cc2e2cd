package zoomclient

import (
	"context"
	"errors"
	"testing"
)

// TestOthersContextIsNotOurs: net/http may end a request because another one, which was making the connection, was cancelled.
func TestOthersContextIsNotOurs(t *testing.T) {
	client, _ := scripted(t, StaticToken("T"), []step{takes(0, context.Canceled), takes(0, context.DeadlineExceeded), answers(201, "")}, WithRetry(Retry{MaxAttempts: 1}))
	for range 2 {
		_, err := client.UploadPicture(t.Context(), Me, smallPNG(t))
		if err == nil || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v matches a context's error", err)
		}
	}
}
