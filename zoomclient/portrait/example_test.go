package portrait_test

import (
	"bytes"
	"fmt"
	"image"
	"image/color"
	"image/draw"
	"image/jpeg"
	"image/png"
	"log"
	"os"

	"github.com/zoompic/zoompic/zoomclient/portrait"
)

// wall is a large photo of a wall.
func wall() []byte {
	img := image.NewRGBA(image.Rect(0, 0, 1500, 1200))
	draw.Draw(img, img.Rect, image.NewUniform(color.RGBA{180, 170, 160, 255}), image.Point{}, draw.Src)
	var file bytes.Buffer
	if err := jpeg.Encode(&file, img, nil); err != nil {
		log.Fatal(err)
	}
	return file.Bytes()
}

func ExampleFit() {
	pic, report, err := portrait.Fit(wall(), portrait.Options{Square: true})
	if err != nil {
		log.Fatal(err)
	}
	width, height := pic.Dimensions()
	fmt.Println(pic.ContentType(), width, height)
	fmt.Println(report.Before.Width, report.Before.Height, report.Cropped, report.Rotated)
	// Output:
	// image/jpeg 1024 1024
	// 1500 1200 true false
}

// A picture that fits already is not touched.
func ExampleFit_unchanged() {
	ada, err := os.ReadFile("../../examples/ada.jpg")
	if err != nil {
		log.Fatal(err)
	}
	_, report, err := portrait.Fit(ada, portrait.Options{})
	fmt.Println(report, err)
	// Output: unchanged: JPEG, 512 × 512 pixels, 30,031 bytes <nil>
}

func ExampleStripMetadata() {
	var file bytes.Buffer
	if err := png.Encode(&file, image.NewGray(image.Rect(0, 0, 8, 8))); err != nil {
		log.Fatal(err)
	}
	file.WriteString("what an editor left behind")

	_, report, err := portrait.StripMetadata(file.Bytes())
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(report.Removed, report.Encoded)
	// Output: [bytes after the image] false
}

func ExampleInspect() {
	found, err := portrait.Inspect(wall(), portrait.Options{})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(found.Format, found.Width, found.Height, found.GPS)
	// Output: JPEG 1500 1200 false
}
