package main

import (
	"os"
	"testing"
)

func TestMain(m *testing.M) {
	if runChild() { // the server of a benchmark is this program, too
		return
	}
	os.Exit(m.Run())
}

func BenchmarkUpload(b *testing.B) {
	dir := b.TempDir()
	server, err := startServer(dir, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer server.stop()
	samples, err := newSamples(dir)
	if err != nil {
		b.Fatal(err)
	}
	for _, protocol := range []struct{ name, base string }{{"h1", server.H1}, {"h2", server.H2}} {
		for _, s := range samples {
			for _, c := range clients {
				if !c.measured(s) {
					continue
				}
				upload, err := c.open(protocol.base, s)
				if err != nil {
					b.Fatal(err)
				}
				b.Run(protocol.name+"/"+s.size+"/"+c.name, func(b *testing.B) {
					b.SetBytes(int64(len(s.data)))
					benchmarkUploads(b, upload)
				})
			}
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	b.Run("jpeg", func(b *testing.B) { benchmarkCheck(b, jpegOf(2_000_000)) })
	b.Run("png", func(b *testing.B) { benchmarkCheck(b, pngOf(2_000_000)) })
}
