package report

import (
	"bytes"
	"fmt"
	"image"
	"image/jpeg"
	_ "image/png"
	"sync"

	"golang.org/x/image/draw"

	"github.com/zoompic/zoompic/zoomclient/portrait"
)

const (
	thumbnailSide   = 96       // pixels; a page shows it at 64, so that a screen of higher density has some to spare
	thumbnailJPEG   = 82       // quality; makes 2 to 3 KB of a face
	maxPixels       = 25 << 20 // of a picture that gets a thumbnail
	manyPixels      = 4 << 20  // see oneLarge
	maxPictureBytes = 2 << 20  // what Zoom takes; what is larger was never sent
)

// oneLarge keeps pictures of many pixels from being decoded at the same time. Measured at maxPixels, an ordinary JPEG takes
// 52 MiB and a PNG 114, or 213 with 16 bits a colour. A progressive JPEG takes 4 bytes more for each sample: by its layout
// 600 MiB in four colours, which is the worst. Pictures of fewer pixels take at most a sixth of that for each core.
var oneLarge sync.Mutex

// thumbnail is the picture as Zoom shows it, but for the round edge: the square in its middle, as a small JPEG.
//
// A rotation that only the file's EXIF data asks for is not applied. Whether Zoom applies it is not known, and a face that
// lies on its side here, before anything is sent, is better than one that surprises everybody there. What is transparent
// becomes white.
func thumbnail(open func() ([]byte, error)) (small []byte, err error) {
	defer func() {
		if p := recover(); p != nil { // no hostile picture may cost a finished run its report
			err = fmt.Errorf("decoding: %v", p)
		}
	}()
	data, err := open()
	if err != nil {
		return nil, err
	}
	if len(data) > maxPictureBytes {
		return nil, fmt.Errorf("%d bytes are more than a profile picture has", len(data))
	}
	found, err := portrait.Inspect(data, portrait.Options{MaxPixels: maxPixels}) // refuses what would take minutes, too
	if err != nil {
		return nil, err
	}
	if int64(found.Width)*int64(found.Height) > manyPixels {
		oneLarge.Lock()
		defer oneLarge.Unlock()
	}
	picture, _, err := image.Decode(bytes.NewReader(data))
	if err != nil {
		return nil, err
	}
	square := image.NewRGBA(image.Rect(0, 0, thumbnailSide, thumbnailSide))
	draw.Draw(square, square.Bounds(), image.White, image.Point{}, draw.Src)
	// BiLinear weighs every pixel of the source. ApproxBiLinear looks at four for each pixel of the thumbnail, which turns
	// hair and glasses of a large picture into noise; CatmullRom is hardly sharper at this size and takes twice as long.
	draw.BiLinear.Scale(square, square.Bounds(), picture, middle(picture.Bounds()), draw.Over, nil)
	var out bytes.Buffer
	err = jpeg.Encode(&out, square, &jpeg.Options{Quality: thumbnailJPEG})
	return out.Bytes(), err
}

// middle is the largest square in the middle of r.
func middle(r image.Rectangle) image.Rectangle {
	side := min(r.Dx(), r.Dy())
	corner := r.Min.Add(image.Pt((r.Dx()-side)/2, (r.Dy()-side)/2))
	return image.Rectangle{Min: corner, Max: corner.Add(image.Pt(side, side))}
}
