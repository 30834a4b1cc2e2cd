// Package zoomtest is a fake Zoom for tests and demonstrations. It answers the picture operation and the token endpoint
// with the recorded replies of the contract, checks what Zoom checks, and keeps a ledger of what arrived.
//
//	func TestUpload(t *testing.T) {
//		zoom := zoomtest.NewServer(t, "ada@example.com")
//		if _, err := zoom.Client().UploadFile(t.Context(), "ada@example.com", "ada.jpg"); err != nil {
//			t.Fatal(err)
//		}
//		if _, ok := zoom.Picture("ada@example.com"); !ok {
//			t.Error("the picture did not arrive")
//		}
//	}
//
// A request is checked in this order, and the first thing wrong is answered: token (401, code 124), rate (429), user (404,
// code 1001), then the picture (400, code 120): the part must be called pic_file, have a file name, and hold a JPEG or PNG
// of 1 byte to 2 MiB. A form without its last boundary holds no file; of a body no more than 16 MiB are read. With "Expect: 100-continue" a refusal that does not depend on the picture is answered before it is
// sent. Only a picture that arrived whole and was answered with a 2xx is in the ledger.
package zoomtest
