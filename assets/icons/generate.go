//go:build ignore

// Command generate draws mark.png, sizes/*.png and tray/*.png. Run it with `go generate ./assets/icons` after a change of mark.svg.
package main

import (
	"bytes"
	"fmt"
	"image"
	"image/png"
	"log"
	"os"
	"strings"

	"github.com/fyne-io/oksvg"
	"github.com/srwiley/rasterx"
)

// badges are the dots that tell the states of the tray apart, also by their place, not by colour alone.
var badges = map[string]string{
	"idle":    ``,
	"active":  `<circle cx="50" cy="50" r="13" fill="#15803d"/><path d="M50 42v14M43 50l7 7 7-7" stroke="#fff" stroke-width="4" fill="none"/>`,
	"sharing": `<circle cx="50" cy="14" r="13" fill="#7c3aed"/><path d="M50 22v-14M43 14l7-7 7 7" stroke="#fff" stroke-width="4" fill="none"/>`,
	"problem": `<circle cx="50" cy="50" r="13" fill="#dc2626"/><path d="M50 42v9M50 55v3" stroke="#fff" stroke-width="4" fill="none"/>`,
}

func main() {
	mark, err := os.ReadFile("mark.svg")
	if err != nil {
		log.Fatal(err)
	}
	draw(string(mark), 256, "mark.png")
	for _, size := range []int{16, 24, 32, 48, 64, 128} { // what desktops ask packages for
		draw(string(mark), size, fmt.Sprintf("sizes/%d.png", size))
	}
	for state, badge := range badges {
		draw(strings.Replace(string(mark), "</svg>", badge+"</svg>", 1), 64, "tray/"+state+".png")
	}
}

func draw(svg string, size int, name string) {
	icon, err := oksvg.ReadIconStream(bytes.NewReader([]byte(svg)))
	if err != nil {
		log.Fatal(err)
	}
	for i := range icon.SVGPaths { // the library scales everything but widths
		icon.SVGPaths[i].LineWidth *= float64(size) / 64
	}
	icon.SetTarget(0, 0, float64(size), float64(size))
	picture := image.NewRGBA(image.Rect(0, 0, size, size))
	icon.Draw(rasterx.NewDasher(size, size, rasterx.NewScannerGV(size, size, picture, picture.Bounds())), 1)
	f, err := os.Create(name)
	if err != nil {
		log.Fatal(err)
	}
	if err := png.Encode(f, picture); err != nil {
		log.Fatal(err)
	}
	if err := f.Close(); err != nil {
		log.Fatal(err)
	}
}
