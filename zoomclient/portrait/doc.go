// Package portrait makes any photo a picture that fits a Zoom profile.
//
//	pic, report, err := portrait.Fit(photo, portrait.Options{})
//	…
//	result, err := client.UploadPicture(ctx, "ada@example.com", pic)
//
// # What is done
//
// A JPEG, PNG, GIF (its first frame), WebP, BMP or TIFF is decoded, turned upright as its Exif asks for, cropped to a square
// if that is wanted, scaled down, and put on white where it is transparent. It becomes a JPEG of quality 92, or of the
// highest below that at which the file is small enough; if that would be less than [Options].MinQuality, it is scaled down
// more. If it was not a JPEG, nor another lossy one, and PNG is no larger, it becomes a PNG. CMYK and 16 bits a channel
// become 8-bit RGB. The same source and options give the same picture.
//
// What fits already and carries no metadata is returned byte for byte: a JPEG or PNG within the limits, upright, opaque, of 8
// bits a channel, greyscale or RGB. If only metadata is in the way, it is cut out and the pixels are not touched;
// [StripMetadata] does only that.
//
// # What is not in the result
//
// Exif and the position in it, XMP, IPTC, comments, text, thumbnails, further images, the data of applications, and what
// follows the image's end, where phones put videos. That is so whatever they hold: what is kept is listed, with its size, and not
// what is removed. What a program hides in the compressed pixels themselves stays where these are not drawn anew.
//
// An ICC profile is kept, with the name it gives itself, if it is one for the colours that the result has, since they would
// change without it; where pixels are drawn anew, only up to 128 KiB and a quarter of [Options].MaxBytes. What else PNG says
// of colours (gAMA, cHRM, cICP) is lost where pixels are drawn anew: they are taken for sRGB then.
//
// # What it costs
//
// Dimensions are checked before pixels are decoded: a file that promises more than [Options].MaxPixels is refused in
// microseconds. Go's decoders hold the whole image. Measured in the command, 50 megapixels, which is the default limit, took
// 90 MB from a JPEG as cameras write them (170 MB without chroma subsampling), 280 MB from a PNG (510 MB of 16 bits a
// channel, 800 MB of these interlaced), from a progressive JPEG, whose coefficients are held too, 390 MB (760 MB without
// subsampling, 1.2 GB as CMYK), and from a compressed TIFF up to 1.5 GB. Fewer pixels take less in proportion: MaxPixels
// bounds it. A JPEG of more than 100 scans, each of which costs a walk over the image, is refused.
//
// A context is looked at while a file is read, scaled and written, every few milliseconds. Decoders that work on without
// reading cannot be stopped: for 50 megapixels the end of a progressive JPEG took 0.2 s (1 s without subsampling, 2 s as
// CMYK), a TIFF 0.4 s, and a WebP up to 2.7 s.
//
// All functions may be called by many goroutines at once; one call uses one core.
package portrait
